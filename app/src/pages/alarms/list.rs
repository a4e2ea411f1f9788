//! The stack's alarms, and what happened to them.

use leptos::prelude::*;
use model::alarms::{AlarmEvent, AlarmRule, StackAlarm};
use model::overview::{AlarmState, Reading};

use crate::components::age::Age;
use crate::components::card::{Card, Freshness, Now, value_or_none};
use crate::components::status::{StatusBadge, Tone};
use crate::components::table::{Cell, Table};

const COLUMNS: [&str; 6] = ["Alarm", "State", "Since", "Why", "Fires at", "Tells"];

/// The alarms, the firing ones first.
pub fn region(reading: Reading<Vec<StackAlarm>>, now: Now) -> AnyView {
    let freshness = Freshness::from(&reading);
    view! {
        <Card id="alarms" heading="The stack's alarms" freshness now>
            {value_or_none(reading, move |alarms| match alarms.is_empty() {
                true => view! { <p class="empty">"No alarm watches this stack. The recommended ones can be created below."</p> }.into_any(),
                false => table(alarms, now),
            })}
        </Card>
    }
    .into_any()
}

/// A table of its own kind: cells hold links and badges together.
fn table(alarms: Vec<StackAlarm>, now: Now) -> AnyView {
    let headings = COLUMNS.map(|column| view! { <th role="columnheader" scope="col">{column}</th> });
    let rows = alarms.into_iter().map(|alarm| row(alarm, now));
    view! {
        <table class="table table--alarms" role="table">
            <caption class="unseen">"Alarms of the stack"</caption>
            <thead role="rowgroup"><tr role="row">{headings.collect_view()}</tr></thead>
            <tbody role="rowgroup">{rows.collect_view()}</tbody>
        </table>
    }
    .into_any()
}

fn row(alarm: StackAlarm, now: Now) -> impl IntoView {
    let (tone, word) = state(alarm.state);
    let told = if alarm.told.is_told() { Tone::Good } else { Tone::Warn };
    let chart = chart(&alarm.rule);
    let fires = if alarm.foreign {
        "set up elsewhere: an expression, or a band".to_owned()
    } else {
        alarm.rule.words()
    };
    let cells: [AnyView; COLUMNS.len()] = [
        view! { <span class="alarms__name">{alarm.rule.name.clone()}</span> }.into_any(),
        view! { <StatusBadge tone label=word/> }.into_any(),
        alarm.since.map_or_else(|| "not known".into_any(), |at| view! { <Age at now/> }.into_any()),
        alarm.reason.unwrap_or_else(|| "not said".to_owned()).into_any(),
        view! { {fires} " " <a href=chart.0>{chart.1}</a> }.into_any(),
        view! { <StatusBadge tone=told label=if alarm.told.is_told() { "Told" } else { "Silent" }/> " " {alarm.told.words()} }.into_any(),
    ];
    let cells = cells.into_iter().zip(COLUMNS).map(|(cell, column)| {
        view! { <td role="cell" data-column=column><div>{cell}</div></td> }
    });
    view! { <tr role="row">{cells.collect_view()}</tr> }
}

/// An alarm's state, for people.
pub fn state(state: AlarmState) -> (Tone, &'static str) {
    match state {
        AlarmState::Alarm => (Tone::Bad, "Fires"),
        AlarmState::InsufficientData => (Tone::Unknown, "Not known"),
        AlarmState::Ok => (Tone::Good, "Quiet"),
    }
}

/// Where its metric is shown: the address and the words.
fn chart(rule: &AlarmRule) -> (&'static str, &'static str) {
    let rotation = rule.name.ends_with("rotation-failed");
    if rotation { ("/secret#history", "Its rotations") } else { ("/charts", "Its figures") }
}

/// What happened, the newest first.
pub fn history(reading: Reading<Vec<AlarmEvent>>, now: Now) -> AnyView {
    let freshness = Freshness::from(&reading);
    view! {
        <Card id="history" heading="History" freshness now>
            {value_or_none(reading, move |events| match events.is_empty() {
                true => view! { <p class="empty">"Nothing has happened to these alarms in the last 30 days."</p> }.into_any(),
                false => {
                    let rows = events.into_iter().map(event).collect();
                    view! { <Table caption="What happened to the alarms" columns=&["When", "Alarm", "What", "State", "Why"] rows now/> }.into_any()
                }
            })}
        </Card>
    }
    .into_any()
}

fn event(event: AlarmEvent) -> Vec<Cell> {
    let AlarmEvent { at, alarm, what, state: to, why } = event;
    let to = to
        .map(state)
        .map_or_else(|| Cell::Text("no change".to_owned()), |(tone, word)| Cell::Badge(tone, word));
    vec![
        Cell::Age(at, None),
        Cell::Text(alarm),
        Cell::Text(what),
        to,
        Cell::Text(why.unwrap_or_else(|| "not said".to_owned())),
    ]
}
