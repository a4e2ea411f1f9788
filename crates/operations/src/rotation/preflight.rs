//! Whether a rotation would go through: what is looked at before it begins, each with its evidence
//! and, where it is not as it should be, with what to do. Pure; the facts are read in `facts`.

use model::problem::{Problem, ProblemKind};
use model::rotation::{Check, CheckOutcome, Preflight, RotationState, SecretDetail, Strategy};
use model::time::{Timestamp, in_words};

use crate::checks::{self, judged};

/// What the database can make a step wait for: three logins of 6 s each at most (the connection 2 s,
/// TLS and login 4 s), the statement's 5 s, and Secrets Manager's 10 s. AWS's own default of 3 s is
/// not enough for one login.
const LEAST_TIMEOUT_SECONDS: u32 = 33;
/// AWS: one new version in ten minutes is sustained; beyond that old ones are not removed in time.
const SETTLE_MS: i64 = 10 * 60 * 1_000;

/// What was read. What could not be read is a problem, and its checks are "unknown".
pub(crate) struct Facts {
    /// The secret.
    pub(crate) secret: Result<SecretDetail, Problem>,
    /// The state of the newest rotation.
    pub(crate) newest: Option<RotationState>,
    /// The rotation function; none where the secret names none.
    pub(crate) function: Result<Option<RotationFunction>, Problem>,
    /// How the password is changed: what the rotation function is told, else what it did last; none
    /// where that is not known.
    pub(crate) strategy: Option<Strategy>,
    /// The API's function.
    pub(crate) api: Result<ApiFunction, Problem>,
    /// The redeploy under way, in words; none where there is none.
    pub(crate) redeploy: Result<Option<String>, Problem>,
    /// The present.
    pub(crate) now: Timestamp,
}

/// The rotation function, as far as rotations depend on it.
#[derive(Debug, Clone)]
pub(crate) struct RotationFunction {
    /// Its name.
    pub(crate) name: String,
    /// `Active` and so on.
    pub(crate) state: String,
    /// Its time limit in seconds.
    pub(crate) timeout_seconds: u32,
    /// Where it runs.
    pub(crate) network: Network,
    /// The strategy it is told to follow, where it is told one.
    pub(crate) strategy: Option<Strategy>,
    /// Its log group.
    pub(crate) log_group: String,
    /// Whether its policy lets Secrets Manager in for this secret; none where that can't be read.
    pub(crate) invocable: Result<bool, Problem>,
    /// The concurrency reserved for it; none where nothing is reserved.
    pub(crate) reserved: Option<u32>,
}

/// The API's function, as far as rotations depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiFunction {
    /// Where it runs.
    pub(crate) network: Network,
    /// The concurrency reserved for it, the most environments it can have; none where nothing is
    /// reserved, or that is not known.
    pub(crate) reserved: Option<u32>,
}

/// Where a function runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Network {
    /// The VPC; none outside of any.
    pub(crate) vpc: Option<String>,
    /// Its subnets, sorted.
    pub(crate) subnets: Vec<String>,
    /// Its security groups, sorted.
    pub(crate) groups: Vec<String>,
}

/// Puts the checks together.
pub(crate) fn preflight(facts: &Facts) -> Preflight {
    let mut checks = vec![pending(facts), configured(facts)];
    checks.extend(function(facts));
    checks.extend([network(facts), key(facts), redeploy(facts), settled(facts)]);
    checks.extend(lockout(facts));
    let judged = judged("a rotation", checks);
    Preflight { ready: judged.ready && facts.secret.is_ok(), ..judged }
}

/// As the checks below name what they are about.
fn check(
    id: &str,
    title: &str,
    outcome: CheckOutcome,
    evidence: impl Into<String>,
    fix: Option<&str>,
) -> Check {
    checks::check((id, title), outcome, evidence, fix)
}

fn unknown(id: &str, title: &str, problem: &Problem) -> Check {
    checks::unknown((id, title), problem)
}

fn pending(facts: &Facts) -> Check {
    let (id, title) = ("no_pending_version", "No other rotation");
    let secret = match &facts.secret {
        Ok(secret) => secret,
        Err(problem) => return unknown(id, title, problem),
    };
    let Some(version) = secret.pending() else {
        return check(id, title, CheckOutcome::Pass, "No version is left as AWSPENDING.", None);
    };
    let whose = version.started_by.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
    let short: String = version.id.chars().take(8).collect();
    match facts.newest {
        Some(RotationState::Running) => {
            let evidence = format!("A rotation{whose} is running (version {short}).");
            check(
                id,
                title,
                CheckOutcome::Fail,
                evidence,
                Some("Wait until it has ended; this page follows it."),
            )
        }
        _ => {
            let evidence =
                format!("A rotation{whose} was left half done: version {short} is still AWSPENDING.");
            check(
                id,
                title,
                CheckOutcome::Fail,
                evidence,
                Some("Repair it; AWS refuses a new rotation until then."),
            )
        }
    }
}

fn configured(facts: &Facts) -> Check {
    let (id, title) = ("rotation_configured", "Rotation is set up");
    match &facts.secret {
        Err(problem) => unknown(id, title, problem),
        Ok(secret) if secret.current().is_none() => {
            let fix = "Put a value into the secret that logs in, with the label AWSCURRENT.";
            check(id, title, CheckOutcome::Fail, "No version is labelled AWSCURRENT.", Some(fix))
        }
        Ok(secret) if secret.rotation_function.is_none() => {
            let fix = "Build the rotation function and name it in the secret's rotation configuration.";
            check(id, title, CheckOutcome::Fail, "The secret names no rotation function.", Some(fix))
        }
        Ok(secret) if !secret.rotation_enabled => {
            let fix = "Rotating now switches it on again, with the schedule the secret had.";
            check(id, title, CheckOutcome::Warn, "Rotation is switched off.", Some(fix))
        }
        Ok(secret) if secret.next_rotation.is_some_and(|next| next < facts.now) => {
            let late = secret.next_rotation.map(|next| next.age_seconds(facts.now)).unwrap_or_default();
            let evidence = format!("The scheduled rotation is {} overdue: it keeps failing.", in_words(late));
            check(id, title, CheckOutcome::Warn, evidence, Some("The history below says at which step."))
        }
        Ok(secret) => {
            let when = secret.schedule.as_deref().unwrap_or("no schedule");
            check(id, title, CheckOutcome::Pass, format!("Rotation is on: {when}."), None)
        }
    }
}

fn function(facts: &Facts) -> Vec<Check> {
    let (id, title) = ("rotation_function", "Rotation function");
    let function = match &facts.function {
        // Said already by the check of the configuration.
        Ok(None) => return Vec::new(),
        Err(problem) if problem.kind == ProblemKind::NotFound => {
            let fix = "Deploy it again, or name another in the secret's rotation configuration.";
            let evidence = "The rotation function that the secret names does not exist.";
            return vec![check(id, title, CheckOutcome::Fail, evidence, Some(fix))];
        }
        Err(problem) => return vec![unknown(id, title, problem)],
        Ok(Some(function)) => function,
    };
    let name = &function.name;
    let present = match (function.state.as_str(), function.reserved) {
        (_, Some(0)) => {
            let evidence = format!("{name} has a reserved concurrency of 0: it can't be invoked.");
            check(id, title, CheckOutcome::Fail, evidence, Some("Remove or raise the reserved concurrency."))
        }
        ("Active" | "Inactive", _) => check(id, title, CheckOutcome::Pass, format!("{name} is there."), None),
        (state, _) => {
            let evidence = format!("{name} is {state}.");
            check(
                id,
                title,
                CheckOutcome::Fail,
                evidence,
                Some("Wait until it is Active, or deploy it again."),
            )
        }
    };
    vec![present, permission(function), timeout(function)]
}

fn permission(function: &RotationFunction) -> Check {
    let (id, title, name) = ("permission", "Secrets Manager may invoke it", &function.name);
    match &function.invocable {
        Ok(true) => {
            let evidence =
                format!("The policy of {name} lets secretsmanager.amazonaws.com in for this secret.");
            check(id, title, CheckOutcome::Pass, evidence, None)
        }
        Ok(false) => {
            let evidence = format!("The policy of {name} does not let Secrets Manager in for this secret.");
            let fix = "Add a permission: principal secretsmanager.amazonaws.com, action lambda:InvokeFunction, source ARN the secret's.";
            check(id, title, CheckOutcome::Fail, evidence, Some(fix))
        }
        Err(problem) => unknown(id, title, problem),
    }
}

fn timeout(function: &RotationFunction) -> Check {
    let (id, title, name) = ("timeout", "Time enough for a slow database", &function.name);
    let evidence = format!("{name} has {} s for a step.", function.timeout_seconds);
    if function.timeout_seconds >= LEAST_TIMEOUT_SECONDS {
        return check(id, title, CheckOutcome::Pass, evidence, None);
    }
    let evidence = format!("{evidence} A database that answers late can take {LEAST_TIMEOUT_SECONDS} s.");
    check(id, title, CheckOutcome::Warn, evidence, Some("Set its time limit to 60 s."))
}

/// From the outside it can't be seen which way packets take; but the API's function does reach both
/// the database and Secrets Manager, so whoever stands where it stands, does so too.
fn network(facts: &Facts) -> Check {
    let (id, title) = ("network", "Way to the database and to Secrets Manager");
    let (function, api) = match (&facts.function, &facts.api) {
        (Ok(Some(function)), Ok(api)) => (function, api),
        (Ok(None), _) => {
            let evidence = "There is no rotation function to look at.";
            return check(id, title, CheckOutcome::Unknown, evidence, None);
        }
        (Err(problem), _) | (_, Err(problem)) => return unknown(id, title, problem),
    };
    let rehearse = Some("Rehearse: it tries the login from there, and changes nothing.");
    let (own, api) = (&function.network, &api.network);
    if own.vpc != api.vpc || own.subnets.is_empty() != api.subnets.is_empty() {
        let place = |network: &Network| match (&network.vpc, network.subnets.is_empty()) {
            (Some(vpc), _) => vpc.clone(),
            (None, true) => "no VPC".to_owned(),
            (None, false) => "a VPC".to_owned(),
        };
        let evidence =
            format!("{} is in {}, the API's function in {}.", function.name, place(own), place(api));
        return check(
            id,
            title,
            CheckOutcome::Fail,
            evidence,
            Some("Put both into the same subnets and security groups."),
        );
    }
    if own == api {
        let evidence =
            "It is in the same subnets and security groups as the API's function, which reaches both.";
        return check(id, title, CheckOutcome::Pass, evidence, None);
    }
    let what = if own.subnets == api.subnets { "security groups" } else { "subnets" };
    let evidence = format!(
        "It has other {what} than the API's function; whether they lead there can't be seen from here."
    );
    check(id, title, CheckOutcome::Warn, evidence, rehearse)
}

fn key(facts: &Facts) -> Check {
    let (id, title) = ("kms", "Encryption key");
    match &facts.secret {
        Err(problem) => unknown(id, title, problem),
        Ok(secret) => match secret.kms_key.as_deref() {
            None => check(
                id,
                title,
                CheckOutcome::Pass,
                "Secrets Manager's own key: whoever may use the secret may use it.",
                None,
            ),
            Some(key) if key.ends_with("alias/aws/secretsmanager") => check(
                id,
                title,
                CheckOutcome::Pass,
                "Secrets Manager's own key: whoever may use the secret may use it.",
                None,
            ),
            Some(key) => {
                let evidence = format!(
                    "A key of your own ({key}); whether the rotation function's role may use it can't be seen from here."
                );
                let fix = "Its role needs kms:Decrypt and kms:GenerateDataKey on it. Rehearse shows whether it can read the secret.";
                check(id, title, CheckOutcome::Warn, evidence, Some(fix))
            }
        },
    }
}

fn redeploy(facts: &Facts) -> Check {
    let (id, title) = ("no_redeploy", "No redeploy under way");
    match &facts.redeploy {
        Err(problem) => unknown(id, title, problem),
        Ok(None) => check(id, title, CheckOutcome::Pass, "The alias names one version.", None),
        Ok(Some(evidence)) => {
            let fix = "Promote it or roll it back first: failures of the one would be blamed on the other.";
            check(id, title, CheckOutcome::Fail, evidence.clone(), Some(fix))
        }
    }
}

fn settled(facts: &Facts) -> Check {
    let (id, title) = ("settled", "Time since the last rotation");
    let rotated = match &facts.secret {
        Err(problem) => return unknown(id, title, problem),
        Ok(secret) => secret.rotated,
    };
    match rotated {
        Some(at) if (0..SETTLE_MS).contains(&(facts.now.0 - at.0)) => {
            let evidence = format!("The last one was {} ago.", in_words(at.age_seconds(facts.now)));
            let fix =
                "One new version in ten minutes is what Secrets Manager keeps up with; once more is no harm.";
            check(id, title, CheckOutcome::Warn, evidence, Some(fix))
        }
        Some(at) => {
            let evidence = format!("The last one was {} ago.", in_words(at.age_seconds(facts.now)));
            check(id, title, CheckOutcome::Pass, evidence, None)
        }
        None => check(id, title, CheckOutcome::Pass, "It was never rotated.", None),
    }
}

/// With a single user the old password is refused between ALTER LOGIN and finishSecret. An environment
/// that starts then is refused once, and gets in with AWSPENDING; a login that succeeds sets the server's
/// count back. But as many that start at once as a lockout policy allows wrong passwords lock the login.
fn lockout(facts: &Facts) -> Option<Check> {
    if facts.strategy != Some(Strategy::SingleUser) {
        return None;
    }
    let environments = match facts.api.as_ref().ok().and_then(|api| api.reserved) {
        Some(reserved) => format!("The API's function can have {reserved} environments"),
        None => "Nothing is known to bound the environments of the API's function".to_owned(),
    };
    let evidence = format!(
        "A single user: while its password changes, each environment that starts is refused once. {environments}."
    );
    let fix = "Where SQL Server's login follows a lockout policy, as many starting at once as its threshold could lock the login. Alternating users have no such moment.";
    Some(check("lockout", "Environments that start meanwhile", CheckOutcome::Warn, evidence, Some(fix)))
}

#[cfg(test)]
#[path = "preflight_tests.rs"]
mod tests;
