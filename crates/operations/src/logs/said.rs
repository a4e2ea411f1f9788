//! What a line of the function's log says: Lambda's own records, as text or as JSON, and the line that
//! the API's function writes about each request.

use model::logs::{InvocationReport, RequestLine, Said};
use serde_json::Value;

/// Reads a line.
pub(crate) fn read(text: &str) -> Said {
    match serde_json::from_str::<Value>(text) {
        Ok(value) if value.is_object() => json(&value),
        _ => plain(text),
    }
}

/// The request that a line is about, where it says so.
pub(crate) fn request_of(said: &Said) -> Option<&str> {
    let id = match said {
        Said::Start { request_id, .. } => request_id.as_str(),
        Said::Report(report) => report.request_id.as_str(),
        Said::Request(line) => line.request_id.as_str(),
        Said::Other { request_id } => request_id.as_deref()?,
    };
    Some(id).filter(|id| !id.is_empty())
}

fn json(value: &Value) -> Said {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let record = &value["record"];
    let id = text(&record["requestId"]).unwrap_or_default();
    match value["type"].as_str() {
        Some("platform.start") => Said::Start { request_id: id, version: text(&record["version"]) },
        Some("platform.report") => Said::Report(InvocationReport {
            request_id: id,
            duration_ms: record["metrics"]["durationMs"].as_f64(),
            init_ms: record["metrics"]["initDurationMs"].as_f64(),
            status: text(&record["status"]),
            error_type: text(&record["errorType"]),
            trace_id: record["tracing"]["value"].as_str().and_then(root_of),
        }),
        _ if value["message"] == "request" && value["status"].is_u64() => {
            match serde_json::from_value::<RequestLine>(value.clone()) {
                Ok(line) => Said::Request(Box::new(line)),
                Err(_) => Said::Other { request_id: text(&value["requestId"]) },
            }
        }
        _ => {
            let places = [&record["requestId"], &value["span"]["requestId"], &value["requestId"]];
            Said::Other { request_id: places.into_iter().find_map(text) }
        }
    }
}

/// The trace of `Root=...;Parent=...;Sampled=1`.
fn root_of(header: &str) -> Option<String> {
    header.split(';').find_map(|part| part.trim().strip_prefix("Root=")).map(str::to_owned)
}

fn plain(text: &str) -> Said {
    let word = |after: &str| {
        let (_, rest) = text.split_once(after)?;
        rest.split([' ', '\t', '\n']).find(|word| !word.is_empty()).map(str::to_owned)
    };
    let id = word("RequestId: ");
    let number = |after: &str| word(after).and_then(|word| word.parse().ok());
    match (text.split(' ').next(), id) {
        (Some("START"), Some(request_id)) => Said::Start { request_id, version: word("Version: ") },
        (Some("REPORT"), Some(request_id)) => Said::Report(InvocationReport {
            request_id,
            duration_ms: number("\tDuration: "),
            init_ms: number("Init Duration: "),
            status: Some(word("\tStatus: ").unwrap_or_else(|| "success".to_owned())),
            error_type: word("\tError Type: "),
            trace_id: word("XRAY TraceId: "),
        }),
        (_, Some(request_id)) => Said::Other { request_id: Some(request_id) },
        // `2026-... 8f507cfc-... Task timed out after 3.00 seconds`
        (_, None) => {
            let is_id =
                |word: &&str| word.len() == 36 && word.bytes().filter(|byte| *byte == b'-').count() == 4;
            Said::Other { request_id: text.split(' ').nth(1).filter(is_id).map(str::to_owned) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "8f507cfc-7f0f-4e2a-9d3c-0123456789ab";

    fn report(said: Said) -> InvocationReport {
        match said {
            Said::Report(report) => report,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lambda_s_records_are_read_in_both_formats() {
        let start = Said::Start { request_id: ID.to_owned(), version: Some("7".to_owned()) };
        assert_eq!(read(&format!("START RequestId: {ID} Version: 7\n")), start);
        let json = format!(
            r#"{{"time":"t","type":"platform.start","record":{{"requestId":"{ID}","version":"7"}}}}"#
        );
        assert_eq!(read(&json), start);
        let text = format!(
            "REPORT RequestId: {ID}\tDuration: 12.34 ms\tBilled Duration: 513 ms\tMemory Size: 512 MB\tMax Memory Used: 30 MB\tInit Duration: 500.10 ms\tStatus: timeout\t\nXRAY TraceId: 1-5e5ffbde-000000000000000000000001\tSegmentId: 53995c3f42cd8ad8\tSampled: true\t"
        );
        let expected = InvocationReport {
            request_id: ID.to_owned(),
            duration_ms: Some(12.34),
            init_ms: Some(500.1),
            status: Some("timeout".to_owned()),
            error_type: None,
            trace_id: Some("1-5e5ffbde-000000000000000000000001".to_owned()),
        };
        assert_eq!(report(read(&text)), expected);
        let json = format!(
            r#"{{"time":"t","type":"platform.report","record":{{"requestId":"{ID}","status":"timeout","metrics":{{"durationMs":12.34,"initDurationMs":500.1}},"tracing":{{"spanId":"x","type":"X-Amzn-Trace-Id","value":"Root=1-5e5ffbde-000000000000000000000001;Parent=53995c3f42cd8ad8;Sampled=1"}}}}}}"#
        );
        assert_eq!(report(read(&json)), expected);
        let well =
            report(read(&format!("REPORT RequestId: {ID}\tDuration: 1.00 ms\tBilled Duration: 1 ms\t")));
        assert_eq!((well.status.as_deref(), well.trace_id), (Some("success"), None));
    }

    #[test]
    fn the_function_s_own_line_is_read_and_others_say_whose_they_are() {
        let line = format!(
            r#"{{"timestamp":"t","level":"WARN","message":"request","requestId":"{ID}","apiRequestId":"g1","method":"GET","route":"GET /courses","status":503,"durationMs":12.5,"sqlMs":0.0,"sqlRoundTrips":0,"sqlConnects":1,"coldStart":false,"error":"login refused","cause":"sql","sqlError":18456,"span":{{"requestId":"{ID}"}}}}"#
        );
        let Said::Request(read_line) = read(&line) else { panic!("{line}") };
        assert_eq!((read_line.status, read_line.api_request_id.as_str()), (503, "g1"));
        assert_eq!((read_line.cause.as_deref(), read_line.sql_error), (Some("sql"), Some(18_456)));
        let table = [
            (format!(r#"{{"level":"WARN","message":"x","span":{{"requestId":"{ID}"}}}}"#), Some(ID)),
            (format!(r#"{{"type":"platform.runtimeDone","record":{{"requestId":"{ID}"}}}}"#), Some(ID)),
            (format!("END RequestId: {ID}"), Some(ID)),
            (format!("2026-12-01T03:00:00.000Z {ID} Task timed out after 3.00 seconds\n"), Some(ID)),
            (r#"{"message":"connected during init"}"#.to_owned(), None),
            ("INIT_START Runtime Version: x".to_owned(), None),
            ("anything".to_owned(), None),
        ];
        for (text, expected) in table {
            assert_eq!(request_of(&read(&text)), expected, "{text}");
        }
    }
}
