//! Figures for CloudWatch, in the embedded metric format: a line in the log that CloudWatch reads
//! metrics out of, so that none costs a call.
//!
//! | metric (namespace `LearningHub`, dimension `FunctionName`) | unit | when |
//! |---|---|---|
//! | `ColdStart` | Count, 0 or 1 | each request; the average is the share |
//! | `SqlDuration` | Milliseconds: all exchanges of a request, connecting not included | each request that asked the database |
//! | `SecretRefreshed` | Count | when the secret was read |
//! | `LoginRetry` | Count: logins after a refused one | when there were any |
//! | `SqlErrors`, with the dimension `Number` too | Count of SQL Server's error by its number | when there were any |
//!
//! And for each version by itself, so that one that few requests are tried on can be judged:
//!
//! | metric (dimensions `FunctionName` and `ExecutedVersion`) | unit | when |
//! |---|---|---|
//! | `Requests` | Count, 1 | each request |
//! | `ServerErrors` | Count, 0 or 1: the answer's status was 500 or more | each request |
//! | `RequestDuration` | Milliseconds: the answer, a start that came before it not included | each request |
//!
//! Lambda has figures for each version of an alias too, but an answer of 500 is none of its `Errors`.
//! What never becomes an answer (a crash, the time limit, a start that fails) is in Lambda's alone, so
//! whoever judges a version looks at both. `ExecutedVersion` is `$LATEST` where nothing is published.
//!
//! Each combination of metric and dimensions is paid for, USD 0.30 a month and by the hour in which it
//! was written (CloudWatch's prices, the first 10,000): a version costs USD 0.90 a month while it
//! serves, and nothing once it does not. So routes are no dimension: the line holds the route and the request's ids as plain members, for a search in the log. The format is
//! AWS's ("Specification: Embedded metric format", CloudWatch User Guide). The lines are written at any
//! log level. The libraries for the format keep their figures in one place for the whole process;
//! here they belong to a request.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::api::millis;
use crate::report::Report;

/// The target of the events that [`crate::telemetry`] writes out as they are.
pub const TARGET: &str = "emf";
const NAMESPACE: &str = "LearningHub";

/// The first status that counts as the function's own failure.
const SERVER_ERROR: u16 = 500;

/// A figure: its name, its unit and its value.
type Figure = (&'static str, &'static str, Value);

/// Writes the figures of a request, which this version of the function answered.
pub fn write(report: &Report<'_>, route: Option<&str>, function: &str, version: &str) {
    for line in lines(report, route, function, version) {
        let line = line.to_string();
        tracing::info!(target: TARGET, line);
    }
}

fn lines(report: &Report<'_>, route: Option<&str>, function: &str, version: &str) -> Vec<Value> {
    let cost = report.cost;
    let mut figures: Vec<Figure> = vec![("ColdStart", "Count", json!(u8::from(report.cold_start)))];
    if cost.round_trips > 0 {
        figures.push(("SqlDuration", "Milliseconds", json!(millis(cost.time))));
    }
    for (name, count) in [("SecretRefreshed", cost.secret_reads), ("LoginRetry", cost.login_retries)] {
        if count > 0 {
            figures.push((name, "Count", json!(count)));
        }
    }
    let mut about = Map::new();
    about.insert("FunctionName".to_owned(), json!(function));
    about.insert("requestId".to_owned(), json!(report.ids.lambda));
    about.insert("apiRequestId".to_owned(), json!(report.ids.gateway));
    if let Some(route) = route {
        about.insert("route".to_owned(), json!(route));
    }
    let at = report.at.timestamp_millis();
    let of_version: [Figure; 3] = [
        ("Requests", "Count", json!(1)),
        ("ServerErrors", "Count", json!(u8::from(report.status >= SERVER_ERROR))),
        ("RequestDuration", "Milliseconds", json!(millis(report.took))),
    ];
    // One line for both sets: it is paid for by its size, and the rest of it would be there twice.
    let mut first = about.clone();
    first.insert("ExecutedVersion".to_owned(), json!(version));
    let sets: [(&[&str], &[Figure]); 2] =
        [(&["FunctionName"], &figures), (&["FunctionName", "ExecutedVersion"], &of_version)];
    let mut lines = vec![line(at, &sets, first)];
    let mut errors = BTreeMap::<u32, u32>::new();
    for number in &cost.errors {
        *errors.entry(*number).or_default() += 1;
    }
    for (number, count) in errors {
        about.insert("Number".to_owned(), json!(number.to_string()));
        let figures = [("SqlErrors", "Count", json!(count))];
        lines.push(line(at, &[(&["FunctionName", "Number"], &figures)], about.clone()));
    }
    lines
}

/// A line: each set of dimensions with its figures, and what is known of the request besides.
fn line(at: i64, sets: &[(&[&str], &[Figure])], mut about: Map<String, Value>) -> Value {
    let directive = |(dimensions, figures): &(&[&str], &[Figure])| {
        let metrics: Vec<_> =
            figures.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
        json!({ "Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": metrics })
    };
    let directives: Vec<_> = sets.iter().map(directive).collect();
    about.insert("_aws".to_owned(), json!({ "Timestamp": at, "CloudWatchMetrics": directives }));
    for (name, _, value) in sets.iter().flat_map(|(_, figures)| *figures) {
        about.insert((*name).to_owned(), value.clone());
    }
    Value::Object(about)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;

    use super::*;
    use crate::meter::Cost;
    use crate::report::Ids;

    fn report(cost: &Cost, status: u16) -> Report<'_> {
        Report {
            ids: Ids { lambda: "l-1", gateway: "g-1" },
            method: "GET",
            route: None,
            took: Duration::from_micros(12_345),
            at: DateTime::from_timestamp_millis(1_700_000_000_123).unwrap(),
            cold_start: true,
            status,
            cause: None,
            cost,
        }
    }

    #[test]
    fn the_lines_are_what_cloudwatch_reads() {
        let cost = Cost {
            time: Duration::from_micros(1_500),
            round_trips: 2,
            connects: 2,
            login_retries: 1,
            secret_reads: 1,
            errors: vec![18456, 1205, 18456],
            ..Cost::default()
        };
        let lines = lines(&report(&cost, 200), Some("GET /courses"), "api", "7");
        let metric = |name: &str, unit: &str| json!({ "Name": name, "Unit": unit });
        assert_eq!(
            lines[0],
            json!({
                "_aws": { "Timestamp": 1_700_000_000_123_i64, "CloudWatchMetrics": [{
                    "Namespace": "LearningHub",
                    "Dimensions": [["FunctionName"]],
                    "Metrics": [
                        metric("ColdStart", "Count"),
                        metric("SqlDuration", "Milliseconds"),
                        metric("SecretRefreshed", "Count"),
                        metric("LoginRetry", "Count"),
                    ],
                }, {
                    "Namespace": "LearningHub",
                    "Dimensions": [["FunctionName", "ExecutedVersion"]],
                    "Metrics": [
                        metric("Requests", "Count"),
                        metric("ServerErrors", "Count"),
                        metric("RequestDuration", "Milliseconds"),
                    ],
                }] },
                "FunctionName": "api", "ExecutedVersion": "7",
                "requestId": "l-1", "apiRequestId": "g-1", "route": "GET /courses",
                "ColdStart": 1, "SqlDuration": 1.5, "SecretRefreshed": 1, "LoginRetry": 1,
                "Requests": 1, "ServerErrors": 0, "RequestDuration": 12.345,
            })
        );
        let errors: Vec<_> = lines[1..].iter().map(|line| (&line["Number"], &line["SqlErrors"])).collect();
        assert_eq!(errors, [(&json!("1205"), &json!(1)), (&json!("18456"), &json!(2))]);
        let directives = lines[1]["_aws"]["CloudWatchMetrics"].as_array().unwrap();
        assert_eq!(directives.len(), 1, "a request is counted once");
        assert_eq!(directives[0]["Dimensions"], json!([["FunctionName", "Number"]]));
    }

    #[test]
    fn an_answer_from_500_on_is_the_functions_own_failure() {
        let cost = Cost::default();
        for (status, expected) in [(200, 0), (304, 0), (404, 0), (499, 0), (500, 1), (503, 1)] {
            let lines = lines(&report(&cost, status), None, "api", "$LATEST");
            assert_eq!(lines[0]["ServerErrors"], expected, "{status}");
            assert_eq!((&lines[0]["Requests"], &lines[0]["ExecutedVersion"]), (&json!(1), &json!("$LATEST")));
        }
    }
}
