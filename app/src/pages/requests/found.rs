//! What was found of a request, and where the rest was looked for.

use leptos::prelude::*;
use model::logs::{AccessLine, Looked};
use model::lookup::{AccessRecord, FunctionRecord, Lookup, Part, Trace};

use super::timeline;
use crate::components::card::{Card, Freshness, Now};
use crate::components::facts::{Fact, Facts};
use crate::components::log_line::Line;
use crate::components::notice::Notice;
use crate::components::status::{StatusBadge, Tone};
use crate::components::words;
use crate::pages::sign_in::escape;

/// The address of a request's page.
pub fn address_of(id: &str) -> String {
    format!("/requests/{}", escape(id).replace('/', "%2F"))
}

/// All of it.
pub fn view(lookup: Lookup) -> AnyView {
    let now: Now = Signal::stored(lookup.now);
    let at = lookup.now;
    let bars = lookup.began.map(|began| timeline::view(began, lookup.timeline.clone()));
    let nothing = (!lookup.is_found()).then(|| {
        let message = "Nothing was found of this request.";
        let next = "Below stands where it was looked for. A line of a log can be read some seconds after it was written.";
        view! { <div class="done"><Notice tone=Tone::Warn message next=Some(next.to_owned())/></div> }
    });
    let summary = lookup.is_found().then(|| {
        let freshness = Freshness { at, problem: None, has_value: true };
        let facts = summary(&lookup);
        view! { <Card id="summary" heading="In short" freshness now>{facts}</Card> }
    });
    let Lookup { access, function, trace, .. } = lookup;
    view! {
        {nothing}
        <div class="request">
            {summary}
            {bars.map(|bars| {
                let freshness = Freshness { at, problem: None, has_value: true };
                view! { <Card id="timeline" heading="Time line" freshness now>{bars}</Card> }
            })}
            {part("access", "Access log", access, now, at, show_access)}
            {part("function", "Function's log", function, now, at, show_function)}
            {part("trace", "Trace", trace, now, at, show_trace)}
        </div>
    }
    .into_any()
}

fn summary(lookup: &Lookup) -> AnyView {
    let access = lookup.access.value.as_ref().map(|access| access.read.clone()).unwrap_or_default();
    let function = lookup.function.value.clone().unwrap_or_default();
    let request = function.request.unwrap_or_default();
    let status = access.status.or_else(|| Some(request.status).filter(|status| *status > 0));
    let route = access.route.clone().or_else(|| request.route.clone());
    let sql = request.sql_ms.map(|ms| {
        let (trips, connects) = (request.sql_round_trips.unwrap_or(0), request.sql_connects.unwrap_or(0));
        let connects = if connects == 0 { String::new() } else { format!(", {connects} connections tried") };
        let exchanges = if trips == 1 { "exchange" } else { "exchanges" };
        format!("{} in {trips} {exchanges}{connects}", words::millis(ms))
    });
    let id = |id: &Option<String>| match id {
        Some(id) => {
            let address = address_of(id);
            view! { <a href=address><code class="whole-id">{id.clone()}</code></a> }.into_any()
        }
        None => "not known".into_any(),
    };
    let (by_gateway, by_lambda, trace) =
        (id(&lookup.gateway_id), id(&lookup.lambda_id), id(&lookup.trace_id));
    let known = |value: Option<String>| value.unwrap_or_else(|| "not known".to_owned());
    let cold = request.cold_start.map(|cold| if cold { "yes, it started for this request" } else { "no" });
    view! {
        <Facts>
            <Fact name="Answer">{status.map_or_else(|| "not known".into_any(), |status| answer(status).into_any())}</Fact>
            <Fact name="Route">{known(route)}</Fact>
            {access.path.map(|path| view! { <Fact name="Path"><code class="whole-id">{path}</code></Fact> })}
            <Fact name="Gateway's id">{by_gateway}</Fact>
            <Fact name="Lambda's id">{by_lambda}</Fact>
            <Fact name="Trace">{trace}</Fact>
            <Fact name="Version">{known(function.version)}</Fact>
            <Fact name="Secret version">{known(request.secret_version)}</Fact>
            <Fact name="SQL">{known(sql)}</Fact>
            <Fact name="Cold start">{cold.unwrap_or("not known")}</Fact>
            {request.error.map(|error| view! { <Fact name="Error">{error}</Fact> })}
        </Facts>
    }
    .into_any()
}

/// A status, and how grave it is.
fn answer(status: u16) -> impl IntoView {
    let tone = match status {
        500.. => Tone::Bad,
        400.. => Tone::Warn,
        _ => Tone::Good,
    };
    view! { <StatusBadge tone label=status.to_string()/> }
}

/// A region: what was found, or where it was looked for.
fn part<T>(
    id: &'static str,
    heading: &'static str,
    part: Part<T>,
    now: Now,
    at: model::time::Timestamp,
    show: impl FnOnce(T) -> AnyView + Send + 'static,
) -> impl IntoView
where
    T: Send + 'static,
{
    let Part { value, looked, note, problem } = part;
    let failed = looked.iter().find_map(|looked| looked.problem.clone());
    let freshness = Freshness { at, problem: problem.or(failed), has_value: value.is_some() };
    let searched = searched(&looked, value.is_some());
    view! {
        <Card id heading freshness now>
            {value.map(show)}
            {note.map(|note| view! { <p class="hint">{note}</p> })}
            {searched}
        </Card>
    }
}

/// Where it was looked for, and for which time.
fn searched(looked: &[Looked], found: bool) -> Option<AnyView> {
    let (first, last) = (looked.first()?, looked.last()?);
    let whole = looked.iter().all(|looked| looked.whole);
    let place = first.place.clone();
    let (from, to) = (words::utc(last.from), words::utc(first.to));
    let verdict = match (found, whole) {
        (true, _) => "Found in",
        (false, true) => "Not there: looked through",
        (false, false) => "Not found: looked, not to the end, through",
    };
    Some(view! { <p class="hint looked">{verdict}" "<code>{place}</code>{format!(", from {from} to {to}.")}</p> }.into_any())
}

fn show_access(record: AccessRecord) -> AnyView {
    let AccessRecord { line, read } = record;
    let AccessLine {
        method,
        latency_ms,
        integration_latency_ms,
        function_status,
        service_status,
        integration_error,
        error,
        error_type,
        authorizer_error,
        fits,
        ..
    } = read;
    let ms = |ms: Option<f64>| ms.map_or_else(|| "not said".to_owned(), words::millis);
    let status = |status: Option<u16>| status.map_or_else(|| "none".to_owned(), |status| status.to_string());
    let row =
        |name: &'static str, value: Option<String>| value.map(|value| view! { <Fact name>{value}</Fact> });
    view! {
        <Facts>
            {row("Method", method)}
            <Fact name="All of it">{ms(latency_ms)}</Fact>
            <Fact name="Integration">{ms(integration_latency_ms)}</Fact>
            <Fact name="Function's status">{status(function_status)}</Fact>
            <Fact name="Lambda's status">{status(service_status)}</Fact>
            {row("Gateway's error", error)}
            {row("Its kind", error_type)}
            {row("Integration's error", integration_error)}
            {row("Authorizer's error", authorizer_error)}
        </Facts>
        {(!fits).then(|| view! {
            <p class="hint">"The line has not the form of the stage's format: it is read by the usual names."</p>
        })}
        <ol class="log-lines"><Line line/></ol>
    }
    .into_any()
}

fn show_function(record: FunctionRecord) -> AnyView {
    let count = record.lines.len();
    let lines = record.lines.into_iter().map(|line| view! { <Line line/> });
    view! {
        <ol class="log-lines">{lines.collect_view()}</ol>
        {record.cut.then(|| view! { <p class="hint">{format!("The first {count} lines; there are more.")}</p> })}
    }
    .into_any()
}

fn show_trace(trace: Trace) -> AnyView {
    let spans = trace.spans.into_iter().map(|span| {
        let took = span.took_ms.map_or_else(|| "not ended".to_owned(), words::millis);
        let origin = span.origin.map(|origin| format!(" ({origin})")).unwrap_or_default();
        let depth = span.depth.min(4);
        view! {
            <li class=format!("span span--{depth}")>
                {format!("{}{origin}: {took}", span.name)}
                {span.failed.then(|| view! { " "<strong class="failed">"failed"</strong> })}
            </li>
        }
    });
    view! {
        <ol class="spans">{spans.collect_view()}</ol>
        {trace.cut.then(|| view! { <p class="hint">"X-Ray has more of this trace than is shown."</p> })}
    }
    .into_any()
}
