//! Locks: one per database for its writers, and one per name given to `sp_getapplock`. Locks are
//! owned by sessions. Who asks waits in turn; a wait that could never end, because the owners wait
//! for the one who asks, is refused as a deadlock at once.
//!
//! SQLite has one writer at a time, so an exclusive lock is on the whole database. Nothing that
//! merely queues for it is a deadlock: only a real cycle is, for example two serializable
//! transactions that both read and then both write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::context::lock;
use crate::tds::error::{SqlError, SqlResult};

/// How long a lock is waited for when SET LOCK_TIMEOUT says nothing. SQL Server waits without a
/// limit; here every wait has one.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(60);

/// How often a waiter looks whether its client gave up.
const GLANCE: Duration = Duration::from_millis(20);

/// Who locks: a number that no other session has, now or later, and the one clients see.
pub type Owner = (u64, u16);

/// What is locked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// The rows of a database, by its number
    Database(i64),
    /// A name of `sp_getapplock`, in a database
    Application(i64, String),
}

/// How it is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// With others of the same kind
    Shared,
    /// Alone
    Exclusive,
}

#[derive(Debug, Default)]
struct State {
    held: BTreeMap<Resource, BTreeMap<Owner, Mode>>,
    waiting: Vec<(Owner, Resource, Mode)>,
}

/// All locks.
#[derive(Debug, Default)]
pub struct Locks {
    state: Mutex<State>,
    changed: Condvar,
}

impl Locks {
    /// Takes a lock for a session, or makes a shared one exclusive.
    ///
    /// # Errors
    /// 1205 when that would be a deadlock, 1222 after `wait`, and the cancellation when
    /// `cancelled` says so.
    pub fn take(
        &self,
        session: Owner,
        resource: &Resource,
        mode: Mode,
        wait: Duration,
        cancelled: impl Fn() -> bool,
    ) -> SqlResult<()> {
        let deadline = Instant::now() + wait;
        let mut state = lock(&self.state);
        if state
            .held
            .get(resource)
            .and_then(|holders| holders.get(&session))
            .is_some_and(|held| *held >= mode)
        {
            return Ok(());
        }
        state.waiting.push((session, resource.clone(), mode));
        let outcome = loop {
            if state.blockers(session).is_empty() {
                break Ok(());
            }
            if state.is_deadlock(session) {
                break Err(SqlError::deadlock(session.1));
            }
            if cancelled() {
                break Err(SqlError::cancelled());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break Err(SqlError::lock_timeout());
            }
            state =
                self.changed.wait_timeout(state, left.min(GLANCE)).unwrap_or_else(PoisonError::into_inner).0;
        };
        state.waiting.retain(|(waiter, ..)| *waiter != session);
        if outcome.is_ok() {
            state.held.entry(resource.clone()).or_default().insert(session, mode);
        }
        drop(state);
        self.changed.notify_all();
        outcome
    }

    /// Gives one lock back; false when the session has none.
    pub fn release(&self, session: Owner, resource: &Resource) -> bool {
        let mut state = lock(&self.state);
        let released = state.held.get_mut(resource).is_some_and(|holders| holders.remove(&session).is_some());
        state.held.retain(|_, holders| !holders.is_empty());
        drop(state);
        self.changed.notify_all();
        released
    }

    /// Gives all locks of a session back.
    pub fn release_all(&self, session: Owner) {
        let mut state = lock(&self.state);
        for holders in state.held.values_mut() {
            holders.remove(&session);
        }
        state.held.retain(|_, holders| !holders.is_empty());
        drop(state);
        self.changed.notify_all();
    }
}

impl State {
    /// Whom a waiting session waits for: holders in its way, and those who asked before it. Who
    /// holds a lock already goes ahead of the queue.
    fn blockers(&self, session: Owner) -> BTreeSet<Owner> {
        let Some(at) = self.waiting.iter().position(|(waiter, ..)| *waiter == session) else {
            return BTreeSet::new();
        };
        let (_, resource, mode) = &self.waiting[at];
        let in_the_way = |other: &Mode| *mode == Mode::Exclusive || *other == Mode::Exclusive;
        let holders = self.held.get(resource);
        let mut blockers: BTreeSet<Owner> = holders
            .into_iter()
            .flatten()
            .filter(|(holder, held)| **holder != session && in_the_way(held))
            .map(|(holder, _)| *holder)
            .collect();
        if !holders.is_some_and(|holders| holders.contains_key(&session)) {
            let earlier = self.waiting[..at].iter();
            blockers.extend(
                earlier
                    .filter(|(_, other, asked)| other == resource && in_the_way(asked))
                    .map(|(waiter, ..)| *waiter),
            );
        }
        blockers
    }

    fn is_deadlock(&self, session: Owner) -> bool {
        let mut seen = BTreeSet::new();
        let mut next: Vec<Owner> = self.blockers(session).into_iter().collect();
        while let Some(blocker) = next.pop() {
            if blocker == session {
                return true;
            }
            if seen.insert(blocker) {
                next.extend(self.blockers(blocker));
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const DATABASE: Resource = Resource::Database(1);
    const SHORT: Duration = Duration::from_millis(60);

    fn session(number: u16) -> Owner {
        (u64::from(number), number)
    }

    fn never() -> bool {
        false
    }

    #[test]
    fn writers_queue_and_readers_share() {
        let locks = Locks::default();
        locks.take(session(1), &DATABASE, Mode::Shared, SHORT, never).unwrap();
        locks.take(session(2), &DATABASE, Mode::Shared, SHORT, never).unwrap();
        assert_eq!(
            locks.take(session(3), &DATABASE, Mode::Exclusive, SHORT, never).unwrap_err().number,
            1222
        );
        locks.release_all(session(1));
        locks.release_all(session(2));
        locks.take(session(3), &DATABASE, Mode::Exclusive, SHORT, never).unwrap();
        assert!(locks.take(session(1), &DATABASE, Mode::Shared, SHORT, || true).unwrap_err().is_cancelled());
    }

    #[test]
    fn a_cycle_is_a_deadlock_and_a_queue_is_none() {
        let locks = Arc::new(Locks::default());
        locks.take(session(1), &DATABASE, Mode::Shared, SHORT, never).unwrap();
        locks.take(session(2), &DATABASE, Mode::Shared, SHORT, never).unwrap();
        let other = Arc::clone(&locks);
        let waiter = std::thread::spawn(move || {
            other.take(session(1), &DATABASE, Mode::Exclusive, Duration::from_secs(10), never)
        });
        while lock(&locks.state).waiting.is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let refused =
            locks.take(session(2), &DATABASE, Mode::Exclusive, Duration::from_secs(10), never).unwrap_err();
        assert_eq!(refused.number, 1205);
        locks.release_all(session(2));
        waiter.join().unwrap().unwrap();
    }
}
