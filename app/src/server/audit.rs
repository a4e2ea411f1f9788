//! The audit log, in the portal's own database: a row before an operation runs, its end after it.

use async_trait::async_trait;
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;
use operations::audit::{Began, Ended};
use sqlx::SqlitePool;

/// The audit log.
pub struct Journal {
    pool: SqlitePool,
}

impl Journal {
    /// On the connections of the accounts.
    pub fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }

    /// The last of these operations, if it was refused since `since` and had run for `least_ms` or longer by
    /// then: whoever asked for it had been answered, and told that it goes on. None where that can't be read.
    pub async fn refused_late(
        &self,
        operations: &[&str],
        since: Timestamp,
        least_ms: i64,
    ) -> Option<RefusedLate> {
        let names = serde_json::to_string(operations).ok()?;
        let found = sqlx::query_as(
            "SELECT operation, actor, problem FROM audit_log
             WHERE id = (SELECT max(id) FROM audit_log WHERE operation IN (SELECT value FROM json_each(?)))
             AND outcome <> 'done' AND ended_at >= ? AND ended_at - began_at >= ?",
        )
        .bind(names)
        .bind(since.0)
        .bind(least_ms)
        .fetch_optional(&self.pool)
        .await;
        let (operation, by, why) = found
            .inspect_err(|error| tracing::error!(%error, "the audit log could not be read"))
            .ok()
            .flatten()?;
        Some(RefusedLate { operation, by, why })
    }
}

/// An operation that was refused when nobody waited for it any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedLate {
    /// Its name.
    pub operation: String,
    /// Who asked for it.
    pub by: String,
    /// Why.
    pub why: String,
}

#[async_trait]
impl operations::audit::Journal for Journal {
    async fn began(&self, entry: &Began) -> Result<i64, Problem> {
        let written = sqlx::query(
            "INSERT INTO audit_log (began_at, actor, role, address, token, operation, arguments)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(entry.at.0)
        .bind(&entry.actor.name)
        .bind(entry.actor.role.name())
        .bind(&entry.actor.address)
        .bind(entry.actor.token.as_ref().map(|token| format!("{} ({})", token.name, token.id)))
        .bind(entry.operation)
        .bind(entry.arguments.to_string())
        .execute(&self.pool)
        .await
        .map_err(|error| {
            tracing::error!(%error, operation = entry.operation, "the audit log could not be written");
            Problem::new(ProblemKind::Internal, "The audit log could not be written, so nothing was done.")
                .with_next("See whether the portal's disk is full; its log says more.")
        })?;
        Ok(written.last_insert_rowid())
    }

    async fn ended(&self, entry: i64, end: &Ended) -> Result<(), Problem> {
        let kind = end.problem.as_ref().map(|problem| serde_json::to_value(problem.kind));
        let outcome = match kind {
            None => "done".to_owned(),
            Some(kind) => kind.ok().and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default(),
        };
        sqlx::query(
            "UPDATE audit_log SET ended_at = ?, outcome = ?, problem = ? WHERE id = ? AND ended_at IS NULL",
        )
        .bind(end.at.0)
        .bind(outcome)
        .bind(end.problem.as_ref().map(|problem| problem.message.clone()))
        .bind(entry)
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(|_| Problem::new(ProblemKind::Internal, "The audit log could not be written."))
    }
}
