//! What can go wrong between a request and the database: a reason for people outside, a context for
//! the log inside.

use std::time::Duration;

use tiberius::error::IoErrorKind;

use crate::report::Cause;
use crate::secret::SecretError;

/// When a client may come back if nothing better is known.
const SOON: Duration = Duration::from_secs(2);

/// How often a victim of deadlocks is sent in all: two that met once rarely meet again.
const MOST_DEADLOCKS: u32 = 3;

/// Whether a statement may be sent a second time when it is not known what became of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// It changes nothing, or comes to the same when it is made twice.
    Harmless,
    /// It must not happen twice: only where it certainly did not happen.
    OnlyUnsent,
}

/// Why there is no answer from the database.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// There is no secret to log in with.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// No connection came about: no address, no TCP, no TLS, or no answer before the login.
    #[error("the database was not reached: {0}")]
    Unreachable(String),
    /// The server refused the login.
    #[error("login refused with {number}, state {state}: {message}")]
    Refused {
        /// SQL Server's error number.
        number: u32,
        /// The error's state; for 18456 always 1, the true one is in the server's own log.
        state: u8,
        /// The server's words.
        message: String,
        /// When the client may come back.
        retry_after: Duration,
    },
    /// No login was tried, because too many were refused within the last minute.
    #[error("no login is made for {0:?}: too many were refused")]
    HeldBack(Duration),
    /// The connection broke, or what came over it was not understood.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The answer did not come, or did not end, in time.
    #[error("the statement took longer than {0:?}")]
    TimedOut(Duration),
    /// The server refused the statement.
    #[error("statement refused with {number}, state {state}, class {class}: {message}")]
    Statement {
        /// SQL Server's error number.
        number: u32,
        /// The error's state.
        state: u8,
        /// The error's severity.
        class: u8,
        /// The server's words.
        message: String,
    },
    /// A change was sent, and no answer came: it may have been made, or not.
    #[error("it is not known whether the change was made: {0}")]
    Unknown(Box<SqlError>),
    /// A row is not as this version of the function expects it.
    #[error("a row is not as expected: {0}")]
    Shape(String),
}

impl SqlError {
    /// The reason in words for people outside: no host, login, SQL text or value.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Secret(error) => error.reason(),
            Self::Unreachable(_) => "the database is out of reach",
            Self::Refused { number: 18456, .. } => "the database refused the login",
            Self::Refused { number: 18486, .. } => "the database login is locked",
            Self::Refused { number: 18487 | 18488, .. } => "the database login's password has expired",
            Self::Refused { .. } => "the database refused the login",
            Self::HeldBack(_) => "the database refused the login; it is not tried again for a while",
            Self::Broken(_) => "the connection to the database broke",
            Self::TimedOut(_) => "the database did not answer in time",
            Self::Statement { number: 1205, .. } => "the database is busy",
            Self::Statement { .. } => "the database refused a statement",
            Self::Unknown(_) => {
                "the database did not confirm the change; look whether it was made before you repeat it"
            }
            Self::Shape(_) => "the database holds what this version does not know",
        }
    }

    /// Whose failure it is, for the log.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Secret(_) => Cause::Secret,
            _ => Cause::Sql,
        }
    }

    /// The server's number, where it refused something.
    pub fn number(&self) -> Option<u32> {
        match self {
            Self::Refused { number, .. } | Self::Statement { number, .. } => Some(*number),
            Self::Unknown(error) => error.number(),
            _ => None,
        }
    }

    /// When trying again may help: then the answer is 503, and the client may come back after so
    /// long. None when it can't, and the answer is 500.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } | Self::HeldBack(retry_after) => Some(*retry_after),
            Self::Secret(_)
            | Self::Unreachable(_)
            | Self::Broken(_)
            | Self::TimedOut(_)
            | Self::Unknown(_) => Some(SOON),
            Self::Statement { number: 1205, .. } => Some(SOON),
            // Resource limits (10928, 10929, 701) and a database that is being restored or moved
            // (40613, 927, 9001) pass by themselves. So does what ended the connection (class 20+).
            Self::Statement { number: 701 | 927 | 9001 | 10_928 | 10_929 | 40_613, .. } => Some(SOON),
            Self::Statement { class: 20.., .. } => Some(SOON),
            Self::Statement { .. } | Self::Shape(_) => None,
        }
    }

    /// What `error` means when it ends an exchange that had `limit`.
    pub(super) fn of_exchange(error: tiberius::error::Error, limit: Duration) -> Self {
        use tiberius::error::Error;
        match error {
            Error::Server(token) => Self::Statement {
                number: token.code(),
                state: token.state(),
                class: token.class(),
                message: token.message().to_owned(),
            },
            Error::Io { kind: IoErrorKind::TimedOut, .. } => Self::TimedOut(limit),
            Error::Conversion(text) => Self::Shape(text.into_owned()),
            other => Self::Broken(other.to_string()),
        }
    }

    /// Whether the statement may be sent once more on a new connection, after it was so `repeated`
    /// times already. One that took its whole time is not: the second one would add to the load that
    /// made the first one slow. A victim of a deadlock was rolled back, so that is safe for any.
    pub(super) fn may_be_repeated(&self, repeat: Repeat, after_pause: bool, repeated: u32) -> bool {
        match self {
            Self::Statement { number: 1205, .. } => repeated + 1 < MOST_DEADLOCKS,
            Self::Broken(_) => repeat == Repeat::Harmless && repeated == 0,
            Self::TimedOut(_) => repeat == Repeat::Harmless && repeated == 0 && after_pause,
            _ => false,
        }
    }

    /// The same error of a statement that may not be repeated: where it does not say that nothing
    /// happened, nobody knows.
    pub(super) fn of_change(self, repeat: Repeat) -> Self {
        match (&self, repeat) {
            (Self::Broken(_) | Self::TimedOut(_) | Self::Shape(_), Repeat::OnlyUnsent)
            | (Self::Statement { class: 20.., .. }, Repeat::OnlyUnsent) => Self::Unknown(Box::new(self)),
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn statement(number: u32, class: u8) -> SqlError {
        SqlError::Statement { number, state: 1, class, message: "canary".to_owned() }
    }

    fn refused(number: u32) -> SqlError {
        let retry_after = Duration::from_secs(30);
        SqlError::Refused { number, state: 1, message: "canary".to_owned(), retry_after }
    }

    #[test]
    fn what_may_pass_is_503_and_what_will_not_is_500() {
        let cases = [
            (SqlError::Secret(SecretError::Denied("canary".to_owned())), Some(2)),
            (SqlError::Unreachable("canary".to_owned()), Some(2)),
            (refused(18456), Some(30)),
            (refused(4060), Some(30)),
            (SqlError::HeldBack(Duration::from_secs(17)), Some(17)),
            (SqlError::Broken("canary".to_owned()), Some(2)),
            (SqlError::TimedOut(Duration::from_secs(5)), Some(2)),
            (statement(1205, 13), Some(2)),
            (statement(40_613, 17), Some(2)),
            (statement(596, 21), Some(2)),
            (statement(208, 16), None),
            (statement(229, 14), None),
            (SqlError::Shape("canary".to_owned()), None),
        ];
        for (error, seconds) in cases {
            assert_eq!(error.retry_after().map(|after| after.as_secs()), seconds, "{error:?}");
            assert!(!error.reason().contains("canary"));
        }
    }

    #[test]
    fn what_may_be_sent_again() {
        use Repeat::{Harmless, OnlyUnsent};
        let timed_out = || SqlError::TimedOut(Duration::from_secs(5));
        let broken = || SqlError::Broken(String::new());
        let cases = [
            (broken(), Harmless, false, 0, true),
            (broken(), Harmless, true, 1, false),
            (broken(), OnlyUnsent, true, 0, false),
            (timed_out(), Harmless, false, 0, false),
            (timed_out(), Harmless, true, 0, true),
            (timed_out(), OnlyUnsent, true, 0, false),
            (statement(1205, 13), Harmless, false, 0, true),
            (statement(1205, 13), OnlyUnsent, false, 1, true),
            (statement(1205, 13), OnlyUnsent, false, 2, false),
            (statement(208, 16), Harmless, true, 0, false),
            (SqlError::Unreachable(String::new()), Harmless, true, 0, false),
            (refused(18456), Harmless, true, 0, false),
        ];
        for (error, repeat, after_pause, repeated, expected) in cases {
            let may = error.may_be_repeated(repeat, after_pause, repeated);
            assert_eq!(may, expected, "{error:?} {repeat:?} {after_pause} {repeated}");
        }
    }

    #[test]
    fn what_is_not_known_is_said() {
        use Repeat::{Harmless, OnlyUnsent};
        let cases = [
            (SqlError::Broken("canary".to_owned()), OnlyUnsent, true),
            (SqlError::TimedOut(Duration::from_secs(5)), OnlyUnsent, true),
            (statement(596, 21), OnlyUnsent, true),
            (statement(547, 16), OnlyUnsent, false),
            (statement(1205, 13), OnlyUnsent, false),
            (SqlError::Unreachable("canary".to_owned()), OnlyUnsent, false),
            (SqlError::Broken("canary".to_owned()), Harmless, false),
        ];
        for (error, repeat, unknown) in cases {
            let of_change = error.of_change(repeat);
            assert_eq!(matches!(of_change, SqlError::Unknown(_)), unknown, "{of_change:?}");
            assert!(!of_change.reason().contains("canary"));
        }
    }

    #[test]
    fn the_drivers_errors_are_told_apart() {
        let limit = Duration::from_secs(5);
        let of = |error| SqlError::of_exchange(error, limit);
        let io = |kind: io::ErrorKind| tiberius::error::Error::from(io::Error::from(kind));
        assert!(matches!(of(io(io::ErrorKind::TimedOut)), SqlError::TimedOut(_)));
        assert!(matches!(of(io(io::ErrorKind::UnexpectedEof)), SqlError::Broken(_)));
        assert!(matches!(of(tiberius::error::Error::Protocol("x".into())), SqlError::Broken(_)));
        assert!(matches!(of(tiberius::error::Error::Conversion("x".into())), SqlError::Shape(_)));
    }
}
