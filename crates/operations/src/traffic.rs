//! The last hour's figures, with one GetMetricData call.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{
    Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy, StatusCode,
};
use model::overview::{Series, Traffic};
use model::problem::{Problem, ProblemKind};
use model::stack::Stack;
use model::time::Timestamp;

use crate::aws::problem;

/// A minute: the shortest period that AWS's own metrics have.
const PERIOD: u32 = 60;
/// An hour of them.
const POINTS: usize = 60;

/// Reads the hour that ends with the minute of `now`, which is still filling.
pub(crate) async fn read(cloudwatch: Client, stack: Arc<Stack>, now: Timestamp) -> Result<Traffic, Problem> {
    let start = window_start(now);
    let millis = |timestamp: Timestamp| aws_smithy_types::DateTime::from_millis(timestamp.0);
    let answer = cloudwatch
        .get_metric_data()
        .start_time(millis(start))
        .end_time(millis(Timestamp(start.0 + POINTS as i64 * i64::from(PERIOD) * 1_000)))
        .scan_by(ScanBy::TimestampAscending)
        .set_metric_data_queries(Some(queries(&stack)))
        .send()
        .await
        .map_err(|error| problem("read the metrics", "cloudwatch:GetMetricData", &error))?;
    traffic(start, answer.metric_data_results())
}

/// The start of the hour's first minute.
fn window_start(now: Timestamp) -> Timestamp {
    let minute = i64::from(PERIOD) * 1_000;
    Timestamp((now.0.div_euclid(minute) + 1) * minute - POINTS as i64 * minute)
}

/// API figures by stage, function figures by alias: what callers of this stack meet.
fn queries(stack: &Stack) -> Vec<MetricDataQuery> {
    let api = [("ApiId", stack.api_id.clone()), ("Stage", stack.stage.clone())];
    let function = [
        ("FunctionName", stack.function.clone()),
        ("Resource", format!("{}:{}", stack.function, stack.alias)),
    ];
    let query = |id: &str, namespace: &str, name: &str, stat: &str, dimensions: &[(&str, String)]| {
        let dimensions = dimensions
            .iter()
            .map(|(name, value)| Dimension::builder().name(*name).value(value).build())
            .collect();
        let metric =
            Metric::builder().namespace(namespace).metric_name(name).set_dimensions(Some(dimensions)).build();
        let stat = MetricStat::builder().metric(metric).period(PERIOD as i32).stat(stat).build();
        MetricDataQuery::builder().id(id).metric_stat(stat).build()
    };
    vec![
        query("requests", "AWS/ApiGateway", "Count", "Sum", &api),
        query("errors", "AWS/ApiGateway", "5xx", "Sum", &api),
        query("clientErrors", "AWS/ApiGateway", "4xx", "Sum", &api),
        query("throttles", "AWS/Lambda", "Throttles", "Sum", &function),
        query("durationP95", "AWS/Lambda", "Duration", "p95", &function),
    ]
}

fn traffic(start: Timestamp, results: &[MetricDataResult]) -> Result<Traffic, Problem> {
    let by_id: HashMap<&str, &MetricDataResult> =
        results.iter().filter_map(|result| Some((result.id()?, result))).collect();
    let points = |id: &str| -> Result<Vec<Option<f64>>, Problem> {
        let Some(result) = by_id.get(id) else {
            return Err(Problem::new(ProblemKind::Upstream, format!("CloudWatch left out the figure {id}.")));
        };
        match result.status_code() {
            Some(StatusCode::Forbidden) => Err(Problem::new(
                ProblemKind::Forbidden,
                format!("CloudWatch did not allow the portal to read the figure {id}."),
            )
            .with_next("Give the portal's role cloudwatch:GetMetricData.")),
            Some(StatusCode::InternalError) => Err(Problem::new(
                ProblemKind::Upstream,
                format!("CloudWatch failed to read the figure {id}."),
            )),
            _ => Ok(place(start, result)),
        }
    };
    let sum = |points: Vec<Option<f64>>| {
        let whole = points.iter().flatten().copied().reduce(|a, b| a + b);
        Series { points, whole }
    };
    let worst = |points: Vec<Option<f64>>| {
        let whole = points.iter().flatten().copied().reduce(f64::max);
        Series { points, whole }
    };
    Ok(Traffic {
        start,
        period_seconds: PERIOD,
        requests: sum(points("requests")?),
        errors: sum(points("errors")?),
        client_errors: sum(points("clientErrors")?),
        throttles: sum(points("throttles")?),
        duration_p95: worst(points("durationP95")?),
    })
}

/// Puts each value at its minute; what CloudWatch does not give stays a gap.
fn place(start: Timestamp, result: &MetricDataResult) -> Vec<Option<f64>> {
    let mut points = vec![None; POINTS];
    for (time, value) in result.timestamps().iter().zip(result.values()) {
        let minutes = (time.secs() - start.0.div_euclid(1_000)).div_euclid(i64::from(PERIOD));
        if let Some(point) = usize::try_from(minutes).ok().and_then(|index| points.get_mut(index)) {
            *point = Some(*value);
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn result(id: &str, data: &[(i64, f64)]) -> MetricDataResult {
        let mut builder = MetricDataResult::builder().id(id).status_code(StatusCode::Complete);
        for (minute, value) in data {
            builder = builder.timestamps(aws_smithy_types::DateTime::from_secs(minute * 60)).values(*value);
        }
        builder.build()
    }

    fn results(requests: &[(i64, f64)], errors: &[(i64, f64)], p95: &[(i64, f64)]) -> Vec<MetricDataResult> {
        vec![
            result("requests", requests),
            result("errors", errors),
            result("clientErrors", &[]),
            result("throttles", &[]),
            result("durationP95", p95),
        ]
    }

    #[test]
    fn the_window_ends_with_the_minute_that_is_filling() {
        let table = [(100 * MINUTE, 41), (100 * MINUTE + 1, 41), (101 * MINUTE - 1, 41), (101 * MINUTE, 42)];
        for (now, first) in table {
            assert_eq!(window_start(Timestamp(now)), Timestamp(first * MINUTE), "{now}");
        }
    }

    #[test]
    fn values_stand_at_their_minute_and_gaps_stay_gaps() {
        let start = Timestamp(100 * MINUTE);
        let answer = results(
            &[(100, 8.0), (102, 2.0), (159, 10.0), (160, 99.0)],
            &[(102, 1.0)],
            &[(100, 5.0), (102, 9.0), (159, 3.0)],
        );
        let traffic = traffic(start, &answer).unwrap();
        assert_eq!(traffic.requests.points[..3], [Some(8.0), None, Some(2.0)]);
        assert_eq!(traffic.requests.points[59], Some(10.0));
        assert_eq!(traffic.requests.whole, Some(20.0));
        assert_eq!(traffic.error_share(), Some(0.05));
        assert_eq!(traffic.duration_p95.whole, Some(9.0));
        assert_eq!(traffic.throttles.whole, None);
    }

    #[test]
    fn no_traffic_is_not_nought_per_cent() {
        let traffic = traffic(Timestamp(0), &results(&[], &[], &[])).unwrap();
        assert_eq!(traffic.error_share(), None);
        assert_eq!(traffic.requests.whole, None);
    }

    #[test]
    fn a_forbidden_or_missing_figure_is_a_problem_and_not_a_gap() {
        let forbidden = MetricDataResult::builder().id("requests").status_code(StatusCode::Forbidden).build();
        let kind = traffic(Timestamp(0), &[forbidden]).unwrap_err().kind;
        assert_eq!(kind, ProblemKind::Forbidden);
        assert_eq!(traffic(Timestamp(0), &[]).unwrap_err().kind, ProblemKind::Upstream);
    }
}
