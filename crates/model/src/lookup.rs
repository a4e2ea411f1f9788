//! One request as a whole: what the gateway, the function and the trace say of it, on one time line.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::logs::{AccessLine, InvocationReport, LogLine, Looked, RequestLine};
use crate::problem::Problem;
use crate::time::Timestamp;

/// What a request is called by whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum RequestId {
    /// By the gateway: `apigw-requestid`.
    Gateway(String),
    /// By Lambda: a UUID.
    Lambda(String),
    /// By X-Ray: `1-8hex-24hex`.
    Trace(String),
}

/// Why a text is none of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "This is no request's id. An apigw-requestid looks like JKJaXmPLvHcESHA=, a Lambda request id like \
     8f507cfc-7f0f-4e2a-9d3c-0123456789ab, a trace id like 1-5e5ffbde-000000000000000000000001."
)]
pub struct NoRequestId;

impl RequestId {
    /// The id by itself.
    pub fn id(&self) -> &str {
        match self {
            Self::Gateway(id) | Self::Lambda(id) | Self::Trace(id) => id,
        }
    }

    /// Who calls it so, for people.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Gateway(_) => "API Gateway request",
            Self::Lambda(_) => "Lambda request",
            Self::Trace(_) => "Trace",
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for RequestId {
    type Err = NoRequestId;

    /// Takes what people copy: the id with spaces or quotation marks around it, a whole trace header.
    fn from_str(text: &str) -> Result<Self, NoRequestId> {
        let text = text.trim().trim_matches(['"', '\'']).trim();
        let root = text.split(';').find_map(|part| part.trim().strip_prefix("Root="));
        let text = root.unwrap_or(text);
        let lower = text.to_ascii_lowercase();
        if has_form(&lower, &[8, 4, 4, 4, 12]) {
            return Ok(Self::Lambda(lower));
        }
        if lower.strip_prefix("1-").is_some_and(|rest| has_form(rest, &[8, 24])) {
            return Ok(Self::Trace(lower));
        }
        let name = text.trim_end_matches('=');
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+/".contains(&byte);
        let fits = (8..=64).contains(&name.len()) && text.len() - name.len() <= 2 && name.bytes().all(known);
        if fits && root.is_none() { Ok(Self::Gateway(text.to_owned())) } else { Err(NoRequestId) }
    }
}

/// Whether a text is groups of so many hexadecimal digits, with hyphens between them.
fn has_form(text: &str, groups: &[usize]) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == groups.len()
        && parts
            .iter()
            .zip(groups)
            .all(|(part, length)| part.len() == *length && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// What was found of something, or where it was looked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part<T> {
    /// What was found.
    pub value: Option<T>,
    /// Where it was looked for.
    pub looked: Vec<Looked>,
    /// Why there is nothing, or not all, where that is known.
    pub note: Option<String>,
    /// Why it could not be looked for at all.
    pub problem: Option<Problem>,
}

impl<T> Default for Part<T> {
    fn default() -> Self {
        Self { value: None, looked: Vec::new(), note: None, problem: None }
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lookup {
    /// What was asked for.
    pub asked: RequestId,
    /// When it was looked for.
    pub now: Timestamp,
    /// What the gateway calls it.
    pub gateway_id: Option<String>,
    /// What Lambda calls it.
    pub lambda_id: Option<String>,
    /// Its trace.
    pub trace_id: Option<String>,
    /// The gateway's line.
    pub access: Part<AccessRecord>,
    /// The function's lines, in the order of time.
    pub function: Part<FunctionRecord>,
    /// The trace's segments.
    pub trace: Part<Trace>,
    /// When the time line begins; none where nothing was found.
    pub began: Option<Timestamp>,
    /// The time line, what began first first.
    pub timeline: Vec<Bar>,
}

impl Lookup {
    /// Whether anything at all was found.
    pub fn is_found(&self) -> bool {
        self.access.value.is_some() || self.function.value.is_some() || self.trace.value.is_some()
    }
}

/// The gateway's line, as it stands and as it is understood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccessRecord {
    /// As it stands.
    pub line: LogLine,
    /// As it is understood.
    pub read: AccessLine,
}

/// What the function's log has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FunctionRecord {
    /// The lines, as they stand.
    pub lines: Vec<LogLine>,
    /// Whether there are more than are given here.
    pub cut: bool,
    /// The version that ran.
    pub version: Option<String>,
    /// Lambda's report.
    pub report: Option<InvocationReport>,
    /// The function's own line.
    pub request: Option<RequestLine>,
}

/// A trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// Its id.
    pub id: String,
    /// What is in it, each behind what it belongs to.
    pub spans: Vec<Span>,
    /// Whether X-Ray had more than it keeps of one trace.
    pub cut: bool,
}

/// A segment of a trace, or a part of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Its name.
    pub name: String,
    /// What it is of, for example `AWS::Lambda`.
    pub origin: Option<String>,
    /// The invocation it is about, where it says so.
    pub request_id: Option<String>,
    /// When it began, in milliseconds since 1970 with fractions.
    pub start_ms: f64,
    /// How long it took; none when it had not ended.
    pub took_ms: Option<f64>,
    /// Whether it failed.
    pub failed: bool,
    /// How deep it stands: 0 for a segment.
    pub depth: u32,
}

/// A piece of the time line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// What took the time.
    pub name: String,
    /// Who says so.
    pub source: Source,
    /// When it began, in milliseconds since the time line's begin.
    pub start_ms: f64,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
    /// Whether it failed.
    pub failed: bool,
    /// Whether only its length is known, and it stands where it must have been.
    pub placed: bool,
}

/// Who says how long something took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The stage's access log.
    AccessLog,
    /// The function's log.
    FunctionLog,
    /// X-Ray.
    Trace,
}

impl Source {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::AccessLog => "access log",
            Self::FunctionLog => "function's log",
            Self::Trace => "trace",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_apart() {
        let uuid = "8f507cfc-7f0f-4e2a-9d3c-0123456789ab";
        let trace = "1-5e5ffbde-000000000000000000000001";
        let table = [
            ("JKJaXmPLvHcESHA=", Some(RequestId::Gateway("JKJaXmPLvHcESHA=".to_owned()))),
            (" \"JKJaXmPLvHcESHA=\" ", Some(RequestId::Gateway("JKJaXmPLvHcESHA=".to_owned()))),
            ("a+b/c-d_e", Some(RequestId::Gateway("a+b/c-d_e".to_owned()))),
            (uuid, Some(RequestId::Lambda(uuid.to_owned()))),
            ("8F507CFC-7F0F-4E2A-9D3C-0123456789AB", Some(RequestId::Lambda(uuid.to_owned()))),
            (trace, Some(RequestId::Trace(trace.to_owned()))),
            ("Root=1-5e5ffbde-000000000000000000000001", Some(RequestId::Trace(trace.to_owned()))),
            (
                "Root=1-5e5ffbde-000000000000000000000001;Parent=53995c3f42cd8ad8;Sampled=1",
                Some(RequestId::Trace(trace.to_owned())),
            ),
            ("Root=JKJaXmPLvHcESHA=", None),
            ("", None),
            ("short", None),
            ("JKJaXmPLvHcESHA===", None),
            ("a b c d e f g h", None),
            ("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}", None),
            ("{ $.x = \"1\" } || 1", None),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }
}
