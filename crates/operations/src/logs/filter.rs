//! Which lines are wanted: what CloudWatch is asked for, and what is sorted out of its answer.
//!
//! CloudWatch's patterns know either words or JSON, and lines can be neither; so it is asked for the
//! words that narrow most, and the rest is looked at here.

use model::log_filter::{LogFilter, LogGroup, LogLevel};
use model::logs::LogLine;
use serde_json::Value;

use super::search::any_of;

/// The pattern that every wanted line matches.
pub(crate) fn pattern(filter: &LogFilter) -> String {
    let quoted = |text: &String| any_of(&[text]);
    // Not the level: Lambda's record of a time-out has none, and a word that must be there and one of
    // several are not one pattern.
    let all: Vec<String> = [&filter.text, &filter.route].into_iter().flatten().map(quoted).collect();
    all.join(" ")
}

/// Whether a line is wanted.
pub(crate) fn keeps(filter: &LogFilter, line: &LogLine) -> bool {
    let LogFilter { group, text, level, route, version } = filter;
    text.as_ref().is_none_or(|text| line.text.contains(text))
        && route.as_ref().is_none_or(|route| line.text.contains(&format!("\"{route}\"")))
        && version.as_ref().is_none_or(|version| line.stream.contains(&format!("[{version}]")))
        && level.is_none_or(|level| level_of(*group, &line.text) >= level)
}

/// How grave a line is. What does not say so is `INFO`; an access line is as grave as its status.
pub(crate) fn level_of(group: LogGroup, text: &str) -> LogLevel {
    let value: Option<Value> = serde_json::from_str(text).ok();
    if group == LogGroup::Access {
        return of_status(value.as_ref(), text);
    }
    let Some(value) = value else {
        let words = || text.split(|c: char| !c.is_ascii_alphabetic());
        let found = LogLevel::ALL.into_iter().rev().find(|level| words().any(|word| word == level.name()));
        let failed = text.contains("Task timed out") || text.contains("Runtime exited");
        return if failed { LogLevel::Error } else { found.unwrap_or(LogLevel::Info) };
    };
    match value["level"].as_str().and_then(LogLevel::of) {
        Some(level) => level,
        // Lambda's own records of what failed.
        None if value["record"]["status"].as_str().is_some_and(|status| status != "success") => {
            LogLevel::Error
        }
        None => LogLevel::Info,
    }
}

fn of_status(value: Option<&Value>, text: &str) -> LogLevel {
    let status = value.and_then(|value| match &value["status"] {
        Value::String(text) => text.chars().next(),
        Value::Number(number) => number.to_string().chars().next(),
        _ => None,
    });
    // A user agent may have broken the JSON.
    let status =
        status.or_else(|| text.split_once("\"status\":\"").and_then(|(_, rest)| rest.chars().next()));
    match status {
        Some('5') => LogLevel::Error,
        Some('4') => LogLevel::Warn,
        _ => LogLevel::Info,
    }
}

#[cfg(test)]
mod tests {
    use model::time::Timestamp;

    use super::*;

    fn filter(group: LogGroup) -> LogFilter {
        LogFilter { group, ..LogFilter::default() }
    }

    fn line(text: &str) -> LogLine {
        LogLine {
            at: Timestamp(0),
            stream: "2026/12/01/[7]0123abcd".to_owned(),
            id: "1".to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn lines_say_how_grave_they_are() {
        use LogGroup::{Access, Function};
        let table = [
            (Function, r#"{"level":"WARN","message":"x"}"#, LogLevel::Warn),
            (Function, r#"{"type":"platform.report","record":{"status":"timeout"}}"#, LogLevel::Error),
            (Function, r#"{"type":"platform.report","record":{"status":"success"}}"#, LogLevel::Info),
            (Function, "[ERROR] it broke", LogLevel::Error),
            (Function, "no ERRORS here", LogLevel::Info),
            (Function, "2026-12-01T00:00:00Z x Task timed out after 3.00 seconds", LogLevel::Error),
            (Access, r#"{"status":"503"}"#, LogLevel::Error),
            (Access, r#"{"userAgent":"a "b"","status":"404"}"#, LogLevel::Warn),
            (Access, r#"{"status":200}"#, LogLevel::Info),
        ];
        for (group, text, level) in table {
            assert_eq!(level_of(group, text), level, "{text}");
        }
    }

    #[test]
    fn all_of_a_filter_has_to_fit() {
        let text = r#"{"level":"WARN","message":"request","route":"GET /courses"}"#;
        let with = |change: fn(&mut LogFilter)| {
            let mut filter = filter(LogGroup::Function);
            change(&mut filter);
            keeps(&filter, &line(text))
        };
        assert!(with(|_| {}));
        assert!(with(|filter| filter.text = Some("request".to_owned())));
        assert!(!with(|filter| filter.text = Some("Request".to_owned())));
        assert!(with(|filter| filter.route = Some("GET /courses".to_owned())));
        assert!(!with(|filter| filter.route = Some("GET /course".to_owned())));
        assert!(with(|filter| filter.version = Some("7".to_owned())));
        assert!(!with(|filter| filter.version = Some("1".to_owned())));
        assert!(with(|filter| filter.level = Some(LogLevel::Warn)));
        assert!(!with(|filter| filter.level = Some(LogLevel::Error)));
    }

    #[test]
    fn cloudwatch_is_asked_for_no_less_than_what_is_wanted() {
        let mut wanted = filter(LogGroup::Function);
        assert_eq!(pattern(&wanted), "");
        wanted.level = Some(LogLevel::Error);
        assert_eq!(pattern(&wanted), "", "Lambda's record of a time-out has no level");
        wanted.text = Some(r#"say "hi""#.to_owned());
        wanted.route = Some("GET /courses".to_owned());
        assert_eq!(pattern(&wanted), r#""say \"hi\"" "GET /courses""#);
    }
}
