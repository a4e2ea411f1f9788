//! What answers share: a function's configuration as AWS shows it, and lists in pages.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Core;
use super::errors::{invalid, within};
use super::names::arn;
use super::state::{Build, Version};
use crate::aws::{AwsError, Call, Reply};

/// AWS: a page of functions or versions holds 50.
const PAGE: usize = 50;

impl Core {
    /// A `FunctionConfiguration` without its states, as lists give it.
    pub(super) fn summary(
        &self,
        name: &str,
        qualifier: Option<&str>,
        version: &Version,
        number: &str,
    ) -> Value {
        let Build { code, settings, .. } = &version.build;
        let mut shown = settings.rendered(name);
        shown["FunctionName"] = json!(name);
        shown["FunctionArn"] = json!(arn(&self.context, name, qualifier));
        shown["Version"] = json!(number);
        shown["CodeSha256"] = json!(code.sha256);
        shown["CodeSize"] = json!(code.size);
        shown["LastModified"] = json!(version.modified.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string());
        shown["RevisionId"] = json!(version.revision(self.context.now()));
        if let Some(description) = &version.description {
            shown["Description"] = json!(description);
        }
        shown
    }

    /// A `FunctionConfiguration`.
    pub(super) fn configuration(
        &self,
        name: &str,
        qualifier: Option<&str>,
        version: &Version,
        number: &str,
    ) -> Value {
        let mut shown = self.summary(name, qualifier, version, number);
        let now = self.context.now();
        if version.is_pending(now) {
            shown["State"] = json!("Pending");
            shown["StateReason"] = json!("The function is being created.");
            shown["StateReasonCode"] = json!("Creating");
        } else if let Some(failure) = version.failed(now) {
            // A version that could not be made never runs; a function whose change failed goes on.
            let (state, member) = match version.created {
                true => ("Failed", "StateReason"),
                false => ("Active", "LastUpdateStatusReason"),
            };
            shown["State"] = json!(state);
            shown["LastUpdateStatus"] = json!("Failed");
            shown[member] = json!(failure.reason);
            shown[format!("{member}Code")] = json!(failure.code);
        } else if version.is_settled(now) {
            shown["State"] = json!("Active");
            shown["LastUpdateStatus"] = json!("Successful");
        } else {
            shown["State"] = json!("Active");
            shown["LastUpdateStatus"] = json!("InProgress");
            shown["LastUpdateStatusReason"] = json!("The function is being created.");
            shown["LastUpdateStatusReasonCode"] = json!("Creating");
        }
        shown
    }
}

/// Refuses query parameters other than those named.
pub(super) fn call_query(call: &Call, known: &[&str]) -> Result<(), AwsError> {
    match call.query.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        Some((name, _)) => {
            Err(AwsError::unsupported(format_args!("the parameter {name} of {}", call.operation)))
        }
        None => Ok(()),
    }
}

/// One page of items that are sorted by their keys. The marker is the key of the last item given.
pub(super) fn page(call: &Call, member: &str, items: Vec<(String, Value)>) -> Result<Reply, AwsError> {
    let size = match call.query("MaxItems") {
        None => PAGE,
        Some(text) => {
            let size: i64 = text
                .parse()
                .map_err(|_| AwsError::new("SerializationException", "MaxItems is not a number"))?;
            within(size, "maxItems", 1, 10_000)?;
            usize::try_from(size).unwrap_or(PAGE).min(PAGE)
        }
    };
    let after = match call.query("Marker") {
        None => None,
        Some(marker) => Some(
            URL_SAFE_NO_PAD
                .decode(marker)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| invalid("Invalid marker."))?,
        ),
    };
    let mut rest = items.into_iter().skip_while(|(key, _)| after.as_ref().is_some_and(|after| key <= after));
    let (keys, given): (Vec<String>, Vec<Value>) = rest.by_ref().take(size).unzip();
    let mut answer = json!({member: given});
    if rest.next().is_some()
        && let Some(last) = keys.last()
    {
        answer["NextMarker"] = json!(URL_SAFE_NO_PAD.encode(last));
    }
    Ok(Reply::json(answer))
}
