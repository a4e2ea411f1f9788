//! Secrets Manager through its SDK.

use std::collections::HashMap;

use aws_sdk_secretsmanager::primitives::Blob;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, SortOrderType, Tag};
use chrono::TimeDelta;

use crate::world::{World, noon, refusal, token};

#[tokio::test]
async fn a_secret_lives_from_creation_to_deletion() {
    let world = World::new().await;
    let client = world.secrets().await;
    let made = client
        .create_secret()
        .name("learninghub/sqlserver")
        .client_request_token(token(1))
        .description("the database")
        .secret_string(r#"{"username":"app"}"#)
        .tags(Tag::builder().key("stage").value("demo").build())
        .send()
        .await
        .unwrap();
    let arn = made.arn().unwrap().to_owned();
    assert!(arn.starts_with("arn:aws:secretsmanager:eu-west-1:123456789012:secret:learninghub/sqlserver-"));
    assert_eq!(arn.len() - arn.rfind('-').unwrap(), 7);
    assert_eq!(made.version_id(), Some(token(1).as_str()));

    // Found by name, by whole and by partial ARN.
    for id in ["learninghub/sqlserver", &arn, &arn[..arn.len() - 7]] {
        let found = client.get_secret_value().secret_id(id).send().await.unwrap();
        assert_eq!(found.secret_string(), Some(r#"{"username":"app"}"#), "{id}");
        assert_eq!(found.version_stages(), ["AWSCURRENT"]);
    }

    // Dates: changed with a fraction, accessed by the day.
    let told = client.describe_secret().secret_id(&arn).send().await.unwrap();
    assert_eq!(told.created_date().unwrap().secs(), noon().timestamp());
    assert_eq!(told.last_accessed_date().unwrap().secs(), noon().timestamp() - 12 * 3600);
    assert_eq!(told.tags()[0].value(), Some("demo"));
    assert_eq!(told.rotation_enabled(), None);
    world.clock.advance(TimeDelta::milliseconds(1_500));
    client.update_secret().secret_id(&arn).description("new words").send().await.unwrap();
    let told = client.describe_secret().secret_id(&arn).send().await.unwrap();
    assert_eq!(told.description(), Some("new words"));
    assert_eq!(told.last_changed_date().unwrap().to_millis().unwrap(), noon().timestamp_millis() + 1_500);
    assert_eq!(told.created_date().unwrap().secs(), noon().timestamp());

    // Marked for deletion: described, restored, but not read; then gone when its time has come.
    let (code, _) = refusal(client.delete_secret().secret_id(&arn).recovery_window_in_days(6).send().await);
    assert_eq!(code, "InvalidParameterException");
    client.delete_secret().secret_id(&arn).recovery_window_in_days(7).send().await.unwrap();
    let (code, message) = refusal(client.get_secret_value().secret_id(&arn).send().await);
    assert_eq!(code, "InvalidRequestException");
    assert!(message.contains("marked for deletion"), "{message}");
    assert!(client.list_secrets().send().await.unwrap().secret_list().is_empty());
    let with = client.list_secrets().include_planned_deletion(true).send().await.unwrap();
    assert_eq!(with.secret_list()[0].deleted_date().unwrap().secs(), noon().timestamp() + 7 * 86_400 + 1);
    let (code, message) =
        refusal(client.create_secret().name("learninghub/sqlserver").secret_string("x").send().await);
    assert_eq!(code, "InvalidRequestException");
    assert!(message.contains("already scheduled for deletion"), "{message}");
    client.restore_secret().secret_id(&arn).send().await.unwrap();
    client.get_secret_value().secret_id(&arn).send().await.unwrap();
    client.delete_secret().secret_id(&arn).send().await.unwrap();
    world.clock.advance(TimeDelta::days(30));
    let (code, message) = refusal(client.describe_secret().secret_id(&arn).send().await);
    assert_eq!(code, "ResourceNotFoundException");
    assert_eq!(message, "Secrets Manager can't find the specified secret.");

    // The name is free again, under another ARN.
    let again = client.create_secret().name("learninghub/sqlserver").send().await.unwrap();
    assert_ne!(again.arn(), Some(arn.as_str()));
    assert_eq!(again.version_id(), None);
    client
        .delete_secret()
        .secret_id("learninghub/sqlserver")
        .force_delete_without_recovery(true)
        .send()
        .await
        .unwrap();
    client.delete_secret().secret_id("never-there").force_delete_without_recovery(true).send().await.unwrap();
    let (code, _) = refusal(client.delete_secret().secret_id("never-there").send().await);
    assert_eq!(code, "ResourceNotFoundException");
}

#[tokio::test]
async fn the_same_token_means_the_same_version() {
    let world = World::new().await;
    let client = world.secrets().await;
    let create = |value: &str, n: u8| {
        client.create_secret().name("s").client_request_token(token(n)).secret_string(value).send()
    };
    let first = create("one", 1).await.unwrap();
    let again = create("one", 1).await.unwrap();
    assert_eq!((first.arn(), first.version_id()), (again.arn(), again.version_id()));
    let (code, message) = refusal(create("two", 1).await);
    assert_eq!(code, "ResourceExistsException");
    assert!(message.contains("You can't use ClientRequestToken") && message.contains(first.arn().unwrap()));
    let (code, message) = refusal(create("one", 2).await);
    assert_eq!(code, "ResourceExistsException");
    assert_eq!(message, "The operation failed because the secret s already exists.");

    let put = |value: &str, n: u8| {
        client.put_secret_value().secret_id("s").client_request_token(token(n)).secret_string(value).send()
    };
    put("two", 2).await.unwrap();
    let changed = client.describe_secret().secret_id("s").send().await.unwrap();
    world.clock.advance(TimeDelta::seconds(5));
    let same = put("two", 2).await.unwrap();
    assert_eq!(same.version_stages(), ["AWSCURRENT"]);
    assert_eq!(
        client.describe_secret().secret_id("s").send().await.unwrap().last_changed_date(),
        changed.last_changed_date(),
        "a repeated call changes nothing"
    );
    assert_eq!(refusal(put("three", 2).await).0, "ResourceExistsException");
    // The old version keeps its value and does not take AWSCURRENT back.
    assert_eq!(put("one", 1).await.unwrap().version_stages(), ["AWSPREVIOUS"]);
    let binary = client
        .put_secret_value()
        .secret_id("s")
        .client_request_token(token(2))
        .secret_binary(Blob::new("two"))
        .send()
        .await;
    assert_eq!(refusal(binary).0, "ResourceExistsException");
    let update = client
        .update_secret()
        .secret_id("s")
        .client_request_token(token(2))
        .secret_string("two")
        .send()
        .await;
    assert_eq!(refusal(update).0, "ResourceExistsException");
}

#[tokio::test]
async fn values_come_back_as_they_went_in() {
    let world = World::new().await;
    let client = world.secrets().await;
    let bytes: Vec<u8> = (0..=255).collect();
    client.create_secret().name("b").secret_binary(Blob::new(bytes.clone())).send().await.unwrap();
    let found = client.get_secret_value().secret_id("b").send().await.unwrap();
    assert_eq!(found.secret_binary().unwrap().as_ref(), bytes);
    assert_eq!(found.secret_string(), None);

    client.put_secret_value().secret_id("b").secret_string("x".repeat(65_536)).send().await.unwrap();
    let (code, message) =
        refusal(client.put_secret_value().secret_id("b").secret_string("y".repeat(65_537)).send().await);
    assert_eq!(code, "ValidationException");
    assert!(!message.contains("yyy"), "a refusal does not repeat a secret");
    let both = client.put_secret_value().secret_id("b").secret_string("x").secret_binary(Blob::new("x"));
    assert_eq!(refusal(both.send().await).0, "InvalidParameterException");
    assert_eq!(refusal(client.put_secret_value().secret_id("b").send().await).0, "InvalidRequestException");

    let (code, message) = refusal(client.create_secret().name("Inv Name").secret_string("x").send().await);
    assert_eq!(code, "ValidationException");
    assert!(message.starts_with("Invalid name."), "{message}");
    let short = client.put_secret_value().secret_id("b").client_request_token("short").secret_string("x");
    assert_eq!(refusal(short.send().await).0, "ValidationException");

    // By version id and label, which must agree.
    let versions = client.list_secret_version_ids().secret_id("b").send().await.unwrap();
    let by_label = |label: &str| {
        let version = versions.versions().iter().find(|v| v.version_stages().contains(&label.to_owned()));
        version.unwrap().version_id().unwrap().to_owned()
    };
    let (current, previous) = (by_label("AWSCURRENT"), by_label("AWSPREVIOUS"));
    let get = |version: &str, label: &str| {
        client.get_secret_value().secret_id("b").version_id(version).version_stage(label).send()
    };
    assert!(get(&previous, "AWSPREVIOUS").await.unwrap().secret_binary().is_some());
    let (code, message) = refusal(get(&current, "AWSPREVIOUS").await);
    assert_eq!(code, "InvalidRequestException");
    assert!(message.contains("not associated"), "{message}");
    let (code, message) =
        refusal(client.get_secret_value().secret_id("b").version_stage("AWSPENDING").send().await);
    assert_eq!(code, "ResourceNotFoundException");
    assert!(message.ends_with("staging label: AWSPENDING"), "{message}");
    assert_eq!(refusal(get(&token(9), "AWSCURRENT").await).0, "ResourceNotFoundException");

    // In one go.
    client.create_secret().name("c").secret_string("see").send().await.unwrap();
    client.create_secret().name("empty").send().await.unwrap();
    let batch = client
        .batch_get_secret_value()
        .set_secret_id_list(Some(vec!["c".into(), "empty".into(), "missing".into()]))
        .send()
        .await
        .unwrap();
    assert_eq!(batch.secret_values()[0].secret_string(), Some("see"));
    assert_eq!(batch.errors().len(), 2);
    assert_eq!(batch.errors()[1].error_code(), Some("ResourceNotFoundException"));
}

#[tokio::test]
async fn a_rotation_is_walked_through_by_hand() {
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
        .version_stages("AWSPENDING")
        .send()
        .await
        .unwrap();
    let current = || async {
        client.get_secret_value().secret_id("s").send().await.unwrap().secret_string().unwrap().to_owned()
    };
    assert_eq!(current().await, "one");

    // A rotation hangs: AWS's own refusal. Otherwise the sandbox says that it does not rotate yet.
    let (code, message) = refusal(client.rotate_secret().secret_id("s").send().await);
    assert_eq!(code, "InvalidRequestException");
    assert!(message.starts_with("A previous rotation isn't complete."), "{message}");

    let finish = |from: Option<String>| {
        client
            .update_secret_version_stage()
            .secret_id("s")
            .version_stage("AWSCURRENT")
            .move_to_version_id(token(2))
            .set_remove_from_version_id(from)
            .send()
    };
    let (code, message) = refusal(finish(None).await);
    assert_eq!(code, "InvalidParameterException");
    assert!(
        message.contains("RemoveFromVersionId can't be empty") && message.contains(&token(1)),
        "{message}"
    );
    assert_eq!(refusal(finish(Some(token(2))).await).0, "InvalidParameterException");
    assert_eq!(current().await, "one");
    finish(Some(token(1))).await.unwrap();
    assert_eq!(current().await, "two");
    let told = client.describe_secret().secret_id("s").send().await.unwrap();
    let expected = HashMap::from([
        (token(1), vec!["AWSPREVIOUS".to_owned()]),
        (token(2), vec!["AWSCURRENT".to_owned(), "AWSPENDING".to_owned()]),
    ]);
    assert_eq!(told.version_ids_to_stages(), Some(&expected));
    // No rotation hangs any more: what is missing now is a function.
    let (code, message) = refusal(client.rotate_secret().secret_id("s").send().await);
    assert_eq!(code, "InvalidRequestException");
    assert!(message.contains("No Lambda rotation function ARN"), "{message}");

    // A label on nothing but itself: `p` never had a value, so it can't even be named.
    let nowhere = client
        .update_secret_version_stage()
        .secret_id("s")
        .version_stage("mine")
        .move_to_version_id(token(7))
        .send()
        .await;
    assert_eq!(refusal(nowhere).0, "ResourceNotFoundException");
}

#[tokio::test]
async fn versions_and_secrets_are_listed_in_pages() {
    let world = World::new().await;
    let client = world.secrets().await;
    for n in 1..=5 {
        let put = client.put_secret_value().secret_id("s").client_request_token(token(n));
        if n == 1 {
            client
                .create_secret()
                .name("s")
                .client_request_token(token(1))
                .secret_string("1")
                .send()
                .await
                .unwrap();
        } else {
            put.secret_string(n.to_string()).send().await.unwrap();
        }
        world.clock.advance(TimeDelta::minutes(10));
    }
    let labelled = client.list_secret_version_ids().secret_id("s").send().await.unwrap();
    assert_eq!(labelled.versions().len(), 2, "deprecated ones are left out");
    let mut seen = Vec::new();
    let mut next = None;
    loop {
        let page = client
            .list_secret_version_ids()
            .secret_id("s")
            .include_deprecated(true)
            .max_results(2)
            .set_next_token(next)
            .send()
            .await
            .unwrap();
        seen.extend(page.versions().iter().map(|v| v.version_id().unwrap().to_owned()));
        next = page.next_token().map(str::to_owned);
        if next.is_none() {
            break;
        }
    }
    assert_eq!(seen, (1..=5).map(token).collect::<Vec<_>>());

    for (name, description, stage) in
        [("app/a", "Database", "prod"), ("app/b", "Queue", "test"), ("web/c", "", "prod")]
    {
        client
            .create_secret()
            .name(name)
            .description(description)
            .secret_string("x")
            .tags(Tag::builder().key("stage").value(stage).build())
            .send()
            .await
            .unwrap();
    }
    let list = |key: FilterNameStringType, values: &[&str]| {
        let filter =
            Filter::builder().key(key).set_values(Some(values.iter().map(|v| (*v).into()).collect()));
        let call = client.list_secrets().filters(filter.build()).sort_by("name".into()).send();
        async {
            call.await.unwrap().secret_list().iter().map(|s| s.name().unwrap().to_owned()).collect::<Vec<_>>()
        }
    };
    assert_eq!(list(FilterNameStringType::Name, &["app/"]).await, ["app/a", "app/b"]);
    assert_eq!(list(FilterNameStringType::Name, &["App/"]).await, [""; 0]);
    assert_eq!(list(FilterNameStringType::Name, &["!app/"]).await, ["s", "web/c"]);
    assert_eq!(list(FilterNameStringType::Name, &["app/a", "web"]).await, ["app/a", "web/c"]);
    assert_eq!(list(FilterNameStringType::Description, &["data"]).await, ["app/a"]);
    assert_eq!(list(FilterNameStringType::TagKey, &["sta"]).await, ["app/a", "app/b", "web/c"]);
    assert_eq!(list(FilterNameStringType::TagValue, &["prod"]).await, ["app/a", "web/c"]);
    assert_eq!(list(FilterNameStringType::All, &["queue APP"]).await, ["app/b"]);
    assert_eq!(list(FilterNameStringType::OwningService, &["rds"]).await, [""; 0]);

    let mut names = Vec::new();
    let mut pages =
        client.list_secrets().sort_order(SortOrderType::Desc).into_paginator().page_size(3).send();
    while let Some(page) = pages.next().await {
        names.extend(page.unwrap().secret_list().iter().map(|secret| secret.name().unwrap().to_owned()));
    }
    assert_eq!(names, ["web/c", "app/b", "app/a", "s"]);
    assert_eq!(refusal(client.list_secrets().next_token("?").send().await).0, "InvalidNextTokenException");
    assert_eq!(refusal(client.list_secrets().max_results(101).send().await).0, "ValidationException");

    client
        .tag_resource()
        .secret_id("s")
        .tags(Tag::builder().key("a").value("1").build())
        .send()
        .await
        .unwrap();
    client.untag_resource().secret_id("app/a").tag_keys("stage").send().await.unwrap();
    assert_eq!(list(FilterNameStringType::TagKey, &["stage", "a"]).await, ["app/b", "s", "web/c"]);
}

#[tokio::test]
async fn passwords_and_policies() {
    let world = World::new().await;
    let client = world.secrets().await;
    let made =
        client.get_random_password().password_length(40).exclude_punctuation(true).send().await.unwrap();
    let password = made.random_password().unwrap();
    assert!(password.len() == 40 && password.bytes().all(|b| b.is_ascii_alphanumeric()), "{password}");
    let (code, message) = refusal(client.get_random_password().password_length(2).send().await);
    assert_eq!(code, "InvalidParameterException");
    assert_eq!(message, "Password length is too short based on the required types.");

    client.create_secret().name("s").secret_string("x").send().await.unwrap();
    assert_eq!(client.get_resource_policy().secret_id("s").send().await.unwrap().resource_policy(), None);
    let everybody = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"secretsmanager:*","Resource":"*"}]}"#;
    let put = |policy: &str, block: bool| {
        client.put_resource_policy().secret_id("s").resource_policy(policy).block_public_policy(block).send()
    };
    assert_eq!(refusal(put(everybody, true).await).0, "PublicPolicyException");
    assert_eq!(refusal(put("nonsense", false).await).0, "MalformedPolicyDocumentException");
    put(everybody, false).await.unwrap();
    let kept = client.get_resource_policy().secret_id("s").send().await.unwrap();
    assert_eq!(kept.resource_policy(), Some(everybody));
    client.delete_resource_policy().secret_id("s").send().await.unwrap();
    assert_eq!(client.get_resource_policy().secret_id("s").send().await.unwrap().resource_policy(), None);
}
