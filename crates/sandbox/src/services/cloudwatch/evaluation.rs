//! What an alarm's data points mean: a function from points to a state, as AWS documents it under
//! "Configuring how CloudWatch alarms treat missing data". The tests hold that page's two tables.
//!
//! An alarm looks back over a few periods more than it needs (its evaluation range), so that a gap
//! can be bridged with older points. Only when the range holds fewer points than the alarm needs
//! does the treatment of missing data matter, and then as few points as possible are filled in.

use serde::{Deserialize, Serialize};

/// An alarm's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum State {
    /// Within the threshold.
    Ok,
    /// Beyond it.
    Alarm,
    /// Not known.
    InsufficientData,
}

impl State {
    /// As the wire has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }

    /// Reads the wire's name.
    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Ok, Self::Alarm, Self::InsufficientData].into_iter().find(|state| state.name() == text)
    }
}

/// What missing points count as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// As missing: with no points at all the state is not known.
    Missing,
    /// The state stays.
    Ignore,
    /// As beyond the threshold.
    Breaching,
    /// As within it.
    NotBreaching,
}

impl Gap {
    /// Reads `TreatMissingData`; AWS's default is `missing`.
    pub(super) fn parse(text: Option<&str>) -> Option<Self> {
        Some(match text {
            None | Some("missing") => Self::Missing,
            Some("ignore") => Self::Ignore,
            Some("breaching") => Self::Breaching,
            Some("notBreaching") => Self::NotBreaching,
            Some(_) => return None,
        })
    }
}

/// How a value stands to the threshold when it breaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    /// At least as large.
    GreaterThanOrEqual,
    /// Larger.
    GreaterThan,
    /// Smaller.
    LessThan,
    /// At most as large.
    LessThanOrEqual,
}

impl Comparison {
    /// Reads `ComparisonOperator`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "GreaterThanOrEqualToThreshold" => Self::GreaterThanOrEqual,
            "GreaterThanThreshold" => Self::GreaterThan,
            "LessThanThreshold" => Self::LessThan,
            "LessThanOrEqualToThreshold" => Self::LessThanOrEqual,
            _ => return None,
        })
    }

    /// In the words of a state's reason.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::GreaterThanOrEqual => "greater than or equal to",
            Self::GreaterThan => "greater than",
            Self::LessThan => "less than",
            Self::LessThanOrEqual => "less than or equal to",
        }
    }

    fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::GreaterThanOrEqual => value >= threshold,
            Self::GreaterThan => value > threshold,
            Self::LessThan => value < threshold,
            Self::LessThanOrEqual => value <= threshold,
        }
    }
}

/// What decides: `needed` of `periods` points beyond the threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rule {
    /// N: how many of the most recent points are looked at.
    pub(super) periods: usize,
    /// M: how many of them must breach.
    pub(super) needed: usize,
    /// How a value breaches.
    pub(super) comparison: Comparison,
    /// What it breaches.
    pub(super) threshold: f64,
    /// What missing points count as.
    pub(super) missing: Gap,
    /// Fewer samples than this in the points looked at leave the state as it is.
    pub(super) least_samples: f64,
}

impl Rule {
    /// How many periods are read. AWS reads more than N and says neither how many nor why; its
    /// example reads 5 for an N of 3.
    pub(super) fn range(&self) -> usize {
        self.periods + 2
    }

    /// Whether a value breaches.
    pub(super) fn breaches(&self, value: f64) -> bool {
        self.comparison.holds(value, self.threshold)
    }
}

/// The value of one period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// The period's beginning, seconds since 1970.
    pub(super) start: i64,
    /// The statistic.
    pub(super) value: f64,
    /// Out of how many samples.
    pub(super) samples: f64,
}

/// What the points say.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// Nothing: the state stays.
    Keep,
    /// A state.
    Is {
        /// The state.
        state: State,
        /// The points looked at, newest first.
        used: Vec<Point>,
        /// How many points were filled in.
        filled: usize,
    },
}

/// Judges the points of the evaluation range: one entry per period, oldest first, none where the
/// period has no data.
pub(super) fn judge(rule: &Rule, points: &[Option<Point>]) -> Verdict {
    let real: Vec<(usize, Point)> =
        points.iter().rev().enumerate().filter_map(|(age, point)| Some((age, (*point)?))).collect();
    let used: Vec<Point> = real.iter().take(rule.periods).map(|(_, point)| *point).collect();
    let filled = rule.periods - used.len();
    let breaching = used.iter().filter(|point| rule.breaches(point.value)).count();
    if !used.is_empty() && used.iter().map(|point| point.samples).sum::<f64>() < rule.least_samples {
        return Verdict::Keep;
    }
    let alarm_if = |alarm| if alarm { State::Alarm } else { State::Ok };
    let state = if filled == 0 || breaching >= rule.needed {
        alarm_if(breaching >= rule.needed)
    } else {
        match rule.missing {
            Gap::Breaching => alarm_if(breaching + filled >= rule.needed),
            Gap::NotBreaching => State::Ok,
            Gap::Missing if used.is_empty() => State::InsufficientData,
            // What there is breaches, and the oldest of it long enough ago that the alarm would be
            // on by now had data come in: AWS calls it on then, and not before.
            Gap::Missing => alarm_if(
                breaching == used.len() && real.last().is_some_and(|(age, _)| age + 1 >= rule.needed),
            ),
            Gap::Ignore if breaching == used.len() => return Verdict::Keep,
            Gap::Ignore => State::Ok,
        }
    };
    Verdict::Is { state, used, filled }
}

/// How many samples a percentile needs before an alarm with `EvaluateLowSampleCountPercentile` =
/// `ignore` looks at it. AWS: 10 / (1 - p) from the median on and 10 / p below it; none for the
/// extremes, which are exact.
pub(super) fn least_samples(percentile: f64) -> f64 {
    let share = percentile / 100.0;
    if share <= 0.0 || share >= 1.0 {
        0.0
    } else if share < 0.5 {
        10.0 / share
    } else {
        1000.0 / (100.0 - percentile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `0` within, `X` beyond, `-` missing, oldest first.
    fn points(text: &str) -> Vec<Option<Point>> {
        let value = |sign| match sign {
            'X' => Some(9.0),
            '0' => Some(0.0),
            _ => None,
        };
        (0..)
            .zip(text.chars())
            .map(|(n, sign)| value(sign).map(|value| Point { start: n * 60, value, samples: 1.0 }))
            .collect()
    }

    fn states(text: &str, needed: usize, periods: usize) -> [Option<State>; 4] {
        [Gap::Missing, Gap::Ignore, Gap::Breaching, Gap::NotBreaching].map(|missing| {
            let rule = Rule {
                periods,
                needed,
                comparison: Comparison::GreaterThan,
                threshold: 5.0,
                missing,
                least_samples: 0.0,
            };
            match judge(&rule, &points(text)) {
                Verdict::Keep => None,
                Verdict::Is { state, .. } => Some(state),
            }
        })
    }

    const OK: Option<State> = Some(State::Ok);
    const ALARM: Option<State> = Some(State::Alarm);
    const UNKNOWN: Option<State> = Some(State::InsufficientData);
    const KEEP: Option<State> = None;

    #[test]
    fn three_of_three_as_documented() {
        for (text, expected) in [
            // missing, ignore, breaching, not breaching
            ("0-X-X", [OK, OK, OK, OK]),
            ("0----", [OK, OK, OK, OK]),
            ("-----", [UNKNOWN, KEEP, ALARM, OK]),
            ("0XX-X", [ALARM, ALARM, ALARM, ALARM]),
            ("--X--", [ALARM, KEEP, ALARM, OK]),
            // Too early to say.
            ("----X", [OK, KEEP, ALARM, OK]),
            ("---X-", [OK, KEEP, ALARM, OK]),
            // The older points are not needed.
            ("XX0XX", [OK, OK, OK, OK]),
            ("00XXX", [ALARM, ALARM, ALARM, ALARM]),
        ] {
            assert_eq!(states(text, 3, 3), expected, "{text}");
        }
    }

    #[test]
    fn two_of_three_as_documented() {
        for (text, expected) in [
            ("0-X-X", [ALARM, ALARM, ALARM, ALARM]),
            ("00X0X", [ALARM, ALARM, ALARM, ALARM]),
            ("0-X--", [OK, OK, ALARM, OK]),
            ("----0", [OK, OK, ALARM, OK]),
            ("---X-", [ALARM, KEEP, ALARM, OK]),
            ("X-X--", [ALARM, ALARM, ALARM, ALARM]),
        ] {
            assert_eq!(states(text, 2, 3), expected, "{text}");
        }
    }

    #[test]
    fn one_of_one() {
        for (text, expected) in [
            ("--X", [ALARM, ALARM, ALARM, ALARM]),
            ("--0", [OK, OK, OK, OK]),
            ("X--", [ALARM, ALARM, ALARM, ALARM]),
            ("---", [UNKNOWN, KEEP, ALARM, OK]),
        ] {
            assert_eq!(states(text, 1, 1), expected, "{text}");
        }
    }

    #[test]
    fn the_border_belongs_to_or_equal() {
        for (name, below, at, above) in [
            ("GreaterThanOrEqualToThreshold", false, true, true),
            ("GreaterThanThreshold", false, false, true),
            ("LessThanThreshold", true, false, false),
            ("LessThanOrEqualToThreshold", true, true, false),
        ] {
            let comparison = Comparison::parse(name).unwrap();
            assert_eq!([4.0, 5.0, 6.0].map(|v| comparison.holds(v, 5.0)), [below, at, above], "{name}");
        }
        assert_eq!(Comparison::parse("GreaterThanUpperThreshold"), None);
    }

    #[test]
    fn few_samples_say_nothing() {
        assert_eq!(least_samples(99.0), 1_000.0);
        assert_eq!(least_samples(50.0), 20.0);
        assert_eq!(least_samples(10.0), 100.0);
        assert_eq!(least_samples(100.0), 0.0);
        let rule = Rule {
            periods: 1,
            needed: 1,
            comparison: Comparison::GreaterThan,
            threshold: 5.0,
            missing: Gap::Missing,
            least_samples: 2.0,
        };
        assert_eq!(judge(&rule, &points("X")), Verdict::Keep);
    }
}
