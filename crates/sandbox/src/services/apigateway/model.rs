//! What is kept of an HTTP API. The resources are written as they stand on the wire (camelCase,
//! absent members left out), so what a caller reads back is what was stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All APIs, by id.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// The APIs.
    pub apis: BTreeMap<String, ApiState>,
}

/// One API with all that belongs to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ApiState {
    /// The API itself.
    pub api: Api,
    /// Routes and what they need, as last edited. Requests see a deployment's copy of it.
    pub edited: Definition,
    /// The stages, by name.
    pub stages: BTreeMap<String, Stage>,
    /// The deployments, oldest first.
    pub deployments: Vec<Deployed>,
}

impl ApiState {
    /// What a stage serves: nothing before its first deployment.
    pub fn served(&self, stage: &Stage) -> Option<&Definition> {
        let id = stage.deployment_id.as_deref()?;
        self.deployments
            .iter()
            .find(|deployed| deployed.deployment.deployment_id == id)
            .map(|deployed| &deployed.definition)
    }
}

/// The part of an API that a deployment freezes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// Routes by id.
    pub routes: BTreeMap<String, Route>,
    /// Integrations by id.
    pub integrations: BTreeMap<String, Integration>,
    /// Authorizers by id.
    pub authorizers: BTreeMap<String, Authorizer>,
    /// How cross-origin requests are answered.
    pub cors: Option<Cors>,
}

/// An HTTP API. Endpoint and CORS configuration are added when it is rendered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are those of AWS's `Api`")]
pub struct Api {
    pub api_id: String,
    pub api_key_selection_expression: String,
    pub created_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub disable_execute_api_endpoint: bool,
    pub ip_address_type: String,
    pub name: String,
    pub protocol_type: String,
    pub route_selection_expression: String,
    pub tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A CORS configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the members are those of AWS's `Cors`")]
pub struct Cors {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_credentials: Option<bool>,
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub allow_headers: Vec<String>,
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub allow_methods: Vec<String>,
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub allow_origins: Vec<String>,
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub expose_headers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<i64>,
}

/// An integration with a Lambda function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are those of AWS's `Integration`")]
pub struct Integration {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_gateway_managed: Option<bool>,
    pub connection_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub integration_id: String,
    pub integration_method: String,
    pub integration_type: String,
    pub integration_uri: String,
    pub payload_format_version: String,
    pub timeout_in_millis: u64,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are those of AWS's `Route`")]
pub struct Route {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_gateway_managed: Option<bool>,
    pub api_key_required: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorization_scopes: Vec<String>,
    pub authorization_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation_name: Option<String>,
    pub route_id: String,
    pub route_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

impl Route {
    /// The id of the integration the route targets.
    pub fn integration_id(&self) -> Option<&str> {
        self.target.as_deref().and_then(|target| target.strip_prefix("integrations/"))
    }
}

/// A JWT authorizer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are those of AWS's `Authorizer`")]
pub struct Authorizer {
    pub authorizer_id: String,
    pub authorizer_type: String,
    pub identity_source: Vec<String>,
    pub jwt_configuration: JwtConfiguration,
    pub name: String,
}

/// Who issues the tokens, and for whom.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the members are those of AWS's `JWTConfiguration`")]
pub struct JwtConfiguration {
    #[serde(default, deserialize_with = "null_is_empty")]
    pub audience: Vec<String>,
    #[serde(default)]
    pub issuer: String,
}

/// A stage.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are those of AWS's `Stage`")]
pub struct Stage {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log_settings: Option<AccessLogSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_gateway_managed: Option<bool>,
    pub auto_deploy: bool,
    pub created_date: String,
    pub default_route_settings: RouteSettings,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_deployment_status_message: Option<String>,
    pub last_updated_date: String,
    pub route_settings: BTreeMap<String, RouteSettings>,
    pub stage_name: String,
    pub stage_variables: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
}

/// Where access logs go, and in which form.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the members are those of AWS's `AccessLogSettings`")]
pub struct AccessLogSettings {
    #[serde(default)]
    pub destination_arn: String,
    #[serde(default)]
    pub format: String,
}

/// Throttling and metrics of a route, or of all routes of a stage.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the members are those of AWS's `RouteSettings`")]
pub struct RouteSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_trace_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detailed_metrics_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging_level: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttling_burst_limit: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttling_rate_limit: Option<f64>,
}

/// A deployment and what it froze.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Deployed {
    /// The deployment as it stands on the wire.
    pub deployment: Deployment,
    /// What requests to a stage with this deployment see.
    pub definition: Definition,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are those of AWS's `Deployment`")]
pub struct Deployment {
    pub auto_deployed: bool,
    pub created_date: String,
    pub deployment_id: String,
    pub deployment_status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

fn null_is_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::<Vec<String>>::deserialize(deserializer)?.unwrap_or_default())
}
