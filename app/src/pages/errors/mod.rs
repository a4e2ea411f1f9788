//! Who is to blame: the errors of a period, split by whose they are, each with requests to look at.
//!
//! The page is read as it is: a reading is half a minute old at most, and asks CloudWatch for a good deal,
//! so that nothing here asks anew by itself.

#[cfg(test)]
mod tests;

use leptos::prelude::*;
use model::blame::{Cause, Errors, Reason, Share};
use model::log_filter::{LogFilter, LogGroup, LogLevel};
use model::logs::Looked;
use model::overview::Reading;
use model::time::Timestamp;

use crate::components::age::Age;
use crate::components::card::{Card, Freshness, Now, value_or_none};
use crate::components::notice::{Notice, ProblemNotice};
use crate::components::status::Tone;
use crate::components::words;
use crate::pages::logs::query_of;
use crate::pages::requests::address_of;

/// The periods that are offered: what stands in the address, what people read, and its length.
pub const PERIODS: [(&str, &str, i64); 4] = [
    ("1h", "Last hour", 3_600_000),
    ("3h", "Last 3 hours", 3 * 3_600_000),
    ("12h", "Last 12 hours", 12 * 3_600_000),
    ("1d", "Last day", 24 * 3_600_000),
];

/// The page.
pub struct ErrorsScreen {
    /// What it shows.
    pub errors: Reading<Errors>,
    /// The present.
    pub now: Timestamp,
    /// Which of [`PERIODS`] it is of; none for one that somebody named.
    pub period: Option<&'static str>,
    /// The page's own address, to read it again.
    pub address: String,
}

impl ErrorsScreen {
    /// As a page.
    pub fn view(self) -> impl IntoView {
        let Self { errors, now: at, period, address } = self;
        let now: Now = Signal::stored(at);
        let links = PERIODS.map(|(name, words, _)| {
            let here = (period == Some(name)).then_some("page");
            view! { <li><a class="period" href=format!("/errors?range={name}") aria-current=here>{words}</a></li> }
        });
        let freshness = Freshness::from(&errors);
        let notes = errors.value.as_ref().map(notes);
        let (server, client) = (errors.clone(), errors);
        view! {
            <div class="page-head">
                <h1>"Errors"</h1>
                <nav aria-label="Period"><ul class="periods">{links.collect_view()}</ul></nav>
                <a class="button button--quiet" href=address>"Refresh"</a>
            </div>
            {notes}
            <div class="request">
                <Card id="server" heading="Answers from 500 on" freshness=freshness.clone() now>
                    {value_or_none(server, move |errors| {
                        let bounds = (errors.from, errors.to);
                        shares("By whose fault they are", errors.server, "No answer from 500 on in this time.", bounds, now)
                    })}
                </Card>
                <Card id="client" heading="Answers from 400 to 499" freshness now>
                    <p class="hint">"Mostly callers' mistakes. The authorizer and the stage's throttle are the ones to look at."</p>
                    {value_or_none(client, move |errors| {
                        let bounds = (errors.from, errors.to);
                        shares("What callers were refused", errors.client, "No answer from 400 to 499 in this time.", bounds, now)
                    })}
                </Card>
                {basis()}
            </div>
        }
    }
}

/// The time it is of, and what makes it less than exact.
fn notes(errors: &Errors) -> AnyView {
    let Errors { from, to, access, function, read_from, unexplained, unread, .. } = errors;
    let warn = |message: String| view! { <Notice tone=Tone::Warn message/> };
    let cut = (!access.whole).then(|| {
        warn(format!(
            "There were more errors than are read at once: these are only those since {}. Earlier ones of the period are not counted.",
            words::utc(*read_from),
        ))
    });
    let function_cut = (function.problem.is_none() && !function.whole).then(|| {
        warn("The function's log has more lines than are read at once: some answers count as its code's though another cause stands there.".to_owned())
    });
    let unexplained = (*unexplained > 0).then(|| {
        warn(format!(
            "Of {unexplained} answers the function's own line was not found: they count as its code's."
        ))
    });
    let unread = (*unread > 0)
        .then(|| warn(format!("{unread} lines of the access log could not be read: they count nowhere.")));
    let problem = function.problem.clone().map(|problem| view! { <ProblemNotice problem/> });
    view! {
        <p class="hint period-said">{format!("From {} to {}.", words::utc(*from), words::utc(*to))}</p>
        <div class="notes">{cut}{problem}{function_cut}{unexplained}{unread}</div>
        <p class="hint looked">{place(access)}" \u{b7} "{place(function)}</p>
    }
    .into_any()
}

fn place(looked: &Looked) -> impl IntoView + use<> {
    view! { <code>{looked.place.clone()}</code> }
}

const COLUMNS: [&str; 5] = ["Whose", "Count", "Share", "Why", "Requests"];

/// A table: one row for each cause.
fn shares(
    caption: &'static str,
    shares: Vec<Share>,
    none: &'static str,
    bounds: (Timestamp, Timestamp),
    now: Now,
) -> AnyView {
    if shares.is_empty() {
        return view! { <p class="empty">{none}</p> }.into_any();
    }
    let all: u64 = shares.iter().map(|share| share.count).sum();
    let headings = COLUMNS.map(|column| view! { <th role="columnheader" scope="col">{column}</th> });
    let rows = shares.into_iter().map(|share| row(share, bounds, now));
    view! {
        <p class="lead">{words::count(all as f64)}" in all"</p>
        <table class="table table--blame" role="table">
            <caption class="unseen">{caption}</caption>
            <thead role="rowgroup"><tr role="row">{headings.collect_view()}</tr></thead>
            <tbody role="rowgroup">{rows.collect_view()}</tbody>
        </table>
    }
    .into_any()
}

fn row(share: Share, (from, to): (Timestamp, Timestamp), now: Now) -> impl IntoView {
    let Share { cause, count, share, reasons } = share;
    let width = format!("{:.1}", (share * 1_000.0).clamp(4.0, 1_000.0));
    let samples = reasons.clone();
    let lines = lines_of(cause, from, to);
    let lines_label = format!("Log lines: {}", cause.name());
    let cells: [AnyView; 5] = [
        view! { <strong>{cause.name()}</strong><p class="hint">{cause.about()}</p> }.into_any(),
        words::count(count as f64).into_any(),
        view! {
            {words::share(share)}
            <svg class="bar" viewBox="0 0 1000 12" preserveAspectRatio="none" aria-hidden="true" focusable="false">
                <rect class="bar__ground" x="0" y="0" width="1000" height="12"></rect>
                <rect class="bar__time bar__time--trace" x="0" y="0" width=width height="12"></rect>
            </svg>
        }
        .into_any(),
        view! { <ul class="reasons">{reasons.into_iter().map(reason).collect_view()}</ul> }.into_any(),
        view! {
            <ul class="reasons">{samples.into_iter().map(|reason| sample(reason, now)).collect_view()}</ul>
            <p><a href=lines aria-label=lines_label>"Log lines"</a></p>
        }
        .into_any(),
    ];
    let cells = cells.into_iter().zip(COLUMNS).map(|(cell, column)| {
        view! { <td role="cell" data-column=column><div>{cell}</div></td> }
    });
    view! { <tr role="row">{cells.collect_view()}</tr> }
}

fn reason(reason: Reason) -> impl IntoView {
    view! { <li>{words::count(reason.count as f64)}" \u{d7} "{reason.reason}</li> }
}

/// The newest request of a reason.
fn sample(reason: Reason, now: Now) -> Option<AnyView> {
    let words = reason.reason;
    let sample = reason.samples.into_iter().next()?;
    let label = format!("Look at a request: {words}");
    let route = sample.route.unwrap_or_else(|| "no route".to_owned());
    Some(
        view! {
            <li>
                <a href=address_of(&sample.id) aria-label=label>{format!("{} {route}", sample.status)}</a>
                " "<Age at=sample.at now/>
            </li>
        }
        .into_any(),
    )
}

/// The address of the lines that errors of a cause are told from: those of the log that says whose they
/// are, as narrow as a search can be.
fn lines_of(cause: Cause, from: Timestamp, to: Timestamp) -> String {
    let (group, text, level) = match cause {
        Cause::Sql => (LogGroup::Function, Some("\"cause\":\"sql\""), LogLevel::Warn),
        Cause::Secret => (LogGroup::Function, Some("\"cause\":\"secret\""), LogLevel::Warn),
        Cause::Code => (LogGroup::Function, None, LogLevel::Error),
        Cause::LambdaService => (LogGroup::Function, Some("platform.report"), LogLevel::Error),
        Cause::Gateway => (LogGroup::Access, None, LogLevel::Error),
        Cause::Throttling | Cause::Authorizer | Cause::Caller => (LogGroup::Access, None, LogLevel::Warn),
    };
    let filter =
        LogFilter { group, text: text.map(str::to_owned), level: Some(level), ..LogFilter::default() };
    // The function's lines are a little older than the gateway's.
    format!("/logs?{}&from={}&to={}", query_of(&filter), from.0 - 60_000, to.0)
}

/// What the split is based on, and where it can be wrong.
fn basis() -> AnyView {
    view! {
        <section class="card" aria-label="What this is based on">
            <div class="card__body">
                <details class="fold">
                    <summary>"What this is based on, and where it can be wrong"</summary>
                    <ul class="basis">
                        <li>"Each answer from 400 on is a line of the stage's access log. What the gateway, the authorizer or the throttle refused, and what Lambda did not run to an answer, stands there."</li>
                        <li>"What the function answered itself is told apart by its own line about the request, which names the cause: secret, SQL, its time, or itself."</li>
                        <li>"An integration whose time was up counts as the gateway's, whoever was slow."</li>
                        <li>"A foreign function, which writes no such line, counts as \u{201c}our code\u{201d} whatever was behind it."</li>
                        <li>"Without $context.integration.integrationStatus and $context.error.responseType in the access log's format, Lambda, throttling and gateway can't be told apart."</li>
                        <li>"Requests that reach no stage are in no log. The newest seconds may be missing."</li>
                    </ul>
                </details>
            </div>
        </section>
    }
    .into_any()
}
