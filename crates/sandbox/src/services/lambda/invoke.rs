//! `Invoke`: from a name to a build, past the policy and the concurrency, to the runtime.
//!
//! The invocation itself runs in a task of its own: on AWS, too, a function runs to its end when
//! its caller has gone.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use super::concurrency::{Levels, Slot};
use super::errors::{constraint, failed, function_not_found, pending};
use super::metrics::{self, Counted};
use super::names::{FunctionRef, LATEST};
use super::permissions::check_principal;
use super::shown::call_query;
use super::state::{Build, Version};
use super::traces;
use super::{Core, Invocation, Invoked, Principal};
use crate::aws::{AwsError, Body, Call, Reply};
use crate::lambda::{Event, JsonLevels, LogSettings, Spec};

/// AWS: 6 MB for a synchronous event.
const LARGEST_EVENT: usize = 6 * 1024 * 1024;
/// AWS: 1 MB for an asynchronous one.
pub(super) const LARGEST_ASYNC_EVENT: usize = 1024 * 1024;
/// AWS: 3,583 bytes of base64 for the client context.
const LARGEST_CLIENT_CONTEXT: usize = 3_583;
/// X-Ray's default rule: one request a second, and one in twenty of the rest.
const SAMPLED_SHARE: f64 = 0.05;

/// One invocation, as it is asked for.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub request_id: String,
    pub reference: FunctionRef,
    pub payload: Bytes,
    pub principal: Option<Principal>,
    pub trace: Option<String>,
    pub client_context: Option<String>,
}

/// What a request leads to.
pub(super) struct Target {
    pub counted: Counted,
    pub version: String,
    pub build: Build,
    pub invoked_arn: String,
    reserved: Option<u32>,
    pool: u32,
}

impl Core {
    pub(super) async fn invoke_call(self: &Arc<Self>, call: Call) -> Result<Reply, AwsError> {
        call_query(&call, &["Qualifier"])?;
        let header = |name: &str| call.headers.get(name).and_then(|value| value.to_str().ok());
        for (name, what) in
            [("x-amz-durable-execution-name", "durable executions"), ("x-amz-tenant-id", "tenant isolation")]
        {
            if header(name).is_some() {
                return Err(AwsError::unsupported(what));
            }
        }
        let reference =
            FunctionRef::parse(&self.context, call.path("FunctionName"), call.query("Qualifier"))?;
        let tail = match header("x-amz-log-type") {
            None | Some("None") => false,
            Some("Tail") => true,
            Some(other) => {
                let rule = "Member must satisfy enum value set: [None, Tail]";
                return Err(constraint(other, "logType", rule));
            }
        };
        let client_context = header("x-amz-client-context").map(client_context).transpose()?;
        let request = Request {
            request_id: call.request_id.clone(),
            reference,
            payload: call.body.clone(),
            principal: None,
            trace: header("x-amzn-trace-id").map(str::to_owned),
            client_context,
        };
        match header("x-amz-invocation-type").unwrap_or("RequestResponse") {
            "RequestResponse" => {
                check_event(&request.payload, LARGEST_EVENT)?;
                self.run(request).await.map(|invoked| reply(invoked, tail))
            }
            "DryRun" => {
                self.target(&request)?;
                Ok(Reply::empty())
            }
            "Event" => {
                check_event(&request.payload, LARGEST_ASYNC_EVENT)?;
                self.target(&request)?;
                self.events.accept(&self.context, &request)?;
                Ok(Reply { status: 202, headers: Vec::new(), body: Body::Empty })
            }
            other => {
                let rule = "Member must satisfy enum value set: [Event, RequestResponse, DryRun]";
                Err(constraint(other, "invocationType", rule))
            }
        }
    }

    /// An invocation by another service.
    pub(super) async fn invoke(self: &Arc<Self>, invocation: Invocation) -> Result<Invoked, AwsError> {
        let qualifier = invocation.qualifier.as_deref();
        let request = Request {
            request_id: self.context.random.uuid(),
            reference: FunctionRef::parse(&self.context, &invocation.function, qualifier)?,
            payload: invocation.payload,
            principal: invocation.principal,
            trace: invocation.trace,
            client_context: None,
        };
        check_event(&request.payload, LARGEST_EVENT)?;
        self.run(request).await
    }

    /// Whether a service may invoke what a name or an ARN leads to.
    pub(super) fn may_invoke(&self, function: &str, principal: &Principal) -> bool {
        let Ok(FunctionRef { name, qualifier }) = FunctionRef::parse(&self.context, function, None) else {
            return false;
        };
        let qualifier = qualifier.as_deref();
        self.state.read(|state| {
            state.functions.get(&name).is_some_and(|function| {
                let known = qualifier.is_none_or(|qualifier| {
                    function.aliases.contains_key(qualifier) || function.version(qualifier).is_some()
                });
                known && check_principal(function, qualifier, "", principal).is_ok()
            })
        })
    }

    /// Runs a request to its end, even if the caller stops waiting for it.
    pub(super) async fn run(self: &Arc<Self>, request: Request) -> Result<Invoked, AwsError> {
        let target = self.target(&request)?;
        let (slot, levels) = self
            .admission
            .admit(&target.counted.function, &target.counted.resource, target.reserved, target.pool)
            .inspect_err(|_| self.metrics.record(&metrics::throttled(&target.counted, self.context.now())))?;
        let core = self.clone();
        let running = self.tasks.spawn(async move { core.execute(request, target, slot, levels).await });
        running.await.map_err(|error| AwsError::internal(format!("the invocation broke off: {error}")))?
    }

    async fn execute(
        &self,
        request: Request,
        target: Target,
        slot: Slot,
        levels: Levels,
    ) -> Result<Invoked, AwsError> {
        let started = self.context.now();
        self.metrics.record(&metrics::began(&target.counted, levels, started));
        let payload = if request.payload.is_empty() { Bytes::from_static(b"{}") } else { request.payload };
        let function = &target.counted.function;
        let given = request.trace.as_deref();
        let event = Event {
            request_id: request.request_id.clone(),
            payload,
            invoked_arn: target.invoked_arn.clone(),
            trace: self.trace(given, function, target.build.settings.tracing == "Active"),
            client_context: request.client_context,
            now_ms: started.timestamp_millis(),
            fault: self.context.faults.function(&self.context.random, function),
        };
        let spec = self.spec(function, &target.version, &target.build);
        let sampled = event.sampled().map(|(trace, segment)| (trace.to_owned(), segment.to_owned()));
        let outcome = self.runtime.run(&spec, event).await?;
        drop(slot);
        if let Some((trace, segment)) = sampled {
            let told = traces::Told {
                trace: &trace,
                segment: &segment,
                caller: given.and_then(traces::parent),
                started,
            };
            self.tell_xray(&told, &request.request_id, &target, &outcome);
        }
        let ms = outcome.duration.as_secs_f64() * 1000.0;
        self.metrics.record(&metrics::ended(&target.counted, outcome.failed, ms, started));
        Ok(Invoked {
            request_id: request.request_id,
            executed_version: target.version,
            function_error: outcome.failed.then(|| "Unhandled".to_owned()),
            payload: outcome.payload,
            log_tail: outcome.log_tail,
        })
    }

    /// Finds what a request leads to. An alias with a weight is decided here, by one random number.
    ///
    /// # Errors
    /// `ResourceNotFoundException`, `ResourceConflictException` for a version that is not active
    /// yet, `AccessDeniedException` for a principal that no policy allows.
    pub(super) fn target(&self, request: &Request) -> Result<Target, AwsError> {
        let FunctionRef { name, qualifier } = &request.reference;
        let invoked_arn = request.reference.arn(&self.context);
        let now = self.context.now();
        self.state.read(|state| {
            let missing = || function_not_found(&invoked_arn);
            let function = state.functions.get(name).ok_or_else(missing)?;
            let alias = qualifier.as_deref().and_then(|qualifier| function.aliases.get(qualifier));
            let version = match alias {
                Some(alias) if alias.weights.is_empty() => alias.version.as_str(),
                Some(alias) => alias.choose(self.context.random.fraction()),
                None => qualifier.as_deref().unwrap_or(LATEST),
            };
            let found: &Version = function.version(version).ok_or_else(missing)?;
            if let Some(principal) = &request.principal {
                check_principal(function, qualifier.as_deref(), &invoked_arn, principal)?;
            }
            if found.is_pending(now) {
                return Err(pending());
            }
            if version != LATEST && found.failed(now).is_some() {
                return Err(failed());
            }
            let build = if version == LATEST { function.serving(now) } else { &found.build };
            let resource = qualifier.as_ref().map_or_else(|| name.clone(), |q| format!("{name}:{q}"));
            Ok(Target {
                counted: Counted {
                    function: name.clone(),
                    resource,
                    executed: alias.is_some().then(|| version.to_owned()),
                },
                version: version.to_owned(),
                build: build.clone(),
                invoked_arn: invoked_arn.clone(),
                reserved: function.reserved,
                pool: self.options.account_concurrency.saturating_sub(state.reserved()),
            })
        })
    }

    fn spec(&self, function: &str, version: &str, build: &Build) -> Spec {
        let settings = &build.settings;
        let logging = &settings.logging;
        Spec {
            function: function.to_owned(),
            version: version.to_owned(),
            build: build.id.clone(),
            task_root: self.code.task_root(&build.code),
            handler: settings.handler.clone(),
            memory: settings.memory,
            timeout: Duration::from_secs(u64::from(settings.timeout)),
            environment: settings.environment.clone(),
            xray_daemon: self.traces.get().and_then(|xray| xray.daemon()),
            logs: LogSettings {
                group: settings.log_group(function),
                json: logging.json.then(|| JsonLevels {
                    application: logging.application.clone(),
                    system: logging.system.clone(),
                }),
            },
        }
    }

    /// The trace header of an invocation: the caller's decision where there is one; else, for a
    /// function with active tracing, X-Ray's default rule. Its parent is the function's own segment.
    fn trace(&self, given: Option<&str>, function: &str, active: bool) -> String {
        let part = |name: &str| {
            let found = given?.split(';').find_map(|part| part.trim().strip_prefix(name))?;
            let fits = !found.is_empty() && found.bytes().all(|b| b.is_ascii_graphic());
            fits.then(|| found.to_owned())
        };
        let hex = |length| self.context.random.text("0123456789abcdef", length);
        let seconds = self.context.now().timestamp();
        let root = part("Root=").unwrap_or_else(|| format!("1-{seconds:08x}-{}", hex(24)));
        let parent = hex(16);
        let sampled = match part("Sampled=").as_deref() {
            Some("1") => true,
            Some("0") => false,
            _ => {
                active
                    && (self.first_in_second(function, seconds)
                        || self.context.random.fraction() < SAMPLED_SHARE)
            }
        };
        format!("Root={root};Parent={parent};Sampled={}", u8::from(sampled))
    }

    fn first_in_second(&self, function: &str, second: i64) -> bool {
        crate::context::lock(&self.sampled).insert(function.to_owned(), second) != Some(second)
    }

    /// Ends the idle environments of a function.
    pub(super) fn end_idle(&self, function: &str) {
        let now = self.context.now();
        self.state
            .read(|state| self.runtime.sweep(&state.running_builds(now, Some(function)), Duration::MAX));
    }

    /// Ends environments that nobody can ask for any more, and those idle for too long.
    pub(super) fn retire(&self) {
        let idle = Duration::from_secs(self.options.idle_seconds);
        let now = self.context.now();
        self.state.read(|state| self.runtime.sweep(&state.running_builds(now, None), idle));
        let known = self.state.read(|state| state.functions.keys().cloned().collect::<Vec<_>>());
        crate::context::lock(&self.sampled).retain(|function, _| known.contains(function));
    }
}

fn reply(invoked: Invoked, tail: bool) -> Reply {
    let body = Body::Bytes(invoked.payload, "application/json");
    let mut reply = Reply { status: 200, headers: Vec::new(), body }
        .with_header("x-amz-executed-version", invoked.executed_version);
    if let Some(error) = invoked.function_error {
        reply = reply.with_header("x-amz-function-error", error);
    }
    if tail {
        reply = reply.with_header("x-amz-log-result", STANDARD.encode(invoked.log_tail));
    }
    reply
}

fn check_event(payload: &Bytes, largest: usize) -> Result<(), AwsError> {
    if payload.len() > largest {
        return Err(AwsError::new(
            "RequestTooLargeException",
            format!("Request must be smaller than {largest} bytes for the InvokeFunction operation"),
        )
        .with_status(413)
        .with("Type", "User"));
    }
    if payload.is_empty() {
        return Ok(());
    }
    serde_json::from_slice::<serde::de::IgnoredAny>(payload).map(drop).map_err(|error| {
        content(format!("Could not parse request body into json: Could not parse payload into json: {error}"))
    })
}

fn client_context(given: &str) -> Result<String, AwsError> {
    let refused = || content("Client context must be a valid Base64-encoded JSON object.".to_owned());
    if given.len() > LARGEST_CLIENT_CONTEXT {
        return Err(content(format!(
            "Client context must be no more than {LARGEST_CLIENT_CONTEXT} bytes when base64-encoded."
        )));
    }
    let bytes = STANDARD.decode(given).map_err(|_| refused())?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| refused())?;
    // Written anew, so that it holds no line breaks: it travels in a header.
    value.is_object().then(|| value.to_string()).ok_or_else(refused)
}

fn content(message: String) -> AwsError {
    AwsError::new("InvalidRequestContentException", message).with("Type", "User")
}
