//! JWT authorizers. AWS asks the issuer for its discovery document when one is created; the sandbox
//! does so at the first request only, so that a stack can be built before its issuer is up.

use serde::Deserialize;

use super::check::{api, api_mut, bad, conflict, input, length, not_found, page, quota, reply};
use super::model::{Authorizer, JwtConfiguration};
use super::{ApiGateway, deployments};
use crate::aws::{AwsError, Call, Reply};

/// AWS: 10 authorizers per API.
const MOST: usize = 10;
/// AWS: 50 audiences per authorizer.
const MOST_AUDIENCES: usize = 50;
/// Members AWS has for Lambda authorizers.
const UNSUPPORTED: [&str; 6] = [
    "authorizerCredentialsArn",
    "authorizerPayloadFormatVersion",
    "authorizerResultTtlInSeconds",
    "authorizerUri",
    "enableSimpleResponses",
    "identityValidationExpression",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Input {
    authorizer_type: Option<String>,
    identity_source: Option<Vec<String>>,
    jwt_configuration: Option<JwtConfiguration>,
    name: Option<String>,
}

/// `CreateAuthorizer`.
pub(super) fn create(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let input: Input = input(call, &UNSUPPORTED)?;
    check(&input)?;
    if input.authorizer_type.is_none() {
        return Err(bad("AuthorizerType is required"));
    }
    let name = input.name.ok_or_else(|| bad("Name is required"))?;
    let source = input.identity_source.ok_or_else(|| bad("IdentitySource is required"))?;
    let jwt = input.jwt_configuration.ok_or_else(|| bad("JwtConfiguration is required"))?;
    gateway.state.change(|state| {
        let found = api_mut(state, call)?;
        if found.edited.authorizers.len() >= MOST {
            return Err(quota("Authorizers", MOST));
        }
        let id = gateway.id(6, |id| found.edited.authorizers.contains_key(id));
        let made = Authorizer {
            authorizer_id: id.clone(),
            authorizer_type: "JWT".to_owned(),
            identity_source: source,
            jwt_configuration: jwt,
            name,
        };
        let reply = reply(201, &made);
        found.edited.authorizers.insert(id, made);
        deployments::republish(&gateway.context, found);
        Ok(reply)
    })
}

/// `GetAuthorizer`.
pub(super) fn get(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let id = call.path("AuthorizerId");
    gateway.state.read(|state| {
        let found = api(state, call)?.edited.authorizers.get(id);
        found.map(|found| reply(200, found)).ok_or_else(|| not_found("Authorizer", id))
    })
}

/// `GetAuthorizers`.
pub(super) fn list(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    gateway.state.read(|state| page(call, api(state, call)?.edited.authorizers.values()))
}

/// `UpdateAuthorizer`. What is absent stays; a JWT configuration takes the whole old one's place.
pub(super) fn update(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let input: Input = input(call, &UNSUPPORTED)?;
    check(&input)?;
    let id = call.path("AuthorizerId");
    gateway.state.change(|state| {
        let found = api_mut(state, call)?;
        let to = found.edited.authorizers.get_mut(id).ok_or_else(|| not_found("Authorizer", id))?;
        to.name = input.name.unwrap_or_else(|| to.name.clone());
        to.identity_source = input.identity_source.unwrap_or_else(|| to.identity_source.clone());
        to.jwt_configuration = input.jwt_configuration.unwrap_or_else(|| to.jwt_configuration.clone());
        let reply = reply(200, to);
        deployments::republish(&gateway.context, found);
        Ok(reply)
    })
}

/// `DeleteAuthorizer`, refused while a route uses it.
pub(super) fn delete(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let id = call.path("AuthorizerId");
    gateway.state.change(|state| {
        let found = api_mut(state, call)?;
        if !found.edited.authorizers.contains_key(id) {
            return Err(not_found("Authorizer", id));
        }
        let user = found.edited.routes.values().find(|route| route.authorizer_id.as_deref() == Some(id));
        if let Some(route) = user {
            return Err(conflict(format!(
                "Cannot delete Authorizer {id}: Route {} ({}) uses it",
                route.route_id, route.route_key
            )));
        }
        found.edited.authorizers.remove(id);
        deployments::republish(&gateway.context, found);
        Ok(Reply::empty())
    })
}

/// Where an authorizer finds the token: a header, or a parameter of the query string.
#[derive(Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// `$request.header.NAME`.
    Header(&'a str),
    /// `$request.querystring.NAME`.
    Query(&'a str),
}

/// Reads an identity source; none for what is neither of the two.
pub fn source(text: &str) -> Option<Source<'_>> {
    let name = |prefix: &str| {
        let name = text.strip_prefix(prefix)?;
        let usable = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        (!name.is_empty() && usable).then_some(name)
    };
    name("$request.header.").map(Source::Header).or_else(|| name("$request.querystring.").map(Source::Query))
}

fn check(input: &Input) -> Result<(), AwsError> {
    match input.authorizer_type.as_deref() {
        None | Some("JWT") => {}
        Some("REQUEST") => return Err(AwsError::unsupported("Lambda authorizers (AuthorizerType REQUEST)")),
        Some(other) => return Err(bad(format!("Invalid AuthorizerType {other}"))),
    }
    input.name.as_deref().map_or(Ok(()), |name| length("Name", name, 1, 128))?;
    if let Some(sources) = &input.identity_source {
        let one = matches!(sources.as_slice(), [one] if source(one).is_some());
        if !one {
            return Err(bad("IdentitySource of a JWT authorizer must be one of $request.header.NAME and \
                 $request.querystring.NAME"));
        }
    }
    let Some(jwt) = &input.jwt_configuration else { return Ok(()) };
    if jwt.audience.is_empty() {
        return Err(bad("JwtConfiguration.Audience must not be empty"));
    }
    if jwt.audience.len() > MOST_AUDIENCES {
        return Err(quota("Audiences", MOST_AUDIENCES));
    }
    if !usable_issuer(&jwt.issuer) {
        return Err(bad(format!(
            "Invalid issuer: {}. Issuer must be an https URL with a discovery endpoint below it \
             (the sandbox also takes http on a loopback address)",
            jwt.issuer
        )));
    }
    Ok(())
}

fn usable_issuer(issuer: &str) -> bool {
    let Ok(uri) = issuer.parse::<http::Uri>() else { return false };
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => uri.query().is_none(),
        (Some("http"), Some(host)) => uri.query().is_none() && is_loopback(host),
        _ => false,
    }
}

/// Whether a URL's host is this machine: the one place where plain http is taken.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
