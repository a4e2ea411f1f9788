//! What CloudTrail is told: every call that changes something, refused ones too. AWS lists no resources
//! in these events, so they are found by their names, and the API is in their parameters.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::ApiGateway;
use crate::aws::{AwsError, Body, Call, Reply};
use crate::services::cloudtrail::{ApiCall, CloudTrail, lowered};

/// The service's name in events.
const SOURCE: &str = "apigateway.amazonaws.com";
/// What the calls begin with that only read.
const READS: &str = "Get";
/// The members of a call or an answer that are recorded. A list of what may be seen, not of what may
/// not: a member that is new is left out until somebody has looked at it.
const SEEN: [&str; 26] = [
    "accessLogSettings",
    "apiEndpoint",
    "apiId",
    "authorizationScopes",
    "authorizationType",
    "authorizerId",
    "authorizerType",
    "autoDeploy",
    "autoDeployed",
    "corsConfiguration",
    "defaultRouteSettings",
    "deploymentId",
    "deploymentStatus",
    "description",
    "integrationId",
    "integrationType",
    "integrationUri",
    "jwtConfiguration",
    "name",
    "payloadFormatVersion",
    "routeId",
    "routeKey",
    "routeSettings",
    "stageName",
    "target",
    "timeoutInMillis",
];

impl ApiGateway {
    /// Says where calls are recorded. Only the first word counts.
    pub fn record_in(&self, trail: Arc<CloudTrail>) {
        // A second word is a mistake of the caller's that changes nothing.
        let _ = self.trail.set(trail);
    }

    /// Records a call and what came of it.
    pub(super) fn record(&self, call: &Call, answer: &Result<Reply, AwsError>) {
        let Some(trail) = self.trail.get() else { return };
        if call.operation.starts_with(READS) {
            return;
        }
        let mut parameters = seen(&call.input);
        let path: Map<String, Json> =
            call.path.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        parameters.extend(lowered(&Json::Object(path), |_| true));
        let elements = match answer {
            Ok(Reply { body: Body::Json(body), .. }) => Json::Object(seen(body)),
            _ => Json::Null,
        };
        trail.api_call(&ApiCall {
            call,
            name: &call.operation,
            source: SOURCE,
            read_only: false,
            parameters: Json::Object(parameters),
            elements,
            error: answer.as_ref().err(),
            resource: None,
        });
    }
}

fn seen(object: &Json) -> Map<String, Json> {
    lowered(object, |name| SEEN.contains(&name))
}
