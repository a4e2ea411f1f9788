//! Who changed a function, when and how: CloudTrail's events of Lambda.

use aws_sdk_cloudtrail::types::{Event, LookupAttribute, LookupAttributeKey};
use aws_sdk_lambda::config::{Credentials, Region, retry::RetryConfig};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::AliasRoutingConfiguration;
use serde_json::{Value, json};

use crate::world::{Plan, World, other_zip};

const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:f";

fn client(world: &World) -> aws_sdk_cloudtrail::Client {
    let config = aws_sdk_cloudtrail::Config::builder()
        .behavior_version_latest()
        .region(Region::new("eu-west-1"))
        .endpoint_url(&world.url)
        .credentials_provider(Credentials::new("AKIATEST", "secret", None, None, "test"))
        .retry_config(RetryConfig::disabled());
    aws_sdk_cloudtrail::Client::from_conf(config.build())
}

async fn found(world: &World, key: LookupAttributeKey, value: &str) -> Vec<Event> {
    let attribute = LookupAttribute::builder().attribute_key(key).attribute_value(value).build().unwrap();
    let lookup = client(world).lookup_events().lookup_attributes(attribute);
    let mut events = lookup.send().await.unwrap().events.unwrap_or_default();
    events.reverse();
    events
}

fn record(event: &Event) -> Value {
    serde_json::from_str(event.cloud_trail_event().unwrap()).unwrap()
}

#[tokio::test]
async fn changes_of_a_function_are_found_by_its_arn_and_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan::default()).await;
    let client = &world.client;
    world.function_with("f", &[("TOKEN", "canary")]).await;
    let update = client.update_function_code().function_name("f").zip_file(Blob::new(other_zip()));
    let updated = update.publish(true).send().await.unwrap();
    client.publish_version().function_name("f").send().await.unwrap();
    client.create_alias().function_name("f").name("live").function_version("$LATEST").send().await.unwrap();
    client.update_function_configuration().function_name("f").timeout(7).send().await.unwrap();
    client.publish_version().function_name("f").description("abc").send().await.unwrap();
    let weights = AliasRoutingConfiguration::builder().additional_version_weights("2", 0.1).build();
    let alias = client.update_alias().function_name(ARN).name("live").function_version("1");
    let alias = alias.routing_config(weights).description("canary of 2").send().await.unwrap();
    let stale = client.update_alias().function_name("f").name("live").revision_id("stale");
    stale.send().await.unwrap_err();
    let permit = client.add_permission().function_name("f").qualifier("live").statement_id("s");
    permit.action("lambda:InvokeFunction").principal("apigateway.amazonaws.com").send().await.unwrap();
    client.tag_resource().resource(ARN).tags("Rollout", "Begun").send().await.unwrap();
    client.untag_resource().resource(ARN).tag_keys("Rollout").send().await.unwrap();
    client.list_aliases().function_name("f").send().await.unwrap();
    world.ask("f", json!({})).await;
    client.delete_alias().function_name("f").name("live").send().await.unwrap();
    client.delete_function().function_name("f").send().await.unwrap();

    let events = found(&world, LookupAttributeKey::ResourceName, ARN).await;
    let names: Vec<&str> = events.iter().map(|event| event.event_name().unwrap()).collect();
    assert_eq!(
        names,
        [
            "CreateFunction20150331",
            "UpdateFunctionCode20150331v2",
            "PublishVersion20150331",
            "CreateAlias20150331",
            "UpdateFunctionConfiguration20150331v2",
            "PublishVersion20150331",
            "UpdateAlias20150331",
            "UpdateAlias20150331",
            "AddPermission20150331v2",
            "TagResource20170331v2",
            "UntagResource20170331v2",
            "DeleteAlias20150331",
            "DeleteFunction20150331",
        ]
    );
    for event in &events {
        let (resource, record) = (&event.resources()[0], record(event));
        assert_eq!(
            (resource.resource_type(), resource.resource_name()),
            (Some("AWS::Lambda::Function"), Some(ARN))
        );
        assert_eq!(record["eventSource"], "lambda.amazonaws.com");
        assert_eq!(record["resources"][0]["ARN"], ARN);
        let text = record.to_string();
        assert!(!text.contains("TOKEN") && !text.contains("zipFile"), "{text}");
        assert!(text.len() < 4_000, "{} bytes", text.len());
    }
    let code = record(&events[1]);
    assert_eq!(code["requestParameters"], json!({"functionName": "f", "publish": true}));
    assert_eq!(code["responseElements"]["codeSha256"], updated.code_sha256().unwrap());
    assert_eq!(record(&events[5])["requestParameters"]["description"], "abc");
    assert_eq!(record(&events[5])["responseElements"]["version"], "2");

    let aliases = found(&world, LookupAttributeKey::EventName, "UpdateAlias20150331").await;
    let [moved, refused] = aliases.as_slice() else { panic!("{aliases:?}") };
    assert_eq!(moved.username(), Some("sandbox"));
    let (moved, refused) = (record(moved), record(refused));
    assert_eq!(
        moved["requestParameters"],
        json!({
            "functionName": ARN, "name": "live", "functionVersion": "1", "description": "canary of 2",
            "routingConfig": {"additionalVersionWeights": {"2": 0.1}},
        })
    );
    assert_eq!(moved["responseElements"]["revisionId"], alias.revision_id().unwrap());
    assert_eq!(moved["userIdentity"]["accessKeyId"], "AKIATEST");
    assert_eq!(refused["errorCode"], "PreconditionFailedException");
    assert_eq!(
        refused["requestParameters"],
        json!({"functionName": "f", "name": "live", "revisionId": "stale"})
    );
    assert_eq!(refused["responseElements"], Value::Null);
    // Whose words the names in a map are: they stay as they were written.
    let tagged = &record(&events[9])["requestParameters"];
    assert_eq!(*tagged, json!({"resource": ARN, "tags": {"Rollout": "Begun"}}));
    assert_eq!(record(&events[10])["requestParameters"]["tagKeys"], json!(["Rollout"]));
    assert_eq!(record(&events[8])["requestParameters"]["qualifier"], "live");
    world.stop().await;
}
