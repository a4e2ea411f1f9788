//! Functions of dates and times.

use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{Call, Expr};
use crate::tds::translate::{Translator, Typed};
use crate::tds::value::moment::canonical_part;
use crate::tds::value::{SqlType, Value};

impl Translator<'_> {
    /// Functions of dates and times.
    pub(super) fn moment_function(&mut self, call: &Call) -> SqlResult<Option<Typed>> {
        let now = self.session.now;
        let at = |this: &mut Self, ty: SqlType| -> SqlResult<Option<Typed>> {
            this.take::<0>(call)?;
            let sql = this.param(Value::Text(now.store(ty)?));
            Ok(Some(Typed { sql, ty, nullable: false }))
        };
        Ok(Some(match call.name.as_str() {
            // The server's own time zone is UTC.
            "getdate" | "getutcdate" | "current_timestamp" => return at(self, SqlType::DateTime),
            "sysdatetime" | "sysutcdatetime" => return at(self, SqlType::DateTime2(7)),
            "sysdatetimeoffset" => return at(self, SqlType::DateTimeOffset(7)),
            "year" | "month" | "day" => {
                let [value] = self.take::<1>(call)?;
                let value = self.as_moment(value)?;
                Typed::new(
                    format!("tds_datepart('{}', {}, {})", call.name, value.sql, value.ty.code()),
                    SqlType::Int,
                )
            }
            "datepart" | "datename" => {
                let part = part(call)?;
                let value = self.argument(call, 1, 2)?;
                let value = self.as_moment(value)?;
                let ty = if call.name == "datepart" { SqlType::Int } else { SqlType::NVarChar(Some(30)) };
                Typed::new(format!("tds_{}('{part}', {}, {})", call.name, value.sql, value.ty.code()), ty)
            }
            "dateadd" => {
                let part = part(call)?;
                let number = self.argument(call, 1, 3)?;
                let number = self.implicit(number, SqlType::Int)?;
                let value = self.argument(call, 2, 3)?;
                // A text stands for a datetime here.
                let value = if value.ty.is_text() {
                    self.implicit(value, SqlType::DateTime)?
                } else {
                    self.as_moment(value)?
                };
                let sql =
                    format!("tds_dateadd('{part}', {}, {}, {})", number.sql, value.sql, value.ty.code());
                Typed::new(sql, value.ty)
            }
            "datediff" | "datediff_big" => {
                let part = part(call)?;
                let (from, to) = (self.argument(call, 1, 3)?, self.argument(call, 2, 3)?);
                let (from, to) = (self.as_moment(from)?, self.as_moment(to)?);
                let big = call.name == "datediff_big";
                let sql = format!(
                    "tds_datediff('{part}', {}, {}, {}, {}, {})",
                    from.sql,
                    from.ty.code(),
                    to.sql,
                    to.ty.code(),
                    i32::from(big)
                );
                Typed::new(sql, if big { SqlType::BigInt } else { SqlType::Int })
            }
            "switchoffset" => {
                let [value, offset] = self.take::<2>(call)?;
                let scale = if value.ty.is_moment() { value.ty.scale() } else { 7 };
                let value = self.implicit(value, SqlType::DateTimeOffset(scale))?;
                let offset = self.as_text(offset)?;
                let sql = format!("tds_switchoffset({}, {}, {})", value.sql, value.ty.code(), offset.sql);
                Typed::new(sql, value.ty)
            }
            _ => return Ok(None),
        }))
    }

    fn as_moment(&mut self, value: Typed) -> SqlResult<Typed> {
        let ty = if value.ty.is_moment() { value.ty } else { SqlType::DateTime2(7) };
        self.implicit(value, ty)
    }
}

/// The name of a part of a date: a bare word.
fn part(call: &Call) -> SqlResult<&'static str> {
    let name = match call.arguments.first() {
        Some(Expr::Column(name)) if name.0.len() == 1 => name.object(),
        _ => {
            return Err(SqlError::new(1023, 1, format!("Invalid parameter 1 specified for {}.", call.name))
                .class(15)
                .ends_batch());
        }
    };
    canonical_part(name).ok_or_else(|| {
        let text = format!("'{name}' is not a recognized {} option.", call.name);
        SqlError::new(155, 1, text).class(15).ends_batch()
    })
}
