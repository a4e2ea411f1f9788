//! A bounded search through a log group: so many lines, so many pages. CloudWatch answers with short and
//! even empty pages while it searches, so it is the pages that bound what a search can cost.

use aws_sdk_cloudwatchlogs::Client;
use model::logs::LogLine;
use model::problem::Problem;
use model::time::Timestamp;

use crate::aws::problem;

/// AWS: so many lines are on a page.
const MOST_OF_A_PAGE: i32 = 10_000;

/// What to search, and how far.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    /// The log group.
    pub(crate) group: String,
    /// The one stream to look into; all of them when absent.
    pub(crate) stream: Option<String>,
    /// The filter pattern; empty for every line.
    pub(crate) pattern: String,
    /// From when, inclusive.
    pub(crate) from: Timestamp,
    /// Until when, inclusive.
    pub(crate) to: Timestamp,
    /// So many lines at most.
    pub(crate) lines: usize,
    /// So many pages at most.
    pub(crate) pages: usize,
    /// Whether the newest come first.
    pub(crate) newest_first: bool,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    /// The lines, in the order that was asked for.
    pub(crate) lines: Vec<LogLine>,
    /// Whether all of the time was searched.
    pub(crate) whole: bool,
    /// The time of the last line that was looked at, wanted or not.
    pub(crate) reached: Option<Timestamp>,
}

/// Searches.
///
/// # Errors
/// What AWS says; a log group that does not exist is `NotFound`.
pub(crate) async fn search(logs: &Client, search: &Search) -> Result<Found, Problem> {
    search_for(logs, search, |_| true).await
}

/// The same for lines that the pattern alone does not tell from others.
///
/// # Errors
/// As [`search`].
pub(crate) async fn search_for(
    logs: &Client,
    search: &Search,
    wanted: impl Fn(&LogLine) -> bool,
) -> Result<Found, Problem> {
    let mut found = Found::default();
    let mut next = None;
    // More than are wanted of them, as not all may be.
    let limit = i32::try_from(search.lines).unwrap_or(MOST_OF_A_PAGE).clamp(2_000, MOST_OF_A_PAGE);
    for _ in 0..search.pages {
        let mut request = logs
            .filter_log_events()
            .log_group_name(&search.group)
            .start_time(search.from.0.max(0))
            .end_time(search.to.0.max(0))
            .limit(limit)
            .set_next_token(next);
        if !search.pattern.is_empty() {
            request = request.filter_pattern(&search.pattern);
        }
        if let Some(stream) = &search.stream {
            request = request.log_stream_names(stream);
        }
        if search.newest_first {
            request = request.start_from_head(false);
        }
        let page = request.send().await.map_err(|error| {
            problem(&format!("search the log group {}", search.group), "logs:FilterLogEvents", &error)
        })?;
        for event in page.events.unwrap_or_default() {
            let line = LogLine {
                at: Timestamp(event.timestamp.unwrap_or_default()),
                stream: event.log_stream_name.unwrap_or_default(),
                id: event.event_id.unwrap_or_default(),
                text: event.message.unwrap_or_default(),
            };
            if found.lines.len() == search.lines {
                // The page has more than is taken of it.
                return Ok(found);
            }
            found.reached = Some(line.at);
            if wanted(&line) {
                found.lines.push(line);
            }
        }
        next = page.next_token;
        if next.is_none() {
            found.whole = true;
            break;
        }
        if found.lines.len() >= search.lines {
            break;
        }
    }
    Ok(found)
}

/// A pattern of lines that hold any of these texts. What could end a text in the pattern is escaped.
pub(crate) fn any_of(texts: &[&str]) -> String {
    let quoted = |text: &&str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    match texts {
        [one] => quoted(one),
        many => many.iter().map(|text| format!("?{}", quoted(text))).collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_can_t_end_its_pattern() {
        assert_eq!(any_of(&["a"]), r#""a""#);
        assert_eq!(any_of(&["a", r#"b" || "\"#]), r#"?"a" ?"b\" || \"\\""#);
    }
}
