//! Rotations: what is asked of Secrets Manager, what it does with the function, what it says of it.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::types::RotationRulesType;
use serde_json::{Value, json};

use crate::refused;
use crate::rotation::{FUNCTION, Rotating, SECRET, token};

fn labels<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(label, version)| (label.to_owned(), version.to_owned())).collect()
}

const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_goes_through_its_four_steps() {
    let here = Rotating::new().await;
    assert_eq!(here.describe().await.rotation_enabled(), None);
    here.tell("hold", "createSecret");
    let reply = here.rotate(1).send().await.unwrap();
    assert_eq!((reply.version_id(), reply.arn()), (Some(token(1).as_str()), Some(here.arn.as_str())));
    // The label is there before the function has done anything, and without a value.
    assert_eq!(here.labels().await, labels([("AWSCURRENT", ""), ("AWSPENDING", "1")]));
    let listed = here.secrets.list_secret_version_ids().secret_id(SECRET).send().await.unwrap();
    let listed: Vec<_> = listed.versions().iter().filter_map(|version| version.version_id()).collect();
    assert_eq!(listed, [token(0)]);
    refused!(here.again(2), "InvalidRequestException", 400, "A previous rotation isn't complete");
    assert_eq!(here.again(1).send().await.unwrap().version_id(), Some(token(1).as_str()));
    here.tell("hold", "");
    here.until_told("RotationSucceeded", 2).await;

    assert_eq!(here.steps(), STEPS);
    let event = here.events().remove(0);
    assert_eq!((&event["SecretId"], &event["ClientRequestToken"]), (&json!(here.arn), &json!(token(1))));
    assert_eq!(here.labels().await, labels([("AWSCURRENT", "1"), ("AWSPENDING", "1"), ("AWSPREVIOUS", "")]));
    let held = here.describe().await;
    assert_eq!((held.rotation_enabled(), held.rotation_lambda_arn()), (Some(true), Some(FUNCTION)));
    let rules = held.rotation_rules().unwrap();
    assert_eq!(rules.schedule_expression(), Some("rate(30 days)"));
    assert_eq!(rules.automatically_after_days(), Some(30));
    let seconds = |time: Option<&aws_sdk_secretsmanager::primitives::DateTime>| time.unwrap().secs();
    assert_eq!(seconds(held.last_rotated_date()), here.world.context.now().timestamp());
    let next: chrono::DateTime<chrono::Utc> = "2026-09-03T23:59:59Z".parse().unwrap();
    assert_eq!(seconds(held.next_rotation_date()), next.timestamp());
    let listed = here.secrets.list_secrets().send().await.unwrap();
    assert_eq!(listed.secret_list()[0].next_rotation_date(), held.next_rotation_date());

    // The same token is the same rotation, done; another one is the next.
    here.again(1).send().await.unwrap();
    here.again(2).send().await.unwrap();
    here.until_told("RotationSucceeded", 4).await;
    assert_eq!(here.steps().len(), 8);
    assert_eq!(here.labels().await, labels([("AWSCURRENT", "2"), ("AWSPENDING", "2"), ("AWSPREVIOUS", "1")]));
    here.world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_fails_ends_the_attempt_and_the_same_token_takes_it_up_again() {
    let here = Rotating::new().await;
    let (mut told, mut steps) = (0, 0);
    for (n, failing) in (1..).zip(STEPS) {
        here.tell("fail", failing);
        here.rotate(n).send().await.unwrap();
        told += 2;
        here.until_told("RotationFailed", told).await;
        let failed = usize::from(n);
        steps += failed;
        assert_eq!(here.steps().len(), steps, "it stops at {failing}");
        assert_eq!(here.labels().await["AWSPENDING"], n.to_string(), "{failing}");
        let record = here.record("RotationFailed").await;
        let message = record["errorMessage"].as_str().unwrap();
        assert!(message.contains(&format!("step {failing}")), "{message}");
        refused!(here.again(9), "InvalidRequestException", 400, "A previous rotation isn't complete");

        here.tell("fail", "");
        here.again(n).send().await.unwrap();
        told += 2;
        here.until_told("RotationSucceeded", told).await;
        steps += 4;
        assert_eq!(here.labels().await["AWSCURRENT"], n.to_string(), "{failing}");
    }
    here.world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_aws_refuses_is_refused() {
    let here = Rotating::new().await;
    let rules = |rules: aws_sdk_secretsmanager::types::builders::RotationRulesTypeBuilder| {
        here.rotate(1).rotation_rules(rules.build())
    };
    refused!(here.again(1), "InvalidRequestException", 400, "No Lambda rotation function ARN");
    refused!(
        here.secrets.cancel_rotate_secret().secret_id(SECRET),
        "InvalidRequestException",
        400,
        "No Lambda rotation function ARN"
    );
    let denied = "Secrets Manager cannot invoke the specified Lambda function.";
    let missing = "arn:aws:lambda:eu-west-1:123456789012:function:missing";
    for function in [missing, "no function", &format!("{FUNCTION}:live")] {
        let call = here.rotate(1).rotation_lambda_arn(function);
        refused!(call, "AccessDeniedException", 400, denied);
    }
    let permissions = || here.world.client.remove_permission().function_name("rotator");
    permissions().statement_id("rotation").send().await.unwrap();
    refused!(here.rotate(1), "AccessDeniedException", 400, denied);
    here.permit("arn:aws:secretsmanager:eu-west-1:123456789012:secret:another-*").await;
    refused!(here.rotate(1), "AccessDeniedException", 400, denied);
    permissions().statement_id("rotation").send().await.unwrap();
    here.permit("arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/*").await;

    let kinds = RotationRulesType::builder;
    for expression in ["rate(3 hours)", "cron(5 1 * * ? *)", "cron(0 1 1W * ? *)", "daily"] {
        let call = rules(kinds().schedule_expression(expression));
        refused!(call, "InvalidParameterException", 400, expression);
    }
    let both = kinds().automatically_after_days(3).schedule_expression("rate(3 days)");
    refused!(rules(both), "InvalidParameterException", 400, "both");
    let window = kinds().schedule_expression("cron(0 22 * * ? *)").duration("3h");
    refused!(rules(window), "InvalidParameterException", 400, "next UTC day");
    refused!(rules(kinds().automatically_after_days(1001)), "ValidationException", 400, "1000");
    refused!(here.rotate(1).client_request_token("short"), "ValidationException", 400, "32");
    refused!(here.rotate(1).secret_id("nosuch"), "ResourceNotFoundException", 400, "can't find");
    assert_eq!(here.describe().await.rotation_enabled(), None, "a refusal changes nothing");
    assert_eq!(here.labels().await, labels([("AWSCURRENT", "")]));

    here.rotate(1).rotate_immediately(false).send().await.unwrap();
    here.until_told("TestRotationSucceeded", 2).await;
    here.secrets.delete_secret().secret_id(SECRET).send().await.unwrap();
    refused!(here.again(2), "InvalidRequestException", 400, "marked for deletion");
    assert_eq!(here.steps(), ["testSecret"]);
    here.world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rehearsal_runs_the_test_only_and_leaves_nothing() {
    let here = Rotating::new().await;
    here.tell("hold", "testSecret");
    here.rotate(1).rotate_immediately(false).send().await.unwrap();
    here.stepped(1).await;
    // What it tests on has the current value.
    assert_eq!(here.labels().await, labels([("AWSCURRENT", ""), ("AWSPENDING", "1")]));
    let pending = here.secrets.get_secret_value().secret_id(SECRET).version_stage("AWSPENDING").send().await;
    assert_eq!(pending.unwrap().secret_string(), Some("first"));
    refused!(here.again(2), "InvalidRequestException", 400, "A previous rotation isn't complete");
    here.tell("hold", "");
    here.until_told("TestRotationSucceeded", 2).await;
    let listed = here.secrets.list_secret_version_ids().secret_id(SECRET).include_deprecated(true);
    assert_eq!(listed.clone().send().await.unwrap().versions().len(), 1);
    let held = here.describe().await;
    assert_eq!((held.rotation_enabled(), held.last_rotated_date()), (Some(true), None));

    here.tell("fail", "testSecret");
    here.again(2).rotate_immediately(false).send().await.unwrap();
    here.until_told("TestRotationFailed", 4).await;
    assert_eq!(here.steps(), ["testSecret", "testSecret"]);
    assert_eq!(here.labels().await, labels([("AWSCURRENT", "")]));
    assert_eq!(listed.send().await.unwrap().versions().len(), 1);
    assert!(here.record("TestRotationFailed").await["errorMessage"].as_str().unwrap().contains("testSecret"));
    here.world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_turns_rotation_off_and_leaves_labels_behind() {
    let here = Rotating::new().await;
    here.tell("hold", "setSecret");
    here.rotate(1).send().await.unwrap();
    here.stepped(2).await;
    let cancel = || here.secrets.cancel_rotate_secret().secret_id(SECRET).send();
    assert_eq!(cancel().await.unwrap().version_id(), Some(token(1).as_str()));
    here.tell("hold", "");
    let held = here.describe().await;
    assert_eq!((held.rotation_enabled(), held.next_rotation_date()), (Some(false), None));
    assert_eq!(held.rotation_lambda_arn(), Some(FUNCTION));
    assert_eq!(cancel().await.unwrap().version_id(), None);
    assert_eq!(here.labels().await, labels([("AWSCURRENT", ""), ("AWSPENDING", "1")]));
    refused!(here.again(2), "InvalidRequestException", 400, "A previous rotation isn't complete");
    // The way out that AWS names: the label goes, and the next rotation turns it on again.
    let label = here.secrets.update_secret_version_stage().secret_id(SECRET).version_stage("AWSPENDING");
    label.remove_from_version_id(token(1)).send().await.unwrap();
    here.again(2).send().await.unwrap();
    here.until_told("RotationSucceeded", 3).await;
    assert_eq!(here.steps()[..2], STEPS[..2], "no step after the one that ran");
    assert_eq!(here.steps()[2..], STEPS);
    assert_eq!(here.describe().await.rotation_enabled(), Some(true));
    here.world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_made_by_hand_abandons_a_rotation() {
    let here = Rotating::new().await;
    here.tell("hold", "setSecret");
    here.rotate(1).send().await.unwrap();
    here.stepped(2).await;
    let put = here.secrets.put_secret_value().secret_id(SECRET).client_request_token(token(5));
    put.secret_string("by hand").send().await.unwrap();
    assert_eq!(here.labels().await, labels([("AWSCURRENT", "5"), ("AWSPREVIOUS", "")]));
    here.until_told("RotationAbandoned", 2).await;
    let record = here.record("RotationAbandoned").await;
    assert_eq!(record["additionalEventData"], json!({"SecretId": here.arn}));
    here.tell("hold", "");
    // Nothing is in the way of the next one, and the old one takes no further step.
    here.again(2).send().await.unwrap();
    here.until_told("RotationSucceeded", 4).await;
    assert_eq!(here.steps()[2..], STEPS);
    assert_eq!(here.told().await[1..], ["RotationAbandoned", "RotationStarted", "RotationSucceeded"]);
    assert_eq!(here.labels().await["AWSPREVIOUS"], "5");
    here.world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cloudtrail_tells_what_was_changed_by_whom() {
    let here = Rotating::new().await;
    here.rotate(1).send().await.unwrap();
    here.until_told("RotationSucceeded", 2).await;
    let update = here.secrets.update_secret().secret_id(SECRET).client_request_token(token(3));
    update.secret_string("hush").description("d").send().await.unwrap();
    refused!(here.again(0), "InvalidRequestException", 400, "in use");

    let found = here.trail.lookup_events().send().await.unwrap();
    let names: Vec<_> = found.events().iter().rev().filter_map(|event| event.event_name()).collect();
    let expected = [
        "CreateSecret",
        "CreateFunction20150331",
        "AddPermission20150331v2",
        "RotateSecret",
        "RotationStarted",
        "PutSecretValue",
        "UpdateSecretVersionStage",
        "RotationSucceeded",
        "UpdateSecret",
        "RotateSecret",
    ];
    assert_eq!(names, expected);
    let texts: Vec<_> = found.events().iter().filter_map(|event| event.cloud_trail_event()).collect();
    for secret in ["first", "hush", "value of"] {
        assert!(!texts.iter().any(|text| text.contains(secret)), "{secret}");
    }

    let started = here.record("RotationStarted").await;
    assert_eq!((&started["eventType"], &started["errorMessage"]), (&json!("AwsServiceEvent"), &Value::Null));
    assert_eq!(started["userIdentity"]["invokedBy"], "secretsmanager.amazonaws.com");
    assert_eq!(started["additionalEventData"]["SecretId"], json!(here.arn));
    let refusal = here.record("RotateSecret").await;
    assert_eq!(
        (&refusal["errorCode"], &refusal["responseElements"]),
        (&json!("InvalidRequestException"), &Value::Null)
    );
    let update = here.record("UpdateSecret").await;
    assert_eq!(
        update["requestParameters"],
        json!({"secretId": SECRET, "clientRequestToken": token(3), "description": "d"})
    );
    assert_eq!(update["responseElements"]["arn"], json!(here.arn));
    assert_eq!(
        (&update["readOnly"], &update["userIdentity"]["accessKeyId"]),
        (&json!(false), &json!("AKIATEST"))
    );
    let put = here.record("PutSecretValue").await;
    assert_eq!(put["userIdentity"]["type"], "AssumedRole", "the function's own call");

    lookups(&here, expected.len()).await;
    here.world.stop().await;
}

/// Attributes, pages and times. Two of all events are about the function.
async fn lookups(here: &Rotating, all: usize) {
    let of_secret = all - 2;
    use aws_sdk_cloudtrail::primitives::DateTime;
    use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey as Key};
    let attribute = |key, value: &str| {
        LookupAttribute::builder().attribute_key(key).attribute_value(value).build().unwrap()
    };
    for (key, value, count) in [
        (Key::EventName, "RotateSecret", 2),
        (Key::EventSource, "secretsmanager.amazonaws.com", of_secret),
        (Key::ResourceName, here.arn.as_str(), of_secret),
        (Key::ResourceType, "AWS::SecretsManager::Secret", of_secret),
        (Key::ReadOnly, "false", all),
        (Key::ReadOnly, "true", 0),
        (Key::AccessKeyId, "AKIATEST", 6),
        (Key::Username, "function", 2),
    ] {
        let found = here.trail.lookup_events().lookup_attributes(attribute(key.clone(), value)).send().await;
        assert_eq!(found.unwrap().events().len(), count, "{key:?} {value}");
    }
    let mut pages = here.trail.lookup_events().max_results(3).into_paginator().send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        sizes.push(page.unwrap().events().len());
    }
    assert_eq!(sizes, [3, 3, 3, 1]);
    let now = here.world.context.now().timestamp();
    let lookup = || here.trail.lookup_events();
    let at = DateTime::from_secs;
    assert_eq!(lookup().start_time(at(now)).end_time(at(now)).send().await.unwrap().events().len(), all);
    assert!(lookup().start_time(at(now + 1)).send().await.unwrap().events().is_empty());
    let two = [attribute(Key::EventName, "a"), attribute(Key::ReadOnly, "true")];
    refused!(
        lookup().set_lookup_attributes(Some(two.into())),
        "InvalidLookupAttributesException",
        400,
        "one"
    );
    refused!(lookup().max_results(51), "InvalidMaxResultsException", 400, "50");
    refused!(lookup().next_token("x"), "InvalidNextTokenException", 400, "invalid");
    let backwards = lookup().start_time(at(now)).end_time(at(now - 1));
    refused!(backwards, "InvalidTimeRangeException", 400, "after");
    refused!(here.trail.describe_trails(), "SandboxUnsupported", 501, "DescribeTrails");
}
