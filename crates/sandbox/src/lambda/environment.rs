//! One execution environment: a child, its Runtime API and its log. It is started, serves one
//! event at a time, is frozen in between, and ends with its last owner.

use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use nix::errno::Errno;
use serde_json::json;
use tokio::process::Command;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::api::{self, Handed, LARGEST_RESPONSE, Report, RuntimeApi};
use super::journal::Journal;
use super::output::Output;
use super::process::{GONE, Process, Processes, worded};
use super::variables::variables;
use super::{Event, Spec};
use crate::context::Context;
use crate::faults::FunctionEffect;

/// A running environment.
pub(super) struct Environment {
    /// The build it was made of.
    pub build: String,
    /// Its log.
    pub journal: Arc<Journal>,
    api: RuntimeApi,
    process: Arc<Process>,
    output: Arc<Output>,
    peak_memory: Option<u64>,
    _serving: DropGuard,
}

/// How something ended, in AWS's terms.
#[derive(Debug)]
pub(super) struct Ending {
    /// The answer, or the error in its place.
    pub payload: Bytes,
    /// What went wrong, if anything did: `Runtime.ExitError`, `Sandbox.Timedout`, the function's own.
    pub error: Option<String>,
    /// Text for the log.
    pub words: Option<String>,
    /// Whether it was the time limit.
    pub timed_out: bool,
    /// Whether the environment can serve again.
    pub reusable: bool,
}

impl Ending {
    fn answered(payload: Bytes) -> Self {
        Self { payload, error: None, words: None, timed_out: false, reusable: true }
    }

    /// An error the function reported itself, body and all.
    fn reported(kind: String, payload: Bytes, reusable: bool) -> Self {
        Self { payload, error: Some(kind), words: None, timed_out: false, reusable }
    }

    /// An error of the platform's.
    fn failed(kind: &str, request_id: &str, what: &str) -> Self {
        let message = format!("RequestId: {request_id} Error: {what}");
        Self {
            payload: Bytes::from(json!({"errorType": kind, "errorMessage": message}).to_string()),
            error: Some(kind.to_owned()),
            words: Some(format!("{message}\n{kind}")),
            timed_out: false,
            reusable: false,
        }
    }

    fn exited(request_id: &str, status: ExitStatus) -> Self {
        Self::failed("Runtime.ExitError", request_id, &worded(status))
    }

    /// The time limit was reached.
    pub fn timed_out(request_id: &str, limit: Duration, time: &str) -> Self {
        let what = format!("Task timed out after {:.2} seconds", limit.as_secs_f64());
        Self {
            words: Some(format!("{time} {request_id} {what}\n")),
            timed_out: true,
            ..Self::failed("Sandbox.Timedout", request_id, &what)
        }
    }
}

impl Environment {
    /// Starts a bootstrap and waits until it asks for its first event, at most until `deadline`.
    ///
    /// # Errors
    /// Outside, what the system refuses the sandbox; inside, how the start of the function failed.
    pub async fn start(
        context: &Context,
        processes: &Arc<Processes>,
        endpoint_url: &str,
        spec: &Spec,
        journal: Arc<Journal>,
        event: &Event,
        deadline: Instant,
    ) -> io::Result<Result<Self, Ending>> {
        let stop = CancellationToken::new();
        let api = api::open(stop.clone()).await?;
        let (output, writer) = Output::new(journal.clone())?;
        let bootstrap = spec.task_root.join("bootstrap");
        let mut command = Command::new(&bootstrap);
        command
            .current_dir(&spec.task_root)
            .env_clear()
            .envs(variables(context, spec, endpoint_url, &api.address, journal.stream(), &event.trace))
            .stdin(std::process::Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let process = match processes.spawn(command).await {
            Ok(process) => process,
            Err(error) => return not_started(&bootstrap, &event.request_id, error),
        };
        let followed = output.clone();
        tokio::spawn(async move { followed.follow().await });
        let mut environment = Self {
            build: spec.build.clone(),
            journal,
            api,
            process,
            output,
            peak_memory: None,
            _serving: stop.drop_guard(),
        };
        Ok(match environment.ready(&event.request_id, spec.timeout, deadline).await {
            None => {
                // What was written during init is of no request: it must be in the log before START.
                environment.output.drain();
                Ok(environment)
            }
            Some(ending) => {
                environment.end().await;
                Err(ending)
            }
        })
    }

    /// Waits for the first `next`, and says what came instead.
    async fn ready(&mut self, request_id: &str, limit: Duration, deadline: Instant) -> Option<Ending> {
        tokio::select! {
            biased;
            report = self.api.reports.recv() => match report {
                Some(Report::Ready) => None,
                Some(Report::InitFailed(kind, body)) => Some(Ending::reported(kind, body, false)),
                _ => Some(Ending::failed("Runtime.Unknown", request_id, "the Runtime API was used out of order")),
            },
            status = self.process.ended() => Some(match self.api.reports.try_recv() {
                Ok(Report::InitFailed(kind, body)) => Ending::reported(kind, body, false),
                _ => Ending::exited(request_id, status),
            }),
            () = sleep_until(deadline) => {
                Some(Ending::timed_out(request_id, limit, &self.journal.time()))
            }
        }
    }

    /// Whether the child is still there.
    pub fn is_alive(&self) -> bool {
        !self.process.has_ended()
    }

    /// Megabytes, as far as the system told.
    pub fn peak_memory(&self) -> Option<u64> {
        self.peak_memory
    }

    /// Thaws the environment, hands an event over and waits for the answer and for the child to ask
    /// for the next event, at most until `deadline`; then freezes it, or ends it if it can't go on.
    pub async fn serve(&mut self, event: &Event, deadline: Instant, limit: Duration) -> Ending {
        self.process.thaw();
        self.hand(event, deadline, limit);
        let ending = self.answer(event, deadline, limit).await;
        self.peak_memory = self.process.peak_memory().or(self.peak_memory);
        if ending.reusable {
            self.process.freeze();
            self.output.drain();
        } else {
            self.end().await;
        }
        ending
    }

    /// Hands the event over, late where a fault says so.
    fn hand(&self, event: &Event, deadline: Instant, limit: Duration) {
        let text = |value: &str| HeaderValue::from_bytes(value.as_bytes()).ok();
        let left = deadline.saturating_duration_since(Instant::now()).min(limit);
        let deadline_ms = event.now_ms + i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
        let headers = [
            (header::CONTENT_TYPE, text("application/json")),
            (HeaderName::from_static("lambda-runtime-aws-request-id"), text(&event.request_id)),
            (HeaderName::from_static("lambda-runtime-deadline-ms"), text(&deadline_ms.to_string())),
            (HeaderName::from_static("lambda-runtime-invoked-function-arn"), text(&event.invoked_arn)),
            (HeaderName::from_static("lambda-runtime-trace-id"), text(&event.trace)),
            (
                HeaderName::from_static("lambda-runtime-client-context"),
                event.client_context.as_deref().and_then(text),
            ),
        ];
        let handed = Handed {
            request_id: event.request_id.clone(),
            headers: headers.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
            payload: event.payload.clone(),
        };
        let Some(FunctionEffect::Slow(ms)) = event.fault else {
            // There is room for one, and none waits: the one before was taken or ended its environment.
            let _ = self.api.events.try_send(handed);
            return;
        };
        let events = self.api.events.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            // Err is an environment that has ended meanwhile.
            let _ = events.send(handed).await;
        });
    }

    async fn answer(&mut self, event: &Event, deadline: Instant, limit: Duration) -> Ending {
        let id = &event.request_id;
        let mut answered = None;
        loop {
            tokio::select! {
                biased;
                report = self.api.reports.recv() => match report {
                    Some(Report::Taken) => {
                        if event.fault == Some(FunctionEffect::Crash) {
                            self.process.kill();
                        }
                    }
                    Some(Report::Ready) => if let Some(ending) = answered { return ending },
                    Some(report) => answered = Some(ending_of(id, report)),
                    None => return Ending::failed("Runtime.Unknown", id, "the Runtime API is gone"),
                },
                status = self.process.ended() => {
                    // What it said before it went has come already: each word is confirmed to it.
                    while let Ok(report) = self.api.reports.try_recv() {
                        if matches!(report, Report::Response(_) | Report::Failed(..) | Report::TooLarge) {
                            answered = Some(ending_of(id, report));
                        }
                    }
                    // An answer given is an answer, even if the runtime then fell over.
                    return match answered {
                        Some(ending) => Ending { reusable: false, ..ending },
                        None => Ending::exited(id, status),
                    };
                }
                () = sleep_until(deadline) => return match answered {
                    Some(ending) => Ending { reusable: false, ..ending },
                    None => Ending::timed_out(id, limit, &self.journal.time()),
                },
            }
        }
    }

    /// Ends the child and takes the last it wrote.
    async fn end(&self) {
        self.process.kill();
        if tokio::time::timeout(GONE, self.process.ended()).await.is_err() {
            tracing::error!(build = self.build, "an execution environment does not end");
        }
        self.output.drain();
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        self.process.kill();
    }
}

fn ending_of(request_id: &str, report: Report) -> Ending {
    match report {
        Report::Response(body) => Ending::answered(body),
        Report::Failed(kind, body) | Report::InitFailed(kind, body) => Ending::reported(kind, body, true),
        Report::TooLarge => {
            let kind = "Function.ResponseSizeTooLarge";
            let message = format!(
                "Response payload size exceeded maximum allowed payload size ({LARGEST_RESPONSE} bytes)."
            );
            let payload = json!({"errorType": kind, "errorMessage": message}).to_string();
            Ending { words: Some(message), ..Ending::reported(kind.to_owned(), payload.into(), true) }
        }
        Report::Ready | Report::Taken => Ending::failed("Runtime.Unknown", request_id, "no answer"),
    }
}

/// A bootstrap that can't be executed fails as on AWS, when it is invoked; what the system refuses
/// the sandbox (no processes, no memory) is the sandbox's own failure.
fn not_started(
    bootstrap: &Path,
    request_id: &str,
    error: io::Error,
) -> io::Result<Result<Environment, Ending>> {
    let what = match error.kind() {
        io::ErrorKind::NotFound if !bootstrap.exists() => {
            "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]".to_owned()
        }
        io::ErrorKind::NotFound => "fork/exec /var/task/bootstrap: no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "fork/exec /var/task/bootstrap: permission denied".to_owned(),
        _ if error.raw_os_error() == Some(Errno::ENOEXEC as i32) => {
            "fork/exec /var/task/bootstrap: exec format error".to_owned()
        }
        _ => return Err(error),
    };
    Ok(Err(Ending::failed("Runtime.InvalidEntrypoint", request_id, &what)))
}
