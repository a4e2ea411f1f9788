//! The tables metrics are kept in, and what is read from and written to them.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::input::Dimensions;
use super::pending::{Metric, Pending, Place, floor};
use super::statistic::Aggregate;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// How long AWS keeps values by the second.
pub(super) const SECONDS_KEPT: i64 = 3 * HOUR;
/// How long AWS keeps values by the minute.
pub(super) const MINUTES_KEPT: i64 = 15 * DAY;
/// How long AWS keeps values by five minutes.
pub(super) const FIVE_MINUTES_KEPT: i64 = 63 * DAY;
/// How long AWS keeps values by the hour.
const HOURS_KEPT: i64 = 455 * DAY;
/// Rows that one transaction of [`Store::tidy`] moves.
const ROWS_MOVED: usize = 5_000;

/// The tables, as of version 1.
pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS series (
        id INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        dimensions TEXT NOT NULL,
        unit TEXT NOT NULL,
        received INTEGER NOT NULL,
        UNIQUE (namespace, name, dimensions, unit)
    );
    CREATE TABLE IF NOT EXISTS aggregates (
        series INTEGER NOT NULL REFERENCES series (id),
        resolution INTEGER NOT NULL,
        start INTEGER NOT NULL,
        count REAL NOT NULL,
        sum REAL NOT NULL,
        minimum REAL NOT NULL,
        maximum REAL NOT NULL,
        samples BLOB,
        PRIMARY KEY (series, resolution, start)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS aggregates_by_age ON aggregates (resolution, start);
    PRAGMA user_version = 1;
";

/// Which stretch of which series is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// The beginning of the first period, seconds since 1970.
    pub(super) from: i64,
    /// Values of this second and later are left out.
    pub(super) to: i64,
    /// Length of a period in seconds.
    pub(super) period: i64,
    /// Whether the values themselves are needed, and not only count, sum and extremes.
    pub(super) values: bool,
}

/// Dimensions as they stand in the table.
pub(super) fn text(dimensions: &Dimensions) -> String {
    serde_json::json!(dimensions).to_string()
}

/// Adds what is pending to what is there, all of it or nothing.
///
/// # Errors
/// When the file can't be written.
pub(super) fn write(database: &mut Connection, pending: &Pending) -> rusqlite::Result<()> {
    let transaction = database.transaction()?;
    for ((metric, unit), series) in &pending.series {
        let id: i64 = transaction
            .prepare_cached(
                "INSERT INTO series (namespace, name, dimensions, unit, received) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET received = max(received, excluded.received) RETURNING id",
            )?
            .query_row(
                params![metric.namespace, metric.name, text(&metric.dimensions), unit, series.received],
                |row| row.get(0),
            )?;
        for (place, aggregate) in &series.aggregates {
            add(&transaction, id, *place, aggregate)?;
        }
    }
    transaction.commit()
}

/// Adds an aggregate to the one that is there.
fn add(
    transaction: &Transaction<'_>,
    series: i64,
    (resolution, start): Place,
    more: &Aggregate,
) -> rusqlite::Result<()> {
    let known = transaction
        .prepare_cached(
            "SELECT count, sum, minimum, maximum, samples FROM aggregates
             WHERE series = ? AND resolution = ? AND start = ?",
        )?
        .query_row(params![series, resolution, start], |row| aggregate(row, 0))
        .optional()?;
    let whole = match known {
        Some(mut known) => {
            known.merge(more);
            known
        }
        None => more.clone(),
    };
    transaction
        .prepare_cached("INSERT OR REPLACE INTO aggregates VALUES (?, ?, ?, ?, ?, ?, ?, ?)")?
        .execute(params![
            series,
            resolution,
            start,
            whole.count,
            whole.sum,
            whole.minimum,
            whole.maximum,
            whole.values_to_bytes()
        ])?;
    Ok(())
}

/// An aggregate in five columns of a row.
fn aggregate(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Aggregate> {
    let samples = row.get_ref(first + 4)?.as_blob_or_null()?;
    Ok(Aggregate::restored(
        row.get(first)?,
        row.get(first + 1)?,
        row.get(first + 2)?,
        row.get(first + 3)?,
        samples,
    ))
}

/// Hands over the periods of a metric that have values, oldest first.
///
/// # Errors
/// When the file can't be read.
pub(super) fn read_periods(
    database: &Connection,
    metric: &Metric,
    unit: Option<&str>,
    span: Span,
    mut each: impl FnMut(i64, &Aggregate),
) -> rusqlite::Result<()> {
    // Where a metric has one unit, which is nearly always, rows come in order of the key and nothing
    // is sorted or held. The coarser a resolution the older its rows, so the coarsest is first.
    let mut query = database.prepare_cached(
        "SELECT start, count, sum, minimum, maximum, CASE WHEN ?7 THEN samples END
         FROM aggregates
         WHERE series IN (SELECT id FROM series WHERE namespace = ?1 AND name = ?2 AND dimensions = ?3
                          AND (?4 IS NULL OR unit = ?4))
           AND resolution = ?8 AND start >= ?5 AND start < ?6
         ORDER BY start",
    )?;
    let resolutions: &[i64] = if span.period < 60 { &[1] } else { &[3_600, 300, 60] };
    let mut open: Option<(i64, Aggregate)> = None;
    for resolution in resolutions {
        let mut rows = query.query(params![
            metric.namespace,
            metric.name,
            text(&metric.dimensions),
            unit,
            span.from,
            span.to,
            span.values,
            resolution
        ])?;
        while let Some(row) = rows.next()? {
            let start: i64 = row.get(0)?;
            let start = span.from + floor(start - span.from, span.period);
            let more = aggregate(row, 1)?;
            match &mut open {
                Some((known, whole)) if *known == start => whole.merge(&more),
                _ => {
                    if let Some((known, whole)) = open.replace((start, more)) {
                        each(known, &whole);
                    }
                }
            }
        }
    }
    if let Some((start, whole)) = open {
        each(start, &whole);
    }
    Ok(())
}

/// Moves one batch of rows into the next coarser resolution, or throws away what is too old; true
/// when there may be more to move.
///
/// # Errors
/// When the file can't be written.
pub(super) fn roll_up(database: &mut Connection, now: i64) -> rusqlite::Result<bool> {
    let transaction = database.transaction()?;
    let mut more = false;
    for (from, to, kept) in [(60, 300, MINUTES_KEPT), (300, 3_600, FIVE_MINUTES_KEPT)] {
        // Whole groups only, or a period would lie in two resolutions at the border for good.
        let before = floor(now - kept, to);
        let rows: Vec<(i64, i64, Aggregate)> = transaction
            .prepare_cached(
                "SELECT series, start, count, sum, minimum, maximum, samples FROM aggregates
                 WHERE resolution = ? AND start < ? ORDER BY start LIMIT ?",
            )?
            .query_map(params![from, before, ROWS_MOVED], |row| {
                Ok((row.get(0)?, row.get(1)?, aggregate(row, 2)?))
            })?
            .collect::<Result<_, _>>()?;
        more |= rows.len() == ROWS_MOVED;
        for (series, start, aggregate) in rows {
            add(&transaction, series, (to, floor(start, to)), &aggregate)?;
            transaction
                .prepare_cached("DELETE FROM aggregates WHERE series = ? AND resolution = ? AND start = ?")?
                .execute(params![series, from, start])?;
        }
    }
    for (resolution, kept) in [(1, SECONDS_KEPT), (3_600, HOURS_KEPT)] {
        transaction.execute(
            "DELETE FROM aggregates WHERE resolution = ? AND start < ?",
            params![resolution, now - kept - HOUR],
        )?;
    }
    transaction.execute(
        "DELETE FROM series WHERE received < ?1
         AND NOT EXISTS (SELECT 1 FROM aggregates WHERE series = series.id)",
        params![(now - HOURS_KEPT - HOUR) * 1000],
    )?;
    transaction.commit()?;
    Ok(more)
}
