//! Alarms and whom they tell: topics and their subscriptions over the wire, an alarm's action carried out,
//! and its history.

use aws_sdk_cloudwatch::types::{ComparisonOperator, HistoryItemType, ScanBy, StateValue, Statistic};
use aws_sdk_sns::error::ProvideErrorMetadata;
use sandbox::sandbox::Ports;
use sandbox::{Config, Sandbox};

const ENDPOINT: &str = "ops@example.com";

struct Stand {
    sandbox: Sandbox,
    sns: aws_sdk_sns::Client,
    cloudwatch: aws_sdk_cloudwatch::Client,
    _folder: tempfile::TempDir,
}

impl Stand {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sandbox =
            Sandbox::start(Config { ports: Ports::ANY, ..Config::new(folder.path()) }).await.unwrap();
        let sdk = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .region(aws_config::Region::new("eu-west-1"))
            .endpoint_url(sandbox.aws_endpoint())
            .credentials_provider(aws_credential_types::Credentials::new("any", "any", None, None, "test"))
            .retry_config(aws_config::retry::RetryConfig::disabled())
            .load()
            .await;
        let (sns, cloudwatch) = (aws_sdk_sns::Client::new(&sdk), aws_sdk_cloudwatch::Client::new(&sdk));
        Self { sandbox, sns, cloudwatch, _folder: folder }
    }

    async fn topic(&self, name: &str) -> String {
        self.sns.create_topic().name(name).send().await.unwrap().topic_arn.unwrap()
    }

    /// Confirmed and pending subscriptions.
    async fn counts(&self, topic: &str) -> (String, String) {
        let told = self.sns.get_topic_attributes().topic_arn(topic).send().await.unwrap();
        let told = told.attributes.unwrap();
        let of = |name: &str| told[name].clone();
        (of("SubscriptionsConfirmed"), of("SubscriptionsPending"))
    }

    async fn alarm(&self, topic: &str) {
        let alarm = self.cloudwatch.put_metric_alarm().alarm_name("errors").namespace("N").metric_name("M");
        let alarm = alarm.statistic(Statistic::Sum).period(60).evaluation_periods(1).threshold(0.0);
        let alarm = alarm.comparison_operator(ComparisonOperator::GreaterThanThreshold).alarm_actions(topic);
        alarm.send().await.unwrap();
    }

    async fn set(&self, state: StateValue, why: &str) {
        let set = self.cloudwatch.set_alarm_state().alarm_name("errors").state_value(state);
        set.state_reason(why).send().await.unwrap();
    }
}

#[tokio::test]
async fn subscriptions_wait_until_they_are_confirmed() {
    let stand = Stand::start().await;
    let topic = stand.topic("operators").await;
    assert_eq!(topic, "arn:aws:sns:eu-west-1:123456789012:operators");
    assert_eq!(stand.topic("operators").await, topic, "a topic that is there is the same one");
    let subscribe = || stand.sns.subscribe().topic_arn(&topic).protocol("email").endpoint(ENDPOINT);
    let said = subscribe().send().await.unwrap();
    assert_eq!(said.subscription_arn(), Some("pending confirmation"));
    subscribe().send().await.unwrap();
    assert_eq!(stand.counts(&topic).await, ("0".to_owned(), "1".to_owned()));
    let list = async || {
        let list = stand.sns.list_subscriptions_by_topic().topic_arn(&topic).send().await.unwrap();
        list.subscriptions()[0].subscription_arn().unwrap().to_owned()
    };
    assert_eq!(list().await, "PendingConfirmation");
    let wrong = stand.sns.confirm_subscription().topic_arn(&topic).token("none").send().await;
    assert_eq!(wrong.unwrap_err().code(), Some("InvalidParameter"));
    stand.sandbox.topics().confirm(&topic, ENDPOINT).unwrap();
    assert_eq!(stand.counts(&topic).await, ("1".to_owned(), "0".to_owned()));
    let arn = list().await;
    assert!(arn.starts_with(&format!("{topic}:")), "{arn}");
    stand.sns.unsubscribe().subscription_arn(arn).send().await.unwrap();
    assert_eq!(stand.counts(&topic).await, ("0".to_owned(), "0".to_owned()));
}

#[tokio::test]
async fn what_sns_refuses() {
    let stand = Stand::start().await;
    let topic = stand.topic("operators").await;
    let missing = format!("{topic}-none");
    let sns = &stand.sns;
    let gone = sns.get_topic_attributes().topic_arn(&missing).send().await.unwrap_err();
    assert_eq!(gone.code(), Some("NotFound"));
    assert!(gone.as_service_error().unwrap().is_not_found_exception());
    for name in ["", "no spaces"] {
        let refused = sns.create_topic().name(name).send().await.unwrap_err();
        assert_eq!(refused.code(), Some("InvalidParameter"), "{name}");
    }
    let fifo = sns.create_topic().name("x.fifo").send().await.unwrap_err();
    assert_eq!(fifo.code(), Some("SandboxUnsupported"));
    for (protocol, endpoint, code) in [
        ("email", "nobody", "InvalidParameter"),
        ("https", "http://example.com", "InvalidParameter"),
        ("pigeon", "coop", "InvalidParameter"),
        ("lambda", "arn:aws:lambda:eu-west-1:123456789012:function:f", "SandboxUnsupported"),
    ] {
        let refused = sns.subscribe().topic_arn(&topic).protocol(protocol).endpoint(endpoint).send().await;
        assert_eq!(refused.unwrap_err().code(), Some(code), "{protocol} {endpoint}");
    }
    let other = "arn:aws:sns:eu-west-1:999999999999:operators";
    let refused = sns.publish().topic_arn(other).message("x").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("AuthorizationError"));
    let set = sns.set_topic_attributes().topic_arn(&topic).attribute_name("DisplayName");
    let set = set.attribute_value("Operators").send().await.unwrap_err();
    assert_eq!(set.code(), Some("SandboxUnsupported"));
    sns.delete_topic().topic_arn(&topic).send().await.unwrap();
    sns.delete_topic().topic_arn(&topic).send().await.unwrap();
    assert_eq!(sns.list_topics().send().await.unwrap().topics().len(), 0);
}

#[tokio::test]
async fn an_alarm_tells_its_topic_and_has_a_history() {
    let stand = Stand::start().await;
    let topic = stand.topic("operators").await;
    stand.alarm(&topic).await;
    stand.set(StateValue::Alarm, "it is a test").await;
    let messages = stand.sandbox.topics().messages();
    assert_eq!(messages.len(), 1);
    assert!(messages[0].text.contains("it is a test") && messages[0].subscribers == 0, "{messages:?}");
    stand.sns.delete_topic().topic_arn(&topic).send().await.unwrap();
    stand.set(StateValue::Ok, "it is over").await;
    stand.set(StateValue::Alarm, "once more").await;

    let ask = || stand.cloudwatch.describe_alarm_history().alarm_name("errors");
    let all = ask().scan_by(ScanBy::TimestampAscending).send().await.unwrap();
    let told: Vec<_> = all.alarm_history_items().iter().map(|item| item.history_summary().unwrap()).collect();
    let (done, failed) = (
        format!("Successfully executed action {topic}"),
        format!("Failed to execute action {topic}. Received error: \"Topic does not exist\""),
    );
    let expected = [
        "Alarm \"errors\" created",
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
        done.as_str(),
        "Alarm updated from ALARM to OK",
        "Alarm updated from OK to ALARM",
        failed.as_str(),
    ];
    assert_eq!(told, expected);
    // By pages of two, the newest first, it is the same.
    let mut pages = ask().max_records(2).into_paginator().send();
    let mut paged = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert!(page.alarm_history_items().len() <= 2);
        paged
            .extend(page.alarm_history_items().iter().map(|item| item.history_summary().unwrap().to_owned()));
    }
    paged.reverse();
    assert_eq!(paged, expected);
    let changes = ask().history_item_type(HistoryItemType::StateUpdate).send().await.unwrap();
    assert_eq!(changes.alarm_history_items().len(), 3);
    assert!(changes.alarm_history_items()[0].history_data().unwrap().contains("once more"));
    let none = stand.cloudwatch.describe_alarm_history().alarm_name("other").send().await.unwrap();
    assert_eq!(none.alarm_history_items().len(), 0);
}
