//! When CloudWatch may be asked: one call a minute, and a few more at once where somebody opens a
//! range that nobody has looked at. However many look, no more calls are made than this allows.

use model::time::Timestamp;

/// So many calls may be made at once after a time without any.
pub(super) const MOST: f64 = 4.0;

/// Calls that may be made, as a store that fills up by one per pace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Budget {
    calls: f64,
    at: Timestamp,
}

impl Budget {
    /// A full one.
    pub(super) fn full(now: Timestamp) -> Self {
        Self { calls: MOST, at: now }
    }

    /// The same later, when calls may be made `pace_ms` apart.
    fn filled(self, now: Timestamp, pace_ms: i64) -> Self {
        // A clock that is set back fills nothing, and takes nothing away.
        let since = (now.0 - self.at.0).max(0);
        let calls = (self.calls + since as f64 / pace_ms.max(1) as f64).min(MOST);
        Self { calls, at: now }
    }

    /// Takes so many calls, which have been made. An answer may have had more pages than there was room
    /// for; the next call is then so much later.
    pub(super) fn take(&mut self, calls: u32, now: Timestamp, pace_ms: i64) {
        *self = self.filled(now, pace_ms);
        self.calls -= f64::from(calls);
    }

    /// When the next call may be made: `now` or later.
    pub(super) fn next(self, now: Timestamp, pace_ms: i64) -> Timestamp {
        let missing = 1.0 - self.filled(now, pace_ms).calls;
        // A rounding error is no reason to wait.
        if missing <= 1e-6 {
            return now;
        }
        Timestamp(now.0 + (missing * pace_ms as f64).ceil() as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: i64 = 60_000;

    #[test]
    fn a_few_at_once_and_then_one_a_minute() {
        let mut now = Timestamp(0);
        let mut budget = Budget::full(now);
        for _ in 0..4 {
            assert_eq!(budget.next(now, PACE), now);
            budget.take(1, now, PACE);
        }
        for _ in 0..3 {
            let next = budget.next(now, PACE);
            assert_eq!(next.0 - now.0, PACE);
            now = next;
            budget.take(1, now, PACE);
        }
    }

    #[test]
    fn ten_minutes_have_ten_calls_and_a_few() {
        let (mut budget, mut made) = (Budget::full(Timestamp(0)), 0);
        for second in 0..600 {
            let now = Timestamp(second * 1_000);
            if budget.next(now, PACE) == now {
                budget.take(1, now, PACE);
                made += 1;
            }
        }
        assert_eq!(made, 4 + 9);
    }

    #[test]
    fn an_answer_in_many_pages_is_paid_for_later() {
        let mut budget = Budget::full(Timestamp(0));
        budget.take(6, Timestamp(0), PACE);
        assert_eq!(budget.next(Timestamp(0), PACE), Timestamp(3 * PACE));
        // A slower pace makes it longer, and a clock that is set back does not make it endless.
        assert_eq!(budget.next(Timestamp(-1_000), 2 * PACE), Timestamp(6 * PACE - 1_000));
    }
}
