//! Queries.

use super::predicate::one_column;
use super::source::name_columns;
use super::{CteInScope, Grouping, Translator, Typed};
use crate::tds::engine::catalog::same;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{Body, Call, Cte, Expr, Item, Order, Query, Select, SetOperator};
use crate::tds::value::SqlType;

/// A translated query. Its columns are called `k1`, `k2`, ...
#[derive(Debug, Clone)]
pub struct Relation {
    /// The SQL.
    pub sql: String,
    /// The columns.
    pub columns: Vec<RelationColumn>,
    /// Whether it can't have more than one row.
    pub single: bool,
}

/// A column of a translated query.
#[derive(Debug, Clone)]
pub struct RelationColumn {
    /// Its name; empty for none.
    pub name: String,
    /// Its type.
    pub ty: SqlType,
    /// Whether it can be NULL.
    pub nullable: bool,
    /// Whether it is an identity column.
    pub identity: bool,
    /// The variable its value goes to.
    pub variable: Option<String>,
}

/// ORDER BY and how many rows.
#[derive(Default)]
struct Tail<'q> {
    order: &'q [Order],
    offset: Option<&'q Expr>,
    fetch: Option<&'q Expr>,
}

impl Translator<'_> {
    /// Translates a query inside of another.
    pub(super) fn subquery(&mut self, query: &Query) -> SqlResult<Relation> {
        let limited = matches!(&query.body, Body::Select(select) if select.top.is_some());
        if !query.order.is_empty() && query.offset.is_none() && !limited {
            let text = "The ORDER BY clause is invalid in views, inline functions, derived tables, subqueries, and common \
                        table expressions, unless TOP, OFFSET or FOR XML is also specified.";
            return Err(SqlError::new(1033, 1, text).class(15).ends_batch());
        }
        let grouping = self.grouping.take();
        let relation = self.query(query);
        self.grouping = grouping;
        let relation = relation?;
        if relation.columns.iter().any(|column| column.variable.is_some()) {
            return Err(SqlError::syntax("="));
        }
        Ok(relation)
    }

    /// Translates a query.
    ///
    /// # Errors
    /// Whatever is wrong with it: names, types, rights, or something not known.
    pub fn query(&mut self, query: &Query) -> SqlResult<Relation> {
        let known = self.ctes.len();
        let with = self.with(&query.ctes)?;
        let tail = Tail { order: &query.order, offset: query.offset.as_ref(), fetch: query.fetch.as_ref() };
        let relation = match &query.body {
            Body::Select(select) => self.select(select, &tail),
            body => self.body(body).and_then(|relation| self.with_tail(relation, &tail)),
        };
        self.ctes.truncate(known);
        let mut relation = relation?;
        relation.sql.insert_str(0, &with);
        Ok(relation)
    }

    /// WITH: brings its names into scope and returns its SQL.
    pub fn with(&mut self, ctes: &[Cte]) -> SqlResult<String> {
        let mut parts = Vec::new();
        for cte in ctes {
            let mut relation = self.subquery(&cte.query)?;
            name_columns(&mut relation.columns, &cte.columns, &cte.name)?;
            let sql = self.fresh('w');
            parts.push(format!("{sql} AS ({})", relation.sql));
            self.ctes.push(CteInScope { name: cte.name.clone(), sql, columns: relation.columns });
        }
        Ok(if parts.is_empty() { String::new() } else { format!("WITH {} ", parts.join(", ")) })
    }

    fn body(&mut self, body: &Body) -> SqlResult<Relation> {
        match body {
            Body::Select(select) => self.select(select, &Tail::default()),
            Body::Nested(query) => self.subquery(query),
            Body::Values(rows) => self.values(rows),
            Body::Set(operator, left, right) => {
                let (left, right) = (self.body(left)?, self.body(right)?);
                self.combine(*operator, left, right)
            }
        }
    }

    fn combine(&mut self, operator: SetOperator, left: Relation, right: Relation) -> SqlResult<Relation> {
        if left.columns.len() != right.columns.len() {
            return Err(SqlError::new(
                205,
                1,
                "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of \
                 expressions in their target lists.",
            )
            .ends_batch());
        }
        let mut columns = left.columns.clone();
        for (column, other) in columns.iter_mut().zip(&right.columns) {
            column.ty = column.ty.unify(other.ty);
            column.nullable |= other.nullable;
            column.identity = false;
        }
        let (left, right) = (self.branch(left, &columns)?, self.branch(right, &columns)?);
        let operator = match operator {
            SetOperator::Union => "UNION",
            SetOperator::UnionAll => "UNION ALL",
            SetOperator::Intersect => "INTERSECT",
            SetOperator::Except => "EXCEPT",
        };
        Ok(Relation { sql: format!("SELECT * FROM ({left} {operator} {right})"), columns, single: false })
    }

    /// One side of a UNION, its columns brought to the types and orderings of the whole.
    fn branch(&mut self, relation: Relation, columns: &[RelationColumn]) -> SqlResult<String> {
        let mut items = Vec::new();
        for (at, (own, whole)) in relation.columns.iter().zip(columns).enumerate() {
            let name = format!("k{}", at + 1);
            let typed = self.implicit(Typed::new(name.clone(), own.ty), whole.ty)?;
            items.push(format!("{} AS {name}", typed.collated()));
        }
        Ok(format!("SELECT {} FROM ({})", items.join(", "), relation.sql))
    }

    fn values(&mut self, rows: &[Vec<Expr>]) -> SqlResult<Relation> {
        let mut typed: Vec<Vec<Typed>> = Vec::new();
        for row in rows {
            typed.push(row.iter().map(|expr| self.scalar(expr)).collect::<SqlResult<_>>()?);
        }
        let width = typed.first().map_or(0, Vec::len);
        if typed.iter().any(|row| row.len() != width) {
            return Err(SqlError::new(
                10709,
                1,
                "The number of columns for each row in a table value constructor must be the same.",
            )
            .ends_batch());
        }
        let types: Vec<SqlType> =
            (0..width).map(|at| typed.iter().fold(SqlType::Null, |ty, row| ty.unify(row[at].ty))).collect();
        let mut parts = Vec::new();
        for row in typed {
            let mut cells = Vec::new();
            for (at, cell) in row.into_iter().enumerate() {
                cells.push(format!("{} AS k{}", self.implicit(cell, types[at])?.sql, at + 1));
            }
            parts.push(format!("SELECT {}", cells.join(", ")));
        }
        let column =
            |ty| RelationColumn { name: String::new(), ty, nullable: true, identity: false, variable: None };
        let sql = format!("SELECT * FROM ({})", parts.join(" UNION ALL "));
        Ok(Relation { sql, columns: types.into_iter().map(column).collect(), single: rows.len() == 1 })
    }

    /// ORDER BY and OFFSET of a UNION: only its columns can be named there.
    fn with_tail(&mut self, relation: Relation, tail: &Tail<'_>) -> SqlResult<Relation> {
        if tail.order.is_empty() {
            return Ok(relation);
        }
        let mut terms = Vec::new();
        for order in tail.order {
            let Some(at) = output(&order.expr, &relation.columns) else {
                return Err(SqlError::new(
                    104,
                    1,
                    "ORDER BY items must appear in the select list if the statement contains a UNION, INTERSECT or \
                     EXCEPT operator.",
                )
                .ends_batch());
            };
            let typed = Typed::new(format!("k{}", at + 1), relation.columns[at].ty);
            terms.push(term(&typed, order.descending));
        }
        let limit = self.limit(None, tail)?;
        let sql = format!("SELECT * FROM ({}) ORDER BY {}{limit}", relation.sql, terms.join(", "));
        Ok(Relation { sql, ..relation })
    }

    fn select(&mut self, select: &Select, tail: &Tail<'_>) -> SqlResult<Relation> {
        let (from, sources) = self.from(&select.from)?;
        self.within(sources, |this| {
            let outer = this.grouping.take();
            let relation = this.select_from(select, tail, &from);
            this.grouping = outer;
            relation
        })
    }

    fn select_from(&mut self, select: &Select, tail: &Tail<'_>, from: &str) -> SqlResult<Relation> {
        let filter = match &select.filter {
            Some(filter) => format!(" WHERE {}", self.predicate(filter)?),
            None => String::new(),
        };
        let mut keys = Vec::new();
        for key in &select.group {
            keys.push(self.scalar(key)?);
        }
        let aggregates = select.items.iter().any(|item| match item {
            Item::Expr(expr, _) | Item::Assign(_, expr) => has_aggregate(expr),
            Item::All(_) => false,
        }) || select.having.as_ref().is_some_and(has_aggregate)
            || tail.order.iter().any(|order| has_aggregate(&order.expr));
        let groups = !keys.is_empty() || aggregates || select.having.is_some();
        if groups {
            let scope = self.scopes.len() - 1;
            self.grouping = Some(Grouping { scope, keys: keys.iter().map(|key| key.sql.clone()).collect() });
        }
        let group = match keys.is_empty() {
            true => String::new(),
            false => format!(" GROUP BY {}", keys.iter().map(Typed::collated).collect::<Vec<_>>().join(", ")),
        };
        let (items, columns) = self.items(&select.items)?;
        let having = match &select.having {
            Some(having) => format!(" HAVING {}", self.predicate(having)?),
            None => String::new(),
        };
        let order = self.order(tail.order, &columns, &items, select.distinct)?;
        let limit = self.limit(select.top.as_ref(), tail)?;
        let list: Vec<String> = items
            .iter()
            .enumerate()
            .map(|(at, item)| {
                let sql = if select.distinct { item.collated() } else { item.sql.clone() };
                format!("{sql} AS k{}", at + 1)
            })
            .collect();
        let distinct = if select.distinct { "DISTINCT " } else { "" };
        let sql = format!("SELECT {distinct}{}{from}{filter}{group}{having}{order}{limit}", list.join(", "));
        let single = (groups && keys.is_empty())
            || select.from.is_empty()
            || matches!(&select.top, Some(Expr::Number(one)) if one == "1");
        Ok(Relation { sql, columns, single })
    }

    fn order(
        &mut self,
        order: &[Order],
        columns: &[RelationColumn],
        items: &[Typed],
        distinct: bool,
    ) -> SqlResult<String> {
        let mut terms = Vec::new();
        for one in order {
            let typed = match output(&one.expr, columns) {
                Some(at) => Typed::new(format!("k{}", at + 1), columns[at].ty),
                None => {
                    let typed = self.scalar(&one.expr)?;
                    let selected = items.iter().position(|item| item.sql == typed.sql);
                    match selected {
                        Some(at) => Typed::new(format!("k{}", at + 1), columns[at].ty),
                        None if distinct => {
                            return Err(SqlError::new(
                                145,
                                1,
                                "ORDER BY items must appear in the select list if SELECT DISTINCT is specified.",
                            )
                            .class(15)
                            .ends_batch());
                        }
                        None => typed,
                    }
                }
            };
            terms.push(term(&typed, one.descending));
        }
        Ok(if terms.is_empty() { String::new() } else { format!(" ORDER BY {}", terms.join(", ")) })
    }

    /// TOP, OFFSET and FETCH.
    fn limit(&mut self, top: Option<&Expr>, tail: &Tail<'_>) -> SqlResult<String> {
        if top.is_some() && tail.offset.is_some() {
            let text = "A TOP can not be used in the same query or sub-query as a OFFSET.";
            return Err(SqlError::new(10741, 2, text).class(15).ends_batch());
        }
        let mut rows = |expr: &Expr, what: &str| -> SqlResult<String> {
            let typed = self.scalar_without_columns(expr)?;
            Ok(format!("tds_rows({}, '{what}')", typed.sql))
        };
        Ok(match (top, tail.offset, tail.fetch) {
            (Some(top), ..) => format!(" LIMIT ifnull({}, 0)", rows(top, "top")?),
            (None, Some(offset), Some(fetch)) => {
                let offset = rows(offset, "offset")?;
                format!(" LIMIT ifnull({}, 0) OFFSET ifnull({offset}, 0)", rows(fetch, "fetch")?)
            }
            (None, Some(offset), None) => format!(" LIMIT -1 OFFSET ifnull({}, 0)", rows(offset, "offset")?),
            _ => String::new(),
        })
    }

    /// A number of rows: a bigint that stands on no column.
    pub fn scalar_without_columns(&mut self, expr: &Expr) -> SqlResult<Typed> {
        let scopes = std::mem::take(&mut self.scopes);
        let typed = self.scalar(expr).and_then(|typed| self.implicit(typed, SqlType::BigInt));
        self.scopes = scopes;
        typed
    }

    /// A query that gives one value. More than one row is an error, which SQLite would not see.
    pub(super) fn scalar_query(&mut self, query: &Query) -> SqlResult<Typed> {
        let relation = self.subquery(query)?;
        let [column] = relation.columns.as_slice() else { return Err(one_column()) };
        let sql = if relation.single {
            format!("({})", relation.sql)
        } else {
            format!("(SELECT tds_single(k1) FROM ({}))", relation.sql)
        };
        Ok(Typed::new(sql, column.ty))
    }
}

/// The output column that an ORDER BY term names: by number or by name.
fn output(expr: &Expr, columns: &[RelationColumn]) -> Option<usize> {
    match expr {
        Expr::Number(digits) => {
            let at: usize = digits.parse().ok()?;
            (1..=columns.len()).contains(&at).then(|| at - 1)
        }
        Expr::Column(name) if name.0.len() == 1 => {
            columns.iter().position(|column| same(&column.name, name.object()))
        }
        _ => None,
    }
}

fn term(typed: &Typed, descending: bool) -> String {
    format!("{}{}", typed.collated(), if descending { " DESC" } else { "" })
}

/// Whether an expression has an aggregate of its own query's rows in it.
pub(super) fn has_aggregate(expr: &Expr) -> bool {
    match expr {
        Expr::Call(call) => is_aggregate(call) || call.arguments.iter().any(has_aggregate),
        Expr::Sign(_, inner) | Expr::Not(inner) | Expr::IsNull(inner, _) | Expr::Collate(inner, _) => {
            has_aggregate(inner)
        }
        Expr::Arithmetic(_, left, right) | Expr::Compare(_, left, right) => {
            has_aggregate(left) || has_aggregate(right)
        }
        Expr::And(left, right) | Expr::Or(left, right) => has_aggregate(left) || has_aggregate(right),
        Expr::Between(a, b, c, _) => has_aggregate(a) || has_aggregate(b) || has_aggregate(c),
        Expr::InList(value, list, _) => has_aggregate(value) || list.iter().any(has_aggregate),
        Expr::InQuery(value, ..) => has_aggregate(value),
        Expr::Like(value, pattern, ..) => has_aggregate(value) || has_aggregate(pattern),
        Expr::Case(operand, arms, otherwise) => {
            operand.as_deref().is_some_and(has_aggregate)
                || arms.iter().any(|(when, then)| has_aggregate(when) || has_aggregate(then))
                || otherwise.as_deref().is_some_and(has_aggregate)
        }
        Expr::Convert(inner, ..) => has_aggregate(inner),
        _ => false,
    }
}

/// Whether a call is an aggregate over the groups of its query (and no window function).
pub(super) fn is_aggregate(call: &Call) -> bool {
    call.over.is_none()
        && matches!(call.name.as_str(), "count" | "count_big" | "sum" | "avg" | "min" | "max" | "string_agg")
}
