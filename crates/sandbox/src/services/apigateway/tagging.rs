//! Tags of APIs and stages, by ARN: `arn:aws:apigateway:REGION::/apis/ID` and `.../stages/NAME`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::ApiGateway;
use super::check::{bad, input, not_found, tags};
use super::model::State;
use crate::aws::{AwsError, Call, Reply};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tag {
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// `TagResource`: adds or replaces.
pub(super) fn tag(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let input: Tag = input(call, &[])?;
    gateway.state.change(|state| {
        let on = resource(gateway, state, call)?;
        on.extend(input.tags);
        tags(on)?;
        Ok(Reply::json(json!({})).with_status(201))
    })
}

/// `UntagResource`: keys that are not there do no harm.
pub(super) fn untag(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let keys: Vec<&str> =
        call.query.iter().filter(|(name, _)| name == "tagKeys").map(|(_, key)| key.as_str()).collect();
    if keys.is_empty() {
        return Err(bad("TagKeys is required"));
    }
    gateway.state.change(|state| {
        let on = resource(gateway, state, call)?;
        on.retain(|key, _| !keys.contains(&key.as_str()));
        Ok(Reply::empty())
    })
}

/// `GetTags`.
pub(super) fn get(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let mut state = gateway.state.read(State::clone);
    let on = resource(gateway, &mut state, call)?;
    Ok(Reply::json(json!({ "tags": on })))
}

fn resource<'a>(
    gateway: &ApiGateway,
    state: &'a mut State,
    call: &Call,
) -> Result<&'a mut BTreeMap<String, String>, AwsError> {
    let arn = call.path("ResourceArn");
    let prefix = format!("arn:aws:apigateway:{}::/apis/", gateway.context.region);
    let rest = arn.strip_prefix(&prefix).ok_or_else(|| bad(format!("Invalid resource ARN {arn}")))?;
    let (id, stage) = match rest.split_once("/stages/") {
        Some((id, stage)) => (id, Some(stage)),
        None => (rest, None),
    };
    let api = state.apis.get_mut(id).ok_or_else(|| not_found("API", id))?;
    match stage {
        None => Ok(&mut api.api.tags),
        Some(name) => Ok(&mut api.stages.get_mut(name).ok_or_else(|| not_found("stage", name))?.tags),
    }
}
