//! The server's own principals: logins with their hashed passwords, server roles and server rights,
//! and the list of databases. They are in a SQLite file of their own, and every change is in force,
//! and in the file, when its statement ends.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::pbkdf2;
use chrono::TimeDelta;
use rusqlite::{Connection, OptionalExtension, params};

use crate::context::{Context, lock};
use crate::tds::error::{SqlError, SqlResult};

/// Rounds of PBKDF2-HMAC-SHA256. A login is to cost milliseconds here, not the tenth of a second
/// that a password in the open would be worth: these are made up, and never leave the machine.
const ROUNDS: NonZeroU32 = NonZeroU32::new(10_000).unwrap();
/// The shortest password, as in Windows' recommended policy.
const SHORTEST_PASSWORD: usize = 8;
/// The longest, as by SQL Server.
const LONGEST_PASSWORD: usize = 128;
/// After so many wrong passwords in a row a login is locked for [`LOCKED_FOR`], as in Windows'
/// recommended policy.
const TRIES: i64 = 10;
/// How long a lock lasts.
const LOCKED_FOR: TimeDelta = TimeDelta::minutes(15);

/// A login.
#[derive(Debug, Clone)]
pub struct Login {
    /// Its number.
    pub id: i64,
    /// Its name, as it was written.
    pub name: String,
    /// Whether it is disabled.
    pub disabled: bool,
    /// Whether its owner must change the password first.
    pub must_change: bool,
    /// The database it begins in.
    pub default_database: String,
    /// Whether its passwords must keep to the policy.
    pub policy: bool,
    /// When it was made, and when its password was set, in milliseconds since 1970.
    pub created: i64,
    /// When its password was set, in milliseconds since 1970.
    pub password_set: i64,
    /// Its server roles, in lower case.
    pub roles: Vec<String>,
    /// The server rights granted to it.
    pub granted: Vec<String>,
    /// The server rights denied to it.
    pub denied: Vec<String>,
}

impl Login {
    /// Whether it may do everything.
    pub fn is_sysadmin(&self) -> bool {
        self.has_role("sysadmin")
    }

    /// Whether it is a member of a server role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }

    /// Whether it has a server right.
    pub fn may(&self, right: &str) -> bool {
        if self.is_sysadmin() {
            return true;
        }
        let has = |rights: &[String]| rights.iter().any(|held| held == right);
        let by_role = match right {
            "ALTER ANY LOGIN" => self.has_role("securityadmin"),
            "CREATE ANY DATABASE" => self.has_role("dbcreator"),
            _ => false,
        };
        !has(&self.denied)
            && (by_role || has(&self.granted) || self.granted.iter().any(|r| r == "CONTROL SERVER"))
    }
}

/// Why a login was refused; the client is told less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// There is none of that name
    Unknown,
    /// The password is wrong
    Password,
    /// It is disabled
    Disabled,
    /// It is locked
    Locked,
    /// Its owner must change the password first
    MustChange,
}

/// All logins.
pub struct Logins {
    context: Arc<Context>,
    connection: Mutex<Connection>,
    changes: AtomicU64,
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logins").finish_non_exhaustive()
    }
}

impl Logins {
    /// Opens the file, or makes it with the login `admin` of the role sysadmin.
    ///
    /// # Errors
    /// When the file can't be opened or made.
    pub fn open(context: Arc<Context>, path: &Path, admin_password: &str) -> SqlResult<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
             CREATE TABLE IF NOT EXISTS logins (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE,
               name TEXT NOT NULL, salt BLOB NOT NULL, hash BLOB NOT NULL, disabled INTEGER NOT NULL,
               default_database TEXT NOT NULL, policy INTEGER NOT NULL, failures INTEGER NOT NULL,
               locked_until INTEGER NOT NULL, created INTEGER NOT NULL, password_set INTEGER NOT NULL) STRICT;
             CREATE TABLE IF NOT EXISTS roles (login INTEGER NOT NULL REFERENCES logins (id) ON DELETE CASCADE,
               role TEXT NOT NULL, PRIMARY KEY (login, role)) STRICT;
             CREATE TABLE IF NOT EXISTS rights (login INTEGER NOT NULL REFERENCES logins (id) ON DELETE CASCADE,
               name TEXT NOT NULL, denied INTEGER NOT NULL, PRIMARY KEY (login, name)) STRICT;
             CREATE TABLE IF NOT EXISTS databases (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE,
               name TEXT NOT NULL, owner TEXT NOT NULL, created INTEGER NOT NULL) STRICT;",
        )?;
        // Joined the table later. Without it this is an older file.
        if connection.prepare("SELECT must_change FROM logins").is_err() {
            connection
                .execute_batch("ALTER TABLE logins ADD COLUMN must_change INTEGER NOT NULL DEFAULT 0")?;
        }
        let logins = Self { context, connection: Mutex::new(connection), changes: AtomicU64::new(0) };
        // Without a database this is the first start, or one that was cut off: the login is made whole.
        if logins.databases()?.is_empty() {
            match logins.find("admin")? {
                Some(_) => logins.set_password("admin", admin_password, false)?,
                None => logins.create("admin", admin_password, "master", false)?,
            }
            logins.set_role("admin", "sysadmin", true)?;
        }
        Ok(logins)
    }

    /// A number that changes with every change of a login, its roles or its rights.
    pub fn version(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// The connection, to change something: whoever remembers a login looks again afterwards.
    fn changing(&self) -> Changing<'_> {
        Changing { connection: lock(&self.connection), changes: &self.changes }
    }

    /// A login by its name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn find(&self, name: &str) -> SqlResult<Option<Login>> {
        let connection = lock(&self.connection);
        let mut statement = connection.prepare_cached(
            "SELECT id, name, disabled, default_database, policy, created, password_set, must_change FROM logins WHERE key = ?1",
        )?;
        let login = statement
            .query_row([name.to_lowercase()], |row| {
                Ok(Login {
                    id: row.get(0)?,
                    name: row.get(1)?,
                    disabled: row.get(2)?,
                    default_database: row.get(3)?,
                    policy: row.get(4)?,
                    created: row.get(5)?,
                    password_set: row.get(6)?,
                    must_change: row.get(7)?,
                    roles: Vec::new(),
                    granted: Vec::new(),
                    denied: Vec::new(),
                })
            })
            .optional()?;
        let Some(mut login) = login else { return Ok(None) };
        let texts = |sql: &str| -> SqlResult<Vec<String>> {
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([login.id], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        let roles = texts("SELECT role FROM roles WHERE login = ?1 ORDER BY role")?;
        let granted = texts("SELECT name FROM rights WHERE login = ?1 AND denied = 0 ORDER BY name")?;
        let denied = texts("SELECT name FROM rights WHERE login = ?1 AND denied = 1 ORDER BY name")?;
        (login.roles, login.granted, login.denied) = (roles, granted, denied);
        Ok(Some(login))
    }

    /// All logins, in the order in which they were made.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn all(&self) -> SqlResult<Vec<Login>> {
        let names: Vec<String> = {
            let connection = lock(&self.connection);
            let mut statement = connection.prepare_cached("SELECT name FROM logins ORDER BY id")?;
            statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
        };
        let logins: SqlResult<Vec<Option<Login>>> = names.iter().map(|name| self.find(name)).collect();
        Ok(logins?.into_iter().flatten().collect())
    }

    /// Checks a password. It takes as long for a login that is not there.
    ///
    /// # Errors
    /// The inner one says why the login is refused; the outer is what SQLite says.
    pub fn check(&self, name: &str, password: &str) -> SqlResult<Result<Login, Refused>> {
        let key = name.to_lowercase();
        let kept: Option<(Vec<u8>, Vec<u8>, i64, bool)> = {
            let connection = lock(&self.connection);
            let mut statement = connection
                .prepare_cached("SELECT salt, hash, locked_until, policy FROM logins WHERE key = ?1")?;
            statement
                .query_row([&key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
                .optional()?
        };
        let Some((salt, hash, locked_until, policy)) = kept else {
            let _ = verify(&[0; 16], &[0; 32], password);
            return Ok(Err(Refused::Unknown));
        };
        let right = verify(&salt, &hash, password);
        let now = self.context.now_ms();
        if locked_until > now {
            return Ok(Err(Refused::Locked));
        }
        if !right {
            if policy {
                self.count_failure(&key, now)?;
            }
            return Ok(Err(Refused::Password));
        }
        lock(&self.connection)
            .execute("UPDATE logins SET failures = 0 WHERE key = ?1 AND failures > 0", [&key])?;
        match self.find(name)? {
            Some(login) if login.disabled => Ok(Err(Refused::Disabled)),
            Some(login) if login.must_change => Ok(Err(Refused::MustChange)),
            Some(login) => Ok(Ok(login)),
            None => Ok(Err(Refused::Unknown)),
        }
    }

    fn count_failure(&self, key: &str, now: i64) -> SqlResult<()> {
        let until = now + LOCKED_FOR.num_milliseconds();
        lock(&self.connection).execute(
            "UPDATE logins SET locked_until = CASE WHEN failures + 1 >= ?2 THEN ?3 ELSE locked_until END,
               failures = CASE WHEN failures + 1 >= ?2 THEN 0 ELSE failures + 1 END WHERE key = ?1",
            params![key, TRIES, until],
        )?;
        Ok(())
    }

    /// Makes a login.
    ///
    /// # Errors
    /// 15025 when there is one of that name, and those of the password policy.
    pub fn create(&self, name: &str, password: &str, database: &str, policy: bool) -> SqlResult<()> {
        if self.find(name)?.is_some() {
            return Err(SqlError::new(15025, 1, format!("The server principal '{name}' already exists.")));
        }
        check_password(name, password, policy)?;
        let (salt, hash) = self.hash(password);
        let now = self.context.now_ms();
        self.changing().execute(
            "INSERT INTO logins (key, name, salt, hash, disabled, default_database, policy, failures, locked_until,
               created, password_set) VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, 0, 0, ?7, ?7)",
            params![name.to_lowercase(), name, salt, hash, database, policy, now],
        )?;
        Ok(())
    }

    /// Gives a login another password. It is in force for the next login; who is in stays in.
    ///
    /// # Errors
    /// Those of the password policy.
    pub fn set_password(&self, name: &str, password: &str, policy: bool) -> SqlResult<()> {
        check_password(name, password, policy)?;
        let (salt, hash) = self.hash(password);
        self.changing().execute(
            "UPDATE logins SET salt = ?2, hash = ?3, password_set = ?4, must_change = 0 WHERE key = ?1",
            params![name.to_lowercase(), salt, hash, self.context.now_ms()],
        )?;
        Ok(())
    }

    /// Enables or disables a login.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_disabled(&self, name: &str, disabled: bool) -> SqlResult<()> {
        self.update("UPDATE logins SET disabled = ?2 WHERE key = ?1", name, i64::from(disabled))
    }

    /// Takes the lock off a login.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn unlock(&self, name: &str) -> SqlResult<()> {
        self.update("UPDATE logins SET failures = 0, locked_until = ?2 WHERE key = ?1", name, 0)
    }

    /// Has the owner of a login change its password before anything else.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_must_change(&self, name: &str) -> SqlResult<()> {
        self.update("UPDATE logins SET must_change = ?2 WHERE key = ?1", name, 1)
    }

    /// Switches the policy for a login's passwords.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_policy(&self, name: &str, policy: bool) -> SqlResult<()> {
        self.update("UPDATE logins SET policy = ?2 WHERE key = ?1", name, i64::from(policy))
    }

    /// Sets the database a login begins in.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_default_database(&self, name: &str, database: &str) -> SqlResult<()> {
        self.changing().execute(
            "UPDATE logins SET default_database = ?2 WHERE key = ?1",
            params![name.to_lowercase(), database],
        )?;
        Ok(())
    }

    fn update(&self, sql: &str, name: &str, value: i64) -> SqlResult<()> {
        self.changing().execute(sql, params![name.to_lowercase(), value])?;
        Ok(())
    }

    /// Removes a login.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn drop(&self, name: &str) -> SqlResult<()> {
        self.changing().execute("DELETE FROM logins WHERE key = ?1", [name.to_lowercase()])?;
        Ok(())
    }

    /// Puts a login into a server role, or takes it out.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_role(&self, name: &str, role: &str, member: bool) -> SqlResult<()> {
        let sql = if member {
            "INSERT OR IGNORE INTO roles SELECT id, ?2 FROM logins WHERE key = ?1"
        } else {
            "DELETE FROM roles WHERE role = ?2 AND login = (SELECT id FROM logins WHERE key = ?1)"
        };
        self.changing().execute(sql, params![name.to_lowercase(), role.to_lowercase()])?;
        Ok(())
    }

    /// Grants (`Some(false)`), denies (`Some(true)`) or takes back a server right.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_right(&self, name: &str, right: &str, denied: Option<bool>) -> SqlResult<()> {
        let connection = self.changing();
        let key = name.to_lowercase();
        match denied {
            Some(denied) => connection.execute(
                "INSERT OR REPLACE INTO rights SELECT id, ?2, ?3 FROM logins WHERE key = ?1",
                params![key, right, denied],
            )?,
            None => connection.execute(
                "DELETE FROM rights WHERE name = ?2 AND login = (SELECT id FROM logins WHERE key = ?1)",
                params![key, right],
            )?,
        };
        Ok(())
    }

    /// The databases: number, name, owner, and when it was made, in milliseconds since 1970.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn databases(&self) -> SqlResult<Vec<(i64, String, String, i64)>> {
        let connection = lock(&self.connection);
        let mut statement =
            connection.prepare_cached("SELECT id, name, owner, created FROM databases ORDER BY id")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Writes a new database down and returns its number.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn add_database(&self, name: &str, owner: &str) -> SqlResult<i64> {
        let connection = lock(&self.connection);
        connection.execute(
            "INSERT INTO databases (key, name, owner, created) VALUES (?1, ?2, ?3, ?4)",
            params![name.to_lowercase(), name, owner.to_lowercase(), self.context.now_ms()],
        )?;
        Ok(connection.last_insert_rowid())
    }

    /// Takes a database off the list.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn remove_database(&self, id: i64) -> SqlResult<()> {
        lock(&self.connection).execute("DELETE FROM databases WHERE id = ?1", [id])?;
        Ok(())
    }

    fn hash(&self, password: &str) -> (Vec<u8>, Vec<u8>) {
        let salt: [u8; 16] = self.context.random.bytes();
        let mut hash = [0; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, &salt, password.as_bytes(), &mut hash);
        (salt.to_vec(), hash.to_vec())
    }
}

/// The connection while something is changed; the number goes up when the change is in.
struct Changing<'a> {
    connection: MutexGuard<'a, Connection>,
    changes: &'a AtomicU64,
}

impl std::ops::Deref for Changing<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }
}

/// In a time that does not tell how much of the hash was right.
fn verify(salt: &[u8], hash: &[u8], password: &str) -> bool {
    pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt, password.as_bytes(), hash).is_ok()
}

fn check_password(name: &str, password: &str, policy: bool) -> SqlResult<()> {
    let refused = |number, why| {
        let text =
            format!("Password validation failed. The password does not meet the requirements: it is {why}.");
        Err(SqlError::new(number, 1, text))
    };
    let length = password.chars().count();
    if length > LONGEST_PASSWORD {
        return refused(15117, "too long");
    }
    if !policy {
        return Ok(());
    }
    if length < SHORTEST_PASSWORD {
        return refused(15116, "too short");
    }
    if password.to_lowercase().contains(&name.to_lowercase()) {
        return refused(15118, "not complex enough, because it contains the login's name");
    }
    Ok(())
}
