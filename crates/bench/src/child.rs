//! One program under the Runtime API: started, asked, looked at, ended.
//!
//! Processor time is that of the whole process, ended threads included, from its CPU clock: it counts
//! nanoseconds, where `/proc/PID/stat` counts hundredths of a second. It can be read from outside, so
//! that nothing has to be built into the program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;
use tokio::process::{Child as Process, Command};
use tokio::time::timeout;

use crate::runtime_api::{self, Arrival, Event, RuntimeApi};
use crate::world::Way;

/// Nothing here takes that long, unless it hangs.
const LIMIT: Duration = Duration::from_secs(30);
/// How much of a program's log goes into an error.
const LAST_LINES: usize = 10;
/// The memory the function is configured with, in megabytes.
const MEMORY_MB: u32 = 256;

/// A program that is measured.
#[derive(Debug)]
pub struct Program {
    /// What it is called in the report.
    pub name: &'static str,
    /// The executable.
    pub executable: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl Program {
    /// The function: `bootstrap`, whatever the file is called.
    pub fn function(executable: &Path) -> Self {
        Self { name: "function", executable: executable.to_owned(), arguments: Vec::new() }
    }

    /// The peer, with the limits that Lambda's managed Node.js runtime derives from the memory: a tenth
    /// for the young generation, half of that for each of its halves, and the rest for the old one.
    pub fn peer(node: &Path, runtime: &Path, bundle: &Path) -> Self {
        let young = MEMORY_MB / 10;
        let arguments = vec![
            format!("--max-semi-space-size={}", young / 2),
            format!("--max-old-space-size={}", MEMORY_MB - young),
            runtime.display().to_string(),
            bundle.display().to_string(),
        ];
        Self { name: "peer", executable: node.to_owned(), arguments }
    }
}

/// A program that runs.
pub struct Child {
    name: &'static str,
    process: Process,
    pid: Pid,
    clock: ClockId,
    api: RuntimeApi,
    log: PathBuf,
    started: Instant,
}

/// What came of a call.
#[derive(Debug)]
pub struct Answered {
    /// From the event handed out to the answer received.
    pub took: Duration,
    /// The answer.
    pub body: Bytes,
}

impl Child {
    /// Starts a program whose database and secret lie on that way.
    ///
    /// # Errors
    /// When it can't be started.
    pub async fn start(program: &Program, way: &Way) -> Result<Self> {
        let api = runtime_api::open().await?;
        let log = way.state.join(format!("{}.log", program.name));
        let output = fs::File::create(&log)?;
        let mut command = Command::new(&program.executable);
        command
            .args(&program.arguments)
            .env_clear()
            .envs(variables(&api.address, way))
            .stdin(Stdio::null())
            .stdout(Stdio::from(output.try_clone()?))
            .stderr(Stdio::from(output))
            .kill_on_drop(true);
        let started = Instant::now();
        let process =
            command.spawn().with_context(|| format!("cannot start {}", program.executable.display()))?;
        let pid = process.id().context("it ended at once")?;
        let pid = Pid::from_raw(i32::try_from(pid)?);
        let clock = clock_getcpuclockid(pid).context("this system has no CPU clock of a process")?;
        Ok(Self { name: program.name, process, pid, clock, api, log, started })
    }

    /// Waits until it asks for an event, and returns how long after its start that was when it is the
    /// first.
    ///
    /// # Errors
    /// When it fails, ends or takes too long.
    pub async fn ready(&mut self) -> Result<Duration> {
        match self.arrival().await? {
            Arrival::Next(at) => Ok(at - self.started),
            other => bail!("{} was to ask for an event, but: {other:?}", self.name),
        }
    }

    /// Has it answer an event, and waits until it asks for the next.
    ///
    /// # Errors
    /// When it fails, ends or takes too long.
    pub async fn call(&mut self, event: Event) -> Result<Answered> {
        self.api.events.send(event).await.context("nobody takes events any more")?;
        let answered = match self.arrival().await? {
            Arrival::Answer { took, body } => Answered { took, body },
            other => bail!("{} was to answer, but: {other:?}", self.name),
        };
        self.ready().await?;
        Ok(answered)
    }

    async fn arrival(&mut self) -> Result<Arrival> {
        let arrival = tokio::select! {
            arrival = timeout(LIMIT, self.api.arrivals.recv()) => arrival,
            status = self.process.wait() => {
                bail!("{} ended ({}): {}", self.name, status?, self.last_words())
            }
        };
        match arrival {
            Ok(Some(Arrival::Failed(reason))) => {
                bail!("{} failed: {reason}\n{}", self.name, self.last_words())
            }
            Ok(Some(arrival)) => Ok(arrival),
            Ok(None) => bail!("the Runtime API is closed"),
            Err(_) => bail!("{} did nothing for {LIMIT:?}: {}", self.name, self.last_words()),
        }
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }

    /// The processor time it has used, in milliseconds.
    ///
    /// # Errors
    /// When it is gone.
    pub fn cpu_ms(&self) -> Result<f64> {
        let used: Duration = self.clock.now().context("the process is gone")?.into();
        Ok(used.as_secs_f64() * 1e3)
    }

    /// The most memory it ever held, in megabytes (10^6).
    ///
    /// # Errors
    /// When it is gone.
    pub fn peak_memory_mb(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let kib: f64 = line.split_whitespace().next().context("VmHWM is empty")?.parse()?;
        Ok(kib * 1024.0 / 1e6)
    }

    /// Ends it and waits until it is gone.
    ///
    /// # Errors
    /// When it can't be ended.
    pub async fn end(mut self) -> Result<()> {
        timeout(LIMIT, self.process.kill()).await.context("a killed process stays")??;
        Ok(())
    }
}

/// What Lambda sets, and the configuration both programs read.
fn variables(runtime_api: &str, way: &Way) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", "learninghub-api-handler".to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", MEMORY_MB.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_REGION", "eu-west-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "not-a-key".to_owned()),
        ("AWS_SESSION_TOKEN", "not-a-token".to_owned()),
        ("AWS_ENDPOINT_URL", way.endpoint_url.clone()),
        ("SECRET_ID", way.secret_id.clone()),
        ("SQL_TLS", "required".to_owned()),
        ("SQL_CA", way.ca_file.display().to_string()),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
    ]
}
