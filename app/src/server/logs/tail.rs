//! `GET /logs/tail` and `GET /api/v1/logs/tail`: lines as they are written, as server-sent events.
//!
//! A stream stands outside of the layers that work a request off in a task within ten seconds, and has
//! bounds of its own: there are so many at once, each says something every 15 seconds, ends after four
//! minutes, and when the portal stops. Whoever comes back says which line was the last
//! (`Last-Event-ID`, or `after`, as a browser's script can't set a header) and goes on behind it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, stream};
use model::log_filter::{LogBatch, LogGroup};
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;
use operations::{Follower, LinePlace};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, timeout_at};

use super::{Wanted, is_id};
use crate::pages::logs::fragment;
use crate::server::App;
use crate::server::answer::Failure;
use crate::server::frame::render;

/// Something is said at least so often: proxies close what is silent, and who has gone is noticed.
const STILL: Duration = Duration::from_secs(15);
/// A stream ends after so long, below the time of a connection.
const LONGEST: Duration = Duration::from_secs(240);

/// What may stand behind it, besides the filter.
#[derive(Debug, Default, Deserialize)]
pub struct After {
    after: Option<String>,
}

/// For whom the lines are.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// For the page's script: HTML.
    Html(LogGroup),
    /// For programs: the lines as they are.
    Json,
}

/// What is open.
struct Open {
    follower: Follower,
    form: Form,
    until: Instant,
    stopping: watch::Receiver<bool>,
    over: bool,
    /// Given back with the stream.
    _place: OwnedSemaphorePermit,
}

/// `GET /logs/tail`
pub async fn html(
    State(app): State<App>,
    wanted: Query<Wanted>,
    after: Query<After>,
    request: Request,
) -> Response {
    let group = wanted.filter().map(|filter| filter.group).unwrap_or_default();
    opened(app, wanted, after, request, Form::Html(group)).await
}

/// `GET /api/v1/logs/tail`
pub async fn json(
    State(app): State<App>,
    wanted: Query<Wanted>,
    after: Query<After>,
    request: Request,
) -> Response {
    opened(app, wanted, after, request, Form::Json).await
}

async fn opened(
    app: App,
    Query(wanted): Query<Wanted>,
    Query(after): Query<After>,
    request: Request,
    form: Form,
) -> Response {
    match open(&app, &wanted, after, request.headers(), form).await {
        Ok(open) => {
            let mut response = Sse::new(events(open)).into_response();
            // A proxy that gathers answers would hold lines back.
            response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
            response
        }
        Err(problem) => Failure::of(&request, &app, problem).into_response(),
    }
}

async fn open(
    app: &App,
    wanted: &Wanted,
    after: After,
    headers: &HeaderMap,
    form: Form,
) -> Result<Open, Problem> {
    let takes = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or("*/*");
    if !["text/event-stream", "text/*", "*/*"].iter().any(|kind| takes.contains(kind)) {
        let message = "This address answers with text/event-stream only.";
        return Err(Problem::new(ProblemKind::Invalid, message));
    }
    let filter = wanted.filter()?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let after = match last.or(after.after).filter(|last| !last.is_empty()) {
        None => None,
        Some(last) => Some(place_of(&last).ok_or_else(|| {
            Problem::new(ProblemKind::Invalid, "The last event's id is none of this stream's.")
        })?),
    };
    let place = Arc::clone(&app.streams).try_acquire_owned().map_err(|_| {
        Problem::new(ProblemKind::Throttled, "As many logs are followed as the portal has room for.")
            .with_next("Close another tab that follows one, or try again later.")
    })?;
    Ok(Open {
        follower: app.portal.follow(filter, after).await?,
        form,
        until: Instant::now() + LONGEST,
        stopping: app.stopping.subscribe(),
        over: false,
        _place: place,
    })
}

/// What the stream says, until it is over.
fn events(open: Open) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(open, |mut open| async move {
        let event = next(&mut open).await?;
        Some((Ok(event), open))
    })
}

async fn next(open: &mut Open) -> Option<Event> {
    if open.over {
        return None;
    }
    let still = open.until.min(Instant::now() + STILL);
    let batch = tokio::select! {
        batch = timeout_at(still, open.follower.next()) => batch,
        _ = open.stopping.wait_for(|stopping| *stopping) => return None,
    };
    match batch {
        Ok(Some(batch)) => Some(event(&batch, open.form)),
        Ok(None) => None,
        Err(_) if Instant::now() >= open.until => {
            open.over = true;
            // Whoever listens comes back at once, behind the last line.
            Some(Event::default().event("end").data("again"))
        }
        Err(_) => Some(Event::default().event("still").data("")),
    }
}

/// What the page's script is told.
#[derive(Serialize)]
struct Told {
    html: String,
    gap: bool,
    problem: Option<String>,
}

fn event(batch: &LogBatch, form: Form) -> Event {
    let event = match batch.lines.last() {
        Some(last) => Event::default().id(format!("{}-{}", last.at.0, last.id)),
        None => Event::default(),
    };
    let data = match form {
        Form::Json => json!(batch),
        Form::Html(group) => {
            let lines = batch.lines.clone();
            json!(Told {
                html: render(move || fragment(group, lines)),
                gap: batch.gap,
                problem: batch.problem.as_ref().map(|problem| problem.message.clone()),
            })
        }
    };
    // JSON has no line break that would end the event.
    event.event("lines").data(data.to_string())
}

/// A line's place in an event's id: `{milliseconds}-{id}`.
fn place_of(text: &str) -> Option<LinePlace> {
    let (at, id) = text.split_once('-')?;
    let at = at.parse().ok().filter(|at| *at >= 0)?;
    is_id(id).then(|| LinePlace { at: Timestamp(at), id: id.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_event_s_id_says_where_to_go_on() {
        let place = LinePlace { at: Timestamp(1_795_300_000_123), id: "0a-1".to_owned() };
        assert_eq!(place_of("1795300000123-0a-1"), Some(place));
        for wrong in ["", "1", "x-1", "-1-1", "1-", "1-a b", "1-\n"] {
            assert_eq!(place_of(wrong), None, "{wrong}");
        }
    }
}
