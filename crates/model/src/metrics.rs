//! The stack's figures over time: what is asked of CloudWatch, and what the metrics page shows of it.

use serde::{Deserialize, Serialize};

use crate::overview::Reading;
use crate::problem::{Problem, ProblemKind};
use crate::time::Timestamp;

/// A minute: the shortest period of AWS's own metrics, in seconds.
pub const MINUTE: u32 = 60;

/// The most points a chart may have. More can't be told apart on a screen; 500 and a few for ranges
/// that do not begin with a period.
pub const MOST_POINTS: i64 = 510;

/// Metrics are kept for 455 days (CloudWatch User Guide, "Metrics retention").
pub const KEPT_MS: i64 = 455 * 86_400_000;

/// Which part of the function's figures.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All calls through the alias: what callers of the API meet.
    Alias,
    /// Those of them that this version answered.
    Version(String),
}

/// Which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Range {
    /// The time until now, of one of the usual lengths.
    Last(Span),
    /// From one point in time to another.
    Between {
        /// The beginning.
        from: Timestamp,
        /// The end, which is not in it.
        to: Timestamp,
    },
}

/// The usual lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Span {
    /// An hour.
    #[serde(rename = "1h")]
    Hour,
    /// Three hours.
    #[serde(rename = "3h")]
    ThreeHours,
    /// Twelve hours.
    #[serde(rename = "12h")]
    TwelveHours,
    /// A day: 24 hours.
    #[serde(rename = "1d")]
    Day,
    /// A week: seven times 24 hours.
    #[serde(rename = "7d")]
    Week,
    /// Thirty times 24 hours.
    #[serde(rename = "30d")]
    Month,
}

impl Span {
    /// All of them, the shortest first.
    pub const ALL: [Self; 6] =
        [Self::Hour, Self::ThreeHours, Self::TwelveHours, Self::Day, Self::Week, Self::Month];

    /// Its name in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::ThreeHours => "3h",
            Self::TwelveHours => "12h",
            Self::Day => "1d",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    /// The span with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|span| span.name() == name)
    }

    /// Its length in milliseconds.
    pub fn length_ms(self) -> i64 {
        3_600_000
            * match self {
                Self::Hour => 1,
                Self::ThreeHours => 3,
                Self::TwelveHours => 12,
                Self::Day => 24,
                Self::Week => 7 * 24,
                Self::Month => 30 * 24,
            }
    }
}

/// A stretch of time cut into periods, which begin at multiples of their length since 1970, as
/// CloudWatch's do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Window {
    /// The start of the first period.
    pub from: Timestamp,
    /// The end of the last period.
    pub to: Timestamp,
    /// A period's length in seconds.
    pub period_seconds: u32,
}

impl Window {
    /// The window of a range, as of `now`: whole periods, so it may begin and end a little outside of
    /// what was asked for. The newest period of a range until now is still filling.
    ///
    /// # Errors
    /// `Invalid` for a range that ends before it begins, lies in the future, or is older than CloudWatch
    /// keeps figures.
    pub fn of(range: Range, now: Timestamp) -> Result<Self, Problem> {
        let (from, to) = match range {
            Range::Last(span) => {
                let period = i64::from(period(span.length_ms(), 0)) * 1_000;
                let end = (now.0.div_euclid(period) + 1) * period;
                (end - span.length_ms(), end)
            }
            Range::Between { from, to } => (from.0, to.0.min(now.0 + 1)),
        };
        let invalid = |message: &str| Problem::new(ProblemKind::Invalid, message);
        if let Range::Between { from, to } = range {
            if from >= to {
                return Err(invalid("The range ends before it begins."));
            }
            if from >= now {
                return Err(invalid("The range lies in the future."));
            }
            if from.0 < now.0 - KEPT_MS {
                return Err(invalid("CloudWatch keeps figures for 455 days; the range begins before that."));
            }
        }
        let seconds = period(to - from, now.0 - from);
        let period = i64::from(seconds) * 1_000;
        let from = from.div_euclid(period) * period;
        let to = (to - 1).div_euclid(period) * period + period;
        Ok(Self { from: Timestamp(from), to: Timestamp(to), period_seconds: seconds })
    }

    /// How many periods.
    pub fn periods(self) -> usize {
        usize::try_from((self.to.0 - self.from.0) / self.period_ms()).unwrap_or_default()
    }

    /// A period's length in milliseconds; never 0.
    pub fn period_ms(self) -> i64 {
        i64::from(self.period_seconds.max(1)) * 1_000
    }

    /// The start of a period, counted from 0.
    pub fn start_of(self, index: usize) -> Timestamp {
        Timestamp(self.from.0 + self.period_ms() * i64::try_from(index).unwrap_or(i64::MAX / 1_000_000_000))
    }

    /// The period that a point in time falls into; none outside of the window.
    pub fn index_of(self, at: Timestamp) -> Option<usize> {
        let index = usize::try_from((at.0 - self.from.0).div_euclid(self.period_ms())).ok()?;
        (index < self.periods()).then_some(index)
    }
}

/// The periods there are, in seconds. All are multiples of 60; from 300 on also of 300, from 3,600 on
/// of 3,600.
const PERIODS: [u32; 9] = [60, 300, 900, 1_800, 3_600, 7_200, 21_600, 86_400, 604_800];

/// The shortest period that makes no more than [`MOST_POINTS`] points of a length, and that CloudWatch
/// still has for data of that age (its start's): up to 15 days 60 s, up to 63 days 300 s, then 3,600 s.
/// Another one gives no data, and no error either.
fn period(length_ms: i64, age_ms: i64) -> u32 {
    const DAY_MS: i64 = 86_400_000;
    let shortest = match age_ms {
        age if age < 15 * DAY_MS => 60,
        age if age < 63 * DAY_MS => 300,
        _ => 3_600,
    };
    let fits =
        |period: u32| period >= shortest && length_ms <= (MOST_POINTS - 10) * i64::from(period) * 1_000;
    PERIODS.into_iter().find(|period| fits(*period)).unwrap_or(604_800)
}

/// One figure that is shown over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Name {
    /// Requests to the API (`Count`, Sum).
    Requests,
    /// Answers with a status from 400 to 499 (`4xx`, Sum).
    ClientErrors,
    /// Answers with a status from 500 (`5xx`, Sum).
    ServerErrors,
    /// From request to answer at the API (`Latency`), the median.
    LatencyP50,
    /// The 95th percentile of the same.
    LatencyP95,
    /// The 99th percentile of the same.
    LatencyP99,
    /// The part of it that the integration takes (`IntegrationLatency`), the median.
    IntegrationLatencyP50,
    /// The 95th percentile of the same.
    IntegrationLatencyP95,
    /// The 99th percentile of the same.
    IntegrationLatencyP99,
    /// Calls that the function worked on (`Invocations`, Sum). Throttled ones are not in it.
    Invocations,
    /// Of these, those that ended in an error of the function (`Errors`, Sum): a crash, a time-out. An
    /// answer of 500 is none.
    FunctionErrors,
    /// Calls that Lambda refused for want of concurrency (`Throttles`, Sum).
    Throttles,
    /// The function's median (`Duration`, p50).
    DurationP50,
    /// Its 95th percentile.
    DurationP95,
    /// Its 99th percentile.
    DurationP99,
    /// Its slowest call.
    DurationMax,
    /// Calls at work at once (`ConcurrentExecutions`, Maximum).
    Concurrency,
    /// Requests that a new execution environment was started for (the function's own `ColdStart`, Sum).
    ColdStarts,
}

/// What a figure is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Things.
    Count,
    /// Milliseconds.
    Milliseconds,
}

impl Name {
    /// All of them, in the order of the pages.
    pub const ALL: [Self; 18] = [
        Self::Requests,
        Self::ClientErrors,
        Self::ServerErrors,
        Self::LatencyP50,
        Self::LatencyP95,
        Self::LatencyP99,
        Self::IntegrationLatencyP50,
        Self::IntegrationLatencyP95,
        Self::IntegrationLatencyP99,
        Self::Invocations,
        Self::FunctionErrors,
        Self::Throttles,
        Self::DurationP50,
        Self::DurationP95,
        Self::DurationP99,
        Self::DurationMax,
        Self::Concurrency,
        Self::ColdStarts,
    ];

    /// What it is counted in.
    pub fn unit(self) -> Unit {
        match self {
            Self::Requests
            | Self::ClientErrors
            | Self::ServerErrors
            | Self::Invocations
            | Self::FunctionErrors
            | Self::Throttles
            | Self::Concurrency
            | Self::ColdStarts => Unit::Count,
            _ => Unit::Milliseconds,
        }
    }

    /// Whether periods add up to the whole. Of what does not, the whole is the highest period's:
    /// percentiles of parts make none of the whole.
    pub fn adds_up(self) -> bool {
        self.unit() == Unit::Count && self != Self::Concurrency
    }

    /// Its name in JSON and in the first line of a CSV file.
    pub fn key(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::ClientErrors => "client_errors",
            Self::ServerErrors => "server_errors",
            Self::LatencyP50 => "latency_p50",
            Self::LatencyP95 => "latency_p95",
            Self::LatencyP99 => "latency_p99",
            Self::IntegrationLatencyP50 => "integration_latency_p50",
            Self::IntegrationLatencyP95 => "integration_latency_p95",
            Self::IntegrationLatencyP99 => "integration_latency_p99",
            Self::Invocations => "invocations",
            Self::FunctionErrors => "function_errors",
            Self::Throttles => "throttles",
            Self::DurationP50 => "duration_p50",
            Self::DurationP95 => "duration_p95",
            Self::DurationP99 => "duration_p99",
            Self::DurationMax => "duration_max",
            Self::Concurrency => "concurrency",
            Self::ColdStarts => "cold_starts",
        }
    }
}

/// A figure over a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Which figure.
    pub name: Name,
    /// What it is counted in.
    pub unit: Unit,
    /// One value per period; none where CloudWatch has no data, which is not 0.
    pub points: Vec<Option<f64>>,
    /// The figure of the whole window, as [`Name::adds_up`] says; none without data.
    pub whole: Option<f64>,
}

impl Line {
    /// A figure with its whole.
    pub fn new(name: Name, points: Vec<Option<f64>>) -> Self {
        let known = points.iter().flatten().copied();
        let whole = known.reduce(if name.adds_up() { |a, b| a + b } else { f64::max });
        Self { name, unit: name.unit(), points, whole }
    }
}

/// The figures of a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Which time.
    pub window: Window,
    /// How many periods, from the first on, are complete. CloudWatch's figures of the newest two minutes
    /// are not.
    pub complete: usize,
    /// Those of [`Name::ALL`] that could be read.
    pub lines: Vec<Line>,
    /// What CloudWatch said beside its figures, and which of them it did not give: a sentence each.
    pub notes: Vec<String>,
}

impl Figures {
    /// A figure.
    pub fn line(&self, name: Name) -> Option<&Line> {
        self.lines.iter().find(|line| line.name == name)
    }

    /// The whole of a figure; none without data.
    pub fn whole(&self, name: Name) -> Option<f64> {
        self.line(name)?.whole
    }

    /// The share of requests that were answered with a 5xx, from 0 to 1; none without traffic.
    pub fn error_share(&self) -> Option<f64> {
        let requests = self.whole(Name::Requests).filter(|requests| *requests > 0.0)?;
        Some(self.whole(Name::ServerErrors).unwrap_or(0.0) / requests)
    }

    /// The 5xx answers of each period that were no error of the function: it answered so itself, or the
    /// call never got to it. Gaps where there were no requests.
    pub fn other_server_errors(&self) -> Vec<Option<f64>> {
        let of = |name: Name, index: usize| {
            self.line(name).and_then(|line| line.points.get(index).copied().flatten()).unwrap_or(0.0)
        };
        let Some(requests) = self.line(Name::Requests) else { return Vec::new() };
        let periods = requests.points.iter().enumerate();
        periods
            .map(|(index, requests)| {
                requests.map(|_| (of(Name::ServerErrors, index) - of(Name::FunctionErrors, index)).max(0.0))
            })
            .collect()
    }
}

/// How many calls may be at work at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConcurrencyLimits {
    /// What is set aside for this function, and the most it gets; none where nothing is.
    pub reserved: Option<u32>,
    /// What the whole account may have.
    pub account: u32,
}

impl ConcurrencyLimits {
    /// The most this function can get.
    pub fn limit(self) -> u32 {
        self.reserved.unwrap_or(self.account)
    }
}

/// How long new execution environments took to start, from the function's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Starts {
    /// Which time.
    pub window: Window,
    /// How many starts the log tells of.
    pub count: usize,
    /// The median of all of them, in milliseconds.
    pub p50_ms: Option<f64>,
    /// The slowest, in milliseconds.
    pub max_ms: Option<f64>,
    /// The slowest of each period, in milliseconds.
    pub slowest: Vec<Option<f64>>,
    /// Whether the log was longer than what is read of it: then the oldest are told of.
    pub cut_short: bool,
}

/// Something that happened, which a bump in a line may come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// What kind of thing.
    pub kind: MarkKind,
    /// What it was, in a few words.
    pub label: String,
}

/// What is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// The alias was changed.
    Deploy,
    /// The secret was rotated, or that was tried.
    Rotation,
    /// An alarm changed its state.
    Alarm,
}

/// What asking CloudWatch for figures has cost in a calendar month (UTC).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// The month, for example `2026-12`.
    pub month: String,
    /// Calls of GetMetricData.
    pub calls: u64,
    /// Metrics asked for in them: what is paid for.
    pub metrics: u64,
    /// What that comes to, estimated, in US dollars.
    pub dollars: f64,
    /// What may be spent in a month before figures are read more seldom, in US dollars.
    pub cap_dollars: f64,
    /// How far apart the calls are now, in seconds.
    pub pace_seconds: u64,
    /// Whether that is more than usual, as most of what may be spent is.
    pub slowed: bool,
}

/// The metrics page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricsPage {
    /// When it was put together.
    pub now: Timestamp,
    /// Which time was asked for.
    pub range: Range,
    /// Which part of the function's figures.
    pub scope: Scope,
    /// The figures.
    pub figures: Reading<Figures>,
    /// When CloudWatch is asked for them again, if somebody looks.
    pub next: Timestamp,
    /// How long starts took; none for ranges of more than a day, for which the log is too long.
    pub starts: Option<Reading<Starts>>,
    /// How many calls may be at work at once.
    pub limits: Reading<ConcurrencyLimits>,
    /// What happened meanwhile, the oldest first.
    pub marks: Vec<Mark>,
    /// The versions that can be looked at by themselves, the newest first.
    pub versions: Vec<String>,
    /// What asking has cost.
    pub cost: Cost,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: i64 = 60_000;
    const HOUR_MS: i64 = 3_600_000;
    const DAY_MS: i64 = 86_400_000;
    /// 2026-12-01T00:00:30Z
    const NOW: Timestamp = Timestamp(1_796_083_230_000);

    #[test]
    fn a_usual_range_ends_with_the_period_that_is_filling() {
        let table = [
            (Span::Hour, 60, 60),
            (Span::ThreeHours, 60, 180),
            (Span::TwelveHours, 300, 144),
            (Span::Day, 300, 288),
            (Span::Week, 1_800, 336),
            (Span::Month, 7_200, 360),
        ];
        for (span, period, periods) in table {
            let window = Window::of(Range::Last(span), NOW).unwrap();
            assert_eq!((window.period_seconds, window.periods()), (period, periods), "{span:?}");
            assert!(window.to > NOW && window.to.0 - NOW.0 <= window.period_ms(), "{span:?}");
            assert_eq!(window.from.0.rem_euclid(window.period_ms()), 0, "{span:?}");
        }
    }

    #[test]
    fn the_period_follows_from_length_and_age() {
        // (begins so long ago, is so long, period in seconds)
        let table = [
            (HOUR_MS, HOUR_MS, 60),
            (DAY_MS, 8 * HOUR_MS, 60),
            (DAY_MS, 9 * HOUR_MS, 300),
            (15 * DAY_MS - MINUTE_MS, HOUR_MS, 60),
            (15 * DAY_MS, HOUR_MS, 300),
            (62 * DAY_MS, HOUR_MS, 300),
            (63 * DAY_MS, HOUR_MS, 3_600),
            (454 * DAY_MS, 454 * DAY_MS, 86_400),
        ];
        for (ago, length, period) in table {
            let from = Timestamp(NOW.0 - ago);
            let range = Range::Between { from, to: Timestamp(from.0 + length) };
            let window = Window::of(range, NOW).unwrap();
            assert_eq!(window.period_seconds, period, "{ago} {length}");
            assert!(i64::try_from(window.periods()).unwrap() <= MOST_POINTS);
            assert!(window.from <= from && window.to.0 >= (from.0 + length).min(NOW.0));
        }
    }

    #[test]
    fn a_range_that_can_not_be_is_refused() {
        let at = |ms: i64| Timestamp(NOW.0 + ms);
        let table = [
            (at(-1), at(-1), "ends before"),
            (at(-1), at(-2), "ends before"),
            (at(0), at(1), "in the future"),
            (at(-KEPT_MS - 1), at(0), "455 days"),
        ];
        for (from, to, words) in table {
            let problem = Window::of(Range::Between { from, to }, NOW).unwrap_err();
            assert!(problem.message.contains(words), "{problem}");
        }
        let open = Window::of(Range::Between { from: at(-HOUR_MS), to: at(DAY_MS) }, NOW).unwrap();
        assert!(open.to.0 - NOW.0 <= MINUTE_MS, "the end is no later than the minute that is filling");
    }

    #[test]
    fn a_window_knows_its_periods() {
        let window = Window { from: Timestamp(0), to: Timestamp(3 * MINUTE_MS), period_seconds: MINUTE };
        assert_eq!(window.periods(), 3);
        assert_eq!(window.start_of(2), Timestamp(120_000));
        let table = [(-1, None), (0, Some(0)), (59_999, Some(0)), (60_000, Some(1)), (180_000, None)];
        for (at, index) in table {
            assert_eq!(window.index_of(Timestamp(at)), index, "{at}");
        }
    }

    #[test]
    fn wholes_add_up_or_are_the_highest() {
        let points = vec![Some(2.0), None, Some(3.0)];
        assert_eq!(Line::new(Name::Requests, points.clone()).whole, Some(5.0));
        assert_eq!(Line::new(Name::Concurrency, points.clone()).whole, Some(3.0));
        assert_eq!(Line::new(Name::DurationP95, points).whole, Some(3.0));
        assert_eq!(Line::new(Name::Requests, vec![None, None]).whole, None);
    }

    #[test]
    fn what_no_error_of_the_function_explains_is_told_apart() {
        let window = Window { from: Timestamp(0), to: Timestamp(4 * MINUTE_MS), period_seconds: MINUTE };
        let lines = vec![
            Line::new(Name::Requests, vec![Some(10.0), Some(10.0), None, Some(4.0)]),
            Line::new(Name::ServerErrors, vec![Some(3.0), Some(1.0), None, Some(0.0)]),
            // Counted where the call began, so a minute may have more of them than answers.
            Line::new(Name::FunctionErrors, vec![Some(1.0), Some(2.0), None, None]),
        ];
        let figures = Figures { window, complete: 3, lines, notes: Vec::new() };
        assert_eq!(figures.other_server_errors(), [Some(2.0), Some(0.0), None, Some(0.0)]);
        assert_eq!(figures.error_share(), Some(4.0 / 24.0));
        assert_eq!(figures.whole(Name::Throttles), None);
    }
}
