//! The tree of a statement. Names keep the letters they were written with; they are compared
//! without regard to case. Trees of expressions and queries are also kept in the catalogue (for
//! defaults, checks and filters), hence serde.

mod statement;

use serde::{Deserialize, Serialize};

use crate::tds::value::SqlType;

pub use statement::*;

/// A name of up to three parts, the object last: `[[database.]schema.]object`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Name(pub Vec<String>);

impl Name {
    /// The object's own name.
    pub fn object(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// The schema's, if it was written.
    pub fn schema(&self) -> Option<&str> {
        self.0
            .len()
            .checked_sub(2)
            .and_then(|at| self.0.get(at))
            .map(String::as_str)
            .filter(|s| !s.is_empty())
    }

    /// The database's, if it was written.
    pub fn database(&self) -> Option<&str> {
        self.0.len().checked_sub(3).and_then(|at| self.0.get(at)).map(String::as_str)
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// A scalar expression or a condition; T-SQL keeps the two apart, and so does the translation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Expr {
    /// NULL
    Null,
    /// A number: an int, a decimal or, with an exponent, a float.
    Number(String),
    /// A text, and whether it is national.
    Text(String, bool),
    /// A binary literal.
    Binary(Vec<u8>),
    /// A variable or a system variable, in lower case.
    Variable(String),
    /// A column, with what stands before it.
    Column(Name),
    /// DEFAULT, in VALUES and SET.
    Default,
    /// `-a`, `+a`, `~a`
    Sign(char, Box<Expr>),
    /// `+ - * / % & | ^`
    Arithmetic(char, Box<Expr>, Box<Expr>),
    /// `= <> < > <= >=`
    Compare(String, Box<Expr>, Box<Expr>),
    /// AND
    And(Box<Expr>, Box<Expr>),
    /// OR
    Or(Box<Expr>, Box<Expr>),
    /// NOT
    Not(Box<Expr>),
    /// IS [NOT] NULL
    IsNull(Box<Expr>, bool),
    /// [NOT] BETWEEN
    Between(Box<Expr>, Box<Expr>, Box<Expr>, bool),
    /// [NOT] IN of a list
    InList(Box<Expr>, Vec<Expr>, bool),
    /// [NOT] IN of a query
    InQuery(Box<Expr>, Box<Query>, bool),
    /// EXISTS
    Exists(Box<Query>),
    /// [NOT] LIKE with its ESCAPE
    Like(Box<Expr>, Box<Expr>, Option<Box<Expr>>, bool),
    /// CASE
    Case(Option<Box<Expr>>, Vec<(Expr, Expr)>, Option<Box<Expr>>),
    /// CAST and CONVERT, with the style, and whether it is the TRY_ form
    Convert(Box<Expr>, SqlType, Option<Box<Expr>>, bool),
    /// A function
    Call(Call),
    /// A query in brackets
    Query(Box<Query>),
    /// COLLATE
    Collate(Box<Expr>, String),
}

/// A call of a function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Its name, in lower case.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<Expr>,
    /// `COUNT(*)`
    pub star: bool,
    /// `COUNT(DISTINCT a)`
    pub distinct: bool,
    /// OVER: PARTITION BY and ORDER BY
    pub over: Option<(Vec<Expr>, Vec<Order>)>,
}

/// One term of ORDER BY.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// What to order by.
    pub expr: Expr,
    /// DESC
    pub descending: bool,
}

/// A query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Query {
    /// WITH
    pub ctes: Vec<Cte>,
    /// What is selected.
    pub body: Body,
    /// ORDER BY
    pub order: Vec<Order>,
    /// OFFSET
    pub offset: Option<Expr>,
    /// FETCH
    pub fetch: Option<Expr>,
}

/// A common table expression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cte {
    /// Its name.
    pub name: String,
    /// The names of its columns, if given.
    pub columns: Vec<String>,
    /// Its query.
    pub query: Query,
}

/// What a query selects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// SELECT
    Select(Box<Select>),
    /// UNION [ALL], INTERSECT, EXCEPT
    Set(SetOperator, Box<Body>, Box<Body>),
    /// A query in brackets
    Nested(Box<Query>),
    /// VALUES, as the source of an INSERT or a table
    Values(Vec<Vec<Expr>>),
}

/// How two queries are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SetOperator {
    /// UNION
    Union,
    /// UNION ALL
    UnionAll,
    /// INTERSECT
    Intersect,
    /// EXCEPT
    Except,
}

/// A SELECT.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Select {
    /// DISTINCT
    pub distinct: bool,
    /// TOP
    pub top: Option<Expr>,
    /// The select list.
    pub items: Vec<Item>,
    /// FROM; several are a cross join.
    pub from: Vec<Source>,
    /// WHERE
    pub filter: Option<Expr>,
    /// GROUP BY
    pub group: Vec<Expr>,
    /// HAVING
    pub having: Option<Expr>,
}

/// One item of a select list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Item {
    /// `*` or `t.*`
    All(Option<Name>),
    /// An expression and its name
    Expr(Expr, Option<String>),
    /// `@a = expression`
    Assign(String, Expr),
}

/// A table of FROM.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Source {
    /// A table by its name
    Table(TableSource),
    /// A query in brackets, its alias and column names
    Derived(Box<Query>, String, Vec<String>),
    /// A join
    Join(Box<Source>, Box<Source>, Join, Option<Expr>),
}

/// A table by its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableSource {
    /// Its name.
    pub name: Name,
    /// Its alias.
    pub alias: Option<String>,
    /// WITH (UPDLOCK), (XLOCK) or (TABLOCKX): the lock of a writer.
    pub exclusive: bool,
    /// WITH (HOLDLOCK), (SERIALIZABLE) or (REPEATABLEREAD): a lock kept.
    pub holds: bool,
}

/// The kind of a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Join {
    /// INNER
    Inner,
    /// LEFT
    Left,
    /// RIGHT
    Right,
    /// FULL
    Full,
    /// CROSS
    Cross,
}
