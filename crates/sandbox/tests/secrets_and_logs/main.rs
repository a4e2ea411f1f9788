//! Secrets Manager, CloudWatch Logs, STS and the endpoint's faults, through the real SDKs over the
//! wire. One binary: `secrets` and `logs` have a service each, `embedded` the metrics
//! in log events, `faults` what goes wrong on the wire, and what concerns all of them is here.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod embedded;
mod faults;
mod logs;
mod secrets;
mod world;

use aws_config::retry::RetryConfig;
use sandbox::services::logs::LogEvent;
use world::{PATIENCE, World, refusal, token};

#[tokio::test]
async fn the_caller_is_known() {
    let world = World::new().await;
    let sts = aws_sdk_sts::Client::new(&world.config(RetryConfig::disabled(), PATIENCE).await);
    let who = sts.get_caller_identity().send().await.unwrap();
    assert_eq!(who.account(), Some("123456789012"));
    assert_eq!(who.arn(), Some("arn:aws:iam::123456789012:user/sandbox"));
    assert!(who.user_id().is_some());
    let (code, message) = refusal(
        sts.assume_role().role_arn("arn:aws:iam::123456789012:role/abc").role_session_name("me").send().await,
    );
    assert_eq!(code, "SandboxUnsupported");
    assert!(message.contains("AssumeRole"), "{message}");
}

#[tokio::test]
async fn what_is_not_known_is_refused_by_name() {
    let world = World::new().await;
    let secrets = world.secrets().await;
    let (code, message) = refusal(
        secrets
            .create_secret()
            .name("s")
            .secret_string("x")
            .add_replica_regions(
                aws_sdk_secretsmanager::types::ReplicaRegionType::builder().region("eu-west-2").build(),
            )
            .send()
            .await,
    );
    assert_eq!(code, "SerializationException");
    assert!(message.contains("AddReplicaRegions"), "{message}");
    assert_eq!(refusal(secrets.describe_secret().secret_id("s").send().await).0, "ResourceNotFoundException");
    let (code, message) = refusal(secrets.validate_resource_policy().resource_policy("{}").send().await);
    assert_eq!(code, "SandboxUnsupported");
    assert!(message.contains("ValidateResourcePolicy"), "{message}");

    let logs = world.client().await;
    let (code, message) = refusal(logs.describe_metric_filters().send().await);
    assert_eq!(code, "SandboxUnsupported");
    assert!(message.contains("DescribeMetricFilters"), "{message}");
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let world = World::new().await;
    let client = world.secrets().await;
    client
        .create_secret()
        .name("s")
        .client_request_token(token(1))
        .secret_string("one")
        .send()
        .await
        .unwrap();
    client
        .put_secret_value()
        .secret_id("s")
        .client_request_token(token(2))
        .secret_string("two")
        .send()
        .await
        .unwrap();
    world.client().await.create_log_group().log_group_name("/g").tags("a", "b").send().await.unwrap();
    world
        .client()
        .await
        .put_retention_policy()
        .log_group_name("/g")
        .retention_in_days(7)
        .send()
        .await
        .unwrap();
    let now = world.context.now_ms();
    // Still in the queue when the world ends.
    world.logs.append("/g", "s", vec![LogEvent { timestamp: now, message: "last words".into() }]).unwrap();

    use std::os::unix::fs::PermissionsExt;
    for file in ["secretsmanager.json", "logs.sqlite"] {
        let mode = std::fs::metadata(world.folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let world = world.restart().await;
    let client = world.secrets().await;
    assert_eq!(client.get_secret_value().secret_id("s").send().await.unwrap().secret_string(), Some("two"));
    let previous =
        client.get_secret_value().secret_id("s").version_stage("AWSPREVIOUS").send().await.unwrap();
    assert_eq!(previous.version_id(), Some(token(1).as_str()));
    let logs = world.client().await;
    let groups = logs.describe_log_groups().send().await.unwrap();
    assert_eq!(groups.log_groups()[0].retention_in_days(), Some(7));
    let events = logs.get_log_events().log_group_name("/g").log_stream_name("s").send().await.unwrap();
    assert_eq!(events.events()[0].message(), Some("last words"));
}
