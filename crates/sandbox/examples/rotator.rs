//! A rotation function for the tests of Secrets Manager's rotations: it keeps to the protocol through
//! the real SDK, and keeps no database. What a test wants otherwise stands in the folder that the
//! variable `CONTROL` names: a file `fail` names the step that fails, a file `hold` the step that waits
//! until the file is gone. Every event is added to the file `events`, a line each.

#[path = "runtime/api.rs"]
mod api;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use serde_json::{Value, json};

use api::{Api, PATH};

type Outcome = Result<(), String>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let control = PathBuf::from(std::env::var_os("CONTROL").unwrap_or_default());
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest()).load().await;
    let client = Client::new(&config);
    let mut api = Api::connect()?;
    loop {
        let (headers, body) = api.exchange("GET", &format!("{PATH}/invocation/next"), "", b"")?;
        let event: Value = serde_json::from_slice(&body)?;
        let id = headers.get("lambda-runtime-aws-request-id").cloned().unwrap_or_default();
        match step(&client, &control, &event).await {
            Ok(()) => api.send(&format!("{PATH}/invocation/{id}/response"), "", b"null")?,
            Err(message) => {
                let body = json!({"errorType": "Rotation.Failed", "errorMessage": message, "stackTrace": []});
                let path = format!("{PATH}/invocation/{id}/error");
                api.send(&path, "Rotation.Failed", body.to_string().as_bytes())?;
            }
        }
    }
}

async fn step(client: &Client, control: &std::path::Path, event: &Value) -> Outcome {
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    let (step, secret, token) = (text("Step"), text("SecretId"), text("ClientRequestToken"));
    let mut events = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(control.join("events"))
        .map_err(|error| error.to_string())?;
    writeln!(events, "{event}").map_err(|error| error.to_string())?;
    let told = |name: &str| std::fs::read_to_string(control.join(name)).is_ok_and(|told| told.trim() == step);
    while told("hold") {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    if told("fail") {
        return Err(format!("{step}: on purpose"));
    }
    perform(client, step, secret, token).await.map_err(|error| format!("{step}: {error:?}"))
}

async fn perform(
    client: &Client,
    step: &str,
    secret: &str,
    token: &str,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let held = client.describe_secret().secret_id(secret).send().await?;
    let holder = |label: &str| {
        let mut versions = held.version_ids_to_stages().into_iter().flatten();
        versions.find(|(_, stages)| stages.iter().any(|s| s == label)).map(|(id, _)| id.clone())
    };
    let current = holder("AWSCURRENT");
    if current.as_deref() == Some(token) {
        return Ok(());
    }
    if holder("AWSPENDING").as_deref() != Some(token) {
        return Err("the version is not pending".into());
    }
    let pending = client.get_secret_value().secret_id(secret).version_id(token).version_stage("AWSPENDING");
    match step {
        "createSecret" => {
            if pending.send().await.is_err() {
                let put = client.put_secret_value().secret_id(secret).client_request_token(token);
                put.secret_string(format!("value of {token}")).version_stages("AWSPENDING").send().await?;
            }
        }
        "setSecret" | "testSecret" => {
            pending.send().await?;
        }
        _ => {
            let label = client.update_secret_version_stage().secret_id(secret).version_stage("AWSCURRENT");
            label.set_remove_from_version_id(current).move_to_version_id(token).send().await?;
        }
    }
    Ok(())
}
