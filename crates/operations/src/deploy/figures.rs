//! The figures a gate judges by, with one GetMetricData call.
//!
//! They are not taken out of the store that pages share: a gate has to know at once, and asks for one
//! period as long as the time it judges. What it asks for is counted there all the same.
//!
//! Of each version three things are asked for: what Lambda counts for calls that come through the
//! alias (`Resource` = function:alias, `ExecutedVersion`), what it counts for calls of the version by
//! its number (the portal's own requests), and what the function counts itself: an answer from 500 is
//! no error to Lambda. The function's own figures have the dimensions `FunctionName` and
//! `ExecutedVersion`; where a function writes none, Lambda's have to do.

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy, StatusCode,
};
use model::deploy::Sample;
use model::problem::{Problem, ProblemKind};
use model::stack::Stack;
use model::time::Timestamp;

use super::gate::Figures;
use crate::aws::problem;
use crate::metrics::Store;

/// A minute, the shortest period of AWS's own metrics.
const MINUTE_MS: i64 = 60_000;
/// How long before the old version's figures are taken from where the same time has too few.
const BEFORE_MS: i64 = 3_600_000;
/// Fewer requests than this, and the old version's hour before is compared with.
const FEWEST_OLD: u64 = 20;

/// What is asked for of a version, in this order.
const ASKED: [(&str, &str); 8] = [
    ("Invocations", "Sum"),
    ("Errors", "Sum"),
    ("Duration", "p95"),
    // By its number.
    ("Invocations", "Sum"),
    ("Errors", "Sum"),
    ("Duration", "p95"),
    // Its own.
    ("Requests", "Sum"),
    ("ServerErrors", "Sum"),
];

/// Reads the figures since `since`, which is rounded down to the minute: nothing of the new version is
/// older than that.
pub(super) async fn read(
    cloudwatch: &Client,
    meter: &Store,
    stack: &Stack,
    (new, old): (&str, &str),
    since: Timestamp,
    now: Timestamp,
) -> Result<Figures, Problem> {
    let start = since.0.div_euclid(MINUTE_MS) * MINUTE_MS;
    let end = (now.0.div_euclid(MINUTE_MS) + 1) * MINUTE_MS;
    let own = meter.own_namespace();
    let mut queries = of_version(stack, own, "new", new, end - start);
    queries.extend(of_version(stack, own, "old", old, end - start));
    queries.push(query("throttled", "Throttles", "Sum", "AWS/Lambda", through_alias(stack), end - start));
    let results = ask(cloudwatch, meter, queries, start, end).await?;
    let mut old_sample = sample(&results, "old");
    if old_sample.requests < FEWEST_OLD {
        let (start, end) = (start - BEFORE_MS, start);
        let before =
            ask(cloudwatch, meter, of_version(stack, own, "old", old, BEFORE_MS), start, end).await?;
        let before = sample(&before, "old");
        if before.requests > old_sample.requests {
            old_sample = before;
        }
    }
    Ok(Figures {
        new: sample(&results, "new"),
        old: old_sample,
        throttled: count(sum(&results, "throttled")),
        at: now,
    })
}

async fn ask(
    cloudwatch: &Client,
    meter: &Store,
    queries: Vec<MetricDataQuery>,
    start: i64,
    end: i64,
) -> Result<Vec<MetricDataResult>, Problem> {
    meter.count(1, queries.len() as u64);
    let answer = cloudwatch
        .get_metric_data()
        .start_time(DateTime::from_millis(start))
        .end_time(DateTime::from_millis(end))
        .scan_by(ScanBy::TimestampAscending)
        .set_metric_data_queries(Some(queries))
        .send()
        .await
        .map_err(|error| problem("read the versions' figures", "cloudwatch:GetMetricData", &error))?;
    let results = answer.metric_data_results.unwrap_or_default();
    // What can't be read is not nought.
    match results.iter().find_map(|result| result.status_code().filter(|code| **code != StatusCode::Complete))
    {
        Some(StatusCode::Forbidden) => Err(Problem::new(
            ProblemKind::Forbidden,
            "CloudWatch did not allow the portal to read the versions' figures.",
        )
        .with_next("Give the portal's role cloudwatch:GetMetricData.")),
        Some(_) => Err(Problem::new(ProblemKind::Upstream, "CloudWatch gave only a part of the figures.")),
        None if answer.next_token.is_some() => {
            Err(Problem::new(ProblemKind::Upstream, "CloudWatch gave only a part of the figures."))
        }
        None => Ok(results),
    }
}

fn through_alias(stack: &Stack) -> Vec<(&'static str, String)> {
    vec![
        ("FunctionName", stack.function.clone()),
        ("Resource", format!("{}:{}", stack.function, stack.alias)),
    ]
}

fn of_version(
    stack: &Stack,
    own_namespace: &str,
    which: &str,
    version: &str,
    length: i64,
) -> Vec<MetricDataQuery> {
    let function = ("FunctionName", stack.function.clone());
    let executed = ("ExecutedVersion", version.to_owned());
    let mut alias = through_alias(stack);
    alias.push(executed.clone());
    let by_number = vec![function.clone(), ("Resource", format!("{}:{version}", stack.function))];
    let own = vec![function, executed];
    ASKED
        .iter()
        .enumerate()
        .map(|(index, (name, stat))| {
            let (namespace, dimensions) = match index {
                0..3 => ("AWS/Lambda", alias.clone()),
                3..6 => ("AWS/Lambda", by_number.clone()),
                _ => (own_namespace, own.clone()),
            };
            query(&format!("{which}{index}"), name, stat, namespace, dimensions, length)
        })
        .collect()
}

/// One period as long as the time asked for: a percentile of parts does not make one of the whole.
fn query(
    id: &str,
    name: &str,
    stat: &str,
    namespace: &str,
    dimensions: Vec<(&str, String)>,
    length: i64,
) -> MetricDataQuery {
    let dimensions = dimensions
        .into_iter()
        .map(|(name, value)| Dimension::builder().name(name).value(value).build())
        .collect();
    let metric = Metric::builder().namespace(namespace).metric_name(name).set_dimensions(Some(dimensions));
    let period = i32::try_from(length / 1_000).unwrap_or(i32::MAX);
    let stat = MetricStat::builder().metric(metric.build()).period(period).stat(stat).build();
    MetricDataQuery::builder().id(id).metric_stat(stat).build()
}

fn values<'a>(results: &'a [MetricDataResult], id: &str) -> &'a [f64] {
    results.iter().find(|result| result.id() == Some(id)).map(MetricDataResult::values).unwrap_or_default()
}

fn sum(results: &[MetricDataResult], id: &str) -> f64 {
    values(results, id).iter().sum()
}

/// A count that came as a float.
fn count(value: f64) -> u64 {
    value.round().max(0.0) as u64
}

fn sample(results: &[MetricDataResult], which: &str) -> Sample {
    let of = |index: usize| sum(results, &format!("{which}{index}"));
    let (through, by_number, own) = (of(0), of(3), of(6));
    // The worst of the periods, should CloudWatch have cut the time in two.
    let worst = |index: usize| values(results, &format!("{which}{index}")).iter().copied().reduce(f64::max);
    // The portal's own requests are all alike, so people's count where there are any.
    let p95_ms = worst(2).or_else(|| worst(5));
    Sample { requests: count((through + by_number).max(own)), errors: count(of(1) + of(4) + of(7)), p95_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(id: &str, values: &[f64]) -> MetricDataResult {
        let builder = MetricDataResult::builder().id(id).status_code(StatusCode::Complete);
        builder.set_values(Some(values.to_vec())).build()
    }

    #[test]
    fn all_that_counts_is_counted_once() {
        let results = [
            result("new0", &[40.0]),
            result("new1", &[2.0]),
            result("new2", &[31.0]),
            result("new3", &[10.0]),
            result("new4", &[1.0]),
            result("new5", &[90.0]),
            // A crash writes none of its own.
            result("new6", &[47.0]),
            result("new7", &[5.0]),
        ];
        let expected = Sample { requests: 50, errors: 8, p95_ms: Some(31.0) };
        assert_eq!(sample(&results, "new"), expected);
        assert_eq!(sample(&results, "old"), Sample::default());
        let own = [result("new3", &[10.0]), result("new5", &[90.0])];
        assert_eq!(sample(&own, "new"), Sample { requests: 10, errors: 0, p95_ms: Some(90.0) });
    }
}
