//! What the alias points at, and the way back from there.

use leptos::prelude::*;
use model::deploy::{Live, Outcome, Rollout};
use model::overview::Reading;

use super::act;
use super::{Acting, rollout};
use crate::components::card::{Card, Freshness, Now, value_or_none};
use crate::components::facts::{Fact, Facts};
use crate::components::id::Id;
use crate::components::status::{StatusBadge, Tone};
use crate::components::{age::Age, words};

/// The version with its facts; where no rollout is under way, the form that goes back.
pub fn region(reading: Reading<Live>, last: Option<&Rollout>, acting: Acting, now: Now) -> AnyView {
    let freshness = Freshness::from(&reading);
    let under_way = last.is_some_and(|rollout| !rollout.state.is_over());
    let heading = "What has the requests";
    view! {
        <Card id="live-version" heading freshness now>
            {value_or_none(reading, move |live| {
                let back = (!under_way).then(|| act::go_back(&live, acting));
                view! { {body(live, under_way, now)}{back} }
            })}
        </Card>
    }
    .into_any()
}

fn body(live: Live, under_way: bool, now: Now) -> impl IntoView {
    let Live { function, alias, version, weight, code_sha256, description, since, by, outcome, why, .. } =
        live;
    let share = weight.as_ref().map(|(other, share)| {
        let percent = (share * 100.0).round().clamp(0.0, 100.0) as u8;
        rollout::share_bar(&version, Some(other), percent)
    });
    let outcome = outcome.filter(|_| !under_way).map(|outcome| {
        let (tone, word) = ended(outcome);
        view! { <Fact name="Last change"><StatusBadge tone label=word/></Fact> }
    });
    let since = since.map(|at| view! { <Age at now/> }.into_any());
    view! {
        <p class="lead">"Version " {version}</p>
        {description.map(|text| view! { <p class="deploys__words">{text}</p> })}
        {share}
        <Facts>
            <Fact name="Alias"><code>{format!("{function}:{alias}")}</code></Fact>
            {weight.map(|(other, share)| view! {
                <Fact name="Weights">{format!("version {other} has {}", words::share(share))}</Fact>
            })}
            <Fact name="Code">
                {code_sha256.map_or_else(|| "not known".into_any(), |id| view! { <Id id/> }.into_any())}
            </Fact>
            <Fact name="Since">{since.unwrap_or_else(|| "not known: the alias does not say".into_any())}</Fact>
            <Fact name="By">{by.unwrap_or_else(|| "not known".to_owned())}</Fact>
            {outcome}
            {why.filter(|_| !under_way).map(|why| view! { <Fact name="Why">{why}</Fact> })}
        </Facts>
    }
}

/// How a change came out, for people.
pub fn ended(outcome: Outcome) -> (Tone, &'static str) {
    match outcome {
        Outcome::Promoted => (Tone::Good, "Promoted"),
        Outcome::RolledBack => (Tone::Warn, "Rolled back"),
        Outcome::Stopped => (Tone::Warn, "Stopped before any request"),
        Outcome::Overtaken => (Tone::Warn, "Overtaken from outside"),
    }
}
