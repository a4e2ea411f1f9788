//! What stands on the page.

use model::log_filter::{LogFilter, LogGroup, LogLevel, LogPage, LogPlace};
use model::logs::LogLine;
use model::time::Timestamp;

use super::{Found, LogsScreen, MOST_LINES, TAIL_SCRIPT, address_of, query_of};
use crate::server::render;

fn line(id: &str) -> LogLine {
    LogLine {
        at: Timestamp(1_795_300_000_123),
        stream: "2026/11/21/[7]0123abcd".to_owned(),
        id: id.to_owned(),
        text: r#"{"level":"ERROR","message":"<b>broken</b>","a":{"b":1}}"#.to_owned(),
    }
}

fn filter() -> LogFilter {
    LogFilter {
        group: LogGroup::Access,
        text: Some("a&b=c".to_owned()),
        level: Some(LogLevel::Warn),
        ..LogFilter::default()
    }
}

#[test]
fn a_filter_stands_in_an_address() {
    assert_eq!(query_of(&LogFilter::default()), "group=function");
    assert_eq!(query_of(&filter()), "group=access&text=a%26b%3Dc&level=WARN");
    assert_eq!(address_of(LogGroup::Function, &line("1")), "/logs?group=function&at=1795300000123&line=1");
}

#[test]
fn lines_are_folded_escaped_and_lead_to_themselves() {
    let page = LogPage {
        place: "/aws/vendedlogs/api".to_owned(),
        from: Timestamp(0),
        to: Timestamp(1_795_300_001_000),
        lines: vec![line("1")],
        whole: false,
        older: Some(Timestamp(1_795_300_000_123)),
    };
    let html = render(|| {
        LogsScreen { filter: filter(), range: Some("3h".to_owned()), found: Found::Lines(page) }.view()
    });
    for words in [
        "at=1795300000123&amp;line=1",
        "to=1795300000123",
        "Older lines",
        "22:26:40.123",
        "value=\"a&amp;b=c\"",
    ] {
        assert!(html.contains(words), "{words}: {html}");
    }
    assert!(!html.contains("<b>broken") && !html.contains("style="));
}

#[test]
fn the_line_that_was_meant_is_marked_and_one_that_is_gone_is_said() {
    let place = |meant: &str| LogPlace {
        place: "/aws/lambda/api".to_owned(),
        line: meant.to_owned(),
        lines: vec![line("1"), line("2")],
    };
    let shown = |place| {
        render(|| LogsScreen { filter: LogFilter::default(), range: None, found: Found::Place(place) }.view())
    };
    let html = shown(place("2"));
    assert_eq!(html.matches("line--meant").count(), 1);
    assert!(!html.contains("not there any more"));
    assert!(shown(place("3")).contains("not there any more"));
}

#[test]
fn the_script_keeps_as_many_lines_as_it_is_told_and_is_small() {
    assert!(TAIL_SCRIPT.len() < 4_500, "{}", TAIL_SCRIPT.len());
    assert!(TAIL_SCRIPT.contains("childElementCount > most"));
    assert_eq!(MOST_LINES, 2_000);
}
