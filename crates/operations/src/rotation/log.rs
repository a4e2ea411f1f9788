//! What the rotation function wrote about one rotation: two lines for each step it took.
//!
//! Found by the rotation's token, so that rotations of the past can be looked at as well. A foreign
//! rotation function writes other lines: then there are none, and the labels alone have to tell.

use std::time::Duration;

use aws_sdk_cloudwatchlogs::Client;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use model::problem::Problem;
use model::rotation::{Step, Strategy};
use model::time::Timestamp;
use serde::Deserialize;

use crate::aws::problem;

/// A rotation has eight lines, and a few more when it was attempted again.
const MOST_LINES: usize = 200;
/// CloudWatch answers with empty pages while it searches: so many are turned.
const MOST_PAGES: usize = 8;
/// How far back is looked where nobody knows when a rotation began.
const BACK: Duration = Duration::from_secs(36 * 3_600);
/// A version gets its value in the first step; so long before that its lines may begin.
const BEFORE: Duration = Duration::from_secs(1_800);

/// A line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    /// When.
    pub(crate) at: Timestamp,
    /// Of which step.
    pub(crate) step: Step,
    /// What happened.
    pub(crate) what: What,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    /// The step began.
    Started,
    /// It is done.
    Done { duration_ms: Option<f64>, strategy: Option<Strategy> },
    /// It failed.
    Failed { duration_ms: Option<f64>, strategy: Option<Strategy>, cause: String, reason: Option<String> },
}

/// Where to look, and for what.
pub(crate) struct Wanted {
    /// The log group.
    pub(crate) group: String,
    /// The rotation's id.
    pub(crate) token: String,
    /// When its version got its value, where it has one.
    pub(crate) created: Option<Timestamp>,
    /// The present.
    pub(crate) now: Timestamp,
}

/// Reads the lines, the oldest first. A log group that is not there has none: the function has not
/// been called yet.
pub(crate) async fn read(logs: Client, wanted: Wanted) -> Result<Vec<Line>, Problem> {
    // The token comes from an address in the browser: what could end the pattern's text is no token.
    if !wanted.token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        return Ok(Vec::new());
    }
    let pattern = format!("{{ $.token = \"{}\" }}", wanted.token);
    let start = match wanted.created {
        Some(created) => created.0 - millis(BEFORE),
        None => wanted.now.0 - millis(BACK),
    };
    let (mut lines, mut next) = (Vec::new(), None);
    for _ in 0..MOST_PAGES {
        let request = logs
            .filter_log_events()
            .log_group_name(&wanted.group)
            .filter_pattern(&pattern)
            .start_time(start.max(0))
            .set_next_token(next);
        let page = match request.send().await {
            Ok(page) => page,
            Err(error) if error.code() == Some("ResourceNotFoundException") => break,
            Err(error) => {
                let what = format!("read the rotation function's log {}", wanted.group);
                return Err(problem(&what, "logs:FilterLogEvents", &error));
            }
        };
        lines.extend(
            page.events()
                .iter()
                .filter_map(|event| read_line(Timestamp(event.timestamp()?), event.message()?)),
        );
        next = page.next_token;
        if next.is_none() || lines.len() >= MOST_LINES {
            break;
        }
    }
    lines.sort_by_key(|line| line.at);
    Ok(lines)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    event: String,
    step: String,
    outcome: Option<String>,
    cause: Option<String>,
    reason: Option<String>,
    strategy: Option<String>,
    duration_ms: Option<f64>,
}

fn read_line(at: Timestamp, text: &str) -> Option<Line> {
    let written: Written = serde_json::from_str(text).ok()?;
    let step = Step::ALL.into_iter().find(|step| step.name() == written.step)?;
    let duration_ms = written.duration_ms;
    let strategy = match written.strategy.as_deref() {
        Some("single_user") => Some(Strategy::SingleUser),
        Some("alternating_users") => Some(Strategy::AlternatingUsers),
        _ => None,
    };
    let what = match (written.event.as_str(), written.outcome.as_deref()) {
        ("rotation_step_started", _) => What::Started,
        ("rotation_step_ended", Some("failed")) => What::Failed {
            duration_ms,
            strategy,
            cause: written.cause.unwrap_or_else(|| "unknown".to_owned()),
            reason: written.reason,
        },
        ("rotation_step_ended", _) => What::Done { duration_ms, strategy },
        _ => return None,
    };
    Some(Line { at, step, what })
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_s_lines_are_understood_and_others_left_out() {
        let started = r#"{"timestamp":"x","level":"INFO","event":"rotation_step_started","step":"setSecret","token":"t","secretId":"s"}"#;
        let failed = r#"{"event":"rotation_step_ended","step":"setSecret","outcome":"failed","cause":"unreachable","reason":"no route","strategy":"alternating_users","durationMs":2003.5}"#;
        let done = r#"{"event":"rotation_step_ended","step":"testSecret","outcome":"already_done","strategy":null,"durationMs":3}"#;
        let read = |text| read_line(Timestamp(7), text).map(|line| (line.step, line.what));
        assert_eq!(read(started), Some((Step::SetSecret, What::Started)));
        let strategy = Some(Strategy::AlternatingUsers);
        let (cause, reason) = ("unreachable".to_owned(), Some("no route".to_owned()));
        let expected = What::Failed { duration_ms: Some(2003.5), strategy, cause, reason };
        assert_eq!(read(failed), Some((Step::SetSecret, expected)));
        assert_eq!(
            read(done),
            Some((Step::TestSecret, What::Done { duration_ms: Some(3.0), strategy: None }))
        );
        for other in ["START RequestId: 1", "{}", r#"{"event":"request","step":"setSecret"}"#] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
