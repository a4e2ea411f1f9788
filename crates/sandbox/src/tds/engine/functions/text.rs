//! Functions of texts. Places and lengths count characters, a supplementary one as one.

use super::Arguments;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::value::Value;
use crate::tds::value::convert::units;

/// The largest text or binary a function makes, in bytes.
const LARGEST: usize = 64 << 20;

/// CONCAT: NULL counts as nothing.
pub(super) fn concat(a: &Arguments<'_>) -> SqlResult<Value> {
    let mut all = String::new();
    for at in 0..a.len() {
        if !matches!(a.value(at), Value::Null) {
            all.push_str(a.text(at)?);
        }
    }
    Ok(Value::Text(all))
}

pub(super) fn count(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

pub(super) fn data_length(value: Value, national: bool) -> i64 {
    let bytes = match value {
        Value::Text(text) if national => units(&text) * 2,
        Value::Text(text) => text.chars().count(),
        Value::Blob(bytes) => bytes.len(),
        _ => 8,
    };
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

pub(super) fn take(text: &str, from: i64, length: i64) -> Value {
    let end = from.saturating_add(length);
    let skip = usize::try_from(from.max(0)).unwrap_or(usize::MAX);
    let length = usize::try_from(end - from.max(0)).unwrap_or(0);
    Value::Text(text.chars().skip(skip).take(length).collect())
}

/// `tds_substring(text, start, length)`, the start counted from 1.
pub(super) fn substring(a: &Arguments<'_>) -> SqlResult<Value> {
    let (start, length) = (a.integer(1)?, a.integer(2)?);
    if length < 0 {
        return Err(SqlError::new(
            537,
            3,
            "Invalid length parameter passed to the LEFT or SUBSTRING function.",
        ));
    }
    if let Value::Blob(bytes) = a.value(0) {
        let end = (start - 1).saturating_add(length).max(0);
        let from = usize::try_from((start - 1).max(0)).unwrap_or(usize::MAX).min(bytes.len());
        let end = usize::try_from(end).unwrap_or(usize::MAX).clamp(from, bytes.len());
        return Ok(Value::Blob(bytes[from..end].to_vec()));
    }
    Ok(take(a.text(0)?, start.saturating_sub(1), length))
}

pub(super) fn left(text: &str, length: i64) -> SqlResult<Value> {
    if length < 0 {
        return Err(SqlError::new(
            537,
            2,
            "Invalid length parameter passed to the LEFT or SUBSTRING function.",
        ));
    }
    Ok(take(text, 0, length))
}

pub(super) fn right(text: &str, length: i64) -> SqlResult<Value> {
    if length < 0 {
        return Err(SqlError::new(536, 4, "Invalid length parameter passed to the RIGHT function."));
    }
    Ok(take(text, (count(text) - length).max(0), length))
}

/// Where `needle` stands in `text`, case aside, from the place `from` on.
pub(super) fn find(text: &[char], needle: &[char], from: usize) -> Option<usize> {
    let folded = |c: &char| c.to_lowercase().collect::<Vec<_>>();
    if needle.is_empty() || needle.len() > text.len() {
        return None;
    }
    (from..=text.len() - needle.len())
        .find(|&at| text[at..at + needle.len()].iter().map(folded).eq(needle.iter().map(folded)))
}

/// `tds_replace(text, what, with)`
pub(super) fn replace(a: &Arguments<'_>) -> SqlResult<Value> {
    let text: Vec<char> = a.text(0)?.chars().collect();
    let what: Vec<char> = a.text(1)?.chars().collect();
    let with = a.text(2)?;
    let mut result = String::new();
    let mut at = 0;
    while let Some(found) = find(&text, &what, at) {
        result.extend(&text[at..found]);
        result.push_str(with);
        at = found + what.len();
        if result.len() > LARGEST {
            return Err(too_large());
        }
    }
    result.extend(&text[at..]);
    Ok(Value::Text(result))
}

/// `tds_charindex(what, text[, start])`
pub(super) fn char_index(a: &Arguments<'_>) -> SqlResult<Value> {
    let what: Vec<char> = a.text(0)?.chars().collect();
    let text: Vec<char> = a.text(1)?.chars().collect();
    let start = if a.len() > 2 { usize::try_from(a.integer(2)? - 1).unwrap_or(0) } else { 0 };
    let found = find(&text, &what, start).map_or(0, |at| at + 1);
    Ok(Value::Integer(i64::try_from(found).unwrap_or(0)))
}

pub(super) fn replicate(a: &Arguments<'_>) -> SqlResult<Value> {
    let text = a.text(0)?;
    let Ok(times) = usize::try_from(a.integer(1)?) else { return Ok(Value::Null) };
    if text.len().saturating_mul(times) > LARGEST {
        return Err(too_large());
    }
    Ok(Value::Text(text.repeat(times)))
}

pub(super) fn too_large() -> SqlError {
    SqlError::unknown(format!("texts longer than {LARGEST} bytes"))
}

/// `tds_stuff(text, start, length, with)`
pub(super) fn stuff(a: &Arguments<'_>) -> SqlResult<Value> {
    let text: Vec<char> = a.text(0)?.chars().collect();
    let (Ok(start), Ok(length)) = (usize::try_from(a.integer(1)?), usize::try_from(a.integer(2)?)) else {
        return Ok(Value::Null);
    };
    if start == 0 || start > text.len() {
        return Ok(Value::Null);
    }
    let end = (start - 1).saturating_add(length).min(text.len());
    let front: String = text[..start - 1].iter().collect();
    let back: String = text[end..].iter().collect();
    Ok(Value::Text(format!("{front}{}{back}", a.text(3)?)))
}

/// `tds_quotename(name, quote)`: NULL for a name above 128 characters or a quote that is none.
pub(super) fn quote_name(a: &Arguments<'_>) -> SqlResult<Value> {
    let name = a.text(0)?;
    let (open, close) = match a.text(1)? {
        "[" | "]" => ('[', ']'),
        "'" => ('\'', '\''),
        "\"" => ('"', '"'),
        "(" | ")" => ('(', ')'),
        "<" | ">" => ('<', '>'),
        "{" | "}" => ('{', '}'),
        "`" => ('`', '`'),
        _ => return Ok(Value::Null),
    };
    if units(name) > 128 {
        return Ok(Value::Null);
    }
    let doubled = name.replace(close, &format!("{close}{close}"));
    Ok(Value::Text(format!("{open}{doubled}{close}")))
}
