//! Pages for tests: all settled, a rollout under way, one taken back, and an API that leads elsewhere.

use model::deploy::{
    AliasChange, ApiFront, DeploysPage, Driver, FunctionVersion, GateReport, Integration, IntegrationChange,
    IntegrationTarget, Live, Outcome, Rollout, RolloutState, RolloutStep, RolloutStepState, Sample,
    SmokeAnswer, Verdict,
};
use model::overview::Reading;
use model::time::Timestamp;

/// When all were read.
pub const NOW: Timestamp = Timestamp(1_795_300_000_000);

const MINUTE: i64 = 60_000;
const ROLLOUT: &str = "3f6b8a90c2d14e5f8a7b6c5d4e3f2a1b";
const CODE: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:learninghub-api";

fn ago(minutes: i64) -> Timestamp {
    Timestamp(NOW.0 - minutes * MINUTE)
}

/// Version 7 has all requests since it was promoted.
pub fn settled() -> DeploysPage {
    let rollout = Rollout {
        state: RolloutState::Promoted,
        summary: "Version 7 has all requests.".to_owned(),
        old: "6".to_owned(),
        new: Some("7".to_owned()),
        steps: Vec::new(),
        percent: 100,
        until: None,
        gate: None,
        driver: Driver::NotNeeded,
        strategy: None,
        smoke: None,
        ..under_way()
    };
    DeploysPage {
        now: NOW,
        live: Reading::fresh(live(), NOW),
        rollout: Reading::fresh(Some(rollout), NOW),
        versions: Reading::fresh(
            vec![
                version(7, Some("the alias live names it")),
                version(6, Some("it is the one to go back to")),
                version(2, None),
                version(1, None),
            ],
            NOW,
        ),
        api: Reading::fresh(front(), NOW),
        history: Reading::fresh(history(), ago(1)),
    }
}

/// Version 8 has 10 % and passes.
pub fn watching() -> DeploysPage {
    let mut page = settled();
    page.rollout = Reading::fresh(Some(under_way()), NOW);
    page.live.value.as_mut().unwrap().weight = Some(("8".to_owned(), 0.1));
    page.versions.value.as_mut().unwrap().insert(0, version(8, Some("a rollout is under way with it")));
    page
}

/// Version 8 failed its gate.
pub fn taken_back() -> DeploysPage {
    let mut page = settled();
    let why = "12 of 150 requests failed (8 %), of version 7's 2 of 1,350 (0.1 %).";
    page.rollout = Reading::fresh(
        Some(Rollout {
            state: RolloutState::RolledBack,
            summary: format!("Version 8 was taken back. {why}"),
            steps: Vec::new(),
            percent: 0,
            until: None,
            gate: Some(gate(Verdict::Fail)),
            driver: Driver::NotNeeded,
            strategy: None,
            ..under_way()
        }),
        NOW,
    );
    let live = page.live.value.as_mut().unwrap();
    (live.outcome, live.why) = (Some(Outcome::RolledBack), Some(why.to_owned()));
    page
}

/// The stage waits to be deployed, and its integration names the function without the alias.
pub fn past_the_alias() -> DeploysPage {
    let mut page = settled();
    let front = page.api.value.as_mut().unwrap();
    front.auto_deploy = false;
    let integration = &mut front.integrations[0];
    integration.uri = FUNCTION.to_owned();
    integration.target = IntegrationTarget::Unqualified;
    integration.permitted = Some(false);
    integration.change = Some(IntegrationChange {
        from: FUNCTION.to_owned(),
        to: format!("{FUNCTION}:live"),
        permission: Some("lambda:InvokeFunction on learninghub-api:live".to_owned()),
    });
    page
}

/// Nothing was ever published or changed.
pub fn empty() -> DeploysPage {
    let mut page = settled();
    let live = page.live.value.as_mut().unwrap();
    (live.since, live.by, live.outcome, live.previous) = (None, None, None, None);
    page.rollout = Reading::fresh(None, NOW);
    page.versions = Reading::fresh(Vec::new(), NOW);
    page.history = Reading::fresh(Vec::new(), NOW);
    page
}

/// The rollout of a page that has one.
pub fn rollout_of(page: &mut DeploysPage) -> &mut Rollout {
    page.rollout.value.as_mut().unwrap().as_mut().unwrap()
}

/// A report with that verdict.
pub fn gate(verdict: Verdict) -> GateReport {
    let evidence = match verdict {
        Verdict::TooFew => "3 requests, not enough to judge (50 are needed).",
        Verdict::Fail => "12 of 150 requests failed (8 %), of version 7's 2 of 1,350 (0.1 %).",
        Verdict::Pass => "0 of 150 requests failed, and it takes 84 ms where version 7 takes 91 ms.",
        Verdict::Unknown => "CloudWatch did not answer.",
    };
    GateReport {
        verdict,
        evidence: evidence.to_owned(),
        new: Sample { requests: 150, errors: 12, p95_ms: Some(84.2) },
        old: Sample { requests: 1_350, errors: 2, p95_ms: Some(91.0) },
        at: NOW,
    }
}

fn live() -> Live {
    Live {
        function: "learninghub-api".to_owned(),
        alias: "live".to_owned(),
        version: "7".to_owned(),
        weight: None,
        code_sha256: Some(CODE.to_owned()),
        description: Some("Page two, faster (4f2a91c)".to_owned()),
        architecture: "x86_64".to_owned(),
        since: Some(ago(300)),
        by: Some("ada@example.com".to_owned()),
        outcome: Some(Outcome::Promoted),
        why: None,
        previous: Some("6".to_owned()),
        revision: "r".to_owned(),
    }
}

fn under_way() -> Rollout {
    let step = |title: &str, state, detail: Option<&str>| RolloutStep {
        title: title.to_owned(),
        state,
        detail: detail.map(str::to_owned),
    };
    Rollout {
        id: ROLLOUT.to_owned(),
        by: "ada@example.com".to_owned(),
        state: RolloutState::Watching,
        summary: "Version 8 has 10 % of the requests and is watched.".to_owned(),
        old: "7".to_owned(),
        new: Some("8".to_owned()),
        strategy: Some("canary 10%/5m".parse().unwrap()),
        description: Some("Page three".to_owned()),
        steps: vec![
            step("Upload and publish", RolloutStepState::Done, None),
            step("Ask it once", RolloutStepState::Done, Some("GET /status")),
            step("10 % of the requests", RolloutStepState::Running, Some("10%/5m")),
            step("All requests", RolloutStepState::Waiting, None),
        ],
        percent: 10,
        since: ago(2),
        until: Some(Timestamp(NOW.0 + 3 * MINUTE)),
        gate: Some(gate(Verdict::Pass)),
        driver: Driver::This,
        smoke: Some(SmokeAnswer {
            version: "8".to_owned(),
            passed: true,
            summary: "GET /status was answered with 200 in 412 ms.".to_owned(),
            status: Some(200),
            body: "{\"status\":\"ok\"}".to_owned(),
            log: vec!["START RequestId: 1".to_owned(), "END RequestId: 1".to_owned()],
            at: ago(2),
        }),
        trouble: None,
    }
}

fn version(number: u32, kept: Option<&str>) -> FunctionVersion {
    FunctionVersion {
        version: number.to_string(),
        description: Some(format!("Change {number}")),
        size: 4_120_000,
        code_sha256: CODE.to_owned(),
        published: Some(ago(i64::from(10 - number.min(9)) * 1_440)),
        aliases: if number == 7 { vec!["live".to_owned()] } else { Vec::new() },
        kept: kept.map(str::to_owned),
    }
}

fn front() -> ApiFront {
    ApiFront {
        stage: "$default".to_owned(),
        auto_deploy: true,
        deployment: Some("d1e2f3".to_owned()),
        last_message: Some("Successfully deployed stage with deployment ID 'd1e2f3'".to_owned()),
        integrations: vec![Integration {
            id: "i1".to_owned(),
            uri: format!("{FUNCTION}:live"),
            target: IntegrationTarget::Alias,
            permitted: Some(true),
            change: None,
        }],
    }
}

fn history() -> Vec<AliasChange> {
    vec![
        AliasChange {
            at: ago(300),
            by: "ada@example.com".to_owned(),
            by_portal: true,
            what: "Promoted".to_owned(),
            from: Some("6".to_owned()),
            to: "7".to_owned(),
            weight: None,
            why: None,
        },
        AliasChange {
            at: ago(306),
            by: "deployer".to_owned(),
            by_portal: false,
            what: "Weights changed".to_owned(),
            from: None,
            to: "6".to_owned(),
            weight: Some(("7".to_owned(), 0.1)),
            why: None,
        },
    ]
}
