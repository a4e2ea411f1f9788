//! APIs themselves: create (also with a target, "quick create"), read, update, delete, CORS.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::check::{api, api_mut, bad, conflict, input, iso, length, not_found, page, quota, reply, tags};
use super::model::{Api, ApiState, Cors, Definition, Stage};
use super::{ApiGateway, deployments, integrations, routes};
use crate::aws::{AwsError, Call, Reply};

/// AWS: 600 regional APIs in an account and region.
const MOST: usize = 600;
/// Members of AWS's that only WebSocket APIs or what the sandbox has not have a use for.
const UNSUPPORTED: [&str; 2] = ["credentialsArn", "disableSchemaValidation"];
/// What selects a route of an HTTP API: AWS takes nothing else.
const SELECTION: &str = "${request.method} ${request.path}";
/// The schemes AWS takes for an origin.
const SCHEMES: [&str; 6] =
    ["http://", "https://", "moz-extension://", "safari-extension://", "chrome-extension://", "tauri://"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Create {
    name: Option<String>,
    protocol_type: Option<String>,
    description: Option<String>,
    version: Option<String>,
    cors_configuration: Option<Cors>,
    disable_execute_api_endpoint: Option<bool>,
    api_key_selection_expression: Option<String>,
    route_selection_expression: Option<String>,
    ip_address_type: Option<String>,
    tags: Option<BTreeMap<String, String>>,
    target: Option<String>,
    route_key: Option<String>,
}

/// `CreateApi`. With `target` also an integration, a route (`$default` unless `routeKey` says
/// otherwise) and a `$default` stage that deploys itself, all of them managed by API Gateway.
pub(super) fn create(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let input: Create = input(call, &UNSUPPORTED)?;
    match input.protocol_type.as_deref() {
        Some("HTTP") => {}
        Some("WEBSOCKET") => return Err(AwsError::unsupported("WebSocket APIs")),
        _ => return Err(bad("ProtocolType must be HTTP or WEBSOCKET")),
    }
    let name = input.name.ok_or_else(|| bad("Name is required"))?;
    texts(Some(&name), input.description.as_deref(), input.version.as_deref())?;
    expressions(
        input.api_key_selection_expression.as_deref(),
        input.route_selection_expression.as_deref(),
        input.ip_address_type.as_deref(),
    )?;
    if let Some(cors) = &input.cors_configuration {
        check_cors(cors)?;
    }
    let given = input.tags.unwrap_or_default();
    tags(&given)?;
    if input.route_key.is_some() && input.target.is_none() {
        return Err(bad("RouteKey is only for quick create: give a Target too"));
    }
    let (context, now) = (&gateway.context, iso(gateway.context.now()));
    gateway.state.change(|state| {
        if state.apis.len() >= MOST {
            return Err(quota("APIs", MOST));
        }
        let id = gateway.id(10, |id| state.apis.contains_key(id));
        let mut made = ApiState {
            api: Api {
                api_id: id.clone(),
                api_key_selection_expression: "$request.header.x-api-key".to_owned(),
                created_date: now.clone(),
                description: input.description,
                disable_execute_api_endpoint: input.disable_execute_api_endpoint.unwrap_or(false),
                ip_address_type: "ipv4".to_owned(),
                name,
                protocol_type: "HTTP".to_owned(),
                route_selection_expression: SELECTION.to_owned(),
                tags: given,
                version: input.version,
            },
            edited: Definition { cors: input.cors_configuration, ..Definition::default() },
            stages: BTreeMap::new(),
            deployments: Vec::new(),
        };
        if let Some(target) = input.target {
            let integration = integrations::managed(gateway, &mut made, &target)?;
            routes::managed(gateway, &mut made, input.route_key.as_deref(), &integration)?;
            let stage = Stage {
                api_gateway_managed: Some(true),
                auto_deploy: true,
                created_date: now.clone(),
                last_updated_date: now,
                stage_name: "$default".to_owned(),
                ..Stage::default()
            };
            made.stages.insert("$default".to_owned(), stage);
            deployments::republish(context, &mut made);
        }
        let reply = reply(201, &render(gateway, &made));
        state.apis.insert(id, made);
        Ok(reply)
    })
}

/// `GetApi`.
pub(super) fn get(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    gateway.state.read(|state| Ok(reply(200, &render(gateway, api(state, call)?))))
}

/// `GetApis`.
pub(super) fn list(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    gateway.state.read(|state| page(call, state.apis.values().map(|api| render(gateway, api))))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Update {
    name: Option<String>,
    description: Option<String>,
    version: Option<String>,
    cors_configuration: Option<Cors>,
    disable_execute_api_endpoint: Option<bool>,
    api_key_selection_expression: Option<String>,
    route_selection_expression: Option<String>,
    ip_address_type: Option<String>,
}

/// `UpdateApi`. What is absent stays; a CORS configuration takes the place of the whole old one.
pub(super) fn update(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let input: Update = input(call, &["credentialsArn", "disableSchemaValidation", "routeKey", "target"])?;
    texts(input.name.as_deref(), input.description.as_deref(), input.version.as_deref())?;
    expressions(
        input.api_key_selection_expression.as_deref(),
        input.route_selection_expression.as_deref(),
        input.ip_address_type.as_deref(),
    )?;
    if let Some(cors) = &input.cors_configuration {
        check_cors(cors)?;
    }
    gateway.state.change(|state| {
        let found = api_mut(state, call)?;
        let to = &mut found.api;
        to.name = input.name.unwrap_or_else(|| to.name.clone());
        to.description = input.description.or_else(|| to.description.clone());
        to.version = input.version.or_else(|| to.version.clone());
        to.disable_execute_api_endpoint =
            input.disable_execute_api_endpoint.unwrap_or(to.disable_execute_api_endpoint);
        if let Some(cors) = input.cors_configuration {
            found.edited.cors = Some(cors);
            deployments::republish(&gateway.context, found);
        }
        Ok(reply(200, &render(gateway, found)))
    })
}

/// `DeleteApi`, with all that belongs to it.
pub(super) fn delete(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let id = call.path("ApiId");
    gateway
        .state
        .change(|state| state.apis.remove(id).map(|_| Reply::empty()).ok_or_else(|| not_found("API", id)))
}

/// `DeleteCorsConfiguration`. To say so twice does no harm.
pub(super) fn delete_cors(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    gateway.state.change(|state| {
        let found = api_mut(state, call)?;
        if found.edited.cors.take().is_some() {
            deployments::republish(&gateway.context, found);
        }
        Ok(Reply::empty())
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rendered {
    #[serde(flatten)]
    api: Api,
    api_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cors_configuration: Option<Value>,
}

fn render(gateway: &ApiGateway, state: &ApiState) -> Rendered {
    Rendered {
        api: state.api.clone(),
        api_endpoint: gateway.endpoint_of(&state.api.api_id),
        cors_configuration: state.edited.cors.as_ref().map(|cors| serde_json::json!(cors)),
    }
}

fn texts(name: Option<&str>, description: Option<&str>, version: Option<&str>) -> Result<(), AwsError> {
    name.map_or(Ok(()), |text| length("Name", text, 1, 128))?;
    description.map_or(Ok(()), |text| length("Description", text, 0, 1024))?;
    version.map_or(Ok(()), |text| length("Version", text, 1, 64))
}

fn expressions(key: Option<&str>, route: Option<&str>, ip: Option<&str>) -> Result<(), AwsError> {
    if key.is_some_and(|key| key != "$request.header.x-api-key") {
        return Err(AwsError::unsupported("ApiKeySelectionExpression: HTTP APIs have no API keys"));
    }
    if route.is_some_and(|route| route != SELECTION) {
        return Err(bad(format!("RouteSelectionExpression of an HTTP API must be {SELECTION}")));
    }
    match ip {
        None | Some("ipv4") => Ok(()),
        Some("dualstack") => Err(AwsError::unsupported("IpAddressType dualstack")),
        Some(other) => Err(bad(format!("IpAddressType must be ipv4 or dualstack, not {other}"))),
    }
}

fn check_cors(cors: &Cors) -> Result<(), AwsError> {
    for origin in &cors.allow_origins {
        let scheme = SCHEMES.iter().find(|scheme| origin.starts_with(**scheme));
        let rest = scheme.map(|scheme| &origin[scheme.len()..]);
        let whole_scheme = rest == Some("*") && matches!(scheme, Some(&"http://" | &"https://"));
        let plain = rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['*', '/', ' ', '?', '#']));
        if origin != "*" && !whole_scheme && !plain {
            return Err(bad(format!(
                "Invalid format for origin {origin}. Should start with {}, and name a host",
                SCHEMES.join(" or ")
            )));
        }
    }
    if cors.allow_credentials == Some(true) && cors.allow_origins.iter().any(|origin| origin == "*") {
        return Err(bad("allow-credentials is not supported if 'allow-origin' is *"));
    }
    for method in &cors.allow_methods {
        if method != "*" && (method == "ANY" || !super::route_key::METHODS.contains(&method.as_str())) {
            return Err(bad(format!("Invalid method {method} in AllowMethods")));
        }
    }
    for header in cors.allow_headers.iter().chain(&cors.expose_headers) {
        if header != "*" && header.parse::<http::HeaderName>().is_err() {
            return Err(bad(format!("Invalid header name {header}")));
        }
    }
    if cors.max_age.is_some_and(|age| !(-1..=86_400).contains(&age)) {
        return Err(bad("MaxAge must be between -1 and 86400 seconds"));
    }
    Ok(())
}

/// Refuses a name that is taken.
pub(super) fn free(taken: bool, kind: &str, name: &str) -> Result<(), AwsError> {
    if taken { Err(conflict(format!("{kind} {name} already exists for this Api"))) } else { Ok(()) }
}
