//! What CloudTrail is told: every call that changes something, refused ones too, with no secret in it;
//! and what rotations come to.

use serde_json::Value as Json;

use super::SecretsManager;
use crate::aws::{AwsError, Body, Call, Reply};
use crate::services::cloudtrail::{ApiCall, CloudTrail, lowered};

/// The service's name in events.
const SOURCE: &str = "secretsmanager.amazonaws.com";
/// A secret's type in events.
const RESOURCE: &str = "AWS::SecretsManager::Secret";
/// The calls that are recorded: those that change something. AWS records the others as well, and the
/// values are read so often that nothing else would be left of the few events kept here.
const CHANGES: [&str; 13] = [
    "CreateSecret",
    "PutSecretValue",
    "UpdateSecret",
    "UpdateSecretVersionStage",
    "DeleteSecret",
    "RestoreSecret",
    "TagResource",
    "UntagResource",
    "PutResourcePolicy",
    "DeleteResourcePolicy",
    "RotateSecret",
    "CancelRotateSecret",
    "ReplicateSecretToRegions",
];
/// The members of a call that are recorded. A list of what may be seen, not of what may not: a member
/// that is new is left out until somebody has looked at it.
const SEEN: [&str; 19] = [
    "SecretId",
    "Name",
    "ClientRequestToken",
    "Description",
    "KmsKeyId",
    "VersionStages",
    "VersionStage",
    "RemoveFromVersionId",
    "MoveToVersionId",
    "RecoveryWindowInDays",
    "ForceDeleteWithoutRecovery",
    "Tags",
    "TagKeys",
    "ResourcePolicy",
    "BlockPublicPolicy",
    "RotationLambdaARN",
    "RotationRules",
    "RotateImmediately",
    "ForceOverwriteReplicaSecret",
];

impl SecretsManager {
    /// Says where calls and rotations are recorded. Only the first word counts.
    pub fn record_in(&self, trail: std::sync::Arc<CloudTrail>) {
        // A second word is a mistake of the caller's that changes nothing.
        let _ = self.trail.set(trail);
    }

    /// Records a call and what came of it.
    pub(super) fn record(&self, call: &Call, answer: &Result<Reply, AwsError>) {
        let Some(trail) = self.trail.get() else { return };
        if !CHANGES.contains(&call.operation.as_str()) {
            return;
        }
        let response = match answer {
            Ok(Reply { body: Body::Json(body), .. }) => body.clone(),
            _ => Json::Null,
        };
        let arn = response["ARN"].as_str().map(str::to_owned).or_else(|| self.arn_of(call));
        let mut elements = lowered(&response, |_| true);
        if let (Some(arn), Ok(_)) = (&arn, answer) {
            elements.insert("arn".to_owned(), arn.clone().into());
        }
        trail.api_call(&ApiCall {
            call,
            name: &call.operation,
            source: SOURCE,
            read_only: false,
            parameters: Json::Object(lowered(&call.input, |name| SEEN.contains(&name))),
            elements: if answer.is_ok() { Json::Object(elements) } else { Json::Null },
            error: answer.as_ref().err(),
            resource: arn.as_deref().map(|arn| (RESOURCE, arn)),
        });
    }

    /// Records what came of a rotation.
    pub(super) fn service_event(&self, name: &str, arn: &str, error: Option<String>) {
        if let Some(trail) = self.trail.get() {
            trail.service_event(SOURCE, name, (RESOURCE, arn), error.as_deref());
        }
    }

    /// Records that a rotation was abandoned, if one was.
    pub(super) fn tell_abandoned(&self, arn: Option<String>) {
        if let Some(arn) = arn {
            self.service_event("RotationAbandoned", &arn, None);
        }
    }

    fn arn_of(&self, call: &Call) -> Option<String> {
        let id = call.input.get("SecretId")?.as_str()?;
        let now = self.context.now_ms();
        self.state.read(|state| state.find(id, now).ok().map(|secret| secret.arn.clone()))
    }
}
