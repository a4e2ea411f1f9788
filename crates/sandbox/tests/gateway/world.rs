//! What the tests stand on: both planes on ports of their own, and a closure in the place of Lambda.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_apigatewayv2::Client;
use aws_sdk_apigatewayv2::config::retry::RetryConfig;
use aws_sdk_apigatewayv2::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_apigatewayv2::error::ProvideErrorMetadata;
use aws_sdk_apigatewayv2::types::{IntegrationType, ProtocolType};
use bytes::Bytes;
use chrono::{TimeZone, Utc};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use sandbox::aws::{AwsEndpoint, AwsError};
use sandbox::context::{Context, ManualClock};
use sandbox::gateway::Gateway;
use sandbox::services::apigateway::ApiGateway;
use sandbox::services::cloudwatch::CloudWatch;
use sandbox::services::lambda::{Invocation, Invoked, Lambda, LambdaOptions};
use sandbox::services::logs::Logs;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

pub(crate) const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:api:live";
pub(crate) const FUNCTION_URI: &str = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/\
                            arn:aws:lambda:eu-west-1:123456789012:function:api:live/invocations";

pub(crate) struct World {
    pub(crate) aws: Client,
    pub(crate) port: u16,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) context: Arc<Context>,
    pub(crate) invocations: Arc<Mutex<Vec<Invocation>>>,
    pub(crate) finished: Arc<AtomicUsize>,
    pub(crate) stop: CancellationToken,
    pub(crate) serving: tokio::task::JoinHandle<std::io::Result<()>>,
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(Utc.timestamp_millis_opt(1_700_000_000_000).unwrap());
        let context = Context::for_tests(folder.path(), clock.clone());
        let apis = ApiGateway::open(context.clone()).unwrap();
        let metrics = CloudWatch::open(context.clone()).unwrap();
        let logs = Logs::open(context.clone(), metrics.clone()).unwrap();
        let options =
            LambdaOptions { endpoint_url: String::new(), account_concurrency: 10, idle_seconds: 60 };
        let lambda = Lambda::open(context.clone(), logs.clone(), metrics.clone(), options).unwrap();
        let (invocations, finished): (Arc<Mutex<Vec<Invocation>>>, Arc<AtomicUsize>) = Default::default();
        let (seen, done) = (invocations.clone(), finished.clone());
        let gateway = Gateway::new(context.clone(), apis.clone(), lambda, logs, metrics).with_invoke(
            Arc::new(move |invocation| {
                seen.lock().unwrap().push(invocation.clone());
                let done = done.clone();
                Box::pin(async move {
                    let result = function(&invocation).await;
                    done.fetch_add(1, Ordering::SeqCst);
                    result
                })
            }),
        );
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let aws_port = listener.local_addr().unwrap().port();
        let endpoint = Arc::new(AwsEndpoint::new(context.clone(), vec![apis]));
        tokio::spawn(sandbox::aws::serve(endpoint, listener, stop.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(gateway.serve(listener, stop.clone()));
        Self { aws: client(aws_port), port, clock, context, invocations, finished, stop, serving, folder }
    }

    /// An API with these routes, all to the function, and a stage that deploys itself.
    pub(crate) async fn api(&self, stage: &str, routes: &[&str]) -> String {
        let api = self.aws.create_api().name("learninghub").protocol_type(ProtocolType::Http);
        let id = api.send().await.unwrap().api_id.unwrap();
        let target = self.integration(&id).await;
        for key in routes {
            self.aws.create_route().api_id(&id).route_key(*key).target(&target).send().await.unwrap();
        }
        self.aws.create_stage().api_id(&id).stage_name(stage).auto_deploy(true).send().await.unwrap();
        id
    }

    pub(crate) async fn integration(&self, api: &str) -> String {
        let made = self
            .aws
            .create_integration()
            .api_id(api)
            .integration_type(IntegrationType::AwsProxy)
            .integration_uri(FUNCTION)
            .payload_format_version("2.0")
            .send()
            .await
            .unwrap();
        format!("integrations/{}", made.integration_id.unwrap())
    }

    pub(crate) async fn send(&self, request: http::request::Builder, body: impl Into<Bytes>) -> Answer {
        exchange(self.port, request.body(Full::new(body.into())).unwrap()).await
    }

    pub(crate) async fn get(&self, host: &str, path: &str) -> Answer {
        self.send(Request::get(path).header("host", host), "").await
    }

    pub(crate) fn last(&self) -> Invocation {
        self.invocations.lock().unwrap().last().unwrap().clone()
    }
}

pub(crate) fn client(port: u16) -> Client {
    let config = aws_sdk_apigatewayv2::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("any", "any", None, None, "test"))
        .endpoint_url(format!("http://127.0.0.1:{port}"))
        .retry_config(RetryConfig::disabled());
    Client::from_conf(config.build())
}

pub(crate) async fn exchange(port: u16, request: Request<Full<Bytes>>) -> Answer {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let answer = sender.send_request(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// What stands in for Lambda: the last segment of the path says what it does.
pub(crate) async fn function(invocation: &Invocation) -> Result<Invoked, AwsError> {
    let event: Value = serde_json::from_slice(&invocation.payload).unwrap();
    let path = event["rawPath"].as_str().unwrap();
    let (mut error, mut payload) = (None, json!({"event": event}).to_string());
    match path.rsplit('/').next().unwrap() {
        "crash" => {
            error = Some("Unhandled".to_owned());
            payload = json!({"errorMessage": "boom"}).to_string();
        }
        "slow" => tokio::time::sleep(Duration::from_millis(400)).await,
        "malformed" => payload = json!({"statusCode": "ok"}).to_string(),
        "throttled" => {
            return Err(AwsError::new("TooManyRequestsException", "Rate Exceeded.").with_status(429));
        }
        "denied" => return Err(AwsError::new("AccessDeniedException", "no").with_status(403)),
        "full" => {
            payload = json!({
                "statusCode": 201,
                "headers": {"Content-Type": "text/html", "access-control-allow-origin": "*", "x-total": "7"},
                "cookies": ["a=1", "b=2; Path=/"],
                "body": "PHA+",
                "isBase64Encoded": true,
            })
            .to_string();
        }
        _ => {}
    }
    Ok(Invoked {
        request_id: "11111111-2222-4333-8444-555555555555".to_owned(),
        executed_version: "1".to_owned(),
        function_error: error,
        payload: payload.into(),
        log_tail: String::new(),
    })
}

/// Code of an error, or `done` when there was none.
pub(crate) fn code<T, E: ProvideErrorMetadata, R>(
    result: Result<T, aws_sdk_apigatewayv2::error::SdkError<E, R>>,
) -> String {
    match result {
        Ok(_) => "done".to_owned(),
        Err(error) => error.code().unwrap_or("no code").to_owned(),
    }
}

pub(crate) const BAD: &str = "BadRequestException";
pub(crate) const CONFLICT: &str = "ConflictException";
pub(crate) const ABSENT: &str = "NotFoundException";
pub(crate) const UNSUPPORTED: &str = "SandboxUnsupported";
