//! What the overview shows: is the API healthy, what runs, with which secret, and how it fares.

use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::rotation::PastRotation;
use crate::stack::Stack;
use crate::status::Status;
use crate::time::Timestamp;

/// The whole page. Each part is read on its own and fails on its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// Which stack this is.
    pub stack: Stack,
    /// When the overview was put together: ages are counted from here.
    pub now: Timestamp,
    /// What `GET /status` answers, asked by the portal's server.
    pub health: Reading<Health>,
    /// What runs behind the alias.
    pub function: Reading<Function>,
    /// The secret that the function logs in with.
    pub secret: Reading<Secret>,
    /// The stack's alarms, the firing ones first.
    pub alarms: Reading<Vec<Alarm>>,
    /// The last hour's figures.
    pub traffic: Reading<Traffic>,
    /// The secret's rotations, the newest first: what a chart's bump may come from.
    pub rotations: Reading<Vec<PastRotation>>,
}

/// Something that was read, when, and what went wrong if something did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading<T> {
    /// What was read last; none when it never could be.
    pub value: Option<T>,
    /// When `value` was read; when the attempt failed, where there is no value.
    pub at: Timestamp,
    /// Why the newest attempt failed; `value` is then an older one, or none.
    pub problem: Option<Problem>,
}

impl<T> Reading<T> {
    /// Something read at `at`.
    pub fn fresh(value: T, at: Timestamp) -> Self {
        Self { value: Some(value), at, problem: None }
    }

    /// Nothing, for a reason.
    pub fn missing(problem: Problem, at: Timestamp) -> Self {
        Self { value: None, at, problem: Some(problem) }
    }
}

/// The answer to one probe of `/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// The verdict.
    pub verdict: HealthVerdict,
    /// One sentence that says why.
    pub summary: String,
    /// The HTTP status; none when there was no answer.
    pub http_status: Option<u16>,
    /// From the first byte sent to the last one read, in milliseconds.
    pub latency_ms: f64,
    /// What the API says of itself; none when the answer was not its own (a gateway's error).
    pub status: Option<Status>,
}

/// Whether callers get what they came for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthVerdict {
    /// They do.
    Healthy,
    /// The API answers, but can't do its work.
    Unhealthy,
    /// The API does not answer.
    Unreachable,
}

/// What runs behind the alias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// The version the alias names.
    pub version: String,
    /// The version that a canary sends a share to, and that share from 0 to 1.
    pub canary: Option<(String, f64)>,
    /// `Active`, `Pending`, `Inactive` or `Failed`, and why if AWS says so.
    pub state: String,
    /// Why the function is in that state.
    pub state_reason: Option<String>,
    /// `Successful`, `InProgress` or `Failed`.
    pub last_update: String,
    /// Why the last update failed.
    pub last_update_reason: Option<String>,
    /// When that version's code or configuration was last changed.
    pub modified: Option<Timestamp>,
    /// The runtime's identifier, for example `provided.al2023`.
    pub runtime: Option<String>,
    /// Memory in MB.
    pub memory_mb: Option<u32>,
    /// The time limit in seconds.
    pub timeout_seconds: Option<u32>,
}

/// The secret, without its value: the portal can't read that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Secret {
    /// The id of the version labelled `AWSCURRENT`.
    pub current_version: Option<String>,
    /// When the secret's value last changed.
    pub changed: Option<Timestamp>,
    /// Whether rotation is switched on.
    pub rotation_enabled: bool,
    /// When it was last rotated.
    pub rotated: Option<Timestamp>,
    /// When it is to be rotated next; in the past when rotation is failing.
    pub next_rotation: Option<Timestamp>,
    /// The version that a rotation in progress, or one that was left half done, holds as
    /// `AWSPENDING` beside `AWSCURRENT`.
    pub pending_version: Option<String>,
}

/// An alarm of the stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: AlarmState,
    /// CloudWatch's reason.
    pub reason: Option<String>,
    /// Since when it is in that state.
    pub since: Option<Timestamp>,
    /// Whether its actions are carried out.
    pub actions_enabled: bool,
}

/// CloudWatch's states of an alarm, in the order in which an admin wants to see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum AlarmState {
    /// The threshold is breached.
    Alarm,
    /// There are not enough data to tell.
    InsufficientData,
    /// All is well.
    Ok,
}

/// Figures of a stretch of time, one point per period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// The start of the first period.
    pub start: Timestamp,
    /// A period's length in seconds.
    pub period_seconds: u32,
    /// Requests to the API (`Count`, Sum).
    pub requests: Series,
    /// Answers with a status from 500 (`5xx`, Sum).
    pub errors: Series,
    /// Answers with a status from 400 to 499 (`4xx`, Sum): mostly the callers' mistakes.
    pub client_errors: Series,
    /// Invocations that Lambda refused for want of concurrency (`Throttles`, Sum).
    pub throttles: Series,
    /// The function's 95th percentile in milliseconds (`Duration`, p95).
    pub duration_p95: Series,
}

/// A figure over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// One value per period; none where CloudWatch has no data, which is not 0.
    pub points: Vec<Option<f64>>,
    /// The figure of the whole stretch: a sum adds up; of a percentile it is the highest period's, as
    /// percentiles of parts do not make one of the whole. None where there are no data.
    pub whole: Option<f64>,
}

impl Traffic {
    /// The share of requests that were answered with a 5xx, from 0 to 1; none without traffic.
    pub fn error_share(&self) -> Option<f64> {
        let requests = self.requests.whole.filter(|requests| *requests > 0.0)?;
        Some(self.errors.whole.unwrap_or(0.0) / requests)
    }
}
