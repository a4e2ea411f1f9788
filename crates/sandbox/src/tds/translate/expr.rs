//! Scalar expressions.

use super::{Translator, Typed};
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{Call, Expr};
use crate::tds::value::decimal::{self, Decimal};
use crate::tds::value::{SqlType, Value, collation};

impl Translator<'_> {
    /// Translates an expression that gives a value.
    ///
    /// # Errors
    /// Whatever is wrong with it: names, types, or something not known.
    pub fn scalar(&mut self, expr: &Expr) -> SqlResult<Typed> {
        if let Some(key) = self.grouped(expr)? {
            return Ok(key);
        }
        match expr {
            Expr::Null => Ok(Typed::new("NULL", SqlType::Null)),
            Expr::Number(digits) => number(digits),
            Expr::Text(text, national) => self.text(text, *national),
            Expr::Binary(bytes) => {
                let length = u16::try_from(bytes.len()).ok().filter(|n| *n <= 8000).map(|n| n.max(1));
                let sql = self.param(Value::Blob(bytes.clone()));
                Ok(Typed { sql, ty: SqlType::VarBinary(length), nullable: false })
            }
            Expr::Variable(name) if name.starts_with("@@") => self.system_variable(name),
            Expr::Variable(name) => self.variable(name),
            Expr::Column(name) => self.column(name),
            Expr::Sign(sign, inner) => self.signed(*sign, inner),
            Expr::Arithmetic(operator, left, right) => {
                let (left, right) = (self.scalar(left)?, self.scalar(right)?);
                self.arithmetic(*operator, left, right)
            }
            Expr::Case(operand, arms, otherwise) => self.case(operand.as_deref(), arms, otherwise.as_deref()),
            Expr::Convert(value, ty, style, attempt) => self.convert(value, *ty, style.as_deref(), *attempt),
            Expr::Call(call) => self.call(call),
            Expr::Query(query) => self.scalar_query(query),
            Expr::Collate(inner, name) => {
                if !name.eq_ignore_ascii_case(collation::NAME)
                    && !name.eq_ignore_ascii_case("database_default")
                {
                    return Err(SqlError::unknown(format!("the collation {name}")));
                }
                self.scalar(inner)
            }
            Expr::Default => Err(SqlError::syntax_keyword("DEFAULT")),
            _ => Err(SqlError::syntax("a condition where a value is expected")),
        }
    }

    /// With GROUP BY, an expression that is one of its keys is taken whole.
    fn grouped(&mut self, expr: &Expr) -> SqlResult<Option<Typed>> {
        let is_leaf = matches!(
            expr,
            Expr::Null
                | Expr::Number(_)
                | Expr::Text(..)
                | Expr::Binary(_)
                | Expr::Variable(_)
                | Expr::Column(_)
        );
        if is_leaf || self.grouping.is_none() {
            return Ok(None);
        }
        let grouping = self.grouping.take();
        let whole = self.scalar(expr);
        let keys = grouping.as_ref().map(|grouping| grouping.keys.as_slice()).unwrap_or_default();
        let found = whole.ok().filter(|typed| keys.contains(&typed.sql));
        self.grouping = grouping;
        Ok(found)
    }

    fn text(&mut self, text: &str, national: bool) -> SqlResult<Typed> {
        let ty = if national { SqlType::NVarChar(None) } else { SqlType::VarChar(None) };
        let value = crate::tds::value::convert::convert(
            &Value::Text(text.to_owned()),
            SqlType::NVarChar(None),
            ty,
            0,
        )?;
        let Value::Text(text) = value else { return Ok(Typed::new("NULL", SqlType::Null)) };
        let units = crate::tds::value::convert::units(&text).max(1);
        let length = u16::try_from(units).ok();
        let ty = match national {
            true => SqlType::NVarChar(length.filter(|n| *n <= 4000)),
            false => SqlType::VarChar(length.filter(|n| *n <= 8000)),
        };
        Ok(Typed { sql: self.param(Value::Text(text)), ty, nullable: false })
    }

    fn signed(&mut self, sign: char, inner: &Expr) -> SqlResult<Typed> {
        // A sign in front of a literal belongs to it: -2147483648 is an int.
        if let (Expr::Number(digits), '-') = (inner, sign) {
            return number(&format!("-{digits}"));
        }
        let inner = self.scalar(inner)?;
        match (sign, inner.ty) {
            ('+', _) => Ok(inner),
            ('-', ty) if ty.is_integer() => {
                let zero = Typed { sql: "0".to_owned(), ty, nullable: false };
                self.arithmetic('-', zero, inner)
            }
            ('-', ty) if ty.is_decimal() => {
                let (precision, scale) = ty.as_decimal();
                let sql = format!("tds_decimal_op('-', '0', {}, {precision}, {scale})", inner.sql);
                Ok(Typed { sql, ..inner })
            }
            ('-', ty) if ty.is_float() => Ok(Typed { sql: format!("(-{})", inner.sql), ..inner }),
            ('~', SqlType::Bit) => Ok(Typed { sql: format!("(1 - {})", inner.sql), ..inner }),
            ('~', SqlType::SmallInt | SqlType::Int | SqlType::BigInt) => {
                Ok(Typed { sql: format!("(~{})", inner.sql), ..inner })
            }
            (_, SqlType::Null) => Ok(inner),
            (sign, ty) => Err(SqlError::new(
                8117,
                1,
                format!("Operand data type {} is invalid for {sign} operator.", ty.name()),
            )
            .ends_batch()),
        }
    }

    /// `left operator right`, brought to one type first.
    pub(super) fn arithmetic(&mut self, operator: char, left: Typed, right: Typed) -> SqlResult<Typed> {
        let wrong = |name: &str| {
            let text =
                format!("Operand data type {name} is invalid for {} operator.", operator_name(operator));
            Err(SqlError::new(8117, 1, text).ends_batch())
        };
        let both = left.ty.unify(right.ty);
        let nullable = left.nullable || right.nullable;
        match both {
            SqlType::Null => Ok(Typed::new("NULL", SqlType::Int)),
            _ if both.is_text() && operator == '+' => Ok(self.concatenate(left, right)),
            _ if both.is_text() => wrong(both.name()),
            _ if both.is_moment() => {
                Err(SqlError::unknown(format!("{operator} for {} (DATEADD and DATEDIFF do it)", both.name())))
            }
            _ if both.is_integer() => {
                // bit has no arithmetic, but joins in others'.
                let ty = if both == SqlType::Bit && !"&|^".contains(operator) { SqlType::Int } else { both };
                let (left, right) = (self.implicit(left, ty)?, self.implicit(right, ty)?);
                let sql = format!("tds_integer('{operator}', {}, {}, {})", left.sql, right.sql, ty.code());
                Ok(Typed { sql, ty, nullable })
            }
            _ if both.is_float() && "+-*/".contains(operator) => {
                let (left, right) = (self.implicit(left, both)?, self.implicit(right, both)?);
                let sql = format!("tds_float('{operator}', {}, {})", left.sql, right.sql);
                Ok(Typed { sql, ty: both, nullable })
            }
            _ if both.is_decimal() && "+-*/%".contains(operator) => {
                self.decimal_arithmetic(operator, left, right, both)
            }
            other => wrong(other.name()),
        }
    }

    fn decimal_arithmetic(
        &mut self,
        operator: char,
        left: Typed,
        right: Typed,
        both: SqlType,
    ) -> SqlResult<Typed> {
        let nullable = left.nullable || right.nullable;
        let own = |typed: &Typed| match literal_digits(typed) {
            Some(digits) => (digits, 0),
            None if typed.ty.is_number() => typed.ty.as_decimal(),
            None => both.as_decimal(),
        };
        let (left_type, right_type) = (own(&left), own(&right));
        let money = matches!(both, SqlType::Money | SqlType::SmallMoney);
        let (precision, scale) =
            if money { both.as_decimal() } else { decimal::result_type(operator, left_type, right_type) };
        let left = self.implicit(left, SqlType::Decimal(left_type.0, left_type.1))?;
        let right = self.implicit(right, SqlType::Decimal(right_type.0, right_type.1))?;
        let sql = format!("tds_decimal_op('{operator}', {}, {}, {precision}, {scale})", left.sql, right.sql);
        Ok(Typed { sql, ty: if money { both } else { SqlType::Decimal(precision, scale) }, nullable })
    }

    fn concatenate(&mut self, left: Typed, right: Typed) -> Typed {
        let nullable = left.nullable || right.nullable;
        let national = left.ty.is_national() || right.ty.is_national();
        let sum = match (left.ty.length(), right.ty.length()) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            _ if left.ty == SqlType::Null || right.ty == SqlType::Null => {
                left.ty.length().or(right.ty.length())
            }
            _ => None,
        };
        let most = if national { 4000 } else { 8000 };
        let length = sum.map(|sum| sum.min(most));
        let ty = if national { SqlType::NVarChar(length) } else { SqlType::VarChar(length) };
        let sql = format!("({} || {})", left.sql, right.sql);
        if sum.is_some_and(|sum| sum > most) {
            // Two texts without max don't become more than the longest one without it.
            let wide = if national { SqlType::NVarChar(None) } else { SqlType::VarChar(None) };
            return self.cast(Typed { sql, ty: wide, nullable }, ty);
        }
        Typed { sql, ty, nullable }
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        arms: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> SqlResult<Typed> {
        let mut whens = Vec::new();
        let mut values = Vec::new();
        for (when, then) in arms {
            whens.push(match operand {
                Some(operand) => {
                    let (left, right) = (self.scalar(operand)?, self.scalar(when)?);
                    self.compare("=", left, right)?
                }
                None => self.predicate(when)?,
            });
            values.push(self.scalar(then)?);
        }
        values.push(match otherwise {
            Some(otherwise) => self.scalar(otherwise)?,
            None => Typed::new("NULL", SqlType::Null),
        });
        let ty = values.iter().fold(SqlType::Null, |ty, value| ty.unify(value.ty));
        let nullable = values.iter().any(|value| value.nullable);
        let mut sql = "CASE".to_owned();
        let last = values.len() - 1;
        for (at, value) in values.into_iter().enumerate() {
            let value = self.implicit(value, ty)?;
            if at < last {
                sql.push_str(&format!(" WHEN {} THEN {}", whens[at], value.sql));
            } else {
                sql.push_str(&format!(" ELSE {} END", value.sql));
            }
        }
        Ok(Typed { sql: format!("({sql})"), ty, nullable })
    }

    fn convert(
        &mut self,
        value: &Expr,
        to: SqlType,
        style: Option<&Expr>,
        attempt: bool,
    ) -> SqlResult<Typed> {
        let value = self.scalar(value)?;
        let style = match style {
            Some(style) => {
                let style = self.scalar(style)?;
                self.implicit(style, SqlType::Int)?.sql
            }
            None => "0".to_owned(),
        };
        let function = if attempt { "tds_try_cast" } else { "tds_cast" };
        let sql = format!("{function}({}, {}, {}, {style})", value.sql, value.ty.code(), to.code());
        Ok(Typed { sql, ty: to, nullable: attempt || value.nullable })
    }

    fn system_variable(&mut self, name: &str) -> SqlResult<Typed> {
        let session = self.session;
        let (value, ty) = match name {
            "@@rowcount" => (Value::Integer(session.row_count), SqlType::Int),
            "@@trancount" => (Value::Integer(i64::from(session.transaction.count)), SqlType::Int),
            "@@error" => (Value::Integer(i64::from(session.last_error)), SqlType::Int),
            "@@spid" => (Value::Integer(i64::from(session.id)), SqlType::SmallInt),
            "@@nestlevel" => (Value::Integer(i64::try_from(session.depth).unwrap_or(0)), SqlType::Int),
            "@@identity" => {
                let identity = session.identity.map_or(Value::Null, |n| Value::Text(n.to_string()));
                (identity, SqlType::Decimal(38, 0))
            }
            "@@version" => (Value::Text(super::system::VERSION.to_owned()), SqlType::NVarChar(Some(300))),
            "@@servername" => (Value::Text(crate::tds::wire::tokens::SERVER.to_owned()), SqlType::NAME),
            "@@language" => (Value::Text("us_english".to_owned()), SqlType::NAME),
            "@@datefirst" => (Value::Integer(7), SqlType::TinyInt),
            "@@lock_timeout" => {
                let wait = session.settings.lock_wait.as_millis();
                (Value::Integer(i64::try_from(wait).unwrap_or(-1)), SqlType::Int)
            }
            "@@max_precision" => (Value::Integer(38), SqlType::TinyInt),
            "@@options" => (Value::Integer(5496), SqlType::Int),
            other => return Err(SqlError::unknown(format!("the variable {other}"))),
        };
        let sql = match value {
            Value::Integer(n) => n.to_string(),
            other => self.param(other),
        };
        Ok(Typed::new(sql, ty))
    }

    /// The arguments of a call, as they are.
    pub(super) fn scalars(&mut self, call: &Call) -> SqlResult<Vec<Typed>> {
        call.arguments.iter().map(|argument| self.scalar(argument)).collect()
    }
}

/// A literal: int, then decimal, then float by how it is written.
fn number(digits: &str) -> SqlResult<Typed> {
    let fixed = |sql: String, ty| Ok(Typed { sql, ty, nullable: false });
    if digits.contains(['e', 'E']) {
        let number: f64 = digits.parse().map_err(|_| SqlError::syntax(digits))?;
        if !number.is_finite() {
            return Err(SqlError::overflow("float"));
        }
        return fixed(format!("({number:e})"), SqlType::Float);
    }
    if let Ok(number) = digits.parse::<i32>() {
        return fixed(if number < 0 { format!("({number})") } else { number.to_string() }, SqlType::Int);
    }
    let too_long = || {
        SqlError::new(
            1007,
            1,
            format!(
                "The number '{digits}' is out of the range for numeric representation (maximum precision 38)."
            ),
        )
        .class(15)
        .ends_batch()
    };
    let decimal = Decimal::parse(digits).ok_or_else(too_long)?;
    let count = decimal.unscaled.unsigned_abs().to_string().len().max(usize::from(decimal.scale)).max(1);
    let precision = u8::try_from(count).ok().filter(|p| *p <= 38).ok_or_else(too_long)?;
    fixed(format!("'{decimal}'"), SqlType::Decimal(precision, decimal.scale))
}

/// How many digits an int has that was written as a literal: beside a decimal it counts as a decimal
/// of that many, so that `1.0 / 3` is 0.333333 and not longer.
fn literal_digits(typed: &Typed) -> Option<u8> {
    let digits = typed.sql.trim_matches(['(', '-', ')']);
    let literal =
        typed.ty == SqlType::Int && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    literal.then(|| u8::try_from(digits.len()).unwrap_or(10))
}

fn operator_name(operator: char) -> &'static str {
    match operator {
        '+' => "add",
        '-' => "subtract",
        '*' => "multiply",
        '/' => "divide",
        '%' => "modulo",
        '&' => "'&'",
        '|' => "'|'",
        _ => "'^'",
    }
}
