//! T-SQL's operators and functions as functions of SQLite, and its orderings as collations. The
//! translation has brought every argument to the type its function takes, so that the stored forms
//! say all there is to know. Each returns NULL for a NULL argument unless it says otherwise.

mod aggregate;
mod moment;
mod number;
mod pattern;
mod text;

use std::cmp::Ordering;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::functions::{Context as Call, FunctionFlags};
use rusqlite::types::ValueRef;

use crate::context::Context;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::value::convert::convert;
use crate::tds::value::decimal::Decimal;
use crate::tds::value::moment::Moment;
use crate::tds::value::{SqlType, Value, collation};
use aggregate::{Single, SumDecimal, SumInteger};
use moment::{date_add, date_difference, date_name, date_part, switch_offset};
use number::{decimal, float, integer, math, round, rows};
use pattern::like;
use text::{
    char_index, concat, count, data_length, left, quote_name, replace, replicate, right, stuff, substring,
};

/// Brings all of it into a connection.
///
/// # Errors
/// What SQLite says.
pub fn register(connection: &Connection, context: &Arc<Context>) -> SqlResult<()> {
    type Compare = fn(&str, &str) -> Ordering;
    let collations: [(&str, Compare); 4] = [
        ("tds_text", collation::compare_text),
        ("tds_decimal", collation::compare_decimal),
        ("tds_guid", collation::compare_guid),
        ("tds_offset", collation::compare_offset),
    ];
    for (name, compare) in collations {
        connection.create_collation(name, compare)?;
    }
    let fixed = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    type Function = fn(&Arguments<'_>) -> SqlResult<Value>;
    let functions: [(&str, Function); 33] = [
        ("tds_cast", cast),
        ("tds_try_cast", try_cast),
        ("tds_integer", integer),
        ("tds_decimal_op", decimal),
        ("tds_float", float),
        ("tds_concat", concat),
        ("tds_like", like),
        ("tds_len", |a| Ok(Value::Integer(count(a.text(0)?.trim_end_matches(' '))))),
        ("tds_datalength", |a| Ok(Value::Integer(data_length(a.value(0), a.integer(1)? != 0)))),
        ("tds_upper", |a| Ok(Value::Text(a.text(0)?.to_uppercase()))),
        ("tds_lower", |a| Ok(Value::Text(a.text(0)?.to_lowercase()))),
        ("tds_ltrim", |a| Ok(Value::Text(a.text(0)?.trim_start_matches(' ').to_owned()))),
        ("tds_rtrim", |a| Ok(Value::Text(a.text(0)?.trim_end_matches(' ').to_owned()))),
        ("tds_trim", |a| Ok(Value::Text(a.text(0)?.trim_matches(' ').to_owned()))),
        ("tds_reverse", |a| Ok(Value::Text(a.text(0)?.chars().rev().collect()))),
        ("tds_substring", substring),
        ("tds_left", |a| left(a.text(0)?, a.integer(1)?)),
        ("tds_right", |a| right(a.text(0)?, a.integer(1)?)),
        ("tds_replace", replace),
        ("tds_charindex", char_index),
        ("tds_replicate", replicate),
        ("tds_stuff", stuff),
        ("tds_quotename", quote_name),
        ("tds_nchar", |a| {
            let code = u32::try_from(a.integer(0)?).ok().and_then(char::from_u32);
            Ok(code.map_or(Value::Null, |c| Value::Text(c.to_string())))
        }),
        ("tds_unicode", |a| {
            Ok(a.text(0)?.chars().next().map_or(Value::Null, |c| Value::Integer(i64::from(u32::from(c)))))
        }),
        ("tds_datepart", date_part),
        ("tds_datename", date_name),
        ("tds_dateadd", date_add),
        ("tds_datediff", date_difference),
        ("tds_round", round),
        ("tds_math", math),
        ("tds_rows", rows),
        ("tds_switchoffset", switch_offset),
    ];
    for (name, function) in functions {
        connection.create_scalar_function(name, -1, fixed, move |call| {
            let arguments = Arguments(call);
            // Concatenation, and a LIKE without ESCAPE, look at their NULLs themselves.
            let looks = matches!(name, "tds_concat" | "tds_cast" | "tds_try_cast");
            if !looks && (0..call.len()).any(|at| matches!(call.get_raw(at), ValueRef::Null)) {
                return Ok(Value::Null);
            }
            function(&arguments).map_err(SqlError::carried)
        })?;
    }
    let random = Arc::clone(context);
    connection.create_scalar_function("tds_newid", 0, FunctionFlags::SQLITE_UTF8, move |_| {
        Ok(random.random.uuid().to_ascii_uppercase())
    })?;
    let random = Arc::clone(context);
    connection.create_scalar_function("tds_rand", 0, FunctionFlags::SQLITE_UTF8, move |_| {
        Ok(random.random.fraction())
    })?;
    let random = Arc::clone(context);
    connection.create_scalar_function("tds_random_bytes", 1, FunctionFlags::SQLITE_UTF8, move |call| {
        // 1 to 8,000 bytes; NULL for any other length.
        let length = call.get::<Option<i64>>(0)?.filter(|length| (1..=8_000).contains(length));
        Ok(length.map(|length| (0..length).map(|_| random.random.bytes::<1>()[0]).collect::<Vec<u8>>()))
    })?;
    connection.create_aggregate_function("tds_sum_decimal", 3, fixed, SumDecimal { average: false })?;
    connection.create_aggregate_function("tds_avg_decimal", 3, fixed, SumDecimal { average: true })?;
    connection.create_aggregate_function("tds_sum_integer", 2, fixed, SumInteger { average: false })?;
    connection.create_aggregate_function("tds_avg_integer", 2, fixed, SumInteger { average: true })?;
    connection.create_aggregate_function("tds_single", 1, fixed, Single)?;
    Ok(())
}

struct Arguments<'a>(&'a Call<'a>);

impl Arguments<'_> {
    fn value(&self, at: usize) -> Value {
        self.0.get_raw(at).into()
    }

    fn text(&self, at: usize) -> SqlResult<&str> {
        self.0.get_raw(at).as_str().map_err(|error| SqlError::internal(format!("argument {at}: {error}")))
    }

    fn integer(&self, at: usize) -> SqlResult<i64> {
        self.0.get_raw(at).as_i64().map_err(|error| SqlError::internal(format!("argument {at}: {error}")))
    }

    fn real(&self, at: usize) -> SqlResult<f64> {
        self.0.get_raw(at).as_f64().map_err(|error| SqlError::internal(format!("argument {at}: {error}")))
    }

    fn decimal(&self, at: usize) -> SqlResult<Decimal> {
        let text = self.text(at)?;
        Decimal::parse(text).ok_or_else(|| SqlError::internal(format!("{text} is no decimal")))
    }

    fn ty(&self, at: usize) -> SqlResult<SqlType> {
        let code = self.integer(at)?;
        SqlType::from_code(code).ok_or_else(|| SqlError::internal(format!("{code} is no type")))
    }

    fn moment(&self, at: usize, ty: usize) -> SqlResult<Moment> {
        let text = self.text(at)?;
        Moment::stored(text, self.ty(ty)?).ok_or_else(|| SqlError::internal(format!("{text} is no moment")))
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

/// `tds_cast(value, from, to, style)`
fn cast(a: &Arguments<'_>) -> SqlResult<Value> {
    convert(&a.value(0), a.ty(1)?, a.ty(2)?, if a.len() > 3 { a.integer(3)? } else { 0 })
}

fn try_cast(a: &Arguments<'_>) -> SqlResult<Value> {
    match cast(a) {
        // A conversion that is never allowed is an error even of TRY_CAST.
        Err(error) if error.number != 529 && error.number != crate::tds::error::UNKNOWN => Ok(Value::Null),
        other => other,
    }
}
