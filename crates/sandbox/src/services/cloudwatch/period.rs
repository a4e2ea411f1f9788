//! Which periods a request may ask for.

use super::errors::Refusal;
use super::pending::floor;
use super::tables::{FIVE_MINUTES_KEPT, MINUTES_KEPT, SECONDS_KEPT};
use crate::aws::AwsError;

/// AWS: periods below a minute, for metrics of high resolution.
const SHORT: [i64; 5] = [1, 5, 10, 20, 30];

/// Checks a period: 1, 5, 10, 20, 30 or a multiple of 60 seconds.
///
/// # Errors
/// With the refusal's codes, naming the place.
pub(super) fn period(seconds: Option<i64>, place: &str, refuse: Refusal) -> Result<i64, AwsError> {
    let seconds = seconds.ok_or_else(|| refuse.missing(format_args!("{place}Period")))?;
    // The upper bound is how long anything is kept; a longer period has no meaning.
    if SHORT.contains(&seconds) || (seconds > 0 && seconds % 60 == 0 && seconds <= 455 * 86_400) {
        Ok(seconds)
    } else {
        Err(refuse.value(format_args!("{place}Period"), seconds))
    }
}

/// Whether a request that begins `age` seconds ago gets data of this period. AWS: below a minute
/// up to 3 hours, a multiple of 60 up to 15 days, of 300 up to 63 days, then of 3,600; with any
/// other period the answer is empty, and no error.
pub(super) fn is_kept(period: i64, age: i64) -> bool {
    let step = if age <= SECONDS_KEPT {
        1
    } else if age < MINUTES_KEPT {
        60
    } else if age <= FIVE_MINUTES_KEPT {
        300
    } else {
        3_600
    };
    period % step == 0
}

/// Where AWS rounds a request's beginning down to: the minute, five minutes from 15 days back, the
/// hour from 63 days back; the period itself where it is below a minute.
pub(super) fn rounded_start(start: i64, period: i64, age: i64) -> i64 {
    let step = if period < 60 {
        period
    } else if age < MINUTES_KEPT {
        60
    } else if age <= FIVE_MINUTES_KEPT {
        300
    } else {
        3_600
    };
    floor(start, step)
}

#[cfg(test)]
mod tests {
    use super::super::errors::PLAIN;
    use super::*;

    #[test]
    fn which_periods_there_are() {
        for good in [1, 5, 10, 20, 30, 60, 120, 300, 3_600, 86_400] {
            assert_eq!(period(Some(good), "", PLAIN), Ok(good));
        }
        for bad in [-60, 0, 2, 59, 61, 90, i64::MAX / 60 * 60] {
            assert!(period(Some(bad), "", PLAIN).is_err(), "{bad}");
        }
        assert!(period(None, "", PLAIN).is_err());
    }

    #[test]
    fn which_periods_are_kept_for_how_long() {
        const DAY: i64 = 86_400;
        for (period, age, kept) in [
            (1, 10_800, true),
            (1, 10_801, false),
            (30, 10_801, false),
            (60, 10_801, true),
            (60, 15 * DAY - 1, true),
            (60, 15 * DAY, false),
            (300, 15 * DAY, true),
            (300, 63 * DAY, true),
            (300, 63 * DAY + 1, false),
            (3_600, 63 * DAY + 1, true),
        ] {
            assert_eq!(is_kept(period, age), kept, "{period} s, {age} s ago");
        }
        assert_eq!(rounded_start(754, 300, 0), 720);
        assert_eq!(rounded_start(754, 300, 20 * DAY), 600);
        assert_eq!(rounded_start(754, 10, 0), 750);
    }
}
