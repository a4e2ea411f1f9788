//! A reading that is shared between callers and read again in its own rhythm. However many callers
//! there are, one of them reads and the others wait for it (single flight); when the reading fails,
//! the older value stays, with the problem and its own age.

use std::time::Duration;

use model::overview::Reading;
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;
use tokio::sync::Mutex;

use crate::portal::Clock;

/// How long one reading may take. A page waits for it, so it must be shorter than patience.
const LIMIT: Duration = Duration::from_millis(4_500);

pub(crate) struct Kept<T> {
    every: Duration,
    limit: Duration,
    last: Mutex<Option<Last<T>>>,
}

struct Last<T> {
    tried: Timestamp,
    reading: Reading<T>,
}

impl<T: Clone> Kept<T> {
    /// A reading that is made anew when the last attempt is `every` old.
    pub(crate) fn every(every: Duration) -> Self {
        Self { every, limit: LIMIT, last: Mutex::new(None) }
    }

    /// Has the next caller read anew, whenever the last attempt was. The value stays for as long as
    /// that takes, and if it fails.
    pub(crate) async fn forget(&self) {
        if let Some(last) = &mut *self.last.lock().await {
            last.tried = Timestamp(i64::MAX);
        }
    }

    /// The reading: the last one, or a new one when it is due. When a caller leaves while it reads,
    /// the next one reads anew.
    pub(crate) async fn get<F>(&self, clock: &Clock, read: impl FnOnce() -> F) -> Reading<T>
    where
        F: Future<Output = Result<T, Problem>>,
    {
        let mut last = self.last.lock().await;
        if let Some(last) = &*last
            && !due(last.tried, clock(), self.every)
        {
            return last.reading.clone();
        }
        let result = tokio::time::timeout(self.limit, read()).await.unwrap_or_else(|_| {
            let message = format!("There was no answer within {} ms.", self.limit.as_millis());
            Err(Problem::new(ProblemKind::TimedOut, message))
        });
        let before = last.take().and_then(|last| Some((last.reading.value?, last.reading.at)));
        let reading = match (result, before) {
            (Ok(value), _) => Reading::fresh(value, clock()),
            (Err(problem), Some((value, at))) => Reading { value: Some(value), at, problem: Some(problem) },
            (Err(problem), None) => Reading::missing(problem, clock()),
        };
        // Counted from the end: those who waited for an attempt that failed don't each make another.
        *last = Some(Last { tried: clock(), reading: reading.clone() });
        reading
    }
}

/// Whether a reading tried at `tried` is to be made anew; also when the clock went back.
fn due(tried: Timestamp, now: Timestamp, every: Duration) -> bool {
    u128::try_from(now.0.saturating_sub(tried.0)).map_or(true, |age| age >= every.as_millis())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

    use super::*;

    fn clock() -> (Arc<AtomicI64>, Clock) {
        let time = Arc::new(AtomicI64::new(1_000_000));
        let read = time.clone();
        (time, Arc::new(move || Timestamp(read.load(Ordering::SeqCst))))
    }

    #[tokio::test]
    async fn callers_share_one_reading_until_it_is_due() {
        let (time, clock) = clock();
        let kept = Kept::every(Duration::from_secs(5));
        let reads = AtomicU32::new(0);
        let read = || async {
            tokio::task::yield_now().await;
            Ok(reads.fetch_add(1, Ordering::SeqCst))
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
        let kept = Kept::every(Duration::from_secs(5));
        let first = kept.get(&clock, || async { Ok(7) }).await;
        time.fetch_add(10_000, Ordering::SeqCst);
        let refused = Problem::new(ProblemKind::Throttled, "slow down");
        let second = kept.get(&clock, || async { Err(refused.clone()) }).await;
        assert_eq!(second, Reading { value: Some(7), at: first.at, problem: Some(refused) });
        // The failed attempt counts: nobody hammers a service that is throttling.
        let third = kept.get(&clock, || async { panic!("read again before it was due") }).await;
        assert_eq!(third, second);
        time.fetch_add(5_000, Ordering::SeqCst);
        let fourth = kept.get(&clock, || async { Ok(8) }).await;
        assert_eq!((fourth.value, fourth.problem), (Some(8), None));
    }

    #[tokio::test]
    async fn a_reading_that_hangs_is_given_up() {
        let (_, clock) = clock();
        let mut kept: Kept<u8> = Kept::every(Duration::from_secs(5));
        kept.limit = Duration::from_millis(5);
        let reading = kept.get(&clock, std::future::pending).await;
        assert_eq!(reading.value, None);
        assert_eq!(reading.problem.map(|problem| problem.kind), Some(ProblemKind::TimedOut));
    }
}
