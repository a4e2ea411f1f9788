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
//! decided in [`login`] and done in [`enter`]. When the secret has got a new version, the connection is replaced by one
//! that logged in with it, but only once that one stands: a working connection is not given up for a
//! wrong password.

mod connection;
mod enter;
mod error;
pub mod login;
pub mod row;
mod statement;

use std::sync::Arc;
use std::time::Duration;

use tiberius::Row;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

pub use error::{Repeat, SqlError};
pub use statement::{Statement, Value};

use crate::config::Config;
use crate::meter::{Meter, SpanKind};
use crate::secret::{Cache, DatabaseSecret, Store};
use crate::time::{Clock, Random};
pub(crate) use connection::Settings;
use connection::{Connection, OpenError};
use login::Refusals;

/// What a statement gave.
#[derive(Debug)]
pub struct Answer {
    /// The rows of each result set.
    pub sets: Vec<Vec<Row>>,
    /// How long the round trip took.
    pub took: Duration,
}

impl Answer {
    /// The rows of a result set; none where there is no such set.
    pub fn rows(&self, set: usize) -> &[Row] {
        self.sets.get(set).map_or(&[], Vec::as_slice)
    }

    /// The first row of a result set.
    pub fn first(&self, set: usize) -> Option<&Row> {
        self.rows(set).first()
    }
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
    /// What a login worked with last: in the gap of a rotation that is AWSPENDING's, which the cache
    /// knows nothing of.
    worked: Option<Arc<DatabaseSecret>>,
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
    /// connection, when the first one broke under it, and a few times when it was chosen as the victim
    /// of a deadlock. `deadline` bounds the waits for another login; the caller bounds the whole.
    ///
    /// # Errors
    /// Why there are no rows. The connection is gone then, and the next request makes a new one.
    pub async fn read(
        &self,
        statement: &Statement,
        meter: &Meter,
        deadline: Instant,
    ) -> Result<Answer, SqlError> {
        self.run(statement, Repeat::Harmless, meter, deadline).await
    }

    /// Sends a statement that changes something: a batch in one transaction, with `XACT_ABORT` on, so
    /// that it happens as a whole or not at all. `repeat` says whether it may be sent again where it is
    /// not known whether it happened.
    ///
    /// # Errors
    /// Why there is no answer; [`SqlError::Unknown`] when the change may have been made all the same.
    pub async fn write(
        &self,
        statement: &Statement,
        repeat: Repeat,
        meter: &Meter,
        deadline: Instant,
    ) -> Result<Answer, SqlError> {
        self.run(statement, repeat, meter, deadline).await
    }

    async fn run(
        &self,
        statement: &Statement,
        repeat: Repeat,
        meter: &Meter,
        deadline: Instant,
    ) -> Result<Answer, SqlError> {
        let mut state = self.state.lock().await;
        let mut repeated = 0;
        loop {
            let mut connection = self.take(&mut state, meter, deadline).await?;
            let mut after_pause = connection.is_after_pause(&self.clock);
            if after_pause && repeat == Repeat::OnlyUnsent {
                match self.measured(&mut connection, &Statement::new("SELECT 1"), meter).await {
                    Ok(_) => after_pause = false,
                    Err(error) => {
                        tracing::info!(%error, "the connection did not live through the pause");
                        drop(connection);
                        let secret = self.current(&mut state, meter).await?;
                        connection = self.log_in(&mut state, secret, None, meter, deadline).await?;
                    }
                }
            }
            let version = connection.secret.version_prefix().to_owned();
            meter.add(|cost| cost.secret_version = Some(version));
            match self.measured(&mut connection, statement, meter).await {
                Ok(answer) => {
                    state.kept = Some(connection);
                    return Ok(answer);
                }
                Err(error) if error.may_be_repeated(repeat, after_pause, repeated) => {
                    tracing::warn!(%error, after_pause, "the connection is thrown away; once more on a new one");
                    drop(connection);
                    repeated += 1;
                    // Two victims of the same deadlock should not meet again.
                    sleep(Duration::from_millis(25 * u64::from(repeated)).mul_f64(self.random.fraction()))
                        .await;
                }
                Err(error) => {
                    tracing::warn!(%error, "the connection is thrown away");
                    return Err(error.of_change(repeat));
                }
            }
        }
    }

    /// One exchange, which goes into the meter.
    async fn measured(
        &self,
        connection: &mut Connection,
        statement: &Statement,
        meter: &Meter,
    ) -> Result<Answer, SqlError> {
        let watch = meter.start(SpanKind::Sql, &self.clock);
        let outcome = connection.exchange(statement, &self.clock).await;
        let took = watch.end(outcome.is_err());
        meter.add(|cost| {
            cost.time += took;
            cost.round_trips += 1;
            if let Some(number) = outcome.as_ref().err().and_then(SqlError::number) {
                cost.note(number);
            }
        });
        Ok(Answer { sets: outcome?, took })
    }

    /// The secret, out of the cache or read anew, which goes into the meter.
    async fn current(&self, state: &mut State, meter: &Meter) -> Result<Arc<DatabaseSecret>, SqlError> {
        let before = state.secret.reads();
        let watch = meter.start(SpanKind::Secret, &self.clock);
        let outcome = state.secret.get(&self.store, self.secret_ttl, &self.clock).await;
        let reads = state.secret.reads() - before;
        if reads > 0 || outcome.is_err() {
            watch.end(outcome.is_err());
            meter.add(|cost| cost.secret_reads += reads);
        }
        Ok(outcome?)
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
        let secret = self.current(state, meter).await;
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
        if !secret.is_newer_than(&kept.secret)
            || kept.passed_over.as_ref() == Some(&secret.version)
            || !state.refusals.free_in((self.clock)()).is_zero()
        {
            return kept;
        }
        match self.open(&secret, None, meter).await {
            Ok(connection) => {
                tracing::info!(secretVersion = secret.version_prefix(), "connected with the new version");
                state.worked = Some(secret);
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
}
