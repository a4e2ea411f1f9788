//! Pages for tests: the secret when all is well, while it is being rotated, and in trouble.

use model::overview::Reading;
use model::rotation::{
    Check, CheckOutcome, LabelMove, PastOutcome, PastRotation, Preflight, RepairPlan, Rotation,
    RotationState, SecretDetail, SecretPage, SecretUser, SecretVersion, Step, StepProgress, StepState,
    Strategy, Trouble,
};
use model::time::Timestamp;

/// When all were read.
pub const NOW: Timestamp = Timestamp(1_795_300_000_000);

const HOUR: i64 = 3_600_000;
const CURRENT: &str = "5d0a41c2-0000-4aaa-8bbb-ccccddddeeee";
const PREVIOUS: &str = "17c3e0b9a4d84f6e9a51c2d3e4f50617-boris";
const NEW: &str = "9f1c0d4e111142228333444455556666-anna";

/// All is well.
pub fn healthy() -> SecretPage {
    let steps = [(Step::CreateSecret, 412.0), (Step::SetSecret, 1_840.0), (Step::TestSecret, 231.0)];
    let mut steps: Vec<StepProgress> = steps.map(|(step, took)| done(step, took)).to_vec();
    steps.push(done(Step::FinishSecret, 96.4));
    let rotation = Rotation {
        state: RotationState::Done,
        summary: "The secret was rotated; the API logs in with the new version.".to_owned(),
        started: Some(ago(292 * HOUR)),
        ended: Some(ago(292 * HOUR - 8_210)),
        steps,
        ..rotation("3f6b8a90c2d14e5f8a7b6c5d4e3f2a1b-anna")
    };
    SecretPage {
        now: NOW,
        secret: Reading::fresh(detail(), ago(4_000)),
        rotation: Reading::fresh(Some(rotation), ago(4_000)),
        repair: Reading::fresh(None, ago(4_000)),
        preflight: Reading::fresh(preflight(), ago(9_000)),
        history: Reading::fresh(history(), ago(41_000)),
        users: Reading::fresh(users(), ago(9_000)),
    }
}

/// At its third step, after a second try of the second.
pub fn running() -> SecretPage {
    let mut page = healthy();
    let mut second = done(Step::SetSecret, 2_940.0);
    second.attempts = 2;
    let third =
        StepProgress { state: StepState::Running, began: Some(ago(3_400)), ..waiting(Step::TestSecret) };
    let rotation = Rotation {
        summary: "The new login is being tried.".to_owned(),
        started: Some(ago(7_100)),
        steps: vec![done(Step::CreateSecret, 398.0), second, third, waiting(Step::FinishSecret)],
        ..rotation(NEW)
    };
    page.rotation = Reading::fresh(Some(rotation), NOW);
    pending(&mut page);
    page.preflight = Reading::fresh(
        Preflight {
            ready: false,
            verdict: "Not now: a rotation is running.".to_owned(),
            checks: vec![check(
                "No rotation is under way",
                CheckOutcome::Fail,
                "anna's is at testSecret.",
                None,
            )],
        },
        NOW,
    );
    page
}

/// Stopped at its second step, and overdue since.
pub fn half_done() -> SecretPage {
    let mut page = healthy();
    let trouble = Trouble {
        cause: "wrong_password".to_owned(),
        what: "SQL Server refused the login that changes the password.".to_owned(),
        said: Some("login failed for user 'rotation_admin' (18456)".to_owned()),
        next:
            "See that the secret named by masterarn holds the right password, then repair and rotate again."
                .to_owned(),
    };
    let failed = StepProgress {
        state: StepState::Failed,
        began: Some(ago(2 * HOUR)),
        duration_ms: Some(812.0),
        attempts: 5,
        trouble: Some(trouble),
        ..waiting(Step::SetSecret)
    };
    let rotation = Rotation {
        state: RotationState::HalfDone,
        summary: "Stopped at setSecret; the API goes on with the old password.".to_owned(),
        started: Some(ago(2 * HOUR)),
        ended: Some(ago(2 * HOUR - 51_000)),
        steps: vec![
            done(Step::CreateSecret, 398.0),
            failed,
            waiting(Step::TestSecret),
            waiting(Step::FinishSecret),
        ],
        ..rotation(NEW)
    };
    page.rotation = Reading::fresh(Some(rotation), NOW);
    pending(&mut page);
    if let Some(secret) = &mut page.secret.value {
        secret.next_rotation = Some(ago(7_500_000));
    }
    page.repair = Reading::fresh(Some(plan()), NOW);
    page.preflight = Reading::fresh(stuck(), NOW);
    page
}

/// A rehearsal that could not reach the database.
pub fn failed_rehearsal() -> SecretPage {
    let mut page = healthy();
    let trouble = Trouble {
        cause: "unreachable".to_owned(),
        what: "SQL Server can't be reached.".to_owned(),
        said: None,
        next: "Check the security group.".to_owned(),
    };
    let step =
        StepProgress { state: StepState::Failed, trouble: Some(trouble), ..done(Step::TestSecret, 5_004.0) };
    page.rotation.value = Some(Some(Rotation {
        rehearsal: true,
        state: RotationState::Failed,
        summary: "The login was tried and did not work; nothing was changed.".to_owned(),
        steps: vec![step],
        ..rotation(NEW)
    }));
    page.preflight = Reading::fresh(stuck(), NOW);
    page
}

/// A secret that nobody has ever rotated.
pub fn empty() -> SecretPage {
    let mut page = healthy();
    page.secret.value = Some(SecretDetail {
        rotation_enabled: false,
        rotation_function: None,
        rotated: None,
        next_rotation: None,
        schedule: None,
        window: None,
        next_runs: Vec::new(),
        versions: Vec::new(),
        ..detail()
    });
    page.rotation.value = Some(None);
    page.history.value = Some(Vec::new());
    page.users.value = Some(Vec::new());
    page.preflight.value = Some(stuck());
    page
}

fn ago(ms: i64) -> Timestamp {
    Timestamp(NOW.0 - ms)
}

fn waiting(step: Step) -> StepProgress {
    StepProgress {
        step,
        state: StepState::Waiting,
        began: None,
        duration_ms: None,
        attempts: 1,
        trouble: None,
    }
}

fn done(step: Step, took: f64) -> StepProgress {
    let began = Some(ago(292 * HOUR));
    StepProgress { state: StepState::Done, began, duration_ms: Some(took), ..waiting(step) }
}

fn rotation(token: &str) -> Rotation {
    Rotation {
        token: token.to_owned(),
        started_by: Some("anna".to_owned()),
        rehearsal: false,
        state: RotationState::Running,
        summary: String::new(),
        started: Some(ago(5_000)),
        ended: None,
        strategy: Some(Strategy::AlternatingUsers),
        steps: Vec::new(),
    }
}

fn version(id: &str, labels: &[&str], days: i64, by: Option<&str>) -> SecretVersion {
    SecretVersion {
        id: id.to_owned(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        created: Some(ago(days * 24 * HOUR)),
        has_value: true,
        started_by: by.map(str::to_owned),
    }
}

fn pending(page: &mut SecretPage) {
    if let Some(secret) = &mut page.secret.value {
        let new =
            SecretVersion { created: Some(ago(6_700)), ..version(NEW, &["AWSPENDING"], 0, Some("anna")) };
        secret.versions.insert(1, new);
    }
}

fn detail() -> SecretDetail {
    SecretDetail {
        name: "learninghub/sqlserver".to_owned(),
        arn: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:learninghub/sqlserver-a1b2c3".to_owned(),
        kms_key: None,
        created: Some(ago(4_000 * HOUR)),
        changed: Some(ago(292 * HOUR)),
        rotated: Some(ago(292 * HOUR)),
        next_rotation: Some(Timestamp(NOW.0 + 428 * HOUR)),
        rotation_enabled: true,
        rotation_function: Some(
            "arn:aws:lambda:eu-west-1:123456789012:function:learninghub-rotation".to_owned(),
        ),
        schedule: Some("rate(30 days)".to_owned()),
        window: Some("3h".to_owned()),
        next_runs: (0..3).map(|n| Timestamp(NOW.0 + (428 + n * 720) * HOUR)).collect(),
        versions: vec![
            version(CURRENT, &["AWSCURRENT", "green"], 12, None),
            version(PREVIOUS, &["AWSPREVIOUS"], 42, Some("boris")),
        ],
    }
}

fn check(title: &str, outcome: CheckOutcome, evidence: &str, fix: Option<&str>) -> Check {
    Check {
        id: title.to_lowercase().replace(' ', "-"),
        title: title.to_owned(),
        outcome,
        evidence: evidence.to_owned(),
        fix: fix.map(str::to_owned),
    }
}

fn preflight() -> Preflight {
    use CheckOutcome::Pass;
    let passed = [
        ("No rotation is stuck", "AWSPENDING is on no other version than AWSCURRENT."),
        ("The rotation function is there", "learninghub-rotation is Active."),
        ("Secrets Manager may invoke it", "Statement SecretsManagerInvoke allows it for this account."),
        ("Its time limit is long enough", "30 s, against 21 s in the database's worst case."),
        ("The key can be used", "The secret is encrypted with Secrets Manager's own key."),
        ("No redeploy is running", "The alias live has no second version."),
    ];
    let mut checks: Vec<Check> =
        passed.iter().map(|(title, evidence)| check(title, Pass, evidence, None)).collect();
    checks.push(check(
        "The network path",
        CheckOutcome::Unknown,
        "The portal's role may not describe VPC endpoints.",
        Some("Allow ec2:DescribeVpcEndpoints, or look for the endpoint of Secrets Manager yourself."),
    ));
    Preflight { ready: true, verdict: "A rotation would go through.".to_owned(), checks }
}

fn stuck() -> Preflight {
    let mut preflight = preflight();
    preflight.ready = false;
    preflight.verdict = "Not now: an earlier rotation was left half done.".to_owned();
    preflight.checks[0] = check(
        "No rotation is stuck",
        CheckOutcome::Fail,
        "AWSPENDING is on version 9f1c0d4e, AWSCURRENT on 5d0a41c2.",
        Some("Repair it."),
    );
    preflight.checks.push(check(
        "The last rehearsal",
        CheckOutcome::Warn,
        "None in the last 90 days.",
        Some("Rehearse."),
    ));
    preflight
}

fn plan() -> RepairPlan {
    RepairPlan {
        token: NEW.to_owned(),
        happened: "The rotation stopped at setSecret: the new password is in the secret, but SQL Server does not know it.".to_owned(),
        evidence: vec![
            "AWSCURRENT (5d0a41c2): SQL Server accepts the login.".to_owned(),
            "AWSPENDING (9f1c0d4e): SQL Server refuses the login.".to_owned(),
        ],
        outcome: "the API goes on with version 5d0a41c2, and the next rotation can begin.".to_owned(),
        moves: vec![LabelMove {
            label: "AWSPENDING".to_owned(),
            from: NEW.to_owned(),
            to: None,
            why: "Its password works nowhere, and the label is in the way of the next rotation.".to_owned(),
        }],
    }
}

fn history() -> Vec<PastRotation> {
    let past = |hours: i64, outcome: PastOutcome, by: Option<&str>, error: Option<&str>| PastRotation {
        token: (hours % 2 == 0).then(|| "3f6b8a90c2d14e5f8a7b6c5d4e3f2a1b-anna".to_owned()),
        started_by: by.map(str::to_owned),
        started: ago(hours * HOUR),
        ended: (outcome != PastOutcome::Open).then(|| ago(hours * HOUR - 8_210)),
        outcome,
        error: error.map(str::to_owned),
    };
    vec![
        past(292, PastOutcome::Succeeded, Some("anna"), None),
        past(
            1_013,
            PastOutcome::Failed,
            None,
            Some("Pending secret version 0f8b2c3e failed at step setSecret: timed out"),
        ),
        past(1_014, PastOutcome::Abandoned, Some("boris"), None),
        past(1_735, PastOutcome::Open, None, None),
    ]
}

fn users() -> Vec<SecretUser> {
    let user = |function: &str, variable: &str| SecretUser {
        function: function.to_owned(),
        variable: variable.to_owned(),
    };
    vec![user("learninghub-api", "SECRET_ID"), user("learninghub-report", "DATABASE_SECRET")]
}
