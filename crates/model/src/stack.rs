//! The names of the stack that is watched.

use serde::{Deserialize, Serialize};

/// Which resources make up the stack. Names and ids only; the truth about them is in AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    /// For example `eu-west-1`.
    pub region: String,
    /// The HTTP API's id.
    pub api_id: String,
    /// The stage that is served, `$default` at the root.
    pub stage: String,
    /// The Lambda function's name.
    pub function: String,
    /// The alias that the API's integration names, for example `live`.
    pub alias: String,
    /// The secret's name.
    pub secret_id: String,
    /// Where `GET /status` is asked for.
    pub status_url: String,
}
