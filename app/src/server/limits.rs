//! Limits: how much a request may send, how many are worked on at once, and for how long.
//!
//! Every request is worked on in a task of its own. When the visitor leaves, the connection's own
//! future is dropped, but the task ends in its own time: nothing is torn down half way, and what it
//! holds comes back. The limit on tasks bounds what that can cost.
//!
//! Uploads have bounds of their own. Who sends one is known before its body is read, there are few at
//! once, and only what comes after the body is a task.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{HttpBody, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use model::problem::{Problem, ProblemKind};
use tracing::Instrument;

use super::App;
use super::answer::Failure;

/// The bounds of one portal.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Open connections; more wait in the system's queue.
    pub connections: usize,
    /// For the request line and headers, and between two requests on one connection.
    pub header_time: Duration,
    /// For a connection as a whole; it is then closed after the request under way.
    pub connection_time: Duration,
    /// Requests worked on at once.
    pub requests: usize,
    /// For a request to be worked on.
    pub queue_time: Duration,
    /// For the work, its body's arrival included.
    pub request_time: Duration,
    /// For the operation of a form or an API call; one that takes longer goes on without it. Together
    /// with a page after it, it must fit into `request_time`.
    pub operation_time: Duration,
    /// Body, in bytes. A form or a call takes a few hundred.
    pub body: usize,
    /// Body of an upload, in bytes: the largest zip that Lambda takes directly, and the form around it.
    pub upload_body: usize,
    /// For an upload to arrive.
    pub upload_time: Duration,
    /// Uploads at once: each holds its body in memory, for a moment twice.
    pub uploads: usize,
    /// Streams of events at once: followers of a log, and pages that hear when there is something newer;
    /// other pages ask by themselves.
    pub streams: usize,
    /// For the requests under way at a shutdown.
    pub shutdown_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            header_time: Duration::from_secs(15),
            connection_time: Duration::from_secs(300),
            requests: 64,
            queue_time: Duration::from_secs(2),
            request_time: Duration::from_secs(10),
            operation_time: Duration::from_secs(6),
            body: 64 * 1024,
            upload_body: 50 * 1024 * 1024 + 64 * 1024,
            // At 1.8 Mbit/s.
            upload_time: Duration::from_secs(240),
            uploads: 2,
            streams: 128,
            shutdown_time: Duration::from_secs(10),
        }
    }
}

/// Works on a request in a task of its own, within the limits. A turn is taken when the request is
/// there whole: who sends a body slowly holds up nobody but himself.
pub async fn detached(State(app): State<App>, request: Request, next: Next) -> Response {
    let (asked, request) = describe(request);
    let request = match whole(request, &app.limits).await {
        Ok(request) => request,
        Err((status, why)) => {
            let problem = Problem::new(ProblemKind::Invalid, why);
            return Failure::of(&asked, &app, problem).with_status(status).into_response();
        }
    };
    worked_on(&app, asked, next.run(request)).await
}

/// Does a request's work when it is its turn, in a task of its own and within its time.
pub async fn worked_on(
    app: &App,
    asked: Request,
    work: impl Future<Output = Response> + Send + 'static,
) -> Response {
    let turn = tokio::time::timeout(app.limits.queue_time, Arc::clone(&app.turns).acquire_owned()).await;
    let Ok(Ok(turn)) = turn else {
        let problem = Problem::new(ProblemKind::Throttled, "The portal is busy.")
            .with_next("Try again in a few seconds.");
        return Failure::of(&asked, app, problem).into_response();
    };
    let limit = app.limits.request_time;
    let work = async move {
        let answer = tokio::time::timeout(limit, work).await;
        drop(turn);
        answer
    };
    let problem = match tokio::spawn(work.instrument(tracing::Span::current())).await {
        Ok(Ok(response)) => return response,
        Ok(Err(_)) => Problem::new(ProblemKind::TimedOut, "The portal did not finish in time.")
            .with_next("Try again; if it stays so, the log says what took so long."),
        Err(error) => {
            tracing::error!(%error, "a request's task failed");
            Problem::new(ProblemKind::Internal, "The portal failed at this request.")
                .with_next("The log says more.")
        }
    };
    Failure::of(&asked, app, problem).into_response()
}

/// The request with its body in memory. One that says beforehand that it is too large is left as it
/// is: the layer further in refuses it unread.
async fn whole(request: Request, limits: &Limits) -> Result<Request, (StatusCode, &'static str)> {
    if request.body().size_hint().lower() > limits.body as u64 {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(limits.request_time, to_bytes(body, limits.body)).await {
        Ok(Ok(bytes)) => Ok(Request::from_parts(parts, bytes.into())),
        Ok(Err(_)) => Err((StatusCode::PAYLOAD_TOO_LARGE, "The request is too large, or broke off.")),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "The request did not come in time.")),
    }
}

/// A request's address and what the middleware noted, without its body: what an answer in place of
/// the work needs.
pub fn describe(request: Request) -> (Request, Request) {
    let (parts, body) = request.into_parts();
    let asked = Request::from_parts(parts.clone(), axum::body::Body::empty());
    (asked, Request::from_parts(parts, body))
}
