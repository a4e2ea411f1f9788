//! The port itself: signature scope -> service -> protocol -> call -> faults -> reply.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{AwsError, Body, Call, Protocol, Reply, Service, cbor};
use crate::context::Context;
use crate::faults::AwsEffect;

/// The largest body taken: Lambda's 50 MB zip in base64 and some room.
const LARGEST_BODY: usize = 72 * 1024 * 1024;
/// The same for S3: the largest object it takes, and room for the chunks it may come in.
const LARGEST_OBJECT: usize = 304 * 1024 * 1024;
/// How long a call under the `TimeOut` or `HoldReply` fault is held, longer than any client waits.
const HOLD: Duration = Duration::from_secs(600);
/// How long a caller may take to send its request.
const READ_TIME: Duration = Duration::from_secs(60);

struct Known {
    service: Arc<dyn Service>,
    routes: HashMap<Method, matchit::Router<&'static str>>,
}

/// The services behind one port.
pub struct AwsEndpoint {
    context: Arc<Context>,
    services: BTreeMap<&'static str, Known>,
}

/// The connection is to be closed without a reply.
#[derive(Debug)]
struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("dropped by a fault")
    }
}

impl std::error::Error for Dropped {}

impl AwsEndpoint {
    /// An endpoint in front of `services`.
    ///
    /// # Panics
    /// When two routes of a service can't be told apart: a mistake in its table.
    #[expect(clippy::expect_used, reason = "a fixed table, checked at every start")]
    pub fn new(context: Arc<Context>, services: Vec<Arc<dyn Service>>) -> Self {
        let services = services.into_iter().map(|service| {
            let mut routes: HashMap<Method, matchit::Router<&'static str>> = HashMap::new();
            for (method, path, operation) in service.routes() {
                let method = method.parse().expect("a method");
                routes.entry(method).or_default().insert(*path, *operation).expect("distinct routes");
            }
            (service.signing_name(), Known { service, routes })
        });
        Self { services: services.collect(), context }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Dropped> {
        let request_id = self.context.random.uuid();
        let (parts, body) = request.into_parts();
        let spoken = Spoken::of(&parts.headers);
        let body = match read(&parts.headers, body).await {
            Ok(body) => body,
            Err(error) => return Ok(refuse(spoken, &request_id, &error)),
        };
        match self.decode(&parts.method, &parts.uri, &parts.headers, body, &request_id) {
            Ok((service, call, spoken)) => self.perform(service, call, spoken).await,
            Err(error) => {
                tracing::warn!(method = %parts.method, path = parts.uri.path(), %error, "refused");
                Ok(refuse(spoken, &request_id, &error))
            }
        }
    }

    fn decode(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: Bytes,
        request_id: &str,
    ) -> Result<(Arc<dyn Service>, Call, Spoken), AwsError> {
        let scope = Scope::of(headers)?;
        if scope.region != self.context.region {
            let message = format!("signed for {}, but this is {}", scope.region, self.context.region);
            return Err(AwsError::new("InvalidSignatureException", message).with_status(403));
        }
        let known = self
            .services
            .get(scope.service.as_str())
            .ok_or_else(|| AwsError::unsupported(format_args!("the service {}", scope.service)))?;
        let mut call = Call {
            operation: String::new(),
            path: BTreeMap::new(),
            query: Vec::new(),
            headers: headers.clone(),
            input: Value::Null,
            access_key: scope.access_key,
            request_id: request_id.to_owned(),
            body,
        };
        let spoken = decode_body(known, method, uri, &mut call)?;
        Ok((known.service.clone(), call, spoken))
    }

    async fn perform(
        &self,
        service: Arc<dyn Service>,
        call: Call,
        spoken: Spoken,
    ) -> Result<Response<Full<Bytes>>, Dropped> {
        let request_id = call.request_id.clone();
        let name = service.signing_name();
        self.context.calls.count(name, &call.operation);
        let effect = self.context.faults.aws(&self.context.random, name, &call.operation);
        let refused =
            match effect {
                Some(AwsEffect::Throttle) => Some(service.throttled()),
                Some(AwsEffect::ServerError) => Some(AwsError::internal("a fault of the sandbox")),
                Some(AwsEffect::AccessDenied) => {
                    Some(
                        AwsError::new(
                            if name == "s3" { "AccessDenied" } else { "AccessDeniedException" },
                            format!("not authorized to perform: {name}:{}", call.operation),
                        )
                        .with_status(if ["lambda", "apigateway", "s3"].contains(&name) { 403 } else { 400 }),
                    )
                }
                Some(AwsEffect::DropBefore) => return Err(Dropped),
                Some(AwsEffect::TimeOut) => {
                    tokio::time::sleep(HOLD).await;
                    return Err(Dropped);
                }
                Some(AwsEffect::Delay(ms)) => {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                    None
                }
                _ => None,
            };
        if let Some(error) = refused {
            return Ok(refuse(spoken, &request_id, &error));
        }
        if effect == Some(AwsEffect::Duplicate) {
            let _ = service.clone().call(call.clone()).await;
        }
        let operation = call.operation.clone();
        let result = service.call(call).await;
        match effect {
            Some(AwsEffect::HoldReply) => {
                tokio::time::sleep(HOLD).await;
                return Err(Dropped);
            }
            Some(AwsEffect::DropReply) => return Err(Dropped),
            _ => {}
        }
        Ok(match result {
            Ok(reply) => encode(spoken, &operation, &request_id, reply),
            Err(error) => {
                tracing::debug!(service = name, operation, %error, "refused");
                refuse(spoken, &request_id, &error)
            }
        })
    }
}

/// What the caller spoke, and so what it gets back.
#[derive(Debug, Clone, Copy)]
enum Spoken {
    Json(&'static str),
    Cbor(&'static [&'static str]),
    Xml(&'static str),
    Rest,
    RestXml,
}

impl Spoken {
    /// A guess from the headers alone, for errors that come before the service is known.
    fn of(headers: &HeaderMap) -> Self {
        if headers.contains_key("smithy-protocol") {
            Self::Cbor(&[])
        } else if headers.contains_key("x-amz-target") {
            Self::Json("application/x-amz-json-1.1")
        } else if is_for_objects(headers) {
            Self::RestXml
        } else if is_form(headers) {
            Self::Xml("")
        } else {
            Self::Rest
        }
    }
}

/// Whether a call is for S3, whose bodies are larger than others and never decoded.
fn is_for_objects(headers: &HeaderMap) -> bool {
    Scope::of(headers).is_ok_and(|scope| scope.service == "s3")
}

fn is_form(headers: &HeaderMap) -> bool {
    text(headers, CONTENT_TYPE.as_str()).is_some_and(|t| t.starts_with("application/x-www-form-urlencoded"))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Who signed, for where and for which service. The signature itself is not checked: any access
/// key is accepted, and there is no secret to check it with.
struct Scope {
    access_key: String,
    region: String,
    service: String,
}

impl Scope {
    fn of(headers: &HeaderMap) -> Result<Self, AwsError> {
        let missing = || {
            AwsError::new(
                "MissingAuthenticationTokenException",
                "Missing Authentication Token: sign the request (SigV4)",
            )
            .with_status(403)
        };
        let header = text(headers, AUTHORIZATION.as_str()).ok_or_else(missing)?;
        let credential = header
            .strip_prefix("AWS4-HMAC-SHA256 ")
            .and_then(|rest| rest.split(',').find_map(|part| part.trim().strip_prefix("Credential=")))
            .ok_or_else(missing)?;
        let mut parts = credential.rsplitn(5, '/');
        match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("aws4_request"), Some(service), Some(region), Some(_), Some(key)) => Ok(Self {
                access_key: key.to_owned(),
                region: region.to_owned(),
                service: service.to_owned(),
            }),
            _ => Err(AwsError::new("IncompleteSignatureException", "the credential's scope is not whole")
                .with_status(403)),
        }
    }
}

async fn read(headers: &HeaderMap, body: Incoming) -> Result<Bytes, AwsError> {
    let objects = is_for_objects(headers);
    let largest = if objects { LARGEST_OBJECT } else { LARGEST_BODY };
    let collected =
        tokio::time::timeout(READ_TIME, Limited::new(body, largest).collect()).await.map_err(|_| {
            AwsError::new("RequestTimeoutException", "the body did not come in time").with_status(408)
        })?;
    let bytes = match collected {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() && objects => {
            let words = "Your proposed upload exceeds the maximum allowed size";
            return Err(AwsError::new("EntityTooLarge", words));
        }
        Err(error) if error.is::<LengthLimitError>() => {
            return Err(AwsError::new(
                "RequestEntityTooLargeException",
                "Request must be smaller than 70167211 bytes",
            )
            .with_status(413));
        }
        Err(error) => {
            return Err(AwsError::new("SerializationException", format!("the body broke off: {error}")));
        }
    };
    if objects || text(headers, CONTENT_ENCODING.as_str()) != Some("gzip") {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes.as_ref())
        .take(LARGEST_BODY as u64)
        .read_to_end(&mut plain)
        .map_err(|error| AwsError::new("SerializationException", format!("not gzip: {error}")))?;
    Ok(plain.into())
}

fn decode_body(known: &Known, method: &Method, uri: &Uri, call: &mut Call) -> Result<Spoken, AwsError> {
    let cbor_path = uri.path().strip_prefix("/service/").and_then(|p| p.split_once("/operation/"));
    match (known.service.protocol(), cbor_path) {
        (Protocol::RpcV2Cbor { timestamps }, Some((_, operation))) => {
            call.operation = operation.to_owned();
            call.input = cbor::to_json(&call.body)?;
            Ok(Spoken::Cbor(timestamps))
        }
        (Protocol::RpcV2Cbor { .. } | Protocol::AwsJson, _) => {
            let target = text(&call.headers, "x-amz-target").ok_or_else(|| {
                AwsError::new("UnknownOperationException", "no X-Amz-Target; this service takes JSON")
                    .with_status(404)
            })?;
            call.operation = target.rsplit('.').next().unwrap_or(target).to_owned();
            call.input = parse_json(&call.body)?;
            let version_1_0 =
                text(&call.headers, CONTENT_TYPE.as_str()).is_some_and(|t| t.contains("json-1.0"));
            Ok(Spoken::Json(if version_1_0 {
                "application/x-amz-json-1.0"
            } else {
                "application/x-amz-json-1.1"
            }))
        }
        (Protocol::Query { namespace }, _) => {
            let fields: Map<String, Value> = pairs(&String::from_utf8_lossy(&call.body))
                .into_iter()
                .map(|(name, value)| (name, Value::String(value)))
                .collect();
            call.operation = fields.get("Action").and_then(Value::as_str).unwrap_or_default().to_owned();
            call.input = Value::Object(fields);
            Ok(Spoken::Xml(namespace))
        }
        (protocol @ (Protocol::RestJson | Protocol::RestXml), _) => {
            // An ARN may stand in a path percent-encoded; matching happens before decoding.
            let found =
                known.routes.get(method).and_then(|routes| routes.at(uri.path()).ok()).ok_or_else(|| {
                    AwsError::unsupported(format_args!(
                        "{} {method} {}",
                        known.service.signing_name(),
                        uri.path()
                    ))
                })?;
            call.path = found.params.iter().map(|(name, value)| (name.to_owned(), decoded(value))).collect();
            call.query = pairs(uri.query().unwrap_or_default());
            call.operation = known.service.operation(found.value, call);
            if protocol == Protocol::RestXml {
                return Ok(Spoken::RestXml);
            }
            call.input = parse_json(&call.body).unwrap_or(Value::Null);
            Ok(Spoken::Rest)
        }
    }
}

fn parse_json(body: &[u8]) -> Result<Value, AwsError> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_slice(body)
        .map_err(|error| AwsError::new("SerializationException", format!("not JSON: {error}")))
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let pair = pair.replace('+', " ");
            let (name, value) = pair.split_once('=').unwrap_or((&pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

fn encode(spoken: Spoken, operation: &str, request_id: &str, reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(reply.status).header("x-amzn-requestid", request_id);
    if matches!(spoken, Spoken::RestXml) {
        response = response.header("x-amz-request-id", request_id);
    }
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    let body = match (reply.body, spoken) {
        (Body::Json(value), Spoken::Cbor(timestamps)) => {
            response =
                response.header("smithy-protocol", "rpc-v2-cbor").header(CONTENT_TYPE, "application/cbor");
            cbor::from_json(&value, timestamps).into()
        }
        (Body::Json(value), Spoken::Json(content_type)) => {
            response = response.header(CONTENT_TYPE, content_type);
            value.to_string().into()
        }
        (Body::Json(value), _) => {
            response = response.header(CONTENT_TYPE, "application/json");
            value.to_string().into()
        }
        (Body::Xml(inner), Spoken::Xml(namespace)) => {
            response = response.header(CONTENT_TYPE, "text/xml");
            format!("<{operation}Response xmlns=\"{namespace}\"><{operation}Result>{inner}</{operation}Result><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>").into()
        }
        (Body::Xml(inner), _) => inner.into(),
        (Body::Bytes(bytes, content_type), _) => {
            response = response.header(CONTENT_TYPE, content_type);
            bytes
        }
        (Body::Plain(bytes), _) => bytes,
        (Body::Empty, Spoken::Cbor(_)) => {
            response = response.header("smithy-protocol", "rpc-v2-cbor");
            Bytes::new()
        }
        (Body::Empty, _) => Bytes::new(),
    };
    finish(response, body)
}

fn refuse(spoken: Spoken, request_id: &str, error: &AwsError) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(error.status).header("x-amzn-requestid", request_id);
    let mut members = error.members.clone();
    members.insert("message".to_owned(), error.message.clone().into());
    let body = match spoken {
        Spoken::Xml(_) => {
            response = response.header(CONTENT_TYPE, "text/xml");
            let kind = if error.status < 500 { "Sender" } else { "Receiver" };
            format!(
                "<ErrorResponse><Error><Type>{kind}</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
                error.code,
                escape(&error.message)
            )
            .into()
        }
        Spoken::Cbor(timestamps) => {
            members.insert("__type".to_owned(), error.code.clone().into());
            response =
                response.header("smithy-protocol", "rpc-v2-cbor").header(CONTENT_TYPE, "application/cbor");
            cbor::from_json(&Value::Object(members), timestamps).into()
        }
        Spoken::Json(content_type) => {
            members.insert("__type".to_owned(), error.code.clone().into());
            response = response.header(CONTENT_TYPE, content_type);
            json!(members).to_string().into()
        }
        Spoken::RestXml => {
            response =
                response.header(CONTENT_TYPE, "application/xml").header("x-amz-request-id", request_id);
            let more: String = error
                .members
                .iter()
                .filter_map(|(name, value)| Some(format!("<{name}>{}</{name}>", escape(value.as_str()?))))
                .collect();
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>{more}<RequestId>{request_id}</RequestId></Error>",
                error.code,
                escape(&error.message)
            )
            .into()
        }
        Spoken::Rest => {
            // Lambda reads `Message`, API Gateway `message`: both are there, as on AWS's own wire.
            members.insert("Message".to_owned(), error.message.clone().into());
            response =
                response.header(CONTENT_TYPE, "application/json").header("x-amzn-errortype", &error.code);
            json!(members).to_string().into()
        }
    };
    finish(response, body)
}

/// Text for the inside of an XML element.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn finish(response: http::response::Builder, body: Bytes) -> Response<Full<Bytes>> {
    response.body(Full::new(body.clone())).unwrap_or_else(|_| {
        // A header value that is no header value: say so instead of dying.
        let mut plain = Response::new(Full::new(body));
        *plain.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        plain
    })
}

/// Serves the endpoint until `stop` is cancelled.
pub async fn serve(
    endpoint: Arc<AwsEndpoint>,
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    let connections = TaskTracker::new();
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, most likely: wait for some to come back.
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let _ = stream.set_nodelay(true);
        let (endpoint, stop) = (endpoint.clone(), stop.clone());
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let endpoint = endpoint.clone();
                async move { endpoint.answer(request).await }
            });
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                // Err is a caller that left, or a fault that dropped the connection.
                _ = connection => {}
                () = stop.cancelled() => {}
            }
        });
    }
    connections.close();
    connections.wait().await;
    Ok(())
}
