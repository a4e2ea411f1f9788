//! The database server: one login, and statements over it. Encrypted or not at all.
//!
//! A connection is made for one piece of work and dropped with it, also when the step runs out of
//! time in the middle: nothing is ever sent over one whose state is not known.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tiberius::error::{Error, IoErrorKind};
use tiberius::{Client, Row};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::config::RotationConfig;
use super::failure::{Cause, Failure};
use super::login::{self, Outcome};
use crate::secret::DatabaseSecret;
use crate::sql::{Settings, Statement};

/// How connections are made.
#[derive(Debug, Clone)]
pub struct Server {
    settings: Settings,
}

/// A session on the server.
pub struct Session {
    client: Client<Compat<TcpStream>>,
    statement_time: Duration,
}

impl Server {
    /// The configured way.
    pub fn new(config: &RotationConfig) -> Self {
        let settings = Settings {
            tls: config.sql_tls,
            ca: config.sql_ca.clone(),
            statement_time: config.sql_timeout,
            application: "lockkeeper-rotation",
            environment: None,
        };
        Self { settings }
    }

    /// Logs in once: a login that fails is never repeated here, since each may count towards a lock.
    pub async fn log_in(&self, login: &DatabaseSecret) -> Result<Session, Outcome> {
        let stream = self.settings.connect(&login.host, login.port).await;
        let stream = stream.map_err(|error| Outcome::Failed(unreachable(&error)))?;
        let connecting = Client::connect(self.settings.driver(login), stream.compat_write());
        // Boxed, because the driver's future is large.
        match Box::pin(connecting).await {
            Ok(client) => Ok(Session { client, statement_time: self.settings.statement_time }),
            Err(Error::Server(token)) => Err(Outcome::Refused(token.code())),
            Err(error) => Err(Outcome::Failed(not_logged_in(&error))),
        }
    }
}

impl Session {
    /// Sends a statement and takes in the whole answer: the rows of each result set.
    ///
    /// # Errors
    /// What the server said, or why there is no answer.
    pub async fn run(&mut self, statement: &Statement) -> Result<Vec<Vec<Row>>, Refusal> {
        let query = statement.query();
        let exchange = async { query.query(&mut self.client).await?.into_results().await };
        // The driver's own limit is for each round trip.
        match timeout(self.statement_time, Box::pin(exchange)).await {
            Ok(Ok(sets)) => Ok(sets),
            Ok(Err(Error::Server(token))) => Err(Refusal::Statement { number: token.code() }),
            Ok(Err(Error::Io { kind: IoErrorKind::TimedOut, .. })) | Err(_) => Err(Refusal::TimedOut),
            Ok(Err(_)) => Err(Refusal::Broken),
        }
    }
}

/// Why a statement has no result. The server's words are left behind: they may quote what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The server refused it.
    Statement {
        /// SQL Server's error number.
        number: u32,
    },
    /// No answer in time.
    TimedOut,
    /// The connection broke.
    Broken,
}

impl Refusal {
    /// The failure it is. `what` was to be done.
    pub fn failure(&self, what: &str) -> Failure {
        match self {
            Self::Statement { number } => {
                let cause = statement_cause(*number);
                let why = match cause {
                    Cause::PasswordPolicy => "the password policy does not allow it",
                    Cause::Permission => "the login may not do that, or what it is about is not there",
                    Cause::DatabaseUnavailable => "the database is not available",
                    _ => "the server does not take it",
                };
                Failure::new(cause, format!("{what} was refused: {why} (error {number})"))
            }
            Self::TimedOut => Failure::new(
                Cause::TimedOut,
                format!("{what}: the server did not answer in time; it may have been done"),
            ),
            Self::Broken => Failure::new(
                Cause::DatabaseUnavailable,
                format!("{what}: the connection broke; it may have been done"),
            ),
        }
    }
}

/// What the error number of a refused statement means.
pub fn statement_cause(number: u32) -> Cause {
    match number {
        // Too recent to change, not now, too short, too long, not complex, the filter's.
        15114..=15119 | 18463..=18468 | 33024 => Cause::PasswordPolicy,
        // Denied, still owner of something (which only a person can give to somebody else), no right to grant, no such login or no right to alter it, no right at all.
        229 | 230 | 262 | 297 | 300 | 4613 | 15138 | 15151 | 15247 | 15517 | 15562 => Cause::Permission,
        // A deadlock's victim, a lock's time-out, no memory: as they pass, so does this.
        701 | 1205 | 1222 | 3906 | 8645 => Cause::DatabaseUnavailable,
        number => match login::cause(number) {
            Cause::DatabaseUnavailable => Cause::DatabaseUnavailable,
            _ => Cause::Internal,
        },
    }
}

fn unreachable(error: &io::Error) -> Failure {
    let why = match error.kind() {
        ErrorKind::TimedOut => "no answer to the connection: look at security group, network ACL and route",
        ErrorKind::ConnectionRefused => "the connection was refused: nothing listens on the port",
        _ => "no connection came about: look at host name and route",
    };
    Failure::new(Cause::Unreachable, format!("the database server was not reached: {why}"))
}

/// What ended a login before the server decided about it.
fn not_logged_in(error: &Error) -> Failure {
    match error {
        Error::Tls(_) => Failure::new(
            Cause::Tls,
            "no encrypted connection to the database server: its certificate is not one that is trusted for this host (SQL_CA)",
        ),
        // A handshake that fails for another reason than the certificate.
        Error::Io { kind: IoErrorKind::InvalidData, .. } => Failure::new(
            Cause::Tls,
            "no encrypted connection to the database server: the TLS handshake failed",
        ),
        Error::Io { kind: IoErrorKind::TimedOut, .. } => Failure::new(
            Cause::TimedOut,
            "the database server took the connection and did not answer in time",
        ),
        _ => Failure::new(Cause::Unreachable, "the database server ended the connection before the login"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_refuses_is_told_apart() {
        for (number, cause) in [
            (15116, Cause::PasswordPolicy),
            (15119, Cause::PasswordPolicy),
            (18464, Cause::PasswordPolicy),
            (15151, Cause::Permission),
            (15247, Cause::Permission),
            (1205, Cause::DatabaseUnavailable),
            (927, Cause::DatabaseUnavailable),
            (102, Cause::Internal),
            (51_000, Cause::Internal),
        ] {
            assert_eq!(statement_cause(number), cause, "{number}");
        }
    }
}
