use model::metrics::{
    ConcurrencyLimits, Cost, Figures, Line, Mark, MarkKind, MetricsPage, Name, Range, Scope, Span, Starts,
    Window,
};
use model::overview::Reading;
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;

use super::address::{Asked, Wrong};
use super::*;
use crate::server::render;

/// 2026-12-01T00:00:00Z
const START: i64 = 1_796_083_200_000;
const MINUTE_MS: i64 = 60_000;

fn address(query: &str) -> Address {
    let uri: http::Uri = format!("http://x/charts?{query}").parse().unwrap();
    axum::extract::Query::<Asked>::try_from_uri(&uri).unwrap().0.address().unwrap()
}

fn page() -> MetricsPage {
    let window = Window { from: Timestamp(START), to: Timestamp(START + 60 * MINUTE_MS), period_seconds: 60 };
    let lines = Name::ALL.into_iter().map(|name| {
        let points = (0..60).map(|index| (index != 7).then_some(f64::from(index % 5))).collect();
        Line::new(name, points)
    });
    let now = Timestamp(START + 59 * MINUTE_MS + 30_000);
    let figures = Figures { window, complete: 57, lines: lines.collect(), notes: Vec::new() };
    let starts = Starts {
        window,
        count: 3,
        p50_ms: Some(21.0),
        max_ms: Some(40.0),
        slowest: vec![None; 60],
        cut_short: false,
    };
    MetricsPage {
        now,
        range: Range::Last(Span::Hour),
        scope: Scope::Alias,
        figures: Reading::fresh(figures, now),
        next: Timestamp(now.0 + 42_000),
        starts: Some(Reading::fresh(starts, now)),
        limits: Reading::fresh(ConcurrencyLimits { reserved: Some(10), account: 1_000 }, now),
        marks: vec![
            Mark {
                at: Timestamp(START + 12 * MINUTE_MS),
                kind: MarkKind::Deploy,
                label: "version 2 live".into(),
            },
            Mark {
                at: Timestamp(START + 30 * MINUTE_MS),
                kind: MarkKind::Rotation,
                label: "secret <rotated>".into(),
            },
        ],
        versions: vec!["2".into(), "1".into()],
        cost: Cost {
            month: "2026-12".into(),
            calls: 40,
            metrics: 720,
            dollars: 0.0072,
            cap_dollars: 10.0,
            pace_seconds: 60,
            slowed: false,
        },
    }
}

fn html(page: MetricsPage, query: &str) -> String {
    let address = address(query);
    render(move || MetricsScreen { page, address, refused: None, problem: None }.view())
}

#[test]
fn every_chart_is_there_with_its_table_and_file() {
    let page = html(page(), "range=1h&tz=Europe/Berlin");
    for id in groups::IDS {
        assert!(page.contains(&format!("id=\"chart-{id}\"")), "{id} in {page}");
        assert!(
            page.contains(&format!("/charts/table?chart={id}&amp;range=1h&amp;tz=Europe/Berlin")),
            "{id}"
        );
        assert!(page.contains(&format!("/charts/figures.csv?chart={id}&amp;range=1h")), "{id}");
    }
    for words in [
        "12-01 01:12",
        "version 2 live",
        "secret &lt;rotated&gt;",
        "USD 0.01 of 10.00",
        "in 42 s",
        "2026-12-01 01:00 CET",
    ] {
        assert!(page.contains(words), "{words} in {page}");
    }
    assert!(!page.contains("<rotated>") && !page.contains(" style="), "{page}");
}

#[test]
fn nothing_yet_says_why_and_keeps_the_form() {
    let mut page = page();
    let problem =
        Problem::new(ProblemKind::Forbidden, "CloudWatch did not allow it.").with_next("Give the right.");
    page.figures = Reading::missing(problem, page.now);
    page.starts = None;
    let page = html(page, "range=7d");
    for words in ["There are no figures yet", "CloudWatch did not allow it.", "Give the right.", "range-from"]
    {
        assert!(page.contains(words), "{words} in {page}");
    }
    assert!(!page.contains("class=\"plot\""), "{page}");
}

#[test]
fn what_is_old_is_shown_with_its_age_and_the_reason() {
    let mut page = page();
    page.figures.at = Timestamp(page.now.0 - 7 * MINUTE_MS);
    page.figures.problem = Some(Problem::new(ProblemKind::Throttled, "CloudWatch asked for a pause."));
    page.cost.slowed = true;
    page.cost.pace_seconds = 300;
    let page = html(page, "range=1h");
    for words in
        ["7 min ago", "CloudWatch asked for a pause.", "read more seldom", "5 min apart", "chart-requests"]
    {
        assert!(page.contains(words), "{words} in {page}");
    }
}

#[test]
fn no_traffic_is_said_and_not_drawn() {
    let mut page = page();
    if let Some(figures) = &mut page.figures.value {
        for line in &mut figures.lines {
            *line = Line::new(line.name, vec![None; 60]);
        }
    }
    let page = html(page, "range=1h");
    assert!(page.contains("No traffic in this time") && page.contains("no data"), "{page}");
    assert!(!page.contains("0 % of them"), "{page}");
}

#[test]
fn what_was_typed_wrong_stays_in_its_field() {
    let asked = Asked { from: "yester<day".into(), to: "2026-12-01T01:00".into(), ..Asked::default() };
    let wrong = Wrong { field: "from", why: "This is no time." };
    let problem = Some(Problem::new(ProblemKind::Invalid, "This is no time."));
    let refused = Some(Refused { asked, wrong });
    let screen = MetricsScreen { page: page(), address: address("range=1h"), refused, problem };
    assert_eq!(screen.title(), "Error: Metrics");
    let page = render(move || screen.view());
    assert!(page.contains("yester&lt;day") && page.contains("aria-invalid=\"true\""), "{page}");
    assert!(page.contains("<details open"), "{page}");
}

#[test]
fn a_file_has_a_line_for_each_period() {
    let text = csv(&page(), &address("range=1h&tz=Europe/Berlin"), Some("errors")).unwrap();
    let mut lines = text.split("\r\n");
    assert_eq!(lines.next(), Some("from,function_errors,other_server_errors,client_errors,complete"));
    assert_eq!(lines.next(), Some("2026-12-01T01:00:00+01:00,0,0,0,true"));
    let rows: Vec<&str> = lines.collect();
    assert_eq!(rows[6], "2026-12-01T01:07:00+01:00,,,,true", "a gap is empty");
    assert_eq!(rows[58], "2026-12-01T01:59:00+01:00,4,0,4,false");
    assert_eq!(rows.len(), 60);
    let all = csv(&page(), &address("range=1h"), None).unwrap();
    assert_eq!(all.lines().next().unwrap().split(',').count(), 22, "{}", all.lines().next().unwrap());
}

#[test]
fn a_table_shows_the_newest_first_and_the_whole() {
    let screen = TableScreen { page: page(), address: address("range=1h"), chart: "requests" };
    let page = render(move || screen.view());
    let whole = page.find("Whole").unwrap();
    let newest = page.find("2026-12-01 00:59 UTC").unwrap();
    let oldest = page.find("2026-12-01 00:00 UTC").unwrap();
    assert!(whole < newest && newest < oldest, "{page}");
    assert!(page.contains("(not complete)") && page.contains("<td class=\"number\">-</td>"), "{page}");
}

#[test]
fn points_weigh_little() {
    let weight = |points: usize| {
        let mut page = page();
        let window = Window {
            from: Timestamp(START),
            to: Timestamp(START + points as i64 * MINUTE_MS),
            period_seconds: 60,
        };
        page.starts = None;
        if let Some(figures) = &mut page.figures.value {
            figures.window = window;
            figures.complete = points;
            for line in &mut figures.lines {
                let points = (0..points).map(|n| Some(f64::from(40 + (n as u32 * 7_919) % 61))).collect();
                *line = Line::new(line.name, points);
            }
        }
        html(page, "range=1h").len()
    };
    // 15 lines are drawn with data; those alone in their chart have a surface below them.
    let bytes = (weight(1_440) - weight(60)) as f64 / (1_380.0 * 15.0);
    assert!(bytes <= 10.0, "{bytes:.1} bytes a point");
}
