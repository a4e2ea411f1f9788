//! The count of what CloudWatch was asked for, in the portal's own database.

use async_trait::async_trait;
use model::problem::{Problem, ProblemKind};
use operations::metrics::meter::Spent;
use sqlx::SqlitePool;

/// The count.
pub struct Meter {
    pool: SqlitePool,
}

impl Meter {
    /// On the connections of the accounts.
    pub fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl operations::metrics::meter::Meter for Meter {
    async fn add(&self, month: &str, more: Spent) -> Result<Spent, Problem> {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let (calls, metrics): (i64, i64) = sqlx::query_as(
            "INSERT INTO metric_calls (month, calls, metrics) VALUES (?, ?, ?)
             ON CONFLICT (month) DO UPDATE SET calls = calls + excluded.calls, metrics = metrics + excluded.metrics
             RETURNING calls, metrics",
        )
        .bind(month)
        .bind(signed(more.calls))
        .bind(signed(more.metrics))
        .fetch_one(&self.pool)
        .await
        .map_err(|error| {
            tracing::error!(%error, "what CloudWatch was asked for could not be counted");
            Problem::new(ProblemKind::Internal, "What CloudWatch was asked for could not be counted.")
        })?;
        let unsigned = |number: i64| u64::try_from(number).unwrap_or_default();
        Ok(Spent { calls: unsigned(calls), metrics: unsigned(metrics) })
    }
}
