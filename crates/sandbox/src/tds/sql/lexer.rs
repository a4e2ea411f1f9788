//! Tokens, from sqlparser's.

use sqlparser::dialect::MsSqlDialect;
use sqlparser::tokenizer::{Token as Raw, Tokenizer};

use crate::tds::error::{SqlError, SqlResult};

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A word: a keyword or a name.
    Word(String),
    /// A name in brackets or double quotes.
    Quoted(String),
    /// A variable, with its @ or @@, in lower case.
    Variable(String),
    /// A number without sign.
    Number(String),
    /// A text, and whether it was written N'...'.
    Text(String, bool),
    /// The digits of a binary literal.
    Binary(String),
    /// Everything else.
    Symbol(&'static str),
    /// The end.
    End,
}

impl Token {
    /// The token as a message shows it.
    pub fn shown(&self) -> String {
        match self {
            Self::Word(text) | Self::Quoted(text) | Self::Variable(text) | Self::Number(text) => text.clone(),
            Self::Text(text, _) => text.clone(),
            Self::Binary(digits) => format!("0x{digits}"),
            Self::Symbol(symbol) => (*symbol).to_owned(),
            Self::End => String::new(),
        }
    }
}

/// A token and its line, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The token.
    pub token: Token,
    /// Its line.
    pub line: u32,
}

/// Cuts a batch into tokens.
///
/// # Errors
/// 105 for a text that does not end, 102 for a character that means nothing.
pub fn tokens(text: &str) -> SqlResult<Vec<Placed>> {
    let raw = Tokenizer::new(&MsSqlDialect {}, text).tokenize_with_location().map_err(|error| {
        if error.message.contains("nterminated") {
            SqlError::new(105, 1, "Unclosed quotation mark after the character string.")
                .class(15)
                .ends_batch()
        } else {
            SqlError::syntax(error.message)
        }
    })?;
    let mut placed = Vec::with_capacity(raw.len());
    for raw in raw {
        let line = u32::try_from(raw.span.start.line).unwrap_or(u32::MAX);
        let Some(token) = token(raw.token)? else { continue };
        placed.push(Placed { token, line });
    }
    let line = placed.last().map_or(1, |last| last.line);
    placed.push(Placed { token: Token::End, line });
    Ok(placed)
}

fn token(raw: Raw) -> SqlResult<Option<Token>> {
    Ok(Some(match raw {
        Raw::Whitespace(_) | Raw::EOF => return Ok(None),
        Raw::Word(word) if word.quote_style.is_some() => Token::Quoted(word.value),
        Raw::Word(word) if word.value.starts_with('@') => Token::Variable(word.value.to_lowercase()),
        Raw::Word(word) => Token::Word(word.value),
        // Of the pseudo-columns with a dollar only MERGE's is known.
        Raw::Placeholder(name) if name.eq_ignore_ascii_case("$action") => Token::Quoted("$action".to_owned()),
        Raw::Number(digits, false) => Token::Number(digits),
        Raw::SingleQuotedString(text) => Token::Text(text, false),
        Raw::NationalStringLiteral(text) => Token::Text(text, true),
        Raw::HexStringLiteral(digits) => Token::Binary(digits),
        Raw::Comma => Token::Symbol(","),
        Raw::Eq => Token::Symbol("="),
        Raw::Neq => Token::Symbol("<>"),
        Raw::Lt => Token::Symbol("<"),
        Raw::Gt => Token::Symbol(">"),
        Raw::LtEq => Token::Symbol("<="),
        Raw::GtEq => Token::Symbol(">="),
        Raw::Plus => Token::Symbol("+"),
        Raw::Minus => Token::Symbol("-"),
        Raw::Mul => Token::Symbol("*"),
        Raw::Div => Token::Symbol("/"),
        Raw::Mod => Token::Symbol("%"),
        Raw::LParen => Token::Symbol("("),
        Raw::RParen => Token::Symbol(")"),
        Raw::Period => Token::Symbol("."),
        Raw::Colon => Token::Symbol(":"),
        Raw::DoubleColon => Token::Symbol("::"),
        Raw::SemiColon => Token::Symbol(";"),
        Raw::Ampersand => Token::Symbol("&"),
        Raw::Pipe => Token::Symbol("|"),
        Raw::Caret => Token::Symbol("^"),
        Raw::Tilde => Token::Symbol("~"),
        other => return Err(SqlError::syntax(other)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_as_t_sql_is_written() {
        let all: Vec<Token> =
            tokens("SELECT [a]]b].\"c\",@@ROWCOUNT,@P1,N'ü''',0xFf,1.5e3 --x\n/* y /* z */ */<>a.b")
                .unwrap()
                .into_iter()
                .map(|placed| placed.token)
                .collect();
        let symbol = Token::Symbol;
        assert_eq!(
            all,
            [
                Token::Word("SELECT".into()),
                Token::Quoted("a]b".into()),
                symbol("."),
                Token::Quoted("c".into()),
                symbol(","),
                Token::Variable("@@rowcount".into()),
                symbol(","),
                Token::Variable("@p1".into()),
                symbol(","),
                Token::Text("ü'".into(), true),
                symbol(","),
                Token::Binary("Ff".into()),
                symbol(","),
                Token::Number("1.5e3".into()),
                symbol("<>"),
                Token::Word("a".into()),
                symbol("."),
                Token::Word("b".into()),
                Token::End,
            ]
        );
    }

    #[test]
    fn lines_are_counted_and_open_texts_refused() {
        assert_eq!(tokens("a\nb").unwrap()[1].line, 2);
        assert_eq!(tokens("SELECT 'abc").unwrap_err().number, 105);
        assert_eq!(tokens("SELECT ?").unwrap_err().number, 102);
    }
}
