//! Requests and answers.

use aws_sdk_apigatewayv2::types::{Cors, RouteSettings};
use chrono::TimeDelta;
use http::Request;
use serde_json::json;

use crate::world::{Answer, FUNCTION, World};

#[tokio::test]
async fn a_request_becomes_an_event_and_its_answer_a_response() {
    let world = World::new().await;
    let id = world.api("prod", &["POST /courses/{id}", "GET /{proxy+}"]).await;
    let stage = world.aws.update_stage().api_id(&id).stage_name("prod").stage_variables("colour", "blue");
    stage.send().await.unwrap();
    let host = format!("{id}.execute-api.localhost:{}", world.port);
    let request = Request::post("/prod/courses/a%20b?x=1&x=2&y=%C3%A9")
        .header("host", &host)
        .header("content-type", "application/json")
        .header("cookie", "one=1; two=2")
        .header("user-agent", "test/1");
    let answer = world.send(request, r#"{"a":1}"#).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let event = &answer.json()["event"];
    assert_eq!(event["version"], json!("2.0"));
    assert_eq!(event["routeKey"], json!("POST /courses/{id}"));
    assert_eq!(event["rawPath"], json!("/prod/courses/a b"));
    assert_eq!(event["rawQueryString"], json!("x=1&x=2&y=%C3%A9"));
    assert_eq!(event["queryStringParameters"], json!({"x": "1,2", "y": "é"}));
    assert_eq!(event["pathParameters"], json!({"id": "a b"}));
    assert_eq!(event["stageVariables"], json!({"colour": "blue"}));
    assert_eq!(event["cookies"], json!(["one=1", "two=2"]));
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!(r#"{"a":1}"#), &json!(false)));
    let context = &event["requestContext"];
    assert_eq!(context["apiId"], json!(id));
    assert_eq!(context["domainPrefix"], json!(id));
    assert_eq!(context["stage"], json!("prod"));
    assert_eq!(context["time"], json!("14/Nov/2023:22:13:20 +0000"));
    assert_eq!(context["timeEpoch"], json!(1_700_000_000_000_i64));
    assert_eq!(context["http"]["path"], json!("/prod/courses/a b"));
    assert_eq!(context["requestId"].as_str(), answer.header("apigw-requestid"));
    assert_eq!(event["headers"]["x-forwarded-for"], json!("127.0.0.1"));
    assert!(event["headers"].get("cookie").is_none());

    let invocation = world.last();
    assert_eq!(invocation.function, FUNCTION);
    assert_eq!(invocation.trace.as_deref(), event["headers"]["x-amzn-trace-id"].as_str());
    let principal = invocation.principal.unwrap();
    assert_eq!(principal.service, "apigateway.amazonaws.com");
    assert_eq!(
        principal.source_arn,
        format!("arn:aws:execute-api:eu-west-1:123456789012:{id}/prod/POST/courses/{{id}}")
    );

    let answer = world.get(&host, "/prod/full").await;
    assert_eq!((answer.status, answer.text()), (201, "<p>"));
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2; Path=/"]);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "the API has no CORS of its own");

    for (path, status, message) in [
        ("/prod/crash", 500, "Internal Server Error"),
        ("/prod/malformed", 500, "Internal Server Error"),
        ("/prod/denied", 500, "Internal Server Error"),
        ("/prod/throttled", 503, "Service Unavailable"),
        ("/courses/1", 404, "Not Found"),
        ("/", 404, "Not Found"),
    ] {
        let answer = world.get(&host, path).await;
        assert_eq!((answer.status, answer.json()), (status, json!({"message": message})), "{path}");
        assert_eq!(answer.header("apigw-requestid").map(str::len), Some(16), "{path}");
    }
}

#[tokio::test]
async fn the_host_says_which_api_is_meant() {
    let world = World::new().await;
    let none = world.get("localhost", "/status").await;
    assert_eq!(none.status, 404);
    assert!(none.text().contains("there is none yet"), "{}", none.text());
    let one = world.api("$default", &["GET /status"]).await;
    let of = |answer: &Answer| answer.json()["event"]["requestContext"]["apiId"].as_str().map(str::to_owned);
    assert_eq!(of(&world.get("localhost", "/status").await), Some(one.clone()));
    assert_eq!(of(&world.get("127.0.0.1:4580", "/status").await), Some(one.clone()));

    let two = world.api("$default", &["GET /status"]).await;
    let named = world.get(&format!("{two}.execute-api.eu-west-1.amazonaws.com"), "/status").await;
    assert_eq!(of(&named), Some(two.clone()));
    let plain = world.get("localhost", "/status").await;
    assert_eq!(plain.status, 404);
    assert!(plain.text().contains(&one) && plain.text().contains(&two), "{}", plain.text());
    let picked = Request::get("/status").header("host", "localhost").header("x-apigw-api-id", &two);
    assert_eq!(of(&world.send(picked, "").await), Some(two));
    assert_eq!(world.get("rebound.example", "/status").await.status, 403);
    assert_eq!(world.get("none.execute-api.localhost", "/status").await.status, 404);
}

#[tokio::test]
async fn cross_origin_requests_are_answered_by_the_gateway() {
    let world = World::new().await;
    let id = world.api("$default", &["GET /full", "OPTIONS /own"]).await;
    let preflight = |path: &str, origin: &str| {
        Request::options(path)
            .header("host", "localhost")
            .header("origin", origin)
            .header("access-control-request-method", "GET")
    };
    let (friend, stranger) = ("https://learninghub.example.com", "https://evil.example");
    assert_eq!(world.send(preflight("/full", friend), "").await.status, 404, "no CORS, no route");
    assert_eq!(world.send(preflight("/own", friend), "").await.status, 200, "a route of the API's own");

    let cors = Cors::builder()
        .allow_origins(friend)
        .set_allow_methods(Some(vec!["GET".into(), "POST".into()]))
        .allow_headers("Content-Type")
        .max_age(3600)
        .build();
    world.aws.update_api().api_id(&id).cors_configuration(cors).send().await.unwrap();
    let before = world.invocations.lock().unwrap().len();
    for path in ["/full", "/own", "/no/route"] {
        let answer = world.send(preflight(path, friend), "").await;
        assert_eq!((answer.status, answer.body.len()), (204, 0));
        assert_eq!(answer.header("access-control-allow-origin"), Some(friend));
        assert_eq!(answer.header("access-control-allow-methods"), Some("GET,POST"));
        assert_eq!(answer.header("access-control-allow-headers"), Some("Content-Type"));
        assert_eq!(answer.header("access-control-max-age"), Some("3600"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    let answer = world.send(preflight("/full", stranger), "").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, None));
    assert_eq!(world.invocations.lock().unwrap().len(), before, "no function was asked");
    for (origin, allowed) in [(friend, Some(friend)), (stranger, None)] {
        let request = Request::get("/full").header("host", "localhost").header("origin", origin);
        let answer = world.send(request, "").await;
        assert_eq!(answer.status, 201);
        assert_eq!(answer.header("access-control-allow-origin"), allowed, "not the function's *");
        assert_eq!(answer.header("x-total"), Some("7"));
    }
}

#[tokio::test]
async fn throttling_follows_the_stages_settings() {
    let world = World::new().await;
    let id = world.api("$default", &["GET /a", "GET /b"]).await;
    let set = |rate: f64, burst: i32| {
        RouteSettings::builder().throttling_rate_limit(rate).throttling_burst_limit(burst).build()
    };
    let stage = || world.aws.update_stage().api_id(&id).stage_name("$default");
    let statuses = async |path: &str, times: usize| {
        let mut statuses = Vec::new();
        for _ in 0..times {
            statuses.push(world.get("localhost", path).await.status);
        }
        statuses
    };
    stage().default_route_settings(set(1.0, 2)).send().await.unwrap();
    assert_eq!(statuses("/a", 3).await, [200, 200, 429]);
    assert_eq!(statuses("/b", 1).await, [429], "the stage's bucket");
    world.clock.advance(TimeDelta::seconds(1));
    assert_eq!(statuses("/b", 2).await, [200, 429]);
    stage().route_settings("GET /b", set(1.0, 1)).send().await.unwrap();
    assert_eq!(statuses("/b", 2).await, [200, 429], "a bucket of its own");
    stage().route_settings("GET /b", set(0.0, 0)).send().await.unwrap();
    world.clock.advance(TimeDelta::hours(1));
    assert_eq!(statuses("/b", 1).await, [429], "0 lets nothing through");
    let refused = world.get("localhost", "/b").await;
    assert_eq!(refused.json(), json!({"message": "Too Many Requests"}));
    let delete = world.aws.delete_route_settings().api_id(&id).stage_name("$default").route_key("GET /b");
    delete.send().await.unwrap();
    assert_eq!(statuses("/b", 1).await, [200]);
}
