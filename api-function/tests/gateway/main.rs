//! The whole way: a client, the HTTP API's gateway with its authorizer, the built function in the
//! sandbox's Lambda, the secret, and the database over TLS. What the function does by itself is tested in
//! `api`; here it is whether both fit together, also while the secret is rotated.

#![expect(clippy::unwrap_used, reason = "a test that can't go on should say where")]

#[path = "../../../crates/sandbox/tests/world/python.rs"]
mod python;
#[path = "../../../crates/sandbox/tests/world/zips.rs"]
mod zips;

mod rotation;
#[cfg(target_os = "linux")]
mod rotation_killed;
mod versions;

use std::path::{Path, PathBuf};
use std::process::Command;

use aws_sdk_cloudwatch::config::{Credentials, Region};
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use reqwest::{Client, Method, RequestBuilder, Response};
use sandbox::sandbox::Ports;
use sandbox::{Config, Sandbox, demo};
use serde_json::{Value, json};

struct World {
    sandbox: Sandbox,
    client: Client,
    _folder: tempfile::TempDir,
}

impl World {
    async fn build() -> Self {
        Self::build_with(false).await
    }

    /// The world, and in it what rotates the secret.
    async fn build_with_rotation() -> Self {
        Self::build_with(true).await
    }

    async fn build_with(rotation: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let packaged = |binary: &str, name: &str| {
            let zip = folder.path().join(name);
            demo::package(&PathBuf::from(binary), &zip).unwrap();
            zip
        };
        let zip = packaged(env!("CARGO_BIN_EXE_api"), "api.zip");
        let rotation_zip = rotation.then(|| packaged(env!("CARGO_BIN_EXE_rotation"), "rotation.zip"));
        let config = Config { ports: Ports::ANY, ..Config::new(folder.path().join("state")) };
        let sandbox = Sandbox::start(config).await.unwrap();
        let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        Box::pin(demo::build(&sandbox, &demo::Parts { zip, migrations, rotation_zip })).await.unwrap();
        Self { sandbox, client: Client::builder().no_proxy().build().unwrap(), _folder: folder }
    }

    fn call(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.client.request(method, format!("{}{path}", self.sandbox.http_api()))
    }

    fn token(&self, claims: Value) -> String {
        self.sandbox.issuer().mint(claims).unwrap()
    }

    fn author(&self, method: &str, path: &str) -> RequestBuilder {
        let claims = json!({ "sub": "author", "aud": "learninghub", "scope": "openid courses:write" });
        self.call(method, path).bearer_auth(self.token(claims))
    }

    fn learner(&self, method: &str, path: &str) -> RequestBuilder {
        self.call(method, path).bearer_auth(self.token(json!({ "sub": "ada", "aud": "learninghub" })))
    }
}

/// A body of JSON, without the feature of the library that every other crate would be built with too.
trait WithJson {
    fn json(self, body: &Value) -> Self;
}

impl WithJson for RequestBuilder {
    fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

async fn answered(request: RequestBuilder, expected: u16) -> (Response, Value) {
    let mut response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        body.extend_from_slice(&chunk);
    }
    let text = String::from_utf8(body).unwrap();
    assert_eq!(status, expected, "{} {text}", response.url());
    let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
    (response, body)
}

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn course(slug: &str) -> Value {
    json!({
        "slug": slug, "title": "Schleusen 🚢 O'Brien", "summary": "שלום", "level": "advanced", "price": "3",
        "published_at": "2024-01-01T00:00:00Z",
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_through_the_gateway() {
    let world = World::build().await;
    let (_, body) = answered(world.call("GET", "/status"), 200).await;
    assert_eq!(body["status"], "ok");
    authors(&world).await;
    learners(&world).await;
    paging(&world).await;
    two_writers(&world).await;
    hostile(&world).await;
    refusals(&world).await;
    figures(&world).await;
    world.sandbox.stop().await;
}

/// Lambda freezes an environment when it has answered, and thaws it for the next request: every request
/// here is a thaw of the real process (SIGSTOP, SIGCONT). Meanwhile the server closes the connection now
/// and then, or is restarted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_thaws_cost_no_request() {
    let world = World::build().await;
    for round in 0..1_000 {
        if round % 40 == 20 {
            world.sandbox.switch_tds(false).await.unwrap();
            world.sandbox.switch_tds(true).await.unwrap();
        }
        answered(world.call("GET", "/courses?limit=1"), 200).await;
    }
    world.sandbox.stop().await;
}

/// Schemathesis, a client nobody here wrote, makes requests of the OpenAPI document, good ones and bad
/// ones: no answer is a 5xx, and each is one the document tells of. `LOCKKEEPER_LONG=1` (which is
/// `cargo xtask test --long`) makes about 50,000 of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemathesis_finds_nothing() {
    if !python::foreign_clients() {
        return;
    }
    let world = World::build().await;
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let tool = tokio::task::spawn_blocking(move || python::tool(&tests.join("schemathesis.txt"), "st"));
    let long = std::env::var("LOCKKEEPER_LONG").is_ok_and(|value| value == "1");
    let claims =
        json!({ "sub": "ada", "aud": "learninghub", "scope": "courses:write", "exp": 4_000_000_000_i64 });
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(tool.await.unwrap());
    command
        .current_dir(folder.path())
        .arg("run")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json"))
        .args(["--url", &world.sandbox.http_api()])
        .args(["--header", &format!("Authorization: Bearer {}", world.token(claims))])
        .args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing"])
        .args(["--max-examples", if long { "5500" } else { "20" }])
        .args(["--seed", "20260101", "--generation-database", "none", "--request-timeout", "35"])
        .args(["--continue-on-failure", "--no-color"]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let told = said.lines().find(|line| line.contains(" generated, ")).unwrap_or_default();
    println!("{told}");
    let generated = told.split_whitespace().next().and_then(|number| number.parse().ok());
    // A route with few parameters runs out of cases: 4,200 for each made 39,040 in all.
    let least: u64 = if long { 30_000 } else { 400 };
    assert!(generated >= Some(least), "{said}");
    world.sandbox.stop().await;
}

/// What is looked at in an answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance";

async fn authors(world: &World) {
    let (_, page) = answered(world.call("GET", "/courses?search=sql&level=beginner&total=true"), 200).await;
    assert!(page["total"].as_u64() > Some(0), "{page}");
    let (made, _) = answered(world.author("POST", "/courses").json(&course("schleusen")), 201).await;
    assert_eq!(header(&made, "location"), "/courses/schleusen");
    let (read, body) = answered(world.call("GET", "/courses/schleusen"), 200).await;
    assert_eq!((&body["title"], &body["summary"]), (&json!("Schleusen 🚢 O'Brien"), &json!("שלום")));
    let tag = header(&read, "etag").to_owned();
    assert_eq!(header(&made, "etag"), tag);
    let again = world.call("GET", "/courses/schleusen").header("if-none-match", &tag);
    assert_eq!(answered(again, 304).await.1, Value::Null);
    let lessons =
        json!({ "lessons": [{ "title": "Eins", "minutes": 5 }, { "title": "Zwei", "minutes": 7 }] });
    let put =
        |tag: &str| world.author("PUT", "/courses/schleusen/lessons").header("if-match", tag).json(&lessons);
    let (taught, _) = answered(put(&tag), 200).await;
    assert_eq!(answered(put(&tag), 412).await.1["type"], "urn:learninghub:problem:precondition-failed");
    let mut content = course("");
    content.as_object_mut().unwrap().remove("slug");
    let tag = header(&taught, "etag").to_owned();
    answered(world.author("PUT", "/courses/schleusen").header("if-match", &tag).json(&content), 200).await;
    assert_eq!(status(world.author("PUT", "/courses/schleusen").json(&content)).await, 428);
}

async fn learners(world: &World) {
    answered(world.learner("PUT", "/me/enrolments/schleusen"), 201).await;
    let done = world.learner("PUT", "/me/enrolments/schleusen/lessons/2").json(&json!({ "done": true }));
    answered(done, 200).await;
    let (_, progress) = answered(world.learner("GET", "/me/progress"), 200).await;
    assert_eq!((&progress["minutes_done"], &progress["minutes_total"]), (&json!(7), &json!(12)));
    let (_, enrolments) = answered(world.learner("GET", "/me/enrolments"), 200).await;
    assert_eq!(enrolments["items"][0]["lessons_done"], 1);
    assert_eq!(status(world.author("DELETE", "/courses/schleusen").header("if-match", "*")).await, 409);
    assert_eq!(status(world.learner("DELETE", "/me/enrolments/schleusen")).await, 204);
    assert_eq!(status(world.author("DELETE", "/courses/schleusen").header("if-match", "*")).await, 204);
    assert_eq!(status(world.call("GET", "/courses/schleusen")).await, 404);
    assert_eq!(status(world.learner("HEAD", "/me/progress")).await, 200);
}

/// What is there all the while is listed once, whatever comes and goes between the pages.
async fn paging(world: &World) {
    let names: Vec<_> = (0..5).map(|number| format!("paging-{number}")).collect();
    for name in &names {
        answered(world.author("POST", "/courses").json(&course(name)), 201).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/courses?level=advanced&limit=2{cursor}");
        let (_, page) = answered(world.call("GET", &path), 200).await;
        for course in page["items"].as_array().unwrap() {
            seen.push(course["slug"].as_str().unwrap().to_owned());
        }
        if seen.len() == 2 {
            assert_eq!(
                status(world.author("DELETE", "/courses/paging-0").header("if-match", "*")).await,
                204
            );
            answered(world.author("POST", "/courses").json(&course("paging-new")), 201).await;
        }
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    for name in &names[1..] {
        assert_eq!(seen.iter().filter(|slug| *slug == name).count(), 1, "{name} in {seen:?}");
    }
    let (_, empty) = answered(world.call("GET", "/courses?search=nothing-of-the-kind"), 200).await;
    assert_eq!(empty["items"], json!([]));
    let forged = cursor.replace("&cursor=", "").chars().rev().collect::<String>();
    answered(world.call("GET", &format!("/courses?cursor={forged}")), 400).await;
}

/// Of two that change the same course on the same tag one gets through, at the same time or not.
async fn two_writers(world: &World) {
    let (read, body) = answered(world.call("GET", "/courses/paging-1"), 200).await;
    let tag = header(&read, "etag").to_owned();
    assert_eq!(body["title"], "Schleusen 🚢 O'Brien");
    let put = |title: &str| {
        let mut content = course("");
        content.as_object_mut().unwrap().remove("slug");
        content["title"] = json!(title);
        status(world.author("PUT", "/courses/paging-1").header("if-match", &tag).json(&content))
    };
    let (one, other) = tokio::join!(put("One"), put("Other"));
    assert_eq!([one, other].iter().filter(|status| **status == 200).count(), 1, "{one} {other}");
    assert!([one, other].contains(&412), "{one} {other}");
    let (_, body) = answered(world.call("GET", "/courses/paging-1"), 200).await;
    assert_eq!(body["title"], if one == 200 { "One" } else { "Other" });
}

/// Texts written to break something come back as they were sent, and harm nothing.
async fn hostile(world: &World) {
    let texts =
        ["'); DROP TABLE dbo.courses; --", "[x]]]\"`%_", "a\u{0}b", "👩‍🚀 \u{202e}שלום", "<script>&amp;"];
    for (number, text) in texts.iter().enumerate() {
        let slug = format!("hostile-{number}");
        let mut content = course(&slug);
        content["title"] = json!(text);
        content["summary"] = json!(text);
        answered(world.author("POST", "/courses").json(&content), 201).await;
        let (_, body) = answered(world.call("GET", &format!("/courses/{slug}")), 200).await;
        assert_eq!((&body["title"], &body["summary"]), (&json!(text), &json!(text)));
    }
    let (_, page) = answered(world.call("GET", "/courses?search=drop%20table&level=advanced"), 200).await;
    assert_eq!(page["items"][0]["slug"], "hostile-0", "{page}");
}

async fn refusals(world: &World) {
    // Without a token, with one for something else, one that has expired, and one without the scope.
    let other = json!({ "sub": "x", "aud": "another", "scope": "courses:write" });
    let late = json!({ "sub": "x", "aud": "learninghub", "scope": "courses:write", "exp": 1_000_000_000 });
    let reader = json!({ "sub": "x", "aud": "learninghub", "scope": "courses:read" });
    let post = || world.call("POST", "/courses").json(&course("nobody"));
    assert_eq!(status(post()).await, 401);
    assert_eq!(status(post().bearer_auth("x.y.z")).await, 401);
    for (claims, expected) in [(other, 401), (late, 401), (reader, 403)] {
        assert_eq!(status(post().bearer_auth(world.token(claims))).await, expected);
    }
    assert_eq!(status(world.call("GET", "/me/progress")).await, 401);
    // What has no route of its own, the function answers.
    let (response, _) = answered(world.call("DELETE", "/courses"), 405).await;
    assert_eq!(header(&response, "allow"), "GET, HEAD, POST");
    answered(world.call("GET", "/nothing"), 404).await;
    let head = world.call("HEAD", "/courses").send().await.unwrap();
    assert_eq!((head.status().as_u16(), header(&head, "content-type")), (200, "application/json"));
    // Lambda takes 6 MB and no more; the function half a megabyte.
    let large = |bytes: usize| {
        world.author("POST", "/courses").header("content-type", "application/json").body("x".repeat(bytes))
    };
    assert_eq!(status(large(6 * 1_024 * 1_024 + 1)).await, 413);
    assert_eq!(answered(large(512 * 1_024 + 1), 413).await.1["type"], "urn:learninghub:problem:too-large");
    // What is no UTF-8 is handed over in base64, and refused for what it is.
    let raw =
        world.author("POST", "/courses").header("content-type", "application/json").body(vec![0xff, 0xfe]);
    answered(raw, 400).await;
    let mut unknown = course("unknown");
    unknown["owner"] = json!("me");
    let (_, body) = answered(world.author("POST", "/courses").json(&unknown), 400).await;
    assert_eq!(body["errors"][0]["field"], "owner");
    // A browser elsewhere may use it, and see the tags.
    let preflight = world.call("OPTIONS", "/courses/x").header("origin", "http://localhost:3000");
    let preflight = preflight.header("access-control-request-method", "PUT").send().await.unwrap();
    assert!(header(&preflight, "access-control-allow-methods").contains("PUT"), "{preflight:?}");
}

/// What the function wrote about itself in its log is in the charts.
async fn figures(world: &World) {
    let config = aws_sdk_cloudwatch::Config::builder()
        .behavior_version_latest()
        .region(Region::new("eu-west-1"))
        .endpoint_url(world.sandbox.aws_endpoint())
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "x", None, None, "test"));
    let cloudwatch = aws_sdk_cloudwatch::Client::from_conf(config.build());
    let dimension = Dimension::builder().name("FunctionName").value(demo::FUNCTION).build();
    let query = |id: &str, name: &str, stat: &str| {
        let metric =
            Metric::builder().namespace("LearningHub").metric_name(name).dimensions(dimension.clone());
        let stat = MetricStat::builder().metric(metric.build()).period(60).stat(stat).build();
        MetricDataQuery::builder().id(id).metric_stat(stat).build()
    };
    let now = world.sandbox.context().now().timestamp();
    let mut sums = Vec::new();
    // The log is written behind the requests.
    for _ in 0..100 {
        let data = cloudwatch
            .get_metric_data()
            .start_time(DateTime::from_secs(now - 600))
            .end_time(DateTime::from_secs(now + 120))
            .metric_data_queries(query("cold", "ColdStart", "Sum"))
            .metric_data_queries(query("sql", "SqlDuration", "SampleCount"))
            .send()
            .await
            .unwrap();
        sums = data.metric_data_results().iter().map(|r| r.values().iter().sum::<f64>()).collect();
        if sums.len() == 2 && sums.iter().all(|sum| *sum >= 1.0) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(sums[0] >= 1.0 && sums[1] >= 10.0, "{sums:?}");
}
