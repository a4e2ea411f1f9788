//! Bringing a value from one type to another: what CAST and CONVERT do, what a variable or a
//! parameter does on its way in, and what a column does, which is stricter about lengths.

use super::decimal::Decimal;
use super::moment::Moment;
use super::text::{cut_binary, cut_text, to_binary};
pub use super::text::{from_1252, from_hex, to_1252, to_text};
use super::{SqlType, Value};
use crate::tds::error::{SqlError, SqlResult};

/// CAST and CONVERT: texts and binaries that are too long are cut.
///
/// # Errors
/// The conversion errors of SQL Server: 206, 220, 241, 242, 245, 248, 529, 8114, 8115, 8169.
pub fn convert(value: &Value, from: SqlType, to: SqlType, style: i64) -> SqlResult<Value> {
    match value {
        Value::Null => Ok(Value::Null),
        _ if to == SqlType::Null || (from == to && !matches!(to, SqlType::Char(_) | SqlType::NChar(_))) => {
            Ok(value.clone())
        }
        _ if to.is_integer() => to_integer(value, from, to),
        _ if to.is_decimal() => to_decimal(value, from, to),
        _ if to.is_float() => to_float(value, from, to),
        _ if to.is_text() => Ok(Value::Text(cut_text(to_text(value, from, to, style)?, to))),
        _ if to.is_binary() => Ok(Value::Blob(cut_binary(to_binary(value, from, to, style)?, to))),
        _ if to == SqlType::Guid => to_guid(value, from),
        _ => to_moment(value, from, to),
    }
}

/// Whether `from` may become `to` without CAST.
///
/// # Errors
/// 206 where the types have nothing to do with each other, 257 where CAST is needed.
pub fn check_implicit(from: SqlType, to: SqlType) -> SqlResult<()> {
    let needs_cast = || {
        SqlError::new(
            257,
            3,
            format!(
                "Implicit conversion from data type {} to {} is not allowed. Use the CONVERT function to run \
                 this query.",
                from.name(),
                to.name()
            ),
        )
        .ends_batch()
    };
    let clash = || Err(SqlError::type_clash(from.name(), to.name()));
    if from == SqlType::Null || to == SqlType::Null {
        return Ok(());
    }
    match (from, to) {
        _ if from.is_text() && to.is_binary() => Err(needs_cast()),
        _ if from.is_text() && to.is_text() => Ok(()),
        _ if from.is_text() || to.is_text() => Ok(()),
        _ if from.is_number() && to.is_number() => Ok(()),
        _ if from.is_binary() && to.is_binary() => Ok(()),
        _ if from.is_integer() && to.is_binary() => Ok(()),
        _ if from.is_binary() && to.is_integer() => Ok(()),
        (SqlType::Guid, SqlType::Guid) => Ok(()),
        (SqlType::Date, SqlType::Time(_)) | (SqlType::Time(_), SqlType::Date) => clash(),
        _ if from.is_moment() && to.is_moment() => Ok(()),
        (_, SqlType::DateTime | SqlType::SmallDateTime) if from.is_number() => Ok(()),
        (SqlType::DateTime | SqlType::SmallDateTime, _) if to.is_number() => Err(needs_cast()),
        _ => clash(),
    }
}

/// Brings a value into a column. Unlike CAST it refuses a text or binary that is too long; blanks
/// at the end of a text do not count.
///
/// # Errors
/// Those of [`convert`], and 2628 with `table` (`database.schema.table`) and `column` in it.
pub fn into_column(value: &Value, from: SqlType, to: SqlType, table: &str, column: &str) -> SqlResult<Value> {
    if matches!(value, Value::Null) {
        return Ok(Value::Null);
    }
    check_implicit(from, to)?;
    let truncated = |shown: String| {
        SqlError::new(
            2628,
            1,
            format!(
                "String or binary data would be truncated in table '{table}', column '{column}'. Truncated \
                 value: '{shown}'."
            ),
        )
    };
    if let (true, Some(_)) = (to.is_text(), to.length()) {
        let text = to_text(value, from, to, 0)?;
        let kept = cut_text(text.clone(), to);
        if kept.trim_end_matches(' ').len() < text.trim_end_matches(' ').len() {
            return Err(truncated(kept));
        }
        return Ok(Value::Text(kept));
    }
    if let (true, Some(most)) = (to.is_binary(), to.length()) {
        let bytes = to_binary(value, from, to, 0)?;
        if bytes.len() > usize::from(most) && !from.is_integer() {
            return Err(truncated(String::new()));
        }
        return Ok(Value::Blob(cut_binary(bytes, to)));
    }
    convert(value, from, to, 0)
}

/// How many UTF-16 code units a text has: what n(var)char lengths count.
pub fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

pub(super) fn not_allowed(from: SqlType, to: SqlType) -> SqlError {
    SqlError::new(
        529,
        2,
        format!("Explicit conversion from data type {} to {} is not allowed.", from.name(), to.name()),
    )
    .ends_batch()
}

fn failed(from: SqlType, text: &str, to: SqlType) -> SqlError {
    SqlError::new(
        245,
        1,
        format!(
            "Conversion failed when converting the {} value '{text}' to data type {}.",
            from.name(),
            to.name()
        ),
    )
    .ends_batch()
}

pub(super) fn cannot_read(from: SqlType, to: SqlType) -> SqlError {
    SqlError::new(8114, 5, format!("Error converting data type {} to {}.", from.name(), to.name()))
        .ends_batch()
}

fn to_integer(value: &Value, from: SqlType, to: SqlType) -> SqlResult<Value> {
    let number: i128 = match value {
        Value::Integer(n) => i128::from(*n),
        Value::Real(x) if x.is_finite() && x.abs() < 1e30 => x.trunc() as i128,
        Value::Real(_) => return Err(SqlError::overflow(to.name())),
        Value::Text(text) if from.is_decimal() => {
            let decimal = Decimal::parse(text).ok_or_else(|| cannot_read(from, to))?;
            if to == SqlType::Bit { i128::from(decimal.unscaled != 0) } else { decimal.truncate(0).unscaled }
        }
        Value::Text(text) if from.is_text() => {
            let trimmed = text.trim();
            match (to, trimmed.to_ascii_lowercase().as_str()) {
                (SqlType::Bit, "true") => 1,
                (SqlType::Bit, "false") | (_, "") => 0,
                _ => trimmed.parse().map_err(|_| match to {
                    SqlType::BigInt => cannot_read(from, to),
                    _ => failed(from, text, to),
                })?,
            }
        }
        Value::Blob(bytes) => {
            let tail = &bytes[bytes.len().saturating_sub(8)..];
            let number = tail.iter().fold(0_u64, |n, &byte| n << 8 | u64::from(byte));
            i128::from(match to {
                SqlType::BigInt => number.cast_signed(),
                SqlType::Int => i64::from((number as u32).cast_signed()),
                SqlType::SmallInt => i64::from((number as u16).cast_signed()),
                SqlType::TinyInt => i64::from(number as u8),
                _ => i64::from(number != 0),
            })
        }
        Value::Text(text) if matches!(from, SqlType::DateTime | SqlType::SmallDateTime) => {
            let moment = Moment::stored(text, from).ok_or_else(|| cannot_read(from, to))?;
            let (days, ticks) = super::moment::datetime_parts(moment.local);
            i128::from(days + i64::from(ticks >= 12_960_000))
        }
        _ => return Err(not_allowed(from, to)),
    };
    let range = match to {
        SqlType::Bit => return Ok(Value::Integer(i64::from(number != 0))),
        SqlType::TinyInt => 0..=i128::from(u8::MAX),
        SqlType::SmallInt => i128::from(i16::MIN)..=i128::from(i16::MAX),
        SqlType::Int => i128::from(i32::MIN)..=i128::from(i32::MAX),
        _ => i128::from(i64::MIN)..=i128::from(i64::MAX),
    };
    match i64::try_from(number) {
        Ok(small) if range.contains(&number) => Ok(Value::Integer(small)),
        _ if from.is_text() && to != SqlType::BigInt => Err(SqlError::new(
            if to == SqlType::Int { 248 } else { 244 },
            1,
            format!(
                "The conversion of the {} value '{number}' overflowed an {} column.",
                from.name(),
                to.name()
            ),
        )
        .ends_batch()),
        _ if matches!(to, SqlType::TinyInt | SqlType::SmallInt) => Err(SqlError::new(
            220,
            2,
            format!("Arithmetic overflow error for data type {}, value = {number}.", to.name()),
        )),
        _ => Err(SqlError::overflow(to.name())),
    }
}

fn to_decimal(value: &Value, from: SqlType, to: SqlType) -> SqlResult<Value> {
    let (precision, scale) = to.as_decimal();
    let overflow = || {
        SqlError::new(
            8115,
            8,
            format!("Arithmetic overflow error converting {} to data type {}.", from.name(), to.name()),
        )
    };
    let decimal = match value {
        Value::Integer(n) => Decimal::whole(i128::from(*n)),
        Value::Real(x) => Decimal::from_f64(*x, scale).ok_or_else(overflow)?,
        Value::Text(text) if from.is_decimal() || from.is_text() => {
            Decimal::parse(text).ok_or_else(|| match to {
                SqlType::Decimal(..) => cannot_read(from, to),
                _ => SqlError::new(
                    235,
                    0,
                    "Cannot convert a char value to money. The char value has incorrect syntax.",
                )
                .ends_batch(),
            })?
        }
        _ => return Err(not_allowed(from, to)),
    };
    let fitted = decimal.fit(precision, scale).map_err(|_| overflow())?;
    Ok(Value::Text(fitted.to_string()))
}

fn to_float(value: &Value, from: SqlType, to: SqlType) -> SqlResult<Value> {
    let number = match value {
        Value::Integer(n) => *n as f64,
        Value::Real(x) => *x,
        Value::Text(text) if from.is_decimal() || from.is_text() => {
            let trimmed = text.trim();
            let plain = trimmed.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
            match trimmed.parse::<f64>() {
                _ if trimmed.is_empty() => 0.0,
                Ok(x) if plain => x,
                _ => return Err(cannot_read(from, to)),
            }
        }
        _ => return Err(not_allowed(from, to)),
    };
    let number = if to == SqlType::Real { f64::from(number as f32) } else { number };
    if number.is_finite() { Ok(Value::Real(number)) } else { Err(SqlError::overflow(to.name())) }
}

/// The sixteen bytes of a uniqueidentifier as they travel: the first three groups little-endian.
pub fn guid_bytes(text: &str) -> [u8; 16] {
    uuid::Uuid::parse_str(text).unwrap_or_default().to_bytes_le()
}

/// The stored form of sixteen bytes as they travel.
pub fn guid_text(bytes: [u8; 16]) -> String {
    uuid::Uuid::from_bytes_le(bytes).to_string().to_ascii_uppercase()
}

fn to_guid(value: &Value, from: SqlType) -> SqlResult<Value> {
    match value {
        Value::Text(text) if from.is_text() => {
            let trimmed = text.trim().trim_start_matches('{');
            // What stands behind the thirty-sixth character is ignored, as SQL Server does.
            trimmed
                .get(..36)
                .and_then(|text| uuid::Uuid::parse_str(text).ok())
                .map(|guid| Value::Text(guid.to_string().to_ascii_uppercase()))
                .ok_or_else(|| {
                    SqlError::new(
                        8169,
                        2,
                        "Conversion failed when converting from a character string to uniqueidentifier.",
                    )
                    .ends_batch()
                })
        }
        Value::Blob(bytes) => {
            let mut all = [0; 16];
            for (to, from) in all.iter_mut().zip(bytes) {
                *to = *from;
            }
            Ok(Value::Text(guid_text(all)))
        }
        _ => Err(not_allowed(from, SqlType::Guid)),
    }
}

fn to_moment(value: &Value, from: SqlType, to: SqlType) -> SqlResult<Value> {
    let unreadable = || {
        SqlError::new(241, 1, "Conversion failed when converting date and/or time from character string.")
            .ends_batch()
    };
    let moment = match value {
        Value::Text(text) if from.is_moment() => {
            if matches!((from, to), (SqlType::Date, SqlType::Time(_)) | (SqlType::Time(_), SqlType::Date)) {
                return Err(not_allowed(from, to));
            }
            Moment::stored(text, from).ok_or_else(unreadable)?
        }
        Value::Text(text) if from.is_text() => Moment::parse(text).ok_or_else(unreadable)?,
        Value::Integer(days) if matches!(to, SqlType::DateTime | SqlType::SmallDateTime) => {
            let local = super::moment::datetime_of(*days, 0).ok_or_else(unreadable)?;
            Moment { local, offset: 0 }
        }
        _ => return Err(not_allowed(from, to)),
    };
    moment.store(to).map(Value::Text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use SqlType::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn converts_what_can_be_converted() {
        for (value, from, to, expected) in [
            (text(" 42 "), VarChar(Some(9)), Int, Value::Integer(42)),
            (text("12.99"), Decimal(4, 2), Int, Value::Integer(12)),
            (Value::Real(-2.9), Float, Int, Value::Integer(-2)),
            (text("true"), NVarChar(None), Bit, Value::Integer(1)),
            (Value::Integer(7), Int, Decimal(5, 2), text("7.00")),
            (text("1.005"), VarChar(None), Decimal(5, 2), text("1.01")),
            (Value::Real(0.1), Float, VarChar(None), text("0.1")),
            (Value::Real(1_234_567.0), Float, VarChar(None), text("1.23457e+006")),
            (text("abc"), VarChar(None), Char(5), text("abc  ")),
            (text("abc"), VarChar(None), NVarChar(Some(2)), text("ab")),
            (text("a😀"), NVarChar(None), NVarChar(Some(2)), text("a")),
            (text("a😀€"), NVarChar(None), VarChar(None), text("a?€")),
            (Value::Integer(258), Int, VarBinary(None), Value::Blob(vec![0, 0, 1, 2])),
            (Value::Integer(258), Int, Binary(2), Value::Blob(vec![1, 2])),
            (Value::Blob(vec![1, 2]), VarBinary(None), Int, Value::Integer(258)),
            (text("2026-01-02"), VarChar(None), Date, text("2026-01-02")),
            (text("2026-01-02 03:04:05.0000000"), DateTime2(0), VarChar(None), text("2026-01-02 03:04:05")),
            (text("9.9900"), Money, VarChar(None), text("9.99")),
        ] {
            assert_eq!(convert(&value, from, to, 0).unwrap(), expected, "{value:?} from {from} to {to}");
        }
    }

    #[test]
    fn refuses_with_the_number_sql_server_has_for_it() {
        for (value, from, to, number) in [
            (text("x"), VarChar(None), Int, 245),
            (text("x"), VarChar(None), BigInt, 8114),
            (text("x"), VarChar(None), Decimal(9, 2), 8114),
            (text("99999999999"), VarChar(None), Int, 248),
            (Value::Integer(256), Int, TinyInt, 220),
            (Value::Integer(i64::MAX), BigInt, Int, 8115),
            (text("1000.00"), Decimal(6, 2), Decimal(4, 2), 8115),
            (text("x"), VarChar(None), Date, 241),
            (text("x"), VarChar(None), Guid, 8169),
            (Value::Integer(1), Int, Date, 529),
            (text("0001-01-01"), Date, DateTime, 242),
        ] {
            assert_eq!(convert(&value, from, to, 0).unwrap_err().number, number, "{value:?} to {to}");
        }
    }

    #[test]
    fn a_column_refuses_what_cast_would_cut() {
        let into = |value: &str, to| into_column(&text(value), NVarChar(None), to, "d.dbo.t", "c");
        assert_eq!(into("abc", NVarChar(Some(2))).unwrap_err().number, 2628);
        assert_eq!(into("ab   ", NVarChar(Some(2))).unwrap(), text("ab"));
        assert_eq!(into("a😀", NVarChar(Some(2))).unwrap_err().number, 2628);
        assert_eq!(into("a😀", NVarChar(Some(3))).unwrap(), text("a😀"));
    }
}
