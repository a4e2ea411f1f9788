//! How long new execution environments took to start, from the function's log: no metric tells it.
//!
//! Lambda says it once per environment, in the report of its first call: as text
//! (`REPORT ... Init Duration: 21.37 ms`), or with `LogFormat=JSON` as a `platform.report` with
//! `initDurationMs`. Both are read. What a failed start says (`INIT_REPORT`) is none of these.

use aws_sdk_cloudwatchlogs::Client;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use model::metrics::{Scope, Starts, Window};
use model::problem::Problem;
use model::time::Timestamp;
use serde_json::Value;

use crate::aws::problem;

/// Finds both forms. A term with `?` is one of several that will do.
const PATTERN: &str = "?\"Init Duration\" ?initDurationMs";
/// CloudWatch answers with empty pages while it searches: so many are turned, each up to 10,000 lines.
const MOST_PAGES: usize = 12;
/// So many starts are told of; a function that starts more often in a day has other problems.
const MOST_STARTS: usize = 20_000;

/// A start.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Start {
    at: Timestamp,
    ms: f64,
}

/// Reads a window's starts. A log group that is not there has none: the function has not been called yet.
pub(super) async fn read(
    logs: Client,
    group: String,
    scope: Scope,
    window: Window,
) -> Result<Starts, Problem> {
    let (mut starts, mut next, mut cut_short) = (Vec::new(), None, true);
    for _ in 0..MOST_PAGES {
        let request = logs
            .filter_log_events()
            .log_group_name(&group)
            .filter_pattern(PATTERN)
            .start_time(window.from.0)
            .end_time(window.to.0 - 1)
            .set_next_token(next);
        let page = match request.send().await {
            Ok(page) => page,
            Err(error) if error.code() == Some("ResourceNotFoundException") => {
                cut_short = false;
                break;
            }
            Err(error) => {
                let what = format!("read the function's log {group}");
                return Err(problem(&what, "logs:FilterLogEvents", &error));
            }
        };
        starts.extend(page.events().iter().filter_map(|event| {
            let of_scope = is_of(&scope, event.log_stream_name().unwrap_or_default());
            let ms = init_ms(event.message()?).filter(|_| of_scope)?;
            Some(Start { at: Timestamp(event.timestamp()?), ms })
        }));
        next = page.next_token;
        if next.is_none() {
            cut_short = false;
            break;
        }
        if starts.len() >= MOST_STARTS {
            break;
        }
    }
    Ok(Starts { cut_short, ..put_together(window, &starts) })
}

/// Whether a log stream, `2026/12/01/[12]0123...`, is of this version; through the alias all are.
fn is_of(scope: &Scope, stream: &str) -> bool {
    match scope {
        Scope::Alias => true,
        Scope::Version(version) => stream
            .split_once('[')
            .and_then(|(_, rest)| rest.split_once(']'))
            .is_some_and(|(of, _)| of == version),
    }
}

/// The start's milliseconds in a line that tells of one.
fn init_ms(line: &str) -> Option<f64> {
    let ms = match line.trim_start().strip_prefix("REPORT ") {
        Some(report) => {
            let (_, rest) = report.split_once("Init Duration: ")?;
            rest.split_once(" ms")?.0.parse().ok()?
        }
        None => {
            let record: Value = serde_json::from_str(line).ok()?;
            if record["type"] != "platform.report" {
                return None;
            }
            record["record"]["metrics"]["initDurationMs"].as_f64()?
        }
    };
    (f64::is_finite(ms) && ms >= 0.0).then_some(ms)
}

fn put_together(window: Window, starts: &[Start]) -> Starts {
    let mut slowest: Vec<Option<f64>> = vec![None; window.periods()];
    for start in starts {
        if let Some(point) = window.index_of(start.at).and_then(|index| slowest.get_mut(index)) {
            *point = Some(point.map_or(start.ms, |other| other.max(start.ms)));
        }
    }
    let mut sorted: Vec<f64> = starts.iter().map(|start| start.ms).collect();
    sorted.sort_by(f64::total_cmp);
    // The nearest rank, as for the metrics' percentiles: of 20, the 10th.
    let p50_ms = sorted.get(sorted.len().div_ceil(2).saturating_sub(1)).copied();
    Starts { window, count: sorted.len(), p50_ms, max_ms: sorted.last().copied(), slowest, cut_short: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_report_are_read() {
        let json = |kind: &str, metrics: &str| {
            format!(r#"{{"time":"2026-12-01T00:00:00Z","type":"{kind}","record":{{"metrics":{metrics}}}}}"#)
        };
        let report = "REPORT RequestId: 1\tDuration: 3.10 ms\tBilled Duration: 25 ms\tMemory Size: 128 MB\tMax Memory Used: 20 MB\tInit Duration: 21.37 ms\t";
        let table = [
            (report.to_owned(), Some(21.37)),
            (report.replace("\tInit Duration: 21.37 ms", ""), None),
            (json("platform.report", r#"{"durationMs":3.1,"initDurationMs":21.5}"#), Some(21.5)),
            (json("platform.report", r#"{"durationMs":3.1}"#), None),
            (json("platform.initReport", r#"{"initDurationMs":9.0}"#), None),
            ("INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout".to_owned(), None),
            ("a line about Init Duration: 5 ms".to_owned(), None),
            ("REPORT Init Duration: many ms".to_owned(), None),
            ("{\"type\":\"platform.report\"".to_owned(), None),
        ];
        for (line, ms) in table {
            assert_eq!(init_ms(&line), ms, "{line}");
        }
    }

    #[test]
    fn a_stream_names_its_version() {
        let of = |version: &str, stream: &str| is_of(&Scope::Version(version.to_owned()), stream);
        assert!(of("12", "2026/12/01/[12]0123abcd"));
        assert!(!of("1", "2026/12/01/[12]0123abcd"));
        assert!(!of("12", "other"));
        assert!(is_of(&Scope::Alias, "other"));
    }

    #[test]
    fn each_period_has_its_slowest() {
        let window = Window { from: Timestamp(0), to: Timestamp(180_000), period_seconds: 60 };
        let start = |at: i64, ms: f64| Start { at: Timestamp(at), ms };
        let starts = [start(10, 20.0), start(59_999, 90.0), start(120_000, 30.0), start(180_000, 10.0)];
        let told = put_together(window, &starts);
        assert_eq!(told.slowest, [Some(90.0), None, Some(30.0)]);
        assert_eq!((told.count, told.p50_ms, told.max_ms), (4, Some(20.0), Some(90.0)));
        let none = put_together(window, &[]);
        assert_eq!((none.count, none.p50_ms, none.max_ms), (0, None, None));
    }
}
