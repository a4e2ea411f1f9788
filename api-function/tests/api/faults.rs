//! What breaks between the function and the database: the right answer in time, and the next request
//! succeeds.

use std::time::{Duration, Instant};

use api_function::telemetry;
use sandbox::faults::{At, AwsEffect, Fault, TdsEffect};
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;

use crate::calls::{Call, add, course, teach};
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
        (&[Deadlock, Deadlock], 200, Duration::from_secs(3)),
        (&[Deadlock, Deadlock, Deadlock], 503, Duration::from_secs(3)),
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

#[tokio::test]
async fn a_change_happens_once_or_is_said_to_be_unknown() {
    use TdsEffect::{BlackHole, CutMidRow, Deadlock, Refuse, Stall};
    let world = World::start().await;
    let api = world.warm_api().await;
    // What strikes, what the author is told, and whether the course must be there, where that is known.
    let cases: &[(&[TdsEffect], u16, Option<bool>)] = &[
        (&[Deadlock], 201, Some(true)),
        (&[Deadlock, Deadlock], 201, Some(true)),
        (&[Deadlock, Deadlock, Deadlock], 503, Some(false)),
        (&[CutMidRow], 503, None),
        (&[Stall], 503, None),
        // The victim of a deadlock was rolled back, and then there is no other connection.
        (&[Deadlock, Refuse], 503, Some(false)),
        (&[Deadlock, BlackHole], 503, Some(false)),
    ];
    for (n, (faults, status, made)) in cases.iter().enumerate() {
        for fault in *faults {
            world.sql_fault(fault.clone());
        }
        let slug = format!("fault-{n}");
        let (response, body) = Call::author("POST", "/courses").json(&course(&slug)).send(&api).await;
        assert_eq!(response.status_code, *status, "{faults:?} {body}");
        world.context.faults.clear();
        let is_there = Call::new("GET", &format!("/courses/{slug}")).status(&api).await == 200;
        match made {
            Some(made) => assert_eq!(is_there, *made, "{faults:?}"),
            None => assert!(body["detail"].as_str().unwrap().contains("look whether it was made"), "{body}"),
        }
        if *status == 503 {
            assert!(response.headers.contains_key("retry-after"));
            let expected = if is_there { 409 } else { 201 };
            assert_eq!(Call::author("POST", "/courses").json(&course(&slug)).status(&api).await, expected);
        }
    }
}

#[tokio::test]
async fn a_change_that_may_be_repeated_costs_nothing() {
    use TdsEffect::{CutMidRow, Deadlock};
    let world = World::start().await;
    let api = world.warm_api().await;
    add(&api, "locks").await;
    teach(&api, "locks", &["One"]).await;
    let ada = |method: &str, path: &str| Call::learner("ada", method, path);
    for fault in [CutMidRow, Deadlock] {
        world.sql_fault(fault.clone());
        let (response, body) = ada("PUT", "/me/enrolments/locks").send(&api).await;
        assert!(matches!(response.status_code, 200 | 201), "{fault:?} {body}");
        world.sql_fault(fault.clone());
        let lesson = ada("PUT", "/me/enrolments/locks/lessons/1").json(&json!({ "done": true }));
        assert_eq!(lesson.status(&api).await, 200, "{fault:?}");
        world.sql_fault(fault.clone());
        assert_eq!(ada("GET", "/me/progress").send(&api).await.1["lessons_done"], json!(1), "{fault:?}");
        world.sql_fault(fault.clone());
        assert_eq!(ada("DELETE", "/me/enrolments/locks").status(&api).await, 204, "{fault:?}");
    }
}

#[tokio::test]
async fn after_a_pause_a_change_goes_over_a_connection_that_lives() {
    let world = World::start().await;
    let api = world.warm_api().await;
    // Frozen for half a minute, and the peer vanished without a word meanwhile: what is sent first is a
    // question, and the change itself goes over a new connection.
    for n in 0..3 {
        world.advance(30);
        world.sql_fault(TdsEffect::Stall);
        let slug = format!("after-pause-{n}");
        let (response, body) = Call::author("POST", "/courses").json(&course(&slug)).send(&api).await;
        assert_eq!(response.status_code, 201, "{body}");
    }
}

#[tokio::test]
async fn a_change_that_comes_too_late_says_so() {
    let world = World::start().await;
    let api = world.api(&[("SQL_TIMEOUT", "20000")]);
    api.warm_up().await;
    world.sql_fault(TdsEffect::Delay(5_000));
    let mut late = event("POST", "$default", "/courses", "");
    late["requestContext"]["authorizer"] = json!({ "jwt": { "claims": { "scope": "courses:write" } } });
    late["headers"]["content-type"] = json!("application/json");
    late["body"] = json!(course("late").to_string());
    let (response, body) = send(&api, late, Some(Duration::from_millis(1_300))).await;
    assert_eq!(response.status_code, 503, "{body}");
    assert!(body["detail"].as_str().unwrap().contains("Look whether the change was made"), "{body}");
}
