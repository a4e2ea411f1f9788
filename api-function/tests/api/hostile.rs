//! Requests that were written to break something: in this process, and through the built function in
//! the sandbox's Lambda, where each has to leave the environment as it was.

#![expect(clippy::unwrap_used, reason = "a test that can't go on should say where")]

use std::io::{Cursor, Write};
use std::sync::Arc;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::{Credentials, Region};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, FunctionCode, Runtime};
use sandbox::aws::{AwsEndpoint, serve};
use sandbox::services::cloudwatch::CloudWatch;
use sandbox::services::lambda::{Lambda, LambdaOptions, Tuning};
use sandbox::services::logs::Logs;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::world::{self, World, event, send};

/// The expected status, the path and the query.
fn table() -> Vec<(u16, String, String)> {
    let case = |status, path: &str, query: &str| (status, path.to_owned(), query.to_owned());
    let mut table = vec![
        case(400, "/courses", "cursor=a b"),
        case(400, "/courses", "<"),
        case(400, "/courses", "\"=\""),
        case(400, "/courses", "%"),
        case(400, "/courses", "%zz"),
        case(400, "/courses", "limit=%"),
        case(400, "/courses", "漢字=👩‍🚀"),
        case(400, "/courses", "a\0b"),
        case(400, "/courses", "cursor=%00"),
        case(400, "/courses", "?"),
        case(400, "/courses", "#limit=1"),
        case(400, "/courses", "limit=1#"),
        case(400, "/courses", &"é".repeat(4_096)),
        case(200, "/courses", "&&"),
        case(200, "/courses", "l%69mit=1"),
        case(404, "/courses/a b", ""),
        case(404, "/courses?limit=1", ""),
        case(404, "/courses#", ""),
        case(404, "/courses/../courses", ""),
        case(404, "/%63ourses", ""),
        case(404, "/%zz", ""),
        case(404, "/%", ""),
        case(404, "/\"<>", "\"<>"),
        case(404, "/é/漢字/👩‍🚀", " "),
        case(404, "/\0", "\0"),
        case(404, "/\t\n\r\u{7f}", "\t\n\r\u{7f}"),
        case(404, "//courses", ""),
        case(404, "//", "//"),
        case(404, "/\\", "\\"),
        case(400, "courses", ""),
        case(400, "*", ""),
        case(404, "", ""),
        case(400, "/courses", &"a".repeat(70_000)),
    ];
    table.push((404, format!("/{}", " ".repeat(8_192)), "%".repeat(8_192)));
    table
}

#[tokio::test]
async fn hostile_addresses_get_an_answer() {
    let world = World::start().await;
    let api = world.warm_api().await;
    for (status, path, query) in table() {
        let (response, body) = send(&api, event("GET", "$default", &path, &query), None).await;
        assert_eq!(response.status_code, status, "{path:?} {query:?} {body}");
        if status != 200 {
            assert_eq!(response.headers["content-type"], "application/problem+json");
            assert_eq!(body["request_id"], "8f5c3a2e-0000-4000-8000-000000000001");
        }
        // Whatever else is wrong with it, HEAD has no body.
        let (response, body) = send(&api, event("HEAD", "$default", &path, &query), None).await;
        assert_eq!((response.status_code, body), (status, Value::Null), "{path:?} {query:?}");
    }
    let mut event = event("POST", "$default", "/courses", "");
    event["isBase64Encoded"] = json!(true);
    for (body, status) in [("%", 400), ("YQ==", 401)] {
        event["body"] = json!(body);
        assert_eq!(send(&api, event.clone(), None).await.0.status_code, status, "{body}");
    }
}

#[tokio::test]
async fn a_stage_is_taken_off_whatever_follows() {
    let world = World::start().await;
    let api = world.warm_api().await;
    let cases = [
        ("$default", "/courses", 200),
        ("prod", "/prod/courses", 200),
        ("prod", "/courses", 200),
        ("prod", "/prod/prod/courses", 404),
        ("prod", "/production/courses", 404),
        ("prod", "/prod/a b", 404),
        ("prod", "/prod", 404),
        ("a b", "/courses", 400),
    ];
    for (stage, path, status) in cases {
        let (response, body) = send(&api, event("GET", stage, path, "limit=1"), None).await;
        assert_eq!(response.status_code, status, "{stage} {path} {body}");
    }
}

/// The built function in a Lambda of its own, which gives it the world's AWS endpoint.
struct Function {
    lambda: Arc<Lambda>,
    client: Client,
    stop: CancellationToken,
}

impl Function {
    async fn start(world: &World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let options = LambdaOptions {
            endpoint_url: format!("http://{}", world.aws),
            account_concurrency: 1_000,
            idle_seconds: 60,
        };
        let tuning = Tuning { settling: chrono::TimeDelta::zero(), ..Tuning::of(&options) };
        let context = world.context.clone();
        let metrics = CloudWatch::open(context.clone()).unwrap();
        let logs = Logs::open(context.clone(), metrics.clone()).unwrap();
        let lambda = Lambda::open_tuned(context.clone(), logs, metrics, options, tuning).unwrap();
        let stop = CancellationToken::new();
        let endpoint = AwsEndpoint::new(context, vec![lambda.clone()]);
        tokio::spawn(serve(Arc::new(endpoint), listener, stop.clone()));
        let config = aws_sdk_lambda::Config::builder()
            .behavior_version_latest()
            .region(Region::new("eu-west-1"))
            .endpoint_url(url)
            .credentials_provider(Credentials::new("AKIDEXAMPLE", "x", None, None, "test"))
            .retry_config(RetryConfig::disabled());
        let function = Self { lambda, client: Client::from_conf(config.build()), stop };
        function.create(world).await;
        function
    }

    async fn create(&self, world: &World) {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
        zip.start_file("bootstrap", options.compression_level(Some(1))).unwrap();
        zip.write_all(&std::fs::read(env!("CARGO_BIN_EXE_api")).unwrap()).unwrap();
        let zip = zip.finish().unwrap().into_inner();
        let environment =
            Environment::builder().variables("SECRET_ID", world::SECRET).variables("SQL_CA", &world.ca);
        self.client
            .create_function()
            .function_name("learninghub-api")
            .runtime(Runtime::Providedal2023)
            .handler("bootstrap")
            .role("arn:aws:iam::123456789012:role/execution")
            .timeout(20)
            .environment(environment.build())
            .code(FunctionCode::builder().zip_file(Blob::new(zip)).build())
            .send()
            .await
            .unwrap();
    }

    /// What it answers, or what kind of error it was.
    async fn invoke(&self, event: &Value) -> Result<Value, Value> {
        let invoke = self.client.invoke().function_name("learninghub-api");
        let output = invoke.payload(Blob::new(event.to_string())).send().await.unwrap();
        let payload = serde_json::from_slice(output.payload().unwrap().as_ref()).unwrap();
        if output.function_error().is_some() { Err(payload) } else { Ok(payload) }
    }
}

#[tokio::test]
async fn the_built_function_outlives_hostile_events() {
    let world = World::start().await;
    let function = Function::start(&world).await;
    let is_cold = async || {
        let status = function.invoke(&event("GET", "$default", "/status", "")).await.unwrap();
        assert_eq!(status["statusCode"], 200, "{status}");
        let body: Value = serde_json::from_str(status["body"].as_str().unwrap()).unwrap();
        body["function"]["cold_start"].as_bool().unwrap()
    };
    assert!(is_cold().await);
    for (status, path, query) in table() {
        let answer = function.invoke(&event("GET", "$default", &path, &query)).await.unwrap();
        assert_eq!(answer["statusCode"], status, "{path:?} {query:?} {answer}");
    }
    let mut host = event("GET", "prod", "/prod/courses", "limit=1");
    host["headers"]["host"] = json!("a b[");
    host["requestContext"]["domainName"] = json!("%zz");
    assert_eq!(function.invoke(&host).await.unwrap()["statusCode"], 200);
    for other in [json!({}), json!("x"), json!({ "requestContext": { "http": {} } })] {
        let error = function.invoke(&other).await.unwrap_err();
        assert!(error["errorMessage"].as_str().unwrap().contains("API Gateway"), "{error}");
    }
    // All of it in one environment: nothing has ended it.
    assert!(!is_cold().await);
    function.stop.cancel();
    function.lambda.stop().await;
}
