//! A trace, read from X-Ray and laid out flat: each span behind the one it belongs to.

use aws_sdk_xray::Client;
use model::lookup::{Span, Trace};
use model::problem::Problem;
use serde_json::Value;

use crate::aws::problem;

/// A trace has a few spans; no more are shown.
const MOST_SPANS: usize = 200;

/// Reads it; none when X-Ray does not know it.
pub(super) async fn read(xray: &Client, id: &str) -> Result<Option<Trace>, Problem> {
    let answer = xray.batch_get_traces().trace_ids(id).send().await;
    let answer =
        answer.map_err(|error| problem(&format!("read the trace {id}"), "xray:BatchGetTraces", &error))?;
    let Some(trace) = answer.traces().iter().find(|trace| trace.id() == Some(id)) else { return Ok(None) };
    let documents = trace.segments().iter().filter_map(|segment| segment.document());
    let documents = documents.filter_map(|text| serde_json::from_str::<Value>(text).ok());
    let mut spans = lay_out(documents.collect());
    let cut = trace.limit_exceeded() == Some(true) || spans.len() > MOST_SPANS;
    spans.truncate(MOST_SPANS);
    Ok(Some(Trace { id: id.to_owned(), spans, cut }))
}

/// Segments by their start, each followed by its parts. Those that X-Ray infers tell what the part that
/// called them tells too.
fn lay_out(mut documents: Vec<Value>) -> Vec<Span> {
    documents.retain(|document| document["inferred"] != true);
    documents.sort_by(|one, other| number(one, "start_time").total_cmp(&number(other, "start_time")));
    // A segment stands behind the one that it names as its parent.
    let depth_of = |document: &Value| {
        let has = |id: &Value| !id.is_null() && documents.iter().any(|other| other["id"] == *id);
        u32::from(has(&document["parent_id"]))
    };
    let mut spans = Vec::new();
    for document in &documents {
        add(document, depth_of(document), &mut spans);
    }
    spans
}

fn add(document: &Value, depth: u32, spans: &mut Vec<Span>) {
    let start = number(document, "start_time");
    let end = document["end_time"].as_f64();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let flag = |name: &str| document[name] == true;
    spans.push(Span {
        name: text(&document["name"]).unwrap_or_default(),
        origin: text(&document["origin"]),
        request_id: text(&document["aws"]["request_id"]),
        start_ms: start * 1e3,
        took_ms: end.map(|end| (end - start).max(0.0) * 1e3),
        failed: flag("fault") || flag("error"),
        depth,
    });
    let mut parts: Vec<&Value> = document["subsegments"].as_array().into_iter().flatten().collect();
    parts.sort_by(|one, other| number(one, "start_time").total_cmp(&number(other, "start_time")));
    // What nests deeper than that is a mistake of whoever sent it.
    if depth < 16 {
        for part in parts {
            add(part, depth + 1, spans);
        }
    }
}

fn number(document: &Value, name: &str) -> f64 {
    document[name].as_f64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_trace_is_laid_out_flat() {
        let spans = lay_out(vec![
            json!({"id": "c", "name": "SQL Server", "inferred": true, "start_time": 2.2, "end_time": 2.3}),
            json!({
                "id": "b", "parent_id": "a", "name": "f", "origin": "AWS::Lambda::Function",
                "start_time": 2.0, "end_time": 3.0, "subsegments": [
                    {"id": "s", "name": "SQL Server", "start_time": 2.25, "end_time": 2.5, "fault": true},
                    {"id": "i", "name": "Initialization", "start_time": 2.0, "end_time": 2.125},
                ],
            }),
            json!({"id": "a", "name": "f", "origin": "AWS::Lambda", "start_time": 1.0, "end_time": 3.0, "aws": {"request_id": "r"}}),
        ]);
        let seen: Vec<_> =
            spans.iter().map(|span| (span.name.as_str(), span.depth, span.took_ms, span.failed)).collect();
        assert_eq!(
            seen,
            [
                ("f", 0, Some(2_000.0), false),
                ("f", 1, Some(1_000.0), false),
                ("Initialization", 2, Some(125.0), false),
                ("SQL Server", 2, Some(250.0), true),
            ]
        );
        assert_eq!(spans[0].request_id.as_deref(), Some("r"));
    }
}
