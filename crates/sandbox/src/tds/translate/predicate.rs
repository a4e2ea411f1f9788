//! Conditions. In SQLite they give 1, 0 or NULL, which is T-SQL's true, false and unknown.

use super::{Translator, Typed};
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{Expr, Query};
use crate::tds::value::SqlType;

impl Translator<'_> {
    /// Translates a condition.
    ///
    /// # Errors
    /// 4145 for a value where a condition is expected, and whatever is wrong inside.
    pub fn predicate(&mut self, expr: &Expr) -> SqlResult<String> {
        match expr {
            Expr::And(left, right) => {
                Ok(format!("({} AND {})", self.predicate(left)?, self.predicate(right)?))
            }
            Expr::Or(left, right) => Ok(format!("({} OR {})", self.predicate(left)?, self.predicate(right)?)),
            Expr::Not(inner) => Ok(format!("(NOT {})", self.predicate(inner)?)),
            Expr::Compare(operator, left, right) => {
                let (left, right) = (self.scalar(left)?, self.scalar(right)?);
                self.compare(operator, left, right)
            }
            Expr::IsNull(inner, not) => {
                let inner = self.scalar(inner)?;
                Ok(format!("({} IS {}NULL)", inner.sql, if *not { "NOT " } else { "" }))
            }
            Expr::Between(value, low, high, not) => {
                let (value, low, high) = (self.scalar(value)?, self.scalar(low)?, self.scalar(high)?);
                let above = self.compare(">=", value.clone(), low)?;
                let below = self.compare("<=", value, high)?;
                Ok(format!("({}({above} AND {below}))", if *not { "NOT " } else { "" }))
            }
            Expr::InList(value, list, not) => self.in_list(value, list, *not),
            Expr::InQuery(value, query, not) => self.in_query(value, query, *not),
            Expr::Exists(query) => {
                let relation = self.subquery(query)?;
                Ok(format!("EXISTS ({})", relation.sql))
            }
            Expr::Like(value, pattern, escape, not) => self.like(value, pattern, escape.as_deref(), *not),
            _ => {
                // Whatever it is, it is no condition; what is wrong inside is said first.
                self.scalar(expr)?;
                Err(SqlError::new(
                    4145,
                    1,
                    "An expression of non-boolean type specified in a context where a condition is expected.",
                )
                .class(15)
                .ends_batch())
            }
        }
    }

    /// `left operator right`, brought to one type first and compared in that type's order.
    pub(super) fn compare(&mut self, operator: &str, left: Typed, right: Typed) -> SqlResult<String> {
        let (left, right) = self.unified(left, right)?;
        let collation = left.ty.collation().or(right.ty.collation());
        let collate = collation.map_or(String::new(), |collation| format!(" COLLATE {collation}"));
        Ok(format!("({} {operator} {}{collate})", left.sql, right.sql))
    }

    /// Brings two operands of a comparison to one type. Decimals of different scales compare as
    /// they are, so that an index can be used.
    fn unified(&mut self, left: Typed, right: Typed) -> SqlResult<(Typed, Typed)> {
        if left.ty.is_decimal() && right.ty.is_decimal() {
            return Ok((left, right));
        }
        let both = left.ty.unify(right.ty);
        let to = |typed: &Typed| match both {
            // An integer beside a decimal needs no more than its own digits.
            SqlType::Decimal(..) if typed.ty.is_integer() => {
                let (precision, scale) = typed.ty.as_decimal();
                SqlType::Decimal(precision, scale)
            }
            _ if typed.ty.is_text() && both.is_text() => typed.ty,
            _ if typed.ty.is_binary() && both.is_binary() => typed.ty,
            other => other,
        };
        let (left_type, right_type) = (to(&left), to(&right));
        Ok((self.implicit(left, left_type)?, self.implicit(right, right_type)?))
    }

    fn in_list(&mut self, value: &Expr, list: &[Expr], not: bool) -> SqlResult<String> {
        let value = self.scalar(value)?;
        let items: Vec<Typed> = list.iter().map(|item| self.scalar(item)).collect::<SqlResult<_>>()?;
        let ty = items.iter().fold(value.ty, |ty, item| ty.unify(item.ty));
        let value = self.implicit(value, ty)?;
        let items: SqlResult<Vec<String>> =
            items.into_iter().map(|item| Ok(self.implicit(item, ty)?.sql)).collect();
        let not = if not { "NOT " } else { "" };
        Ok(format!("({} {not}IN ({}))", value.collated(), items?.join(", ")))
    }

    fn in_query(&mut self, value: &Expr, query: &Query, not: bool) -> SqlResult<String> {
        let value = self.scalar(value)?;
        let relation = self.subquery(query)?;
        let [column] = relation.columns.as_slice() else { return Err(one_column()) };
        let ty = value.ty.unify(column.ty);
        let value = self.implicit(value, ty)?;
        let item = self.implicit(Typed::new("k1", column.ty), ty)?;
        let list = if item.sql == "k1" {
            relation.sql
        } else {
            format!("SELECT {} FROM ({})", item.sql, relation.sql)
        };
        let not = if not { "NOT " } else { "" };
        Ok(format!("({} {not}IN ({list}))", value.collated()))
    }

    fn like(&mut self, value: &Expr, pattern: &Expr, escape: Option<&Expr>, not: bool) -> SqlResult<String> {
        let mut operands = vec![self.scalar(value)?, self.scalar(pattern)?];
        if let Some(escape) = escape {
            operands.push(self.scalar(escape)?);
        }
        let mut arguments = Vec::new();
        for operand in operands {
            let to = if operand.ty.is_text() { operand.ty } else { SqlType::NVarChar(None) };
            arguments.push(self.implicit(operand, to)?.sql);
        }
        let not = if not { "NOT " } else { "" };
        Ok(format!("({not}tds_like({}))", arguments.join(", ")))
    }
}

/// 116.
pub(super) fn one_column() -> SqlError {
    SqlError::new(
        116,
        1,
        "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.",
    )
    .ends_batch()
}
