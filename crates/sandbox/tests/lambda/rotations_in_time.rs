//! Rotations that begin by themselves: by their schedule, after a failure, after a restart.

use aws_sdk_secretsmanager::types::RotationRulesType;
use chrono::{DateTime, TimeDelta, Utc};

use crate::rotation::{Rotating, SECRET};

fn rules(expression: &str) -> RotationRulesType {
    RotationRulesType::builder().schedule_expression(expression).build()
}

async fn next(here: &Rotating) -> String {
    let next = here.describe().await.next_rotation_date().unwrap().secs();
    DateTime::<Utc>::from_timestamp(next, 0).unwrap().format("%F %T").to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_schedule_rotates_when_its_window_opens() {
    let here = Rotating::new().await;
    let call = here.rotate(1).rotation_rules(rules("cron(0 3 ? * SUN *)")).rotate_immediately(false);
    call.send().await.unwrap();
    here.until_told("TestRotationSucceeded", 2).await;
    // From Tuesday, 2026-08-04 12:00.
    assert_eq!(next(&here).await, "2026-08-09 23:59:59");
    here.advance(TimeDelta::hours(4 * 24 + 14));
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(here.told().await.len(), 2, "an hour before");
    here.advance(TimeDelta::hours(1));
    here.until_told("RotationSucceeded", 4).await;
    assert_eq!(next(&here).await, "2026-08-16 23:59:59");

    // A window that passed while nothing ran is made up for at the next start.
    let here = here.restart_after(TimeDelta::days(8)).await;
    here.until_told("RotationSucceeded", 6).await;
    assert_eq!(next(&here).await, "2026-08-23 23:59:59");
    here.world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_rotation_is_attempted_again_and_then_waits_for_its_window() {
    let here = Rotating::new().await;
    here.tell("fail", "setSecret");
    here.rotate(1).rotation_rules(rules("rate(1 day)")).send().await.unwrap();
    here.until_told("RotationFailed", 2).await;
    here.advance(TimeDelta::minutes(5));
    here.until_told("RotationFailed", 4).await;
    here.advance(TimeDelta::minutes(15));
    here.until_told("RotationFailed", 6).await;
    here.advance(TimeDelta::hours(2));
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(here.told().await.len(), 6, "three attempts and no more");
    assert!(
        here.events()
            .iter()
            .all(|event| event["ClientRequestToken"] == here.events()[0]["ClientRequestToken"])
    );

    // The next window takes it up, and the date stays in the past until it has succeeded.
    here.advance(TimeDelta::hours(24 + 12));
    here.until_told("RotationFailed", 8).await;
    assert_eq!(next(&here).await, "2026-08-05 23:59:59");
    here.tell("fail", "");
    here.advance(TimeDelta::minutes(5));
    here.until_told("RotationSucceeded", 10).await;
    assert_eq!(here.labels().await["AWSCURRENT"], "1");
    assert_eq!(next(&here).await, "2026-08-07 23:59:59");

    // A value put by hand counts as a rotation.
    here.advance(TimeDelta::hours(12));
    here.secrets.put_secret_value().secret_id(SECRET).secret_string("by hand").send().await.unwrap();
    assert_eq!(next(&here).await, "2026-08-07 23:59:59");
    here.advance(TimeDelta::hours(10));
    here.until_told("RotationSucceeded", 12).await;
    here.world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repaired_secret_is_left_alone() {
    let here = Rotating::new().await;
    here.tell("fail", "createSecret");
    here.rotate(1).send().await.unwrap();
    here.until_told("RotationFailed", 2).await;
    let label = here.secrets.update_secret_version_stage().secret_id(SECRET).version_stage("AWSPENDING");
    label.remove_from_version_id(crate::rotation::token(1)).send().await.unwrap();
    here.advance(TimeDelta::minutes(5));
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(here.told().await.len(), 2);
    here.world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_was_cut_goes_on_after_the_restart() {
    let here = Rotating::new().await;
    here.tell("hold", "setSecret");
    here.rotate(1).send().await.unwrap();
    here.stepped(2).await;
    let here = here.restart().await;
    assert_eq!(here.told().await, ["RotationStarted"]);
    assert_eq!(here.labels().await["AWSPENDING"], "1");
    here.tell("hold", "");
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(here.steps().len(), 2, "not before the world around it is up");
    here.advance(TimeDelta::seconds(5));
    here.until_told("RotationSucceeded", 3).await;
    assert_eq!(here.steps()[2..], ["createSecret", "setSecret", "testSecret", "finishSecret"]);
    assert_eq!(here.labels().await["AWSCURRENT"], "1");
    here.world.stop().await;
}
