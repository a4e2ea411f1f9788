//! What has to be looked at on the secret's page: a decision from what was read, and nothing else.

use model::rotation::{Rotation, RotationState, SecretPage, StepProgress, StepState};
use model::time::Timestamp;

use super::running;
use crate::components::attention::{Matter, gravest_first, unread};
use crate::components::status::Tone;
use crate::components::words::{overdue, roughly};

/// All of it, the gravest first.
pub fn matters(page: &SecretPage, now: Timestamp) -> Vec<Matter> {
    let mut matters = Vec::new();
    let mut add = |region, tone, words: String| matters.push(Matter { words, tone, region });
    let rotation = page.rotation.value.as_ref().and_then(Option::as_ref);
    if let Some((tone, words)) = rotation.and_then(standing) {
        add("#rotation", tone, words);
    }
    let plan = page.repair.value.as_ref().and_then(Option::as_ref);
    if plan.is_some() && !rotation.is_some_and(|rotation| rotation.state == RotationState::HalfDone) {
        add("#repair", Tone::Bad, "A rotation was left half done".to_owned());
    }
    if let Some(secret) = &page.secret.value
        && let Some(seconds) = overdue(secret.rotation_enabled, secret.next_rotation, now)
    {
        add("#schedule", Tone::Bad, format!("Rotation is failing: {} overdue", roughly(seconds)));
    }
    // What is at work, or was left half done, is in the way of the next one: that is said already.
    let free = running(page).is_none() && plan.is_none();
    if free && page.preflight.value.as_ref().is_some_and(|preflight| !preflight.ready) {
        add("#preflight", Tone::Warn, "A rotation would not go through".to_owned());
    }
    unread("#rotation", "The rotation", &page.rotation, &mut add);
    unread("#repair", "What to repair", &page.repair, &mut add);
    unread("#preflight", "The preflight", &page.preflight, &mut add);
    unread("#versions", "The secret", &page.secret, &mut add);
    unread("#users", "Who uses the secret", &page.users, &mut add);
    unread("#history", "The history", &page.history, &mut add);
    gravest_first(matters)
}

/// The first of them, in the bar's large words, how grave it is, and where it leads.
pub fn headline(matters: &mut Vec<Matter>) -> (String, Tone, Option<&'static str>) {
    if matters.is_empty() {
        return ("Nothing needs attention".to_owned(), Tone::Good, None);
    }
    let Matter { words, tone, region } = matters.remove(0);
    (words, tone, Some(region))
}

/// What is to be said of a rotation; of one that is done, nothing.
fn standing(rotation: &Rotation) -> Option<(Tone, String)> {
    let name = if rotation.rehearsal { "rehearsal" } else { "rotation" };
    let at = |state: StepState| rotation.steps.iter().find(|step| step.state == state);
    let stopped = at(StepState::Failed).or_else(|| at(StepState::Silent));
    match rotation.state {
        RotationState::Done => None,
        RotationState::Running => Some(match (stopped, at(StepState::Running)) {
            (Some(step), None) => {
                (Tone::Warn, format!("A {name} is running, and in trouble at {}", step.step.name()))
            }
            (_, Some(step)) => (Tone::Plain, format!("A {name} is running: {}", step.step.name())),
            (None, None) => (Tone::Plain, format!("A {name} is running")),
        }),
        RotationState::HalfDone => {
            Some((Tone::Bad, format!("A {name} was left half done{}", at_step(stopped))))
        }
        RotationState::Failed => Some((Tone::Bad, format!("The {name} failed{}", at_step(stopped)))),
    }
}

fn at_step(step: Option<&StepProgress>) -> String {
    let Some(step) = step else { return String::new() };
    let what = step.trouble.as_ref().map(|trouble| format!(": {}", trouble.what.trim_end_matches('.')));
    format!(" at {}{}", step.step.name(), what.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::secret::sample;
    use model::overview::Reading;
    use model::problem::{Problem, ProblemKind};

    #[test]
    fn what_matters_most_comes_first() {
        let mut silent = sample::running();
        let steps = &mut silent.rotation.value.as_mut().unwrap().as_mut().unwrap().steps;
        steps[2].state = StepState::Silent;
        let mut unread = sample::healthy();
        unread.history = Reading::missing(Problem::new(ProblemKind::Forbidden, "No."), sample::NOW);
        let mut watched = sample::half_done();
        watched.rotation = sample::healthy().rotation;
        let table: [(&str, SecretPage, &[&str]); 8] = [
            ("healthy", sample::healthy(), &[]),
            ("running", sample::running(), &["A rotation is running: testSecret"]),
            ("silent", silent, &["A rotation is running, and in trouble at testSecret"]),
            ("unread", unread, &["The history could not be read"]),
            (
                "half done",
                sample::half_done(),
                &[
                    "A rotation was left half done at setSecret: SQL Server refused the login that changes the password",
                    "Rotation is failing: 2 h overdue",
                ],
            ),
            (
                "half done, but another one is looked at",
                watched,
                &["A rotation was left half done", "Rotation is failing: 2 h overdue"],
            ),
            (
                "failed rehearsal",
                sample::failed_rehearsal(),
                &[
                    "The rehearsal failed at testSecret: SQL Server can't be reached",
                    "A rotation would not go through",
                ],
            ),
            ("never rotated", sample::empty(), &["A rotation would not go through"]),
        ];
        for (name, page, expected) in table {
            let words: Vec<String> =
                matters(&page, page.now).into_iter().map(|matter| matter.words).collect();
            assert_eq!(words, expected, "{name}");
        }
    }

    #[test]
    fn without_matters_nothing_is_made_up() {
        assert_eq!(headline(&mut Vec::new()), ("Nothing needs attention".to_owned(), Tone::Good, None));
        let mut matters = matters(&sample::half_done(), sample::NOW);
        let (words, tone, link) = headline(&mut matters);
        assert!(words.starts_with("A rotation was left half done"), "{words}");
        assert_eq!((tone, link, matters.len()), (Tone::Bad, Some("#rotation"), 1));
    }
}
