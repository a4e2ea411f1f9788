//! The time line: what took how long, out of the two logs and the trace.
//!
//! The access log tells when a request came and how long it took; of the integration it tells the length
//! only, so that bar stands at the end, as little comes after it. The function's log tells when the
//! invocation began and ended; the trace tells exactly, and where there is one, it counts for what
//! happened in Lambda. Clocks differ by some milliseconds between them: bars are not shifted to fit.

use model::lookup::{Bar, FunctionRecord, Lookup, Source, Span};
use model::time::Timestamp;

/// The begin, and the bars that follow from what was found.
pub(super) fn of(found: &Lookup) -> (Option<Timestamp>, Vec<Bar>) {
    let mut bars = gateway(found);
    match &found.trace.value {
        Some(trace) => bars.extend(trace.spans.iter().filter_map(traced)),
        None => bars.extend(found.function.value.iter().flat_map(logged)),
    }
    let first = bars.iter().map(|bar| bar.start_ms).min_by(f64::total_cmp);
    let Some(first) = first else { return (None, bars) };
    let began = first.floor();
    for bar in &mut bars {
        bar.start_ms = round(bar.start_ms - began);
        bar.took_ms = round(bar.took_ms);
    }
    // What is around others comes before them.
    bars.sort_by(|one, other| {
        one.start_ms.total_cmp(&other.start_ms).then(other.took_ms.total_cmp(&one.took_ms))
    });
    (Some(Timestamp(began as i64)), bars)
}

fn bar(name: &str, source: Source, start_ms: f64, took_ms: f64) -> Bar {
    Bar { name: name.to_owned(), source, start_ms, took_ms, failed: false, placed: false }
}

fn gateway(found: &Lookup) -> Vec<Bar> {
    let Some(access) = found.access.value.as_ref().map(|access| &access.read) else { return Vec::new() };
    let failed = access.status.is_some_and(|status| status >= 500);
    let took = access.latency_ms.unwrap_or_default();
    let written = access.at.map(|at| at.0 as f64 - took);
    let (start, placed) = match (access.began, written) {
        (Some(began), _) => (began.0 as f64, false),
        (None, Some(written)) => (written, true),
        (None, None) => return Vec::new(),
    };
    let mut bars = Vec::new();
    if access.latency_ms.is_some() {
        bars.push(Bar { failed, placed, ..bar("API Gateway, all of it", Source::AccessLog, start, took) });
    }
    if let Some(integration) = access.integration_latency_ms {
        let start = start + (took - integration).max(0.0);
        let one = bar("Integration: Lambda, as the gateway sees it", Source::AccessLog, start, integration);
        bars.push(Bar { failed, placed: true, ..one });
    }
    bars
}

fn traced(span: &Span) -> Option<Bar> {
    let name = match span.origin.as_deref() {
        Some("AWS::Lambda") => "Lambda service".to_owned(),
        Some("AWS::Lambda::Function") => "Function".to_owned(),
        _ => match span.name.as_str() {
            "Initialization" => "Function: init".to_owned(),
            "Invocation" => "Function: invocation".to_owned(),
            "Overhead" => "Function: overhead".to_owned(),
            "SecretsManager" => "Secrets Manager".to_owned(),
            other => other.to_owned(),
        },
    };
    Some(Bar { failed: span.failed, ..bar(&name, Source::Trace, span.start_ms, span.took_ms?) })
}

fn logged(record: &FunctionRecord) -> Vec<Bar> {
    let mut bars = Vec::new();
    let report_line = record.report.as_ref().and_then(|report| report.duration_ms).zip(record.lines.last());
    if let Some((took, last)) = report_line {
        // The report is the last line: it is written when the invocation is over.
        let start = last.at.0 as f64 - took;
        let status = record.report.as_ref().and_then(|report| report.status.as_deref());
        let failed = status.is_some_and(|status| status != "success");
        bars.push(Bar {
            failed,
            placed: true,
            ..bar("Function: invocation", Source::FunctionLog, start, took)
        });
        if let Some(init) = record.report.as_ref().and_then(|report| report.init_ms) {
            bars.push(Bar { placed: true, ..bar("Function: init", Source::FunctionLog, start - init, init) });
        }
    }
    bars
}

/// Milliseconds, with three places.
fn round(ms: f64) -> f64 {
    (ms * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use model::logs::{AccessLine, InvocationReport, LogLine};
    use model::lookup::{AccessRecord, Part, RequestId, Trace};

    use super::*;

    fn part<T>(value: T) -> Part<T> {
        Part { value: Some(value), ..Part::default() }
    }

    fn line(at: i64) -> LogLine {
        LogLine { at: Timestamp(at), stream: String::new(), id: String::new(), text: String::new() }
    }

    fn found() -> Lookup {
        let read = AccessLine {
            at: Some(Timestamp(1_121)),
            began: Some(Timestamp(1_000)),
            status: Some(503),
            latency_ms: Some(120.0),
            integration_latency_ms: Some(110.0),
            ..AccessLine::default()
        };
        let report = InvocationReport {
            duration_ms: Some(50.5),
            init_ms: Some(40.0),
            status: Some("success".to_owned()),
            ..InvocationReport::default()
        };
        Lookup {
            asked: RequestId::Gateway("JKJaXmPLvHcESHA=".to_owned()),
            now: Timestamp(0),
            gateway_id: None,
            lambda_id: None,
            trace_id: None,
            access: part(AccessRecord { line: line(1_121), read }),
            function: part(FunctionRecord {
                lines: vec![line(1_115)],
                report: Some(report),
                ..FunctionRecord::default()
            }),
            trace: Part::default(),
            began: None,
            timeline: Vec::new(),
        }
    }

    fn seen(found: &Lookup) -> Vec<(String, f64, f64, bool)> {
        let (began, bars) = of(found);
        assert_eq!(began, Some(Timestamp(1_000)));
        bars.into_iter().map(|bar| (bar.name, bar.start_ms, bar.took_ms, bar.failed)).collect()
    }

    #[test]
    fn both_logs_stand_on_one_line() {
        let expected = [
            ("API Gateway, all of it", 0.0, 120.0, true),
            ("Integration: Lambda, as the gateway sees it", 10.0, 110.0, true),
            ("Function: init", 24.5, 40.0, false),
            ("Function: invocation", 64.5, 50.5, false),
        ];
        let expected = expected.map(|(name, start, took, failed)| (name.to_owned(), start, took, failed));
        assert_eq!(seen(&found()), expected);
    }

    #[test]
    fn a_trace_tells_better_than_the_function_s_log() {
        let mut found = found();
        let span = |name: &str, origin: Option<&str>, start_ms, took_ms| Span {
            name: name.to_owned(),
            origin: origin.map(str::to_owned),
            request_id: None,
            start_ms,
            took_ms,
            failed: name == "SQL Server",
            depth: 0,
        };
        found.trace = part(Trace {
            id: String::new(),
            spans: vec![
                span("f", Some("AWS::Lambda"), 1_012.0, Some(105.0)),
                span("SQL Server", None, 1_090.25, Some(7.125)),
                span("open", None, 1_090.0, None),
            ],
            cut: false,
        });
        let names: Vec<_> = seen(&found).into_iter().skip(2).collect();
        assert_eq!(
            names,
            [
                ("Lambda service".to_owned(), 12.0, 105.0, false),
                ("SQL Server".to_owned(), 90.25, 7.125, true)
            ]
        );
    }

    #[test]
    fn nothing_found_is_an_empty_line() {
        let mut found = found();
        (found.access, found.function) = (Part::default(), Part::default());
        assert_eq!(of(&found), (None, Vec::new()));
    }
}
