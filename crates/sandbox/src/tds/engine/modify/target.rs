//! Which table an UPDATE or DELETE means: it may be named by an alias of FROM.

use std::collections::HashSet;

use super::integer;
use crate::tds::engine::catalog::{Table, same};
use crate::tds::engine::session::Session;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{Expr, Name, Source as Tree, TableSource};
use crate::tds::translate::{Source, Translator};
use crate::tds::value::Value;

impl Session {
    /// What an alias in UPDATE or DELETE stands for.
    pub(super) fn target_name(&self, from: &[Tree], table: &TableSource) -> Name {
        from.iter().find_map(|tree| by_alias(tree, &table.name)).unwrap_or_else(|| table.name.clone())
    }
}

/// A row that a join finds several times is changed once, by the first.
pub(super) fn first_of_each(rows: Vec<Vec<Value>>) -> Vec<Vec<Value>> {
    let mut seen = HashSet::new();
    rows.into_iter().filter(|row| integer(&row[0]).is_some_and(|number| seen.insert(number))).collect()
}

/// FROM with the target in it, which UPDATE and DELETE may leave out.
pub(super) fn with_target(from: &[Tree], target: &TableSource) -> Vec<Tree> {
    if from.iter().any(|tree| by_alias(tree, &target.name).is_some()) {
        return from.to_vec();
    }
    let mut all = vec![Tree::Table(target.clone())];
    all.extend_from_slice(from);
    all
}

/// The table that a name means in FROM: an alias, or a table without one.
pub(super) fn by_alias(tree: &Tree, name: &Name) -> Option<Name> {
    match tree {
        Tree::Table(table) => {
            let by_alias =
                name.0.len() == 1 && table.alias.as_deref().is_some_and(|alias| same(alias, name.object()));
            let by_name = table.alias.is_none() && same(table.name.object(), name.object());
            (by_alias || by_name).then(|| table.name.clone())
        }
        Tree::Join(left, right, ..) => by_alias(left, name).or_else(|| by_alias(right, name)),
        Tree::Derived(..) => None,
    }
}

pub(super) fn target_alias(sources: &[Source], target: &TableSource, table: &Table) -> SqlResult<String> {
    let name = target.alias.as_deref().unwrap_or(target.name.object());
    sources
        .iter()
        .find(|source| source.table == Some(table.id) && same(&source.name, name))
        .map(|source| source.sql.clone())
        .ok_or_else(|| SqlError::unknown(format!("changes through {name}, which is not a table")))
}

pub(super) fn filter_sql(translator: &mut Translator<'_>, filter: Option<&Expr>) -> SqlResult<String> {
    Ok(match filter {
        Some(filter) => format!(" WHERE {}", translator.predicate(filter)?),
        None => String::new(),
    })
}

pub(super) fn limit_sql(translator: &mut Translator<'_>, top: Option<&Expr>) -> SqlResult<String> {
    Ok(match top {
        Some(top) => {
            format!(" LIMIT ifnull(tds_rows({}, 'top'), 0)", translator.scalar_without_columns(top)?.sql)
        }
        None => String::new(),
    })
}
