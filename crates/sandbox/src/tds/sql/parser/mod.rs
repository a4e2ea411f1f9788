//! The grammar. A recursive descent over the tokens: this file holds what all parts use, and
//! [`parse`], which reads a batch.

mod define;
mod expr;
mod modify;
mod query;
mod reserved;
mod security;
mod statement;
mod types;

use super::ast::{Name, Placed, Statement};
use super::lexer::{self, Token};
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::value::SqlType;
use reserved::is_reserved;
use types::type_of;

/// How deep statements and expressions may be nested, so that no text can exhaust the stack.
pub const DEEPEST: usize = 128;

/// How many operands one chain (`a OR b OR c ...`) may have: it becomes as deep a tree, and SQLite
/// takes no expression deeper than 1,000.
pub const LONGEST_CHAIN: usize = 800;

/// The stack that reading and translating the deepest statement needs, in bytes.
pub const STACK: usize = 32 << 20;

/// Reads a batch.
///
/// # Errors
/// 102, 105, 156 or one of ours where it is not understood, and the line.
pub fn parse(text: &str) -> Result<Vec<Placed>, (SqlError, u32)> {
    let tokens = lexer::tokens(text).map_err(|error| (error, 1))?;
    let mut parser = Parser { tokens, at: 0, depth: 0 };
    let mut statements: Vec<Placed> = Vec::new();
    loop {
        while parser.symbol(";") {}
        if *parser.peek() == Token::End {
            return Ok(statements);
        }
        let next = parser.statement().map_err(|error| (error, parser.line()))?;
        if matches!(next.statement, Statement::CreateSchema(_)) && !statements.is_empty() {
            let text = "'CREATE SCHEMA' must be the first statement in a query batch.";
            return Err((SqlError::new(111, 1, text).class(15).ends_batch(), next.line));
        }
        statements.push(next);
    }
}

/// Reads the declarations of `sp_executesql`: names, types, and whether they are OUTPUT.
///
/// # Errors
/// As [`parse`].
pub fn parse_declarations(text: &str) -> SqlResult<Vec<(String, SqlType, bool)>> {
    let mut parser = Parser { tokens: lexer::tokens(text)?, at: 0, depth: 0 };
    let mut declared = Vec::new();
    if *parser.peek() == Token::End {
        return Ok(declared);
    }
    loop {
        let name = parser.variable()?;
        parser.word("AS");
        let ty = parser.data_type()?;
        let output = parser.word("OUTPUT") || parser.word("OUT");
        declared.push((name, ty, output));
        if !parser.symbol(",") {
            break;
        }
    }
    match parser.peek() {
        Token::End => Ok(declared),
        _ => Err(parser.unexpected()),
    }
}

/// What reads the tokens.
struct Parser {
    tokens: Vec<lexer::Placed>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> &Token {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.at + ahead).min(last)].token
    }

    fn line(&self) -> u32 {
        self.tokens[self.at.min(self.tokens.len() - 1)].line
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn is_word_at(&self, ahead: usize, word: &str) -> bool {
        matches!(self.peek_at(ahead), Token::Word(text) if text.eq_ignore_ascii_case(word))
    }

    fn is_word(&self, word: &str) -> bool {
        self.is_word_at(0, word)
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek(), Token::Symbol(s) if *s == symbol)
    }

    /// Takes the word if it is next.
    fn word(&mut self, word: &str) -> bool {
        let is = self.is_word(word);
        self.at += usize::from(is);
        is
    }

    /// Takes the words if all of them are next.
    fn words(&mut self, words: &[&str]) -> bool {
        let are = words.iter().enumerate().all(|(ahead, word)| self.is_word_at(ahead, word));
        if are {
            self.at += words.len();
        }
        are
    }

    /// Takes the symbol if it is next.
    fn symbol(&mut self, symbol: &str) -> bool {
        let is = self.is_symbol(symbol);
        self.at += usize::from(is);
        is
    }

    fn expect_word(&mut self, word: &str) -> SqlResult<()> {
        if self.word(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn expect(&mut self, symbol: &str) -> SqlResult<()> {
        if self.symbol(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The next token is not what can stand here.
    fn unexpected(&self) -> SqlError {
        match self.peek() {
            Token::Word(word) if is_reserved(word) => SqlError::syntax_keyword(word.to_uppercase()),
            // At the end SQL Server names the last thing it read.
            Token::End => SqlError::syntax(match self.at.checked_sub(1) {
                Some(last) => self.tokens[last.min(self.tokens.len() - 1)].token.shown(),
                None => String::new(),
            }),
            token => SqlError::syntax(token.shown()),
        }
    }

    /// A name that was not reserved, or was quoted.
    fn identifier(&mut self) -> SqlResult<String> {
        match self.peek() {
            Token::Quoted(name) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            Token::Word(word) if !is_reserved(word) => {
                let name = word.clone();
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// A name of up to three parts.
    fn name(&mut self) -> SqlResult<Name> {
        let mut parts = vec![self.identifier()?];
        while self.symbol(".") {
            if self.is_symbol(".") {
                parts.push(String::new());
            } else {
                parts.push(self.identifier()?);
            }
        }
        if parts.len() > 3 {
            return Err(SqlError::unknown(format!("names of {} parts ({})", parts.len(), parts.join("."))));
        }
        if parts.last().is_some_and(|object| object.starts_with('#')) {
            return Err(SqlError::unknown(format!("temporary tables ({})", parts.join("."))));
        }
        Ok(Name(parts))
    }

    fn variable(&mut self) -> SqlResult<String> {
        match self.next() {
            Token::Variable(name) if !name.starts_with("@@") => Ok(name),
            _ => {
                self.at -= 1;
                Err(self.unexpected())
            }
        }
    }

    /// A text literal.
    fn text(&mut self) -> SqlResult<String> {
        match self.next() {
            Token::Text(text, _) => Ok(text),
            _ => {
                self.at -= 1;
                Err(self.unexpected())
            }
        }
    }

    /// A whole number that fits.
    fn whole<T: std::str::FromStr>(&mut self) -> SqlResult<T> {
        let parsed = match self.peek() {
            Token::Number(digits) => digits.parse().ok(),
            _ => None,
        };
        let number = parsed.ok_or_else(|| self.unexpected())?;
        self.at += 1;
        Ok(number)
    }

    /// `(a, b, c)`
    fn identifiers(&mut self) -> SqlResult<Vec<String>> {
        self.expect("(")?;
        let names = self.list(Self::identifier)?;
        self.expect(")")?;
        Ok(names)
    }

    /// One or more, with commas between.
    fn list<T>(&mut self, one: impl Fn(&mut Self) -> SqlResult<T>) -> SqlResult<Vec<T>> {
        let mut all = vec![one(self)?];
        while self.symbol(",") {
            all.push(one(self)?);
        }
        Ok(all)
    }

    /// Runs `inner` one level deeper.
    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> SqlResult<T>) -> SqlResult<T> {
        if self.depth >= DEEPEST {
            return Err(too_deep());
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// A data type.
    fn data_type(&mut self) -> SqlResult<SqlType> {
        let name = self.identifier()?.to_lowercase();
        let name = if name == "sys" && self.symbol(".") { self.identifier()?.to_lowercase() } else { name };
        // NATIONAL and VARYING are the standard's long forms.
        let varying = self.word("VARYING");
        let mut arguments: Vec<Option<u32>> = Vec::new();
        if self.symbol("(") {
            loop {
                arguments.push(if self.word("MAX") { None } else { Some(self.whole()?) });
                if !self.symbol(",") {
                    break;
                }
            }
            self.expect(")")?;
        }
        type_of(&name, varying, &arguments)
    }
}

fn too_deep() -> SqlError {
    SqlError::new(
        191,
        1,
        "Some part of your SQL statement is nested too deeply. Rewrite the query or break it up into smaller \
         queries.",
    )
    .class(15)
    .ends_batch()
}

/// Counts the operands of a chain.
fn one_more(operands: &mut usize) -> SqlResult<()> {
    *operands += 1;
    if *operands > LONGEST_CHAIN { Err(too_deep()) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
