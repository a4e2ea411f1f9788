//! What stands on the page.

use model::blame::{Cause, Errors, Reason, Sample, Share};
use model::logs::Looked;
use model::overview::Reading;
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;

use super::ErrorsScreen;
use crate::server::render;

fn errors() -> Errors {
    let looked = |place: &str| Looked {
        place: place.to_owned(),
        from: Timestamp(0),
        to: Timestamp(1),
        whole: true,
        problem: None,
    };
    let sample = Sample {
        id: "JKJaXmPLvHcESHA=".to_owned(),
        at: Timestamp(1_795_300_000_000),
        status: 503,
        route: Some("GET /courses".to_owned()),
    };
    let reason = Reason { reason: "SQL Server's error 18456".to_owned(), count: 3, samples: vec![sample] };
    Errors {
        from: Timestamp(1_795_296_400_000),
        to: Timestamp(1_795_300_000_000),
        server: vec![Share { cause: Cause::Sql, count: 3, share: 1.0, reasons: vec![reason] }],
        client: Vec::new(),
        access: looked("/aws/vendedlogs/api"),
        function: looked("/aws/lambda/api"),
        read_from: Timestamp(1_795_296_400_000),
        unexplained: 0,
        unread: 0,
    }
}

fn shown(errors: Reading<Errors>) -> String {
    let address = "/errors?range=1h".to_owned();
    let now = Timestamp(1_795_300_001_000);
    render(|| ErrorsScreen { errors, now, period: Some("1h"), address }.view())
}

#[test]
fn each_cause_has_count_share_reason_and_a_request() {
    let html = shown(Reading::fresh(errors(), Timestamp(0)));
    for words in [
        "SQL",
        "100 %",
        "SQL Server&#39;s error 18456",
        "/requests/JKJaXmPLvHcESHA%3D",
        "503 GET /courses",
        "/logs?group=function&amp;text=%22cause%22%3A%22sql%22&amp;level=WARN&amp;from=1795296340000",
        "No answer from 400 to 499 in this time.",
        "whoever was slow",
        "aria-current=\"page\"",
    ] {
        assert!(html.contains(words) || html.contains(&words.replace("&#39;", "'")), "{words}: {html}");
    }
    assert!(!html.contains("notice") && !html.contains("style="), "{html}");
}

#[test]
fn what_makes_it_less_than_exact_is_said() {
    let mut errors = errors();
    errors.access.whole = false;
    errors.function.problem =
        Some(Problem::new(ProblemKind::Forbidden, "Not allowed.").with_next("Give logs:FilterLogEvents."));
    (errors.unexplained, errors.unread) = (2, 1);
    let html = shown(Reading::fresh(errors, Timestamp(0)));
    for words in ["more errors than are read at once", "logs:FilterLogEvents", "Of 2 answers", "1 lines"] {
        assert!(html.contains(words), "{words}: {html}");
    }
    let problem = Problem::new(ProblemKind::NotFound, "The stage writes no access log.");
    let html = shown(Reading::missing(problem, Timestamp(0)));
    assert!(html.contains("writes no access log") && html.contains("Nothing has been read yet"));
}
