//! Queries.

use super::{Parser, one_more};
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{Body, Cte, Expr, Item, Join, Query, Select, SetOperator, Source, TableSource};
use crate::tds::sql::lexer::Token;

/// Hints that change nothing here: there is one lock per database, and reads see what is committed.
const HARMLESS_HINTS: &[&str] = &[
    "NOLOCK",
    "READUNCOMMITTED",
    "READCOMMITTED",
    "READCOMMITTEDLOCK",
    "ROWLOCK",
    "PAGLOCK",
    "TABLOCK",
    "FORCESEEK",
    "FORCESCAN",
    "NOWAIT",
];

impl Parser {
    /// A query with its WITH, ORDER BY, OFFSET and FETCH.
    pub(super) fn query(&mut self) -> SqlResult<Query> {
        self.deeper(|parser| {
            let ctes = parser.ctes()?;
            parser.query_after(ctes)
        })
    }

    /// WITH, if it is there.
    pub(super) fn ctes(&mut self) -> SqlResult<Vec<Cte>> {
        if !self.word("WITH") {
            return Ok(Vec::new());
        }
        self.list(|parser| {
            let name = parser.identifier()?;
            let columns = if parser.is_symbol("(") { parser.identifiers()? } else { Vec::new() };
            parser.expect_word("AS")?;
            parser.expect("(")?;
            let query = parser.query()?;
            parser.expect(")")?;
            Ok(Cte { name, columns, query })
        })
    }

    pub(super) fn query_after(&mut self, ctes: Vec<Cte>) -> SqlResult<Query> {
        let body = self.body()?;
        let order = if self.words(&["ORDER", "BY"]) { self.list(Self::order)? } else { Vec::new() };
        let mut query = Query { ctes, body, order, offset: None, fetch: None };
        if self.word("OFFSET") {
            if query.order.is_empty() {
                return Err(SqlError::syntax("OFFSET"));
            }
            query.offset = Some(self.scalar()?);
            self.rows()?;
            if self.word("FETCH") {
                if !self.word("NEXT") {
                    self.expect_word("FIRST")?;
                }
                query.fetch = Some(self.scalar()?);
                self.rows()?;
                self.expect_word("ONLY")?;
            }
        }
        if self.is_word("FOR") {
            return Err(SqlError::unknown("FOR XML, FOR JSON and FOR BROWSE"));
        }
        if self.word("OPTION") {
            self.option()?;
        }
        Ok(query)
    }

    fn rows(&mut self) -> SqlResult<()> {
        if self.word("ROWS") { Ok(()) } else { self.expect_word("ROW") }
    }

    /// OPTION (...): hints to a planner that is not here. Only those that cannot change a result.
    pub(super) fn option(&mut self) -> SqlResult<()> {
        self.expect("(")?;
        loop {
            if self.word("RECOMPILE") || self.words(&["LOOP", "JOIN"]) || self.words(&["HASH", "JOIN"]) {
            } else if self.word("MAXDOP") {
                self.whole::<u32>()?;
            } else if self.words(&["OPTIMIZE", "FOR", "UNKNOWN"]) {
            } else {
                return Err(SqlError::unknown(format!("the query option {}", self.peek().shown())));
            }
            if !self.symbol(",") {
                return self.expect(")");
            }
        }
    }

    fn body(&mut self) -> SqlResult<Body> {
        let (mut left, mut operands) = (self.intersection()?, 0);
        loop {
            one_more(&mut operands)?;
            let operator = if self.word("UNION") {
                if self.word("ALL") { SetOperator::UnionAll } else { SetOperator::Union }
            } else if self.word("EXCEPT") {
                SetOperator::Except
            } else {
                return Ok(left);
            };
            left = Body::Set(operator, Box::new(left), Box::new(self.intersection()?));
        }
    }

    fn intersection(&mut self) -> SqlResult<Body> {
        let mut left = self.single()?;
        while self.word("INTERSECT") {
            left = Body::Set(SetOperator::Intersect, Box::new(left), Box::new(self.single()?));
        }
        Ok(left)
    }

    fn single(&mut self) -> SqlResult<Body> {
        if self.symbol("(") {
            let query = self.query()?;
            self.expect(")")?;
            return Ok(Body::Nested(Box::new(query)));
        }
        if self.word("VALUES") {
            return self.values();
        }
        self.expect_word("SELECT")?;
        let distinct = self.word("DISTINCT");
        if !distinct {
            self.word("ALL");
        }
        let top = if self.word("TOP") { Some(self.top()?) } else { None };
        let items = self.list(Self::item)?;
        if self.is_word("INTO") {
            return Err(SqlError::unknown("SELECT ... INTO"));
        }
        let from = if self.word("FROM") { self.list(Self::source)? } else { Vec::new() };
        let filter = if self.word("WHERE") { Some(self.expr()?) } else { None };
        let group = if self.words(&["GROUP", "BY"]) { self.list(Self::scalar)? } else { Vec::new() };
        let having = if self.word("HAVING") { Some(self.expr()?) } else { None };
        Ok(Body::Select(Box::new(Select { distinct, top, items, from, filter, group, having })))
    }

    pub(super) fn values(&mut self) -> SqlResult<Body> {
        let rows = self.list(|parser| {
            parser.expect("(")?;
            let row = parser.list(Self::scalar)?;
            parser.expect(")")?;
            Ok(row)
        })?;
        Ok(Body::Values(rows))
    }

    /// What stands behind TOP: a number, or anything in brackets.
    pub(super) fn top(&mut self) -> SqlResult<Expr> {
        let top = if self.symbol("(") {
            let expr = self.scalar()?;
            self.expect(")")?;
            expr
        } else {
            Expr::Number(self.whole::<u64>()?.to_string())
        };
        if self.is_word("PERCENT") || (self.is_word("WITH") && self.is_word_at(1, "TIES")) {
            return Err(SqlError::unknown("TOP ... PERCENT and WITH TIES"));
        }
        Ok(top)
    }

    pub(super) fn item(&mut self) -> SqlResult<Item> {
        if self.symbol("*") {
            return Ok(Item::All(None));
        }
        if let Token::Variable(name) = self.peek().clone()
            && matches!(self.peek_at(1), Token::Symbol("="))
        {
            self.at += 2;
            return Ok(Item::Assign(name, self.scalar()?));
        }
        // `t.*`, with up to three parts before it.
        let mut ahead = 0;
        while matches!(self.peek_at(ahead), Token::Word(_) | Token::Quoted(_))
            && matches!(self.peek_at(ahead + 1), Token::Symbol("."))
        {
            ahead += 2;
            if matches!(self.peek_at(ahead), Token::Symbol("*")) {
                let mut parts = vec![self.identifier()?];
                while self.symbol(".") {
                    if self.symbol("*") {
                        return Ok(Item::All(Some(crate::tds::sql::ast::Name(parts))));
                    }
                    parts.push(self.identifier()?);
                }
            }
        }
        // `name = expression` is the old way to give a name.
        if matches!(self.peek(), Token::Word(_) | Token::Quoted(_))
            && matches!(self.peek_at(1), Token::Symbol("="))
        {
            let name = self.identifier()?;
            self.expect("=")?;
            return Ok(Item::Expr(self.scalar()?, Some(name)));
        }
        let expr = self.scalar()?;
        Ok(Item::Expr(expr, self.alias()?))
    }

    /// `AS name`, or a name alone.
    pub(super) fn alias(&mut self) -> SqlResult<Option<String>> {
        if self.word("AS") {
            if let Token::Text(text, _) = self.peek() {
                let text = text.clone();
                self.at += 1;
                return Ok(Some(text));
            }
            return self.identifier().map(Some);
        }
        Ok(self.identifier().ok())
    }

    pub(super) fn source(&mut self) -> SqlResult<Source> {
        self.deeper(|parser| {
            let mut left = parser.one_source()?;
            loop {
                let join = if parser.words(&["CROSS", "JOIN"]) {
                    Join::Cross
                } else if parser.is_word("CROSS")
                    || (parser.is_word("OUTER") && parser.is_word_at(1, "APPLY"))
                {
                    return Err(SqlError::unknown("CROSS APPLY and OUTER APPLY"));
                } else if parser.word("INNER") {
                    Join::Inner
                } else if parser.word("LEFT") {
                    parser.word("OUTER");
                    Join::Left
                } else if parser.word("RIGHT") {
                    parser.word("OUTER");
                    Join::Right
                } else if parser.word("FULL") {
                    parser.word("OUTER");
                    Join::Full
                } else if parser.is_word("JOIN") {
                    Join::Inner
                } else {
                    return Ok(left);
                };
                if join == Join::Cross {
                    left = Source::Join(Box::new(left), Box::new(parser.one_source()?), join, None);
                    continue;
                }
                parser.expect_word("JOIN")?;
                let right = parser.one_source()?;
                parser.expect_word("ON")?;
                let on = parser.expr()?;
                left = Source::Join(Box::new(left), Box::new(right), join, Some(on));
            }
        })
    }

    fn one_source(&mut self) -> SqlResult<Source> {
        if self.symbol("(") {
            if self.is_word("SELECT") || self.is_word("WITH") || self.is_word("VALUES") {
                let query = self.query()?;
                self.expect(")")?;
                self.word("AS");
                let alias = self.identifier()?;
                let columns = if self.is_symbol("(") { self.identifiers()? } else { Vec::new() };
                return Ok(Source::Derived(Box::new(query), alias, columns));
            }
            let inner = self.source()?;
            self.expect(")")?;
            return Ok(inner);
        }
        if let Token::Variable(name) = self.peek() {
            return Err(SqlError::unknown(format!("table variables ({name})")));
        }
        self.table_source().map(Source::Table)
    }

    /// A table with its alias and hints.
    pub(super) fn table_source(&mut self) -> SqlResult<TableSource> {
        let name = self.name()?;
        let mut source = TableSource { name, alias: None, exclusive: false, holds: false };
        if self.is_symbol("(") {
            // The old form without WITH: `FROM t (NOLOCK)`. Anything else is a function.
            let hint = matches!(self.peek_at(1), Token::Word(word) if is_hint(word));
            if !hint {
                return Err(SqlError::unknown(format!("table functions ({})", source.name)));
            }
            self.hints(&mut source)?;
        }
        if self.is_word("TABLESAMPLE") || (self.is_word("FOR") && self.is_word_at(1, "SYSTEM_TIME")) {
            return Err(SqlError::unknown("TABLESAMPLE and FOR SYSTEM_TIME"));
        }
        // OUTPUT and USING are no reserved words, but follow a table.
        if !["OUTPUT", "USING", "OFFSET"].iter().any(|word| self.is_word(word)) {
            source.alias = self.alias()?;
        }
        if self.is_word("WITH") && matches!(self.peek_at(1), Token::Symbol("(")) {
            self.at += 1;
            self.hints(&mut source)?;
        } else if self.is_symbol("(") && matches!(self.peek_at(1), Token::Word(word) if is_hint(word)) {
            self.hints(&mut source)?;
        }
        // MERGE INTO t WITH (HOLDLOCK) AS target
        if source.alias.is_none() && self.is_word("AS") {
            source.alias = self.alias()?;
        }
        Ok(source)
    }

    pub(super) fn hints(&mut self, source: &mut TableSource) -> SqlResult<()> {
        self.expect("(")?;
        loop {
            let hint = match self.next() {
                Token::Word(word) => word.to_ascii_uppercase(),
                _ => {
                    self.at -= 1;
                    return Err(self.unexpected());
                }
            };
            match hint.as_str() {
                "UPDLOCK" | "XLOCK" | "TABLOCKX" => source.exclusive = true,
                "HOLDLOCK" | "SERIALIZABLE" | "REPEATABLEREAD" => source.holds = true,
                "INDEX" => {
                    self.symbol("=");
                    let bracket = self.symbol("(");
                    self.list(|parser| match parser.next() {
                        Token::Word(_) | Token::Quoted(_) | Token::Number(_) => Ok(()),
                        _ => Err(parser.unexpected()),
                    })?;
                    if bracket {
                        self.expect(")")?;
                    }
                }
                hint if HARMLESS_HINTS.contains(&hint) => {}
                other => return Err(SqlError::unknown(format!("the table hint {other}"))),
            }
            self.symbol(",");
            if self.symbol(")") {
                return Ok(());
            }
        }
    }
}

fn is_hint(word: &str) -> bool {
    let upper = word.to_ascii_uppercase();
    HARMLESS_HINTS.contains(&upper.as_str())
        || ["UPDLOCK", "XLOCK", "TABLOCKX", "HOLDLOCK", "SERIALIZABLE", "REPEATABLEREAD", "INDEX"]
            .contains(&upper.as_str())
}
