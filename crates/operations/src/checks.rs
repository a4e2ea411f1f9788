//! What preflights have in common: a check, and the verdict on all of them.

use model::check::{Check, CheckOutcome, Preflight};
use model::problem::Problem;

/// A check with this id and title.
pub(crate) fn check(
    (id, title): (&str, &str),
    outcome: CheckOutcome,
    evidence: impl Into<String>,
    fix: Option<&str>,
) -> Check {
    Check {
        id: id.to_owned(),
        title: title.to_owned(),
        outcome,
        evidence: evidence.into(),
        fix: fix.map(str::to_owned),
    }
}

/// The check of what could not be looked at.
pub(crate) fn unknown(what: (&str, &str), problem: &Problem) -> Check {
    check(what, CheckOutcome::Unknown, problem.message.clone(), problem.next.as_deref())
}

/// The checks with their verdict. `subject` is what they are about, in the middle of a sentence
/// (`a rotation`). Ready is what no check fails.
pub(crate) fn judged(subject: &str, checks: Vec<Check>) -> Preflight {
    let count = |outcome| checks.iter().filter(|check| check.outcome == outcome).count();
    let failures = count(CheckOutcome::Fail);
    let verdict = match (failures, count(CheckOutcome::Warn), count(CheckOutcome::Unknown)) {
        (0, 0, 0) => format!("Nothing is in the way of {subject}."),
        (0, 0, unknown) => {
            format!("Nothing is known to be in the way; {} could not be looked at.", things(unknown))
        }
        (0, warnings, _) => {
            format!("{} can go ahead; {} to be aware of.", capital(subject), things(warnings))
        }
        (1, ..) => {
            let what = checks.iter().find(|check| check.outcome == CheckOutcome::Fail);
            format!("Not now: {}", what.map(|check| check.evidence.as_str()).unwrap_or_default())
        }
        (failures, ..) => format!("Not now: {} are in the way.", things(failures)),
    };
    Preflight { ready: failures == 0, verdict, checks }
}

fn things(count: usize) -> String {
    if count == 1 { "1 thing".to_owned() } else { format!("{count} things") }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}
