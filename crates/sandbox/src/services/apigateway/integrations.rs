//! Integrations: what a route calls. The sandbox has Lambda functions (`AWS_PROXY`), with events of
//! payload format version 2.0.

use serde::Deserialize;

use super::check::{api, api_mut, bad, conflict, input, length, not_found, page, quota, reply};
use super::model::{ApiState, Integration};
use super::{ApiGateway, deployments};
use crate::aws::{AwsError, Call, Reply};

/// AWS: 300 integrations per API.
const MOST: usize = 300;
/// AWS: an integration's time limit lies between 50 ms and 30 s; 30 s unless set.
const TIME: std::ops::RangeInclusive<u64> = 50..=30_000;
/// Members AWS has for other kinds of integration.
const UNSUPPORTED: [&str; 10] = [
    "connectionId",
    "contentHandlingStrategy",
    "credentialsArn",
    "integrationSubtype",
    "passthroughBehavior",
    "requestParameters",
    "requestTemplates",
    "responseParameters",
    "templateSelectionExpression",
    "tlsConfig",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Input {
    connection_type: Option<String>,
    description: Option<String>,
    integration_method: Option<String>,
    integration_type: Option<String>,
    integration_uri: Option<String>,
    payload_format_version: Option<String>,
    timeout_in_millis: Option<u64>,
}

/// `CreateIntegration`.
pub(super) fn create(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let input: Input = input(call, &UNSUPPORTED)?;
    check(gateway, &input)?;
    if input.integration_type.is_none() {
        return Err(bad("IntegrationType is required"));
    }
    let uri = input.integration_uri.ok_or_else(|| bad("IntegrationUri is required"))?;
    if input.payload_format_version.is_none() {
        return Err(bad("PayloadFormatVersion is a required field for this type of integration"));
    }
    gateway.state.change(|state| {
        let found = api_mut(state, call)?;
        let made = Integration {
            api_gateway_managed: None,
            description: input.description,
            timeout_in_millis: input.timeout_in_millis.unwrap_or(*TIME.end()),
            ..plain(gateway, found, uri)?
        };
        let reply = reply(201, &made);
        found.edited.integrations.insert(made.integration_id.clone(), made);
        deployments::republish(&gateway.context, found);
        Ok(reply)
    })
}

/// `GetIntegration`.
pub(super) fn get(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let id = call.path("IntegrationId");
    gateway.state.read(|state| {
        let found = api(state, call)?.edited.integrations.get(id);
        found.map(|found| reply(200, found)).ok_or_else(|| not_found("Integration", id))
    })
}

/// `GetIntegrations`.
pub(super) fn list(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    gateway.state.read(|state| page(call, api(state, call)?.edited.integrations.values()))
}

/// `UpdateIntegration`. What is absent stays.
pub(super) fn update(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let input: Input = input(call, &UNSUPPORTED)?;
    check(gateway, &input)?;
    let id = call.path("IntegrationId");
    gateway.state.change(|state| {
        let found = api_mut(state, call)?;
        let to = found.edited.integrations.get_mut(id).ok_or_else(|| not_found("Integration", id))?;
        to.description = input.description.or_else(|| to.description.clone());
        to.integration_uri = input.integration_uri.unwrap_or_else(|| to.integration_uri.clone());
        to.timeout_in_millis = input.timeout_in_millis.unwrap_or(to.timeout_in_millis);
        let reply = reply(200, to);
        deployments::republish(&gateway.context, found);
        Ok(reply)
    })
}

/// `DeleteIntegration`, refused while a route targets it.
pub(super) fn delete(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let id = call.path("IntegrationId");
    gateway.state.change(|state| {
        let found = api_mut(state, call)?;
        if !found.edited.integrations.contains_key(id) {
            return Err(not_found("Integration", id));
        }
        if let Some(route) = found.edited.routes.values().find(|route| route.integration_id() == Some(id)) {
            return Err(conflict(format!(
                "Cannot delete Integration {id}: Route {} ({}) targets it",
                route.route_id, route.route_key
            )));
        }
        found.edited.integrations.remove(id);
        deployments::republish(&gateway.context, found);
        Ok(Reply::empty())
    })
}

/// The integration of a quick create.
pub(super) fn managed(gateway: &ApiGateway, api: &mut ApiState, target: &str) -> Result<String, AwsError> {
    function(gateway, target)?;
    let made = Integration { api_gateway_managed: Some(true), ..plain(gateway, api, target.to_owned())? };
    let id = made.integration_id.clone();
    api.edited.integrations.insert(id.clone(), made);
    Ok(id)
}

/// The function's ARN out of an integration's URI, which is either that ARN or
/// `arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/ARN/invocations`.
pub fn function_arn(uri: &str) -> &str {
    uri.split_once(":lambda:path/2015-03-31/functions/")
        .and_then(|(_, rest)| rest.strip_suffix("/invocations"))
        .unwrap_or(uri)
}

fn plain(gateway: &ApiGateway, api: &ApiState, uri: String) -> Result<Integration, AwsError> {
    if api.edited.integrations.len() >= MOST {
        return Err(quota("Integrations", MOST));
    }
    Ok(Integration {
        api_gateway_managed: None,
        connection_type: "INTERNET".to_owned(),
        description: None,
        integration_id: gateway.id(7, |id| api.edited.integrations.contains_key(id)),
        integration_method: "POST".to_owned(),
        integration_type: "AWS_PROXY".to_owned(),
        integration_uri: uri,
        payload_format_version: "2.0".to_owned(),
        timeout_in_millis: *TIME.end(),
    })
}

fn check(gateway: &ApiGateway, input: &Input) -> Result<(), AwsError> {
    match input.integration_type.as_deref() {
        None | Some("AWS_PROXY") => {}
        Some(kind @ ("HTTP_PROXY" | "AWS" | "HTTP" | "MOCK")) => {
            return Err(AwsError::unsupported(format_args!("integrations of type {kind}")));
        }
        Some(other) => return Err(bad(format!("Invalid IntegrationType {other}"))),
    }
    match input.connection_type.as_deref() {
        None | Some("INTERNET") => {}
        Some(other) => return Err(AwsError::unsupported(format_args!("ConnectionType {other}"))),
    }
    if input.integration_method.as_deref().is_some_and(|method| method != "POST") {
        return Err(bad("IntegrationMethod of a Lambda integration must be POST"));
    }
    match input.payload_format_version.as_deref() {
        None | Some("2.0") => {}
        Some("1.0") => return Err(AwsError::unsupported("payload format version 1.0")),
        Some(other) => return Err(bad(format!("PayloadFormatVersion must be 1.0 or 2.0, not {other}"))),
    }
    if input.timeout_in_millis.is_some_and(|time| !TIME.contains(&time)) {
        return Err(bad("Timeout should be between 50 ms and 30000 ms"));
    }
    input.description.as_deref().map_or(Ok(()), |text| length("Description", text, 0, 1024))?;
    input.integration_uri.as_deref().map_or(Ok(()), |uri| function(gateway, uri))
}

fn function(gateway: &ApiGateway, uri: &str) -> Result<(), AwsError> {
    if uri.contains("${stageVariables.") {
        return Err(AwsError::unsupported("stage variables in an integration's URI"));
    }
    let arn = function_arn(uri);
    let mut parts = arn.split(':');
    let mut next = || parts.next().unwrap_or_default();
    let head = [next(), next(), next()];
    let (region, account, kind, name) = (next(), next(), next(), next());
    let qualifier = parts.next();
    let named = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '$'))
    };
    let whole = head == ["arn", "aws", "lambda"]
        && account.len() == 12
        && account.chars().all(|c| c.is_ascii_digit())
        && kind == "function"
        && named(name)
        && qualifier.is_none_or(named)
        && parts.next().is_none();
    if !whole {
        return Err(bad(format!("Invalid function ARN or invalid uri: {uri}")));
    }
    if region != gateway.context.region || account != gateway.context.account {
        return Err(AwsError::unsupported("functions of another region or account"));
    }
    Ok(())
}
