//! The services behind an endpoint on a port of its own, with a clock that stands still.

use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use chrono::{TimeZone, Utc};
use sandbox::aws::{AwsEndpoint, Service, serve};
use sandbox::faults::{At, AwsEffect, Fault};
use sandbox::services::cloudwatch::CloudWatch;
use sandbox::services::logs::Logs;
use sandbox::services::secretsmanager::SecretsManager;
use sandbox::services::sts::Sts;
use sandbox::{Context, ManualClock};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// 2026-03-01 12:00 UTC.
pub fn noon() -> chrono::DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap()
}

pub struct World {
    pub context: Arc<Context>,
    pub clock: Arc<ManualClock>,
    pub logs: Arc<Logs>,
    pub url: String,
    pub folder: Arc<TempDir>,
    pub stop: CancellationToken,
    pub server: tokio::task::JoinHandle<()>,
}

impl World {
    pub async fn new() -> Self {
        Self::in_folder(Arc::new(tempfile::tempdir().unwrap()), ManualClock::new(noon())).await
    }

    pub async fn in_folder(folder: Arc<TempDir>, clock: Arc<ManualClock>) -> Self {
        let context = Context::for_tests(folder.path(), clock.clone());
        let metrics = CloudWatch::open(context.clone()).unwrap();
        let logs = Logs::open(context.clone(), metrics.clone()).unwrap();
        let services: Vec<Arc<dyn Service>> = vec![
            SecretsManager::open(context.clone()).unwrap(),
            logs.clone(),
            metrics,
            Sts::new(context.clone()),
        ];
        let endpoint = Arc::new(AwsEndpoint::new(context.clone(), services));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let server = tokio::spawn(async move {
            serve(endpoint, listener, stopped).await.unwrap();
        });
        Self { context, clock, logs, url, folder, stop, server }
    }

    /// Everything stopped and dropped, then started on the same folder.
    pub async fn restart(self) -> Self {
        self.stop.cancel();
        self.server.await.unwrap();
        drop(self.logs);
        Self::in_folder(self.folder, self.clock).await
    }

    pub async fn config(&self, retries: RetryConfig, patience: Duration) -> SdkConfig {
        aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .endpoint_url(&self.url)
            .credentials_provider(Credentials::new("any", "key", None, None, "test"))
            .retry_config(retries)
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(patience).build())
            .load()
            .await
    }

    pub async fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::new(&self.config(RetryConfig::disabled(), PATIENCE).await)
    }

    pub async fn client(&self) -> aws_sdk_cloudwatchlogs::Client {
        aws_sdk_cloudwatchlogs::Client::new(&self.config(RetryConfig::disabled(), PATIENCE).await)
    }

    pub async fn metrics(&self) -> aws_sdk_cloudwatch::Client {
        aws_sdk_cloudwatch::Client::new(&self.config(RetryConfig::disabled(), PATIENCE).await)
    }

    pub fn fault(&self, service: &str, operation: &str, effect: AwsEffect) {
        let at = At::Aws { service: service.into(), operation: Some(operation.into()), effect };
        self.context.faults.add(Fault::once(at)).unwrap();
    }
}

/// Longer than any call takes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A token as rotations make them.
pub fn token(n: u8) -> String {
    format!("00000000-0000-4000-8000-0000000000{n:02}")
}

/// Code and message of a refusal.
pub fn refusal<T: std::fmt::Debug, E, R>(result: Result<T, SdkError<E, R>>) -> (String, String)
where
    E: ProvideErrorMetadata + std::fmt::Debug,
    R: std::fmt::Debug,
{
    let error = result.unwrap_err();
    let error = error.as_service_error().unwrap_or_else(|| panic!("no refusal: {error:?}"));
    (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}
