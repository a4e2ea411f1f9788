//! The stack's alarms, the firing ones first.

use leptos::prelude::*;
use model::overview::{Alarm, AlarmState, Reading};

use crate::components::age::Age;
use crate::components::card::{Card, Freshness, Now, value_or_none};
use crate::components::status::{StatusBadge, Tone};

/// All of them, or that there are none.
pub fn region(reading: Reading<Vec<Alarm>>, now: Now) -> impl IntoView {
    let freshness = Freshness::from(&reading);
    view! {
        <Card id="alarms" heading="Alarms" freshness now>
            {value_or_none(reading, move |alarms| list(alarms, now))}
        </Card>
    }
}

fn list(alarms: Vec<Alarm>, now: Now) -> impl IntoView {
    if alarms.is_empty() {
        return leptos::either::Either::Left(view! {
            <p class="empty">
                "No alarms are set: nobody is told when the API fails. Set one on the API's 5xx rate and one on the function's throttles."
            </p>
        });
    }
    let items = alarms.into_iter().map(|alarm| item(alarm, now));
    leptos::either::Either::Right(view! { <ul class="alarms">{items.collect_view()}</ul> })
}

fn item(alarm: Alarm, now: Now) -> impl IntoView {
    let (tone, word) = match alarm.state {
        AlarmState::Alarm => (Tone::Bad, "In alarm"),
        AlarmState::InsufficientData => (Tone::Unknown, "Insufficient data"),
        AlarmState::Ok => (Tone::Good, "OK"),
    };
    // While all is well the reason is a formula nobody needs.
    let reason = alarm.reason.filter(|_| alarm.state == AlarmState::Alarm);
    view! {
        <li class="alarms__item">
            <StatusBadge tone label=word/>
            <span class="alarms__name">{alarm.name}</span>
            <span class="alarms__since">
                {alarm.since.map(|at| view! { "since "<Age at now/> })}
            </span>
            {(!alarm.actions_enabled).then(|| view! { <span class="alarms__muted">"Actions are off: nobody is told."</span> })}
            {reason.map(|reason| view! { <span class="alarms__reason">{reason}</span> })}
        </li>
    }
}
