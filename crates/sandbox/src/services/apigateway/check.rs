//! What the operations share: errors in API Gateway's words, reading of input, lists in pages.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::model::{ApiState, State};
use crate::aws::{AwsError, Call, Reply};

/// `BadRequestException`, 400.
pub fn bad(message: impl Into<String>) -> AwsError {
    AwsError::new("BadRequestException", message)
}

/// `ConflictException`, 409.
pub fn conflict(message: impl Into<String>) -> AwsError {
    AwsError::new("ConflictException", message).with_status(409)
}

/// `NotFoundException`, 404, for a resource of this kind.
pub fn not_found(kind: &str, id: &str) -> AwsError {
    AwsError::new("NotFoundException", format!("Invalid {kind} identifier specified {id}"))
        .with_status(404)
        .with("resourceType", kind)
}

/// `TooManyRequestsException`, 429: this kind's quota is used up. The control plane of API Gateway
/// has no other code for a quota than the one for throttling.
pub fn quota(kind: &str, most: usize) -> AwsError {
    AwsError::new(
        "TooManyRequestsException",
        format!("Maximum number of {kind} reached: {most}. Delete one that is not needed."),
    )
    .with_status(429)
    .with("limitType", kind)
}

/// Reads the body as a `T`. Members that AWS knows for the operation and the sandbox does not are
/// named in `unsupported`, so that they are refused as such; what AWS does not know either is
/// refused by the type.
///
/// # Errors
/// `SandboxUnsupported` or `SerializationException`.
pub fn input<T: DeserializeOwned>(call: &Call, unsupported: &[&str]) -> Result<T, AwsError> {
    for member in unsupported {
        if !call.input.get(member).unwrap_or(&Value::Null).is_null() {
            return Err(AwsError::unsupported(format_args!("{member} of {}", call.operation)));
        }
    }
    call.parse()
}

/// The API named in the path.
///
/// # Errors
/// `NotFoundException`.
pub fn api<'a>(state: &'a State, call: &Call) -> Result<&'a ApiState, AwsError> {
    let id = call.path("ApiId");
    state.apis.get(id).ok_or_else(|| not_found("API", id))
}

/// The same, to be changed.
///
/// # Errors
/// `NotFoundException`.
pub fn api_mut<'a>(state: &'a mut State, call: &Call) -> Result<&'a mut ApiState, AwsError> {
    let id = call.path("ApiId");
    state.apis.get_mut(id).ok_or_else(|| not_found("API", id))
}

/// Text within a length; AWS gives most of its texts one.
///
/// # Errors
/// `BadRequestException` naming the member.
pub fn length(name: &str, text: &str, least: usize, most: usize) -> Result<(), AwsError> {
    let length = text.chars().count();
    if (least..=most).contains(&length) {
        return Ok(());
    }
    Err(bad(format!("{name} must have between {least} and {most} characters, this one has {length}")))
}

/// At most 50 tags with keys of 1-128 and values of 0-256 characters, none of them AWS's own.
///
/// # Errors
/// `BadRequestException`.
pub fn tags(tags: &BTreeMap<String, String>) -> Result<(), AwsError> {
    if tags.len() > 50 {
        return Err(bad(format!("a resource can have 50 tags, not {}", tags.len())));
    }
    for (key, value) in tags {
        length("a tag's key", key, 1, 128)?;
        length("a tag's value", value, 0, 256)?;
        if key.starts_with("aws:") {
            return Err(bad("tags that begin with aws: are AWS's own"));
        }
    }
    Ok(())
}

/// 200 or another status with a resource as JSON.
pub fn reply(status: u16, resource: &impl Serialize) -> Reply {
    Reply::json(serde_json::to_value(resource).unwrap_or_default()).with_status(status)
}

/// One page of a list: `maxResults` items (25 unless given, at most 500) from where `nextToken`
/// says.
///
/// # Errors
/// `BadRequestException` for a size or a token that is none.
pub fn page<T: Serialize>(call: &Call, items: impl Iterator<Item = T>) -> Result<Reply, AwsError> {
    let size = match call.query("maxResults") {
        None => 25,
        Some(text) => text
            .parse()
            .ok()
            .filter(|size| (1..=500).contains(size))
            .ok_or_else(|| bad("MaxResults must be a number from 1 to 500"))?,
    };
    let start = match call.query("nextToken") {
        None => 0,
        Some(token) => URL_SAFE_NO_PAD
            .decode(token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok()?.strip_prefix("from:")?.parse().ok())
            .ok_or_else(|| bad("Invalid NextToken"))?,
    };
    let mut rest = items.skip(start).peekable();
    let mut page: Vec<Value> = Vec::new();
    while page.len() < size {
        let Some(item) = rest.next() else { break };
        page.push(serde_json::to_value(item).unwrap_or_default());
    }
    let mut body = json!({ "items": page });
    if rest.peek().is_some() {
        body["nextToken"] = URL_SAFE_NO_PAD.encode(format!("from:{}", start + size)).into();
    }
    Ok(Reply::json(body))
}

/// A time as API Gateway writes it: ISO 8601 in UTC, to the second.
pub fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
