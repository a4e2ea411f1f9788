//! Reading the secret from Secrets Manager, and keeping it for a while.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::get_secret_value::{GetSecretValueError, GetSecretValueOutput};
use chrono::DateTime;
use tokio::time::timeout;

use super::{DatabaseSecret, MalformedSecret};
use crate::config::Config;
use crate::secrets_manager::{self, Access};
use crate::time::{Clock, Moment};

/// How long all attempts may take together.
const WHOLE_TIME: Duration = Duration::from_secs(6);
/// How long it may take while an older reading of the secret is at hand.
const REFRESH_TIME: Duration = Duration::from_millis(1_500);

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The function's role may not read it.
    #[error("reading the secret is not allowed: {0}")]
    Denied(String),
    /// There is no such secret, it is being deleted, or it has no value of that stage.
    #[error("the secret has no such value: {0}")]
    NotFound(String),
    /// Secrets Manager refused for another reason: throttling, or a failure of its own.
    #[error("Secrets Manager refused: {0}")]
    Refused(String),
    /// Secrets Manager was not reached in time.
    #[error("Secrets Manager was not reached: {0}")]
    Unreachable(String),
    /// What it holds can't be used.
    #[error("the secret can't be used: {0}")]
    Malformed(#[from] MalformedSecret),
}

impl SecretError {
    /// The reason in words for people outside: no name and no address.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Denied(_) => "reading the database secret is not allowed",
            Self::NotFound(_) => "the database secret does not exist",
            Self::Refused(_) => "the database secret could not be read",
            Self::Unreachable(_) => "Secrets Manager is out of reach",
            Self::Malformed(_) => "the database secret is not in the expected form",
        }
    }
}

/// The secret in Secrets Manager.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    secret_id: String,
}

impl Store {
    /// A client for the configured secret. Nothing is sent yet.
    pub fn new(config: &Config) -> Self {
        let client = secrets_manager::client(&Access {
            region: &config.region,
            credentials: &config.credentials,
            endpoint_url: config.endpoint_url.as_deref(),
            ca: config.aws_ca.as_deref(),
            whole_time: WHOLE_TIME,
        });
        Self { client, secret_id: config.secret_id.clone() }
    }

    /// The version with the stage AWSCURRENT.
    ///
    /// # Errors
    /// Why there is none that can be used.
    pub async fn current(&self) -> Result<DatabaseSecret, SecretError> {
        read(self.get("AWSCURRENT").await.map_err(of_sdk)?)
    }

    /// The version with the stage AWSPENDING, if there is one and it has a value.
    ///
    /// # Errors
    /// Why that could not be found out.
    pub async fn pending(&self) -> Result<Option<DatabaseSecret>, SecretError> {
        match self.get("AWSPENDING").await.map_err(of_sdk) {
            Ok(output) => read(output).map(Some),
            Err(SecretError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn get(&self, stage: &str) -> Result<GetSecretValueOutput, SdkError<GetSecretValueError>> {
        self.client.get_secret_value().secret_id(&self.secret_id).version_stage(stage).send().await
    }
}

fn read(output: GetSecretValueOutput) -> Result<DatabaseSecret, SecretError> {
    let created =
        output.created_date.and_then(|date| DateTime::from_timestamp(date.secs(), date.subsec_nanos()));
    // A binary value leaves the text empty, which is said to be no JSON.
    let text = output.secret_string.unwrap_or_default();
    Ok(DatabaseSecret::parse(&output.version_id.unwrap_or_default(), created, text)?)
}

fn of_sdk(error: SdkError<GetSecretValueError>) -> SecretError {
    let context = in_words(&error);
    match &error {
        SdkError::ServiceError(_) => match error.code() {
            Some("AccessDeniedException") => SecretError::Denied(context),
            // InvalidRequestException is what a secret that is being deleted answers with.
            Some("ResourceNotFoundException" | "InvalidRequestException") => SecretError::NotFound(context),
            _ => SecretError::Refused(context),
        },
        _ => SecretError::Unreachable(context),
    }
}

/// An SDK error for the log: AWS's code and message, or what each error on the way down says. Never its
/// Debug form, which the SDK's own `DisplayErrorContext` ends with: of an answer that could not be
/// understood that holds the body, and so the password.
fn in_words(error: &SdkError<GetSecretValueError>) -> String {
    if let Some(code) = error.code() {
        return format!("{code}: {}", error.message().unwrap_or("no message"));
    }
    let mut words = error.to_string();
    let mut inner = std::error::Error::source(error);
    while let Some(error) = inner {
        words.push_str(": ");
        words.push_str(&error.to_string());
        inner = error.source();
    }
    words
}

/// The secret as it was last read. One request at a time comes by, so there is never more than one
/// reading of it under way.
#[derive(Debug, Default)]
pub struct Cache {
    held: Option<(Arc<DatabaseSecret>, Moment)>,
    reads: u32,
}

impl Cache {
    /// How often it was read, successfully.
    pub fn reads(&self) -> u32 {
        self.reads
    }

    /// The secret last read, however old.
    pub fn last(&self) -> Option<&Arc<DatabaseSecret>> {
        self.held.as_ref().map(|(secret, _)| secret)
    }

    /// The secret, read again when it was last read longer than `ttl` ago. When that fails, or takes
    /// longer than a request should wait for what it has already, the old one serves on, and is tried
    /// to be read again after another `ttl`.
    ///
    /// # Errors
    /// When it was never read.
    pub async fn get(
        &mut self,
        store: &Store,
        ttl: Duration,
        clock: &Clock,
    ) -> Result<Arc<DatabaseSecret>, SecretError> {
        if let Some((secret, read)) = &mut self.held {
            if read.elapsed(clock) < ttl {
                return Ok(secret.clone());
            }
            // Set before the call: should the request be given up meanwhile, the next one is not
            // held up by the same call again.
            *read = Moment::now(clock);
            let old = secret.clone();
            let error = match timeout(REFRESH_TIME, self.refresh(store, clock)).await {
                Ok(Ok(secret)) => return Ok(secret),
                Ok(Err(error)) => error,
                Err(_) => SecretError::Unreachable(format!("no answer within {REFRESH_TIME:?}")),
            };
            tracing::warn!(%error, "the secret was not read again; the one at hand is kept");
            return Ok(old);
        }
        self.refresh(store, clock).await
    }

    /// Reads the secret again, whatever its age.
    ///
    /// # Errors
    /// Why it could not be read; the one at hand is kept.
    pub async fn refresh(
        &mut self,
        store: &Store,
        clock: &Clock,
    ) -> Result<Arc<DatabaseSecret>, SecretError> {
        let secret = Arc::new(store.current().await?);
        if self.last().is_none_or(|last| last.version != secret.version) {
            tracing::info!(secretVersion = secret.version_prefix(), "secret read");
        }
        self.held = Some((secret.clone(), Moment::now(clock)));
        self.reads += 1;
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_secretsmanager::config::http::HttpResponse;

    use super::*;

    #[test]
    fn an_answer_that_is_not_understood_is_not_told() {
        let body = r#"{"SecretString": "{\"password\": \"Canary\"}", "CreatedDate": "yesterday"}"#;
        let answer = HttpResponse::new(200_u16.try_into().unwrap(), body.into());
        let error = SdkError::service_error(GetSecretValueError::unhandled("no date"), answer);
        assert!(format!("{error:?}").contains("Canary"), "the SDK's own Debug form tells it");
        let error = of_sdk(error);
        assert!(!format!("{error} {error:?}").contains("Canary"), "{error:?}");
    }
}
