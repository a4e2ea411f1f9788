//! The real portal on the demo world, killed (SIGKILL) while a call to AWS is under way, or while it drives
//! a rollout (`deploys`). Whatever it had come to, the next portal on the same database sees it, and one more rotation or repair makes all
//! right: the current version logs in and nothing dangles. That the portal was killed is in the audit log:
//! the operation's entry has no end.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod deploys;
mod portal;
#[path = "../../../crates/sandbox/tests/world/mod.rs"]
mod world;

use std::time::Duration;

use model::rotation::{Begun, RotationState, SecretPage};
use sandbox::demo::SECRET_ID;
use sandbox::faults::{At, AwsEffect, Fault};

use portal::Process;
use world::World;

/// What killed the portal, once.
struct Scene {
    world: World,
    /// A portal that lives through all of it: two can watch one stack.
    witness: Process,
}

impl Scene {
    async fn set() -> Self {
        let world = World::build_rotating().await;
        let witness = Process::start(&world).await;
        Self { world, witness }
    }

    /// The rule, which hits every call from the one after `skip` others on, and its number.
    fn fault(&self, operation: &str, effect: AwsEffect, skip: u32) -> u64 {
        let (service, operation) = ("secretsmanager".to_owned(), Some(operation.to_owned()));
        let at = At::Aws { service, operation, effect };
        self.world.sandbox.context().faults.add(Fault { at, skip, times: None, share: 1.0 }).unwrap()
    }

    /// Waits until a call has met the rule.
    async fn met(&self, rule: u64, skip: u32) {
        until("a call meets the fault", async || {
            let all = self.world.sandbox.context().faults.all();
            all.iter().any(|(number, _, seen)| *number == rule && *seen > skip).then_some(())
        })
        .await
    }

    fn clear(&self) {
        self.world.sandbox.context().faults.clear();
    }

    /// The API, which logs in with what the secret holds.
    async fn assert_the_api_answers(&self, name: &str) {
        let answer = reqwest::get(format!("{}/courses", self.world.sandbox.http_api())).await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{name}");
    }

    /// Waits until nothing is left half done, and repairs what is.
    async fn settle(&self, name: &str) -> SecretPage {
        until(name, async || {
            let page = self.witness.secret().await;
            let secret = page.secret.value.as_ref()?;
            if secret.pending().is_none() {
                assert!(secret.current().is_some_and(|version| version.has_value), "{name}: {secret:?}");
                return Some(page);
            }
            let plan = page.repair.value.as_ref()?.as_ref().filter(|plan| !plan.moves.is_empty())?;
            // Secrets Manager itself may have been faster.
            let _ = self.witness.post("secret/repairs", &repair(plan)).await;
            None
        })
        .await
    }

    /// Rotates and waits for the end.
    async fn rotates(&self, portal: &Process, name: &str) {
        let (status, body) = portal.post("secret/rotations", "{}").await;
        assert_eq!(status, 202, "{name}: {body}");
        let begun: Begun = serde_json::from_str(&body).unwrap();
        until(name, async || {
            let page = portal.secret().await;
            let secret = page.secret.value?;
            let done = secret.current().is_some_and(|version| version.id == begun.token);
            (done && secret.pending().is_none()).then_some(())
        })
        .await;
        self.assert_the_api_answers(name).await;
    }
}

fn repair(plan: &model::rotation::RepairPlan) -> String {
    serde_json::json!({ "token": plan.token, "moves": plan.moves, "confirm": SECRET_ID }).to_string()
}

/// Looks again and again, for a minute at most.
async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    for _ in 0..300 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("not within a minute: {what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_call_that_rotates() {
    let scene = Scene::set().await;
    let calls = &scene.world.sandbox.context().calls;
    for (effect, begins) in [(AwsEffect::TimeOut, false), (AwsEffect::HoldReply, true)] {
        let name = format!("RotateSecret {effect:?}");
        let mut victim = Process::start(&scene.world).await;
        let put = calls.of("secretsmanager", "PutSecretValue");
        let rule = scene.fault("RotateSecret", effect, 0);
        let asked = victim.ask("secret/rotations", "{}");
        scene.met(rule, 0).await;
        if begins {
            // The rotation function is at work: the call has had its effect.
            let at_work = async || (calls.of("secretsmanager", "PutSecretValue") > put).then_some(());
            until(&name, at_work).await;
        }
        victim.kill();
        assert!(asked.await.unwrap().is_err(), "{name}: nobody was left to answer");
        scene.assert_the_api_answers(&name).await;
        scene.clear();
        let written = scene.witness.written(&scene.world).await;
        assert_eq!(written.last().unwrap(), &("RotateSecret".to_owned(), None), "{name}");

        let page = scene.settle(&name).await;
        if begins {
            let rotation = page.rotation.value.flatten().expect("the rotation that nobody heard of");
            assert_eq!(rotation.started_by.as_deref(), Some("ada"), "{name}");
        }
        scene.assert_the_api_answers(&name).await;
        let next = Process::start(&scene.world).await;
        scene.rotates(&next, &name).await;
        let written = next.written(&scene.world).await;
        let ends: Vec<_> = written.iter().map(|(_, outcome)| outcome.as_deref()).collect();
        assert_eq!(ends.last(), Some(&Some("done")), "{name}");
        assert!(ends.contains(&None), "{name}: what was cut short stays so");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_each_move_of_a_repair() {
    let scene = Scene::set().await;
    // One login changes its own password: there a repair has two labels to move.
    let alone = |text: &str| {
        let mut value: serde_json::Value = serde_json::from_str(text).ok()?;
        value.as_object_mut()?.remove("masterarn");
        Some(value.to_string())
    };
    scene.world.sandbox.secrets().amend(SECRET_ID, alone).unwrap();
    let moves = [
        (0, AwsEffect::TimeOut),
        (0, AwsEffect::HoldReply),
        (1, AwsEffect::TimeOut),
        (1, AwsEffect::HoldReply),
    ];
    for (skip, effect) in moves {
        let name = format!("move {skip} {effect:?}");
        // finishSecret is refused: the password is changed, and no label has moved.
        scene.fault("UpdateSecretVersionStage", AwsEffect::AccessDenied, 0);
        let (status, body) = scene.witness.post("secret/rotations", "{}").await;
        assert_eq!(status, 202, "{name}: {body}");
        let token = serde_json::from_str::<Begun>(&body).unwrap().token;
        let plan = until(&name, async || {
            let page = scene.witness.secret().await;
            let half_done = page.rotation.value??.state == RotationState::HalfDone;
            page.repair.value?.filter(|plan| half_done && plan.moves.len() == 2)
        })
        .await;
        assert_eq!(plan.token, token, "{name}");
        scene.clear();

        let mut victim = Process::start(&scene.world).await;
        let rule = scene.fault("UpdateSecretVersionStage", effect.clone(), skip);
        let asked = victim.ask("secret/repairs", &repair(&plan));
        scene.met(rule, skip).await;
        if effect == AwsEffect::HoldReply {
            until(&name, async || {
                let secret = scene.witness.secret().await.secret.value?;
                let moved = secret.current()?.id == token;
                let taken_off = !secret.current()?.has("AWSPENDING");
                (moved && (skip == 0 || taken_off)).then_some(())
            })
            .await;
        }
        victim.kill();
        assert!(asked.await.unwrap().is_err(), "{name}: nobody was left to answer");
        scene.assert_the_api_answers(&name).await;
        scene.clear();
        let written = scene.witness.written(&scene.world).await;
        assert_eq!(written.last().unwrap(), &("RepairRotation".to_owned(), None), "{name}");

        let page = scene.settle(&name).await;
        let secret = page.secret.value.unwrap();
        assert_eq!(secret.current().map(|version| version.id.as_str()), Some(token.as_str()), "{name}");
        let next = Process::start(&scene.world).await;
        scene.rotates(&next, &name).await;
    }
}
