//! A point in time.

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z. A number, so that the browser needs no calendar to
/// carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Whole seconds from `self` to `now`; 0 where `self` is later, as clocks differ.
    pub fn age_seconds(self, now: Self) -> u64 {
        u64::try_from((now.0 - self.0) / 1_000).unwrap_or(0)
    }
}

/// An age or a duration for people: the two largest units that count, for example `45 s`,
/// `3 min`, `2 h 5 min`, `12 d 4 h`. Takes seconds.
pub fn in_words(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let pair = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => pair(hours, "h", minutes, "min"),
        _ => pair(days, "d", hours, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_well() {
        let table = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min"),
            (3_600, "1 h"),
            (7_500, "2 h 5 min"),
            (86_400, "1 d"),
            (1_051_200, "12 d 4 h"),
        ];
        for (seconds, words) in table {
            assert_eq!(in_words(seconds), words);
        }
        assert_eq!(Timestamp(5_000).age_seconds(Timestamp(1_000)), 0);
        assert_eq!(Timestamp(1_000).age_seconds(Timestamp(5_999)), 4);
    }
}
