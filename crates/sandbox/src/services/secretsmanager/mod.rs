//! Secrets Manager: secrets, their versions, the staging labels on them, random passwords and
//! resource policies.
//!
//! The rules that rotation stands on are pure and live in [`labels`]; what a secret consists of is
//! in [`state`]; the calls themselves are in `values` (what changes or reads a value), `lifecycle`
//! (create, describe, delete, restore, tags), `listing`, `policy` and [`rotation`], which has its own
//! worker in the background; `trail` says what of it all CloudTrail is told.
//!
//! Three things differ from AWS on purpose, and are the same in every answer:
//! - nothing is encrypted: a `KmsKeyId` is kept and returned, no key is looked for. The state file
//!   (`secretsmanager.json` in the state folder) holds the values in the clear; it is readable by
//!   its owner only (mode 0600);
//! - every answer is consistent at once, where AWS is eventually so;
//! - resource policies are kept and checked for their form, not enforced: the sandbox accepts any
//!   access key.
//!
//! Replication, managed rotation and managed external secrets are refused by name. The state is read
//! with defaults for absent members, so that new ones can join it without making an existing state
//! file unreadable.

mod checks;
pub mod labels;
mod lifecycle;
mod listing;
mod password;
mod policy;
pub mod rotation;
pub mod state;
mod trail;
mod values;

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use serde::Deserialize;
use tokio::sync::Notify;

use crate::aws::{AwsError, Call, Protocol, Reply, Service};
use crate::context::Context;
use crate::persisted::Persisted;
use crate::services::cloudtrail::CloudTrail;
use crate::services::lambda::Lambda;
use state::{Secret, State, Value};

/// Secrets and their versions.
pub struct SecretsManager {
    context: Arc<Context>,
    state: Persisted<State>,
    /// Where calls and rotations are recorded, once there is one.
    trail: OnceLock<Arc<CloudTrail>>,
    /// What has the rotation functions, once there is one.
    lambda: OnceLock<Arc<Lambda>>,
    /// The ARNs of the secrets that are being rotated.
    busy: Mutex<HashSet<String>>,
    /// Tells the worker that there is something to do.
    wake: Notify,
}

impl SecretsManager {
    /// Opens the state of the service in the context's folder.
    ///
    /// # Errors
    /// When the state can't be read.
    pub fn open(context: Arc<Context>) -> io::Result<Arc<Self>> {
        let state = Persisted::open(&context.path("secretsmanager.json"))?;
        Ok(Arc::new(Self {
            context,
            state,
            trail: OnceLock::new(),
            lambda: OnceLock::new(),
            busy: Mutex::default(),
            wake: Notify::new(),
        }))
    }

    /// Rewrites the text of every version of a secret in place, where `change` gives another; for what
    /// the sandbox itself has moved, which no call on AWS could say. A secret that is not there stays
    /// so. Labels and dates stay as they are.
    ///
    /// # Errors
    /// When the state can't be written.
    pub fn amend(&self, id: &str, change: impl Fn(&str) -> Option<String>) -> Result<(), AwsError> {
        let now = self.context.now_ms();
        self.state.change(|state| {
            let Ok(secret) = state.find_mut(id, now) else { return Ok(()) };
            for version in &mut secret.versions {
                if let Value::Text(text) = &mut version.value
                    && let Some(other) = change(text)
                {
                    *text = other;
                }
            }
            Ok(())
        })
    }

    fn answer(&self, call: &Call) -> Result<Reply, AwsError> {
        match call.operation.as_str() {
            "CreateSecret" => self.create(call.parse()?),
            "PutSecretValue" => self.put_value(call.parse()?),
            "UpdateSecret" => self.update(call.parse()?),
            "GetSecretValue" => self.get_value(call.parse()?),
            "BatchGetSecretValue" => self.batch_get_values(call.parse()?),
            "UpdateSecretVersionStage" => self.update_version_stage(call.parse()?),
            "DescribeSecret" => self.describe(&call.parse()?),
            "ListSecrets" => self.list(&call.parse()?),
            "ListSecretVersionIds" => self.list_version_ids(&call.parse()?),
            "DeleteSecret" => self.delete(call.parse()?),
            "RestoreSecret" => self.restore(&call.parse()?),
            "TagResource" => self.tag(call.parse()?),
            "UntagResource" => self.untag(&call.parse()?),
            "GetRandomPassword" => password::answer(&call.parse()?, &self.context.random),
            "GetResourcePolicy" => self.get_policy(&call.parse()?),
            "PutResourcePolicy" => self.put_policy(call.parse()?),
            "DeleteResourcePolicy" => self.delete_policy(&call.parse()?),
            "RotateSecret" => self.rotate(call.parse()?),
            "CancelRotateSecret" => self.cancel_rotation(&call.parse()?),
            other => Err(AwsError::unsupported(format_args!("secretsmanager {other}"))),
        }
    }

    /// Looks at a secret that is not marked for deletion.
    fn read<R>(&self, id: &str, look: impl FnOnce(&Secret) -> Result<R, AwsError>) -> Result<R, AwsError> {
        let now = self.context.now_ms();
        self.state.read(|state| look(state.find(id, now)?.alive()?))
    }

    /// Changes a secret that is not marked for deletion, and notes when.
    fn change<R>(
        &self,
        id: &str,
        change: impl FnOnce(&mut Secret, i64) -> Result<R, AwsError>,
    ) -> Result<R, AwsError> {
        let now = self.context.now_ms();
        self.state.change(|state| {
            state.drop_expired(now);
            let secret = state.find_mut(id, now)?;
            secret.alive()?;
            let result = change(secret, now)?;
            secret.changed_ms = now;
            Ok(result)
        })
    }
}

/// The input of the calls that name a secret and nothing else.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ById {
    secret_id: String,
}

#[async_trait]
impl Service for SecretsManager {
    fn signing_name(&self) -> &'static str {
        "secretsmanager"
    }

    fn protocol(&self) -> Protocol {
        Protocol::AwsJson
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, AwsError> {
        // The exceptions of this service spell the member `Message`, others `message`: both are
        // there, as some clients read one and some the other.
        let answer = self.answer(&call);
        // Before the worker is told, so that a call stands before what it leads to.
        self.record(&call, &answer);
        self.wake.notify_one();
        answer.map_err(|error| {
            let message = error.message.clone();
            error.with("Message", message)
        })
    }
}
