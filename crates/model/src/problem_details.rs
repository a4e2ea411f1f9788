//! How the LearningHub API says that something is wrong: RFC 9457 problem details,
//! `application/problem+json`.

use serde::{Deserialize, Serialize};

/// The body of every answer of 400 and above, except that of `GET /status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProblemDetails {
    /// What kind of problem it is: a URI that never changes, to be compared by programs.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words; the same for every problem of the kind.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request, for people. No SQL text, host or login.
    pub detail: String,
    /// The Lambda request id, to be looked up in the log.
    pub request_id: String,
    /// What is wrong with which part of the input; absent when it is not about the input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// What is wrong with one part of the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// The query parameter or the body's member.
    pub field: String,
    /// Why it was not taken, for people.
    pub reason: String,
}
