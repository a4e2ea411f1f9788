use model::problem::ProblemKind;

use super::super::package::{Bootstrap, Contents};
use super::*;

fn zip(bootstrap: Option<Bootstrap>, elsewhere: Option<&str>) -> CodeFacts {
    let contents = Contents { unzipped: 3 << 20, bootstrap, elsewhere: elsewhere.map(str::to_owned) };
    CodeFacts::Uploaded { sha256: "new".to_owned(), package: Package::Zip(contents) }
}

fn program(machine: &'static str) -> CodeFacts {
    zip(Some(Bootstrap { executable: true, kind: Kind::Elf(Ok(machine)) }), None)
}

fn version(number: &str, sha256: &str) -> CodeFacts {
    CodeFacts::Version { number: number.to_owned(), sha256: Ok(sha256.to_owned()) }
}

fn problem() -> Problem {
    Problem::new(ProblemKind::TimedOut, "AWS did not answer.")
}

/// All well; changed by `change`.
fn outcome(id: &str, change: impl FnOnce(&mut Facts)) -> (Option<CheckOutcome>, Preflight) {
    let mut facts = Facts {
        code: program("x86_64"),
        live: Ok("old".to_owned()),
        function: Ok(FunctionFacts {
            architecture: "x86_64".to_owned(),
            runtime: "provided.al2023".to_owned(),
            update: Update::Successful,
            state: "Active".to_owned(),
        }),
        pointing: Pointing { version: "7".to_owned(), weight: None },
        note: Note::Other(String::new()),
        rotation: Ok(None),
        alarms: Ok(Vec::new()),
        concurrency: Ok(Concurrency { limit: 100, reserved: true, used: Some(10) }),
        past_the_alias: Ok(Vec::new()),
        strategy: "canary 10%/5m".parse().unwrap(),
        despite_alarms: false,
    };
    change(&mut facts);
    let preflight = preflight(&facts);
    (preflight.checks.iter().find(|check| check.id == id).map(|check| check.outcome), preflight)
}

fn alarm() -> Alarm {
    Alarm {
        name: "api-5xx".to_owned(),
        state: AlarmState::Alarm,
        reason: None,
        since: None,
        actions_enabled: true,
    }
}

#[test]
fn all_well_is_ready() {
    let (_, preflight) = outcome("package", |_| {});
    assert!(preflight.ready, "{preflight:?}");
    assert_eq!(preflight.verdict, "Nothing is in the way of this deploy.");
    let all = preflight.checks.iter().all(|check| check.outcome == CheckOutcome::Pass);
    assert!(all && preflight.checks.len() == 9, "{preflight:?}");
}

#[test]
fn each_obstacle_is_named() {
    use CheckOutcome::{Fail, Pass, Unknown, Warn};
    type Change = fn(&mut Facts);
    let table: [(&str, CheckOutcome, &str, Change); 22] = [
        ("package", Fail, "no zip", |facts| {
            let package = Package::Broken("It is no zip.".to_owned());
            facts.code = CodeFacts::Uploaded { sha256: "x".to_owned(), package };
        }),
        ("package", Fail, "no file named bootstrap", |facts| facts.code = zip(None, None)),
        ("package", Fail, "release/bootstrap", |facts| facts.code = zip(None, Some("release/bootstrap"))),
        ("package", Fail, "may not be executed", |facts| {
            facts.code = zip(Some(Bootstrap { executable: false, kind: Kind::Elf(Ok("x86_64")) }), None);
        }),
        ("package", Fail, "neither", |facts| {
            facts.code = zip(Some(Bootstrap { executable: true, kind: Kind::Other }), None);
        }),
        ("package", Pass, "A zip,", |facts| {
            facts.code = zip(None, None);
            facts.function.as_mut().unwrap().runtime = "nodejs22.x".to_owned();
        }),
        ("package", Fail, "AWS did not answer", |facts| facts.code = CodeFacts::Object(Err(problem()))),
        ("package", Fail, "AWS did not answer", |facts| facts.code = CodeFacts::Missing(problem())),
        ("architecture", Fail, "built for arm64", |facts| facts.code = program("arm64")),
        ("architecture", Pass, "script", |facts| {
            facts.code = zip(Some(Bootstrap { executable: true, kind: Kind::Script }), None);
        }),
        ("architecture", Unknown, "AWS did not answer", |facts| facts.function = Err(problem())),
        ("new_code", Fail, "Nothing to deploy", |facts| facts.live = Ok("new".to_owned())),
        ("new_code", Fail, "Nothing to deploy", |facts| facts.code = version("7", "old")),
        ("new_code", Warn, "Nothing to deploy", |facts| facts.code = version("5", "old")),
        ("new_code", Pass, "Other code", |facts| facts.code = version("5", "older")),
        ("function", Fail, "in progress", |facts| {
            facts.function.as_mut().unwrap().update = Update::InProgress;
        }),
        ("function", Warn, "no addresses", |facts| {
            facts.function.as_mut().unwrap().update = Update::Failed("no addresses".to_owned());
        }),
        ("no_rotation", Fail, "rotated", |facts| facts.rotation = Ok(Some("0123456789abcdef".to_owned()))),
        ("alarms", Fail, "api-5xx", |facts| facts.alarms = Ok(vec![alarm()])),
        ("alarms", Warn, "on record", |facts| {
            facts.alarms = Ok(vec![alarm()]);
            facts.despite_alarms = true;
        }),
        ("concurrency", Warn, "of 100 reserved", |facts| {
            facts.concurrency = Ok(Concurrency { limit: 100, reserved: true, used: Some(51) });
        }),
        ("integration", Warn, "leads past it", |facts| facts.past_the_alias = Ok(vec!["abc".to_owned()])),
    ];
    for (id, expected, words, change) in table {
        let (found, preflight) = outcome(id, change);
        assert_eq!(found, Some(expected), "{id} {words}: {preflight:?}");
        let check = preflight.checks.iter().find(|check| check.id == id).unwrap();
        assert!(check.evidence.contains(words), "{words}: {}", check.evidence);
        assert_eq!(preflight.ready, expected != Fail, "{id}: {preflight:?}");
    }
}

#[test]
fn one_rollout_at_a_time() {
    let weighted = Pointing { version: "7".to_owned(), weight: Some(("8".to_owned(), 0.1)) };
    let (found, preflight) = outcome("no_rollout", |facts| facts.pointing = weighted);
    assert_eq!(found, Some(CheckOutcome::Fail), "{preflight:?}");
    let note = Note::read(
        "lockkeeper rollout=0123456789abcdef0123456789abcdef phase=shift0 old=7 new=8 since=1 by=ada@example.com",
    );
    let (found, preflight) = outcome("no_rollout", |facts| facts.note = note);
    assert_eq!(found, Some(CheckOutcome::Fail));
    assert!(preflight.verdict.contains("by ada@example.com"), "{}", preflight.verdict);
    let words = Note::Other("production".to_owned());
    let (found, preflight) = outcome("no_rollout", |facts| facts.note = words);
    assert_eq!(found, Some(CheckOutcome::Warn), "{preflight:?}");
    assert_eq!(preflight.verdict, "This deploy can go ahead; 1 thing to be aware of.");
}
