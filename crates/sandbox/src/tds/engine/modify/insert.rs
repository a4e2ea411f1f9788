//! INSERT.

use std::sync::Arc;

use super::{Change, Incoming};
use crate::tds::engine::answer::Answer;
use crate::tds::engine::catalog::{Column, Table};
use crate::tds::engine::session::{Frame, Session};
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{Body, Expr, Insert};
use crate::tds::translate::Typed;
use crate::tds::value::{SqlType, Value};

impl Session {
    /// INSERT.
    ///
    /// # Errors
    /// Whatever it fails with; then nothing was inserted.
    pub fn insert(&mut self, insert: &Insert, frame: &mut Frame, answer: &mut Answer) -> SqlResult<()> {
        let outcome = self.write(|session| {
            let table = session.target(&insert.table.name, "INSERT")?;
            let places = session.insert_places(&table, insert)?;
            let rows = session.insert_rows(insert, places.len(), frame)?;
            let mut changes = Vec::new();
            for row in rows {
                session.check_cancelled()?;
                changes.push(session.insert_row(&table, &places, row)?);
            }
            session.after(&table, &changes, "INSERT")?;
            session.outcome(&table, &changes, &insert.output, "INSERT", frame)
        })?;
        self.tell(outcome, frame, answer)
    }

    /// The places of the columns an INSERT names, or of all that can be given a value.
    fn insert_places(&self, table: &Table, insert: &Insert) -> SqlResult<Vec<usize>> {
        let explicit_identity = self.settings.identity_insert == Some(table.id);
        if insert.columns.is_empty() {
            let all = table.columns.iter().enumerate();
            let given = all
                .filter(|(_, c)| (c.identity.is_none() || explicit_identity) && c.ty != SqlType::RowVersion);
            return Ok(given.map(|(at, _)| at).collect());
        }
        let mut places = Vec::new();
        for name in &insert.columns {
            let Some((at, column)) = table.column(name) else { return Err(SqlError::no_column(name)) };
            if places.contains(&at) {
                let text = format!(
                    "The column name '{name}' is specified more than once in the SET clause or column list of an INSERT."
                );
                return Err(SqlError::new(264, 1, text).ends_batch());
            }
            self.check_insertable(table, column)?;
            places.push(at);
        }
        Ok(places)
    }

    fn check_insertable(&self, table: &Table, column: &Column) -> SqlResult<()> {
        if column.ty == SqlType::RowVersion {
            return Err(SqlError::new(
                273,
                1,
                "Cannot insert an explicit value into a timestamp column. Use INSERT with a column list to exclude the \
                 timestamp column, or insert a DEFAULT into the timestamp column.",
            ));
        }
        if column.identity.is_some() && self.settings.identity_insert != Some(table.id) {
            return Err(SqlError::new(
                544,
                1,
                format!(
                    "Cannot insert explicit value for identity column in table '{}' when IDENTITY_INSERT is set to OFF.",
                    table.name
                ),
            ));
        }
        Ok(())
    }

    fn insert_rows(&self, insert: &Insert, width: usize, frame: &Frame) -> SqlResult<Vec<Vec<Incoming>>> {
        let Some(query) = &insert.rows else { return Ok(vec![vec![Incoming::Default; width]]) };
        let wrong = || {
            let named = !insert.columns.is_empty();
            let (number, text) = if named {
                (
                    109,
                    "The number of columns in the INSERT statement does not match the number of values specified.",
                )
            } else {
                (213, "Column name or number of supplied values does not match table definition.")
            };
            Err(SqlError::new(number, 1, text).ends_batch())
        };
        if let (Body::Values(rows), true) = (&query.body, insert.ctes.is_empty() && query.ctes.is_empty()) {
            let mut all = Vec::new();
            for row in rows {
                if row.len() != width {
                    return wrong();
                }
                all.push(self.values_row(row, frame)?);
            }
            return Ok(all);
        }
        let (relation, params) = self.translate(frame, |translator| {
            let with = translator.with(&insert.ctes)?;
            let mut relation = translator.query(query)?;
            // One WITH can't follow another.
            if !with.is_empty() {
                relation.sql = format!("{with}SELECT * FROM ({})", relation.sql);
            }
            Ok(relation)
        })?;
        if relation.columns.len() != width {
            return if insert.columns.is_empty() {
                wrong()
            } else {
                let (number, more) =
                    if relation.columns.len() > width { (121, "more") } else { (120, "fewer") };
                let text = format!(
                    "The select list for the INSERT statement contains {more} items than the insert list. The number \
                     of SELECT values must match the number of INSERT columns."
                );
                Err(SqlError::new(number, 1, text).class(15).ends_batch())
            };
        }
        let rows = self.gather(&relation.sql, &params, width)?;
        let typed = |row: Vec<Value>| {
            row.into_iter().zip(&relation.columns).map(|(value, c)| Incoming::Value(c.ty, value)).collect()
        };
        Ok(rows.into_iter().map(typed).collect())
    }

    /// One row of VALUES; each of its cells has a type of its own.
    fn values_row(&self, row: &[Expr], frame: &Frame) -> SqlResult<Vec<Incoming>> {
        let (cells, params) = self.translate(frame, |translator| {
            let cell = |expr: &Expr| match expr {
                Expr::Default => Ok(None),
                expr => translator.scalar(expr).map(Some),
            };
            row.iter().map(cell).collect::<SqlResult<Vec<Option<Typed>>>>()
        })?;
        let list: Vec<&str> =
            cells.iter().map(|cell| cell.as_ref().map_or("NULL", |typed| &typed.sql)).collect();
        let values = self.gather(&format!("SELECT {}", list.join(", ")), &params, row.len())?;
        let values = values.into_iter().next().unwrap_or_default();
        let incoming = |(cell, value): (Option<Typed>, Value)| match cell {
            Some(typed) => Incoming::Value(typed.ty, value),
            None => Incoming::Default,
        };
        Ok(cells.into_iter().zip(values).map(incoming).collect())
    }

    /// Inserts one row: what is not given gets its default, its number or its version.
    ///
    /// # Errors
    /// 515, 2601, 2627, 2628 and those of conversions.
    pub fn insert_row(
        &mut self,
        table: &Arc<Table>,
        places: &[usize],
        given: Vec<Incoming>,
    ) -> SqlResult<Change> {
        let mut values: Vec<Option<Value>> = vec![None; table.columns.len()];
        for (place, incoming) in places.iter().zip(given) {
            if let Incoming::Value(from, value) = incoming {
                values[*place] = Some(self.fit(table, &table.columns[*place], from, &value)?);
            }
        }
        if let Some((at, seed, increment)) = table.identity() {
            let counter = format!("identity:{}", table.id);
            let number = match &values[at] {
                Some(Value::Integer(number)) => {
                    let last = self.database.last(&self.connection, &counter)?;
                    let ahead =
                        last.is_none_or(|last| if increment > 0 { *number > last } else { *number < last });
                    if ahead {
                        self.database.set(&self.connection, &counter, *number)?;
                    }
                    *number
                }
                _ => self.database.next(&self.connection, &counter, seed, increment)?,
            };
            self.identity = Some(number);
            let from = SqlType::BigInt;
            values[at] = Some(self.fit(table, &table.columns[at], from, &Value::Integer(number))?);
        }
        let mut row = Vec::with_capacity(values.len());
        for (column, value) in table.columns.iter().zip(values) {
            row.push(match value {
                Some(value) => value,
                None if column.ty == SqlType::RowVersion => self.next_version()?,
                None => self.default(table, column)?,
            });
        }
        self.check_nulls(table, &row, "INSERT")?;
        let marks: Vec<String> = (1..=row.len()).map(|at| format!("?{at}")).collect();
        let sql = format!(
            "INSERT INTO {} ({}) VALUES ({})",
            table.physical(),
            table.physical_columns(),
            marks.join(", ")
        );
        self.store(table, &row, &sql, &row)?;
        Ok(Change { row: self.connection.last_insert_rowid(), old: None, new: Some(row) })
    }
}
