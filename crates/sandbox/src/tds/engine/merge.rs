//! MERGE. All clauses are evaluated first, for every pair of source and target, then what they want
//! is done.

use std::collections::HashSet;
use std::sync::Arc;

use super::answer::Answer;
use super::catalog::Table;
use super::modify::{Change, Incoming, Outcome, integer};
use super::session::{Frame, Session};
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{Assignment, Expr, Matched, Merge, MergeAction, MergeClause, Source as Tree};
use crate::tds::translate::{Translator, Typed};
use crate::tds::value::{SqlType, Value};

/// One clause's part of the SELECT: where its condition and its values stand in a row.
struct Slot<'m> {
    clause: &'m MergeClause,
    condition: usize,
    values: Vec<(usize, SqlType, bool)>,
}

/// What is to be done.
enum Deed {
    Update(i64, Vec<(usize, Incoming)>),
    Delete(i64),
    Insert(Vec<usize>, Vec<Incoming>),
}

impl Session {
    /// MERGE.
    ///
    /// # Errors
    /// Whatever it fails with; then nothing was done.
    pub fn merge(&mut self, merge: &Merge, frame: &mut Frame, answer: &mut Answer) -> SqlResult<()> {
        let outcome = self.write(|session| {
            let name = &merge.table.name;
            let Some(table) = session.catalog.table(name).cloned() else {
                return Err(SqlError::no_object(name));
            };
            for clause in &merge.clauses {
                let right = match clause.action {
                    MergeAction::Update(_) => "UPDATE",
                    MergeAction::Delete => "DELETE",
                    MergeAction::Insert(..) => "INSERT",
                };
                session.demand(right, &table)?;
            }
            let mut deeds = session.merge_pairs(merge, &table, frame)?;
            if merge.clauses.iter().any(|clause| clause.matched == Matched::TargetOnly) {
                deeds.extend(session.merge_target_only(merge, &table, frame)?);
            }
            session.merge_do(merge, &table, deeds, frame)
        })?;
        self.tell(outcome, frame, answer)
    }

    /// The pairs of source and target, and the sources without a target.
    fn merge_pairs(&self, merge: &Merge, table: &Arc<Table>, frame: &Frame) -> SqlResult<Vec<Deed>> {
        let mut slots = Vec::new();
        let (sql, params) = self.translate(frame, |t| {
            let with = t.with(&merge.ctes)?;
            let target = Tree::Table(merge.table.clone());
            // Source and target by themselves, so that the source's NULLs stay apart from the join's.
            let (from, sources) = t.from(&[merge.source.clone(), target])?;
            let Some(target) = sources.last().map(|source| source.sql.clone()) else {
                return Err(SqlError::internal("no target"));
            };
            let parts: Vec<&str> = from.trim_start_matches(" FROM ").rsplitn(2, ", ").collect();
            let [right, left] = parts.as_slice() else { return Err(SqlError::internal("no join")) };
            t.within(sources, |t| {
                let on = t.predicate(&merge.on)?;
                let mut list = vec![format!("{target}.rowid")];
                for clause in merge.clauses.iter().filter(|clause| clause.matched != Matched::TargetOnly) {
                    let there = if clause.matched == Matched::Both { "NOT NULL" } else { "NULL" };
                    let applies = format!("{target}.rowid IS {there}");
                    slots.push(slot(t, self, table, clause, &applies, &mut list)?);
                }
                Ok(format!("{with}SELECT {} FROM {left} LEFT JOIN {right} ON {on}", list.join(", ")))
            })
        })?;
        let width = 1 + slots.iter().map(|slot| 1 + slot.values.len()).sum::<usize>();
        let mut touched = HashSet::new();
        let mut deeds = Vec::new();
        for row in self.gather(&sql, &params, width)? {
            let Some(deed) = deed(&slots, table, &row)? else { continue };
            if let (Deed::Update(..) | Deed::Delete(_), Some(number)) = (&deed, integer(&row[0]))
                && !touched.insert(number)
            {
                return Err(SqlError::new(
                    8672,
                    1,
                    "The MERGE statement attempted to UPDATE or DELETE the same row more than once. This happens when a \
                     target row matches more than one source row.",
                ));
            }
            deeds.push(deed);
        }
        Ok(deeds)
    }

    /// The targets without a source.
    fn merge_target_only(&self, merge: &Merge, table: &Arc<Table>, frame: &Frame) -> SqlResult<Vec<Deed>> {
        let mut slots = Vec::new();
        let (sql, params) = self.translate(frame, |t| {
            let with = t.with(&merge.ctes)?;
            let (from, sources) = t.from(&[Tree::Table(merge.table.clone())])?;
            let Some(target) = sources.last().map(|source| source.sql.clone()) else {
                return Err(SqlError::internal("no target"));
            };
            t.within(sources, |t| {
                let (inner, inner_sources) = t.from(std::slice::from_ref(&merge.source))?;
                let on = t.within(inner_sources, |t| t.predicate(&merge.on))?;
                let mut list = vec![format!("{target}.rowid")];
                for clause in merge.clauses.iter().filter(|clause| clause.matched == Matched::TargetOnly) {
                    slots.push(slot(t, self, table, clause, "1", &mut list)?);
                }
                Ok(format!(
                    "{with}SELECT {}{from} WHERE NOT EXISTS (SELECT 1{inner} WHERE {on})",
                    list.join(", ")
                ))
            })
        })?;
        let width = 1 + slots.iter().map(|slot| 1 + slot.values.len()).sum::<usize>();
        let rows = self.gather(&sql, &params, width)?;
        let deeds: SqlResult<Vec<Option<Deed>>> = rows.iter().map(|row| deed(&slots, table, row)).collect();
        Ok(deeds?.into_iter().flatten().collect())
    }

    fn merge_do(
        &mut self,
        merge: &Merge,
        table: &Arc<Table>,
        deeds: Vec<Deed>,
        frame: &Frame,
    ) -> SqlResult<Outcome> {
        let mut updates = Vec::new();
        let mut deletes = Vec::new();
        let mut inserts = Vec::new();
        for deed in deeds {
            match deed {
                Deed::Update(row, set) => updates.push((row, set)),
                Deed::Delete(row) => deletes.push(row),
                Deed::Insert(places, values) => inserts.push((places, values)),
            }
        }
        let deleted = self.delete_rows(table, deletes.into_iter())?;
        let updated = self.update_rows(table, updates)?;
        let mut inserted = Vec::new();
        for (places, values) in inserts {
            self.check_cancelled()?;
            inserted.push(self.insert_row(table, &places, values)?);
        }
        let all: Vec<Change> = [deleted.as_slice(), &updated, &inserted].concat();
        self.after(table, &all, "MERGE")?;
        let mut outcome = Outcome { count: all.len() as u64, ..Outcome::default() };
        if let Some(items) = &merge.output {
            let named = |action: &'static str, changes: &'_ [Change]| -> Vec<(&'static str, Change)> {
                changes.iter().map(|change| (action, change.clone())).collect()
            };
            let told =
                [named("DELETE", &deleted), named("UPDATE", &updated), named("INSERT", &inserted)].concat();
            let told: Vec<(&str, &Change)> = told.iter().map(|(action, change)| (*action, change)).collect();
            outcome.output = Some(self.output(table, &told, items, "MERGE", frame)?);
        }
        Ok(outcome)
    }
}

/// Adds a clause's condition and values to the SELECT. A value is evaluated only where its clause
/// applies, so that what other rows would fail with does no harm.
fn slot<'m>(
    t: &mut Translator<'_>,
    session: &Session,
    table: &Table,
    clause: &'m MergeClause,
    applies: &str,
    list: &mut Vec<String>,
) -> SqlResult<Slot<'m>> {
    let mut condition = applies.to_owned();
    if let Some(and) = &clause.condition {
        condition = format!("({condition} AND {})", t.predicate(and)?);
    }
    let at = list.len();
    list.push(format!("({condition})"));
    let exprs: Vec<&Expr> = match &clause.action {
        MergeAction::Update(set) => {
            let mut exprs = Vec::new();
            for assignment in set {
                match assignment {
                    Assignment::Column(name, expr) => {
                        session.assignable(table, name)?;
                        exprs.push(expr);
                    }
                    Assignment::Variable(name, _) => {
                        return Err(SqlError::unknown(format!("variables in MERGE's SET ({name})")));
                    }
                }
            }
            exprs
        }
        MergeAction::Insert(_, values) => values.iter().collect(),
        MergeAction::Delete => Vec::new(),
    };
    let mut values = Vec::new();
    for expr in exprs {
        let default = matches!(expr, Expr::Default);
        let typed = if default { Typed::new("NULL", SqlType::Null) } else { t.scalar(expr)? };
        values.push((list.len(), typed.ty, default));
        list.push(format!("CASE WHEN {condition} THEN {} END", typed.sql));
    }
    Ok(Slot { clause, condition: at, values })
}

/// What the first clause that applies wants for a row.
fn deed(slots: &[Slot<'_>], table: &Table, row: &[Value]) -> SqlResult<Option<Deed>> {
    let Some(slot) = slots.iter().find(|slot| row[slot.condition] == Value::Integer(1)) else {
        return Ok(None);
    };
    let incoming: Vec<Incoming> = slot
        .values
        .iter()
        .map(
            |(at, ty, default)| {
                if *default { Incoming::Default } else { Incoming::Value(*ty, row[*at].clone()) }
            },
        )
        .collect();
    let number = integer(&row[0]);
    Ok(match (&slot.clause.action, number) {
        (MergeAction::Update(set), Some(number)) => {
            let columns = set.iter().filter_map(|assignment| match assignment {
                Assignment::Column(name, _) => table.column(name).map(|(at, _)| at),
                Assignment::Variable(..) => None,
            });
            Some(Deed::Update(number, columns.zip(incoming).collect()))
        }
        (MergeAction::Delete, Some(number)) => Some(Deed::Delete(number)),
        (MergeAction::Insert(names, _), _) => {
            let places = insert_places(table, names)?;
            if places.len() != incoming.len() {
                return Err(SqlError::new(
                    109,
                    1,
                    "The number of columns in the INSERT statement does not match the number of values specified.",
                )
                .ends_batch());
            }
            Some(Deed::Insert(places, incoming))
        }
        _ => None,
    })
}

fn insert_places(table: &Table, names: &[String]) -> SqlResult<Vec<usize>> {
    if names.is_empty() {
        let all = table.columns.iter().enumerate();
        return Ok(all
            .filter(|(_, column)| column.identity.is_none() && column.ty != SqlType::RowVersion)
            .map(|(at, _)| at)
            .collect());
    }
    names
        .iter()
        .map(|name| match table.column(name) {
            Some((_, column)) if column.identity.is_some() || column.ty == SqlType::RowVersion => {
                Err(SqlError::unknown(format!("values for {name} in MERGE")))
            }
            Some((at, _)) => Ok(at),
            None => Err(SqlError::no_column(name)),
        })
        .collect()
}
