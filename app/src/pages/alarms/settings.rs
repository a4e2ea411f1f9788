//! The settings that observability needs, as they are, each with the form that leads to a change's preview.

use leptos::prelude::*;
use model::alarms::{FunctionLogging, LEVELS, LogGroup, RETENTIONS, Settings, StageLogging};
use model::overview::Reading;

use super::Acting;
use crate::components::card::{Card, Freshness, Now, value_or_none};
use crate::components::facts::{Fact, Facts};
use crate::components::status::{StatusBadge, Tone};
use crate::components::table::{Cell, Table};
use crate::pages::deploys::megabytes;

/// What is proposed where a group keeps its events for ever.
const PROPOSED_DAYS: u32 = 30;

/// Log groups, functions, the stage.
pub fn region(reading: Reading<Settings>, acting: Acting, now: Now) -> AnyView {
    let freshness = Freshness::from(&reading);
    view! {
        <Card id="settings" heading="Logs, traces and metrics" freshness now>
            {value_or_none(reading, move |settings| {
                let Settings { groups, functions, stage } = settings;
                let rows = groups.iter().map(group).collect();
                view! {
                    <h3>"How long logs are kept"</h3>
                    <Table caption="Log groups" columns=&["Log group", "Of", "Kept", "Size"] rows now/>
                    {acting.may().then(|| retention_form(&groups))}
                    {functions.into_iter().enumerate().map(|(index, one)| function(one, index, acting)).collect_view()}
                    {stage_part(stage, acting)}
                }
            })}
        </Card>
    }
    .into_any()
}

fn group(group: &LogGroup) -> Vec<Cell> {
    let kept = match (group.there, group.days) {
        (false, _) => Cell::Text("not there yet".to_owned()),
        (true, Some(1)) => Cell::Text("1 day".to_owned()),
        (true, Some(days)) => Cell::Text(format!("{days} days")),
        (true, None) => Cell::Badge(Tone::Warn, "For ever"),
    };
    vec![
        Cell::Code(group.name.clone()),
        Cell::Text(group.of.clone()),
        kept,
        Cell::Text(megabytes(group.bytes)),
    ]
}

fn retention_form(groups: &[LogGroup]) -> impl IntoView + use<> {
    let proposed = groups.iter().find(|group| group.there && group.days.is_none());
    let options = groups.iter().map(|group| {
        let selected = proposed.is_some_and(|proposed| proposed.name == group.name);
        view! { <option value=group.name.clone() selected=selected>{group.name.clone()}</option> }
    });
    let days = RETENTIONS.map(|days| {
        let words = if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
        view! { <option value=days.to_string() selected=days == PROPOSED_DAYS>{words}</option> }
    });
    view! {
        <form id="retention" class="form form--line" method="post" action="/alarms/preview" data-hold="">
            <input type="hidden" name="what" value="retention"/>
            <div class="field">
                <label for="group">"Log group"</label>
                <select id="group" name="group">{options.collect_view()}</select>
            </div>
            <div class="field">
                <label for="days">"Kept for"</label>
                <select id="days" name="days">
                    {days.collect_view()}
                    <option value="">"for ever"</option>
                </select>
            </div>
            <button class="button" type="submit">"Preview"</button>
        </form>
    }
}

fn function(function: FunctionLogging, index: usize, acting: Acting) -> AnyView {
    let FunctionLogging { function: name, format, level, tracing, live, .. } = function;
    let (format_tone, traced) = (
        if format == "JSON" { Tone::Good } else { Tone::Warn },
        if tracing { (Tone::Good, "Traced") } else { (Tone::Plain, "Not traced") },
    );
    let shown = if format == "JSON" { "JSON" } else { "Text" };
    let form = acting.may().then(|| function_form(&name, &format, level.as_deref(), tracing, index));
    view! {
        <h3>"Function " <code>{name}</code></h3>
        <Facts>
            <Fact name="Logs as"><StatusBadge tone=format_tone label=shown/></Fact>
            <Fact name="From level">{level.unwrap_or_else(|| "as it likes: levels go with JSON".to_owned())}</Fact>
            <Fact name="Traces"><StatusBadge tone=traced.0 label=traced.1/></Fact>
            {live.map(|words| view! { <Fact name="What has the requests">{words}</Fact> })}
        </Facts>
        {form}
    }
    .into_any()
}

fn function_form(
    name: &str,
    format: &str,
    level: Option<&str>,
    tracing: bool,
    index: usize,
) -> impl IntoView + use<> {
    let id = |field: &str| format!("{field}-{index}");
    let formats =
        ["JSON", "Text"].map(|one| view! { <option value=one selected=one == format>{one}</option> });
    let level = level.unwrap_or("INFO").to_owned();
    let levels = LEVELS.map(|one| view! { <option value=one selected=one == level>{one}</option> });
    let name = name.to_owned();
    view! {
        <form id=id("logging") class="form form--line" method="post" action="/alarms/preview" data-hold="">
            <input type="hidden" name="what" value="function"/>
            <input type="hidden" name="function" value=name/>
            <div class="field">
                <label for=id("format")>"Format"</label>
                <select id=id("format") name="format">{formats.collect_view()}</select>
            </div>
            <div class="field">
                <label for=id("level")>"Level (with JSON)"</label>
                <select id=id("level") name="level">{levels.collect_view()}</select>
            </div>
            <p class="choice">
                <input id=id("tracing") type="checkbox" name="tracing" value="yes" checked=tracing/>
                <label for=id("tracing")>"Trace its calls"</label>
            </p>
            <button class="button" type="submit">"Preview"</button>
        </form>
    }
}

fn stage_part(stage: StageLogging, acting: Acting) -> AnyView {
    let StageLogging { stage, destination, format, lacks, detailed_metrics } = stage;
    let (tone, word) = match (&format, lacks.is_empty()) {
        (None, _) => (Tone::Warn, "None"),
        (Some(_), true) => (Tone::Good, "All that is worth having"),
        (Some(_), false) => (Tone::Plain, "Lacks something"),
    };
    let wanting = format.is_none() || !lacks.is_empty();
    let form = acting.may().then(|| stage_form(wanting, detailed_metrics));
    view! {
        <h3>"Stage " <code>{stage}</code></h3>
        <Facts>
            <Fact name="Access log"><StatusBadge tone label=word/></Fact>
            {destination.map(|group| view! { <Fact name="Goes to"><code>{group}</code></Fact> })}
            {(!lacks.is_empty()).then(|| view! { <Fact name="Lacks"><code>{lacks.join(", ")}</code></Fact> })}
            <Fact name="Figures of each route">{if detailed_metrics { "kept" } else { "not kept" }}</Fact>
        </Facts>
        {form}
    }
    .into_any()
}

fn stage_form(wanting: bool, detailed: bool) -> impl IntoView {
    view! {
        <form id="stage-logging" class="form form--line" method="post" action="/alarms/preview" data-hold="">
            <input type="hidden" name="what" value="stage"/>
            <p class="choice">
                <input id="access_log" type="checkbox" name="access_log" value="yes" checked=wanting/>
                <label for="access_log">"Write the access log in the recommended format"</label>
            </p>
            <p class="choice">
                <input id="detailed" type="checkbox" name="detailed" value="yes" checked=detailed/>
                <label for="detailed">"Keep figures of each route"</label>
            </p>
            <button class="button" type="submit">"Preview"</button>
        </form>
    }
}
