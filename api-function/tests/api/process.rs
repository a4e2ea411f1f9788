//! The process itself: its log and its start.

use api_function::telemetry;
use sandbox::faults::TdsEffect;
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;

use crate::world::{Log, PASSWORD, SECOND, World, get};

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
