//! Which versions of the secret log in. The portal can't read them, so the rotation function tries:
//! it is asked with a step of its own, `probeSecret`, which changes nothing.
//!
//! Each login that is refused counts towards the lock of an account, so the answer is kept, and asked
//! for again only when the labels have moved, or a person is about to act on it.

use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::primitives::Blob;
use model::rotation::SecretDetail;
use serde::Deserialize;
use serde_json::json;

use super::repair::{Login, Probe};
use crate::aws::problem;

/// Three logins, of 6 s each at most, and what Secrets Manager takes.
const LIMIT: Duration = Duration::from_secs(40);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    versions: Vec<Tried>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tried {
    label: String,
    outcome: String,
    reason: Option<String>,
}

/// Asks the rotation function. Never fails: what could not be found out is unknown.
pub(crate) async fn ask(lambda: &Client, secret: &SecretDetail) -> Probe {
    let Some(function) = &secret.rotation_function else {
        return Probe::unknown("the secret names no rotation function.");
    };
    // Without the rotation's token: a foreign function must not take this for a step.
    let event = json!({ "Step": "probeSecret", "SecretId": secret.arn });
    let patience = TimeoutConfig::builder()
        .operation_attempt_timeout(LIMIT)
        .operation_timeout(LIMIT)
        .read_timeout(LIMIT)
        .build();
    let once = aws_sdk_lambda::config::retry::RetryConfig::disabled();
    let invoked = lambda
        .invoke()
        .function_name(function)
        .payload(Blob::new(event.to_string()))
        .customize()
        .config_override(aws_sdk_lambda::config::Builder::new().timeout_config(patience).retry_config(once))
        .send()
        .await;
    let answer = match invoked {
        Ok(answer) => answer,
        Err(error) => {
            let problem =
                problem("have the rotation function try the logins", "lambda:InvokeFunction", &error);
            return Probe::unknown(&problem.message);
        }
    };
    let payload = answer.payload().map(Blob::as_ref).unwrap_or_default();
    if let Some(error) = answer.function_error() {
        // The type alone: what a foreign function says may quote what it connected with.
        let said: serde_json::Value = serde_json::from_slice(payload).unwrap_or_default();
        let kind = said["errorType"].as_str().unwrap_or_default();
        tracing::warn!(error, kind, "the rotation function could not try the logins");
        return Probe::unknown(
            "the rotation function could not try it; its log says more. One that is not Lockkeeper's can't.",
        );
    }
    read(payload)
}

fn read(payload: &[u8]) -> Probe {
    let Ok(answer) = serde_json::from_slice::<Answer>(payload) else {
        return Probe::unknown("the rotation function's answer could not be understood.");
    };
    let login = |label: &str| match answer.versions.iter().find(|tried| tried.label == label) {
        None => Login::Unknown("the rotation function did not try it.".to_owned()),
        Some(tried) => login_of(&tried.outcome, tried.reason.as_deref()),
    };
    Probe { current: login("AWSCURRENT"), pending: login("AWSPENDING"), previous: login("AWSPREVIOUS") }
}

/// Only what SQL Server itself says of the login is a refusal; all else leaves it open.
fn login_of(outcome: &str, reason: Option<&str>) -> Login {
    match outcome {
        "works" => Login::Works,
        "wrong_password" | "login_disabled" | "login_expired" => Login::Refused(outcome.to_owned()),
        other => {
            Login::Unknown(format!("{}.", reason.unwrap_or(&other.replace('_', " ")).trim_end_matches('.')))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_server_s_own_word_is_a_refusal() {
        let payload = json!({ "versions": [
            { "label": "AWSCURRENT", "outcome": "works" },
            { "label": "AWSPENDING", "outcome": "wrong_password", "reason": "no" },
            { "label": "AWSPREVIOUS", "outcome": "unreachable", "reason": "no route." },
        ]});
        let probe = read(payload.to_string().as_bytes());
        assert_eq!(probe.current, Login::Works);
        assert_eq!(probe.pending, Login::Refused("wrong_password".to_owned()));
        assert_eq!(probe.previous, Login::Unknown("no route.".to_owned()));
        // A locked login says nothing about its password.
        assert_eq!(login_of("login_locked", None), Login::Unknown("login locked.".to_owned()));
        assert!(matches!(read(b"null").current, Login::Unknown(_)));
    }
}
