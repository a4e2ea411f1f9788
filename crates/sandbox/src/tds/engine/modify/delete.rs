//! DELETE and TRUNCATE.

use std::sync::Arc;

use super::target::{filter_sql, first_of_each, limit_sql, target_alias, with_target};
use super::{Change, integer};
use crate::tds::engine::answer::Answer;
use crate::tds::engine::catalog::Table;
use crate::tds::engine::session::{Frame, Session};
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{Delete, Name};

impl Session {
    /// DELETE.
    ///
    /// # Errors
    /// Whatever it fails with; then nothing was deleted.
    pub fn delete(&mut self, delete: &Delete, frame: &mut Frame, answer: &mut Answer) -> SqlResult<()> {
        let outcome = self.write(|session| {
            let from = with_target(&delete.from, &delete.table);
            let name = session.target_name(&from, &delete.table);
            let table = session.target(&name, "DELETE")?;
            let (sql, params) = session.translate(frame, |t| {
                t.demands_select = delete.filter.is_some() || !delete.from.is_empty();
                let with = t.with(&delete.ctes)?;
                let (from_sql, sources) = t.from(&from)?;
                let target = target_alias(&sources, &delete.table, &table)?;
                t.within(sources, |t| {
                    let filter = filter_sql(t, delete.filter.as_ref())?;
                    let limit = limit_sql(t, delete.top.as_ref())?;
                    Ok(format!("{with}SELECT {target}.rowid{from_sql}{filter}{limit}"))
                })
            })?;
            let rows = first_of_each(session.gather(&sql, &params, 1)?);
            let changes = session.delete_rows(&table, rows.iter().filter_map(|row| integer(&row[0])))?;
            session.after(&table, &changes, "DELETE")?;
            session.outcome(&table, &changes, &delete.output, "DELETE", frame)
        })?;
        self.tell(outcome, frame, answer)
    }

    /// Deletes rows by their numbers.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn delete_rows(
        &mut self,
        table: &Arc<Table>,
        rows: impl Iterator<Item = i64>,
    ) -> SqlResult<Vec<Change>> {
        let mut changes = Vec::new();
        for row in rows {
            self.check_cancelled()?;
            if let Some(old) = self.row(table, row)? {
                self.delete_row(table, row)?;
                changes.push(Change { row, old: Some(old), new: None });
            }
        }
        Ok(changes)
    }

    pub(super) fn delete_row(&self, table: &Table, row: i64) -> SqlResult<()> {
        let sql = format!("DELETE FROM {} WHERE rowid = ?1", table.physical());
        self.connection.prepare_cached(&sql)?.execute([row])?;
        Ok(())
    }

    /// TRUNCATE TABLE.
    ///
    /// # Errors
    /// 4712 for a table that is referenced, and 1088 without the right.
    pub fn truncate(&mut self, name: &Name) -> SqlResult<()> {
        self.write(|session| {
            let Some(table) = session.catalog.table(name).cloned() else {
                return Err(SqlError::new(4701, 1, format!("Cannot find the object \"{name}\" because it does not exist or you do not have permissions.")));
            };
            if !session.may_alter(&table)? {
                return Err(SqlError::new(1088, 7, format!("Cannot find the object \"{name}\" because it does not exist or you do not have permissions.")));
            }
            let referenced = session.catalog.tables.values().any(|other| {
                other.id != table.id && other.foreign.iter().any(|foreign| foreign.table == table.id)
            });
            if referenced {
                let text = format!("Cannot truncate table '{name}' because it is being referenced by a FOREIGN KEY constraint.");
                return Err(SqlError::new(4712, 1, text));
            }
            session.connection.execute(&format!("DELETE FROM {}", table.physical()), [])?;
            session.database.forget(&session.connection, &format!("identity:{}", table.id))
        })
    }
}
