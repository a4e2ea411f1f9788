//! Metrics embedded in log events: put with PutLogEvents, read with GetMetricData.

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat, StandardUnit};
use aws_sdk_cloudwatchlogs::types::{InputLogEvent, LogGroupClass};
use serde_json::{Value, json};

use crate::world::{World, noon};

const DAY: i64 = 86_400_000;

/// An event with one directive, whose metrics have the members given.
fn event(at: i64, dimensions: Value, metrics: Value, members: Value) -> Value {
    let directive = json!({"Namespace": "Shop", "Dimensions": dimensions, "Metrics": metrics});
    let mut event = members;
    event["_aws"] = json!({"Timestamp": at, "CloudWatchMetrics": [directive]});
    event
}

/// Puts messages into a new group and gives back how many of them are in it.
async fn put(world: &World, group: &str, class: LogGroupClass, messages: &[String]) -> usize {
    let client = world.client().await;
    client.create_log_group().log_group_name(group).log_group_class(class.clone()).send().await.unwrap();
    client.create_log_stream().log_group_name(group).log_stream_name("s").send().await.unwrap();
    let now = world.context.now_ms();
    let input = |message| InputLogEvent::builder().timestamp(now).message(message).build().unwrap();
    let put = client.put_log_events().log_group_name(group).log_stream_name("s");
    put.set_log_events(Some(messages.iter().map(input).collect())).send().await.unwrap();
    if class != LogGroupClass::Standard {
        return messages.len();
    }
    let events = client.get_log_events().log_group_name(group).log_stream_name("s").send().await.unwrap();
    let kept: Vec<&str> = events.events().iter().filter_map(|event| event.message()).collect();
    assert_eq!(kept, messages);
    kept.len()
}

/// Timestamp, in seconds from noon, and value of a statistic's points in the hour before noon.
async fn points(
    world: &World,
    (name, dimensions): (&str, &[(&str, &str)]),
    stat: &str,
    period: i32,
    unit: Option<StandardUnit>,
) -> Vec<(i64, f64)> {
    let dimension = |(name, value): &(&str, &str)| Dimension::builder().name(*name).value(*value).build();
    let metric = Metric::builder()
        .namespace("Shop")
        .metric_name(name)
        .set_dimensions(Some(dimensions.iter().map(dimension).collect()))
        .build();
    let stat = MetricStat::builder().metric(metric).stat(stat).period(period).set_unit(unit).build();
    let noon = noon().timestamp();
    let answer = world
        .metrics()
        .await
        .get_metric_data()
        .metric_data_queries(MetricDataQuery::builder().id("m").metric_stat(stat).build())
        .start_time(DateTime::from_secs(noon - 3_600))
        .end_time(DateTime::from_secs(noon))
        .send()
        .await
        .unwrap();
    let result = &answer.metric_data_results()[0];
    let times = result.timestamps().iter().map(|time| time.secs() - noon);
    times.zip(result.values().iter().copied()).collect()
}

/// Every metric there is, in a line each.
async fn listed(world: &World) -> Vec<String> {
    let answer = world.metrics().await.list_metrics().send().await.unwrap();
    let line = |metric: &Metric| {
        let dimensions = metric.dimensions().iter();
        let pairs: Vec<String> = dimensions
            .map(|one| format!("{}={}", one.name().unwrap_or_default(), one.value().unwrap_or_default()))
            .collect();
        let (namespace, name) = (metric.namespace().unwrap_or_default(), metric.metric_name().unwrap());
        format!("{namespace} {name} [{}]", pairs.join(" "))
    };
    let mut lines: Vec<String> = answer.metrics().iter().map(line).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn metrics_come_out_of_log_events() {
    let world = World::new().await;
    let at = noon().timestamp_millis() - 90_000;
    let first = event(
        at,
        json!([["Stage", "Route"], []]),
        json!([
            {"Name": "Latency", "Unit": "Milliseconds", "StorageResolution": 1},
            {"Name": "Orders", "Unit": "Count"},
        ]),
        json!({"Stage": "prod", "Route": "GET /a", "Latency": [5, 7.5, 7.5, 40], "Orders": 2, "id": "x"}),
    );
    let orders = json!([{"Name": "Orders", "Unit": "Count"}]);
    // Its own time counts, not the event's.
    let second = event(at + 60_000, json!([[]]), orders, json!({"Orders": 3}));
    let messages = [first.to_string(), "plain".to_owned(), second.to_string()];
    assert_eq!(put(&world, "/g", LogGroupClass::Standard, &messages).await, 3);

    assert_eq!(
        listed(&world).await,
        [
            "Shop Latency [Route=GET /a Stage=prod]",
            "Shop Latency []",
            "Shop Orders [Route=GET /a Stage=prod]",
            "Shop Orders []",
        ]
    );
    // 11:58:30 is in the minute that begins two minutes before noon.
    let route: &[(&str, &str)] = &[("Stage", "prod"), ("Route", "GET /a")];
    for dimensions in [route, &[]] {
        let latency = ("Latency", dimensions);
        for (stat, value) in [("SampleCount", 4.0), ("Sum", 60.0), ("p50", 7.5), ("Maximum", 40.0)] {
            assert_eq!(points(&world, latency, stat, 60, None).await, [(-120, value)], "{stat}");
        }
        assert_eq!(points(&world, latency, "Sum", 1, None).await, [(-90, 60.0)]);
        let unit = Some(StandardUnit::Milliseconds);
        assert_eq!(points(&world, latency, "Sum", 60, unit).await, [(-120, 60.0)]);
        assert_eq!(points(&world, latency, "Sum", 60, Some(StandardUnit::Seconds)).await, []);
    }
    assert_eq!(points(&world, ("Orders", route), "Sum", 300, None).await, [(-300, 2.0)]);
    assert_eq!(points(&world, ("Orders", &[]), "Sum", 300, None).await, [(-300, 5.0)]);
    assert_eq!(points(&world, ("Orders", &[]), "Sum", 1, None).await, []);

    // What is in the file is there after a restart, and no event is counted again.
    let world = world.restart().await;
    assert_eq!(points(&world, ("Orders", &[]), "Sum", 300, None).await, [(-300, 5.0)]);
}

#[tokio::test]
async fn what_is_broken_gives_nothing_and_is_kept() {
    let world = World::new().await;
    let at = noon().timestamp_millis() - 90_000;
    let good = json!({"Namespace": "Shop", "Dimensions": [[]], "Metrics": [{"Name": "Good"}]});
    let mut mixed = event(
        at,
        json!([[]]),
        json!([{"Name": "Good"}, {"Name": "Bad", "Unit": "count"}]),
        json!({"Good": 1, "Bad": 1}),
    );
    mixed["_aws"]["CloudWatchMetrics"].as_array_mut().unwrap().push(good);
    let metrics = json!([{"Name": "Bad"}]);
    let broken = |at: i64, dimensions: Value, members: Value| {
        event(at, dimensions, metrics.clone(), members).to_string()
    };
    let mut reserved = event(at, json!([[]]), metrics.clone(), json!({"Bad": 1}));
    reserved["_aws"]["CloudWatchMetrics"][0]["Namespace"] = json!("AWS/Lambda");
    let messages = [
        mixed.to_string(),
        broken(at, json!([["Stage"]]), json!({"Bad": 1})),
        broken(at, json!([["Stage"], []]), json!({"Bad": 1, "Stage": 1})),
        broken(at, json!([[]]), json!({"Bad": "1"})),
        broken(at, json!([[]]), json!({})),
        broken(at / 1000, json!([[]]), json!({"Bad": 1})),
        broken(at - 14 * DAY, json!([[]]), json!({"Bad": 1})),
        broken(at + DAY, json!([[]]), json!({"Bad": 1})),
        reserved.to_string(),
        format!("INFO {}", broken(at, json!([[]]), json!({"Bad": 1}))),
    ];
    assert_eq!(put(&world, "/g", LogGroupClass::Standard, &messages).await, 10);
    assert_eq!(listed(&world).await, ["Shop Good []"]);
    assert_eq!(points(&world, ("Good", &[]), "Sum", 60, None).await, [(-120, 1.0)]);

    // Nothing is extracted from this class, nor from an event that is refused.
    let sound = broken(at, json!([[]]), json!({"Bad": 1}));
    put(&world, "/seldom", LogGroupClass::InfrequentAccess, std::slice::from_ref(&sound)).await;
    let late = InputLogEvent::builder().timestamp(at - 15 * DAY).message(&sound).build().unwrap();
    let client = world.client().await;
    let put_late = client.put_log_events().log_group_name("/g").log_stream_name("s").log_events(late);
    assert!(put_late.send().await.unwrap().rejected_log_events_info().is_some());
    assert_eq!(listed(&world).await, ["Shop Good []"]);
    // The very same event in another group is sound.
    put(&world, "/often", LogGroupClass::Standard, &[sound]).await;
    assert_eq!(listed(&world).await, ["Shop Bad []", "Shop Good []"]);
}
