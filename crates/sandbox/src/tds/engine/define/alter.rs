//! ALTER TABLE.

use super::column_sql;
use crate::tds::engine::catalog::{Catalog, Check, KeyKind, Table, same};
use crate::tds::engine::constraints::names;
use crate::tds::engine::session::Session;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{AlterTable, ColumnDefinition, Name};
use crate::tds::value::SqlType;

impl Session {
    /// ALTER TABLE.
    ///
    /// # Errors
    /// 4902, 4901, 5074 and what is wrong with the columns and constraints.
    pub fn alter_table(&mut self, name: &Name, change: &AlterTable) -> SqlResult<()> {
        self.change_catalog(|session, catalog| {
            let mut table = session.alterable(catalog, name, 4902)?;
            match change {
                AlterTable::Add(columns, constraints) => {
                    for definition in columns {
                        session.add_column(&mut table, definition)?;
                        catalog.put(table.clone());
                    }
                    let behind = columns
                        .iter()
                        .flat_map(|c| c.constraints.iter().map(move |k| (k, Some(c.name.as_str()))));
                    for (constraint, column) in
                        behind.chain(constraints.iter().map(|constraint| (constraint, None)))
                    {
                        session.add_constraint(catalog, &mut table, constraint, column, "ALTER TABLE")?;
                        catalog.put(table.clone());
                    }
                }
                AlterTable::DropColumn(column) => drop_column(session, catalog, &mut table, column)?,
                AlterTable::DropConstraint(constraint) => {
                    drop_constraint(session, catalog, &mut table, constraint)?
                }
            }
            catalog.put(table);
            Ok(())
        })
    }

    fn add_column(&self, table: &mut Table, definition: &ColumnDefinition) -> SqlResult<()> {
        if definition.identity.is_some() || definition.ty == SqlType::RowVersion {
            return Err(SqlError::unknown("ALTER TABLE ... ADD of an identity or rowversion column"));
        }
        let column = self.new_column(table, definition, &[], &[])?;
        let sql = format!("SELECT 1 FROM {} LIMIT 1", table.physical());
        let filled = !self.gather(&sql, &[], 1)?.is_empty();
        if filled && !column.nullable && column.default.is_none() {
            let text = format!(
                "ALTER TABLE only allows columns to be added that can contain nulls, or have a DEFAULT definition \
                 specified. Column '{}' cannot be added to non-empty table '{}' because it does not satisfy these \
                 conditions.",
                column.name, table.name
            );
            return Err(SqlError::new(4901, 1, text).ends_batch());
        }
        let alter = format!("ALTER TABLE {} ADD COLUMN {}", table.physical(), column_sql(&column));
        self.connection.execute_batch(&alter)?;
        // Only a NOT NULL column gives its default to the rows that are there.
        if filled && !column.nullable {
            let value = self.default(table, &column)?;
            let set = format!("UPDATE {} SET {} = ?1", table.physical(), column.physical());
            self.connection.execute(&set, [value])?;
        }
        table.columns.push(column);
        Ok(())
    }
}

fn drop_column(session: &Session, catalog: &Catalog, table: &mut Table, column: &str) -> SqlResult<()> {
    let Some((at, found)) = table.column(column) else {
        let text = format!(
            "ALTER TABLE DROP COLUMN failed because column '{column}' does not exist in table '{}'.",
            table.name
        );
        return Err(SqlError::new(4924, 1, text).ends_batch());
    };
    let in_check = |check: &Check| {
        let text = serde_json::to_string(&check.condition).unwrap_or_default().to_lowercase();
        text.contains(&format!("\"{}\"", column.to_lowercase()))
    };
    let used = found.default.as_ref().map(|(name, _)| name.clone()).or_else(|| {
        let in_list = |columns: &[String]| columns.iter().any(|name| same(name, column));
        let key = table.keys.iter().find(|key| in_list(&names(key))).map(|key| key.name.clone());
        let foreign = table.foreign.iter().find(|f| in_list(&f.columns)).map(|f| f.name.clone());
        let check = table.checks.iter().find(|check| in_check(check)).map(|check| check.name.clone());
        let pointing = catalog.tables.values().flat_map(|other| &other.foreign);
        let pointed =
            pointing.filter(|f| f.table == table.id && in_list(&f.referenced)).map(|f| f.name.clone()).next();
        key.or(foreign).or(check).or(pointed)
    });
    if let Some(name) = used {
        let text = format!("The object '{name}' is dependent on column '{column}'.");
        return Err(SqlError::new(5074, 1, text).ends_batch());
    }
    let sql = format!("ALTER TABLE {} DROP COLUMN {}", table.physical(), found.physical());
    session.connection.execute_batch(&sql)?;
    table.columns.remove(at);
    Ok(())
}

fn drop_constraint(session: &Session, catalog: &Catalog, table: &mut Table, name: &str) -> SqlResult<()> {
    if let Some(at) = table
        .keys
        .iter()
        .position(|key| same(&key.name, name) && matches!(key.kind, KeyKind::Primary | KeyKind::Unique))
    {
        let columns = names(&table.keys[at]);
        let pointed = catalog.tables.values().flat_map(|other| &other.foreign).find(|foreign| {
            foreign.table == table.id
                && foreign.referenced.iter().all(|c| columns.iter().any(|own| same(own, c)))
        });
        if let Some(foreign) = pointed {
            let text = format!(
                "The constraint '{name}' is being referenced by table constraint '{}'.",
                foreign.name
            );
            return Err(SqlError::new(3725, 0, text).ends_batch());
        }
        session.connection.execute_batch(&format!("DROP INDEX k{}", table.keys[at].id))?;
        table.keys.remove(at);
        return Ok(());
    }
    let before = table.checks.len() + table.foreign.len();
    table.checks.retain(|check| !same(&check.name, name));
    table.foreign.retain(|foreign| !same(&foreign.name, name));
    let mut found = table.checks.len() + table.foreign.len() < before;
    for column in &mut table.columns {
        if column.default.as_ref().is_some_and(|(own, _)| same(own, name)) {
            column.default = None;
            found = true;
        }
    }
    if found {
        return Ok(());
    }
    Err(SqlError::new(3728, 1, format!("'{name}' is not a constraint.")).ends_batch())
}
