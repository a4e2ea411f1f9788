//! What `GET /status` of the LearningHub API answers: the function writes it, the portal reads it.

use serde::{Deserialize, Serialize};

/// The body of `GET /status`, with status 200 when `status` is `ok`, else 503.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Status {
    /// Whether the API can do its work.
    pub status: Verdict,
    /// The function that answered.
    pub function: FunctionStatus,
    /// The database as the function sees it.
    pub database: DatabaseStatus,
    /// The secret the function logs in with; none when it could not be read.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub secret: Option<SecretStatus>,
    /// The Lambda request id, to be looked up in the log.
    pub request_id: String,
}

/// Whether the API can do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It can.
    Ok,
    /// It can't: the database or the secret is out of reach.
    Unavailable,
}

/// The function that answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FunctionStatus {
    /// Its name.
    pub name: String,
    /// The version that ran: a number, or `$LATEST`.
    pub version: String,
    /// Whether this was the environment's first request.
    pub cold_start: bool,
}

/// The database as the function sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatabaseStatus {
    /// Whether a query was answered.
    pub reachable: bool,
    /// How long the query's round trip took, in milliseconds; none when there was no answer.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub latency_ms: Option<f64>,
    /// Why it is out of reach, in words for people outside: no host, login or SQL text.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub reason: Option<String>,
}

/// The secret the function logs in with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecretStatus {
    /// The first 8 characters of its version id.
    pub version: String,
    /// Seconds since that version was made.
    pub age_seconds: u64,
}
