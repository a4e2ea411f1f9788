//! Patterns for messages that are JSON objects: `{ $.user.id = 1 && $.tags[*] != "x*" }`.
//!
//! A comparison looks at strings and numbers only: a selector that finds nothing, an array, an
//! object, `true` or `null` makes it false, `!=` included. With a wildcard in the selector one
//! element that fits is enough.

use serde_json::Value;

use super::PatternError;
use super::cursor::{Cursor, Literal, Operator, Tree};

/// AWS: one wildcard in a selector, three in a pattern.
const MOST_WILDCARDS: usize = 3;

/// A parsed expression.
#[derive(Debug, Clone)]
pub struct Expression(Tree<Condition>);

#[derive(Debug, Clone)]
struct Condition {
    selector: Vec<Step>,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    Element(usize),
    Any,
}

#[derive(Debug, Clone)]
enum Test {
    Compare(Operator, Literal),
    Is(Value),
    NotExists,
}

impl Expression {
    /// Whether a message is a JSON object for which the expression holds.
    pub fn matches(&self, message: &str) -> bool {
        // Most of a function's lines are not JSON: the first character tells.
        message.trim_start().starts_with('{')
            && serde_json::from_str::<Value>(message)
                .is_ok_and(|value| self.0.holds(&|condition| condition.holds(&value)))
    }
}

/// Reads `{ ... }`.
pub(super) fn parse(text: &str) -> Result<Expression, PatternError> {
    let mut cursor = Cursor::new(text);
    cursor.eat("{");
    let mut wildcards = 0;
    let tree = Tree::parse(&mut cursor, &mut |cursor| {
        let condition = condition(cursor)?;
        wildcards += usize::from(condition.selector.contains(&Step::Any));
        Ok(condition)
    })?;
    cursor.skip_space();
    if !cursor.eat("}") || !cursor.at_end() {
        return Err(PatternError::invalid(format!("unexpected '{}'", cursor.rest())));
    }
    if wildcards > MOST_WILDCARDS {
        return Err(PatternError::invalid(format!("more than {MOST_WILDCARDS} wildcard selectors")));
    }
    Ok(Expression(tree))
}

fn condition(cursor: &mut Cursor<'_>) -> Result<Condition, PatternError> {
    let selector = selector(cursor)?;
    if let Some(operator) = Operator::parse(cursor) {
        let literal = Literal::parse(cursor, operator, |c| ")}".contains(c))?;
        return Ok(Condition { selector, test: Test::Compare(operator, literal) });
    }
    let test = if cursor.eat_word("IS") {
        let value = [("NULL", Value::Null), ("TRUE", Value::Bool(true)), ("FALSE", Value::Bool(false))]
            .into_iter()
            .find_map(|(word, value)| cursor.eat_word(word).then_some(value));
        // The guide: IS NOT is not supported.
        Test::Is(value.ok_or_else(|| PatternError::invalid("IS needs NULL, TRUE or FALSE"))?)
    } else if cursor.eat_word("NOT") && cursor.eat_word("EXISTS") {
        Test::NotExists
    } else {
        return Err(PatternError::invalid(format!("no operator before '{}'", cursor.rest())));
    };
    Ok(Condition { selector, test })
}

fn selector(cursor: &mut Cursor<'_>) -> Result<Vec<Step>, PatternError> {
    if !cursor.eat("$") {
        return Err(PatternError::invalid(format!(
            "a selector begins with '$', not with '{}'",
            cursor.rest()
        )));
    }
    let mut steps = Vec::new();
    loop {
        let dot = cursor.eat(".");
        if cursor.eat("[") {
            steps.push(bracket(cursor)?);
        } else if dot && cursor.eat("*") {
            steps.push(Step::Any);
        } else if dot {
            let name = cursor.until(|c| !(c.is_alphanumeric() || c == '_' || c == '-'));
            if name.is_empty() {
                return Err(PatternError::invalid("a selector has an empty name"));
            }
            steps.push(Step::Member(name.to_owned()));
        } else {
            break;
        }
    }
    if steps.is_empty() {
        return Err(PatternError::invalid("a selector names nothing"));
    }
    if steps.iter().filter(|step| **step == Step::Any).count() > 1 {
        return Err(PatternError::invalid("a selector has more than one wildcard"));
    }
    Ok(steps)
}

/// What is in brackets: `3`, `*`, `'a.name'` or `"a.name"`.
fn bracket(cursor: &mut Cursor<'_>) -> Result<Step, PatternError> {
    let step = if cursor.eat("*") {
        Step::Any
    } else if cursor.eat("'") {
        let name = cursor.until(|c| c == '\'').to_owned();
        if !cursor.eat("'") {
            return Err(PatternError::invalid("a quotation mark is not closed"));
        }
        Step::Member(name)
    } else if let Some(name) = cursor.quoted()? {
        Step::Member(name)
    } else {
        let digits = cursor.until(|c| !c.is_ascii_digit());
        Step::Element(
            digits.parse().map_err(|_| PatternError::invalid("brackets hold a number, a name or '*'"))?,
        )
    };
    if !cursor.eat("]") {
        return Err(PatternError::invalid("a bracket is not closed"));
    }
    Ok(step)
}

impl Condition {
    fn holds(&self, message: &Value) -> bool {
        let mut found = vec![message];
        for step in &self.selector {
            found = found.into_iter().flat_map(|value| step.of(value)).collect();
        }
        match &self.test {
            Test::NotExists => found.is_empty(),
            Test::Is(wanted) => found.contains(&wanted),
            Test::Compare(operator, literal) => found.into_iter().any(|value| match value {
                Value::String(text) => literal.string(*operator, text),
                Value::Number(number) => {
                    number.as_f64().is_some_and(|value| literal.number(*operator, value, &number.to_string()))
                }
                _ => false,
            }),
        }
    }
}

impl Step {
    fn of<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match (self, value) {
            (Self::Member(name), Value::Object(members)) => members.get(name).into_iter().collect(),
            (Self::Element(n), Value::Array(items)) => items.get(*n).into_iter().collect(),
            (Self::Any, Value::Array(items)) => items.iter().collect(),
            (Self::Any, Value::Object(members)) => members.values().collect(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Pattern, PatternError};

    const EVENT: &str = r#"{"eventType":"UpdateTrail","sourceIPAddress":"111.111.111.111",
        "arrayKey":["value","another value"],"objectList":[{"name":"a","id":1},{"name":"b","id":2}],
        "SomeObject":null,"cluster.name":"c","user":{"id":1,"email":"John.Stiles@example.com"},
        "actions":["GET","PUT","DELETE"],"coordinates":[[0,1,2],[4,5,6],[7,8,9]],
        "level":"ERROR","durationMs":120.5,"ok":true,"off":false,"code":"400","status":404,"big":1000,"neg":-3}"#;

    #[test]
    fn expressions_match_as_the_guide_says() {
        let table: &[(&str, bool)] = &[
            (r#"{ $.eventType = "UpdateTrail" }"#, true),
            (r#"{$.eventType="UpdateTrail"}"#, true),
            (r#"{ $.eventType = UpdateTrail }"#, true),
            (r#"{ $.eventType = "*Trail" }"#, true),
            (r#"{ $.eventType = "updatetrail" }"#, false),
            (r#"{ $.eventType != "UpdateTrail" }"#, false),
            (r#"{ $.sourceIPAddress != 123.123.* }"#, true),
            (r#"{ $.sourceIPAddress = 111.111.* }"#, true),
            (r#"{ $.arrayKey[0] = "value" }"#, true),
            (r#"{ $.arrayKey[1] = "value" }"#, false),
            (r#"{ $.arrayKey[7] = "value" }"#, false),
            (r#"{ $.arrayKey[*] = "another*" }"#, true),
            (r#"{ $.arrayKey = "value" }"#, false),
            (r#"{ $.* = "UpdateTrail" }"#, true),
            (r#"{ $.objectList[*].id = 2 }"#, true),
            (r#"{ $.objectList[*].id = 3 }"#, false),
            (r#"{ $.['cluster.name'] = "c" }"#, true),
            (r#"{ $['cluster.name'] = "c" }"#, true),
            (r#"{ $.SomeObject IS NULL }"#, true),
            (r#"{ $.eventType IS NULL }"#, false),
            (r#"{ $.missing IS NULL }"#, false),
            (r#"{ $.SomeOtherObject NOT EXISTS }"#, true),
            (r#"{ $.SomeObject NOT EXISTS }"#, false),
            (r#"{ $.user.name NOT EXISTS }"#, true),
            (r#"{ $.ok IS TRUE && $.off IS FALSE }"#, true),
            (r#"{ $.ok IS FALSE }"#, false),
            (r#"{ ($.user.id = 1) && ($.objectList[0].name = "a") }"#, true),
            (
                r#"{ $.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = "nonmatch" && $.actions[2] = "nonmatch" }"#,
                true,
            ),
            (
                r#"{ ($.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = "nonmatch") && $.actions[2] = "nonmatch" }"#,
                false,
            ),
            (r#"{ ($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET" }"#, false),
            (r#"{ $.level = "ERROR" && $.durationMs > 100 }"#, true),
            (r#"{ $.level = "ERROR" && $.durationMs > 120.5 }"#, false),
            (r#"{ $.durationMs >= 120.5 && $.durationMs <= 120.5 && $.durationMs < 121 }"#, true),
            (r#"{ $.big = 1e+3 }"#, true),
            (r#"{ $.big != 1e-3 }"#, true),
            (r#"{ $.neg = -3 && $.neg < 0 }"#, true),
            (r#"{ $.status = 4* }"#, true),
            (r#"{ $.status != 5* }"#, true),
            (r#"{ $.status = "404" }"#, false),
            (r#"{ $.code = 400 }"#, true),
            (r#"{ $.code > 100 }"#, false),
            (r#"{ $.coordinates[1][2] = 6 }"#, true),
            (r#"{ $.missing != "x" }"#, false),
            (r#"{ $.missing = "x" || ($.ok IS TRUE && ($.status = 404 || $.status = 410)) }"#, true),
        ];
        for (pattern, expected) in table {
            let parsed = Pattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(EVENT), *expected, "{pattern}");
            assert!(!parsed.matches("START RequestId: 1"), "{pattern} on text");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for pattern in [
            "{}",
            "{ $.a }",
            "{ $.a = }",
            "{ $.a = 1",
            "{ ($.a = 1 }",
            "{ $.a = 1 } x",
            "{ a = 1 }",
            "{ $ = 1 }",
            "{ $. = 1 }",
            "{ $.a[x] = 1 }",
            "{ $.a[*].b[*] = 1 }",
            "{ $.a > high }",
            "{ $.a > \"5\" }",
            "{ $.a IS NOT NULL }",
            "{ $.a EXISTS }",
            "{ $.a = 1 && }",
            "{ $.a = 1 & $.b = 2 }",
            "{ $.a[*] = 1 || $.b[*] = 1 || $.c[*] = 1 || $.d[*] = 1 }",
        ] {
            assert!(matches!(Pattern::parse(pattern), Err(PatternError::Invalid(_))), "{pattern}");
        }
        assert!(matches!(Pattern::parse("{ $.a = %x% }"), Err(PatternError::Unsupported(_))));
    }

    #[test]
    fn a_pattern_as_deep_as_it_may_be_does_no_harm() {
        let deep = format!("{{{}$.a = 1{}}}", "(".repeat(500), ")".repeat(500));
        assert!(Pattern::parse(&deep).unwrap().matches(r#"{"a":1}"#));
    }
}
