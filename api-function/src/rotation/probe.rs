//! Which of the secret's versions log in: asked by the portal before it repairs a rotation that was left
//! half done, with the step `probeSecret`, which is none of Secrets Manager's.
//!
//! Changes nothing. Each refused login counts towards a lock, so no more are made than the answer takes:
//! AWSPREVIOUS is tried only where neither of the others works, and nothing after a lock.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Rotation;
use super::failure::{Cause, Failure};
use super::guard::{CURRENT, PENDING, PREVIOUS};
use super::login::{self, Outcome};
use super::store::Version;

/// The step's name in the event.
pub const STEP: &str = "probeSecret";
/// The outcome of a login that works; others are [`Cause::text`].
pub const WORKS: &str = "works";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    step: String,
    secret_id: String,
}

/// A version that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Tried {
    label: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The secret to be tried, when an event asks for that.
pub fn asked(event: &Value) -> Option<String> {
    let event: Event = serde_json::from_value(event.clone()).ok()?;
    (event.step == STEP).then_some(event.secret_id)
}

impl Rotation {
    /// Tries the versions. `{"versions": [{"label", "outcome", "reason"}]}`; a version that is not there,
    /// has no value or did not have to be tried is left out. Never fails: what went wrong is an outcome.
    pub async fn probe(&self, secret: &str) -> Value {
        let mut versions: Vec<Tried> = Vec::new();
        for label in [PENDING, CURRENT, PREVIOUS] {
            let refused = versions.iter().all(|tried| tried.outcome == Cause::WrongPassword.text());
            let locked = versions.iter().any(|tried| tried.outcome == Cause::LoginLocked.text());
            if locked || (label == PREVIOUS && !refused) {
                continue;
            }
            versions.extend(self.try_version(secret, label).await);
        }
        let outcomes: Vec<String> =
            versions.iter().map(|tried| format!("{} {}", tried.label, tried.outcome)).collect();
        tracing::info!(
            event = "secret_probed",
            secretId = secret,
            outcomes = outcomes.join(", "),
            "secret probed"
        );
        json!({ "versions": versions })
    }

    async fn try_version(&self, secret: &str, label: &'static str) -> Option<Tried> {
        let held = match self.store.read(secret, Version::Labelled(label)).await {
            Ok(held) => held?,
            Err(failure) => return Some(told(label, failure)),
        };
        Some(match self.server.log_in(&held.login).await {
            Ok(_) | Err(Outcome::In) => Tried { label, outcome: WORKS, reason: None },
            Err(Outcome::Refused(number)) => told(label, login::refused("the login", number)),
            Err(Outcome::Failed(failure)) => told(label, failure),
        })
    }
}

fn told(label: &'static str, failure: Failure) -> Tried {
    Tried { label, outcome: failure.cause.text(), reason: Some(failure.reason) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_step_is_taken_for_one() {
        let event = |step: &str| json!({ "Step": step, "SecretId": "arn:x", "ClientRequestToken": "t" });
        assert_eq!(asked(&event("probeSecret")).as_deref(), Some("arn:x"));
        assert_eq!(asked(&event("testSecret")), None);
        assert_eq!(asked(&json!({ "Step": "probeSecret" })), None);
    }
}
