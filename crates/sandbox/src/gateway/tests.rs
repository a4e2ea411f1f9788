//! What the gateway writes of a request: access log and metrics, caught where they leave it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use chrono::{TimeZone, Utc};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::aws::{Call, Service};
use crate::context::ManualClock;
use crate::services::lambda::LambdaOptions;
use crate::services::logs::LogEvent;

/// What was written.
#[derive(Default)]
struct Caught {
    lines: Vec<(String, String, LogEvent)>,
    data: Vec<Datum>,
}

impl Caught {
    /// The sum of a metric over these dimensions; none when there is no value.
    fn sum(&self, name: &str, dimensions: &[(&str, &str)]) -> Option<f64> {
        let wanted: Vec<(String, String)> =
            dimensions.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let values: Vec<f64> = self
            .data
            .iter()
            .filter(|one| one.name == name && one.dimensions == wanted && one.namespace == "AWS/ApiGateway")
            .map(|one| one.value)
            .collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }
}

struct World {
    api: String,
    port: u16,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<io::Result<()>>,
    caught: Arc<Mutex<Caught>>,
    apis: Arc<ApiGateway>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new(format: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(Utc.timestamp_millis_opt(1_583_348_638_390).unwrap());
        let context = Context::for_tests(folder.path(), clock);
        let apis = ApiGateway::open(context.clone()).unwrap();
        let metrics = CloudWatch::open(context.clone()).unwrap();
        let logs = Logs::open(context.clone(), metrics.clone()).unwrap();
        let options =
            LambdaOptions { endpoint_url: String::new(), account_concurrency: 10, idle_seconds: 60 };
        let lambda = Lambda::open(context.clone(), logs.clone(), metrics.clone(), options).unwrap();
        let mut gateway =
            Gateway::new(context, apis.clone(), lambda, logs, metrics).with_invoke(Arc::new(function));
        let caught: Arc<Mutex<Caught>> = Arc::default();
        let into = caught.clone();
        gateway.append = Arc::new(move |group, stream, events| {
            let lines = events.into_iter().map(|event| (group.to_owned(), stream.to_owned(), event));
            into.lock().unwrap().lines.extend(lines);
        });
        let into = caught.clone();
        gateway.record = Arc::new(move |data| into.lock().unwrap().data.extend_from_slice(data));
        let api = build(&apis, format).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(gateway.serve(listener, stop.clone()));
        Self { api, port, stop, serving, caught, apis, _folder: folder }
    }

    async fn get(&self, path: &str, more: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}.execute-api.localhost\r\nConnection: close\r\n{more}\r\n",
            self.api
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn end(self) -> Caught {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
        std::mem::take(&mut *self.caught.lock().unwrap())
    }
}

fn function(invocation: Invocation) -> BoxFuture<'static, Result<Invoked, AwsError>> {
    Box::pin(async move {
        let event: Value = serde_json::from_slice(&invocation.payload).unwrap();
        let invoked = |function_error: Option<&str>, payload: Value| Invoked {
            request_id: "11111111-2222-4333-8444-555555555555".to_owned(),
            executed_version: "1".to_owned(),
            function_error: function_error.map(str::to_owned),
            payload: payload.to_string().into(),
            log_tail: String::new(),
        };
        match event["rawPath"].as_str().unwrap() {
            "/status" => Ok(invoked(None, json!({"statusCode": 503, "body": "down"}))),
            "/slow" => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Ok(invoked(None, json!("late")))
            }
            "/crash" => Ok(invoked(Some("Unhandled"), json!({"errorMessage": "boom"}))),
            "/denied" => Err(AwsError::new("AccessDeniedException", "no").with_status(403)),
            _ => Ok(invoked(None, json!("fine"))),
        }
    })
}

async fn call(apis: &Arc<ApiGateway>, operation: &str, path: &[(&str, &str)], input: Value) -> Value {
    let call = Call {
        operation: operation.to_owned(),
        path: path.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>(),
        query: Vec::new(),
        headers: http::HeaderMap::new(),
        body: Bytes::new(),
        input,
        access_key: String::new(),
        request_id: String::new(),
    };
    match apis.clone().call(call).await.unwrap().body {
        crate::aws::Body::Json(value) => value,
        _ => Value::Null,
    }
}

async fn build(apis: &Arc<ApiGateway>, format: &str) -> String {
    let target = "arn:aws:lambda:eu-west-1:123456789012:function:api:live";
    let made = call(apis, "CreateApi", &[], json!({"name": "a", "protocolType": "HTTP"})).await;
    let id = made["apiId"].as_str().unwrap().to_owned();
    let api = [("ApiId", id.as_str())];
    let integration = call(
        apis,
        "CreateIntegration",
        &api,
        json!({"integrationType": "AWS_PROXY", "integrationUri": target, "payloadFormatVersion": "2.0"}),
    )
    .await;
    let target = format!("integrations/{}", integration["integrationId"].as_str().unwrap());
    for key in ["GET /status", "GET /{proxy+}"] {
        call(apis, "CreateRoute", &api, json!({"routeKey": key, "target": target})).await;
    }
    let stage = json!({
        "stageName": "$default",
        "autoDeploy": true,
        "accessLogSettings": {
            "destinationArn": "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/vendedlogs/a",
            "format": format,
        },
        "routeSettings": {"GET /status": {"detailedMetricsEnabled": true}},
    });
    call(apis, "CreateStage", &api, stage).await;
    id
}

const FORMAT: &str = "$context.requestId $context.routeKey $context.httpMethod $context.path $context.status \
                      $context.integration.status $context.integration.integrationStatus \
                      $context.integration.requestId $context.error.message $context.error.responseType \
                      $context.integrationErrorMessage $context.requestTimeEpoch $context.requestTime \
                      $context.stage $context.apiId $context.responseLength $context.identity.sourceIp \
                      $context.identity.userAgent $context.authorizer.claims.sub $context.nothing";

#[tokio::test]
async fn every_request_is_logged_in_the_stages_format() {
    let world = World::new(FORMAT).await;
    let api = world.api.clone();
    let answer = world.get("/status", "User-Agent: me\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    world.get("/crash", "").await;
    world.get("/denied", "").await;
    world.get("/", "").await;
    let caught = world.end().await;

    let time = "1583348638390 04/Mar/2020:19:03:58 +0000 $default";
    let call = "11111111-2222-4333-8444-555555555555";
    let expected = [
        format!("GET /status GET /status 503 503 200 {call} - - - {time} {api} 4 127.0.0.1 me - -"),
        format!(
            "GET /{{proxy+}} GET /crash 500 - 200 {call} Internal Server Error INTEGRATION_FAILURE The Lambda \
             function returned the following error: boom. Check your Lambda function code and try again. \
             {time} {api} 35 127.0.0.1 - - -"
        ),
        format!(
            "GET /{{proxy+}} GET /denied 500 - 403 - Internal Server Error INTEGRATION_FAILURE The IAM role \
             configured on the integration or API Gateway doesn't have permissions to call the integration. \
             Check the permissions and try again. {time} {api} 35 127.0.0.1 - - -"
        ),
        format!("- GET / 404 - - - Not Found RESOURCE_NOT_FOUND - {time} {api} 23 127.0.0.1 - - -"),
    ];
    let lines: Vec<(&str, &str)> =
        caught.lines.iter().map(|(.., event)| event.message.split_once(' ').unwrap()).collect();
    assert_eq!(lines.iter().map(|(_, rest)| *rest).collect::<Vec<_>>(), expected);
    for (id, _) in lines {
        assert_eq!(id.len(), 16, "{id}");
        assert!(id.ends_with('='), "{id}");
    }
    assert!(caught.lines.iter().all(|(group, stream, _)| group == "/aws/vendedlogs/a" && stream.len() == 32));
}

#[tokio::test]
async fn metrics_are_counted_by_api_stage_and_detailed_route() {
    let world = World::new("$context.requestId").await;
    let api = world.api.clone();
    for path in ["/status", "/status", "/fine", "/crash", "/"] {
        world.get(path, "").await;
    }
    let caught = world.end().await;

    let by_api: &[(&str, &str)] = &[("ApiId", &api)];
    let by_stage: &[(&str, &str)] = &[("ApiId", &api), ("Stage", "$default")];
    let status: &[(&str, &str)] = &[("ApiId", &api), ("Stage", "$default"), ("Route", "GET /status")];
    let rest: &[(&str, &str)] = &[("ApiId", &api), ("Stage", "$default"), ("Route", "GET /{proxy+}")];
    for dimensions in [by_api, by_stage] {
        assert_eq!(caught.sum("Count", dimensions), Some(5.0));
        assert_eq!(caught.sum("4xx", dimensions), Some(1.0));
        assert_eq!(caught.sum("5xx", dimensions), Some(3.0));
        // 4 + 4 + 4 + 35 + 23 bytes.
        assert_eq!(caught.sum("DataProcessed", dimensions), Some(70.0));
    }
    assert_eq!(caught.sum("Count", status), Some(2.0));
    assert_eq!(caught.sum("4xx", status), Some(0.0));
    assert_eq!(caught.sum("5xx", status), Some(2.0));
    assert_eq!(caught.sum("Count", rest), None);
    let count =
        |name: &str| caught.data.iter().filter(|one| one.name == name && one.dimensions.len() == 1).count();
    assert_eq!((count("Latency"), count("IntegrationLatency")), (5, 4));
}

#[tokio::test]
async fn a_disabled_endpoint_answers_nobody_and_writes_nothing() {
    let world = World::new("$context.requestId").await;
    let path = [("ApiId", world.api.as_str())];
    call(&world.apis, "UpdateApi", &path, json!({"disableExecuteApiEndpoint": true})).await;
    let answer = world.get("/status", "").await;
    assert!(
        answer.starts_with("HTTP/1.1 404 ") && answer.ends_with(r#"{"message":"Not Found"}"#),
        "{answer}"
    );
    let caught = world.end().await;
    assert!(caught.lines.is_empty() && caught.data.is_empty());
}

#[tokio::test]
async fn a_request_whose_client_has_left_is_recorded_too() {
    let world = World::new("$context.path $context.status $context.requestId").await;
    let mut stream = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
    let request = format!("GET /slow HTTP/1.1\r\nHost: {}.execute-api.localhost\r\n\r\n", world.api);
    stream.write_all(request.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(30)).await;
    drop(stream);
    // The gateway sees that it is gone, and the function is still running.
    tokio::time::sleep(Duration::from_millis(30)).await;
    let caught = world.end().await;
    assert_eq!(caught.lines.len(), 1);
    assert!(caught.lines[0].2.message.starts_with("/slow 200 "), "{:?}", caught.lines);
}
