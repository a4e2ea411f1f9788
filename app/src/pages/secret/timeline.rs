//! A rotation, step by step: the one at work, or the last one.

use leptos::prelude::*;
use model::overview::Reading;
use model::rotation::{Rotation, RotationState, StepProgress, StepState, Strategy, Trouble};
use model::time::{Timestamp, in_words};

use super::PATH;
use crate::components::age::Age;
use crate::components::card::{Card, Freshness, Now, value_or_none};
use crate::components::facts::{Fact, Facts};
use crate::components::id::Id;
use crate::components::status::{StatusBadge, StatusMark, Tone};
use crate::components::words;

/// The page that shows the rotation with this id.
pub fn address(token: &str) -> String {
    format!("{PATH}?rotation={token}")
}

/// How it stands, its steps, and whose it is.
pub fn region(reading: Reading<Option<Rotation>>, now: Now) -> AnyView {
    let freshness = Freshness::from(&reading);
    let rehearsal = reading.value.iter().flatten().any(|rotation| rotation.rehearsal);
    let heading = if rehearsal { "Rehearsal" } else { "Rotation" };
    view! {
        <Card id="rotation" heading freshness now>
            {value_or_none(reading, move |rotation| match rotation {
                Some(rotation) => body(rotation, now).into_any(),
                None => view! {
                    <p class="empty">"No rotation of this secret is on record. Rehearse one first: it tries the login and changes nothing."</p>
                }.into_any(),
            })}
        </Card>
    }
    .into_any()
}

fn body(rotation: Rotation, now: Now) -> impl IntoView {
    let (tone, word) = standing(rotation.state);
    let (started, ended) = (rotation.started, rotation.ended);
    let running = rotation.state == RotationState::Running;
    let steps = rotation.steps.into_iter().map(|step| item(step, now));
    view! {
        <div class="rotation__standing">
            <StatusBadge tone label=word/>
            <p>{rotation.summary}</p>
        </div>
        <div class="rotation">
            <ol class="steps">{steps.collect_view()}</ol>
            <Facts>
                <Fact name="Started by">{rotation.started_by.unwrap_or_else(|| NOBODY_KNOWN.to_owned())}</Fact>
                <Fact name="Started">{age_or(started, now, "not yet")}</Fact>
                <Fact name=if running { "So far" } else { "Took" }>
                    {move || took(started, if running { Some(now.get()) } else { ended })}
                </Fact>
                <Fact name="Password change">{rotation.strategy.map_or("not known yet", strategy)}</Fact>
                <Fact name="Id"><Id id=rotation.token/></Fact>
            </Facts>
        </div>
    }
}

/// For whose rotation it is where its id does not say so.
pub const NOBODY_KNOWN: &str = "the schedule, or not known";

/// An age, or a word where there is none.
pub fn age_or(at: Option<Timestamp>, now: Now, without: &'static str) -> AnyView {
    match at {
        Some(at) => view! { <Age at now/> }.into_any(),
        None => without.into_any(),
    }
}

/// From the first step's beginning to the last one's end.
pub fn took(started: Option<Timestamp>, ended: Option<Timestamp>) -> String {
    match (started, ended) {
        (Some(started), Some(ended)) => match started.age_seconds(ended) {
            0..60 => words::millis((ended.0 - started.0).max(0) as f64),
            seconds => in_words(seconds),
        },
        _ => "not known".to_owned(),
    }
}

fn standing(state: RotationState) -> (Tone, &'static str) {
    match state {
        RotationState::Running => (Tone::Plain, "Running"),
        RotationState::Done => (Tone::Good, "Done"),
        RotationState::HalfDone => (Tone::Bad, "Left half done"),
        RotationState::Failed => (Tone::Bad, "Failed"),
    }
}

fn strategy(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::SingleUser => "one login, whose password is changed",
        Strategy::AlternatingUsers => "two logins that take turns",
    }
}

/// How a step stands: for the eye, the word, and the style sheet's name.
fn step_standing(state: StepState) -> (Tone, &'static str, &'static str) {
    match state {
        StepState::Waiting => (Tone::Plain, "Not begun", "waiting"),
        StepState::Running => (Tone::Plain, "Running", "running"),
        StepState::Done => (Tone::Good, "Done", "done"),
        StepState::Failed => (Tone::Bad, "Failed", "failed"),
        StepState::Silent => (Tone::Warn, "No end was heard of", "silent"),
    }
}

fn item(progress: StepProgress, now: Now) -> impl IntoView {
    let StepProgress { step, state, began, duration_ms, attempts, trouble } = progress;
    let (tone, word, name) = step_standing(state);
    let current = (state == StepState::Running).then_some("step");
    let going = matches!(state, StepState::Running | StepState::Silent);
    let duration = move || match duration_ms.filter(|_| !going) {
        Some(duration) => Some(words::millis(duration)),
        None => began.filter(|_| going).map(|began| in_words(began.age_seconds(now.get()))),
    };
    view! {
        <li class=format!("step step--{name}") aria-current=current>
            <StatusMark tone/>
            <div class="step__text">
                <p class="step__name"><code>{step.name()}</code><span class="step__word">{word}</span></p>
                <p class="step__purpose">{step.purpose()}</p>
                {trouble.map(|trouble| advice(trouble, tone))}
            </div>
            <p class="step__took">
                <span>{duration}</span>
                {(attempts > 1).then(|| view! { <span>{format!("{attempts} attempts")}</span> })}
            </p>
        </li>
    }
}

/// What went wrong, and what to do.
fn advice(trouble: Trouble, tone: Tone) -> impl IntoView {
    let Trouble { cause, what, said, next } = trouble;
    view! {
        <div class=format!("trouble notice--{}", tone.name())>
            <p class="trouble__what">{what}" "<code>{cause}</code></p>
            {said.map(|said| view! { <p class="trouble__said">"The function said: "<q>{said}</q></p> })}
            <p><strong>"What to do: "</strong>{next}</p>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let at = |ms| Some(Timestamp(ms));
        let table = [
            (at(1_000), at(9_210), "8.21 s"),
            (at(1_000), at(1_084), "84 ms"),
            (at(1_000), at(200_000), "3 min"),
            (at(2_000), at(1_000), "<1 ms"),
            (at(1_000), None, "not known"),
            (None, at(1_000), "not known"),
        ];
        for (started, ended, text) in table {
            assert_eq!(took(started, ended), text);
        }
    }

    #[test]
    fn no_two_states_of_a_step_look_alike() {
        let states =
            [StepState::Waiting, StepState::Running, StepState::Done, StepState::Failed, StepState::Silent];
        let words: std::collections::BTreeSet<_> =
            states.into_iter().map(|state| step_standing(state).1).collect();
        assert_eq!(words.len(), states.len());
    }
}
