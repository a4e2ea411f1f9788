//! Constraints, as SQL Server checks them: unique keys when a statement has done all its rows, with
//! NULL as a value like any other; CHECK and FOREIGN KEY after that, with what ON DELETE and ON
//! UPDATE bring about. SQLite holds the unique indexes; the rest is done here, because SQLite
//! neither names what was violated nor sees NULLs as equal.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::catalog::{Check, Foreign, Key, KeyKind, Table};
use super::modify::{Change, Incoming};
use super::session::{Frame, Session};
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{Expr, Reaction};
use crate::tds::translate::{Source, Translator};
use crate::tds::value::convert::to_text;
use crate::tds::value::{SqlType, Value};

/// How far ON DELETE and ON UPDATE may reach, as triggers in SQL Server.
const DEEPEST: usize = 32;

impl Session {
    /// Everything that has to hold after rows of a table changed.
    ///
    /// # Errors
    /// 547, 2601, 2627.
    pub fn after(&mut self, table: &Arc<Table>, changes: &[Change], verb: &str) -> SqlResult<()> {
        self.react(table, changes, verb, 0)?;
        self.verify(table, changes, verb)
    }

    /// The constraints of the changed rows themselves.
    fn verify(&self, table: &Table, changes: &[Change], verb: &str) -> SqlResult<()> {
        for change in changes {
            let Some(new) = &change.new else { continue };
            for key in table.keys.iter().filter(|key| key.unique()) {
                self.verify_nulls(table, key, new)?;
            }
        }
        let made: Vec<i64> =
            changes.iter().filter(|change| change.new.is_some()).map(|change| change.row).collect();
        if made.is_empty() {
            return Ok(());
        }
        for check in &table.checks {
            self.verify_check(table, check, Some(&made), verb)?;
        }
        for foreign in &table.foreign {
            for change in changes {
                if let Some(new) = &change.new {
                    self.verify_foreign(table, foreign, new, verb)?;
                }
            }
        }
        Ok(())
    }

    /// A unique key with a NULL in it: SQLite would let it be there twice.
    fn verify_nulls(&self, table: &Table, key: &Key, row: &[Value]) -> SqlResult<()> {
        let places = table.places(&names(key))?;
        if !places.iter().any(|at| matches!(row[*at], Value::Null)) {
            return Ok(());
        }
        let mut conditions = Vec::new();
        let mut params = Vec::new();
        for at in &places {
            params.push(row[*at].clone());
            conditions.push(format!("{} IS ?{}", table.columns[*at].physical(), params.len()));
        }
        if let Some(filter) = &key.filter {
            conditions.push(self.inline_condition(table, filter)?);
        }
        let sql = format!("SELECT 1 FROM {} WHERE {} LIMIT 2", table.physical(), conditions.join(" AND "));
        if self.gather(&sql, &params, 1)?.len() > 1 {
            return Err(duplicate(table, key, row));
        }
        Ok(())
    }

    /// A condition over a table's own columns, with nothing but literals in it.
    ///
    /// # Errors
    /// Whatever is wrong with it.
    pub fn inline_condition(&self, table: &Table, condition: &Expr) -> SqlResult<String> {
        let frame = Frame::default();
        let mut translator = Translator::new(self, &frame);
        translator.inline = true;
        let mut source = Source::table(table, None, "");
        source
            .columns
            .iter_mut()
            .for_each(|column| column.sql = column.sql.trim_start_matches('.').to_owned());
        translator.within(vec![source], |translator| translator.predicate(condition))
    }

    /// A CHECK, for some rows or for all.
    ///
    /// # Errors
    /// 547.
    pub fn verify_check(
        &self,
        table: &Table,
        check: &Check,
        rows: Option<&[i64]>,
        verb: &str,
    ) -> SqlResult<()> {
        let condition = self.inline_condition(table, &check.condition)?;
        let broken = match rows {
            Some(rows) => {
                let sql = format!("SELECT 1 FROM {} WHERE rowid = ?1 AND NOT {condition}", table.physical());
                let mut broken = false;
                for row in rows {
                    broken |= !self.gather(&sql, &[Value::Integer(*row)], 1)?.is_empty();
                }
                broken
            }
            None => {
                let sql = format!("SELECT 1 FROM {} WHERE NOT {condition} LIMIT 1", table.physical());
                !self.gather(&sql, &[], 1)?.is_empty()
            }
        };
        if !broken {
            return Ok(());
        }
        let mut columns = BTreeSet::new();
        mentioned(&check.condition, &mut columns);
        let column = match columns.iter().collect::<Vec<_>>().as_slice() {
            [one] => format!(", column '{one}'"),
            _ => String::new(),
        };
        Err(SqlError::new(
            547,
            0,
            format!(
                "The {verb} statement conflicted with the CHECK constraint \"{}\". The conflict occurred in database \
                 \"{}\", table \"{}\"{column}.",
                check.name,
                self.database.name,
                table.shown()
            ),
        ))
    }

    /// A FOREIGN KEY, for one row of the table that has it.
    ///
    /// # Errors
    /// 547.
    pub fn verify_foreign(
        &self,
        table: &Table,
        foreign: &Foreign,
        row: &[Value],
        verb: &str,
    ) -> SqlResult<()> {
        let places = table.places(&foreign.columns)?;
        if places.iter().any(|at| matches!(row[*at], Value::Null)) {
            return Ok(());
        }
        let Some(parent) = self.catalog.table_by_id(foreign.table) else { return Ok(()) };
        let key: Vec<Value> = places.iter().map(|at| row[*at].clone()).collect();
        if self.find(parent, &foreign.referenced, &key, 1)?.is_empty() {
            return Err(self.conflict(verb, "FOREIGN KEY", &foreign.name, parent, &foreign.referenced));
        }
        Ok(())
    }

    /// The rows with these values in these columns.
    fn find(&self, table: &Table, columns: &[String], values: &[Value], most: usize) -> SqlResult<Vec<i64>> {
        let places = table.places(columns)?;
        let conditions: Vec<String> = places
            .iter()
            .enumerate()
            .map(|(at, place)| format!("{} = ?{}", table.columns[*place].physical(), at + 1))
            .collect();
        let sql =
            format!("SELECT rowid FROM {} WHERE {} LIMIT {most}", table.physical(), conditions.join(" AND "));
        let rows = self.gather(&sql, values, 1)?;
        Ok(rows.iter().filter_map(|row| super::modify::integer(&row[0])).collect())
    }

    fn conflict(&self, verb: &str, kind: &str, name: &str, table: &Table, columns: &[String]) -> SqlError {
        let column = match columns {
            [one] => format!(", column '{one}'"),
            _ => String::new(),
        };
        SqlError::new(
            547,
            0,
            format!(
                "The {verb} statement conflicted with the {kind} constraint \"{name}\". The conflict occurred in database \
                 \"{}\", table \"{}\"{column}.",
                self.database.name,
                table.shown()
            ),
        )
    }

    /// What becomes of rows that point to a row that is gone or has another key now.
    fn react(&mut self, table: &Arc<Table>, changes: &[Change], verb: &str, depth: usize) -> SqlResult<()> {
        let children: Vec<(Arc<Table>, Foreign)> = self
            .catalog
            .tables
            .values()
            .flat_map(|child| child.foreign.iter().map(move |foreign| (Arc::clone(child), foreign.clone())))
            .filter(|(_, foreign)| foreign.table == table.id)
            .collect();
        for (child, foreign) in children {
            let places = table.places(&foreign.referenced)?;
            for change in changes {
                let Some(old) = &change.old else { continue };
                let key: Vec<Value> = places.iter().map(|at| old[*at].clone()).collect();
                let unchanged =
                    change.new.as_ref().is_some_and(|new| places.iter().all(|at| new[*at] == old[*at]));
                if unchanged || key.iter().any(|value| matches!(value, Value::Null)) {
                    continue;
                }
                let rows = self.find(&child, &foreign.columns, &key, super::select::MOST_ROWS)?;
                // Another row may have taken the key over in the same statement.
                if rows.is_empty() || !self.find(table, &foreign.referenced, &key, 1)?.is_empty() {
                    continue;
                }
                if depth >= DEEPEST {
                    return Err(SqlError::unknown(format!("cascades deeper than {DEEPEST}")));
                }
                let reaction = if change.new.is_some() { foreign.on_update } else { foreign.on_delete };
                let new_key: Option<Vec<Value>> =
                    change.new.as_ref().map(|new| places.iter().map(|at| new[*at].clone()).collect());
                self.react_to_one(&child, &foreign, reaction, &rows, new_key, verb, depth)?;
            }
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "one reaction, all of it given")]
    fn react_to_one(
        &mut self,
        child: &Arc<Table>,
        foreign: &Foreign,
        reaction: Reaction,
        rows: &[i64],
        new_key: Option<Vec<Value>>,
        verb: &str,
        depth: usize,
    ) -> SqlResult<()> {
        let incoming = |at: usize, ty: SqlType| match (reaction, &new_key) {
            (Reaction::Cascade, Some(key)) => Incoming::Value(ty, key[at].clone()),
            (Reaction::Default, _) => Incoming::Default,
            _ => Incoming::Value(SqlType::Null, Value::Null),
        };
        let changes = match reaction {
            Reaction::Refuse => {
                return Err(self.conflict(verb, "REFERENCE", &foreign.name, child, &foreign.columns));
            }
            Reaction::Cascade if new_key.is_none() => self.delete_rows(child, rows.iter().copied())?,
            _ => {
                let places = child.places(&foreign.columns)?;
                let set = |_: &i64| {
                    places
                        .iter()
                        .enumerate()
                        .map(|(at, place)| (*place, incoming(at, child.columns[*place].ty)))
                        .collect()
                };
                self.update_rows(child, rows.iter().map(|row| (*row, set(row))).collect())?
            }
        };
        self.react(child, &changes, verb, depth + 1)?;
        self.verify(child, &changes, verb)
    }

    /// What SQLite refused, in SQL Server's words.
    pub fn violation(&self, table: &Table, row: &[Value], error: rusqlite::Error) -> SqlError {
        let text = match &error {
            rusqlite::Error::SqliteFailure(code, Some(text))
                if code.code == rusqlite::ErrorCode::ConstraintViolation =>
            {
                text.clone()
            }
            _ => return error.into(),
        };
        let Some(list) = text.strip_prefix("UNIQUE constraint failed: ") else { return error.into() };
        let columns: Vec<&str> =
            list.split(", ").filter_map(|name| name.split_once('.').map(|(_, c)| c)).collect();
        let key = table.keys.iter().filter(|key| key.unique()).find(|key| {
            let own: Vec<String> = key
                .columns
                .iter()
                .filter_map(|(name, _)| table.column(name).map(|(_, c)| c.physical()))
                .collect();
            own == columns
        });
        key.map_or_else(|| error.into(), |key| duplicate(table, key, row))
    }
}

/// The names of a key's columns.
pub fn names(key: &Key) -> Vec<String> {
    key.columns.iter().map(|(name, _)| name.clone()).collect()
}

/// 2627 for a constraint, 2601 for an index.
pub fn duplicate(table: &Table, key: &Key, row: &[Value]) -> SqlError {
    let values: Vec<String> = key
        .columns
        .iter()
        .filter_map(|(name, _)| table.column(name))
        .map(|(at, column)| match &row[at] {
            Value::Null => "<NULL>".to_owned(),
            value => to_text(value, column.ty, SqlType::NVarChar(None), 0).unwrap_or_default(),
        })
        .collect();
    let value = format!("The duplicate key value is ({}).", values.join(", "));
    let shown = table.shown();
    let kind = match key.kind {
        KeyKind::Primary => "PRIMARY KEY",
        KeyKind::Unique => "UNIQUE KEY",
        KeyKind::UniqueIndex | KeyKind::Index => {
            let text = format!(
                "Cannot insert duplicate key row in object '{shown}' with unique index '{}'. {value}",
                key.name
            );
            return SqlError::new(2601, 1, text).class(14);
        }
    };
    let text = format!(
        "Violation of {kind} constraint '{}'. Cannot insert duplicate key in object '{shown}'. {value}",
        key.name
    );
    SqlError::new(2627, 1, text).class(14)
}

/// The columns a condition mentions.
fn mentioned(expr: &Expr, columns: &mut BTreeSet<String>) {
    match expr {
        Expr::Column(name) => {
            columns.insert(name.object().to_owned());
        }
        Expr::And(left, right) | Expr::Or(left, right) => {
            mentioned(left, columns);
            mentioned(right, columns);
        }
        Expr::Compare(_, left, right) | Expr::Arithmetic(_, left, right) => {
            mentioned(left, columns);
            mentioned(right, columns);
        }
        Expr::Not(inner) | Expr::IsNull(inner, _) | Expr::Sign(_, inner) | Expr::Convert(inner, ..) => {
            mentioned(inner, columns);
        }
        Expr::Between(a, b, c, _) => [a, b, c].into_iter().for_each(|expr| mentioned(expr, columns)),
        Expr::InList(value, list, _) => {
            mentioned(value, columns);
            list.iter().for_each(|expr| mentioned(expr, columns));
        }
        Expr::Like(value, pattern, ..) => {
            mentioned(value, columns);
            mentioned(pattern, columns);
        }
        Expr::Call(call) => call.arguments.iter().for_each(|expr| mentioned(expr, columns)),
        _ => {}
    }
}
