//! The select list, and the list of OUTPUT.

use super::{RelationColumn, Translator, Typed};
use crate::tds::engine::catalog::same;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{Expr, Item, Name};

/// The most columns of a result, as by SQL Server.
const MOST_COLUMNS: usize = 4_096;

impl Translator<'_> {
    /// The items of OUTPUT as a list, and their columns.
    ///
    /// # Errors
    /// Whatever is wrong with them.
    pub fn output_items(&mut self, items: &[Item]) -> SqlResult<(String, Vec<RelationColumn>)> {
        let (typed, columns) = self.items(items)?;
        let list: Vec<String> = typed.into_iter().map(|typed| typed.sql).collect();
        Ok((list.join(", "), columns))
    }

    pub(super) fn items(&mut self, items: &[Item]) -> SqlResult<(Vec<Typed>, Vec<RelationColumn>)> {
        let mut typed = Vec::new();
        let mut columns: Vec<RelationColumn> = Vec::new();
        let assigns = items.iter().filter(|item| matches!(item, Item::Assign(..))).count();
        if assigns > 0 && assigns < items.len() {
            return Err(SqlError::new(
                141,
                1,
                "A SELECT statement that assigns a value to a variable must not be combined with data-retrieval \
                 operations.",
            )
            .class(15)
            .ends_batch());
        }
        for item in items {
            match item {
                Item::All(qualifier) => {
                    for name in self.all_columns(qualifier.as_ref())? {
                        let column = self.find_column(&name)?.1;
                        let (name, identity) = (column.name.clone(), column.identity);
                        let expr = self.column_of(&name, column.sql.clone())?;
                        columns.push(RelationColumn {
                            name,
                            ty: expr.ty,
                            nullable: expr.nullable,
                            identity,
                            variable: None,
                        });
                        typed.push(expr);
                    }
                }
                Item::Expr(expr, alias) => {
                    let (name, identity) = match (alias, expr) {
                        (Some(alias), _) => (alias.clone(), false),
                        (None, Expr::Column(name)) => (name.object().to_owned(), false),
                        _ => (String::new(), false),
                    };
                    let identity = identity
                        || matches!(expr, Expr::Column(name) if self.find_column(name).is_ok_and(|(_, c)| c.identity));
                    let expr = self.scalar(expr)?;
                    columns.push(RelationColumn {
                        name,
                        ty: expr.ty,
                        nullable: expr.nullable,
                        identity,
                        variable: None,
                    });
                    typed.push(expr);
                }
                Item::Assign(variable, expr) => {
                    let target = self.variable(variable)?.ty;
                    let expr = self.scalar(expr)?;
                    let expr = self.implicit(expr, target)?;
                    columns.push(RelationColumn {
                        name: String::new(),
                        ty: target,
                        nullable: true,
                        identity: false,
                        variable: Some(variable.clone()),
                    });
                    typed.push(expr);
                }
            }
        }
        if columns.len() > MOST_COLUMNS {
            return Err(SqlError::unknown(format!("more than {MOST_COLUMNS} columns")));
        }
        Ok((typed, columns))
    }

    /// A column of `*`: the same checks as for one that was named.
    fn column_of(&mut self, name: &str, sql: String) -> SqlResult<Typed> {
        if let Some(grouping) = &self.grouping
            && !grouping.keys.contains(&sql)
        {
            return Err(SqlError::new(
                8120,
                1,
                format!(
                    "Column '{name}' is invalid in the select list because it is not contained in either an \
                     aggregate function or the GROUP BY clause."
                ),
            )
            .ends_batch());
        }
        let found = self
            .scopes
            .last()
            .into_iter()
            .flatten()
            .flat_map(|source| &source.columns)
            .find(|c| c.sql == sql);
        found
            .map(|column| Typed { sql: column.sql.clone(), ty: column.ty, nullable: column.nullable })
            .ok_or_else(|| SqlError::no_column(name))
    }

    /// The names `*` stands for, each with its source so that it is not ambiguous.
    fn all_columns(&self, qualifier: Option<&Name>) -> SqlResult<Vec<Name>> {
        let sources = self.scopes.last().map(Vec::as_slice).unwrap_or_default();
        let mut names = Vec::new();
        let mut found = false;
        for source in sources {
            if qualifier.is_none_or(|qualifier| same(qualifier.object(), &source.name)) {
                found = true;
                names.extend(source.columns.iter().map(|c| Name(vec![source.name.clone(), c.name.clone()])));
            }
        }
        match qualifier {
            Some(qualifier) if !found => Err(SqlError::new(
                107,
                1,
                format!("The column prefix '{qualifier}' does not match with a table name or alias name used in the query."),
            )
            .class(15)
            .ends_batch()),
            None if !found => Err(SqlError::new(263, 1, "Must specify table to select from.").ends_batch()),
            _ => Ok(names),
        }
    }
}
