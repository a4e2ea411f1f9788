//! Problems as HTTP: one table from kind to status, used at the two edges (server functions and
//! operations API), and the page for people.

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::problem::{Problem, ProblemKind};
use serde::Serialize;

use super::App;
use super::bearer::FIGURES;
use super::frame::Frame;
use crate::pages::message::Message;

/// The status of a kind of problem.
pub fn status_of(kind: ProblemKind) -> StatusCode {
    match kind {
        ProblemKind::NotSignedIn => StatusCode::UNAUTHORIZED,
        ProblemKind::Forbidden | ProblemKind::NotConfirmed => StatusCode::FORBIDDEN,
        ProblemKind::NotFound => StatusCode::NOT_FOUND,
        ProblemKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ProblemKind::Conflict => StatusCode::CONFLICT,
        ProblemKind::Throttled => StatusCode::SERVICE_UNAVAILABLE,
        ProblemKind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        ProblemKind::Unreachable | ProblemKind::Upstream => StatusCode::BAD_GATEWAY,
        ProblemKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A problem on its way to whoever asked: problem details for the operations API, plain JSON for a
/// server function, a page for people.
pub struct Failure {
    problem: Problem,
    status: StatusCode,
    asker: Asker,
}

enum Asker {
    Api,
    Call,
    Person(Box<Frame>),
}

impl Failure {
    /// For whoever sent `request`.
    pub fn of(request: &Request, app: &App, problem: Problem) -> Self {
        let asker = match request.uri().path() {
            path if path.starts_with("/api/calls/") => Asker::Call,
            path if path == "/api" || path.starts_with("/api/") || path == FIGURES => Asker::Api,
            _ => Asker::Person(Box::new(Frame::of(request.extensions(), app))),
        };
        Self { status: status_of(problem.kind), problem, asker }
    }

    /// For somebody who uses the operations API.
    pub fn api(problem: Problem) -> Self {
        Self { status: status_of(problem.kind), problem, asker: Asker::Api }
    }

    /// For an island.
    pub fn call(problem: Problem) -> Self {
        Self { status: status_of(problem.kind), problem, asker: Asker::Call }
    }

    /// For somebody who looks at a page.
    pub fn page(frame: Frame, problem: Problem) -> Self {
        Self { status: status_of(problem.kind), problem, asker: Asker::Person(Box::new(frame)) }
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

/// Problem details (RFC 9457). `type` is left out, which means `about:blank`: `kind` is what a
/// program acts upon.
#[derive(Serialize)]
struct Details<'a> {
    title: &'static str,
    status: u16,
    detail: &'a str,
    kind: ProblemKind,
    next: Option<&'a str>,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self { problem, status, asker } = self;
        match asker {
            Asker::Api => {
                let details = Details {
                    title: status.canonical_reason().unwrap_or("Error"),
                    status: status.as_u16(),
                    detail: &problem.message,
                    kind: problem.kind,
                    next: problem.next.as_deref(),
                };
                let media_type = HeaderValue::from_static("application/problem+json");
                let mut response =
                    (status, [(header::CONTENT_TYPE, media_type)], Json(details)).into_response();
                // RFC 9110, 15.5.2: a 401 says what would be taken. It opens no dialogue in a browser.
                if status == StatusCode::UNAUTHORIZED {
                    let how = HeaderValue::from_static("Bearer");
                    response.headers_mut().insert(header::WWW_AUTHENTICATE, how);
                }
                response
            }
            Asker::Call => (status, Json(problem)).into_response(),
            Asker::Person(frame) => {
                let title = title_of(status);
                frame.page(status, title, move || Message { title, problem }.view())
            }
        }
    }
}

fn title_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "Page not found",
        StatusCode::METHOD_NOT_ALLOWED => "That can't be done here",
        StatusCode::FORBIDDEN => "Request refused",
        StatusCode::SERVICE_UNAVAILABLE => "Busy",
        StatusCode::GATEWAY_TIMEOUT => "No answer in time",
        _ => "Something went wrong",
    }
}
