//! What a request costs: round trips, logins, readings of the secret, and when each of them was.
//! The line in the log, the metrics and the trace are written from it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::time::Clock;

/// So many spans are kept for the trace, and so many error numbers for the metrics; a request that
/// needs more is not told apart any better by them.
const MOST: usize = 32;

/// What was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// The secret, read from Secrets Manager.
    Secret,
    /// A connection to the database: TCP, TLS and the login.
    Connect,
    /// A statement and its answer.
    Sql,
}

/// One wait.
#[derive(Debug, Clone)]
pub struct Span {
    /// For what.
    pub kind: SpanKind,
    /// When it began.
    pub start: DateTime<Utc>,
    /// How long it was.
    pub took: Duration,
    /// Whether it was in vain.
    pub failed: bool,
}

/// The sum.
#[derive(Debug, Clone, Default)]
pub struct Cost {
    /// The time the exchanges took, connecting not included.
    pub time: Duration,
    /// Statements sent.
    pub round_trips: u32,
    /// Connections tried, logins included.
    pub connects: u32,
    /// Logins that followed a refused one.
    pub login_retries: u32,
    /// Readings of the secret that succeeded.
    pub secret_reads: u32,
    /// SQL Server's numbers of what it refused, logins and statements.
    pub errors: Vec<u32>,
    /// The first 8 characters of the version of the secret that was logged in with.
    pub secret_version: Option<String>,
    /// The waits, in the order in which they ended.
    pub spans: Vec<Span>,
}

impl Cost {
    /// Adds the number of an error.
    pub fn note(&mut self, number: u32) {
        if self.errors.len() < MOST {
            self.errors.push(number);
        }
    }
}

/// Adds up what a request costs.
#[derive(Debug, Default)]
pub struct Meter(Mutex<Cost>);

impl Meter {
    /// The sum so far.
    pub fn cost(&self) -> Cost {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the sum.
    pub fn add(&self, change: impl FnOnce(&mut Cost)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Begins to watch a wait. One that is given up (its future dropped) is not recorded.
    pub fn start(&self, kind: SpanKind, clock: &Clock) -> Watch<'_> {
        Watch { meter: self, kind, start: clock(), began: Instant::now() }
    }
}

/// A wait that is under way.
#[derive(Debug)]
pub struct Watch<'m> {
    meter: &'m Meter,
    kind: SpanKind,
    start: DateTime<Utc>,
    began: Instant,
}

impl Watch<'_> {
    /// Ends it and returns how long it was.
    pub fn end(self, failed: bool) -> Duration {
        let took = self.began.elapsed();
        let span = Span { kind: self.kind, start: self.start, took, failed };
        self.meter.add(|cost| {
            if cost.spans.len() < MOST {
                cost.spans.push(span);
            }
        });
        took
    }
}
