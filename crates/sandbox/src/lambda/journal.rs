//! What an execution environment writes to its log stream: the function's own lines, and the
//! platform's words about each invocation, as text or as JSON records, whichever is configured.

use std::sync::{Arc, Mutex};

use chrono::SecondsFormat;
use serde_json::{Map, Value, json};

use crate::context::{Context, lock};
use crate::services::logs::{LogEvent, Logs};

/// CloudWatch Logs: 256 KB for an event, 26 bytes of it its overhead.
pub(super) const LONGEST_LINE: usize = 262_144 - 26;
/// AWS: the tail of a log that `Invoke` gives back.
const TAIL: usize = 4 * 1024;

/// How a function logs.
#[derive(Debug, Clone, PartialEq)]
pub struct LogSettings {
    /// The log group.
    pub group: String,
    /// The levels when the format is JSON; none for text.
    pub json: Option<JsonLevels>,
}

/// The lowest levels that are kept: `TRACE`, `DEBUG`, `INFO`, `WARN`, `ERROR`, `FATAL`.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonLevels {
    /// Of the function's own lines.
    pub application: String,
    /// Of the platform's records.
    pub system: String,
}

/// The log of one environment.
pub(super) struct Journal {
    context: Arc<Context>,
    logs: Arc<Logs>,
    settings: LogSettings,
    stream: String,
    now: Mutex<Now>,
}

/// The invocation that runs.
#[derive(Debug, Default)]
struct Now {
    request: Option<String>,
    tail: String,
}

/// A record of the platform's: its type, its level and its members.
pub(super) struct Record {
    pub kind: &'static str,
    pub level: &'static str,
    pub members: Value,
}

impl Journal {
    /// A log in a stream of its own.
    pub fn new(context: Arc<Context>, logs: Arc<Logs>, settings: LogSettings, stream: String) -> Self {
        Self { context, logs, settings, stream, now: Mutex::default() }
    }

    /// The stream's name.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// An invocation begins: what is written from here on is in its tail.
    pub fn begin(&self, request: &str) {
        *lock(&self.now) = Now { request: Some(request.to_owned()), tail: String::new() };
    }

    /// The invocation is over; its tail, at most 4 KB.
    pub fn finish(&self) -> String {
        std::mem::take(&mut *lock(&self.now)).tail
    }

    /// The function's own lines.
    pub fn lines(&self, lines: Vec<String>) {
        let kept: Vec<String> = match &self.settings.json {
            None => lines.into_iter().map(|line| line + "\n").collect(),
            Some(levels) => {
                let request = lock(&self.now).request.clone();
                let time = self.time();
                lines
                    .into_iter()
                    .filter_map(|line| as_json(line, &levels.application, &time, request.as_deref()))
                    .collect()
            }
        };
        self.write(kept);
    }

    /// The platform's words: `text` where the format is text and there is any, else the record.
    pub fn platform(&self, text: Option<String>, record: Record) {
        match &self.settings.json {
            None => self.write(text.map(|text| text + "\n").into_iter().collect()),
            Some(levels) if rank(record.level) >= rank(&levels.system) => {
                let record = json!({"time": self.time(), "type": record.kind, "record": record.members});
                self.write(vec![record.to_string()]);
            }
            Some(_) => {}
        }
    }

    /// The platform's words that have no record: with the JSON format they are not written.
    pub fn text(&self, text: String) {
        if self.settings.json.is_none() {
            self.write(vec![text + "\n"]);
        }
    }

    /// The present time as the platform writes it.
    pub fn time(&self) -> String {
        self.context.now().to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    fn write(&self, messages: Vec<String>) {
        if messages.is_empty() {
            return;
        }
        let timestamp = self.context.now_ms();
        {
            let mut now = lock(&self.now);
            if now.request.is_some() {
                for message in &messages {
                    keep_tail(&mut now.tail, message);
                }
            }
        }
        let events = messages.into_iter().map(|message| LogEvent { timestamp, message }).collect();
        if let Err(error) = self.logs.append(&self.settings.group, &self.stream, events) {
            tracing::error!(%error, group = self.settings.group, "a function's log is lost");
        }
    }
}

fn keep_tail(tail: &mut String, message: &str) {
    tail.push_str(message);
    if !message.ends_with('\n') {
        tail.push('\n');
    }
    if tail.len() > TAIL {
        let from = (tail.len() - TAIL..).find(|at| tail.is_char_boundary(*at)).unwrap_or(0);
        tail.drain(..from);
    }
}

/// A line of the function's under the JSON format: an object stays as it is, with a level below
/// `least` it is left out; anything else becomes the message of a record.
fn as_json(line: String, least: &str, time: &str, request: Option<&str>) -> Option<String> {
    match serde_json::from_str::<Map<String, Value>>(&line) {
        Ok(object) => {
            let level = object.get("level").and_then(Value::as_str).unwrap_or("INFO");
            (rank(level) >= rank(least)).then_some(line)
        }
        Err(_) => {
            if rank("INFO") < rank(least) {
                return None;
            }
            let mut record = json!({"timestamp": time, "level": "INFO", "message": line});
            if let Some(request) = request {
                record["requestId"] = json!(request);
            }
            Some(record.to_string())
        }
    }
}

/// The order of the levels; one nobody knows counts as `INFO`.
fn rank(level: &str) -> usize {
    ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]
        .iter()
        .position(|known| known.eq_ignore_ascii_case(level))
        .unwrap_or(if level.eq_ignore_ascii_case("warning") { 3 } else { 2 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_under_the_json_format() {
        let wrapped = r#"{"level":"INFO","message":"plain","requestId":"r","timestamp":"t"}"#;
        for (line, least, expected) in [
            (r#"{"level":"DEBUG","message":"x"}"#, "INFO", None),
            (r#"{"level":"debug","message":"x"}"#, "DEBUG", Some(r#"{"level":"debug","message":"x"}"#)),
            (r#"{"level":"ERROR"}"#, "WARN", Some(r#"{"level":"ERROR"}"#)),
            (r#"{"no":"level"}"#, "INFO", Some(r#"{"no":"level"}"#)),
            (r#"{"no":"level"}"#, "ERROR", None),
            ("plain", "INFO", Some(wrapped)),
            ("plain", "ERROR", None),
        ] {
            let got = as_json(line.to_owned(), least, "t", Some("r"));
            assert_eq!(got.as_deref(), expected, "{line} at {least}");
        }
    }

    #[test]
    fn the_tail_is_the_last_four_kilobytes() {
        let mut tail = String::new();
        for number in 0..1000 {
            keep_tail(&mut tail, &format!("line {number} ü"));
        }
        assert!(tail.len() <= TAIL && tail.len() > TAIL - 4);
        assert!(tail.ends_with("line 999 ü\n"));
    }
}
