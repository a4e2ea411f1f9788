//! Values put together, and the statistics taken of them.
//!
//! An [`Aggregate`] keeps, besides count, sum, minimum and maximum, how often each value occurred.
//! Aggregates of minutes can be merged into any longer period without losing anything, so a
//! percentile of five minutes is that of the values themselves and never an average of averages.
//!
//! AWS does not publish how it computes percentiles. Here pNN is the nearest rank: the smallest
//! value such that at least NN per cent of all samples are not above it. It is always a value that
//! occurred, it is defined for samples with counts, and it can be checked by hand: of 20 samples in
//! order, p95 is the 19th.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// At most this many distinct values are kept for one period. A function at two requests a second
/// has 120 a minute; a load test may have more, and is then kept with three significant digits.
const MOST_VALUES: usize = 10_000;

/// A finite number with a total order.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Key(f64);

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// The values of a metric in a stretch of time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Aggregate {
    /// How many samples.
    pub(super) count: f64,
    /// Their sum.
    pub(super) sum: f64,
    /// The smallest.
    pub(super) minimum: f64,
    /// The largest.
    pub(super) maximum: f64,
    /// How often each value occurred; none once a statistic set without its values came in.
    values: Option<BTreeMap<Key, f64>>,
}

impl Default for Aggregate {
    fn default() -> Self {
        Self {
            count: 0.0,
            sum: 0.0,
            minimum: f64::INFINITY,
            maximum: f64::NEG_INFINITY,
            values: Some(BTreeMap::new()),
        }
    }
}

impl Aggregate {
    /// Adds `value`, which occurred `count` times.
    pub(super) fn add(&mut self, value: f64, count: f64) {
        // Minus nought is nought.
        let value = value + 0.0;
        self.add_summary(count, value * count, value, value);
        if let Some(values) = &mut self.values {
            *values.entry(Key(value)).or_default() += count;
        }
        self.compact();
    }

    /// Adds a statistic set. Its values are known only when they are all the same.
    pub(super) fn add_set(&mut self, count: f64, sum: f64, minimum: f64, maximum: f64) {
        let same = (minimum - maximum).abs() == 0.0 && (sum - minimum * count).abs() <= sum.abs() * 1e-12;
        self.add_summary(count, sum, minimum, maximum);
        match &mut self.values {
            Some(values) if same => *values.entry(Key(minimum + 0.0)).or_default() += count,
            _ => self.values = None,
        }
        self.compact();
    }

    /// Adds all that `other` holds.
    pub(super) fn merge(&mut self, other: &Self) {
        self.add_summary(other.count, other.sum, other.minimum, other.maximum);
        match (&mut self.values, &other.values) {
            (Some(values), Some(more)) => {
                for (value, count) in more {
                    *values.entry(*value).or_default() += count;
                }
            }
            _ => self.values = None,
        }
        self.compact();
    }

    fn add_summary(&mut self, count: f64, sum: f64, minimum: f64, maximum: f64) {
        self.count += count;
        self.sum += sum;
        self.minimum = self.minimum.min(minimum);
        self.maximum = self.maximum.max(maximum);
    }

    /// Keeps the number of distinct values bounded, by rounding them more and more.
    fn compact(&mut self) {
        let Some(values) = &mut self.values else { return };
        for digits in [3, 2, 1] {
            if values.len() <= MOST_VALUES {
                return;
            }
            let mut rounded = BTreeMap::new();
            for (Key(value), count) in std::mem::take(values) {
                *rounded.entry(Key(significant(value, digits))).or_default() += count;
            }
            *values = rounded;
        }
    }

    /// The statistic, or none where it can't be told: no samples, or a percentile of values that
    /// are negative (AWS has none of those) or came as a statistic set.
    pub(super) fn statistic(&self, statistic: Statistic) -> Option<f64> {
        if self.count <= 0.0 {
            return None;
        }
        match statistic {
            Statistic::SampleCount => Some(self.count),
            Statistic::Sum => Some(self.sum),
            Statistic::Average => Some(self.sum / self.count),
            Statistic::Minimum => Some(self.minimum),
            Statistic::Maximum => Some(self.maximum),
            Statistic::Percentile(share) => self.percentile(share),
            Statistic::TrimmedMean { from, to } => self.trimmed_mean(from, to),
        }
    }

    fn known_values(&self) -> Option<&BTreeMap<Key, f64>> {
        self.values.as_ref().filter(|_| self.minimum >= 0.0)
    }

    fn percentile(&self, share: f64) -> Option<f64> {
        let values = self.known_values()?;
        let rank = share * self.count / 100.0;
        // Counts may be fractions, so their sum may miss the rank by a rounding error.
        let slack = self.count * 1e-12;
        let mut below = 0.0;
        for (Key(value), count) in values {
            below += count;
            if below + slack >= rank {
                return Some(*value);
            }
        }
        values.keys().next_back().map(|key| key.0)
    }

    /// The mean of the samples between two shares of their order; a value that lies across a border
    /// counts with the part inside.
    fn trimmed_mean(&self, from: f64, to: f64) -> Option<f64> {
        let values = self.known_values()?;
        let (from, to) = (from * self.count / 100.0, to * self.count / 100.0);
        let (mut below, mut mass, mut sum) = (0.0_f64, 0.0, 0.0);
        for (Key(value), count) in values {
            let inside = (below + count).min(to) - below.max(from);
            if inside > 0.0 {
                mass += inside;
                sum += value * inside;
            }
            below += count;
        }
        (mass > 0.0).then(|| sum / mass)
    }

    /// The values as bytes, for a file: pairs of value and count, little-endian doubles. None where
    /// they are not known.
    pub(super) fn values_to_bytes(&self) -> Option<Vec<u8>> {
        let values = self.values.as_ref()?;
        Some(
            values
                .iter()
                .flat_map(|(key, count)| [key.0.to_le_bytes(), count.to_le_bytes()])
                .flatten()
                .collect(),
        )
    }

    /// An aggregate out of a file; its values stay unknown without `values`.
    pub(super) fn restored(count: f64, sum: f64, minimum: f64, maximum: f64, values: Option<&[u8]>) -> Self {
        let double = |bytes: &[u8]| bytes.try_into().map(f64::from_le_bytes).unwrap_or_default();
        let values = values.map(|bytes| {
            bytes.chunks_exact(16).map(|pair| (Key(double(&pair[..8])), double(&pair[8..]))).collect()
        });
        Self { count, sum, minimum, maximum, values }
    }
}

/// `value` rounded to so many significant decimal digits.
fn significant(value: f64, digits: i32) -> f64 {
    if value == 0.0 {
        return value;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a double's exponent fits easily")]
    let power = value.abs().log10().floor() as i32 + 1 - digits;
    if power >= 0 {
        let unit = 10_f64.powi(power);
        (value / unit).round() * unit
    } else {
        // Multiplying by a whole power of ten keeps 0.123 at 0.123.
        let unit = 10_f64.powi(-power);
        (value * unit).round() / unit
    }
}

/// What is taken of the values of a period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Statistic {
    /// The number of samples.
    SampleCount,
    /// Their sum.
    Sum,
    /// Sum by number.
    Average,
    /// The smallest.
    Minimum,
    /// The largest.
    Maximum,
    /// A percentile, from 0 to 100.
    Percentile(f64),
    /// The mean of the samples between two percentages of their order.
    TrimmedMean {
        /// From 0, below `to`.
        from: f64,
        /// Up to 100.
        to: f64,
    },
}

/// Why a statistic's name can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unusable {
    /// AWS has it, the sandbox has not.
    Unsupported,
    /// AWS has no such thing.
    Unknown,
}

impl Statistic {
    /// Reads `Sum`, `p95`, `p99.9`, `tm90`, `TM(10%:90%)` and their like.
    ///
    /// # Errors
    /// Says whether AWS would know it.
    pub(super) fn parse(text: &str) -> Result<Self, Unusable> {
        Ok(match text {
            "SampleCount" => Self::SampleCount,
            "Sum" => Self::Sum,
            "Average" => Self::Average,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            "IQM" => return Err(Unusable::Unsupported),
            _ => return Self::parse_extended(text),
        })
    }

    /// Whether the values themselves are needed for it.
    pub(super) fn needs_values(self) -> bool {
        matches!(self, Self::Percentile(_) | Self::TrimmedMean { .. })
    }

    /// Whether it is one of the five that every metric has.
    pub(super) fn is_basic(self) -> bool {
        !self.needs_values()
    }

    fn parse_extended(text: &str) -> Result<Self, Unusable> {
        if let Some(inside) = text.strip_prefix("TM(").and_then(|rest| rest.strip_suffix(')')) {
            return Self::parse_range(inside);
        }
        let others = ["tc", "ts", "wm", "TC(", "TS(", "WM(", "PR("];
        if others.iter().any(|prefix| text.starts_with(prefix)) {
            return Err(Unusable::Unsupported);
        }
        let trimmed = text.strip_prefix("tm").and_then(percentage);
        let percentile = text.strip_prefix('p').and_then(percentage);
        match (percentile, trimmed) {
            (Some(share), _) => Ok(Self::Percentile(share)),
            (_, Some(to)) if to > 0.0 => Ok(Self::TrimmedMean { from: 0.0, to }),
            _ => Err(Unusable::Unknown),
        }
    }

    fn parse_range(inside: &str) -> Result<Self, Unusable> {
        let (from, to) = inside.split_once(':').ok_or(Unusable::Unknown)?;
        if !from.ends_with('%') && !to.ends_with('%') {
            // Between values instead of shares.
            return Err(Unusable::Unsupported);
        }
        let bound = |text: &str, open: f64| match text.strip_suffix('%') {
            Some(share) => percentage(share),
            None if text.is_empty() => Some(open),
            None => None,
        };
        match (bound(from, 0.0), bound(to, 100.0)) {
            (Some(from), Some(to)) if from < to => Ok(Self::TrimmedMean { from, to }),
            _ => Err(Unusable::Unknown),
        }
    }
}

/// A number from 0 to 100 in plain digits, with at most ten decimal places.
fn percentage(text: &str) -> Option<f64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits =
        |part: &str, most| (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    (digits(whole, 3) && digits(fraction, 10))
        .then(|| text.parse().ok())
        .flatten()
        .filter(|share| (0.0..=100.0).contains(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Aggregate {
        let mut aggregate = Aggregate::default();
        for value in values {
            aggregate.add(*value, 1.0);
        }
        aggregate
    }

    #[test]
    fn percentiles_are_values_at_their_rank() {
        let twenty = of(&(1..=20).map(f64::from).collect::<Vec<_>>());
        // (percentile, rank in 20 samples rounded up = value)
        for (share, value) in [(0.0, 1.0), (5.0, 1.0), (5.1, 2.0), (50.0, 10.0), (50.1, 11.0), (95.0, 19.0)] {
            assert_eq!(twenty.statistic(Statistic::Percentile(share)), Some(value), "p{share}");
        }
        assert_eq!(twenty.statistic(Statistic::Percentile(99.9)), Some(20.0));
        assert_eq!(twenty.statistic(Statistic::Percentile(100.0)), Some(20.0));
        // 10 three times and 20 once: three quarters of the samples are 10.
        let mut counted = of(&[20.0]);
        counted.add(10.0, 3.0);
        assert_eq!(counted.statistic(Statistic::Percentile(75.0)), Some(10.0));
        assert_eq!(counted.statistic(Statistic::Percentile(75.1)), Some(20.0));
        assert_eq!(counted.statistic(Statistic::Average), Some(12.5));
    }

    #[test]
    fn merged_minutes_are_the_values_themselves() {
        let (mut left, right) = (of(&[1.0, 100.0]), of(&[2.0, 3.0, 4.0]));
        left.merge(&right);
        assert_eq!(left, of(&[1.0, 100.0, 2.0, 3.0, 4.0]));
        let bytes = left.values_to_bytes().unwrap();
        let back = Aggregate::restored(left.count, left.sum, left.minimum, left.maximum, Some(&bytes));
        assert_eq!(back, left);
    }

    #[test]
    fn trimmed_means_leave_out_shares() {
        let ten = of(&(1..=10).map(f64::from).collect::<Vec<_>>());
        let mean = |text: &str| ten.statistic(Statistic::parse(text).unwrap());
        assert_eq!(mean("tm90"), Some(5.0)); // 1..9
        assert_eq!(mean("TM(10%:90%)"), Some(5.5)); // 2..9
        assert_eq!(mean("TM(50%:)"), Some(8.0)); // 6..10
        assert_eq!(mean("tm95"), Some((45.0 + 10.0 * 0.5) / 9.5)); // half of the tenth
    }

    #[test]
    fn no_percentile_without_the_values_or_below_nought() {
        let mut aggregate = of(&[1.0]);
        aggregate.add_set(4.0, 8.0, 2.0, 2.0);
        assert_eq!(aggregate.statistic(Statistic::Percentile(50.0)), Some(2.0));
        aggregate.add_set(2.0, 8.0, 2.0, 6.0);
        assert_eq!(aggregate.statistic(Statistic::Percentile(50.0)), None);
        assert_eq!(aggregate.statistic(Statistic::Sum), Some(17.0));
        assert_eq!(aggregate.statistic(Statistic::SampleCount), Some(7.0));
        assert_eq!(of(&[-1.0, 5.0]).statistic(Statistic::Percentile(50.0)), None);
        assert_eq!(Aggregate::default().statistic(Statistic::Sum), None);
    }

    #[test]
    fn too_many_values_are_rounded_and_not_lost() {
        let mut aggregate = Aggregate::default();
        for n in 0..=MOST_VALUES {
            aggregate.add(1000.0 + n as f64 / 10.0, 1.0);
        }
        assert_eq!(aggregate.statistic(Statistic::SampleCount), Some(10_001.0));
        // The middle sample is 1500.0; three digits keep it.
        assert_eq!(aggregate.statistic(Statistic::Percentile(50.0)), Some(1500.0));
        assert_eq!(aggregate.statistic(Statistic::Maximum), Some(2000.0));
        assert_eq!(significant(0.123_456, 3), 0.123);
        assert_eq!(significant(98_765.0, 3), 98_800.0);
    }

    #[test]
    fn names_of_statistics() {
        assert_eq!(Statistic::parse("p99.9"), Ok(Statistic::Percentile(99.9)));
        assert_eq!(Statistic::parse("TM(2%:98%)"), Ok(Statistic::TrimmedMean { from: 2.0, to: 98.0 }));
        for known in ["IQM", "tc90", "wm90", "PR(1:2)", "TM(100:200)"] {
            assert_eq!(Statistic::parse(known), Err(Unusable::Unsupported), "{known}");
        }
        for wrong in ["sum", "p", "p101", "p9x", "P95", "TM(9%:1%)", "tm", "Median", "p-1", "p1e1"] {
            assert_eq!(Statistic::parse(wrong), Err(Unusable::Unknown), "{wrong}");
        }
    }
}
