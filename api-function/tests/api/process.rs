//! The process itself: its log and its start.

use api_function::event::handle;
use api_function::telemetry;
use lambda_http::LambdaEvent;
use sandbox::faults::TdsEffect;
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;

use crate::world::{self, Log, PASSWORD, SECOND, World, event, get};

#[tokio::test]
async fn the_log_says_what_happened_and_keeps_the_secrets() {
    let world = World::start().await;
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(telemetry::subscriber(LevelFilter::TRACE, log.clone()));
    let api = world.warm_api().await;
    assert_eq!(get(&api, "/courses").await.0.status_code, 200);
    world.sql_fault(TdsEffect::CutMidRow);
    world.sql_fault(TdsEffect::Refuse);
    assert_eq!(get(&api, "/courses").await.0.status_code, 503);
    world.alter_login(SECOND).await;
    assert_eq!(get(&api, "/courses").await.0.status_code, 503);
    let text = log.text();
    for canary in ["Canary", PASSWORD, "AKIDEXAMPLE"] {
        assert!(!text.contains(canary), "{text}");
    }
    let lines = log.lines();
    let requests: Vec<_> = lines.iter().filter(|line| line["message"] == "request").collect();
    assert_eq!(requests.len(), 3);
    let first = requests[0];
    assert_eq!(first["level"], "INFO");
    assert_eq!(first["requestId"], "8f5c3a2e-0000-4000-8000-000000000001");
    assert_eq!(first["apiRequestId"], "JKJaXmPLvHcESHA=");
    assert_eq!(first["route"], "GET /courses");
    assert_eq!((&first["status"], &first["coldStart"]), (&json!(200), &json!(true)));
    assert_eq!((&first["sqlRoundTrips"], &first["sqlConnects"]), (&json!(1), &json!(0)));
    assert!(first["durationMs"].as_f64() >= first["sqlMs"].as_f64());
    assert!(first["sqlMs"].as_f64() > Some(0.0));
    assert_eq!(first["secretVersion"].as_str().unwrap().len(), 8);
    assert_eq!((&requests[1]["level"], &requests[1]["status"]), (&json!("WARN"), &json!(503)));
    assert!(requests[1]["error"].as_str().unwrap().contains("not reached"));
    // Whatever else was said in a request carries its id.
    let refused = lines.iter().find(|line| line["message"] == "login refused").unwrap();
    assert_eq!(refused["span"]["requestId"], "8f5c3a2e-0000-4000-8000-000000000001");
}

#[tokio::test]
async fn a_bad_configuration_ends_the_process_and_is_named() {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_api"))
        .env_clear()
        .env("SECRET_ID", "x")
        .env("SQL_TLS", "perhaps")
        .output()
        .await
        .unwrap();
    assert!(!output.status.success());
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&line["level"], &line["variable"]), (&json!("ERROR"), &json!("SQL_TLS")));
    assert_eq!(line["reason"], "must be strict, required or plaintext");
}

#[tokio::test]
async fn the_trace_tells_what_was_waited_for() {
    let world = World::start().await;
    let daemon = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    daemon.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    let api = world.api(&[("AWS_XRAY_DAEMON_ADDRESS", &daemon.local_addr().unwrap().to_string())]);
    let context = |sampled: u8| {
        let mut context = world::context(&api, None);
        let trace =
            format!("Root=1-5e5ffbde-000000000000000000000001;Parent=53995c3f42cd8ad8;Sampled={sampled}");
        context.xray_trace_id = Some(trace);
        context
    };
    let courses = || serde_json::from_value(event("GET", "$default", "/courses", "limit=1")).unwrap();
    for sampled in [1, 0] {
        let event = LambdaEvent::new(courses(), context(sampled));
        Box::pin(handle(&api, event)).await.unwrap();
    }
    let mut told = Vec::new();
    for _ in 0..3 {
        let mut bytes = [0; 4_096];
        let length = daemon.recv(&mut bytes).unwrap();
        let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
        assert!(
            !text.contains("Canary") && !text.contains("127.0.0.1") && !text.contains("SELECT"),
            "{text}"
        );
        let document: Value = serde_json::from_str(text.split_once('\n').unwrap().1).unwrap();
        assert_eq!(document["parent_id"], "53995c3f42cd8ad8");
        told.push(document["name"].as_str().unwrap().to_owned());
    }
    // Cold: the secret, the connection, the statement. The key of the cursors is asked for as well.
    assert_eq!(told, ["SecretsManager", "SQL Server: connect", "SQL Server"]);
}

#[tokio::test]
async fn a_thousand_freezes_cost_no_request() {
    let world = World::start().await;
    let api = world.warm_api().await;
    // Each round the environment is thawed after a while in which the server may have closed the
    // connection, restarted, or vanished without a word.
    for round in 0..1_000 {
        world.advance(if round % 3 == 0 { 3_600 } else { 10 });
        match round % 50 {
            7 => world.sql_fault(TdsEffect::CutMidRow),
            // Costs the time a read after a pause has.
            23 if round % 200 == 23 => world.sql_fault(TdsEffect::Stall),
            _ => {}
        }
        let (response, body) = get(&api, "/courses?limit=1").await;
        assert_eq!(response.status_code, 200, "round {round}: {body}");
    }
}
