//! What a database holds besides its rows: tables with their columns and constraints, schemas,
//! users, roles and rights. It is one JSON text in the database's own file, so that every change of
//! it is part of the transaction it is made in, and is rolled back with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{Expr, Name, Reaction};
use crate::tds::value::SqlType;

/// The most tables of one database: a script that makes them in a loop is a mistake.
pub const MOST_TABLES: usize = 2_000;

/// A database's catalogue.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Catalog {
    /// The tables, by schema and name in lower case.
    pub tables: BTreeMap<String, Arc<Table>>,
    /// The schemas one made, besides dbo.
    pub schemas: BTreeSet<String>,
    /// The users, by name in lower case.
    pub users: BTreeMap<String, User>,
    /// The members of roles, by the role's name in lower case; a role of one's own is there even
    /// when it has none.
    pub roles: BTreeMap<String, BTreeSet<String>>,
    /// The rights given and denied.
    pub rights: Vec<Right>,
    /// The number the next object gets.
    pub next_id: i64,
}

/// A user of a database.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its login, in lower case.
    pub login: String,
}

/// A right given or denied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Right {
    /// Who: a user or role in lower case.
    pub principal: String,
    /// Which: SELECT, INSERT, ...
    pub right: String,
    /// On what.
    pub scope: Scope,
    /// Whether it is denied.
    pub denied: bool,
    /// Whether who has it may pass it on.
    #[serde(default)]
    pub grantable: bool,
}

/// What a right is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// The whole database
    Database,
    /// A schema, in lower case
    Schema(String),
    /// A table, by its number
    Table(i64),
}

/// A table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Table {
    /// Its number; the table in SQLite is `t` and this.
    pub id: i64,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
    /// Keys and indexes.
    pub keys: Vec<Key>,
    /// CHECK constraints.
    pub checks: Vec<Check>,
    /// FOREIGN KEY constraints.
    pub foreign: Vec<Foreign>,
}

/// A column.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Column {
    /// Its number within the table, never used again; the column in SQLite is `c` and this.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: SqlType,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// IDENTITY: seed and increment.
    pub identity: Option<(i64, i64)>,
    /// DEFAULT: the constraint's name and the value.
    pub default: Option<(String, Expr)>,
}

/// What kind of key or index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyKind {
    /// PRIMARY KEY
    Primary,
    /// UNIQUE
    Unique,
    /// CREATE UNIQUE INDEX
    UniqueIndex,
    /// CREATE INDEX
    Index,
}

/// A key or an index.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Key {
    /// Its number; the index in SQLite is `k` and this.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: KeyKind,
    /// Its columns and whether they are descending.
    pub columns: Vec<(String, bool)>,
    /// Which rows are in it.
    pub filter: Option<Expr>,
}

impl Key {
    /// Whether it keeps rows apart.
    pub fn unique(&self) -> bool {
        self.kind != KeyKind::Index
    }
}

/// A CHECK constraint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// What must not be false.
    pub condition: Expr,
}

/// A FOREIGN KEY constraint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Foreign {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// The number of the table it points to.
    pub table: i64,
    /// The columns there.
    pub referenced: Vec<String>,
    /// ON DELETE
    pub on_delete: Reaction,
    /// ON UPDATE
    pub on_update: Reaction,
}

impl Table {
    /// The table's name in SQLite.
    pub fn physical(&self) -> String {
        format!("t{}", self.id)
    }

    /// A column by its name: its place and itself.
    pub fn column(&self, name: &str) -> Option<(usize, &Column)> {
        self.columns.iter().enumerate().find(|(_, column)| same(&column.name, name))
    }

    /// The places of columns by their names.
    ///
    /// # Errors
    /// 1911 where there is none of that name.
    pub fn places(&self, names: &[String]) -> SqlResult<Vec<usize>> {
        names
            .iter()
            .map(|name| {
                self.column(name).map(|(at, _)| at).ok_or_else(|| {
                    SqlError::new(
                        1911,
                        1,
                        format!("Column name '{name}' does not exist in the target table or view."),
                    )
                    .ends_batch()
                })
            })
            .collect()
    }

    /// `schema.table`, as messages name it.
    pub fn shown(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// The place of the rowversion column.
    pub fn rowversion(&self) -> Option<usize> {
        self.columns.iter().position(|column| column.ty == SqlType::RowVersion)
    }

    /// The place of the identity column, its seed and increment.
    pub fn identity(&self) -> Option<(usize, i64, i64)> {
        self.columns
            .iter()
            .enumerate()
            .find_map(|(at, column)| column.identity.map(|(seed, increment)| (at, seed, increment)))
    }

    /// The columns of the table in SQLite, with commas between.
    pub fn physical_columns(&self) -> String {
        self.columns.iter().map(Column::physical).collect::<Vec<_>>().join(", ")
    }
}

impl Column {
    /// The column's name in SQLite.
    pub fn physical(&self) -> String {
        format!("c{}", self.number)
    }
}

impl Catalog {
    /// The table of a name, in dbo where none is given.
    pub fn table(&self, name: &Name) -> Option<&Arc<Table>> {
        self.tables.get(&key(name.schema().unwrap_or("dbo"), name.object()))
    }

    /// The table of a number.
    pub fn table_by_id(&self, id: i64) -> Option<&Arc<Table>> {
        self.tables.values().find(|table| table.id == id)
    }

    /// Puts a table in, or in another's place.
    pub fn put(&mut self, table: Table) {
        self.tables.insert(key(&table.schema, &table.name), Arc::new(table));
    }

    /// Takes a table out.
    pub fn take(&mut self, table: &Table) {
        self.tables.remove(&key(&table.schema, &table.name));
        self.rights.retain(|right| right.scope != Scope::Table(table.id));
    }

    /// A new number.
    pub fn number(&mut self) -> i64 {
        // SQL Server's numbers of objects of one's own are large; ours begin where they can't be
        // taken for those of the system.
        self.next_id = self.next_id.max(100_000_000) + 1;
        self.next_id
    }

    /// Whether there is such a schema.
    pub fn has_schema(&self, name: &str) -> bool {
        same(name, "dbo") || self.schemas.iter().any(|schema| same(schema, name))
    }

    /// The schema as it was written when it was made.
    pub fn schema(&self, name: &str) -> Option<String> {
        if same(name, "dbo") {
            return Some("dbo".to_owned());
        }
        self.schemas.iter().find(|schema| same(schema, name)).cloned()
    }

    /// Whether a constraint or index of that name is anywhere.
    pub fn has_constraint(&self, name: &str) -> bool {
        self.tables.values().any(|table| {
            table
                .keys
                .iter()
                .any(|k| matches!(k.kind, KeyKind::Primary | KeyKind::Unique) && same(&k.name, name))
                || table.checks.iter().any(|c| same(&c.name, name))
                || table.foreign.iter().any(|f| same(&f.name, name))
                || table.columns.iter().any(|c| c.default.as_ref().is_some_and(|(n, _)| same(n, name)))
        })
    }
}

/// Names are the same without regard to case.
pub fn same(left: &str, right: &str) -> bool {
    left == right || left.to_lowercase() == right.to_lowercase()
}

fn key(schema: &str, table: &str) -> String {
    format!("{}\u{0}{}", schema.to_lowercase(), table.to_lowercase())
}

/// Makes the catalogue's table in a new file.
///
/// # Errors
/// What SQLite says.
pub fn prepare(connection: &Connection) -> SqlResult<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS tds_catalog (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL,
           body TEXT NOT NULL) STRICT;
         CREATE TABLE IF NOT EXISTS tds_counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
         INSERT OR IGNORE INTO tds_catalog VALUES (1, 1, '{\"tables\":{},\"schemas\":[],\"users\":{},
           \"roles\":{},\"rights\":[],\"next_id\":0}');",
    )?;
    Ok(())
}

/// The catalogue's version: it changes with every change.
///
/// # Errors
/// What SQLite says.
pub fn version(connection: &Connection) -> SqlResult<i64> {
    let mut statement = connection.prepare_cached("SELECT version FROM tds_catalog")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// Reads the catalogue and its version.
///
/// # Errors
/// When it can't be read: a state that can't be understood is never thrown away.
pub fn load(connection: &Connection) -> SqlResult<(i64, Catalog)> {
    let (version, body): (i64, String) =
        connection
            .query_row("SELECT version, body FROM tds_catalog", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let catalog = serde_json::from_str(&body)
        .map_err(|error| SqlError::internal(format!("a catalogue that can't be read: {error}")))?;
    Ok((version, catalog))
}

/// Writes the catalogue, inside of the transaction that is open, and returns its new version.
///
/// # Errors
/// What SQLite says.
pub fn store(connection: &Connection, catalog: &Catalog) -> SqlResult<i64> {
    let body = serde_json::to_string(catalog).map_err(SqlError::internal)?;
    let version = connection.query_row(
        "UPDATE tds_catalog SET version = version + 1, body = ?1 RETURNING version",
        [body],
        |row| row.get(0),
    )?;
    Ok(version)
}
