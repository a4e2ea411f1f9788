//! A secret's own life: created, described, tagged, marked for deletion, restored.

use serde::Deserialize;
use serde_json::json;

use super::checks::{self, MOST_TAGS, Tag};
use super::state::{DAY_MS, Secret, not_found, seconds};
use super::values::is_repeated;
use super::{ById, SecretsManager};
use crate::aws::{AwsError, Reply};

/// What a secret's ARN ends with: a hyphen and six of these.
const SUFFIX: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// AWS: 30 days unless told otherwise.
const RECOVERY_DAYS: i64 = 30;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Create {
    name: String,
    client_request_token: Option<String>,
    description: Option<String>,
    kms_key_id: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
    /// Means something with replicas only, which are refused as an unknown member.
    #[serde(default)]
    force_overwrite_replica_secret: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Delete {
    secret_id: String,
    recovery_window_in_days: Option<i64>,
    force_delete_without_recovery: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct TagInput {
    secret_id: String,
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Untag {
    secret_id: String,
    tag_keys: Vec<String>,
}

impl SecretsManager {
    pub(super) fn create(&self, input: Create) -> Result<Reply, AwsError> {
        checks::name(&input.name)?;
        let token = checks::token(input.client_request_token)?;
        let value = checks::value(input.secret_string, input.secret_binary)?;
        checks::length("description", input.description.as_deref().unwrap_or_default(), 0, 2048)?;
        checks::length("kmsKeyId", input.kms_key_id.as_deref().unwrap_or_default(), 0, 2048)?;
        checks::tags(&input.tags)?;
        if input.force_overwrite_replica_secret {
            return Err(AwsError::unsupported("secretsmanager replicas"));
        }
        let suffix = self.context.random.text(SUFFIX, 6);
        let now = self.context.now_ms();
        self.state.change(|state| {
            state.drop_expired(now);
            if let Ok(there) = state.find(&input.name, now) {
                return match &value {
                    _ if there.deleted_ms.is_some() => Err(AwsError::new(
                        "InvalidRequestException",
                        "You can't create this secret because a secret with this name is already scheduled for \
                         deletion.",
                    )),
                    // The same call again, its first reply lost: the same answer.
                    Some(value) if is_repeated(there, &token, value)? => Ok(created(there, Some(&token))),
                    _ => Err(AwsError::new(
                        "ResourceExistsException",
                        format!("The operation failed because the secret {} already exists.", input.name),
                    )),
                };
            }
            let mut secret = Secret {
                arn: self.context.arn("secretsmanager", &format!("secret:{}-{suffix}", input.name)),
                name: input.name,
                description: input.description.filter(|text| !text.is_empty()),
                kms_key_id: input.kms_key_id.filter(|key| !key.is_empty()),
                created_ms: now,
                changed_ms: now,
                ..Secret::default()
            };
            add_tags(&mut secret, input.tags)?;
            let version = value.is_some().then_some(token.as_str());
            if let Some(value) = value {
                secret.add_version(&token, value, &[], now)?;
            }
            let reply = created(&secret, version);
            state.insert(secret);
            Ok(reply)
        })
    }

    pub(super) fn describe(&self, input: &ById) -> Result<Reply, AwsError> {
        checks::secret_id(&input.secret_id)?;
        let now = self.context.now_ms();
        self.state
            .read(|state| Ok(Reply::json(state.find(&input.secret_id, now)?.described("VersionIdsToStages"))))
    }

    pub(super) fn delete(&self, input: Delete) -> Result<Reply, AwsError> {
        checks::secret_id(&input.secret_id)?;
        let force = input.force_delete_without_recovery.unwrap_or(false);
        if force && input.recovery_window_in_days.is_some() {
            return Err(AwsError::new(
                "InvalidParameterException",
                "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
            ));
        }
        let days = input.recovery_window_in_days.unwrap_or(RECOVERY_DAYS);
        if !(7..=30).contains(&days) {
            return Err(AwsError::new(
                "InvalidParameterException",
                "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
            ));
        }
        let now = self.context.now_ms();
        self.state.change(|state| {
            state.drop_expired(now);
            if force {
                // AWS: no ResourceNotFoundException here, so that a script can say "be gone".
                let (arn, name) = match state.find(&input.secret_id, now) {
                    Ok(secret) => (secret.arn.clone(), secret.name.clone()),
                    Err(_) if input.secret_id.starts_with("arn:") => return Err(not_found()),
                    Err(_) => {
                        let resource =
                            format!("secret:{}-{}", input.secret_id, self.context.random.text(SUFFIX, 6));
                        (self.context.arn("secretsmanager", &resource), input.secret_id)
                    }
                };
                state.remove(&name);
                return Ok(Reply::json(json!({"ARN": arn, "Name": name, "DeletionDate": seconds(now)})));
            }
            let secret = state.find_mut(&input.secret_id, now)?;
            secret.alive()?;
            let at = now + days * DAY_MS;
            secret.deleted_ms = Some(at);
            secret.changed_ms = now;
            Ok(Reply::json(json!({"ARN": secret.arn, "Name": secret.name, "DeletionDate": seconds(at)})))
        })
    }

    /// May be repeated: a secret that is not marked for deletion stays as it is.
    pub(super) fn restore(&self, input: &ById) -> Result<Reply, AwsError> {
        checks::secret_id(&input.secret_id)?;
        let now = self.context.now_ms();
        self.state.change(|state| {
            let secret = state.find_mut(&input.secret_id, now)?;
            if secret.deleted_ms.take().is_some() {
                secret.changed_ms = now;
            }
            Ok(Reply::json(json!({"ARN": secret.arn, "Name": secret.name})))
        })
    }

    pub(super) fn tag(&self, input: TagInput) -> Result<Reply, AwsError> {
        checks::secret_id(&input.secret_id)?;
        checks::tags(&input.tags)?;
        self.change(&input.secret_id, |secret, _| add_tags(secret, input.tags))?;
        Ok(nothing())
    }

    pub(super) fn untag(&self, input: &Untag) -> Result<Reply, AwsError> {
        checks::secret_id(&input.secret_id)?;
        input.tag_keys.iter().try_for_each(|key| checks::length("tagKeys", key, 1, 128))?;
        self.change(&input.secret_id, |secret, _| {
            secret.tags.retain(|key, _| !input.tag_keys.contains(key));
            Ok(())
        })?;
        Ok(nothing())
    }
}

/// 200 without a body, as AWS answers the calls that have no output.
fn nothing() -> Reply {
    Reply::empty().with_status(200)
}

fn created(secret: &Secret, version: Option<&str>) -> Reply {
    let mut reply = json!({"ARN": secret.arn, "Name": secret.name});
    if let Some(version) = version {
        reply["VersionId"] = version.into();
    }
    Reply::json(reply)
}

fn add_tags(secret: &mut Secret, tags: Vec<Tag>) -> Result<(), AwsError> {
    secret.tags.extend(tags.into_iter().map(|tag| (tag.key, tag.value)));
    if secret.tags.len() > MOST_TAGS {
        return Err(AwsError::new(
            "InvalidParameterException",
            format!("A secret can have at most {MOST_TAGS} tags."),
        ));
    }
    Ok(())
}
