//! X-Ray: what a request waited for, as segments that are put together to traces.
//!
//! Segments come in three ways: over the wire (`PutTraceSegments`), as datagrams from functions to the
//! [`daemon`], and from Lambda itself, which tells of each traced invocation (`AWS::Lambda` and
//! `AWS::Lambda::Function`). All of them are looked at by [`document`] and kept by [`store`], in a
//! file, so that a restart loses none; [`trace`] puts them together when somebody asks.
//!
//! As on AWS, traces are 30 days old at most; here there is a bound on the number of segments too.
//! A trace can be read at once, where AWS takes seconds. Filter expressions, sampling rules, groups,
//! insights and the service graph are refused by name.

mod daemon;
mod document;
mod store;
mod trace;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use self::document::Refused;
pub use self::document::Segment;
use self::store::Store;
use crate::aws::{AwsError, Call, Protocol, Reply, Route, Service};
use crate::context::Context;

/// AWS: five traces a call.
const MOST_TRACES: usize = 5;
/// AWS: the window of `GetTraceSummaries`.
const LONGEST_WINDOW: TimeDelta = TimeDelta::hours(24);
/// So many summaries are on a page.
const PAGE: usize = 100;
/// So many documents are taken in one call.
const MOST_DOCUMENTS: usize = 50;

/// The service.
pub struct XRay {
    context: Arc<Context>,
    store: Store,
    daemon: OnceLock<SocketAddr>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Put {
    trace_segment_documents: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Get {
    trace_ids: Vec<String>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Summaries {
    start_time: f64,
    end_time: f64,
    time_range_type: Option<String>,
    sampling: Option<bool>,
    sampling_strategy: Option<Json>,
    filter_expression: Option<String>,
    next_token: Option<String>,
}

impl XRay {
    /// Opens the segments in the context's folder.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn open(context: Arc<Context>) -> io::Result<Arc<Self>> {
        let store = Store::open(&context.path("xray.sqlite"))?;
        Ok(Arc::new(Self { context, store, daemon: OnceLock::new() }))
    }

    /// Where functions send their segments, once the daemon listens.
    pub fn daemon(&self) -> Option<SocketAddr> {
        self.daemon.get().copied()
    }

    /// Takes a document in.
    ///
    /// # Errors
    /// What is wrong with it, or why it could not be written.
    fn take(&self, text: &str) -> Result<(), Refused> {
        let segment = Segment::read(text, self.context.now())?;
        self.keep(&segment);
        Ok(())
    }

    /// Keeps a segment. What can't be written is told in the log: the request it is about is over.
    pub fn keep(&self, segment: &Segment) {
        if let Err(error) = self.store.add(self.context.now_ms(), segment) {
            tracing::error!(%error, trace = segment.trace_id, "a segment is lost");
        }
    }

    fn put(&self, input: &Put) -> Result<Reply, AwsError> {
        if input.trace_segment_documents.len() > MOST_DOCUMENTS {
            let message = format!("more than {MOST_DOCUMENTS} documents in one call");
            return Err(AwsError::unsupported(message));
        }
        let refused = |document: &String| {
            let Refused { id, code, message } = self.take(document).err()?;
            Some(json!({"Id": id, "ErrorCode": code, "Message": message}))
        };
        let refused: Vec<Json> = input.trace_segment_documents.iter().filter_map(refused).collect();
        Ok(Reply::json(json!({"UnprocessedTraceSegments": refused})))
    }

    fn get(&self, input: &Get) -> Result<Reply, AwsError> {
        if input.next_token.is_some() {
            return Err(AwsError::unsupported("a next token of BatchGetTraces: all is on one page"));
        }
        if !(1..=MOST_TRACES).contains(&input.trace_ids.len()) {
            let message = format!("TraceIds must have 1 to {MOST_TRACES} members");
            return Err(invalid(message));
        }
        if let Some(wrong) = input.trace_ids.iter().find(|id| !document::is_trace_id(id)) {
            return Err(invalid(format!("Invalid trace id: {wrong}")));
        }
        let mut traces = Vec::new();
        for id in &input.trace_ids {
            let found = self.store.of_trace(id)?;
            // AWS leaves out what it does not know, without a word.
            if !found.documents.is_empty() {
                traces.push(trace::whole(id, found));
            }
        }
        Ok(Reply::json(json!({"Traces": traces, "UnprocessedTraceIds": []})))
    }

    fn summaries(&self, input: &Summaries) -> Result<Reply, AwsError> {
        if input.filter_expression.as_deref().is_some_and(|text| !text.trim().is_empty()) {
            return Err(AwsError::unsupported("filter expressions of X-Ray"));
        }
        if input.sampling == Some(true) || input.sampling_strategy.is_some() {
            return Err(AwsError::unsupported("a sampling of summaries"));
        }
        let by_event = match input.time_range_type.as_deref() {
            None | Some("TraceId") => false,
            Some("Event") => true,
            Some(other) => return Err(AwsError::unsupported(format_args!("the TimeRangeType {other}"))),
        };
        let (from, to) = (moment(input.start_time)?, moment(input.end_time)?);
        if from >= to {
            return Err(invalid("StartTime must be before EndTime".to_owned()));
        }
        if to - from > LONGEST_WINDOW.num_milliseconds() {
            return Err(invalid("Time range cannot be longer than 24 hours".to_owned()));
        }
        let after = input.next_token.clone().unwrap_or_default();
        let (ids, more) = self.store.traces(from, to, by_event, &after, PAGE)?;
        let mut summaries = Vec::new();
        for id in &ids {
            summaries.push(trace::summary(id, &self.store.of_trace(id)?));
        }
        let mut reply = json!({
            "TraceSummaries": summaries,
            "ApproximateTime": self.context.now().timestamp(),
            "TracesProcessedCount": summaries.len(),
        });
        if let Some(last) = ids.last().filter(|_| more) {
            reply["NextToken"] = last.as_str().into();
        }
        Ok(Reply::json(reply))
    }
}

/// Seconds since 1970 as milliseconds.
fn moment(seconds: f64) -> Result<i64, AwsError> {
    let moment = DateTime::from_timestamp_millis((seconds * 1e3) as i64);
    moment.map(|moment| moment.timestamp_millis()).ok_or_else(|| invalid("Invalid time".to_owned()))
}

fn invalid(message: String) -> AwsError {
    AwsError::new("InvalidRequestException", message)
}

const ROUTES: [Route; 3] = [
    ("POST", "/TraceSegments", "PutTraceSegments"),
    ("POST", "/Traces", "BatchGetTraces"),
    ("POST", "/TraceSummaries", "GetTraceSummaries"),
];

#[async_trait]
impl Service for XRay {
    fn signing_name(&self) -> &'static str {
        "xray"
    }

    fn protocol(&self) -> Protocol {
        Protocol::RestJson
    }

    fn routes(&self) -> &'static [Route] {
        &ROUTES
    }

    fn throttled(&self) -> AwsError {
        AwsError::new("ThrottledException", "Rate exceeded").with_status(429)
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, AwsError> {
        match call.operation.as_str() {
            "PutTraceSegments" => self.put(&call.parse()?),
            "BatchGetTraces" => self.get(&call.parse()?),
            "GetTraceSummaries" => self.summaries(&call.parse()?),
            other => Err(AwsError::unsupported(format_args!("xray {other}"))),
        }
    }
}
