//! UPDATE.

use std::sync::Arc;

use super::target::{filter_sql, first_of_each, limit_sql, target_alias, with_target};
use super::{Change, Incoming};
use crate::tds::engine::answer::Answer;
use crate::tds::engine::catalog::Table;
use crate::tds::engine::session::{Frame, Session};
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{Assignment, Expr, Update};
use crate::tds::translate::Typed;
use crate::tds::value::{SqlType, Value};

impl Session {
    /// UPDATE.
    ///
    /// # Errors
    /// Whatever it fails with; then nothing was changed.
    pub fn update(&mut self, update: &Update, frame: &mut Frame, answer: &mut Answer) -> SqlResult<()> {
        let outcome = self.write(|session| {
            let from = with_target(&update.from, &update.table);
            let name = session.target_name(&from, &update.table);
            let table = session.target(&name, "UPDATE")?;
            let mut columns = Vec::new();
            let mut variables = Vec::new();
            let ((sql, types), params) = session.translate(frame, |t| {
                t.demands_select = update.filter.is_some() || !update.from.is_empty();
                let with = t.with(&update.ctes)?;
                let (from_sql, sources) = t.from(&from)?;
                let target = target_alias(&sources, &update.table, &table)?;
                t.within(sources, |t| {
                    let mut list = vec![format!("{target}.rowid")];
                    let mut types = Vec::new();
                    for assignment in &update.set {
                        let typed = match assignment {
                            Assignment::Column(name, Expr::Default) => {
                                columns.push((session.assignable(&table, name)?, true));
                                Typed::new("NULL", SqlType::Null)
                            }
                            Assignment::Column(name, expr) => {
                                columns.push((session.assignable(&table, name)?, false));
                                t.scalar(expr)?
                            }
                            Assignment::Variable(name, expr) => {
                                variables.push((types.len(), name.clone()));
                                t.scalar(expr)?
                            }
                        };
                        list.push(typed.sql);
                        types.push(typed.ty);
                    }
                    let filter = filter_sql(t, update.filter.as_ref())?;
                    let limit = limit_sql(t, update.top.as_ref())?;
                    Ok((format!("{with}SELECT {}{from_sql}{filter}{limit}", list.join(", ")), types))
                })
            })?;
            let rows = first_of_each(session.gather(&sql, &params, types.len() + 1)?);
            let column_places: Vec<usize> =
                (0..types.len()).filter(|at| !variables.iter().any(|(v, _)| v == at)).collect();
            let mut plan = Vec::new();
            for row in &rows {
                let Value::Integer(number) = row[0] else { continue };
                let mut set = Vec::new();
                for ((column, default), place) in columns.iter().zip(&column_places) {
                    let incoming = if *default {
                        Incoming::Default
                    } else {
                        Incoming::Value(types[*place], row[place + 1].clone())
                    };
                    set.push((*column, incoming));
                }
                plan.push((number, set));
            }
            let changes = session.update_rows(&table, plan)?;
            session.after(&table, &changes, "UPDATE")?;
            let mut outcome = session.outcome(&table, &changes, &update.output, "UPDATE", frame)?;
            if let Some(last) = rows.last() {
                for (at, name) in variables {
                    outcome.variables.push((name, types[at], last[at + 1].clone()));
                }
            }
            Ok(outcome)
        })?;
        self.tell(outcome, frame, answer)
    }

    /// The place of a column that SET may name.
    ///
    /// # Errors
    /// 207, 272, 8102.
    pub fn assignable(&self, table: &Table, name: &str) -> SqlResult<usize> {
        let Some((at, column)) = table.column(name) else { return Err(SqlError::no_column(name)) };
        if column.identity.is_some() {
            return Err(SqlError::new(8102, 1, format!("Cannot update identity column '{}'.", column.name))
                .ends_batch());
        }
        if column.ty == SqlType::RowVersion {
            return Err(SqlError::new(272, 1, "Cannot update a timestamp column.").ends_batch());
        }
        Ok(at)
    }

    /// Changes rows: number, and the columns with their new values. Unique keys are looked at when
    /// all rows are changed, not in between.
    ///
    /// # Errors
    /// 515, 2601, 2627, 2628 and those of conversions.
    pub fn update_rows(
        &mut self,
        table: &Arc<Table>,
        plan: Vec<(i64, Vec<(usize, Incoming)>)>,
    ) -> SqlResult<Vec<Change>> {
        let mut changes = Vec::new();
        for (row, set) in plan {
            self.check_cancelled()?;
            let Some(old) = self.row(table, row)? else { continue };
            let mut new = old.clone();
            for (place, incoming) in set {
                let column = &table.columns[place];
                new[place] = match incoming {
                    Incoming::Default => self.default(table, column)?,
                    Incoming::Value(from, value) => self.fit(table, column, from, &value)?,
                };
            }
            if let Some(place) = table.rowversion() {
                new[place] = self.next_version()?;
            }
            self.check_nulls(table, &new, "UPDATE")?;
            changes.push(Change { row, old: Some(old), new: Some(new) });
        }
        let key_places: Vec<usize> = table
            .keys
            .iter()
            .filter(|key| key.unique())
            .flat_map(|key| key.columns.iter().filter_map(|(name, _)| table.column(name).map(|(at, _)| at)))
            .collect();
        let moves = |change: &Change| match (&change.old, &change.new) {
            (Some(old), Some(new)) => key_places.iter().any(|at| old[*at] != new[*at]),
            _ => false,
        };
        if changes.len() > 1 && changes.iter().any(moves) {
            // Taken out and put back under their numbers: keys may trade places.
            for change in &changes {
                self.delete_row(table, change.row)?;
            }
            let marks: Vec<String> = (2..=table.columns.len() + 1).map(|at| format!("?{at}")).collect();
            let (physical, columns) = (table.physical(), table.physical_columns());
            let sql = format!("INSERT INTO {physical} (rowid, {columns}) VALUES (?1, {})", marks.join(", "));
            for change in &changes {
                let Some(new) = &change.new else { continue };
                let mut bound = vec![Value::Integer(change.row)];
                bound.extend(new.iter().cloned());
                self.store(table, new, &sql, &bound)?;
            }
            return Ok(changes);
        }
        let set: Vec<String> = table
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| format!("{} = ?{}", column.physical(), at + 2))
            .collect();
        let sql = format!("UPDATE {} SET {} WHERE rowid = ?1", table.physical(), set.join(", "));
        for change in &changes {
            let Some(new) = &change.new else { continue };
            let mut bound = vec![Value::Integer(change.row)];
            bound.extend(new.iter().cloned());
            self.store(table, new, &sql, &bound)?;
        }
        Ok(changes)
    }
}
