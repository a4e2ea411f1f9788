use clap::Parser;
use model::deploy::{Driver, GateReport, Live, RolloutStep, Sample, SmokeAnswer};
use model::overview::Reading;
use model::time::Timestamp;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    arguments: Arguments,
}

fn line(words: &str) -> Result<Arguments, clap::Error> {
    Line::try_parse_from(std::iter::once("deploy").chain(words.split(' '))).map(|line| line.arguments)
}

#[test]
fn a_strategy_is_said_in_one_way() {
    let table = [
        ("a.zip", "canary 10%/5m"),
        ("a.zip --canary 5%/90s", "canary 5%/90s"),
        ("--s3 s3://b/k --linear 10%/1m", "linear 10%/1m"),
        ("--version 7 --all-at-once", "all"),
        ("a.zip --steps 5%/10m,50%/5m", "5%/10m, 50%/5m"),
    ];
    for (words, expected) in table {
        let arguments = line(words).unwrap_or_else(|error| panic!("{words}: {error}"));
        assert_eq!(strategy(&arguments).unwrap().to_string(), expected, "{words}");
    }
    for words in ["--fill", "a.zip --version 7", "a.zip --all-at-once --linear 10%/1m", "a.zip --timeout 0"] {
        assert!(line(words).is_err(), "{words}");
    }
    assert_eq!(strategy(&line("a.zip --canary 0%/5m").unwrap()).unwrap_err().exit, Exit::Usage);
}

#[test]
fn objects_and_requests_are_read() {
    let s3 = |bucket: &str, key: &str, version: Option<&str>| Code::S3 {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        version: version.map(str::to_owned),
    };
    assert_eq!(object("s3://b/a/k.zip"), Ok(s3("b", "a/k.zip", None)));
    assert_eq!(object("s3://b/k?versionId=v1"), Ok(s3("b", "k", Some("v1"))));
    for wrong in ["b/k", "s3://b", "s3:///k", "s3://b/", "https://b/k"] {
        assert_eq!(object(wrong).unwrap_err().exit, Exit::Usage, "{wrong}");
    }
    assert_eq!(smoke("POST /a?b").unwrap().method, "POST");
    assert_eq!(smoke("/status").unwrap_err().exit, Exit::Usage);
}

fn rollout(state: RolloutState) -> Rollout {
    Rollout {
        id: "r".to_owned(),
        by: "ada".to_owned(),
        state,
        summary: "Version 8 was taken back.".to_owned(),
        old: "7".to_owned(),
        new: Some("8".to_owned()),
        strategy: None,
        description: None,
        steps: vec![RolloutStep {
            title: "Upload and publish".to_owned(),
            state: RolloutStepState::Running,
            detail: None,
        }],
        percent: 10,
        since: Timestamp(0),
        until: None,
        gate: Some(GateReport {
            verdict: Verdict::TooFew,
            evidence: "3 requests, not enough to judge.".to_owned(),
            new: Sample::default(),
            old: Sample::default(),
            at: Timestamp(0),
        }),
        driver: Driver::This,
        smoke: None,
        trouble: None,
    }
}

#[test]
fn what_is_new_is_told_once() {
    let mut told = Told::default();
    let seen = rollout(RolloutState::Watching);
    let lines = told.news(&seen);
    assert_eq!(lines, ["Upload and publish        at work", "  waits: 3 requests, not enough to judge."]);
    assert!(told.news(&seen).is_empty());
    let paused = Rollout { trouble: Some("No answer.".to_owned()), ..rollout(RolloutState::Paused) };
    assert_eq!(told.news(&paused), ["  trouble: No answer.", "  paused"]);
    assert!(told.news(&paused).is_empty());
}

#[test]
fn endings_have_their_exit_codes() {
    assert!(ended(&rollout(RolloutState::Promoted)).is_ok());
    for (state, exit) in [
        (RolloutState::RolledBack, Exit::RolledBack),
        (RolloutState::Stopped, Exit::Failed),
        (RolloutState::Overtaken, Exit::Failed),
    ] {
        assert_eq!(ended(&rollout(state)).unwrap_err().exit, exit, "{state:?}");
    }
    let smoke = SmokeAnswer {
        version: "8".to_owned(),
        passed: false,
        summary: String::new(),
        status: Some(503),
        body: String::new(),
        log: vec!["a line".to_owned()],
        at: Timestamp(0),
    };
    let stopped = Rollout { smoke: Some(smoke), ..rollout(RolloutState::Stopped) };
    assert!(ended(&stopped).unwrap_err().next.is_some_and(|next| next.contains("a line")));
}

#[test]
fn a_roll_back_goes_to_where_it_was() {
    let live = |weight: Option<(&str, f64)>, previous: Option<&str>| Live {
        function: "api".to_owned(),
        alias: "live".to_owned(),
        version: "7".to_owned(),
        weight: weight.map(|(version, share)| (version.to_owned(), share)),
        code_sha256: None,
        description: None,
        architecture: "x86_64".to_owned(),
        since: None,
        by: None,
        outcome: None,
        why: None,
        previous: previous.map(str::to_owned),
        revision: String::new(),
    };
    let page = |live: Live, rollout: Option<Rollout>| DeploysPage {
        now: Timestamp(0),
        live: Reading::fresh(live, Timestamp(0)),
        rollout: Reading::fresh(rollout, Timestamp(0)),
        versions: Reading::fresh(Vec::new(), Timestamp(0)),
        api: Reading::missing(
            model::problem::Problem::new(model::problem::ProblemKind::Upstream, "no"),
            Timestamp(0),
        ),
        history: Reading::fresh(Vec::new(), Timestamp(0)),
    };
    let way = |page: &DeploysPage, to: Option<&str>| {
        plan(page, to.map(str::to_owned), None).map(|plan| format!("{} -> {}", plan.from, plan.to))
    };
    let underway = Some(rollout(RolloutState::Watching));
    let over = Some(rollout(RolloutState::Promoted));
    assert_eq!(way(&page(live(None, Some("6")), underway), None), Ok("8 -> 7".to_owned()));
    assert_eq!(way(&page(live(None, Some("6")), over), None), Ok("7 -> 6".to_owned()));
    assert_eq!(way(&page(live(None, None), None), Some("5")), Ok("7 -> 5".to_owned()));
    assert_eq!(way(&page(live(Some(("9", 0.4)), None), None), None), Ok("9 -> 7".to_owned()));
    assert_eq!(way(&page(live(None, None), None), None).unwrap_err().exit, Exit::Conflict);
}
