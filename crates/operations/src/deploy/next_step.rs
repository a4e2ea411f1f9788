//! What a rollout's next step is, from what was seen. Pure.
//!
//! Each step is decided by what AWS holds alone, so it does not matter which portal takes it, or
//! whether one was killed in between: what was done is seen, and what was not is done now.

use model::deploy::{GateReport, SmokeAnswer, Verdict};
use model::rollout::{Outcome, Phase, Underway};
use model::time::Timestamp;

use super::details::Details;

/// How long the portal that began a rollout may take to write the details down.
const DETAILS_MS: i64 = 30_000;
/// How long uploading and publishing may take: AWS's own limit for an update is five minutes.
const PREPARE_MS: i64 = 600_000;
/// How long a published version may take to become active.
const ACTIVE_MS: i64 = 300_000;

/// What an alias points at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pointing {
    pub(crate) version: String,
    /// The version with a share, and the share from 0 to 1.
    pub(crate) weight: Option<(String, f64)>,
}

/// `$LATEST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Latest {
    pub(crate) sha256: String,
    pub(crate) revision: String,
    pub(crate) update: Update,
}

/// How the last update of a function's code came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Update {
    Successful,
    InProgress,
    /// With AWS's reason.
    Failed(String),
}

/// The published version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Candidate {
    /// Can be invoked (also when it is `Inactive`: an invocation wakes it).
    Ready,
    Pending,
    /// With AWS's reason.
    Failed(String),
    Gone,
}

/// What was seen of a rollout. What its phase does not need is none.
#[derive(Debug, Clone)]
pub(crate) struct Seen<'a> {
    pub(crate) note: &'a Underway,
    pub(crate) details: Option<&'a Details>,
    pub(crate) alias: &'a Pointing,
    pub(crate) latest: Option<&'a Latest>,
    pub(crate) candidate: Option<&'a Candidate>,
    /// Whether this portal can upload the code: it has it, or it is in S3.
    pub(crate) has_code: bool,
    /// Whether this portal has uploaded it.
    pub(crate) uploaded: bool,
    /// Whether the secret is being rotated.
    pub(crate) rotating: bool,
    pub(crate) smoke: Option<&'a SmokeAnswer>,
    pub(crate) gate: Option<&'a GateReport>,
    pub(crate) now: Timestamp,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing yet, and why.
    Wait(String),
    /// Give the function the new code.
    Upload,
    /// Publish it as a version.
    Publish,
    /// Ask the new version for the first time.
    Ask,
    /// Give it the strategy's share with this number.
    Shift(usize),
    /// Send requests of the portal's own, so that there is something to judge by.
    Fill,
    /// Give it all requests.
    Promote,
    /// End it so, with the reason.
    End(Outcome, String),
}

/// Decides.
pub(crate) fn next_step(seen: &Seen<'_>) -> Step {
    if let Some(how) = overtaken(seen) {
        return Step::End(Outcome::Overtaken, how);
    }
    let Some(details) = seen.details else { return without_details(seen) };
    match seen.note.phase {
        Phase::Prepare => prepare(seen, details),
        Phase::Smoke => smoke(seen, details),
        Phase::Shift(number) => shift(seen, details, number),
    }
}

/// The share that a rollout's version has in a phase, from 0 to 1; none where it has none.
pub(crate) fn share(details: &Details, phase: Phase) -> Option<f64> {
    match phase {
        Phase::Prepare | Phase::Smoke => None,
        Phase::Shift(number) => {
            details.strategy.shifts().get(number).map(|shift| f64::from(shift.percent) / 100.0)
        }
    }
}

/// Whether the alias points where this rollout did not put it.
fn overtaken(seen: &Seen<'_>) -> Option<String> {
    let Underway { phase, old, new, .. } = seen.note;
    let Pointing { version, weight } = seen.alias;
    let expected = match (phase, new) {
        (Phase::Shift(_), Some(new)) => {
            let wanted = seen.details.and_then(|details| share(details, *phase));
            let close = |share: f64| wanted.is_none_or(|wanted| (share - wanted).abs() < 0.000_1);
            weight.as_ref().is_some_and(|(named, share)| named == new && close(*share))
        }
        _ => weight.is_none(),
    };
    if version == old && expected {
        return None;
    }
    let to = match weight {
        None => format!("version {version}"),
        Some((other, share)) => {
            format!("version {version} and, with {:.0} %, version {other}", share * 100.0)
        }
    };
    Some(format!("The alias was changed from outside to {to}; that was left as it is."))
}

fn without_details(seen: &Seen<'_>) -> Step {
    let age = seen.now.0 - seen.note.since.0;
    match seen.note.phase {
        Phase::Prepare | Phase::Smoke if age < DETAILS_MS => {
            Step::Wait("The portal that began it is writing down what to do.".to_owned())
        }
        Phase::Prepare | Phase::Smoke => Step::End(
            Outcome::Stopped,
            "The portal that began it stopped before it had written down what to do.".to_owned(),
        ),
        Phase::Shift(_) => Step::End(
            Outcome::RolledBack,
            "What it was to be judged by is gone from the function's tags.".to_owned(),
        ),
    }
}

fn prepare(seen: &Seen<'_>, details: &Details) -> Step {
    let stop = |why: &str| Step::End(Outcome::Stopped, why.to_owned());
    let Some(code) = &details.code else { return stop("It names no code.") };
    if seen.now.0 - seen.note.since.0 > PREPARE_MS {
        return stop("Uploading and publishing took longer than ten minutes.");
    }
    let Some(latest) = seen.latest else { return Step::Wait("The function could not be read.".to_owned()) };
    match &latest.update {
        Update::InProgress => Step::Wait("Lambda is taking the new code in.".to_owned()),
        Update::Failed(reason) if seen.uploaded || latest.sha256 == code.sha256 => {
            Step::End(Outcome::Stopped, format!("Lambda could not take the new code in: {reason}"))
        }
        _ if latest.sha256 == code.sha256 => Step::Publish,
        _ if latest.revision != code.replaces => {
            stop("The function was changed from outside meanwhile; nothing of that was overwritten.")
        }
        _ if seen.note.paused => Step::Wait("Paused.".to_owned()),
        _ if seen.has_code => Step::Upload,
        _ => stop("The upload was lost with the portal that had it. Nothing was changed: upload it again."),
    }
}

fn smoke(seen: &Seen<'_>, details: &Details) -> Step {
    let stop = |why: String| Step::End(Outcome::Stopped, why);
    match seen.candidate {
        None => return Step::Wait("The new version could not be read.".to_owned()),
        Some(Candidate::Gone) => return stop("The new version is no longer there.".to_owned()),
        Some(Candidate::Failed(reason)) => {
            return stop(format!("The new version can't be started: {reason}"));
        }
        Some(Candidate::Pending) if seen.now.0 - seen.note.since.0 > ACTIVE_MS => {
            return stop("The new version did not become active within five minutes.".to_owned());
        }
        Some(Candidate::Pending) => return Step::Wait("The new version is not active yet.".to_owned()),
        Some(Candidate::Ready) => {}
    }
    match seen.smoke {
        Some(answer) if !answer.passed => stop(answer.summary.clone()),
        _ if seen.note.paused => Step::Wait("Paused.".to_owned()),
        None => Step::Ask,
        Some(_) if seen.rotating => {
            Step::Wait("The secret is being rotated; after that it goes on.".to_owned())
        }
        Some(_) if details.strategy.shifts().is_empty() => Step::Promote,
        Some(_) => Step::Shift(0),
    }
}

fn shift(seen: &Seen<'_>, details: &Details, number: usize) -> Step {
    let Some(gate) = seen.gate else {
        return Step::Wait("Its figures are being read.".to_owned());
    };
    match gate.verdict {
        Verdict::Fail => return Step::End(Outcome::RolledBack, gate.evidence.clone()),
        Verdict::TooFew if details.fill => return Step::Fill,
        Verdict::TooFew | Verdict::Unknown => return Step::Wait(gate.evidence.clone()),
        Verdict::Pass => {}
    }
    let shifts = details.strategy.shifts();
    let seconds = shifts.get(number).map_or(0, |shift| shift.seconds);
    if seen.now.0 - seen.note.since.0 < i64::from(seconds) * 1_000 {
        return Step::Wait("It is watched for the agreed time.".to_owned());
    }
    match number + 1 {
        _ if seen.note.paused => Step::Wait("Paused.".to_owned()),
        _ if seen.rotating => Step::Wait("The secret is being rotated; after that it goes on.".to_owned()),
        next if next < shifts.len() => Step::Shift(next),
        _ => Step::Promote,
    }
}

#[cfg(test)]
#[path = "next_step_tests.rs"]
mod tests;
