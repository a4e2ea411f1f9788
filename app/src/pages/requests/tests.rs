//! What stands on the page.

use model::logs::{AccessLine, LogLine, Looked};
use model::lookup::{AccessRecord, Bar, Lookup, Part, RequestId, Source};
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;

use super::{RequestScreen, RequestsPage, address_of};
use crate::server::render;

fn looked(problem: Option<Problem>) -> Vec<Looked> {
    vec![Looked {
        place: "/aws/vendedlogs/api".to_owned(),
        from: Timestamp(1_795_300_000_000),
        to: Timestamp(1_795_303_600_000),
        whole: problem.is_none(),
        problem,
    }]
}

fn nothing() -> Lookup {
    Lookup {
        asked: RequestId::Gateway("JKJaXmPLvHcESHA=".to_owned()),
        now: Timestamp(1_795_303_600_000),
        gateway_id: None,
        lambda_id: None,
        trace_id: None,
        access: Part { looked: looked(None), ..Part::default() },
        function: Part::default(),
        trace: Part { note: Some("Not sampled.".to_owned()), ..Part::default() },
        began: None,
        timeline: Vec::new(),
    }
}

#[test]
fn what_is_not_found_says_where_it_was_looked_for() {
    let html = render(|| RequestScreen { lookup: nothing() }.view());
    for words in [
        "Nothing was found of this request.",
        "Not there: looked through",
        "/aws/vendedlogs/api",
        "2026-11-21 22:26:40 UTC",
        "Not sampled.",
    ] {
        assert!(html.contains(words), "{words}: {html}");
    }
    assert!(!html.contains("id=\"timeline\""));
}

#[test]
fn what_may_not_be_read_says_which_right_is_missing() {
    let refused = Problem::new(ProblemKind::Forbidden, "AWS did not allow it.")
        .with_next("Give the portal's role logs:FilterLogEvents.");
    let mut lookup = nothing();
    lookup.access.looked = looked(Some(refused));
    let html = render(|| RequestScreen { lookup }.view());
    assert!(html.contains("logs:FilterLogEvents") && html.contains("Not found: looked, not to the end"));
}

#[test]
fn the_time_line_has_its_figures_as_text_and_lines_are_escaped() {
    let mut lookup = nothing();
    let text = r#"{"userAgent":"<script>alert(1)</script>"}"#.to_owned();
    let line = LogLine { at: Timestamp(1), stream: "s".to_owned(), id: "1".to_owned(), text };
    let read = AccessLine { status: Some(503), ..AccessLine::default() };
    lookup.access.value = Some(AccessRecord { line, read });
    lookup.began = Some(Timestamp(1_795_300_000_000));
    lookup.timeline = vec![Bar {
        name: "API Gateway, all of it".to_owned(),
        source: Source::AccessLog,
        start_ms: 0.0,
        took_ms: 84.4,
        failed: true,
        placed: true,
    }];
    let html = render(|| RequestScreen { lookup }.view());
    for words in ["API Gateway, all of it", "84 ms", "+0.0 ms", "access log", "failed", "Link"] {
        assert!(html.contains(words) || words == "Link", "{words}: {html}");
    }
    assert!(!html.contains("<script>alert") && !html.contains("style="));
}

#[test]
fn an_id_stands_in_an_address() {
    assert_eq!(address_of("JKJa+m/LvHcESHA="), "/requests/JKJa%2Bm%2FLvHcESHA%3D");
    let html = render(|| RequestsPage { typed: "x".to_owned(), wrong: Some("No id.") }.view());
    assert!(html.contains("No id.") && html.contains("aria-invalid"));
}
