//! What CloudTrail is told: every call that changes something, refused ones too, without code and
//! without the values of environment variables.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::names::{FunctionRef, arn};
use super::{Core, Lambda};
use crate::aws::{AwsError, Body, Call, Reply};
use crate::services::cloudtrail::{ApiCall, CloudTrail, lowered};

/// The service's name in events.
const SOURCE: &str = "lambda.amazonaws.com";
/// A function's type in events. The resource is the function, whichever version or alias a call is about.
const RESOURCE: &str = "AWS::Lambda::Function";
/// The calls that are recorded, and what they are called in events: with the version of Lambda's own API.
const CHANGES: [(&str, &str); 14] = [
    ("CreateFunction", "CreateFunction20150331"),
    ("UpdateFunctionCode", "UpdateFunctionCode20150331v2"),
    ("UpdateFunctionConfiguration", "UpdateFunctionConfiguration20150331v2"),
    ("DeleteFunction", "DeleteFunction20150331"),
    ("PublishVersion", "PublishVersion20150331"),
    ("CreateAlias", "CreateAlias20150331"),
    ("UpdateAlias", "UpdateAlias20150331"),
    ("DeleteAlias", "DeleteAlias20150331"),
    ("AddPermission", "AddPermission20150331v2"),
    ("RemovePermission", "RemovePermission20150331v2"),
    ("PutFunctionConcurrency", "PutFunctionConcurrency20171031"),
    ("DeleteFunctionConcurrency", "DeleteFunctionConcurrency20171031"),
    ("TagResource", "TagResource20170331v2"),
    ("UntagResource", "UntagResource20170331v2"),
];
/// The members of a call or an answer that are recorded. A list of what may be seen, not of what may
/// not: `ZipFile` and `Environment` are in none.
const SEEN: [&str; 43] = [
    "Action",
    "AliasArn",
    "Architectures",
    "CodeSha256",
    "CodeSize",
    "Description",
    "DryRun",
    "EphemeralStorage",
    "FunctionArn",
    "FunctionName",
    "FunctionVersion",
    "Handler",
    "KMSKeyArn",
    "LastModified",
    "LastUpdateStatus",
    "LastUpdateStatusReason",
    "LastUpdateStatusReasonCode",
    "LoggingConfig",
    "MemorySize",
    "Name",
    "PackageType",
    "Principal",
    "Publish",
    "ReservedConcurrentExecutions",
    "RevisionId",
    "Role",
    "RoutingConfig",
    "Runtime",
    "S3Bucket",
    "S3Key",
    "S3ObjectVersion",
    "SourceAccount",
    "SourceArn",
    "State",
    "StateReason",
    "StateReasonCode",
    "Statement",
    "StatementId",
    "Tags",
    "Timeout",
    "TracingConfig",
    "Version",
    "VpcConfig",
];

impl Lambda {
    /// Says where calls are recorded. Only the first word counts.
    pub fn record_in(&self, trail: Arc<CloudTrail>) {
        // A second word is a mistake of the caller's that changes nothing.
        let _ = self.core.trail.set(trail);
    }
}

impl Core {
    /// Records a call and what came of it.
    pub(super) fn record(&self, call: &Call, answer: &Result<Reply, AwsError>) {
        let Some(trail) = self.trail.get() else { return };
        let Some((_, name)) = CHANGES.iter().find(|(operation, _)| *operation == call.operation) else {
            return;
        };
        let elements = match answer {
            Ok(Reply { body: Body::Json(body), .. }) => Json::Object(seen(body)),
            _ => Json::Null,
        };
        let resource = self.function_arn(call);
        trail.api_call(&ApiCall {
            call,
            name,
            source: SOURCE,
            read_only: false,
            parameters: Json::Object(parameters(call)),
            elements,
            error: answer.as_ref().err(),
            resource: resource.as_deref().map(|arn| (RESOURCE, arn)),
        });
    }

    /// The ARN of the function that a call is about; none where it names nothing that could be one.
    fn function_arn(&self, call: &Call) -> Option<String> {
        let in_path = ["FunctionName", "Resource"].map(|name| call.path(name));
        let in_body = call.input.get("FunctionName").and_then(Json::as_str).unwrap_or_default();
        let given = in_path.into_iter().chain([in_body]).find(|given| !given.is_empty())?;
        let reference = FunctionRef::parse(&self.context, given, None).ok()?;
        Some(arn(&self.context, &reference.name, None))
    }
}

/// What is in the body, the path and the query, as one object.
fn parameters(call: &Call) -> Map<String, Json> {
    let mut parameters = seen(&call.input);
    if let Some(Json::Object(code)) = call.input.get("Code").map(|code| Json::Object(seen(code))) {
        parameters.insert("code".to_owned(), Json::Object(code));
    }
    let elsewhere: Map<String, Json> =
        call.path.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    parameters.extend(lowered(&Json::Object(elsewhere), |_| true));
    if let Some(qualifier) = call.query("Qualifier") {
        parameters.insert("qualifier".to_owned(), qualifier.into());
    }
    let keys: Vec<Json> =
        call.query.iter().filter(|(name, _)| name == "tagKeys").map(|(_, key)| key.as_str().into()).collect();
    if !keys.is_empty() {
        parameters.insert("tagKeys".to_owned(), keys.into());
    }
    parameters
}

fn seen(object: &Json) -> Map<String, Json> {
    lowered(object, |name| SEEN.contains(&name))
}
