//! Functions of texts.

use super::{MAX, count};
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::Call;
use crate::tds::translate::{Translator, Typed};
use crate::tds::value::SqlType;

impl Translator<'_> {
    /// Functions that measure texts, find in them, and make characters of codes.
    pub(super) fn measure_of_text(&mut self, call: &Call) -> SqlResult<Option<Typed>> {
        let sql = |function: &str, arguments: &[&str]| format!("tds_{function}({})", arguments.join(", "));
        Ok(Some(match call.name.as_str() {
            "len" => {
                let [value] = self.take::<1>(call)?;
                let big = value.ty.is_text() && value.ty.length().is_none();
                let value = self.as_text(value)?;
                Typed::new(sql("len", &[&value.sql]), if big { SqlType::BigInt } else { SqlType::Int })
            }
            "datalength" => {
                let [value] = self.take::<1>(call)?;
                if !value.ty.is_text() && !value.ty.is_binary() {
                    return Err(SqlError::unknown(format!("DATALENGTH of {}", value.ty)));
                }
                let national = if value.ty.is_national() { "1" } else { "0" };
                let ty = if value.ty.length().is_none() { SqlType::BigInt } else { SqlType::Int };
                Typed::new(sql("datalength", &[&value.sql, national]), ty)
            }
            "charindex" => {
                let mut arguments = self.between(call, 2, 3)?;
                let start = if arguments.len() == 3 { arguments.pop() } else { None };
                let mut texts = Vec::new();
                for argument in arguments {
                    texts.push(self.as_text(argument)?.sql);
                }
                if let Some(start) = start {
                    texts.push(self.implicit(start, SqlType::BigInt)?.sql);
                }
                Typed::new(format!("tds_charindex({})", texts.join(", ")), SqlType::Int)
            }
            "unicode" => {
                let [value] = self.take::<1>(call)?;
                let value = self.as_text(value)?;
                Typed::new(sql("unicode", &[&value.sql]), SqlType::Int)
            }
            "nchar" => {
                let [code] = self.take::<1>(call)?;
                let code = self.implicit(code, SqlType::Int)?;
                Typed::new(sql("nchar", &[&code.sql]), SqlType::NVarChar(Some(2)))
            }
            "char" => {
                let [code] = self.take::<1>(call)?;
                let code = self.implicit(code, SqlType::Int)?;
                let wide = Typed::new(sql("nchar", &[&code.sql]), SqlType::NVarChar(Some(2)));
                self.cast(wide, SqlType::Char(1))
            }
            _ => return Ok(None),
        }))
    }

    /// Functions that give a text in another form, or a part of it.
    pub(super) fn part_of_text(&mut self, call: &Call) -> SqlResult<Option<Typed>> {
        let name = call.name.as_str();
        let sql = |function: &str, arguments: &[&str]| format!("tds_{function}({})", arguments.join(", "));
        Ok(Some(match name {
            "upper" | "lower" | "ltrim" | "rtrim" | "trim" | "reverse" => {
                let [value] = self.take::<1>(call)?;
                let value = self.as_text(value)?;
                Typed::new(sql(name, &[&value.sql]), varying(value.ty))
            }
            "substring" => {
                let [value, start, length] = self.take::<3>(call)?;
                let value = if value.ty.is_binary() { value } else { self.as_text(value)? };
                let (start, length) =
                    (self.implicit(start, SqlType::BigInt)?, self.implicit(length, SqlType::BigInt)?);
                Typed::new(sql("substring", &[&value.sql, &start.sql, &length.sql]), varying(value.ty))
            }
            "left" | "right" | "replicate" => {
                let [value, length] = self.take::<2>(call)?;
                let value = self.as_text(value)?;
                let length = self.implicit(length, SqlType::BigInt)?;
                let ty = match (name, value.ty.is_national()) {
                    ("replicate", true) => SqlType::NVarChar(value.ty.length().map(|_| 4000)),
                    ("replicate", false) => SqlType::VarChar(value.ty.length().map(|_| 8000)),
                    _ => varying(value.ty),
                };
                let made = Typed::new(sql(name, &[&value.sql, &length.sql]), widest(ty));
                self.cast(made, ty)
            }
            "space" => {
                let [length] = self.take::<1>(call)?;
                let length = self.implicit(length, SqlType::BigInt)?;
                let made = Typed::new(sql("replicate", &["' '", &length.sql]), SqlType::VarChar(None));
                self.cast(made, SqlType::VarChar(Some(8000)))
            }
            _ => return Ok(None),
        }))
    }

    /// Functions that put texts together.
    pub(super) fn changed_text(&mut self, call: &Call) -> SqlResult<Option<Typed>> {
        let sql = |function: &str, arguments: &[&str]| format!("tds_{function}({})", arguments.join(", "));
        Ok(Some(match call.name.as_str() {
            "replace" => {
                let [value, what, with] = self.take::<3>(call)?;
                let (value, what, with) = (self.as_text(value)?, self.as_text(what)?, self.as_text(with)?);
                let national = value.ty.is_national() || what.ty.is_national() || with.ty.is_national();
                let limited = value.ty.length().is_some();
                let ty = match national {
                    true => SqlType::NVarChar(limited.then_some(4000)),
                    false => SqlType::VarChar(limited.then_some(8000)),
                };
                let made = Typed::new(sql("replace", &[&value.sql, &what.sql, &with.sql]), widest(ty));
                self.cast(made, ty)
            }
            "stuff" => {
                let [value, start, length, with] = self.take::<4>(call)?;
                let (value, with) = (self.as_text(value)?, self.as_text(with)?);
                let (start, length) =
                    (self.implicit(start, SqlType::BigInt)?, self.implicit(length, SqlType::BigInt)?);
                let ty = widest(value.ty.unify(with.ty));
                Typed::new(sql("stuff", &[&value.sql, &start.sql, &length.sql, &with.sql]), ty)
            }
            "concat" => {
                let values = self.scalars(call)?;
                if values.len() < 2 {
                    return Err(SqlError::syntax(")"));
                }
                let national = values.iter().any(|value| value.ty.is_national());
                let ty = if national { MAX } else { SqlType::VarChar(None) };
                let mut texts = Vec::new();
                for value in values {
                    check_printable(&value)?;
                    texts.push(self.cast(value, ty).sql);
                }
                Typed { sql: format!("tds_concat({})", texts.join(", ")), ty, nullable: false }
            }
            "quotename" => {
                let mut arguments = self.between(call, 1, 2)?;
                let quote = match arguments.len() {
                    2 => arguments
                        .pop()
                        .map(|quote| self.implicit(quote, SqlType::NVarChar(None)))
                        .transpose()?,
                    _ => None,
                };
                let quote = quote.map_or("'['".to_owned(), |quote| quote.sql);
                let Some(value) = arguments.pop() else { return Err(count(call, 1)) };
                let value = self.as_text(value)?;
                Typed::new(sql("quotename", &[&value.sql, &quote]), SqlType::NVarChar(Some(258)))
            }
            _ => return Ok(None),
        }))
    }

    pub(super) fn as_text(&mut self, value: Typed) -> SqlResult<Typed> {
        check_printable(&value)?;
        let ty = if value.ty.is_text() { value.ty } else { SqlType::VarChar(Some(100)) };
        Ok(self.cast(value, ty))
    }
}

/// Binary data has to be converted by hand.
fn check_printable(value: &Typed) -> SqlResult<()> {
    if value.ty.is_binary() {
        return Err(SqlError::unknown(format!(
            "{} where a text is expected (CONVERT does it)",
            value.ty.name()
        )));
    }
    Ok(())
}

/// The text type of the same kind without a fixed length.
fn varying(ty: SqlType) -> SqlType {
    match ty {
        SqlType::Char(n) => SqlType::VarChar(Some(n)),
        SqlType::NChar(n) => SqlType::NVarChar(Some(n)),
        SqlType::Binary(n) => SqlType::VarBinary(Some(n)),
        SqlType::RowVersion => SqlType::VarBinary(Some(8)),
        other => other,
    }
}

fn widest(ty: SqlType) -> SqlType {
    if ty.is_national() { MAX } else { SqlType::VarChar(None) }
}
