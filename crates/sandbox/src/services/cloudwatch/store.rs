//! Where metrics are kept.
//!
//! A series is a metric (namespace, name, dimensions) in one unit. Its values are kept as one
//! [`Aggregate`] per minute, which holds how often each value occurred; that is exact for every
//! period that is a multiple of a minute. Series of high resolution have one per second besides.
//!
//! Recording only adds to a map in memory; twice a second a thread writes the map to SQLite, and
//! every query writes it first, so that queries see everything at once. A crash loses half a second.
//! What PutMetricData was given is in the file before the call is answered.
//!
//! AWS keeps seconds for 3 hours, minutes for 15 days, five minutes for 63 days and hours for 455
//! days; [`Store::tidy`] does the same. It moves rows in small transactions, and a query adds up
//! rows of all resolutions, so it does not matter how far it has come.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rusqlite::{Connection, params};

use super::errors::storage;
use super::pending::{Metric, Pending, Sample};
use super::statistic::Aggregate;
use super::tables::{SCHEMA, Span, read_periods, roll_up, text, write};
use crate::aws::AwsError;
use crate::context::{Context, lock};

/// At most this many aggregates wait in memory; when they can't be written, newer ones are dropped.
const MOST_PENDING: usize = 50_000;
/// How often it looks for rows to move, seconds.
const TIDY_EVERY: i64 = 600;

/// Metrics in memory and in a file. Locks are always taken in this order: database, pending.
pub(super) struct Store {
    context: Arc<Context>,
    database: Mutex<Connection>,
    pending: Mutex<Pending>,
    tidied: Mutex<i64>,
}

impl Store {
    /// Opens `cloudwatch/metrics.sqlite` in the context's folder.
    ///
    /// # Errors
    /// When it can't be opened, or is of a later version.
    pub(super) fn open(context: Arc<Context>) -> io::Result<Arc<Self>> {
        let path = context.path("cloudwatch/metrics.sqlite");
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let prepare = || {
            let database = Connection::open(&path)?;
            database.busy_timeout(Duration::from_secs(5))?;
            database.pragma_update(None, "journal_mode", "WAL")?;
            // A kill loses nothing; only the machine's own crash may lose the newest writes.
            database.pragma_update(None, "synchronous", "NORMAL")?;
            let version: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
            Ok::<_, rusqlite::Error>((database, version))
        };
        let (database, version) = prepare().map_err(io::Error::other)?;
        if version > 1 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{} is of a later version ({version})", path.display()),
            ));
        }
        database.execute_batch(SCHEMA).map_err(io::Error::other)?;
        Ok(Arc::new(Self {
            context,
            database: Mutex::new(database),
            pending: Mutex::default(),
            tidied: Mutex::new(i64::MIN),
        }))
    }

    /// Adds samples in memory. When too many wait there they are written at once, and when that
    /// fails they are dropped with a warning.
    pub(super) fn record<'a>(&self, samples: impl IntoIterator<Item = Sample<'a>>) {
        let received = self.context.now_ms();
        let full = lock(&self.pending).aggregates >= MOST_PENDING;
        if full && let Err(error) = self.flush() {
            tracing::warn!(%error, "metrics are dropped, because those before them can't be written");
            return;
        }
        let mut pending = lock(&self.pending);
        for sample in samples {
            pending.add(received, sample);
        }
    }

    /// Writes samples; they are in the file when this returns, all of them or none.
    ///
    /// # Errors
    /// `InternalServiceError` when the file can't be written.
    pub(super) fn write<'a>(&self, samples: impl IntoIterator<Item = Sample<'a>>) -> Result<(), AwsError> {
        let received = self.context.now_ms();
        let mut more = Pending::default();
        for sample in samples {
            more.add(received, sample);
        }
        let mut database = self.settled()?;
        write(&mut database, &more).map_err(storage)
    }

    /// Writes what waits in memory.
    ///
    /// # Errors
    /// When the file can't be written; nothing is lost then, it waits for the next time.
    pub(super) fn flush(&self) -> rusqlite::Result<()> {
        let mut database = lock(&self.database);
        self.flush_into(&mut database)
    }

    fn flush_into(&self, database: &mut Connection) -> rusqlite::Result<()> {
        let taken = std::mem::take(&mut *lock(&self.pending));
        if taken.series.is_empty() {
            return Ok(());
        }
        write(database, &taken).inspect_err(|_| lock(&self.pending).take_back(taken))
    }

    /// The database with everything recorded so far in it.
    fn settled(&self) -> Result<MutexGuard<'_, Connection>, AwsError> {
        let mut database = lock(&self.database);
        self.flush_into(&mut database).map_err(storage)?;
        Ok(database)
    }

    /// The units a metric was recorded in, in order.
    ///
    /// # Errors
    /// `InternalServiceError` when the file can't be read.
    pub(super) fn units(&self, metric: &Metric) -> Result<Vec<String>, AwsError> {
        let database = self.settled()?;
        let read = || {
            let mut query = database.prepare_cached(
                "SELECT unit FROM series WHERE namespace = ? AND name = ? AND dimensions = ? ORDER BY unit",
            )?;
            query
                .query_map(params![metric.namespace, metric.name, text(&metric.dimensions)], |row| {
                    row.get(0)
                })?
                .collect::<rusqlite::Result<Vec<String>>>()
        };
        read().map_err(storage)
    }

    /// Hands over the periods of a metric that have values, oldest first: the period's beginning
    /// and what was recorded in it. Without a unit, values of all units are put together. Periods
    /// shorter than a minute see only what was recorded with high resolution.
    ///
    /// # Errors
    /// `InternalServiceError` when the file can't be read.
    pub(super) fn periods(
        &self,
        metric: &Metric,
        unit: Option<&str>,
        span: Span,
        each: impl FnMut(i64, &Aggregate),
    ) -> Result<(), AwsError> {
        let database = self.settled()?;
        read_periods(&database, metric, unit, span, each).map_err(storage)
    }

    /// Metrics that received values since `since` (milliseconds since 1970), in order and without
    /// repetition, of a namespace and a name if given, after `after` if given, and at most `most`
    /// of those that `wanted` says yes to.
    ///
    /// # Errors
    /// `InternalServiceError` when the file can't be read.
    pub(super) fn metrics(
        &self,
        namespace: Option<&str>,
        name: Option<&str>,
        since: i64,
        most: usize,
        mut wanted: impl FnMut(&Metric) -> bool,
    ) -> Result<Vec<Metric>, AwsError> {
        let database = self.settled()?;
        let mut read = || {
            let mut query = database.prepare_cached(
                "SELECT DISTINCT namespace, name, dimensions FROM series
                 WHERE received >= ?1 AND (?2 IS NULL OR namespace = ?2) AND (?3 IS NULL OR name = ?3)
                 ORDER BY namespace, name, dimensions",
            )?;
            let mut rows = query.query(params![since, namespace, name])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let dimensions: String = row.get(2)?;
                let dimensions = serde_json::from_str(&dimensions).unwrap_or_default();
                let metric = Metric { namespace: row.get(0)?, name: row.get(1)?, dimensions };
                if wanted(&metric) {
                    found.push(metric);
                    if found.len() >= most {
                        break;
                    }
                }
            }
            Ok::<_, rusqlite::Error>(found)
        };
        read().map_err(storage)
    }

    /// Rolls up and throws away what is too old, when it is time to. Safe to break off anywhere.
    ///
    /// # Errors
    /// When the file can't be written.
    pub(super) fn tidy(&self) -> rusqlite::Result<()> {
        let now = self.context.now_ms().div_euclid(1000);
        let mut tidied = lock(&self.tidied);
        if now < tidied.saturating_add(TIDY_EVERY) {
            return Ok(());
        }
        // The lock on the database is given back after each batch, so that queries can come between.
        while roll_up(&mut lock(&self.database), now)? {}
        *tidied = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, TimeZone, Utc};

    use super::*;
    use crate::context::ManualClock;

    const HOUR: i64 = 1_795_341_600;

    fn store() -> (Arc<Store>, Arc<ManualClock>, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(Utc.timestamp_opt(HOUR, 0).unwrap());
        let store = Store::open(Context::for_tests(folder.path(), clock.clone())).unwrap();
        (store, clock, folder)
    }

    fn sample(second: i64, value: f64) -> Sample<'static> {
        let mut aggregate = Aggregate::default();
        aggregate.add(value, 1.0);
        let metric = Metric { namespace: "N".into(), name: "M".into(), dimensions: Vec::new() };
        Sample { metric, unit: "None", at: second * 1000, high_resolution: true, aggregate }
    }

    /// Resolution, start after the hour and sum of every row.
    fn rows(store: &Store) -> Vec<(i64, i64, f64)> {
        let database = store.settled().unwrap();
        let mut query =
            database.prepare("SELECT resolution, start - ?, sum FROM aggregates ORDER BY 1, 2").unwrap();
        let rows = query.query_map([HOUR], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn what_is_old_is_put_together_and_at_last_thrown_away() {
        let (store, clock, _folder) = store();
        store.record([sample(HOUR, 1.0), sample(HOUR + 299, 2.0), sample(HOUR + 300, 4.0)]);
        let minutes = [(60, 0, 1.0), (60, 240, 2.0), (60, 300, 4.0)];
        let seconds = [(1, 0, 1.0), (1, 299, 2.0), (1, 300, 4.0)];
        let pass = |days, seconds| {
            clock.advance(TimeDelta::days(days) + TimeDelta::seconds(seconds));
            store.tidy().unwrap();
            rows(&store)
        };
        assert_eq!(pass(0, 0), [seconds, minutes].concat());
        assert_eq!(pass(1, 0), minutes);
        // The first five minutes are whole and 15 days old; the second are not.
        assert_eq!(pass(14, 300), [(60, 300, 4.0), (300, 0, 3.0)]);
        // Not before it is time to look again.
        assert_eq!(pass(0, 300), [(60, 300, 4.0), (300, 0, 3.0)]);
        assert_eq!(pass(0, 300), [(300, 0, 3.0), (300, 300, 4.0)]);
        assert_eq!(pass(48, 3_600), [(3_600, 0, 7.0)]);
        assert_eq!(pass(393, 0), []);
        assert_eq!(store.metrics(None, None, 0, 9, |_| true).unwrap(), []);
    }

    #[test]
    fn what_can_not_be_written_waits() {
        let (store, _clock, _folder) = store();
        store.record([sample(HOUR, 1.0)]);
        lock(&store.database).execute_batch("ALTER TABLE aggregates RENAME TO away").unwrap();
        store.flush().unwrap_err();
        store.record([sample(HOUR, 2.0)]);
        assert_eq!(store.write([sample(HOUR, 4.0)]).unwrap_err().status, 500);
        lock(&store.database).execute_batch("ALTER TABLE away RENAME TO aggregates").unwrap();
        // Recorded values are all there; what was refused is not.
        assert_eq!(rows(&store), [(1, 0, 3.0), (60, 0, 3.0)]);
    }
}
