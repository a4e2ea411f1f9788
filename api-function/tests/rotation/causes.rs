//! Each cause a step can fail with, brought about; and that the password in use keeps working.

#![expect(clippy::unwrap_used, reason = "helpers of tests: what fails here fails the test")]

use std::time::Duration;

use api_function::rotation::Rotation;
use api_function::rotation::failure::StepFailed;
use lambda_http::lambda_runtime::Diagnostic;
use lambda_http::{Context, LambdaEvent};
use sandbox::faults::{AwsEffect, TdsEffect};
use serde_json::json;

use crate::world::{DATABASE, PASSWORD, SECRET, USER, World, token};

const FIRST: &str = "00000000000000000000000000000001-ada";

/// The rotation fails in this step with this cause, and everybody is told the same.
async fn fails(world: &World, function: &Rotation, step: &str, error_type: &str, cause: &str) {
    let failed = world.rotate(function, FIRST).await.unwrap_err();
    told(world, &failed, step, error_type, cause).await;
}

async fn told(world: &World, failed: &Diagnostic, step: &str, error_type: &str, cause: &str) {
    assert_eq!(failed.error_type, error_type, "{}", failed.error_message);
    let line = world.last_line("rotation_step_ended");
    assert_eq!((&line["step"], &line["outcome"]), (&json!(step), &json!("failed")));
    assert_eq!((&line["cause"], &line["level"]), (&json!(cause), &json!("ERROR")));
    assert_eq!(line["message"], "rotation step failed");
    assert_eq!(failed.error_message, format!("{step}: {}", line["reason"].as_str().unwrap()));
    world.assert_no_leak().await;
    world.assert_one_password_each();
}

async fn begun() -> World {
    let world = World::start().await;
    world.begin(&token(1));
    world
}

/// Stores a value under a stage by hand.
async fn put(world: &World, stage: &str, token: &str, text: String) {
    let put = world.secrets.put_secret_value().secret_id(SECRET).version_stages(stage);
    put.client_request_token(token).secret_string(text).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_login() {
    let world = begun().await;
    let function = world.function(&[]);
    let alter = |what: &str| format!("ALTER LOGIN {USER} {what}");
    world.sql("master", &alter("WITH PASSWORD = N'Canary-by-hand-1'")).await;
    fails(&world, &function, "setSecret", "WrongPassword", "wrong_password").await;
    world.sql("master", &alter("DISABLE")).await;
    world.sql("master", &alter("WITH PASSWORD = N'Canary-first-1!;{}''\"]'")).await;
    fails(&world, &function, "setSecret", "LoginDisabled", "login_disabled").await;
    world.sql("master", &alter("ENABLE")).await;
    let first = "WITH PASSWORD = N'Canary-first-1!;{}''\"]'";
    world.sql("master", &alter(&format!("{first} MUST_CHANGE, CHECK_EXPIRATION = ON"))).await;
    fails(&world, &function, "setSecret", "LoginExpired", "login_expired").await;
    world.sql("master", &alter(first)).await;
    for _ in 0..10 {
        assert!(world.log_in(USER, "wrong", "master").await.is_err());
    }
    fails(&world, &function, "setSecret", "LoginLocked", "login_locked").await;
    world.sql("master", &alter("WITH PASSWORD = N'Canary-first-1!;{}''\"]' UNLOCK")).await;
    world.rotate(&function, FIRST).await.unwrap();
    world.assert_rotated(FIRST).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_policy_refuses_makes_room_for_another() {
    let world = begun().await;
    let function = world.function(&[]);
    let bad = format!("Canary-{USER}-1!");
    put(&world, "AWSPENDING", FIRST, world.value(USER, &bad).to_string()).await;
    fails(&world, &function, "setSecret", "PasswordPolicy", "password_policy").await;
    assert!(world.works("AWSCURRENT").await);
    assert!(!world.labels().await.contains_key(FIRST), "AWSPENDING is off");
    // The same again is refused, and a new rotation takes a new password.
    fails(&world, &function, "createSecret", "NotInRotation", "not_in_rotation").await;
    world.begin(&token(2));
    world.rotate(&function, &token(2)).await.unwrap();
    world.assert_rotated(&token(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_and_the_database() {
    for (member, value, error_type, cause) in [
        ("port", json!(1), "Unreachable", "unreachable"),
        ("dbname", json!("nothing"), "DatabaseUnavailable", "database_unavailable"),
    ] {
        let world = World::start().await;
        let mut changed = world.value(USER, PASSWORD);
        changed[member] = value;
        put(&world, "AWSCURRENT", &token(9), changed.to_string()).await;
        world.begin(&token(1));
        fails(&world, &world.function(&[]), "setSecret", error_type, cause).await;
    }
    let world = begun().await;
    fails(&world, &world.function(&[("SQL_CA", "")]), "setSecret", "Tls", "tls").await;
    // Never in the clear, and the secret's own password was not sent.
    let other = world.function(&[("SQL_CA", ""), ("SQL_TLS", "strict")]);
    fails(&world, &other, "setSecret", "Tls", "tls").await;
    world.sql_fault(TdsEffect::BlackHole, 0);
    fails(&world, &world.function(&[]), "setSecret", "TimedOut", "timed_out").await;
    world.rotate(&world.function(&[]), FIRST).await.unwrap();
    world.assert_rotated(FIRST).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_test_query_needs_the_application_s_rights() {
    let world = begun().await;
    world.sql(DATABASE, &format!("DENY SELECT ON dbo.courses TO {USER}")).await;
    fails(&world, &world.function(&[]), "testSecret", "TestQueryFailed", "test_query_failed").await;
    world.sql(DATABASE, &format!("REVOKE SELECT ON dbo.courses FROM {USER}")).await;
    // What it changes is rolled back.
    world.sql(DATABASE, &format!("ALTER ROLE db_datawriter ADD MEMBER {USER}")).await;
    let query = "SELECT 1; INSERT INTO dbo.courses VALUES (2, N'two')";
    world.rotate(&world.function(&[("ROTATION_TEST_QUERY", query)]), FIRST).await.unwrap();
    assert_eq!(world.texts(DATABASE, "SELECT title FROM dbo.courses").await, ["one"]);
    world.assert_rotated(FIRST).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_and_where_must_stay_the_same() {
    let names = [("host", "192.0.2.1"), ("username", "other"), ("dbname", "master")];
    for (round, (member, value)) in names.into_iter().enumerate() {
        let world = begun().await;
        let function = world.function(&[]);
        world.step(&function, "createSecret", FIRST).await.unwrap();
        let mut changed = world.value(USER, PASSWORD);
        changed[member] = json!(value);
        put(&world, "AWSCURRENT", &token(9 + u32::try_from(round).unwrap()), changed.to_string()).await;
        // A new version abandons the rotation; somebody who moves labels by hand can bring it back.
        let back = world.secrets.update_secret_version_stage().secret_id(SECRET);
        back.version_stage("AWSPENDING").move_to_version_id(FIRST).send().await.unwrap();
        fails(&world, &function, "setSecret", "IdentityChanged", "identity_changed").await;
        world.log_in(USER, PASSWORD, DATABASE).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret() {
    let world = begun().await;
    let function = world.function(&[]);
    world.aws_fault(Some("GetSecretValue"), AwsEffect::AccessDenied, 0, Some(1));
    fails(&world, &function, "createSecret", "SecretDenied", "secret_denied").await;
    world.aws_fault(None, AwsEffect::Throttle, 0, Some(3));
    fails(&world, &function, "createSecret", "SecretsManagerRefused", "secrets_manager_refused").await;
    // createSecret of no rotation, and of one that was switched off.
    let failed = world.rotate(&function, &token(2)).await.unwrap_err();
    told(&world, &failed, "createSecret", "NotInRotation", "not_in_rotation").await;
    world.rotatable.state.lock().unwrap().disabled = true;
    fails(&world, &function, "createSecret", "RotationDisabled", "rotation_disabled").await;
    world.rotatable.state.lock().unwrap().disabled = false;
    let failed = world.step(&function, "setSecret", FIRST).await.unwrap_err();
    told(&world, &failed, "setSecret", "SecretNotFound", "secret_not_found").await;
    put(&world, "AWSCURRENT", &token(8), "Canary-text".to_owned()).await;
    fails_malformed(&world, &function).await;
    let alternating = world.function(&[("ROTATION_STRATEGY", "alternating")]);
    put(&world, "AWSCURRENT", &token(9), world.value(USER, PASSWORD).to_string()).await;
    fails_malformed(&world, &alternating).await;
    let nowhere = world.function(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]);
    let failed = world.rotate(&nowhere, FIRST).await.unwrap_err();
    let cause = ("SecretsManagerUnreachable", "secrets_manager_unreachable");
    told(&world, &failed, "createSecret", cause.0, cause.1).await;
    world.secrets.delete_secret().secret_id(SECRET).force_delete_without_recovery(true).send().await.unwrap();
    let failed = world.rotate(&function, FIRST).await.unwrap_err();
    assert_eq!(failed.error_type, "SecretNotFound");
}

async fn fails_malformed(world: &World, function: &Rotation) {
    let failed = world.step(function, "createSecret", FIRST).await.unwrap_err();
    assert_eq!(failed.error_type, "SecretMalformed", "{}", failed.error_message);
    assert_eq!(world.last_line("rotation_step_ended")["cause"], "secret_malformed");
    assert!(!world.log.text().contains("Canary"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_is_given_up_in_time() {
    let world = begun().await;
    let function = world.function(&[]);
    let left = Duration::from_millis(1_800);
    world.aws_fault(Some("PutSecretValue"), AwsEffect::TimeOut, 0, Some(1));
    let failed = world.step_within(&function, "createSecret", FIRST, left).await.unwrap_err();
    told(&world, &failed, "createSecret", "TimedOut", "timed_out").await;
    world.step(&function, "createSecret", FIRST).await.unwrap();
    world.sql_fault(TdsEffect::Stall, 0);
    let failed = world.step(&function, "setSecret", FIRST).await.unwrap_err();
    told(&world, &failed, "setSecret", "TimedOut", "timed_out").await;
    // Less than the margin is left: it is not begun.
    let failed = world.step_within(&function, "testSecret", FIRST, Duration::ZERO).await.unwrap_err();
    told(&world, &failed, "testSecret", "TimedOut", "timed_out").await;
    world.rotate(&function, FIRST).await.unwrap();
    world.assert_rotated(FIRST).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_of_a_rotation_is_refused() {
    let world = World::start().await;
    let event = LambdaEvent::new(json!({"Step": "dropSecret"}), Context::default());
    let failed: StepFailed = Box::pin(world.function(&[]).handle(event)).await.unwrap_err();
    let told = Diagnostic::from(failed);
    assert_eq!(told.error_type, "Internal");
    assert!(told.error_message.starts_with("rotation: "), "{}", told.error_message);
}
