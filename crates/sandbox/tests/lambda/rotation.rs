//! A secret with a rotation function, and what tests ask of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_lambda::config::{Credentials, Region, retry::RetryConfig};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, FunctionCode};
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::operation::rotate_secret::builders::RotateSecretFluentBuilder;
use aws_sdk_secretsmanager::types::RotationRulesType;
use sandbox::context::ManualClock;
use serde_json::Value;
use tempfile::TempDir;

use crate::world::{Plan, World, rotator_zip, until};

/// The secret.
pub const SECRET: &str = "app/db";
/// The ARN of the rotation function.
pub const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:rotator";

pub struct Rotating {
    pub world: World,
    pub secrets: aws_sdk_secretsmanager::Client,
    pub trail: aws_sdk_cloudtrail::Client,
    pub folder: Arc<TempDir>,
    /// The secret's ARN.
    pub arn: String,
}

impl Rotating {
    /// A secret with the value `first` in version `token(0)`, a rotation function, and its permission;
    /// rotation is not configured.
    pub async fn new() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let world = World::start(folder.path(), Plan::default()).await;
        let (secrets, trail) = clients(&world);
        let made = secrets
            .create_secret()
            .name(SECRET)
            .client_request_token(token(0))
            .secret_string("first")
            .send()
            .await
            .unwrap();
        let arn = made.arn().unwrap().to_owned();
        let variables = Environment::builder().variables("CONTROL", folder.path().to_str().unwrap()).build();
        let code = FunctionCode::builder().zip_file(Blob::new(rotator_zip())).build();
        world.create("rotator").code(code).environment(variables).send().await.unwrap();
        let rotating = Self { world, secrets, trail, folder, arn };
        rotating.permit(&rotating.arn).await;
        rotating
    }

    /// Stops everything and starts it on the same state.
    pub async fn restart(self) -> Self {
        self.restart_after(chrono::TimeDelta::zero()).await
    }

    /// The same with time in between.
    pub async fn restart_after(self, time: chrono::TimeDelta) -> Self {
        let (folder, arn, clock): (_, _, Arc<ManualClock>) =
            (self.folder, self.arn, self.world.clock.clone());
        self.world.stop().await;
        clock.advance(time);
        let world = World::start_at(folder.path(), Plan::default(), clock).await;
        let (secrets, trail) = clients(&world);
        Self { world, secrets, trail, folder, arn }
    }

    pub async fn permit(&self, source: &str) {
        self.world
            .client
            .add_permission()
            .function_name("rotator")
            .statement_id("rotation")
            .action("lambda:InvokeFunction")
            .principal("secretsmanager.amazonaws.com")
            .source_arn(source)
            .send()
            .await
            .unwrap();
    }

    /// `RotateSecret` with the function and a schedule.
    pub fn rotate(&self, n: u8) -> RotateSecretFluentBuilder {
        self.again(n)
            .rotation_lambda_arn(FUNCTION)
            .rotation_rules(RotationRulesType::builder().schedule_expression("rate(30 days)").build())
    }

    /// `RotateSecret` with what is configured.
    pub fn again(&self, n: u8) -> RotateSecretFluentBuilder {
        self.secrets.rotate_secret().secret_id(SECRET).client_request_token(token(n))
    }

    pub async fn describe(&self) -> DescribeSecretOutput {
        self.secrets.describe_secret().secret_id(SECRET).send().await.unwrap()
    }

    /// Every label and the number of the token it is on.
    pub async fn labels(&self) -> BTreeMap<String, String> {
        let held = self.describe().await;
        let versions = held.version_ids_to_stages().into_iter().flatten();
        versions
            .flat_map(|(id, labels)| {
                let short = id[34..].trim_start_matches('0').to_owned();
                labels.iter().map(move |label| (label.clone(), short.clone()))
            })
            .collect()
    }

    /// Makes a step fail or wait; nothing for none.
    pub fn tell(&self, what: &str, step: &str) {
        std::fs::write(self.folder.path().join(what), step).unwrap();
    }

    /// The steps that were invoked so far.
    pub fn steps(&self) -> Vec<String> {
        self.events().iter().map(|event| event["Step"].as_str().unwrap().to_owned()).collect()
    }

    /// The events of these steps.
    pub fn events(&self) -> Vec<Value> {
        let events = std::fs::read_to_string(self.folder.path().join("events")).unwrap_or_default();
        events.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits until the function was invoked for so many steps.
    pub async fn stepped(&self, count: usize) {
        until("the steps", || self.events().len() >= count).await;
    }

    /// The names of the rotation's events in CloudTrail, oldest first.
    pub async fn told(&self) -> Vec<String> {
        let found = self.trail.lookup_events().send().await.unwrap();
        let names = found.events().iter().rev().filter_map(|event| event.event_name());
        names.filter(|name| name.contains("Rotation")).map(str::to_owned).collect()
    }

    /// Waits until CloudTrail has this as the last event of a rotation.
    pub async fn until_told(&self, name: &str, count: usize) {
        for _ in 0..1000 {
            let told = self.told().await;
            if told.len() >= count && told.last().is_some_and(|last| last == name) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("no {name} within ten seconds: {:?}", self.told().await);
    }

    /// The record of the newest event of this name.
    pub async fn record(&self, name: &str) -> Value {
        let found = self.trail.lookup_events().send().await.unwrap();
        let event = found.events().iter().find(|event| event.event_name() == Some(name)).unwrap();
        serde_json::from_str(event.cloud_trail_event().unwrap()).unwrap()
    }

    pub fn advance(&self, by: chrono::TimeDelta) {
        self.world.clock.advance(by);
    }
}

/// Tokens of the length that a version has.
pub fn token(n: u8) -> String {
    format!("00000000-0000-4000-8000-0000000000{n:02}")
}

fn clients(world: &World) -> (aws_sdk_secretsmanager::Client, aws_sdk_cloudtrail::Client) {
    let credentials = || Credentials::new("AKIATEST", "secret", None, None, "test");
    let secrets = aws_sdk_secretsmanager::Config::builder()
        .behavior_version_latest()
        .region(Region::new("eu-west-1"))
        .endpoint_url(&world.url)
        .credentials_provider(credentials())
        .retry_config(RetryConfig::disabled())
        .build();
    let trail = aws_sdk_cloudtrail::Config::builder()
        .behavior_version_latest()
        .region(Region::new("eu-west-1"))
        .endpoint_url(&world.url)
        .credentials_provider(credentials())
        .retry_config(RetryConfig::disabled())
        .build();
    (aws_sdk_secretsmanager::Client::from_conf(secrets), aws_sdk_cloudtrail::Client::from_conf(trail))
}
