//! The event Secrets Manager invokes the function with.
//!
//! Members that are not known here are passed over: AWS adds some over time.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::failure::{Cause, Failure};

/// The four steps, in the order in which they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// createSecret
    Create,
    /// setSecret
    Set,
    /// testSecret
    Test,
    /// finishSecret
    Finish,
}

impl Step {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Create, Self::Set, Self::Test, Self::Finish];

    /// Its name in the event.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "createSecret",
            Self::Set => "setSecret",
            Self::Test => "testSecret",
            Self::Finish => "finishSecret",
        }
    }

    /// The step of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

/// An event.
#[derive(Clone, PartialEq, Eq)]
pub struct Order {
    /// What is to be done.
    pub step: Step,
    /// The secret's ARN.
    pub secret: String,
    /// The id of the version that is rotated to.
    pub token: String,
    /// What AWS asks to be handed back when the new value is put, where it sends one.
    pub rotation_token: Option<Zeroizing<String>>,
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Order({} of {} for {})", self.step.name(), self.token, self.secret)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    step: String,
    secret_id: String,
    client_request_token: String,
    rotation_token: Option<String>,
}

impl Order {
    /// Reads an event.
    ///
    /// # Errors
    /// When it is none of a rotation's.
    pub fn read(event: Value) -> Result<Self, Failure> {
        let event: Event = serde_json::from_value(event).map_err(|_| {
            Failure::new(
                Cause::Internal,
                "the event is not a rotation's: Step, SecretId and ClientRequestToken are expected",
            )
        })?;
        let Some(step) = Step::of_name(&event.step) else {
            return Err(Failure::new(Cause::Internal, "the event names a step that is not known"));
        };
        Ok(Self {
            step,
            secret: event.secret_id,
            token: event.client_request_token,
            rotation_token: event.rotation_token.map(Zeroizing::new),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_that_are_not_known_are_passed_over() {
        let event = json!({
            "Step": "setSecret", "SecretId": "arn:x", "ClientRequestToken": "t", "RotationToken": "canary",
            "New": {"a": 1},
        });
        let order = Order::read(event).unwrap();
        assert_eq!((order.step, order.secret.as_str(), order.token.as_str()), (Step::Set, "arn:x", "t"));
        assert_eq!(order.rotation_token.as_ref().map(|token| token.as_str()), Some("canary"));
        assert!(!format!("{order:?}").contains("canary"));
    }

    #[test]
    fn what_is_no_event_of_a_rotation_is_refused() {
        for event in [
            json!({}),
            json!("createSecret"),
            json!({"Step": "createSecret", "SecretId": "arn:x"}),
            json!({"Step": "dropSecret", "SecretId": "arn:x", "ClientRequestToken": "t"}),
            json!({"Step": 1, "SecretId": "arn:x", "ClientRequestToken": "t"}),
        ] {
            assert_eq!(Order::read(event).unwrap_err().cause, Cause::Internal);
        }
    }
}
