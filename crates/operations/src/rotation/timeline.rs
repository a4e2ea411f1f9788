//! A rotation as four steps, from the labels and the rotation function's log. Pure: derived anew each
//! time, so that a page can be closed and a portal killed, and the next look shows the same.

use model::rotation::{Rotation, RotationState, Step, StepProgress, StepState, Strategy, Trouble, starter};
use model::time::{Timestamp, in_words};

use super::log::{Line, What};
use super::trouble;

/// A step of which nothing is heard for so long beyond the function's own time limit has ended
/// without a word; and so long after a step the next one should have begun. The log is a few seconds
/// behind what it tells of.
const GRACE_MS: i64 = 30_000;

/// What is known of a rotation.
#[derive(Debug, Clone)]
pub(crate) struct Seen<'a> {
    /// Its id.
    pub(crate) token: &'a str,
    /// Where its version stands.
    pub(crate) place: Place,
    /// Whether its version has a value.
    pub(crate) has_value: bool,
    /// The function's lines, the oldest first.
    pub(crate) lines: &'a [Line],
    /// When anything of the secret last changed.
    pub(crate) changed: Option<Timestamp>,
    /// The function's time limit in seconds.
    pub(crate) timeout_seconds: u32,
    /// The present.
    pub(crate) now: Timestamp,
}

/// Where a rotation's version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// It holds AWSPENDING, and AWSCURRENT is elsewhere.
    Pending,
    /// It holds AWSCURRENT, or did.
    Current,
    /// It has no label, or there is no such version.
    Gone,
}

/// Puts the steps together.
pub(crate) fn rotation(seen: &Seen<'_>) -> Rotation {
    let rehearsal = seen.place != Place::Current
        && !seen.lines.is_empty()
        && seen.lines.iter().all(|line| line.step == Step::TestSecret);
    let which: &[Step] = if rehearsal { &[Step::TestSecret] } else { &Step::ALL };
    let mut steps: Vec<StepProgress> = which.iter().map(|step| progress(*step, seen)).collect();
    let state = state(seen, &steps, rehearsal);
    settle(seen, state, &mut steps);
    let (first, last) = (seen.lines.first(), seen.lines.last());
    let over = state != RotationState::Running;
    let (started, ended) = (first.map(|line| line.at), last.map(|line| line.at).filter(|_| over));
    Rotation {
        token: seen.token.to_owned(),
        started_by: starter(seen.token).map(str::to_owned),
        rehearsal,
        state,
        summary: summary(state, rehearsal, &steps, started, ended),
        started,
        ended,
        strategy: strategy(seen.lines),
        steps,
    }
}

fn progress(step: Step, seen: &Seen<'_>) -> StepProgress {
    let lines: Vec<&Line> = seen.lines.iter().filter(|line| line.step == step).collect();
    let starts = || lines.iter().filter(|line| line.what == What::Started);
    let mut progress = StepProgress {
        step,
        state: StepState::Waiting,
        began: starts().next_back().map(|line| line.at),
        duration_ms: None,
        attempts: u32::try_from(starts().count()).unwrap_or(u32::MAX),
        trouble: None,
    };
    match lines.last().map(|line| &line.what) {
        None => {}
        Some(What::Started) => progress.state = StepState::Running,
        Some(What::Done { duration_ms, .. }) => {
            progress.state = StepState::Done;
            progress.duration_ms = *duration_ms;
        }
        Some(What::Failed { duration_ms, cause, reason, .. }) => {
            progress.state = StepState::Failed;
            progress.duration_ms = *duration_ms;
            progress.trouble = Some(trouble::of_cause(cause, reason.clone()));
        }
    }
    progress
}

fn state(seen: &Seen<'_>, steps: &[StepProgress], rehearsal: bool) -> RotationState {
    // Whatever came after a failure is another attempt.
    let failed = matches!(seen.lines.last().map(|line| &line.what), Some(What::Failed { .. }));
    let finished = steps.last().is_some_and(|step| step.state == StepState::Done);
    match seen.place {
        Place::Current => RotationState::Done,
        Place::Gone if rehearsal && !failed && !unfinished(steps) => RotationState::Done,
        Place::Gone if rehearsal && !failed && !quiet(seen, steps) => RotationState::Running,
        // It was current once, and has been rotated away from since.
        Place::Gone if !rehearsal && finished => RotationState::Done,
        Place::Gone => RotationState::Failed,
        Place::Pending if failed || quiet(seen, steps) => RotationState::HalfDone,
        Place::Pending => RotationState::Running,
    }
}

fn unfinished(steps: &[StepProgress]) -> bool {
    steps.iter().any(|step| step.state != StepState::Done)
}

/// Whether nothing has been heard for longer than the step may take.
fn quiet(seen: &Seen<'_>, steps: &[StepProgress]) -> bool {
    let last_line = seen.lines.last().map(|line| line.at);
    let Some(last) = last_line.max(seen.changed) else { return false };
    let at_work = steps.iter().any(|step| step.state == StepState::Running);
    // Without a line nobody knows how far it is: all four steps may take their time.
    let limit = match (at_work, seen.lines.is_empty()) {
        (true, _) => i64::from(seen.timeout_seconds) * 1_000,
        (false, true) => i64::from(seen.timeout_seconds) * 4_000,
        (false, false) => 0,
    };
    seen.now.0 - last.0 > limit + GRACE_MS
}

/// What the labels know and the log does not: the steps of a rotation that is done are done, whoever
/// took them; a step that is silent in one that stands still is where it stands.
fn settle(seen: &Seen<'_>, state: RotationState, steps: &mut [StepProgress]) {
    if state == RotationState::Done {
        steps.iter_mut().for_each(|step| step.state = StepState::Done);
        return;
    }
    if seen.has_value
        && let Some(create) = steps.iter_mut().find(|step| step.step == Step::CreateSecret)
        && create.state != StepState::Failed
    {
        create.state = StepState::Done;
    }
    if state == RotationState::Running {
        return;
    }
    if let Some(step) = steps.iter_mut().find(|step| step.state == StepState::Running) {
        step.state = StepState::Silent;
        step.trouble = Some(trouble::silent(step.step));
    } else if !steps.iter().any(|step| step.state == StepState::Failed)
        && let Some(step) = steps.iter_mut().find(|step| step.state == StepState::Waiting)
    {
        step.state = StepState::Silent;
        step.trouble = Some(match seen.lines {
            [] => trouble::never_called(),
            _ => trouble::silent(step.step),
        });
    }
}

fn strategy(lines: &[Line]) -> Option<Strategy> {
    lines.iter().rev().find_map(|line| match &line.what {
        What::Done { strategy, .. } | What::Failed { strategy, .. } => *strategy,
        What::Started => None,
    })
}

fn summary(
    state: RotationState,
    rehearsal: bool,
    steps: &[StepProgress],
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
) -> String {
    let noun = if rehearsal { "Rehearsal" } else { "Rotation" };
    let stopped = || {
        let step = steps.iter().find(|step| matches!(step.state, StepState::Failed | StepState::Silent));
        let what = |trouble: &Trouble| trouble.what.clone();
        step.map(|step| (step.step.name(), step.trouble.as_ref().map(what).unwrap_or_default()))
    };
    match state {
        RotationState::Running => {
            let at = steps.iter().find(|step| step.state != StepState::Done);
            format!("{noun} is running: {}.", at.map_or("finishing", |step| step.step.name()))
        }
        RotationState::Done => {
            let took = started.zip(ended).map(|(started, ended)| started.age_seconds(ended).max(1));
            took.map_or_else(
                || format!("{noun} is done."),
                |took| format!("{noun} is done; it took {}.", in_words(took)),
            )
        }
        RotationState::HalfDone => match stopped() {
            Some((step, what)) => format!("{noun} was left half done at {step}. {what}"),
            None => format!("{noun} was left half done."),
        },
        RotationState::Failed => match stopped() {
            Some((step, what)) => {
                format!("{noun} failed at {step}, and nothing of it is left behind. {what}")
            }
            None => format!("{noun} was given up, and nothing of it is left behind."),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef-anna";

    fn line(at: i64, step: Step, what: What) -> Line {
        Line { at: Timestamp(at * 1_000), step, what }
    }

    fn done() -> What {
        What::Done { duration_ms: Some(12.0), strategy: Some(Strategy::SingleUser) }
    }

    fn failed(cause: &str) -> What {
        What::Failed { duration_ms: Some(4.0), strategy: None, cause: cause.to_owned(), reason: None }
    }

    fn seen<'a>(place: Place, has_value: bool, lines: &'a [Line], now: i64) -> Seen<'a> {
        let changed = Some(Timestamp(10_000));
        Seen {
            token: TOKEN,
            place,
            has_value,
            lines,
            changed,
            timeout_seconds: 60,
            now: Timestamp(now * 1_000),
        }
    }

    fn states(rotation: &Rotation) -> String {
        let letter = |step: &StepProgress| match step.state {
            StepState::Waiting => '.',
            StepState::Running => '>',
            StepState::Done => '+',
            StepState::Failed => 'x',
            StepState::Silent => '?',
        };
        rotation.steps.iter().map(letter).collect()
    }

    #[test]
    fn where_a_rotation_stands_is_read_from_labels_and_log() {
        use RotationState::{Done, Failed, HalfDone, Running};
        use Step::{CreateSecret, FinishSecret, SetSecret, TestSecret};
        let two = [line(11, CreateSecret, What::Started), line(12, CreateSecret, done())];
        let at_set = [two.as_slice(), &[line(13, SetSecret, What::Started)]].concat();
        let refused = [at_set.as_slice(), &[line(14, SetSecret, failed("unreachable"))]].concat();
        let again = [refused.as_slice(), &[line(20, SetSecret, What::Started)]].concat();
        let rehearsal = [line(11, TestSecret, What::Started), line(12, TestSecret, done())];
        let from_start = [refused.as_slice(), &[line(20, CreateSecret, What::Started)]].concat();
        let all_four: Vec<Line> = Step::ALL.iter().map(|step| line(12, *step, done())).collect();
        let at_end = [line(15, FinishSecret, What::Started)];
        type Case<'a> = (&'a str, Place, bool, &'a [Line], i64, RotationState, &'a str);
        let table: [Case<'_>; 16] = [
            ("just asked for", Place::Pending, false, &[], 12, Running, "...."),
            ("never called", Place::Pending, false, &[], 300, HalfDone, "?..."),
            ("never called, or slow", Place::Pending, false, &[], 270, Running, "...."),
            ("attempted from the start", Place::Pending, true, &from_start, 22, Running, "+x.."),
            ("rotated away from since", Place::Gone, true, &all_four, 999, Done, "++++"),
            ("between two steps", Place::Pending, true, &two, 14, Running, "+..."),
            ("at setSecret", Place::Pending, true, &at_set, 60, Running, "+>.."),
            ("silent in setSecret", Place::Pending, true, &at_set, 104, HalfDone, "+?.."),
            ("silent after createSecret", Place::Pending, true, &two, 60, HalfDone, "+?.."),
            ("failed", Place::Pending, true, &refused, 15, HalfDone, "+x.."),
            ("attempted again", Place::Pending, true, &again, 21, Running, "+>.."),
            ("done", Place::Current, true, &two, 15, Done, "++++"),
            ("done by a foreign function", Place::Current, true, &[], 15, Done, "++++"),
            ("repaired", Place::Gone, true, &refused, 99, Failed, "+x.."),
            ("rehearsed", Place::Gone, true, &rehearsal, 13, Done, "+"),
            ("cut before the label", Place::Pending, true, &at_end, 16, Running, "+..>"),
        ];
        for (name, place, has_value, lines, now, state, steps) in table {
            let rotation = rotation(&seen(place, has_value, lines, now));
            assert_eq!((rotation.state, states(&rotation).as_str()), (state, steps), "{name}: {rotation:?}");
            assert_eq!(rotation.started_by.as_deref(), Some("anna"));
        }
    }

    #[test]
    fn the_summary_names_step_and_cause() {
        let lines = [
            line(11, Step::CreateSecret, What::Started),
            line(12, Step::CreateSecret, done()),
            line(13, Step::SetSecret, What::Started),
            line(14, Step::SetSecret, failed("unreachable")),
        ];
        let rotation = rotation(&seen(Place::Pending, true, &lines, 15));
        assert_eq!(
            rotation.summary,
            "Rotation was left half done at setSecret. The rotation function does not reach the database."
        );
        assert_eq!(rotation.strategy, Some(Strategy::SingleUser));
    }
}
