//! The client for Secrets Manager that both functions work with.

use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::retry::RetryConfig;
use aws_sdk_secretsmanager::config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Credentials, Region};

use crate::config::AwsCredentials;
use crate::roots;

/// How long the TCP and TLS connection may take.
const CONNECT_TIME: Duration = Duration::from_secs(2);
/// How long one attempt may take.
const ATTEMPT_TIME: Duration = Duration::from_secs(3);
/// Attempts, the first included. The SDK waits between them for a random time that doubles.
const ATTEMPTS: u32 = 3;
/// The first wait between attempts is at most this long.
const FIRST_BACKOFF: Duration = Duration::from_millis(200);

/// Where Secrets Manager is, and who asks.
pub(crate) struct Access<'a> {
    pub(crate) region: &'a str,
    pub(crate) credentials: &'a AwsCredentials,
    /// Another address.
    pub(crate) endpoint_url: Option<&'a str>,
    /// Certificates to trust instead of Amazon's roots, in PEM.
    pub(crate) ca: Option<&'a str>,
    /// How long all attempts of a call may take together.
    pub(crate) whole_time: Duration,
}

/// A client. Nothing is sent yet.
pub(crate) fn client(access: &Access<'_>) -> Client {
    let AwsCredentials { access_key_id, secret_access_key, session_token } = access.credentials;
    let mut credentials = Credentials::builder()
        .access_key_id(access_key_id)
        .secret_access_key(secret_access_key.as_str())
        .provider_name("environment");
    credentials.set_session_token(session_token.as_ref().map(|token| token.to_string()));
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIME)
        .operation_attempt_timeout(ATTEMPT_TIME)
        .operation_timeout(access.whole_time);
    let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(FIRST_BACKOFF);
    let mut sdk = aws_sdk_secretsmanager::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(access.region.to_owned()))
        .credentials_provider(credentials.build())
        .timeout_config(timeouts.build())
        .retry_config(retries)
        .http_client(roots::https_client(access.ca));
    if let Some(url) = access.endpoint_url {
        sdk = sdk.endpoint_url(url);
    }
    Client::from_conf(sdk.build())
}
