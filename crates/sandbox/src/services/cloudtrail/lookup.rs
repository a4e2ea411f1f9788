//! `LookupEvents`: newest first, 50 a page, one attribute at most.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::CloudTrail;
use super::store::{Found, KEPT_MS, Wanted};
use crate::aws::{AwsError, Reply};

/// AWS: 50 events a page.
const MOST_RESULTS: i64 = 50;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Lookup {
    #[serde(default)]
    lookup_attributes: Vec<Attribute>,
    /// Seconds since 1970.
    start_time: Option<f64>,
    end_time: Option<f64>,
    event_category: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Attribute {
    attribute_key: String,
    attribute_value: String,
}

impl CloudTrail {
    pub(super) fn lookup(&self, input: &Lookup) -> Result<Reply, AwsError> {
        if let Some(category) = &input.event_category {
            if category != "insight" {
                let message = format!("Invalid event category: {category}.");
                return Err(AwsError::new("InvalidEventCategoryException", message));
            }
            return Err(AwsError::unsupported("cloudtrail insight events"));
        }
        let most = input.max_results.unwrap_or(MOST_RESULTS);
        if !(1..=MOST_RESULTS).contains(&most) {
            let message = format!("MaxResults must be from 1 to {MOST_RESULTS}, not {most}.");
            return Err(AwsError::new("InvalidMaxResultsException", message));
        }
        let most = usize::try_from(most).unwrap_or(1);
        let now = self.context.now_ms();
        let from = input.start_time.map_or(i64::MIN, millis).max(now - KEPT_MS);
        // The second that is named belongs to it: events tell no finer time.
        let to = input.end_time.map_or(i64::MAX, |time| millis(time).saturating_add(999));
        if let (Some(start), Some(end)) = (input.start_time, input.end_time)
            && start > end
        {
            return Err(AwsError::new(
                "InvalidTimeRangeException",
                "The start time must not be after the end time.",
            ));
        }
        let attribute = attribute(&input.lookup_attributes)?;
        let before = input.next_token.as_deref().map(position).transpose()?;
        let mut found = self.store.find(&Wanted { from, to, attribute, before }, most + 1)?;
        let more = found.len() > most;
        found.truncate(most);
        let mut reply = json!({"Events": found.iter().map(shown).collect::<Vec<_>>()});
        if let Some(last) = found.last().filter(|_| more) {
            reply["NextToken"] = URL_SAFE_NO_PAD.encode(json!([last.ts, last.id]).to_string()).into();
        }
        Ok(Reply::json(reply))
    }
}

fn attribute(given: &[Attribute]) -> Result<Option<(&'static str, String)>, AwsError> {
    let invalid = |message: String| AwsError::new("InvalidLookupAttributesException", message);
    let [attribute] = given else {
        return match given {
            [] => Ok(None),
            _ => Err(invalid("Only one lookup attribute can be specified.".to_owned())),
        };
    };
    let column = match attribute.attribute_key.as_str() {
        "EventId" => "event_id",
        "EventName" => "name",
        "EventSource" => "source",
        "ReadOnly" => "read_only",
        "Username" => "username",
        "AccessKeyId" => "access_key",
        "ResourceType" => "resource_type",
        "ResourceName" => "resource_name",
        other => return Err(invalid(format!("Invalid attribute key: {other}."))),
    };
    // AWS: 1 to 2,000 characters.
    if !(1..=2000).contains(&attribute.attribute_value.chars().count()) {
        return Err(invalid("An attribute value has from 1 to 2000 characters.".to_owned()));
    }
    Ok(Some((column, attribute.attribute_value.clone())))
}

fn position(token: &str) -> Result<(i64, i64), AwsError> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(|| AwsError::new("InvalidNextTokenException", "The NextToken value is invalid."))
}

fn shown(found: &Found) -> Json {
    let mut event = json!({
        "EventId": found.event_id,
        "EventName": found.name,
        "ReadOnly": found.read_only,
        "EventTime": found.ts.div_euclid(1000),
        "EventSource": found.source,
        "Resources": [],
        "CloudTrailEvent": found.body,
    });
    if let Some(name) = &found.username {
        event["Username"] = name.as_str().into();
    }
    if let Some(key) = &found.access_key {
        event["AccessKeyId"] = key.as_str().into();
    }
    if let Some((kind, name)) = &found.resource {
        event["Resources"] = json!([{"ResourceType": kind, "ResourceName": name}]);
    }
    event
}

#[expect(clippy::cast_possible_truncation, reason = "a cast of floats saturates")]
fn millis(seconds: f64) -> i64 {
    (seconds.floor() * 1000.0) as i64
}
