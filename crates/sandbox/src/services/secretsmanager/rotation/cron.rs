//! The `cron()` of a rotation schedule: `cron(Minutes Hours Day-of-month Month Day-of-week Year)`.
//!
//! Secrets Manager takes less than EventBridge does: the minute is 0, the year is `*`, one of the two
//! day fields is `?`, there is no `W`, and two hours lie at least four apart. What it does not take is
//! refused with the field's name. No cron crate: those there are count weekdays from 0 or read five
//! fields, and most of this is what must be refused.

use chrono::{DateTime, Datelike, Days, NaiveDate, Timelike, Utc};

/// Secrets Manager rotates no more often than every four hours.
const LEAST_HOURS: u32 = 4;
/// A February 29th comes at the latest after eight years (1896 to 1904, 2096 to 2104).
const FARTHEST_DAYS: u64 = 8 * 366;
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// A schedule that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    hours: Set,
    months: Set,
    day: Day,
}

/// Numbers from 0 to 31, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Set(u32);

/// Which days of a month.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Day {
    /// These days of the month, and its last one if so wanted.
    OfMonth { days: Set, last: bool },
    /// These days of the week, 1 for Sunday.
    OfWeek(Set),
    /// The nth of such a weekday in the month.
    Nth(u32, u32),
    /// The last of such a weekday in the month.
    Last(u32),
}

impl Set {
    fn has(self, number: u32) -> bool {
        self.0 >> number & 1 == 1
    }

    fn numbers(self) -> Vec<u32> {
        (0..32).filter(|number| self.has(*number)).collect()
    }
}

impl Cron {
    /// Reads what stands between the parentheses.
    ///
    /// # Errors
    /// Which field is wrong, and why.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, day_of_month, month, day_of_week, year] = fields[..] else {
            return Err(format!("a cron expression has six fields, this one {}", fields.len()));
        };
        if minutes != "0" {
            return Err(format!("the minutes must be 0, not '{minutes}'"));
        }
        if year != "*" {
            return Err(format!("the year must be *, not '{year}'"));
        }
        let hours = set("hours", hours, 0, 23, &[])?;
        check_spacing(hours)?;
        let months = set("month", month, 1, 12, &MONTHS)?;
        let day = match (day_of_month, day_of_week) {
            ("?", "?") => return Err("day-of-month and day-of-week can't both be ?".to_owned()),
            (days, "?") => of_month(days)?,
            ("?", days) => of_week(days)?,
            _ => return Err("one of day-of-month and day-of-week must be ?".to_owned()),
        };
        let cron = Self { hours, months, day };
        // From any day: a date that never comes, such as February 30th, comes from none.
        cron.next(DateTime::UNIX_EPOCH).map(|_| ()).ok_or("it names a day that never comes")?;
        Ok(cron)
    }

    /// The first time after `after`; none within eight years where the day does not exist.
    pub fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let first = after.date_naive();
        (0..=FARTHEST_DAYS).find_map(|n| {
            let date = first.checked_add_days(Days::new(n))?;
            if !self.is_on(date) {
                return None;
            }
            self.hours
                .numbers()
                .into_iter()
                .filter_map(|hour| Some(date.and_hms_opt(hour, 0, 0)?.and_utc()))
                .find(|time| *time > after)
        })
    }

    /// The hours at which it begins.
    pub fn hours(&self) -> Vec<u32> {
        self.hours.numbers()
    }

    fn is_on(&self, date: NaiveDate) -> bool {
        let weekday = date.weekday().num_days_from_sunday() + 1;
        let is_last = |days| date.checked_add_days(Days::new(days)).is_none_or(|d| d.month() != date.month());
        self.months.has(date.month())
            && match &self.day {
                Day::OfMonth { days, last } => days.has(date.day()) || (*last && is_last(1)),
                Day::OfWeek(days) => days.has(weekday),
                Day::Nth(day, nth) => *day == weekday && (date.day() - 1) / 7 + 1 == *nth,
                Day::Last(day) => *day == weekday && is_last(7),
            }
    }
}

/// The beginning of the hour.
pub fn on_the_hour(time: DateTime<Utc>) -> DateTime<Utc> {
    time.date_naive().and_hms_opt(time.hour(), 0, 0).map_or(time, |hour| hour.and_utc())
}

fn of_month(text: &str) -> Result<Day, String> {
    if text.contains('W') {
        return Err("W is not supported in day-of-month".to_owned());
    }
    let (last, others): (Vec<&str>, Vec<&str>) = text.split(',').partition(|part| *part == "L");
    let days = match others.is_empty() {
        true => Set(0),
        false => set("day-of-month", &others.join(","), 1, 31, &[])?,
    };
    Ok(Day::OfMonth { days, last: !last.is_empty() })
}

fn of_week(text: &str) -> Result<Day, String> {
    let day = |text: &str| number("day-of-week", text, 1, 7, &WEEKDAYS);
    if let Some((weekday, nth)) = text.split_once('#') {
        let nth = number("day-of-week", nth, 1, 5, &[])?;
        return Ok(Day::Nth(day(weekday)?, nth));
    }
    if text == "L" {
        // The last day of the week.
        return Ok(Day::OfWeek(Set(1 << 7)));
    }
    if let Some(weekday) = text.strip_suffix('L') {
        return Ok(Day::Last(day(weekday)?));
    }
    Ok(Day::OfWeek(set("day-of-week", text, 1, 7, &WEEKDAYS)?))
}

fn check_spacing(hours: Set) -> Result<(), String> {
    let all = hours.numbers();
    let wrapped = all.first().map(|first| first + 24);
    let next = all.iter().skip(1).copied().chain(wrapped);
    if all.iter().zip(next).any(|(one, next)| next - one < LEAST_HOURS) {
        return Err(format!("rotations must be at least {LEAST_HOURS} hours apart"));
    }
    Ok(())
}

/// A list of numbers, ranges and increments.
fn set(field: &str, text: &str, least: u32, most: u32, names: &[&str]) -> Result<Set, String> {
    let mut found = 0_u32;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(number(field, step, 1, most, &[])?)),
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => {
                (number(field, from, least, most, names)?, number(field, to, least, most, names)?)
            }
            None if range == "*" || (range.is_empty() && step.is_some()) => (least, most),
            None => {
                let one = number(field, range, least, most, names)?;
                (one, if step.is_some() { most } else { one })
            }
        };
        if from > to {
            return Err(format!("'{range}' in {field} goes backwards"));
        }
        let step = usize::try_from(step.unwrap_or(1)).unwrap_or(1);
        (from..=to).step_by(step).for_each(|number| found |= 1 << number);
    }
    Ok(Set(found))
}

fn number(field: &str, text: &str, least: u32, most: u32, names: &[&str]) -> Result<u32, String> {
    let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
    let found = match named.and_then(|at| u32::try_from(at).ok()) {
        Some(at) => Some(at + 1),
        None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        None => None,
    };
    found
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("'{text}' in {field} is not from {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_times_of_what_aws_documents() {
        // From Tuesday, 2026-03-17 09:30.
        for (expression, times) in [
            ("0 10 * * ? *", ["2026-03-17 10", "2026-03-18 10"]),
            ("0 9 * * ? *", ["2026-03-18 09", "2026-03-19 09"]),
            ("0 18 ? * SAT *", ["2026-03-21 18", "2026-03-28 18"]),
            ("0 18 ? * 7 *", ["2026-03-21 18", "2026-03-28 18"]),
            ("0 18 ? * L *", ["2026-03-21 18", "2026-03-28 18"]),
            ("0 8 1 * ? *", ["2026-04-01 08", "2026-05-01 08"]),
            ("0 1 ? 1/3 SUN *", ["2026-04-05 01", "2026-04-12 01"]),
            ("0 17 L * ? *", ["2026-03-31 17", "2026-04-30 17"]),
            ("0 17 15,L * ? *", ["2026-03-31 17", "2026-04-15 17"]),
            ("0 8 ? * MON-FRI *", ["2026-03-18 08", "2026-03-19 08"]),
            ("0 16 1,15 * ? *", ["2026-04-01 16", "2026-04-15 16"]),
            ("0 0 ? * SUN#1 *", ["2026-04-05 00", "2026-05-03 00"]),
            ("0 0 ? * SUNL *", ["2026-03-29 00", "2026-04-26 00"]),
            ("0 0 ? jan,jul 2#5 *", ["2028-01-31 00", "2028-07-31 00"]),
            ("0 /8 * * ? *", ["2026-03-17 16", "2026-03-18 00"]),
            ("0 2/10 * * ? *", ["2026-03-17 12", "2026-03-17 22"]),
            ("0 0 29 FEB ? *", ["2028-02-29 00", "2032-02-29 00"]),
            ("0 0 1/10 * ? *", ["2026-03-21 00", "2026-03-31 00"]),
        ] {
            let cron = Cron::parse(expression).unwrap();
            let mut time = "2026-03-17T09:30:00Z".parse().unwrap();
            for expected in times {
                time = cron.next(time).unwrap();
                assert_eq!(time.format("%Y-%m-%d %H").to_string(), expected, "{expression}");
            }
        }
    }

    #[test]
    fn what_is_not_accepted_is_told_by_its_field() {
        for (expression, part) in [
            ("0 10 * * ?", "six fields, this one 5"),
            ("5 10 * * ? *", "minutes must be 0"),
            ("0 10 * * ? 2027", "year must be *"),
            ("0 24 * * ? *", "'24' in hours"),
            ("0 * * * ? *", "at least 4 hours apart"),
            ("0 0,22 * * ? *", "at least 4 hours apart"),
            ("0 10 ? * ? *", "both"),
            ("0 10 * * * *", "must be ?"),
            ("0 10 1 * MON *", "must be ?"),
            ("0 10 15W * ? *", "W is not supported"),
            ("0 10 0 * ? *", "'0' in day-of-month"),
            ("0 10 * 13 ? *", "'13' in month"),
            ("0 10 ? * 8 *", "'8' in day-of-week"),
            ("0 10 ? * MON#6 *", "'6' in day-of-week"),
            ("0 10 9-3 * ? *", "backwards"),
            ("0 10 30 FEB ? *", "never comes"),
            ("0 1/0 * * ? *", "'0' in hours"),
            ("0 +1 * * ? *", "'+1' in hours"),
        ] {
            let why = Cron::parse(expression).unwrap_err();
            assert!(why.contains(part), "{expression}: {why}");
        }
    }
}
