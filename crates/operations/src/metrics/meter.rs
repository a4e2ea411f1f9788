//! What asking for figures costs: a count that outlives the portal, and the pace that follows from it.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Datelike};
use model::metrics::Cost;
use model::problem::Problem;
use model::time::Timestamp;

/// US dollars for a metric that GetMetricData is asked for (CloudWatch's prices: USD 0.01 per 1,000, in
/// most regions).
const DOLLARS_PER_METRIC: f64 = 0.01 / 1_000.0;

/// The usual distance between calls, in milliseconds: figures of AWS's own have a period of a minute.
pub(crate) const PACE_MS: i64 = 60_000;
/// The share of the cap from which on calls are made more seldom.
const SPARING_FROM: f64 = 0.8;
/// Their distance then.
const SPARING_PACE_MS: i64 = 5 * 60_000;
/// And when the cap is reached. Never not at all: who looks at night needs to see something.
const REACHED_PACE_MS: i64 = 30 * 60_000;

/// Calls and metrics of a month.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Calls of GetMetricData, each page of an answer counted.
    pub calls: u64,
    /// Metrics asked for in them.
    pub metrics: u64,
}

impl Spent {
    /// Both together.
    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(more.calls),
            metrics: self.metrics.saturating_add(more.metrics),
        }
    }

    /// What it comes to, in US dollars.
    pub fn dollars(self) -> f64 {
        self.metrics as f64 * DOLLARS_PER_METRIC
    }
}

/// Where the count is kept. Portals that share a database share it.
#[async_trait]
pub trait Meter: Send + Sync {
    /// Adds to a month (`2026-12`, UTC), and says what it holds now. Nothing added reads it.
    ///
    /// # Errors
    /// When that can't be written; it is tried again with the next call.
    async fn add(&self, month: &str, more: Spent) -> Result<Spent, Problem>;
}

/// A count that ends with the process: for tests, and for a portal that only looks.
#[derive(Debug, Default)]
pub struct InMemory {
    months: Mutex<Vec<(String, Spent)>>,
}

impl InMemory {
    /// As a portal takes it.
    pub fn meter() -> Arc<dyn Meter> {
        Arc::new(Self::default())
    }
}

#[async_trait]
impl Meter for InMemory {
    async fn add(&self, month: &str, more: Spent) -> Result<Spent, Problem> {
        let mut months = self.months.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, spent)) = months.iter_mut().find(|(known, _)| known == month) {
            *spent = spent.plus(more);
            return Ok(*spent);
        }
        // Last month's count is of no use to anybody.
        months.clear();
        months.push((month.to_owned(), more));
        Ok(more)
    }
}

/// The calendar month, UTC.
pub(crate) fn month(at: Timestamp) -> String {
    let date = DateTime::from_timestamp_millis(at.0).unwrap_or_default();
    format!("{:04}-{:02}", date.year(), date.month())
}

/// How far apart calls are, in milliseconds, when so many dollars of so many are spent.
pub(crate) fn pace_ms(spent: f64, cap: f64) -> i64 {
    match spent {
        spent if spent >= cap => REACHED_PACE_MS,
        spent if spent >= cap * SPARING_FROM => SPARING_PACE_MS,
        _ => PACE_MS,
    }
}

/// The same as pages show it.
pub(crate) fn cost(month: String, spent: Spent, cap: f64) -> Cost {
    let pace = pace_ms(spent.dollars(), cap);
    Cost {
        month,
        calls: spent.calls,
        metrics: spent.metrics,
        dollars: spent.dollars(),
        cap_dollars: cap,
        pace_seconds: u64::try_from(pace / 1_000).unwrap_or_default(),
        slowed: pace > PACE_MS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_slows_down_and_never_stops() {
        let table = [
            (0.0, 10.0, PACE_MS),
            (7.99, 10.0, PACE_MS),
            (8.0, 10.0, SPARING_PACE_MS),
            (9.99, 10.0, SPARING_PACE_MS),
            (10.0, 10.0, REACHED_PACE_MS),
            (99.0, 10.0, REACHED_PACE_MS),
            (0.0, 0.0, REACHED_PACE_MS),
        ];
        for (spent, cap, pace) in table {
            assert_eq!(pace_ms(spent, cap), pace, "{spent} of {cap}");
        }
    }

    #[test]
    fn a_thousand_metrics_are_a_cent() {
        let spent = Spent { calls: 2, metrics: 36_000 };
        let cost = cost("2026-12".to_owned(), spent, 10.0);
        assert!((cost.dollars - 0.36).abs() < 1e-9, "{cost:?}");
        assert!(!cost.slowed && cost.pace_seconds == 60);
    }

    #[test]
    fn months_are_utcs() {
        // 2026-11-30T23:59:59.999Z and a millisecond later.
        assert_eq!(month(Timestamp(1_796_083_199_999)), "2026-11");
        assert_eq!(month(Timestamp(1_796_083_200_000)), "2026-12");
    }

    #[tokio::test]
    async fn a_new_month_begins_at_nought() {
        let meter = InMemory::default();
        let one = Spent { calls: 1, metrics: 18 };
        assert_eq!(meter.add("2026-11", one).await, Ok(one));
        assert_eq!(meter.add("2026-11", one).await, Ok(Spent { calls: 2, metrics: 36 }));
        assert_eq!(meter.add("2026-12", Spent::default()).await, Ok(Spent::default()));
    }
}
