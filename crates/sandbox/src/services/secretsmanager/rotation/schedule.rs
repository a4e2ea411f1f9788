//! When a secret is rotated: `RotationRules` to a schedule, and a schedule to its next window.
//!
//! Documented by AWS: UTC; windows open on the hour, those of a rate in days at midnight; every four
//! hours at most and every 999 days at least; without a `Duration` a window closes after one hour
//! where the schedule is one of hours, else with the UTC day, and it reaches into no other day and no
//! other window. Assumed: a rate in hours counts from the hour of the last rotation. AWS rotates at
//! some moment of the window, the sandbox at the first, so that a test can wait for it.

use chrono::{DateTime, Days, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::cron::{Cron, on_the_hour};
use crate::aws::AwsError;
use crate::services::secretsmanager::checks;

/// `RotationRules`, as they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Rules {
    /// Days between two rotations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automatically_after_days: Option<i64>,
    /// How long a window is, for example `3h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// `rate(...)` or `cron(...)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_expression: Option<String>,
}

/// A window in which a rotation takes place, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// When it opens, and the sandbox rotates.
    pub opens_ms: i64,
    /// Its last second, which is what `NextRotationDate` says.
    pub closes_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Every {
    Hours(u32),
    Days(u32),
    Cron(Cron),
}

impl Rules {
    /// Whether these rules make a schedule.
    ///
    /// # Errors
    /// `InvalidParameterException` with what is wrong about them.
    pub fn check(&self) -> Result<(), AwsError> {
        if let Some(days) = self.automatically_after_days {
            checks::range("rotationRules.automaticallyAfterDays", days, 1, 1000)?;
        }
        if self.automatically_after_days.is_some() && self.schedule_expression.is_some() {
            return Err(AwsError::new(
                "InvalidParameterException",
                "You can't specify both AutomaticallyAfterDays and ScheduleExpression.",
            ));
        }
        let expression = self.schedule_expression.as_deref().unwrap_or("-");
        checks::length("rotationRules.scheduleExpression", expression, 1, 256)?;
        let refused = |why| AwsError::new("InvalidParameterException", why);
        let every = self.every().map_err(refused)?;
        let hours = self.hours().map_err(refused)?;
        match (every, hours) {
            (None, Some(_)) => {
                Err(refused("Duration can't be specified without a rotation schedule.".to_owned()))
            }
            (Some(every), Some(hours)) => every.takes(hours).map_err(refused),
            _ => Ok(()),
        }
    }

    /// Whether the next window counts from the last rotation, and not by the calendar.
    pub fn counts_from_last(&self) -> bool {
        matches!(self.every(), Ok(Some(Every::Hours(_) | Every::Days(_))))
    }

    /// The first window after a rotation at `after`, or after that time where it goes by the
    /// calendar; none without a schedule.
    pub fn next(&self, after: DateTime<Utc>) -> Option<Window> {
        let every = self.every().ok()??;
        let duration = self.hours().ok()?;
        let opens = match &every {
            Every::Hours(hours) => on_the_hour(after) + TimeDelta::hours(i64::from(*hours)),
            Every::Days(days) => midnight(after, u64::from(*days))?,
            Every::Cron(cron) => cron.next(after)?,
        };
        let day_ends = midnight(opens, 1)?;
        let closes = match duration.or_else(|| every.is_in_hours().then_some(1)) {
            Some(hours) => day_ends.min(opens + TimeDelta::hours(i64::from(hours))),
            None => day_ends,
        };
        Some(Window { opens_ms: opens.timestamp_millis(), closes_ms: closes.timestamp_millis() - 1000 })
    }

    fn every(&self) -> Result<Option<Every>, String> {
        if let Some(days) = self.automatically_after_days {
            return Ok(u32::try_from(days).ok().map(Every::Days));
        }
        self.schedule_expression.as_deref().map(expression).transpose()
    }

    fn hours(&self) -> Result<Option<u32>, String> {
        let Some(text) = &self.duration else { return Ok(None) };
        let digits = text.strip_suffix('h').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
        let hours = digits.and_then(|digits| digits.parse().ok()).filter(|hours| (1..=24).contains(hours));
        hours.map(Some).ok_or_else(|| format!("Duration must be from 1h to 24h, not '{text}'."))
    }
}

impl Every {
    fn is_in_hours(&self) -> bool {
        match self {
            Self::Hours(_) => true,
            Self::Days(_) => false,
            Self::Cron(cron) => cron.hours().len() > 1,
        }
    }

    /// Whether a window of so many hours fits.
    fn takes(&self, hours: u32) -> Result<(), String> {
        let (starts, apart) = match self {
            Self::Hours(apart) => (vec![0], *apart),
            Self::Days(_) => (vec![0], 24),
            Self::Cron(cron) => {
                let starts = cron.hours();
                let apart = starts.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap_or(24);
                (starts, apart)
            }
        };
        if hours > apart {
            return Err("The rotation window must not extend into the next rotation window.".to_owned());
        }
        if starts.iter().any(|start| start + hours > 24) {
            return Err("The rotation window must not extend into the next UTC day.".to_owned());
        }
        Ok(())
    }
}

fn expression(text: &str) -> Result<Every, String> {
    let inner = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
    if let Some(fields) = inner("cron") {
        return Cron::parse(fields).map(Every::Cron).map_err(|why| invalid(text, &why));
    }
    let Some(rate) = inner("rate") else {
        return Err(invalid(text, "it is neither cron(...) nor rate(...)"));
    };
    let mut words = rate.split_whitespace();
    let (value, unit, rest) = (words.next().unwrap_or_default(), words.next(), words.next());
    let value: u32 = value
        .parse()
        .ok()
        .filter(|value| *value > 0)
        .ok_or_else(|| invalid(text, "a rate begins with a positive whole number"))?;
    match (unit, rest) {
        (Some("hour" | "hours"), None) if (4..=999 * 24).contains(&value) => Ok(Every::Hours(value)),
        (Some("hour" | "hours"), None) => {
            Err(invalid(text, "a secret is rotated every 4 hours at most, and every 999 days at least"))
        }
        (Some("day" | "days"), None) if value <= 999 => Ok(Every::Days(value)),
        (Some("day" | "days"), None) => Err(invalid(text, "a secret is rotated every 999 days at least")),
        _ => Err(invalid(text, "the unit of a rate is hours or days")),
    }
}

fn invalid(expression: &str, why: &str) -> String {
    format!("Invalid ScheduleExpression '{expression}': {why}.")
}

/// The midnight that begins the day `days` after `time`.
fn midnight(time: DateTime<Utc>, days: u64) -> Option<DateTime<Utc>> {
    Some(time.date_naive().checked_add_days(Days::new(days))?.and_hms_opt(0, 0, 0)?.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(expression: &str, duration: &str) -> Rules {
        Rules {
            schedule_expression: Some(expression.to_owned()),
            duration: Some(duration.to_owned()).filter(|text| !text.is_empty()),
            ..Rules::default()
        }
    }

    #[test]
    fn windows_open_and_close_as_documented() {
        for (expression, duration, opens, closes) in [
            ("rate(4 hours)", "", "2026-03-17 13:00:00", "2026-03-17 13:59:59"),
            ("rate(10 hours)", "3h", "2026-03-17 19:00:00", "2026-03-17 21:59:59"),
            ("rate(14 hours)", "3h", "2026-03-17 23:00:00", "2026-03-17 23:59:59"),
            ("rate(1 day)", "", "2026-03-18 00:00:00", "2026-03-18 23:59:59"),
            ("rate(30 days)", "2h", "2026-04-16 00:00:00", "2026-04-16 01:59:59"),
            ("cron(0 16 1,15 * ? *)", "", "2026-04-01 16:00:00", "2026-04-01 23:59:59"),
            ("cron(0 16 1,15 * ? *)", "3h", "2026-04-01 16:00:00", "2026-04-01 18:59:59"),
            ("cron(0 /8 * * ? *)", "", "2026-03-17 16:00:00", "2026-03-17 16:59:59"),
        ] {
            let rules = rules(expression, duration);
            rules.check().unwrap();
            let window = rules.next("2026-03-17T09:30:00Z".parse().unwrap()).unwrap();
            let shown = [window.opens_ms, window.closes_ms]
                .map(|ms| DateTime::from_timestamp_millis(ms).unwrap().format("%F %T").to_string());
            assert_eq!(shown, [opens, closes], "{expression} {duration}");
        }
        let days = Rules { automatically_after_days: Some(30), ..Rules::default() };
        let after = "2026-03-17T09:30:00Z".parse().unwrap();
        assert_eq!(days.next(after), rules("rate(30 days)", "").next(after));
        assert_eq!(Rules::default().next(after), None);
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for (expression, duration, part) in [
            ("rate(3 hours)", "", "every 4 hours at most"),
            ("rate(1000 days)", "", "999 days"),
            ("rate(30000 hours)", "", "999 days"),
            ("rate(0 days)", "", "positive whole number"),
            ("rate(-1 days)", "", "positive whole number"),
            ("rate(5 minutes)", "", "hours or days"),
            ("rate(5)", "", "hours or days"),
            ("every day", "", "neither"),
            ("cron(1 2 3 * ? *)", "", "minutes must be 0"),
            ("rate(4 hours)", "5h", "next rotation window"),
            ("cron(0 /8 * * ? *)", "9h", "next rotation window"),
            ("cron(0 20 * * ? *)", "5h", "next UTC day"),
            ("rate(2 days)", "25h", "1h to 24h"),
            ("rate(2 days)", "3", "1h to 24h"),
            ("rate(2 days)", "0h", "1h to 24h"),
        ] {
            let error = rules(expression, duration).check().unwrap_err();
            assert_eq!(error.code, "InvalidParameterException");
            assert!(error.message.contains(part), "{expression} {duration}: {}", error.message);
        }
        let both = Rules { automatically_after_days: Some(3), ..rules("rate(2 days)", "") };
        assert_eq!(both.check().unwrap_err().code, "InvalidParameterException");
        let lone = Rules { duration: Some("3h".to_owned()), ..Rules::default() };
        assert!(lone.check().unwrap_err().message.contains("without"));
        for days in [0, 1001] {
            let rules = Rules { automatically_after_days: Some(days), ..Rules::default() };
            assert_eq!(rules.check().unwrap_err().code, "ValidationException");
        }
    }
}
