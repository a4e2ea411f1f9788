//! The calls that make, read or relabel a secret's value.
//!
//! All of them may be repeated: a version is named by its `ClientRequestToken`, so the same token
//! with the same value changes nothing, and with another value is refused. That is what lets a
//! rotation that died be run again from its first step.

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::state::{Secret, Value, seconds};
use super::{SecretsManager, checks, labels};
use crate::aws::{AwsError, Reply};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Put {
    secret_id: String,
    client_request_token: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
    version_stages: Option<Vec<String>>,
    /// Tells AWS that a rotation function works for this rotation under another identity; here nobody
    /// is kept from anything.
    rotation_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Update {
    secret_id: String,
    client_request_token: Option<String>,
    description: Option<String>,
    kms_key_id: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Get {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct BatchGet {
    secret_id_list: Option<Vec<String>>,
    filters: Option<Vec<super::listing::Filter>>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct MoveLabel {
    secret_id: String,
    version_stage: String,
    remove_from_version_id: Option<String>,
    move_to_version_id: Option<String>,
}

impl SecretsManager {
    pub(super) fn put_value(&self, input: Put) -> Result<Reply, AwsError> {
        checks::secret_id(&input.secret_id)?;
        let token = checks::token(input.client_request_token)?;
        if let Some(token) = &input.rotation_token {
            checks::length("rotationToken", token, 36, 256)?;
        }
        let stages = input.version_stages.unwrap_or_default();
        if stages.len() > labels::MOST_LABELS {
            return Err(AwsError::validation(
                "1 validation error detected: Value at 'versionStages' failed to satisfy constraint: Member must \
                 have length less than or equal to 20",
            ));
        }
        stages.iter().try_for_each(|label| checks::label(label))?;
        let value = checks::value(input.secret_string, input.secret_binary)?.ok_or_else(|| {
            AwsError::new("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
        })?;
        // Looked at first, so that a repeated call does not count as a change.
        let id = &input.secret_id;
        if let Some(reply) = self
            .read(id, |secret| Ok(is_repeated(secret, &token, &value)?.then(|| put_reply(secret, &token))))?
        {
            return Ok(reply);
        }
        let (reply, abandoned) = self.change(id, |secret, now| {
            let mut abandoned = None;
            if !is_repeated(secret, &token, &value)? {
                abandoned = self.add_by_hand(secret, &token, value, &stages, now)?;
            }
            Ok((put_reply(secret, &token), abandoned))
        })?;
        self.tell_abandoned(abandoned);
        Ok(reply)
    }

    pub(super) fn update(&self, input: Update) -> Result<Reply, AwsError> {
        checks::secret_id(&input.secret_id)?;
        let token = checks::token(input.client_request_token)?;
        let value = checks::value(input.secret_string, input.secret_binary)?;
        if let Some(description) = &input.description {
            checks::length("description", description, 0, 2048)?;
        }
        if let Some(key) = &input.kms_key_id {
            checks::length("kmsKeyId", key, 0, 2048)?;
        }
        let (reply, abandoned) = self.change(&input.secret_id, |secret, now| {
            let mut reply = json!({"ARN": secret.arn, "Name": secret.name});
            let mut abandoned = None;
            if let Some(value) = value {
                // AWS: "matches an existing version's VersionId: the operation results in an error",
                // whatever the value.
                if secret.version(&token).is_some() {
                    return Err(token_in_use(secret, &token));
                }
                abandoned = self.add_by_hand(secret, &token, value, &[], now)?;
                reply["VersionId"] = token.into();
            }
            if let Some(description) = input.description {
                secret.description = Some(description).filter(|text| !text.is_empty());
            }
            if let Some(key) = input.kms_key_id {
                secret.kms_key_id = Some(key).filter(|key| !key.is_empty());
            }
            Ok((Reply::json(reply), abandoned))
        })?;
        self.tell_abandoned(abandoned);
        Ok(reply)
    }

    /// Adds a version that a call brought. Gives back the secret's ARN where that abandoned a rotation.
    fn add_by_hand(
        &self,
        secret: &mut Secret,
        token: &str,
        value: Value,
        stages: &[String],
        now: i64,
    ) -> Result<Option<String>, AwsError> {
        let before = secret.labels.clone();
        secret.add_version(token, value, stages, now)?;
        let abandoned = secret.made_by_hand(token, &before, &self.context);
        Ok(abandoned.then(|| secret.arn.clone()))
    }

    pub(super) fn get_value(&self, input: Get) -> Result<Reply, AwsError> {
        checks::secret_id(&input.secret_id)?;
        checks::version_id("versionId", input.version_id.as_deref())?;
        if let Some(label) = &input.version_stage {
            checks::label(label)?;
        }
        self.value_of(&input.secret_id, input.version_id.as_deref(), input.version_stage.as_deref())
            .map(Reply::json)
    }

    pub(super) fn batch_get_values(&self, input: BatchGet) -> Result<Reply, AwsError> {
        let (ids, next) = match (input.secret_id_list, input.filters) {
            (Some(ids), None) => {
                if input.max_results.is_some() || input.next_token.is_some() {
                    return Err(AwsError::new(
                        "InvalidParameterException",
                        "MaxResults and NextToken can only be used with Filters.",
                    ));
                }
                if ids.is_empty() || ids.len() > 20 {
                    return Err(AwsError::validation(
                        "1 validation error detected: Value at 'secretIdList' failed to satisfy constraint: Member \
                         must have length between 1 and 20",
                    ));
                }
                (ids, None)
            }
            (None, Some(filters)) => {
                let most = checks::page(input.max_results, 20, 20)?;
                self.matching(&filters, most, input.next_token.as_deref())?
            }
            _ => {
                return Err(AwsError::new(
                    "InvalidParameterException",
                    "You must provide either SecretIdList or Filters, but not both.",
                ));
            }
        };
        let (mut values, mut errors) = (Vec::new(), Vec::new());
        for id in ids {
            match checks::secret_id(&id).and_then(|()| self.value_of(&id, None, None)) {
                Ok(value) => values.push(value),
                Err(error) => {
                    errors.push(json!({"SecretId": id, "ErrorCode": error.code, "Message": error.message}));
                }
            }
        }
        let mut reply = json!({"SecretValues": values, "Errors": errors});
        if let Some(next) = next {
            reply["NextToken"] = next.into();
        }
        Ok(Reply::json(reply))
    }

    pub(super) fn update_version_stage(&self, input: MoveLabel) -> Result<Reply, AwsError> {
        checks::secret_id(&input.secret_id)?;
        checks::label(&input.version_stage)?;
        let (from, to) = (input.remove_from_version_id.as_deref(), input.move_to_version_id.as_deref());
        checks::version_id("removeFromVersionId", from)?;
        checks::version_id("moveToVersionId", to)?;
        self.change(&input.secret_id, |secret, _| {
            let versions = &secret.versions;
            let has_value = |id: &str| versions.iter().any(|version| version.id == id);
            secret.labels.update(&input.version_stage, from, to, has_value)?;
            Ok(Reply::json(json!({"ARN": secret.arn, "Name": secret.name})))
        })
    }

    /// A value as `GetSecretValue` answers it. Notes the day of the access; as that has the
    /// resolution of a day, the state is written once a day and version and not at every call.
    fn value_of(&self, id: &str, version: Option<&str>, label: Option<&str>) -> Result<Json, AwsError> {
        let now = self.context.now_ms();
        let (reply, version, news) = self.read(id, |secret| {
            let version = chosen(secret, version, label)?;
            let mut reply = Map::new();
            reply.insert("ARN".into(), secret.arn.clone().into());
            reply.insert("Name".into(), secret.name.clone().into());
            reply.insert("VersionId".into(), version.id.clone().into());
            reply.insert("VersionStages".into(), secret.labels.of(&version.id).into());
            reply.insert("CreatedDate".into(), seconds(version.created_ms));
            match &version.value {
                Value::Text(text) => reply.insert("SecretString".into(), text.clone().into()),
                Value::Binary(base64) => reply.insert("SecretBinary".into(), base64.clone().into()),
            };
            Ok((Json::Object(reply), version.id.clone(), secret.untouched(&version.id, now)))
        })?;
        if news {
            self.state.change(|state| {
                state.find_mut(id, now)?.touch(&version, now);
                Ok(())
            })?;
        }
        Ok(reply)
    }
}

/// The version a call means: by id, by label, or by both, which must agree.
fn chosen<'a>(
    secret: &'a Secret,
    version: Option<&str>,
    label: Option<&str>,
) -> Result<&'a super::state::Version, AwsError> {
    let missing = |what: String| {
        AwsError::new(
            "ResourceNotFoundException",
            format!("Secrets Manager can't find the specified secret value for {what}"),
        )
    };
    match (version, label) {
        (Some(id), label) => {
            let found = secret.version(id).ok_or_else(|| missing(format!("VersionId: {id}")))?;
            if label.is_some_and(|label| secret.labels.holder(label) != Some(id)) {
                return Err(AwsError::new(
                    "InvalidRequestException",
                    "You provided a VersionStage that is not associated to the provided VersionId.",
                ));
            }
            Ok(found)
        }
        (None, label) => {
            let label = label.unwrap_or(labels::CURRENT);
            secret
                .labels
                .holder(label)
                .and_then(|id| secret.version(id))
                .ok_or_else(|| missing(format!("staging label: {label}")))
        }
    }
}

/// Whether the version is there already with this very value.
///
/// # Errors
/// `ResourceExistsException` when it is there with another.
pub(super) fn is_repeated(secret: &Secret, token: &str, value: &Value) -> Result<bool, AwsError> {
    match secret.version(token) {
        Some(version) if version.value == *value => Ok(true),
        Some(_) => Err(token_in_use(secret, token)),
        None => Ok(false),
    }
}

fn token_in_use(secret: &Secret, token: &str) -> AwsError {
    AwsError::new(
        "ResourceExistsException",
        format!(
            "You can't use ClientRequestToken {token} because that value is already in use for a version of \
             secret {}.",
            secret.arn
        ),
    )
}

fn put_reply(secret: &Secret, token: &str) -> Reply {
    Reply::json(json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": token,
        "VersionStages": secret.labels.of(token),
    }))
}
