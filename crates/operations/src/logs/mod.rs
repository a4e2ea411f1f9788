//! What was written about requests: where it stands, how it is searched, and how its lines are read.
//!
//! - [`places`]: which log groups they are, and the access log's format;
//! - [`search`]: a bounded search through one of them;
//! - [`access`], [`said`]: the gateway's lines and the function's, read leniently.

pub(crate) mod access;
pub(crate) mod places;
pub(crate) mod said;
pub(crate) mod search;
