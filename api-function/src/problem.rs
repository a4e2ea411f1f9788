//! How a request ends when it does not end well: RFC 9457 problem details.
//!
//! The `type` of a problem never changes; programs compare it. What is said to people outside holds
//! no host, login, SQL text or value of a row; the context, which may, goes to the log.

use std::time::Duration;

use lambda_http::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use lambda_http::http::{HeaderName, HeaderValue, StatusCode};
use model::problem_details::FieldError;

use crate::report::Cause;
use crate::response::{self, Response};
use crate::sql::SqlError;

/// What kind of problem it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 400: the input is not understood.
    BadInput,
    /// 401: it is not known who asks.
    Unauthenticated,
    /// 403: who asks may not.
    Forbidden,
    /// 404: nothing is there.
    NotFound,
    /// 405: something is there, but does not know the method.
    MethodNotAllowed,
    /// 409: something that is there is in the way.
    Conflict,
    /// 412: it has been changed since the client saw it.
    PreconditionFailed,
    /// 413: the body is larger than it may be.
    TooLarge,
    /// 415: the body is of a kind that is not taken.
    UnsupportedMediaType,
    /// 428: the client has to say which state it has seen.
    PreconditionRequired,
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
            Self::Unauthenticated => {
                (StatusCode::UNAUTHORIZED, "unauthenticated", "It is not known who asks")
            }
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "This is not allowed"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "There is nothing at this address"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The method is not allowed here")
            }
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "Something that is there is in the way"),
            Self::PreconditionFailed => {
                (StatusCode::PRECONDITION_FAILED, "precondition-failed", "It has been changed meanwhile")
            }
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large"),
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "A body of this kind is not taken",
            ),
            Self::PreconditionRequired => {
                (StatusCode::PRECONDITION_REQUIRED, "precondition-required", "If-Match is needed here")
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
    headers: Vec<(HeaderName, HeaderValue)>,
    context: Option<String>,
    cause: Option<Cause>,
}

impl Problem {
    /// A problem of that kind; `detail` is said to the client.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            headers: Vec::new(),
            context: None,
            cause: None,
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
        let problem = Self::new(Kind::MethodNotAllowed, format!("Allowed here: {allow}."));
        // The names of methods can always stand in a header.
        match HeaderValue::from_str(&allow) {
            Ok(allow) => problem.with_header(ALLOW, allow),
            Err(_) => problem,
        }
    }

    /// 403; `scope` is what the token would have to have.
    pub fn forbidden(scope: &'static str) -> Self {
        let problem = Self::new(Kind::Forbidden, format!("The token needs the scope {scope}."));
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
        match HeaderValue::from_str(&challenge) {
            Ok(challenge) => problem.with_header(WWW_AUTHENTICATE, challenge),
            Err(_) => problem,
        }
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

    /// The same with what it comes from, for the log.
    #[must_use]
    pub fn caused_by(self, cause: Cause) -> Self {
        Self { cause: Some(cause), ..self }
    }

    /// What it comes from, where that is not this function itself.
    pub fn cause(&self) -> Option<Cause> {
        self.cause
    }

    /// The same with one header more.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
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
        if self.kind == Kind::Unauthenticated {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
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
        // A key that is there already, or a row that another one refers to: two changes at once, of which
        // this one came second.
        if matches!(error.number(), Some(547 | 2601 | 2627)) {
            let detail = "It conflicts with what is there already, or with another change at the same time.";
            return Self::new(Kind::Conflict, detail).with_context(error);
        }
        let detail = format!("Reason: {}.", error.reason());
        let problem = match error.retry_after() {
            Some(after) => Self::unavailable(detail, after),
            None => Self::new(Kind::Internal, detail),
        };
        problem.caused_by(error.cause()).with_context(error)
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
            (Problem::new(Kind::Unauthenticated, "No."), 401, "urn:learninghub:problem:unauthenticated"),
            (Problem::forbidden("courses:write"), 403, "urn:learninghub:problem:forbidden"),
            (Problem::new(Kind::Conflict, "No."), 409, "urn:learninghub:problem:conflict"),
            (
                Problem::new(Kind::PreconditionFailed, "No."),
                412,
                "urn:learninghub:problem:precondition-failed",
            ),
            (Problem::new(Kind::TooLarge, "No."), 413, "urn:learninghub:problem:too-large"),
            (
                Problem::new(Kind::UnsupportedMediaType, "No."),
                415,
                "urn:learninghub:problem:unsupported-media-type",
            ),
            (
                Problem::new(Kind::PreconditionRequired, "No."),
                428,
                "urn:learninghub:problem:precondition-required",
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
            assert_eq!(header(WWW_AUTHENTICATE).is_some(), status == 401 || status == 403);
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
