//! What to do when the server refuses a login. Decisions only: nothing here reads a clock, sleeps or
//! calls anything.
//!
//! A wrong password is either the gap of a single-user rotation, in which AWSCURRENT still names the
//! old password while the login has the new one already, or it is a mistake. The first is to be
//! bridged, the second must not lock the account. Therefore:
//!
//! - 18456 (login failed): AWSCURRENT is read again. A new version is tried once. Is it the same,
//!   AWSPENDING is tried once if it has a value; has it none, AWSCURRENT is read and tried again
//!   after growing random waits, within about ten seconds.
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
    /// AWSCURRENT's, after so many waits.
    Again(usize),
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

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Read AWSCURRENT again, then ask [`after_reading_current`].
    ReadCurrent,
    /// Read AWSPENDING, then ask [`after_reading_pending`].
    ReadPending,
    /// Log in with what was just read.
    LogIn(Used),
    /// Wait so long, read AWSCURRENT, and log in with it.
    WaitThenLogIn(Duration, Used),
    /// Answer 503; the client may come back after so long.
    GiveUp(Duration),
}

/// What to do after the server refused a login with the error `number`.
pub fn after_login_failure(state: &LoginState, number: u32) -> Next {
    if number != 18456 {
        return Next::GiveUp(LATER);
    }
    if state.refusals >= MOST_REFUSALS {
        return Next::GiveUp(state.free_in);
    }
    match state.used {
        Used::Cached => Next::ReadCurrent,
        Used::NewVersion | Used::Pending => Next::GiveUp(LATER),
        Used::Again(waits) => wait(state, waits),
    }
}

/// What to do when AWSCURRENT was read again after a refusal of the credentials at hand; `changed`
/// when it is another version than they were.
pub fn after_reading_current(changed: bool) -> Next {
    if changed { Next::LogIn(Used::NewVersion) } else { Next::ReadPending }
}

/// What to do when AWSPENDING was looked for; `found` when it has a value and is another version
/// than the one that was refused.
pub fn after_reading_pending(state: &LoginState, found: bool) -> Next {
    if found { Next::LogIn(Used::Pending) } else { wait(state, 0) }
}

fn wait(state: &LoginState, waits: usize) -> Next {
    match WAITS.get(waits) {
        Some(longest) => {
            let wait = longest.mul_f64(0.5 + state.jitter.clamp(0.0, 1.0) / 2.0);
            if wait < state.left {
                Next::WaitThenLogIn(wait, Used::Again(waits + 1))
            } else {
                Next::GiveUp(LATER)
            }
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

    #[test]
    fn after_a_refusal() {
        use Next::{GiveUp, ReadCurrent, WaitThenLogIn};
        let ms = Duration::from_millis;
        let cases = [
            // A wrong password: the secret may have changed.
            (Used::Cached, 1, 18456, ReadCurrent),
            (Used::Cached, 2, 18456, ReadCurrent),
            // The new version is wrong too: a mistake.
            (Used::NewVersion, 2, 18456, GiveUp(LATER)),
            // So is the pending one.
            (Used::Pending, 2, 18456, GiveUp(LATER)),
            // In the gap of a rotation: again, with longer waits.
            (Used::Again(1), 2, 18456, WaitThenLogIn(ms(2_250), Used::Again(2))),
            (Used::Again(2), 2, 18456, WaitThenLogIn(ms(4_500), Used::Again(3))),
            (Used::Again(3), 2, 18456, GiveUp(LATER)),
            // Three a minute, whatever the way.
            (Used::Cached, 3, 18456, GiveUp(FREE_IN)),
            (Used::NewVersion, 3, 18456, GiveUp(FREE_IN)),
            (Used::Pending, 3, 18456, GiveUp(FREE_IN)),
            (Used::Again(1), 3, 18456, GiveUp(FREE_IN)),
            // Locked out, expired, to be changed: only a person helps. As with 4060, no database.
            (Used::Cached, 1, 18486, GiveUp(LATER)),
            (Used::Cached, 1, 18487, GiveUp(LATER)),
            (Used::Cached, 1, 18488, GiveUp(LATER)),
            (Used::Again(1), 2, 18486, GiveUp(LATER)),
            (Used::Cached, 1, 4060, GiveUp(LATER)),
            (Used::Cached, 1, 18470, GiveUp(LATER)),
        ];
        for (used, refusals, number, expected) in cases {
            let next = after_login_failure(&state(used, refusals), number);
            assert_eq!(next, expected, "{used:?} {refusals} {number}");
        }
    }

    #[test]
    fn after_reading_the_secret_again() {
        assert_eq!(after_reading_current(true), Next::LogIn(Used::NewVersion));
        assert_eq!(after_reading_current(false), Next::ReadPending);
        let cached = state(Used::Cached, 1);
        assert_eq!(after_reading_pending(&cached, true), Next::LogIn(Used::Pending));
        let wait = Next::WaitThenLogIn(Duration::from_millis(750), Used::Again(1));
        assert_eq!(after_reading_pending(&cached, false), wait);
    }

    #[test]
    fn a_wait_that_is_longer_than_the_request_has_time_is_not_begun() {
        let short = LoginState { left: Duration::from_millis(700), ..state(Used::Cached, 1) };
        assert_eq!(after_reading_pending(&short, false), Next::GiveUp(LATER));
    }

    #[test]
    fn the_waits_are_jittered_and_take_ten_seconds_at_most() {
        let mut longest = Duration::ZERO;
        for waits in 0..WAITS.len() {
            let of = |jitter| match wait(&LoginState { jitter, ..state(Used::Cached, 1) }, waits) {
                Next::WaitThenLogIn(wait, _) => wait,
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
        for answers in 0..64_u32 {
            let mut refusals = Refusals::default();
            let start = DateTime::UNIX_EPOCH;
            let (mut now, mut used, mut logins) = (start, Used::Cached, 0);
            for step in 0..16 {
                if refusals.free_in(now) > Duration::ZERO {
                    break;
                }
                logins += 1;
                let count = refusals.record(now);
                let state = LoginState {
                    used,
                    refusals: count,
                    free_in: refusals.free_in(now),
                    left: LEFT,
                    jitter: 0.1,
                };
                let mut next = after_login_failure(&state, 18456);
                let yes = answers >> (step % 6) & 1 == 1;
                loop {
                    next = match next {
                        Next::ReadCurrent => after_reading_current(yes),
                        Next::ReadPending => after_reading_pending(&state, yes),
                        _ => break,
                    };
                }
                match next {
                    Next::LogIn(with) => used = with,
                    Next::WaitThenLogIn(wait, with) => {
                        now += wait;
                        used = with;
                    }
                    // The client comes back at once, whatever it was told.
                    _ => used = Used::Cached,
                }
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
