//! Logging in: the tries, the readings of the secret and the waits that [`super::login`] decides on.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::connection::{Connection, OpenError};
use super::login::{Found, LoginState, Next, Used, after_login_failure, after_reading, after_waiting};
use super::{Database, SqlError, State};
use crate::meter::{Meter, SpanKind};
use crate::secret::DatabaseSecret;

/// The secret as it was just read.
struct Seen {
    current: Arc<DatabaseSecret>,
    pending: Option<Arc<DatabaseSecret>>,
}

impl Seen {
    /// What of it was not refused yet.
    fn found(&self, refused: &[String]) -> Found {
        let untried = |secret: &Arc<DatabaseSecret>| !refused.contains(&secret.version);
        Found { current: untried(&self.current), pending: self.pending.as_ref().is_some_and(untried) }
    }

    fn take(self, used: Used) -> Arc<DatabaseSecret> {
        match (used, self.pending) {
            (Used::Pending, Some(pending)) => pending,
            _ => self.current,
        }
    }
}

impl State {
    /// What a login worked with, where it is newer than this. Only the first login is made with it, so
    /// that one that has become wrong costs no more than a try.
    fn newest(&mut self, secret: Arc<DatabaseSecret>) -> Arc<DatabaseSecret> {
        self.worked.take().filter(|worked| worked.is_newer_than(&secret)).unwrap_or(secret)
    }
}

impl Database {
    /// One try to connect and to log in, which goes into the meter.
    pub(super) async fn open(
        &self,
        secret: &Arc<DatabaseSecret>,
        stream: Option<TcpStream>,
        meter: &Meter,
    ) -> Result<Connection, OpenError> {
        let watch = meter.start(SpanKind::Connect, &self.clock);
        let opened = Connection::open(&self.settings, secret.clone(), stream, &self.clock).await;
        watch.end(opened.is_err());
        meter.add(|cost| cost.connects += 1);
        if let Err(OpenError::Refused(number, ..)) = &opened {
            meter.add(|cost| cost.note(*number));
        }
        opened
    }

    /// Makes a new connection, as often as [`super::login`] allows.
    pub(super) async fn log_in(
        &self,
        state: &mut State,
        secret: Arc<DatabaseSecret>,
        mut stream: Option<TcpStream>,
        meter: &Meter,
        deadline: Instant,
    ) -> Result<Connection, SqlError> {
        let mut used = Used::Cached;
        let mut secret = state.newest(secret);
        let mut refused = Vec::new();
        loop {
            let held_back = state.refusals.free_in((self.clock)());
            if !held_back.is_zero() {
                return Err(SqlError::HeldBack(held_back));
            }
            let opened = self.open(&secret, stream.take(), meter).await;
            let (number, error_state, message) = match opened {
                Ok(connection) => {
                    state.worked = Some(secret);
                    return Ok(connection);
                }
                Err(OpenError::Unreachable(context)) => return Err(SqlError::Unreachable(context)),
                Err(OpenError::Refused(number, error_state, message)) => (number, error_state, message),
            };
            let now = (self.clock)();
            let login = LoginState {
                used,
                refusals: state.refusals.record(now),
                free_in: state.refusals.free_in(now),
                left: deadline.saturating_duration_since(Instant::now()),
                jitter: self.random.fraction(),
            };
            let version = secret.version_prefix();
            tracing::warn!(
                number,
                ?used,
                refusals = login.refusals,
                secretVersion = version,
                "login refused"
            );
            refused.push(secret.version.clone());
            let before = state.secret.reads();
            let next = self.another(state, &login, number, &refused).await;
            let reads = state.secret.reads() - before;
            meter.add(|cost| cost.secret_reads += reads);
            match next? {
                Ok(next) => {
                    meter.add(|cost| cost.login_retries += 1);
                    (used, secret) = next;
                }
                Err(retry_after) => {
                    return Err(SqlError::Refused { number, state: error_state, message, retry_after });
                }
            }
        }
    }

    /// Carries out what is decided after a refusal: the credentials to try next, or when the client
    /// may come back.
    async fn another(
        &self,
        state: &mut State,
        login: &LoginState,
        number: u32,
        refused: &[String],
    ) -> Result<Result<(Used, Arc<DatabaseSecret>), Duration>, SqlError> {
        if let Err(retry_after) = after_login_failure(login, number) {
            return Ok(Err(retry_after));
        }
        let seen = self.look(state).await?;
        match after_reading(login, seen.found(refused)) {
            Next::LogIn(used) => Ok(Ok((used, seen.take(used)))),
            Next::GiveUp(retry_after) => Ok(Err(retry_after)),
            Next::WaitThenRead(wait, waits) => {
                sleep(wait).await;
                let seen = self.look(state).await?;
                let used = after_waiting(waits, seen.found(refused));
                Ok(Ok((used, seen.take(used))))
            }
        }
    }

    /// AWSPENDING and then AWSCURRENT, in this order (see [`Found`]).
    async fn look(&self, state: &mut State) -> Result<Seen, SqlError> {
        let pending = self.store.pending().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "AWSPENDING was not read");
            None
        });
        let current = state.secret.refresh(&self.store, &self.clock).await?;
        Ok(Seen { current, pending: pending.map(Arc::new) })
    }
}
