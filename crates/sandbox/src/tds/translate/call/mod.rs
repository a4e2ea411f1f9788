//! Functions: which there are, what they take, and what they give.

pub(super) mod metadata;
mod moment;
mod number;
mod text;

use super::query::is_aggregate;
use super::{Translator, Typed};
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{Call, Expr};
use crate::tds::value::SqlType;

/// nvarchar(max).
const MAX: SqlType = SqlType::NVarChar(None);

impl Translator<'_> {
    /// Translates a call.
    ///
    /// # Errors
    /// 174 for the wrong number of arguments, ours for a function not known, and whatever is wrong
    /// in the arguments.
    pub(super) fn call(&mut self, call: &Call) -> SqlResult<Typed> {
        if call.over.is_some() {
            return self.window(call);
        }
        if is_aggregate(call) {
            return self.aggregate(call);
        }
        if call.star || call.distinct {
            return Err(SqlError::syntax(if call.star { "*" } else { "DISTINCT" }));
        }
        if let Some(typed) = self.choice(call)? {
            return Ok(typed);
        }
        type Kind<'a> = fn(&mut Translator<'a>, &Call) -> SqlResult<Option<Typed>>;
        let kinds: [Kind<'_>; 7] = [
            Self::measure_of_text,
            Self::part_of_text,
            Self::changed_text,
            Self::moment_function,
            Self::number_function,
            Self::session_function,
            Self::metadata_function,
        ];
        for kind in kinds {
            if let Some(typed) = kind(self, call)? {
                return Ok(typed);
            }
        }
        Err(SqlError::unknown(format!("the function {}", call.name.to_uppercase())))
    }

    /// COUNT and its kin.
    fn aggregate(&mut self, call: &Call) -> SqlResult<Typed> {
        // What stands inside of an aggregate need not be a key of GROUP BY.
        let grouping = self.grouping.take();
        let typed = self.aggregate_of(call);
        self.grouping = grouping;
        typed
    }

    fn aggregate_of(&mut self, call: &Call) -> SqlResult<Typed> {
        let count_type = if call.name == "count_big" { SqlType::BigInt } else { SqlType::Int };
        if call.star {
            if !call.name.starts_with("count") {
                return Err(SqlError::syntax("*"));
            }
            return Ok(Typed { sql: "count(*)".to_owned(), ty: count_type, nullable: false });
        }
        if call.name == "string_agg" {
            let [value, separator] = self.take::<2>(call)?;
            if call.distinct {
                return Err(SqlError::unknown("STRING_AGG(DISTINCT ...)"));
            }
            let ty = if value.ty.is_national() { MAX } else { SqlType::VarChar(None) };
            let (value, separator) = (self.implicit(value, ty)?, self.implicit(separator, ty)?);
            return Ok(Typed::new(format!("group_concat({}, {})", value.sql, separator.sql), ty));
        }
        let [value] = self.take::<1>(call)?;
        let distinct = if call.distinct { "DISTINCT " } else { "" };
        let invalid = || {
            let text =
                format!("Operand data type {} is invalid for {} operator.", value.ty.name(), call.name);
            Err(SqlError::new(8117, 1, text).ends_batch())
        };
        let argument = format!("{distinct}{}", value.collated());
        match call.name.as_str() {
            "count" | "count_big" => {
                Ok(Typed { sql: format!("count({argument})"), ty: count_type, nullable: false })
            }
            "min" | "max" if value.ty == SqlType::Bit => invalid(),
            "min" | "max" => Ok(Typed::new(format!("{}({argument})", call.name), value.ty)),
            function => match value.ty {
                SqlType::Bit => invalid(),
                ty if ty.is_integer() => {
                    let ty = if ty == SqlType::BigInt { ty } else { SqlType::Int };
                    // DISTINCT takes one argument only in SQLite; the type then is bigint's.
                    self.integer_sum(function, &argument, call.distinct, ty)
                }
                ty if ty.is_decimal() => {
                    if call.distinct {
                        return Err(SqlError::unknown(format!(
                            "{}(DISTINCT ...) of decimals",
                            call.name.to_uppercase()
                        )));
                    }
                    let scale = ty.scale();
                    let scale = if function == "avg" { scale.max(6) } else { scale };
                    let ty = if matches!(ty, SqlType::Decimal(..)) {
                        SqlType::Decimal(38, scale)
                    } else {
                        SqlType::Money
                    };
                    let sql = format!("tds_{function}_decimal({argument}, 38, {})", ty.scale());
                    Ok(Typed::new(sql, ty))
                }
                ty if ty.is_float() => Ok(Typed::new(format!("{function}({argument})"), SqlType::Float)),
                _ => invalid(),
            },
        }
    }

    fn integer_sum(
        &mut self,
        function: &str,
        argument: &str,
        distinct: bool,
        ty: SqlType,
    ) -> SqlResult<Typed> {
        if distinct {
            if function == "avg" {
                return Err(SqlError::unknown("AVG(DISTINCT ...)"));
            }
            let wide = Typed::new(format!("sum({argument})"), SqlType::BigInt);
            return Ok(self.cast(wide, ty));
        }
        Ok(Typed::new(format!("tds_{function}_integer({argument}, {})", ty.code()), ty))
    }

    /// A function with OVER.
    fn window(&mut self, call: &Call) -> SqlResult<Typed> {
        let Some((partition, order)) = &call.over else { return Err(SqlError::syntax("OVER")) };
        let mut over = Vec::new();
        if !partition.is_empty() {
            let keys: Vec<Typed> = partition.iter().map(|key| self.scalar(key)).collect::<SqlResult<_>>()?;
            let keys: Vec<String> = keys.iter().map(Typed::collated).collect();
            over.push(format!("PARTITION BY {}", keys.join(", ")));
        }
        if !order.is_empty() {
            let mut terms = Vec::new();
            for one in order {
                let key = self.scalar(&one.expr)?;
                terms.push(format!("{}{}", key.collated(), if one.descending { " DESC" } else { "" }));
            }
            over.push(format!("ORDER BY {}", terms.join(", ")));
        }
        let over = over.join(" ");
        let ranking = matches!(call.name.as_str(), "row_number" | "rank" | "dense_rank");
        if ranking {
            self.take::<0>(call)?;
            if order.is_empty() {
                let text = format!("The function '{}' must have an OVER clause with ORDER BY.", call.name);
                return Err(SqlError::new(4112, 1, text).class(15).ends_batch());
            }
            let sql = format!("{}() OVER ({over})", call.name);
            return Ok(Typed { sql: format!("({sql})"), ty: SqlType::BigInt, nullable: false });
        }
        let plain = Call { over: None, ..call.clone() };
        let inner = match call.name.as_str() {
            "count" | "count_big" | "min" | "max" if !call.distinct => self.aggregate_of(&plain)?,
            "sum" if !call.distinct => {
                let [value] = self.take::<1>(call)?;
                if !value.ty.is_integer() && !value.ty.is_float() {
                    return Err(SqlError::unknown(format!("SUM of {} with OVER", value.ty)));
                }
                let wide = if value.ty.is_float() { SqlType::Float } else { SqlType::BigInt };
                let sum = Typed::new(format!("(sum({}) OVER ({over}))", value.sql), wide);
                let ty = if matches!(value.ty, SqlType::BigInt) || value.ty.is_float() {
                    wide
                } else {
                    SqlType::Int
                };
                return Ok(self.cast(sum, ty));
            }
            other => return Err(SqlError::unknown(format!("{} with OVER", other.to_uppercase()))),
        };
        Ok(Typed { sql: format!("({} OVER ({over}))", inner.sql), ..inner })
    }

    /// Functions that choose among their arguments.
    fn choice(&mut self, call: &Call) -> SqlResult<Option<Typed>> {
        Ok(Some(match call.name.as_str() {
            "isnull" => {
                let [value, otherwise] = self.take::<2>(call)?;
                let ty = if value.ty == SqlType::Null { otherwise.ty } else { value.ty };
                let nullable = value.nullable && otherwise.nullable;
                let (value, otherwise) = (self.implicit(value, ty)?, self.implicit(otherwise, ty)?);
                Typed { sql: format!("ifnull({}, {})", value.sql, otherwise.sql), ty, nullable }
            }
            "coalesce" => {
                let values = self.scalars(call)?;
                if values.len() < 2 {
                    return Err(SqlError::syntax(")"));
                }
                let ty = values.iter().fold(SqlType::Null, |ty, value| ty.unify(value.ty));
                let nullable = values.iter().all(|value| value.nullable);
                let values: SqlResult<Vec<String>> =
                    values.into_iter().map(|value| Ok(self.implicit(value, ty)?.sql)).collect();
                Typed { sql: format!("coalesce({})", values?.join(", ")), ty, nullable }
            }
            "nullif" => {
                let [left, right] = self.take::<2>(call)?;
                let equal = self.compare("=", left.clone(), right)?;
                Typed::new(format!("(CASE WHEN {equal} THEN NULL ELSE {} END)", left.sql), left.ty)
            }
            "iif" => {
                let [condition, then, otherwise] = call.arguments.as_slice() else {
                    return Err(count(call, 3));
                };
                let arms = [(condition.clone(), then.clone())];
                self.scalar(&Expr::Case(None, arms.to_vec(), Some(Box::new(otherwise.clone()))))?
            }
            _ => return Ok(None),
        }))
    }

    /// Exactly `N` arguments.
    fn take<const N: usize>(&mut self, call: &Call) -> SqlResult<[Typed; N]> {
        let arguments = self.scalars(call)?;
        arguments.try_into().map_err(|_| count(call, N))
    }

    fn between(&mut self, call: &Call, least: usize, most: usize) -> SqlResult<Vec<Typed>> {
        let arguments = self.scalars(call)?;
        if (least..=most).contains(&arguments.len()) { Ok(arguments) } else { Err(count(call, most)) }
    }

    fn argument(&mut self, call: &Call, at: usize, of: usize) -> SqlResult<Typed> {
        match call.arguments.get(at) {
            Some(argument) if call.arguments.len() == of => self.scalar(argument),
            _ => Err(count(call, of)),
        }
    }
}

/// 174.
fn count(call: &Call, expected: usize) -> SqlError {
    let text = format!("The {} function requires {expected} argument(s).", call.name);
    SqlError::new(174, 1, text).class(15).ends_batch()
}
