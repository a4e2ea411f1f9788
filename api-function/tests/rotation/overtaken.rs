//! Labels that somebody moves in the middle of setSecret: a repair that looked a moment too early, or
//! another rotation.

#![expect(clippy::unwrap_used, reason = "helpers of tests: what fails here fails the test")]

use api_function::rotation::Rotation;

use crate::world::{SECRET, USER, World, token};

const FIRST: &str = "00000000000000000000000000000001-ada";

/// A rotation up to setSecret, with a function of that strategy.
async fn created(world: &World, strategy: &str) -> Rotation {
    let function = world.function(&[("ROTATION_STRATEGY", strategy)]);
    world.begin(FIRST);
    world.step(&function, "createSecret", FIRST).await.unwrap();
    function
}

/// Somebody takes AWSPENDING off after setSecret has found it, and before it alters the login.
fn taken_off_meanwhile(world: &World) {
    let take = world.secrets.update_secret_version_stage().secret_id(SECRET);
    let take = take.version_stage("AWSPENDING").remove_from_version_id(FIRST).send();
    let meanwhile = Box::pin(async move { drop(take.await.unwrap()) });
    world.rotatable.state.lock().unwrap().once_pending_is_read = Some(meanwhile);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_is_taken_off_meanwhile_is_put_back() {
    for (alternating, strategy) in [(false, "single"), (true, "single")] {
        let world = if alternating { World::start_alternating().await } else { World::start().await };
        let function = created(&world, strategy).await;
        taken_off_meanwhile(&world);
        world.step(&function, "setSecret", FIRST).await.unwrap();
        assert_eq!(world.labels().await[FIRST], ["AWSPENDING"]);
        world.assert_some_stage_works().await;
        world.rotate(&function, FIRST).await.unwrap();
        world.assert_rotated(FIRST).await;
        world.assert_no_leak().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_alternating_users_a_label_that_is_taken_off_stays_off() {
    let world = World::start_alternating().await;
    let function = created(&world, "alternating").await;
    taken_off_meanwhile(&world);
    world.step(&function, "setSecret", FIRST).await.unwrap();
    assert!(!world.labels().await.contains_key(FIRST));
    assert!(world.works("AWSCURRENT").await, "the login in use is not the one that was altered");
    world.begin(&token(2));
    world.rotate(&function, &token(2)).await.unwrap();
    world.assert_rotated(&token(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_another_rotation_has_is_left_to_it_and_that_is_said() {
    let world = World::start().await;
    let function = created(&world, "single").await;
    let value = world.value(USER, "Canary-of-another-1").to_string();
    let put = world.secrets.put_secret_value().secret_id(SECRET).version_stages("AWSPENDING");
    let put = put.client_request_token(token(2)).secret_string(value).send();
    let meanwhile = Box::pin(async move { drop(put.await.unwrap()) });
    world.rotatable.state.lock().unwrap().once_pending_is_read = Some(meanwhile);
    let failed = world.step(&function, "setSecret", FIRST).await.unwrap_err();
    assert_eq!(failed.error_type, "Overtaken", "{}", failed.error_message);
    for version in [FIRST, &token(2)] {
        assert!(failed.error_message.contains(version), "{}", failed.error_message);
    }
    assert_eq!(world.last_line("rotation_step_ended")["cause"], "overtaken");
    assert_eq!(world.labels().await[&token(2)], ["AWSPENDING"]);
    world.assert_no_leak().await;
    // What the portal advises: the version that the message names becomes the current one.
    let current = world.stage("AWSCURRENT").await.unwrap().0;
    let make = world.secrets.update_secret_version_stage().secret_id(SECRET).version_stage("AWSCURRENT");
    make.remove_from_version_id(current).move_to_version_id(FIRST).send().await.unwrap();
    assert!(world.works("AWSCURRENT").await);
}
