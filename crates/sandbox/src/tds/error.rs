//! What a statement can fail with: SQL Server's number, state and class, its wording, and how far
//! the failure reaches. The numbers and texts are those of `sys.messages`; what this server does
//! not know at all is refused with a number of its own, [`UNKNOWN`].

use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of "the local TDS server does not know this". It is above 50,000, where SQL Server's
/// own messages end, so that nobody takes it for one of them.
pub const UNKNOWN: i32 = 50_404;

/// A marker in front of an error that travels through SQLite as text.
const CARRIED: char = '\u{1}';

/// How far a failure reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reach {
    /// The statement is undone, the batch goes on.
    Statement,
    /// The batch ends; an open transaction stays open.
    Batch,
    /// The batch ends and the transaction is rolled back.
    Transaction,
    /// The connection ends.
    Connection,
}

/// An error as the client gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqlError {
    /// The message's number.
    pub number: i32,
    /// Its state.
    pub state: u8,
    /// Its class (severity).
    pub class: u8,
    /// Its text.
    pub message: String,
    /// How far it reaches.
    pub reach: Reach,
}

/// What everything here that can fail returns.
pub type SqlResult<T> = Result<T, SqlError>;

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Msg {}, Level {}, State {}: {}", self.number, self.class, self.state, self.message)
    }
}

impl std::error::Error for SqlError {}

impl SqlError {
    /// An error of class 16 that ends its statement only.
    pub fn new(number: i32, state: u8, message: impl Into<String>) -> Self {
        Self { number, state, class: 16, message: message.into(), reach: Reach::Statement }
    }

    /// The same with another class.
    pub fn class(mut self, class: u8) -> Self {
        self.class = class;
        self
    }

    /// The same, ending the batch.
    pub fn ends_batch(mut self) -> Self {
        self.reach = Reach::Batch;
        self
    }

    /// The same, ending the batch and rolling the transaction back.
    pub fn ends_transaction(mut self) -> Self {
        self.reach = Reach::Transaction;
        self
    }

    /// The same, ending the connection.
    pub fn ends_connection(mut self) -> Self {
        self.reach = Reach::Connection;
        self
    }

    /// What this server does not know; `what` names the construct.
    pub fn unknown(what: impl fmt::Display) -> Self {
        Self::new(UNKNOWN, 1, format!("The local TDS server does not know {what}.")).ends_batch()
    }

    /// A failure of this server itself, which no statement should be able to cause.
    pub fn internal(what: impl fmt::Display) -> Self {
        Self::new(50_500, 1, format!("The local TDS server failed: {what}.")).class(20).ends_transaction()
    }

    /// 102.
    pub fn syntax(near: impl fmt::Display) -> Self {
        Self::new(102, 1, format!("Incorrect syntax near '{near}'.")).class(15).ends_batch()
    }

    /// 156.
    pub fn syntax_keyword(near: impl fmt::Display) -> Self {
        Self::new(156, 1, format!("Incorrect syntax near the keyword '{near}'.")).class(15).ends_batch()
    }

    /// 208.
    pub fn no_object(name: impl fmt::Display) -> Self {
        Self::new(208, 1, format!("Invalid object name '{name}'.")).ends_batch()
    }

    /// 207.
    pub fn no_column(name: impl fmt::Display) -> Self {
        Self::new(207, 1, format!("Invalid column name '{name}'.")).ends_batch()
    }

    /// 206.
    pub fn type_clash(left: impl fmt::Display, right: impl fmt::Display) -> Self {
        Self::new(206, 2, format!("Operand type clash: {left} is incompatible with {right}")).ends_batch()
    }

    /// 8115.
    pub fn overflow(to: impl fmt::Display) -> Self {
        Self::new(8115, 2, format!("Arithmetic overflow error converting expression to data type {to}."))
    }

    /// 8134.
    pub fn division_by_zero() -> Self {
        Self::new(8134, 1, "Divide by zero error encountered.")
    }

    /// 1205.
    pub fn deadlock(session: u16) -> Self {
        Self::new(
            1205,
            51,
            format!(
                "Transaction (Process ID {session}) was deadlocked on lock resources with another process \
                 and has been chosen as the deadlock victim. Rerun the transaction."
            ),
        )
        .class(13)
        .ends_transaction()
    }

    /// 1222.
    pub fn lock_timeout() -> Self {
        Self::new(1222, 51, "Lock request time out period exceeded.")
    }

    /// 18456. State 1 whatever the reason: the true one is for the log only.
    pub fn login_failed(login: &str) -> Self {
        Self::new(18456, 1, format!("Login failed for user '{login}'.")).class(14).ends_connection()
    }

    /// 229.
    pub fn no_right(right: &str, object: &str, database: &str, schema: &str) -> Self {
        Self::new(
            229,
            5,
            format!(
                "The {right} permission was denied on the object '{object}', database '{database}', schema \
                 '{schema}'."
            ),
        )
        .class(14)
        .ends_batch()
    }

    /// 15151.
    pub fn cannot(verb: &str, kind: &str, name: &str) -> Self {
        Self::new(
            15151,
            1,
            format!(
                "Cannot {verb} the {kind} '{name}', because it does not exist or you do not have permission."
            ),
        )
    }

    /// 15247.
    pub fn no_permission() -> Self {
        Self::new(15247, 1, "User does not have permission to perform this action.")
    }

    /// The client's attention; never sent, it only unwinds.
    pub fn cancelled() -> Self {
        Self::new(0, 0, "cancelled").class(11).ends_batch()
    }

    /// Whether this is what an attention unwinds with.
    pub fn is_cancelled(&self) -> bool {
        self.number == 0 && self.message == "cancelled"
    }

    /// As an error of a function that SQLite calls.
    pub fn carried(self) -> rusqlite::Error {
        let text = serde_json::to_string(&self).unwrap_or_default();
        rusqlite::Error::UserFunctionError(format!("{CARRIED}{text}").into())
    }
}

impl From<rusqlite::Error> for SqlError {
    fn from(error: rusqlite::Error) -> Self {
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) {
            return Self::cancelled();
        }
        let text = match &error {
            rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
            other => other.to_string(),
        };
        if let Some(carried) = text.split_once(CARRIED).map(|(_, after)| after)
            && let Ok(error) = serde_json::from_str(carried)
        {
            return error;
        }
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                Self::lock_timeout()
            }
            Some(rusqlite::ErrorCode::TooBig) => {
                Self::new(8152, 10, "String or binary data would be truncated.")
            }
            _ => Self::internal(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_the_way_through_sqlite() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection
            .create_scalar_function("fails", 0, rusqlite::functions::FunctionFlags::SQLITE_UTF8, |_| {
                Err::<i64, _>(SqlError::division_by_zero().carried())
            })
            .unwrap();
        let error = connection.query_row("SELECT fails()", [], |row| row.get::<_, i64>(0)).unwrap_err();
        assert_eq!(SqlError::from(error), SqlError::division_by_zero());
    }
}
