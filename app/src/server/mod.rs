//! The server: HTTP and nothing else. What can be done to a stack is in `operations`.
//!
//! The way of a request: [`listen`] accepts it, [`telemetry`] numbers it, [`security`] sets the
//! headers, [`limits`] gives it a task and a time limit, [`security`] refuses other origins,
//! [`session`] or, in the operations API, [`bearer`] finds out who asks, and then a page ([`frame`], [`sign_in`]), a call
//! ([`crate::calls`]) or the operations API ([`api`]) answers.

pub mod accounts;
mod alarms;
mod answer;
pub mod api;
mod assets;
pub mod audit;
mod bearer;
mod charts;
pub mod commands;
pub mod config;
mod confirm;
mod deploys;
mod errors;
pub mod events;
mod frame;
pub mod limits;
pub mod listen;
mod logs;
pub mod meter;
pub mod password;
mod prometheus;
mod requests;
mod routes;
mod secret;
mod security;
mod session;
mod sign_in;
pub mod telemetry;
mod throttle;
mod tokens;
pub mod traces;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::overview::Overview;
use model::problem::{Problem, ProblemKind};
use operations::{Clock, Portal, Random};
use tokio::sync::{Semaphore, watch};

pub use frame::render;
pub use routes::router;
pub use secret::secret_page;

use accounts::{Accounts, SignInId};
use assets::Assets;
use config::Origin;
use limits::Limits;
use password::Passwords;
use throttle::Throttle;

/// How long the overview is waited for: it says that it takes 5 seconds at most.
const OVERVIEW_TIME: Duration = Duration::from_secs(8);

/// What every request is answered with.
pub type App = Arc<Services>;

/// The parts of a portal's server.
pub struct Services {
    portal: Portal,
    accounts: Accounts,
    passwords: Passwords,
    throttle: Throttle,
    wrong_tokens: Throttle,
    assets: Assets,
    clock: Clock,
    random: Random,
    limits: Limits,
    turns: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    figures: prometheus::Figures,
    stopping: watch::Sender<bool>,
    public_url: Origin,
    trusted_proxies: u8,
    sandbox: bool,
    drive_rollouts: bool,
}

/// What a server is put together from.
pub struct Parts {
    /// The stack.
    pub portal: Portal,
    /// Accounts and sessions.
    pub accounts: Accounts,
    /// The folder of the browser's files.
    pub site: PathBuf,
    /// The time.
    pub clock: Clock,
    /// Random bytes.
    pub random: Random,
    /// The bounds.
    pub limits: Limits,
    /// The origin people open.
    pub public_url: Origin,
    /// How many proxies' entries in `X-Forwarded-For` are believed.
    pub trusted_proxies: u8,
    /// Whether this is the sandbox.
    pub sandbox: bool,
    /// Whether this portal takes rollouts from step to step.
    pub drive_rollouts: bool,
}

impl Services {
    /// Puts the parts together.
    ///
    /// # Errors
    /// When the browser's files are missing or broken.
    pub fn new(parts: Parts) -> anyhow::Result<App> {
        let Parts {
            portal,
            accounts,
            site,
            clock,
            random,
            limits,
            public_url,
            trusted_proxies,
            sandbox,
            drive_rollouts,
        } = parts;
        Ok(Arc::new(Self {
            portal,
            accounts,
            passwords: Passwords::new(Arc::clone(&random))?,
            throttle: Throttle::default(),
            wrong_tokens: Throttle::default(),
            assets: Assets::read(&site)?,
            clock,
            random,
            turns: Arc::new(Semaphore::new(limits.requests)),
            uploads: Arc::new(Semaphore::new(limits.uploads)),
            streams: Arc::new(Semaphore::new(limits.streams)),
            figures: prometheus::Figures::new(),
            stopping: watch::Sender::new(false),
            limits,
            public_url,
            trusted_proxies,
            sandbox,
            drive_rollouts,
        }))
    }

    /// The bounds.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Ends the streams that are open, and those that are opened from now on: the portal stops.
    pub fn end_streams(&self) {
        self.stopping.send_replace(true);
    }

    /// Whether this portal takes rollouts from step to step.
    pub fn drives_rollouts(&self) -> bool {
        self.drive_rollouts
    }

    /// Takes rollouts from step to step until the future is dropped.
    pub async fn drive_rollouts(&self) {
        self.portal.drive_rollouts().await;
    }

    /// Notes that somebody who is signed in did something.
    ///
    /// # Errors
    /// `Internal` when the database fails.
    pub async fn touch(&self, sign_in: &SignInId) -> Result<(), Problem> {
        self.accounts.touch(sign_in).await
    }
}

/// What the overview shows, within a time limit.
///
/// # Errors
/// `TimedOut`.
pub async fn overview(app: &App) -> Result<Arc<Overview>, Problem> {
    tokio::time::timeout(OVERVIEW_TIME, app.portal.overview()).await.map_err(|_| {
        Problem::new(ProblemKind::TimedOut, "The overview could not be put together in time.")
            .with_next("Try again; if it stays so, see whether AWS can be reached from here.")
    })
}
