//! Statements: fixed texts, and the values that are bound to them.

use std::borrow::Cow;
use std::fmt::Write as _;

use chrono::NaiveDateTime;
use tiberius::Query;
use tiberius::numeric::Numeric;

/// A statement and its parameters, which are `@P1`, `@P2` ... in the text. The text is put together
/// of pieces that are fixed at compile time: nothing from outside gets into it. May be a batch of
/// several statements, which costs one round trip all the same.
#[derive(Debug, Clone)]
pub struct Statement {
    text: Cow<'static, str>,
    values: Vec<Value>,
}

impl Statement {
    /// A statement, or the beginning of one.
    pub fn new(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(text), values: Vec::new() }
    }

    /// The same with the next parameter, which the text names already.
    #[must_use]
    pub fn bind(mut self, value: Value) -> Self {
        self.values.push(value);
        self
    }

    /// The same with more text.
    #[must_use]
    pub fn then(mut self, text: &'static str) -> Self {
        self.text.to_mut().push_str(text);
        self
    }

    /// The same with the next parameter, named at the text's end.
    #[must_use]
    pub fn value(mut self, value: Value) -> Self {
        self.values.push(value);
        // Writing to a text can't fail.
        let _ = write!(self.text.to_mut(), "@P{}", self.values.len());
        self
    }

    /// The same with a list of parameters, parted by commas.
    #[must_use]
    pub fn list(self, values: impl IntoIterator<Item = Value>) -> Self {
        values.into_iter().enumerate().fold(self, |statement, (at, value)| {
            let statement = if at == 0 { statement } else { statement.then(", ") };
            statement.value(value)
        })
    }

    /// The driver's form of it.
    pub(crate) fn query(&self) -> Query<'_> {
        let mut query = Query::new(self.text.as_ref());
        for value in &self.values {
            value.bind(&mut query);
        }
        query
    }
}

/// A parameter.
#[derive(Debug, Clone)]
pub enum Value {
    /// bigint.
    Integer(i64),
    /// bigint, or null.
    OptionalInteger(Option<i64>),
    /// nvarchar.
    Text(String),
    /// datetime2(7).
    Time(NaiveDateTime),
    /// datetime2(7), or null.
    OptionalTime(Option<NaiveDateTime>),
    /// numeric.
    Decimal(Numeric),
    /// varbinary.
    Bytes(Vec<u8>),
}

impl Value {
    fn bind(&self, query: &mut Query<'_>) {
        match self {
            Self::Integer(number) => query.bind(*number),
            Self::OptionalInteger(number) => query.bind(*number),
            Self::Text(text) => query.bind(text.clone()),
            Self::Time(time) => query.bind(*time),
            Self::OptionalTime(time) => query.bind(*time),
            Self::Decimal(number) => query.bind(*number),
            Self::Bytes(bytes) => query.bind(bytes.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_as_they_come() {
        let statement = Statement::new("SELECT @P1").bind(Value::Integer(1)).then(" WHERE a = ");
        let statement = statement.value(Value::Text("x'; --".to_owned())).then(" AND b IN (");
        let statement = statement.list([2, 3].map(Value::Integer)).then(")");
        assert_eq!(statement.text, "SELECT @P1 WHERE a = @P2 AND b IN (@P3, @P4)");
        assert_eq!(statement.values.len(), 4);
        assert_eq!(Statement::new("IN (").list([]).then(")").text, "IN ()");
    }
}
