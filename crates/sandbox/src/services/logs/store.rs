//! The tables, and the two connections to them: one that writes, one that reads beside it.
//!
//! A stream's row counts its events and bytes, kept in the same transaction as the events, so that
//! `storedBytes` and the cap cost nothing to know. `synchronous = NORMAL` loses no consistency in a
//! crash of the machine, at most the last transactions; a kill of the process loses nothing.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::LogEvent;
use super::queue::Batch;
use crate::aws::AwsError;
use crate::context::{Context, lock};

/// At most this many events are kept over all groups.
pub const MOST_EVENTS: i64 = 2_000_000;
/// At most this many bytes are kept over all groups, counted as AWS counts them.
pub const MOST_BYTES: i64 = 1 << 30;
/// AWS counts 26 bytes besides the message for every event.
pub const EVENT_OVERHEAD: usize = 26;
/// Milliseconds in a day.
pub const DAY_MS: i64 = 86_400_000;
/// So many events are deleted in one transaction.
const CHUNK: i64 = 20_000;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA foreign_keys = ON;
    PRAGMA user_version = 1;
    CREATE TABLE IF NOT EXISTS groups (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_ms INTEGER NOT NULL,
        class TEXT NOT NULL, kms_key_id TEXT, retention_days INTEGER,
        protected INTEGER NOT NULL DEFAULT 0, tags TEXT NOT NULL DEFAULT '{}');
    CREATE TABLE IF NOT EXISTS streams (
        id INTEGER PRIMARY KEY, group_id INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
        name TEXT NOT NULL, created_ms INTEGER NOT NULL,
        first_ms INTEGER, last_ms INTEGER, ingested_ms INTEGER,
        events INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0, UNIQUE (group_id, name));
    CREATE TABLE IF NOT EXISTS events (
        id INTEGER PRIMARY KEY AUTOINCREMENT, group_id INTEGER NOT NULL, stream_id INTEGER NOT NULL,
        ts INTEGER NOT NULL, ingested_ms INTEGER NOT NULL, size INTEGER NOT NULL, message TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS events_of_group ON events (group_id, ts);
    CREATE INDEX IF NOT EXISTS events_of_stream ON events (stream_id, ts);
";

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Events over all groups.
    pub events: i64,
    /// Bytes over all groups.
    pub bytes: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { events: MOST_EVENTS, bytes: MOST_BYTES }
    }
}

/// The tables.
pub struct Store {
    limits: Limits,
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
}

impl Store {
    /// Opens the file, which is its owner's only, or makes it.
    ///
    /// # Errors
    /// When it can't be opened or is of a newer version.
    pub fn open(path: &Path, limits: Limits) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        let open = || -> rusqlite::Result<Connection> {
            let connection = Connection::open(path)?;
            connection.busy_timeout(std::time::Duration::from_secs(10))?;
            connection.set_prepared_statement_cache_capacity(64);
            Ok(connection)
        };
        let connect = || -> Result<(Connection, Connection), String> {
            let writer = open().map_err(|error| error.to_string())?;
            let version: i64 = writer
                .query_row("PRAGMA user_version", [], |row| row.get(0))
                .map_err(|error| error.to_string())?;
            if version > 1 {
                return Err(format!("it was written by a newer version ({version})"));
            }
            writer.execute_batch(SCHEMA).map_err(|error| error.to_string())?;
            Ok((writer, open().map_err(|error| error.to_string())?))
        };
        let (writer, reader) =
            connect().map_err(|why| io::Error::other(format!("{}: {why}", path.display())))?;
        Ok(Self { limits, writer: Mutex::new(writer), reader: Mutex::new(reader) })
    }

    /// Looks something up.
    ///
    /// # Errors
    /// What `look` returns.
    pub fn read<R>(&self, look: impl FnOnce(&Connection) -> Result<R, AwsError>) -> Result<R, AwsError> {
        look(&lock(&self.reader))
    }

    /// Changes something in one transaction, which is rolled back when `change` fails.
    ///
    /// # Errors
    /// What `change` returns, or `InternalFailure` when it can't be committed.
    pub fn write<R>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<R, AwsError>,
    ) -> Result<R, AwsError> {
        let mut connection = lock(&self.writer);
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
        let result = change(&transaction)?;
        transaction.commit().map_err(sql)?;
        Ok(result)
    }

    /// Writes batches; groups and streams come into being. All or nothing.
    ///
    /// # Errors
    /// `InternalFailure`.
    pub(super) fn append<'a>(
        &self,
        context: &Context,
        batches: impl IntoIterator<Item = &'a Batch>,
    ) -> Result<(), AwsError> {
        let now = context.now_ms();
        self.write(|transaction| {
            for batch in batches {
                let (group, stream) = ensure(transaction, &batch.group, &batch.stream, now).map_err(sql)?;
                insert(transaction, group, stream, batch.ingested_ms, &batch.events).map_err(sql)?;
            }
            Ok(())
        })?;
        self.keep_within_limits()
    }

    /// Takes away what is older than its group's retention. Returns how many events went.
    ///
    /// # Errors
    /// `InternalFailure`.
    pub fn sweep(&self, now: i64) -> Result<u64, AwsError> {
        let groups: Vec<(i64, i64)> = self.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT id, retention_days FROM groups WHERE retention_days IS NOT NULL")
                .map_err(sql)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(sql)?;
            rows.collect::<Result<_, _>>().map_err(sql)
        })?;
        let mut gone = 0;
        for (group, days) in groups {
            let before = now - days * DAY_MS;
            // Chunk by chunk, so that nothing waits long for the connection.
            loop {
                let deleted = self.write(|transaction| {
                    delete(transaction, "group_id = ?1 AND ts < ?2", [group, before]).map_err(sql)
                })?;
                gone += deleted;
                if deleted == 0 {
                    break;
                }
            }
        }
        Ok(gone)
    }

    /// Deletes the oldest events beyond the cap, whichever group they are in. Called after every
    /// write, so that one write never has much to delete.
    ///
    /// # Errors
    /// `InternalFailure`.
    pub(super) fn keep_within_limits(&self) -> Result<(), AwsError> {
        loop {
            let (events, bytes): (i64, i64) = self.read(|connection| {
                connection
                    .prepare_cached("SELECT coalesce(sum(events), 0), coalesce(sum(bytes), 0) FROM streams")
                    .and_then(|mut statement| statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))))
                    .map_err(sql)
            })?;
            let mut surplus = (events - self.limits.events).max(0);
            if bytes > self.limits.bytes {
                // By the average size, and one more so that it ends.
                surplus = surplus.max((bytes - self.limits.bytes) / (bytes / events.max(1)).max(1) + 1);
            }
            if surplus == 0 {
                return Ok(());
            }
            let deleted = self.write(|transaction| {
                let last: Option<i64> = transaction
                    .query_row(
                        "SELECT max(id) FROM (SELECT id FROM events ORDER BY id LIMIT ?1)",
                        [surplus.min(CHUNK)],
                        |row| row.get(0),
                    )
                    .map_err(sql)?;
                delete(transaction, "id <= ?1 AND id <= ?2", [last.unwrap_or(0); 2]).map_err(sql)
            })?;
            if deleted == 0 {
                return Ok(());
            }
        }
    }
}

/// Writes events of one stream and counts them.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    group: i64,
    stream: i64,
    ingested_ms: i64,
    events: &[LogEvent],
) -> rusqlite::Result<()> {
    let (Some(first), Some(last)) =
        (events.iter().map(|e| e.timestamp).min(), events.iter().map(|e| e.timestamp).max())
    else {
        return Ok(());
    };
    let mut statement = transaction.prepare_cached(
        "INSERT INTO events (group_id, stream_id, ts, ingested_ms, size, message) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let mut bytes = 0;
    for event in events {
        let size = i64::try_from(event.message.len() + EVENT_OVERHEAD).unwrap_or(i64::MAX);
        bytes += size;
        statement.execute(params![group, stream, event.timestamp, ingested_ms, size, event.message])?;
    }
    transaction
        .prepare_cached(
            "UPDATE streams SET first_ms = min(coalesce(first_ms, ?2), ?2), last_ms = max(coalesce(last_ms, ?3), ?3),
                ingested_ms = ?4, events = events + ?5, bytes = bytes + ?6 WHERE id = ?1",
        )?
        .execute(params![stream, first, last, ingested_ms, i64::try_from(events.len()).unwrap_or(0), bytes])?;
    Ok(())
}

/// Deletes up to [`CHUNK`] events for which `condition` holds and takes them off their streams'
/// counts. Returns how many.
fn delete(transaction: &Transaction<'_>, condition: &str, values: [i64; 2]) -> rusqlite::Result<u64> {
    let [one, two] = values;
    let chosen = format!("SELECT id FROM events WHERE {condition} LIMIT {CHUNK}");
    let counts: Vec<(i64, i64, i64)> = {
        let mut statement = transaction.prepare_cached(&format!(
            "SELECT stream_id, count(*), sum(size) FROM events WHERE id IN ({chosen}) GROUP BY stream_id"
        ))?;
        let rows = statement.query_map([one, two], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        rows.collect::<Result<_, _>>()?
    };
    if counts.is_empty() {
        return Ok(0);
    }
    let gone = transaction
        .prepare_cached(&format!("DELETE FROM events WHERE id IN ({chosen})"))?
        .execute([one, two])?;
    for (stream, events, bytes) in counts {
        transaction
            .prepare_cached(
                "UPDATE streams SET events = events - ?2, bytes = bytes - ?3,
                    first_ms = (SELECT min(ts) FROM events WHERE stream_id = ?1) WHERE id = ?1",
            )?
            .execute([stream, events, bytes])?;
    }
    Ok(gone as u64)
}

/// The ids of a group and a stream, which are made where they are missing.
fn ensure(
    transaction: &Transaction<'_>,
    group: &str,
    stream: &str,
    now: i64,
) -> rusqlite::Result<(i64, i64)> {
    let group = match group_id(transaction, group)? {
        Some(id) => id,
        None => {
            transaction
                .prepare_cached("INSERT INTO groups (name, created_ms, class) VALUES (?1, ?2, 'STANDARD')")?
                .execute(params![group, now])?;
            transaction.last_insert_rowid()
        }
    };
    let stream = match stream_id(transaction, group, stream)? {
        Some(id) => id,
        None => {
            transaction
                .prepare_cached("INSERT INTO streams (group_id, name, created_ms) VALUES (?1, ?2, ?3)")?
                .execute(params![group, stream, now])?;
            transaction.last_insert_rowid()
        }
    };
    Ok((group, stream))
}

/// A group's id, if there is one of that name.
pub(super) fn group_id(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM groups WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}

/// A stream's id, if there is one of that name.
pub(super) fn stream_id(connection: &Connection, group: i64, name: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM streams WHERE group_id = ?1 AND name = ?2")?
        .query_row(params![group, name], |row| row.get(0))
        .optional()
}

/// A failure of SQLite is one of the sandbox.
pub(super) fn sql(error: rusqlite::Error) -> AwsError {
    AwsError::internal(format!("logs: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::ManualClock;

    fn batch(group: &str, from: i64, count: i64) -> Batch {
        Batch {
            group: group.to_owned(),
            stream: "s".to_owned(),
            ingested_ms: 1,
            events: (from..from + count)
                .map(|n| LogEvent { timestamp: n, message: format!("{n:074}") })
                .collect(),
        }
    }

    fn counts(store: &Store) -> (i64, i64, i64) {
        store
            .read(|connection| {
                connection
                    .query_row(
                        "SELECT (SELECT count(*) FROM events), (SELECT sum(events) FROM streams), (SELECT sum(bytes) FROM streams)",
                        [],
                        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
                    )
                    .map_err(sql)
            })
            .unwrap()
    }

    #[test]
    fn beyond_the_cap_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let context = Context::for_tests(folder.path(), ManualClock::new(Default::default()));
        let store = Store::open(&folder.path().join("l"), Limits { events: 100, bytes: 1 << 30 }).unwrap();
        store.append(&context, &[batch("old", 0, 80)]).unwrap();
        store.append(&context, &[batch("new", 80, 80)]).unwrap();
        assert_eq!(counts(&store), (100, 100, 10_000));
        let left: i64 = store
            .read(|c| c.query_row("SELECT min(ts) FROM events", [], |row| row.get(0)).map_err(sql))
            .unwrap();
        assert_eq!(left, 60);

        let bytes = Store::open(&folder.path().join("b"), Limits { events: 1_000, bytes: 5_000 }).unwrap();
        bytes.append(&context, &[batch("g", 0, 80)]).unwrap();
        let (events, counted, size) = counts(&bytes);
        assert_eq!(events, counted);
        assert!((4_000..=5_000).contains(&size), "{size}");
    }

    #[test]
    fn retention_takes_what_is_older_and_counts_it() {
        let folder = tempfile::tempdir().unwrap();
        let context = Context::for_tests(folder.path(), ManualClock::new(Default::default()));
        let store = Store::open(&folder.path().join("l"), Limits::default()).unwrap();
        store.append(&context, &[batch("g", 0, 50), batch("kept", 0, 10)]).unwrap();
        store
            .write(|t| t.execute("UPDATE groups SET retention_days = 1 WHERE name = 'g'", []).map_err(sql))
            .unwrap();
        assert_eq!(store.sweep(DAY_MS).unwrap(), 0);
        assert_eq!(store.sweep(DAY_MS + 20).unwrap(), 20);
        assert_eq!(counts(&store), (40, 40, 4_000));
    }
}
