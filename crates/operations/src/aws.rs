//! The SDK's configuration, and its errors in words.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;

/// The environment's configuration (credentials, `AWS_ENDPOINT_URL`) for `region`, with the time
/// limits of a page that somebody waits for: a second attempt fits in, a third would not.
pub(crate) async fn environment(region: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .retry_config(retries())
        .timeout_config(limits())
        .load()
        .await
}

/// Two attempts, with the SDK's own full jitter, at most half a second apart.
pub(crate) fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(2)
        .with_initial_backoff(Duration::from_millis(200))
        .with_max_backoff(Duration::from_millis(500))
}

/// 1 s to connect, 2 s for an attempt, 4 s in all.
pub(crate) fn limits() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_secs(2))
        .operation_timeout(Duration::from_secs(4))
        .build()
}

/// An SDK error in words. `what` is what was being done ("read the alias live"), `action` the IAM
/// action it needs ("lambda:GetAlias"). The SDK's own text goes to the log only.
pub(crate) fn problem<E, R>(
    what: &str,
    action: &str,
    error: &aws_sdk_lambda::error::SdkError<E, R>,
) -> Problem
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug,
{
    use aws_sdk_lambda::error::SdkError;
    tracing::warn!(what, action, error = %aws_smithy_types::error::display::DisplayErrorContext(error), "AWS refused or failed");
    match error {
        SdkError::TimeoutError(_) => {
            Problem::new(ProblemKind::TimedOut, format!("AWS did not answer in time to {what}."))
        }
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            Problem::new(ProblemKind::TimedOut, format!("AWS did not answer in time to {what}."))
        }
        SdkError::DispatchFailure(_) => {
            Problem::new(ProblemKind::Unreachable, format!("AWS is out of reach: could not {what}."))
                .with_next("Check the portal's network path and credentials.")
        }
        SdkError::ServiceError(context) => {
            service_problem(what, action, context.err().code().unwrap_or_default())
        }
        _ => Problem::new(
            ProblemKind::Upstream,
            format!("AWS gave an answer that can't be understood: could not {what}."),
        ),
    }
}

fn service_problem(what: &str, action: &str, code: &str) -> Problem {
    let says = if code.is_empty() { String::new() } else { format!(" ({code})") };
    match kind(code) {
        ProblemKind::Forbidden => {
            Problem::new(ProblemKind::Forbidden, format!("AWS did not allow the portal to {what}{says}."))
                .with_next(format!("Give the portal's role {action}, or renew its credentials."))
        }
        ProblemKind::NotFound => {
            Problem::new(ProblemKind::NotFound, format!("Could not {what}: it does not exist{says}."))
                .with_next("Check the names in the portal's configuration, and whether the stack was built.")
        }
        ProblemKind::Throttled => Problem::new(
            ProblemKind::Throttled,
            format!("AWS asked the portal to slow down: could not {what}{says}."),
        )
        .with_next("It is tried again by itself."),
        kind => Problem::new(kind, format!("AWS failed: could not {what}{says}.")),
    }
}

/// What kind of problem an error code of AWS's stands for.
fn kind(code: &str) -> ProblemKind {
    match code {
        "ExpiredToken"
        | "ExpiredTokenException"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "MissingAuthenticationTokenException"
        | "NotAuthorized" => ProblemKind::Forbidden,
        code if code.starts_with("AccessDenied") || code.starts_with("Forbidden") => ProblemKind::Forbidden,
        code if code.contains("Throttl")
            || code.starts_with("TooManyRequests")
            || code == "LimitExceededException" =>
        {
            ProblemKind::Throttled
        }
        code if code.starts_with("ResourceNotFound") || code == "NotFoundException" => ProblemKind::NotFound,
        _ => ProblemKind::Upstream,
    }
}

/// The SDK's time as the model's.
pub(crate) fn timestamp(time: &aws_smithy_types::DateTime) -> Timestamp {
    // Beyond 292 million years: not a time AWS gives.
    Timestamp(time.to_millis().unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_kinds() {
        let table = [
            ("AccessDeniedException", ProblemKind::Forbidden),
            ("AccessDenied", ProblemKind::Forbidden),
            ("ExpiredTokenException", ProblemKind::Forbidden),
            ("ThrottlingException", ProblemKind::Throttled),
            ("Throttling", ProblemKind::Throttled),
            ("TooManyRequestsException", ProblemKind::Throttled),
            ("ResourceNotFoundException", ProblemKind::NotFound),
            ("NotFoundException", ProblemKind::NotFound),
            ("InternalFailure", ProblemKind::Upstream),
            ("", ProblemKind::Upstream),
        ];
        for (code, expected) in table {
            assert_eq!(kind(code), expected, "{code}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let problem = service_problem("read the alias live", "lambda:GetAlias", "AccessDeniedException");
        assert_eq!(
            problem.message,
            "AWS did not allow the portal to read the alias live (AccessDeniedException)."
        );
        assert_eq!(
            problem.next.as_deref(),
            Some("Give the portal's role lambda:GetAlias, or renew its credentials.")
        );
    }
}
