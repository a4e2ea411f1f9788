//! Filter patterns: the language of `FilterLogEvents`, of metric filters and of subscriptions.
//!
//! Pure: a [`Pattern`] is parsed once and asked about one message after the other. Three forms:
//! - terms: `ERROR "disk full" -DEBUG`, or `?ERROR ?WARN` for any of them;
//! - JSON: `{ $.level = "ERROR" && ($.durationMs > 100 || $.retry IS TRUE) }`, in [`json`];
//! - fields: `[ip, user, ..., status = 4*, bytes > 1000]`, in [`fields`].
//!
//! The source of the rules is the chapter "Filter pattern syntax" of the CloudWatch Logs user guide.
//! What it leaves open is decided here and said where it is. Regular expressions (`%...%`) are
//! refused by name.

mod cursor;
pub mod fields;
pub mod json;

use cursor::Cursor;
use fields::Fields;
use json::Expression;

/// AWS: 1,024 characters.
pub const LONGEST_PATTERN: usize = 1_024;

/// Why a pattern is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// AWS refuses it too.
    #[error("Invalid filter pattern: {0}")]
    Invalid(String),
    /// AWS knows it, the sandbox does not.
    #[error("{0} in filter patterns")]
    Unsupported(&'static str),
}

impl PatternError {
    pub(crate) fn invalid(why: impl Into<String>) -> Self {
        Self::Invalid(why.into())
    }
}

/// A parsed filter pattern.
#[derive(Debug, Clone)]
pub struct Pattern(Form);

#[derive(Debug, Clone)]
enum Form {
    Terms(Terms),
    Json(Expression),
    Fields(Fields),
}

/// Terms are looked for anywhere in the message, case-sensitive.
#[derive(Debug, Clone, Default)]
struct Terms {
    all: Vec<String>,
    none: Vec<String>,
    any: Vec<String>,
}

impl Pattern {
    /// Reads a pattern. An empty one matches every message.
    ///
    /// # Errors
    /// [`PatternError`].
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.chars().count() > LONGEST_PATTERN {
            return Err(PatternError::invalid(format!("it is longer than {LONGEST_PATTERN} characters")));
        }
        let text = text.trim();
        let form = match text.chars().next() {
            Some('{') => Form::Json(json::parse(text)?),
            Some('[') => Form::Fields(fields::parse(text)?),
            _ => Form::Terms(terms(text)?),
        };
        Ok(Self(form))
    }

    /// Whether a message matches.
    pub fn matches(&self, message: &str) -> bool {
        match &self.0 {
            Form::Terms(terms) => terms.matches(message),
            Form::Json(expression) => expression.matches(message),
            Form::Fields(fields) => fields.matches(message),
        }
    }
}

impl Terms {
    fn matches(&self, message: &str) -> bool {
        self.all.iter().all(|term| message.contains(term))
            && !self.none.iter().any(|term| message.contains(term))
            && (self.any.is_empty() || self.any.iter().any(|term| message.contains(term)))
    }
}

fn terms(text: &str) -> Result<Terms, PatternError> {
    let mut terms = Terms::default();
    let mut cursor = Cursor::new(text);
    while !cursor.at_end() {
        let kind = if cursor.eat("-") {
            &mut terms.none
        } else if cursor.eat("?") {
            &mut terms.any
        } else {
            &mut terms.all
        };
        let term = match cursor.quoted()? {
            Some(phrase) => phrase,
            None => bare_term(&mut cursor)?,
        };
        // The guide: " " matches everything, though many a message has no space in it.
        if !term.trim().is_empty() {
            kind.push(term);
        }
    }
    // The guide: combined with other terms, the optional ones are ignored.
    if !terms.all.is_empty() || !terms.none.is_empty() {
        terms.any.clear();
    }
    Ok(terms)
}

/// Without quotation marks a term has letters, digits and underscores only.
fn bare_term(cursor: &mut Cursor<'_>) -> Result<String, PatternError> {
    if cursor.looking_at("%") {
        return Err(PatternError::Unsupported("regular expressions (%...%)"));
    }
    let term = cursor.until(char::is_whitespace);
    if term.is_empty() || !term.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return Err(PatternError::invalid(format!(
            "Invalid character(s) in term '{term}'; put it in double quotation marks"
        )));
    }
    Ok(term.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_match_as_the_guide_says() {
        let table: &[(&str, &str, bool)] = &[
            ("", "anything", true),
            ("   ", "", true),
            ("\" \"", "nospace", true),
            ("ERROR", "[ERROR 401] UNAUTHORIZED REQUEST", true),
            ("ERROR", "error", false),
            ("ERROR", "ERRORCODE: -1", true),
            ("ERROR ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", true),
            ("ERROR ARGUMENTS", "[ERROR 400] BAD REQUEST", false),
            ("?ERROR ?ARGUMENTS", "[WARN] ARGUMENTS", true),
            ("?ERROR ?ARGUMENTS", "[WARN]", false),
            ("?ERROR ?ARGUMENTS REQUEST", "[INFO] REQUEST FAILED", true),
            ("?ERROR ?ARGUMENTS REQUEST", "[ERROR]", false),
            ("?ERROR -DEBUG", "[INFO]", true),
            ("\"INTERNAL SERVER ERROR\"", "[ERROR 500] INTERNAL SERVER ERROR", true),
            ("\"INTERNAL SERVER ERROR\"", "SERVER INTERNAL ERROR", false),
            ("ERROR -ARGUMENTS", "[ERROR 400] BAD REQUEST", true),
            ("ERROR -ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", false),
            ("-\"health check\"", "GET /health check", false),
            ("-\"health check\"", "GET /courses", true),
            ("\"say \\\"hi\\\"\"", "they say \"hi\" there", true),
            ("r\u{e9}sum\u{e9}", "a r\u{e9}sum\u{e9}", true),
        ];
        for (pattern, message, expected) in table {
            let parsed = Pattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(message), *expected, "{pattern} on {message}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for pattern in ["req-123", "a.b", "\"open", "-", "?", "ERROR:", "(a)"] {
            assert!(matches!(Pattern::parse(pattern), Err(PatternError::Invalid(_))), "{pattern}");
        }
        assert!(matches!(Pattern::parse("%a.*b%"), Err(PatternError::Unsupported(_))));
        assert!(Pattern::parse(&"a ".repeat(513)).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_pattern_or_refused_and_never_more(
            text in "([{\\[]? ?[-?$.*a\"'%&|()=<>!,\\[\\]{} é0-9]{0,60}[}\\]]?)",
            message in "[ \\[\"{}a-c:é0-9]{0,40}",
        ) {
            if let Ok(pattern) = Pattern::parse(&text) {
                pattern.matches(&message);
            }
        }
    }
}
