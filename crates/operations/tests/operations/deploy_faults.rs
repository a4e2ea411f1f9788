//! A portal is killed, or AWS fails, at each remote call of a rollout: another portal goes on, or ends
//! it; the alias never names a version that nobody chose; callers notice nothing.

use std::time::Duration;

use model::deploy::{Rollout, RolloutState};
use operations::{Pace, Portal};
use sandbox::faults::{At, AwsEffect, Fault};

use crate::deploy::{Callers, begin, deploy, live, shown, upload};
use crate::watch::Watch;
use crate::world::zips;

/// The calls that change something, with how often each is made by a rollout that goes well.
const CHANGES: [(&str, u32); 5] =
    [("UpdateAlias", 3), ("TagResource", 2), ("UpdateFunctionCode", 2), ("PublishVersion", 1), ("Invoke", 1)];
/// What may go wrong with each. The killed portal meets the other two; with `LOCKKEEPER_LONG=1` the one that
/// lives meets all four.
const EFFECTS: [AwsEffect; 2] = [AwsEffect::Duplicate, AwsEffect::ServerError];
const MORE_EFFECTS: [AwsEffect; 2] = [AwsEffect::DropBefore, AwsEffect::DropReply];

fn fault(operation: &str, effect: &AwsEffect, skip: u32) -> Fault {
    let at = At::Aws {
        service: "lambda".to_owned(),
        operation: Some(operation.to_owned()),
        effect: effect.clone(),
    };
    Fault { at, skip, times: Some(1), share: 1.0 }
}

/// Drives with this portal until nothing is under way. Failures are looked over: it is tried again.
async fn drive_to_the_end(watch: &Watch, portal: &Portal) -> Option<Rollout> {
    for _ in 0..200 {
        match portal.drive_once().await {
            Ok(Pace::Idle) => return shown(watch).await,
            Ok(Pace::Now) => {}
            Ok(_) | Err(_) => {
                watch.advance(1_000);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    panic!("it does not end: {:?}", shown(watch).await);
}

/// Drives until the fault has struck, then no more: as if the process had been killed there.
async fn drive_until_struck(watch: &Watch) {
    for _ in 0..100 {
        match watch.portal.drive_once().await {
            Ok(Pace::Idle) | Err(_) => return,
            Ok(Pace::Now) => {}
            Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn struck_once(watch: &Watch, operation: &str, effect: &AwsEffect, skip: u32, label: &str) {
    let what = format!("{operation} #{skip} {effect:?}");
    let before = live(watch).await;
    let code = upload(&watch.portal, zips::good(label)).await;
    let faults = &watch.world.sandbox.context().faults;
    faults.add(fault(operation, effect, skip));
    let began = begin(&watch.portal, &deploy(code, "all")).await;
    if began.is_ok() {
        drive_until_struck(watch).await;
    }
    faults.clear();
    // The portal is gone. After the silence another takes over.
    watch.advance(60_000);
    let heir = watch.another().await;
    let end = drive_to_the_end(watch, &heir).await;
    let now = live(watch).await;
    assert_eq!(now.weight, None, "{what}");
    match end {
        // Nothing was begun: the caller was told so.
        None => assert!(began.is_err(), "{what}: {began:?}"),
        Some(end) if end.state == RolloutState::Promoted => {
            assert_eq!(Some(&now.version), end.new.as_ref(), "{what}");
            let description = now.description.unwrap_or_default();
            assert!(description.contains("A test's new code"), "{what}: {description}");
        }
        // The upload went down with the portal, or the details were never written: nothing moved.
        Some(end) => {
            assert_eq!(end.state, RolloutState::Stopped, "{what}: {end:?}");
            assert_eq!(now.version, before.version, "{what}");
            let lost = ["lost with the portal", "written down"];
            assert!(lost.iter().any(|words| end.summary.contains(words)), "{what}: {}", end.summary);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_killed_at_any_call_leaves_nothing_that_nobody_chose() {
    let watch = Watch::start().await;
    let callers = Callers::of(&watch);
    let mut number = 0;
    for (operation, times) in CHANGES {
        for effect in [AwsEffect::DropBefore, AwsEffect::DropReply] {
            for skip in 0..times {
                number += 1;
                struck_once(&watch, operation, &effect, skip, &format!("cut {number}")).await;
            }
        }
    }
    let (called, failed) = callers.stop().await;
    assert!(called > 0 && failed == 0, "{failed} of {called}");
}

/// The portal lives on and meets each fault once: it gets there all the same, by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_that_lives_gets_there_through_each_fault() {
    let watch = Watch::start().await;
    let callers = Callers::of(&watch);
    let mut number = 0;
    let mut effects = EFFECTS.to_vec();
    if std::env::var_os("LOCKKEEPER_LONG").is_some() {
        effects.extend(MORE_EFFECTS);
    }
    for (operation, times) in CHANGES {
        for effect in effects.clone() {
            for skip in 0..times {
                number += 1;
                let what = format!("{operation} #{skip} {effect:?}");
                let code = upload(&watch.portal, zips::good(&format!("fault {number}"))).await;
                let faults = &watch.world.sandbox.context().faults;
                faults.add(fault(operation, &effect, skip));
                let began = begin(&watch.portal, &deploy(code, "all")).await;
                let end = drive_to_the_end(&watch, &watch.portal).await;
                faults.clear();
                let Some(end) = end else {
                    assert!(began.is_err(), "{what}: nothing is known of it");
                    continue;
                };
                match end.state {
                    RolloutState::Promoted => {}
                    // The caller was told that it failed, and the next one finds the way free.
                    RolloutState::Stopped => assert!(began.is_err(), "{what}: {end:?}"),
                    other => panic!("{what}: {other:?} {end:?}"),
                }
            }
        }
    }
    let (called, failed) = callers.stop().await;
    assert!(called > 0 && failed == 0, "{failed} of {called}");
}
