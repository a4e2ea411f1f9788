//! The rollout under way, or how the last one came out.

use leptos::prelude::*;
use model::deploy::{
    Driver, Live, Rollout, RolloutState, RolloutStep, RolloutStepState, SmokeAnswer, Verdict,
};
use model::overview::Reading;
use model::time::{Timestamp, in_words};

use super::{Acting, act, gate};
use crate::components::age::Age;
use crate::components::card::{Card, Freshness, Now, value_or_none};
use crate::components::facts::{Fact, Facts};
use crate::components::id::Id;
use crate::components::notice::Notice;
use crate::components::status::{StatusBadge, StatusMark, Tone};

/// How it stands, its steps, its figures and what can be done.
pub fn region(reading: Reading<Option<Rollout>>, live: Option<&Live>, acting: Acting, now: Now) -> AnyView {
    let freshness = Freshness::from(&reading);
    let over = reading.value.iter().flatten().all(|rollout| rollout.state.is_over());
    let heading = if over { "Last rollout" } else { "Rollout" };
    let nothing = live.is_none_or(|live| live.outcome.is_none());
    view! {
        <Card id="rollout" heading freshness now>
            {value_or_none(reading, move |rollout| match rollout {
                Some(rollout) => body(rollout, acting, now).into_any(),
                None if nothing => view! {
                    <p class="empty">"No rollout of this function is on record. A new deploy shows what it would do before it does anything."</p>
                }.into_any(),
                None => view! {
                    <p class="empty">"The last change was made without a rollout: see what has the requests."</p>
                }.into_any(),
            })}
        </Card>
    }
    .into_any()
}

fn body(rollout: Rollout, acting: Acting, now: Now) -> impl IntoView {
    let (tone, word) = standing(rollout.state);
    let over = rollout.state.is_over();
    let unattended = match rollout.driver {
        Driver::Nobody { .. } if !acting.drives => Some(
            "This portal is set not to drive rollouts (LOCKKEEPER_DRIVE_ROLLOUTS=false), and no other is heard of. Start one that does; or promote it, or roll it back here.",
        ),
        _ => None,
    };
    let steps = rollout.steps.iter().cloned().map(step).collect_view();
    let has_steps = !rollout.steps.is_empty();
    view! {
        <div class="rotation__standing">
            <StatusBadge tone label=word/>
            <p>{rollout.summary.clone()}</p>
        </div>
        {unattended.map(|words| view! { <Notice tone=Tone::Warn message=words/> })}
        {rollout.trouble.clone().map(|trouble| view! {
            <Notice tone=Tone::Warn message=format!("The next step could not be taken: {trouble}") next="It is tried again.".to_owned()/>
        })}
        {(!over).then(|| share_bar(&rollout.old, rollout.new.as_deref(), rollout.percent))}
        <div class="rotation">
            {has_steps.then(|| view! { <ol class="steps">{steps}</ol> })}
            {facts(&rollout, now)}
        </div>
        {(!over).then(|| act::steering(&rollout, acting))}
        {rollout.gate.clone().map(|report| gate::view(report, &rollout, now))}
        {rollout.smoke.clone().map(|answer| smoke(answer, now))}
    }
}

fn standing(state: RolloutState) -> (Tone, &'static str) {
    match state {
        RolloutState::Preparing => (Tone::Plain, "Preparing"),
        RolloutState::Watching => (Tone::Plain, "Watching"),
        RolloutState::Paused => (Tone::Warn, "Paused"),
        RolloutState::Promoted => (Tone::Good, "Promoted"),
        RolloutState::RolledBack => (Tone::Warn, "Rolled back"),
        RolloutState::Stopped => (Tone::Warn, "Stopped"),
        RolloutState::Overtaken => (Tone::Warn, "Overtaken"),
    }
}

fn facts(rollout: &Rollout, now: Now) -> impl IntoView + use<> {
    let over = rollout.state.is_over();
    let since = rollout.since;
    let (id, by) = (rollout.id.clone(), rollout.by.clone());
    let driver = (!over).then(|| driver(&rollout.driver, now.get_untracked()));
    let strategy = rollout.strategy.as_ref().map(|strategy| strategy.words());
    let left = (!over).then(|| time_left(rollout, now.get_untracked())).flatten();
    let description = rollout.description.clone();
    view! {
        <Facts>
            <Fact name=if over { "Ended by" } else { "Started by" }>{by}</Fact>
            <Fact name=if over { "Ended" } else { "At this step since" }><Age at=since now/></Fact>
            {left.map(|left| view! { <Fact name="Time left at this share">{left}</Fact> })}
            {driver.map(|driver| view! { <Fact name="Driven by">{driver}</Fact> })}
            {strategy.map(|strategy| view! { <Fact name="Strategy">{strategy}</Fact> })}
            {description.map(|text| view! { <Fact name="Description">{text}</Fact> })}
            <Fact name="Id"><Id id/></Fact>
        </Facts>
    }
}

/// What is left of the time at this share; none where it has no time.
fn time_left(rollout: &Rollout, now: Timestamp) -> Option<String> {
    let until = rollout.until?;
    let few = rollout.gate.as_ref().is_none_or(|gate| gate.verdict != Verdict::Pass);
    Some(match now.age_seconds(until) {
        _ if rollout.state == RolloutState::Paused => "paused: it begins anew on Resume".to_owned(),
        0 if few => "over; it waits for a verdict to go on".to_owned(),
        0 => "over; it goes on".to_owned(),
        seconds => in_words(seconds),
    })
}

fn driver(driver: &Driver, now: Timestamp) -> String {
    let ago = |heard: Timestamp| in_words(heard.age_seconds(now));
    match driver {
        Driver::This => "this portal".to_owned(),
        Driver::Another { heard } => format!("another portal, heard of {} ago", ago(*heard)),
        Driver::Nobody { heard: Some(heard) } => format!("nobody; one was heard of {} ago", ago(*heard)),
        Driver::Nobody { heard: None } => "nobody yet".to_owned(),
        Driver::NotNeeded => "nobody: it is over".to_owned(),
    }
}

/// Who has which share, as a bar and in words. The new version's part is on the right, as it comes in.
pub fn share_bar(old: &str, new: Option<&str>, percent: u8) -> AnyView {
    let percent = percent.min(100);
    let rest = 100 - percent;
    let name = new.map_or_else(|| "New code".to_owned(), |new| format!("Version {new}"));
    view! {
        <div class="share">
            <div class="share__names">
                <p><span>{format!("Version {old}")}</span><strong>{format!("{rest} %")}</strong></p>
                <p><span>{name}</span><strong>{format!("{percent} %")}</strong></p>
            </div>
            <svg class="share__bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" focusable="false">
                <rect class="share__old" width="100" height="4"></rect>
                <rect class="share__new" x=rest.to_string() width=percent.to_string() height="4"></rect>
            </svg>
        </div>
    }
    .into_any()
}

fn step(step: RolloutStep) -> impl IntoView {
    let RolloutStep { title, state, detail } = step;
    let (tone, word, name) = match state {
        RolloutStepState::Waiting => (Tone::Plain, "Not begun", "waiting"),
        RolloutStepState::Running => (Tone::Plain, "Now", "running"),
        RolloutStepState::Done => (Tone::Good, "Done", "done"),
    };
    let current = (state == RolloutStepState::Running).then_some("step");
    view! {
        <li class=format!("step step--{name}") aria-current=current>
            <StatusMark tone/>
            <div class="step__text">
                <p class="step__name"><strong>{title}</strong><span class="step__word">{word}</span></p>
            </div>
            <p class="step__took">{detail.map(|detail| view! { <code>{detail}</code> })}</p>
        </li>
    }
}

fn smoke(answer: SmokeAnswer, now: Now) -> AnyView {
    let SmokeAnswer { version, passed, summary, status, body, log, at } = answer;
    let (tone, word) = if passed { (Tone::Good, "Passed") } else { (Tone::Bad, "Failed") };
    view! {
        <div class="smoke">
            <div class="smoke__head">
                <h3>{format!("First request to version {version}")}</h3>
                <StatusBadge tone label=word/>
                <Age at now/>
            </div>
            <p>{summary}</p>
            <details class="fold" open=!passed>
                <summary>"Answer and log"</summary>
                <Facts>
                    <Fact name="Status">{status.map_or_else(|| "none: the function failed".to_owned(), |status| status.to_string())}</Fact>
                </Facts>
                <pre class="lines" tabindex="0" aria-label="Answer">{if body.is_empty() { "(no body)".to_owned() } else { body }}</pre>
                <pre class="lines" tabindex="0" aria-label="Log">{if log.is_empty() { "(no log lines)".to_owned() } else { log.join("\n") }}</pre>
            </details>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::deploys::sample;

    #[test]
    fn the_time_left_says_what_it_waits_for() {
        let page = sample::watching();
        let rollout = page.rollout.value.flatten().unwrap();
        let until = rollout.until.unwrap();
        let later = Timestamp(until.0 + 3_000);
        let few = Rollout { gate: Some(sample::gate(Verdict::TooFew)), ..rollout.clone() };
        let paused = Rollout { state: RolloutState::Paused, ..rollout.clone() };
        let timeless = Rollout { until: None, ..rollout.clone() };
        let table = [
            (&rollout, sample::NOW, Some("3 min")),
            (&rollout, later, Some("over; it goes on")),
            (&few, later, Some("over; it waits for a verdict to go on")),
            (&paused, later, Some("paused: it begins anew on Resume")),
            (&timeless, later, None),
        ];
        for (rollout, now, expected) in table {
            assert_eq!(time_left(rollout, now).as_deref(), expected);
        }
    }
}
