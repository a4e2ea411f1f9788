//! From T-SQL's tree to SQLite's SQL. SQLite has no types for expressions and its own ideas about
//! comparison, division and text; so every expression is translated together with its T-SQL type,
//! derived from the catalogue, the declarations and the operators, and every operator that differs
//! becomes a call of one of our functions. Tables and columns get names of the translation's own
//! (`t5`, `c2`, `s1`, `k1`), and texts travel as parameters, so that nothing a client wrote is ever
//! part of the SQL.

mod call;
mod expr;
mod items;
mod predicate;
mod principals;
mod query;
mod source;
mod system;

use std::collections::HashMap;

use crate::tds::engine::catalog::{Table, same};
use crate::tds::engine::select::bound;
use crate::tds::engine::session::{Frame, Session};
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{Expr, Name};
use crate::tds::value::convert::check_implicit;
use crate::tds::value::{SqlType, Value};

pub use call::metadata::parse_name;
pub use query::RelationColumn;

/// An expression in SQLite's SQL and its type.
#[derive(Debug, Clone, PartialEq)]
pub struct Typed {
    /// The SQL, safe to stand anywhere an operand can.
    pub sql: String,
    /// Its type.
    pub ty: SqlType,
    /// Whether it can be NULL.
    pub nullable: bool,
}

impl Typed {
    /// An expression that can be NULL.
    pub fn new(sql: impl Into<String>, ty: SqlType) -> Self {
        Self { sql: sql.into(), ty, nullable: true }
    }

    /// The SQL with the collation of its type, where it has one.
    pub fn collated(&self) -> String {
        match self.ty.collation() {
            Some(collation) => format!("({} COLLATE {collation})", self.sql),
            None => self.sql.clone(),
        }
    }
}

/// A table of FROM, or what stands for one.
#[derive(Debug, Clone)]
pub struct Source {
    /// The name columns of it are called by, and the schema where it has no alias.
    pub name: String,
    /// The schema, if the source is a table without an alias.
    pub schema: Option<String>,
    /// What it is called in SQL.
    pub sql: String,
    /// The table's number, if it is one.
    pub table: Option<i64>,
    /// Its columns.
    pub columns: Vec<SourceColumn>,
}

/// A column of a source.
#[derive(Debug, Clone)]
pub struct SourceColumn {
    /// Its name.
    pub name: String,
    /// The SQL that stands for it.
    pub sql: String,
    /// Its type.
    pub ty: SqlType,
    /// Whether it can be NULL.
    pub nullable: bool,
    /// Whether it is an identity column of a table.
    pub identity: bool,
}

impl Source {
    /// A table under the SQL name `sql`.
    pub fn table(table: &Table, alias: Option<&str>, sql: &str) -> Self {
        let columns = table
            .columns
            .iter()
            .map(|column| SourceColumn {
                name: column.name.clone(),
                sql: format!("{sql}.{}", column.physical()),
                ty: column.ty,
                nullable: column.nullable,
                identity: column.identity.is_some(),
            })
            .collect();
        Self {
            name: alias.unwrap_or(&table.name).to_owned(),
            schema: alias.is_none().then(|| table.schema.clone()),
            sql: sql.to_owned(),
            table: Some(table.id),
            columns,
        }
    }
}

/// What a CTE is called in SQL, and its columns.
#[derive(Debug, Clone)]
struct CteInScope {
    name: String,
    sql: String,
    columns: Vec<RelationColumn>,
}

/// GROUP BY: only these expressions, and aggregates, may be selected.
#[derive(Debug, Clone)]
struct Grouping {
    scope: usize,
    keys: Vec<String>,
}

/// One statement's translation.
pub struct Translator<'a> {
    /// The session it is for.
    pub session: &'a Session,
    frame: &'a Frame,
    /// The parameters of the SQL, `?1` first.
    pub params: Vec<Value>,
    /// Whether a hint asked for a writer's lock.
    pub exclusive: bool,
    /// Whether a hint asked for a lock that is kept.
    pub holds: bool,
    /// Whether a table was read at all.
    pub reads: bool,
    /// Whether reading a table asks for the right to; not so for a target that is only written.
    pub demands_select: bool,
    /// Whether values are written into the SQL instead of becoming parameters: an index takes none.
    pub inline: bool,
    variables: HashMap<String, usize>,
    scopes: Vec<Vec<Source>>,
    ctes: Vec<CteInScope>,
    grouping: Option<Grouping>,
    names: usize,
}

impl<'a> Translator<'a> {
    /// A translation for a session, with the variables of its batch.
    pub fn new(session: &'a Session, frame: &'a Frame) -> Self {
        Self {
            session,
            frame,
            params: Vec::new(),
            exclusive: false,
            holds: false,
            reads: false,
            demands_select: true,
            inline: false,
            variables: HashMap::new(),
            scopes: Vec::new(),
            ctes: Vec::new(),
            grouping: None,
            names: 0,
        }
    }

    /// Adds a parameter and returns its name.
    pub fn param(&mut self, value: Value) -> String {
        if self.inline {
            return literal(&value);
        }
        // The same text twice is one parameter, so that GROUP BY sees that it is the same.
        let known = match &value {
            Value::Text(_) => self.params.iter().position(|held| *held == value),
            _ => None,
        };
        let at = known.unwrap_or_else(|| {
            self.params.push(value);
            self.params.len() - 1
        });
        format!("?{}", at + 1)
    }

    /// A name of the translation's own.
    pub fn fresh(&mut self, prefix: char) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// Runs `inner` with `sources` in scope.
    pub fn within<T>(
        &mut self,
        sources: Vec<Source>,
        inner: impl FnOnce(&mut Self) -> SqlResult<T>,
    ) -> SqlResult<T> {
        self.scopes.push(sources);
        let result = inner(self);
        self.scopes.pop();
        result
    }

    /// Brings an expression to a type, where that goes without CAST.
    ///
    /// # Errors
    /// 206 and 257.
    pub fn implicit(&mut self, expr: Typed, to: SqlType) -> SqlResult<Typed> {
        check_implicit(expr.ty, to)?;
        Ok(self.cast(expr, to))
    }

    /// Brings an expression to a type; it costs nothing where the stored form is the same.
    pub fn cast(&mut self, expr: Typed, to: SqlType) -> Typed {
        let sql = if same_form(expr.ty, to) {
            expr.sql
        } else {
            format!("tds_cast({}, {}, {})", expr.sql, expr.ty.code(), to.code())
        };
        Typed { sql, ty: to, nullable: expr.nullable }
    }

    /// A variable's type and value.
    fn variable(&mut self, name: &str) -> SqlResult<Typed> {
        let Some((ty, value)) = self.frame.variables.get(name) else {
            return Err(SqlError::new(137, 2, format!("Must declare the scalar variable \"{name}\"."))
                .class(15)
                .ends_batch());
        };
        let at = match self.variables.get(name) {
            Some(at) => *at,
            None => {
                self.params.push(value.clone());
                self.variables.insert(name.to_owned(), self.params.len());
                self.params.len()
            }
        };
        Ok(Typed::new(format!("?{at}"), *ty))
    }

    /// The column of a name.
    fn column(&mut self, name: &Name) -> SqlResult<Typed> {
        let column = self.find_column(name)?;
        let (depth, found) = (column.0, column.1.clone());
        if let Some(grouping) = &self.grouping
            && grouping.scope == depth
            && !grouping.keys.contains(&found.sql)
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
        Ok(Typed { sql: found.sql, ty: found.ty, nullable: found.nullable })
    }

    /// Where a column is: the number of its scope, and itself.
    fn find_column(&self, name: &Name) -> SqlResult<(usize, &SourceColumn)> {
        let qualifier = name.0.len().checked_sub(2).map(|at| name.0[at].as_str());
        for (depth, sources) in self.scopes.iter().enumerate().rev() {
            let mut found = sources
                .iter()
                .filter(|source| {
                    qualifier.is_none_or(|qualifier| same(&source.name, qualifier))
                        && (name.0.len() < 3 || source.schema.as_deref().is_some_and(|s| same(s, &name.0[0])))
                })
                .flat_map(|source| &source.columns)
                .filter(|column| same(&column.name, name.object()));
            let Some(column) = found.next() else { continue };
            if found.next().is_some() {
                return Err(
                    SqlError::new(209, 1, format!("Ambiguous column name '{}'.", name.object())).ends_batch()
                );
            }
            return Ok((depth, column));
        }
        let known =
            qualifier.is_some_and(|qualifier| self.scopes.iter().flatten().any(|s| same(&s.name, qualifier)));
        if qualifier.is_some() && !known {
            let text = format!("The multi-part identifier \"{name}\" could not be bound.");
            return Err(SqlError::new(4104, 1, text).ends_batch());
        }
        Err(SqlError::no_column(name.object()))
    }

    /// The value of an expression that stands on no column.
    ///
    /// # Errors
    /// Whatever the expression fails with.
    pub fn constant(&self, expr: &Expr) -> SqlResult<(SqlType, Value)> {
        let mut alone = Translator::new(self.session, self.frame);
        let typed = alone.scalar(expr)?;
        let value = run_scalar(self.session, &typed.sql, &alone.params)?;
        Ok((typed.ty, value))
    }

    /// The text of an expression that stands on no column; `None` for NULL.
    fn constant_text(&self, expr: &Expr) -> SqlResult<Option<String>> {
        let (from, value) = self.constant(expr)?;
        let to = SqlType::NVarChar(None);
        match crate::tds::value::convert::convert(&value, from, to, 0)? {
            Value::Text(text) => Ok(Some(text)),
            _ => Ok(None),
        }
    }
}

/// Runs a translated expression.
///
/// # Errors
/// Whatever it fails with.
pub fn run_scalar(session: &Session, sql: &str, params: &[Value]) -> SqlResult<Value> {
    let mut statement = session.connection.prepare_cached(&format!("SELECT {sql}"))?;
    let params = bound(params, statement.parameter_count());
    Ok(statement.query_row(params, |row| row.get(0))?)
}

/// A value as SQLite's SQL writes it.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(n) => n.to_string(),
        Value::Real(x) => format!("{x:e}"),
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Blob(bytes) => {
            format!("X'{}'", bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>())
        }
    }
}

/// Whether every stored value of `from` is one of `to` as it is.
fn same_form(from: SqlType, to: SqlType) -> bool {
    use SqlType as T;
    let fits = |from: Option<u16>, to: Option<u16>| match (from, to) {
        (_, None) => true,
        (Some(from), Some(to)) => from <= to,
        (None, Some(_)) => false,
    };
    let rank = |ty: SqlType| match ty {
        T::Bit => 1,
        T::TinyInt => 2,
        T::SmallInt => 3,
        T::Int => 4,
        _ => 5,
    };
    match (from, to) {
        _ if from == to => true,
        (_, T::Null) => true,
        _ if from.is_integer() && to.is_integer() => to != T::Bit && rank(from) <= rank(to),
        (T::Real, T::Float) => true,
        (T::NVarChar(n), T::NVarChar(m)) | (T::VarChar(n), T::VarChar(m)) => fits(n, m),
        (T::VarBinary(n), T::VarBinary(m)) => fits(n, m),
        (T::Char(n), T::VarChar(m)) | (T::NChar(n), T::NVarChar(m)) => fits(Some(n), m),
        // Every character of code page 1252 is one UTF-16 code unit.
        (T::VarChar(n), T::NVarChar(m)) => fits(n, m),
        (T::Char(n), T::NVarChar(m)) => fits(Some(n), m),
        (T::Binary(n), T::VarBinary(m)) => fits(Some(n), m),
        (T::RowVersion, T::VarBinary(m)) => fits(Some(8), m),
        (T::RowVersion, T::Binary(8)) => true,
        (T::DateTime2(n), T::DateTime2(m))
        | (T::Time(n), T::Time(m))
        | (T::DateTimeOffset(n), T::DateTimeOffset(m)) => n <= m,
        _ => false,
    }
}
