//! Running queries and expressions.

use rusqlite::types::ValueRef;

use super::answer::Answer;
use super::session::{Frame, Session};
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{Body, Expr, Item, Query};
use crate::tds::translate::{RelationColumn, Translator, run_scalar};
use crate::tds::value::{SqlType, Value};
use crate::tds::wire::tokens::{COUNTED, Column, SELECT};

/// The most rows a statement gathers before it acts on them.
pub const MOST_ROWS: usize = 1_000_000;

impl Session {
    /// SELECT: sends its rows, or gives variables their values.
    ///
    /// # Errors
    /// Whatever the query fails with; rows sent before stay sent.
    pub fn select(&mut self, query: &Query, frame: &mut Frame, answer: &mut Answer) -> SqlResult<()> {
        check_assignments(query)?;
        let (relation, params) = self.translate(frame, |translator| translator.query(query))?;
        let assigns = relation.columns.iter().any(|column| column.variable.is_some());
        let described = describe(&relation.columns);
        let mut statement = self.connection.prepare_cached(&relation.sql)?;
        let bindable = statement.parameter_count();
        let mut rows = statement.query(bound(&params, bindable))?;
        let mut count: u64 = 0;
        // The first row is fetched before the columns are sent, so that a query that fails at once
        // gives an error and no empty result.
        let mut next = rows.next()?;
        if !assigns {
            answer.columns(&described)?;
        }
        let mut last: Option<Vec<Value>> = None;
        while let Some(row) = next {
            let values = cells(row, relation.columns.len())?;
            if assigns {
                last = Some(values);
            } else {
                answer.row(relation.columns.iter().map(|column| column.ty).zip(&values))?;
            }
            count += 1;
            if self.cancel.is_cancelled() {
                return Err(SqlError::cancelled());
            }
            next = rows.next()?;
        }
        drop(rows);
        drop(statement);
        for (column, value) in relation.columns.iter().zip(last.unwrap_or_default()) {
            if let Some(name) = &column.variable {
                frame.variables.insert(name.clone(), (column.ty, value));
            }
        }
        self.row_count = i64::try_from(count).unwrap_or(i64::MAX);
        if !assigns {
            answer.done(if self.settings.no_count { 0 } else { COUNTED }, SELECT, count);
        }
        Ok(())
    }

    /// Translates, and takes the locks that reading asks for.
    ///
    /// # Errors
    /// Whatever is wrong with the statement, and those of a lock.
    pub fn translate<T>(
        &self,
        frame: &Frame,
        translate: impl FnOnce(&mut Translator<'_>) -> SqlResult<T>,
    ) -> SqlResult<(T, Vec<Value>)> {
        let mut translator = Translator::new(self, frame);
        let translated = translate(&mut translator)?;
        if translator.reads {
            self.lock_for_read(translator.exclusive, translator.holds)?;
        }
        Ok((translated, translator.params))
    }

    /// Gathers the rows of a query.
    ///
    /// # Errors
    /// Whatever the query fails with, and ours above [`MOST_ROWS`].
    pub fn gather(&self, sql: &str, params: &[Value], width: usize) -> SqlResult<Vec<Vec<Value>>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let count = statement.parameter_count();
        let mut rows = statement.query(bound(params, count))?;
        let mut gathered = Vec::new();
        while let Some(row) = rows.next()? {
            if gathered.len() >= MOST_ROWS {
                return Err(SqlError::unknown(format!("statements that change more than {MOST_ROWS} rows")));
            }
            gathered.push(cells(row, width)?);
        }
        Ok(gathered)
    }

    /// The value of an expression, with its type.
    ///
    /// # Errors
    /// Whatever it fails with.
    pub fn evaluate(&self, expr: &Expr, frame: &Frame) -> SqlResult<(SqlType, Value)> {
        let (typed, params) = self.translate(frame, |translator| translator.scalar(expr))?;
        Ok((typed.ty, run_scalar(self, &typed.sql, &params)?))
    }

    /// The value of an expression, brought to a type.
    ///
    /// # Errors
    /// Whatever it fails with.
    pub fn evaluate_as(&self, expr: &Expr, to: SqlType, frame: &Frame) -> SqlResult<Value> {
        let (typed, params) = self.translate(frame, |translator| {
            let typed = translator.scalar(expr)?;
            translator.implicit(typed, to)
        })?;
        run_scalar(self, &typed.sql, &params)
    }

    /// The text of an expression; `None` for NULL.
    ///
    /// # Errors
    /// Whatever it fails with.
    pub fn evaluate_text(&self, expr: &Expr, frame: &Frame) -> SqlResult<Option<String>> {
        match self.evaluate_as(expr, SqlType::NVarChar(None), frame)? {
            Value::Text(text) => Ok(Some(text)),
            _ => Ok(None),
        }
    }

    /// Whether a condition is true (and neither false nor unknown).
    ///
    /// # Errors
    /// Whatever it fails with.
    pub fn holds(&self, condition: &Expr, frame: &Frame) -> SqlResult<bool> {
        let (sql, params) = self.translate(frame, |translator| translator.predicate(condition))?;
        Ok(run_scalar(self, &sql, &params)? == Value::Integer(1))
    }
}

/// The parameters a statement has: those the translation made and then did without stand at the end.
pub fn bound(params: &[Value], count: usize) -> rusqlite::ParamsFromIter<&[Value]> {
    rusqlite::params_from_iter(&params[..count.min(params.len())])
}

/// The columns of a relation as the client sees them.
pub fn describe(columns: &[RelationColumn]) -> Vec<Column> {
    columns
        .iter()
        .map(|column| Column {
            name: column.name.clone(),
            ty: column.ty,
            nullable: column.nullable,
            identity: column.identity,
        })
        .collect()
}

/// The values of a row.
///
/// # Errors
/// When a text is no UTF-8, which nothing here stores.
pub fn cells(row: &rusqlite::Row<'_>, width: usize) -> SqlResult<Vec<Value>> {
    (0..width)
        .map(|at| {
            Ok(match row.get_ref(at)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(n) => Value::Integer(n),
                ValueRef::Real(x) => Value::Real(x),
                ValueRef::Text(text) => Value::Text(
                    String::from_utf8(text.to_vec())
                        .map_err(|_| SqlError::internal("a text that is none"))?,
                ),
                ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
            })
        })
        .collect()
}

/// `SELECT @a = @a + b FROM t` adds up row by row in SQL Server, in an order it does not promise;
/// here a statement's variables don't change while it runs, so that is refused.
fn check_assignments(query: &Query) -> SqlResult<()> {
    let Body::Select(select) = &query.body else { return Ok(()) };
    if select.from.is_empty() {
        return Ok(());
    }
    let assigned: Vec<&String> = select
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Assign(name, _) => Some(name),
            _ => None,
        })
        .collect();
    for item in &select.items {
        if let Item::Assign(_, expr) = item
            && assigned.iter().any(|name| mentions(expr, name))
        {
            return Err(SqlError::unknown("a SELECT that adds up in a variable row by row"));
        }
    }
    Ok(())
}

fn mentions(expr: &Expr, variable: &str) -> bool {
    // The tree's own text names every variable in quotes.
    serde_json::to_string(expr).is_ok_and(|text| text.contains(&format!("{{\"Variable\":\"{variable}\"}}")))
}
