//! The secret's rotation: from preflight to a repair.

use std::sync::atomic::Ordering;
use std::time::Duration;

use model::overview::Reading;
use model::people::Role;
use model::problem::ProblemKind;
use model::rotation::{
    CheckOutcome, PastOutcome, PastRotation, RehearseRotation, RepairPlan, RepairRotation, RotateSecret,
    Rotation, RotationState, SecretPage, SetRotationSchedule, Step, StepState, Strategy,
};
use operations::Portal;
use sandbox::faults::{At, AwsEffect, Fault, FunctionEffect, TdsEffect};

use crate::watch::{Watch, actor};

const ROTATE: RotateSecret = RotateSecret { id: None };

/// The page once the rotation with this id stands as expected.
pub async fn until(watch: &Watch, token: &str, state: RotationState) -> (SecretPage, Rotation) {
    let mut last = None;
    for _ in 0..150 {
        let page = watch.portal.secret_page(Some(token)).await;
        let rotation = page.rotation.value.clone().flatten();
        match rotation {
            Some(rotation) if rotation.state == state => return (page, rotation),
            other => last = other,
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    panic!("{token} is not {state:?}: {last:?}");
}

fn outcome(page: &SecretPage, id: &str) -> CheckOutcome {
    let preflight = page.preflight.value.as_ref().expect("a preflight");
    preflight.checks.iter().find(|check| check.id == id).map(|check| check.outcome).expect(id)
}

/// The history, read anew: with an older one at hand no page waits for it.
async fn history(watch: &Watch) -> Reading<Vec<PastRotation>> {
    let since = watch.portal.secret_page(None).await.now.0 + 60_000;
    watch.advance(60_000);
    for _ in 0..100 {
        let history = watch.portal.secret_page(None).await.history;
        if history.at.0 >= since {
            return history;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("it is not read anew");
}

pub fn plan(page: &SecretPage) -> RepairPlan {
    page.repair.value.clone().flatten().expect("a plan")
}

pub async fn repair(watch: &Watch, plan: &RepairPlan) -> Result<(), model::problem::Problem> {
    let confirm = watch.world.demo.secret_id.clone();
    let operation = RepairRotation { token: plan.token.clone(), moves: plan.moves.clone(), confirm };
    watch.portal.perform(&actor("ada", Role::Operator), &operation).await.map(drop)
}

/// A rotation whose function is killed whenever it is called for the last step, and is given up by the
/// portal's clock; its id. The fault stays.
pub async fn killed_before_the_last_step(watch: &Watch) -> String {
    let crash = At::Function { name: "learninghub-rotation".to_owned(), effect: FunctionEffect::Crash };
    watch.world.sandbox.context().faults.add(Fault { at: crash, skip: 3, times: None, share: 1.0 });
    let begun = watch.portal.perform(&actor("ada", Role::Operator), &ROTATE).await.expect("it begins");
    let tested =
        |rotation: &Rotation| rotation.steps.get(2).is_some_and(|step| step.state == StepState::Done);
    while !watch.portal.secret_page(None).await.rotation.value.flatten().as_ref().is_some_and(tested) {
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Longer than the function may take.
    watch.advance(100_000);
    begun.token
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_is_checked_watched_and_remembered() {
    let watch = Watch::rotating().await;
    assert_eq!(watch.get("/courses").await, 200);
    let page = watch.portal.secret_page(None).await;
    let preflight = page.preflight.value.as_ref().expect("a preflight");
    assert!(preflight.ready, "{preflight:?}");
    assert_eq!(outcome(&page, "permission"), CheckOutcome::Pass);
    assert_eq!(outcome(&page, "network"), CheckOutcome::Pass);
    let users: Vec<_> = page.users.value.iter().flatten().map(|user| user.function.as_str()).collect();
    assert_eq!(users, [watch.world.demo.function.as_str()]);
    assert_eq!(page.rotation.value, Some(None), "it was never rotated");

    let ada = actor("ada", Role::Operator);
    let id = Some("0123456789abcdef0123456789abcdef".to_owned());
    let begun = watch.portal.perform(&ada, &RotateSecret { id: id.clone() }).await.expect("it begins");
    assert_eq!(begun.token, "0123456789abcdef0123456789abcdef-ada");
    let again = watch.portal.perform(&ada, &RotateSecret { id }).await.expect("the same rotation");
    assert_eq!(again, begun);
    let (page, mut rotation) = until(&watch, &begun.token, RotationState::Done).await;
    // The labels are there before the log's last line.
    while rotation.steps.iter().any(|step| step.duration_ms.is_none()) {
        tokio::time::sleep(Duration::from_millis(400)).await;
        rotation = watch.portal.secret_page(Some(&begun.token)).await.rotation.value.flatten().expect("it");
    }
    assert_eq!(
        (rotation.strategy, rotation.started_by.as_deref()),
        (Some(Strategy::AlternatingUsers), Some("ada"))
    );
    assert!(
        rotation.steps.iter().all(|step| step.state == StepState::Done && step.attempts == 1),
        "{rotation:?}"
    );
    let secret = page.secret.value.expect("the secret");
    assert_eq!(secret.current().map(|version| version.id.as_str()), Some(begun.token.as_str()));
    assert!(secret.pending().is_none() && secret.next_runs.len() == 3);
    assert_eq!(watch.get("/courses").await, 200);

    let history = history(&watch).await.value.expect("the history");
    let newest = history.first().expect("a rotation");
    assert_eq!((newest.outcome, newest.started_by.as_deref()), (PastOutcome::Succeeded, Some("ada")));
    let entries = watch.written.entries.lock().expect("the entries");
    let names: Vec<_> = entries.iter().map(|(began, ended)| (began.operation, ended.is_some())).collect();
    assert_eq!(names, [("RotateSecret", true), ("RotateSecret", true)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_that_is_refused_in_part_is_shown_in_part() {
    let watch = Watch::rotating().await;
    let begun = watch.portal.perform(&actor("ada", Role::Operator), &ROTATE).await.expect("it begins");
    until(&watch, &begun.token, RotationState::Done).await;
    // The newest page of the account's calls is of another secret, which can't be rotated.
    let secrets = watch.secrets().await;
    secrets.create_secret().name("another").secret_string("x").send().await.expect("a secret");
    for _ in 0..55 {
        secrets.rotate_secret().secret_id("another").send().await.expect_err("no function");
    }
    let whole = history(&watch).await;
    let newest = whole.value.as_ref().and_then(|past| past.first()).expect("a rotation");
    assert_eq!((newest.token.as_deref(), &whole.problem), (Some(begun.token.as_str()), &None));

    // The third kind of event is RotationFailed, of which there is none.
    let at = At::Aws {
        service: "cloudtrail".to_owned(),
        operation: Some("LookupEvents".to_owned()),
        effect: AwsEffect::Throttle,
    };
    watch.world.sandbox.context().faults.add(Fault { at, skip: 2, times: Some(1), share: 1.0 });
    let part = history(&watch).await;
    assert_eq!(part.value, whole.value);
    let problem = part.problem.expect("what is missing");
    assert_eq!(problem.kind, ProblemKind::Throttled);
    assert!(problem.message.contains("RotationFailed"), "{problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_runs_without_the_right_or_the_record() {
    let watch = Watch::rotating().await;
    let problem = watch.portal.perform(&actor("eve", Role::Viewer), &ROTATE).await.expect_err("no right");
    assert_eq!(problem.kind, ProblemKind::Forbidden);
    assert!(watch.written.entries.lock().expect("the entries").is_empty());
    watch.written.full.store(true, Ordering::SeqCst);
    let problem = watch.portal.perform(&actor("ada", Role::Admin), &ROTATE).await.expect_err("no record");
    assert_eq!(problem.message, "The disk is full.");
    let secret = watch.portal.secret_page(None).await.secret.value.expect("the secret");
    assert!(secret.pending().is_none(), "nothing was begun");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_at_two_portals_one_rotates() {
    let watch = Watch::rotating().await;
    let other = watch.another().await;
    let names: Vec<String> = (0..10).map(|number| format!("admin{number}")).collect();
    let all = names.iter().enumerate().map(|(number, name)| {
        let portal: &Portal = if number % 2 == 0 { &watch.portal } else { &other };
        async move { (name, portal.perform(&actor(name, Role::Operator), &ROTATE).await) }
    });
    let outcomes = futures::future::join_all(all).await;
    let won: Vec<_> =
        outcomes.iter().filter_map(|(name, outcome)| Some((*name, outcome.as_ref().ok()?))).collect();
    let [(winner, begun)] = won.as_slice() else { panic!("{won:?}") };
    for (name, outcome) in outcomes.iter().filter(|(name, _)| name != winner) {
        let problem = outcome.as_ref().expect_err("only one");
        assert_eq!(problem.kind, ProblemKind::Conflict, "{name}: {problem:?}");
        assert!(problem.message.contains(winner.as_str()), "{}", problem.message);
    }
    let (page, _) = until(&watch, &begun.token, RotationState::Done).await;
    // One new version and no more.
    let secret = page.secret.value.expect("the secret");
    assert_eq!(secret.versions.len(), 2, "{:?}", secret.versions);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_step_is_named_and_the_rest_is_put_right() {
    let watch = Watch::rotating().await;
    let faults = &watch.world.sandbox.context().faults;
    faults.add(Fault::always(At::Tds { effect: TdsEffect::Refuse }));
    let ada = actor("ada", Role::Operator);
    let begun = watch.portal.perform(&ada, &ROTATE).await.expect("it begins");
    let (page, rotation) = until(&watch, &begun.token, RotationState::HalfDone).await;
    let failed = rotation.steps.iter().find(|step| step.state == StepState::Failed).expect("a failed step");
    let trouble = failed.trouble.as_ref().expect("why");
    assert_eq!((failed.step, trouble.cause.as_str()), (Step::SetSecret, "unreachable"));
    assert_eq!(outcome(&page, "no_pending_version"), CheckOutcome::Fail);
    let problem = watch.portal.perform(&ada, &ROTATE).await.expect_err("the first is in the way");
    assert!(problem.message.contains("by ada"), "{}", problem.message);
    // While nobody can log in, nothing is moved on a guess.
    assert_eq!(plan(&page).moves, []);
    let problem = repair(&watch, &plan(&page)).await.expect_err("nothing to do yet");
    assert_eq!(problem.kind, ProblemKind::Conflict);

    faults.clear();
    watch.advance(700_000);
    let page = watch.portal.secret_page(None).await;
    let shown = plan(&page);
    assert_eq!(shown.moves.len(), 1, "{shown:?}");
    let wrong =
        RepairRotation { token: shown.token.clone(), moves: shown.moves.clone(), confirm: "yes".into() };
    assert_eq!(watch.portal.perform(&ada, &wrong).await.expect_err("the name").kind, ProblemKind::Invalid);
    let other = RepairRotation {
        token: shown.token.clone(),
        moves: Vec::new(),
        confirm: watch.world.demo.secret_id.clone(),
    };
    assert_eq!(
        watch.portal.perform(&ada, &other).await.expect_err("another plan").kind,
        ProblemKind::Conflict
    );
    repair(&watch, &shown).await.expect("it is put right");
    let (page, rotation) = until(&watch, &begun.token, RotationState::Failed).await;
    assert!(rotation.summary.contains("setSecret"), "{}", rotation.summary);
    assert_eq!(page.repair.value, Some(None));

    let begun = watch.portal.perform(&ada, &ROTATE).await.expect("the next one begins");
    until(&watch, &begun.token, RotationState::Done).await;
    assert_eq!(watch.get("/courses").await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alternating_users_killed_before_the_last_step_stay_with_the_one_in_use() {
    let watch = Watch::rotating().await;
    let begun = killed_before_the_last_step(&watch).await;
    until(&watch, &begun, RotationState::HalfDone).await;
    watch.world.sandbox.context().faults.clear();
    watch.advance(700_000);
    let shown = plan(&watch.portal.secret_page(None).await);
    let moves: Vec<_> = shown.moves.iter().map(|step| (step.label.as_str(), step.to.as_deref())).collect();
    assert_eq!(moves, [("AWSPENDING", None)], "{shown:?}");
    repair(&watch, &shown).await.expect("it is put right");
    until(&watch, &begun, RotationState::Failed).await;
    assert_eq!(watch.get("/courses").await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_user_killed_before_the_last_step_is_rolled_forward() {
    let watch = Watch::single_user().await;
    let begun = killed_before_the_last_step(&watch).await;
    let (page, rotation) = until(&watch, &begun, RotationState::HalfDone).await;
    assert_eq!(rotation.steps.last().map(|step| step.state), Some(StepState::Silent), "{rotation:?}");
    let faults = &watch.world.sandbox.context().faults;
    faults.clear();
    // The page asked while the function crashed; the logins are tried again later.
    assert_eq!(plan(&page).moves, []);
    watch.advance(700_000);
    let page = watch.portal.secret_page(None).await;
    let shown = plan(&page);
    let moves: Vec<_> = shown.moves.iter().map(|step| (step.label.as_str(), step.to.as_deref())).collect();
    assert_eq!(moves, [("AWSCURRENT", Some(begun.as_str())), ("AWSPENDING", None)]);
    repair(&watch, &shown).await.expect("it is put right");
    let (page, _) = until(&watch, &begun, RotationState::Done).await;
    assert_eq!(page.repair.value, Some(None));
    // What kind of rotation it was is known from the function's log.
    assert_eq!(outcome(&page, "lockout"), CheckOutcome::Warn);
    assert_eq!(watch.get("/courses").await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_aws_hangs_the_page_shows_what_was_known() {
    let watch = Watch::rotating().await;
    let before = watch.portal.secret_page(None).await;
    let faults = &watch.world.sandbox.context().faults;
    for service in ["secretsmanager", "lambda", "logs", "cloudtrail"] {
        let effect = AwsEffect::TimeOut;
        faults.add(Fault::always(At::Aws { service: service.to_owned(), operation: None, effect }));
    }
    watch.advance(200_000);
    // What the portal's server has for a page.
    let page = tokio::time::timeout(Duration::from_secs(9), watch.portal.secret_page(None)).await;
    let page = page.expect("a page in time");
    assert_eq!((&page.secret.value, page.secret.at), (&before.secret.value, before.secret.at));
    assert_eq!((&page.users.value, &page.history.value), (&before.users.value, &before.history.value));
    for problem in [&page.secret.problem, &page.users.problem] {
        assert_eq!(problem.as_ref().map(|problem| problem.kind), Some(ProblemKind::TimedOut));
    }
    // What is old proves nothing.
    assert_eq!(outcome(&page, "no_pending_version"), CheckOutcome::Unknown);
    assert!(!page.preflight.value.expect("a preflight").ready);

    faults.clear();
    for _ in 0..40 {
        watch.advance(60_000);
        if watch.portal.secret_page(None).await.secret.problem.is_none() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("it is not read again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rehearsal_changes_nothing_and_a_schedule_is_kept() {
    let watch = Watch::rotating().await;
    let ada = actor("ada", Role::Operator);
    let before = watch.portal.secret_page(None).await.secret.value.expect("the secret");
    let begun = watch.portal.perform(&ada, &RehearseRotation { id: None }).await.expect("it begins");
    let (page, rotation) = until(&watch, &begun.token, RotationState::Done).await;
    assert!(rotation.rehearsal && rotation.steps.len() == 1, "{rotation:?}");
    let after = page.secret.value.expect("the secret");
    assert_eq!(before.versions, after.versions);

    let set = |text: &str| SetRotationSchedule { schedule: Some(text.to_owned()), window_hours: Some(3) };
    let problem = watch.portal.perform(&ada, &set("rate(1 hours)")).await.expect_err("too often");
    assert_eq!(problem.kind, ProblemKind::Invalid);
    let scheduled = watch.portal.perform(&ada, &set("cron(0 4 ? * SUN *)")).await.expect("it is set");
    assert_eq!(scheduled.next_runs.len(), 3);
    let secret = watch.portal.secret_page(None).await.secret.value.expect("the secret");
    assert_eq!(
        (secret.schedule.as_deref(), secret.window.as_deref()),
        (Some("cron(0 4 ? * SUN *)"), Some("3h"))
    );
    let off = SetRotationSchedule { schedule: None, window_hours: None };
    // Not before the rehearsal that comes with a schedule is over.
    while watch.portal.secret_page(None).await.secret.value.expect("the secret").pending().is_some() {
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    watch.portal.perform(&ada, &off).await.expect("it is switched off");
    let secret = watch.portal.secret_page(None).await.secret.value.expect("the secret");
    assert!(!secret.rotation_enabled && secret.next_runs.is_empty());
    let problem = watch.portal.perform(&ada, &RehearseRotation { id: None }).await.expect_err("it is off");
    assert_eq!(problem.kind, ProblemKind::Conflict);
}
