//! What breaks between the function and the database: the right answer in time, and the next request
//! succeeds.

use std::time::{Duration, Instant};

use api_function::telemetry;
use sandbox::faults::{At, AwsEffect, Fault, TdsEffect};
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;

use crate::world::{self, Log, PASSWORD, World, event, get, send};

#[tokio::test]
async fn every_level_of_encryption() {
    let world = World::start().await;
    for tls in ["strict", "required", "plaintext"] {
        let (response, body) = get(&world.api(&[("SQL_TLS", tls)]), "/status").await;
        assert_eq!(response.status_code, 200, "{tls}: {body}");
    }
    // An authority nobody knows: no fall back, and no details outside.
    for tls in ["strict", "required"] {
        let api = world.api(&[("SQL_TLS", tls), ("SQL_CA", "")]);
        let (response, body) = get(&api, "/status").await;
        assert_eq!(response.status_code, 503, "{tls}: {body}");
        assert_eq!(body["database"]["reason"], "the database is out of reach");
    }
    // The address that was configured is used while the secret is being read, and another is not.
    for hint in [world.sql.to_string(), format!("127.0.0.1:{}", world.aws.port())] {
        let api = world.api(&[("SQL_ADDRESS", &hint)]);
        api.warm_up().await;
        assert_eq!(get(&api, "/status").await.0.status_code, 200, "{hint}");
    }
}

#[tokio::test]
async fn a_broken_exchange_costs_a_read_nothing_and_the_next_request_succeeds() {
    use TdsEffect::{BlackHole, CutMidRow, Deadlock, Refuse, Stall};
    let world = World::start().await;
    let api = world.warm_api().await;
    // Faults in the order in which they strike, the expected status, and how long it may take.
    let cases: &[(&[TdsEffect], u16, Duration)] = &[
        (&[CutMidRow], 200, Duration::from_secs(3)),
        (&[Deadlock], 200, Duration::from_secs(3)),
        (&[CutMidRow, CutMidRow], 503, Duration::from_secs(3)),
        (&[Deadlock, Deadlock], 503, Duration::from_secs(3)),
        // The connection breaks and no new one comes about.
        (&[CutMidRow, Refuse], 503, Duration::from_secs(3)),
        // SQL_TIMEOUT is a second here; the login's own limit is four.
        (&[Stall], 503, Duration::from_secs(4)),
        (&[CutMidRow, BlackHole], 503, Duration::from_secs(8)),
    ];
    for (faults, status, within) in cases {
        for fault in *faults {
            world.sql_fault(fault.clone());
        }
        let started = Instant::now();
        let (response, body) = get(&api, "/courses").await;
        let took = started.elapsed();
        assert_eq!(response.status_code, *status, "{faults:?} {body}");
        assert!(took < *within, "{faults:?} took {took:?}");
        if *status == 503 {
            assert_eq!(body["type"], "urn:learninghub:problem:unavailable");
            assert!(response.headers.contains_key("retry-after"));
        }
        world.context.faults.clear();
        let (response, body) = get(&api, "/courses").await;
        assert_eq!(response.status_code, 200, "after {faults:?}: {body}");
        assert_eq!(body["items"].as_array().unwrap().len(), 20);
    }
}

#[tokio::test]
async fn the_status_says_what_is_broken_in_time() {
    let world = World::start().await;
    let api = world.warm_api().await;
    for (faults, reason) in [
        (vec![TdsEffect::Stall], "the database did not answer in time"),
        (vec![TdsEffect::Deadlock, TdsEffect::Refuse], "the database is out of reach"),
        (vec![TdsEffect::Deadlock, TdsEffect::BlackHole], "the database is out of reach"),
    ] {
        for fault in &faults {
            world.sql_fault(fault.clone());
        }
        let started = Instant::now();
        let (response, body) = get(&api, "/status").await;
        assert!(started.elapsed() < Duration::from_secs(7), "{faults:?}");
        assert_eq!((response.status_code, &body["status"]), (503, &json!("unavailable")), "{faults:?}");
        assert_eq!(body["database"], json!({"reachable": false, "latency_ms": null, "reason": reason}));
        assert!(body["secret"]["version"].is_string());
        assert!(response.headers.contains_key("retry-after"));
        world.context.faults.clear();
        assert_eq!(get(&api, "/status").await.0.status_code, 200);
    }
}

#[tokio::test]
async fn a_server_that_goes_and_comes_back() {
    let mut world = World::start().await;
    let api = world.warm_api().await;
    let port = world.sql.port();
    world.stop_sql().await;
    let started = Instant::now();
    let (response, body) = get(&api, "/status").await;
    assert_eq!(response.status_code, 503, "{body}");
    assert_eq!(body["database"]["reason"], "the database is out of reach");
    assert_eq!(get(&api, "/courses").await.0.status_code, 503);
    assert!(started.elapsed() < Duration::from_secs(5));
    world.start_sql(port).await;
    assert_eq!(get(&api, "/courses").await.0.status_code, 200);
    // Restarted between two requests: the closed connection is noticed before it is used, and costs
    // no statement.
    world.stop_sql().await;
    world.start_sql(port).await;
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(telemetry::subscriber(LevelFilter::INFO, log.clone()));
    assert_eq!(get(&api, "/courses").await.0.status_code, 200);
    let line = log.lines().into_iter().find(|line| line["message"] == "request").unwrap();
    assert_eq!((&line["sqlRoundTrips"], &line["sqlConnects"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn a_function_that_starts_while_everything_is_down_recovers() {
    let mut world = World::start().await;
    let port = world.sql.port();
    let at =
        At::Aws { service: "secretsmanager".to_owned(), operation: None, effect: AwsEffect::AccessDenied };
    let denied = world.context.faults.add(Fault::always(at)).unwrap();
    world.stop_sql().await;
    let api = world.warm_api().await;
    let (response, body) = get(&api, "/status").await;
    assert_eq!(response.status_code, 503);
    assert_eq!(body["secret"], Value::Null);
    assert_eq!(body["database"]["reason"], "reading the database secret is not allowed");
    assert!(!response.body.contains("learninghub/sqlserver"), "{body}");
    world.context.faults.remove(denied);
    let (response, body) = get(&api, "/status").await;
    assert_eq!(
        (response.status_code, &body["database"]["reason"]),
        (503, &json!("the database is out of reach"))
    );
    assert!(body["secret"]["version"].is_string());
    world.start_sql(port).await;
    assert_eq!(get(&api, "/status").await.0.status_code, 200);
}

#[tokio::test]
async fn an_answer_comes_before_lambda_gives_up() {
    let world = World::start().await;
    let api = world.api(&[("SQL_TIMEOUT", "20000")]);
    api.warm_up().await;
    for path in ["/courses", "/status"] {
        world.sql_fault(TdsEffect::Delay(5_000));
        let started = Instant::now();
        let left = Duration::from_millis(1_300);
        let (response, body) = send(&api, event("GET", "$default", path, ""), Some(left)).await;
        assert!(started.elapsed() < left, "{:?}", started.elapsed());
        assert_eq!(response.status_code, 503, "{body}");
        assert!(response.headers.contains_key("retry-after"));
        // The connection that was in the middle of an answer is not used again.
        let (response, body) = get(&api, "/courses?limit=1").await;
        assert_eq!(response.status_code, 200, "{body}");
        assert_eq!(body["items"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_pause_shortens_the_wait_for_a_vanished_peer() {
    let world = World::start().await;
    let api = world.api(&[("SQL_TIMEOUT", "20000")]);
    api.warm_up().await;
    world.advance(30);
    world.sql_fault(TdsEffect::Stall);
    let started = Instant::now();
    let (response, _) = get(&api, "/courses").await;
    assert_eq!(response.status_code, 200);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_database_without_the_tables_is_our_mistake_and_no_ones_business() {
    let world = World::start().await;
    // The source guide's schema: no engine, and no dbname, which means master.
    let value = json!({
        "username": "learninghub_app", "password": PASSWORD, "host": "127.0.0.1", "port": world.sql.port()
    });
    let put = world.secrets.put_secret_value().secret_id(world::SECRET).secret_string(value.to_string());
    put.send().await.unwrap();
    let api = world.warm_api().await;
    assert_eq!(get(&api, "/status").await.0.status_code, 200);
    let (response, body) = get(&api, "/courses").await;
    assert_eq!(response.status_code, 500, "{body}");
    assert_eq!(body["type"], "urn:learninghub:problem:internal");
    assert_eq!(body["detail"], "Reason: the database refused a statement.");
    assert!(!response.headers.contains_key("retry-after"));
    assert_eq!(get(&api, "/status").await.0.status_code, 200);
}
