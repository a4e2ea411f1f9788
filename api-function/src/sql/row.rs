//! Columns of a row, as the routes want them: what is not as expected is named and is a mistake of
//! ours, never a panic.

use chrono::{NaiveDateTime, SecondsFormat};
use tiberius::Row;
use tiberius::numeric::Numeric;

use super::SqlError;

/// A column that is never null.
///
/// # Errors
/// When it is null, is not there, or is of another type.
pub fn column<'r, T: tiberius::FromSql<'r>>(row: &'r Row, name: &str) -> Result<T, SqlError> {
    optional(row, name)?.ok_or_else(|| SqlError::Shape(format!("{name} is null")))
}

/// A column that may be null.
///
/// # Errors
/// When it is not there, or is of another type.
pub fn optional<'r, T: tiberius::FromSql<'r>>(row: &'r Row, name: &str) -> Result<Option<T>, SqlError> {
    row.try_get(name).map_err(|error| SqlError::Shape(format!("{name}: {error}")))
}

/// An `nvarchar` that is never null.
///
/// # Errors
/// As [`column`].
pub fn text(row: &Row, name: &str) -> Result<String, SqlError> {
    column::<&str>(row, name).map(str::to_owned)
}

/// An `int` that counts something.
///
/// # Errors
/// As [`column`], and when it is negative.
pub fn count(row: &Row, name: &str) -> Result<u32, SqlError> {
    let number: i32 = column(row, name)?;
    u32::try_from(number).map_err(|_| SqlError::Shape(format!("{name} is {number}")))
}

/// A `rowversion`.
///
/// # Errors
/// As [`column`].
pub fn version(row: &Row, name: &str) -> Result<Vec<u8>, SqlError> {
    column::<&[u8]>(row, name).map(<[u8]>::to_vec)
}

/// A time as the API writes it: RFC 3339 in UTC.
pub fn utc(time: NaiveDateTime) -> String {
    time.and_utc().to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// The digits of a decimal as they are, with as many places as the column has.
pub fn decimal(number: Numeric) -> String {
    let places = usize::from(number.scale());
    let digits = format!("{:0>width$}", number.value().unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let sign = if number.value() < 0 { "-" } else { "" };
    let point = if places == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_every_digit() {
        let cases = [
            (0, 2, "0.00"),
            (5, 2, "0.05"),
            (4_900, 2, "49.00"),
            (-105, 2, "-1.05"),
            (9_999_999_999, 2, "99999999.99"),
            (12, 0, "12"),
            (1, 4, "0.0001"),
        ];
        for (value, scale, text) in cases {
            assert_eq!(decimal(Numeric::new_with_scale(value, scale)), text);
        }
    }

    #[test]
    fn times_are_in_utc() {
        for (time, text) in [
            ("2026-01-01T00:00:00", "2026-01-01T00:00:00Z"),
            ("2026-01-01T00:00:00.120", "2026-01-01T00:00:00.120Z"),
        ] {
            assert_eq!(utc(time.parse().unwrap()), text);
        }
    }
}
