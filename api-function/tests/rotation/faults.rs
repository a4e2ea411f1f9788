//! Crashes and faults at every boundary: after each of them the password of some stage logs in, and one
//! more run of the rotation makes everything right, with one password for one version's id.
//!
//! Every remote call of a rotation is one place to fail: the tests count them first, and then let each
//! one fail in turn. With `LOCKKEEPER_LONG=1` every effect is tried at every call for both strategies,
//! and all pairs of faults.

#![expect(clippy::unwrap_used, reason = "helpers of tests: what fails here fails the test")]

use std::time::Duration;

use api_function::rotation::Rotation;
use sandbox::faults::{At, AwsEffect, Fault, TdsEffect};

use crate::world::{STEPS, World, token};

/// More versions than that a secret does not take in a day.
const ROUNDS_PER_WORLD: u32 = 100;
/// What a step has where something hangs: the margin, and a bit.
const SHORT: Duration = Duration::from_millis(2_200);

fn long() -> bool {
    std::env::var_os("LOCKKEEPER_LONG").is_some()
}

async fn world(alternating: bool) -> World {
    if alternating { World::start_alternating().await } else { World::start().await }
}

/// A fault at the call of this number: so many times that the SDK's own retries don't hide it, where
/// that is asked for.
fn aws(effect: AwsEffect, at: u32, times: u32) -> Fault {
    let at_aws = At::Aws { service: "secretsmanager".to_owned(), operation: None, effect };
    Fault { at: at_aws, skip: at, times: Some(times), share: 1.0 }
}

fn tds(effect: TdsEffect, at: u32) -> Fault {
    Fault { at: At::Tds { effect }, skip: at, times: Some(1), share: 1.0 }
}

/// How many calls a rotation makes to Secrets Manager.
async fn calls(alternating: bool) -> u32 {
    let world = world(alternating).await;
    let count = |world: &World| -> u64 {
        world
            .context
            .calls
            .all()
            .iter()
            .filter(|(service, ..)| service == "secretsmanager")
            .map(|c| c.2)
            .sum()
    };
    let before = count(&world);
    world.begin(&token(1));
    world.rotate(&world.function(&[]), &token(1)).await.unwrap();
    u32::try_from(count(&world) - before).unwrap()
}

async fn try_rotation(world: &World, function: &Rotation, token: &str, left: Duration) -> bool {
    for step in STEPS {
        if world.step_within(function, step, token, left).await.is_err() {
            return false;
        }
    }
    true
}

/// A rotation with these faults, and after it one without. True when the first one came through.
async fn survives(world: &World, function: &Rotation, number: u32, faults: &[Fault]) -> bool {
    let token = token(number);
    let hangs = |fault: &Fault| matches!(fault.at, At::Aws { effect: AwsEffect::TimeOut, .. });
    let left = if faults.iter().any(hangs) { SHORT } else { Duration::from_secs(60) };
    world.begin(&token);
    for fault in faults {
        world.fault(fault.clone());
    }
    let through = try_rotation(world, function, &token, left).await;
    world.context.faults.clear();
    world.assert_some_stage_works().await;
    if !through {
        // Another environment, and one that is patient: it has no fault to find out soon.
        let next = world.function(&[("SQL_TIMEOUT", "20000")]);
        world.rotate(&next, &token).await.unwrap_or_else(|error| panic!("{faults:?}: {error:?}"));
    }
    world.assert_rotated(&token).await;
    through
}

/// Every call, with this effect.
async fn at_every_call(alternating: bool, effect: AwsEffect, times: u32) {
    let calls = calls(alternating).await;
    assert!(calls >= 14, "{calls}");
    let world = world(alternating).await;
    let function = world.function(&[]);
    let mut failed = 0;
    for at in 0..calls {
        let through = survives(&world, &function, at + 1, &[aws(effect.clone(), at, times)]).await;
        failed += u32::from(!through);
    }
    // A test that can't fail is no test: those that outlast the retries are noticed, but for two that
    // are made up for (the random password, the label AWSPENDING at the end) and moves that were made.
    if effect == AwsEffect::Duplicate {
        assert_eq!(failed, 0, "a call made twice is nothing to fail for");
    } else if times >= 3 {
        assert!(failed + 3 >= calls, "{failed} of {calls} with {effect:?}");
    }
    world.assert_no_leak().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_user_with_every_reply_lost() {
    at_every_call(false, AwsEffect::DropReply, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_user_with_every_call_refused() {
    at_every_call(false, AwsEffect::ServerError, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_user_with_every_call_doubled() {
    at_every_call(false, AwsEffect::Duplicate, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_user_with_every_call_hanging() {
    at_every_call(false, AwsEffect::TimeOut, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alternating_users_with_every_reply_lost() {
    at_every_call(true, AwsEffect::DropReply, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_connection_and_statement_breaks() {
    use TdsEffect::{CutMidRow, Deadlock, Refuse, Stall};
    connections_and_statements_break(false, &[Refuse, CutMidRow, Stall, Deadlock]).await;
    connections_and_statements_break(true, &[Refuse, CutMidRow]).await;
}

async fn connections_and_statements_break(alternating: bool, effects: &[TdsEffect]) {
    let world = world(alternating).await;
    let function = world.function(&[("SQL_TIMEOUT", "300")]);
    let mut number = 0;
    for effect in effects {
        let mut at = 0;
        // Until a fault is so late that nothing meets it.
        loop {
            // From the original to the clone is where the work is: back again without a fault.
            number += 1;
            let through = survives(&world, &function, number, &[tds(effect.clone(), at)]).await;
            if alternating {
                number += 1;
                assert!(survives(&world, &function, number, &[]).await);
            }
            if through {
                break;
            }
            at += 1;
        }
        assert!(at >= 1, "{effect:?}");
        assert!(number < ROUNDS_PER_WORLD);
    }
    world.assert_no_leak().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_twice_at_once() {
    for alternating in [false, true] {
        let world = world(alternating).await;
        let functions = [world.function(&[]), world.function(&[]), world.function(&[])];
        for round in 1..=4 {
            let token = token(round);
            world.begin(&token);
            for step in STEPS {
                let [a, b, c] = &functions;
                let all = tokio::join!(
                    world.step(a, step, &token),
                    world.step(b, step, &token),
                    world.step(c, step, &token)
                );
                // Somebody comes through, and nobody who fails is in the way.
                assert!(all.0.is_ok() || all.1.is_ok() || all.2.is_ok(), "{step}: {all:?}");
                world.assert_some_stage_works().await;
            }
            world.rotate(&functions[0], &token).await.unwrap();
            world.assert_rotated(&token).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_may_be_the_last_for_a_while() {
    for alternating in [false, true] {
        let world = world(alternating).await;
        let function = world.function(&[]);
        for cut in 0..=STEPS.len() {
            let token = token(u32::try_from(cut).unwrap() + 1);
            world.begin(&token);
            for step in &STEPS[..cut] {
                world.step(&function, step, &token).await.unwrap();
            }
            world.assert_some_stage_works().await;
            // Another environment takes over, from the beginning.
            world.rotate(&world.function(&[]), &token).await.unwrap();
            world.assert_rotated(&token).await;
        }
    }
}

/// Takes minutes.
#[tokio::test(flavor = "multi_thread")]
async fn long_every_effect_at_every_call() {
    if !long() {
        return;
    }
    use AwsEffect::{AccessDenied, DropBefore, DropReply, Duplicate, ServerError, Throttle, TimeOut};
    for alternating in [false, true] {
        for effect in [Throttle, ServerError, DropBefore, TimeOut, DropReply, Duplicate, AccessDenied] {
            for times in [1, 3] {
                at_every_call(alternating, effect.clone(), times).await;
            }
        }
        let effects = [TdsEffect::Refuse, TdsEffect::CutMidRow, TdsEffect::Stall, TdsEffect::Deadlock];
        connections_and_statements_break(alternating, &effects).await;
    }
}

/// Takes an hour.
#[tokio::test(flavor = "multi_thread")]
async fn long_all_pairs_of_faults() {
    if !long() {
        return;
    }
    let effects = [AwsEffect::DropReply, AwsEffect::DropBefore, AwsEffect::Duplicate];
    for alternating in [false, true] {
        let calls = calls(alternating).await;
        let mut faults: Vec<Fault> = Vec::new();
        for at in 0..calls {
            faults.extend(effects.iter().map(|effect| aws(effect.clone(), at, 3)));
        }
        for at in 0..3 {
            faults.extend([TdsEffect::Refuse, TdsEffect::CutMidRow, TdsEffect::Deadlock].map(|e| tds(e, at)));
        }
        let (mut place, mut number, mut tried) = (world(alternating).await, 0, 0);
        for (first, one) in faults.iter().enumerate() {
            for other in &faults[first + 1..] {
                if number == ROUNDS_PER_WORLD {
                    (place, number) = (world(alternating).await, 0);
                }
                number += 1;
                tried += 1;
                if tried % 100 == 0 {
                    println!("{tried} pairs, alternating users: {alternating}");
                }
                let function = place.function(&[("SQL_TIMEOUT", "300")]);
                survives(&place, &function, number, &[one.clone(), other.clone()]).await;
            }
        }
    }
}
