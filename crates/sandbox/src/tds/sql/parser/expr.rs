//! Expressions and conditions.

use super::{Parser, one_more};
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{Call, Expr, Name, Order};
use crate::tds::sql::lexer::Token;
use crate::tds::value::convert::from_hex;

/// Functions whose names are reserved words.
const RESERVED_FUNCTIONS: &[&str] = &["COALESCE", "LEFT", "NULLIF", "RIGHT", "TRY_CONVERT", "CONVERT"];

impl Parser {
    /// A condition or a scalar: OR binds the least.
    pub(super) fn expr(&mut self) -> SqlResult<Expr> {
        self.deeper(|parser| {
            let (mut left, mut operands) = (parser.conjunction()?, 0);
            while parser.word("OR") {
                one_more(&mut operands)?;
                left = Expr::Or(Box::new(left), Box::new(parser.conjunction()?));
            }
            Ok(left)
        })
    }

    fn conjunction(&mut self) -> SqlResult<Expr> {
        let (mut left, mut operands) = (self.negation()?, 0);
        while self.word("AND") {
            one_more(&mut operands)?;
            left = Expr::And(Box::new(left), Box::new(self.negation()?));
        }
        Ok(left)
    }

    fn negation(&mut self) -> SqlResult<Expr> {
        if self.word("NOT") {
            return self.deeper(|parser| Ok(Expr::Not(Box::new(parser.negation()?))));
        }
        if self.is_word("EXISTS") {
            self.at += 1;
            self.expect("(")?;
            let query = self.query()?;
            self.expect(")")?;
            return Ok(Expr::Exists(Box::new(query)));
        }
        let left = self.scalar()?;
        self.predicate(left)
    }

    /// What may follow a scalar and make a condition of it.
    fn predicate(&mut self, left: Expr) -> SqlResult<Expr> {
        if let Token::Symbol(symbol @ ("=" | "<>" | "<" | ">" | "<=" | ">=")) = *self.peek() {
            self.at += 1;
            if self.is_word("ALL") || self.is_word("ANY") || self.is_word("SOME") {
                return Err(SqlError::unknown("comparisons with ALL, ANY and SOME"));
            }
            let right = self.scalar()?;
            return Ok(Expr::Compare(symbol.to_owned(), Box::new(left), Box::new(right)));
        }
        if self.word("IS") {
            let not = self.word("NOT");
            self.expect_word("NULL")?;
            return Ok(Expr::IsNull(Box::new(left), not));
        }
        let not = self.is_word("NOT")
            && ["IN", "LIKE", "BETWEEN"].iter().any(|word| self.is_word_at(1, word))
            && self.word("NOT");
        if self.word("IN") {
            self.expect("(")?;
            let is_query = self.is_word("SELECT") || self.is_word("WITH");
            let found = if is_query {
                Expr::InQuery(Box::new(left), Box::new(self.query()?), not)
            } else {
                Expr::InList(Box::new(left), self.list(Self::scalar)?, not)
            };
            self.expect(")")?;
            return Ok(found);
        }
        if self.word("BETWEEN") {
            let low = self.scalar()?;
            self.expect_word("AND")?;
            let high = self.scalar()?;
            return Ok(Expr::Between(Box::new(left), Box::new(low), Box::new(high), not));
        }
        if self.word("LIKE") {
            let pattern = self.scalar()?;
            let escape = if self.word("ESCAPE") { Some(Box::new(self.scalar()?)) } else { None };
            return Ok(Expr::Like(Box::new(left), Box::new(pattern), escape, not));
        }
        Ok(left)
    }

    /// A scalar: `+ - & ^ |` bind less than `* / %`.
    pub(super) fn scalar(&mut self) -> SqlResult<Expr> {
        self.deeper(|parser| {
            let (mut left, mut operands) = (parser.product()?, 0);
            while let Token::Symbol(symbol @ ("+" | "-" | "&" | "^" | "|")) = *parser.peek() {
                one_more(&mut operands)?;
                parser.at += 1;
                let right = parser.product()?;
                left = arithmetic(symbol, left, right);
            }
            Ok(left)
        })
    }

    fn product(&mut self) -> SqlResult<Expr> {
        let (mut left, mut operands) = (self.signed()?, 0);
        while let Token::Symbol(symbol @ ("*" | "/" | "%")) = *self.peek() {
            one_more(&mut operands)?;
            self.at += 1;
            let right = self.signed()?;
            left = arithmetic(symbol, left, right);
        }
        Ok(left)
    }

    fn signed(&mut self) -> SqlResult<Expr> {
        if let Token::Symbol(symbol @ ("-" | "+" | "~")) = *self.peek() {
            self.at += 1;
            let sign = symbol.chars().next().unwrap_or('+');
            return self.deeper(|parser| Ok(Expr::Sign(sign, Box::new(parser.signed()?))));
        }
        let mut expr = self.primary()?;
        while self.word("COLLATE") {
            expr = Expr::Collate(Box::new(expr), self.identifier()?);
        }
        Ok(expr)
    }

    fn primary(&mut self) -> SqlResult<Expr> {
        match self.peek().clone() {
            Token::Number(digits) => {
                self.at += 1;
                Ok(Expr::Number(digits))
            }
            Token::Text(text, national) => {
                self.at += 1;
                Ok(Expr::Text(text, national))
            }
            Token::Binary(digits) => {
                self.at += 1;
                from_hex(&digits).map(Expr::Binary).ok_or_else(|| SqlError::syntax(digits))
            }
            Token::Variable(name) => {
                self.at += 1;
                Ok(Expr::Variable(name))
            }
            Token::Symbol("(") => {
                self.at += 1;
                let inner = if self.is_word("SELECT") || self.is_word("WITH") {
                    Expr::Query(Box::new(self.query()?))
                } else {
                    self.expr()?
                };
                self.expect(")")?;
                Ok(inner)
            }
            Token::Word(word) => self.word_expression(&word),
            Token::Quoted(_) => self.column_or_call(),
            _ => Err(self.unexpected()),
        }
    }

    fn word_expression(&mut self, word: &str) -> SqlResult<Expr> {
        let upper = word.to_ascii_uppercase();
        let called = matches!(self.peek_at(1), Token::Symbol("("));
        match upper.as_str() {
            "NULL" => {
                self.at += 1;
                Ok(Expr::Null)
            }
            "DEFAULT" => {
                self.at += 1;
                Ok(Expr::Default)
            }
            "CASE" => {
                self.at += 1;
                self.case()
            }
            "CURRENT_TIMESTAMP" | "CURRENT_USER" | "SESSION_USER" | "SYSTEM_USER" | "USER" => {
                self.at += 1;
                Ok(call(&upper.to_lowercase(), Vec::new()))
            }
            "CAST" | "TRY_CAST" if called => {
                self.at += 2;
                let value = self.scalar()?;
                self.expect_word("AS")?;
                let ty = self.cast_type()?;
                self.expect(")")?;
                Ok(Expr::Convert(Box::new(value), ty, None, upper == "TRY_CAST"))
            }
            "CONVERT" | "TRY_CONVERT" if called => {
                self.at += 2;
                let ty = self.cast_type()?;
                self.expect(",")?;
                let value = self.scalar()?;
                let style = if self.symbol(",") { Some(Box::new(self.scalar()?)) } else { None };
                self.expect(")")?;
                Ok(Expr::Convert(Box::new(value), ty, style, upper == "TRY_CONVERT"))
            }
            "NEXT" if self.is_word_at(1, "VALUE") && self.is_word_at(2, "FOR") => {
                Err(SqlError::unknown("sequences (NEXT VALUE FOR)"))
            }
            _ if called && RESERVED_FUNCTIONS.contains(&upper.as_str()) => {
                self.at += 1;
                self.arguments(upper.to_lowercase())
            }
            _ => self.column_or_call(),
        }
    }

    /// In CAST and CONVERT a text or binary without a length has one of 30.
    fn cast_type(&mut self) -> SqlResult<crate::tds::value::SqlType> {
        use crate::tds::value::SqlType as T;
        let start = self.at;
        let ty = self.data_type()?;
        let bare = !matches!(self.tokens[self.at - 1].token, Token::Symbol(")")) || self.at == start + 1;
        Ok(match ty {
            T::Char(1) if bare => T::Char(30),
            T::VarChar(Some(1)) if bare => T::VarChar(Some(30)),
            T::NChar(1) if bare => T::NChar(30),
            T::NVarChar(Some(1)) if bare => T::NVarChar(Some(30)),
            T::Binary(1) if bare => T::Binary(30),
            T::VarBinary(Some(1)) if bare => T::VarBinary(Some(30)),
            other => other,
        })
    }

    fn column_or_call(&mut self) -> SqlResult<Expr> {
        let mut parts = vec![self.identifier()?];
        while self.is_symbol(".") && !matches!(self.peek_at(1), Token::Symbol("*")) {
            self.at += 1;
            parts.push(self.identifier()?);
        }
        if self.is_symbol("(") {
            return match parts.as_slice() {
                [name] => self.arguments(name.to_lowercase()),
                _ => Err(SqlError::unknown(format!("functions of one's own ({})", parts.join(".")))),
            };
        }
        if parts.len() > 3 {
            return Err(SqlError::unknown(format!(
                "column names of {} parts ({})",
                parts.len(),
                parts.join(".")
            )));
        }
        Ok(Expr::Column(Name(parts)))
    }

    fn arguments(&mut self, name: String) -> SqlResult<Expr> {
        self.expect("(")?;
        let mut call = Call { name, arguments: Vec::new(), star: false, distinct: false, over: None };
        if self.symbol("*") {
            call.star = true;
        } else if !self.is_symbol(")") {
            call.distinct = self.word("DISTINCT");
            if !call.distinct {
                self.word("ALL");
            }
            call.arguments = self.list(Self::expr)?;
        }
        self.expect(")")?;
        if self.word("OVER") {
            self.expect("(")?;
            let mut partition = Vec::new();
            if self.word("PARTITION") {
                self.expect_word("BY")?;
                partition = self.list(Self::scalar)?;
            }
            let order = if self.words(&["ORDER", "BY"]) { self.list(Self::order)? } else { Vec::new() };
            if self.is_word("ROWS") || self.is_word("RANGE") {
                return Err(SqlError::unknown("window frames (ROWS and RANGE)"));
            }
            self.expect(")")?;
            call.over = Some((partition, order));
        } else if self.is_word("WITHIN") {
            return Err(SqlError::unknown("WITHIN GROUP"));
        }
        Ok(Expr::Call(call))
    }

    pub(super) fn order(&mut self) -> SqlResult<Order> {
        let expr = self.scalar()?;
        let descending = self.word("DESC");
        if !descending {
            self.word("ASC");
        }
        Ok(Order { expr, descending })
    }

    fn case(&mut self) -> SqlResult<Expr> {
        let operand = if self.is_word("WHEN") { None } else { Some(Box::new(self.scalar()?)) };
        let mut arms = Vec::new();
        while self.word("WHEN") {
            let when = if operand.is_some() { self.scalar()? } else { self.expr()? };
            self.expect_word("THEN")?;
            arms.push((when, self.scalar()?));
        }
        let otherwise = if self.word("ELSE") { Some(Box::new(self.scalar()?)) } else { None };
        if arms.is_empty() {
            return Err(self.unexpected());
        }
        self.expect_word("END")?;
        Ok(Expr::Case(operand, arms, otherwise))
    }
}

fn arithmetic(symbol: &str, left: Expr, right: Expr) -> Expr {
    Expr::Arithmetic(symbol.chars().next().unwrap_or('+'), Box::new(left), Box::new(right))
}

fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    Expr::Call(Call { name: name.to_owned(), arguments, star: false, distinct: false, over: None })
}
