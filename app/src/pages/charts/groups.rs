//! Which figures make which chart, and the words above it.

use model::metrics::{ConcurrencyLimits, Figures, Name, Starts, Unit};

use crate::components::words;

/// A chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Its name in addresses and ids.
    pub id: &'static str,
    /// The heading.
    pub heading: &'static str,
    /// The number that counts most, with its unit; none without data.
    pub figure: Option<String>,
    /// What stands in place of the number.
    pub without: &'static str,
    /// A line that puts it into proportion.
    pub note: String,
    /// What its lines are counted in.
    pub unit: Unit,
    /// Its lines, the one that is drawn last comes last.
    pub lines: Vec<Drawn>,
    /// A value that is marked across, and its name.
    pub limit: Option<(f64, String)>,
}

/// A line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// What it is.
    pub label: &'static str,
    /// Its name in files and JSON.
    pub key: &'static str,
    /// How it looks: colour and dashes, from 1.
    pub look: u8,
    /// One value per period; none is a gap.
    pub points: Vec<Option<f64>>,
    /// The value of the whole, as the legend shows it.
    pub whole: Option<f64>,
    /// What that is of the periods: `all` or `max`.
    pub whole_is: &'static str,
}

/// The names of the charts in addresses, in the page's order.
pub const IDS: [&str; 8] =
    ["requests", "errors", "throttles", "duration", "concurrency", "latency", "cold-starts", "start-time"];

/// All charts of some figures.
pub fn charts(figures: &Figures, limits: Option<ConcurrencyLimits>, starts: Option<&Starts>) -> Vec<Chart> {
    vec![
        requests(figures),
        errors(figures),
        throttles(figures),
        duration(figures),
        concurrency(figures, limits),
        latency(figures),
        cold_starts(figures),
        start_time(figures, starts),
    ]
}

/// The value of a chart's line, as people read it.
pub fn words_of(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Count => words::count(value),
        Unit::Milliseconds => words::millis(value),
    }
}

fn drawn(figures: &Figures, name: Name, label: &'static str, look: u8) -> Drawn {
    let line = figures.line(name);
    Drawn {
        label,
        key: name.key(),
        look,
        points: line.map(|line| line.points.clone()).unwrap_or_default(),
        whole: line.and_then(|line| line.whole),
        whole_is: if name.adds_up() { "all" } else { "max" },
    }
}

fn requests(figures: &Figures) -> Chart {
    let whole = figures.whole(Name::Requests);
    let minutes = (figures.window.to.0 - figures.window.from.0) as f64 / 60_000.0;
    Chart {
        id: IDS[0],
        heading: "Requests",
        figure: whole.map(words::count),
        without: "No traffic",
        note: match whole {
            Some(whole) => format!("{:.1} a minute on average", whole / minutes.max(1.0)),
            None => "CloudWatch has no data for this time".to_owned(),
        },
        unit: Unit::Count,
        lines: vec![drawn(figures, Name::Requests, "Requests", 1)],
        limit: None,
    }
}

/// What is no error of the function is told apart: an answer of 500 is none, and a call that the gateway
/// or Lambda refused never got to it.
fn errors(figures: &Figures) -> Chart {
    let points = figures.other_server_errors();
    let whole = points.iter().flatten().copied().reduce(|a, b| a + b);
    let other =
        Drawn { label: "Other 5xx", key: "other_server_errors", look: 1, points, whole, whole_is: "all" };
    let count = |name| words::count(figures.whole(name).unwrap_or(0.0));
    Chart {
        id: IDS[1],
        heading: "Errors",
        figure: figures.error_share().map(words::share),
        without: "No traffic",
        note: match figures.error_share() {
            Some(_) => format!(
                "{} of {} requests were answered with a 5xx",
                count(Name::ServerErrors),
                count(Name::Requests)
            ),
            None => "without requests there is no share".to_owned(),
        },
        unit: Unit::Count,
        lines: vec![
            drawn(figures, Name::ClientErrors, "4xx", 4),
            other,
            drawn(figures, Name::FunctionErrors, "Function errors", 5),
        ],
        limit: None,
    }
}

/// Throttled calls are in neither `Invocations` nor `Errors`: what was tried is the sum.
fn throttles(figures: &Figures) -> Chart {
    let (throttles, invocations) = (figures.whole(Name::Throttles), figures.whole(Name::Invocations));
    let tried = throttles.unwrap_or(0.0) + invocations.unwrap_or(0.0);
    Chart {
        id: IDS[2],
        heading: "Throttles",
        figure: throttles.map(words::count),
        without: "No data",
        note: match throttles {
            Some(throttles) if throttles > 0.0 => {
                format!("{} of {} calls were refused", words::share(throttles / tried), words::count(tried))
            }
            Some(_) => format!("none of {} calls was refused", words::count(tried)),
            None => "the function was not invoked".to_owned(),
        },
        unit: Unit::Count,
        lines: vec![drawn(figures, Name::Throttles, "Throttles", 5)],
        limit: None,
    }
}

fn duration(figures: &Figures) -> Chart {
    let p95 = figures.whole(Name::DurationP95);
    Chart {
        id: IDS[3],
        heading: "Duration",
        figure: p95.map(words::millis),
        without: "No traffic",
        note: match p95 {
            Some(_) => "the 95th percentile of the slowest period".to_owned(),
            None => "the function was not invoked".to_owned(),
        },
        unit: Unit::Milliseconds,
        lines: vec![
            drawn(figures, Name::DurationMax, "Maximum", 4),
            drawn(figures, Name::DurationP99, "p99", 3),
            drawn(figures, Name::DurationP95, "p95", 2),
            drawn(figures, Name::DurationP50, "p50", 1),
        ],
        limit: None,
    }
}

fn concurrency(figures: &Figures, limits: Option<ConcurrencyLimits>) -> Chart {
    let most = figures.whole(Name::Concurrency);
    let of = limits.map(|limits| match limits.reserved {
        Some(reserved) => (reserved, format!("of {} that are reserved", words::count(f64::from(reserved)))),
        None => {
            let account = words::count(f64::from(limits.account));
            (limits.account, format!("of {account} that the account shares"))
        }
    });
    // A limit far above would flatten the line; its number is in the words.
    let near = |limit: u32| most.is_some_and(|most| f64::from(limit) <= most.max(1.0) * 4.0);
    let limit = of.as_ref().filter(|(limit, _)| near(*limit));
    Chart {
        id: IDS[4],
        heading: "Concurrency",
        figure: most.map(words::count),
        without: "No traffic",
        limit: limit.map(|(limit, _)| (f64::from(*limit), "limit".to_owned())),
        note: match (most, of) {
            (Some(_), Some((_, of))) => format!("at once at most, {of}"),
            (Some(_), None) => "at once at most; the limit could not be read".to_owned(),
            (None, _) => "the function was not invoked".to_owned(),
        },
        unit: Unit::Count,
        lines: vec![drawn(figures, Name::Concurrency, "At once", 1)],
    }
}

/// What lies between the two is the gateway's own: authorizer, throttle, queue.
fn latency(figures: &Figures) -> Chart {
    let (all, inner) = (figures.whole(Name::LatencyP95), figures.whole(Name::IntegrationLatencyP95));
    Chart {
        id: IDS[5],
        heading: "API latency",
        figure: all.map(words::millis),
        without: "No traffic",
        note: match (all, inner) {
            (Some(_), Some(inner)) => {
                format!("p95 of the slowest period; {} of the integration", words::millis(inner))
            }
            (Some(_), None) => "p95 of the slowest period; no request reached the integration".to_owned(),
            (None, _) => "CloudWatch has no data for this time".to_owned(),
        },
        unit: Unit::Milliseconds,
        lines: vec![
            drawn(figures, Name::IntegrationLatencyP95, "Integration p95", 4),
            drawn(figures, Name::LatencyP95, "API p95", 2),
            drawn(figures, Name::IntegrationLatencyP50, "Integration p50", 3),
            drawn(figures, Name::LatencyP50, "API p50", 1),
        ],
        limit: None,
    }
}

fn cold_starts(figures: &Figures) -> Chart {
    let (starts, requests) = (figures.whole(Name::ColdStarts), figures.whole(Name::Invocations));
    let share = match (starts, requests) {
        (Some(starts), Some(requests)) if requests > 0.0 => Some((starts / requests).min(1.0)),
        _ => None,
    };
    Chart {
        id: IDS[6],
        heading: "Cold starts",
        figure: starts.map(words::count),
        without: "No data",
        note: match (starts, share) {
            (Some(_), Some(share)) => format!("{} of all calls waited for a start", words::share(share)),
            (Some(_), None) => "requests that waited for a start".to_owned(),
            (None, _) => "the function has counted none".to_owned(),
        },
        unit: Unit::Count,
        lines: vec![drawn(figures, Name::ColdStarts, "Cold starts", 1)],
        limit: None,
    }
}

/// From the log. Where the newest figures are older than the log, the periods differ by one: both are
/// brought to the figures' window.
fn start_time(figures: &Figures, starts: Option<&Starts>) -> Chart {
    let points = starts.map(|starts| {
        let window = figures.window;
        let mut points = vec![None; window.periods()];
        for (index, value) in starts.slowest.iter().enumerate() {
            let at = window.index_of(starts.window.start_of(index));
            if let Some(point) = at.and_then(|at| points.get_mut(at)) {
                *point = *value;
            }
        }
        points
    });
    let whole = starts.and_then(|starts| starts.max_ms);
    let median = starts.and_then(|starts| starts.p50_ms);
    Chart {
        id: IDS[7],
        heading: "Start time",
        figure: median.map(words::millis),
        without: "None",
        note: match starts {
            None => "is read from the log, for a day at most".to_owned(),
            Some(Starts { count: 0, .. }) => "the log tells of no start".to_owned(),
            Some(starts) => {
                let cut = if starts.cut_short { ", the oldest ones" } else { "" };
                format!("the median of {} starts{cut}", words::count(starts.count as f64))
            }
        },
        unit: Unit::Milliseconds,
        lines: vec![Drawn {
            label: "Slowest start",
            key: "start_ms_max",
            look: 2,
            points: points.unwrap_or_default(),
            whole,
            whole_is: "max",
        }],
        limit: None,
    }
}

#[cfg(test)]
mod tests {
    use model::metrics::{Line, Window};
    use model::time::Timestamp;

    use super::*;

    fn figures(lines: Vec<(Name, Vec<Option<f64>>)>) -> Figures {
        let periods = i64::try_from(lines.first().map_or(3, |(_, points)| points.len())).unwrap();
        let window = Window { from: Timestamp(0), to: Timestamp(60_000 * periods), period_seconds: 60 };
        let lines = lines.into_iter().map(|(name, points)| Line::new(name, points)).collect();
        Figures { window, complete: 3, lines, notes: Vec::new() }
    }

    #[test]
    fn no_traffic_is_not_nought_per_cent() {
        for chart in charts(&figures(Vec::new()), None, None) {
            assert_eq!(chart.figure, None, "{}", chart.id);
            assert!(chart.lines.iter().all(|line| line.whole.is_none()), "{}", chart.id);
        }
        let ids: Vec<&str> = charts(&figures(Vec::new()), None, None).iter().map(|chart| chart.id).collect();
        assert_eq!(ids, IDS);
    }

    #[test]
    fn numbers_are_put_into_proportion() {
        let some = |values: [f64; 3]| values.map(Some).to_vec();
        let figures = figures(vec![
            (Name::Requests, some([100.0, 200.0, 300.0])),
            (Name::ServerErrors, some([0.0, 2.0, 4.0])),
            (Name::FunctionErrors, some([0.0, 1.0, 1.0])),
            (Name::Invocations, some([90.0, 190.0, 300.0])),
            (Name::Throttles, some([10.0, 10.0, 0.0])),
            (Name::Concurrency, some([3.0, 7.0, 2.0])),
            (Name::ColdStarts, some([29.0, 0.0, 0.0])),
        ]);
        let limits = ConcurrencyLimits { reserved: Some(20), account: 1_000 };
        let charts = charts(&figures, Some(limits), None);
        let told: Vec<String> = charts
            .iter()
            .map(|chart| {
                format!(
                    "{} {}: {}",
                    chart.heading,
                    chart.figure.as_deref().unwrap_or(chart.without),
                    chart.note
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                "Requests 600: 200.0 a minute on average",
                "Errors 1.0 %: 6 of 600 requests were answered with a 5xx",
                "Throttles 20: 3.3 % of 600 calls were refused",
                "Duration No traffic: the function was not invoked",
                "Concurrency 7: at once at most, of 20 that are reserved",
                "API latency No traffic: CloudWatch has no data for this time",
                "Cold starts 29: 5.0 % of all calls waited for a start",
                "Start time None: is read from the log, for a day at most",
            ]
        );
        assert_eq!(charts[1].lines[1].points, [Some(0.0), Some(1.0), Some(3.0)]);
        assert_eq!(charts[4].limit, Some((20.0, "limit".to_owned())));
        let unreserved = ConcurrencyLimits { reserved: None, account: 1_000 };
        let concurrency = concurrency(&figures, Some(unreserved));
        assert_eq!(concurrency.limit, None, "it would flatten the line");
        assert!(concurrency.note.ends_with("of 1,000 that the account shares"), "{}", concurrency.note);
    }

    #[test]
    fn starts_are_brought_to_the_figures_window() {
        let figures = figures(vec![(Name::Requests, vec![None; 3])]);
        let window = Window { from: Timestamp(60_000), to: Timestamp(240_000), period_seconds: 60 };
        let starts = Starts {
            window,
            count: 2,
            p50_ms: Some(20.0),
            max_ms: Some(40.0),
            slowest: vec![Some(20.0), None, Some(40.0)],
            cut_short: false,
        };
        let chart = start_time(&figures, Some(&starts));
        assert_eq!(chart.lines[0].points, [None, Some(20.0), None]);
        assert_eq!(chart.note, "the median of 2 starts");
    }
}
