//! How a request ends when it does not end well: RFC 9457 problem details.
//!
//! The `type` of a problem never changes; programs compare it. What is said to people outside holds
//! no host, login, SQL text or value of a row; the context, which may, goes to the log.

use std::time::Duration;

use lambda_http::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use lambda_http::http::{HeaderValue, StatusCode};
use model::problem_details::FieldError;

use crate::response::{self, Response};
use crate::sql::SqlError;

/// What kind of problem it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 400: the input is not understood.
    BadInput,
    /// 404: nothing is there.
    NotFound,
    /// 405: something is there, but does not know the method.
    MethodNotAllowed,
    /// 500: a mistake of this function.
    Internal,
    /// 503: it can't be done now; the same request may work later.
    Unavailable,
}

impl Kind {
    /// Status, last part of the `type`, title.
    fn words(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadInput => (StatusCode::BAD_REQUEST, "bad-input", "The input was not understood"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "There is nothing at this address"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The method is not allowed here")
            }
            Self::Internal => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side")
            }
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "This can't be answered at the moment")
            }
        }
    }
}

/// A problem on its way to the client and to the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    kind: Kind,
    detail: String,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    allow: Option<String>,
    context: Option<String>,
}

impl Problem {
    /// A problem of that kind; `detail` is said to the client.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            allow: None,
            context: None,
        }
    }

    /// 400 with a reason for each field.
    pub fn bad_input(errors: Vec<FieldError>) -> Self {
        let names: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        let detail = format!("See errors for what is wrong with: {}.", names.join(", "));
        Self { errors, ..Self::new(Kind::BadInput, detail) }
    }

    /// 405; `allow` is the list of methods.
    pub fn method_not_allowed(allow: String) -> Self {
        let detail = format!("Allowed here: {allow}.");
        Self { allow: Some(allow), ..Self::new(Kind::MethodNotAllowed, detail) }
    }

    /// 503; the client may come back after `retry_after`.
    pub fn unavailable(detail: impl Into<String>, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(Kind::Unavailable, detail) }
    }

    /// The same with a context, which goes to the log and never to the client.
    #[must_use]
    pub fn with_context(self, context: impl std::fmt::Display) -> Self {
        Self { context: Some(context.to_string()), ..self }
    }

    /// What is for the log only.
    pub fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }

    /// The answer.
    pub fn response(&self, request_id: &str) -> Response {
        let (status, name, title) = self.kind.words();
        let body = model::problem_details::ProblemDetails {
            kind: format!("urn:learninghub:problem:{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.detail.clone(),
            request_id: request_id.to_owned(),
            errors: self.errors.clone(),
        };
        let mut response = response::json(status, &body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(after) = self.retry_after {
            headers.insert(RETRY_AFTER, retry_after(after));
        }
        // The names of methods can always stand in a header.
        if let Some(Ok(allow)) = self.allow.as_deref().map(HeaderValue::from_str) {
            headers.insert(ALLOW, allow);
        }
        response
    }
}

/// The value of the header: whole seconds, rounded up.
pub fn retry_after(after: Duration) -> HeaderValue {
    let seconds = after.as_millis().div_ceil(1_000).max(1);
    HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX))
}

impl From<SqlError> for Problem {
    fn from(error: SqlError) -> Self {
        let detail = format!("Reason: {}.", error.reason());
        let problem = match error.retry_after() {
            Some(after) => Self::unavailable(detail, after),
            None => Self::new(Kind::Internal, detail),
        };
        problem.with_context(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_stable_type() {
        let field = FieldError { field: "limit".to_owned(), reason: "too large".to_owned() };
        let cases = [
            (Problem::bad_input(vec![field]), 400, "urn:learninghub:problem:bad-input"),
            (Problem::new(Kind::NotFound, "No."), 404, "urn:learninghub:problem:not-found"),
            (
                Problem::method_not_allowed("GET, HEAD".to_owned()),
                405,
                "urn:learninghub:problem:method-not-allowed",
            ),
            (Problem::new(Kind::Internal, "No."), 500, "urn:learninghub:problem:internal"),
            (
                Problem::unavailable("No.", Duration::from_millis(1_200)),
                503,
                "urn:learninghub:problem:unavailable",
            ),
        ];
        for (problem, status, kind) in cases {
            let response = problem.with_context("canary").response("id-1");
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()["content-type"], "application/problem+json");
            let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap());
            assert_eq!(header(RETRY_AFTER), (status == 503).then_some("2"));
            assert_eq!(header(ALLOW), (status == 405).then_some("GET, HEAD"));
            let text = std::str::from_utf8(response.body()).unwrap();
            assert!(!text.contains("canary"), "{text}");
            let body: model::problem_details::ProblemDetails = serde_json::from_str(text).unwrap();
            assert_eq!((body.status, body.kind.as_str(), body.request_id.as_str()), (status, kind, "id-1"));
            assert_eq!(body.errors.len(), usize::from(status == 400));
        }
    }

    #[test]
    fn whole_seconds_rounded_up() {
        for (ms, seconds) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2"), (59_999, "60")] {
            assert_eq!(retry_after(Duration::from_millis(ms)), seconds);
        }
    }
}
