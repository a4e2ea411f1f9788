//! What goes into one call of GetMetricData. Pure.
//!
//! A call has one beginning and one end for all its queries, each of which has a period of its own. So
//! ranges of different lengths fit into one call where the points that the shorter ones then give, and
//! nobody needs, are few enough, and where CloudWatch still has their periods at the common beginning.

use model::metrics::Window;
use model::time::Timestamp;

/// CloudWatch's limits of a call (API reference, GetMetricData).
pub(super) const MOST_QUERIES: usize = 500;
const MOST_POINTS: i64 = 100_800;

/// Something that is to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    /// The time.
    pub(super) window: Window,
    /// How many metrics.
    pub(super) queries: usize,
    /// Whether it was never read: somebody sees nothing.
    pub(super) never_read: bool,
    /// Since when it is due.
    pub(super) since: Timestamp,
}

/// Which of them go into the next call: their places, the most urgent one first. What somebody waits for
/// goes first, then what is due for longest; the others where they fit.
pub(super) fn batch(due: &[Due], now: Timestamp) -> Vec<usize> {
    let mut order: Vec<usize> = (0..due.len()).collect();
    order.sort_by_key(|index| due.get(*index).map(|due| (!due.never_read, due.since)));
    let mut chosen: Vec<usize> = Vec::new();
    for index in order {
        let with: Vec<Due> =
            chosen.iter().chain([&index]).filter_map(|index| due.get(*index)).copied().collect();
        if chosen.is_empty() || fits(&with, now) {
            chosen.push(index);
        }
    }
    chosen
}

/// The time that a call for all of them has to ask for.
pub(super) fn span(windows: impl Iterator<Item = Window>) -> Option<(Timestamp, Timestamp)> {
    windows.map(|window| (window.from, window.to)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

fn fits(due: &[Due], now: Timestamp) -> bool {
    let Some((from, to)) = span(due.iter().map(|due| due.window)) else { return true };
    let queries: usize = due.iter().map(|due| due.queries).sum();
    let points: i64 = due
        .iter()
        .map(|due| {
            let periods = (to.0 - from.0) / due.window.period_ms() + 1;
            periods.saturating_mul(i64::try_from(due.queries).unwrap_or(i64::MAX))
        })
        .sum();
    let mut periods = due.iter().map(|due| due.window.period_seconds);
    queries <= MOST_QUERIES && points <= MOST_POINTS && periods.all(|period| is_kept(period, now.0 - from.0))
}

/// Whether CloudWatch still has a period where a call begins so long ago.
fn is_kept(period: u32, age_ms: i64) -> bool {
    const DAY_MS: i64 = 86_400_000;
    let multiple_of = match age_ms {
        age if age < 15 * DAY_MS => 60,
        age if age < 63 * DAY_MS => 300,
        _ => 3_600,
    };
    period.is_multiple_of(multiple_of)
}

#[cfg(test)]
mod tests {
    use model::metrics::{Range, Span};

    use super::*;

    const NOW: Timestamp = Timestamp(1_796_083_230_000);

    fn due(span: Span, never_read: bool, since: i64) -> Due {
        let window = Window::of(Range::Last(span), NOW).unwrap();
        Due { window, queries: 18, never_read, since: Timestamp(since) }
    }

    #[test]
    fn what_fits_goes_into_one_call() {
        // 18 x 1,440 minutes of a day, and 18 x 288 periods of five minutes.
        assert_eq!(batch(&[due(Span::ThreeHours, false, 1), due(Span::Day, false, 2)], NOW), [0, 1]);
        // A week of minutes is 181,440 points.
        assert_eq!(batch(&[due(Span::ThreeHours, false, 1), due(Span::Week, false, 2)], NOW), [0]);
        // Half hours go with two hours, but at 30 days only as they are multiples of 300.
        assert_eq!(batch(&[due(Span::Week, false, 1), due(Span::Month, false, 2)], NOW), [0, 1]);
        assert_eq!(batch(&[], NOW), [] as [usize; 0]);
    }

    #[test]
    fn who_sees_nothing_goes_first() {
        assert_eq!(batch(&[due(Span::ThreeHours, false, 1), due(Span::Week, true, 9)], NOW), [1]);
        assert_eq!(batch(&[due(Span::Week, false, 5), due(Span::ThreeHours, false, 1)], NOW), [1]);
    }

    #[test]
    fn no_more_than_500_metrics_and_no_period_that_is_not_kept() {
        let day = due(Span::ThreeHours, false, 1);
        let many = vec![Due { queries: 18, ..day }; 40];
        assert_eq!(batch(&many, NOW).len(), 27, "27 x 18 = 486");
        // Alone it goes all the same: CloudWatch's answer then says what is wrong.
        assert_eq!(batch(&[Due { queries: 501, ..day }], NOW), [0]);
        let old = Window {
            from: Timestamp(NOW.0 - 16 * 86_400_000),
            to: Timestamp(NOW.0 - 15 * 86_400_000 - 3_600_000),
            period_seconds: 300,
        };
        let old = Due { window: old, queries: 1, never_read: true, since: NOW };
        assert_eq!(batch(&[old, Due { queries: 1, ..day }], NOW), [0], "no minutes of 16 days ago");
    }
}
