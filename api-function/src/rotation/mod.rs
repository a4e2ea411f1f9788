//! The rotation function: takes the login in a secret to a new password, in the four steps Secrets
//! Manager calls it for.
//!
//! | step | does | may be repeated, because |
//! |---|---|---|
//! | createSecret | puts a value with a new password under the version's id | the id has one value for ever; another one is refused |
//! | setSecret | gives the login that password | it is tried first: who is in, is done |
//! | testSecret | logs in with it and runs a query | it changes nothing |
//! | finishSecret | moves AWSCURRENT to the version | it is moved away from where it was seen, so the second of two moves is refused |
//!
//! Nothing is remembered between two steps: the labels, the values and the login say where a rotation
//! stands. So the function can be killed anywhere, and the step, or the whole rotation, run again.
//! At every such point the password of one label logs in.
//!
//! In reading order: [`event`] and [`guard`], what is asked and whether it is in order;
//! [`strategy`], who is rotated to; [`steps`]; and what they decide with ([`login`]) and work with
//! ([`store`], [`secret`], [`server`], [`place`], [`statements`], [`mod@clone`], [`password`]). [`failure`] says what can go
//! wrong, [`probe`] which versions log in, when the portal asks, [`config`] what can be set.
//!
//! # The log
//! Two lines for each step, beside what may be worth a line in between: `rotation_step_started`
//! (`step`, `token`, `secretId`) and `rotation_step_ended` (those, `strategy`, `outcome` of `done`,
//! `already_done` and `failed`, `durationMs`, and when it failed `cause` and `reason`). Both have
//! Lambda's `requestId`. The portal reads them.

pub mod clone;
pub mod config;
pub mod event;
pub mod failure;
pub mod guard;
pub mod login;
pub mod password;
pub mod place;
pub mod probe;
pub mod secret;
pub mod server;
pub mod statements;
pub mod steps;
pub mod store;
pub mod strategy;

use std::time::Duration;

use lambda_http::{Context, LambdaEvent};
use serde_json::Value;
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use crate::api::millis;
use crate::time::{Clock, Random};
use config::RotationConfig;
use event::Order;
use failure::{Cause, Failure, StepFailed};
use server::Server;
use steps::{Done, Work};
use store::Store;

/// How long before Lambda ends the function a step is given up: so that there is time to say so.
const MARGIN: Duration = Duration::from_secs(1);
/// How long a step may take where Lambda sets no deadline, in tests. Lambda's own limit is 15 minutes.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The function.
pub struct Rotation {
    config: RotationConfig,
    store: Store,
    server: Server,
    clock: Clock,
    random: Random,
}

impl Rotation {
    /// The configured function. Nothing is connected.
    pub fn new(config: RotationConfig, clock: Clock, random: Random) -> Self {
        let (store, server) = (Store::new(&config), Server::new(&config));
        Self { config, store, server, clock, random }
    }

    /// Takes the step an event asks for.
    ///
    /// # Errors
    /// Why it is not done.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, StepFailed> {
        let LambdaEvent { payload, context } = event;
        let request = context.request_id.as_str();
        if let Some(secret) = probe::asked(&payload) {
            let span = tracing::error_span!("rotation", requestId = request);
            return Ok(Box::pin(self.probe(&secret)).instrument(span).await);
        }
        let order = match Order::read(payload) {
            Ok(order) => order,
            Err(failure) => {
                let (cause, reason) = (failure.cause.text(), failure.reason.as_str());
                tracing::error!(requestId = request, cause, reason, "not an event of a rotation");
                return Err(StepFailed { step: None, failure });
            }
        };
        // Of the highest level, so that every line of the step has the id, whatever is filtered.
        let span = tracing::error_span!("rotation", requestId = request);
        self.take(&order, &context).instrument(span).await
    }

    async fn take(&self, order: &Order, context: &Context) -> Result<Value, StepFailed> {
        let started = Instant::now();
        let request = context.request_id.as_str();
        let (step, token, secret) = (order.step.name(), order.token.as_str(), order.secret.as_str());
        tracing::info!(
            requestId = request,
            event = "rotation_step_started",
            step,
            token,
            secretId = secret,
            "rotation step started"
        );
        let work = Work::new(self, order);
        let limit = self.time_left(context);
        // Whatever it waits for is dropped with it: what was sent may have been done, and is safe to
        // repeat.
        let outcome = timeout(limit, Box::pin(work.run())).await.unwrap_or_else(|_| {
            let reason = format!("the step did not end within the {} s the function has", limit.as_secs());
            Err(Failure::new(Cause::TimedOut, reason))
        });
        let strategy = work.strategy().map(strategy::Strategy::text);
        let duration = millis(started.elapsed());
        macro_rules! ended {
            ($level:ident, $outcome:expr, $text:literal $(, $extra:ident)*) => {
                tracing::$level!(
                    requestId = request,
                    event = "rotation_step_ended",
                    step,
                    token,
                    secretId = secret,
                    strategy,
                    outcome = $outcome,
                    durationMs = duration,
                    $($extra,)*
                    $text
                )
            };
        }
        match outcome {
            Ok(done) => {
                ended!(info, done.text(), "rotation step done");
                Ok(Value::Null)
            }
            Err(failure) => {
                let (cause, reason) = (failure.cause.text(), failure.reason.as_str());
                ended!(error, "failed", "rotation step failed", cause, reason);
                Err(StepFailed { step: Some(order.step), failure })
            }
        }
    }

    /// How long a step may take: until shortly before Lambda's deadline.
    fn time_left(&self, context: &Context) -> Duration {
        if context.deadline == 0 {
            return LONGEST;
        }
        let now = u64::try_from((self.clock)().timestamp_millis()).unwrap_or(0);
        Duration::from_millis(context.deadline.saturating_sub(now)).saturating_sub(MARGIN).min(LONGEST)
    }
}

impl Done {
    fn text(self) -> &'static str {
        match self {
            Self::Now => "done",
            Self::Before => "already_done",
        }
    }
}
