//! Constraints of tables, as they are made.

use crate::tds::engine::catalog::{Catalog, Check, Foreign, Key, KeyKind, Table};
use crate::tds::engine::constraints::names;
use crate::tds::engine::session::{Frame, Session};
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{ConstraintDefinition, ConstraintKind, Expr, Name, Reaction};
use crate::tds::translate::Translator;
use crate::tds::value::SqlType;

impl Session {
    /// A default must be computable without a row, and fit the column.
    pub(super) fn check_default(&self, value: &Expr, ty: SqlType) -> SqlResult<()> {
        let frame = Frame::default();
        let mut translator = Translator::new(self, &frame);
        let typed = translator.scalar(value)?;
        translator.implicit(typed, ty).map(|_| ())
    }

    /// A name for a constraint that was given none.
    pub(super) fn made_up(&self, prefix: &str, table: &str, column: &str) -> String {
        let digits = self.server.context.random.text("0123456789ABCDEF", 8);
        let short = |text: &str, most: usize| text.chars().take(most).collect::<String>();
        match column {
            "" => format!("{prefix}__{}__{digits}", short(table, 9)),
            column => format!("{prefix}__{}__{}__{digits}", short(table, 9), short(column, 5)),
        }
    }

    /// Adds a constraint to a table and checks what is in it already.
    pub(super) fn add_constraint(
        &mut self,
        catalog: &mut Catalog,
        table: &mut Table,
        constraint: &ConstraintDefinition,
        column: Option<&str>,
        verb: &str,
    ) -> SqlResult<()> {
        if let Some(name) = &constraint.name
            && catalog.has_constraint(name)
        {
            return Err(SqlError::new(
                2714,
                5,
                format!("There is already an object named '{name}' in the database."),
            )
            .ends_batch());
        }
        let own = |columns: &[String]| match (columns, column) {
            ([], Some(column)) => vec![column.to_owned()],
            (columns, _) => columns.to_vec(),
        };
        let name = |session: &Self, prefix: &str, column: &str| {
            constraint.name.clone().unwrap_or_else(|| session.made_up(prefix, &table.name, column))
        };
        match &constraint.kind {
            ConstraintKind::Primary(columns) => {
                if table.keys.iter().any(|key| key.kind == KeyKind::Primary) {
                    let text = format!("Table '{}' already has a primary key defined on it.", table.name);
                    return Err(SqlError::new(1779, 0, text).ends_batch());
                }
                let name = name(self, "PK", "");
                self.add_key(catalog, table, KeyKind::Primary, name, own(columns), verb)
            }
            ConstraintKind::Unique(columns) => {
                let name = name(self, "UQ", "");
                self.add_key(catalog, table, KeyKind::Unique, name, own(columns), verb)
            }
            ConstraintKind::Check(condition) => {
                let check =
                    Check { name: name(self, "CK", column.unwrap_or("")), condition: condition.clone() };
                self.verify_check(table, &check, None, verb)?;
                table.checks.push(check);
                Ok(())
            }
            ConstraintKind::Foreign(columns, parent, referenced, on_delete, on_update) => {
                let name = name(self, "FK", column.unwrap_or(""));
                let foreign = foreign(
                    catalog,
                    table,
                    name,
                    own(columns),
                    parent,
                    referenced,
                    (*on_delete, *on_update),
                )?;
                // What is in the table already must have its parent.
                let sql = format!("SELECT {} FROM {}", table.physical_columns(), table.physical());
                for row in self.gather(&sql, &[], table.columns.len())? {
                    self.verify_foreign(table, &foreign, &row, verb)?;
                }
                table.foreign.push(foreign);
                Ok(())
            }
            ConstraintKind::Default(value, column) => {
                let name = name(self, "DF", column);
                let Some((at, found)) = table.column(column) else {
                    return Err(SqlError::no_column(column));
                };
                if found.default.is_some() {
                    return Err(
                        SqlError::new(1781, 1, "Column already has a DEFAULT bound to it.").ends_batch()
                    );
                }
                self.check_default(value, found.ty)?;
                table.columns[at].default = Some((name, value.clone()));
                Ok(())
            }
        }
    }

    fn add_key(
        &mut self,
        catalog: &mut Catalog,
        table: &mut Table,
        kind: KeyKind,
        name: String,
        columns: Vec<String>,
        verb: &str,
    ) -> SqlResult<()> {
        let places = table.places(&columns)?;
        if kind == KeyKind::Primary && places.iter().any(|at| table.columns[*at].nullable) {
            let text =
                format!("Cannot define PRIMARY KEY constraint on nullable column in table '{}'.", table.name);
            return Err(SqlError::new(8111, 1, text).ends_batch());
        }
        let columns = columns.into_iter().map(|column| (column, false)).collect();
        let key = Key { id: catalog.number(), name, kind, columns, filter: None };
        self.build_index(table, &key, verb)?;
        table.keys.push(key);
        Ok(())
    }
}

/// A foreign key, once it is sure that it points to a key.
fn foreign(
    catalog: &Catalog,
    table: &Table,
    name: String,
    columns: Vec<String>,
    parent: &Name,
    referenced: &[String],
    (on_delete, on_update): (Reaction, Reaction),
) -> SqlResult<Foreign> {
    let no_parent = || {
        let text = format!("Foreign key '{name}' references invalid table '{parent}'.");
        SqlError::new(1767, 0, text).ends_batch()
    };
    let target = catalog.table(parent).ok_or_else(no_parent)?;
    let places = table.places(&columns)?;
    let primary = target.keys.iter().find(|key| key.kind == KeyKind::Primary);
    let referenced = match (referenced, primary) {
        ([], Some(primary)) => names(primary),
        (referenced, _) => referenced.to_vec(),
    };
    let wanted: Vec<String> = referenced.iter().map(|column| column.to_lowercase()).collect();
    let is_key = target.keys.iter().any(|key| {
        let mut own: Vec<String> = names(key).iter().map(|column| column.to_lowercase()).collect();
        let mut wanted = wanted.clone();
        own.sort();
        wanted.sort();
        key.unique() && key.filter.is_none() && own == wanted
    });
    if !is_key || referenced.len() != columns.len() {
        let text = format!(
            "There are no primary or candidate keys in the referenced table '{parent}' that match the referencing \
             column list in the foreign key '{name}'."
        );
        return Err(SqlError::new(1776, 0, text).ends_batch());
    }
    for (own, other) in places.iter().zip(target.places(&referenced)?) {
        let (own, other) = (&table.columns[*own], &target.columns[other]);
        let comparable = own.ty == other.ty || (own.ty.is_text() && other.ty.is_text());
        if !comparable {
            let text = format!(
                "Column '{}.{}' is not the same data type as referencing column '{}.{}' in foreign key '{name}'.",
                target.name, other.name, table.name, own.name
            );
            return Err(SqlError::new(1778, 0, text).ends_batch());
        }
    }
    let reaches = |reaction| reaction != Reaction::Refuse;
    if (reaches(on_delete) || reaches(on_update)) && another_path(catalog, table, target.id) {
        let text = format!(
            "Introducing FOREIGN KEY constraint '{name}' on table '{}' may cause cycles or multiple cascade paths. Specify \
             ON DELETE NO ACTION or ON UPDATE NO ACTION, or modify other FOREIGN KEY constraints.",
            table.name
        );
        return Err(SqlError::new(1785, 0, text).ends_batch());
    }
    Ok(Foreign { name, columns, table: target.id, referenced, on_delete, on_update })
}

/// Whether a cascade that reaches `parent` would reach `table` (a cycle), or an ancestor of `parent`
/// reaches `table` on another way already.
fn another_path(catalog: &Catalog, table: &Table, parent: i64) -> bool {
    let cascades = |f: &&Foreign| f.on_delete != Reaction::Refuse || f.on_update != Reaction::Refuse;
    let ancestors = |of: i64, own: &[Foreign]| {
        let mut found: Vec<i64> = Vec::new();
        let mut next: Vec<i64> = match catalog.table_by_id(of) {
            _ if of == table.id => own.iter().filter(cascades).map(|f| f.table).collect(),
            Some(known) => known.foreign.iter().filter(cascades).map(|f| f.table).collect(),
            None => Vec::new(),
        };
        while let Some(id) = next.pop() {
            if !found.contains(&id) {
                found.push(id);
                let known = catalog.table_by_id(id).map(|t| t.foreign.clone()).unwrap_or_default();
                next.extend(known.iter().filter(cascades).map(|f| f.table));
            }
        }
        found
    };
    let mut above_parent = ancestors(parent, &[]);
    above_parent.push(parent);
    let above_table = ancestors(table.id, &table.foreign);
    above_parent.contains(&table.id) || above_parent.iter().any(|id| above_table.contains(id))
}
