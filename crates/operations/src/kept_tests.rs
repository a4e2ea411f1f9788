//! Who reads, who waits, and who goes on without.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use tokio::sync::oneshot;

use super::*;

fn clock() -> (Arc<AtomicI64>, Clock) {
    let time = Arc::new(AtomicI64::new(1_000_000));
    let read = time.clone();
    (time, Arc::new(move || Timestamp(read.load(Ordering::SeqCst))))
}

/// One whose callers wait as long for a newer value as for a first one: what is shown does not depend
/// on how busy the machine is.
fn patient<T: Clone + Send + 'static>() -> Kept<T> {
    let minute = Duration::from_secs(60);
    Kept { grace: minute, patience: minute, unsaid: minute, ..Kept::every(Duration::from_secs(5)) }
}

/// One whose callers wait for nothing.
fn hurried<T: Clone + Send + 'static>() -> Kept<T> {
    Kept { grace: Duration::ZERO, unsaid: Duration::ZERO, ..patient() }
}

fn never<T>() -> std::future::Pending<Result<T, Problem>> {
    panic!("read again before it was due")
}

#[tokio::test]
async fn callers_share_one_reading_until_it_is_due() {
    let (time, clock) = clock();
    let kept = patient();
    let reads = Arc::new(AtomicU32::new(0));
    let read = || {
        let reads = Arc::clone(&reads);
        async move {
            tokio::task::yield_now().await;
            Ok(reads.fetch_add(1, Ordering::SeqCst))
        }
    };
    let all = futures::join!(kept.get(&clock, read), kept.get(&clock, read), kept.get(&clock, read));
    assert_eq!((all.0.value, all.1.value, all.2.value), (Some(0), Some(0), Some(0)));
    time.fetch_add(4_999, Ordering::SeqCst);
    assert_eq!(kept.get(&clock, read).await.value, Some(0));
    time.fetch_add(1, Ordering::SeqCst);
    assert_eq!(kept.get(&clock, read).await.value, Some(1));
    time.fetch_add(-60_000, Ordering::SeqCst);
    assert_eq!(kept.get(&clock, read).await.value, Some(2));
}

#[tokio::test]
async fn a_failure_keeps_the_older_value_with_its_age() {
    let (time, clock) = clock();
    let kept = patient();
    let first = kept.get(&clock, || async { Ok(7) }).await;
    time.fetch_add(10_000, Ordering::SeqCst);
    let refused = Problem::new(ProblemKind::Throttled, "slow down");
    let failing = refused.clone();
    let second = kept.get(&clock, || async { Err(failing) }).await;
    assert_eq!(second, Reading { value: Some(7), at: first.at, problem: Some(refused) });
    // The failed attempt counts: nobody hammers a service that is throttling.
    let third = kept.get(&clock, never).await;
    assert_eq!(third, second);
    time.fetch_add(5_000, Ordering::SeqCst);
    let fourth = kept.get(&clock, || async { Ok(8) }).await;
    assert_eq!((fourth.value, fourth.problem), (Some(8), None));
}

#[tokio::test]
async fn a_reading_that_hangs_is_given_up() {
    let (_, clock) = clock();
    let kept: Kept<u8> = Kept { limit: Duration::from_millis(5), ..patient() };
    let reading = kept.get(&clock, std::future::pending).await;
    assert_eq!(reading.value, None);
    assert_eq!(reading.problem.map(|problem| problem.kind), Some(ProblemKind::TimedOut));
}

#[tokio::test]
async fn while_a_reading_takes_long_the_older_value_serves_and_is_then_replaced() {
    let (time, clock) = clock();
    let kept = hurried();
    let first = kept.get(&clock, || async { Ok(7) }).await;
    time.fetch_add(10_000, Ordering::SeqCst);
    let (answer, answered) = oneshot::channel();
    let read = || async { answered.await.map_err(|_| Problem::new(ProblemKind::Upstream, "gone")) };
    let second = kept.get(&clock, read).await;
    assert_eq!((second.value, second.at), (Some(7), first.at));
    assert_eq!(second.problem.map(|problem| problem.kind), Some(ProblemKind::TimedOut));
    // The reading is under way all the same: nobody begins another one beside it.
    time.fetch_add(60_000, Ordering::SeqCst);
    assert_eq!(kept.get(&clock, never).await.value, Some(7));
    answer.send(8).unwrap();
    // Who must not act on an older value waits for it.
    let reading = kept.get_waiting(Wait::Long, &clock, never).await;
    assert_eq!(reading, Reading::fresh(8, clock()));
    assert_eq!(kept.get(&clock, never).await, reading);
}

#[tokio::test]
async fn nobody_waits_for_an_unhurried_reading_and_nothing_is_wrong_with_that() {
    let (time, clock) = clock();
    let kept = patient().unhurried(Duration::from_secs(60));
    let first = kept.get(&clock, || async { Ok(7) }).await;
    time.fetch_add(10_000, Ordering::SeqCst);
    let (answer, answered) = oneshot::channel();
    let read = || async { answered.await.map_err(|_| Problem::new(ProblemKind::Upstream, "gone")) };
    assert_eq!(kept.get(&clock, read).await, first);
    answer.send(8).unwrap();
    assert_eq!(kept.get_waiting(Wait::Long, &clock, never).await.value, Some(8));
}

#[tokio::test]
async fn a_caller_who_leaves_does_not_end_the_reading() {
    let (_, clock) = clock();
    let kept = patient();
    let (answer, answered) = oneshot::channel();
    let read = || async { answered.await.map_err(|_| Problem::new(ProblemKind::Upstream, "gone")) };
    tokio::select! {
        biased;
        _ = kept.get(&clock, read) => panic!("nobody has answered"),
        () = tokio::task::yield_now() => {}
    }
    answer.send(1).unwrap();
    assert_eq!(kept.get(&clock, never).await.value, Some(1));
}

#[tokio::test]
async fn without_an_older_value_a_caller_waits_and_then_goes_on_without() {
    let (_, clock) = clock();
    let kept: Kept<u8> = Kept { patience: Duration::from_millis(5), ..patient() };
    let reading = kept.get(&clock, std::future::pending).await;
    assert_eq!(reading.problem.map(|problem| problem.kind), Some(ProblemKind::TimedOut));
    assert_eq!(reading.value, None);
}

#[tokio::test]
async fn what_was_being_read_when_something_changed_does_not_count_as_new() {
    let (_, clock) = clock();
    let kept = patient();
    let (answer, answered) = oneshot::channel();
    let read = || async { answered.await.map_err(|_| Problem::new(ProblemKind::Upstream, "gone")) };
    kept.prepare(&clock, read);
    kept.forget();
    let (before, after) = futures::join!(
        async { answer.send("before").map_err(drop) },
        kept.get(&clock, || async { Ok("after") })
    );
    assert_eq!((before, after.value), (Ok(()), Some("after")));
    assert_eq!(kept.get(&clock, never).await.value, Some("after"));
    kept.forget();
    assert_eq!(kept.get(&clock, || async { Ok("again") }).await.value, Some("again"));
}

#[tokio::test]
async fn a_reading_that_breaks_off_is_a_problem_and_not_for_ever() {
    let (_, clock) = clock();
    let kept = patient();
    let reading: Reading<u8> = kept.get(&clock, || async { panic!("a mistake") }).await;
    assert_eq!(reading.problem.map(|problem| problem.kind), Some(ProblemKind::Internal));
    assert_eq!(kept.get(&clock, || async { Ok(1) }).await.value, Some(1));
}
