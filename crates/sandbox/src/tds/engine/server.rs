//! What all sessions share.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::database::Database;
use super::locks::Locks;
use super::logins::Logins;
use super::session::Asked;
use crate::context::{Context, lock};
use crate::tds::error::{SqlError, SqlResult};

/// The most databases.
pub const MOST_DATABASES: usize = 100;

/// The server behind the wire.
#[derive(Debug)]
pub struct Server {
    /// Clock, randomness, faults.
    pub context: Arc<Context>,
    /// Logins, and the list of databases.
    pub logins: Logins,
    /// Locks.
    pub locks: Locks,
    /// What was counted.
    pub counters: Counters,
    databases: Mutex<BTreeMap<String, Arc<Database>>>,
    numbers: AtomicU64,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

/// So many refused logins are remembered: the latest.
const MOST_REFUSED: usize = 10_000;

/// A login that was refused, as a server's error log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedLogin {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The error's number.
    pub number: i32,
    /// The login's name.
    pub login: String,
    /// The client's program.
    pub application: String,
    /// The client's host, as it calls itself.
    pub host: String,
}

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Logins that succeeded.
    pub logins: AtomicU64,
    /// Logins that failed.
    pub failed_logins: AtomicU64,
    /// Requests: batches, calls, transaction requests.
    pub requests: AtomicU64,
    /// The logins that were refused, oldest first.
    pub refused: Mutex<VecDeque<RefusedLogin>>,
}

impl Server {
    /// Opens, or makes, everything in the folder `tds` of the context.
    ///
    /// # Errors
    /// When it can't be read or made.
    pub fn open(context: Arc<Context>, admin_password: &str) -> io::Result<Self> {
        let folder = context.path("tds");
        std::fs::create_dir_all(&folder)?;
        let failed = |error: SqlError| io::Error::other(error.to_string());
        let logins =
            Logins::open(Arc::clone(&context), &folder.join("logins.db"), admin_password).map_err(failed)?;
        let server = Self {
            context,
            logins,
            locks: Locks::default(),
            counters: Counters::default(),
            databases: Mutex::default(),
            numbers: AtomicU64::new(0),
        };
        let known = server.logins.databases().map_err(failed)?;
        if known.is_empty() {
            server.create_database("master", "admin").map_err(failed)?;
        }
        for (id, name, owner, _) in known {
            server.open_database(id, name, owner).map_err(failed)?;
        }
        Ok(server)
    }

    /// A database by its name.
    pub fn database(&self, name: &str) -> Option<Arc<Database>> {
        lock(&self.databases).get(&name.to_lowercase()).cloned()
    }

    /// Makes a database.
    ///
    /// # Errors
    /// 1801 when there is one of that name.
    pub fn create_database(&self, name: &str, owner: &str) -> SqlResult<()> {
        if self.database(name).is_some() {
            return Err(SqlError::new(
                1801,
                3,
                format!("Database '{name}' already exists. Choose a different database name."),
            ));
        }
        if lock(&self.databases).len() >= MOST_DATABASES {
            return Err(SqlError::unknown(format!("more than {MOST_DATABASES} databases")));
        }
        let id = self.logins.add_database(name, owner)?;
        self.open_database(id, name.to_owned(), owner.to_lowercase())
    }

    fn open_database(&self, id: i64, name: String, owner: String) -> SqlResult<()> {
        let path = self.context.path("tds").join(format!("database-{id}.db"));
        let key = name.to_lowercase();
        let database = Database::new(id, name, owner, path);
        database.prepare(&self.context)?;
        lock(&self.databases).insert(key, Arc::new(database));
        Ok(())
    }

    /// Drops a database nobody is in.
    ///
    /// # Errors
    /// 3701 when there is none, 3702 when somebody is in it, 3708 for master.
    pub fn drop_database(&self, name: &str) -> SqlResult<()> {
        let mut databases = lock(&self.databases);
        let Some(database) = databases.get(&name.to_lowercase()) else {
            return Err(SqlError::new(
                3701,
                1,
                format!(
                    "Cannot drop the database '{name}', because it does not exist or you do not have permission."
                ),
            )
            .class(11));
        };
        if name.eq_ignore_ascii_case("master") {
            return Err(SqlError::new(
                3708,
                3,
                "Cannot drop the database 'master' because it is a system database.",
            ));
        }
        // The map holds one reference, every session in it one more.
        if Arc::strong_count(database) > 1 {
            return Err(SqlError::new(
                3702,
                3,
                format!("Cannot drop database \"{name}\" because it is currently in use."),
            ));
        }
        self.logins.remove_database(database.id)?;
        database.remove();
        databases.remove(&name.to_lowercase());
        Ok(())
    }

    /// Remembers a login that was refused with this error.
    pub fn note_refusal(&self, asked: &Asked<'_>, number: i32) {
        let mut refused = lock(&self.counters.refused);
        if refused.len() == MOST_REFUSED {
            refused.pop_front();
        }
        refused.push_back(RefusedLogin {
            at_ms: self.context.now_ms(),
            number,
            login: asked.login.to_owned(),
            application: asked.application.to_owned(),
            host: asked.host.to_owned(),
        });
    }

    /// A number that was never given out before, for a new session or transaction; never zero.
    pub fn unique(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }
}
