//! Lambda's execution environments: child processes with a Runtime API each.
//!
//! [`Runtime::run`] finds a warm environment of a build, the one used last first, or starts one,
//! lets it serve one event, and puts it back frozen. Who may run how often is decided before, by
//! [`crate::services::lambda`]; here is only one bound of the machine's: no more than a few
//! environments *start* at the same time. A burst of two hundred calls does not fork two hundred
//! processes at once; calls wait for a start or for a warm environment, whichever comes first.
//!
//! Not like AWS, on purpose: memory is not limited to the configured size (the size is reported,
//! and what was used), processor time is not scaled with it, and `/tmp` is the machine's own.
//!
//! - `process`: children and their groups, and that none is left behind;
//! - `api`: the Runtime API; `output`: what a child prints; `variables`: what it is given;
//! - `environment`: these together, serving one event;
//! - `journal`, `report`: the log.

mod api;
mod environment;
mod journal;
mod output;
mod process;
mod report;
mod variables;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

pub use self::journal::{JsonLevels, LogSettings};

use self::environment::{Ending, Environment};
use self::journal::Journal;
use self::process::Processes;
use crate::aws::AwsError;
use crate::context::{Context, lock};
use crate::faults::FunctionEffect;
use crate::services::logs::Logs;

/// AWS: ten seconds for the start of a function, outside its time limit.
const INIT_LIMIT: Duration = Duration::from_secs(10);
/// How long a call waits for its environment to be allowed to start.
const START_QUEUE: Duration = Duration::from_secs(60);

/// What an execution environment is made of.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The function's name.
    pub function: String,
    /// `$LATEST` or a number.
    pub version: String,
    /// Names code and configuration: environments of different builds are never mixed up.
    pub build: String,
    /// The folder of the unpacked zip.
    pub task_root: PathBuf,
    /// The configured handler.
    pub handler: String,
    /// The configured memory in megabytes.
    pub memory: u32,
    /// The time limit of an invocation.
    pub timeout: Duration,
    /// The configured variables.
    pub environment: BTreeMap<String, String>,
    /// How it logs.
    pub logs: LogSettings,
    /// Where it sends segments of traces.
    pub xray_daemon: Option<SocketAddr>,
}

/// An event for a function.
#[derive(Debug, Clone)]
pub struct Event {
    /// The request id.
    pub request_id: String,
    /// The payload.
    pub payload: Bytes,
    /// The ARN as invoked, with the qualifier used.
    pub invoked_arn: String,
    /// The trace header.
    pub trace: String,
    /// The client context as JSON.
    pub client_context: Option<String>,
    /// The time of the invocation, milliseconds since 1970.
    pub now_ms: i64,
    /// What is to go wrong.
    pub fault: Option<FunctionEffect>,
}

impl Event {
    /// Trace and segment of a trace that is sampled.
    pub(crate) fn sampled(&self) -> Option<(&str, &str)> {
        let part = |name: &str| self.trace.split(';').find_map(|p| p.trim().strip_prefix(name));
        (part("Sampled=") == Some("1")).then_some(())?;
        Some((part("Root=")?, part("Parent=")?))
    }
}

/// What came of an event.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The answer, or the error in its place.
    pub payload: Bytes,
    /// Whether the function failed.
    pub failed: bool,
    /// The last 4 KB of the log.
    pub log_tail: String,
    /// How long it took, without the start.
    pub duration: Duration,
    /// How long the start took that came before it, if one did.
    pub init: Option<Duration>,
}

/// The environments of one sandbox.
pub struct Runtime {
    context: Arc<Context>,
    logs: Arc<Logs>,
    endpoint_url: String,
    processes: Arc<Processes>,
    /// Idle ones by build, with the time they were last used; the last of a list is the latest.
    idle: Mutex<HashMap<String, Vec<(Environment, Instant)>>>,
    returned: Notify,
    starting: Arc<Semaphore>,
    stop: CancellationToken,
}

enum Found {
    Warm(Box<Environment>),
    Cold(OwnedSemaphorePermit),
}

impl Runtime {
    /// A runtime without environments. `endpoint_url` is what functions reach AWS by, `starts` how
    /// many environments may start at the same time. Environments that an earlier sandbox left
    /// behind are ended.
    ///
    /// # Errors
    /// When the folder of the children's records can't be used.
    pub fn open(
        context: Arc<Context>,
        logs: Arc<Logs>,
        endpoint_url: String,
        starts: usize,
    ) -> io::Result<Arc<Self>> {
        let processes = Processes::open(context.path("lambda/environments"))?;
        Ok(Arc::new(Self {
            context,
            logs,
            endpoint_url,
            processes,
            idle: Mutex::default(),
            returned: Notify::new(),
            starting: Arc::new(Semaphore::new(starts.max(1))),
            stop: CancellationToken::new(),
        }))
    }

    /// Runs one event to its end. The future must not be dropped half way: an environment that is
    /// would be ended, and its log left without an end.
    ///
    /// # Errors
    /// `ServiceException` when the sandbox stops or the machine has nothing left to run it on; what
    /// the function does wrong is an outcome.
    pub async fn run(&self, spec: &Spec, event: Event) -> Result<Outcome, AwsError> {
        let permit = match self.find(&spec.build).await? {
            Found::Warm(environment) => {
                environment.journal.begin(&event.request_id);
                report::start(&environment.journal, spec, &event);
                return Ok(self.serve(*environment, spec, &event, None, Instant::now()).await);
            }
            Found::Cold(permit) => permit,
        };
        let journal = Arc::new(Journal::new(
            self.context.clone(),
            self.logs.clone(),
            spec.logs.clone(),
            self.log_stream(&spec.version),
        ));
        report::init_start(&journal, spec);
        let from = Instant::now();
        let first = self.start(spec, &journal, &event, from + INIT_LIMIT).await?;
        let init = from.elapsed();
        report::init_done(&journal, "init", init, first.as_ref().err());
        journal.begin(&event.request_id);
        report::start(&journal, spec, &event);
        let from = Instant::now();
        match first {
            Ok(environment) => {
                drop(permit);
                Ok(self.serve(environment, spec, &event, Some(init), from).await)
            }
            Err(_) => self.start_again(spec, journal, event, from, permit).await,
        }
    }

    /// After a start that failed AWS starts the function once more, inside the invocation and on
    /// its time. What fails then is the invocation's outcome.
    async fn start_again(
        &self,
        spec: &Spec,
        journal: Arc<Journal>,
        event: Event,
        from: Instant,
        permit: OwnedSemaphorePermit,
    ) -> Result<Outcome, AwsError> {
        let second = self.start(spec, &journal, &event, from + spec.timeout).await?;
        drop(permit);
        report::init_done(&journal, "invoke", from.elapsed(), second.as_ref().err());
        Ok(match second {
            Ok(environment) => self.serve(environment, spec, &event, None, from).await,
            Err(ending) => {
                let took = if ending.timed_out { spec.timeout } else { from.elapsed() };
                report::done(&journal, spec, &event, &ending, took, None, None);
                outcome(&journal, ending, took)
            }
        })
    }

    async fn start(
        &self,
        spec: &Spec,
        journal: &Arc<Journal>,
        event: &Event,
        deadline: Instant,
    ) -> Result<Result<Environment, Ending>, AwsError> {
        let (context, processes, url) = (&self.context, &self.processes, &self.endpoint_url);
        Environment::start(context, processes, url, spec, journal.clone(), event, deadline)
            .await
            .map_err(|error| unavailable(&format!("the sandbox can't start a process: {error}")))
    }

    /// Lets an environment serve an event whose time runs since `from`, and keeps it if it can go on.
    async fn serve(
        &self,
        mut environment: Environment,
        spec: &Spec,
        event: &Event,
        init: Option<Duration>,
        from: Instant,
    ) -> Outcome {
        let ending = environment.serve(event, from + spec.timeout, spec.timeout).await;
        let took = if ending.timed_out { spec.timeout } else { from.elapsed() };
        let journal = environment.journal.clone();
        report::done(&journal, spec, event, &ending, took, init, environment.peak_memory());
        let reusable = ending.reusable;
        let outcome = Outcome { init, ..outcome(&journal, ending, took) };
        if reusable && !self.stop.is_cancelled() {
            lock(&self.idle)
                .entry(environment.build.clone())
                .or_default()
                .push((environment, Instant::now()));
            self.returned.notify_waiters();
        }
        outcome
    }

    async fn find(&self, build: &str) -> Result<Found, AwsError> {
        let give_up = Instant::now() + START_QUEUE;
        loop {
            let returned = self.returned.notified();
            tokio::pin!(returned);
            returned.as_mut().enable();
            if self.stop.is_cancelled() {
                return Err(unavailable("the sandbox is stopping"));
            }
            if let Some(environment) = self.warm(build) {
                return Ok(Found::Warm(Box::new(environment)));
            }
            tokio::select! {
                biased;
                permit = self.starting.clone().acquire_owned() => {
                    let permit = permit.map_err(|_| unavailable("the sandbox is stopping"))?;
                    // Perhaps one came back while this call was waiting for its turn.
                    return Ok(match self.warm(build) {
                        Some(environment) => Found::Warm(Box::new(environment)),
                        None => Found::Cold(permit),
                    });
                }
                () = returned => {}
                () = self.stop.cancelled() => {}
                () = sleep_until(give_up) => {
                    return Err(unavailable("no execution environment could be started in a minute"));
                }
            }
        }
    }

    fn warm(&self, build: &str) -> Option<Environment> {
        let mut idle = lock(&self.idle);
        let of_build = idle.get_mut(build)?;
        while let Some((environment, _)) = of_build.pop() {
            if environment.is_alive() {
                return Some(environment);
            }
        }
        idle.remove(build);
        None
    }

    /// Ends idle environments: those of builds that nobody can ask for any more, and those not used
    /// for `idle`.
    pub fn sweep(&self, builds: &HashSet<&str>, idle: Duration) {
        let now = Instant::now();
        let mut kept = lock(&self.idle);
        kept.retain(|build, environments| {
            let known = builds.contains(build.as_str());
            environments.retain(|(environment, used)| {
                known && environment.is_alive() && now.saturating_duration_since(*used) < idle
            });
            !environments.is_empty()
        });
    }

    /// Ends every environment, the busy ones too, and waits until their processes are gone.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.processes.stop().await;
        lock(&self.idle).clear();
    }

    /// `YYYY/MM/DD/[version]` and 32 hexadecimal digits.
    fn log_stream(&self, version: &str) -> String {
        let date = self.context.now().format("%Y/%m/%d");
        format!("{date}/[{version}]{}", self.context.random.text("0123456789abcdef", 32))
    }
}

fn outcome(journal: &Journal, ending: Ending, duration: Duration) -> Outcome {
    Outcome {
        failed: ending.error.is_some(),
        payload: ending.payload,
        log_tail: journal.finish(),
        duration,
        init: None,
    }
}

fn unavailable(message: &str) -> AwsError {
    AwsError::new("ServiceException", message).with_status(500).with("Type", "Service")
}
