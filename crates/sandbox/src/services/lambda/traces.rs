//! What X-Ray is told of a traced invocation: Lambda's own two segments. `AWS::Lambda` is the service's
//! view, from the call to its end; `AWS::Lambda::Function` is the function's, with its start and the
//! invocation in it, and it is the parent of all that the function tells itself.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value as Json, json};

use super::invoke::Target;
use super::{Core, Lambda};
use crate::lambda::Outcome;
use crate::services::xray::{Segment, XRay};

/// A traced invocation.
pub(super) struct Told<'a> {
    /// The trace's id.
    pub trace: &'a str,
    /// The id of the function's segment.
    pub segment: &'a str,
    /// The segment of whoever called, where they said so.
    pub caller: Option<&'a str>,
    /// When the call came.
    pub started: DateTime<Utc>,
}

/// The parent in a caller's trace header.
pub(super) fn parent(header: &str) -> Option<&str> {
    let parent = header.split(';').find_map(|part| part.trim().strip_prefix("Parent="))?;
    let is_id = parent.len() == 16 && parent.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    is_id.then_some(parent)
}

impl Lambda {
    /// Has invocations that are traced told to X-Ray, and functions told where its daemon is.
    pub fn trace_in(&self, xray: Arc<XRay>) {
        // Set once, at the start.
        let _ = self.core.traces.set(xray);
    }
}

impl Core {
    /// Tells X-Ray of an invocation that has just ended.
    pub(super) fn tell_xray(&self, told: &Told<'_>, request_id: &str, target: &Target, outcome: &Outcome) {
        let Some(xray) = self.traces.get() else { return };
        let ended = self.context.now();
        let id = || self.context.random.text("0123456789abcdef", 16);
        let service = id();
        let common = |origin: &str, from: DateTime<Utc>| {
            let mut document = Map::new();
            document.insert("name".to_owned(), json!(target.counted.function));
            document.insert("origin".to_owned(), json!(origin));
            document.insert("start_time".to_owned(), seconds(from));
            document.insert("end_time".to_owned(), seconds(ended.max(from)));
            if outcome.failed {
                document.insert("fault".to_owned(), json!(true));
            }
            document
        };
        let mut outer = common("AWS::Lambda", told.started);
        outer.insert("resource_arn".to_owned(), json!(target.invoked_arn));
        outer.insert("http".to_owned(), json!({"response": {"status": 200}}));
        outer.insert(
            "aws".to_owned(),
            json!({"request_id": request_id, "resource_names": [target.counted.function]}),
        );
        if let Some(caller) = told.caller {
            outer.insert("parent_id".to_owned(), json!(caller));
        }
        xray.keep(&Segment::own(&service, told.trace, outer));
        let invoked = (ended - length(outcome.duration)).max(told.started);
        let part = |name: &str, from: DateTime<Utc>, to: DateTime<Utc>| json!({"id": id(), "name": name, "start_time": seconds(from), "end_time": seconds(to.max(from))});
        let mut parts: Vec<Json> = Vec::new();
        if let Some(init) = outcome.init {
            parts.push(part("Initialization", (invoked - length(init)).max(told.started), invoked));
        }
        parts.push(part("Invocation", invoked, ended));
        let mut inner = common("AWS::Lambda::Function", told.started);
        inner.insert("parent_id".to_owned(), json!(service));
        inner.insert("subsegments".to_owned(), json!(parts));
        inner.insert(
            "aws".to_owned(),
            json!({
                "account_id": self.context.account, "function_arn": target.invoked_arn,
                "request_id": request_id,
                "cloudwatch_logs": [{"log_group": target.build.settings.log_group(&target.counted.function)}],
            }),
        );
        xray.keep(&Segment::own(told.segment, told.trace, inner));
    }
}

fn length(duration: std::time::Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 are far below 2^52")]
fn seconds(time: DateTime<Utc>) -> Json {
    json!(time.timestamp_micros() as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_s_segment_is_taken_from_its_header() {
        let table = [
            ("Root=1-a-b;Parent=53995c3f42cd8ad8;Sampled=1", Some("53995c3f42cd8ad8")),
            ("Root=1-a-b;Parent=53995C3F;Sampled=1", None),
            ("Root=1-a-b", None),
        ];
        for (header, expected) in table {
            assert_eq!(parent(header), expected, "{header}");
        }
    }
}
