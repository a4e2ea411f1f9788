//! What to do when the server refuses a login. Decisions only: nothing here reads a clock, sleeps or
//! calls anything.
//!
//! A wrong password is either the gap of a single-user rotation, in which AWSCURRENT still names the
//! old password while the login has the new one already, or it is a mistake. The first is to be
//! bridged, the second must not lock the account. Therefore:
//!
//! - 18456 (login failed): the secret is read again. A version of AWSCURRENT that was not refused yet
//!   is tried, or else AWSPENDING's if it has a value. Where there is neither, both are read again after
//!   growing random waits, within about ten seconds, and AWSCURRENT is tried once more. What was found
//!   in the secret may be refused too, if another rotation went by meanwhile: then there is a version
//!   again that nobody refused, and otherwise the secret is wrong.
//! - 18486 (locked out), 18487 (expired), 18488 (must be changed): never tried again in the same
//!   request. Neither is any other refusal, such as 4060 (the database can't be opened).
//! - Whatever the way, no environment is refused more than three times a minute. Logins that
//!   succeed are not counted: they lock nothing, and a cut connection must not cost a request.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, Utc};

/// So many refused logins are made in a [`WINDOW`] at most.
pub const MOST_REFUSALS: usize = 3;
/// The time over which refused logins are counted.
pub const WINDOW: Duration = Duration::from_secs(60);
/// The waits before AWSCURRENT is tried again; half of each is random. Ten seconds at most.
const WAITS: [Duration; 3] =
    [Duration::from_millis(1_000), Duration::from_millis(3_000), Duration::from_millis(6_000)];
/// When a client may come back after a refusal that only a person can put right.
const LATER: Duration = Duration::from_secs(30);

/// Which credentials a refused login used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Used {
    /// Those at hand.
    Cached,
    /// Those of a version of AWSCURRENT that was found by reading it again.
    NewVersion,
    /// AWSPENDING's.
    Pending,
    /// AWSCURRENT's, which were refused before, after so many waits.
    Again(usize),
}

/// What a reading of the secret found that no login of this request was refused with.
///
/// AWSPENDING is read first. The other way round a rotation could end, and even another begin, between
/// the two: AWSCURRENT would be the old version still, and AWSPENDING gone, or one that no login has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// AWSCURRENT's version is such a one.
    pub current: bool,
    /// AWSPENDING has a value, and its version is such a one.
    pub pending: bool,
}

/// What is known when a login has been refused.
#[derive(Debug, Clone, Copy)]
pub struct LoginState {
    /// Which credentials it used.
    pub used: Used,
    /// How many logins were refused within the last [`WINDOW`], this one included.
    pub refusals: usize,
    /// When the next login may be made.
    pub free_in: Duration,
    /// How much of the request's time is left.
    pub left: Duration,
    /// A random number from 0 to 1.
    pub jitter: f64,
}

/// What to do when the secret was read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Log in with what was just read.
    LogIn(Used),
    /// Wait so long and read both, then ask [`after_waiting`] with this number of waits.
    WaitThenRead(Duration, usize),
    /// Answer 503; the client may come back after so long.
    GiveUp(Duration),
}

/// What to do after the server refused a login with the error `number`: read AWSPENDING and AWSCURRENT
/// again, and ask [`after_reading`].
///
/// # Errors
/// When it is given up: the answer is 503, and the client may come back after so long.
pub fn after_login_failure(state: &LoginState, number: u32) -> Result<(), Duration> {
    if number != 18456 {
        return Err(LATER);
    }
    if state.refusals >= MOST_REFUSALS {
        return Err(state.free_in);
    }
    Ok(())
}

/// What to do when the secret was read again after a refusal.
pub fn after_reading(state: &LoginState, found: Found) -> Next {
    match (untried(found), state.used) {
        (Some(used), _) => Next::LogIn(used),
        (None, Used::Cached) => wait(state, 0),
        (None, Used::Again(waits)) => wait(state, waits),
        // What the secret holds now is wrong.
        (None, Used::NewVersion | Used::Pending) => Next::GiveUp(LATER),
    }
}

/// What to log in with when the secret was read again after so many waits.
pub fn after_waiting(waits: usize, found: Found) -> Used {
    untried(found).unwrap_or(Used::Again(waits))
}

fn untried(found: Found) -> Option<Used> {
    match found {
        Found { current: true, .. } => Some(Used::NewVersion),
        Found { pending: true, .. } => Some(Used::Pending),
        Found { current: false, pending: false } => None,
    }
}

fn wait(state: &LoginState, waits: usize) -> Next {
    match WAITS.get(waits) {
        Some(longest) => {
            let wait = longest.mul_f64(0.5 + state.jitter.clamp(0.0, 1.0) / 2.0);
            if wait < state.left { Next::WaitThenRead(wait, waits + 1) } else { Next::GiveUp(LATER) }
        }
        None => Next::GiveUp(LATER),
    }
}

/// The refused logins of the last [`WINDOW`].
#[derive(Debug, Default)]
pub struct Refusals(VecDeque<DateTime<Utc>>);

impl Refusals {
    /// Counts one, and returns how many there are within the window.
    pub fn record(&mut self, now: DateTime<Utc>) -> usize {
        self.forget(now);
        self.0.push_back(now);
        self.0.len()
    }

    /// How long no login may be made; zero when one may.
    pub fn free_in(&mut self, now: DateTime<Utc>) -> Duration {
        self.forget(now);
        match self.0.len().checked_sub(MOST_REFUSALS) {
            Some(over) => (self.0[over] + WINDOW - now).to_std().unwrap_or_default(),
            None => Duration::ZERO,
        }
    }

    /// Drops what is out of the window, on either side: had the clock been set back by an hour,
    /// waiting for it to catch up would take one.
    fn forget(&mut self, now: DateTime<Utc>) {
        self.0.retain(|at| (now - at).abs().to_std().is_ok_and(|age| age < WINDOW));
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    const LEFT: Duration = Duration::from_secs(20);
    const FREE_IN: Duration = Duration::from_secs(42);

    fn state(used: Used, refusals: usize) -> LoginState {
        LoginState { used, refusals, free_in: FREE_IN, left: LEFT, jitter: 0.5 }
    }

    const NOTHING: Found = Found { current: false, pending: false };

    #[test]
    fn after_a_refusal() {
        let cases = [
            // A wrong password: the secret may have changed, and changed again.
            (Used::Cached, 1, 18456, Ok(())),
            (Used::Cached, 2, 18456, Ok(())),
            (Used::NewVersion, 2, 18456, Ok(())),
            (Used::Pending, 2, 18456, Ok(())),
            (Used::Again(1), 2, 18456, Ok(())),
            // Three a minute, whatever the way.
            (Used::Cached, 3, 18456, Err(FREE_IN)),
            (Used::NewVersion, 3, 18456, Err(FREE_IN)),
            (Used::Pending, 3, 18456, Err(FREE_IN)),
            (Used::Again(1), 3, 18456, Err(FREE_IN)),
            // Locked out, expired, to be changed: only a person helps. As with 4060, no database.
            (Used::Cached, 1, 18486, Err(LATER)),
            (Used::Cached, 1, 18487, Err(LATER)),
            (Used::Cached, 1, 18488, Err(LATER)),
            (Used::Again(1), 2, 18486, Err(LATER)),
            (Used::Cached, 1, 4060, Err(LATER)),
            (Used::Cached, 1, 18470, Err(LATER)),
        ];
        for (used, refusals, number, expected) in cases {
            let next = after_login_failure(&state(used, refusals), number);
            assert_eq!(next, expected, "{used:?} {refusals} {number}");
        }
    }

    #[test]
    fn after_reading_the_secret_again() {
        use Next::{GiveUp, LogIn, WaitThenRead};
        let ms = Duration::from_millis;
        let current = Found { current: true, ..NOTHING };
        let pending = Found { pending: true, ..NOTHING };
        let both = Found { current: true, pending: true };
        let cases = [
            (Used::Cached, current, LogIn(Used::NewVersion)),
            // AWSPENDING of a rotation that has only begun is no use: AWSCURRENT goes first.
            (Used::Cached, both, LogIn(Used::NewVersion)),
            // The gap of a single user's rotation.
            (Used::Cached, pending, LogIn(Used::Pending)),
            // Rotations one after the other: what was found is old by the time it is tried.
            (Used::NewVersion, current, LogIn(Used::NewVersion)),
            (Used::NewVersion, pending, LogIn(Used::Pending)),
            (Used::Pending, both, LogIn(Used::NewVersion)),
            // A mistake.
            (Used::NewVersion, NOTHING, GiveUp(LATER)),
            (Used::Pending, NOTHING, GiveUp(LATER)),
            // Again, with longer waits.
            (Used::Cached, NOTHING, WaitThenRead(ms(750), 1)),
            (Used::Again(1), NOTHING, WaitThenRead(ms(2_250), 2)),
            (Used::Again(2), NOTHING, WaitThenRead(ms(4_500), 3)),
            (Used::Again(3), NOTHING, GiveUp(LATER)),
        ];
        for (used, found, expected) in cases {
            assert_eq!(after_reading(&state(used, 1), found), expected, "{used:?} {found:?}");
        }
        assert_eq!(after_waiting(2, NOTHING), Used::Again(2));
        assert_eq!(after_waiting(2, pending), Used::Pending);
        assert_eq!(after_waiting(1, both), Used::NewVersion);
    }

    #[test]
    fn a_wait_that_is_longer_than_the_request_has_time_is_not_begun() {
        let short = LoginState { left: Duration::from_millis(700), ..state(Used::Cached, 1) };
        assert_eq!(after_reading(&short, NOTHING), Next::GiveUp(LATER));
    }

    #[test]
    fn the_waits_are_jittered_and_take_ten_seconds_at_most() {
        let mut longest = Duration::ZERO;
        for waits in 0..WAITS.len() {
            let of = |jitter| match wait(&LoginState { jitter, ..state(Used::Cached, 1) }, waits) {
                Next::WaitThenRead(wait, _) => wait,
                other => panic!("{other:?}"),
            };
            assert_eq!(of(0.0) * 2, of(1.0));
            longest += of(1.0);
        }
        assert!(longest <= Duration::from_secs(10), "{longest:?}");
    }

    #[test]
    fn no_walk_through_the_decisions_makes_a_fourth_login() {
        // Every answer the outside world can give, at every step.
        for answers in 0..4_096_u32 {
            let mut refusals = Refusals::default();
            let start = DateTime::UNIX_EPOCH;
            let (mut now, mut used, mut logins) = (start, Used::Cached, 0);
            for step in 0..16 {
                if refusals.free_in(now) > Duration::ZERO {
                    break;
                }
                logins += 1;
                let count = refusals.record(now);
                let free_in = refusals.free_in(now);
                let state = LoginState { used, refusals: count, free_in, left: LEFT, jitter: 0.1 };
                let yes = |bit: u32| answers >> ((2 * step + bit) % 12) & 1 == 1;
                let found = Found { current: yes(0), pending: yes(1) };
                // Given up, the client comes back at once, whatever it was told.
                used = match after_login_failure(&state, 18456).map(|()| after_reading(&state, found)) {
                    Ok(Next::LogIn(with)) => with,
                    Ok(Next::WaitThenRead(wait, waits)) => {
                        now += wait;
                        after_waiting(waits, found)
                    }
                    Ok(Next::GiveUp(_)) | Err(_) => Used::Cached,
                };
            }
            assert!(now - start < TimeDelta::seconds(60));
            assert!(logins <= MOST_REFUSALS, "{logins} with {answers:b}");
        }
    }

    #[test]
    fn refusals_are_forgotten_after_a_minute() {
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let mut refusals = Refusals::default();
        assert_eq!(refusals.record(at(0)), 1);
        assert_eq!(refusals.record(at(10)), 2);
        assert_eq!(refusals.free_in(at(10)), Duration::ZERO);
        assert_eq!(refusals.record(at(20)), 3);
        assert_eq!(refusals.free_in(at(20)), Duration::from_secs(40));
        assert_eq!(refusals.free_in(at(59)), Duration::from_secs(1));
        assert_eq!(refusals.free_in(at(60)), Duration::ZERO);
        assert_eq!(refusals.record(at(60)), 3);
        assert_eq!(refusals.free_in(at(60)), Duration::from_secs(10));
        // The clock was set back by an hour.
        assert_eq!(refusals.free_in(at(-3600)), Duration::ZERO);
    }
}
