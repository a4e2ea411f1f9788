//! Patterns for messages of words: `[ip, user, ..., status = 404 || status = 410, bytes > 1000]`.
//!
//! Words are separated by white space; what is in `[...]` or `"..."` is one word. `...` stands for
//! any number of words. As in the guide's own example `[w1=ERROR, w2]`, a last name without a
//! condition takes the rest of the message, which must have one word at least.

use super::PatternError;
use super::cursor::{Cursor, Literal, Operator, Tree};

/// A parsed pattern.
#[derive(Debug, Clone)]
pub struct Fields(Vec<Field>);

#[derive(Debug, Clone)]
enum Field {
    /// One word, with what it must satisfy.
    Word(Option<Tree<(Operator, Literal)>>),
    /// Any number of words.
    Rest,
}

impl Fields {
    /// Whether a message has these words.
    pub fn matches(&self, message: &str) -> bool {
        let words = words(message);
        let (mut f, mut w) = (0, 0);
        // Where the last ellipsis was and up to which word it reached: on a mismatch it takes one
        // word more. An earlier one never needs to.
        let mut ellipsis: Option<(usize, usize)> = None;
        while w < words.len() {
            match self.0.get(f) {
                Some(Field::Rest) => {
                    ellipsis = Some((f, w));
                    f += 1;
                }
                Some(Field::Word(condition)) if satisfied(condition.as_ref(), words[w]) => {
                    f += 1;
                    w += 1;
                }
                _ => {
                    let Some((at, from)) = ellipsis else { return false };
                    ellipsis = Some((at, from + 1));
                    f = at + 1;
                    w = from + 1;
                }
            }
        }
        self.0[f..].iter().all(|field| matches!(field, Field::Rest))
    }
}

/// Reads `[ ... ]`.
pub(super) fn parse(text: &str) -> Result<Fields, PatternError> {
    let mut cursor = Cursor::new(text);
    cursor.eat("[");
    let mut fields = Vec::new();
    loop {
        cursor.skip_space();
        fields.push(if cursor.eat("...") { Field::Rest } else { word(&mut cursor)? });
        cursor.skip_space();
        if !cursor.eat(",") {
            break;
        }
    }
    if !cursor.eat("]") || !cursor.at_end() {
        return Err(PatternError::invalid(format!("unexpected '{}'", cursor.rest())));
    }
    if matches!(fields.last(), Some(Field::Word(None))) {
        fields.push(Field::Rest);
    }
    Ok(Fields(fields))
}

fn word(cursor: &mut Cursor<'_>) -> Result<Field, PatternError> {
    let mut ahead = *cursor;
    let name = identifier(&mut ahead);
    ahead.skip_space();
    if !name.is_empty() && (ahead.looking_at(",") || ahead.looking_at("]")) {
        *cursor = ahead;
        return Ok(Field::Word(None));
    }
    let mut known: Option<String> = None;
    let tree = Tree::parse(cursor, &mut |cursor| {
        let name = identifier(cursor);
        if name.is_empty() {
            return Err(PatternError::invalid(format!("a field has no name before '{}'", cursor.rest())));
        }
        if known.as_ref().is_some_and(|known| known != name) {
            return Err(PatternError::invalid(format!("'{name}' is not the field of this condition")));
        }
        known = Some(name.to_owned());
        let operator = Operator::parse(cursor).ok_or_else(|| {
            PatternError::invalid(format!("no operator after '{name}' before '{}'", cursor.rest()))
        })?;
        Ok((operator, Literal::parse(cursor, operator, |c| "),]".contains(c))?))
    })?;
    Ok(Field::Word(Some(tree)))
}

fn identifier<'a>(cursor: &mut Cursor<'a>) -> &'a str {
    cursor.until(|c| !(c.is_alphanumeric() || c == '_' || c == '-'))
}

fn satisfied(condition: Option<&Tree<(Operator, Literal)>>, word: &str) -> bool {
    condition.is_none_or(|tree| tree.holds(&|(operator, literal)| literal.word(*operator, word)))
}

fn words(message: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut cursor = Cursor::new(message);
    while !cursor.at_end() {
        let word = if cursor.eat("[") {
            enclosed(&mut cursor, ']')
        } else if cursor.eat("\"") {
            enclosed(&mut cursor, '"')
        } else {
            cursor.until(char::is_whitespace)
        };
        words.push(word);
    }
    words
}

fn enclosed<'a>(cursor: &mut Cursor<'a>, end: char) -> &'a str {
    let word = cursor.until(|c| c == end);
    let mut close = [0; 4];
    cursor.eat(end.encode_utf8(&mut close));
    word
}

#[cfg(test)]
mod tests {
    use super::super::{Pattern, PatternError};

    const ACCESS: &str =
        "127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] \"GET /index.html HTTP/1.0\" 404 1534";

    #[test]
    fn fields_match_as_the_guide_says() {
        let all = "[ip, user, username, timestamp, request =*.html*, status_code = 4*, bytes]";
        let table: &[(&str, &str, bool)] = &[
            (all, ACCESS, true),
            (all, "127.0.0.1 Prod frank x y 404 1534", false),
            ("[..., request =*.html*, status_code = 4*, bytes]", ACCESS, true),
            ("[..., request =*.html*, status_code = 5*, bytes]", ACCESS, false),
            (
                "[ip, user, username, timestamp, request =*.html*, status_code = 404 || status_code = 410, bytes]",
                ACCESS,
                true,
            ),
            ("[..., status_code, bytes > 1000]", ACCESS, true),
            ("[..., status_code, bytes > 2000]", ACCESS, false),
            ("[ip = 127.*, ...]", ACCESS, true),
            ("[..., s = \"404\", ...]", ACCESS, true),
            ("[a, b, c]", "one two three", true),
            ("[a, b, c = three]", "one two three", true),
            ("[a, b, c = three]", "one two three four", false),
            ("[a, b, c]", "one two", false),
            ("[w1=ERROR, w2]", "ERROR 09/25/2014 12:00:02 Failed to process request", true),
            ("[w1=ERROR, w2]", "WARNING 09/25/2014 12:00:02 Invalid user request", false),
            ("[w1=ERROR || w1=WARNING, w2]", "WARNING 09/25/2014 12:00:02 Invalid", true),
            ("[w1!=ERROR && w1!=WARNING, w2]", "INFO 09/25/2014 12:00:00 GET", true),
            ("[w1!=ERROR && w1!=WARNING, w2]", "ERROR 09/25/2014 12:00:00", false),
            ("[w1!=ERROR&&w1!=WARNING, w2]", "WARNING 09/25/2014", false),
            ("[(w1=ERROR || w1=WARNING) && w1!=*NING, w2]", "WARNING x", false),
            (
                "[report=\"REPORT\", id_name=\"RequestId:\", id, ..., d=\"Duration:\", ms > 100, unit=\"ms\", ...]",
                "REPORT RequestId: 5e1 Duration: 120.41 ms Billed Duration: 121 ms Memory Size: 128 MB",
                true,
            ),
            ("[..., a=x, ..., b=y, ...]", "q x q x y q", true),
            ("[..., a=x, ..., b=y]", "y x q", false),
            ("[...]", "", true),
            ("[a]", "", false),
        ];
        for (pattern, message, expected) in table {
            let parsed = Pattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(message), *expected, "{pattern} on {message}");
        }
    }

    #[test]
    fn what_are_no_fields_is_refused() {
        for pattern in ["[", "[]", "[a", "[a,]", "[a b]", "[a =]", "[a = 1 && b = 2]", "[a] x", "[a > x]"] {
            assert!(matches!(Pattern::parse(pattern), Err(PatternError::Invalid(_))), "{pattern}");
        }
        assert!(matches!(Pattern::parse("[a = %x%]"), Err(PatternError::Unsupported(_))));
    }
}
