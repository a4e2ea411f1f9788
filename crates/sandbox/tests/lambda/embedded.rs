//! Metrics that functions embed in their log lines, with both log formats.

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use aws_sdk_lambda::config::{Credentials, Region, retry::RetryConfig};
use aws_sdk_lambda::types::{LogFormat, LoggingConfig};
use serde_json::{Value, json};

use crate::world::{Plan, World};

/// A line that counts `orders` of a function.
fn line(at: i64, function: &str, orders: &Value, level: Option<&str>) -> String {
    let mut line = json!({
        "_aws": {"Timestamp": at, "CloudWatchMetrics": [{
            "Namespace": "Shop", "Dimensions": [["Function"]], "Metrics": [{"Name": "Orders", "Unit": "Count"}],
        }]},
        "Function": function, "Orders": orders,
    });
    if let Some(level) = level {
        line["level"] = json!(level);
    }
    line.to_string()
}

/// What the function's log holds besides the platform's words.
async fn written(world: &World, function: &str) -> Vec<String> {
    let config = aws_sdk_cloudwatchlogs::Config::builder()
        .behavior_version_latest()
        .region(Region::new("eu-west-1"))
        .endpoint_url(&world.url)
        .credentials_provider(Credentials::new("AKIATEST", "secret", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .build();
    let client = aws_sdk_cloudwatchlogs::Client::from_conf(config);
    let group = format!("/aws/lambda/{function}");
    let found = client.filter_log_events().log_group_name(group).filter_pattern("Orders").send().await;
    found.unwrap().events().iter().filter_map(|event| event.message()).map(ToOwned::to_owned).collect()
}

/// Sum and number of a function's orders in the minute of the world's clock.
async fn orders(world: &World, function: &str) -> (Option<f64>, Option<f64>) {
    let config = aws_sdk_cloudwatch::Config::builder()
        .behavior_version_latest()
        .region(Region::new("eu-west-1"))
        .endpoint_url(&world.url)
        .credentials_provider(Credentials::new("AKIATEST", "secret", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .build();
    let metric = Metric::builder()
        .namespace("Shop")
        .metric_name("Orders")
        .dimensions(Dimension::builder().name("Function").value(function).build())
        .build();
    let query = |id: &str, stat: &str| {
        let stat = MetricStat::builder().metric(metric.clone()).stat(stat).period(60).build();
        MetricDataQuery::builder().id(id).metric_stat(stat).build()
    };
    let now = world.context.now_ms() / 1000;
    let answer = aws_sdk_cloudwatch::Client::from_conf(config)
        .get_metric_data()
        .metric_data_queries(query("sum", "Sum"))
        .metric_data_queries(query("count", "SampleCount"))
        .start_time(DateTime::from_secs(now))
        .end_time(DateTime::from_secs(now + 60))
        .send()
        .await
        .unwrap();
    let value = |n: usize| answer.metric_data_results()[n].values().first().copied();
    (value(0), value(1))
}

#[tokio::test]
async fn a_function_counts_by_writing() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan::default()).await;
    let now = world.context.now_ms();
    world.function("text").await;
    let logging = LoggingConfig::builder().log_format(LogFormat::Json).build();
    world.create("json").logging_config(logging).send().await.unwrap();
    for function in ["text", "json"] {
        let lines = [
            line(now, function, &json!(2), None),
            line(now, function, &json!([3, 4]), Some("ERROR")),
            // What the JSON format leaves out for its level counts nothing.
            line(now, function, &json!(100), Some("DEBUG")),
            line(now, function, &json!("broken"), None),
            // The JSON format wraps this one as a text.
            format!("before {}", line(now, function, &json!(1000), None)),
        ];
        world.ask(function, json!({"do": "print", "lines": lines})).await;
        // Reading the log writes what waits, and with it the metrics.
        let written = written(&world, function).await;
        if function == "text" {
            assert_eq!(written, lines.map(|line| line + "\n"));
            assert_eq!(orders(&world, function).await, (Some(109.0), Some(4.0)));
        } else {
            assert_eq!(written[..3], [&lines[0][..], &lines[1], &lines[3]]);
            let record: Value = serde_json::from_str(&written[3]).unwrap();
            assert_eq!((&record["message"], written.len()), (&json!(lines[4]), 4));
            assert_eq!(orders(&world, function).await, (Some(9.0), Some(3.0)));
        }
    }
    world.stop().await;
}
