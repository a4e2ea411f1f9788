//! The table of segments. Each is written by itself: functions sample one request a second. The same
//! segment again takes the older one's place, as one that is in progress is sent again when it is over.
//! What is too old or too much goes in the same transaction.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use rusqlite::{Connection, params};
use serde_json::{Map, Value as Json};

use super::document::{KEPT_SECONDS, Segment, time_of};
use crate::aws::AwsError;
use crate::context::lock;

/// At most this many segments are kept, mostly 0.5 KB each and never more than 64 KB.
pub(super) const MOST_SEGMENTS: i64 = 20_000;
/// AWS: a trace has 500 KB at most. Here its segments are counted.
const MOST_OF_A_TRACE: usize = 1_000;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA user_version = 1;
    CREATE TABLE IF NOT EXISTS segments (
        id INTEGER PRIMARY KEY AUTOINCREMENT, trace_id TEXT NOT NULL, segment_id TEXT NOT NULL,
        began INTEGER NOT NULL, received INTEGER NOT NULL, document TEXT NOT NULL,
        UNIQUE (trace_id, segment_id));
    CREATE INDEX IF NOT EXISTS segments_by_time ON segments (received);
";

/// The documents of a trace, in the order in which they came.
pub(super) struct Found {
    pub documents: Vec<Map<String, Json>>,
    /// Whether there are more than are given back.
    pub cut: bool,
}

/// The table.
pub(super) struct Store(Mutex<Connection>);

impl Store {
    /// Opens the file, which is its owner's only, or makes it.
    ///
    /// # Errors
    /// When it can't be opened or is of a newer version.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        let connect = || -> Result<Connection, String> {
            let connection = Connection::open(path).map_err(|error| error.to_string())?;
            connection.busy_timeout(Duration::from_secs(10)).map_err(|error| error.to_string())?;
            let version: i64 = connection
                .query_row("PRAGMA user_version", [], |row| row.get(0))
                .map_err(|error| error.to_string())?;
            if version > 1 {
                return Err(format!("it was written by a newer version ({version})"));
            }
            connection.execute_batch(SCHEMA).map_err(|error| error.to_string())?;
            Ok(connection)
        };
        let connection = connect().map_err(|why| io::Error::other(format!("{}: {why}", path.display())))?;
        Ok(Self(Mutex::new(connection)))
    }

    /// Keeps a segment and lets go of what is too old or too much.
    ///
    /// # Errors
    /// When the file can't be written; nothing has changed then.
    pub fn add(&self, now_ms: i64, segment: &Segment) -> rusqlite::Result<()> {
        let mut connection = lock(&self.0);
        let transaction = connection.transaction()?;
        let began = time_of(&segment.trace_id) * 1_000;
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO segments (trace_id, segment_id, began, received, document) \
                 VALUES (?, ?, ?, ?, ?)",
            )?
            .execute(params![
                segment.trace_id,
                segment.id,
                began,
                now_ms,
                Json::Object(segment.document.clone()).to_string()
            ])?;
        let last = transaction.last_insert_rowid();
        transaction
            .prepare_cached("DELETE FROM segments WHERE received < ? OR id <= ?")?
            .execute(params![now_ms - KEPT_SECONDS * 1_000, last - MOST_SEGMENTS])?;
        transaction.commit()
    }

    /// What is known of a trace.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn of_trace(&self, trace_id: &str) -> Result<Found, AwsError> {
        let connection = lock(&self.0);
        let look = || -> rusqlite::Result<Vec<String>> {
            connection
                .prepare_cached("SELECT document FROM segments WHERE trace_id = ? ORDER BY id LIMIT ?")?
                .query_map(params![trace_id, MOST_OF_A_TRACE as i64 + 1], |row| row.get(0))?
                .collect()
        };
        let texts = look().map_err(unread)?;
        let cut = texts.len() > MOST_OF_A_TRACE;
        let documents = texts.iter().take(MOST_OF_A_TRACE).filter_map(|text| serde_json::from_str(text).ok());
        Ok(Found { documents: documents.collect(), cut })
    }

    /// The ids of traces of a time, in their own order behind `after`, and whether there are more. The
    /// time is that in the trace's id, or `by_event` that at which a segment came.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn traces(
        &self,
        from: i64,
        to: i64,
        by_event: bool,
        after: &str,
        most: usize,
    ) -> Result<(Vec<String>, bool), AwsError> {
        let column = if by_event { "received" } else { "began" };
        let sql = format!(
            "SELECT DISTINCT trace_id FROM segments WHERE {column} BETWEEN ? AND ? AND trace_id > ? \
             ORDER BY trace_id LIMIT ?"
        );
        let connection = lock(&self.0);
        let look = || -> rusqlite::Result<Vec<String>> {
            connection
                .prepare_cached(&sql)?
                .query_map(params![from, to, after, most as i64 + 1], |row| row.get(0))?
                .collect()
        };
        let mut ids = look().map_err(unread)?;
        let more = ids.len() > most;
        ids.truncate(most);
        Ok((ids, more))
    }
}

fn unread(error: rusqlite::Error) -> AwsError {
    AwsError::internal(format!("the segments can't be read: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn segment(trace: u64, id: u64, name: &str) -> Segment {
        let document = json!({"name": name}).as_object().unwrap().clone();
        Segment::own(&format!("{id:016x}"), &format!("1-00000010-{trace:024x}"), document)
    }

    #[test]
    fn what_is_too_old_or_too_much_goes_and_the_newer_one_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("xray.sqlite");
        let store = Store::open(&path).unwrap();
        let of = |store: &Store, trace: u64| -> Vec<String> {
            let found = store.of_trace(&format!("1-00000010-{trace:024x}")).unwrap().documents;
            found.iter().map(|document| document["name"].as_str().unwrap().to_owned()).collect()
        };
        store.add(1, &segment(1, 1, "in progress")).unwrap();
        store.add(2, &segment(1, 1, "done")).unwrap();
        store.add(3, &segment(1, 2, "other")).unwrap();
        assert_eq!(of(&store, 1), ["done", "other"]);
        assert_eq!(store.traces(16_000, 16_000, false, "", 9).unwrap().0.len(), 1);
        assert!(store.traces(16_001, 17_000, false, "", 9).unwrap().0.is_empty());
        drop(store);
        let store = Store::open(&path).unwrap();
        assert_eq!(of(&store, 1), ["done", "other"], "a restart loses nothing");
        store.add(KEPT_SECONDS * 1_000 + 3, &segment(2, 3, "newest")).unwrap();
        assert_eq!((of(&store, 1), of(&store, 2)), (vec!["other".to_owned()], vec!["newest".to_owned()]));
        lock(&store.0).execute("UPDATE sqlite_sequence SET seq = ?", [MOST_SEGMENTS + 10]).unwrap();
        store.add(KEPT_SECONDS * 1_000 + 3, &segment(3, 4, "last")).unwrap();
        assert_eq!((of(&store, 1).len(), of(&store, 2).len(), of(&store, 3).len()), (0, 0, 1));
    }
}
