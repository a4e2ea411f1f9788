//! What survives a crash: faults at every call that an operation on the rotation makes, and the portal
//! killed while one is under way. Afterwards one more run of rotation or repair makes all right: the
//! current version logs in and nothing dangles.

use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use model::people::Role;
use model::problem::ProblemKind;
use model::rotation::{RepairRotation, RotateSecret, RotationState};
use sandbox::faults::{At, AwsEffect, Fault, TdsEffect};

use crate::rotation::{killed_before_the_last_step, plan, repair, until};
use crate::watch::{Watch, actor};

/// The calls of `RotateSecret`, in their order.
const CALLS: [(&str, &str); 8] = [
    ("secretsmanager", "DescribeSecret"),
    ("secretsmanager", "ListSecretVersionIds"),
    ("lambda", "GetFunctionConfiguration"),
    ("lambda", "GetPolicy"),
    ("lambda", "GetFunctionConcurrency"),
    ("lambda", "GetAlias"),
    ("logs", "FilterLogEvents"),
    ("secretsmanager", "RotateSecret"),
];

/// What can happen to a call. Each case is a rotation of some seconds, so the ordinary run has those
/// that matter most.
fn effects(operation: &str) -> Vec<AwsEffect> {
    use AwsEffect::{AccessDenied, DropBefore, DropReply, Duplicate, ServerError, Throttle, TimeOut};
    match (long(), operation) {
        (true, _) => vec![Throttle, ServerError, AccessDenied, DropBefore, DropReply, Duplicate, TimeOut],
        (false, "RotateSecret") => vec![DropReply, Duplicate, TimeOut],
        (false, "DescribeSecret" | "GetAlias") => vec![DropReply],
        (false, _) => Vec::new(),
    }
}

fn long() -> bool {
    std::env::var("LOCKKEEPER_LONG").is_ok_and(|value| value == "1")
}

fn fault(service: &str, operation: &str, effect: AwsEffect) -> At {
    At::Aws { service: service.to_owned(), operation: Some(operation.to_owned()), effect }
}

/// Waits until no rotation runs, repairs what is left half done, and looks that all is whole. The
/// portal's clock may hurry only where nothing runs: it would take what runs for what stands still.
async fn settle(watch: &Watch, name: &str, hurry_ms: i64) {
    watch.world.sandbox.context().faults.clear();
    for _ in 0..150 {
        watch.advance(hurry_ms);
        let page = watch.portal.secret_page(None).await;
        let Some(secret) = &page.secret.value else { panic!("{name}: {page:?}") };
        if secret.pending().is_none() {
            assert!(secret.current().is_some_and(|version| version.has_value), "{name}: {secret:?}");
            assert_eq!(watch.get("/courses").await, 200, "{name}");
            return;
        }
        if page
            .repair
            .value
            .as_ref()
            .is_some_and(|plan| plan.as_ref().is_some_and(|plan| !plan.moves.is_empty()))
        {
            // Somebody else, Secrets Manager itself for one, may have been faster.
            let _ = repair(watch, &plan(&page)).await;
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    panic!("{name}: it does not settle: {:?}", watch.portal.secret_page(None).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_at_any_call_leaves_nothing_that_the_next_run_does_not_put_right() {
    let watch = Watch::rotating().await;
    let ada = actor("ada", Role::Operator);
    for (service, operation) in CALLS {
        for effect in effects(operation) {
            let name = format!("{operation} {effect:?}");
            watch.world.sandbox.context().faults.add(Fault::once(fault(service, operation, effect)));
            watch.advance(60_000);
            println!("{name}");
            let outcome = watch.portal.perform(&ada, &RotateSecret { id: None }).await;
            if let Ok(begun) = &outcome {
                until(&watch, &begun.token, RotationState::Done).await;
            }
            settle(&watch, &name, 0).await;
        }
    }
    let begun = watch.portal.perform(&ada, &RotateSecret { id: None }).await.expect("all is well again");
    until(&watch, &begun.token, RotationState::Done).await;
    let entries = watch.written.entries.lock().expect("the entries");
    assert!(entries.iter().all(|(_, ended)| ended.is_some()), "every operation has an end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_killed_in_a_rotation_has_forgotten_nothing() {
    let watch = Watch::rotating().await;
    let context = watch.world.sandbox.context().clone();
    let bob = |portal: operations::Portal| async move {
        portal.perform(&actor("bob", Role::Operator), &RotateSecret { id: None }).await
    };
    // Killed while the call is under way, and nothing comes of it.
    context.faults.add(Fault::once(fault("secretsmanager", "RotateSecret", AwsEffect::TimeOut)));
    let before = context.calls.of("secretsmanager", "RotateSecret");
    let killed = tokio::spawn(bob(watch.another().await));
    while context.calls.of("secretsmanager", "RotateSecret") == before {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    killed.abort();
    settle(&watch, "killed before the effect", 0).await;
    // The call is carried out, and whoever made it never hears of it.
    context.faults.add(Fault::once(fault("secretsmanager", "RotateSecret", AwsEffect::DropReply)));
    bob(watch.another().await).await.expect("it was looked, and it had begun");
    // A portal that was never asked sees whose rotation it is.
    let rotation =
        watch.another().await.secret_page(None).await.rotation.value.flatten().expect("a rotation");
    assert_eq!(rotation.started_by.as_deref(), Some("bob"), "{rotation:?}");
    until(&watch, &rotation.token, RotationState::Done).await;
    settle(&watch, "killed after the effect", 0).await;
}

/// Secrets Manager attempts the rotation anew while a repair takes its label off: the function sees the
/// label after it has altered the login, and the portal has seen a login that was not altered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_label_that_is_taken_off_an_attempt_is_put_back() {
    let watch = Watch::single_user().await;
    let context = watch.world.sandbox.context().clone();
    context.faults.add(Fault::always(At::Tds { effect: TdsEffect::Refuse }));
    let ada = actor("ada", Role::Operator);
    let begun = watch.portal.perform(&ada, &RotateSecret { id: None }).await.expect("it begins");
    until(&watch, &begun.token, RotationState::HalfDone).await;
    context.faults.clear();
    watch.advance(700_000);
    let shown = plan(&watch.portal.secret_page(None).await);
    assert_eq!(shown.moves.len(), 1, "{shown:?}");

    // The move takes its time, in which the attempt comes as far as the altered login.
    let slow = fault("secretsmanager", "UpdateSecretVersionStage", AwsEffect::Delay(10_000));
    context.faults.add(Fault::once(slow));
    let before = context.calls.of("secretsmanager", "UpdateSecretVersionStage");
    let portal = watch.patient().await;
    let confirm = watch.world.demo.secret_id.clone();
    let operation = RepairRotation { token: shown.token.clone(), moves: shown.moves.clone(), confirm };
    let repairing = tokio::spawn(async move { portal.perform(&ada, &operation).await });
    while context.calls.of("secretsmanager", "UpdateSecretVersionStage") == before {
        assert!(!repairing.is_finished(), "no label was moved");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let lambda = aws_sdk_lambda::Client::new(&watch.sdk().await);
    let secret = watch.portal.secret_page(None).await.secret.value.expect("the secret");
    let event = serde_json::json!({
        "Step": "setSecret", "SecretId": secret.arn, "ClientRequestToken": begun.token,
    });
    let set = lambda.invoke().function_name("learninghub-rotation").payload(Blob::new(event.to_string()));
    let set = set.send().await.expect("an answer");
    assert_eq!(set.function_error(), None);
    let problem = repairing.await.expect("no panic").expect_err("it was overtaken");
    assert_eq!(problem.kind, ProblemKind::Conflict, "{problem}");

    let after = watch.portal.secret_page(None).await.secret.value.expect("the secret");
    assert_eq!(after.pending().map(|version| version.id.as_str()), Some(begun.token.as_str()));
    assert_eq!(watch.get("/courses").await, 200);
    settle(&watch, "overtaken", 1_000).await;
    let current = watch.portal.secret_page(None).await.secret.value.expect("the secret");
    assert_eq!(current.current().map(|version| version.id.as_str()), Some(begun.token.as_str()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repair_that_is_cut_is_repaired() {
    let watch = Watch::single_user().await;
    let all = [AwsEffect::ServerError, AwsEffect::DropBefore, AwsEffect::DropReply, AwsEffect::Duplicate];
    let cuts: Vec<(u32, AwsEffect)> = match long() {
        true => (0..2).flat_map(|skip| all.iter().map(move |effect| (skip, effect.clone()))).collect(),
        false => vec![(0, AwsEffect::DropReply), (1, AwsEffect::DropBefore)],
    };
    for (skip, effect) in cuts {
        let name = format!("move {skip} {effect:?}");
        let token = killed_before_the_last_step(&watch).await;
        watch.world.sandbox.context().faults.clear();
        until(&watch, &token, RotationState::HalfDone).await;
        watch.advance(700_000);
        let shown = plan(&watch.portal.secret_page(None).await);
        assert_eq!(shown.moves.len(), 2, "{name}: {shown:?}");
        let at = fault("secretsmanager", "UpdateSecretVersionStage", effect);
        watch.world.sandbox.context().faults.add(Fault { at, skip, times: Some(1), share: 1.0 });
        let _ = repair(&watch, &shown).await;
        settle(&watch, &name, 1_000).await;
        let (page, _) = until(&watch, &token, RotationState::Done).await;
        assert_eq!(page.repair.value, Some(None), "{name}");
    }
}
