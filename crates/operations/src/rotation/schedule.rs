//! When a secret is rotated by itself: AWS's schedule expressions, their limits, and the next times
//! they name. Pure.
//!
//! The limits are Secrets Manager's ("Schedule expressions in Secrets Manager rotation"): a rate is in
//! hours or days, 4 hours at least and 999 days at most; a cron expression has six fields, its minutes
//! are 0, its year is `*`, its shortest distance is 4 hours; all in UTC. A window is a whole number of
//! hours, and ends before the next rotation and before the day does.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;

/// AWS: the shortest distance between two rotations.
const SHORTEST_HOURS: i64 = 4;
/// AWS: the longest rate.
const LONGEST_DAYS: i64 = 999;
/// So many of a cron expression's times are looked at for their distance.
const LOOKED_AT: usize = 60;

/// A schedule expression that AWS would take.
#[derive(Debug, Clone)]
pub(crate) enum Schedule {
    /// Every so many hours.
    Rate(i64),
    /// At the times a cron expression names.
    Cron(Box<Cron>),
}

impl Schedule {
    /// Reads an expression.
    ///
    /// # Errors
    /// `Invalid`, with AWS's rule that it breaks.
    pub(crate) fn read(text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        let inside = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        match (inside("rate"), inside("cron")) {
            (Some(rate), _) => read_rate(rate),
            (_, Some(cron)) => read_cron(cron),
            _ => Err(invalid("A schedule is rate(...) or cron(...).", "For example rate(30 days) or cron(0 4 ? * SUN *).")),
        }
    }

    /// The next times after `now`, at most `count`. A rate counts from the last rotation, or from now
    /// where there was none; what would lie in the past is due at once, and the count goes on from now.
    pub(crate) fn next_runs(&self, now: Timestamp, rotated: Option<Timestamp>, count: usize) -> Vec<Timestamp> {
        let Some(start) = DateTime::from_timestamp_millis(now.0) else { return Vec::new() };
        match self {
            Self::Rate(hours) => {
                let every = hours * 3_600_000;
                let due = rotated.map_or(now.0 + every, |rotated| rotated.0 + every);
                let first = if due <= now.0 { now.0 } else { due };
                (0..).take(count).map(|number: i64| Timestamp(first + number * every)).collect()
            }
            Self::Cron(cron) => cron
                .iter_after(start)
                .take(count)
                .map(|time: DateTime<Utc>| Timestamp(time.timestamp_millis()))
                .collect(),
        }
    }
}

fn read_rate(inside: &str) -> Result<Schedule, Problem> {
    let next = "For example rate(12 hours) or rate(30 days).";
    let mut words = inside.split_whitespace();
    let (Some(number), Some(unit), None) = (words.next(), words.next(), words.next()) else {
        return Err(invalid("A rate is a whole number and a unit.", next));
    };
    let number: i64 = number.parse().map_err(|_| invalid("A rate is a whole number and a unit.", next))?;
    let hours = match unit {
        "hour" | "hours" => Some(number),
        "day" | "days" => number.checked_mul(24),
        _ => return Err(invalid("A rate is in hours or days.", next)),
    };
    let range = SHORTEST_HOURS..=LONGEST_DAYS * 24;
    let hours = hours.filter(|hours| range.contains(hours));
    hours.map(Schedule::Rate).ok_or_else(|| invalid("A rate is 4 hours at least and 999 days at most.", next))
}

fn read_cron(inside: &str) -> Result<Schedule, Problem> {
    let fields: Vec<&str> = inside.split_whitespace().collect();
    let [minute, .., day, _, weekday, year] = fields.as_slice() else {
        return Err(invalid(
            "A cron expression has six fields: minutes, hours, day of the month, month, day of the week, year.",
            "For example cron(0 4 ? * SUN *): every Sunday at 4:00 UTC.",
        ));
    };
    if fields.len() != 6 {
        return Err(invalid("A cron expression has six fields.", "For example cron(0 4 ? * SUN *)."));
    }
    if *minute != "0" {
        return Err(invalid("The minutes of a rotation's cron expression must be 0.", "Begin with 0: cron(0 ...)."));
    }
    if *year != "*" {
        return Err(invalid("The year of a rotation's cron expression must be *.", "End with *: cron(... *)."));
    }
    if (*day == "?") == (*weekday == "?") {
        return Err(invalid(
            "Of day of the month and day of the week exactly one is ?.",
            "For example cron(0 4 1 * ? *) or cron(0 4 ? * SUN *).",
        ));
    }
    let pattern = fields.join(" ");
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Required).alternative_weekdays(true).build();
    let cron = parser
        .parse(&pattern)
        .map_err(|cause| invalid(&format!("That is no cron expression: {cause}."), "For example cron(0 4 ? * SUN *)."))?;
    // Far from any change of the calendar's rules; any start will do for distances.
    let start = DateTime::<Utc>::UNIX_EPOCH;
    let times: Vec<DateTime<Utc>> = cron.iter_after(start).take(LOOKED_AT).collect();
    if times.is_empty() {
        return Err(invalid("That cron expression names no time.", "Look at the day and the month."));
    }
    let too_short = |pair: &[DateTime<Utc>]| {
        matches!(pair, [one, other] if *other - *one < TimeDelta::hours(SHORTEST_HOURS))
    };
    if times.windows(2).any(too_short) {
        return Err(invalid("Rotations must be 4 hours apart at least.", "Name fewer hours."));
    }
    Ok(Schedule::Cron(Box::new(cron)))
}

fn invalid(message: &str, next: &str) -> Problem {
    Problem::new(ProblemKind::Invalid, message).with_next(next)
}

impl FromStr for Schedule {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        Self::read(text)
    }
}

/// A window for AWS, for example `3h`.
///
/// # Errors
/// `Invalid` when it is not from 1 to 24 hours or, with a rate in hours, not shorter than the rate.
pub(crate) fn window(hours: Option<u32>, schedule: &Schedule) -> Result<Option<String>, Problem> {
    let Some(hours) = hours else { return Ok(None) };
    let most = match schedule {
        Schedule::Rate(rate) if *rate < 24 => *rate,
        _ => 24,
    };
    if hours == 0 || i64::from(hours) > most {
        let message = format!("The window is from 1 to {most} hours long.");
        return Err(invalid(&message, "It must end before the next rotation, and before the day does."));
    }
    Ok(Some(format!("{hours}h")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-25T15:00:00Z, a Wednesday.
    const NOW: Timestamp = Timestamp(1_795_618_800_000);

    fn next(expression: &str, rotated: Option<i64>) -> Vec<String> {
        let rotated = rotated.map(|hours| Timestamp(NOW.0 - hours * 3_600_000));
        let runs = Schedule::read(expression).unwrap().next_runs(NOW, rotated, 2);
        runs.iter().map(|at| DateTime::from_timestamp_millis(at.0).unwrap().format("%a %F %H:%M").to_string()).collect()
    }

    #[test]
    fn the_next_times_are_aws_s() {
        let table = [
            ("rate(30 days)", Some(24), ["Thu 2026-12-24 15:00", "Sat 2027-01-23 15:00"]),
            ("rate(12 hours)", None, ["Thu 2026-11-26 03:00", "Thu 2026-11-26 15:00"]),
            ("rate(12 hours)", Some(100), ["Wed 2026-11-25 15:00", "Thu 2026-11-26 03:00"]),
            ("cron(0 4 ? * SUN *)", None, ["Sun 2026-11-29 04:00", "Sun 2026-12-06 04:00"]),
            ("cron(0 4 ? * 1 *)", None, ["Sun 2026-11-29 04:00", "Sun 2026-12-06 04:00"]),
            ("cron(0 4 1 * ? *)", None, ["Tue 2026-12-01 04:00", "Fri 2027-01-01 04:00"]),
            ("cron(0 0/8 * * ? *)", None, ["Wed 2026-11-25 16:00", "Thu 2026-11-26 00:00"]),
            ("cron(0 4 L * ? *)", None, ["Mon 2026-11-30 04:00", "Thu 2026-12-31 04:00"]),
            ("cron(0 4 ? * 2#1 *)", None, ["Mon 2026-12-07 04:00", "Mon 2027-01-04 04:00"]),
        ];
        for (expression, rotated, times) in table {
            assert_eq!(next(expression, rotated), times, "{expression}");
        }
    }

    #[test]
    fn what_aws_would_refuse_is_refused_with_its_rule() {
        let table = [
            ("", "rate(...) or cron(...)"),
            ("every day", "rate(...) or cron(...)"),
            ("rate(3 hours)", "4 hours at least"),
            ("rate(1000 days)", "999 days"),
            ("rate(5 minutes)", "hours or days"),
            ("rate(-1 days)", "4 hours at least"),
            ("rate(9223372036854775807 days)", "4 hours at least"),
            ("rate(two days)", "whole number"),
            ("cron(0 4 * * SUN)", "six fields"),
            ("cron(0 4 ? * SUN * *)", "six fields"),
            ("cron(5 4 ? * SUN *)", "must be 0"),
            ("cron(0 4 ? * SUN 2027)", "must be *"),
            ("cron(0 4 * * * *)", "exactly one is ?"),
            ("cron(0 4 ? * ? *)", "exactly one is ?"),
            ("cron(0 25 ? * SUN *)", "no cron expression"),
            ("cron(0 * * * ? *)", "4 hours apart"),
            ("cron(0 1,3 * * ? *)", "4 hours apart"),
            ("cron(0 4 31 2 ? *)", "names no time"),
        ];
        for (expression, rule) in table {
            let problem = Schedule::read(expression).map(drop).unwrap_err();
            assert!(problem.message.contains(rule), "{expression}: {}", problem.message);
        }
    }

    #[test]
    fn a_window_fits() {
        let (rate, days) = (Schedule::Rate(12), Schedule::Rate(720));
        assert_eq!(window(None, &rate).unwrap(), None);
        assert_eq!(window(Some(3), &rate).unwrap().as_deref(), Some("3h"));
        assert_eq!(window(Some(24), &days).unwrap().as_deref(), Some("24h"));
        assert!(window(Some(13), &rate).is_err() && window(Some(0), &days).is_err());
    }
}
