//! Indexes.

use super::cannot_drop;
use crate::tds::engine::catalog::{Key, KeyKind, Table, same};
use crate::tds::engine::constraints::{duplicate, names};
use crate::tds::engine::session::Session;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{CreateIndex, Name};
use crate::tds::value::{SqlType, Value};

impl Session {
    /// Makes the index in SQLite.
    pub(super) fn build_index(&self, table: &Table, key: &Key, verb: &str) -> SqlResult<()> {
        let places = table.places(&names(key))?;
        if let Some(at) = places.iter().find(|at| {
            let ty = table.columns[**at].ty;
            (ty.is_text() || ty.is_binary()) && ty.length().is_none() && ty != SqlType::RowVersion
        }) {
            let text = format!(
                "Column '{}' in table '{}' is of a type that is invalid for use as a key column in an index.",
                table.columns[*at].name,
                table.shown()
            );
            return Err(SqlError::new(1919, 1, text).ends_batch());
        }
        let columns: Vec<String> = places
            .iter()
            .zip(&key.columns)
            .map(|(at, (_, descending))| {
                format!("{}{}", table.columns[*at].physical(), if *descending { " DESC" } else { "" })
            })
            .collect();
        let filter = match &key.filter {
            Some(filter) => format!(" WHERE {}", self.inline_condition(table, filter)?),
            None => String::new(),
        };
        let duplicate_found = |row: &[Value]| {
            let found = duplicate(table, key, row).message;
            let value = found.split_once("The duplicate").map_or("", |(_, value)| value);
            let text = format!(
                "The {verb} statement terminated because a duplicate key was found for the object name '{}' and the \
                 index name '{}'. The duplicate{value}",
                table.shown(),
                key.name
            );
            SqlError::new(1505, 1, text).ends_batch()
        };
        if key.unique() {
            // SQLite would let rows with NULLs in, so what is there already is looked at here.
            let list: Vec<String> = places.iter().map(|at| table.columns[*at].physical()).collect();
            let list = list.join(", ");
            let sql = format!(
                "SELECT {} FROM {}{filter} GROUP BY {list} HAVING count(*) > 1 LIMIT 1",
                table.physical_columns(),
                table.physical()
            );
            if let Some(row) = self.gather(&sql, &[], table.columns.len())?.first() {
                return Err(duplicate_found(row));
            }
        }
        let unique = if key.unique() { "UNIQUE " } else { "" };
        let sql = format!(
            "CREATE {unique}INDEX k{} ON {} ({}){filter}",
            key.id,
            table.physical(),
            columns.join(", ")
        );
        self.connection.execute_batch(&sql)?;
        Ok(())
    }

    /// CREATE INDEX.
    ///
    /// # Errors
    /// 1088, 1505, 1911, 1913.
    pub fn create_index(&mut self, create: &CreateIndex) -> SqlResult<()> {
        self.change_catalog(|session, catalog| {
            let mut table = session.alterable(catalog, &create.table, 1088)?;
            if table.keys.iter().any(|key| same(&key.name, &create.name)) {
                let text = format!(
                    "The operation failed because an index or statistics with name '{}' already exists on table '{}'.",
                    create.name, create.table
                );
                return Err(SqlError::new(1913, 1, text).ends_batch());
            }
            table.places(&create.include)?;
            let kind = if create.unique { KeyKind::UniqueIndex } else { KeyKind::Index };
            let (columns, filter) = (create.columns.clone(), create.filter.clone());
            let key = Key { id: catalog.number(), name: create.name.clone(), kind, columns, filter };
            session.build_index(&table, &key, "CREATE UNIQUE INDEX")?;
            table.keys.push(key);
            catalog.put(table);
            Ok(())
        })
    }

    /// DROP INDEX.
    ///
    /// # Errors
    /// 3701, and 3723 for the index of a constraint.
    pub fn drop_index(&mut self, name: &str, of: &Name, if_exists: bool) -> SqlResult<()> {
        self.change_catalog(|session, catalog| {
            let mut table = session.alterable(catalog, of, 3701)?;
            let Some(at) = table.keys.iter().position(|key| same(&key.name, name)) else {
                return if if_exists { Ok(()) } else { Err(cannot_drop("index", &format!("{of}.{name}"))) };
            };
            if matches!(table.keys[at].kind, KeyKind::Primary | KeyKind::Unique) {
                let text = format!(
                    "An explicit DROP INDEX is not allowed on index '{of}.{name}'. It is being used for PRIMARY KEY \
                     constraint enforcement."
                );
                return Err(SqlError::new(3723, 4, text).ends_batch());
            }
            session.connection.execute_batch(&format!("DROP INDEX k{}", table.keys[at].id))?;
            table.keys.remove(at);
            catalog.put(table);
            Ok(())
        })
    }
}
