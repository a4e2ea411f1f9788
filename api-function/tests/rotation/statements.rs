//! That any name and any password give exactly one statement, which does what it says and no more.

#![expect(clippy::unwrap_used, reason = "helpers of tests: what fails here fails the test")]

use api_function::rotation::clone::create_login;
use api_function::rotation::server::{Refusal, Server, Session};
use api_function::rotation::statements::{NOT_QUOTABLE, alter_other, alter_own};
use api_function::secret::DatabaseSecret;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::world::{ADMIN_PASSWORD, World};

async fn session(world: &World, user: &str, password: &str) -> Session {
    let secret =
        json!({"host": "127.0.0.1", "port": world.sql.port(), "username": user, "password": password});
    let secret = DatabaseSecret::parse("v", None, secret.to_string()).unwrap();
    let server = Server::new(&world.config(&[]));
    server.log_in(&secret).await.unwrap_or_else(|outcome| panic!("{user:?} {password:?}: {outcome:?}"))
}

async fn logins(world: &World) -> Vec<String> {
    world.texts("master", "SELECT name FROM sys.sql_logins ORDER BY principal_id").await
}

/// What is tried: quotes, brackets, comments, ends of statements, and everything else.
fn text(least: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-zA-Z0-9 ]{1,6}",
        Just("']; DROP LOGIN canary; --".to_owned()),
        Just("' OLD_PASSWORD = '".to_owned()),
        Just("''".to_owned()),
        Just("]]".to_owned()),
        Just("[\"]'`".to_owned()),
        Just("/*".to_owned()),
        Just("--".to_owned()),
        Just("\n".to_owned()),
        Just("@P1".to_owned()),
        Just("é𝕏ß漢".to_owned()),
    ];
    prop::collection::vec(piece, least..6).prop_map(|pieces| pieces.concat())
}

#[test]
fn any_name_and_password_give_one_statement() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::start());
    let canary = "CREATE LOGIN canary WITH PASSWORD = N'Canary-1-canary', CHECK_POLICY = OFF";
    runtime.block_on(world.sql("master", canary));
    let mut runner = TestRunner::new(Config { cases: 24, ..Config::default() });
    let cases = (text(1), text(1), text(1), text(1));
    let outcome = runner.run(&cases, |(name, first, second, third)| {
        let name = format!("u{}", name.trim_end().chars().take(60).collect::<String>());
        let passwords =
            [first, second, third].map(|text| format!("{text}x").chars().take(60).collect::<String>());
        runtime.block_on(one(&world, &name, &passwords));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

async fn one(world: &World, name: &str, [first, second, third]: &[String; 3]) {
    let before = logins(world).await;
    if before.iter().any(|known| known.to_lowercase() == name.to_lowercase()) {
        return;
    }
    let password = |text: &String| text.clone().into();
    let mut admin = session(world, "admin", ADMIN_PASSWORD).await;
    let run = |result: Result<_, Refusal>| match result {
        Ok(_) => {}
        Err(refusal) => panic!("{name:?}: {:?}", refusal.failure("x")),
    };
    run(admin.run(&create_login(name, &password(first), "master", "us_english", false)).await);
    let mut expected = before.clone();
    expected.push(name.to_owned());
    assert_eq!(logins(world).await, expected);
    let mut own = session(world, name, first).await;
    run(own.run(&alter_own(name, &password(second), &password(first))).await);
    drop(session(world, name, second).await);
    run(admin.run(&alter_other(name, &password(third), false)).await);
    drop(session(world, name, third).await);
    assert_eq!(logins(world).await, expected);
    drop(session(world, "canary", "Canary-1-canary").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_t_be_quoted_is_refused_and_not_left_out() {
    let world = World::start().await;
    let mut admin = session(&world, "admin", ADMIN_PASSWORD).await;
    let long = "x".repeat(129);
    let fine = || "Fine-enough-1".to_owned().into();
    for statement in [
        alter_other(&long, &fine(), false),
        alter_other("admin", &long.clone().into(), true),
        alter_own("admin", &fine(), &long.clone().into()),
        create_login(&long, &fine(), "master", "us_english", true),
        create_login("short", &fine(), &long, "", true),
    ] {
        match admin.run(&statement).await {
            Err(Refusal::Statement { number: NOT_QUOTABLE }) => {}
            Err(refusal) => panic!("{:?}", refusal.failure("x")),
            Ok(_) => panic!("taken"),
        }
    }
    drop(session(&world, "admin", ADMIN_PASSWORD).await);
}
