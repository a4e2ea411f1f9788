//! What was written about requests: where it stands, how it is searched, and how its lines are read.
//!
//! - [`places`]: which log groups they are, and the access log's format;
//! - [`search`]: a bounded search through one of them;
//! - [`access`], [`said`]: the gateway's lines and the function's, read leniently;
//! - [`filter`], [`query`], [`tail`]: which lines are wanted, found, and followed.

pub(crate) mod access;
pub(crate) mod filter;
pub(crate) mod places;
mod query;
pub(crate) mod said;
pub(crate) mod search;
pub(crate) mod tail;
