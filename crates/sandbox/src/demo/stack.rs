//! AWS's side: the guide's calls, in the guide's order, through the SDK any user has.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension, Statistic};
use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::builders::EnvironmentBuilder;
use aws_sdk_lambda::types::{
    Architecture, Environment, FunctionCode, LastUpdateStatus, LogFormat, LoggingConfig, Runtime, State,
    TracingConfig, TracingMode, VpcConfig,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::{ALIAS, FUNCTION, SECRET_ID, STAGE};
use crate::Sandbox;

/// The function's time limit in seconds: below the HTTP API's 30 s, so that the function can still
/// answer for itself.
const TIMEOUT: i32 = 15;

/// A function as it is to be.
pub(super) struct Wanted {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    /// In seconds.
    pub(super) timeout: i32,
    /// In MB.
    pub(super) memory: i32,
    pub(super) environment: Environment,
}

/// Builds the stack, step by step.
pub(super) struct Builder {
    pub(super) account: String,
    pub(super) region: String,
    /// The address of the token issuer.
    pub(super) issuer: String,
    tds_port: u16,
    ca: String,
    pub(super) lambda: aws_sdk_lambda::Client,
    pub(super) apis: aws_sdk_apigatewayv2::Client,
    pub(super) secrets: aws_sdk_secretsmanager::Client,
    cloudwatch: aws_sdk_cloudwatch::Client,
    pub(super) logs: aws_sdk_cloudwatchlogs::Client,
}

impl Builder {
    pub(super) async fn new(sandbox: &Sandbox, ca: String) -> Self {
        let context = sandbox.context();
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(context.region.clone()))
            .endpoint_url(sandbox.aws_endpoint())
            .credentials_provider(Credentials::new("demo", "demo", None, None, "demo"))
            .retry_config(RetryConfig::standard())
            .load()
            .await;
        Self {
            account: context.account.clone(),
            region: context.region.clone(),
            issuer: sandbox.issuer().url().to_owned(),
            tds_port: sandbox.addresses().tds.port(),
            ca,
            lambda: aws_sdk_lambda::Client::new(&sdk),
            apis: aws_sdk_apigatewayv2::Client::new(&sdk),
            secrets: aws_sdk_secretsmanager::Client::new(&sdk),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&sdk),
            logs: aws_sdk_cloudwatchlogs::Client::new(&sdk),
        }
    }

    /// Whether a secret is there.
    pub(super) async fn has_secret(&self, id: &str) -> Result<bool> {
        match self.secrets.describe_secret().secret_id(id).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(false),
            Err(error) => Err(error).context("look for the secret"),
        }
    }

    pub(super) async fn new_password(&self) -> Result<String> {
        let made =
            self.secrets.get_random_password().password_length(32).exclude_punctuation(true).send().await?;
        made.random_password.context("no password was given")
    }

    /// Stores a login's secret; the superuser's names no database.
    pub(super) async fn store_secret(
        &self,
        id: &str,
        login: &str,
        password: &str,
        database: Option<&str>,
    ) -> Result<()> {
        let mut value = serde_json::json!({
            "engine": "sqlserver", "host": "localhost", "port": self.tds_port,
            "username": login, "password": password,
        });
        if let Some(database) = database {
            value["dbname"] = database.into();
        }
        self.secrets.create_secret().name(id).secret_string(value.to_string()).send().await?;
        Ok(())
    }

    /// Deploys the API's function and points the alias at that version. A zip that an earlier start
    /// published is left alone: what the alias names since then is somebody's wish, maybe half a rollout.
    pub(super) async fn function(&self, zip: &Path) -> Result<()> {
        if self.is_deployed(zip).await? {
            return Ok(());
        }
        let environment = self.environment().variables("SECRET_ID", SECRET_ID).build();
        let wanted = Wanted {
            name: FUNCTION,
            description: "LearningHub HTTP API",
            timeout: TIMEOUT,
            memory: 512,
            environment,
        };
        let hash = self.deploy(&wanted, zip).await?;
        let published =
            self.lambda.publish_version().function_name(FUNCTION).code_sha256(hash).send().await?;
        let version = published.version().context("no version was published")?;
        // A version that is still Pending can't be invoked: the alias must not name it yet.
        self.settled(FUNCTION, version).await?;
        self.alias(version).await
    }

    /// Whether there are a version of a zip and the alias.
    async fn is_deployed(&self, zip: &Path) -> Result<bool> {
        let bytes = std::fs::read(zip).with_context(|| format!("read {}", zip.display()))?;
        let hash = STANDARD.encode(Sha256::digest(&bytes));
        match self.lambda.get_alias().function_name(FUNCTION).name(ALIAS).send().await {
            Err(error) if error.code() == Some("ResourceNotFoundException") => return Ok(false),
            Err(error) => return Err(error).context("read the alias"),
            Ok(_) => {}
        }
        let mut versions =
            self.lambda.list_versions_by_function().function_name(FUNCTION).into_paginator().items().send();
        while let Some(version) = versions.next().await {
            let version = version.context("read the versions")?;
            if version.version() != Some("$LATEST") && version.code_sha256() == Some(&hash) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Creates a function, or brings its code up to date. Gives back the code's hash.
    pub(super) async fn deploy(&self, wanted: &Wanted, zip: &Path) -> Result<String> {
        let bytes = std::fs::read(zip).with_context(|| format!("read {}", zip.display()))?;
        let hash = STANDARD.encode(Sha256::digest(&bytes));
        let name = wanted.name;
        self.log_group(&format!("/aws/lambda/{name}")).await?;
        match self.lambda.get_function_configuration().function_name(name).send().await {
            Err(error) if error.code() == Some("ResourceNotFoundException") => {
                self.create(wanted, bytes).await?;
            }
            Err(error) => return Err(error).context("read the function"),
            Ok(facts) if facts.code_sha256() == Some(&hash) => {}
            Ok(_) => {
                self.lambda
                    .update_function_code()
                    .function_name(name)
                    .zip_file(Blob::new(bytes))
                    .send()
                    .await?;
            }
        }
        self.settled(name, "$LATEST").await?;
        Ok(hash)
    }

    async fn create(&self, wanted: &Wanted, zip: Vec<u8>) -> Result<()> {
        let architecture =
            if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X8664 };
        self.lambda
            .create_function()
            .function_name(wanted.name)
            .description(wanted.description)
            .runtime(Runtime::Providedal2023)
            .handler("bootstrap")
            .architectures(architecture)
            .code(FunctionCode::builder().zip_file(Blob::new(zip)).build())
            .role(format!("arn:aws:iam::{}:role/LearningHubLambdaRole", self.account))
            .timeout(wanted.timeout)
            .memory_size(wanted.memory)
            .environment(wanted.environment.clone())
            .vpc_config(
                VpcConfig::builder()
                    .subnet_ids("subnet-0a1b2c3d4e5f60718")
                    .subnet_ids("subnet-0b1c2d3e4f5061728")
                    .security_group_ids("sg-0c1d2e3f405162738")
                    .build(),
            )
            .tracing_config(TracingConfig::builder().mode(TracingMode::Active).build())
            .logging_config(LoggingConfig::builder().log_format(LogFormat::Json).build())
            .send()
            .await?;
        Ok(())
    }

    /// What every function needs to reach the database.
    pub(super) fn environment(&self) -> EnvironmentBuilder {
        Environment::builder().variables("SQL_TLS", "required").variables("SQL_CA", &self.ca)
    }

    /// Waits until a version is active and its last update through, for 30 s at most.
    pub(super) async fn settled(&self, function: &str, version: &str) -> Result<()> {
        for _ in 0..300 {
            let facts = self
                .lambda
                .get_function_configuration()
                .function_name(function)
                .qualifier(version)
                .send()
                .await?;
            match (facts.state(), facts.last_update_status()) {
                (Some(State::Active), Some(LastUpdateStatus::Successful)) => return Ok(()),
                (Some(State::Failed), _) | (_, Some(LastUpdateStatus::Failed)) => {
                    bail!(
                        "the function failed: {:?} {:?}",
                        facts.state_reason(),
                        facts.last_update_status_reason()
                    )
                }
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        bail!("the function did not become active within 30 s")
    }

    async fn alias(&self, version: &str) -> Result<()> {
        let alias = self.lambda.get_alias().function_name(FUNCTION).name(ALIAS).send().await;
        match alias {
            Err(error) if error.code() == Some("ResourceNotFoundException") => {
                self.lambda
                    .create_alias()
                    .function_name(FUNCTION)
                    .name(ALIAS)
                    .function_version(version)
                    .send()
                    .await?;
            }
            Err(error) => return Err(error).context("read the alias"),
            Ok(alias) if alias.function_version() == Some(version) => {}
            Ok(_) => {
                self.lambda
                    .update_alias()
                    .function_name(FUNCTION)
                    .name(ALIAS)
                    .function_version(version)
                    .send()
                    .await?;
            }
        }
        Ok(())
    }

    pub(super) async fn log_group(&self, name: &str) -> Result<()> {
        match self.logs.create_log_group().log_group_name(name).send().await {
            Err(error) if error.code() != Some("ResourceAlreadyExistsException") => Err(error)?,
            _ => {}
        }
        self.logs.put_retention_policy().log_group_name(name).retention_in_days(14).send().await?;
        Ok(())
    }

    /// The alarms that the guide asks for. Putting an alarm again changes nothing.
    pub(super) async fn alarms(&self, api_id: &str) -> Result<()> {
        let function = [("FunctionName", FUNCTION)];
        let api = [("ApiId", api_id), ("Stage", STAGE)];
        let limit = f64::from(TIMEOUT) * 1_000.0 * 0.8;
        self.alarm("learninghub-errors", "AWS/Lambda", "Errors", &function, Some(Statistic::Sum), 0.0)
            .await?;
        self.alarm("learninghub-throttles", "AWS/Lambda", "Throttles", &function, Some(Statistic::Sum), 0.0)
            .await?;
        self.alarm("learninghub-duration-p95", "AWS/Lambda", "Duration", &function, None, limit).await?;
        self.alarm("learninghub-api-5xx", "AWS/ApiGateway", "5xx", &api, Some(Statistic::Sum), 0.0).await
    }

    /// An alarm on one minute above `threshold`; on five minutes' 95th percentile, from there on, where no
    /// statistic is given: a percentile of few values is none, and a minute has too few.
    async fn alarm(
        &self,
        name: &str,
        namespace: &str,
        metric: &str,
        dimensions: &[(&str, &str)],
        statistic: Option<Statistic>,
        threshold: f64,
    ) -> Result<()> {
        let dimensions = dimensions
            .iter()
            .map(|(name, value)| Dimension::builder().name(*name).value(*value).build())
            .collect();
        let mut alarm = self
            .cloudwatch
            .put_metric_alarm()
            .alarm_name(name)
            .namespace(namespace)
            .metric_name(metric)
            .set_dimensions(Some(dimensions))
            .period(if statistic.is_some() { 60 } else { 300 })
            .evaluation_periods(1)
            .comparison_operator(match statistic {
                Some(_) => ComparisonOperator::GreaterThanThreshold,
                None => ComparisonOperator::GreaterThanOrEqualToThreshold,
            })
            .threshold(threshold)
            .treat_missing_data("notBreaching");
        alarm = match statistic {
            Some(statistic) => alarm.statistic(statistic),
            None => alarm.extended_statistic("p95").evaluate_low_sample_count_percentile("ignore"),
        };
        alarm.send().await.with_context(|| format!("put the alarm {name}"))?;
        Ok(())
    }
}
