//! Functions of numbers, and those that make things up.

use super::count;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::Call;
use crate::tds::translate::{Translator, Typed};
use crate::tds::value::SqlType;

impl Translator<'_> {
    /// Functions of numbers, and those that make things up.
    pub(super) fn number_function(&mut self, call: &Call) -> SqlResult<Option<Typed>> {
        let name = call.name.as_str();
        Ok(Some(match name {
            "newid" => {
                self.take::<0>(call)?;
                Typed { sql: "tds_newid()".to_owned(), ty: SqlType::Guid, nullable: false }
            }
            "crypt_gen_random" => {
                let [length] = self.take::<1>(call)?;
                let length = self.implicit(length, SqlType::Int)?;
                Typed::new(format!("tds_random_bytes({})", length.sql), SqlType::VarBinary(Some(8_000)))
            }
            "rand" => {
                self.take::<0>(call)?;
                Typed { sql: "tds_rand()".to_owned(), ty: SqlType::Float, nullable: false }
            }
            "abs" | "floor" | "ceiling" | "sign" => {
                let [value] = self.take::<1>(call)?;
                let value = if value.ty.is_number() { value } else { self.implicit(value, SqlType::Float)? };
                if name == "sign" && !value.ty.is_integer() {
                    return Err(SqlError::unknown(format!("SIGN of {}", value.ty)));
                }
                let ty = match value.ty {
                    SqlType::Decimal(precision, _) if name != "abs" => SqlType::Decimal(precision, 0),
                    SqlType::Bit | SqlType::TinyInt | SqlType::SmallInt => SqlType::Int,
                    SqlType::Real => SqlType::Float,
                    other => other,
                };
                Typed::new(format!("tds_math('{name}', {})", value.sql), ty)
            }
            "sqrt" | "exp" | "log" => {
                let [value] = self.take::<1>(call)?;
                let value = self.implicit(value, SqlType::Float)?;
                Typed::new(format!("tds_math('{name}', {})", value.sql), SqlType::Float)
            }
            "power" => {
                let [value, exponent] = self.take::<2>(call)?;
                let ty = value.ty;
                let (value, exponent) =
                    (self.implicit(value, SqlType::Float)?, self.implicit(exponent, SqlType::Float)?);
                let made =
                    Typed::new(format!("tds_math('power', {}, {})", value.sql, exponent.sql), SqlType::Float);
                if ty.is_number() { self.cast(made, ty) } else { made }
            }
            "round" => {
                let arguments = self.between(call, 2, 3)?;
                let mut arguments = arguments.into_iter();
                let (Some(value), Some(places)) = (arguments.next(), arguments.next()) else {
                    return Err(count(call, 2));
                };
                let cut = arguments.next().map(|cut| self.implicit(cut, SqlType::Int)).transpose()?;
                let value = if value.ty.is_number() { value } else { self.implicit(value, SqlType::Float)? };
                let places = self.implicit(places, SqlType::Int)?;
                let cut = cut.map_or("0".to_owned(), |cut| cut.sql);
                Typed::new(format!("tds_round({}, {}, {cut})", value.sql, places.sql), value.ty)
            }
            _ => return Ok(None),
        }))
    }
}
