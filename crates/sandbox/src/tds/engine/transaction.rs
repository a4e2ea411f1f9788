//! Transactions. SQLite's own is opened with the first write only, and until then every SELECT sees
//! what is committed; so a transaction that only reads holds nothing up, as under SQL Server's READ
//! COMMITTED with row versions.

use super::locks::{Mode, Resource};
use super::session::{Isolation, Session};
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::wire::tokens::Turn;

/// A session's transaction.
#[derive(Debug, Default)]
pub struct Transaction {
    /// @@TRANCOUNT
    pub count: u32,
    /// Its number on the wire; 0 for none.
    pub descriptor: u64,
    /// Whether SQLite's transaction is open.
    pub writing: bool,
    /// Whether it can only be rolled back (XACT_STATE() is -1).
    pub doomed: bool,
    /// The savepoints, in their order, with SQLite's name for each.
    savepoints: Vec<String>,
}

impl Transaction {
    /// Whether there is one.
    pub fn is_open(&self) -> bool {
        self.count > 0
    }
}

impl Session {
    /// BEGIN TRAN: a second one inside only counts.
    pub fn begin(&mut self) -> Option<Turn> {
        self.transaction.count += 1;
        if self.transaction.count > 1 {
            return None;
        }
        self.transaction.descriptor = self.server.unique();
        Some(Turn::Began(self.transaction.descriptor))
    }

    /// COMMIT: the outermost one counts.
    ///
    /// # Errors
    /// 3902 without a transaction, 3930 when it can only be rolled back, and what SQLite says.
    pub fn commit(&mut self) -> SqlResult<Option<Turn>> {
        match self.transaction.count {
            0 => Err(SqlError::new(
                3902,
                1,
                "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.",
            )),
            _ if self.transaction.doomed => Err(doomed()),
            1 => {
                if self.transaction.writing {
                    self.connection.execute_batch("COMMIT")?;
                }
                Ok(Some(Turn::Committed(self.end())))
            }
            _ => {
                self.transaction.count -= 1;
                Ok(None)
            }
        }
    }

    /// ROLLBACK: all of it, whatever the count.
    ///
    /// # Errors
    /// 3903 without a transaction.
    pub fn rollback(&mut self) -> SqlResult<Turn> {
        if !self.transaction.is_open() {
            return Err(SqlError::new(
                3903,
                1,
                "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.",
            ));
        }
        let descriptor = self.transaction.descriptor;
        self.abandon();
        Ok(Turn::RolledBack(descriptor))
    }

    /// Rolls back whatever is open.
    pub fn abandon(&mut self) {
        if self.transaction.writing
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            // SQLite rolls some failures back by itself; then there is nothing left to do.
            tracing::debug!(%error, session = self.id, "nothing to roll back");
        }
        self.end();
        self.catalog_version = None;
    }

    fn end(&mut self) -> u64 {
        let descriptor = self.transaction.descriptor;
        self.transaction = Transaction::default();
        self.server.locks.release_all(self.owner);
        descriptor
    }

    /// SAVE TRAN.
    ///
    /// # Errors
    /// 628 without a transaction, and those of a lock.
    pub fn save(&mut self, name: &str) -> SqlResult<()> {
        if !self.transaction.is_open() {
            return Err(SqlError::new(
                628,
                0,
                "Cannot issue SAVE TRANSACTION when there is no active transaction.",
            ));
        }
        if self.transaction.doomed {
            return Err(doomed());
        }
        self.start_writing()?;
        let at = self.transaction.savepoints.len();
        self.connection.execute_batch(&format!("SAVEPOINT user_{at}"))?;
        self.transaction.savepoints.push(name.to_lowercase());
        Ok(())
    }

    /// ROLLBACK TRAN to a savepoint, which stays.
    ///
    /// # Errors
    /// 6401 when there is none of that name.
    pub fn rollback_to(&mut self, name: &str) -> SqlResult<()> {
        let wanted = name.to_lowercase();
        let Some(at) = self.transaction.savepoints.iter().rposition(|saved| *saved == wanted) else {
            return Err(SqlError::new(
                6401,
                1,
                format!("Cannot roll back {name}. No transaction or savepoint of that name was found."),
            ));
        };
        if self.transaction.doomed {
            return Err(doomed());
        }
        self.connection.execute_batch(&format!("ROLLBACK TO user_{at}"))?;
        self.transaction.savepoints.truncate(at + 1);
        self.catalog_version = None;
        Ok(())
    }

    /// Whether there is a savepoint of that name; else ROLLBACK's name is the transaction's.
    pub fn is_savepoint(&self, name: &str) -> bool {
        self.transaction.savepoints.contains(&name.to_lowercase())
    }

    /// Takes the database's lock and opens SQLite's transaction, if that was not done yet.
    fn start_writing(&mut self) -> SqlResult<()> {
        if !self.transaction.writing {
            self.lock(Mode::Exclusive)?;
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
            self.transaction.writing = true;
        }
        Ok(())
    }

    /// Takes the database's lock.
    ///
    /// # Errors
    /// 1205, 1222.
    pub fn lock(&self, mode: Mode) -> SqlResult<()> {
        let resource = Resource::Database(self.database.id);
        let cancel = &self.cancel;
        self.server.locks.take(self.owner, &resource, mode, self.settings.lock_wait, || cancel.is_cancelled())
    }

    /// Takes the lock a read asks for: none but in a transaction that is to be repeatable.
    ///
    /// # Errors
    /// 1205, 1222.
    pub fn lock_for_read(&self, exclusive: bool, holds: bool) -> SqlResult<()> {
        if !self.transaction.is_open() {
            return Ok(());
        }
        if exclusive {
            self.lock(Mode::Exclusive)
        } else if holds || self.settings.isolation == Isolation::Serializable {
            self.lock(Mode::Shared)
        } else {
            Ok(())
        }
    }

    /// Runs something that writes: inside of the transaction if there is one, else in one of its
    /// own. When it fails nothing of it stays.
    ///
    /// # Errors
    /// 3930 when the transaction can only be rolled back, those of a lock, and `work`'s own.
    pub fn write<T>(&mut self, work: impl FnOnce(&mut Self) -> SqlResult<T>) -> SqlResult<T> {
        if self.transaction.doomed {
            return Err(doomed());
        }
        let alone = !self.transaction.is_open();
        if let Err(error) = self.start_writing() {
            if alone {
                self.server.locks.release(self.owner, &Resource::Database(self.database.id));
            }
            return Err(error);
        }
        // The catalogue may have changed while the lock was waited for.
        let result = self
            .refresh()
            .and_then(|()| Ok(self.connection.execute_batch("SAVEPOINT statement")?))
            .and_then(|()| work(self));
        let undo =
            if result.is_ok() { "RELEASE statement" } else { "ROLLBACK TO statement; RELEASE statement" };
        let mut ended = self.connection.execute_batch(undo).map_err(SqlError::from);
        if result.is_err() {
            self.catalog_version = None;
        }
        if alone {
            let end = if result.is_ok() && ended.is_ok() { "COMMIT" } else { "ROLLBACK" };
            ended = ended.and(self.connection.execute_batch(end).map_err(SqlError::from));
            if ended.is_err() {
                self.catalog_version = None;
            }
            self.transaction.writing = false;
            self.server.locks.release(self.owner, &Resource::Database(self.database.id));
        }
        let value = result?;
        ended.map(|()| value)
    }
}

/// 3930.
pub fn doomed() -> SqlError {
    SqlError::new(
        3930,
        1,
        "The current transaction cannot be committed and cannot support operations that write to the log file. Roll \
         back the transaction.",
    )
    .ends_batch()
}
