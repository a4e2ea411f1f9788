//! Access logs: the stage's format filled in, and lines gathered so that the log service is written
//! to in batches.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::services::logs::LogEvent;

/// A line waits this long at most before it is written.
const WAIT: Duration = Duration::from_millis(250);
/// So many lines are written at once at most.
const BATCH: usize = 500;
/// So many lines wait at most; the next one is written at once by whoever has it.
const QUEUE: usize = 10_000;

/// The names of the `$context` variables in a format, in order.
pub fn variables(format: &str) -> impl Iterator<Item = &str> {
    format.split("$context.").skip(1).map(|rest| &rest[..name_length(rest)])
}

/// Fills in a format: every `$context.NAME` becomes what `value` says, `-` where that is nothing.
/// Nothing is escaped, as on AWS: a user agent with a quotation mark breaks a JSON line.
pub fn fill(format: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut parts = format.trim_end_matches('\n').split("$context.");
    let mut line = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_at(name_length(part));
        line.push_str(&value(name).unwrap_or_else(|| "-".to_owned()));
        line.push_str(rest);
    }
    line
}

/// How long the variable's name is with which `text` begins. Claims can hold colons and hyphens
/// (`cognito:groups`); a full stop at the end belongs to the sentence.
fn name_length(text: &str) -> usize {
    let claim = text.starts_with("authorizer.");
    let end = text
        .find(|c: char| {
            !(c.is_ascii_alphanumeric() || c == '_' || c == '.' || claim && (c == ':' || c == '-'))
        })
        .unwrap_or(text.len());
    text[..end].trim_end_matches(['.', ':', '-']).len()
}

/// Where lines go: group, stream, events.
pub type Append = Arc<dyn Fn(&str, &str, Vec<LogEvent>) + Send + Sync>;

struct Line {
    group: String,
    stream: String,
    event: LogEvent,
}

/// The lines that wait.
pub struct AccessLogs {
    queue: mpsc::Sender<Line>,
    append: Append,
}

impl AccessLogs {
    /// Starts the task that writes. It ends, with everything written, when the last handle is gone.
    pub fn start(append: Append) -> (Self, JoinHandle<()>) {
        let (queue, lines) = mpsc::channel(QUEUE);
        let task = tokio::spawn(write(lines, append.clone()));
        (Self { queue, append }, task)
    }

    /// Adds a line.
    pub fn add(&self, group: &str, stream: &str, event: LogEvent) {
        let line = Line { group: group.to_owned(), stream: stream.to_owned(), event };
        match self.queue.try_send(line) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(line) | mpsc::error::TrySendError::Closed(line)) => {
                (self.append)(&line.group, &line.stream, vec![line.event]);
            }
        }
    }
}

async fn write(mut lines: mpsc::Receiver<Line>, append: Append) {
    let mut batch = Vec::new();
    // Nothing received: every sender is gone and the queue is empty.
    while lines.recv_many(&mut batch, BATCH).await > 0 {
        // The first is there; what comes within a moment goes with it.
        let more = async { while batch.len() < BATCH && lines.recv_many(&mut batch, BATCH).await > 0 {} };
        let _ = tokio::time::timeout(WAIT, more).await;
        let mut streams: BTreeMap<(String, String), Vec<LogEvent>> = BTreeMap::new();
        for line in batch.drain(..) {
            streams.entry((line.group, line.stream)).or_default().push(line.event);
        }
        for ((group, stream), events) in streams {
            append(&group, &stream, events);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn formats_are_filled_in() {
        let value = |name: &str| match name {
            "requestId" => Some("r1".to_owned()),
            "identity.userAgent" => Some("a \"b\"".to_owned()),
            "authorizer.claims.cognito:groups" => Some("[x]".to_owned()),
            "path" => Some("/a".to_owned()),
            _ => None,
        };
        let cases = [
            (r#"{"id":"$context.requestId"}"#, r#"{"id":"r1"}"#),
            ("$context.requestId $context.status\n", "r1 -"),
            ("ua=$context.identity.userAgent.", "ua=a \"b\"."),
            ("$context.authorizer.claims.cognito:groups;", "[x];"),
            ("$context.requestId$context.path", "r1/a"),
            ("$context.path:$context.requestId", "/a:r1"),
            ("$context.", "-"),
            ("no variable", "no variable"),
        ];
        for (format, expected) in cases {
            assert_eq!(fill(format, value), expected, "{format}");
        }
        let named: Vec<&str> = variables(r#"{"a":"$context.requestId","b":$context.status}"#).collect();
        assert_eq!(named, ["requestId", "status"]);
    }

    #[tokio::test]
    async fn lines_are_written_in_batches_and_none_is_lost() {
        let written: Arc<Mutex<Vec<(String, usize)>>> = Arc::default();
        let into = written.clone();
        let (logs, task) = AccessLogs::start(Arc::new(move |group, stream, events| {
            into.lock().unwrap().push((format!("{group} {stream}"), events.len()));
        }));
        for n in 0..1_200 {
            let stream = if n % 2 == 0 { "even" } else { "odd" };
            logs.add("g", stream, LogEvent { timestamp: n, message: n.to_string() });
        }
        drop(logs);
        task.await.unwrap();
        let written = written.lock().unwrap();
        let all: usize = written.iter().map(|(_, n)| n).sum();
        assert_eq!(all, 1_200);
        assert!(written.len() <= 6, "{written:?}");
    }
}
