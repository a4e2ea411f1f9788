//! CloudTrail's event history: what was changed through the AWS endpoint and by whom, and what
//! services did by themselves. `LookupEvents` is all there is of it; trails, lakes and insights are
//! refused by name.
//!
//! Recorded are the calls that the services tell of: those of Secrets Manager, Lambda and API Gateway
//! that change something, and rotations. As on AWS, an event is 90 days old at most; here there is a bound on their
//! number as well. Two things differ: an event is there at once, where AWS takes minutes; and the
//! answer carries one access key's identity for all callers that sign with a long-lived key, and
//! another for functions, whose keys are temporary ones.
//!
//! The form of the events is AWS's record version 1.11. Their times have whole seconds, as there.

mod lookup;
mod store;

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::SecondsFormat;
use serde_json::{Map, Value as Json, json};

use self::store::{Entry, Store};
use crate::aws::{AwsError, Call, Protocol, Reply, Service};
use crate::context::Context;

/// The event history.
pub struct CloudTrail {
    context: Arc<Context>,
    store: Store,
}

/// A call to a service, as that service tells it.
pub struct ApiCall<'a> {
    /// The call.
    pub call: &'a Call,
    /// What the event is called: mostly as the operation.
    pub name: &'a str,
    /// The service, for example `secretsmanager.amazonaws.com`.
    pub source: &'static str,
    /// Whether the call only reads.
    pub read_only: bool,
    /// What of its input may be seen.
    pub parameters: Json,
    /// What of its answer may be seen.
    pub elements: Json,
    /// The refusal, if it was refused.
    pub error: Option<&'a AwsError>,
    /// Type and name of what it was about.
    pub resource: Option<(&'static str, &'a str)>,
}

impl CloudTrail {
    /// Opens the events in the context's folder.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn open(context: Arc<Context>) -> io::Result<Arc<Self>> {
        let store = Store::open(&context.path("cloudtrail.sqlite"))?;
        Ok(Arc::new(Self { context, store }))
    }

    /// Records a call. What can't be written is told in the log: on AWS, too, the call has been done
    /// by then.
    pub fn api_call(&self, told: &ApiCall<'_>) {
        let call = told.call;
        let header = |name: &str| call.headers.get(name).and_then(|value| value.to_str().ok());
        let mut event = json!({
            "userIdentity": self.identity(&call.access_key),
            "sourceIPAddress": "127.0.0.1",
            "userAgent": header("user-agent").unwrap_or_default(),
            "requestParameters": told.parameters,
            "responseElements": told.elements,
            "requestID": call.request_id,
            "eventType": "AwsApiCall",
        });
        if let Some(error) = told.error {
            event["errorCode"] = error.code.clone().into();
            event["errorMessage"] = error.message.clone().into();
        }
        let entry = Entry {
            name: told.name,
            source: told.source,
            read_only: told.read_only,
            username: Some(user(&call.access_key)),
            access_key: Some(&call.access_key),
            resource: told.resource,
        };
        self.add(&entry, event);
    }

    /// Records what a service did by itself to the resource of this type and ARN.
    pub fn service_event(
        &self,
        source: &'static str,
        name: &str,
        resource: (&'static str, &str),
        error: Option<&str>,
    ) {
        let mut event = json!({
            "userIdentity": {"accountId": self.context.account, "invokedBy": source},
            "sourceIPAddress": source,
            "userAgent": source,
            "requestParameters": null,
            "responseElements": null,
            "additionalEventData": {"SecretId": resource.1},
            "eventType": "AwsServiceEvent",
        });
        if let Some(error) = error {
            event["errorMessage"] = error.into();
        }
        let entry = Entry {
            name,
            source,
            read_only: false,
            username: None,
            access_key: None,
            resource: Some(resource),
        };
        self.add(&entry, event);
    }

    fn add(&self, entry: &Entry<'_>, mut event: Json) {
        let (id, now) = (self.context.random.uuid(), self.context.now());
        let common = json!({
            "eventVersion": "1.11",
            "eventTime": now.to_rfc3339_opts(SecondsFormat::Secs, true),
            "eventSource": entry.source,
            "eventName": entry.name,
            "awsRegion": self.context.region,
            "eventID": id,
            "readOnly": entry.read_only,
            "managementEvent": true,
            "recipientAccountId": self.context.account,
            "eventCategory": "Management",
        });
        if let (Some(event), Json::Object(common)) = (event.as_object_mut(), common) {
            event.extend(common);
            if let Some((kind, name)) = entry.resource {
                let resource = json!({"ARN": name, "type": kind, "accountId": self.context.account});
                event.insert("resources".to_owned(), json!([resource]));
            }
        }
        if let Err(error) = self.store.add(&id, now.timestamp_millis(), entry, &event.to_string()) {
            tracing::error!(%error, name = entry.name, "an event is not recorded");
        }
    }

    fn identity(&self, access_key: &str) -> Json {
        let account = &self.context.account;
        if is_temporary(access_key) {
            return json!({
                "type": "AssumedRole", "principalId": "AROASANDBOX:function",
                "arn": format!("arn:aws:sts::{account}:assumed-role/sandbox/function"),
                "accountId": account, "accessKeyId": access_key,
            });
        }
        json!({
            "type": "IAMUser", "principalId": "AIDASANDBOX",
            "arn": format!("arn:aws:iam::{account}:user/sandbox"),
            "accountId": account, "accessKeyId": access_key, "userName": "sandbox",
        })
    }
}

/// Members whose own members are somebody's words and no names of AWS's.
const MAPS: [&str; 2] = ["Tags", "AdditionalVersionWeights"];

/// An object's members that may be seen, as CloudTrail writes them: the first letter small, an ARN all
/// small.
pub(super) fn lowered(object: &Json, seen: impl Fn(&str) -> bool) -> Map<String, Json> {
    let members = object.as_object().into_iter().flatten().filter(|(name, _)| seen(name));
    let inner = |name: &str, value: &Json| match value {
        Json::Object(_) if MAPS.contains(&name) => value.clone(),
        other => inner(other),
    };
    members.map(|(name, value)| (lower(name), inner(name, value))).collect()
}

fn inner(value: &Json) -> Json {
    match value {
        Json::Object(_) => Json::Object(lowered(value, |_| true)),
        Json::Array(list) => list.iter().map(inner).collect(),
        other => other.clone(),
    }
}

fn lower(name: &str) -> String {
    if name == "ARN" {
        return "arn".to_owned();
    }
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase().to_string() + letters.as_str()).unwrap_or_default()
}

/// The keys that execution environments are given begin so, as on AWS.
fn is_temporary(access_key: &str) -> bool {
    access_key.starts_with("ASIA")
}

fn user(access_key: &str) -> &'static str {
    if is_temporary(access_key) { "function" } else { "sandbox" }
}

#[async_trait]
impl Service for CloudTrail {
    fn signing_name(&self) -> &'static str {
        "cloudtrail"
    }

    fn protocol(&self) -> Protocol {
        Protocol::AwsJson
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, AwsError> {
        match call.operation.as_str() {
            "LookupEvents" => self.lookup(&call.parse()?),
            other => Err(AwsError::unsupported(format_args!("cloudtrail {other}"))),
        }
    }
}
