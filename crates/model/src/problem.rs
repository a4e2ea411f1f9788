//! What can go wrong, without HTTP: two edges map it to a status, the server functions and the
//! operations API.

use serde::{Deserialize, Serialize};

/// What went wrong, in words for people outside. The inner context (request ids, the SDK's own
/// text) stays in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// What kind of thing went wrong.
    pub kind: ProblemKind,
    /// One sentence that says what.
    pub message: String,
    /// What to do next, where there is something to do.
    pub next: Option<String>,
}

/// Kinds that a program can act upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// Nobody is signed in, or the session is over.
    NotSignedIn,
    /// The person has to show once more that it is them.
    NotConfirmed,
    /// The person, or the portal's own role at AWS, may not do this.
    Forbidden,
    /// What was asked for is not there.
    NotFound,
    /// The input breaks a rule.
    Invalid,
    /// Something else is in the way; trying again later may work.
    Conflict,
    /// Asked too often.
    Throttled,
    /// No answer in time.
    TimedOut,
    /// No connection.
    Unreachable,
    /// AWS failed, or answered what can't be understood.
    Upstream,
    /// Lockkeeper failed.
    Internal,
}

impl Problem {
    /// A problem without a next step.
    pub fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), next: None }
    }

    /// The same with what to do next.
    #[must_use]
    pub fn with_next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}
