//! A secret that rotates, for tests of the function alone.

#![expect(clippy::unwrap_used, reason = "a helper of tests: what fails here fails the test")]

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use sandbox::aws::{AwsError, Body, Call, Protocol, Reply, Service};
use sandbox::services::secretsmanager::SecretsManager;
use serde_json::json;

/// Secrets Manager with what RotateSecret leaves behind: rotation on, and AWSPENDING on a version that
/// has no value yet. It also notes which values were taken for which version.
pub struct Rotatable {
    inner: Arc<SecretsManager>,
    /// What it says and notes.
    pub state: Mutex<Rotating>,
}

/// What somebody else does at that moment.
pub type Meanwhile = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
pub struct Rotating {
    /// Done once the value of AWSPENDING has been read, before whoever asked for it has it.
    pub once_pending_is_read: Option<Meanwhile>,
    pub disabled: bool,
    /// How often the event's RotationToken came back.
    pub handed_back: u32,
    pub pending: Option<String>,
    pub put: BTreeMap<String, Vec<String>>,
}

impl Rotatable {
    pub fn new(inner: Arc<SecretsManager>) -> Self {
        Self { inner, state: Mutex::default() }
    }
}

#[async_trait]
impl Service for Rotatable {
    fn signing_name(&self) -> &'static str {
        "secretsmanager"
    }

    fn protocol(&self) -> Protocol {
        Protocol::AwsJson
    }

    async fn call(self: Arc<Self>, mut call: Call) -> Result<Reply, AwsError> {
        let operation = call.operation.clone();
        // The sandbox does not know it yet.
        let rotation_token = call.input.as_object_mut().and_then(|input| input.remove("RotationToken"));
        assert!(rotation_token.as_ref().is_none_or(|token| token == "Canary-rotation-token"));
        let put = (operation == "PutSecretValue").then(|| {
            let text = |name: &str| call.input[name].as_str().unwrap_or_default().to_owned();
            (text("ClientRequestToken"), text("SecretString"))
        });
        let pending_is_read = operation == "GetSecretValue" && call.input["VersionStage"] == "AWSPENDING";
        let mut reply = self.inner.clone().call(call).await?;
        if pending_is_read {
            let meanwhile = self.state.lock().unwrap().once_pending_is_read.take();
            if let Some(meanwhile) = meanwhile {
                meanwhile.await;
            }
        }
        let mut state = self.state.lock().unwrap();
        state.handed_back += u32::from(rotation_token.is_some());
        if let Some((token, text)) = put {
            if state.pending.as_ref() == Some(&token) {
                state.pending = None;
            }
            let values = state.put.entry(token).or_default();
            if !values.contains(&text) {
                values.push(text);
            }
        }
        if let (true, Body::Json(described)) = (operation == "DescribeSecret", &mut reply.body) {
            described["RotationEnabled"] = json!(!state.disabled);
            if let Some(pending) = &state.pending {
                described["VersionIdsToStages"][pending] = json!(["AWSPENDING"]);
            }
        }
        Ok(reply)
    }
}
