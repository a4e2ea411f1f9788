//! What the three forms of a pattern share: walking through the text, comparing with a literal, and
//! expressions of `&&`, `||` and parentheses.

use super::PatternError;

/// A place in a pattern's text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// Whether only white space is left; skips it.
    pub(super) fn at_end(&mut self) -> bool {
        self.skip_space();
        self.rest.is_empty()
    }

    pub(super) fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    pub(super) fn looking_at(&self, token: &str) -> bool {
        self.rest.starts_with(token)
    }

    /// Takes `token` if it comes next. Skips no white space.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        let found = self.rest.strip_prefix(token);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    /// Takes white space and then a word of letters, whatever their case.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let mut ahead = *self;
        ahead.skip_space();
        let found = ahead.until(|c| !c.is_ascii_alphabetic()).eq_ignore_ascii_case(word);
        if found {
            *self = ahead;
        }
        found
    }

    /// Takes everything up to the first character that `stops`.
    pub(super) fn until(&mut self, stops: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(stops).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// Takes a string in double quotation marks, if one comes next; `\"` and `\\` stand for
    /// themselves.
    pub(super) fn quoted(&mut self) -> Result<Option<String>, PatternError> {
        if !self.eat("\"") {
            return Ok(None);
        }
        let mut text = String::new();
        loop {
            text.push_str(self.until(|c| c == '"' || c == '\\'));
            if self.eat("\"") {
                return Ok(Some(text));
            }
            if self.eat("\\\"") {
                text.push('"');
            } else if self.eat("\\\\") || self.eat("\\") {
                text.push('\\');
            } else {
                return Err(PatternError::invalid("a quotation mark is not closed"));
            }
        }
    }

    /// What is left, for an error's text.
    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Option<Self> {
        cursor.skip_space();
        // The longer ones first.
        [
            ("!=", Self::NotEqual),
            ("<=", Self::LessOrEqual),
            (">=", Self::GreaterOrEqual),
            ("=", Self::Equal),
            ("<", Self::Less),
            (">", Self::Greater),
        ]
        .into_iter()
        .find_map(|(sign, operator)| cursor.eat(sign).then_some(operator))
    }

    #[expect(clippy::float_cmp, reason = "the user asks for exactly this number")]
    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

/// What a value is compared with. A `*` stands for any text, in quotation marks too.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Literal {
    text: String,
    number: Option<f64>,
    quoted: bool,
}

impl Literal {
    /// Reads a string in quotation marks or a bare word that ends where `stops` says.
    pub(super) fn parse(
        cursor: &mut Cursor<'_>,
        operator: Operator,
        stops: impl Fn(char) -> bool,
    ) -> Result<Self, PatternError> {
        cursor.skip_space();
        if cursor.looking_at("%") {
            return Err(PatternError::Unsupported("regular expressions (%...%)"));
        }
        let (text, quoted) = match cursor.quoted()? {
            Some(text) => (text, true),
            None => (cursor.until(|c| c.is_whitespace() || "&|".contains(c) || stops(c)).to_owned(), false),
        };
        if text.is_empty() && !quoted {
            return Err(PatternError::invalid("a comparison has nothing to compare with"));
        }
        // Letters that `f64` reads, such as "inf", are words here.
        let looks_numeric = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
        let number =
            (!quoted && looks_numeric).then(|| text.parse::<f64>().ok().filter(|n| n.is_finite())).flatten();
        if number.is_none() && !matches!(operator, Operator::Equal | Operator::NotEqual) {
            return Err(PatternError::invalid(format!("'{text}' is not a number")));
        }
        Ok(Self { text, number, quoted })
    }

    /// Compares with a number; `text` is how the message writes it.
    pub(super) fn number(&self, operator: Operator, value: f64, text: &str) -> bool {
        match (self.number, operator) {
            (Some(number), _) => operator.holds(value, number),
            // `4*` looks for numbers, `"4*"` for strings only.
            (None, Operator::Equal) => !self.quoted && glob(&self.text, text),
            (None, Operator::NotEqual) => self.quoted || !glob(&self.text, text),
            _ => false,
        }
    }

    /// Compares with a string.
    pub(super) fn string(&self, operator: Operator, value: &str) -> bool {
        match operator {
            Operator::Equal => glob(&self.text, value),
            Operator::NotEqual => !glob(&self.text, value),
            _ => false,
        }
    }

    /// Compares with a word that may be either.
    pub(super) fn word(&self, operator: Operator, value: &str) -> bool {
        match (self.number, value.parse::<f64>()) {
            (Some(_), Ok(number)) => self.number(operator, number, value),
            _ => self.string(operator, value),
        }
    }
}

/// Conditions joined by `&&`, which binds stronger, and `||`.
#[derive(Debug, Clone)]
pub(super) enum Tree<L> {
    All(Vec<Tree<L>>),
    Any(Vec<Tree<L>>),
    Leaf(L),
}

impl<L> Tree<L> {
    /// Reads an expression whose conditions `leaf` reads. The depth is bounded by the pattern's
    /// length.
    pub(super) fn parse(
        cursor: &mut Cursor<'_>,
        leaf: &mut dyn FnMut(&mut Cursor<'_>) -> Result<L, PatternError>,
    ) -> Result<Self, PatternError> {
        let mut any = vec![Self::conjunction(cursor, leaf)?];
        while next(cursor, "||") {
            any.push(Self::conjunction(cursor, leaf)?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Self::Any(any) })
    }

    fn conjunction(
        cursor: &mut Cursor<'_>,
        leaf: &mut dyn FnMut(&mut Cursor<'_>) -> Result<L, PatternError>,
    ) -> Result<Self, PatternError> {
        let mut all = vec![Self::operand(cursor, leaf)?];
        while next(cursor, "&&") {
            all.push(Self::operand(cursor, leaf)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Self::All(all) })
    }

    fn operand(
        cursor: &mut Cursor<'_>,
        leaf: &mut dyn FnMut(&mut Cursor<'_>) -> Result<L, PatternError>,
    ) -> Result<Self, PatternError> {
        if next(cursor, "(") {
            let inside = Self::parse(cursor, leaf)?;
            if !next(cursor, ")") {
                return Err(PatternError::invalid("a parenthesis is not closed"));
            }
            return Ok(inside);
        }
        cursor.skip_space();
        leaf(cursor).map(Self::Leaf)
    }

    /// Whether the expression holds when `leaf` says which conditions do.
    pub(super) fn holds(&self, leaf: &dyn Fn(&L) -> bool) -> bool {
        match self {
            Self::All(all) => all.iter().all(|tree| tree.holds(leaf)),
            Self::Any(any) => any.iter().any(|tree| tree.holds(leaf)),
            Self::Leaf(condition) => leaf(condition),
        }
    }
}

fn next(cursor: &mut Cursor<'_>, token: &str) -> bool {
    cursor.skip_space();
    cursor.eat(token)
}

/// Whether `text` is `pattern`, where `*` stands for any run of bytes. Linear but for stars, and
/// never worse than the product of the lengths.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            p = at + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "abcbc", true),
            ("a*c", "abcb", false),
            ("*b*", "abc", true),
            ("**", "x", true),
            ("abc", "abc", true),
            ("abc", "abcd", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
