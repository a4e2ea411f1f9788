//! What is looked at before a deploy. Pure: from what was read to checks with their evidence.

use model::check::{Check, CheckOutcome, Preflight};
use model::deploy::Strategy;
use model::overview::{Alarm, AlarmState};
use model::problem::Problem;
use model::rollout::{Note, Underway};

use super::next_step::{Pointing, Update};
use super::package::{Kind, Package};
use crate::checks::{check, judged, unknown};

/// What was read. Each part fails on its own.
pub(super) struct Facts {
    pub(super) code: CodeFacts,
    /// The version that has the requests now, and its code's SHA-256.
    pub(super) live: Result<String, Problem>,
    pub(super) function: Result<FunctionFacts, Problem>,
    pub(super) pointing: Pointing,
    pub(super) note: Note,
    /// The rotation in progress or left half done: its version's id.
    pub(super) rotation: Result<Option<String>, Problem>,
    pub(super) alarms: Result<Vec<Alarm>, Problem>,
    pub(super) concurrency: Result<Concurrency, Problem>,
    /// The integrations that lead past the alias.
    pub(super) past_the_alias: Result<Vec<String>, Problem>,
    pub(super) strategy: Strategy,
    pub(super) despite_alarms: bool,
}

/// The new code.
pub(super) enum CodeFacts {
    /// An uploaded zip.
    Uploaded { sha256: String, package: Package },
    /// An object in S3: the hash, as Lambda counted it in a dry run.
    Object(Result<String, Problem>),
    /// A version that is there.
    Version { number: String, sha256: Result<String, Problem> },
    /// Not here.
    Missing(Problem),
}

/// The function.
#[derive(Debug, Clone)]
pub(super) struct FunctionFacts {
    pub(super) architecture: String,
    pub(super) runtime: String,
    pub(super) update: Update,
    pub(super) state: String,
}

/// How many invocations run at once, and may.
#[derive(Debug, Clone, Copy)]
pub(super) struct Concurrency {
    /// Reserved for this function; else what the account's functions share.
    pub(super) limit: u32,
    pub(super) reserved: bool,
    /// The most of the last quarter of an hour; none without traffic.
    pub(super) used: Option<u32>,
}

/// The checks and the verdict.
pub(super) fn preflight(facts: &Facts) -> Preflight {
    let mut checks = code(facts);
    checks.push(new_code(facts));
    checks.push(function_state(facts));
    checks.push(rollout(facts));
    checks.push(rotation(facts));
    checks.push(alarms(facts));
    checks.push(concurrency(facts));
    checks.push(integration(facts));
    judged("this deploy", checks)
}

/// The package: its form, and the machine it is for.
fn code(facts: &Facts) -> Vec<Check> {
    let what = ("package", "Package");
    let package = match &facts.code {
        CodeFacts::Missing(problem) => {
            return vec![check(what, CheckOutcome::Fail, problem.message.clone(), problem.next.as_deref())];
        }
        CodeFacts::Version { number, sha256: Ok(_) } => {
            return vec![check(what, CheckOutcome::Pass, format!("Version {number} is there."), None)];
        }
        CodeFacts::Object(Ok(_)) => {
            let evidence = "Lambda would take the object; what is in it can't be seen from here.";
            let fix = Some("The new version is asked once before it gets any request.");
            return vec![check(what, CheckOutcome::Pass, evidence, fix)];
        }
        CodeFacts::Version { sha256: Err(problem), .. } | CodeFacts::Object(Err(problem)) => {
            return vec![check(what, CheckOutcome::Fail, problem.message.clone(), problem.next.as_deref())];
        }
        CodeFacts::Uploaded { package, .. } => package,
    };
    let contents = match package {
        Package::Broken(why) => {
            let fix = "Upload the zip that `cargo xtask package` writes, or put a large one into S3.";
            return vec![check(what, CheckOutcome::Fail, why.clone(), Some(fix))];
        }
        Package::Zip(contents) => contents,
    };
    let function = facts.function.as_ref().ok();
    let megabytes = contents.unzipped as f64 / 1_048_576.0;
    let size = format!("{megabytes:.1} MB unzipped");
    // Only a runtime of one's own starts `bootstrap`.
    if function.is_some_and(|function| !function.runtime.starts_with("provided")) {
        return vec![check(what, CheckOutcome::Pass, format!("A zip, {size}."), None)];
    }
    let fail = |evidence: String, fix: &str| vec![check(what, CheckOutcome::Fail, evidence, Some(fix))];
    let bootstrap = match (&contents.bootstrap, &contents.elsewhere) {
        (Some(bootstrap), _) => bootstrap,
        (None, Some(path)) => {
            return fail(
                format!("Its bootstrap is in a folder: {path}."),
                "Put it at the zip's root: zip the files, not the folder.",
            );
        }
        (None, None) => {
            return fail(
                "It has no file named bootstrap at its root.".to_owned(),
                "The program that Lambda starts must be named bootstrap.",
            );
        }
    };
    if !bootstrap.executable {
        return fail(
            "Its bootstrap may not be executed.".to_owned(),
            "Set the mode to 755 before zipping (`chmod 755 bootstrap`).",
        );
    }
    if bootstrap.kind == Kind::Other {
        return fail(
            "Its bootstrap is neither a Linux program nor a script.".to_owned(),
            "Build it for Linux: `cargo xtask package` does.",
        );
    }
    vec![
        check(what, CheckOutcome::Pass, format!("A zip with an executable bootstrap, {size}."), None),
        machine(facts, &bootstrap.kind),
    ]
}

fn machine(facts: &Facts, kind: &Kind) -> Check {
    let what = ("architecture", "Machine");
    let function = match &facts.function {
        Ok(function) => function,
        Err(problem) => return unknown(what, problem),
    };
    let runs = &function.architecture;
    match kind {
        Kind::Elf(Ok(machine)) if machine == runs => {
            check(what, CheckOutcome::Pass, format!("Built for {machine}, as the function runs on."), None)
        }
        Kind::Elf(machine) => {
            let built = match machine {
                Ok(machine) => (*machine).to_owned(),
                Err(number) => format!("another machine (ELF {number})"),
            };
            let fix = format!("Build it for {runs}.");
            check(
                what,
                CheckOutcome::Fail,
                format!("It is built for {built}; the function runs on {runs}."),
                Some(&fix),
            )
        }
        Kind::Script | Kind::Other => {
            check(what, CheckOutcome::Pass, "A script, which runs on any machine.", None)
        }
    }
}

fn new_code(facts: &Facts) -> Check {
    let what = ("new_code", "Something new");
    let sha256 = match &facts.code {
        CodeFacts::Uploaded { sha256, .. }
        | CodeFacts::Object(Ok(sha256))
        | CodeFacts::Version { sha256: Ok(sha256), .. } => sha256,
        CodeFacts::Missing(problem)
        | CodeFacts::Object(Err(problem))
        | CodeFacts::Version { sha256: Err(problem), .. } => return unknown(what, problem),
    };
    let version = &facts.pointing.version;
    let same_version = matches!(&facts.code, CodeFacts::Version { number, .. } if number == version);
    match &facts.live {
        _ if same_version => {
            let evidence = format!("Nothing to deploy: version {version} has all requests already.");
            check(what, CheckOutcome::Fail, evidence, None)
        }
        Ok(live) if live == sha256 => {
            // A version can have the same code and another configuration.
            let other = matches!(facts.code, CodeFacts::Version { .. });
            let outcome = if other { CheckOutcome::Warn } else { CheckOutcome::Fail };
            let evidence = format!("Nothing to deploy: it is the code of version {version}, to the byte.");
            check(what, outcome, evidence, None)
        }
        Ok(_) => check(what, CheckOutcome::Pass, format!("Other code than version {version}'s."), None),
        Err(problem) => unknown(what, problem),
    }
}

fn function_state(facts: &Facts) -> Check {
    let what = ("function", "Function");
    let function = match &facts.function {
        Ok(function) => function,
        Err(problem) => return unknown(what, problem),
    };
    match (&function.update, function.state.as_str()) {
        (Update::InProgress, _) => check(
            what,
            CheckOutcome::Fail,
            "Another update of the function is in progress.",
            Some("Wait until it is over; it takes seconds, in a VPC a minute or two."),
        ),
        (_, state @ ("Pending" | "Failed")) => {
            let evidence = format!("The function is {state}.");
            check(what, CheckOutcome::Fail, evidence, Some("Look at the function's state reason in AWS."))
        }
        (Update::Failed(reason), _) => {
            let evidence = format!("The last update failed: {reason}");
            let fix = "The new code is another attempt; if the reason is still there, it fails the same way.";
            check(what, CheckOutcome::Warn, evidence, Some(fix))
        }
        (Update::Successful, _) => check(what, CheckOutcome::Pass, "It takes updates.", None),
    }
}

fn rollout(facts: &Facts) -> Check {
    let what = ("no_rollout", "No other rollout");
    match (&facts.note, &facts.pointing.weight) {
        (Note::Underway(Underway { by, phase, .. }), _) => {
            let evidence = format!("A rollout by {by} is under way ({phase}).");
            check(what, CheckOutcome::Fail, evidence, Some("Wait for it, promote it, or roll it back."))
        }
        (_, Some((version, share))) => {
            let evidence = format!(
                "Version {version} has {:.0} % of the requests, and no rollout of a portal's own is under way.",
                share * 100.0
            );
            let fix = "Somebody set that by hand, or another tool did: roll it back, or let them finish.";
            check(what, CheckOutcome::Fail, evidence, Some(fix))
        }
        // Somebody's own words on the alias give way to the note of the rollout.
        (Note::Other(words), None) if !words.is_empty() => {
            let evidence =
                format!("One version has all requests. The alias's description is replaced: {words}");
            let fix = "Keep it elsewhere, for one in a tag of the function.";
            check(what, CheckOutcome::Warn, evidence, Some(fix))
        }
        _ => check(what, CheckOutcome::Pass, "One version has all requests.", None),
    }
}

fn rotation(facts: &Facts) -> Check {
    let what = ("no_rotation", "No rotation under way");
    match &facts.rotation {
        Err(problem) => unknown(what, problem),
        Ok(None) => check(what, CheckOutcome::Pass, "The secret is not being rotated.", None),
        Ok(Some(version)) => {
            let short: String = version.chars().take(8).collect();
            let evidence =
                format!("The secret is being rotated, or a rotation was left half done (version {short}).");
            let fix = "Wait for it, or repair it: failures of the one would be blamed on the other.";
            check(what, CheckOutcome::Fail, evidence, Some(fix))
        }
    }
}

fn alarms(facts: &Facts) -> Check {
    let what = ("alarms", "Alarms");
    let alarms = match &facts.alarms {
        Ok(alarms) => alarms,
        Err(problem) => return unknown(what, problem),
    };
    let firing: Vec<_> = alarms
        .iter()
        .filter(|alarm| alarm.state == AlarmState::Alarm)
        .map(|alarm| alarm.name.as_str())
        .collect();
    if firing.is_empty() {
        return check(what, CheckOutcome::Pass, "None fires.", None);
    }
    let evidence = format!("Firing: {}.", firing.join(", "));
    if facts.despite_alarms {
        return check(what, CheckOutcome::Warn, format!("{evidence} Overridden, which is on record."), None);
    }
    let fix = "If this deploy is the cure, say so (despite alarms): it is written into the audit log.";
    check(what, CheckOutcome::Fail, evidence, Some(fix))
}

fn concurrency(facts: &Facts) -> Check {
    let what = ("concurrency", "Room for two versions");
    let Concurrency { limit, reserved, used } = match &facts.concurrency {
        Ok(concurrency) => *concurrency,
        Err(problem) => return unknown(what, problem),
    };
    let whose = if reserved { "reserved for it" } else { "that the account's functions share" };
    let Some(used) = used else {
        return check(what, CheckOutcome::Pass, format!("No traffic now, and {limit} {whose}."), None);
    };
    let evidence = format!("At most {used} invocations at once lately, of {limit} {whose}.");
    // While requests move, both versions' environments are there; at worst as many again.
    if used.saturating_mul(2) <= limit {
        return check(what, CheckOutcome::Pass, evidence, None);
    }
    let fix = match &facts.strategy {
        Strategy::AllAtOnce => "A cut-over all at once may throttle: prefer a canary, or reserve more.",
        _ => "The two versions share it: reserve more, or watch throttles.",
    };
    check(what, CheckOutcome::Warn, evidence, Some(fix))
}

fn integration(facts: &Facts) -> Check {
    let what = ("integration", "HTTP API leads to the alias");
    match &facts.past_the_alias {
        Err(problem) => unknown(what, problem),
        Ok(past) if past.is_empty() => check(what, CheckOutcome::Pass, "All its integrations do.", None),
        Ok(past) => {
            let evidence =
                format!("Integration {} leads past it: a canary has no effect there.", past.join(", "));
            check(what, CheckOutcome::Warn, evidence, Some("Point it at the alias; the page offers it."))
        }
    }
}

#[cfg(test)]
#[path = "preflight_tests.rs"]
mod tests;
