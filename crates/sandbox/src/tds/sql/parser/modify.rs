//! INSERT, UPDATE, DELETE and MERGE.

use super::Parser;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{
    Assignment, Cte, Delete, Expr, Insert, Matched, Merge, MergeAction, MergeClause, Name, Output, Statement,
    TableSource, Update,
};
use crate::tds::sql::lexer::Token;

impl Parser {
    /// A statement that begins with WITH.
    pub(super) fn with_ctes(&mut self) -> SqlResult<Statement> {
        let ctes = self.ctes()?;
        match () {
            () if self.word("INSERT") => self.insert(ctes).map(Statement::Insert),
            () if self.word("UPDATE") => self.update(ctes).map(Statement::Update),
            () if self.word("DELETE") => self.delete(ctes).map(Statement::Delete),
            () if self.word("MERGE") => self.merge(ctes).map(Statement::Merge),
            () => self.query_after(ctes).map(Statement::Query),
        }
    }

    pub(super) fn insert(&mut self, ctes: Vec<Cte>) -> SqlResult<Insert> {
        if self.is_word("TOP") {
            return Err(SqlError::unknown("INSERT TOP"));
        }
        if self.is_word("BULK") {
            return Err(SqlError::unknown("INSERT BULK"));
        }
        self.word("INTO");
        let name = self.name()?;
        let mut table = TableSource { name, alias: None, exclusive: false, holds: false };
        if self.is_word("WITH") && matches!(self.peek_at(1), Token::Symbol("(")) {
            self.at += 1;
            self.hints(&mut table)?;
        }
        let columns = if self.is_symbol("(")
            && !matches!(self.peek_at(1), Token::Word(w) if w.eq_ignore_ascii_case("SELECT"))
        {
            self.identifiers()?
        } else {
            Vec::new()
        };
        let output = self.output()?;
        let rows = if self.words(&["DEFAULT", "VALUES"]) {
            None
        } else if self.is_word("EXEC") || self.is_word("EXECUTE") {
            return Err(SqlError::unknown("INSERT ... EXEC"));
        } else {
            Some(self.query()?)
        };
        Ok(Insert { ctes, table, columns, output, rows })
    }

    pub(super) fn update(&mut self, ctes: Vec<Cte>) -> SqlResult<Update> {
        let top = if self.word("TOP") { Some(self.top()?) } else { None };
        let table = self.table_source()?;
        self.expect_word("SET")?;
        let set = self.list(Self::assignment)?;
        let output = self.output()?;
        let from = if self.word("FROM") { self.list(Self::source)? } else { Vec::new() };
        let filter = if self.word("WHERE") { Some(self.expr()?) } else { None };
        if self.word("OPTION") {
            self.option()?;
        }
        Ok(Update { ctes, top, table, set, output, from, filter })
    }

    fn assignment(&mut self) -> SqlResult<Assignment> {
        if let Token::Variable(name) = self.peek().clone() {
            self.at += 1;
            self.expect("=")?;
            return Ok(Assignment::Variable(name, self.scalar()?));
        }
        let name = self.name()?;
        let column = name.object().to_owned();
        let operator = match *self.peek() {
            Token::Symbol(symbol @ ("+" | "-" | "*" | "/" | "%" | "&" | "|" | "^")) => {
                self.at += 1;
                symbol.chars().next()
            }
            _ => None,
        };
        self.expect("=")?;
        let value = self.scalar()?;
        Ok(Assignment::Column(
            column,
            match operator {
                Some(operator) => Expr::Arithmetic(operator, Box::new(Expr::Column(name)), Box::new(value)),
                None => value,
            },
        ))
    }

    pub(super) fn delete(&mut self, ctes: Vec<Cte>) -> SqlResult<Delete> {
        let top = if self.word("TOP") { Some(self.top()?) } else { None };
        self.word("FROM");
        let table = self.table_source()?;
        let output = self.output()?;
        let from = if self.word("FROM") { self.list(Self::source)? } else { Vec::new() };
        let filter = if self.word("WHERE") { Some(self.expr()?) } else { None };
        if self.word("OPTION") {
            self.option()?;
        }
        Ok(Delete { ctes, top, table, output, from, filter })
    }

    fn output(&mut self) -> SqlResult<Output> {
        if !self.word("OUTPUT") {
            return Ok(None);
        }
        let items = self.list(Self::item)?;
        if self.is_word("INTO") {
            return Err(SqlError::unknown("OUTPUT ... INTO"));
        }
        Ok(Some(items))
    }

    pub(super) fn merge(&mut self, ctes: Vec<Cte>) -> SqlResult<Merge> {
        self.word("INTO");
        let table = self.table_source()?;
        self.expect_word("USING")?;
        let source = self.source()?;
        self.expect_word("ON")?;
        let on = self.expr()?;
        let mut clauses = Vec::new();
        while self.word("WHEN") {
            clauses.push(self.merge_clause()?);
        }
        if clauses.is_empty() {
            return Err(self.unexpected());
        }
        let output = self.output()?;
        // MERGE is the one statement that must end with a semicolon.
        if !self.is_symbol(";") {
            return Err(SqlError::new(10713, 1, "A MERGE statement must be terminated by a semi-colon (;).")
                .class(15)
                .ends_batch());
        }
        Ok(Merge { ctes, table, source, on, clauses, output })
    }

    fn merge_clause(&mut self) -> SqlResult<MergeClause> {
        let matched = if self.word("NOT") {
            self.expect_word("MATCHED")?;
            if self.words(&["BY", "SOURCE"]) {
                Matched::TargetOnly
            } else {
                self.words(&["BY", "TARGET"]);
                Matched::SourceOnly
            }
        } else {
            self.expect_word("MATCHED")?;
            Matched::Both
        };
        let condition = if self.word("AND") { Some(self.expr()?) } else { None };
        self.expect_word("THEN")?;
        let action = if matched == Matched::SourceOnly {
            self.expect_word("INSERT")?;
            let columns = if self.is_symbol("(") { self.identifiers()? } else { Vec::new() };
            if self.words(&["DEFAULT", "VALUES"]) {
                return Err(SqlError::unknown("DEFAULT VALUES in MERGE"));
            }
            self.expect_word("VALUES")?;
            self.expect("(")?;
            let values = self.list(Self::scalar)?;
            self.expect(")")?;
            MergeAction::Insert(columns, values)
        } else if self.word("DELETE") {
            MergeAction::Delete
        } else {
            self.expect_word("UPDATE")?;
            self.expect_word("SET")?;
            MergeAction::Update(self.list(Self::assignment)?)
        };
        Ok(MergeClause { matched, condition, action })
    }

    pub(super) fn truncate(&mut self) -> SqlResult<Name> {
        self.expect_word("TABLE")?;
        self.name()
    }
}
