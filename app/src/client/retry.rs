//! What is tried again, and when: full jitter under a cap that doubles, and a portal that says how long
//! to wait is believed within reason.

use std::time::Duration;

use operations::Random;

/// How often something is tried in all.
pub const TRIES: u32 = 5;

/// The first pause is at most this long, each later one twice as long at most.
const FIRST: Duration = Duration::from_millis(250);

/// The longest pause of our own choice.
const LONGEST: Duration = Duration::from_secs(4);

/// The longest pause that a portal may ask for; after a longer one somebody is told instead.
const LONGEST_ASKED: Duration = Duration::from_secs(15);

/// Whether a request may be sent again after it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// It only reads, or carries an id by which the portal knows it again.
    Safe,
    /// It could be done twice.
    Never,
}

/// Whether an answer with that status may be another next time: busy, throttled, no answer from AWS in
/// time.
pub fn may_pass(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

/// The pause before the try after the `tried`-th (from 1); none when it was the last one, or the portal
/// asks for more patience than there is.
pub fn pause(tried: u32, asked: Option<Duration>, random: &Random) -> Option<Duration> {
    if tried >= TRIES || asked.is_some_and(|asked| asked > LONGEST_ASKED) {
        return None;
    }
    let cap = FIRST.saturating_mul(1 << (tried - 1).min(16)).min(LONGEST);
    let mut bytes = [0_u8; 4];
    random(&mut bytes);
    let share = f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX);
    Some(asked.unwrap_or_default() + cap.mul_f64(share))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn pauses_grow_to_a_cap_and_end() {
        let most: Random = Arc::new(|bytes: &mut [u8]| bytes.fill(255));
        let ms = |tried, asked| pause(tried, asked, &most).map(|pause| pause.as_millis());
        assert_eq!([1, 2, 3, 4].map(|tried| ms(tried, None)), [250, 500, 1_000, 2_000].map(Some));
        assert_eq!(ms(TRIES, None), None);
        assert_eq!(ms(1, Some(Duration::from_secs(2))), Some(2_250));
        assert_eq!(ms(1, Some(Duration::from_secs(30))), None, "that is too long to wait in silence");
        let least: Random = Arc::new(|bytes: &mut [u8]| bytes.fill(0));
        assert_eq!(pause(4, None, &least), Some(Duration::ZERO), "jitter is full");
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for status in [429, 502, 503, 504] {
            assert!(may_pass(status), "{status}");
        }
        for status in [200, 302, 400, 401, 403, 404, 409, 413, 422, 500] {
            assert!(!may_pass(status), "{status}");
        }
    }
}
