//! A sandbox's Lambda behind a port, and a client of it.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::{Credentials, Region, retry::RetryConfig};
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::operation::invoke::InvokeOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, FunctionCode, LogType, Runtime};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use sandbox::Context;
use sandbox::aws::{AwsEndpoint, Service, serve};
use sandbox::context::ManualClock;
use sandbox::services::cloudtrail::CloudTrail;
use sandbox::services::cloudwatch::CloudWatch;
use sandbox::services::lambda::{Lambda, LambdaOptions, Tuning};
use sandbox::services::logs::Logs;
use sandbox::services::s3::S3;
use sandbox::services::secretsmanager::SecretsManager;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

pub const ROLE: &str = "arn:aws:iam::123456789012:role/execution";

/// How a world differs from the usual one.
pub struct Plan {
    pub account_concurrency: u32,
    pub idle_seconds: u64,
    pub settling: TimeDelta,
    pub starts: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self { account_concurrency: 1000, idle_seconds: 60, settling: TimeDelta::zero(), starts: 4 }
    }
}

pub struct World {
    pub context: Arc<Context>,
    pub clock: Arc<ManualClock>,
    pub lambda: Arc<Lambda>,
    pub client: Client,
    /// Where Lambda, CloudWatch, CloudWatch Logs, Secrets Manager, CloudTrail and S3 answer.
    pub url: String,
    stop: CancellationToken,
}

impl World {
    pub async fn start(folder: &Path, plan: Plan) -> Self {
        let clock = ManualClock::new("2026-08-04T12:00:00Z".parse::<DateTime<Utc>>().unwrap());
        Self::start_at(folder, plan, clock).await
    }

    /// The same with a clock, which an earlier world may have had.
    pub async fn start_at(folder: &Path, plan: Plan, clock: Arc<ManualClock>) -> Self {
        let context = Context::for_tests(folder, clock.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let options = LambdaOptions {
            endpoint_url: url.clone(),
            account_concurrency: plan.account_concurrency,
            idle_seconds: plan.idle_seconds,
        };
        let tuning = Tuning { settling: plan.settling, starts: plan.starts, ..Tuning::of(&options) };
        let metrics = CloudWatch::open(context.clone()).unwrap();
        let logs = Logs::open(context.clone(), metrics.clone()).unwrap();
        let lambda =
            Lambda::open_tuned(context.clone(), logs.clone(), metrics.clone(), options, tuning).unwrap();
        let stop = CancellationToken::new();
        let trail = CloudTrail::open(context.clone()).unwrap();
        let secrets = SecretsManager::open(context.clone()).unwrap();
        secrets.record_in(trail.clone());
        lambda.record_in(trail.clone());
        let objects = S3::open(context.clone()).unwrap();
        lambda.fetch_from(objects.clone());
        secrets.rotate_with(lambda.clone(), stop.clone());
        let services: Vec<Arc<dyn Service>> = vec![lambda.clone(), logs, metrics, secrets, trail, objects];
        let endpoint = Arc::new(AwsEndpoint::new(context.clone(), services));
        tokio::spawn(serve(endpoint, listener, stop.clone()));
        let config = aws_sdk_lambda::Config::builder()
            .behavior_version_latest()
            .region(Region::new("eu-west-1"))
            .endpoint_url(&url)
            .credentials_provider(Credentials::new("AKIATEST", "secret", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .build();
        Self { context, clock, lambda, client: Client::from_conf(config), url, stop }
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.lambda.stop().await;
    }

    /// A function of the test's bootstrap.
    pub async fn function(&self, name: &str) {
        self.function_with(name, &[]).await;
    }

    /// The same with variables.
    pub async fn function_with(&self, name: &str, variables: &[(&str, &str)]) {
        let mut environment = Environment::builder();
        for (key, value) in variables {
            environment = environment.variables(*key, *value);
        }
        self.create(name).environment(environment.build()).send().await.unwrap();
    }

    pub fn create(
        &self,
        name: &str,
    ) -> aws_sdk_lambda::operation::create_function::builders::CreateFunctionFluentBuilder {
        self.client
            .create_function()
            .function_name(name)
            .runtime(Runtime::Providedal2023)
            .handler("bootstrap")
            .role(ROLE)
            .timeout(20)
            .code(FunctionCode::builder().zip_file(Blob::new(bootstrap_zip())).build())
    }

    /// Invokes and gives back the whole answer.
    pub async fn invoke(&self, function: &str, event: &Value) -> InvokeOutput {
        self.client
            .invoke()
            .function_name(function)
            .log_type(LogType::Tail)
            .payload(Blob::new(event.to_string()))
            .send()
            .await
            .unwrap()
    }

    /// Invokes a function that must not fail and gives back its answer.
    pub async fn ask(&self, function: &str, event: Value) -> Value {
        let output = self.invoke(function, &event).await;
        assert_eq!(output.function_error(), None, "{:?}", payload(&output));
        payload(&output)
    }
}

pub fn payload(output: &InvokeOutput) -> Value {
    serde_json::from_slice(output.payload().unwrap().as_ref()).unwrap()
}

pub fn tail(output: &InvokeOutput) -> String {
    String::from_utf8(STANDARD.decode(output.log_result().unwrap()).unwrap()).unwrap()
}

/// An error's code, status and message.
pub fn refusal<E: ProvideErrorMetadata + std::fmt::Debug>(error: SdkError<E>) -> (String, u16, String) {
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let code = error.code().unwrap_or_default().to_owned();
    (code, status, error.message().unwrap_or_default().to_owned())
}

/// Checks that a call is refused with a code, a status and a part of the message.
#[macro_export]
macro_rules! refused {
    ($call:expr, $code:expr, $status:expr, $part:expr) => {{
        let (code, status, message) = $crate::world::refusal($call.send().await.expect_err($part));
        assert_eq!((code.as_str(), status), ($code, $status), "{message}");
        assert!(message.contains($part), "{message:?} does not say {:?}", $part);
    }};
}

/// Name, content and mode.
pub type File<'a> = (&'a str, &'a [u8], u32);

/// A zip of these files.
pub fn zipped(files: &[File<'_>]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes, mode) in files {
        let options = SimpleFileOptions::default()
            .unix_permissions(*mode)
            .compression_method(zip::CompressionMethod::Stored);
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// The test's bootstrap, zipped once.
pub fn bootstrap_zip() -> Vec<u8> {
    static ZIP: OnceLock<Vec<u8>> = OnceLock::new();
    ZIP.get_or_init(|| zipped(&[("bootstrap", &bootstrap(), 0o755)])).clone()
}

/// Another zip of the same bootstrap.
pub fn other_zip() -> Vec<u8> {
    zipped(&[("bootstrap", &bootstrap(), 0o755), ("other.txt", b"other", 0o644)])
}

/// The tests' rotation function, zipped.
pub fn rotator_zip() -> Vec<u8> {
    zipped(&[("bootstrap", &example("rotator"), 0o755)])
}

fn bootstrap() -> Vec<u8> {
    example("bootstrap")
}

fn example(name: &str) -> Vec<u8> {
    // target/PROFILE/deps/lambda-HASH, beside target/PROFILE/examples/NAME.
    let test = std::env::current_exe().unwrap();
    let path: PathBuf = test.parent().and_then(Path::parent).unwrap().join("examples").join(name);
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; build it with: cargo build --workspace --examples", path.display())
    })
}

/// The state letter of a process, `None` when it is gone.
pub fn process_state(pid: u64) -> Option<char> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(')')?.1.trim_start().chars().next().filter(|state| *state != 'Z')
}

/// Waits until something holds, for at most ten seconds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within ten seconds: {what}");
}
