//! Functions of dates and times.

use super::Arguments;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::value::Value;
use crate::tds::value::moment::{Moment, canonical_part};

pub(super) fn unknown_part(part: &str) -> SqlError {
    SqlError::new(155, 1, format!("'{part}' is not a recognized datepart option.")).class(15).ends_batch()
}

/// `tds_datepart(part, moment, type)`
pub(super) fn date_part(a: &Arguments<'_>) -> SqlResult<Value> {
    let part = a.text(0)?;
    a.moment(1, 2)?.part(part).map(Value::Integer).ok_or_else(|| unknown_part(part))
}

/// `tds_datename(part, moment, type)`
pub(super) fn date_name(a: &Arguments<'_>) -> SqlResult<Value> {
    let part = a.text(0)?;
    let moment = a.moment(1, 2)?;
    let name = match canonical_part(part) {
        Some("month") => Some(moment.local.format("%B").to_string()),
        Some("weekday") => Some(moment.local.format("%A").to_string()),
        _ => moment.part(part).map(|number| number.to_string()),
    };
    name.map(Value::Text).ok_or_else(|| unknown_part(part))
}

/// `tds_dateadd(part, number, moment, type)`
pub(super) fn date_add(a: &Arguments<'_>) -> SqlResult<Value> {
    let part = a.text(0)?;
    if canonical_part(part).is_none() {
        return Err(unknown_part(part));
    }
    let sum = a.moment(2, 3)?.add(part, a.integer(1)?).ok_or_else(|| {
        SqlError::new(517, 1, format!("Adding a value to a '{}' column caused an overflow.", "datetime"))
    })?;
    sum.store(a.ty(3)?).map(Value::Text)
}

/// `tds_datediff(part, from, type, to, type, big)`
pub(super) fn date_difference(a: &Arguments<'_>) -> SqlResult<Value> {
    let part = a.text(0)?;
    if canonical_part(part).is_none() {
        return Err(unknown_part(part));
    }
    let count = Moment::difference(part, a.moment(1, 2)?, a.moment(3, 4)?)
        .filter(|count| a.integer(5).is_ok_and(|big| big != 0) || i32::try_from(*count).is_ok());
    count.map(Value::Integer).ok_or_else(|| {
        SqlError::new(
            535,
            0,
            "The datediff function resulted in an overflow. The number of dateparts separating two date/time \
             instances is too large. Try to use datediff with a less precise datepart.",
        )
    })
}

/// `tds_switchoffset(datetimeoffset, type, offset text)`
pub(super) fn switch_offset(a: &Arguments<'_>) -> SqlResult<Value> {
    let offset = a.text(2)?;
    let read = Moment::parse(&format!("2000-01-01 00:00:00 {offset}"));
    let moment = a.moment(0, 1)?;
    match (read, moment.utc()) {
        (Some(read), Some(utc)) if offset.starts_with(['+', '-']) => {
            let shift = chrono::TimeDelta::minutes(i64::from(read.offset));
            let local = utc.checked_add_signed(shift).ok_or_else(|| SqlError::overflow("datetimeoffset"))?;
            Moment { local, offset: read.offset }.store(a.ty(1)?).map(Value::Text)
        }
        _ => Err(SqlError::new(
            9812,
            0,
            format!("The timezone provided to builtin function switchoffset is invalid: {offset}."),
        )),
    }
}
