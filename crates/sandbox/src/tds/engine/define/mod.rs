//! CREATE, ALTER and DROP of tables, indexes, schemas and databases.

mod alter;
mod constraint;
mod index;

use std::sync::Arc;

use super::catalog::{self, Catalog, Column, MOST_TABLES, Table, same};
use super::session::{Frame, Session};
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{ColumnDefinition, ConstraintDefinition, ConstraintKind, Name};
use crate::tds::translate::Translator;
use crate::tds::value::SqlType;

/// The most columns of a table, as by SQL Server.
const MOST_COLUMNS: usize = 1_024;

impl Session {
    /// CREATE TABLE.
    ///
    /// # Errors
    /// 262, 2714, 2760 and what is wrong with the columns and constraints.
    pub fn create_table(
        &mut self,
        name: &Name,
        columns: &[ColumnDefinition],
        constraints: &[ConstraintDefinition],
    ) -> SqlResult<()> {
        self.change_catalog(|session, catalog| {
            session.demand_statement("CREATE TABLE")?;
            Translator::new(session, &Frame::default()).own_database(name)?;
            let schema = name.schema().unwrap_or("dbo");
            let Some(schema) = catalog.schema(schema) else {
                let text = format!(
                    "The specified schema name \"{schema}\" either does not exist or you do not have permission to use it."
                );
                return Err(SqlError::new(2760, 1, text).ends_batch());
            };
            if catalog.table(name).is_some() {
                let text = format!("There is already an object named '{}' in the database.", name.object());
                return Err(SqlError::new(2714, 6, text).ends_batch());
            }
            if catalog.tables.len() >= MOST_TABLES {
                return Err(SqlError::unknown(format!("more than {MOST_TABLES} tables")));
            }
            let mut table = Table {
                id: catalog.number(),
                schema,
                name: name.object().to_owned(),
                columns: Vec::new(),
                keys: Vec::new(),
                checks: Vec::new(),
                foreign: Vec::new(),
            };
            for definition in columns {
                let column = session.new_column(&table, definition, columns, constraints)?;
                table.columns.push(column);
            }
            if table.columns.is_empty() || table.columns.len() > MOST_COLUMNS {
                return Err(SqlError::new(1702, 1, format!("CREATE TABLE failed because column count is outside of 1 to {MOST_COLUMNS}.")).ends_batch());
            }
            session.database.forget(&session.connection, &format!("identity:{}", table.id))?;
            session.connection.execute_batch(&create_sql(&table))?;
            catalog.put(table.clone());
            let behind = columns.iter().flat_map(|c| c.constraints.iter().map(move |k| (k, Some(c.name.as_str()))));
            let all: Vec<_> = behind.chain(constraints.iter().map(|constraint| (constraint, None))).collect();
            // Keys first: a foreign key of the table may point to the table itself.
            let (keys, others): (Vec<_>, Vec<_>) = all
                .into_iter()
                .partition(|(c, _)| matches!(c.kind, ConstraintKind::Primary(_) | ConstraintKind::Unique(_)));
            for (constraint, column) in keys.into_iter().chain(others) {
                session.add_constraint(catalog, &mut table, constraint, column, "CREATE TABLE")?;
                catalog.put(table.clone());
            }
            Ok(())
        })
    }

    pub(super) fn new_column(
        &self,
        table: &Table,
        definition: &ColumnDefinition,
        all: &[ColumnDefinition],
        constraints: &[ConstraintDefinition],
    ) -> SqlResult<Column> {
        let name = &definition.name;
        if table.column(name).is_some() {
            let text = format!(
                "Column names in each table must be unique. Column name '{name}' in table '{}' is specified more than once.",
                table.name
            );
            return Err(SqlError::new(2705, 3, text).ends_batch());
        }
        let in_primary = |constraint: &ConstraintDefinition, own: bool| match &constraint.kind {
            ConstraintKind::Primary(columns) => {
                (own && columns.is_empty()) || columns.iter().any(|c| same(c, name))
            }
            _ => false,
        };
        let primary = definition.constraints.iter().any(|c| in_primary(c, true))
            || constraints.iter().any(|c| in_primary(c, false))
            || all.iter().flat_map(|column| &column.constraints).any(|c| in_primary(c, false));
        if primary && definition.nullable == Some(true) {
            let text =
                format!("Cannot define PRIMARY KEY constraint on nullable column in table '{}'.", table.name);
            return Err(SqlError::new(8111, 1, text).ends_batch());
        }
        if definition.identity.is_some() {
            let whole = matches!(
                definition.ty,
                SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt
            );
            if !whole || definition.identity.is_some_and(|(_, step)| step == 0) {
                let text = format!(
                    "Identity column '{name}' must be of data type int, bigint, smallint, tinyint, or decimal or numeric with a scale of 0, unencrypted, and constrained to be nonnullable."
                );
                return Err(SqlError::new(2749, 2, text).ends_batch());
            }
            if table.identity().is_some() {
                let text = format!(
                    "Multiple identity columns specified for table '{}'. Only one identity column per table is allowed.",
                    table.name
                );
                return Err(SqlError::new(2744, 2, text).ends_batch());
            }
        }
        let default = match &definition.default {
            Some((given, value)) => {
                let constraint = given.clone().unwrap_or_else(|| self.made_up("DF", &table.name, name));
                self.check_default(value, definition.ty)?;
                Some((constraint, value.clone()))
            }
            None => None,
        };
        let never_null = primary || definition.identity.is_some() || definition.ty == SqlType::RowVersion;
        let last = table.columns.iter().map(|column| column.number).max().unwrap_or(0);
        Ok(Column {
            number: last + 1,
            name: name.clone(),
            ty: definition.ty,
            nullable: !never_null && definition.nullable.unwrap_or(true),
            identity: definition.identity,
            default,
        })
    }

    /// DROP TABLE.
    ///
    /// # Errors
    /// 3701, 3726.
    pub fn drop_tables(&mut self, tables: &[Name], if_exists: bool) -> SqlResult<()> {
        self.change_catalog(|session, catalog| {
            for name in tables {
                let Some(table) = catalog.table(name).cloned() else {
                    if if_exists {
                        continue;
                    }
                    return Err(cannot_drop("table", &name.to_string()));
                };
                if !session.may_alter(&table)? {
                    return Err(cannot_drop("table", &name.to_string()));
                }
                let referenced = catalog
                    .tables
                    .values()
                    .any(|other| other.id != table.id && other.foreign.iter().any(|f| f.table == table.id));
                if referenced {
                    let text = format!(
                        "Could not drop object '{name}' because it is referenced by a FOREIGN KEY constraint."
                    );
                    return Err(SqlError::new(3726, 1, text));
                }
                session.connection.execute_batch(&format!("DROP TABLE {}", table.physical()))?;
                session.database.forget(&session.connection, &format!("identity:{}", table.id))?;
                catalog.take(&table);
            }
            Ok(())
        })
    }

    /// CREATE SCHEMA.
    ///
    /// # Errors
    /// 262, 2714.
    pub fn create_schema(&mut self, name: &str) -> SqlResult<()> {
        self.change_catalog(|session, catalog| {
            session.demand_statement("CREATE SCHEMA")?;
            if catalog.has_schema(name) || ["sys", "information_schema"].iter().any(|own| same(own, name)) {
                return Err(SqlError::new(
                    2714,
                    6,
                    format!("There is already an object named '{name}' in the database."),
                )
                .ends_batch());
            }
            catalog.schemas.insert(name.to_owned());
            Ok(())
        })
    }

    /// DROP SCHEMA.
    ///
    /// # Errors
    /// 262, 15151, 3729.
    pub fn drop_schema(&mut self, name: &str, if_exists: bool) -> SqlResult<()> {
        self.change_catalog(|session, catalog| {
            session.demand_statement("CREATE SCHEMA")?;
            let Some(schema) = catalog.schemas.iter().find(|schema| same(schema, name)).cloned() else {
                return if if_exists { Ok(()) } else { Err(SqlError::cannot("drop", "schema", name)) };
            };
            if let Some(table) = catalog.tables.values().find(|table| same(&table.schema, name)) {
                let text = format!(
                    "Cannot drop schema '{name}' because it is being referenced by object '{}'.",
                    table.name
                );
                return Err(SqlError::new(3729, 1, text));
            }
            catalog.schemas.remove(&schema);
            Ok(())
        })
    }

    /// A table that this session may alter.
    pub(super) fn alterable(&self, catalog: &Catalog, name: &Name, number: i32) -> SqlResult<Table> {
        Translator::new(self, &Frame::default()).own_database(name)?;
        match catalog.table(name) {
            Some(table) if self.may_alter(table)? => Ok(Table::clone(table)),
            _ => Err(SqlError::new(
                number,
                1,
                format!("Cannot find the object \"{name}\" because it does not exist or you do not have permissions."),
            )
            .ends_batch()),
        }
    }

    /// Changes the catalogue inside of a write: a copy is changed, stored, and takes its place.
    ///
    /// # Errors
    /// What `change` returns; then nothing was changed.
    pub fn change_catalog(
        &mut self,
        change: impl FnOnce(&mut Self, &mut Catalog) -> SqlResult<()>,
    ) -> SqlResult<()> {
        self.write(|session| {
            let mut catalog = Catalog::clone(&session.catalog);
            change(session, &mut catalog)?;
            session.catalog_version = Some(catalog::store(&session.connection, &catalog)?);
            session.catalog = Arc::new(catalog);
            Ok(())
        })
    }
}

fn create_sql(table: &Table) -> String {
    let columns: Vec<String> = table.columns.iter().map(column_sql).collect();
    format!("CREATE TABLE {} ({}) STRICT", table.physical(), columns.join(", "))
}

pub(super) fn column_sql(column: &Column) -> String {
    let collation = column.ty.collation().map_or(String::new(), |collation| format!(" COLLATE {collation}"));
    format!("{} {}{collation}", column.physical(), column.ty.storage())
}

pub(super) fn cannot_drop(kind: &str, name: &str) -> SqlError {
    let text =
        format!("Cannot drop the {kind} '{name}', because it does not exist or you do not have permission.");
    SqlError::new(3701, 5, text).class(11)
}
