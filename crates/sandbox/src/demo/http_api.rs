//! The HTTP API of the demo world: integration, authorizer, routes, permission, stage.

use anyhow::{Context as _, Result};
use aws_sdk_apigatewayv2::types::{
    AccessLogSettings, AuthorizationType, AuthorizerType, Cors, IntegrationType, JwtConfiguration,
    ProtocolType,
};
use aws_sdk_lambda::error::ProvideErrorMetadata;

use super::stack::Builder;
use super::{ALIAS, API, AUDIENCE, FUNCTION, STAGE};

/// Where the stage's access log goes; the prefix spares a resource policy of CloudWatch Logs.
const ACCESS_LOG: &str = "/aws/vendedlogs/learninghub-api";
const ACCESS_LOG_FORMAT: &str = concat!(
    r#"{"requestId":"$context.requestId","time":"$context.requestTimeEpoch","ip":"$context.identity.sourceIp","#,
    r#""userAgent":"$context.identity.userAgent","routeKey":"$context.routeKey","path":"$context.path","#,
    r#""method":"$context.httpMethod","status":"$context.status","latency":"$context.responseLatency","#,
    r#""integrationLatency":"$context.integration.latency","integrationStatus":"$context.integration.status","#,
    r#""lambdaStatus":"$context.integration.integrationStatus","integrationError":"$context.integrationErrorMessage","#,
    r#""integrationRequestId":"$context.integration.requestId","error":"$context.error.message","#,
    r#""errorType":"$context.error.responseType","authorizerError":"$context.authorizer.error","#,
    r#""responseLength":"$context.responseLength","stage":"$context.stage"}"#
);
/// The authorizer's name.
const AUTHORIZER: &str = "learninghub-tokens";

/// Whom a route lets in.
#[derive(Clone, Copy)]
enum Opening {
    /// Everybody.
    Public,
    /// Whoever has a token.
    Token,
    /// Whoever has a token with this scope.
    Scope(&'static str),
}

/// The routes of the function. What has none of its own goes by `$default`, for the function to answer:
/// `HEAD`, and 404 and 405 with what is allowed. It carries no token, so nothing that needs one is done.
const ROUTES: [(&str, Opening); 15] = [
    ("$default", Opening::Public),
    ("GET /status", Opening::Public),
    ("GET /courses", Opening::Public),
    ("GET /courses/{slug}", Opening::Public),
    ("POST /courses", AUTHOR),
    ("PUT /courses/{slug}", AUTHOR),
    ("DELETE /courses/{slug}", AUTHOR),
    ("PUT /courses/{slug}/lessons", AUTHOR),
    ("GET /me/enrolments", Opening::Token),
    ("PUT /me/enrolments/{slug}", Opening::Token),
    ("DELETE /me/enrolments/{slug}", Opening::Token),
    ("PUT /me/enrolments/{slug}/lessons/{position}", Opening::Token),
    ("GET /me/progress", Opening::Token),
    ("HEAD /me/enrolments", Opening::Token),
    ("HEAD /me/progress", Opening::Token),
];
const AUTHOR: Opening = Opening::Scope("courses:write");

impl Builder {
    /// Builds the HTTP API on the alias and returns its id.
    pub(super) async fn http_api(&self) -> Result<String> {
        let found = self.apis.get_apis().max_results("100").send().await?;
        let found = found.items().iter().find(|api| api.name() == Some(API)).and_then(|api| api.api_id());
        let api_id = match found {
            Some(api_id) => api_id.to_owned(),
            None => {
                let cors = Cors::builder()
                    .allow_origins("http://localhost:3000")
                    .set_allow_methods(texts(&["GET", "POST", "PUT", "DELETE"]))
                    .set_allow_headers(texts(&["authorization", "content-type", "if-match", "if-none-match"]))
                    .set_expose_headers(texts(&["etag", "location", "retry-after"]))
                    .max_age(3600)
                    .build();
                let made = self
                    .apis
                    .create_api()
                    .name(API)
                    .protocol_type(ProtocolType::Http)
                    .cors_configuration(cors)
                    .send()
                    .await?;
                made.api_id.context("no API id was given")?
            }
        };
        self.routes(&api_id).await.context("make the routes")?;
        self.permission(&api_id).await.context("allow the API to invoke the alias")?;
        self.stage(&api_id).await.context("make the stage")?;
        Ok(api_id)
    }

    async fn routes(&self, api_id: &str) -> Result<()> {
        let target = format!("arn:aws:lambda:{}:{}:function:{FUNCTION}:{ALIAS}", self.region, self.account);
        let held = self.apis.get_integrations().api_id(api_id).send().await?;
        let held = held.items().iter().find(|held| held.integration_uri() == Some(&target));
        let integration = match held.and_then(|held| held.integration_id()) {
            Some(id) => id.to_owned(),
            None => {
                let made = self
                    .apis
                    .create_integration()
                    .api_id(api_id)
                    .integration_type(IntegrationType::AwsProxy)
                    .integration_uri(&target)
                    .payload_format_version("2.0")
                    .send()
                    .await?;
                made.integration_id.context("no integration id was given")?
            }
        };
        let authorizer = self.authorizer(api_id).await?;
        let routes = self.apis.get_routes().api_id(api_id).max_results("100").send().await?;
        for (key, opening) in ROUTES {
            if routes.items().iter().any(|route| route.route_key() == Some(key)) {
                continue;
            }
            let route = self
                .apis
                .create_route()
                .api_id(api_id)
                .route_key(key)
                .target(format!("integrations/{integration}"));
            let route = match opening {
                Opening::Public => route,
                Opening::Token => route.authorization_type(AuthorizationType::Jwt).authorizer_id(&authorizer),
                Opening::Scope(scope) => route
                    .authorization_type(AuthorizationType::Jwt)
                    .authorizer_id(&authorizer)
                    .authorization_scopes(scope),
            };
            route.send().await.with_context(|| format!("make the route {key}"))?;
        }
        Ok(())
    }

    /// The JWT authorizer, which trusts the sandbox's own issuer. When that has moved to another port
    /// since, the authorizer is put right.
    async fn authorizer(&self, api_id: &str) -> Result<String> {
        let jwt = JwtConfiguration::builder().issuer(&self.issuer).audience(AUDIENCE).build();
        let held = self.apis.get_authorizers().api_id(api_id).send().await?;
        let held = held.items().iter().find(|held| held.name() == Some(AUTHORIZER));
        let Some(held) = held else {
            let made = self
                .apis
                .create_authorizer()
                .api_id(api_id)
                .name(AUTHORIZER)
                .authorizer_type(AuthorizerType::Jwt)
                .identity_source("$request.header.Authorization")
                .jwt_configuration(jwt)
                .send()
                .await?;
            return made.authorizer_id.context("no authorizer id was given");
        };
        let id = held.authorizer_id().context("an authorizer without an id")?.to_owned();
        if held.jwt_configuration().and_then(|jwt| jwt.issuer()) != Some(&self.issuer) {
            self.apis
                .update_authorizer()
                .api_id(api_id)
                .authorizer_id(&id)
                .jwt_configuration(jwt)
                .send()
                .await?;
        }
        Ok(id)
    }

    async fn permission(&self, api_id: &str) -> Result<()> {
        let allowed = self
            .lambda
            .add_permission()
            .function_name(FUNCTION)
            .qualifier(ALIAS)
            .statement_id(format!("apigw-invoke-{api_id}"))
            .action("lambda:InvokeFunction")
            .principal("apigateway.amazonaws.com")
            .source_arn(format!("arn:aws:execute-api:{}:{}:{api_id}/*/*", self.region, self.account))
            .send()
            .await;
        match allowed {
            Err(error) if error.code() != Some("ResourceConflictException") => Err(error)?,
            _ => Ok(()),
        }
    }

    async fn stage(&self, api_id: &str) -> Result<()> {
        self.log_group(ACCESS_LOG).await?;
        match self.apis.get_stage().api_id(api_id).stage_name(STAGE).send().await {
            Ok(_) => return Ok(()),
            Err(error) if error.code() == Some("NotFoundException") => {}
            Err(error) => return Err(error).context("read the stage"),
        }
        let destination = format!("arn:aws:logs:{}:{}:log-group:{ACCESS_LOG}", self.region, self.account);
        let access_log =
            AccessLogSettings::builder().destination_arn(destination).format(ACCESS_LOG_FORMAT).build();
        self.apis
            .create_stage()
            .api_id(api_id)
            .stage_name(STAGE)
            .auto_deploy(true)
            .access_log_settings(access_log)
            .send()
            .await?;
        Ok(())
    }
}

fn texts(texts: &[&str]) -> Option<Vec<String>> {
    Some(texts.iter().map(|text| (*text).to_owned()).collect())
}
