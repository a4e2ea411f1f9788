//! What is looked at before an operation begins, each thing with its evidence and what to do about it.

use serde::{Deserialize, Serialize};

/// Whether an operation would go through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Preflight {
    /// Whether nothing is in the way.
    pub ready: bool,
    /// The verdict in one sentence.
    pub verdict: String,
    /// The checks.
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Check {
    /// A stable name, for programs.
    pub id: String,
    /// What was looked at.
    pub title: String,
    /// How it is.
    pub outcome: CheckOutcome,
    /// What was seen.
    pub evidence: String,
    /// What to do about it.
    pub fix: Option<String>,
}

/// How a check came out, the gravest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum CheckOutcome {
    /// As it should be.
    Pass,
    /// Could not be looked at.
    Unknown,
    /// May go wrong.
    Warn,
    /// Is in the way.
    Fail,
}
