//! Operators and functions of numbers.

use super::Arguments;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::value::convert::convert;
use crate::tds::value::decimal::Decimal;
use crate::tds::value::{SqlType, Value};

/// `tds_integer(operator, left, right, type)`
pub(super) fn integer(a: &Arguments<'_>) -> SqlResult<Value> {
    let (left, right, ty) = (a.integer(1)?, a.integer(2)?, a.ty(3)?);
    let result = match a.text(0)? {
        "/" | "%" if right == 0 => return Err(SqlError::division_by_zero()),
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        "/" => left.checked_div(right),
        "%" => Some(left.wrapping_rem(right)),
        "&" => Some(left & right),
        "|" => Some(left | right),
        "^" => Some(left ^ right),
        other => return Err(SqlError::internal(format!("the operator {other}"))),
    };
    let result = result.ok_or_else(|| SqlError::overflow(ty.name()))?;
    convert(&Value::Integer(result), SqlType::BigInt, ty, 0).map_err(|_| SqlError::overflow(ty.name()))
}

/// `tds_decimal_op(operator, left, right, precision, scale)`
pub(super) fn decimal(a: &Arguments<'_>) -> SqlResult<Value> {
    let operator = a.text(0)?.chars().next().unwrap_or('+');
    let precision = u8::try_from(a.integer(3)?).unwrap_or(38);
    let scale = u8::try_from(a.integer(4)?).unwrap_or(0);
    let result = Decimal::apply(operator, a.decimal(1)?, a.decimal(2)?, precision, scale)?;
    Ok(Value::Text(result.to_string()))
}

/// `tds_float(operator, left, right)`
pub(super) fn float(a: &Arguments<'_>) -> SqlResult<Value> {
    let (left, right) = (a.real(1)?, a.real(2)?);
    let result = match a.text(0)? {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" if right == 0.0 => return Err(SqlError::division_by_zero()),
        "/" => left / right,
        other => return Err(SqlError::unknown(format!("the operator {other} for float"))),
    };
    if result.is_finite() { Ok(Value::Real(result)) } else { Err(SqlError::overflow("float")) }
}

/// `tds_round(value, places, truncate)`
pub(super) fn round(a: &Arguments<'_>) -> SqlResult<Value> {
    let places = a.integer(1)?;
    let cut = a.integer(2)? != 0;
    match a.value(0) {
        Value::Text(text) => {
            let decimal = Decimal::parse(&text).ok_or_else(|| SqlError::internal("no decimal"))?;
            let Ok(kept) = u8::try_from(places) else {
                return Err(SqlError::unknown("ROUND to the left of a decimal's point"));
            };
            if kept >= decimal.scale {
                return Ok(Value::Text(text));
            }
            let rounded = if cut { Some(decimal.truncate(kept)) } else { decimal.rescale(kept) };
            let back = rounded.and_then(|d| d.rescale(decimal.scale));
            back.map(|d| Value::Text(d.to_string())).ok_or_else(|| SqlError::overflow("numeric"))
        }
        Value::Real(x) => {
            let factor = 10_f64.powi(i32::try_from(places).unwrap_or(0));
            let scaled = x * factor;
            Ok(Value::Real(if cut { scaled.trunc() } else { scaled.round() } / factor))
        }
        Value::Integer(n) if places >= 0 => Ok(Value::Integer(n)),
        Value::Integer(n) => {
            let unit = 10_i64.checked_pow(u32::try_from(-places).unwrap_or(99)).unwrap_or(i64::MAX);
            let (whole, rest) = (n / unit, n % unit);
            let up = !cut && rest.abs() >= unit - rest.abs();
            Ok(Value::Integer((whole + if up { n.signum() } else { 0 }).saturating_mul(unit)))
        }
        _ => Ok(Value::Null),
    }
}

/// `tds_math(function, value[, second])`
pub(super) fn math(a: &Arguments<'_>) -> SqlResult<Value> {
    let whole = |decimal: Decimal, step: i128| {
        let cut = decimal.truncate(0);
        let exact = cut.rescale(decimal.scale) == Some(decimal);
        let towards = !exact && (decimal.unscaled > 0) == (step > 0);
        Value::Text(Decimal::whole(cut.unscaled + if towards { step } else { 0 }).to_string())
    };
    Ok(match (a.text(0)?, a.value(1)) {
        ("abs", Value::Integer(n)) => {
            Value::Integer(n.checked_abs().ok_or_else(|| SqlError::overflow("bigint"))?)
        }
        ("abs", Value::Real(x)) => Value::Real(x.abs()),
        ("abs", Value::Text(text)) => Value::Text(text.trim_start_matches('-').to_owned()),
        ("floor", Value::Integer(n)) | ("ceiling", Value::Integer(n)) => Value::Integer(n),
        ("floor", Value::Real(x)) => Value::Real(x.floor()),
        ("ceiling", Value::Real(x)) => Value::Real(x.ceil()),
        ("floor", Value::Text(_)) => whole(a.decimal(1)?, -1),
        ("ceiling", Value::Text(_)) => whole(a.decimal(1)?, 1),
        ("sign", Value::Integer(n)) => Value::Integer(n.signum()),
        ("sqrt", Value::Real(x)) if x >= 0.0 => Value::Real(x.sqrt()),
        ("exp", Value::Real(x)) => Value::Real(x.exp()),
        ("log", Value::Real(x)) if x > 0.0 => Value::Real(x.ln()),
        ("power", Value::Real(x)) => Value::Real(x.powf(a.real(2)?)),
        (_, Value::Real(_)) => {
            return Err(SqlError::new(3623, 1, "An invalid floating point operation occurred."));
        }
        (name, value) => return Err(SqlError::internal(format!("{name} of {value:?}"))),
    })
}

/// `tds_rows(number, what)`: how many rows TOP, OFFSET and FETCH mean.
pub(super) fn rows(a: &Arguments<'_>) -> SqlResult<Value> {
    let number = a.integer(0)?;
    match a.text(1)? {
        "top" if number < 0 => {
            Err(SqlError::new(127, 1, "A TOP N or FETCH rowcount value may not be negative.").class(15))
        }
        "offset" if number < 0 => {
            Err(SqlError::new(10742, 1, "The offset specified in a OFFSET clause may not be negative.")
                .class(15))
        }
        "fetch" if number < 1 => Err(SqlError::new(
            10744,
            1,
            "The number of rows provided for a FETCH clause must be greater then zero.",
        )
        .class(15)),
        _ => Ok(Value::Integer(number)),
    }
}
