//! The record of what was done: "began" before an operation runs, "ended" after it.
//!
//! Where it is kept is the portal server's business; here is what it must be able to do.

use std::sync::Arc;

use async_trait::async_trait;
use model::people::Actor;
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;
use serde_json::Value;

/// An operation that is about to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Began {
    /// Who.
    pub actor: Actor,
    /// What, for example `RotateSecret`.
    pub operation: &'static str,
    /// With which arguments. An operation holds no secret.
    pub arguments: Value,
    /// When.
    pub at: Timestamp,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// The problem; none when it went through.
    pub problem: Option<Problem>,
    /// When.
    pub at: Timestamp,
}

/// Where the record is kept.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Writes that an operation is about to run, and returns the entry's number.
    ///
    /// # Errors
    /// When that can't be written; the operation then does not run.
    async fn began(&self, entry: &Began) -> Result<i64, Problem>;

    /// Writes how it ended.
    ///
    /// # Errors
    /// When that can't be written; the entry then stays without an end.
    async fn ended(&self, entry: i64, end: &Ended) -> Result<(), Problem>;
}

/// For a portal that only looks: nothing can be written, so nothing runs.
pub struct OnlyLooking;

impl OnlyLooking {
    /// As a portal takes it.
    pub fn journal() -> Arc<dyn Journal> {
        Arc::new(Self)
    }
}

#[async_trait]
impl Journal for OnlyLooking {
    async fn began(&self, _: &Began) -> Result<i64, Problem> {
        Err(Problem::new(ProblemKind::Forbidden, "This portal has no audit log, so it changes nothing."))
    }

    async fn ended(&self, _: i64, _: &Ended) -> Result<(), Problem> {
        Ok(())
    }
}
