//! Single user: the login changes its own password.

use serde_json::json;

use crate::world::{PASSWORD, STEPS, USER, World, token};

#[tokio::test(flavor = "multi_thread")]
async fn four_steps_rotate() {
    let world = World::start().await;
    let function = world.function(&[]);
    for round in 1..=3 {
        let token = token(round);
        let before = world.stage("AWSCURRENT").await.unwrap();
        world.begin(&token);
        world.rotate(&function, &token).await.unwrap();
        world.assert_rotated(&token).await;
        let (_, value) = world.stage("AWSCURRENT").await.unwrap();
        let password = value["password"].as_str().unwrap();
        assert!(password.len() == 40 && password.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!((&value["username"], &value["mine"]), (&json!(USER), &json!({"kept": [1, null]})));
        assert_eq!(world.stage("AWSPREVIOUS").await, Some(before));
        assert!(world.log_in(USER, PASSWORD, "master").await.is_err());
    }
    assert_eq!(world.rotatable.state.lock().unwrap().handed_back, 3, "once for each new value");
    world.assert_no_leak().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_is_told_of_twice() {
    let world = World::start().await;
    let function = world.function(&[]);
    let token = token(1);
    world.begin(&token);
    for step in STEPS {
        for outcome in ["done", if step == "testSecret" { "done" } else { "already_done" }] {
            world.step(&function, step, &token).await.unwrap();
            let (started, ended) =
                (world.last_line("rotation_step_started"), world.last_line("rotation_step_ended"));
            for line in [&started, &ended] {
                assert_eq!((&line["step"], &line["token"]), (&json!(step), &json!(token)));
                assert_eq!(line["secretId"], "learninghub/sqlserver");
                assert_eq!(line["requestId"], "8f5c3a2e-0000-4000-8000-000000000001");
            }
            assert_eq!(started["message"], "rotation step started");
            assert_eq!((&ended["message"], &ended["level"]), (&json!("rotation step done"), &json!("INFO")));
            assert_eq!(ended["outcome"], outcome, "{step}");
            assert!(ended["durationMs"].is_number());
            if !(step == "finishSecret" && outcome == "already_done") {
                assert_eq!(ended["strategy"], "single_user");
            }
            assert!(ended.get("cause").is_none());
        }
    }
    world.assert_rotated(&token).await;
}
