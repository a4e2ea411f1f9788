//! INSERT, UPDATE, DELETE and TRUNCATE. Each works in two steps inside of one write: first all that
//! is to happen is read, as by SQL Server, then it is done row by row; so a statement never sees its
//! own effects, and every value passes through the column it goes to.

mod delete;
mod insert;
mod output;
mod target;
mod update;

use std::sync::Arc;

use rusqlite::params_from_iter;

use super::catalog::{Column, Table};
use super::session::{Frame, Session};
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::Name;
use crate::tds::translate::{RelationColumn, Translator};
use crate::tds::value::convert::into_column;
use crate::tds::value::{SqlType, Value};

/// What happened to one row.
#[derive(Debug, Clone)]
pub struct Change {
    /// The row's number in SQLite.
    pub row: i64,
    /// Its values before; `None` when it was made.
    pub old: Option<Vec<Value>>,
    /// Its values after; `None` when it is gone.
    pub new: Option<Vec<Value>>,
}

/// What a statement did, to be told to the client.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many rows.
    pub count: u64,
    /// The result of OUTPUT.
    pub output: Option<(Vec<RelationColumn>, Vec<Vec<Value>>)>,
    /// Variables that got a value.
    pub variables: Vec<(String, SqlType, Value)>,
}

/// A value on its way into a column.
#[derive(Debug, Clone)]
pub enum Incoming {
    /// The column's default.
    Default,
    /// A value and its type.
    Value(SqlType, Value),
}

impl Session {
    /// A value as a column takes it.
    ///
    /// # Errors
    /// Those of conversions, and 2628.
    pub fn fit(&self, table: &Table, column: &Column, from: SqlType, value: &Value) -> SqlResult<Value> {
        let shown = format!("{}.{}", self.database.name, table.shown());
        into_column(value, from, column.ty, &shown, &column.name)
    }

    /// A column's default; NULL where it has none.
    ///
    /// # Errors
    /// Whatever the expression fails with.
    pub fn default(&self, table: &Table, column: &Column) -> SqlResult<Value> {
        let Some((_, expr)) = &column.default else { return Ok(Value::Null) };
        let (from, value) = self.evaluate(expr, &Frame::default())?;
        self.fit(table, column, from, &value)
    }

    pub(super) fn next_version(&self) -> SqlResult<Value> {
        // The first one is 2001, as in a new database of SQL Server.
        let version = self.database.next(&self.connection, "rowversion", 2001, 1)?;
        Ok(Value::Blob(version.to_be_bytes().to_vec()))
    }

    pub(super) fn check_nulls(&self, table: &Table, row: &[Value], verb: &str) -> SqlResult<()> {
        for (column, value) in table.columns.iter().zip(row) {
            if !column.nullable && matches!(value, Value::Null) {
                let text = format!(
                    "Cannot insert the value NULL into column '{}', table '{}.{}'; column does not allow nulls. {verb} \
                     fails.",
                    column.name,
                    self.database.name,
                    table.shown()
                );
                return Err(SqlError::new(515, 2, text));
            }
        }
        Ok(())
    }

    /// The table a statement changes, with the right to.
    ///
    /// # Errors
    /// 208, 229.
    pub fn target(&self, name: &Name, right: &str) -> SqlResult<Arc<Table>> {
        Translator::new(self, &Frame::default()).own_database(name)?;
        let Some(table) = self.catalog.table(name).cloned() else { return Err(SqlError::no_object(name)) };
        self.demand(right, &table)?;
        Ok(table)
    }

    /// The values of a row.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn row(&self, table: &Table, row: i64) -> SqlResult<Option<Vec<Value>>> {
        let sql = format!("SELECT {} FROM {} WHERE rowid = ?1", table.physical_columns(), table.physical());
        Ok(self.gather(&sql, &[Value::Integer(row)], table.columns.len())?.pop())
    }

    pub(super) fn store(&self, table: &Table, row: &[Value], sql: &str, bound: &[Value]) -> SqlResult<()> {
        let result = self.connection.prepare_cached(sql)?.execute(params_from_iter(bound));
        result.map(|_| ()).map_err(|error| self.violation(table, row, error))
    }
}

/// The number of a row.
pub fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(n) => Some(*n),
        _ => None,
    }
}
