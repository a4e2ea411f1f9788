//! Types and values as bytes, on their way in.

use std::io;

use chrono::{NaiveTime, TimeDelta};

use super::codec::{MAX, NO_VALUE, year_one};
use super::reader::{Reader, malformed, utf16};
use crate::tds::value::convert::{from_1252, guid_text};
use crate::tds::value::decimal::Decimal;
use crate::tds::value::moment::{Moment, base_date, datetime_of};
use crate::tds::value::{SqlType, Value};

/// A type as a client wrote it: how its values are laid out, and which type that is here.
#[derive(Debug, Clone, Copy)]
pub struct WireType {
    ty: SqlType,
    layout: Layout,
    utf8: bool,
}

impl WireType {
    /// The type.
    pub fn ty(&self) -> SqlType {
        self.ty
    }
}

#[derive(Debug, Clone, Copy)]
enum Layout {
    /// So many bytes, always there.
    Fixed(usize),
    /// A length byte in front; zero is NULL.
    Short,
    /// Two length bytes; 0xFFFF is NULL.
    Long,
    /// In parts.
    Parts,
    /// Four length bytes (text, ntext, image); -1 is NULL.
    Legacy,
}

/// Reads a TYPE_INFO.
///
/// # Errors
/// When it is cut, or of a type not known (xml, sql_variant, table-valued parameters).
pub fn read_type(reader: &mut Reader<'_>) -> io::Result<WireType> {
    let code = reader.u8()?;
    let fixed = |ty, bytes| Ok(WireType { ty, layout: Layout::Fixed(bytes), utf8: false });
    let short = |ty| Ok(WireType { ty, layout: Layout::Short, utf8: false });
    match code {
        0x1F => fixed(SqlType::Null, 0),
        0x30 => fixed(SqlType::TinyInt, 1),
        0x32 => fixed(SqlType::Bit, 1),
        0x34 => fixed(SqlType::SmallInt, 2),
        0x38 => fixed(SqlType::Int, 4),
        0x7F => fixed(SqlType::BigInt, 8),
        0x3A => fixed(SqlType::SmallDateTime, 4),
        0x3B => fixed(SqlType::Real, 4),
        0x3C => fixed(SqlType::Money, 8),
        0x3D => fixed(SqlType::DateTime, 8),
        0x3E => fixed(SqlType::Float, 8),
        0x7A => fixed(SqlType::SmallMoney, 4),
        0x24 => reader.u8().and_then(|_| short(SqlType::Guid)),
        0x26 => match reader.u8()? {
            1 => short(SqlType::TinyInt),
            2 => short(SqlType::SmallInt),
            4 => short(SqlType::Int),
            8 => short(SqlType::BigInt),
            other => Err(malformed(format!("an integer of {other} bytes"))),
        },
        0x68 => reader.u8().and_then(|_| short(SqlType::Bit)),
        0x6A | 0x6C => {
            let [_, precision, scale] = reader.array()?;
            if !(1..=38).contains(&precision) || scale > precision {
                return Err(malformed(format!("decimal({precision},{scale})")));
            }
            short(SqlType::Decimal(precision, scale))
        }
        0x6D => short(if reader.u8()? == 4 { SqlType::Real } else { SqlType::Float }),
        0x6E => short(if reader.u8()? == 4 { SqlType::SmallMoney } else { SqlType::Money }),
        0x6F => short(if reader.u8()? == 4 { SqlType::SmallDateTime } else { SqlType::DateTime }),
        0x28 => short(SqlType::Date),
        0x29..=0x2B => {
            let scale = reader.u8()?;
            if scale > 7 {
                return Err(malformed(format!("a scale of {scale}")));
            }
            short(match code {
                0x29 => SqlType::Time(scale),
                0x2A => SqlType::DateTime2(scale),
                _ => SqlType::DateTimeOffset(scale),
            })
        }
        0xA5 | 0xA7 | 0xAD | 0xAF | 0xE7 | 0xEF => {
            let bytes = reader.u16()?;
            let utf8 = !matches!(code, 0xA5 | 0xAD) && reader.array::<5>()?[3] & 0x04 != 0;
            let layout = if bytes == MAX { Layout::Parts } else { Layout::Long };
            let limited = (bytes != MAX).then_some(bytes);
            let ty = match code {
                0xA5 => SqlType::VarBinary(limited),
                0xAD => SqlType::Binary(bytes),
                0xA7 => SqlType::VarChar(limited),
                0xAF => SqlType::Char(bytes),
                0xE7 => SqlType::NVarChar(limited.map(|n| n / 2)),
                _ => SqlType::NChar(bytes / 2),
            };
            Ok(WireType { ty, layout, utf8 })
        }
        0x22 | 0x23 | 0x63 => {
            reader.u32()?;
            let utf8 = code != 0x22 && reader.array::<5>()?[3] & 0x04 != 0;
            let ty = match code {
                0x22 => SqlType::VarBinary(None),
                0x23 => SqlType::VarChar(None),
                _ => SqlType::NVarChar(None),
            };
            Ok(WireType { ty, layout: Layout::Legacy, utf8 })
        }
        other => {
            Err(malformed(format!("a parameter of the type 0x{other:02X}, which this server does not know")))
        }
    }
}

/// Reads a value.
///
/// # Errors
/// When it is cut, or no value of its type.
pub fn read_value(reader: &mut Reader<'_>, wire: &WireType) -> io::Result<Value> {
    let parts;
    let bytes = match wire.layout {
        Layout::Fixed(0) => return Ok(Value::Null),
        Layout::Fixed(bytes) => reader.take(bytes)?,
        Layout::Short => match reader.u8()? {
            0 => return Ok(Value::Null),
            bytes => reader.take(usize::from(bytes))?,
        },
        Layout::Long => match reader.u16()? {
            MAX => return Ok(Value::Null),
            bytes => reader.take(usize::from(bytes))?,
        },
        Layout::Legacy => match reader.u32()? {
            u32::MAX => return Ok(Value::Null),
            bytes => reader.take(bytes as usize)?,
        },
        Layout::Parts => {
            if reader.u64()? == NO_VALUE {
                return Ok(Value::Null);
            }
            let mut all = Vec::new();
            loop {
                match reader.u32()? {
                    0 => break,
                    bytes => all.extend_from_slice(reader.take(bytes as usize)?),
                }
            }
            parts = all;
            &parts
        }
    };
    decode(bytes, wire).ok_or_else(|| malformed(format!("a {} that is none", wire.ty)))
}

fn decode(bytes: &[u8], wire: &WireType) -> Option<Value> {
    let ty = wire.ty;
    Some(match ty {
        SqlType::Bit => Value::Integer(i64::from(*bytes.first()? != 0)),
        SqlType::TinyInt => Value::Integer(i64::from(*bytes.first()?)),
        SqlType::SmallInt => Value::Integer(i64::from(i16::from_le_bytes(bytes.try_into().ok()?))),
        SqlType::Int => Value::Integer(i64::from(i32::from_le_bytes(bytes.try_into().ok()?))),
        SqlType::BigInt => Value::Integer(i64::from_le_bytes(bytes.try_into().ok()?)),
        SqlType::Real => finite(f64::from(f32::from_le_bytes(bytes.try_into().ok()?)))?,
        SqlType::Float => finite(f64::from_le_bytes(bytes.try_into().ok()?))?,
        SqlType::Decimal(_, scale) => {
            let (sign, magnitude) = bytes.split_first()?;
            let mut all = [0; 16];
            all.get_mut(..magnitude.len())?.copy_from_slice(magnitude);
            let magnitude = i128::try_from(u128::from_le_bytes(all)).ok()?;
            let unscaled = if *sign == 0 { -magnitude } else { magnitude };
            Value::Text(Decimal { unscaled, scale }.to_string())
        }
        SqlType::SmallMoney => {
            let unscaled = i128::from(i32::from_le_bytes(bytes.try_into().ok()?));
            Value::Text(Decimal { unscaled, scale: 4 }.to_string())
        }
        SqlType::Money => {
            let (high, low) = bytes.split_at_checked(4)?;
            let high = i64::from(i32::from_le_bytes(high.try_into().ok()?));
            let low = i64::from(u32::from_le_bytes(low.try_into().ok()?));
            let unscaled = i128::from(high << 32 | low);
            Value::Text(Decimal { unscaled, scale: 4 }.to_string())
        }
        SqlType::NChar(_) | SqlType::NVarChar(_) => Value::Text(utf16(bytes).ok()?),
        SqlType::Char(_) | SqlType::VarChar(_) if wire.utf8 => {
            Value::Text(String::from_utf8(bytes.to_vec()).ok()?)
        }
        SqlType::Char(_) | SqlType::VarChar(_) => {
            Value::Text(bytes.iter().map(|&byte| from_1252(byte)).collect())
        }
        SqlType::Binary(_) | SqlType::VarBinary(_) | SqlType::RowVersion => Value::Blob(bytes.to_vec()),
        SqlType::Guid => Value::Text(guid_text(bytes.try_into().ok()?)),
        SqlType::Null => Value::Null,
        _ => Value::Text(decode_moment(bytes, ty)?.store(ty).ok()?),
    })
}

fn finite(x: f64) -> Option<Value> {
    x.is_finite().then_some(Value::Real(x))
}

fn decode_moment(bytes: &[u8], ty: SqlType) -> Option<Moment> {
    let plain = |local| Moment { local, offset: 0 };
    let date = |bytes: &[u8]| {
        let days = u32::from_le_bytes([*bytes.first()?, *bytes.get(1)?, *bytes.get(2)?, 0]);
        year_one().checked_add_signed(TimeDelta::try_days(i64::from(days))?)
    };
    let time = |bytes: &[u8], scale: u8| {
        let units = bytes.iter().rev().fold(0_u64, |n, &byte| n << 8 | u64::from(byte));
        let nanos = units.checked_mul(10_u64.pow(9 - u32::from(scale)))?;
        let seconds = u32::try_from(nanos / 1_000_000_000).ok()?;
        NaiveTime::from_num_seconds_from_midnight_opt(seconds, u32::try_from(nanos % 1_000_000_000).ok()?)
    };
    Some(match ty {
        SqlType::Date => plain(date(bytes)?.and_hms_opt(0, 0, 0)?),
        SqlType::Time(scale) => plain(base_date().and_time(time(bytes, scale)?)),
        SqlType::DateTime2(scale) => {
            let (clock, day) = bytes.split_at_checked(bytes.len().checked_sub(3)?)?;
            plain(date(day)?.and_time(time(clock, scale)?))
        }
        SqlType::DateTimeOffset(scale) => {
            let (clock, rest) = bytes.split_at_checked(bytes.len().checked_sub(5)?)?;
            let (day, offset) = rest.split_at_checked(3)?;
            let utc = date(day)?.and_time(time(clock, scale)?);
            let offset = i32::from(i16::from_le_bytes(offset.try_into().ok()?));
            if offset.abs() > 14 * 60 {
                return None;
            }
            Moment { local: utc.checked_add_signed(TimeDelta::minutes(i64::from(offset)))?, offset }
        }
        SqlType::SmallDateTime => {
            let (days, minutes) = bytes.split_at_checked(2)?;
            let days = i64::from(u16::from_le_bytes(days.try_into().ok()?));
            let minutes = i64::from(u16::from_le_bytes(minutes.try_into().ok()?));
            plain(datetime_of(days, minutes * 60 * 300)?)
        }
        _ => {
            let (days, ticks) = bytes.split_at_checked(4)?;
            let days = i64::from(i32::from_le_bytes(days.try_into().ok()?));
            plain(datetime_of(days, i64::from(u32::from_le_bytes(ticks.try_into().ok()?)))?)
        }
    })
}
