//! Each check in each of its outcomes.

use super::*;
use crate::rotation::samples::{NOW, version, whole};

fn network() -> Network {
    let (subnets, groups) = (vec!["subnet-1".to_owned()], vec!["sg-1".to_owned()]);
    Network { vpc: Some("vpc-1".to_owned()), subnets, groups }
}

fn function() -> RotationFunction {
    RotationFunction {
        name: "rotator".to_owned(),
        state: "Active".to_owned(),
        timeout_seconds: 60,
        network: network(),
        strategy: None,
        log_group: "/aws/lambda/rotator".to_owned(),
        invocable: Ok(true),
        reserved: None,
    }
}

fn facts() -> Facts {
    Facts {
        secret: Ok(whole()),
        newest: None,
        function: Ok(Some(function())),
        strategy: None,
        api: Ok(ApiFunction { network: network(), reserved: None }),
        redeploy: Ok(None),
        now: NOW,
    }
}

fn denied() -> Problem {
    Problem::new(ProblemKind::Forbidden, "AWS did not allow the portal to look.")
}

#[test]
fn all_is_well() {
    let preflight = preflight(&facts());
    assert!(preflight.ready && preflight.checks.iter().all(|check| check.outcome == CheckOutcome::Pass));
    assert_eq!(preflight.verdict, "Nothing is in the way of a rotation.");
}

#[test]
fn each_check_sees_its_own_trouble() {
    use CheckOutcome::{Fail, Unknown, Warn};
    type Change = fn(&mut Facts);
    fn secret_of(facts: &mut Facts) -> &mut SecretDetail {
        facts.secret.as_mut().unwrap()
    }
    fn function_of(facts: &mut Facts) -> &mut RotationFunction {
        facts.function.as_mut().unwrap().as_mut().unwrap()
    }
    let table: [(&str, CheckOutcome, Change); 22] = [
        ("no_pending_version", Fail, |facts| secret_of(facts).versions.push(version("two", &["AWSPENDING"]))),
        ("no_pending_version", Fail, |facts| {
            secret_of(facts).versions.push(version("two", &["AWSPENDING"]));
            facts.newest = Some(RotationState::Running);
        }),
        ("no_pending_version", Unknown, |facts| facts.secret = Err(denied())),
        ("rotation_configured", Fail, |facts| secret_of(facts).versions.clear()),
        ("rotation_configured", Fail, |facts| secret_of(facts).rotation_function = None),
        ("rotation_configured", Warn, |facts| secret_of(facts).rotation_enabled = false),
        ("rotation_configured", Warn, |facts| secret_of(facts).next_rotation = Some(Timestamp(NOW.0 - 1))),
        ("rotation_function", Fail, |facts| {
            facts.function = Err(Problem::new(ProblemKind::NotFound, "Not there."));
        }),
        ("rotation_function", Fail, |facts| function_of(facts).reserved = Some(0)),
        ("rotation_function", Fail, |facts| function_of(facts).state = "Failed".to_owned()),
        ("rotation_function", Unknown, |facts| facts.function = Err(denied())),
        ("permission", Fail, |facts| function_of(facts).invocable = Ok(false)),
        ("permission", Unknown, |facts| function_of(facts).invocable = Err(denied())),
        ("timeout", Warn, |facts| function_of(facts).timeout_seconds = 3),
        ("network", Fail, |facts| function_of(facts).network = Network::default()),
        ("network", Warn, |facts| function_of(facts).network.groups = vec!["sg-2".to_owned()]),
        ("network", Unknown, |facts| facts.api = Err(denied())),
        ("kms", Warn, |facts| secret_of(facts).kms_key = Some("arn:aws:kms:...:key/1".to_owned())),
        ("no_redeploy", Fail, |facts| facts.redeploy = Ok(Some("A redeploy is under way.".to_owned()))),
        ("no_redeploy", Unknown, |facts| facts.redeploy = Err(denied())),
        ("lockout", Warn, |facts| facts.strategy = Some(Strategy::SingleUser)),
        ("settled", Warn, |facts| secret_of(facts).rotated = Some(Timestamp(NOW.0 - 60_000))),
    ];
    for (id, outcome, change) in table {
        let mut facts = facts();
        change(&mut facts);
        let preflight = preflight(&facts);
        let check = preflight.checks.iter().find(|check| check.id == id).unwrap();
        assert_eq!(check.outcome, outcome, "{check:?}");
        assert_eq!(preflight.ready, outcome != Fail && facts.secret.is_ok(), "{id} {}", preflight.verdict);
        assert!(outcome == Unknown || check.fix.is_some(), "{check:?}");
    }
}

#[test]
fn only_a_single_user_can_be_locked_by_environments_that_start() {
    let lockout = |strategy, reserved| {
        let api = Ok(ApiFunction { network: network(), reserved });
        let checks = preflight(&Facts { strategy, api, ..facts() }).checks;
        checks.into_iter().find(|check| check.id == "lockout").map(|check| check.evidence)
    };
    assert_eq!(lockout(None, Some(20)), None, "nobody knows");
    assert_eq!(lockout(Some(Strategy::AlternatingUsers), Some(20)), None);
    let evidence = lockout(Some(Strategy::SingleUser), Some(20)).unwrap();
    assert!(evidence.contains("can have 20 environments"), "{evidence}");
    let evidence = lockout(Some(Strategy::SingleUser), None).unwrap();
    assert!(evidence.contains("Nothing is known to bound"), "{evidence}");
}

#[test]
fn the_verdict_names_what_is_in_the_way() {
    let mut facts = facts();
    facts.redeploy = Ok(Some("A redeploy is under way.".to_owned()));
    let one = preflight(&facts).verdict;
    assert_eq!(one, "Not now: A redeploy is under way.");
    facts.secret.as_mut().unwrap().rotation_function = None;
    assert_eq!(preflight(&facts).verdict, "Not now: 2 things are in the way.");
}
