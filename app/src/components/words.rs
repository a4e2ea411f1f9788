//! Numbers, times and shares as people read them.

use model::time::Timestamp;

/// A count: `0`, `7,214`, `1.28 M`.
pub fn count(value: f64) -> String {
    let value = value.max(0.0).round();
    match value {
        v if v >= 1e9 => format!("{:.2} G", v / 1e9),
        v if v >= 1e6 => format!("{:.2} M", v / 1e6),
        v => thousands(v),
    }
}

/// A share from 0 to 1: `0 %`, `<0.01 %`, `0.39 %`, `4.2 %`, `63 %`.
pub fn share(value: f64) -> String {
    match value * 100.0 {
        v if v <= 0.0 => "0 %".to_owned(),
        v if v < 0.01 => "<0.01 %".to_owned(),
        v if v < 1.0 => format!("{v:.2} %"),
        v if v < 10.0 => format!("{v:.1} %"),
        v => format!("{v:.0} %"),
    }
}

/// A duration in milliseconds: `<1 ms`, `4.2 ms`, `84 ms`, `1.24 s`.
pub fn millis(value: f64) -> String {
    match value {
        v if v < 1.0 => "<1 ms".to_owned(),
        v if v < 9.95 => format!("{v:.1} ms"),
        v if v < 999.5 => format!("{v:.0} ms"),
        v => format!("{:.2} s", v / 1_000.0),
    }
}

/// A point in time: `2026-11-22 14:05:09 UTC`.
pub fn utc(time: Timestamp) -> String {
    let seconds = time.0.div_euclid(1_000);
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let (hour, minute, second) = (seconds.div_euclid(3_600), seconds.div_euclid(60), seconds);
    let (hour, minute, second) = (hour.rem_euclid(24), minute.rem_euclid(60), second.rem_euclid(60));
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// The same for a machine: `2026-11-22T14:05:09Z`.
pub fn iso(time: Timestamp) -> String {
    utc(time).replacen(' ', "T", 1).replace(" UTC", "Z")
}

/// The first 8 characters of a version's id, as `/status` shows them.
pub fn short_id(id: &str) -> String {
    id.chars().take(8).collect()
}

/// When rotation is overdue: seconds since it should have been.
pub fn overdue(rotation_enabled: bool, next: Option<Timestamp>, now: Timestamp) -> Option<u64> {
    let next = next.filter(|_| rotation_enabled)?;
    (next < now).then(|| next.age_seconds(now))
}

/// A duration in its largest unit alone, for what is read out whenever it changes: `2 h`. Takes
/// seconds.
pub fn roughly(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Year, month and day of a day since 1970-01-01, in the Gregorian calendar: 400 years have 146,097
/// days, and a year that starts in March has its leap day last. A calendar library would be larger
/// than the rest of this page's program.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (value, text) in [(0.0, "0"), (999.0, "999"), (1_000.0, "1,000"), (7_214.4, "7,214")] {
            assert_eq!(count(value), text);
        }
        for (value, text) in [(999_999.0, "999,999"), (1_280_000.0, "1.28 M"), (2.5e9, "2.50 G")] {
            assert_eq!(count(value), text);
        }
        let shares =
            [(0.0, "0 %"), (0.000_01, "<0.01 %"), (0.0039, "0.39 %"), (0.042, "4.2 %"), (1.0, "100 %")];
        for (value, text) in shares {
            assert_eq!(share(value), text);
        }
        for (value, text) in
            [(0.4, "<1 ms"), (4.23, "4.2 ms"), (9.96, "10 ms"), (84.4, "84 ms"), (999.6, "1.00 s")]
        {
            assert_eq!(millis(value), text);
        }
    }

    #[test]
    fn rough_durations_have_one_unit() {
        for (seconds, text) in [(59, "59 s"), (3_599, "59 min"), (7_500, "2 h"), (200_000, "2 d")] {
            assert_eq!(roughly(seconds), text);
        }
    }

    #[test]
    fn without_rotation_nothing_is_overdue() {
        let (due, now) = (Some(Timestamp(0)), Timestamp(7_500_000));
        assert_eq!(overdue(true, due, now), Some(7_500));
        assert_eq!(overdue(true, due, Timestamp(0)), None);
        assert_eq!(overdue(true, None, now), None);
        assert_eq!(overdue(false, due, now), None);
    }

    #[test]
    fn the_calendar_is_right() {
        let table = [
            (0, "1970-01-01 00:00:00 UTC"),
            (-1_000, "1969-12-31 23:59:59 UTC"),
            (951_782_400_000, "2000-02-29 00:00:00 UTC"),
            (1_709_251_199_999, "2024-02-29 23:59:59 UTC"),
            (4_107_542_400_000, "2100-03-01 00:00:00 UTC"),
        ];
        for (ms, text) in table {
            assert_eq!(utc(Timestamp(ms)), text);
        }
        assert_eq!(iso(Timestamp(0)), "1970-01-01T00:00:00Z");
    }

    #[cfg(feature = "ssr")]
    #[test]
    fn the_calendar_agrees_with_chrono_on_every_day_of_four_centuries() {
        for day in 0..146_097_i64 {
            let ms = day * 86_400_000 + 45_296_000;
            let known = chrono::DateTime::from_timestamp_millis(ms).unwrap();
            assert_eq!(utc(Timestamp(ms)), known.format("%Y-%m-%d %H:%M:%S UTC").to_string());
        }
    }
}
