//! One database: one SQLite file, and the counters that only ever go up.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use super::{catalog, functions};
use crate::context::{Context, lock};
use crate::tds::error::SqlResult;

/// Statements kept prepared per connection.
const PREPARED: usize = 64;

/// A database.
#[derive(Debug)]
pub struct Database {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The login that made it.
    pub owner: String,
    path: PathBuf,
    /// The last values of identities and of the rowversion. They go up in memory and are written
    /// down with the statement that took them; what was rolled back is not given out again, as by
    /// SQL Server, and a crash can lose nothing that was committed.
    counters: Mutex<HashMap<String, i64>>,
}

impl Database {
    /// A database in the file `path`.
    pub fn new(id: i64, name: String, owner: String, path: PathBuf) -> Self {
        Self { id, name, owner, path, counters: Mutex::default() }
    }

    /// Opens a connection of a session's own.
    ///
    /// # Errors
    /// When the file can't be opened or made.
    pub fn connect(&self, context: &Arc<Context>) -> SqlResult<Connection> {
        let connection = Connection::open(&self.path)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        // A write-ahead log lets readers read what is committed while one writes. The file is on
        // the same machine: NORMAL loses nothing when the process dies, only when the power does.
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = OFF;
             PRAGMA trusted_schema = ON;",
        )?;
        functions::register(&connection, context)?;
        Ok(connection)
    }

    /// Makes the catalogue in a new file.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn prepare(&self, context: &Arc<Context>) -> SqlResult<()> {
        catalog::prepare(&self.connect(context)?)
    }

    /// Removes the file.
    pub fn remove(&self) {
        for suffix in ["", "-wal", "-shm"] {
            let mut path = self.path.clone().into_os_string();
            path.push(suffix);
            if let Err(error) = std::fs::remove_file(&path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(%error, ?path, "a dropped database's file stays");
            }
        }
    }

    /// The next value of a counter: `first` when it was never used, else `step` more than before.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn next(&self, connection: &Connection, name: &str, first: i64, step: i64) -> SqlResult<i64> {
        let last = self.last(connection, name)?;
        let next = last.map_or(first, |last| last.saturating_add(step));
        self.set(connection, name, next)?;
        Ok(next)
    }

    /// The last value of a counter.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn last(&self, connection: &Connection, name: &str) -> SqlResult<Option<i64>> {
        if let Some(last) = lock(&self.counters).get(name) {
            return Ok(Some(*last));
        }
        let mut statement = connection.prepare_cached("SELECT value FROM tds_counters WHERE name = ?1")?;
        Ok(statement.query_row([name], |row| row.get(0)).optional()?)
    }

    /// Sets a counter.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set(&self, connection: &Connection, name: &str, value: i64) -> SqlResult<()> {
        lock(&self.counters).insert(name.to_owned(), value);
        let mut statement =
            connection.prepare_cached("INSERT OR REPLACE INTO tds_counters (name, value) VALUES (?1, ?2)")?;
        statement.execute((name, value))?;
        Ok(())
    }

    /// Forgets a counter: its table is gone, or new.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn forget(&self, connection: &Connection, name: &str) -> SqlResult<()> {
        lock(&self.counters).remove(name);
        connection.execute("DELETE FROM tds_counters WHERE name = ?1", [name])?;
        Ok(())
    }
}
