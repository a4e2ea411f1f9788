//! The table of events. Each is written by itself, as few things are changed a second, and what has
//! become too old or too much goes in the same transaction.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use crate::aws::AwsError;
use crate::context::lock;

/// AWS: the event history reaches back 90 days.
pub const KEPT_MS: i64 = 90 * 86_400_000;
/// At most this many events are kept, about 1.5 KB each.
pub const MOST_EVENTS: i64 = 20_000;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA user_version = 1;
    CREATE TABLE IF NOT EXISTS events (
        id INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL, ts INTEGER NOT NULL,
        name TEXT NOT NULL, source TEXT NOT NULL, read_only TEXT NOT NULL, username TEXT,
        access_key TEXT, resource_type TEXT, resource_name TEXT, body TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS events_by_time ON events (ts, id);
";

/// What is known of an event besides its text.
pub struct Entry<'a> {
    pub name: &'a str,
    pub source: &'a str,
    pub read_only: bool,
    pub username: Option<&'a str>,
    pub access_key: Option<&'a str>,
    /// Type and name.
    pub resource: Option<(&'a str, &'a str)>,
}

/// An event that was found.
pub struct Found {
    pub id: i64,
    pub event_id: String,
    pub ts: i64,
    pub name: String,
    pub source: String,
    pub read_only: String,
    pub username: Option<String>,
    pub access_key: Option<String>,
    pub resource: Option<(String, String)>,
    pub body: String,
}

/// What to look for.
#[derive(Default)]
pub struct Wanted {
    /// From this time on, milliseconds since 1970.
    pub from: i64,
    /// Up to this time.
    pub to: i64,
    /// A column and its value.
    pub attribute: Option<(&'static str, String)>,
    /// Older than this event: time and number.
    pub before: Option<(i64, i64)>,
}

/// The table.
pub struct Store(Mutex<Connection>);

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

    /// Adds an event and lets go of what is too old or too much.
    ///
    /// # Errors
    /// When the file can't be written; nothing has changed then.
    pub fn add(&self, event_id: &str, ts: i64, entry: &Entry<'_>, body: &str) -> rusqlite::Result<()> {
        let mut connection = lock(&self.0);
        let transaction = connection.transaction()?;
        transaction.execute(
            "INSERT INTO events (event_id, ts, name, source, read_only, username, access_key, resource_type, \
             resource_name, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                event_id,
                ts,
                entry.name,
                entry.source,
                entry.read_only.to_string(),
                entry.username,
                entry.access_key,
                entry.resource.map(|(kind, _)| kind),
                entry.resource.map(|(_, name)| name),
                body
            ],
        )?;
        let last = transaction.last_insert_rowid();
        transaction.execute(
            "DELETE FROM events WHERE ts < ? OR id <= ?",
            params![ts - KEPT_MS, last - MOST_EVENTS],
        )?;
        transaction.commit()
    }

    /// The newest `most` events that are wanted, newest first.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn find(&self, wanted: &Wanted, most: usize) -> Result<Vec<Found>, AwsError> {
        let mut sql = "SELECT * FROM events WHERE ts BETWEEN ? AND ?".to_owned();
        let mut values = vec![Value::from(wanted.from), wanted.to.into()];
        if let Some((column, value)) = &wanted.attribute {
            sql.push_str(&format!(" AND {column} = ?"));
            values.push(value.clone().into());
        }
        if let Some((ts, id)) = wanted.before {
            sql.push_str(" AND (ts, id) < (?, ?)");
            values.extend([ts.into(), id.into()]);
        }
        sql.push_str(" ORDER BY ts DESC, id DESC LIMIT ?");
        values.push(i64::try_from(most).unwrap_or(i64::MAX).into());
        let connection = lock(&self.0);
        let look = || -> rusqlite::Result<Vec<Found>> {
            let mut statement = connection.prepare_cached(&sql)?;
            statement.query_map(params_from_iter(values), found)?.collect()
        };
        look().map_err(|error| AwsError::internal(format!("the events can't be read: {error}")))
    }
}

fn found(row: &Row<'_>) -> rusqlite::Result<Found> {
    let kind: Option<String> = row.get("resource_type")?;
    let name: Option<String> = row.get("resource_name")?;
    Ok(Found {
        id: row.get("id")?,
        event_id: row.get("event_id")?,
        ts: row.get("ts")?,
        name: row.get("name")?,
        source: row.get("source")?,
        read_only: row.get("read_only")?,
        username: row.get("username")?,
        access_key: row.get("access_key")?,
        resource: kind.zip(name),
        body: row.get("body")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> Entry<'_> {
        Entry {
            name,
            source: "s",
            read_only: false,
            username: None,
            access_key: None,
            resource: Some(("t", "r")),
        }
    }

    fn names(store: &Store, wanted: &Wanted, most: usize) -> Vec<String> {
        store.find(wanted, most).unwrap().into_iter().map(|found| found.name).collect()
    }

    #[test]
    fn what_is_too_old_or_too_much_goes() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("events.sqlite")).unwrap();
        let all = Wanted { to: i64::MAX, ..Wanted::default() };
        for (ts, name) in [(0, "a"), (5, "b"), (KEPT_MS + 3, "c")] {
            store.add("id", ts, &entry(name), "{}").unwrap();
        }
        assert_eq!(names(&store, &all, 9), ["c", "b"]);
        lock(&store.0).execute("UPDATE sqlite_sequence SET seq = ?", [MOST_EVENTS + 2]).unwrap();
        store.add("id", KEPT_MS + 3, &entry("d"), "{}").unwrap();
        assert_eq!(names(&store, &all, 9), ["d"], "the number of the last is 20,003");
    }

    #[test]
    fn events_are_found_by_time_attribute_and_page() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("events.sqlite")).unwrap();
        for (ts, name) in [(1, "a"), (2, "b"), (2, "a"), (3, "c")] {
            store.add("id", ts, &entry(name), "{}").unwrap();
        }
        let wanted = |from, to| Wanted { from, to, ..Wanted::default() };
        assert_eq!(names(&store, &wanted(2, 3), 9), ["c", "a", "b"]);
        assert_eq!(names(&store, &wanted(0, 9), 2), ["c", "a"]);
        let before = Some((2, 3));
        assert_eq!(names(&store, &Wanted { before, ..wanted(0, 9) }, 9), ["b", "a"]);
        let attribute = Some(("name", "a".to_owned()));
        assert_eq!(names(&store, &Wanted { attribute, ..wanted(0, 9) }, 9), ["a", "a"]);
        let attribute = Some(("read_only", "true".to_owned()));
        assert!(names(&store, &Wanted { attribute, ..wanted(0, 9) }, 9).is_empty());
    }
}
