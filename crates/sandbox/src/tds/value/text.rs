//! Values as texts and as bytes, and code page 1252.

use super::convert::{cannot_read, guid_bytes, not_allowed};
use super::decimal::Decimal;
use super::moment::Moment;
use super::{SqlType, Value};
use crate::tds::error::{SqlError, SqlResult};

/// The character of code page 1252, which char and varchar hold; others become a question mark.
pub fn to_1252(c: char) -> u8 {
    match u32::from(c) {
        code @ (0..=0x7F | 0xA0..=0xFF) => u8::try_from(code).unwrap_or(b'?'),
        code => PAGE_1252.iter().position(|&high| u32::from(high) == code).map_or(b'?', |at| 0x80 + at as u8),
    }
}

/// The other way round. The five bytes that code page 1252 leaves free stand for themselves.
pub fn from_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9F => {
            let high = PAGE_1252[usize::from(byte - 0x80)];
            char::from_u32(u32::from(high)).unwrap_or('?')
        }
        other => char::from(other),
    }
}

const PAGE_1252: [u16; 32] = [
    0x20AC, 0x81, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152,
    0x8D, 0x017D, 0x8F, 0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161,
    0x203A, 0x0153, 0x9D, 0x017E, 0x0178,
];

/// The text of any value.
pub fn to_text(value: &Value, from: SqlType, to: SqlType, style: i64) -> SqlResult<String> {
    Ok(match value {
        Value::Null => String::new(),
        Value::Integer(n) => n.to_string(),
        Value::Real(x) => float_text(*x, style)?,
        Value::Text(text) if matches!(from, SqlType::Money | SqlType::SmallMoney) => {
            let decimal = Decimal::parse(text).unwrap_or(Decimal::whole(0));
            decimal.rescale(if style == 2 { 4 } else { 2 }).unwrap_or(decimal).to_string()
        }
        Value::Text(text) if from.is_moment() => Moment::stored(text, from)
            .and_then(|moment| moment.text(from, style))
            .ok_or_else(|| SqlError::unknown(format!("style {style} for {from}")))?,
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => match style {
            0 if to.is_national() => {
                let units = bytes
                    .chunks(2)
                    .map(|pair| u16::from_le_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
                char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
            }
            0 => bytes.iter().map(|&byte| from_1252(byte)).collect(),
            1 | 2 => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
                if style == 1 { format!("0x{hex}") } else { hex }
            }
            _ => return Err(SqlError::unknown(format!("style {style} for binary data"))),
        },
    })
}

/// Style 0 of float: at most six digits, an exponent where they don't do.
fn float_text(x: f64, style: i64) -> SqlResult<String> {
    let exponent = if x == 0.0 { 0 } else { x.abs().log10().floor() as i32 };
    match style {
        0 if (-5..6).contains(&exponent) => {
            let places = usize::try_from(5 - exponent).unwrap_or(0);
            let text = format!("{x:.places$}");
            let text =
                if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
            Ok(text.to_owned())
        }
        0 => {
            let text = format!("{x:.5e}");
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let digits = digits.trim_end_matches('0').trim_end_matches('.');
            let exponent: i32 = exponent.parse().unwrap_or(0);
            let sign = if exponent < 0 { '-' } else { '+' };
            Ok(format!("{digits}e{sign}{:03}", exponent.abs()))
        }
        3 => Ok(format!("{x:.16e}")),
        _ => Err(SqlError::unknown(format!("style {style} for float"))),
    }
}

/// Cuts a text to its type's length and brings it to the type's characters; a supplementary
/// character is kept or dropped whole.
pub(super) fn cut_text(text: String, to: SqlType) -> String {
    let text = if to.is_national() || text.is_ascii() {
        text
    } else {
        text.chars().map(|c| from_1252(to_1252(c))).collect()
    };
    let Some(most) = to.length() else { return text };
    let most = usize::from(most);
    let size = |c: char| if to.is_national() { c.len_utf16() } else { 1 };
    let mut used = 0;
    let mut kept: String = text
        .chars()
        .take_while(|&c| {
            used += size(c);
            used <= most
        })
        .collect();
    if matches!(to, SqlType::Char(_) | SqlType::NChar(_)) {
        let length: usize = kept.chars().map(size).sum();
        kept.extend(std::iter::repeat_n(' ', most - length));
    }
    kept
}

pub(super) fn to_binary(value: &Value, from: SqlType, to: SqlType, style: i64) -> SqlResult<Vec<u8>> {
    Ok(match value {
        Value::Blob(bytes) => bytes.clone(),
        Value::Integer(n) => {
            let bytes = n.to_be_bytes();
            let width = match from {
                SqlType::Bit | SqlType::TinyInt => 1,
                SqlType::SmallInt => 2,
                SqlType::Int => 4,
                _ => 8,
            };
            // Numbers are cut, and filled up, on the left.
            let width = to.length().map_or(width, |most| match to {
                SqlType::Binary(_) => usize::from(most),
                _ => width.min(usize::from(most)),
            });
            let fill = if *n < 0 { 0xFF } else { 0 };
            let mut wide = vec![fill; width.saturating_sub(8)];
            wide.extend_from_slice(&bytes[8_usize.saturating_sub(width)..]);
            wide
        }
        Value::Text(text) if from == SqlType::Guid => guid_bytes(text).to_vec(),
        Value::Text(text) if from.is_text() => match style {
            0 if from.is_national() => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            0 => text.chars().map(to_1252).collect(),
            1 | 2 => {
                let hex = if style == 1 { text.strip_prefix("0x").unwrap_or("x") } else { text.as_str() };
                from_hex(hex).ok_or_else(|| cannot_read(from, to))?
            }
            _ => return Err(SqlError::unknown(format!("style {style} for binary data"))),
        },
        _ => return Err(not_allowed(from, to)),
    })
}

pub(super) fn cut_binary(mut bytes: Vec<u8>, to: SqlType) -> Vec<u8> {
    if let Some(most) = to.length() {
        bytes.truncate(usize::from(most));
        if matches!(to, SqlType::Binary(_)) {
            bytes.resize(usize::from(most), 0);
        }
    }
    bytes
}

/// Reads hexadecimal digits, two a byte; an odd count gets a leading zero.
pub fn from_hex(hex: &str) -> Option<Vec<u8>> {
    let padded = if hex.len() % 2 == 1 { format!("0{hex}") } else { hex.to_owned() };
    let digits: Option<Vec<u8>> =
        padded.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    Some(digits?.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_page_1252_goes_both_ways() {
        for byte in 0..=255 {
            assert_eq!(to_1252(from_1252(byte)), byte);
        }
    }
}
