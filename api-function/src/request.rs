//! A request as the routes see it, and how they take their input out of it.

use std::ops::RangeInclusive;

use model::problem_details::FieldError;
use tokio::time::Instant;

use crate::problem::Problem;
use crate::sql::Meter;

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
    path: Vec<(&'static str, String)>,
    query: Vec<(String, String)>,
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
        Self { request_id, cold_start, deadline, meter: Meter::default(), path, query }
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

    /// What `parse` makes of the text; none when it is not given. Its error is the reason.
    pub fn parsed<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        match parse(self.text(name)?) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.refuse(name, reason);
                None
            }
        }
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
