//! Routes.

use serde::Deserialize;

use super::apis::free;
use super::check::{api, api_mut, bad, input, length, not_found, page, quota, reply};
use super::model::{ApiState, Definition, Route};
use super::route_key::RouteKey;
use super::{ApiGateway, deployments};
use crate::aws::{AwsError, Call, Reply};

/// AWS: 300 routes per API.
const MOST: usize = 300;
/// AWS: 10 scopes per route.
const MOST_SCOPES: usize = 10;
/// Members AWS has for WebSocket APIs.
const UNSUPPORTED: [&str; 4] =
    ["modelSelectionExpression", "requestModels", "requestParameters", "routeResponseSelectionExpression"];

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Input {
    api_key_required: Option<bool>,
    authorization_scopes: Option<Vec<String>>,
    authorization_type: Option<String>,
    authorizer_id: Option<String>,
    operation_name: Option<String>,
    route_key: Option<String>,
    target: Option<String>,
}

/// `CreateRoute`.
pub(super) fn create(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let input: Input = input(call, &UNSUPPORTED)?;
    let key = input.route_key.clone().ok_or_else(|| bad("RouteKey is required"))?;
    gateway.state.change(|state| {
        let found = api_mut(state, call)?;
        let mut route = plain(gateway, found, key)?;
        apply(&mut route, input, &found.edited)?;
        let reply = reply(201, &route);
        found.edited.routes.insert(route.route_id.clone(), route);
        deployments::republish(&gateway.context, found);
        Ok(reply)
    })
}

/// `GetRoute`.
pub(super) fn get(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let id = call.path("RouteId");
    gateway.state.read(|state| {
        let found = api(state, call)?.edited.routes.get(id);
        found.map(|found| reply(200, found)).ok_or_else(|| not_found("Route", id))
    })
}

/// `GetRoutes`.
pub(super) fn list(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    gateway.state.read(|state| page(call, api(state, call)?.edited.routes.values()))
}

/// `UpdateRoute`. What is absent stays, save that scopes and authorizer go when the route is opened.
pub(super) fn update(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let input: Input = input(call, &UNSUPPORTED)?;
    let id = call.path("RouteId");
    gateway.state.change(|state| {
        let found = api_mut(state, call)?;
        let mut route = found.edited.routes.get(id).cloned().ok_or_else(|| not_found("Route", id))?;
        if let Some(key) = &input.route_key {
            check_key(key, found.edited.routes.values().filter(|other| other.route_id != id))?;
            route.route_key.clone_from(key);
        }
        apply(&mut route, input, &found.edited)?;
        let reply = reply(200, &route);
        found.edited.routes.insert(id.to_owned(), route);
        deployments::republish(&gateway.context, found);
        Ok(reply)
    })
}

/// `DeleteRoute`.
pub(super) fn delete(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let id = call.path("RouteId");
    gateway.state.change(|state| {
        let found = api_mut(state, call)?;
        found.edited.routes.remove(id).ok_or_else(|| not_found("Route", id))?;
        deployments::republish(&gateway.context, found);
        Ok(Reply::empty())
    })
}

/// The route of a quick create.
pub(super) fn managed(
    gateway: &ApiGateway,
    api: &mut ApiState,
    key: Option<&str>,
    integration: &str,
) -> Result<(), AwsError> {
    let mut route = plain(gateway, api, key.unwrap_or("$default").to_owned())?;
    route.api_gateway_managed = Some(true);
    route.target = Some(format!("integrations/{integration}"));
    api.edited.routes.insert(route.route_id.clone(), route);
    Ok(())
}

fn plain(gateway: &ApiGateway, api: &ApiState, key: String) -> Result<Route, AwsError> {
    if api.edited.routes.len() >= MOST {
        return Err(quota("Routes", MOST));
    }
    check_key(&key, api.edited.routes.values())?;
    Ok(Route {
        api_gateway_managed: None,
        api_key_required: false,
        authorization_scopes: Vec::new(),
        authorization_type: "NONE".to_owned(),
        authorizer_id: None,
        operation_name: None,
        route_id: gateway.id(7, |id| api.edited.routes.contains_key(id)),
        route_key: key,
        target: None,
    })
}

fn check_key<'a>(key: &str, mut others: impl Iterator<Item = &'a Route>) -> Result<(), AwsError> {
    if RouteKey::parse(key).is_none() {
        return Err(bad(format!(
            "The provided route key is not formatted properly for HTTP protocol. Format should be \
             \"<HTTP METHOD> /<RESOURCE PATH>\" or \"$default\": {key}"
        )));
    }
    free(others.any(|other| other.route_key == key), "Route with key", key)
}

/// Puts what was given into the route and checks the result as a whole.
fn apply(route: &mut Route, input: Input, definition: &Definition) -> Result<(), AwsError> {
    if input.api_key_required == Some(true) {
        return Err(bad("ApiKeyRequired is not currently supported for HTTP APIs"));
    }
    if let Some(name) = input.operation_name {
        length("OperationName", &name, 1, 64)?;
        route.operation_name = Some(name);
    }
    if let Some(target) = input.target {
        let known =
            target.strip_prefix("integrations/").is_some_and(|id| definition.integrations.contains_key(id));
        if !known {
            return Err(bad(format!("Invalid target {target}: it must be integrations/ID of this API")));
        }
        route.target = Some(target);
    }
    if let Some(kind) = input.authorization_type {
        match kind.as_str() {
            "NONE" => {
                route.authorizer_id = None;
                route.authorization_scopes = Vec::new();
            }
            "JWT" => {}
            "AWS_IAM" | "CUSTOM" => {
                return Err(AwsError::unsupported(format_args!("AuthorizationType {kind}")));
            }
            _ => return Err(bad(format!("Invalid AuthorizationType {kind}"))),
        }
        route.authorization_type = kind;
    }
    if let Some(id) = input.authorizer_id {
        route.authorizer_id = Some(id);
    }
    if let Some(scopes) = input.authorization_scopes {
        if scopes.len() > MOST_SCOPES {
            return Err(quota("AuthorizationScopes", MOST_SCOPES));
        }
        for scope in &scopes {
            length("an authorization scope", scope, 1, 64)?;
        }
        route.authorization_scopes = scopes;
    }
    let known = route.authorizer_id.as_ref().is_some_and(|id| definition.authorizers.contains_key(id));
    match (route.authorization_type.as_str(), known) {
        ("JWT", false) => Err(bad("Invalid authorizer ID specified. Setting the authorization type to JWT \
                                   requires a valid JWT authorizer.")),
        ("NONE", _) if route.authorizer_id.is_some() => {
            Err(bad("An authorizer ID needs the authorization type JWT."))
        }
        ("NONE", _) if !route.authorization_scopes.is_empty() => {
            Err(bad("Invalid Route authorization type specified. Authorization Scopes are only valid for \
                     COGNITO_USER_POOLS and JWT authorization types"))
        }
        _ => Ok(()),
    }
}
