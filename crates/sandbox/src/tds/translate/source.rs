//! FROM: tables, derived tables, joins.

use super::{RelationColumn, Source, SourceColumn, Translator};
use crate::tds::engine::catalog::same;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{Join, Name, Source as Tree, TableSource};

impl Translator<'_> {
    /// FROM: its SQL, with a blank in front, and what is in scope by it.
    pub fn from(&mut self, from: &[Tree]) -> SqlResult<(String, Vec<Source>)> {
        let mut parts = Vec::new();
        let mut sources = Vec::new();
        for source in from {
            parts.push(self.source(source, &mut sources)?);
        }
        for (at, source) in sources.iter().enumerate() {
            if sources[..at]
                .iter()
                .any(|other| same(&other.name, &source.name) && other.schema == source.schema)
            {
                let text = format!(
                    "The objects \"{0}\" and \"{0}\" in the FROM clause have the same exposed names. Use \
                     correlation names to distinguish them.",
                    source.name
                );
                return Err(SqlError::new(1013, 1, text).ends_batch());
            }
        }
        let sql = if parts.is_empty() { String::new() } else { format!(" FROM {}", parts.join(", ")) };
        Ok((sql, sources))
    }

    fn source(&mut self, source: &Tree, sources: &mut Vec<Source>) -> SqlResult<String> {
        match source {
            Tree::Table(table) => self.table_source(table, sources),
            Tree::Derived(query, alias, names) => {
                let mut relation = self.subquery(query)?;
                name_columns(&mut relation.columns, names, alias)?;
                let sql = self.fresh('s');
                sources.push(named(&relation.columns, alias, &sql));
                Ok(format!("({}) AS {sql}", relation.sql))
            }
            Tree::Join(left, right, join, on) => {
                let first = sources.len();
                let left = self.source(left, sources)?;
                let middle = sources.len();
                let nested = matches!(**right, Tree::Join(..));
                let right = self.source(right, sources)?;
                let right = if nested { format!("({right})") } else { right };
                let on = match on {
                    Some(on) => {
                        let visible = sources[first..].to_vec();
                        format!(" ON {}", self.within(visible, |this| this.predicate(on))?)
                    }
                    None => String::new(),
                };
                let (left_nulls, right_nulls) =
                    (matches!(join, Join::Right | Join::Full), matches!(join, Join::Left | Join::Full));
                for (at, source) in sources.iter_mut().enumerate().skip(first) {
                    if (at < middle && left_nulls) || (at >= middle && right_nulls) {
                        source.columns.iter_mut().for_each(|column| column.nullable = true);
                    }
                }
                let word = match join {
                    Join::Inner | Join::Cross => "JOIN",
                    Join::Left => "LEFT JOIN",
                    Join::Right => "RIGHT JOIN",
                    Join::Full => "FULL JOIN",
                };
                Ok(format!("{left} {word} {right}{on}"))
            }
        }
    }

    /// A table, CTE or system view by its name.
    pub fn table_source(&mut self, source: &TableSource, sources: &mut Vec<Source>) -> SqlResult<String> {
        self.exclusive |= source.exclusive;
        self.holds |= source.holds;
        let name = &source.name;
        if name.0.len() == 1
            && let Some(cte) = self.ctes.iter().rev().find(|cte| same(&cte.name, name.object())).cloned()
        {
            let sql = self.fresh('s');
            sources.push(named(&cte.columns, source.alias.as_deref().unwrap_or(&cte.name), &sql));
            return Ok(format!("{} AS {sql}", cte.sql));
        }
        if let Some((columns, rows)) = self.system_view(name)? {
            let sql = self.fresh('s');
            sources.push(named(&columns, source.alias.as_deref().unwrap_or(name.object()), &sql));
            return Ok(format!("({rows}) AS {sql}"));
        }
        self.own_database(name)?;
        let Some(table) = self.session.catalog.table(name).cloned() else {
            return Err(SqlError::no_object(name));
        };
        if self.demands_select {
            self.session.demand("SELECT", &table)?;
        }
        self.reads = true;
        let sql = self.fresh('s');
        sources.push(Source::table(&table, source.alias.as_deref(), &sql));
        Ok(format!("{} AS {sql}", table.physical()))
    }

    /// Refuses names in another database.
    pub fn own_database(&self, name: &Name) -> SqlResult<()> {
        match name.database() {
            Some(database) if !database.is_empty() && !same(database, &self.session.database.name) => {
                Err(SqlError::unknown(format!("names in another database than the present one ({name})")))
            }
            _ => Ok(()),
        }
    }
}

/// The columns of a relation as a source.
fn named(columns: &[RelationColumn], name: &str, sql: &str) -> Source {
    let columns = columns
        .iter()
        .enumerate()
        .map(|(at, column)| SourceColumn {
            name: column.name.clone(),
            sql: format!("{sql}.k{}", at + 1),
            ty: column.ty,
            nullable: column.nullable,
            identity: false,
        })
        .collect();
    Source { name: name.to_owned(), schema: None, sql: sql.to_owned(), table: None, columns }
}

/// Gives the columns of a derived table or CTE the names listed behind it, and checks that each has
/// one.
pub(super) fn name_columns(columns: &mut [RelationColumn], names: &[String], of: &str) -> SqlResult<()> {
    if !names.is_empty() && names.len() != columns.len() {
        let (number, more) = if names.len() < columns.len() { (8158, "more") } else { (8159, "fewer") };
        let text = format!("'{of}' has {more} columns than were specified in the column list.");
        return Err(SqlError::new(number, 1, text).ends_batch());
    }
    for (at, column) in columns.iter_mut().enumerate() {
        if let Some(name) = names.get(at) {
            column.name = name.clone();
        }
        if column.name.is_empty() {
            let text = format!("No column name was specified for column {} of '{of}'.", at + 1);
            return Err(SqlError::new(8155, 2, text).ends_batch());
        }
    }
    Ok(())
}
