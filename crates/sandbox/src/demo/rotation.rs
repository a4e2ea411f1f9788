//! The rotation of the application's secret: superuser, function, permission, schedule.
//!
//! What is configured is not touched again: whoever cancels the rotation, or takes `masterarn` out to
//! try the single-user strategy, finds that so after the next start. That rotation was configured is
//! seen by its function, which is therefore written last.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_secretsmanager::types::RotationRulesType;
use serde_json::Value;

use super::stack::{Builder, Wanted};
use super::{MASTER_SECRET_ID, ROTATION_FUNCTION, SECRET_ID, SUPERUSER, database};
use crate::Sandbox;

/// How often the secret is rotated.
const SCHEDULE: &str = "rate(30 days)";
/// The statement that lets Secrets Manager invoke the function.
const STATEMENT: &str = "secretsmanager-rotate";
/// The rehearsal that comes with the configuration takes at most the function's 60 s.
const REHEARSAL: Duration = Duration::from_secs(65);

/// Writes the port on which the local TDS server is now into every version of both secrets. In place
/// and not as new versions: it is the same server and the same passwords, and a new version would
/// abandon a rotation and push out the other user's.
pub(super) fn follow_the_server(sandbox: &Sandbox) -> Result<()> {
    let port = sandbox.addresses().tds.port();
    for id in [SECRET_ID, MASTER_SECRET_ID] {
        amend(sandbox, id, |value| {
            let right = match value.get("port") {
                // As the source guide writes it.
                Some(Value::String(_)) => Value::from(port.to_string()),
                Some(Value::Number(_)) => port.into(),
                // No port: somebody's own doing.
                _ => return,
            };
            value["port"] = right;
        })?;
    }
    Ok(())
}

/// Builds what is not there yet.
pub(super) async fn build(sandbox: &Sandbox, stack: &Builder, ca: &str, zip: &Path) -> Result<()> {
    // As with the application's: the password is set anew until login and secret are there.
    if !stack.has_secret(MASTER_SECRET_ID).await? {
        let password = stack.new_password().await.context("make a password")?;
        database::set_superuser(sandbox, ca, &password).await.context("make the superuser's login")?;
        stack
            .store_secret(MASTER_SECRET_ID, SUPERUSER, &password, None)
            .await
            .context("store the superuser's secret")?;
    }
    let wanted = Wanted {
        name: ROTATION_FUNCTION,
        description: "Rotates the secret of LearningHub's database",
        timeout: 60,
        memory: 256,
        environment: stack.environment().build(),
    };
    stack.deploy(&wanted, zip).await.context("deploy the rotation function")?;
    let secret = stack.secrets.describe_secret().secret_id(SECRET_ID).send().await?;
    let arn = secret.arn().context("a secret without an ARN")?;
    stack.let_rotate(arn).await.context("let Secrets Manager invoke the function")?;
    if secret.rotation_lambda_arn().is_some() || secret.deleted_date().is_some() {
        return Ok(());
    }
    let master = stack.secrets.describe_secret().secret_id(MASTER_SECRET_ID).send().await?;
    let master = master.arn().context("a secret without an ARN")?;
    amend(sandbox, SECRET_ID, |value| value["masterarn"] = master.into())?;
    stack.configure().await
}

/// Changes every version of a secret that is a JSON object; others are somebody's own doing.
pub(super) fn amend(sandbox: &Sandbox, id: &str, change: impl Fn(&mut Value)) -> Result<()> {
    sandbox.secrets().amend(id, |text| {
        let mut value: Value = serde_json::from_str(text).ok().filter(Value::is_object)?;
        change(&mut value);
        Some(value.to_string())
    })?;
    Ok(())
}

impl Builder {
    /// The function's policy: Secrets Manager, for this very secret. One that was made for an earlier
    /// secret of the name is replaced.
    async fn let_rotate(&self, secret: &str) -> Result<()> {
        let held = self.lambda.get_policy().function_name(ROTATION_FUNCTION).send().await;
        match held {
            Ok(held) if held.policy().is_some_and(|policy| policy.contains(secret)) => return Ok(()),
            Ok(held) if held.policy().is_some_and(|policy| policy.contains(STATEMENT)) => {
                let remove = self.lambda.remove_permission().function_name(ROTATION_FUNCTION);
                remove.statement_id(STATEMENT).send().await?;
            }
            Err(error) if error.code() != Some("ResourceNotFoundException") => {
                return Err(error).context("read the function's policy");
            }
            _ => {}
        }
        self.lambda
            .add_permission()
            .function_name(ROTATION_FUNCTION)
            .statement_id(STATEMENT)
            .action("lambda:InvokeFunction")
            .principal("secretsmanager.amazonaws.com")
            .source_arn(secret)
            .send()
            .await?;
        Ok(())
    }

    /// Configures the rotation and waits for the rehearsal that goes with it, so that the first thing a
    /// user does is not refused. A rotation that somebody left hanging is in the way of it, and is for
    /// the portal to show.
    async fn configure(&self) -> Result<()> {
        let function =
            format!("arn:aws:lambda:{}:{}:function:{ROTATION_FUNCTION}", self.region, self.account);
        let configured = self
            .secrets
            .rotate_secret()
            .secret_id(SECRET_ID)
            .rotation_lambda_arn(function)
            .rotation_rules(RotationRulesType::builder().schedule_expression(SCHEDULE).build())
            .rotate_immediately(false)
            .send()
            .await;
        match configured {
            Err(error) if error.code() == Some("InvalidRequestException") => {
                tracing::warn!(?error, "the rotation is not configured");
                return Ok(());
            }
            other => drop(other?),
        }
        let rehearsal = async {
            while self.is_pending().await? {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            anyhow::Ok(())
        };
        match tokio::time::timeout(REHEARSAL, rehearsal).await {
            Ok(ended) => ended,
            Err(_) => {
                tracing::warn!("the rehearsal of the rotation does not end");
                Ok(())
            }
        }
    }

    async fn is_pending(&self) -> Result<bool> {
        let held = self.secrets.describe_secret().secret_id(SECRET_ID).send().await?;
        let versions = held.version_ids_to_stages().into_iter().flatten();
        Ok(versions.flat_map(|(_, labels)| labels).any(|label| label == "AWSPENDING"))
    }
}
