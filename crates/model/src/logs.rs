//! Lines of logs: where they stand and what of them is understood.

use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::time::Timestamp;

/// A line as CloudWatch Logs has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it was written, by the clock of whoever wrote it.
    pub at: Timestamp,
    /// The log stream.
    pub stream: String,
    /// CloudWatch's id of the line.
    pub id: String,
    /// The line itself.
    pub text: String,
}

/// Where something was looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// The place, for example the log group's name.
    pub place: String,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// Whether all of that time was looked through; false where a bound ended it before.
    pub whole: bool,
    /// Why it could not be looked through.
    pub problem: Option<Problem>,
}

/// What the gateway wrote about one request. Only what the stage's format names is there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AccessLine {
    /// When it was written: after the answer.
    pub at: Option<Timestamp>,
    /// `$context.requestId`, which the caller got as `apigw-requestid`.
    pub request_id: Option<String>,
    /// `$context.requestTimeEpoch`: when the request came.
    pub began: Option<Timestamp>,
    /// `$context.routeKey`.
    pub route: Option<String>,
    /// `$context.httpMethod`.
    pub method: Option<String>,
    /// `$context.path`.
    pub path: Option<String>,
    /// `$context.status`: what the caller got.
    pub status: Option<u16>,
    /// `$context.responseLatency`, in milliseconds.
    pub latency_ms: Option<f64>,
    /// `$context.integration.latency`, in milliseconds.
    pub integration_latency_ms: Option<f64>,
    /// `$context.integration.status`: the function's own status.
    pub function_status: Option<u16>,
    /// `$context.integration.integrationStatus`: the Lambda service's status.
    pub service_status: Option<u16>,
    /// `$context.integrationErrorMessage`.
    pub integration_error: Option<String>,
    /// `$context.integration.requestId`: Lambda's id of the invocation.
    pub lambda_id: Option<String>,
    /// `$context.error.message`: what the gateway said in the function's place.
    pub error: Option<String>,
    /// `$context.error.responseType`: which of the gateway's own answers it was.
    pub error_type: Option<String>,
    /// `$context.authorizer.error`.
    pub authorizer_error: Option<String>,
    /// Whether the line had the form that the stage's format gives it.
    pub fits: bool,
}

/// What a line of a function says, as far as it is understood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Said {
    /// Lambda: an invocation begins.
    Start {
        /// Lambda's id of it.
        request_id: String,
        /// The version that runs.
        version: Option<String>,
    },
    /// Lambda: an invocation is over.
    Report(InvocationReport),
    /// The API's function: a request is answered.
    Request(Box<RequestLine>),
    /// Something else.
    Other {
        /// The request it is about, where it says so.
        request_id: Option<String>,
    },
}

/// Lambda's report of an invocation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InvocationReport {
    /// Lambda's id of it.
    pub request_id: String,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<f64>,
    /// How long the start took that came before it.
    pub init_ms: Option<f64>,
    /// `success`, `error` or `timeout`.
    pub status: Option<String>,
    /// For example `Runtime.ExitError`.
    pub error_type: Option<String>,
    /// The trace, where the request was sampled.
    pub trace_id: Option<String>,
}

/// The function's own line about a request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all(deserialize = "camelCase"))]
pub struct RequestLine {
    /// Lambda's id.
    pub request_id: String,
    /// The gateway's id.
    pub api_request_id: String,
    /// The method.
    pub method: Option<String>,
    /// The route.
    pub route: Option<String>,
    /// The answer's status.
    pub status: u16,
    /// How long the answer took, in milliseconds.
    pub duration_ms: Option<f64>,
    /// How long the exchanges with the database took, in milliseconds.
    pub sql_ms: Option<f64>,
    /// How many there were.
    pub sql_round_trips: Option<u32>,
    /// How many connections were tried.
    pub sql_connects: Option<u32>,
    /// Whether it was the environment's first.
    pub cold_start: Option<bool>,
    /// The first 8 characters of the secret's version.
    pub secret_version: Option<String>,
    /// What was wrong, from 500 on.
    pub error: Option<String>,
    /// What that comes from: `secret`, `sql`, `time` or `function`.
    pub cause: Option<String>,
    /// SQL Server's number of what it refused last.
    pub sql_error: Option<u32>,
}
