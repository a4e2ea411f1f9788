//! The last hour in four figures.

use leptos::prelude::*;
use model::overview::{Reading, Series, Traffic};
use model::rotation::{PastOutcome, PastRotation};
use model::time::{Timestamp, in_words};

use crate::components::card::{Card, Freshness, Now, value_or_none};
use crate::components::figure::{Figure, FigureText};
use crate::components::sparkline::{Mark, Plot};
use crate::components::status::Tone;
use crate::components::words;

/// From this share of 5xx on the figure is marked: 1 % is what an error budget of 99 % allows, and
/// at 5 % a caller meets an error in every session. What wakes somebody is the alarms' affair.
const SHARE_TO_WATCH: f64 = 0.01;
const SHARE_TOO_HIGH: f64 = 0.05;

/// Requests, error share, throttles and p95, with the rotations of that time marked.
pub fn region(reading: Reading<Traffic>, rotations: Vec<PastRotation>, now: Now) -> impl IntoView {
    let freshness = Freshness::from(&reading);
    let at = reading.at;
    view! {
        <Card id="traffic" heading="Traffic" freshness now>
            {value_or_none(reading, move |traffic| {
                let mut figures = figures(&traffic, at);
                let marks = marks(&traffic, &rotations);
                for (_, plot) in &mut figures {
                    mark(plot, &marks);
                }
                let [requests, errors, throttles, duration] = figures;
                view! {
                    <div class="figures">
                        <Figure text=requests.0 plot=requests.1/>
                        <Figure text=errors.0 plot=errors.1/>
                        <Figure text=throttles.0 plot=throttles.1/>
                        <Figure text=duration.0 plot=duration.1/>
                    </div>
                }
            })}
        </Card>
    }
}

/// The four figures as they were at `at`.
fn figures(traffic: &Traffic, at: Timestamp) -> [(FigureText, Plot); 4] {
    [requests(traffic, at), errors(traffic, at), throttles(traffic, at), duration(traffic, at)]
}

fn requests(traffic: &Traffic, at: Timestamp) -> (FigureText, Plot) {
    let whole = traffic.requests.whole;
    let per_minute = whole.map(|whole| {
        let minutes = f64::from(traffic.period_seconds) * traffic.requests.points.len() as f64 / 60.0;
        format!("{:.1} a minute on average", whole / minutes.max(1.0))
    });
    let text = FigureText {
        name: "Requests",
        value: whole.map(words::count),
        without: "No traffic",
        note: per_minute.unwrap_or_else(|| "CloudWatch has no data for this hour".to_owned()),
        tone: Tone::Plain,
    };
    (text, plot(traffic, at, traffic.requests.points.clone(), "Requests a minute", words::count))
}

fn errors(traffic: &Traffic, at: Timestamp) -> (FigureText, Plot) {
    let share = traffic.error_share();
    let count = |series: &Series| words::count(series.whole.unwrap_or(0.0));
    let text = FigureText {
        name: "Error share",
        value: share.map(words::share),
        without: "No traffic",
        note: match share {
            Some(_) => {
                format!("{} 5xx, and {} 4xx besides", count(&traffic.errors), count(&traffic.client_errors))
            }
            None => "without requests there is no share".to_owned(),
        },
        tone: match share {
            Some(share) if share >= SHARE_TOO_HIGH => Tone::Bad,
            Some(share) if share >= SHARE_TO_WATCH => Tone::Warn,
            _ => Tone::Plain,
        },
    };
    let errors = traffic.errors.points.iter().copied().chain(std::iter::repeat(None));
    let shares = traffic.requests.points.iter().zip(errors).map(|(requests, errors)| {
        let requests = requests.filter(|requests| *requests > 0.0)?;
        Some(errors.unwrap_or(0.0) / requests)
    });
    (text, plot(traffic, at, shares.collect(), "Share of 5xx answers a minute", words::share))
}

fn throttles(traffic: &Traffic, at: Timestamp) -> (FigureText, Plot) {
    let whole = traffic.throttles.whole;
    let text = FigureText {
        name: "Throttles",
        value: whole.map(words::count),
        without: "No data",
        note: match whole {
            Some(whole) if whole > 0.0 => "refused for want of concurrency".to_owned(),
            Some(_) => "nothing was refused".to_owned(),
            None => "the function was not invoked".to_owned(),
        },
        tone: if whole > Some(0.0) { Tone::Warn } else { Tone::Plain },
    };
    (text, plot(traffic, at, traffic.throttles.points.clone(), "Throttles a minute", words::count))
}

fn duration(traffic: &Traffic, at: Timestamp) -> (FigureText, Plot) {
    let whole = traffic.duration_p95.whole;
    let text = FigureText {
        name: "Duration p95",
        value: whole.map(words::millis),
        without: "No traffic",
        note: match whole {
            Some(_) => "in the slowest minute".to_owned(),
            None => "the function was not invoked".to_owned(),
        },
        tone: Tone::Plain,
    };
    (text, plot(traffic, at, traffic.duration_p95.points.clone(), "95th percentile a minute", words::millis))
}

fn plot(
    traffic: &Traffic,
    at: Timestamp,
    points: Vec<Option<f64>>,
    name: &str,
    format: fn(f64) -> String,
) -> Plot {
    let period = u64::from(traffic.period_seconds);
    let span = in_words(period * points.len() as u64);
    let end = traffic.start.0 + i64::from(traffic.period_seconds) * 1_000 * points.len() as i64;
    let highest = points.iter().flatten().copied().reduce(f64::max);
    let lowest = points.iter().flatten().copied().reduce(f64::min);
    let newest = points.iter().rev().flatten().next().copied();
    let description = match (lowest, highest, newest) {
        (Some(lowest), Some(highest), Some(newest)) => format!(
            "{name} over {span}: lowest {}, highest {}, newest {}",
            format(lowest),
            format(highest),
            format(newest)
        ),
        _ => format!("{name} over {span}: no data"),
    };
    let open_end = end > at.0;
    Plot { open_end, points, description, highest: highest.map(format), span, marks: Vec::new() }
}

/// The rotations that fall into the time shown, oldest first. One that is newer than the newest period
/// is marked at its end: CloudWatch is slower than CloudTrail.
fn marks(traffic: &Traffic, rotations: &[PastRotation]) -> Vec<Mark> {
    let last = traffic.requests.points.len().saturating_sub(1);
    let period_ms = i64::from(traffic.period_seconds.max(1)) * 1_000;
    let marks = rotations.iter().rev().filter_map(|rotation| {
        let since = rotation.started.0 - traffic.start.0;
        let period = usize::try_from(since.div_euclid(period_ms)).ok()?.min(last);
        let what = match rotation.outcome {
            PastOutcome::Open => "rotation begun",
            PastOutcome::Succeeded => "rotated",
            PastOutcome::Failed => "rotation failed",
            PastOutcome::Abandoned => "rotation abandoned",
        };
        let time = words::utc(rotation.started);
        Some(Mark { period, label: format!("{what} at {} UTC", time.get(11..16).unwrap_or_default()) })
    });
    marks.collect()
}

/// Puts the marks into a plot, and into its words.
fn mark(plot: &mut Plot, marks: &[Mark]) {
    for mark in marks {
        plot.description.push_str("; ");
        plot.description.push_str(&mark.label);
    }
    plot.marks = marks.to_vec();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::overview::sample;

    #[test]
    fn no_traffic_is_not_zero_per_cent() {
        let mut traffic = sample::healthy().traffic.value.unwrap();
        let silent = Series { points: vec![None; 60], whole: None };
        for series in
            [&mut traffic.requests, &mut traffic.errors, &mut traffic.throttles, &mut traffic.duration_p95]
        {
            series.clone_from(&silent);
        }
        let figures = figures(&traffic, sample::NOW);
        for (text, plot) in &figures {
            assert_eq!(text.value, None, "{}", text.name);
            assert_eq!(plot.highest, None);
            assert!(plot.description.ends_with("no data"), "{}", plot.description);
        }
        assert_eq!(figures[1].0.without, "No traffic");
    }

    #[test]
    fn the_error_share_is_marked_from_one_per_cent_on() {
        let mut traffic = sample::healthy().traffic.value.unwrap();
        traffic.requests.whole = Some(1_000.0);
        for (errors, tone) in [(0.0, Tone::Plain), (9.0, Tone::Plain), (10.0, Tone::Warn), (50.0, Tone::Bad)]
        {
            traffic.errors.whole = Some(errors);
            assert_eq!(super::errors(&traffic, sample::NOW).0.tone, tone, "{errors}");
        }
    }

    #[test]
    fn a_minute_without_requests_has_no_error_share() {
        let mut traffic = sample::healthy().traffic.value.unwrap();
        traffic.requests.points = vec![Some(10.0), Some(0.0), None, Some(10.0)];
        traffic.errors.points = vec![Some(1.0), None, None, None];
        let (_, plot) = errors(&traffic, sample::NOW);
        assert_eq!(plot.points, [Some(0.1), None, None, Some(0.0)]);
    }

    #[test]
    fn rotations_of_the_hour_are_marked_and_said() {
        let traffic = sample::healthy().traffic.value.unwrap();
        let at = |minutes: i64, outcome| PastRotation {
            token: None,
            started_by: None,
            started: Timestamp(traffic.start.0 + minutes * 60_000 + 30_000),
            ended: None,
            outcome,
            error: None,
        };
        let past = [at(75, PastOutcome::Open), at(12, PastOutcome::Succeeded), at(-1, PastOutcome::Failed)];
        let marks = marks(&traffic, &past);
        let periods: Vec<usize> = marks.iter().map(|mark| mark.period).collect();
        assert_eq!(periods, [12, 59]);
        let (_, mut plot) = requests(&traffic, sample::NOW);
        mark(&mut plot, &marks);
        assert!(
            plot.description.ends_with("; rotated at 21:39 UTC; rotation begun at 22:42 UTC"),
            "{}",
            plot.description
        );
    }

    #[test]
    fn the_minute_that_is_not_over_is_marked() {
        let traffic = sample::healthy().traffic.value.unwrap();
        let end = traffic.start.0 + 60_000 * 60;
        assert!(requests(&traffic, Timestamp(end - 1)).1.open_end);
        assert!(!requests(&traffic, Timestamp(end)).1.open_end);
    }
}
