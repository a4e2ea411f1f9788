//! The secret, the login, and what a rotation does to them.

use std::time::{Duration, Instant};

use api_function::telemetry;
use sandbox::faults::{At, AwsEffect, Fault, TdsEffect};
use serde_json::json;
use tracing::level_filters::LevelFilter;

use crate::world::{Log, PASSWORD, SECOND, World, get, run};

#[tokio::test]
async fn the_secret_is_kept_for_its_time() {
    let world = World::start().await;
    let api = world.warm_api().await;
    assert_eq!(world.secret_reads(), 1);
    for _ in 0..5 {
        get(&api, "/courses?limit=1").await;
    }
    world.advance(119);
    get(&api, "/courses?limit=1").await;
    assert_eq!(world.secret_reads(), 1);
    world.advance(2);
    get(&api, "/courses?limit=1").await;
    get(&api, "/courses?limit=1").await;
    assert_eq!(world.secret_reads(), 2);
}

#[tokio::test]
async fn secrets_manager_may_stutter() {
    let world = World::start().await;
    for effect in [AwsEffect::Throttle, AwsEffect::ServerError, AwsEffect::DropBefore, AwsEffect::DropReply] {
        let at = At::Aws { service: "secretsmanager".to_owned(), operation: None, effect: effect.clone() };
        world.context.faults.add(Fault::once(at)).unwrap();
        let (response, body) = get(&world.api(&[]), "/courses").await;
        assert_eq!(response.status_code, 200, "{effect:?} {body}");
    }
    // No use when the secret is due to be read again: the one at hand serves on, and nobody waits long.
    for effect in [AwsEffect::AccessDenied, AwsEffect::TimeOut] {
        let api = world.warm_api().await;
        let at = At::Aws { service: "secretsmanager".to_owned(), operation: None, effect: effect.clone() };
        world.context.faults.add(Fault::always(at)).unwrap();
        world.advance(301);
        let started = Instant::now();
        assert_eq!(get(&api, "/courses").await.0.status_code, 200);
        // The SDK alone would wait three seconds for an attempt, and make another.
        assert!(started.elapsed() < Duration::from_secs(3), "{effect:?} {:?}", started.elapsed());
        world.sql_fault(TdsEffect::CutMidRow);
        assert_eq!(get(&api, "/courses").await.0.status_code, 200);
        world.context.faults.clear();
    }
    // No answer at all and no secret at hand.
    let at = At::Aws { service: "secretsmanager".to_owned(), operation: None, effect: AwsEffect::TimeOut };
    world.context.faults.add(Fault::always(at)).unwrap();
    let started = Instant::now();
    let (response, body) = get(&world.api(&[]), "/status").await;
    assert_eq!(response.status_code, 503);
    assert_eq!(body["database"]["reason"], "the database secret could not be read in time");
    assert!(started.elapsed() < Duration::from_secs(7), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_wrong_password_is_not_tried_too_often() {
    let world = World::start().await;
    world.alter_login(SECOND).await;
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(telemetry::subscriber(LevelFilter::INFO, log.clone()));
    let api = world.api(&[]);
    let started = Instant::now();
    let (response, body) = get(&api, "/courses").await;
    assert_eq!(response.status_code, 503, "{body}");
    assert_eq!(body["detail"], "Reason: the database refused the login.");
    assert!(started.elapsed() < Duration::from_secs(15));
    let refused = || log.lines().iter().filter(|line| line["message"] == "login refused").count();
    assert_eq!(refused(), 3);
    for _ in 0..3 {
        let (response, body) = get(&api, "/status").await;
        assert_eq!(response.status_code, 503);
        let reason = "the database refused the login; it is not tried again for a while";
        assert_eq!(body["database"]["reason"], reason);
        let after: u64 = response.headers["retry-after"].parse().unwrap();
        assert!((50..=60).contains(&after), "{after}");
    }
    assert_eq!(refused(), 3);
    // A minute later it is tried again, and by then the secret is right.
    world.put_secret(SECOND, "AWSCURRENT").await;
    world.advance(61);
    assert_eq!(get(&api, "/courses").await.0.status_code, 200);
}

#[tokio::test]
async fn a_new_version_is_found_when_the_old_password_is_refused() {
    let world = World::start().await;
    let api = world.warm_api().await;
    world.alter_login(SECOND).await;
    let version = world.put_secret(SECOND, "AWSCURRENT").await;
    // The open connection lives on; when it is lost, the password at hand is wrong.
    assert_eq!(get(&api, "/courses").await.0.status_code, 200);
    world.sql_fault(TdsEffect::CutMidRow);
    let (response, body) = get(&api, "/status").await;
    assert_eq!(response.status_code, 200, "{body}");
    assert_eq!(body["secret"]["version"], version[..8]);
}

#[tokio::test]
async fn the_gap_of_a_rotation_is_bridged_with_awspending() {
    let world = World::start().await;
    let api = world.warm_api().await;
    // setSecret has run, finishSecret has not.
    let version = world.put_secret(SECOND, "AWSPENDING").await;
    world.alter_login(SECOND).await;
    world.sql_fault(TdsEffect::CutMidRow);
    let (response, body) = get(&api, "/status").await;
    assert_eq!(response.status_code, 200, "{body}");
    assert_eq!(body["secret"]["version"], version[..8]);
    // The connection is ahead of AWSCURRENT, and not given up for it.
    world.advance(301);
    let (_, body) = get(&api, "/status").await;
    assert_eq!(body["secret"]["version"], version[..8]);
}

#[tokio::test]
async fn the_gap_of_a_rotation_is_waited_out() {
    let world = World::start().await;
    world.alter_login(SECOND).await;
    let api = world.api(&[]);
    let finish = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.put_secret(SECOND, "AWSCURRENT").await;
    };
    let ((response, body), ()) = tokio::join!(get(&api, "/courses"), finish);
    assert_eq!(response.status_code, 200, "{body}");
}

#[tokio::test]
async fn a_new_version_is_taken_up_without_a_break() {
    let world = World::start().await;
    let api = world.warm_api().await;
    // A wrong one first: the working connection is kept, and the mistake is tried once only.
    let wrong = world.put_secret("Canary-wrong-3!", "AWSCURRENT").await;
    world.advance(121);
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(telemetry::subscriber(LevelFilter::INFO, log.clone()));
    for _ in 0..3 {
        let (response, body) = get(&api, "/status").await;
        assert_eq!(response.status_code, 200, "{body}");
        assert_ne!(body["secret"]["version"], wrong[..8]);
    }
    let failed = log.lines().iter().filter(|l| l["message"] == "no connection with the new version").count();
    assert_eq!(failed, 1);
    world.alter_login(SECOND).await;
    let right = world.put_secret(SECOND, "AWSCURRENT").await;
    world.advance(121);
    let (response, body) = get(&api, "/status").await;
    assert_eq!((response.status_code, &body["secret"]["version"]), (200, &json!(right[..8])), "{body}");
}

#[tokio::test]
async fn a_login_that_only_a_person_can_put_right_is_tried_once() {
    let world = World::start().await;
    let api = world.warm_api().await;
    run(&mut world.admin("master").await, "ALTER LOGIN learninghub_app DISABLE").await;
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(telemetry::subscriber(LevelFilter::INFO, log.clone()));
    world.sql_fault(TdsEffect::CutMidRow);
    let started = Instant::now();
    let (response, body) = get(&api, "/courses").await;
    assert_eq!((response.status_code, response.headers["retry-after"].as_str()), (503, "30"), "{body}");
    assert!(started.elapsed() < Duration::from_secs(3));
    let refused: Vec<_> = log.lines().into_iter().filter(|line| line["message"] == "login refused").collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["number"], 18470);
    run(&mut world.admin("master").await, "ALTER LOGIN learninghub_app ENABLE").await;
    assert_eq!(get(&api, "/courses").await.0.status_code, 200);
}

#[tokio::test]
async fn a_locked_account_is_not_tried_again_and_works_once_it_is_unlocked() {
    let world = World::start().await;
    let api = world.warm_api().await;
    // Somebody else's guesses: as many as the policy allows, and the right password is refused as well.
    for _ in 0..10 {
        assert!(world.log_in("learninghub_app", "Canary-guess-9!", "master").await.is_err());
    }
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(telemetry::subscriber(LevelFilter::INFO, log.clone()));
    // Who is in stays in.
    assert_eq!(get(&api, "/courses").await.0.status_code, 200);
    world.sql_fault(TdsEffect::CutMidRow);
    let reads = world.secret_reads();
    let started = Instant::now();
    let (response, body) = get(&api, "/courses").await;
    assert_eq!((response.status_code, response.headers["retry-after"].as_str()), (503, "30"), "{body}");
    assert_eq!(body["detail"], "Reason: the database login is locked.");
    assert!(started.elapsed() < Duration::from_secs(3));
    assert_eq!(world.secret_reads(), reads, "another reading of the secret is no help");
    let refused: Vec<_> = log.lines().into_iter().filter(|line| line["message"] == "login refused").collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["number"], 18486);
    world.alter_login_with(PASSWORD, "UNLOCK").await;
    assert_eq!(get(&api, "/courses").await.0.status_code, 200);
}

#[tokio::test]
async fn rotations_one_after_the_other_are_followed() {
    let world = World::start().await;
    let api = world.warm_api().await;
    // Two of them went by, and of a third setSecret has run, since the secret was last read.
    world.put_secret(SECOND, "AWSCURRENT").await;
    let third = "Canary-third-3!";
    let version = world.put_secret(third, "AWSPENDING").await;
    world.alter_login(third).await;
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(telemetry::subscriber(LevelFilter::INFO, log.clone()));
    let refused = || log.lines().iter().filter(|line| line["message"] == "login refused").count();
    world.sql_fault(TdsEffect::CutMidRow);
    let (response, body) = get(&api, "/status").await;
    assert_eq!((response.status_code, &body["secret"]["version"]), (200, &json!(version[..8])), "{body}");
    assert_eq!(refused(), 2);
    // What worked is remembered: a connection that is lost in the gap costs no further refusal.
    for _ in 0..3 {
        world.sql_fault(TdsEffect::CutMidRow);
        assert_eq!(get(&api, "/courses").await.0.status_code, 200);
    }
    assert_eq!(refused(), 2);
}
