//! A segment document, looked at before it is taken in ("AWS X-Ray segment documents", X-Ray Developer
//! Guide). A member that the guide does not name is kept as it is; one that it names must be what the
//! guide says.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json, json};

/// AWS: 64 KB.
pub(super) const LARGEST: usize = 64 * 1024;
/// AWS: 200 characters.
const LONGEST_NAME: usize = 200;
/// AWS: a trace is taken for 30 days after the time in its id.
pub(super) const KEPT_SECONDS: i64 = 30 * 86_400;
/// Clocks differ: a trace may be so much ahead.
const AHEAD_SECONDS: i64 = 600;

/// A segment, or a subsegment that came by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// 16 hexadecimal digits.
    pub id: String,
    /// `1-`, the time in 8 hexadecimal digits, `-` and 24 more.
    pub trace_id: String,
    /// The whole.
    pub document: Map<String, Json>,
}

/// Why a document is not taken.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refused {
    pub id: Option<String>,
    pub code: &'static str,
    pub message: String,
}

impl Segment {
    /// A document that is known to be one: Lambda's own.
    pub fn own(id: &str, trace_id: &str, mut document: Map<String, Json>) -> Self {
        document.insert("id".to_owned(), json!(id));
        document.insert("trace_id".to_owned(), json!(trace_id));
        Self { id: id.to_owned(), trace_id: trace_id.to_owned(), document }
    }

    /// Reads a document.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(text: &str, now: DateTime<Utc>) -> Result<Self, Refused> {
        let refuse = |id: Option<&str>, code, message: &str| {
            Err(Refused { id: id.map(str::to_owned), code, message: message.to_owned() })
        };
        if text.len() > LARGEST {
            return refuse(None, "DocumentTooLarge", "a segment document has at most 64 KB");
        }
        let document: Map<String, Json> = match serde_json::from_str(text) {
            Ok(document) => document,
            Err(_) => return refuse(None, "ParseError", "the document is not a JSON object"),
        };
        let text = |name: &str| document.get(name).and_then(Json::as_str);
        let Some(id) = text("id").filter(|id| is_hex(id, 16)) else {
            return refuse(text("id"), "InvalidId", "id must be 16 hexadecimal digits in lower case");
        };
        let Some(trace_id) = text("trace_id").filter(|id| is_trace_id(id)) else {
            return refuse(Some(id), "InvalidTraceId", "trace_id must be 1-8hex-24hex");
        };
        let age = now.timestamp() - time_of(trace_id);
        if !(-AHEAD_SECONDS..=KEPT_SECONDS).contains(&age) {
            return refuse(Some(id), "InvalidTraceId", "the time in trace_id is not within the last 30 days");
        }
        if let Err(message) = check(&document) {
            return refuse(Some(id), "InvalidSegment", &message);
        }
        Ok(Self { id: id.to_owned(), trace_id: trace_id.to_owned(), document })
    }
}

fn check(document: &Map<String, Json>) -> Result<(), String> {
    let text = |name: &str| document.get(name).and_then(Json::as_str);
    let number = |name: &str| document.get(name).and_then(Json::as_f64).filter(|number| *number > 0.0);
    let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/%&#=+\\-@".contains(c);
    let length = text("name").map_or(0, |name| name.chars().count());
    if !(1..=LONGEST_NAME).contains(&length) || !text("name").is_some_and(|name| name.chars().all(allowed)) {
        return Err("name must have 1 to 200 letters, digits, spaces or _ . : / % & # = + \\ - @".to_owned());
    }
    let start = number("start_time").ok_or("start_time must be seconds since 1970")?;
    match (number("end_time"), document.get("in_progress")) {
        (Some(end), None | Some(Json::Bool(false))) if end >= start => {}
        (None, Some(Json::Bool(true))) => {}
        _ => return Err("either end_time, not before start_time, or in_progress true".to_owned()),
    }
    if document.get("parent_id").is_some() && !text("parent_id").is_some_and(|id| is_hex(id, 16)) {
        return Err("parent_id must be 16 hexadecimal digits".to_owned());
    }
    match document.get("type") {
        None => {}
        Some(Json::String(kind)) if kind == "subsegment" && document.contains_key("parent_id") => {}
        Some(_) => return Err("type can be subsegment only, and that needs a parent_id".to_owned()),
    }
    match document.get("namespace") {
        None => {}
        Some(Json::String(space)) if space == "aws" || space == "remote" => {}
        Some(_) => return Err("namespace must be aws or remote".to_owned()),
    }
    let flags = ["fault", "error", "throttle"];
    match flags.into_iter().find(|flag| document.get(*flag).is_some_and(|value| !value.is_boolean())) {
        Some(flag) => Err(format!("{flag} must be true or false")),
        None => Ok(()),
    }
}

/// Whether a text is a trace id.
pub(super) fn is_trace_id(text: &str) -> bool {
    let mut parts = text.split('-');
    let parts = (parts.next(), parts.next(), parts.next(), parts.next());
    matches!(parts, (Some("1"), Some(time), Some(rest), None) if is_hex(time, 8) && is_hex(rest, 24))
}

/// The time in a trace id, in seconds since 1970.
pub(super) fn time_of(trace_id: &str) -> i64 {
    trace_id.get(2..10).and_then(|time| i64::from_str_radix(time, 16).ok()).unwrap_or(0)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Json {
        json!({
            "id": "53995c3f42cd8ad8", "trace_id": "1-6553f100-000000000000000000000001", "name": "SQL Server: connect",
            "start_time": 1_700_000_000.5, "end_time": 1_700_000_000.75, "type": "subsegment",
            "parent_id": "0123456789abcdef", "namespace": "remote", "fault": true,
        })
    }

    #[test]
    fn a_document_is_taken_as_the_guide_has_it() {
        let now = DateTime::from_timestamp(1_700_000_001, 0).unwrap();
        let read = |document: &Json| Segment::read(&document.to_string(), now);
        assert_eq!(read(&good()).unwrap().id, "53995c3f42cd8ad8");
        let mut open = good();
        open.as_object_mut().unwrap().remove("end_time");
        open["in_progress"] = json!(true);
        assert!(read(&open).is_ok());
        let table = [
            ("id", json!("53995C3F42CD8AD8"), "InvalidId"),
            ("id", Json::Null, "InvalidId"),
            ("trace_id", json!("1-6553f100-1"), "InvalidTraceId"),
            ("trace_id", json!("1-00000001-000000000000000000000001"), "InvalidTraceId"),
            ("name", json!(""), "InvalidSegment"),
            ("name", json!("a<b"), "InvalidSegment"),
            ("start_time", json!("now"), "InvalidSegment"),
            ("end_time", json!(1.0), "InvalidSegment"),
            ("in_progress", json!(true), "InvalidSegment"),
            ("parent_id", json!("1"), "InvalidSegment"),
            ("type", json!("segment"), "InvalidSegment"),
            ("namespace", json!("sql"), "InvalidSegment"),
            ("fault", json!("yes"), "InvalidSegment"),
        ];
        for (member, value, code) in table {
            let mut document = good();
            document[member] = value.clone();
            assert_eq!(read(&document).unwrap_err().code, code, "{member} {value}");
        }
        assert_eq!(Segment::read("[]", now).unwrap_err().code, "ParseError");
        let long = format!("{{\"x\":\"{}\"}}", "a".repeat(LARGEST));
        assert_eq!(Segment::read(&long, now).unwrap_err().code, "DocumentTooLarge");
    }
}
