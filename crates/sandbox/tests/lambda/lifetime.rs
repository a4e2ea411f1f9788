//! What lives how long: environments, updates, state over a restart, events, children of a sandbox
//! that is killed.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{InvocationType, LastUpdateStatus, State};
use chrono::TimeDelta;
use sandbox::faults::{At, Fault, UpdateEffect};
use sandbox::services::lambda::Invocation;
use serde_json::json;

use crate::refused;
use crate::world::{Plan, World, bootstrap_zip, other_zip, process_state, until};

async fn pid(world: &World, function: &str) -> u64 {
    world.ask(function, json!({"do": "about"})).await["pid"].as_u64().unwrap()
}

#[tokio::test]
async fn the_old_code_serves_until_an_update_has_settled() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { settling: TimeDelta::seconds(5), ..Plan::default() };
    let world = World::start(folder.path(), plan).await;
    let created = world.create("f").send().await.unwrap();
    assert_eq!(created.state(), Some(&State::Pending));
    let configuration =
        || async { world.client.get_function_configuration().function_name("f").send().await.unwrap() };
    refused!(world.client.invoke().function_name("f"), "ResourceConflictException", 409, "state: Pending");
    refused!(
        world.client.publish_version().function_name("f"),
        "ResourceConflictException",
        409,
        "state: Pending"
    );
    world.clock.advance(TimeDelta::seconds(5));
    let active = configuration().await;
    assert_eq!(active.state(), Some(&State::Active));
    assert_eq!(active.last_update_status(), Some(&LastUpdateStatus::Successful));
    assert_ne!(active.revision_id(), created.revision_id(), "the end of a change is a revision");

    let old = pid(&world, "f").await;
    let update = || world.client.update_function_code().function_name("f").zip_file(Blob::new(other_zip()));
    refused!(
        update().revision_id(created.revision_id().unwrap()),
        "PreconditionFailedException",
        412,
        "Revision Id"
    );
    let dry = update().dry_run(true).send().await.unwrap();
    assert_ne!(dry.code_sha256(), active.code_sha256());
    assert_eq!(configuration().await.code_sha256(), active.code_sha256(), "a dry run changes nothing");
    let updated = update().revision_id(active.revision_id().unwrap()).send().await.unwrap();
    assert_eq!(updated.last_update_status(), Some(&LastUpdateStatus::InProgress));
    assert_eq!(updated.code_sha256(), dry.code_sha256());
    refused!(
        update(),
        "ResourceConflictException",
        409,
        "An update is in progress for resource: arn:aws:lambda:eu-west-1:123456789012:function:f"
    );
    let change = world.client.update_function_configuration().function_name("f").timeout(9);
    refused!(change, "ResourceConflictException", 409, "An update is in progress");
    refused!(
        world.client.publish_version().function_name("f"),
        "ResourceConflictException",
        409,
        "An update is in progress"
    );
    assert_eq!(pid(&world, "f").await, old, "the old environment serves meanwhile");

    world.clock.advance(TimeDelta::seconds(5));
    assert_ne!(pid(&world, "f").await, old);
    until("the old environment ends", || process_state(old).is_none()).await;
    world.stop().await;
}

#[tokio::test]
async fn an_update_that_fails_leaves_the_old_code_serving() {
    const REASON: &str = "one or more configured subnets has no available IP addresses";
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { settling: TimeDelta::seconds(5), ..Plan::default() };
    let world = World::start(folder.path(), plan).await;
    world.function("f").await;
    world.clock.advance(TimeDelta::seconds(5));
    let old = pid(&world, "f").await;
    let fault = |code: &str| {
        let effect = UpdateEffect::Fail(code.to_owned());
        world.context.faults.add(Fault::once(At::Update { name: "f".into(), effect })).unwrap();
    };
    let update = || world.client.update_function_code().function_name("f").zip_file(Blob::new(other_zip()));
    let now = || async { world.client.get_function_configuration().function_name("f").send().await.unwrap() };
    fault("SubnetOutOfIPAddresses");
    // Neither of these is an update, so the fault waits for the one that is.
    update().dry_run(true).send().await.unwrap();
    update().revision_id("stale").send().await.unwrap_err();
    let begun = update().send().await.unwrap();
    assert_eq!(begun.last_update_status(), Some(&LastUpdateStatus::InProgress));
    world.clock.advance(TimeDelta::seconds(5));
    let failed = now().await;
    assert_eq!(failed.state(), Some(&State::Active));
    assert_eq!(failed.last_update_status(), Some(&LastUpdateStatus::Failed));
    let code = failed.last_update_status_reason_code().unwrap();
    assert_eq!(code.as_str(), "SubnetOutOfIPAddresses");
    assert!(failed.last_update_status_reason().unwrap().contains(REASON));
    assert_eq!(pid(&world, "f").await, old, "the old code serves");
    let publish = || world.client.publish_version().function_name("f");
    refused!(publish(), "ResourceConflictException", 409, "Failed");

    // A second failure does not make the first one's code serve.
    fault("EniLimitExceeded");
    world.client.update_function_configuration().function_name("f").timeout(9).send().await.unwrap();
    world.clock.advance(TimeDelta::seconds(5));
    assert_eq!(now().await.last_update_status_reason_code().unwrap().as_str(), "EniLimitExceeded");
    assert_eq!(pid(&world, "f").await, old);

    update().send().await.unwrap();
    world.clock.advance(TimeDelta::seconds(5));
    let good = now().await;
    assert_eq!(good.last_update_status(), Some(&LastUpdateStatus::Successful));
    assert_eq!(good.last_update_status_reason_code(), None);
    assert_ne!(pid(&world, "f").await, old);

    // What is published in the same call is a version that can't be made.
    fault("KMSKeyAccessDenied");
    let update = world.client.update_function_code().function_name("f").zip_file(Blob::new(bootstrap_zip()));
    let published = update.publish(true).send().await.unwrap();
    assert_eq!((published.version(), published.state()), (Some("1"), Some(&State::Pending)));
    world.clock.advance(TimeDelta::seconds(5));
    let version = world.client.get_function_configuration().function_name("f:1").send().await.unwrap();
    assert_eq!(version.state(), Some(&State::Failed));
    assert_eq!(version.state_reason_code().unwrap().as_str(), "KMSKeyAccessDenied");
    refused!(world.client.invoke().function_name("f:1"), "ResourceConflictException", 409, "state: Failed");
    world.stop().await;
}

#[tokio::test]
async fn idle_environments_end_and_those_of_deleted_functions() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan { idle_seconds: 2, ..Plan::default() }).await;
    world.function("f").await;
    world.function("g").await;
    let first = pid(&world, "f").await;
    assert_eq!(pid(&world, "f").await, first);
    until("idle", || process_state(first).is_none()).await;
    let second = pid(&world, "g").await;
    world.client.delete_function().function_name("g").send().await.unwrap();
    until("deleted", || process_state(second).is_none()).await;
    world.stop().await;
}

#[tokio::test]
async fn a_restart_keeps_functions_and_stop_leaves_no_child() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan::default()).await;
    world.create("f").publish(true).tags("team", "blue").send().await.unwrap();
    world.client.create_alias().function_name("f").name("live").function_version("1").send().await.unwrap();
    let before = world.client.get_function().function_name("f").send().await.unwrap();
    let frozen = pid(&world, "f:live").await;
    let busy = {
        let call = world.client.invoke().function_name("f").payload(Blob::new(r#"{"do":"sleep","n":15000}"#));
        tokio::spawn(async move { call.send().await })
    };
    tokio::time::sleep(Duration::from_millis(500)).await;
    let records = folder.path().join("lambda/environments");
    assert_eq!(std::fs::read_dir(&records).unwrap().count(), 2);
    world.stop().await;
    assert_eq!(process_state(frozen), None);
    assert_eq!(std::fs::read_dir(&records).unwrap().count(), 0);
    // Its connection ends with the endpoint, or it hears of the kill: either way it ends.
    let _ = tokio::time::timeout(Duration::from_secs(5), busy).await.expect("ends");

    let world = World::start(folder.path(), Plan::default()).await;
    let after = world.client.get_function().function_name("f").send().await.unwrap();
    assert_eq!(after.configuration(), before.configuration());
    assert_eq!(after.tags(), before.tags());
    assert_eq!(world.invoke("f:live", &json!({})).await.executed_version(), Some("1"));
    world.stop().await;
}

#[tokio::test]
async fn a_function_runs_on_when_its_caller_has_gone() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan::default()).await;
    world.function("f").await;
    let mark = folder.path().join("mark");
    let invocation = Invocation {
        function: "f".into(),
        qualifier: None,
        payload: json!({"do": "write", "n": 600, "path": mark}).to_string().into(),
        principal: None,
        trace: None,
    };
    let gone = tokio::time::timeout(Duration::from_millis(300), world.lambda.invoke(invocation)).await;
    assert!(gone.is_err() && !mark.exists());
    until("the function's end", || mark.exists()).await;
    world.stop().await;
}

#[tokio::test]
async fn events_run_later_are_retried_and_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan::default()).await;
    world.function("f").await;
    let mark = folder.path().join("mark");
    let count = || std::fs::read(&mark).map_or(0, |bytes| bytes.len());
    let waiting = || std::fs::read_dir(folder.path().join("lambda/events")).unwrap().count();
    let send = |world: &World, fail: bool| {
        let event = json!({"do": "write", "path": mark, "fail": fail}).to_string();
        let call = world.client.invoke().function_name("f").invocation_type(InvocationType::Event);
        call.payload(Blob::new(event)).send()
    };
    let accepted = send(&world, false).await.unwrap();
    assert_eq!((accepted.status_code(), accepted.payload()), (202, None));
    until("the event", || count() == 1 && waiting() == 0).await;

    send(&world, true).await.unwrap();
    until("the first try", || count() == 2).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(count(), 2, "the second try waits for a minute");
    world.clock.advance(TimeDelta::seconds(61));
    until("the second try", || count() == 3).await;
    // The third comes after a restart: its clock begins before the event's turn.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(waiting(), 1);
    world.stop().await;
    let world = World::start(folder.path(), Plan::default()).await;
    world.clock.advance(TimeDelta::seconds(200));
    until("the third try, the last", || count() == 4 && waiting() == 0).await;
    refused!(
        world.client.invoke().function_name("none").invocation_type(InvocationType::Event),
        "ResourceNotFoundException",
        404,
        "Function not found"
    );
    world.stop().await;
}

/// Run by the next test in a process of its own, which is then killed.
#[tokio::test]
#[ignore = "half of the test below"]
async fn a_sandbox_to_be_killed() {
    let Ok(folder) = std::env::var("SANDBOX_TO_BE_KILLED") else { return };
    let folder = Path::new(&folder);
    let world = World::start(folder, Plan::default()).await;
    world.function("f").await;
    let frozen = pid(&world, "f").await;
    std::fs::write(folder.join("frozen.new"), frozen.to_string()).unwrap();
    std::fs::rename(folder.join("frozen.new"), folder.join("frozen")).unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn a_killed_sandbox_leaves_no_frozen_child() {
    let folder = tempfile::tempdir().unwrap();
    let mut sandbox = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lifetime::a_sandbox_to_be_killed", "--ignored"])
        .env("SANDBOX_TO_BE_KILLED", folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let told = folder.path().join("frozen");
    until("its first environment", || told.exists()).await;
    let frozen: u64 = std::fs::read_to_string(&told).unwrap().parse().unwrap();
    until("frozen", || process_state(frozen) == Some('T')).await;
    sandbox.kill().unwrap();
    sandbox.wait().unwrap();
    until("the child's end", || process_state(frozen).is_none()).await;
    // And the next start finds nothing to end.
    let world = World::start(folder.path(), Plan::default()).await;
    world.ask("f", json!({})).await;
    world.stop().await;
}
