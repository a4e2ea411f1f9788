//! A reading that is shared between callers and read again in its own rhythm. However many callers
//! there are, at most one reading is under way (single flight); when it fails, the older value stays,
//! with the problem and its own age.
//!
//! A reading is made in a task of its own. Whoever asks waits for it, for a moment where there is an
//! older value, and else for as long as a page may take; then they go on without it, and it fills what
//! is kept for the next who asks. So a page shows what is known while AWS hangs, and a caller who
//! leaves takes nothing down.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::overview::Reading;
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::Instrument;

use crate::portal::Clock;

/// How long one reading may take. A page waits for it, so it must be shorter than patience.
const LIMIT: Duration = Duration::from_millis(4_500);
/// How long a caller waits where there is nothing older: a little longer, so that a reading that is
/// given up says so itself.
const PATIENCE: Duration = Duration::from_millis(4_700);
/// How long a caller waits where there is an older value. AWS answers in a tenth of that.
const GRACE: Duration = Duration::from_millis(1_500);

pub(crate) struct Kept<T> {
    every: Duration,
    limit: Duration,
    patience: Duration,
    grace: Duration,
    /// How long a reading may be under way before the older value is handed out with a problem.
    unsaid: Duration,
    state: Arc<Mutex<State<T>>>,
}

struct State<T> {
    /// How often all that was read before was said to count no more.
    era: u64,
    last: Option<Last<T>>,
    flight: Option<Flight>,
}

struct Last<T> {
    tried: Timestamp,
    era: u64,
    reading: Reading<T>,
}

/// A reading under way.
#[derive(Clone)]
struct Flight {
    began: Instant,
    /// Closed when it has ended, however it has.
    ended: watch::Receiver<()>,
}

/// How long a caller waits who has an older value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// A moment: it is a page.
    Briefly,
    /// As long as without one: it is an operation, to which what is old proves nothing.
    Long,
}

/// What a caller finds.
enum Found<T> {
    Kept(Reading<T>),
    UnderWay(Flight),
    /// The caller's own reading has ended and left nothing: its task broke off.
    Lost,
}

impl<T: Clone + Send + 'static> Kept<T> {
    /// A reading that is made anew when the last attempt is `every` old.
    pub(crate) fn every(every: Duration) -> Self {
        let state = State { era: 0, last: None, flight: None };
        let state = Arc::new(Mutex::new(state));
        Self { every, limit: LIMIT, patience: PATIENCE, grace: GRACE, unsaid: GRACE, state }
    }

    /// The same for a reading that takes its time by itself, `limit` at most: with an older value at hand
    /// nobody waits for it, and nothing is wrong before half of that is over.
    pub(crate) fn unhurried(self, limit: Duration) -> Self {
        Self { limit, grace: Duration::ZERO, unsaid: limit / 2, ..self }
    }

    /// Has the next caller read anew, whenever the last attempt was; what is being read at this moment
    /// does not count as new. The value stays for as long as that takes, and if it fails.
    pub(crate) fn forget(&self) {
        lock(&self.state).era += 1;
    }

    /// Begins to read if that is due, and waits for nothing.
    pub(crate) fn prepare<F>(&self, clock: &Clock, read: impl FnOnce() -> F)
    where
        F: Future<Output = Result<T, Problem>> + Send + 'static,
    {
        drop(self.find(clock, &mut Some(read)));
    }

    /// The reading: the last one, or a new one when it is due; the last one with a problem when the new
    /// one takes long.
    pub(crate) async fn get<F>(&self, clock: &Clock, read: impl FnOnce() -> F) -> Reading<T>
    where
        F: Future<Output = Result<T, Problem>> + Send + 'static,
    {
        self.get_waiting(Wait::Briefly, clock, read).await
    }

    /// The same with a say in how long "long" is.
    pub(crate) async fn get_waiting<F>(
        &self,
        wait: Wait,
        clock: &Clock,
        read: impl FnOnce() -> F,
    ) -> Reading<T>
    where
        F: Future<Output = Result<T, Problem>> + Send + 'static,
    {
        let wanted = lock(&self.state).era;
        let mut read = Some(read);
        loop {
            let mut flight = match self.find(clock, &mut read) {
                Found::Kept(reading) => return reading,
                Found::UnderWay(flight) => flight,
                Found::Lost => {
                    let problem = Problem::new(ProblemKind::Internal, "A reading broke off in the portal.");
                    return self.older(clock, Some(problem.with_next("The portal's log says more.")));
                }
            };
            let briefly = wait == Wait::Briefly && self.has_value();
            let until = flight.began + if briefly { self.grace } else { self.patience };
            if timeout_at(until, flight.ended.changed()).await.is_err() {
                let waited = flight.began.elapsed();
                if briefly && waited < self.unsaid {
                    return self.older(clock, None);
                }
                let waited = waited.as_millis();
                let message = format!("There was no answer within {waited} ms; it is still waited for.");
                return self.older(clock, Some(Problem::new(ProblemKind::TimedOut, message)));
            }
            // However old it is by now: it was read since the caller asked, or with those who did.
            if let Some(last) = lock(&self.state).last.as_ref().filter(|last| last.era >= wanted) {
                return last.reading.clone();
            }
        }
    }

    /// What is kept if it is not due; else the reading under way, which is begun if there is none.
    fn find<F, R>(&self, clock: &Clock, read: &mut Option<R>) -> Found<T>
    where
        F: Future<Output = Result<T, Problem>> + Send + 'static,
        R: FnOnce() -> F,
    {
        let mut state = lock(&self.state);
        if let Some(last) = &state.last
            && last.era == state.era
            && !due(last.tried, clock(), self.every)
        {
            return Found::Kept(last.reading.clone());
        }
        if let Some(flight) = state.flight.as_ref().filter(|flight| flight.ended.has_changed().is_ok()) {
            return Found::UnderWay(flight.clone());
        }
        let Some(read) = read.take() else { return Found::Lost };
        let (end, ended) = watch::channel(());
        let flight = Flight { began: Instant::now(), ended };
        state.flight = Some(flight.clone());
        let (era, kept, clock, limit) = (state.era, Arc::clone(&self.state), Clock::clone(clock), self.limit);
        let reading = read();
        let work = async move {
            let result = timeout(limit, reading).await.unwrap_or_else(|_| {
                let message = format!("There was no answer within {} ms.", limit.as_millis());
                Err(Problem::new(ProblemKind::TimedOut, message))
            });
            lock(&kept).keep(result, era, clock());
            // Not before it is kept: whoever waits looks there.
            drop(end);
        };
        tokio::spawn(work.in_current_span());
        Found::UnderWay(flight)
    }

    fn has_value(&self) -> bool {
        lock(&self.state).last.as_ref().is_some_and(|last| last.reading.value.is_some())
    }

    /// What there was before, with what was wrong with it, or else with this problem.
    fn older(&self, clock: &Clock, problem: Option<Problem>) -> Reading<T> {
        match &lock(&self.state).last {
            Some(Last { reading, .. }) if reading.value.is_some() => {
                Reading { problem: reading.problem.clone().or(problem), ..reading.clone() }
            }
            _ => {
                let nothing = || Problem::new(ProblemKind::TimedOut, "Nothing was read yet.");
                Reading::missing(problem.unwrap_or_else(nothing), clock())
            }
        }
    }
}

impl<T> State<T> {
    fn keep(&mut self, result: Result<T, Problem>, era: u64, now: Timestamp) {
        let before = self.last.take().and_then(|last| Some((last.reading.value?, last.reading.at)));
        let reading = match (result, before) {
            (Ok(value), _) => Reading::fresh(value, now),
            (Err(problem), Some((value, at))) => Reading { value: Some(value), at, problem: Some(problem) },
            (Err(problem), None) => Reading::missing(problem, now),
        };
        // Counted from the end: those who waited for an attempt that failed don't each make another.
        self.last = Some(Last { tried: now, era, reading });
    }
}

fn lock<T>(state: &Mutex<State<T>>) -> MutexGuard<'_, State<T>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a reading tried at `tried` is to be made anew; also when the clock went back.
fn due(tried: Timestamp, now: Timestamp, every: Duration) -> bool {
    u128::try_from(now.0.saturating_sub(tried.0)).map_or(true, |age| age >= every.as_millis())
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
