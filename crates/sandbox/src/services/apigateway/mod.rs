//! API Gateway v2's control plane: HTTP APIs, routes, integrations, authorizers, stages. What
//! answers requests to these APIs is [`crate::gateway`].
//!
//! An edit of routes, integrations, authorizers or CORS is not served before it is deployed: a
//! deployment is a frozen copy ([`deployments`]), and a stage serves one. Stages that deploy
//! themselves get a new one with each edit, as on AWS.

mod apis;
pub mod authorizers;
mod check;
mod deployments;
pub mod integrations;
pub mod model;
pub mod route_key;
mod routes;
pub mod stages;
mod tagging;
mod trail;

use std::io;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;

use self::model::State;
use crate::aws::{AwsError, Call, Protocol, Reply, Route, Service};
use crate::context::Context;
use crate::persisted::Persisted;
use crate::services::cloudtrail::CloudTrail;

/// The HTTP APIs of the account.
pub struct ApiGateway {
    context: Arc<Context>,
    state: Persisted<State>,
    port: OnceLock<u16>,
    trail: OnceLock<Arc<CloudTrail>>,
}

impl ApiGateway {
    /// Opens the state of the service in the context's folder.
    ///
    /// # Errors
    /// When the state can't be read.
    pub fn open(context: Arc<Context>) -> io::Result<Arc<Self>> {
        let state = Persisted::open(&context.path("apigateway.json"))?;
        Ok(Arc::new(Self { context, state, port: OnceLock::new(), trail: OnceLock::new() }))
    }

    /// Says on which port of this machine the data plane listens, so that `ApiEndpoint` names an
    /// address that answers: `http://{apiId}.execute-api.localhost:PORT`. Only the first word
    /// counts.
    pub fn set_port(&self, port: u16) {
        // A second word is a mistake of the caller's that changes nothing.
        let _ = self.port.set(port);
    }

    /// The address of an API's endpoint, without a path; before [`Self::set_port`] the one it would
    /// have on AWS.
    pub fn endpoint_of(&self, api_id: &str) -> String {
        match self.port.get() {
            Some(port) => format!("http://{api_id}.execute-api.localhost:{port}"),
            None => format!("https://{api_id}.execute-api.{}.amazonaws.com", self.context.region),
        }
    }

    /// Looks at what the data plane serves. Do not await inside.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        self.state.read(look)
    }

    fn id(&self, length: usize, taken: impl Fn(&str) -> bool) -> String {
        fresh(&self.context, length, taken)
    }
}

/// An id like API Gateway's own, lower-case letters and digits, that is not taken.
fn fresh(context: &Context, length: usize, taken: impl Fn(&str) -> bool) -> String {
    loop {
        let id = context.random.text("abcdefghijklmnopqrstuvwxyz0123456789", length);
        if !taken(&id) {
            return id;
        }
    }
}

const ROUTES: &[Route] = &[
    ("POST", "/v2/apis", "CreateApi"),
    ("GET", "/v2/apis", "GetApis"),
    ("GET", "/v2/apis/{ApiId}", "GetApi"),
    ("PATCH", "/v2/apis/{ApiId}", "UpdateApi"),
    ("DELETE", "/v2/apis/{ApiId}", "DeleteApi"),
    ("DELETE", "/v2/apis/{ApiId}/cors", "DeleteCorsConfiguration"),
    ("POST", "/v2/apis/{ApiId}/integrations", "CreateIntegration"),
    ("GET", "/v2/apis/{ApiId}/integrations", "GetIntegrations"),
    ("GET", "/v2/apis/{ApiId}/integrations/{IntegrationId}", "GetIntegration"),
    ("PATCH", "/v2/apis/{ApiId}/integrations/{IntegrationId}", "UpdateIntegration"),
    ("DELETE", "/v2/apis/{ApiId}/integrations/{IntegrationId}", "DeleteIntegration"),
    ("POST", "/v2/apis/{ApiId}/routes", "CreateRoute"),
    ("GET", "/v2/apis/{ApiId}/routes", "GetRoutes"),
    ("GET", "/v2/apis/{ApiId}/routes/{RouteId}", "GetRoute"),
    ("PATCH", "/v2/apis/{ApiId}/routes/{RouteId}", "UpdateRoute"),
    ("DELETE", "/v2/apis/{ApiId}/routes/{RouteId}", "DeleteRoute"),
    ("POST", "/v2/apis/{ApiId}/stages", "CreateStage"),
    ("GET", "/v2/apis/{ApiId}/stages", "GetStages"),
    ("GET", "/v2/apis/{ApiId}/stages/{StageName}", "GetStage"),
    ("PATCH", "/v2/apis/{ApiId}/stages/{StageName}", "UpdateStage"),
    ("DELETE", "/v2/apis/{ApiId}/stages/{StageName}", "DeleteStage"),
    ("DELETE", "/v2/apis/{ApiId}/stages/{StageName}/accesslogsettings", "DeleteAccessLogSettings"),
    ("DELETE", "/v2/apis/{ApiId}/stages/{StageName}/routesettings/{RouteKey}", "DeleteRouteSettings"),
    ("POST", "/v2/apis/{ApiId}/deployments", "CreateDeployment"),
    ("GET", "/v2/apis/{ApiId}/deployments", "GetDeployments"),
    ("GET", "/v2/apis/{ApiId}/deployments/{DeploymentId}", "GetDeployment"),
    ("PATCH", "/v2/apis/{ApiId}/deployments/{DeploymentId}", "UpdateDeployment"),
    ("DELETE", "/v2/apis/{ApiId}/deployments/{DeploymentId}", "DeleteDeployment"),
    ("POST", "/v2/apis/{ApiId}/authorizers", "CreateAuthorizer"),
    ("GET", "/v2/apis/{ApiId}/authorizers", "GetAuthorizers"),
    ("GET", "/v2/apis/{ApiId}/authorizers/{AuthorizerId}", "GetAuthorizer"),
    ("PATCH", "/v2/apis/{ApiId}/authorizers/{AuthorizerId}", "UpdateAuthorizer"),
    ("DELETE", "/v2/apis/{ApiId}/authorizers/{AuthorizerId}", "DeleteAuthorizer"),
    ("POST", "/v2/tags/{ResourceArn}", "TagResource"),
    ("DELETE", "/v2/tags/{ResourceArn}", "UntagResource"),
    ("GET", "/v2/tags/{ResourceArn}", "GetTags"),
];

#[async_trait]
impl Service for ApiGateway {
    fn signing_name(&self) -> &'static str {
        "apigateway"
    }

    fn protocol(&self) -> Protocol {
        Protocol::RestJson
    }

    fn routes(&self) -> &'static [Route] {
        ROUTES
    }

    fn throttled(&self) -> AwsError {
        AwsError::new("TooManyRequestsException", "Too Many Requests").with_status(429)
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, AwsError> {
        let operation: fn(&Self, &Call) -> Result<Reply, AwsError> = match call.operation.as_str() {
            "CreateApi" => apis::create,
            "GetApis" => apis::list,
            "GetApi" => apis::get,
            "UpdateApi" => apis::update,
            "DeleteApi" => apis::delete,
            "DeleteCorsConfiguration" => apis::delete_cors,
            "CreateIntegration" => integrations::create,
            "GetIntegrations" => integrations::list,
            "GetIntegration" => integrations::get,
            "UpdateIntegration" => integrations::update,
            "DeleteIntegration" => integrations::delete,
            "CreateRoute" => routes::create,
            "GetRoutes" => routes::list,
            "GetRoute" => routes::get,
            "UpdateRoute" => routes::update,
            "DeleteRoute" => routes::delete,
            "CreateStage" => stages::create,
            "GetStages" => stages::list,
            "GetStage" => stages::get,
            "UpdateStage" => stages::update,
            "DeleteStage" => stages::delete,
            "DeleteAccessLogSettings" => stages::delete_access_log,
            "DeleteRouteSettings" => stages::delete_route_settings,
            "CreateDeployment" => deployments::create,
            "GetDeployments" => deployments::list,
            "GetDeployment" => deployments::get,
            "UpdateDeployment" => deployments::update,
            "DeleteDeployment" => deployments::delete,
            "CreateAuthorizer" => authorizers::create,
            "GetAuthorizers" => authorizers::list,
            "GetAuthorizer" => authorizers::get,
            "UpdateAuthorizer" => authorizers::update,
            "DeleteAuthorizer" => authorizers::delete,
            "TagResource" => tagging::tag,
            "UntagResource" => tagging::untag,
            "GetTags" => tagging::get,
            other => return Err(AwsError::unsupported(format_args!("apigateway {other}"))),
        };
        let answer = operation(&self, &call);
        self.record(&call, &answer);
        answer
    }
}
