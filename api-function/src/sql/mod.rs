//! The database: one connection for one environment, and the rules it lives by.
//!
//! Lambda hands an environment one request at a time, so one connection is enough, and reserved
//! concurrency is the cap on all connections. It is kept between requests, and given up whenever it
//! may not be in step with the server any more: after an error, a time-out, a dropped request. While
//! it is in use it is in nobody's keeping; only a whole, successful exchange puts it back.
//!
//! Between requests the environment is frozen, and what happened meanwhile is not known. Before each
//! use the socket is looked at (no round trip); after a pause a read has a shorter time. A read whose
//! connection broke is sent once more on a new one: that is safe to repeat. Nothing else is.
//!
//! A new connection takes the secret from the cache; what happens when the server refuses it is
//! decided in [`login`]. When the secret has got a new version, the connection is replaced by one
//! that logged in with it, but only once that one stands: a working connection is not given up for a
//! wrong password.

mod connection;
mod error;
pub mod login;

use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use chrono::NaiveDateTime;
use tiberius::{Query, Row};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

pub use error::SqlError;

use crate::config::Config;
use crate::secret::{Cache, DatabaseSecret, Store};
use crate::time::{Clock, Random};
use connection::{Connection, OpenError, Settings};
use login::{LoginState, Next, Refusals, Used, after_login_failure};
use login::{after_reading_current, after_reading_pending};

/// A statement and its parameters, which are `@P1`, `@P2` ... in the text.
#[derive(Debug, Clone)]
pub struct Statement {
    text: &'static str,
    values: Vec<Value>,
}

impl Statement {
    /// A statement. The text is fixed at compile time: nothing from outside gets into it.
    pub fn new(text: &'static str) -> Self {
        Self { text, values: Vec::new() }
    }

    /// The same with the next parameter.
    #[must_use]
    pub fn bind(mut self, value: Value) -> Self {
        self.values.push(value);
        self
    }
}

/// A parameter.
#[derive(Debug, Clone)]
pub enum Value {
    /// bigint.
    Integer(i64),
    /// nvarchar.
    Text(String),
    /// datetime2(7).
    Time(NaiveDateTime),
}

impl Value {
    fn bind(&self, query: &mut Query<'_>) {
        match self {
            Self::Integer(number) => query.bind(*number),
            Self::Text(text) => query.bind(text.clone()),
            Self::Time(time) => query.bind(*time),
        }
    }
}

/// What a request cost at the database.
#[derive(Debug, Clone, Default)]
pub struct Cost {
    /// The time the exchanges took, connecting not included.
    pub time: Duration,
    /// Statements sent.
    pub round_trips: u32,
    /// Connections tried, logins included.
    pub connects: u32,
    /// The first 8 characters of the version of the secret that was logged in with.
    pub secret_version: Option<String>,
}

/// Adds up what a request costs.
#[derive(Debug, Default)]
pub struct Meter(StdMutex<Cost>);

impl Meter {
    /// The sum so far.
    pub fn cost(&self) -> Cost {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, change: impl FnOnce(&mut Cost)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What a read gave.
#[derive(Debug)]
pub struct Answer {
    /// The rows of the first result set.
    pub rows: Vec<Row>,
    /// How long the round trip took.
    pub took: Duration,
}

/// The database.
pub struct Database {
    store: Store,
    settings: Settings,
    secret_ttl: Duration,
    hint: Option<(String, u16)>,
    clock: Clock,
    random: Random,
    /// Held while a request is at the database. There is one request at a time, so nobody waits.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    secret: Cache,
    refusals: Refusals,
    kept: Option<Connection>,
}

impl Database {
    /// The configured database. Nothing is connected yet.
    pub fn new(config: &Config, clock: Clock, random: Random) -> Self {
        Self {
            store: Store::new(config),
            settings: Settings::new(config),
            secret_ttl: config.secret_ttl,
            hint: config.sql_address.clone(),
            clock,
            random,
            state: Mutex::default(),
        }
    }

    /// Reads the secret and logs in, so that the first request finds a connection. Where the address
    /// is configured, TCP is connected while the secret is being read.
    ///
    /// # Errors
    /// Why there is no connection; the first request will try again.
    pub async fn warm_up(&self, deadline: Instant) -> Result<(), SqlError> {
        let mut state = self.state.lock().await;
        let hinted = async {
            let (host, port) = self.hint.as_ref()?;
            self.settings.connect(host, *port).await.ok()
        };
        let (secret, stream) =
            tokio::join!(state.secret.get(&self.store, self.secret_ttl, &self.clock), hinted);
        let secret = secret?;
        let is_right =
            self.hint.as_ref().is_some_and(|hint| (&hint.0, hint.1) == (&secret.host, secret.port));
        let stream = stream.filter(|_| is_right);
        let connection = self.log_in(&mut state, secret, stream, &Meter::default(), deadline).await?;
        state.kept = Some(connection);
        Ok(())
    }

    /// Sends a statement that changes nothing, and returns its rows. It is sent once more, on a new
    /// connection, when the first one broke under it or it was chosen as the victim of a deadlock.
    /// `deadline` bounds the waits for another login; the caller bounds the whole.
    ///
    /// # Errors
    /// Why there are no rows. The connection is gone then, and the next request makes a new one.
    pub async fn read(
        &self,
        statement: &Statement,
        meter: &Meter,
        deadline: Instant,
    ) -> Result<Answer, SqlError> {
        let mut state = self.state.lock().await;
        let mut repeated = false;
        loop {
            let mut connection = self.take(&mut state, meter, deadline).await?;
            meter.add(|cost| cost.secret_version = Some(connection.secret.version_prefix().to_owned()));
            let after_pause = connection.is_after_pause(&self.clock);
            let started = Instant::now();
            let outcome = connection.exchange(statement, &self.clock).await;
            let took = started.elapsed();
            meter.add(|cost| {
                cost.time += took;
                cost.round_trips += 1;
            });
            match outcome {
                Ok(rows) => {
                    state.kept = Some(connection);
                    return Ok(Answer { rows, took });
                }
                Err(error) if !repeated && error.is_worth_another_connection(after_pause) => {
                    tracing::warn!(%error, after_pause, "the connection is thrown away; once more on a new one");
                    drop(connection);
                    repeated = true;
                    // Two victims of the same deadlock should not meet again.
                    sleep(Duration::from_millis(25).mul_f64(self.random.fraction())).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "the connection is thrown away");
                    return Err(error);
                }
            }
        }
    }

    /// The secret the present connection logged in with, or else the one last read.
    pub async fn secret(&self) -> Option<Arc<DatabaseSecret>> {
        let state = self.state.lock().await;
        state.kept.as_ref().map(|kept| &kept.secret).or(state.secret.last()).cloned()
    }

    /// Takes the connection out of the state, or makes a new one.
    async fn take(
        &self,
        state: &mut State,
        meter: &Meter,
        deadline: Instant,
    ) -> Result<Connection, SqlError> {
        let secret = state.secret.get(&self.store, self.secret_ttl, &self.clock).await;
        match state.kept.take() {
            Some(kept) if kept.is_quiet() => match secret {
                Ok(secret) => Ok(self.renewed(state, kept, secret, meter).await),
                Err(_) => Ok(kept),
            },
            kept => {
                if kept.is_some() {
                    tracing::info!("the server closed the connection meanwhile");
                }
                self.log_in(state, secret?, None, meter, deadline).await
            }
        }
    }

    /// The connection, or one that logged in with a newer version of the secret in its place. One
    /// login, whose refusal is logged and counted; the old connection then serves on, and that
    /// version is not tried again until the connection is lost.
    async fn renewed(
        &self,
        state: &mut State,
        mut kept: Connection,
        secret: Arc<DatabaseSecret>,
        meter: &Meter,
    ) -> Connection {
        // Newer, and not just other: a connection made with AWSPENDING is ahead of AWSCURRENT.
        let newer = secret.version != kept.secret.version && secret.created > kept.secret.created;
        if !newer
            || kept.passed_over.as_ref() == Some(&secret.version)
            || !state.refusals.free_in((self.clock)()).is_zero()
        {
            return kept;
        }
        meter.add(|cost| cost.connects += 1);
        match Connection::open(&self.settings, secret.clone(), None, &self.clock).await {
            Ok(connection) => {
                tracing::info!(secretVersion = secret.version_prefix(), "connected with the new version");
                connection
            }
            Err(error) => {
                if matches!(error, OpenError::Refused(..)) {
                    state.refusals.record((self.clock)());
                }
                let version = secret.version_prefix();
                tracing::error!(?error, secretVersion = version, "no connection with the new version");
                kept.passed_over = Some(secret.version.clone());
                kept
            }
        }
    }

    /// Makes a new connection, as often as [`login`] allows.
    async fn log_in(
        &self,
        state: &mut State,
        mut secret: Arc<DatabaseSecret>,
        mut stream: Option<TcpStream>,
        meter: &Meter,
        deadline: Instant,
    ) -> Result<Connection, SqlError> {
        let mut used = Used::Cached;
        loop {
            let held_back = state.refusals.free_in((self.clock)());
            if !held_back.is_zero() {
                return Err(SqlError::HeldBack(held_back));
            }
            meter.add(|cost| cost.connects += 1);
            let opened = Connection::open(&self.settings, secret.clone(), stream.take(), &self.clock).await;
            let (number, error_state, message) = match opened {
                Ok(connection) => return Ok(connection),
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
            match self.another(state, &login, number, &secret).await? {
                Ok(next) => (used, secret) = next,
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
        refused: &DatabaseSecret,
    ) -> Result<Result<(Used, Arc<DatabaseSecret>), Duration>, SqlError> {
        let mut read = None;
        let mut next = after_login_failure(login, number);
        loop {
            next = match next {
                Next::ReadCurrent => {
                    let current = state.secret.refresh(&self.store, &self.clock).await?;
                    let changed = current.version != refused.version;
                    read = Some(current);
                    after_reading_current(changed)
                }
                Next::ReadPending => {
                    let pending = self.store.pending().await.unwrap_or_else(|error| {
                        tracing::warn!(%error, "AWSPENDING was not read");
                        None
                    });
                    let pending = pending.filter(|pending| pending.version != refused.version);
                    let found = pending.is_some();
                    read = pending.map(Arc::new).or(read);
                    after_reading_pending(login, found)
                }
                Next::WaitThenLogIn(wait, used) => {
                    sleep(wait).await;
                    return Ok(Ok((used, state.secret.refresh(&self.store, &self.clock).await?)));
                }
                Next::LogIn(used) => {
                    let secret = match read {
                        Some(secret) => secret,
                        None => state.secret.refresh(&self.store, &self.clock).await?,
                    };
                    return Ok(Ok((used, secret)));
                }
                Next::GiveUp(retry_after) => return Ok(Err(retry_after)),
            };
        }
    }
}
