//! A request's body: JSON, taken member by member, with a reason for everything that is wrong.
//!
//! Strict, so that nothing a client meant is dropped in silence: a member that is not known, or is
//! there twice, is refused, and so is a value of another type than the expected one. Texts are taken as
//! they are, whatever alphabet they are in; their length is counted in UTF-16 code units, which is what
//! `nvarchar(n)` counts.

use std::fmt;
use std::ops::RangeInclusive;

use lambda_http::http::HeaderMap;
use lambda_http::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use model::problem_details::FieldError;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::problem::{Kind, Problem};

/// The largest body that is taken, in bytes: 200 lessons with titles of 200 characters, escaped, are
/// half of it.
pub const LARGEST: usize = 512 * 1_024;
/// So many levels of lists and objects are taken; the routes need three.
const DEEPEST: usize = 8;
/// So many reasons are given; whoever needs more starts with these.
const MOST_ERRORS: usize = 50;

/// Reads a body that must be a JSON object.
///
/// # Errors
/// 415 for another media type or an encoding, 400 for what is no JSON object.
pub fn object(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
    let refuse = |detail: &str| Err(Problem::new(Kind::UnsupportedMediaType, detail));
    if !is_json(text(CONTENT_TYPE)) {
        return refuse("The body must be JSON in UTF-8: Content-Type: application/json.");
    }
    if !matches!(text(CONTENT_ENCODING).to_ascii_lowercase().as_str(), "" | "identity") {
        return refuse("The body must not be compressed.");
    }
    let wrong = |detail: String| Problem::new(Kind::BadInput, detail);
    if std::str::from_utf8(body).is_err() {
        return Err(wrong("The body is not UTF-8.".to_owned()));
    }
    let Strict(value) =
        serde_json::from_slice(body).map_err(|error| wrong(format!("The body is not taken: {error}.")))?;
    if depth(&value) > DEEPEST {
        return Err(wrong(format!("The body is nested more than {DEEPEST} deep.")));
    }
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(wrong("The body must be a JSON object.".to_owned())),
    }
}

/// `application/json`, with no other charset than UTF-8.
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(|part| part.trim().to_ascii_lowercase());
    parts.next().as_deref() == Some("application/json")
        && parts.all(|parameter| {
            parameter.strip_prefix("charset=").is_none_or(|charset| charset.trim_matches('"') == "utf-8")
        })
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Members on their way to being understood. What is wrong is collected, so that the client learns of
/// all of it at once.
#[derive(Debug)]
pub struct Fields<'v> {
    object: &'v Map<String, Value>,
    /// What stands before the names in messages: empty, or `lessons[3].`
    prefix: String,
    errors: Vec<FieldError>,
}

impl<'v> Fields<'v> {
    /// The members of `object`, of which those in `known` are expected.
    pub fn new(object: &'v Map<String, Value>, known: &[&str]) -> Self {
        Self::within(object, String::new(), known)
    }

    fn within(object: &'v Map<String, Value>, prefix: String, known: &[&str]) -> Self {
        let mut fields = Self { object, prefix, errors: Vec::new() };
        for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
            let shown: String = name.chars().take(40).collect();
            fields.refuse(&shown, format!("is not known here; known are: {}", known.join(", ")));
        }
        fields
    }

    /// A text whose length in UTF-16 code units lies within `length`; empty when it is refused. Where
    /// it may not be empty, it may not be blank either.
    pub fn text(&mut self, name: &str, length: RangeInclusive<usize>) -> String {
        match self.object.get(name) {
            Some(Value::String(text)) => {
                let units = text.encode_utf16().count();
                if *length.start() > 0 && text.trim().is_empty() {
                    self.refuse(name, "must not be blank");
                } else if !length.contains(&units) {
                    let (least, most) = (length.start(), length.end());
                    self.refuse(
                        name,
                        format!("must have {least} to {most} UTF-16 code units, and has {units}"),
                    );
                } else {
                    return text.clone();
                }
            }
            other => self.refuse_type(name, other, "a string"),
        }
        String::new()
    }

    /// What `parse` makes of a text that has to be there; none when it is refused.
    pub fn parsed<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        match self.object.get(name) {
            Some(Value::String(text)) => parse(text).map_err(|reason| self.refuse(name, reason)).ok(),
            other => {
                self.refuse_type(name, other, "a string");
                None
            }
        }
    }

    /// The same of a text that may be left out or null.
    pub fn optional<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        match self.object.get(name) {
            None | Some(Value::Null) => None,
            Some(_) => self.parsed(name, parse),
        }
    }

    /// A whole number within `range`; its start when it is refused.
    pub fn whole_number(&mut self, name: &str, range: RangeInclusive<i64>) -> i64 {
        let number = match self.object.get(name) {
            Some(Value::Number(number)) => whole(number),
            other => {
                self.refuse_type(name, other, "a whole number");
                return *range.start();
            }
        };
        match number {
            Some(number) if range.contains(&number) => number,
            _ => {
                self.refuse(
                    name,
                    format!("must be a whole number from {} to {}", range.start(), range.end()),
                );
                *range.start()
            }
        }
    }

    /// The same of a number that may be left out or null.
    pub fn optional_number(&mut self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        match self.object.get(name) {
            None | Some(Value::Null) => None,
            Some(_) => Some(self.whole_number(name, range)),
        }
    }

    /// True or false; false when it is refused.
    pub fn boolean(&mut self, name: &str) -> bool {
        match self.object.get(name) {
            Some(Value::Bool(value)) => *value,
            other => {
                self.refuse_type(name, other, "true or false");
                false
            }
        }
    }

    /// The objects of a list with at most `most` items, each taken by `item`; what is wrong with one is
    /// said with its number, counted from 0.
    pub fn list<T>(
        &mut self,
        name: &str,
        most: usize,
        known: &[&str],
        mut item: impl FnMut(&mut Fields<'v>) -> T,
    ) -> Vec<T> {
        let items = match self.object.get(name) {
            Some(Value::Array(items)) if items.len() <= most => items,
            Some(Value::Array(items)) => {
                self.refuse(name, format!("must have at most {most} items, and has {}", items.len()));
                return Vec::new();
            }
            other => {
                self.refuse_type(name, other, "a list");
                return Vec::new();
            }
        };
        let mut taken = Vec::with_capacity(items.len());
        for (at, value) in items.iter().enumerate() {
            let place = format!("{name}[{at}]");
            let Value::Object(object) = value else {
                self.refuse_type(&place, Some(value), "an object");
                continue;
            };
            let mut fields = Fields::within(object, format!("{}{place}.", self.prefix), known);
            taken.push(item(&mut fields));
            self.errors.append(&mut fields.errors);
        }
        taken
    }

    /// Adds a reason why a member is not taken.
    pub fn refuse(&mut self, name: &str, reason: impl Into<String>) {
        self.errors.push(FieldError { field: format!("{}{name}", self.prefix), reason: reason.into() });
    }

    /// The end of the reading.
    ///
    /// # Errors
    /// 400 when anything was wrong.
    pub fn finish(mut self) -> Result<(), Problem> {
        self.errors.truncate(MOST_ERRORS);
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::bad_input(self.errors)) }
    }

    fn refuse_type(&mut self, name: &str, found: Option<&Value>, wanted: &str) {
        let found = match found {
            None => return self.refuse(name, format!("is missing; it must be {wanted}")),
            Some(Value::Null) => "null",
            Some(Value::Bool(_)) => "true or false",
            Some(Value::Number(_)) => "a number",
            Some(Value::String(_)) => "a string",
            Some(Value::Array(_)) => "a list",
            Some(Value::Object(_)) => "an object",
        };
        self.refuse(name, format!("must be {wanted}, and is {found}"));
    }
}

/// The number, if it is whole: JSON does not tell 1 from 1.0.
fn whole(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let float =
            number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0)?;
        #[expect(clippy::cast_possible_truncation, reason = "whole, and within what both can hold")]
        Some(float as i64)
    })
}

/// JSON in which no object has a member twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Strict(value))) = members.next_entry::<String, _>()? {
            if object.insert(name, value).is_some() {
                return Err(de::Error::custom("an object has a member twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(content_type: &str, encoding: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        headers.insert(CONTENT_ENCODING, encoding.parse().unwrap());
        headers
    }

    fn status(content_type: &str, encoding: &str, body: &[u8]) -> u16 {
        let read = object(&headers(content_type, encoding), body);
        read.map_or_else(|problem| problem.response("").status().as_u16(), |_| 200)
    }

    #[test]
    fn what_is_taken_as_a_body() {
        let json = "application/json";
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(DEEPEST), "]".repeat(DEEPEST));
        let abyss = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let cases: [(&str, &str, &[u8], u16); 19] = [
            (json, "", b"{}", 200),
            ("application/json; charset=utf-8", "identity", b" {\"a\": 1} ", 200),
            ("Application/JSON;Charset=\"UTF-8\"", "", b"{}", 200),
            ("application/json; charset=latin1", "", b"{}", 415),
            ("application/merge-patch+json", "", b"{}", 415),
            ("text/plain", "", b"{}", 415),
            ("", "", b"{}", 415),
            (json, "gzip", b"{}", 415),
            (json, "", b"", 400),
            (json, "", b"[]", 400),
            (json, "", b"null", 400),
            (json, "", b"{\"a\":1}x", 400),
            (json, "", b"{\"a\":1,\"a\":1}", 400),
            (json, "", b"{\"a\":{\"b\":1,\"b\":2}}", 400),
            (json, "", b"{\"a\":\"\\ud800\"}", 400),
            (json, "", b"{\"a\":\"\xff\"}", 400),
            (json, "", b"\xef\xbb\xbf{}", 400),
            (json, "", deep.as_bytes(), 400),
            (json, "", abyss.as_bytes(), 400),
        ];
        for (content_type, encoding, body, expected) in cases {
            let shown = String::from_utf8_lossy(body);
            let shown: String = shown.chars().take(40).collect();
            assert_eq!(status(content_type, encoding, body), expected, "{content_type} {encoding} {shown}");
        }
    }

    #[test]
    fn members_are_taken_or_refused_with_a_reason() {
        let long = "é".repeat(11);
        let cases = [
            (r#"{"title":"a","n":1,"done":true,"items":[]}"#.to_owned(), vec![]),
            (r#"{"title":"👩‍🚀","n":1.0,"done":true,"items":[{"id":7},{"id":null},{}]}"#.to_owned(), vec![]),
            ("{}".to_owned(), vec!["title", "n", "done", "items"]),
            (r#"{"title":" ","n":0,"done":1,"items":{}}"#.to_owned(), vec!["title", "n", "done", "items"]),
            (
                format!(r#"{{"title":"{long}","n":1.5,"done":null,"items":[1]}}"#),
                vec!["title", "n", "done", "items[0]"],
            ),
            (
                r#"{"title":"a","n":1,"done":true,"items":[{"id":0,"x":1}],"y":2}"#.to_owned(),
                vec!["y", "items[0].x", "items[0].id"],
            ),
            (r#"{"title":"a","n":1e300,"done":true,"items":[{},{},{},{}]}"#.to_owned(), vec!["n", "items"]),
            (
                r#"{"title":["a"],"n":"1","done":"true","items":null}"#.to_owned(),
                vec!["title", "n", "done", "items"],
            ),
        ];
        for (text, expected) in cases {
            let Strict(Value::Object(object)) = serde_json::from_str(&text).unwrap() else {
                panic!("{text}")
            };
            let mut fields = Fields::new(&object, &["title", "n", "done", "items"]);
            fields.text("title", 1..=10);
            fields.whole_number("n", 1..=9);
            fields.boolean("done");
            fields.list("items", 3, &["id"], |item| item.optional_number("id", 1..=i64::MAX));
            let names: Vec<_> = fields.errors.iter().map(|error| error.field.as_str()).collect();
            assert_eq!(names, expected, "{text}");
            assert_eq!(fields.finish().is_ok(), expected.is_empty());
        }
    }

    #[test]
    fn the_list_of_reasons_has_an_end() {
        let members: Vec<_> = (0..10_000).map(|n| format!("\"m{n}\":1")).collect();
        let text = format!("{{{}}}", members.join(","));
        let Strict(Value::Object(object)) = serde_json::from_str(&text).unwrap() else { panic!() };
        let problem = Fields::new(&object, &["a"]).finish().unwrap_err();
        let response = problem.response("");
        let body: model::problem_details::ProblemDetails = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body.errors.len(), MOST_ERRORS);
    }
}
