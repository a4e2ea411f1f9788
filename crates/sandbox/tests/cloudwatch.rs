//! CloudWatch over the wire, asked by the SDK that the portal uses. Expectations are worked out by
//! hand from the values put in.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails the test it helps")]

#[path = "cloudwatch/topics.rs"]
mod topics;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::retry::RetryConfig;
use aws_sdk_cloudwatch::config::{Credentials, Region};
use aws_sdk_cloudwatch::error::ProvideErrorMetadata;
use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
use aws_sdk_cloudwatch::operation::get_metric_data::GetMetricDataOutput;
use aws_sdk_cloudwatch::operation::put_metric_alarm::builders::PutMetricAlarmFluentBuilder;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::builders::MetricDatumBuilder;
use aws_sdk_cloudwatch::types::{
    AlarmType, ComparisonOperator, Dimension, DimensionFilter, EntityMetricData, Metric, MetricDataQuery,
    MetricDatum, MetricStat, RecentlyActive, ScanBy, StandardUnit, StateValue, Statistic, StatisticSet,
    StatusCode, Tag,
};
use chrono::{TimeDelta, TimeZone, Utc};
use sandbox::aws::{AwsEndpoint, Service, serve};
use sandbox::services::cloudwatch::{CloudWatch, Datum};
use sandbox::{Clock, Context, ManualClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

/// 22 November 2026, 10:00:00: a whole hour.
const TEN: i64 = 1_795_341_600;
const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

struct Cloud {
    client: Client,
    service: Arc<CloudWatch>,
    clock: Arc<ManualClock>,
    address: SocketAddr,
    stop: CancellationToken,
    served: Option<tokio::task::JoinHandle<()>>,
    folder: Arc<tempfile::TempDir>,
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Cloud {
    /// A sandbox whose clock shows 10:00.
    async fn start() -> Self {
        let clock = ManualClock::new(Utc.timestamp_opt(TEN, 0).unwrap());
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()), clock).await
    }

    async fn start_in(folder: Arc<tempfile::TempDir>, clock: Arc<ManualClock>) -> Self {
        let context = Context::for_tests(folder.path(), clock.clone());
        let service = CloudWatch::open(context.clone()).unwrap();
        let services: Vec<Arc<dyn Service>> = vec![service.clone()];
        let endpoint = Arc::new(AwsEndpoint::new(context, services));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let until = stop.clone();
        let served = Some(tokio::spawn(async move {
            let _ = serve(endpoint, listener, until).await;
        }));
        let config = aws_sdk_cloudwatch::Config::builder()
            .endpoint_url(format!("http://{address}"))
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("any", "any", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .build();
        Self { client: Client::from_conf(config), service, clock, address, stop, served, folder }
    }

    /// Stops and starts anew over the same state, as a restart of the process does.
    async fn restart(mut self) -> Self {
        let (folder, clock) = (self.folder.clone(), self.clock.clone());
        self.stop.cancel();
        self.served.take().unwrap().await.unwrap();
        drop(self);
        Self::start_in(folder, clock).await
    }

    fn advance(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    /// Records values of a Lambda function, as its own service does.
    fn record(&self, name: &str, unit: &'static str, values: &[(i64, f64)]) {
        let data: Vec<Datum> = values
            .iter()
            .map(|(at, value)| Datum {
                namespace: "AWS/Lambda".into(),
                name: name.into(),
                dimensions: vec![
                    ("Resource".into(), "api:live".into()),
                    ("FunctionName".into(), "api".into()),
                ],
                value: *value,
                unit,
                at: Utc.timestamp_opt(*at, 0).unwrap(),
            })
            .collect();
        self.service.record(&data);
    }

    async fn put(&self, data: Vec<MetricDatum>) -> Result<(), Refused> {
        let sent = self.client.put_metric_data().namespace("Test").set_metric_data(Some(data)).send().await;
        sent.map(|_| ()).map_err(|error| refused(&error))
    }

    async fn get(&self, queries: Vec<MetricDataQuery>, from: i64, to: i64) -> GetMetricDataOutput {
        self.try_get(queries, from, to).await.unwrap()
    }

    async fn try_get(
        &self,
        queries: Vec<MetricDataQuery>,
        from: i64,
        to: i64,
    ) -> Result<GetMetricDataOutput, Refused> {
        self.client
            .get_metric_data()
            .set_metric_data_queries(Some(queries))
            .start_time(DateTime::from_secs(from))
            .end_time(DateTime::from_secs(to))
            .scan_by(ScanBy::TimestampAscending)
            .send()
            .await
            .map_err(|error| refused(&error))
    }

    /// One statistic of one metric, ascending: seconds after ten o'clock and value.
    async fn points(&self, metric: Metric, stat: &str, period: i32, from: i64, to: i64) -> Vec<(i64, f64)> {
        points(&self.get(vec![query("m", metric, stat, period)], from, to).await, "m")
    }

    async fn state(&self, alarm: &str) -> (StateValue, String) {
        let described = self.client.describe_alarms().alarm_names(alarm).send().await.unwrap();
        let alarm = &described.metric_alarms()[0];
        (alarm.state_value().unwrap().clone(), alarm.state_reason().unwrap().to_owned())
    }
}

/// Code and message of a refusal.
type Refused = (String, String);

fn refused<E: ProvideErrorMetadata>(error: &E) -> Refused {
    (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}

fn points(answer: &GetMetricDataOutput, id: &str) -> Vec<(i64, f64)> {
    let result = answer.metric_data_results().iter().find(|result| result.id() == Some(id)).unwrap();
    let times = result.timestamps().iter().map(|time| time.secs() - TEN);
    times.zip(result.values().iter().copied()).collect()
}

/// A metric of the function's alias.
fn lambda(name: &str) -> Metric {
    let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
    Metric::builder()
        .namespace("AWS/Lambda")
        .metric_name(name)
        .dimensions(dimension("FunctionName", "api"))
        .dimensions(dimension("Resource", "api:live"))
        .build()
}

/// A metric put in from outside, without dimensions.
fn custom(name: &str) -> Metric {
    Metric::builder().namespace("Test").metric_name(name).build()
}

fn query(id: &str, metric: Metric, stat: &str, period: i32) -> MetricDataQuery {
    let stat = MetricStat::builder().metric(metric).stat(stat).period(period).build();
    MetricDataQuery::builder().id(id).metric_stat(stat).build()
}

fn datum(name: &str, at: i64) -> MetricDatumBuilder {
    MetricDatum::builder().metric_name(name).timestamp(DateTime::from_secs(at))
}

#[tokio::test]
async fn statistics_are_those_of_the_values() {
    let cloud = Cloud::start().await;
    // Minute 0: 1 to 20 ms; minute 1: 100 ms; minute 2: nothing; minute 5: 7 and 9 ms.
    let mut values: Vec<(i64, f64)> = (1..=20).map(|n| (TEN + n, n as f64)).collect();
    values.extend([(TEN + 119, 100.0), (TEN + 300, 7.0), (TEN + 359, 9.0)]);
    cloud.record("Duration", "Milliseconds", &values);
    cloud.advance(10 * MINUTE);

    // The lowest 1.8 of the two samples 7 and 9.
    let trimmed = (7.0 + 9.0 * 0.8) / 1.8;
    for (stat, by_minute, by_five) in [
        ("Sum", [210.0, 100.0, 16.0], [310.0, 16.0]),
        ("SampleCount", [20.0, 1.0, 2.0], [21.0, 2.0]),
        ("Average", [10.5, 100.0, 8.0], [310.0 / 21.0, 8.0]),
        ("Minimum", [1.0, 100.0, 7.0], [1.0, 7.0]),
        ("Maximum", [20.0, 100.0, 9.0], [100.0, 9.0]),
        // The rank is rounded up: 19 of 20; 20 (19.95) of 21, where the 20th is 20 and the 21st 100.
        ("p95", [19.0, 100.0, 9.0], [20.0, 9.0]),
        // 10 of 20; 11 (10.5) of 21; 1 of 2.
        ("p50", [10.0, 100.0, 7.0], [11.0, 7.0]),
        ("p99.9", [20.0, 100.0, 9.0], [100.0, 9.0]),
        // The lowest 18 of 20 are 1 to 18. Of 21: 18.9, which is 1 to 18 and 0.9 of the 19th.
        ("tm90", [9.5, 100.0, trimmed], [(171.0 + 19.0 * 0.9) / 18.9, trimmed]),
    ] {
        let near = |got: Vec<(i64, f64)>, expected: Vec<(i64, f64)>, what: &str| {
            assert_eq!(got.len(), expected.len(), "{stat} by {what}");
            for (got, expected) in got.iter().zip(&expected) {
                assert_eq!(got.0, expected.0, "{stat} by {what}");
                assert!((got.1 - expected.1).abs() < 1e-9, "{stat} by {what}: {got:?}, not {expected:?}");
            }
        };
        let minutes = cloud.points(lambda("Duration"), stat, 60, TEN, TEN + 600).await;
        near(minutes, [0, 60, 300].into_iter().zip(by_minute).collect(), "the minute");
        let fives = cloud.points(lambda("Duration"), stat, 300, TEN, TEN + 600).await;
        near(fives, [0, 300].into_iter().zip(by_five).collect(), "five minutes");
    }
}

#[tokio::test]
async fn periods_begin_at_the_clock_and_the_end_is_left_out() {
    let cloud = Cloud::start().await;
    cloud.record("Errors", "Count", &[(TEN - 1, 1.0), (TEN, 2.0), (TEN + 59, 4.0), (TEN + 60, 8.0)]);
    cloud.advance(10 * MINUTE);
    let sums = async |period, from, to| cloud.points(lambda("Errors"), "Sum", period, from, to).await;
    assert_eq!(sums(60, TEN, TEN + 60).await, [(0, 6.0)]);
    // The beginning is rounded down to the period.
    assert_eq!(sums(60, TEN + 30, TEN + 120).await, [(0, 6.0), (60, 8.0)]);
    assert_eq!(sums(300, TEN + 200, TEN + 400).await, [(0, 14.0)]);
    assert_eq!(sums(300, TEN - 60, TEN + 60).await, [(-300, 1.0), (0, 6.0)]);
    assert_eq!(sums(3_600, TEN - HOUR, TEN + HOUR).await, [(-3_600, 1.0), (0, 14.0)]);
}

#[tokio::test]
async fn order_unit_labels_and_hidden_queries() {
    let cloud = Cloud::start().await;
    cloud.record("Duration", "Milliseconds", &[(TEN, 5.0), (TEN + 60, 6.0)]);
    cloud.record("Errors", "Count", &[(TEN, 1.0)]);
    cloud.advance(5 * MINUTE);
    let with_unit = |id: &str, unit: StandardUnit| {
        let stat = MetricStat::builder().metric(lambda("Duration")).stat("Maximum").period(60).unit(unit);
        MetricDataQuery::builder().id(id).metric_stat(stat.build()).build()
    };
    let mut hidden = query("hidden", lambda("Errors"), "Sum", 60);
    hidden.return_data = Some(false);
    let mut named = query("named", lambda("Errors"), "Sum", 60);
    named.label = Some("Failures".into());
    let queries = vec![
        with_unit("right", StandardUnit::Milliseconds),
        with_unit("wrong", StandardUnit::Seconds),
        query("errors", lambda("Errors"), "Sum", 60),
        named,
        hidden,
        query("none", lambda("Nothing"), "Sum", 60),
    ];
    let answer = cloud
        .client
        .get_metric_data()
        .set_metric_data_queries(Some(queries))
        .start_time(DateTime::from_secs(TEN))
        .end_time(DateTime::from_secs(TEN + 300))
        .send()
        .await
        .unwrap();
    // Newest first, unless asked otherwise.
    assert_eq!(points(&answer, "right"), [(60, 6.0), (0, 5.0)]);
    assert_eq!(points(&answer, "wrong"), []);
    assert_eq!(points(&answer, "none"), []);
    let labels: Vec<(&str, &str)> = answer
        .metric_data_results()
        .iter()
        .map(|result| (result.id().unwrap(), result.label().unwrap()))
        .collect();
    assert_eq!(
        labels,
        [
            ("right", "api api:live Duration Maximum"),
            ("wrong", "api api:live Duration Maximum"),
            // `hidden` is of the same metric.
            ("errors", "api api:live Errors Sum"),
            ("named", "Failures"),
            ("none", "Nothing"),
        ]
    );
    assert!(answer.metric_data_results().iter().all(|r| r.status_code() == Some(&StatusCode::Complete)));
    assert_eq!(answer.next_token(), None);
    assert!(answer.messages().is_empty());
}

#[tokio::test]
async fn dimensions_must_match_to_the_last() {
    let cloud = Cloud::start().await;
    cloud.record("Invocations", "Count", &[(TEN, 1.0)]);
    cloud.advance(MINUTE);
    let mut turned = lambda("Invocations");
    turned.dimensions.as_mut().unwrap().reverse();
    assert_eq!(cloud.points(turned, "Sum", 60, TEN, TEN + 60).await, [(0, 1.0)]);
    let mut fewer = lambda("Invocations");
    fewer.dimensions.as_mut().unwrap().pop();
    assert_eq!(cloud.points(fewer, "Sum", 60, TEN, TEN + 60).await, []);
}

#[tokio::test]
async fn values_survive_a_restart_and_go_on_in_the_same_minute() {
    let cloud = Cloud::start().await;
    cloud.record("Duration", "Milliseconds", &[(TEN, 1.0), (TEN + 1, 3.0)]);
    let cloud = cloud.restart().await;
    cloud.record("Duration", "Milliseconds", &[(TEN + 2, 2.0)]);
    cloud.advance(MINUTE);
    assert_eq!(cloud.points(lambda("Duration"), "p50", 60, TEN, TEN + 60).await, [(0, 2.0)]);
    assert_eq!(cloud.points(lambda("Duration"), "Sum", 60, TEN, TEN + 60).await, [(0, 6.0)]);
}

#[tokio::test]
async fn values_are_written_within_a_second_without_being_asked_for() {
    let cloud = Cloud::start().await;
    cloud.record("Duration", "Milliseconds", &[(TEN, 1.0)]);
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    // A second process over the same file is what a kill and a restart would see.
    let other = Cloud::start_in(cloud.folder.clone(), cloud.clock.clone()).await;
    assert_eq!(other.points(lambda("Duration"), "Sum", 60, TEN, TEN + 60).await, [(0, 1.0)]);
}

#[tokio::test]
async fn old_values_are_kept_by_longer_periods() {
    let cloud = Cloud::start().await;
    let values = [(TEN, 1.0), (TEN + 60, 5.0), (TEN + 299, 2.0), (TEN + 300, 4.0)];
    cloud.record("Duration", "Milliseconds", &values);
    let of = async |stat: &str, period| cloud.points(lambda("Duration"), stat, period, TEN, TEN + 600).await;
    assert_eq!(of("Sum", 60).await, [(0, 1.0), (60, 5.0), (240, 2.0), (300, 4.0)]);
    cloud.advance(15 * DAY - 1);
    assert_eq!(of("Sum", 60).await.len(), 4);
    cloud.advance(1);
    assert_eq!(of("Sum", 60).await, []);
    assert_eq!(of("Sum", 300).await, [(0, 8.0), (300, 4.0)]);
    // Far enough on for minutes and five minutes to be put together by the writer's thread.
    cloud.advance(50 * DAY);
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(of("Sum", 300).await, []);
    assert_eq!(of("Sum", 3_600).await, [(0, 12.0)]);
    // 1, 2, 4, 5: percentiles stay those of the values.
    assert_eq!(of("p50", 3_600).await, [(0, 2.0)]);
    assert_eq!(of("p75", 3_600).await, [(0, 4.0)]);
}

#[tokio::test]
async fn seconds_are_for_high_resolution_and_three_hours() {
    let cloud = Cloud::start().await;
    let at = |second, value| datum("Fast", TEN + second).value(value).storage_resolution(1).build();
    cloud.put(vec![at(1, 1.0), at(1, 2.0), at(9, 4.0), at(10, 8.0)]).await.unwrap();
    cloud.put(vec![datum("Slow", TEN).value(1.0).build()]).await.unwrap();
    cloud.advance(MINUTE);
    let sums = async |name: &str, period| cloud.points(custom(name), "Sum", period, TEN + 1, TEN + 60).await;
    assert_eq!(sums("Fast", 1).await, [(1, 3.0), (9, 4.0), (10, 8.0)]);
    assert_eq!(sums("Fast", 10).await, [(0, 7.0), (10, 8.0)]);
    assert_eq!(sums("Fast", 60).await, [(0, 15.0)]);
    assert_eq!(sums("Slow", 1).await, []);
    assert_eq!(sums("Slow", 60).await, [(0, 1.0)]);
    cloud.advance(3 * HOUR);
    assert_eq!(sums("Fast", 10).await, []);
    assert_eq!(sums("Fast", 60).await, [(0, 15.0)]);
}

#[tokio::test]
async fn pages_put_together_are_the_whole() {
    let cloud = Cloud::start().await;
    let values: Vec<(i64, f64)> = (0..5).map(|n| (TEN + n * 60, n as f64)).collect();
    cloud.record("Duration", "Milliseconds", &values);
    cloud.record("Errors", "Count", &values[..3]);
    cloud.advance(5 * MINUTE);
    let ask = async |token: Option<String>, most: i32| {
        cloud
            .client
            .get_metric_data()
            .metric_data_queries(query("d", lambda("Duration"), "Sum", 60))
            .metric_data_queries(query("e", lambda("Errors"), "Sum", 60))
            .start_time(DateTime::from_secs(TEN))
            .end_time(DateTime::from_secs(TEN + 300))
            .max_datapoints(most)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| refused(&error))
    };
    let (mut token, mut pages, mut d, mut e) = (None, Vec::new(), Vec::new(), Vec::new());
    loop {
        let page = ask(token, 3).await.unwrap();
        let codes: Vec<&str> =
            page.metric_data_results().iter().map(|r| r.status_code().unwrap().as_str()).collect();
        pages.push(codes.join(" "));
        d.extend(points(&page, "d"));
        e.extend(points(&page, "e"));
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
        // A value that comes in meanwhile, in a period already told, does not shift the pages.
        cloud.record("Duration", "Milliseconds", &[(TEN + 240, 0.0)]);
    }
    assert_eq!(pages, ["PartialData PartialData", "Complete PartialData", "Complete Complete"]);
    assert_eq!(d, [(240, 4.0), (180, 3.0), (120, 2.0), (60, 1.0), (0, 0.0)]);
    assert_eq!(e, [(120, 2.0), (60, 1.0), (0, 0.0)]);

    let token = ask(None, 3).await.unwrap().next_token().unwrap().to_owned();
    let elsewhere = cloud
        .client
        .get_metric_data()
        .metric_data_queries(query("d", lambda("Errors"), "Sum", 60))
        .start_time(DateTime::from_secs(TEN))
        .end_time(DateTime::from_secs(TEN + 300))
        .next_token(token)
        .send()
        .await
        .unwrap_err();
    assert!(elsewhere.as_service_error().unwrap().is_invalid_next_token());
    assert_eq!(ask(Some("nonsense".into()), 3).await.unwrap_err().0, "InvalidNextToken");
    assert_eq!(ask(None, 100_801).await.unwrap_err().0, "ValidationError");
}

#[tokio::test]
async fn what_get_metric_data_refuses() {
    let cloud = Cloud::start().await;
    let good = |id: &str| query(id, lambda("Errors"), "Sum", 60);
    let expression = MetricDataQuery::builder().id("e").expression("m1/m2").build();
    let neither = MetricDataQuery::builder().id("n").build();
    let (mut both, mut label, mut period) = (good("b"), good("l"), good("p"));
    both.expression = Some("1".into());
    label.label = Some("${MAX}".into());
    period.period = Some(60);
    let nameless = query("m", Metric::builder().namespace("N").build(), "Sum", 60);
    for (queries, code, message) in [
        (vec![], "ValidationError", "MetricDataQueries is required"),
        ((0..501).map(|n| good(&format!("m{n}"))).collect(), "ValidationError", "greater than 500"),
        (vec![good("a"), good("a")], "ValidationError", "not unique"),
        (vec![good("A")], "ValidationError", "The value A for parameter MetricDataQueries.member.1.Id"),
        (vec![query("m", lambda("E"), "Sum", 90)], "ValidationError", "MetricStat.Period"),
        (vec![query("m", lambda("E"), "Median", 60)], "ValidationError", "MetricStat.Stat"),
        (vec![nameless], "ValidationError", "MetricStat.Metric.MetricName is required"),
        (vec![both], "ValidationError", "mutually exclusive"),
        (vec![neither], "ValidationError", "MetricStat is required"),
        (vec![period], "ValidationError", "Period goes with"),
        (vec![expression], "SandboxUnsupported", "Expression"),
        (vec![label], "SandboxUnsupported", "dynamic labels"),
        (vec![query("m", lambda("E"), "IQM", 60)], "SandboxUnsupported", "IQM"),
    ] {
        let (got, text) = cloud.try_get(queries, TEN - 60, TEN).await.unwrap_err();
        assert_eq!(got, code, "{text}");
        assert!(text.contains(message), "{text}");
    }
    let (code, text) = cloud.try_get(vec![good("m")], TEN, TEN).await.unwrap_err();
    assert_eq!((code.as_str(), text.contains("StartTime")), ("ValidationError", true));
    let five_hundred = (0..500).map(|n| good(&format!("m{n}"))).collect();
    assert_eq!(cloud.get(five_hundred, TEN - 60, TEN).await.metric_data_results().len(), 500);
}

#[tokio::test]
async fn values_with_counts_and_statistic_sets() {
    let cloud = Cloud::start().await;
    let counted = datum("Counted", TEN)
        .set_values(Some(vec![10.0, 20.0]))
        .set_counts(Some(vec![3.0, 1.0]))
        .unit(StandardUnit::Bytes)
        .build();
    let set = |name: &str, count, sum, minimum, maximum| {
        let set = StatisticSet::builder().sample_count(count).sum(sum).minimum(minimum).maximum(maximum);
        datum(name, TEN).statistic_values(set.build()).build()
    };
    let (opaque, same) = (set("Opaque", 4.0, 10.0, 1.0, 4.0), set("Same", 3.0, 15.0, 5.0, 5.0));
    let minus = datum("Minus", TEN).set_values(Some(vec![-1.0, 3.0])).build();
    cloud.put(vec![counted, opaque, same, minus]).await.unwrap();
    cloud.advance(MINUTE);
    let one = async |name: &str, stat: &str| {
        cloud.points(custom(name), stat, 60, TEN, TEN + 60).await.first().map(|point| point.1)
    };
    // 10, 10, 10, 20
    assert_eq!(one("Counted", "Average").await, Some(12.5));
    assert_eq!(one("Counted", "SampleCount").await, Some(4.0));
    assert_eq!(one("Counted", "p75").await, Some(10.0));
    assert_eq!(one("Counted", "p76").await, Some(20.0));
    assert_eq!(one("Opaque", "Average").await, Some(2.5));
    assert_eq!(one("Opaque", "p50").await, None);
    assert_eq!(one("Same", "p50").await, Some(5.0));
    assert_eq!(one("Minus", "Sum").await, Some(2.0));
    assert_eq!(one("Minus", "p50").await, None);
}

#[tokio::test]
async fn what_put_metric_data_refuses() {
    let cloud = Cloud::start().await;
    let good = || datum("M", TEN).value(1.0);
    let dimension = |n: usize| Dimension::builder().name(format!("d{n}")).value("v").build();
    let set = || StatisticSet::builder().sample_count(1.0).sum(1.0).minimum(2.0).maximum(1.0).build();
    let (invalid, missing, combined) =
        ("InvalidParameterValue", "MissingParameter", "InvalidParameterCombination");
    for (bad, code, message) in [
        (good().set_dimensions(Some((0..31).map(dimension).collect())), invalid, "greater than 30"),
        (good().set_dimensions(Some(vec![dimension(1), dimension(1)])), invalid, "more than once"),
        (good().dimensions(Dimension::builder().name("d").build()), missing, "member.1.Value"),
        (good().dimensions(Dimension::builder().name(":d").value("v").build()), invalid, ":d"),
        (good().timestamp(DateTime::from_secs(TEN - 14 * DAY - 1)), invalid, "Timestamp"),
        (good().timestamp(DateTime::from_secs(TEN + 2 * HOUR + 1)), invalid, "Timestamp"),
        (good().storage_resolution(5), invalid, "StorageResolution"),
        (good().unit(StandardUnit::from("Parsec")), invalid, "Parsec"),
        (good().value(2_f64.powi(361)), invalid, "MetricData.member.2.Value"),
        (good().value(1e-300), invalid, "MetricData.member.2.Value"),
        (good().statistic_values(set()), combined, "mutually exclusive"),
        (good().counts(1.0), combined, "Counts"),
        (datum("M", TEN), missing, "MetricData.member.2.Value"),
        (datum("M", TEN).statistic_values(set()), invalid, "Maximum"),
        (datum("M", TEN).set_values(Some(vec![1.0; 151])), invalid, "greater than 150"),
        (datum("M", TEN).values(1.0).set_counts(Some(vec![1.0, 2.0])), invalid, "same size"),
        (datum("M", TEN).values(1.0).counts(0.0), invalid, "Counts.member.1"),
        (MetricDatum::builder().value(1.0), missing, "MetricName"),
    ] {
        let (got, text) = cloud.put(vec![good().build(), bad.build()]).await.unwrap_err();
        assert_eq!(got, code, "{text}");
        assert!(text.contains(message), "{text}");
    }
    assert_eq!(cloud.put(vec![good().build(); 1_001]).await.unwrap_err().0, invalid);
    assert_eq!(cloud.put(vec![]).await.unwrap_err().0, missing);

    let put = || cloud.client.put_metric_data().metric_data(good().build());
    let error = put().namespace("AWS/Lambda").send().await.unwrap_err();
    assert!(error.as_service_error().unwrap().is_invalid_parameter_value_exception());
    let error = put().namespace("Test").strict_entity_validation(true).send().await.unwrap_err();
    assert_eq!(error.code(), Some("SandboxUnsupported"));
    let entity = EntityMetricData::builder().metric_data(good().build()).build();
    let error = put().namespace("Test").entity_metric_data(entity).send().await.unwrap_err();
    assert!(error.message().unwrap().contains("EntityMetricData"), "{error:?}");
    // Nothing of a refused call was kept.
    cloud.advance(MINUTE);
    assert_eq!(cloud.points(custom("M"), "Sum", 60, TEN, TEN + 60).await, []);
    // What lies on the borders is taken; the SDK sends this much compressed.
    let oldest = cloud.clock.now().timestamp() - 14 * DAY;
    cloud.put(vec![datum("M", oldest).value(1.0).build(); 1_000]).await.unwrap();
    let sum = cloud.points(custom("M"), "Sum", 3_600, oldest - HOUR, oldest + HOUR).await;
    assert_eq!(sum.iter().map(|point| point.1).sum::<f64>(), 1_000.0);
}

#[tokio::test]
async fn metric_statistics_go_by_unit_and_from_the_beginning() {
    let cloud = Cloud::start().await;
    cloud.record("Mixed", "Count", &[(TEN + 60, 1.0), (TEN + 120, 2.0), (TEN + 420, 8.0)]);
    cloud.record("Mixed", "Bytes", &[(TEN + 60, 100.0)]);
    cloud.advance(10 * MINUTE);
    let ask = |from: i64, to: i64, period: i32| {
        cloud
            .client
            .get_metric_statistics()
            .namespace("AWS/Lambda")
            .metric_name("Mixed")
            .set_dimensions(lambda("Mixed").dimensions)
            .start_time(DateTime::from_secs(from))
            .end_time(DateTime::from_secs(to))
            .period(period)
    };
    let answer = ask(TEN + 89, TEN + 600, 300)
        .statistics(Statistic::Sum)
        .statistics(Statistic::Maximum)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.label(), Some("Mixed"));
    let mut got: Vec<_> = answer
        .datapoints()
        .iter()
        .map(|p| {
            let unit = p.unit().unwrap().as_str();
            (p.timestamp().unwrap().secs() - TEN, unit, p.sum().unwrap(), p.maximum().unwrap())
        })
        .collect();
    got.sort_by(|a, b| a.partial_cmp(b).unwrap());
    // From 10:01 (rounded down to the minute): 1 + 2, and 8 from 10:06.
    assert_eq!(got, [(60, "Bytes", 100.0, 100.0), (60, "Count", 3.0, 2.0), (360, "Count", 8.0, 8.0)]);

    let answer = ask(TEN, TEN + 600, 600).extended_statistics("p50").unit(StandardUnit::Count).send().await;
    let answer = answer.unwrap();
    assert_eq!(answer.datapoints()[0].extended_statistics().unwrap()["p50"], 2.0);

    let error = ask(TEN - DAY, TEN + 60, 60).statistics(Statistic::Sum).send().await.unwrap_err();
    assert!(error.as_service_error().unwrap().is_invalid_parameter_combination_exception());
    assert!(error.message().unwrap().contains("1441 datapoints"), "{error:?}");
    let error = ask(TEN, TEN + 60, 60).send().await.unwrap_err();
    assert!(error.as_service_error().unwrap().is_missing_required_parameter_exception());
    let error = ask(TEN, TEN + 60, 61).statistics(Statistic::Sum).send().await.unwrap_err();
    assert!(error.as_service_error().unwrap().is_invalid_parameter_value_exception());
}

#[tokio::test]
async fn metrics_are_listed_by_name_dimension_and_age() {
    let cloud = Cloud::start().await;
    cloud.record("Errors", "Count", &[(TEN, 1.0)]);
    let numbered = |n: usize| {
        let dimension = Dimension::builder().name("n").value(format!("{n:03}")).build();
        datum("Many", TEN).dimensions(dimension).value(1.0).build()
    };
    cloud.put((0..501).map(numbered).collect()).await.unwrap();
    // The same metric in two units is one metric.
    cloud.record("Errors", "None", &[(TEN, 1.0)]);

    let listed = cloud.client.list_metrics().namespace("AWS/Lambda").send().await.unwrap();
    assert_eq!(listed.metrics(), [lambda("Errors")]);
    let filter = |name: &str, value: Option<&str>| {
        DimensionFilter::builder().name(name).set_value(value.map(str::to_owned)).build()
    };
    for (filters, found) in [
        (vec![filter("FunctionName", None)], 1),
        (vec![filter("FunctionName", Some("api")), filter("Resource", Some("api:live"))], 1),
        (vec![filter("FunctionName", Some("other"))], 0),
        (vec![filter("n", Some("007"))], 1),
    ] {
        let listed = cloud.client.list_metrics().set_dimensions(Some(filters)).send().await.unwrap();
        assert_eq!(listed.metrics().len(), found);
    }
    let first = cloud.client.list_metrics().metric_name("Many").send().await.unwrap();
    assert_eq!(first.metrics().len(), 500);
    let token = first.next_token().unwrap();
    let second = cloud.client.list_metrics().metric_name("Many").next_token(token).send().await.unwrap();
    assert_eq!(second.metrics()[0].dimensions()[0].value(), Some("500"));
    assert_eq!((second.metrics().len(), second.next_token()), (1, None));

    let recent = || cloud.client.list_metrics().recently_active(RecentlyActive::Pt3H);
    cloud.advance(3 * HOUR);
    assert_eq!(recent().send().await.unwrap().metrics().len(), 500);
    cloud.advance(1);
    assert_eq!(recent().send().await.unwrap().metrics().len(), 0);
    assert_eq!(cloud.client.list_metrics().send().await.unwrap().metrics().len(), 500);
    cloud.advance(14 * DAY);
    assert_eq!(cloud.client.list_metrics().send().await.unwrap().metrics().len(), 0);
    let error = cloud.client.list_metrics().next_token("x").send().await.unwrap_err();
    assert!(error.as_service_error().unwrap().is_invalid_parameter_value_exception());
}

/// An alarm on the sum of errors by the minute being above 5.
fn errors_alarm(cloud: &Cloud, name: &str) -> PutMetricAlarmFluentBuilder {
    cloud
        .client
        .put_metric_alarm()
        .alarm_name(name)
        .namespace("AWS/Lambda")
        .metric_name("Errors")
        .set_dimensions(lambda("Errors").dimensions)
        .statistic(Statistic::Sum)
        .period(60)
        .evaluation_periods(1)
        .threshold(5.0)
        .comparison_operator(ComparisonOperator::GreaterThanThreshold)
}

#[tokio::test]
async fn an_alarm_goes_on_and_off_with_its_metric() {
    let cloud = Cloud::start().await;
    errors_alarm(&cloud, "errors").send().await.unwrap();
    let unknown = (StateValue::InsufficientData, "Unchecked: Initial alarm creation".to_owned());
    assert_eq!(cloud.state("errors").await, unknown);
    // The minute is not over: nothing to judge yet.
    cloud.record("Errors", "Count", &[(TEN + 5, 2.0), (TEN + 10, 4.0)]);
    cloud.advance(30);
    cloud.service.evaluate_alarms();
    assert_eq!(cloud.state("errors").await, unknown);
    cloud.advance(35);
    cloud.service.evaluate_alarms();
    let described = cloud.client.describe_alarms().send().await.unwrap();
    let alarm = &described.metric_alarms()[0];
    assert_eq!(alarm.state_value(), Some(&StateValue::Alarm));
    assert_eq!(
        alarm.state_reason(),
        Some(
            "Threshold Crossed: 1 datapoint [6.0 (22/11/26 10:00:00)] was greater than the threshold (5.0)."
        )
    );
    assert_eq!(
        alarm.state_reason_data(),
        Some(
            r#"{"version":"1.0","queryDate":"2026-11-22T10:01:05.000+0000","startDate":"2026-11-22T10:00:00.000+0000","statistic":"Sum","period":60,"recentDatapoints":[6.0],"threshold":5.0,"evaluatedDatapoints":[{"timestamp":"2026-11-22T10:00:00.000+0000","sampleCount":2.0,"value":6.0}]}"#
        )
    );
    assert_eq!(alarm.state_updated_timestamp().unwrap().secs(), TEN + 65);
    assert_eq!(alarm.state_transitioned_timestamp().unwrap().secs(), TEN + 65);
    assert_eq!(alarm.alarm_configuration_updated_timestamp().unwrap().secs(), TEN);

    cloud.record("Errors", "Count", &[(TEN + 70, 5.0)]);
    cloud.advance(MINUTE);
    cloud.service.evaluate_alarms();
    let (state, reason) = cloud.state("errors").await;
    assert_eq!(state, StateValue::Ok);
    assert_eq!(
        reason,
        "Threshold Crossed: 1 datapoint [5.0 (22/11/26 10:01:00)] was not greater than the threshold (5.0)."
    );
    // The last point is still within the range of three; then there is none.
    cloud.advance(2 * MINUTE);
    cloud.service.evaluate_alarms();
    assert_eq!(cloud.state("errors").await.0, StateValue::Ok);
    cloud.advance(MINUTE);
    cloud.service.evaluate_alarms();
    let unknown = (StateValue::InsufficientData, "Insufficient Data: 1 datapoint was unknown.".to_owned());
    assert_eq!(cloud.state("errors").await, unknown);
}

#[tokio::test]
async fn a_longer_period_ends_with_the_last_minute() {
    let cloud = Cloud::start().await;
    errors_alarm(&cloud, "five").period(300).send().await.unwrap();
    // At 10:07:30 the period judged is 10:02 to 10:07: 4 + 2, without the 1 before and the 8 after.
    let values = [(TEN + 119, 1.0), (TEN + 120, 4.0), (TEN + 419, 2.0), (TEN + 420, 8.0)];
    cloud.record("Errors", "Count", &values);
    cloud.advance(450);
    cloud.service.evaluate_alarms();
    let (state, reason) = cloud.state("five").await;
    assert_eq!(state, StateValue::Alarm);
    assert!(reason.contains("[6.0 (22/11/26 10:02:00)]"), "{reason}");
}

#[tokio::test]
async fn two_of_three_and_missing_data() {
    let cloud = Cloud::start().await;
    let three = |name: &str| errors_alarm(&cloud, name).evaluation_periods(3).datapoints_to_alarm(2);
    three("missing").send().await.unwrap();
    three("quiet").treat_missing_data("notBreaching").send().await.unwrap();
    three("loud").treat_missing_data("breaching").send().await.unwrap();
    three("still").treat_missing_data("ignore").send().await.unwrap();
    let states = async || {
        cloud.service.evaluate_alarms();
        let mut states = Vec::new();
        for name in ["missing", "quiet", "loud", "still"] {
            states.push(cloud.state(name).await.0.as_str().to_owned());
        }
        states.join(" ")
    };
    assert_eq!(states().await, "INSUFFICIENT_DATA OK ALARM INSUFFICIENT_DATA");
    assert_eq!(
        cloud.state("loud").await.1,
        "Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as [Breaching]."
    );
    // 10:00 breaches, 10:01 does not, 10:02 breaches.
    cloud.record("Errors", "Count", &[(TEN, 9.0), (TEN + 60, 0.0), (TEN + 120, 7.0)]);
    cloud.advance(3 * MINUTE);
    assert_eq!(states().await, "ALARM ALARM ALARM ALARM");
    assert_eq!(
        cloud.state("missing").await.1,
        "Threshold Crossed: 2 out of the last 3 datapoints [7.0 (22/11/26 10:02:00), 9.0 (22/11/26 10:00:00)] were greater than the threshold (5.0) (minimum 2 datapoints for OK -> ALARM transition)."
    );
    // 10:00 has left the range of five: 10:01 and 10:02 are left, and one point is filled in.
    cloud.advance(3 * MINUTE);
    assert_eq!(states().await, "OK OK ALARM OK");
    // Nothing is left of it.
    cloud.advance(10 * MINUTE);
    assert_eq!(states().await, "INSUFFICIENT_DATA OK ALARM OK");
}

#[tokio::test]
async fn percentile_alarms_can_ignore_few_samples() {
    let cloud = Cloud::start().await;
    let p90 = |name: &str| {
        errors_alarm(&cloud, name)
            .set_statistic(None)
            .metric_name("Duration")
            .extended_statistic("p90")
            .threshold(50.0)
    };
    p90("all").send().await.unwrap();
    p90("enough").evaluate_low_sample_count_percentile("ignore").send().await.unwrap();
    // p90 needs 10 / (1 - 0.9) = 100 samples. Of 99 it is the 90th (89.1 rounded up).
    let values: Vec<(i64, f64)> = (1..=99).map(|n| (TEN, n as f64)).collect();
    cloud.record("Duration", "Milliseconds", &values);
    cloud.advance(MINUTE);
    cloud.service.evaluate_alarms();
    let (state, reason) = cloud.state("all").await;
    assert_eq!(state, StateValue::Alarm);
    assert!(reason.contains("[90.0 (22/11/26 10:00:00)]"), "{reason}");
    assert_eq!(cloud.state("enough").await.0, StateValue::InsufficientData);
    cloud.record("Duration", "Milliseconds", &[(TEN + 1, 100.0)]);
    cloud.service.evaluate_alarms();
    assert_eq!(cloud.state("enough").await.0, StateValue::Alarm);
}

fn names(answer: &DescribeAlarmsOutput) -> Vec<&str> {
    answer.metric_alarms().iter().map(|alarm| alarm.alarm_name().unwrap()).collect()
}

#[tokio::test]
async fn alarms_are_found() {
    let cloud = Cloud::start().await;
    for n in 0..52 {
        errors_alarm(&cloud, &format!("a{n:02}")).send().await.unwrap();
    }
    let topic = "arn:aws:sns:eu-west-1:123456789012:operators";
    errors_alarm(&cloud, "b").alarm_actions(topic).send().await.unwrap();
    let describe = || cloud.client.describe_alarms();
    let first = describe().send().await.unwrap();
    assert_eq!(first.metric_alarms().len(), 50);
    let second = describe().set_next_token(first.next_token).send().await.unwrap();
    assert_eq!(names(&second), ["a50", "a51", "b"]);
    assert_eq!(second.next_token(), None);
    for (described, found) in [
        (describe().alarm_name_prefix("a0").max_records(100), 10),
        (describe().action_prefix("arn:aws:sns"), 1),
        (describe().alarm_names("b").alarm_names("none"), 1),
        (describe().state_value(StateValue::Alarm), 0),
        (describe().alarm_types(AlarmType::CompositeAlarm), 0),
    ] {
        assert_eq!(names(&described.send().await.unwrap()).len(), found);
    }
    for wrong in [describe().max_records(101), describe().alarm_names("a").alarm_name_prefix("a")] {
        assert_eq!(refused(&wrong.send().await.unwrap_err()).0, "ValidationError");
    }
    assert!(
        describe()
            .next_token("x")
            .send()
            .await
            .unwrap_err()
            .as_service_error()
            .unwrap()
            .is_invalid_next_token()
    );
    let for_metric = |period| {
        cloud
            .client
            .describe_alarms_for_metric()
            .namespace("AWS/Lambda")
            .metric_name("Errors")
            .set_dimensions(lambda("Errors").dimensions)
            .period(period)
    };
    assert_eq!(for_metric(60).send().await.unwrap().metric_alarms().len(), 53);
    assert_eq!(for_metric(120).send().await.unwrap().metric_alarms().len(), 0);
}

#[tokio::test]
async fn alarms_are_set_changed_and_deleted() {
    let cloud = Cloud::start().await;
    let topic = "arn:aws:sns:eu-west-1:123456789012:operators";
    let tag = Tag::builder().key("team").value("api").build();
    errors_alarm(&cloud, "b").alarm_actions(topic).tags(tag).send().await.unwrap();
    // A state set by hand stays until an evaluation says otherwise, over a restart too.
    let set = |name: &str| {
        cloud.client.set_alarm_state().alarm_name(name).state_value(StateValue::Alarm).state_reason("a test")
    };
    set("b").send().await.unwrap();
    assert!(set("none").send().await.unwrap_err().as_service_error().unwrap().is_resource_not_found());
    let error = set("b").state_reason_data("no JSON").send().await.unwrap_err();
    assert!(error.as_service_error().unwrap().is_invalid_format_fault());
    let cloud = cloud.restart().await;
    assert_eq!(cloud.state("b").await, (StateValue::Alarm, "a test".to_owned()));

    // Setting it up again keeps state and tags.
    cloud.advance(MINUTE);
    let tag = Tag::builder().key("team").value("other").build();
    errors_alarm(&cloud, "b").threshold(7.5).tags(tag).send().await.unwrap();
    let described = cloud.client.describe_alarms().alarm_names("b").send().await.unwrap();
    let alarm = &described.metric_alarms()[0];
    assert_eq!(alarm.threshold(), Some(7.5));
    assert_eq!(alarm.alarm_actions().len(), 0);
    assert_eq!(alarm.state_value(), Some(&StateValue::Alarm));
    assert_eq!(alarm.alarm_configuration_updated_timestamp().unwrap().secs(), TEN + 60);
    assert_eq!(alarm.state_updated_timestamp().unwrap().secs(), TEN);
    assert_eq!(tags(&cloud, "b").await, ["team=api"]);

    cloud.client.disable_alarm_actions().alarm_names("b").send().await.unwrap();
    let described = cloud.client.describe_alarms().alarm_names("b").send().await.unwrap();
    assert_eq!(described.metric_alarms()[0].actions_enabled(), Some(false));
    let error = cloud.client.enable_alarm_actions().alarm_names("none").send().await.unwrap_err();
    assert_eq!(error.code(), Some("ResourceNotFound"));

    // AWS deletes those that exist even when others of the call do not.
    let error = cloud.client.delete_alarms().alarm_names("none").alarm_names("b").send().await.unwrap_err();
    assert!(error.as_service_error().unwrap().is_resource_not_found());
    let left = cloud.client.describe_alarms().alarm_names("b").send().await.unwrap();
    assert_eq!(names(&left).len(), 0);
}

fn arn(alarm: &str) -> String {
    format!("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{alarm}")
}

async fn tags(cloud: &Cloud, alarm: &str) -> Vec<String> {
    let listed = cloud.client.list_tags_for_resource().resource_arn(arn(alarm)).send().await.unwrap();
    listed.tags().iter().map(|tag| format!("{}={}", tag.key().unwrap(), tag.value().unwrap())).collect()
}

#[tokio::test]
async fn alarms_have_tags() {
    let cloud = Cloud::start().await;
    errors_alarm(&cloud, "a").send().await.unwrap();
    let described = cloud.client.describe_alarms().send().await.unwrap();
    assert_eq!(described.metric_alarms()[0].alarm_arn(), Some(arn("a").as_str()));
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let put = |tag| cloud.client.tag_resource().resource_arn(arn("a")).tags(tag);
    put(tag("team", "api")).tags(tag("stage", "live")).send().await.unwrap();
    put(tag("team", "x")).send().await.unwrap();
    assert_eq!(tags(&cloud, "a").await, ["stage=live", "team=x"]);
    cloud.client.untag_resource().resource_arn(arn("a")).tag_keys("team").send().await.unwrap();
    assert_eq!(tags(&cloud, "a").await, ["stage=live"]);
    let error = put(tag("aws:x", "y")).send().await.unwrap_err();
    assert!(error.as_service_error().unwrap().is_invalid_parameter_value_exception());
    let error = cloud.client.list_tags_for_resource().resource_arn(arn("b")).send().await.unwrap_err();
    assert!(error.as_service_error().unwrap().is_resource_not_found_exception());
}

#[tokio::test]
async fn what_put_metric_alarm_refuses() {
    let cloud = Cloud::start().await;
    let good = || errors_alarm(&cloud, "a");
    let expression = MetricDataQuery::builder().id("e").expression("m1/m2").build();
    let (wrong, unsupported) = ("ValidationError", "SandboxUnsupported");
    for (alarm, code, message) in [
        (good().set_alarm_name(None), wrong, "AlarmName"),
        (good().set_namespace(None), wrong, "Namespace"),
        (good().set_period(None), wrong, "Period"),
        (good().period(45), wrong, "10, 20, 30 or a multiple of 60"),
        (good().set_threshold(None), wrong, "Threshold"),
        (good().set_evaluation_periods(None), wrong, "EvaluationPeriods"),
        (good().evaluation_periods(1_441), wrong, "86400"),
        (good().period(3_600).evaluation_periods(169), wrong, "604800"),
        (good().datapoints_to_alarm(2), wrong, "DatapointsToAlarm"),
        (good().extended_statistic("p90"), wrong, "Exactly one"),
        (good().set_statistic(None), wrong, "Exactly one"),
        (good().set_statistic(None).extended_statistic("p200"), wrong, "p200"),
        (good().treat_missing_data("guess"), wrong, "TreatMissingData"),
        (good().evaluate_low_sample_count_percentile("ignore"), wrong, "percentile"),
        (good().alarm_actions("somebody"), wrong, "Invalid arn syntax"),
        (good().metrics(expression), unsupported, "Metrics"),
        (
            good().comparison_operator(ComparisonOperator::GreaterThanUpperThreshold),
            unsupported,
            "GreaterThanUpperThreshold",
        ),
    ] {
        let (got, text) = refused(&alarm.send().await.unwrap_err());
        assert_eq!(got, code, "{text}");
        assert!(text.contains(message), "{text}");
    }
    assert_eq!(cloud.client.describe_alarms().send().await.unwrap().metric_alarms().len(), 0);
    let error = cloud.client.list_dashboards().send().await.unwrap_err();
    assert_eq!(error.code(), Some(unsupported));
}

/// What the aws CLI of some versions and other SDKs speak: the answer's head in lower case, and its
/// body.
async fn json_call(cloud: &Cloud, operation: &str, body: &str) -> (String, serde_json::Value) {
    let length = body.len();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-amz-json-1.0\r\n\
         x-amz-target: GraniteServiceVersion20100801.{operation}\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=any/20261122/eu-west-1/monitoring/aws4_request, SignedHeaders=host, Signature=0\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}",
        cloud.address
    );
    let mut stream = tokio::net::TcpStream::connect(cloud.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test]
async fn it_speaks_json_too() {
    let cloud = Cloud::start().await;
    // Times as numbers and as texts; whole numbers where doubles are meant.
    let put = r#"{"Namespace":"Test","MetricData":[
        {"MetricName":"M","Value":3,"Timestamp":1795341600.5},
        {"MetricName":"M","Value":4.5,"Timestamp":"2026-11-22T10:00:30Z"}]}"#;
    let (head, _) = json_call(&cloud, "PutMetricData", put).await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    cloud.advance(MINUTE);
    let get = r#"{"StartTime":1795341600,"EndTime":"2026-11-22T10:01:00+00:00","MetricDataQueries":[
        {"Id":"m","MetricStat":{"Metric":{"Namespace":"Test","MetricName":"M"},"Period":60,"Stat":"Sum"}}]}"#;
    let (_, body) = json_call(&cloud, "GetMetricData", get).await;
    assert_eq!(body["MetricDataResults"][0]["Timestamps"], serde_json::json!([1_795_341_600.0]));
    assert_eq!(body["MetricDataResults"][0]["Values"], serde_json::json!([7.5]));

    let (head, body) = json_call(&cloud, "PutMetricData", r#"{"Namespace":"AWS/X"}"#).await;
    assert!(head.starts_with("http/1.1 400"), "{head}");
    assert!(head.contains("x-amzn-query-error: invalidparametervalue;sender"), "{head}");
    assert_eq!(body["__type"], "com.amazonaws.cloudwatch#InvalidParameterValueException");
    let none = r#"{"Namespace":"N","MetricData":[{"MetricName":"M","Value":"NaN"}]}"#;
    let (_, body) = json_call(&cloud, "PutMetricData", none).await;
    assert_eq!(body["__type"], "com.amazonaws.cloudwatch#InvalidParameterValueException");
    let (_, body) = json_call(&cloud, "ListMetrics", r#"{"Colour":"red"}"#).await;
    assert_eq!(body["__type"], "SerializationException");
    assert!(body["message"].as_str().unwrap().contains("unknown field `Colour`"), "{body}");
}
