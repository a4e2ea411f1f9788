//! LIKE.

use super::Arguments;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::value::Value;

/// `tds_like(text, pattern[, escape])`
pub(super) fn like(a: &Arguments<'_>) -> SqlResult<Value> {
    let escape = if a.len() > 2 {
        let mut characters = a.text(2)?.chars();
        match (characters.next(), characters.next()) {
            (Some(c), None) => Some(c),
            _ => {
                return Err(SqlError::new(
                    506,
                    1,
                    format!(
                        "The invalid escape character \"{}\" was specified in a LIKE predicate.",
                        a.text(2)?
                    ),
                ));
            }
        }
    } else {
        None
    };
    let fold = |text: &str| -> Vec<char> { text.chars().flat_map(char::to_lowercase).collect() };
    let escape = escape.and_then(|c| c.to_lowercase().next());
    let text = fold(a.text(0)?);
    let pattern = pattern(&fold(a.text(1)?), escape);
    // Blanks at the end of the text do not count.
    let trimmed = text.len() - text.iter().rev().take_while(|c| **c == ' ').count();
    let matches = matches_pattern(&text, &pattern) || matches_pattern(&text[..trimmed], &pattern);
    Ok(Value::Integer(i64::from(matches)))
}

#[derive(Debug, PartialEq)]
enum Piece {
    Any,
    One,
    Exactly(char),
    Set(bool, Vec<(char, char)>),
}

fn pattern(pattern: &[char], escape: Option<char>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(&c) = pattern.get(at) {
        at += 1;
        pieces.push(match c {
            c if Some(c) == escape => {
                at += 1;
                match pattern.get(at - 1) {
                    Some(&next) => Piece::Exactly(next),
                    None => Piece::Set(false, Vec::new()),
                }
            }
            '%' => Piece::Any,
            '_' => Piece::One,
            '[' => {
                let Some(length) = pattern[at..].iter().position(|c| *c == ']') else {
                    // A bracket that does not close matches nothing.
                    pieces.push(Piece::Set(false, Vec::new()));
                    break;
                };
                let mut inner = &pattern[at..at + length];
                at += length + 1;
                let negated = inner.first() == Some(&'^');
                inner = &inner[usize::from(negated)..];
                let mut ranges = Vec::new();
                while let Some(&low) = inner.first() {
                    if let [low, '-', high, rest @ ..] = inner {
                        ranges.push((*low, *high));
                        inner = rest;
                    } else {
                        ranges.push((low, low));
                        inner = &inner[1..];
                    }
                }
                Piece::Set(negated, ranges)
            }
            other => Piece::Exactly(other),
        });
    }
    pieces
}

/// Goes back to the last `%` only, so that it takes no more than length times length steps.
fn matches_pattern(text: &[char], pattern: &[Piece]) -> bool {
    let (mut at, mut piece) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    loop {
        let fits = match pattern.get(piece) {
            None => at == text.len(),
            Some(Piece::Any) => {
                back = Some((at, piece));
                piece += 1;
                continue;
            }
            Some(one) => text.get(at).is_some_and(|c| match one {
                Piece::Exactly(exactly) => c == exactly,
                Piece::Set(negated, ranges) => {
                    ranges.iter().any(|(low, high)| low <= c && c <= high) != *negated
                }
                Piece::One | Piece::Any => true,
            }),
        };
        if fits && piece == pattern.len() {
            return true;
        }
        if fits {
            (at, piece) = (at + 1, piece + 1);
        } else {
            let Some((start, any)) = back else { return false };
            if start >= text.len() {
                return false;
            }
            back = Some((start + 1, any));
            (at, piece) = (start + 1, any + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_like_does() {
        let matches = |text: &str, like: &str, escape: Option<char>| {
            let text: Vec<char> = text.chars().collect();
            let like: Vec<char> = like.chars().collect();
            matches_pattern(&text, &pattern(&like, escape))
        };
        for (text, like, expected) in [
            ("abc", "abc", true),
            ("abc", "a%", true),
            ("abc", "%c", true),
            ("abc", "a_c", true),
            ("abc", "a_", false),
            ("abc", "[a-c]%", true),
            ("abc", "[^a]%", false),
            ("a%c", "a[%]c", true),
            ("abc", "a[%]c", false),
            ("", "%", true),
            ("", "_", false),
            ("aaab", "%a%ab", true),
        ] {
            assert_eq!(matches(text, like, None), expected, "{text} LIKE {like}");
        }
        assert!(matches("100%", "100!%", Some('!')));
        assert!(!matches("1000", "100!%", Some('!')));
        assert!(!matches(&"a".repeat(20_000), &format!("{}b", "%a".repeat(30)), None));
    }
}
