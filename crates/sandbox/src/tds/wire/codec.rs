//! Types and values as bytes, on their way out.

use chrono::{NaiveDate, NaiveDateTime, Timelike};

use crate::tds::error::{SqlError, SqlResult};
use crate::tds::value::convert::{guid_bytes, to_1252};
use crate::tds::value::decimal::Decimal;
use crate::tds::value::moment::{Moment, base_date, datetime_parts};
use crate::tds::value::{SqlType, Value, collation};

/// The length that stands for `max`, and for NULL.
pub(super) const MAX: u16 = 0xFFFF;
/// The length of a value in parts that is NULL.
pub(super) const NO_VALUE: u64 = u64::MAX;

/// Writes a TYPE_INFO. Only the forms that can hold NULL are used, and `max` types travel in parts.
pub fn write_type(out: &mut Vec<u8>, ty: SqlType) {
    let lengthy = |out: &mut Vec<u8>, code: u8, bytes: u16, text: bool| {
        out.push(code);
        out.extend_from_slice(&bytes.to_le_bytes());
        if text {
            out.extend_from_slice(&collation::WIRE);
        }
    };
    match ty {
        SqlType::Bit => out.extend_from_slice(&[0x68, 1]),
        SqlType::TinyInt => out.extend_from_slice(&[0x26, 1]),
        SqlType::SmallInt => out.extend_from_slice(&[0x26, 2]),
        SqlType::Null | SqlType::Int => out.extend_from_slice(&[0x26, 4]),
        SqlType::BigInt => out.extend_from_slice(&[0x26, 8]),
        SqlType::Decimal(precision, scale) => {
            out.extend_from_slice(&[0x6C, 1 + decimal_bytes(precision), precision, scale]);
        }
        SqlType::SmallMoney => out.extend_from_slice(&[0x6E, 4]),
        SqlType::Money => out.extend_from_slice(&[0x6E, 8]),
        SqlType::Real => out.extend_from_slice(&[0x6D, 4]),
        SqlType::Float => out.extend_from_slice(&[0x6D, 8]),
        SqlType::Char(n) => lengthy(out, 0xAF, n, true),
        SqlType::VarChar(n) => lengthy(out, 0xA7, n.map_or(MAX, |n| n.max(1)), true),
        SqlType::NChar(n) => lengthy(out, 0xEF, n * 2, true),
        SqlType::NVarChar(n) => lengthy(out, 0xE7, n.map_or(MAX, |n| n.max(1) * 2), true),
        SqlType::Binary(n) => lengthy(out, 0xAD, n, false),
        SqlType::RowVersion => lengthy(out, 0xAD, 8, false),
        SqlType::VarBinary(n) => lengthy(out, 0xA5, n.map_or(MAX, |n| n.max(1)), false),
        SqlType::Guid => out.extend_from_slice(&[0x24, 16]),
        SqlType::Date => out.push(0x28),
        SqlType::Time(scale) => out.extend_from_slice(&[0x29, scale]),
        SqlType::DateTime2(scale) => out.extend_from_slice(&[0x2A, scale]),
        SqlType::DateTimeOffset(scale) => out.extend_from_slice(&[0x2B, scale]),
        SqlType::SmallDateTime => out.extend_from_slice(&[0x6F, 4]),
        SqlType::DateTime => out.extend_from_slice(&[0x6F, 8]),
    }
}

/// Writes a value in the stored form of its type.
///
/// # Errors
/// When it is not in that form, which is this server's own mistake.
pub fn write_value(out: &mut Vec<u8>, ty: SqlType, value: &Value) -> SqlResult<()> {
    let wrong = || SqlError::internal(format!("a {ty} holds {value:?}"));
    match (ty, value) {
        (_, Value::Null) => write_null(out, ty),
        (_, Value::Integer(n)) if ty.is_integer() || ty == SqlType::Null => {
            let width = match ty {
                SqlType::Bit | SqlType::TinyInt => 1,
                SqlType::SmallInt => 2,
                SqlType::BigInt => 8,
                _ => 4,
            };
            out.push(width);
            out.extend_from_slice(&n.to_le_bytes()[..usize::from(width)]);
        }
        (SqlType::Real, Value::Real(x)) => {
            out.push(4);
            out.extend_from_slice(&(*x as f32).to_le_bytes());
        }
        (SqlType::Float, Value::Real(x)) => {
            out.push(8);
            out.extend_from_slice(&x.to_le_bytes());
        }
        (_, Value::Text(text)) if ty.is_decimal() => {
            let decimal = Decimal::parse(text).and_then(|d| d.rescale(ty.scale())).ok_or_else(wrong)?;
            write_decimal(out, ty, decimal).ok_or_else(wrong)?;
        }
        (_, Value::Text(text)) if ty.is_text() => {
            let bytes: Vec<u8> = if ty.is_national() {
                text.encode_utf16().flat_map(u16::to_le_bytes).collect()
            } else {
                text.chars().map(to_1252).collect()
            };
            write_bytes(out, ty, &bytes).ok_or_else(wrong)?;
        }
        (_, Value::Blob(bytes)) if ty.is_binary() => write_bytes(out, ty, bytes).ok_or_else(wrong)?,
        (SqlType::Guid, Value::Text(text)) => {
            out.push(16);
            out.extend_from_slice(&guid_bytes(text));
        }
        (_, Value::Text(text)) if ty.is_moment() => {
            let moment = Moment::stored(text, ty).ok_or_else(wrong)?;
            write_moment(out, ty, moment).ok_or_else(wrong)?;
        }
        _ => return Err(wrong()),
    }
    Ok(())
}

fn write_null(out: &mut Vec<u8>, ty: SqlType) {
    match ty {
        SqlType::VarChar(None) | SqlType::NVarChar(None) | SqlType::VarBinary(None) => {
            out.extend_from_slice(&NO_VALUE.to_le_bytes());
        }
        _ if ty.is_text() || ty.is_binary() => out.extend_from_slice(&MAX.to_le_bytes()),
        _ => out.push(0),
    }
}

fn write_bytes(out: &mut Vec<u8>, ty: SqlType, bytes: &[u8]) -> Option<()> {
    if matches!(ty, SqlType::VarChar(None) | SqlType::NVarChar(None) | SqlType::VarBinary(None)) {
        out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        if !bytes.is_empty() {
            out.extend_from_slice(&u32::try_from(bytes.len()).ok()?.to_le_bytes());
            out.extend_from_slice(bytes);
        }
        out.extend_from_slice(&[0; 4]);
    } else {
        let length = u16::try_from(bytes.len()).ok().filter(|&n| n <= 8_000)?;
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(bytes);
    }
    Some(())
}

fn decimal_bytes(precision: u8) -> u8 {
    match precision {
        0..=9 => 4,
        10..=19 => 8,
        20..=28 => 12,
        _ => 16,
    }
}

fn write_decimal(out: &mut Vec<u8>, ty: SqlType, decimal: Decimal) -> Option<()> {
    match ty {
        SqlType::SmallMoney => {
            out.push(4);
            out.extend_from_slice(&i32::try_from(decimal.unscaled).ok()?.to_le_bytes());
        }
        SqlType::Money => {
            out.push(8);
            let all = i64::try_from(decimal.unscaled).ok()?.to_le_bytes();
            // The high half first.
            out.extend_from_slice(&all[4..]);
            out.extend_from_slice(&all[..4]);
        }
        _ => {
            let width = decimal_bytes(ty.as_decimal().0);
            let magnitude = decimal.unscaled.unsigned_abs().to_le_bytes();
            let (kept, rest) = magnitude.split_at(usize::from(width));
            if rest.iter().any(|&byte| byte != 0) {
                return None;
            }
            out.extend_from_slice(&[width + 1, u8::from(decimal.unscaled >= 0)]);
            out.extend_from_slice(kept);
        }
    }
    Some(())
}

fn time_bytes(scale: u8) -> usize {
    match scale {
        0..=2 => 3,
        3 | 4 => 4,
        _ => 5,
    }
}

/// Where the days of date and datetime2 begin.
pub(super) fn year_one() -> NaiveDate {
    NaiveDate::from_ymd_opt(1, 1, 1).unwrap_or_default()
}

fn write_moment(out: &mut Vec<u8>, ty: SqlType, moment: Moment) -> Option<()> {
    let date = |time: NaiveDateTime| {
        let days = time.date().signed_duration_since(year_one()).num_days();
        u32::try_from(days).ok().map(u32::to_le_bytes)
    };
    let time = |time: NaiveDateTime, scale: u8| {
        let nanos =
            u64::from(time.num_seconds_from_midnight()) * 1_000_000_000 + u64::from(time.nanosecond());
        nanos / 10_u64.pow(9 - u32::from(scale.min(7)))
    };
    match ty {
        SqlType::Date => {
            out.push(3);
            out.extend_from_slice(&date(moment.local)?[..3]);
        }
        SqlType::Time(scale) => {
            let width = time_bytes(scale);
            out.push(width as u8);
            out.extend_from_slice(&time(moment.local, scale).to_le_bytes()[..width]);
        }
        SqlType::DateTime2(scale) | SqlType::DateTimeOffset(scale) => {
            let offset = matches!(ty, SqlType::DateTimeOffset(_));
            let utc = moment.utc()?;
            let width = time_bytes(scale);
            out.push((width + 3 + if offset { 2 } else { 0 }) as u8);
            out.extend_from_slice(&time(utc, scale).to_le_bytes()[..width]);
            out.extend_from_slice(&date(utc)?[..3]);
            if offset {
                out.extend_from_slice(&i16::try_from(moment.offset).ok()?.to_le_bytes());
            }
        }
        SqlType::SmallDateTime => {
            let days = moment.local.date().signed_duration_since(base_date()).num_days();
            let minutes = moment.local.num_seconds_from_midnight() / 60;
            out.push(4);
            out.extend_from_slice(&u16::try_from(days).ok()?.to_le_bytes());
            out.extend_from_slice(&u16::try_from(minutes).ok()?.to_le_bytes());
        }
        _ => {
            let (days, ticks) = datetime_parts(moment.local);
            out.push(8);
            out.extend_from_slice(&i32::try_from(days).ok()?.to_le_bytes());
            out.extend_from_slice(&u32::try_from(ticks).ok()?.to_le_bytes());
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tds::wire::decode::{read_type, read_value};
    use crate::tds::wire::reader::Reader;
    use SqlType::*;

    #[test]
    fn every_type_comes_back_as_it_went() {
        let text = |text: &str| Value::Text(text.to_owned());
        for (ty, value) in [
            (Bit, Value::Integer(1)),
            (TinyInt, Value::Integer(255)),
            (SmallInt, Value::Integer(-32_768)),
            (Int, Value::Integer(i64::from(i32::MIN))),
            (BigInt, Value::Integer(i64::MIN)),
            (Decimal(38, 0), text("-99999999999999999999999999999999999999")),
            (Decimal(9, 4), text("-12345.6789")),
            (Money, text("-922337203685477.5808")),
            (SmallMoney, text("1.0000")),
            (Real, Value::Real(1.5)),
            (Float, Value::Real(-0.1)),
            (Char(3), text("abc")),
            (VarChar(Some(5)), text("€é")),
            (VarChar(None), text("")),
            (NVarChar(Some(10)), text("a😀ß")),
            (NVarChar(None), text(&"x".repeat(10_000))),
            (Binary(2), Value::Blob(vec![1, 2])),
            (VarBinary(None), Value::Blob(vec![0; 9_000])),
            (Guid, text("6F9619FF-8B86-D011-B42D-00C04FC964FF")),
            (Date, text("0001-01-01")),
            (Date, text("9999-12-31")),
            (Time(7), text("23:59:59.9999999")),
            (Time(0), text("12:00:00.0000000")),
            (DateTime2(7), text("2026-02-03 04:05:06.1234567")),
            (DateTime2(3), text("2026-02-03 04:05:06.1230000")),
            (DateTimeOffset(7), text("2026-02-03 04:05:06.1234567 -05:30")),
            (DateTime, text("1753-01-01 00:00:00.0030000")),
            (SmallDateTime, text("2079-06-06 23:59:00.0000000")),
        ] {
            for value in [value, Value::Null] {
                let mut bytes = Vec::new();
                write_type(&mut bytes, ty);
                write_value(&mut bytes, ty, &value).unwrap();
                let mut reader = Reader::new(&bytes);
                let wire = read_type(&mut reader).unwrap();
                assert_eq!(wire.ty(), ty);
                assert_eq!(read_value(&mut reader, &wire).unwrap(), value, "{ty}");
                assert!(reader.is_empty());
            }
        }
    }

    #[test]
    fn a_value_of_another_type_is_never_written() {
        assert!(write_value(&mut Vec::new(), Int, &Value::Text("1".to_owned())).is_err());
        assert!(write_value(&mut Vec::new(), Decimal(4, 0), &Value::Text("99999999999".to_owned())).is_err());
    }
}
