//! The demo world's rotation: what an older world becomes, and what a restart leaves alone.
#![expect(clippy::unwrap_used, reason = "a test that can't go on should say where")]

mod world;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_secretsmanager::Client;
use sandbox::demo::{MASTER_SECRET_ID, SECRET_ID};
use serde_json::Value;
use world::World;

async fn client(world: &World) -> Client {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(world.sandbox.aws_endpoint())
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .load()
        .await;
    Client::new(&config)
}

/// The value of a label and its version.
async fn value(world: &World, secret: &str, label: &str) -> (String, Value) {
    let held = client(world).await.get_secret_value().secret_id(secret).version_stage(label).send().await;
    let held = held.unwrap();
    (held.version_id().unwrap().to_owned(), serde_json::from_str(held.secret_string().unwrap()).unwrap())
}

async fn restart(world: World) -> World {
    world.sandbox.stop().await;
    Box::pin(World::build_with(world.folder, true)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_world_learns_to_rotate_and_a_restart_disturbs_nothing() {
    let world = Box::pin(World::build()).await;
    let (first, before) = value(&world, SECRET_ID, "AWSCURRENT").await;
    assert_eq!(before["masterarn"], Value::Null);

    let world = restart(world).await;
    let (version, after) = value(&world, SECRET_ID, "AWSCURRENT").await;
    let (_, master) = value(&world, MASTER_SECRET_ID, "AWSCURRENT").await;
    let port = Value::from(world.sandbox.addresses().tds.port());
    assert_eq!((&version, &after["password"]), (&first, &before["password"]));
    assert_eq!((&after["port"], &master["port"]), (&port, &port));
    assert_eq!(master["username"], "lockkeeper_rotation");
    assert_eq!(master["dbname"], Value::Null);
    let held = client(&world).await.describe_secret().secret_id(MASTER_SECRET_ID).send().await.unwrap();
    assert_eq!(after["masterarn"].as_str(), held.arn());
    let held = client(&world).await.describe_secret().secret_id(SECRET_ID).send().await.unwrap();
    assert_eq!(held.rotation_enabled(), Some(true));
    assert!(held.rotation_lambda_arn().unwrap().ends_with(":function:learninghub-rotation"));
    assert_eq!(held.rotation_rules().unwrap().schedule_expression(), Some("rate(30 days)"));
    // The rehearsal that came with it is over.
    assert_eq!(held.version_ids_to_stages().unwrap().len(), 1);

    // Somebody cancels it, takes the superuser out, and leaves a rotation half done.
    let secrets = client(&world).await;
    secrets.cancel_rotate_secret().secret_id(SECRET_ID).send().await.unwrap();
    let mut other = after.clone();
    other.as_object_mut().unwrap().remove("masterarn");
    let put = || secrets.put_secret_value().secret_id(SECRET_ID);
    put().secret_string(other.to_string()).send().await.unwrap();
    let pending = put().secret_string(other.to_string()).version_stages("AWSPENDING").send().await.unwrap();
    let world = restart(world).await;
    let port = Value::from(world.sandbox.addresses().tds.port());
    let (_, current) = value(&world, SECRET_ID, "AWSCURRENT").await;
    let (hanging, half_done) = value(&world, SECRET_ID, "AWSPENDING").await;
    assert_eq!((&current["masterarn"], &current["port"]), (&Value::Null, &port));
    assert_eq!((Some(hanging.as_str()), &half_done["port"]), (pending.version_id(), &port));
    let held = client(&world).await.describe_secret().secret_id(SECRET_ID).send().await.unwrap();
    assert_eq!(held.rotation_enabled(), Some(false));
    world.sandbox.stop().await;
}
