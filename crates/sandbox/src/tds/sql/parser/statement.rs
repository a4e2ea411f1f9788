//! Statements: which one it is, and those that steer.

use super::Parser;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{Expr, Placed, RightChange, Statement};
use crate::tds::sql::lexer::Token;

impl Parser {
    /// The next statement.
    pub(super) fn statement(&mut self) -> SqlResult<Placed> {
        let line = self.line();
        let statement = self.deeper(Self::any_statement)?;
        self.symbol(";");
        Ok(Placed { line, statement })
    }

    fn any_statement(&mut self) -> SqlResult<Statement> {
        let word = match self.peek() {
            Token::Word(word) => word.to_ascii_uppercase(),
            Token::Symbol("(") => return self.query().map(Statement::Query),
            _ => return Err(self.unexpected()),
        };
        if word == "SELECT" {
            return self.query().map(Statement::Query);
        }
        if word == "WITH" {
            return self.with_ctes();
        }
        self.at += 1;
        match word.as_str() {
            "INSERT" => self.insert(Vec::new()).map(Statement::Insert),
            "UPDATE" => self.update(Vec::new()).map(Statement::Update),
            "DELETE" => self.delete(Vec::new()).map(Statement::Delete),
            "MERGE" => self.merge(Vec::new()).map(Statement::Merge),
            "TRUNCATE" => self.truncate().map(Statement::Truncate),
            "DECLARE" => self.declare(),
            "SET" => self.set(),
            "PRINT" => self.scalar().map(Statement::Print),
            "RAISERROR" => self.raise_error(),
            "THROW" => self.throw(),
            "IF" => self.if_statement(),
            "WHILE" => {
                let condition = self.expr()?;
                Ok(Statement::While(condition, Box::new(self.statement()?)))
            }
            "BEGIN" => self.begin(),
            "COMMIT" => {
                self.transaction_name()?;
                Ok(Statement::Commit)
            }
            "ROLLBACK" => self.transaction_name().map(Statement::Rollback),
            "SAVE" => match self.transaction_name()? {
                Some(name) => Ok(Statement::Save(name)),
                None => Err(self.unexpected()),
            },
            "BREAK" => Ok(Statement::Break),
            "CONTINUE" => Ok(Statement::Continue),
            "RETURN" => {
                if matches!(self.peek(), Token::Number(_) | Token::Variable(_) | Token::Symbol("(" | "-")) {
                    return Err(SqlError::new(
                        178,
                        1,
                        "A RETURN statement with a return value cannot be used in this context.",
                    )
                    .class(15)
                    .ends_batch());
                }
                Ok(Statement::Return)
            }
            "USE" => self.identifier().map(Statement::Use),
            "WAITFOR" => {
                if !self.word("DELAY") {
                    return Err(SqlError::unknown("WAITFOR TIME"));
                }
                self.scalar().map(Statement::WaitFor)
            }
            "EXEC" | "EXECUTE" => self.exec(),
            "CREATE" => self.create(),
            "ALTER" => self.alter(),
            "DROP" => self.drop(),
            "GRANT" => self.right(RightChange::Grant),
            "DENY" => self.right(RightChange::Deny),
            "REVOKE" => self.right(RightChange::Revoke),
            "GO" => {
                self.at -= 1;
                Err(SqlError::syntax("GO"))
            }
            _ => {
                self.at -= 1;
                self.implied_exec(&word)
            }
        }
    }

    /// The first statement of a batch may call a procedure without EXEC. Others are refused.
    fn implied_exec(&mut self, word: &str) -> SqlResult<Statement> {
        if self.at == 0 && (word.starts_with("SP_") || word == "SYS") {
            return self.exec();
        }
        let known_elsewhere = [
            "BACKUP",
            "RESTORE",
            "DBCC",
            "KILL",
            "BULK",
            "OPEN",
            "CLOSE",
            "FETCH",
            "DEALLOCATE",
            "CHECKPOINT",
            "RECONFIGURE",
            "SHUTDOWN",
            "GOTO",
            "REVERT",
            "ENABLE",
            "DISABLE",
        ];
        if known_elsewhere.contains(&word) {
            return Err(SqlError::unknown(format!("the statement {word}")));
        }
        Err(self.unexpected())
    }

    fn declare(&mut self) -> SqlResult<Statement> {
        let declared = self.list(|parser| {
            let name = parser.variable()?;
            parser.word("AS");
            if parser.is_word("TABLE") {
                return Err(SqlError::unknown(format!("table variables ({name})")));
            }
            if parser.is_word("CURSOR") {
                return Err(SqlError::unknown("cursors"));
            }
            let ty = parser.data_type()?;
            let value = if parser.symbol("=") { Some(parser.scalar()?) } else { None };
            Ok((name, ty, value))
        })?;
        Ok(Statement::Declare(declared))
    }

    fn set(&mut self) -> SqlResult<Statement> {
        if let Token::Variable(name) = self.peek().clone() {
            self.at += 1;
            let operator = match *self.peek() {
                Token::Symbol(symbol @ ("+" | "-" | "*" | "/" | "%" | "&" | "|" | "^")) => {
                    self.at += 1;
                    symbol.chars().next()
                }
                _ => None,
            };
            self.expect("=")?;
            let value = self.scalar()?;
            let value = match operator {
                Some(operator) => {
                    Expr::Arithmetic(operator, Box::new(Expr::Variable(name.clone())), Box::new(value))
                }
                None => value,
            };
            return Ok(Statement::Assign(name, value));
        }
        if self.words(&["TRANSACTION", "ISOLATION", "LEVEL"]) {
            let mut level = vec![self.any_word()?];
            if matches!(level[0].as_str(), "read" | "repeatable") {
                level.push(self.any_word()?);
            }
            return Ok(Statement::Option("transaction isolation level".to_owned(), level.join(" ")));
        }
        if self.word("IDENTITY_INSERT") {
            let table = self.name()?;
            let value = self.any_word()?;
            return Ok(Statement::Option("identity_insert".to_owned(), format!("{value} {table}")));
        }
        let mut options = vec![self.any_word()?];
        while self.symbol(",") {
            options.push(self.any_word()?);
        }
        let negative = self.symbol("-");
        let value = match self.next() {
            Token::Word(word) => word.to_lowercase(),
            Token::Number(digits) => digits,
            Token::Text(text, _) => text,
            _ => {
                self.at -= 1;
                return Err(self.unexpected());
            }
        };
        let value = if negative { format!("-{value}") } else { value };
        Ok(Statement::Option(options.join(","), value))
    }

    fn any_word(&mut self) -> SqlResult<String> {
        match self.next() {
            Token::Word(word) => Ok(word.to_lowercase()),
            _ => {
                self.at -= 1;
                Err(self.unexpected())
            }
        }
    }

    fn raise_error(&mut self) -> SqlResult<Statement> {
        self.expect("(")?;
        let arguments = self.list(Self::scalar)?;
        self.expect(")")?;
        if arguments.len() < 3 {
            return Err(SqlError::syntax(")"));
        }
        let options = if self.word("WITH") { self.list(Self::any_word)? } else { Vec::new() };
        Ok(Statement::RaiseError(arguments, options))
    }

    fn throw(&mut self) -> SqlResult<Statement> {
        if !matches!(self.peek(), Token::Number(_) | Token::Variable(_)) {
            return Ok(Statement::Throw(None));
        }
        let number = self.primary_only()?;
        self.expect(",")?;
        let message = self.primary_only()?;
        self.expect(",")?;
        let state = self.primary_only()?;
        Ok(Statement::Throw(Some(Box::new((number, message, state)))))
    }

    /// THROW takes literals and variables only.
    fn primary_only(&mut self) -> SqlResult<Expr> {
        match self.peek() {
            Token::Number(_) | Token::Variable(_) | Token::Text(..) => {
                let expr = match self.next() {
                    Token::Number(digits) => Expr::Number(digits),
                    Token::Variable(name) => Expr::Variable(name),
                    Token::Text(text, national) => Expr::Text(text, national),
                    _ => Expr::Null,
                };
                Ok(expr)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn if_statement(&mut self) -> SqlResult<Statement> {
        let condition = self.expr()?;
        let then = Box::new(self.statement()?);
        let otherwise = if self.word("ELSE") { Some(Box::new(self.statement()?)) } else { None };
        Ok(Statement::If(condition, then, otherwise))
    }

    fn begin(&mut self) -> SqlResult<Statement> {
        if self.is_word("TRAN") || self.is_word("TRANSACTION") {
            self.transaction_name()?;
            if self.words(&["WITH", "MARK"]) {
                return Err(SqlError::unknown("BEGIN TRANSACTION ... WITH MARK"));
            }
            return Ok(Statement::Begin);
        }
        if self.is_word("DISTRIBUTED") || self.is_word("CONVERSATION") || self.is_word("DIALOG") {
            return Err(SqlError::unknown(format!("BEGIN {}", self.peek().shown().to_uppercase())));
        }
        if self.word("TRY") {
            let tried = self.statements_until_end()?;
            self.expect_word("TRY")?;
            self.symbol(";");
            self.expect_word("BEGIN")?;
            self.expect_word("CATCH")?;
            let caught = self.statements_until_end()?;
            self.expect_word("CATCH")?;
            return Ok(Statement::Try(tried, caught));
        }
        let statements = self.statements_until_end()?;
        if statements.is_empty() {
            return Err(SqlError::syntax_keyword("END"));
        }
        Ok(Statement::Block(statements))
    }

    fn statements_until_end(&mut self) -> SqlResult<Vec<Placed>> {
        let mut statements = Vec::new();
        loop {
            while self.symbol(";") {}
            if self.word("END") {
                return Ok(statements);
            }
            statements.push(self.statement()?);
        }
    }

    /// `TRAN[SACTION] [name]`, all of it optional where T-SQL lets it be.
    fn transaction_name(&mut self) -> SqlResult<Option<String>> {
        if !self.word("TRAN") && !self.word("TRANSACTION") {
            self.word("WORK");
            return Ok(None);
        }
        match self.peek() {
            Token::Variable(name) => {
                Err(SqlError::unknown(format!("transactions named by a variable ({name})")))
            }
            // A word that begins a statement without being reserved is no name.
            Token::Word(word) if word.eq_ignore_ascii_case("THROW") => Ok(None),
            _ => Ok(self.identifier().ok()),
        }
    }
}
