//! THROW and RAISERROR.

use super::answer::Answer;
use super::session::{Frame, Session};
use crate::tds::error::{Reach, SqlError, SqlResult};
use crate::tds::sql::ast::Expr;
use crate::tds::value::convert::{convert, units};
use crate::tds::value::{SqlType, Value};

impl Session {
    /// The error of a THROW.
    pub fn thrown(&self, thrown: Option<&(Expr, Expr, Expr)>, frame: &Frame) -> SqlResult<SqlError> {
        let Some((number, message, state)) = thrown else {
            return match self.caught.last() {
                Some((error, _)) => {
                    let reach = if error.reach == Reach::Statement { Reach::Batch } else { error.reach };
                    Ok(SqlError { reach, ..error.clone() })
                }
                None => Err(SqlError::new(
                    10704,
                    1,
                    "To rethrow an error, a THROW statement must be used inside a CATCH block.",
                )
                .class(15)
                .ends_batch()),
            };
        };
        let whole = |expr: &Expr| -> SqlResult<i64> {
            match self.evaluate_as(expr, SqlType::Int, frame)? {
                Value::Integer(number) => Ok(number),
                _ => Ok(0),
            }
        };
        let (number, state) = (whole(number)?, whole(state)?);
        if !(50_000..=i64::from(i32::MAX)).contains(&number) {
            let text = format!(
                "Error number {number} in the THROW statement is outside the valid range. Specify an error number in the \
                 valid range of 50000 to 2147483647."
            );
            return Err(SqlError::new(35100, 10, text).ends_batch());
        }
        let text = self.evaluate_text(message, frame)?.unwrap_or_default();
        let number = i32::try_from(number).unwrap_or(50_000);
        Ok(SqlError::new(number, u8::try_from(state).unwrap_or(1), text).ends_batch())
    }

    pub fn raise_error(
        &mut self,
        arguments: &[Expr],
        options: &[String],
        frame: &Frame,
        answer: &mut Answer,
        line: u32,
    ) -> SqlResult<()> {
        if let Some(option) =
            options.iter().find(|option| !matches!(option.as_str(), "nowait" | "seterror" | "log"))
        {
            return Err(SqlError::syntax(option));
        }
        let mut values = Vec::new();
        for argument in arguments {
            values.push(self.evaluate(argument, frame)?);
        }
        let (message_type, message) = values[0].clone();
        if !message_type.is_text() {
            return Err(SqlError::unknown("RAISERROR with a message's number"));
        }
        let whole = |(from, value): &(SqlType, Value)| -> SqlResult<i64> {
            match convert(value, *from, SqlType::Int, 0)? {
                Value::Integer(number) => Ok(number),
                _ => Ok(0),
            }
        };
        let class = u8::try_from(whole(&values[1])?.clamp(0, 25)).unwrap_or(16);
        let state = u8::try_from(whole(&values[2])?.clamp(0, 255)).unwrap_or(1);
        if class > 18 {
            return Err(SqlError::unknown("RAISERROR with a severity above 18"));
        }
        let Value::Text(format) = message else { return Ok(()) };
        let text = format_message(&format, &values[3..])?;
        let error = SqlError::new(50_000, state, text).class(class);
        if class > 10 {
            return Err(error);
        }
        answer.message(&error, line)
    }
}

/// The text of RAISERROR: `%s`, `%d`, `%i`, `%u`, `%x` and `%%`.
fn format_message(format: &str, arguments: &[(SqlType, Value)]) -> SqlResult<String> {
    let mut text = String::new();
    let mut arguments = arguments.iter();
    let mut characters = format.chars();
    while let Some(c) = characters.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let kind = characters.next();
        if kind == Some('%') {
            text.push('%');
            continue;
        }
        let shown = match (kind, arguments.next()) {
            (_, None) => "(null)".to_owned(),
            (Some('s'), Some((from, value))) => match convert(value, *from, SqlType::NVarChar(None), 0)? {
                Value::Text(text) => text,
                _ => "(null)".to_owned(),
            },
            (Some('d' | 'i' | 'u'), Some((from, value))) => {
                match convert(value, *from, SqlType::BigInt, 0)? {
                    Value::Integer(number) => number.to_string(),
                    _ => "(null)".to_owned(),
                }
            }
            (Some('x'), Some((from, value))) => match convert(value, *from, SqlType::BigInt, 0)? {
                Value::Integer(number) => format!("{number:x}"),
                _ => "(null)".to_owned(),
            },
            (other, _) => {
                let other = other.map_or(String::new(), String::from);
                return Err(SqlError::unknown(format!("%{other} in the text of RAISERROR")));
            }
        };
        text.push_str(&shown);
    }
    // The longest message, as by SQL Server.
    Ok(if units(&text) > 2_047 { text.chars().take(2_044).chain("...".chars()).collect() } else { text })
}
