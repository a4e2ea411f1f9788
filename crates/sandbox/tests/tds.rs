//! The local TDS server, from the outside: through tiberius, and through clients nobody here wrote.

#![allow(clippy::unwrap_used, clippy::large_futures, reason = "these are tests")]

#[path = "tds/support.rs"]
mod support;

#[path = "tds/connections.rs"]
mod connections;
#[path = "tds/constraints.rs"]
mod constraints;
#[path = "tds/faults.rs"]
mod faults;
#[path = "tds/foreign.rs"]
mod foreign;
#[path = "tds/language.rs"]
mod language;
#[path = "tds/logins.rs"]
mod logins;
#[path = "tds/transactions.rs"]
mod transactions;
#[path = "tds/types.rs"]
mod types;
