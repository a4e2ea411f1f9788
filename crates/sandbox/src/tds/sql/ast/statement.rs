//! Statements.

use serde::{Deserialize, Serialize};

use super::{Cte, Expr, Item, Name, Query, Source, TableSource};
use crate::tds::value::SqlType;

/// The columns OUTPUT gives; `inserted.` and `deleted.` are names of sources in it.
pub type Output = Option<Vec<Item>>;

/// INSERT
#[derive(Debug, Clone, PartialEq)]
pub struct Insert {
    /// WITH
    pub ctes: Vec<Cte>,
    /// INTO
    pub table: TableSource,
    /// The columns named; none named is all.
    pub columns: Vec<String>,
    /// OUTPUT
    pub output: Output,
    /// The rows; `None` for DEFAULT VALUES.
    pub rows: Option<Query>,
}

/// UPDATE
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// WITH
    pub ctes: Vec<Cte>,
    /// TOP
    pub top: Option<Expr>,
    /// The table, or the alias of one in FROM.
    pub table: TableSource,
    /// SET
    pub set: Vec<Assignment>,
    /// OUTPUT
    pub output: Output,
    /// FROM
    pub from: Vec<Source>,
    /// WHERE
    pub filter: Option<Expr>,
}

/// One assignment of SET.
#[derive(Debug, Clone, PartialEq)]
pub enum Assignment {
    /// `column = expression`
    Column(String, Expr),
    /// `@a = expression`
    Variable(String, Expr),
}

/// DELETE
#[derive(Debug, Clone, PartialEq)]
pub struct Delete {
    /// WITH
    pub ctes: Vec<Cte>,
    /// TOP
    pub top: Option<Expr>,
    /// The table, or the alias of one in FROM.
    pub table: TableSource,
    /// OUTPUT
    pub output: Output,
    /// FROM
    pub from: Vec<Source>,
    /// WHERE
    pub filter: Option<Expr>,
}

/// MERGE
#[derive(Debug, Clone, PartialEq)]
pub struct Merge {
    /// WITH
    pub ctes: Vec<Cte>,
    /// The target.
    pub table: TableSource,
    /// USING
    pub source: Source,
    /// ON
    pub on: Expr,
    /// The WHEN clauses, in their order.
    pub clauses: Vec<MergeClause>,
    /// OUTPUT
    pub output: Output,
}

/// One WHEN of a MERGE.
#[derive(Debug, Clone, PartialEq)]
pub struct MergeClause {
    /// When it applies.
    pub matched: Matched,
    /// AND
    pub condition: Option<Expr>,
    /// THEN
    pub action: MergeAction,
}

/// Which rows a WHEN is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matched {
    /// In both.
    Both,
    /// In the source only.
    SourceOnly,
    /// In the target only.
    TargetOnly,
}

/// What a WHEN does.
#[derive(Debug, Clone, PartialEq)]
pub enum MergeAction {
    /// UPDATE SET
    Update(Vec<Assignment>),
    /// DELETE
    Delete,
    /// INSERT (columns) VALUES (...)
    Insert(Vec<String>, Vec<Expr>),
}

/// A column of CREATE TABLE.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDefinition {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: SqlType,
    /// NULL or NOT NULL, if written.
    pub nullable: Option<bool>,
    /// IDENTITY(seed, increment)
    pub identity: Option<(i64, i64)>,
    /// DEFAULT, with the constraint's name.
    pub default: Option<(Option<String>, Expr)>,
    /// What else is written behind the column.
    pub constraints: Vec<ConstraintDefinition>,
}

/// A constraint of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct ConstraintDefinition {
    /// Its name, if given.
    pub name: Option<String>,
    /// What it demands.
    pub kind: ConstraintKind,
}

/// What a constraint demands.
#[derive(Debug, Clone, PartialEq)]
pub enum ConstraintKind {
    /// PRIMARY KEY of the columns (none: of the column it stands behind)
    Primary(Vec<String>),
    /// UNIQUE
    Unique(Vec<String>),
    /// CHECK
    Check(Expr),
    /// FOREIGN KEY: columns, table, its columns, ON DELETE, ON UPDATE
    Foreign(Vec<String>, Name, Vec<String>, Reaction, Reaction),
    /// DEFAULT ... FOR a column, in ALTER TABLE
    Default(Expr, String),
}

/// What happens to a row whose referenced row goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reaction {
    /// NO ACTION: refused
    Refuse,
    /// CASCADE
    Cascade,
    /// SET NULL
    Null,
    /// SET DEFAULT
    Default,
}

/// CREATE INDEX
#[derive(Debug, Clone, PartialEq)]
pub struct CreateIndex {
    /// Its name.
    pub name: String,
    /// The table.
    pub table: Name,
    /// UNIQUE
    pub unique: bool,
    /// The columns, and whether they are descending.
    pub columns: Vec<(String, bool)>,
    /// INCLUDE
    pub include: Vec<String>,
    /// WHERE
    pub filter: Option<Expr>,
}

/// What ALTER TABLE does.
#[derive(Debug, Clone, PartialEq)]
pub enum AlterTable {
    /// ADD columns and constraints
    Add(Vec<ColumnDefinition>, Vec<ConstraintDefinition>),
    /// DROP COLUMN
    DropColumn(String),
    /// DROP CONSTRAINT
    DropConstraint(String),
}

/// The options of CREATE LOGIN and ALTER LOGIN.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoginOptions {
    /// PASSWORD
    pub password: Option<String>,
    /// OLD_PASSWORD
    pub old_password: Option<String>,
    /// MUST_CHANGE
    pub must_change: bool,
    /// UNLOCK
    pub unlock: bool,
    /// DEFAULT_DATABASE
    pub default_database: Option<String>,
    /// CHECK_POLICY
    pub check_policy: Option<bool>,
    /// ENABLE or DISABLE
    pub enabled: Option<bool>,
}

/// What a right is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Securable {
    /// The server, or the database one is in, by the right's own name.
    Implied,
    /// A table
    Object(Name),
    /// A schema
    Schema(String),
}

/// GRANT, DENY or REVOKE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RightChange {
    /// GRANT
    Grant,
    /// DENY
    Deny,
    /// REVOKE
    Revoke,
}

/// A statement and its line.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// Its line, counted from 1.
    pub line: u32,
    /// The statement.
    pub statement: Statement,
}

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// SELECT
    Query(Query),
    /// INSERT
    Insert(Insert),
    /// UPDATE
    Update(Update),
    /// DELETE
    Delete(Delete),
    /// MERGE
    Merge(Merge),
    /// TRUNCATE TABLE
    Truncate(Name),
    /// DECLARE
    Declare(Vec<(String, SqlType, Option<Expr>)>),
    /// SET @a = expression
    Assign(String, Expr),
    /// SET of an option: its name in lower case, and what follows in lower case
    Option(String, String),
    /// PRINT
    Print(Expr),
    /// RAISERROR: message, severity, state, arguments, and its options in lower case
    RaiseError(Vec<Expr>, Vec<String>),
    /// THROW; without arguments, again what was caught
    Throw(Option<Box<(Expr, Expr, Expr)>>),
    /// IF
    If(Expr, Box<Placed>, Option<Box<Placed>>),
    /// WHILE
    While(Expr, Box<Placed>),
    /// BEGIN ... END
    Block(Vec<Placed>),
    /// BEGIN TRY ... END TRY BEGIN CATCH ... END CATCH
    Try(Vec<Placed>, Vec<Placed>),
    /// BREAK
    Break,
    /// CONTINUE
    Continue,
    /// RETURN
    Return,
    /// BEGIN TRAN
    Begin,
    /// COMMIT
    Commit,
    /// ROLLBACK, to a savepoint or whole
    Rollback(Option<String>),
    /// SAVE TRAN
    Save(String),
    /// USE
    Use(String),
    /// WAITFOR DELAY
    WaitFor(Expr),
    /// EXEC (text)
    ExecText(Expr),
    /// EXEC procedure: its name, arguments (name, value, OUTPUT), and where its status goes
    ExecProcedure(Name, Vec<(Option<String>, Expr, bool)>, Option<String>),
    /// CREATE TABLE
    CreateTable(Name, Vec<ColumnDefinition>, Vec<ConstraintDefinition>),
    /// ALTER TABLE
    AlterTable(Name, AlterTable),
    /// DROP TABLE, and IF EXISTS
    DropTable(Vec<Name>, bool),
    /// CREATE INDEX
    CreateIndex(CreateIndex),
    /// DROP INDEX name ON table, and IF EXISTS
    DropIndex(String, Name, bool),
    /// CREATE SCHEMA
    CreateSchema(String),
    /// DROP SCHEMA, and IF EXISTS
    DropSchema(String, bool),
    /// CREATE DATABASE
    CreateDatabase(String),
    /// DROP DATABASE, and IF EXISTS
    DropDatabase(Vec<String>, bool),
    /// ALTER DATABASE: an option that is on anyway
    AlterDatabase(String),
    /// CREATE LOGIN
    CreateLogin(String, LoginOptions),
    /// ALTER LOGIN
    AlterLogin(String, LoginOptions),
    /// DROP LOGIN
    DropLogin(String),
    /// CREATE USER: its name and login
    CreateUser(String, String),
    /// ALTER USER: that its default schema is what it is anyway
    AlterUser(String),
    /// DROP USER, and IF EXISTS
    DropUser(String, bool),
    /// CREATE ROLE
    CreateRole(String),
    /// DROP ROLE, and IF EXISTS
    DropRole(String, bool),
    /// ALTER ROLE and ALTER SERVER ROLE: whether the server's, the role, whether ADD, the member
    AlterRole(bool, String, bool, String),
    /// GRANT, DENY, REVOKE: rights, on what, to whom, and whether WITH GRANT OPTION
    Right(RightChange, Vec<String>, Securable, Vec<String>, bool),
}
