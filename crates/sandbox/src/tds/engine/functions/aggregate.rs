//! Aggregates.

use rusqlite::functions::{Aggregate, Context as Call};
use rusqlite::types::ValueRef;

use super::Arguments;
use crate::tds::error::SqlError;
use crate::tds::value::convert::convert;
use crate::tds::value::decimal::Decimal;
use crate::tds::value::{SqlType, Value};

/// `tds_single(value)`: the value of the only row.
pub(super) struct Single;

impl Aggregate<Option<Value>, Value> for Single {
    fn init(&self, _: &mut Call<'_>) -> rusqlite::Result<Option<Value>> {
        Ok(None)
    }

    fn step(&self, call: &mut Call<'_>, state: &mut Option<Value>) -> rusqlite::Result<()> {
        if state.is_some() {
            return Err(SqlError::new(
                512,
                1,
                "Subquery returned more than 1 value. This is not permitted when the subquery follows =, !=, <, <= , \
                 >, >= or when the subquery is used as an expression.",
            )
            .carried());
        }
        *state = Some(call.get_raw(0).into());
        Ok(())
    }

    fn finalize(&self, _: &mut Call<'_>, state: Option<Option<Value>>) -> rusqlite::Result<Value> {
        Ok(state.flatten().unwrap_or(Value::Null))
    }
}

pub(super) struct SumDecimal {
    pub(super) average: bool,
}

/// `tds_sum_decimal(value, precision, scale)`; the sum, how many, precision and scale.
impl Aggregate<Option<(Decimal, i64, u8, u8)>, Value> for SumDecimal {
    fn init(&self, _: &mut Call<'_>) -> rusqlite::Result<Option<(Decimal, i64, u8, u8)>> {
        Ok(None)
    }

    fn step(&self, call: &mut Call<'_>, state: &mut Option<(Decimal, i64, u8, u8)>) -> rusqlite::Result<()> {
        let arguments = Arguments(call);
        if matches!(arguments.value(0), Value::Null) {
            return Ok(());
        }
        let add = || {
            let value = arguments.decimal(0)?;
            let precision = u8::try_from(arguments.integer(1)?).unwrap_or(38);
            let scale = u8::try_from(arguments.integer(2)?).unwrap_or(0);
            let (sum, count) = state.map_or((Decimal::whole(0), 0), |(sum, count, ..)| (sum, count));
            let wide = sum.scale.max(value.scale);
            Ok((Decimal::apply('+', sum, value, 38, wide)?, count + 1, precision, scale))
        };
        *state = Some(add().map_err(SqlError::carried)?);
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Call<'_>,
        state: Option<Option<(Decimal, i64, u8, u8)>>,
    ) -> rusqlite::Result<Value> {
        let Some((sum, count, precision, scale)) = state.flatten() else { return Ok(Value::Null) };
        let result = if self.average {
            Decimal::apply('/', sum, Decimal::whole(i128::from(count)), precision, scale)
        } else {
            sum.fit(precision, scale)
        };
        result.map(|decimal| Value::Text(decimal.to_string())).map_err(SqlError::carried)
    }
}

pub(super) struct SumInteger {
    pub(super) average: bool,
}

/// `tds_sum_integer(value, type)`; the sum, how many, and the type's code.
impl Aggregate<Option<(i128, i64, i64)>, Value> for SumInteger {
    fn init(&self, _: &mut Call<'_>) -> rusqlite::Result<Option<(i128, i64, i64)>> {
        Ok(None)
    }

    fn step(&self, call: &mut Call<'_>, state: &mut Option<(i128, i64, i64)>) -> rusqlite::Result<()> {
        if let ValueRef::Integer(value) = call.get_raw(0) {
            let (sum, count, _) = state.unwrap_or_default();
            *state = Some((sum + i128::from(value), count + 1, call.get(1)?));
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Call<'_>, state: Option<Option<(i128, i64, i64)>>) -> rusqlite::Result<Value> {
        let Some((sum, count, code)) = state.flatten() else { return Ok(Value::Null) };
        let ty = SqlType::from_code(code).unwrap_or(SqlType::BigInt);
        let result = if self.average { sum / i128::from(count) } else { sum };
        i64::try_from(result)
            .map_err(|_| SqlError::overflow(ty.name()))
            .and_then(|result| convert(&Value::Integer(result), SqlType::BigInt, ty, 0))
            .map_err(SqlError::carried)
    }
}
