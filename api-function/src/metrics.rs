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
//! Each combination of metric and dimensions is paid for by the month, so routes are no dimension: the
//! line holds the route and the request's ids as plain members, for a search in the log. The format is
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

/// Writes the figures of a request.
pub fn write(report: &Report<'_>, route: Option<&str>, function: &str) {
    for line in lines(report, route, function) {
        let line = line.to_string();
        tracing::info!(target: TARGET, line);
    }
}

fn lines(report: &Report<'_>, route: Option<&str>, function: &str) -> Vec<Value> {
    let cost = report.cost;
    let mut figures = vec![("ColdStart", "Count", json!(u8::from(report.cold_start)))];
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
    let mut lines = vec![line(at, &["FunctionName"], &figures, about.clone())];
    let mut errors = BTreeMap::<u32, u32>::new();
    for number in &cost.errors {
        *errors.entry(*number).or_default() += 1;
    }
    for (number, count) in errors {
        about.insert("Number".to_owned(), json!(number.to_string()));
        let figures = [("SqlErrors", "Count", json!(count))];
        lines.push(line(at, &["FunctionName", "Number"], &figures, about.clone()));
    }
    lines
}

fn line(
    at: i64,
    dimensions: &[&str],
    figures: &[(&str, &str, Value)],
    mut about: Map<String, Value>,
) -> Value {
    let metrics: Vec<_> =
        figures.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
    let directive = json!({ "Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": metrics });
    about.insert("_aws".to_owned(), json!({ "Timestamp": at, "CloudWatchMetrics": [directive] }));
    for (name, _, value) in figures {
        about.insert((*name).to_owned(), value.clone());
    }
    Value::Object(about)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;
    use tokio::time::Instant;

    use super::*;
    use crate::meter::Cost;
    use crate::report::Ids;

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
        let report = Report {
            ids: Ids { lambda: "l-1", gateway: "g-1" },
            method: "GET",
            route: None,
            started: Instant::now(),
            at: DateTime::from_timestamp_millis(1_700_000_000_123).unwrap(),
            cold_start: true,
            status: 200,
            cost: &cost,
        };
        let lines = lines(&report, Some("GET /courses"), "api");
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
                }] },
                "FunctionName": "api", "requestId": "l-1", "apiRequestId": "g-1", "route": "GET /courses",
                "ColdStart": 1, "SqlDuration": 1.5, "SecretRefreshed": 1, "LoginRetry": 1,
            })
        );
        let errors: Vec<_> = lines[1..].iter().map(|line| (&line["Number"], &line["SqlErrors"])).collect();
        assert_eq!(errors, [(&json!("1205"), &json!(1)), (&json!("18456"), &json!(2))]);
        assert_eq!(
            lines[1]["_aws"]["CloudWatchMetrics"][0]["Dimensions"],
            json!([["FunctionName", "Number"]])
        );
    }
}
