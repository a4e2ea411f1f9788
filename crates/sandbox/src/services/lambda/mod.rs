//! Lambda's control plane: functions, versions, aliases, permissions, and `Invoke`, which it hands
//! to the runtime in [`crate::lambda`].
//!
//! Strict where AWS is: a stale revision, an update while one is in progress, an alias to a version
//! that does not exist, a permission on another qualifier are all refused with AWS's codes and
//! words. Code comes as a zip in the request or out of S3; only `provided.al2023` and `provided.al2` are run,
//! because the machine has no other runtime. State is one JSON file; zips and what is unpacked of
//! them lie beside it, under their hashes.
//!
//! - `names`, `errors`: what everything is called, and the refusals;
//! - `state`, `settings` with its `checks`, `code` and its `source`: what is kept; `shown`: how it is given back;
//! - `functions`, `versions`, `aliases`, `permissions`, `concurrency`, `tags`: the operations;
//! - `invoke`, `events`, `metrics`: invocations; `trail`: what CloudTrail is told; `traces`: what X-Ray is.

mod aliases;
mod checks;
mod code;
mod concurrency;
mod errors;
mod events;
mod functions;
mod invoke;
mod metrics;
mod names;
mod permissions;
mod settings;
mod shown;
mod source;
mod state;
mod tags;
mod traces;
mod trail;
mod versions;

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::code::CodeStore;
use self::concurrency::Admission;
use self::events::Events;
use self::state::State;
use crate::aws::{AwsError, Body, Call, Protocol, Reply, Route, Service};
use crate::context::Context;
use crate::lambda::Runtime;
use crate::persisted::Persisted;
use crate::services::cloudtrail::CloudTrail;
use crate::services::cloudwatch::CloudWatch;
use crate::services::logs::Logs;
use crate::services::s3::S3;
use crate::services::xray::XRay;

/// How often idle environments are looked at.
const SWEEP: Duration = Duration::from_millis(500);
/// How long `stop` waits for invocations to end once their environments are killed.
const LAST_TASKS: Duration = Duration::from_secs(10);

/// How the runtime is set up.
#[derive(Debug, Clone)]
pub struct LambdaOptions {
    /// What `AWS_ENDPOINT_URL` is set to inside execution environments.
    pub endpoint_url: String,
    /// The account's concurrency limit; AWS's default is 1,000.
    pub account_concurrency: u32,
    /// An idle environment is ended after this many seconds.
    pub idle_seconds: u64,
}

/// What tests and small machines may want otherwise.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// How long a new function, version or update takes to come into effect, by the context's clock.
    pub settling: TimeDelta,
    /// How much of the account's concurrency must stay unreserved. AWS: 100 of 1,000.
    pub least_unreserved: u32,
    /// How many environments may start at the same time.
    pub starts: usize,
}

impl Tuning {
    /// The defaults: changes settle in 300 ms, a tenth of the account's concurrency stays
    /// unreserved, four environments start at a time.
    pub fn of(options: &LambdaOptions) -> Self {
        Self {
            settling: TimeDelta::milliseconds(300),
            least_unreserved: options.account_concurrency / 10,
            starts: 4,
        }
    }
}

/// An invocation by another service of AWS.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// A function's name or ARN, with or without a qualifier.
    pub function: String,
    /// A version, an alias, or none for `$LATEST`; must not contradict `function`.
    pub qualifier: Option<String>,
    /// The event.
    pub payload: Bytes,
    /// The service that invokes, which the function's resource policy must allow on exactly this
    /// qualifier; none for a signed caller.
    pub principal: Option<Principal>,
    /// The trace header to hand on, if there is one.
    pub trace: Option<String>,
}

/// A service that invokes a function.
#[derive(Debug, Clone)]
pub struct Principal {
    /// For example `apigateway.amazonaws.com`.
    pub service: String,
    /// For example `arn:aws:execute-api:eu-west-1:123456789012:abc/$default/GET/status`.
    pub source_arn: String,
}

/// What came of an invocation that reached a function.
#[derive(Debug, Clone)]
pub struct Invoked {
    /// The request id, which is also in the log.
    pub request_id: String,
    /// The version that ran.
    pub executed_version: String,
    /// `Unhandled` when the function failed, with the error as the payload.
    pub function_error: Option<String>,
    /// The answer.
    pub payload: Bytes,
    /// The last 4 KB of the log.
    pub log_tail: String,
}

/// Functions and what runs them.
pub struct Lambda {
    core: Arc<Core>,
}

/// What invocations hold on to while they run.
struct Core {
    context: Arc<Context>,
    options: LambdaOptions,
    tuning: Tuning,
    state: Persisted<State>,
    code: CodeStore,
    events: Events,
    admission: Arc<Admission>,
    runtime: Arc<Runtime>,
    metrics: Arc<CloudWatch>,
    trail: OnceLock<Arc<CloudTrail>>,
    objects: OnceLock<Arc<S3>>,
    traces: OnceLock<Arc<XRay>>,
    /// The second in which each traced function was last sampled.
    sampled: Mutex<HashMap<String, i64>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Lambda {
    /// Opens the state of the service in the context's folder. Must be called inside a Tokio
    /// runtime: events that an earlier sandbox accepted begin to run, and environments it left
    /// behind are ended.
    ///
    /// # Errors
    /// When the state can't be read, or there is no Tokio runtime.
    pub fn open(
        context: Arc<Context>,
        logs: Arc<Logs>,
        metrics: Arc<CloudWatch>,
        options: LambdaOptions,
    ) -> io::Result<Arc<Self>> {
        let tuning = Tuning::of(&options);
        Self::open_tuned(context, logs, metrics, options, tuning)
    }

    /// [`Lambda::open`] with other times and bounds.
    ///
    /// # Errors
    /// As [`Lambda::open`].
    pub fn open_tuned(
        context: Arc<Context>,
        logs: Arc<Logs>,
        metrics: Arc<CloudWatch>,
        options: LambdaOptions,
        tuning: Tuning,
    ) -> io::Result<Arc<Self>> {
        let tokio = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        let state = Persisted::<State>::open(&context.path("lambda.json"))?;
        let code = state.read(|state| {
            let used: HashSet<&str> = state.builds().map(|build| build.code.hex.as_str()).collect();
            CodeStore::open(context.path("lambda/code"), &used)
        })?;
        let endpoint_url = options.endpoint_url.clone();
        let core = Arc::new(Core {
            events: Events::open(context.path("lambda/events"))?,
            runtime: Runtime::open(context.clone(), logs, endpoint_url, tuning.starts)?,
            admission: Arc::default(),
            trail: OnceLock::new(),
            objects: OnceLock::new(),
            traces: OnceLock::new(),
            sampled: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            context,
            options,
            tuning,
            state,
            code,
            metrics,
        });
        tokio.spawn(core.clone().run_events());
        tokio.spawn(core.clone().run_sweeps());
        Ok(Arc::new(Self { core }))
    }

    /// Invokes a function and waits for its answer. When the future is dropped the function runs on
    /// to its end, as on AWS.
    ///
    /// # Errors
    /// Lambda's own: `ResourceNotFoundException`, `TooManyRequestsException`,
    /// `AccessDeniedException` when the resource policy does not allow the principal, ...
    pub async fn invoke(&self, invocation: Invocation) -> Result<Invoked, AwsError> {
        self.core.invoke(invocation).await
    }

    /// Whether a function is there and its policy lets a service invoke it. One that is not active yet
    /// counts: it will be.
    pub fn may_invoke(&self, function: &str, principal: &Principal) -> bool {
        self.core.may_invoke(function, principal)
    }

    /// Ends the environments of a function that are idle now, as AWS does when it likes: the next
    /// requests find cold ones.
    pub fn end_idle(&self, function: &str) {
        self.core.end_idle(function);
    }

    /// Ends every execution environment and waits until their processes are gone. Invocations that
    /// run fail; events that have not been run stay in their files.
    pub async fn stop(&self) {
        self.core.stop.cancel();
        self.core.runtime.stop().await;
        self.core.tasks.close();
        if tokio::time::timeout(LAST_TASKS, self.core.tasks.wait()).await.is_err() {
            tracing::error!("some invocations do not end");
        }
        let left = self.core.events.len();
        if left > 0 {
            tracing::info!(left, "events wait for the next start");
        }
    }
}

impl Drop for Lambda {
    /// The background tasks hold the core: without this they would outlive the service.
    fn drop(&mut self) {
        self.core.stop.cancel();
    }
}

impl Core {
    async fn run_sweeps(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(SWEEP) => self.retire(),
            }
        }
    }
}

#[async_trait]
impl Service for Lambda {
    fn signing_name(&self) -> &'static str {
        "lambda"
    }

    fn protocol(&self) -> Protocol {
        Protocol::RestJson
    }

    fn routes(&self) -> &'static [Route] {
        &ROUTES
    }

    fn throttled(&self) -> AwsError {
        errors::throttled("CallerRateLimitExceeded")
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, AwsError> {
        if call.operation == "Invoke" {
            return self.core.invoke_call(call).await.or_else(with_retry_after);
        }
        let answer = self.core.answer(&call).await;
        self.core.record(&call, &answer);
        answer.or_else(with_retry_after)
    }
}

/// A throttled call is told in a header when to come back.
fn with_retry_after(error: AwsError) -> Result<Reply, AwsError> {
    if error.status != 429 {
        return Err(error);
    }
    let mut members = error.members;
    members.remove("retryAfterSeconds");
    members.insert("message".to_owned(), error.message.into());
    Ok(Reply { status: 429, headers: Vec::new(), body: Body::Json(members.into()) }
        .with_header("x-amzn-errortype", error.code)
        .with_header("retry-after", "1"))
}

impl Core {
    async fn answer(&self, call: &Call) -> Result<Reply, AwsError> {
        match call.operation.as_str() {
            "CreateFunction" => self.create_function(call).await,
            "GetFunction" => self.get_function(call),
            "GetFunctionConfiguration" => self.get_function_configuration(call),
            "ListFunctions" => self.list_functions(call),
            "UpdateFunctionCode" => self.update_function_code(call).await,
            "UpdateFunctionConfiguration" => self.update_function_configuration(call),
            "DeleteFunction" => self.delete_function(call),
            "PublishVersion" => self.publish_version(call),
            "ListVersionsByFunction" => self.list_versions(call),
            "CreateAlias" => self.create_alias(call),
            "GetAlias" => self.get_alias(call),
            "UpdateAlias" => self.update_alias(call),
            "DeleteAlias" => self.delete_alias(call),
            "ListAliases" => self.list_aliases(call),
            "AddPermission" => self.add_permission(call),
            "RemovePermission" => self.remove_permission(call),
            "GetPolicy" => self.get_policy(call),
            "PutFunctionConcurrency" => self.put_function_concurrency(call),
            "GetFunctionConcurrency" => self.get_function_concurrency(call),
            "DeleteFunctionConcurrency" => self.delete_function_concurrency(call),
            "GetAccountSettings" => self.get_account_settings(call),
            "TagResource" => self.tag_resource(call),
            "UntagResource" => self.untag_resource(call),
            "ListTags" => self.list_tags(call),
            other => Err(AwsError::unsupported(format_args!("lambda {other}"))),
        }
    }
}

/// Older clients end a few paths with a slash.
const ROUTES: [Route; 28] = [
    ("POST", "/2015-03-31/functions", "CreateFunction"),
    ("GET", "/2015-03-31/functions", "ListFunctions"),
    ("GET", "/2015-03-31/functions/", "ListFunctions"),
    ("GET", "/2015-03-31/functions/{FunctionName}", "GetFunction"),
    ("DELETE", "/2015-03-31/functions/{FunctionName}", "DeleteFunction"),
    ("PUT", "/2015-03-31/functions/{FunctionName}/code", "UpdateFunctionCode"),
    ("GET", "/2015-03-31/functions/{FunctionName}/configuration", "GetFunctionConfiguration"),
    ("PUT", "/2015-03-31/functions/{FunctionName}/configuration", "UpdateFunctionConfiguration"),
    ("POST", "/2015-03-31/functions/{FunctionName}/invocations", "Invoke"),
    ("POST", "/2015-03-31/functions/{FunctionName}/versions", "PublishVersion"),
    ("GET", "/2015-03-31/functions/{FunctionName}/versions", "ListVersionsByFunction"),
    ("POST", "/2015-03-31/functions/{FunctionName}/aliases", "CreateAlias"),
    ("GET", "/2015-03-31/functions/{FunctionName}/aliases", "ListAliases"),
    ("GET", "/2015-03-31/functions/{FunctionName}/aliases/{Name}", "GetAlias"),
    ("PUT", "/2015-03-31/functions/{FunctionName}/aliases/{Name}", "UpdateAlias"),
    ("DELETE", "/2015-03-31/functions/{FunctionName}/aliases/{Name}", "DeleteAlias"),
    ("POST", "/2015-03-31/functions/{FunctionName}/policy", "AddPermission"),
    ("GET", "/2015-03-31/functions/{FunctionName}/policy", "GetPolicy"),
    ("DELETE", "/2015-03-31/functions/{FunctionName}/policy/{StatementId}", "RemovePermission"),
    ("PUT", "/2017-10-31/functions/{FunctionName}/concurrency", "PutFunctionConcurrency"),
    ("DELETE", "/2017-10-31/functions/{FunctionName}/concurrency", "DeleteFunctionConcurrency"),
    ("GET", "/2019-09-30/functions/{FunctionName}/concurrency", "GetFunctionConcurrency"),
    ("GET", "/2016-08-19/account-settings", "GetAccountSettings"),
    ("GET", "/2016-08-19/account-settings/", "GetAccountSettings"),
    ("POST", "/2017-03-31/tags/{Resource}", "TagResource"),
    ("GET", "/2017-03-31/tags/{Resource}", "ListTags"),
    ("DELETE", "/2017-03-31/tags/{Resource}", "UntagResource"),
    ("POST", "/2015-03-31/functions/", "CreateFunction"),
];
