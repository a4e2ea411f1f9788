//! Dates and times: reading and writing their stored form, their texts, their parts and their sums.

use chrono::{
    DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Utc,
};

use super::SqlType;
use crate::tds::error::{SqlError, SqlResult};

/// A point in local time and, where it has one, its offset from UTC in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The local date and time.
    pub local: NaiveDateTime,
    /// Minutes east of UTC.
    pub offset: i32,
}

/// 1900-01-01: what a time alone stands on, and where datetime's days begin.
pub fn base_date() -> NaiveDate {
    NaiveDate::from_ymd_opt(1900, 1, 1).unwrap_or_default()
}

impl Moment {
    /// The present time in UTC.
    pub fn of(time: DateTime<Utc>) -> Self {
        Self { local: time.naive_utc(), offset: 0 }
    }

    /// The instant in UTC.
    pub fn utc(self) -> Option<NaiveDateTime> {
        self.local.checked_sub_signed(TimeDelta::minutes(i64::from(self.offset)))
    }

    /// Reads the stored form of `from`.
    pub fn stored(text: &str, from: SqlType) -> Option<Self> {
        let plain = |local| Self { local, offset: 0 };
        match from {
            SqlType::Date => {
                NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0).map(plain)
            }
            SqlType::Time(_) => NaiveTime::parse_from_str(text, "%H:%M:%S%.f")
                .ok()
                .map(|time| plain(base_date().and_time(time))),
            SqlType::DateTimeOffset(_) => {
                let (utc, offset) = text.rsplit_once(' ')?;
                let utc = NaiveDateTime::parse_from_str(utc, "%Y-%m-%d %H:%M:%S%.f").ok()?;
                let offset = parse_offset(offset)?;
                let local = utc.checked_add_signed(TimeDelta::minutes(i64::from(offset)))?;
                Some(Self { local, offset })
            }
            _ => NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok().map(plain),
        }
    }

    /// The stored form as `to`, rounded to its scale.
    ///
    /// # Errors
    /// 242 when it is out of the type's range.
    pub fn store(self, to: SqlType) -> SqlResult<String> {
        let out_of_range = || {
            SqlError::new(
                242,
                3,
                format!("The conversion to a {} data type resulted in an out-of-range value.", to.name()),
            )
        };
        let seconds = |time: NaiveDateTime| time.format("%Y-%m-%d %H:%M:%S").to_string();
        let ticks = |time: NaiveDateTime| time.nanosecond() / 100;
        let full = |time: NaiveDateTime| format!("{}.{:07}", seconds(time), ticks(time));
        let in_years = |time: NaiveDateTime, first: i32| {
            if (first..=9999).contains(&time.year()) { Ok(time) } else { Err(out_of_range()) }
        };
        Ok(match to {
            SqlType::Date => in_years(self.local, 1)?.format("%Y-%m-%d").to_string(),
            SqlType::Time(scale) => {
                // Rounding up at midnight goes round the clock.
                let time = round(self.local, scale).ok_or_else(out_of_range)?;
                format!("{}.{:07}", time.format("%H:%M:%S"), ticks(time))
            }
            SqlType::DateTime2(scale) => {
                full(in_years(round(self.local, scale).ok_or_else(out_of_range)?, 1)?)
            }
            SqlType::DateTimeOffset(scale) => {
                let rounded = Self { local: round(self.local, scale).ok_or_else(out_of_range)?, ..self };
                let utc = in_years(rounded.utc().ok_or_else(out_of_range)?, 1)?;
                format!("{} {}", full(utc), write_offset(self.offset))
            }
            SqlType::SmallDateTime => {
                let half = self.local.checked_add_signed(TimeDelta::seconds(30)).ok_or_else(out_of_range)?;
                let minute =
                    half.with_second(0).and_then(|t| t.with_nanosecond(0)).ok_or_else(out_of_range)?;
                if !(1900..=2079).contains(&minute.year()) {
                    return Err(out_of_range());
                }
                full(minute)
            }
            _ => {
                let (days, ticks) = datetime_parts(self.local);
                full(in_years(datetime_of(days, ticks).ok_or_else(out_of_range)?, 1753)?)
            }
        })
    }

    /// Reads a text: ISO 8601 with `T` or a blank, `yyyymmdd`, a date alone, a time alone.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (text, offset) = split_offset(text);
        let offset = match offset {
            Some(offset) => parse_offset(offset)?,
            None => 0,
        };
        let text = text.trim_end();
        let (date, time) = match text.split_once(['T', ' ']) {
            Some((date, time)) => (Some(date), Some(time.trim())),
            None if text.contains(':') => (None, Some(text)),
            None => (Some(text), None),
        };
        let date = match date {
            Some(date) => parse_date(date)?,
            None => base_date(),
        };
        let time = match time {
            Some(time) => parse_time(time)?,
            None => NaiveTime::default(),
        };
        Some(Self { local: date.and_time(time), offset })
    }

    /// The text of a value of type `from`, in the style given; `None` for a style not known.
    pub fn text(self, from: SqlType, style: i64) -> Option<String> {
        let fraction = |digits: u8| {
            if digits == 0 {
                return String::new();
            }
            let all = format!("{:07}", self.local.nanosecond() / 100);
            format!(".{}", &all[..usize::from(digits.min(7))])
        };
        let local = self.local;
        let scale = from.scale();
        let date = local.format("%Y-%m-%d").to_string();
        let time = local.format("%H:%M:%S").to_string();
        Some(match (from, style) {
            (SqlType::Date, 0 | 20 | 21 | 23 | 120 | 121 | 126 | 127) => date,
            (SqlType::Time(_), 0 | 20 | 21 | 120 | 121 | 126 | 127 | 114) => {
                format!("{time}{}", fraction(scale))
            }
            (SqlType::DateTime2(_), 0) => format!("{date} {time}{}", fraction(scale)),
            (SqlType::DateTimeOffset(_), 0 | 21 | 121) => {
                format!("{date} {time}{} {}", fraction(scale), write_offset(self.offset))
            }
            (SqlType::DateTimeOffset(_), 127) => {
                format!("{}{}Z", self.utc()?.format("%Y-%m-%dT%H:%M:%S"), fraction(scale))
            }
            (SqlType::DateTimeOffset(_), 126) => {
                format!("{date}T{time}{}{}", fraction(scale), write_offset(self.offset))
            }
            (_, 0 | 100) => local.format("%b %e %Y %l:%M%p").to_string(),
            (_, 20 | 120) => format!("{date} {time}"),
            (_, 21 | 121) => format!("{date} {time}{}", fraction(scale)),
            (_, 126) if local.nanosecond() == 0 && matches!(from, SqlType::DateTime) => {
                format!("{date}T{time}")
            }
            (_, 126) => format!("{date}T{time}{}", fraction(scale)),
            (_, 127) => format!("{date}T{time}{}Z", fraction(scale)),
            (_, 23) => date,
            (_, 112) => local.format("%Y%m%d").to_string(),
            (_, 108 | 8) => time,
            (_, 103) => local.format("%d/%m/%Y").to_string(),
            (_, 104) => local.format("%d.%m.%Y").to_string(),
            _ => return None,
        })
    }

    /// One part, by its T-SQL name; `None` for one not known.
    pub fn part(self, part: &str) -> Option<i64> {
        let local = self.local;
        Some(match canonical_part(part)? {
            "year" => i64::from(local.year()),
            "quarter" => i64::from(local.month0() / 3 + 1),
            "month" => i64::from(local.month()),
            "dayofyear" => i64::from(local.ordinal()),
            "day" => i64::from(local.day()),
            // DATEFIRST is 7: Sunday is the first day.
            "weekday" => i64::from(local.weekday().num_days_from_sunday() + 1),
            "week" => {
                let first = NaiveDate::from_ymd_opt(local.year(), 1, 1)?.weekday().num_days_from_sunday();
                i64::from((local.ordinal0() + first) / 7 + 1)
            }
            "iso_week" => i64::from(local.iso_week().week()),
            "hour" => i64::from(local.hour()),
            "minute" => i64::from(local.minute()),
            "second" => i64::from(local.second()),
            "millisecond" => i64::from(local.nanosecond() / 1_000_000),
            "microsecond" => i64::from(local.nanosecond() / 1_000),
            "nanosecond" => i64::from(local.nanosecond()),
            "tzoffset" => i64::from(self.offset),
            _ => return None,
        })
    }

    /// Adds `number` times `part`; `None` when the part is not known or the result out of range.
    pub fn add(self, part: &str, number: i64) -> Option<Self> {
        let months = |factor: i64| {
            let months = number.checked_mul(factor)?;
            let by = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
            if months < 0 { self.local.checked_sub_months(by) } else { self.local.checked_add_months(by) }
        };
        let days = |factor: u64| {
            let by = Days::new(number.unsigned_abs().checked_mul(factor)?);
            if number < 0 { self.local.checked_sub_days(by) } else { self.local.checked_add_days(by) }
        };
        let span = |span: Option<TimeDelta>| self.local.checked_add_signed(span?);
        let local = match canonical_part(part)? {
            "year" => months(12),
            "quarter" => months(3),
            "month" => months(1),
            "day" | "dayofyear" | "weekday" => days(1),
            "week" => days(7),
            "hour" => span(TimeDelta::try_hours(number)),
            "minute" => span(TimeDelta::try_minutes(number)),
            "second" => span(TimeDelta::try_seconds(number)),
            "millisecond" => span(TimeDelta::try_milliseconds(number)),
            "microsecond" => span(Some(TimeDelta::microseconds(number))),
            "nanosecond" => span(Some(TimeDelta::nanoseconds(number))),
            _ => None,
        }?;
        Some(Self { local, ..self })
    }

    /// How many borders of `part` lie between two moments; `None` when the part is not known.
    pub fn difference(part: &str, from: Self, to: Self) -> Option<i64> {
        // A datetimeoffset is compared in UTC.
        let (from, to) = (from.utc()?, to.utc()?);
        let floor = |time: NaiveDateTime, seconds: i64| time.and_utc().timestamp().div_euclid(seconds);
        let months = |time: NaiveDateTime| i64::from(time.year()) * 12 + i64::from(time.month0());
        let days = |time: NaiveDateTime| i64::from(time.num_days_from_ce());
        let below = |time: NaiveDateTime, nanos: i64| {
            time.and_utc()
                .timestamp()
                .checked_mul(1_000_000_000 / nanos)
                .and_then(|n| n.checked_add(i64::from(time.nanosecond()) / nanos))
        };
        Some(match canonical_part(part)? {
            "year" => i64::from(to.year()) - i64::from(from.year()),
            "quarter" => months(to).div_euclid(3) - months(from).div_euclid(3),
            "month" => months(to) - months(from),
            "day" | "dayofyear" | "weekday" => days(to) - days(from),
            // Weeks begin on Sunday here whatever DATEFIRST says; day 0 of the count was a Sunday.
            "week" => days(to).div_euclid(7) - days(from).div_euclid(7),
            "hour" => floor(to, 3600) - floor(from, 3600),
            "minute" => floor(to, 60) - floor(from, 60),
            "second" => floor(to, 1) - floor(from, 1),
            "millisecond" => below(to, 1_000_000)? - below(from, 1_000_000)?,
            "microsecond" => below(to, 1_000)? - below(from, 1_000)?,
            "nanosecond" => below(to, 1)? - below(from, 1)?,
            _ => return None,
        })
    }
}

/// The full name of a date part or its abbreviation.
pub fn canonical_part(part: &str) -> Option<&'static str> {
    Some(match part.to_ascii_lowercase().as_str() {
        "year" | "yy" | "yyyy" => "year",
        "quarter" | "qq" | "q" => "quarter",
        "month" | "mm" | "m" => "month",
        "dayofyear" | "dy" | "y" => "dayofyear",
        "day" | "dd" | "d" => "day",
        "week" | "wk" | "ww" => "week",
        "weekday" | "dw" | "w" => "weekday",
        "hour" | "hh" => "hour",
        "minute" | "mi" | "n" => "minute",
        "second" | "ss" | "s" => "second",
        "millisecond" | "ms" => "millisecond",
        "microsecond" | "mcs" => "microsecond",
        "nanosecond" | "ns" => "nanosecond",
        "tzoffset" | "tz" => "tzoffset",
        "iso_week" | "isowk" | "isoww" => "iso_week",
        _ => return None,
    })
}

/// Days since 1900-01-01 and three-hundredths of a second since midnight, rounded.
pub fn datetime_parts(time: NaiveDateTime) -> (i64, i64) {
    let days = time.date().signed_duration_since(base_date()).num_days();
    let nanos = i64::from(time.num_seconds_from_midnight()) * 1_000_000_000 + i64::from(time.nanosecond());
    let ticks = (nanos * 3 + 5_000_000) / 10_000_000;
    if ticks >= 25_920_000 { (days + 1, 0) } else { (days, ticks) }
}

/// The moment `ticks` three-hundredths of a second into a day; its text has .000, .003 or .007.
pub fn datetime_of(days: i64, ticks: i64) -> Option<NaiveDateTime> {
    let date = base_date().checked_add_signed(TimeDelta::try_days(days)?)?;
    let millis = (ticks * 10 + 1) / 3;
    date.and_hms_opt(0, 0, 0)?.checked_add_signed(TimeDelta::milliseconds(millis))
}

fn round(time: NaiveDateTime, scale: u8) -> Option<NaiveDateTime> {
    let unit = 10_i64.pow(9 - u32::from(scale.min(7)));
    let nanos = i64::from(time.nanosecond());
    let rounded = (nanos + unit / 2) / unit * unit;
    time.with_nanosecond(0)?.checked_add_signed(TimeDelta::nanoseconds(rounded))
}

fn split_offset(text: &str) -> (&str, Option<&str>) {
    if let Some(text) = text.strip_suffix(['Z', 'z']) {
        return (text, Some("+00:00"));
    }
    let bytes = text.as_bytes();
    if bytes.len() > 6 && bytes[bytes.len() - 3] == b':' && matches!(bytes[bytes.len() - 6], b'+' | b'-') {
        let (front, offset) = text.split_at(text.len() - 6);
        if front.contains(':') {
            return (front, Some(offset));
        }
    }
    (text, None)
}

fn parse_offset(text: &str) -> Option<i32> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let minutes = hours.parse::<i32>().ok()? * 60 + minutes.parse::<i32>().ok()?;
    (minutes <= 14 * 60).then_some(sign * minutes)
}

fn write_offset(minutes: i32) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

fn parse_date(text: &str) -> Option<NaiveDate> {
    let format =
        if text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit()) { "%Y%m%d" } else { "%Y-%m-%d" };
    NaiveDate::parse_from_str(text, format).ok()
}

fn parse_time(text: &str) -> Option<NaiveTime> {
    // More than seven digits of a second are not taken, as by SQL Server.
    if text.split_once('.').is_some_and(|(_, digits)| digits.len() > 7 || digits.is_empty()) {
        return None;
    }
    NaiveTime::parse_from_str(text, "%H:%M:%S%.f").or_else(|_| NaiveTime::parse_from_str(text, "%H:%M")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_stored_forms() {
        for (text, to, stored) in [
            ("2026-02-03", SqlType::Date, "2026-02-03"),
            ("20260203", SqlType::DateTime2(0), "2026-02-03 00:00:00.0000000"),
            ("2026-02-03T04:05:06.1234567", SqlType::DateTime2(7), "2026-02-03 04:05:06.1234567"),
            ("2026-02-03 04:05:06.95", SqlType::DateTime2(0), "2026-02-03 04:05:07.0000000"),
            ("2026-02-03 04:05:06.002", SqlType::DateTime, "2026-02-03 04:05:06.0030000"),
            ("2026-02-03 04:05:06.999", SqlType::DateTime, "2026-02-03 04:05:07.0000000"),
            ("2026-02-03 04:05:31", SqlType::SmallDateTime, "2026-02-03 04:06:00.0000000"),
            ("04:05", SqlType::Time(3), "04:05:00.0000000"),
            ("2026-02-03 04:05:06 +02:00", SqlType::DateTimeOffset(0), "2026-02-03 02:05:06.0000000 +02:00"),
            ("2026-02-03T04:05:06Z", SqlType::DateTimeOffset(7), "2026-02-03 04:05:06.0000000 +00:00"),
        ] {
            assert_eq!(Moment::parse(text).unwrap().store(to).unwrap(), stored, "{text} as {to}");
        }
        for text in ["2026-13-01", "yesterday", "2026-02-30", "25:00", "03/04/2026"] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }

    #[test]
    fn differences_count_borders() {
        let at = |text| Moment::parse(text).unwrap();
        for (part, from, to, count) in [
            ("year", "2025-12-31", "2026-01-01", 1),
            ("mm", "2026-01-31", "2026-03-01", 2),
            ("day", "2026-01-01 23:59", "2026-01-02 00:00", 1),
            ("hour", "2026-01-01 01:59", "2026-01-01 02:00", 1),
            ("ms", "2026-01-01 00:00:00.001", "2026-01-01 00:00:01", 999),
            ("week", "2026-01-03", "2026-01-04", 1),
        ] {
            assert_eq!(Moment::difference(part, at(from), at(to)), Some(count), "{part} {from} {to}");
        }
    }

    #[test]
    fn months_end_where_the_month_ends() {
        let end = Moment::parse("2026-01-31").unwrap().add("month", 1).unwrap();
        assert_eq!(end.text(SqlType::Date, 0).unwrap(), "2026-02-28");
    }
}
