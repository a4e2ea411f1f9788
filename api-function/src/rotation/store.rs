//! Secrets Manager, as a rotation needs it: one secret's labels and values.
//!
//! All calls may be repeated, and the SDK does so where an answer is missing: reading changes
//! nothing; a value is put under the version's id, so the same again changes nothing and another one
//! is refused; a label is moved away from the version it was seen on, so the second of two moves is
//! refused. What is refused for that reason is looked at again by the steps, not taken for a failure.

use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use zeroize::Zeroizing;

use super::config::RotationConfig;
use super::failure::{Cause, Failure};
use super::guard::Described;
use super::secret::Held;
use crate::secrets_manager::{self, Access};

/// How long all attempts may take together: three that hang, and the waits between.
const WHOLE_TIME: Duration = Duration::from_secs(10);
/// Characters that make trouble in connection strings and shells; AWS's own rotators leave them out
/// too. Beside "no punctuation" it is the second lock on the same door.
const EXCLUDED: &str = "/@\"'\\;:{}[]=,& ";

/// Which version.
#[derive(Debug, Clone, Copy)]
pub enum Version<'a> {
    /// The one with this label.
    Labelled(&'a str),
    /// The one of this id, if it has this label.
    Exactly(&'a str, &'a str),
}

/// The client.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
}

impl Store {
    /// A client. Nothing is sent yet.
    pub fn new(config: &RotationConfig) -> Self {
        let client = secrets_manager::client(&Access {
            region: &config.region,
            credentials: &config.credentials,
            endpoint_url: config.endpoint_url.as_deref(),
            ca: config.aws_ca.as_deref(),
            whole_time: WHOLE_TIME,
        });
        Self { client }
    }

    /// The secret's labels, and whether it rotates.
    ///
    /// # Errors
    /// Why that is not known.
    pub async fn describe(&self, secret: &str) -> Result<Described, Failure> {
        let output = self.client.describe_secret().secret_id(secret).send().await;
        let output = output.map_err(|error| Trouble::of(&error).failure("the secret"))?;
        Ok(Described {
            enabled: output.rotation_enabled.unwrap_or(false),
            labels: output.version_ids_to_stages.unwrap_or_default(),
        })
    }

    /// A version's value; `None` where there is no such version, or it has no value.
    ///
    /// # Errors
    /// Why that is not known, or what is wrong with the value.
    pub async fn read(&self, secret: &str, version: Version<'_>) -> Result<Option<Held>, Failure> {
        let get = self.client.get_secret_value().secret_id(secret);
        let (get, label) = match version {
            Version::Labelled(label) => (get.version_stage(label), label),
            Version::Exactly(id, label) => (get.version_id(id).version_stage(label), label),
        };
        match get.send().await {
            // A binary value leaves the text empty, which is said to be no JSON.
            Ok(output) => {
                let text = output.secret_string.unwrap_or_default();
                Held::read(label, &output.version_id.unwrap_or_default(), text).map(Some)
            }
            Err(error) => match Trouble::of(&error) {
                Trouble { code: Some(code), .. } if code == "ResourceNotFoundException" => Ok(None),
                trouble => Err(trouble.failure(label)),
            },
        }
    }

    /// Puts a version's value, with the label AWSPENDING. False when the version has another value
    /// already.
    ///
    /// # Errors
    /// Why it is not known to be there.
    pub async fn put(
        &self,
        secret: &str,
        version: &str,
        text: &Zeroizing<String>,
        rotation_token: Option<&str>,
    ) -> Result<bool, Failure> {
        let put = self.client.put_secret_value().secret_id(secret).client_request_token(version);
        let put = put.secret_string(text.as_str()).version_stages(super::guard::PENDING);
        let put = put.set_rotation_token(rotation_token.map(str::to_owned));
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) => match Trouble::of(&error) {
                Trouble { code: Some(code), .. } if code == "ResourceExistsException" => Ok(false),
                trouble => Err(trouble.failure("the new version")),
            },
        }
    }

    /// Moves a label away from a version, and onto another where one is named.
    ///
    /// # Errors
    /// Why it is not known to have moved. It may have: a lost answer makes the SDK ask again, and
    /// that is refused.
    pub async fn move_label(
        &self,
        secret: &str,
        label: &str,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<(), Failure> {
        let update = self.client.update_secret_version_stage().secret_id(secret).version_stage(label);
        let update = update.set_remove_from_version_id(from.map(str::to_owned));
        let update = update.set_move_to_version_id(to.map(str::to_owned));
        update.send().await.map_err(|error| Trouble::of(&error).failure(label))?;
        Ok(())
    }

    /// A random password of letters and digits.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn random_password(&self, length: usize) -> Result<Zeroizing<String>, Failure> {
        let get = self.client.get_random_password();
        let get = get.password_length(i64::try_from(length).unwrap_or(32)).exclude_characters(EXCLUDED);
        let get = get.exclude_punctuation(true).include_space(false).require_each_included_type(true);
        let output = get.send().await;
        let output = output.map_err(|error| Trouble::of(&error).failure("a random password"))?;
        Ok(Zeroizing::new(output.random_password.unwrap_or_default()))
    }
}

/// An SDK error in our words. Never its Debug form: of an answer that could not be understood that
/// holds the body, and so the password.
struct Trouble {
    code: Option<String>,
    cause: Cause,
}

impl Trouble {
    fn of<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Self {
        let code = error.code().map(str::to_owned);
        let cause = match (error, code.as_deref()) {
            // DecryptionFailure is a KMS key the function may not use.
            (_, Some("AccessDeniedException" | "DecryptionFailure")) => Cause::SecretDenied,
            // InvalidRequestException is what a secret that is being deleted answers with.
            (_, Some("ResourceNotFoundException" | "InvalidRequestException")) => Cause::SecretNotFound,
            (SdkError::ServiceError(_), _) => Cause::SecretsManagerRefused,
            // Connected, and no answer: it may come late, or never.
            (SdkError::TimeoutError(_), _) => Cause::TimedOut,
            (SdkError::DispatchFailure(_), _) => Cause::SecretsManagerUnreachable,
            // Half an answer, or one that is not understood; and a request that could not be made.
            (SdkError::ResponseError(_), _) => Cause::SecretsManagerUnreachable,
            _ => Cause::Internal,
        };
        Self { code, cause }
    }

    fn failure(self, what: &str) -> Failure {
        let code = self.code.as_deref().unwrap_or("an error without a code");
        let reason = match self.cause {
            Cause::SecretDenied => {
                format!("{what} can't be used: {code}; look at the function's role and key")
            }
            Cause::SecretNotFound => format!("{what} is not there: {code}"),
            Cause::TimedOut => format!("Secrets Manager was reached and did not answer in time about {what}"),
            Cause::SecretsManagerUnreachable => {
                format!(
                    "Secrets Manager was not reached about {what}: look at endpoint, route and security group"
                )
            }
            Cause::Internal => format!("a request about {what} could not be made"),
            _ => format!("Secrets Manager refused about {what}: {code}"),
        };
        Failure::new(self.cause, reason)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_secretsmanager::config::http::HttpResponse;
    use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;

    use super::*;

    #[test]
    fn an_answer_that_is_not_understood_is_not_told() {
        let body = r#"{"SecretString": "{\"password\": \"Canary\"}", "CreatedDate": "yesterday"}"#;
        let answer = HttpResponse::new(200_u16.try_into().unwrap(), body.into());
        let error = SdkError::service_error(GetSecretValueError::unhandled("no date"), answer);
        assert!(format!("{error:?}").contains("Canary"), "the SDK's own Debug form tells it");
        let failure = Trouble::of(&error).failure("the secret");
        assert!(!format!("{failure:?}").contains("Canary"), "{failure:?}");
    }
}
