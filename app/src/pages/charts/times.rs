//! Times in the reader's time zone: what is typed, what is written, and where an axis has its ticks.

use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, NaiveTime, TimeZone, Timelike};
use chrono_tz::Tz;
use model::metrics::Window;
use model::time::Timestamp;

/// An axis has so many ticks at most: more do not fit on a phone.
const MOST_TICKS: i64 = 6;
/// How far apart ticks may be, in minutes of local time.
const STEPS: [i64; 15] =
    [1, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440, 2_880, 7 * 1_440, 30 * 1_440, 90 * 1_440];

/// A tick of the axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// Where, from 0 at the left to 1 at the right.
    pub share: f64,
    /// What stands there.
    pub label: String,
}

/// A point in time there.
pub fn local(at: Timestamp, zone: Tz) -> DateTime<Tz> {
    // Outside of what the calendar can hold there are no figures.
    zone.timestamp_millis_opt(at.0)
        .earliest()
        .unwrap_or_else(|| zone.from_utc_datetime(&NaiveDateTime::default()))
}

/// For people: `2026-12-01 14:05`.
pub fn minute(at: Timestamp, zone: Tz) -> String {
    local(at, zone).format("%Y-%m-%d %H:%M").to_string()
}

/// The same with what tells two equal times apart at the end of summer time: `2026-10-25 02:30 CEST`.
pub fn minute_and_zone(at: Timestamp, zone: Tz) -> String {
    local(at, zone).format("%Y-%m-%d %H:%M %Z").to_string()
}

/// As an `<input type="datetime-local">` holds it: `2026-12-01T14:05`.
pub fn field(at: Timestamp, zone: Tz) -> String {
    local(at, zone).format("%Y-%m-%dT%H:%M").to_string()
}

/// For a program, with the offset: `2026-12-01T14:05:00+01:00`.
pub fn iso(at: Timestamp, zone: Tz) -> String {
    local(at, zone).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// Which end of a range a time is. Where the clocks are set back an hour is there twice: a range that
/// begins or ends in it holds both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The beginning.
    From,
    /// The end.
    To,
}

/// What was typed: local time (`2026-12-01T14:05`, a space for the T, seconds or not), a time with an
/// offset (RFC 3339), or milliseconds since 1970. A time that the clocks leave out counts on from before
/// the gap, as if they had not been set forward.
pub fn parse(text: &str, zone: Tz, end: End) -> Option<Timestamp> {
    let text = text.trim();
    if text.len() > 35 {
        return None;
    }
    if let Ok(ms) = text.parse::<i64>() {
        return Some(Timestamp(ms));
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(Timestamp(at.timestamp_millis()));
    }
    let text = text.replacen(' ', "T", 1);
    let forms = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    let naive = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(&text, form).ok())?;
    let at = match zone.from_local_datetime(&naive) {
        LocalResult::Single(at) => at,
        LocalResult::Ambiguous(first, second) => match end {
            End::From => first,
            End::To => second,
        },
        LocalResult::None => {
            let before = naive.checked_sub_signed(Duration::hours(3))?;
            zone.from_local_datetime(&before).earliest()? + Duration::hours(3)
        }
    };
    Some(Timestamp(at.timestamp_millis()))
}

/// Where an axis over a window has its ticks: at round local times.
pub fn ticks(window: Window, zone: Tz) -> Vec<Tick> {
    let length = window.to.0 - window.from.0;
    if length <= 0 {
        return Vec::new();
    }
    let fits = |step: i64| length / (step * 60_000) <= MOST_TICKS;
    let step = STEPS.into_iter().find(|step| fits(*step)).unwrap_or(90 * 1_440);
    let first = local(window.from, zone);
    let midnight = first.date_naive().and_time(NaiveTime::MIN);
    let mut ticks = Vec::new();
    // Local midnight, and on from there in local time: after a change of the clocks ticks stay round.
    for index in 0..=(length / (step * 60_000) + 1_440 / step.min(1_440) + 2) {
        let Some(naive) = midnight.checked_add_signed(Duration::minutes(step * index)) else { break };
        let Some(at) = zone.from_local_datetime(&naive).earliest() else { continue };
        let share = (at.timestamp_millis() - window.from.0) as f64 / length as f64;
        if share >= 1.0 {
            break;
        }
        if share >= 0.0 {
            ticks.push(Tick { share, label: label(at, step) });
        }
    }
    ticks
}

fn label(at: DateTime<Tz>, step: i64) -> String {
    let midnight = at.hour() == 0 && at.minute() == 0;
    match midnight || step >= 1_440 {
        true => at.format("%-d %b").to_string(),
        false => at.format("%H:%M").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Europe::Berlin;
    use chrono_tz::{America, UTC};

    use super::*;

    fn utc(text: &str) -> Timestamp {
        parse(&format!("{text}Z"), UTC, End::From).unwrap()
    }

    #[test]
    fn what_is_typed_is_read_in_its_zone() {
        let table = [
            ("2026-12-01T14:05", Berlin, "2026-12-01T13:05:00"),
            ("2026-12-01 14:05:30", Berlin, "2026-12-01T13:05:30"),
            ("2026-07-01T14:05", Berlin, "2026-07-01T12:05:00"),
            ("2026-12-01T14:05", UTC, "2026-12-01T14:05:00"),
            ("2026-12-01T14:05:00+05:30", Berlin, "2026-12-01T08:35:00"),
            ("1796083200000", Berlin, "2026-12-01T00:00:00"),
        ];
        for (text, zone, expected) in table {
            assert_eq!(parse(text, zone, End::From), Some(utc(expected)), "{text}");
        }
        for text in ["", "yesterday", "2026-13-01T00:00", "2026-12-01", "1e9", &"9".repeat(40)] {
            assert_eq!(parse(text, UTC, End::From), None, "{text}");
        }
    }

    #[test]
    fn an_hour_that_is_there_twice_is_in_a_range_twice() {
        // 2026-10-25: at 03:00 CEST it is 02:00 CET.
        let at = |end| parse("2026-10-25T02:30", Berlin, end);
        assert_eq!(at(End::From), Some(utc("2026-10-25T00:30:00")));
        assert_eq!(at(End::To), Some(utc("2026-10-25T01:30:00")));
        assert_eq!(minute_and_zone(utc("2026-10-25T00:30:00"), Berlin), "2026-10-25 02:30 CEST");
        assert_eq!(minute_and_zone(utc("2026-10-25T01:30:00"), Berlin), "2026-10-25 02:30 CET");
        let day = |end, text| parse(text, Berlin, end).unwrap().0;
        let length = day(End::To, "2026-10-26T00:00") - day(End::From, "2026-10-25T00:00");
        assert_eq!(length, 25 * 3_600_000);
    }

    #[test]
    fn an_hour_that_is_not_there_counts_on() {
        // 2026-03-29: at 02:00 CET it is 03:00 CEST.
        assert_eq!(parse("2026-03-29T02:30", Berlin, End::From), Some(utc("2026-03-29T01:30:00")));
        let day = |text| parse(text, Berlin, End::From).unwrap().0;
        assert_eq!(day("2026-03-30T00:00") - day("2026-03-29T00:00"), 23 * 3_600_000);
    }

    #[test]
    fn ticks_stand_at_round_local_times() {
        let window =
            |from: &str, to: &str, period_seconds| Window { from: utc(from), to: utc(to), period_seconds };
        let labels =
            |window, zone| ticks(window, zone).into_iter().map(|tick| tick.label).collect::<Vec<_>>();
        let hour = window("2026-12-01T13:03:00", "2026-12-01T14:03:00", 60);
        assert_eq!(labels(hour, UTC), ["13:10", "13:20", "13:30", "13:40", "13:50", "14:00"]);
        assert_eq!(labels(hour, Berlin)[0], "14:10");
        let day = window("2026-12-01T13:00:00", "2026-12-02T13:00:00", 300);
        assert_eq!(labels(day, Berlin), ["18:00", "2 Dec", "06:00", "12:00"]);
        let month = window("2026-11-01T00:00:00", "2026-12-01T00:00:00", 7_200);
        assert_eq!(labels(month, UTC), ["1 Nov", "8 Nov", "15 Nov", "22 Nov", "29 Nov"]);
        // A zone that is half an hour off, and midnight across the end of summer time.
        let half = window("2026-12-01T13:00:00", "2026-12-01T16:00:00", 60);
        assert_eq!(labels(half, chrono_tz::Asia::Kolkata)[0], "18:30");
        let change = window("2026-10-24T22:00:00", "2026-10-25T23:00:00", 300);
        assert_eq!(labels(change, Berlin), ["25 Oct", "06:00", "12:00", "18:00"]);
        let six = ticks(change, Berlin)[1].share;
        assert!((six - 7.0 / 25.0).abs() < 1e-9, "seven hours after midnight, {six}");
        assert!(ticks(window("2026-12-01T13:00:00", "2026-12-01T13:00:00", 60), America::Lima).is_empty());
    }
}
