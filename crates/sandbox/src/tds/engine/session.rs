//! One connection's session: who it is, where it is, its settings, and its transaction.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::catalog::{self, Catalog};
use super::database::Database;
use super::locks::{DEFAULT_WAIT, Owner};
use super::logins::{Login, Refused};
use super::server::Server;
use super::transaction::Transaction;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::value::moment::Moment;
use crate::tds::value::{SqlType, Value};

/// How often a statement looks whether it was cancelled, in SQLite's steps.
const STEPS: i32 = 2_000;

/// The client's wish to give a request up.
#[derive(Debug, Default)]
pub struct Cancel {
    wanted: AtomicBool,
}

impl Cancel {
    /// Gives the request up.
    pub fn cancel(&self) {
        self.wanted.store(true, Ordering::SeqCst);
    }

    /// Begins a new request.
    pub fn reset(&self) {
        self.wanted.store(false, Ordering::SeqCst);
    }

    /// Whether the request was given up.
    pub fn is_cancelled(&self) -> bool {
        self.wanted.load(Ordering::SeqCst)
    }

    /// Waits, and looks meanwhile.
    ///
    /// # Errors
    /// When the request was given up.
    pub fn sleep(&self, time: Duration) -> SqlResult<()> {
        let end = Instant::now() + time;
        loop {
            if self.is_cancelled() {
                return Err(SqlError::cancelled());
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(Duration::from_millis(10)));
        }
    }
}

/// The isolation levels there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// READ COMMITTED: every statement sees what was committed when it began, and READ UNCOMMITTED
    /// sees no more.
    Committed,
    /// REPEATABLE READ and SERIALIZABLE: reads lock until the transaction ends.
    Serializable,
}

/// What SET has set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// SET NOCOUNT
    pub no_count: bool,
    /// SET XACT_ABORT
    pub xact_abort: bool,
    /// SET LOCK_TIMEOUT
    pub lock_wait: Duration,
    /// SET TRANSACTION ISOLATION LEVEL
    pub isolation: Isolation,
    /// SET IDENTITY_INSERT: the number of the table
    pub identity_insert: Option<i64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            no_count: false,
            xact_abort: false,
            lock_wait: DEFAULT_WAIT,
            isolation: Isolation::Committed,
            identity_insert: None,
        }
    }
}

/// The variables of a batch.
#[derive(Debug, Default)]
pub struct Frame {
    /// By name in lower case, with the @: type and value.
    pub variables: HashMap<String, (SqlType, Value)>,
}

/// A statement prepared by `sp_prepare` or `sp_prepexec`.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The declarations of its parameters.
    pub declarations: String,
    /// Its text.
    pub text: String,
}

/// A session.
pub struct Session {
    /// What all sessions share.
    pub server: Arc<Server>,
    /// The session's number, @@SPID.
    pub id: u16,
    /// Who it is to the locks.
    pub owner: Owner,
    /// The name of its login.
    pub login: String,
    /// The login as it was when it was last looked at, and the version of the logins then.
    remembered: RefCell<Option<(u64, Login)>>,
    /// The client's host.
    pub host: String,
    /// The client's program.
    pub application: String,
    /// The database it is in.
    pub database: Arc<Database>,
    /// Its connection to the file.
    pub connection: Connection,
    /// The catalogue as of the last look.
    pub catalog: Arc<Catalog>,
    /// The version of it; `None` to load it again.
    pub catalog_version: Option<i64>,
    /// What SET has set.
    pub settings: Settings,
    /// Its transaction.
    pub transaction: Transaction,
    /// @@ROWCOUNT
    pub row_count: i64,
    /// @@ERROR
    pub last_error: i32,
    /// SCOPE_IDENTITY() and @@IDENTITY
    pub identity: Option<i64>,
    /// The error a CATCH is about, and its line.
    pub caught: Vec<(SqlError, u32)>,
    /// What sp_prepare has prepared.
    pub prepared: HashMap<i32, Prepared>,
    /// The handle given out last.
    pub last_handle: i32,
    /// How deep EXEC is nested.
    pub depth: usize,
    /// Whether a TRY is around the present statement.
    pub catching: bool,
    /// The client's wish to give up.
    pub cancel: Arc<Cancel>,
    /// The present statement's time, read once for all of it.
    pub now: Moment,
}

/// What a login asks for.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The login's name.
    pub login: &'a str,
    /// Its password.
    pub password: &'a str,
    /// The database; empty for the login's own.
    pub database: &'a str,
    /// The client's host.
    pub host: &'a str,
    /// The client's program.
    pub application: &'a str,
}

impl Session {
    /// Logs in.
    ///
    /// # Errors
    /// 18456 and its kin, and 4060 with an 18456 behind it. The true reason goes to the log.
    pub fn log_in(
        server: &Arc<Server>,
        id: u16,
        asked: &Asked<'_>,
        cancel: &Arc<Cancel>,
    ) -> Result<Self, Vec<SqlError>> {
        let one = |error| vec![error];
        let login = match server.logins.check(asked.login, asked.password).map_err(one)? {
            Ok(login) => login,
            Err(reason) => {
                tracing::warn!(login = asked.login, ?reason, session = id, "login failed");
                return Err(one(refusal(asked.login, &reason)));
            }
        };
        let wanted = if asked.database.is_empty() { &login.default_database } else { asked.database };
        let opened = server.database(wanted).and_then(|database| {
            let connection = database.connect(&server.context).ok()?;
            let (version, catalog) = catalog::load(&connection).ok()?;
            may_enter(&login, &database, &catalog).then_some((database, connection, version, catalog))
        });
        let Some((database, connection, version, catalog)) = opened else {
            tracing::warn!(
                login = asked.login,
                database = wanted,
                session = id,
                "login failed: no such database for it"
            );
            let text = format!("Cannot open database \"{wanted}\" requested by the login. The login failed.");
            let error = SqlError::new(4060, 1, text).class(11).ends_connection();
            return Err(vec![error, SqlError::login_failed(asked.login)]);
        };
        let session = Self {
            server: Arc::clone(server),
            id,
            owner: (server.unique(), id),
            login: login.name,
            remembered: RefCell::new(None),
            host: asked.host.to_owned(),
            application: asked.application.to_owned(),
            database,
            connection,
            catalog: Arc::new(catalog),
            catalog_version: Some(version),
            settings: Settings::default(),
            transaction: Transaction::default(),
            row_count: 0,
            last_error: 0,
            identity: None,
            caught: Vec::new(),
            prepared: HashMap::new(),
            last_handle: 0,
            depth: 0,
            catching: false,
            cancel: Arc::clone(cancel),
            now: Moment::of(server.context.now()),
        };
        session.watch();
        Ok(session)
    }

    /// Lets SQLite look now and then whether the client gave up.
    fn watch(&self) {
        let cancel = Arc::clone(&self.cancel);
        self.connection.progress_handler(STEPS, Some(move || cancel.is_cancelled()));
    }

    /// Reads the clock and the catalogue for a new statement.
    ///
    /// # Errors
    /// When the catalogue can't be read.
    pub fn refresh(&mut self) -> SqlResult<()> {
        self.now = Moment::of(self.server.context.now());
        let version = catalog::version(&self.connection)?;
        if self.catalog_version != Some(version) {
            let (version, catalog) = catalog::load(&self.connection)?;
            self.catalog = Arc::new(catalog);
            self.catalog_version = Some(version);
        }
        Ok(())
    }

    /// Whether the login gets into a database; `None` where there is none of that name.
    ///
    /// # Errors
    /// When the login was dropped meanwhile, or the database can't be opened.
    pub fn has_access(&self, name: &str) -> SqlResult<Option<bool>> {
        let Some(database) = self.server.database(name) else { return Ok(None) };
        let (_, catalog) = catalog::load(&database.connect(&self.server.context)?)?;
        Ok(Some(may_enter(&self.rights()?, &database, &catalog)))
    }

    /// Goes into another database.
    ///
    /// # Errors
    /// 911 when there is none, 916 when the login has no user in it, 226 inside of a transaction
    /// (which is on one file here).
    pub fn enter(&mut self, name: &str) -> SqlResult<()> {
        let Some(database) = self.server.database(name) else {
            return Err(SqlError::new(
                911,
                1,
                format!("Database '{name}' does not exist. Make sure that the name is entered correctly."),
            )
            .ends_batch());
        };
        if database.id == self.database.id {
            return Ok(());
        }
        if self.transaction.is_open() {
            return Err(SqlError::unknown("a change of the database inside of a transaction"));
        }
        let connection = database.connect(&self.server.context)?;
        let (version, catalog) = catalog::load(&connection)?;
        if !may_enter(&self.rights()?, &database, &catalog) {
            let text = format!(
                "The server principal \"{}\" is not able to access the database \"{}\" under the current security \
                 context.",
                self.login, database.name
            );
            return Err(SqlError::new(916, 2, text).class(14).ends_batch());
        }
        (self.database, self.connection) = (database, connection);
        (self.catalog, self.catalog_version) = (Arc::new(catalog), Some(version));
        self.watch();
        Ok(())
    }

    /// The login as it is now.
    ///
    /// # Errors
    /// 18456 when it was dropped meanwhile.
    pub fn rights(&self) -> SqlResult<Login> {
        let version = self.server.logins.version();
        if let Some((known, login)) = &*self.remembered.borrow()
            && *known == version
        {
            return Ok(login.clone());
        }
        let found = self.server.logins.find(&self.login)?;
        let login = found.ok_or_else(|| SqlError::login_failed(&self.login))?;
        *self.remembered.borrow_mut() = Some((version, login.clone()));
        Ok(login)
    }

    /// Puts everything back to how it was after the login, for a client that keeps its connections
    /// in a pool. The database stays, as clients expect it to.
    pub fn reset(&mut self) {
        self.abandon();
        self.settings = Settings::default();
        (self.row_count, self.last_error, self.identity) = (0, 0, None);
        self.caught.clear();
        self.prepared.clear();
    }

    /// Whether the client gave up.
    ///
    /// # Errors
    /// When it did.
    pub fn check_cancelled(&self) -> SqlResult<()> {
        if self.cancel.is_cancelled() { Err(SqlError::cancelled()) } else { Ok(()) }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.abandon();
    }
}

/// Whether a login may go into a database.
fn may_enter(login: &Login, database: &Database, catalog: &Catalog) -> bool {
    let key = login.name.to_lowercase();
    login.is_sysadmin()
        || database.owner == key
        || catalog.users.values().any(|user| user.login == key)
        // master has a guest.
        || database.name == "master"
}

fn refusal(login: &str, reason: &Refused) -> SqlError {
    let error = |number, text: String| SqlError::new(number, 1, text).class(14).ends_connection();
    match reason {
        Refused::Unknown | Refused::Password => SqlError::login_failed(login),
        Refused::Disabled => {
            error(18470, format!("Login failed for user '{login}'. Reason: The account is disabled."))
        }
        Refused::MustChange => {
            let text = format!(
                "Login failed for user '{login}'.  Reason: The password of the account must be changed."
            );
            error(18488, text)
        }
        Refused::Locked => error(
            18486,
            format!(
                "Login failed for user '{login}' because the account is currently locked out. The system \
                 administrator can unlock it."
            ),
        ),
    }
}

/// The most statements `sp_prepare` keeps per session.
pub const MOST_PREPARED: usize = 1_000;
