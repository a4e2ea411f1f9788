//! `GET /events`: tells an open page that there is something newer than what it shows (server-sent
//! events).
//!
//! The page then asks for it as it does without. So the stream needs to hold nothing but a number that
//! changes: a page that was cut off says which one it heard last (`Last-Event-ID`), and is told at once
//! if that is not the present one. Nothing is lost, and nothing is queued.
//!
//! Streams are bounded in number and in life, end with the portal, and are not counted among the
//! requests at work. What they look at are the readings that all pages share.

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use model::metrics::MetricsPage;
use model::problem::{Problem, ProblemKind};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use super::App;
use super::answer::Failure;
use super::secret::secret_page;
use crate::pages::charts::address::Asked;
use crate::pages::secret::running;

/// How often a stream looks.
const LOOK: Duration = Duration::from_secs(1);
/// How often where nothing is under way and looking costs a question to AWS each time.
const LOOK_SELDOM: Duration = Duration::from_secs(5);
/// How often something is sent where nothing is new, so that a proxy lets the connection be.
const BEAT: Duration = Duration::from_secs(15);
/// How long a stream lives; the browser then begins another. Shorter than a connection's life.
const LIFE: Duration = Duration::from_secs(240);
/// How long a browser waits before it tries again, in milliseconds.
const AGAIN: Duration = Duration::from_secs(3);

/// Which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Page {
    /// The deploys' page.
    Deploys,
    /// The metrics page, with what its address says.
    Charts,
    /// The secret's page, with the rotation that its address names.
    Secret,
}

/// What stands behind `?`.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    page: Page,
    rotation: Option<String>,
}

struct Stream {
    app: App,
    wanted: Wanted,
    asked: Asked,
    heard: Option<u64>,
    until: Instant,
    stopping: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

/// `GET /events?page=deploys`, `GET /events?page=charts&range=1h`, `GET /events?page=secret`
pub async fn listen(
    State(app): State<App>,
    Query(wanted): Query<Wanted>,
    Query(asked): Query<Asked>,
    request: Request,
) -> Response {
    let Ok(place) = std::sync::Arc::clone(&app.streams).try_acquire_owned() else {
        let problem = Problem::new(ProblemKind::Throttled, "Too many pages listen; this one asks by itself.");
        return Failure::of(&request, &app, problem).into_response();
    };
    let stopping = app.stopping.subscribe();
    let heard = heard(request.headers());
    let until = Instant::now() + LIFE;
    let state = Stream { app, wanted, asked, heard, until, stopping, _place: place };
    let events = stream::unfold(state, |mut state| async move {
        let event = state.next().await?;
        Some((Ok::<_, Infallible>(event), state))
    });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(BEAT)).into_response();
    // Proxies that gather answers would hold every event back.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What was heard last before the stream broke.
fn heard(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

impl Stream {
    /// The next event; none when the stream ends.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if Instant::now() >= self.until || *self.stopping.borrow() {
                return None;
            }
            let (revision, look) = self.revision().await;
            let first = self.heard.is_none();
            if self.heard != Some(revision) {
                self.heard = Some(revision);
                let event = Event::default().id(revision.to_string()).retry(AGAIN);
                // The page has just been rendered; what it is told first is only where it stands.
                return Some(event.event(if first { "here" } else { "newer" }).data("page"));
            }
            let _ = tokio::time::timeout(look, self.stopping.wait_for(|stopping| *stopping)).await;
        }
    }

    /// A number for what the page would show now, another one when that has changed; and when to look again.
    async fn revision(&self) -> (u64, Duration) {
        let mut look = LOOK;
        let shown = match self.wanted.page {
            Page::Deploys => serde_json::to_value(Box::pin(self.app.portal.deploys_page()).await),
            Page::Charts => match self.asked.address() {
                Ok(address) => {
                    let page = Box::pin(self.app.portal.metrics_page(address.range, address.scope)).await;
                    serde_json::to_value(page.ok().map(without_clocks))
                }
                Err(_) => Ok(Value::Null),
            },
            Page::Secret => {
                let page = Box::pin(secret_page(&self.app, self.wanted.rotation.clone())).await.ok();
                if page.as_ref().is_none_or(|page| running(page).is_none()) {
                    look = LOOK_SELDOM;
                }
                serde_json::to_value(page)
            }
        };
        let mut shown = shown.unwrap_or_default();
        if let Some(page) = shown.as_object_mut() {
            page.remove("now");
        }
        let mut hasher = DefaultHasher::new();
        shown.to_string().hash(&mut hasher);
        (hasher.finish(), look)
    }
}

/// The metrics page without what changes while the figures stay.
fn without_clocks(page: MetricsPage) -> (model::time::Timestamp, Option<Problem>, Vec<model::metrics::Mark>) {
    (page.figures.at, page.figures.problem, page.marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_is_a_number() {
        let mut headers = HeaderMap::new();
        assert_eq!(heard(&headers), None);
        for (text, expected) in [("17", Some(17)), ("", None), ("-1", None), ("page", None)] {
            headers.insert("last-event-id", HeaderValue::from_static(text));
            assert_eq!(heard(&headers), expected, "{text}");
        }
    }
}
