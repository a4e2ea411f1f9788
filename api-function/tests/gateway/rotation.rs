//! A rotation is not noticed by the API's callers: they call through the gateway, the secret is rotated
//! again and again, environments end and others start in the middle of it. `cargo xtask bench rotation`
//! does the same with more of everything, and tells the figures.

use std::time::Duration;

use sandbox::demo;
use sandbox::demo::load::{Call, Callers};
use sandbox::demo::rounds::{Rotated, Rotations, Strategy, is_failed_login, most_failed_logins};
use sandbox::faults::{At, Fault, FunctionEffect};

use crate::World;

const CALLERS: usize = 20;
const PAUSE: Duration = Duration::from_millis(150);
/// Each step is held up by this, so that there is time for cold starts between any two of them.
const STEP_MS: u64 = 200;

/// Every call was answered, and well.
pub fn assert_all_good(calls: &[Call]) {
    let bad: Vec<_> = calls.iter().filter(|call| !call.is_good()).collect();
    assert!(
        bad.is_empty(),
        "{} of {} calls: {:#?}",
        bad.len(),
        calls.len(),
        bad.iter().take(5).collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_do_not_notice_a_rotation() {
    let world = World::build_with_rotation().await;
    let sandbox = &world.sandbox;
    let slow =
        At::Function { name: demo::ROTATION_FUNCTION.to_owned(), effect: FunctionEffect::Slow(STEP_MS) };
    sandbox.context().faults.add(Fault::always(slow)).unwrap();
    let mut rotations = Box::pin(Rotations::of(sandbox)).await.unwrap();
    for strategy in Strategy::ALL {
        Box::pin(rotations.use_strategy(strategy)).await.unwrap();
        let before = sandbox.tds().refused_logins().len();
        let callers = Callers::start(sandbox, CALLERS, PAUSE).unwrap();
        let mut rotated: Vec<Rotated> = Vec::new();
        // There and back and there again. That the superuser does it is no different for callers.
        let rounds = if strategy == Strategy::SingleBySuperuser { 1 } else { 3 };
        for _ in 0..rounds {
            rotated.push(Box::pin(rotations.rotate()).await.unwrap());
        }
        // And some calls when all is over.
        let enough = callers.answered() + CALLERS;
        while callers.answered() < enough {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let calls = callers.stop().await;
        assert_all_good(&calls);
        let during = calls.iter().filter(|call| call.at_ms <= rotated[rounds - 1].to_ms).count();
        assert!(during > CALLERS, "{during} calls during the rotations, {}", strategy.name());
        let refused = sandbox.tds().refused_logins().split_off(before);
        let most = most_failed_logins(&refused, &rotated);
        assert!(most <= 2, "{most} failed logins of one environment, {}: {refused:#?}", strategy.name());
        let failed: Vec<_> = refused.into_iter().filter(is_failed_login).collect();
        assert!(
            failed.iter().all(|failed| failed.host.len() == 32),
            "environments by their names: {failed:?}"
        );
        // A test that can't fail is no test: there were logins in the gap, where there is one.
        let failed = failed.len();
        let has_gap = strategy != Strategy::Alternating;
        assert_eq!(failed > 0, has_gap, "{failed} failed logins, {}", strategy.name());
        println!("{}: {} calls, {failed} failed logins, at most {most} of one", strategy.name(), calls.len());
    }
    drop(rotations);
    world.sandbox.stop().await;
}
