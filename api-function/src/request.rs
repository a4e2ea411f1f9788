//! A request as the routes see it, and how they take their input out of it.

use std::ops::RangeInclusive;

use lambda_http::http::HeaderMap;
use lambda_http::http::header::AsHeaderName;
use model::problem_details::FieldError;
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::body;
use crate::meter::Meter;
use crate::problem::{Kind, Problem};

/// So many pairs of the query string are read; more is no mistake of a person.
const MOST_PARAMETERS: usize = 50;

/// A request whose route has been found.
#[derive(Debug)]
pub struct Request {
    /// Lambda's request id.
    pub request_id: String,
    /// Whether it is the environment's first.
    pub cold_start: bool,
    /// When an answer must have been given.
    pub deadline: Instant,
    /// What it costs at the database.
    pub meter: Meter,
    /// Who asks: the token's subject, on a route that needs one; else empty.
    pub subject: String,
    path: Vec<(&'static str, String)>,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    /// None when it is larger than may be.
    body: Option<Vec<u8>>,
}

impl Request {
    /// A request with the path parameters the route named and a query string.
    pub fn new(
        request_id: String,
        cold_start: bool,
        deadline: Instant,
        path: Vec<(&'static str, String)>,
        raw_query: &str,
    ) -> Self {
        let pairs = form_urlencoded::parse(raw_query.as_bytes()).take(MOST_PARAMETERS);
        let query = pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        Self {
            request_id,
            cold_start,
            deadline,
            meter: Meter::default(),
            subject: String::new(),
            path,
            query,
            headers: HeaderMap::new(),
            body: Some(Vec::new()),
        }
    }

    /// The same from a caller who was let in, with what else the request holds.
    #[must_use]
    pub fn with(self, subject: String, headers: &HeaderMap, body: &[u8]) -> Self {
        let body = (body.len() <= body::LARGEST).then(|| body.to_vec());
        Self { subject, headers: headers.clone(), body, ..self }
    }

    /// A header; none when it is not there or is no ASCII text. API Gateway joins several of one name by
    /// commas.
    pub fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body, which must be a JSON object.
    ///
    /// # Errors
    /// 413, 415, or 400 with what is wrong.
    pub fn json(&self) -> Result<Map<String, Value>, Problem> {
        let Some(body) = &self.body else {
            let detail = format!("The body may have {} bytes.", body::LARGEST);
            return Err(Problem::new(Kind::TooLarge, detail));
        };
        body::object(&self.headers, body)
    }

    /// A path parameter, as it stands in the path; empty when the route has none of that name.
    pub fn path(&self, name: &str) -> &str {
        self.path.iter().find(|(n, _)| *n == name).map_or("", |(_, value)| value)
    }

    /// The query parameters, of which those in `known` are expected.
    pub fn query(&self, known: &[&str]) -> Input<'_> {
        let mut input = Input { pairs: &self.query, errors: Vec::new() };
        for (at, (name, _)) in self.query.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let shown: String = name.chars().take(40).collect();
                input.refuse(&shown, format!("is not known here; known are: {}", known.join(", ")));
            } else if self.query[..at].iter().any(|(earlier, _)| earlier == name) {
                input.refuse(name, "is given more than once");
            }
        }
        input
    }
}

/// Query parameters on their way to being understood. What is wrong is collected, so that the client
/// learns of all of it at once.
#[derive(Debug)]
pub struct Input<'a> {
    pairs: &'a [(String, String)],
    errors: Vec<FieldError>,
}

impl Input<'_> {
    /// A whole number within `range`; `default` when it is not given.
    pub fn whole_number(&mut self, name: &str, default: u32, range: RangeInclusive<u32>) -> u32 {
        let Some(text) = self.text(name) else { return default };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if digits && range.contains(&number) => number,
            _ => {
                self.refuse(
                    name,
                    format!("must be a whole number from {} to {}", range.start(), range.end()),
                );
                default
            }
        }
    }

    /// `true` or `false`; false when it is not given.
    pub fn boolean(&mut self, name: &str) -> bool {
        let known = |text: &str| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("must be true or false".to_owned()),
        };
        self.parsed(name, known).unwrap_or(false)
    }

    /// What `parse` makes of the text; none when it is not given. Its error is the reason.
    pub fn parsed<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let parsed = parse(self.text(name)?);
        self.checked(name, parsed)
    }

    /// What was parsed elsewhere; none, and the reason kept, when it was refused.
    pub fn checked<T>(&mut self, name: &str, parsed: Result<T, String>) -> Option<T> {
        parsed.map_err(|reason| self.refuse(name, reason)).ok()
    }

    /// The end of the reading.
    ///
    /// # Errors
    /// 400 when anything was wrong.
    pub fn finish(self) -> Result<(), Problem> {
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::bad_input(self.errors)) }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    fn refuse(&mut self, field: &str, reason: impl Into<String>) {
        self.errors.push(FieldError { field: field.to_owned(), reason: reason.into() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(raw_query: &str) -> Result<u32, String> {
        let request = Request::new(String::new(), false, Instant::now(), Vec::new(), raw_query);
        let mut input = request.query(&["limit", "cursor"]);
        let limit = input.whole_number("limit", 20, 1..=100);
        input.finish().map(|()| limit).map_err(|problem| {
            let body: model::problem_details::ProblemDetails =
                serde_json::from_slice(problem.response("").body()).unwrap();
            body.errors.iter().map(|e| format!("{}: {}", e.field, e.reason)).collect::<Vec<_>>().join("; ")
        })
    }

    #[test]
    fn numbers_are_taken_or_refused_with_a_reason() {
        let range = "limit: must be a whole number from 1 to 100";
        let cases = [
            ("", Ok(20)),
            ("limit=1", Ok(1)),
            ("limit=100&cursor=x", Ok(100)),
            ("li%6Dit=7", Ok(7)),
            ("limit=0", Err(range)),
            ("limit=101", Err(range)),
            ("limit=-1", Err(range)),
            ("limit=%2B5", Err(range)),
            ("limit=", Err(range)),
            ("limit", Err(range)),
            ("limit=1e1", Err(range)),
            ("limit=99999999999999999999", Err(range)),
            ("limit=%FF", Err(range)),
            ("limit=<b>", Err(range)),
            ("limit=1&limit=2", Err("limit: is given more than once")),
            ("page=2", Err("page: is not known here; known are: limit, cursor")),
            (
                "page=2&limit=0",
                Err(
                    "page: is not known here; known are: limit, cursor; limit: must be a whole number from 1 to 100",
                ),
            ),
        ];
        for (query, expected) in cases {
            assert_eq!(limit(query), expected.map_err(str::to_owned), "{query}");
        }
    }

    #[test]
    fn a_long_query_is_not_read_to_its_end() {
        let long: Vec<_> = (0..10_000).map(|n| format!("p{n}=1")).collect();
        let request = Request::new(String::new(), false, Instant::now(), Vec::new(), &long.join("&"));
        assert_eq!(request.query.len(), MOST_PARAMETERS);
    }
}
