//! The way of one request: API, stage, preflight, route, throttle, authorizer, integration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};
use percent_encoding::percent_decode_str;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::{self, Answer, Settled};
use super::event::{Target, event};
use super::jwt::{Authorized, Refusal, Token, bare};
use super::locate::{self, Located};
use super::record::{Integration, Record};
use super::request::{self, Facts, text};
use super::throttle::limit;
use super::{Running, cors, routing};
use crate::aws::AwsError;
use crate::services::apigateway::authorizers::{Source, source};
use crate::services::apigateway::integrations::function_arn;
use crate::services::apigateway::model::{self, Authorizer, Cors, Route, Stage, State};
use crate::services::apigateway::stages::log_group;
use crate::services::lambda::{Invocation, Principal};
use crate::services::logs::LogEvent;

/// AWS: request line and header values together.
const LARGEST_HEAD: usize = 10_240;
/// AWS: 10 MB of payload.
const LARGEST_BODY: u64 = 10 * 1024 * 1024;
/// So much of a body that is too large is read and thrown away.
const LARGEST_DISCARDED: u64 = 4 * LARGEST_BODY;
/// How long a client may take to send its body.
const BODY_TIME: Duration = Duration::from_secs(30);

/// What serves a request, copied out of the APIs' state.
struct Found {
    api_id: String,
    stage: Stage,
    cors: Option<Cors>,
    route: Option<Matched>,
}

struct Matched {
    route: Route,
    parameters: BTreeMap<String, String>,
    integration: Option<model::Integration>,
    authorizer: Option<Authorizer>,
}

/// What came of a request, for the client and for the record.
#[derive(Default)]
struct Outcome {
    answer: Option<Answer>,
    error: Option<(String, &'static str)>,
    authorizer_error: Option<String>,
    authorized: Option<Authorized>,
    integration: Option<Integration>,
    request_length: usize,
}

impl Outcome {
    /// An answer of the gateway's own, with the type of response that AWS's logs give it.
    fn refuse(mut self, status: u16, message: &str, kind: &'static str) -> Self {
        self.answer = Some(Answer::message(status, message));
        self.error = Some((message.to_owned(), kind));
        self
    }

    /// What came of the integration after so many milliseconds. AWS puts the configured CORS headers
    /// on what comes from an integration, not on what the gateway says in its place.
    fn settle(mut self, settled: Settled, latency: u64, cors: Option<&Cors>, headers: &HeaderMap) -> Self {
        let Settled { mut answer, failure, function_status, service_status, error, request_id } = settled;
        match (failure, cors) {
            (Some(kind), _) => self.error = Some((message_of(&answer), kind)),
            (None, Some(cors)) => cors::decorate(cors, headers, &mut answer),
            (None, None) => {}
        }
        self.integration = Some(Integration { latency, function_status, service_status, error, request_id });
        self.answer = Some(answer);
        self
    }
}

impl Running {
    /// Answers a request. Runs in a task of its own, so that a client that leaves changes nothing:
    /// the function runs to its end and the request is recorded, as on AWS.
    pub(super) async fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Response<Full<Bytes>> {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let facts = self.facts(&parts, peer);
        let Ok(permit) = self.requests.clone().try_acquire_owned() else {
            return finish(Answer::message(503, "Service Unavailable"), &facts.request_id);
        };
        if request::head_size(&facts.method, &parts.uri, &parts.headers) > LARGEST_HEAD {
            let answer = Answer::message(431, "Request Header Fields Too Large");
            return finish(answer, &facts.request_id);
        }
        let found = self.apis.look(|state| find(state, &facts, &self.context.region));
        let found = match found {
            Ok(found) => found,
            Err(answer) => return finish(answer, &facts.request_id),
        };
        let outcome = self.decide(&facts, &found, body, permit).await;
        let answer = self.record(&facts, &found, outcome, started);
        finish(answer, &facts.request_id)
    }

    fn facts(&self, parts: &Parts, peer: SocketAddr) -> Facts {
        let given = parts.headers.get("x-amzn-trace-id").map(text).filter(|trace| trace.contains("Root="));
        let at = self.context.now();
        Facts {
            method: parts.method.as_str().to_owned(),
            path: request::path(parts.uri.path()),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            protocol: format!("{:?}", parts.version),
            host: request::host(&parts.headers, &parts.uri),
            headers: parts.headers.clone(),
            peer,
            port: self.port,
            // 11 bytes: 15 characters and a `=`, which is what AWS's look like.
            request_id: URL_SAFE.encode(self.context.random.bytes::<11>()),
            at,
            trace: given.unwrap_or_else(|| {
                let id = self.context.random.text("0123456789abcdef", 24);
                format!("Root=1-{:08x}-{id}", at.timestamp())
            }),
        }
    }

    async fn decide(
        &self,
        facts: &Facts,
        found: &Found,
        body: Incoming,
        permit: OwnedSemaphorePermit,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        if let Some(cors) = &found.cors {
            outcome.answer = cors::preflight(cors, &facts.method, &facts.headers);
            if outcome.answer.is_some() {
                return outcome;
            }
        }
        let Some(matched) = &found.route else {
            return outcome.refuse(404, "Not Found", "RESOURCE_NOT_FOUND");
        };
        if !self.admit(found, &matched.route.route_key) {
            return outcome.refuse(429, "Too Many Requests", "THROTTLED");
        }
        if matched.route.authorization_type == "JWT" {
            match self.authorize(facts, matched).await {
                Ok(authorized) => outcome.authorized = Some(authorized),
                Err(refusal) => return refused(outcome, &refusal, &matched.route.authorization_scopes),
            }
        }
        let body = match read(body).await {
            Ok(body) => body,
            Err((status, message, kind)) => return outcome.refuse(status, message, kind),
        };
        outcome.request_length = body.len();
        let started = Instant::now();
        match self.integrate(facts, found, matched, outcome.authorized.as_ref(), &body, permit).await {
            Some(settled) => outcome.settle(settled, millis(started), found.cors.as_ref(), &facts.headers),
            None => outcome.refuse(500, "Internal Server Error", "API_CONFIGURATION_ERROR"),
        }
    }

    fn admit(&self, found: &Found, route_key: &str) -> bool {
        let (limit, own) = limit(&found.stage, route_key);
        let owner = (found.api_id.clone(), found.stage.stage_name.clone(), own.then(|| route_key.to_owned()));
        self.throttles.admit(owner, limit, self.context.now_ms())
    }

    async fn authorize(&self, facts: &Facts, matched: &Matched) -> Result<Authorized, Refusal> {
        // A route whose authorizer is gone lets nobody in.
        let Some(authorizer) = &matched.authorizer else {
            return Err(Refusal::Invalid("the route's authorizer does not exist".to_owned()));
        };
        let from = authorizer.identity_source.first().map(String::as_str).unwrap_or_default();
        let value = match source(from) {
            Some(Source::Header(name)) => facts.headers.get(name).map(text),
            Some(Source::Query(name)) => query_value(&facts.query, name),
            None => None,
        };
        let value = value.filter(|value| !bare(value).is_empty()).ok_or(Refusal::Missing)?;
        let token = Token::read(bare(&value))?;
        let jwt = &authorizer.jwt_configuration;
        let keys = self.keys.of(&jwt.issuer, &token.kid).await.map_err(Refusal::Invalid)?;
        token.authorize(&keys, jwt, &matched.route.authorization_scopes, self.context.now().timestamp())
    }

    /// Invokes the function, for as long as the integration allows. None for a route without an
    /// integration.
    async fn integrate(
        &self,
        facts: &Facts,
        found: &Found,
        matched: &Matched,
        authorized: Option<&Authorized>,
        body: &[u8],
        permit: OwnedSemaphorePermit,
    ) -> Option<Settled> {
        let integration = matched.integration.as_ref()?;
        let stage = &found.stage.stage_name;
        let target = Target {
            account: &self.context.account,
            api_id: &found.api_id,
            stage,
            variables: &found.stage.stage_variables,
            route_key: &matched.route.route_key,
            parameters: &matched.parameters,
            authorized,
        };
        let call = (self.invoke)(Invocation {
            function: function_arn(&integration.integration_uri).to_owned(),
            qualifier: None,
            payload: event(facts, &target, body).to_string().into(),
            principal: Some(Principal {
                service: "apigateway.amazonaws.com".to_owned(),
                source_arn: self.source_arn(&found.api_id, stage, &matched.route.route_key),
            }),
            trace: Some(facts.trace.clone()),
        });
        // A function that takes longer goes on, and goes on counting as a request.
        let running = self.tasks.spawn(async move {
            let _permit = permit;
            call.await
        });
        let time = Duration::from_millis(integration.timeout_in_millis);
        Some(match tokio::time::timeout(time, running).await {
            Ok(Ok(result)) => answer::settle(result),
            Ok(Err(_)) => answer::settle(Err(AwsError::internal("the invocation broke off"))),
            Err(_) => answer::timed_out(),
        })
    }

    /// What the function's policy is asked about: the route's own method and path as they stand in
    /// its key; `$default` alone where that is the route.
    fn source_arn(&self, api_id: &str, stage: &str, route_key: &str) -> String {
        let resource = route_key.replacen(' ', "", 1);
        self.context.arn("execute-api", &format!("{api_id}/{stage}/{resource}"))
    }

    /// Writes the access log and the metrics; returns the answer.
    fn record(&self, facts: &Facts, found: &Found, outcome: Outcome, started: Instant) -> Answer {
        let answer = outcome.answer.unwrap_or_else(|| Answer::message(500, "Internal Server Error"));
        let route_key = found.route.as_ref().map(|matched| matched.route.route_key.as_str());
        let detailed = route_key
            .and_then(|key| found.stage.route_settings.get(key)?.detailed_metrics_enabled)
            .or(found.stage.default_route_settings.detailed_metrics_enabled);
        let record = Record {
            facts,
            account: &self.context.account,
            api_id: &found.api_id,
            stage: &found.stage.stage_name,
            route_key,
            detailed: detailed == Some(true),
            status: answer.status,
            request_length: outcome.request_length,
            response_length: answer.body.len(),
            latency: millis(started),
            error: outcome.error,
            authorizer_error: outcome.authorizer_error,
            claims: outcome.authorized.map(|authorized| authorized.claims),
            integration: outcome.integration,
        };
        (self.record)(&record.metrics());
        if let Some(settings) = &found.stage.access_log_settings
            && let Some(group) = log_group(&settings.destination_arn)
        {
            let line = super::access_log::fill(&settings.format, |name| record.variable(name));
            let stream = stream(&found.api_id, &found.stage.stage_name);
            let event = LogEvent { timestamp: self.context.now_ms(), message: line };
            self.logs.add(group, &stream, event);
        }
        answer
    }
}

/// Looks up what serves the request, or what to answer where nothing does. AWS neither logs nor
/// counts a request without an API or a stage.
fn find(state: &State, facts: &Facts, region: &str) -> Result<Found, Answer> {
    let not_found = || Answer::message(404, "Not Found");
    let picked = facts.headers.get(locate::PICK).map(text);
    let api = match locate::api(&facts.host, picked.as_deref(), region, &state.apis) {
        Located::Api(id) => &state.apis[id],
        Located::Unknown => return Err(not_found()),
        Located::Foreign => return Err(Answer::message(403, "Forbidden")),
        Located::Ambiguous(ids) => {
            let ids = if ids.is_empty() { "there is none yet".to_owned() } else { ids.join(", ") };
            let text = format!(
                "Not Found: say which API is meant, by the host ID.execute-api.localhost or the header {}: {ids}",
                locate::PICK
            );
            return Err(Answer::message(404, &text));
        }
    };
    if api.api.disable_execute_api_endpoint {
        return Err(not_found());
    }
    let (name, rest) = locate::stage(&facts.path, &api.stages).ok_or_else(not_found)?;
    let stage = &api.stages[name];
    let served = api.served(stage).ok_or_else(not_found)?;
    let routes: Vec<&Route> = served.routes.values().collect();
    let chosen = routing::choose(routes.iter().map(|route| route.route_key.as_str()), &facts.method, rest);
    let route = chosen.map(|(at, parameters)| Matched {
        route: routes[at].clone(),
        parameters,
        integration: routes[at].integration_id().and_then(|id| served.integrations.get(id)).cloned(),
        authorizer: routes[at].authorizer_id.as_ref().and_then(|id| served.authorizers.get(id)).cloned(),
    });
    Ok(Found { api_id: api.api.api_id.clone(), stage: stage.clone(), cors: served.cors.clone(), route })
}

fn refused(mut outcome: Outcome, refusal: &Refusal, scopes: &[String]) -> Outcome {
    outcome.authorizer_error = Some(refusal.reason().to_owned());
    let mut outcome = match refusal {
        Refusal::Scope => outcome.refuse(403, "Forbidden", "ACCESS_DENIED"),
        _ => outcome.refuse(401, "Unauthorized", "UNAUTHORIZED"),
    };
    let challenge = HeaderValue::from_bytes(refusal.challenge(scopes).as_bytes());
    if let (Some(answer), Ok(challenge)) = (&mut outcome.answer, challenge) {
        answer.headers.push((http::header::WWW_AUTHENTICATE, challenge));
    }
    outcome
}

type Unread = (u16, &'static str, &'static str);

/// Reads the body. What is too large is read on and thrown away for a while, so that a client that
/// sends all of it before it listens gets its answer.
async fn read(mut body: Incoming) -> Result<Bytes, Unread> {
    const TOO_LARGE: Unread = (413, "Request Entity Too Large", "REQUEST_TOO_LARGE");
    if body.size_hint().lower() > LARGEST_DISCARDED {
        return Err(TOO_LARGE);
    }
    let reading = async {
        let (mut whole, mut seen) = (Vec::new(), 0_u64);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| (400, "Bad Request", "BAD_REQUEST_BODY"))?;
            let Ok(data) = frame.into_data() else { continue };
            seen += data.len() as u64;
            if seen <= LARGEST_BODY {
                whole.extend_from_slice(&data);
            } else if seen > LARGEST_DISCARDED {
                break;
            }
        }
        if seen > LARGEST_BODY { Err(TOO_LARGE) } else { Ok(whole.into()) }
    };
    tokio::time::timeout(BODY_TIME, reading).await.unwrap_or(Err((408, "Request Timeout", "DEFAULT_4XX")))
}

/// The first value of a parameter of the query string, decoded.
fn query_value(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (found, value) = pair.split_once('=')?;
        (found == name).then(|| percent_decode_str(value).decode_utf8_lossy().into_owned())
    })
}

/// Adds what every answer carries. A status that is none can't come this far.
fn finish(answer: Answer, request_id: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() =
        http::StatusCode::from_u16(answer.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        response.headers_mut().append(name, value);
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert(HeaderName::from_static("apigw-requestid"), id);
    }
    response
}

/// The log stream of a stage: 32 hexadecimal digits, always the same for the same stage.
fn stream(api_id: &str, stage: &str) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(format!("{api_id}/{stage}"));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn message_of(answer: &Answer) -> String {
    serde_json::from_slice::<serde_json::Value>(&answer.body)
        .ok()
        .and_then(|body| body["message"].as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
