//! From a request to a route: the path without stage and prefix, the table of routes, and what is
//! answered when none fits.

use std::pin::Pin;

use crate::api::Api;
use crate::caller::Needs;
use crate::problem::{Kind, Problem};
use crate::request::Request;
use crate::response::Response;
use crate::routes::{courses, enrolments, lessons, progress, status};

/// Every route. Adding one: write it in a file of `routes` and name it here.
pub const ROUTES: &[Route] = &[
    status::STATUS,
    courses::list::LIST,
    courses::change::CREATE,
    courses::read::READ,
    courses::change::REPLACE,
    courses::change::DELETE,
    lessons::REPLACE,
    enrolments::LIST,
    enrolments::ENROL,
    enrolments::LEAVE,
    progress::DONE,
    progress::ALL,
];

/// What a route returns.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response, Problem>> + Send + 'a>>;

/// A method, a path and what answers them.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The method. `GET` answers `HEAD` too.
    pub method: &'static str,
    /// The path; a segment in braces is a parameter: `/courses/{slug}`.
    pub path: &'static str,
    /// What its caller must have.
    pub needs: Needs,
    /// What the OpenAPI document says of it.
    pub docs: Docs,
    /// What answers it.
    pub handle: for<'a> fn(&'a Api, &'a Request) -> Answer<'a>,
}

/// What the OpenAPI document says of a route. Path parameters, the token, `HEAD`, and the problems that
/// any route may end with are added there.
#[derive(Debug, Clone, Copy)]
pub struct Docs {
    /// One line.
    pub summary: &'static str,
    /// The parameters of the query: name, schema as JSON, and what it means.
    pub query: &'static [(&'static str, &'static str, &'static str)],
    /// The header with a condition that it takes: name and whether it is required.
    pub condition: Option<(&'static str, bool)>,
    /// The body's schema.
    pub body: Option<&'static str>,
    /// The answers: status, the body's schema if there is one, and what it means.
    pub answers: &'static [(u16, Option<&'static str>, &'static str)],
    /// The statuses of the problems it may end with, besides those of any route.
    pub problems: &'static [u16],
}

/// Parameters in the path: name and value.
pub type PathParameters = Vec<(&'static str, String)>;

/// The route for a method and a path that has neither stage nor prefix any more.
///
/// # Errors
/// 404 when no route has the path, 405 with `Allow` when one has, but not with this method.
pub fn find<'r>(
    routes: &'r [Route],
    method: &str,
    path: &str,
) -> Result<(&'r Route, PathParameters), Problem> {
    let wanted = if method == "HEAD" { "GET" } else { method };
    let mut allow = Vec::new();
    for route in routes {
        if let Some(parameters) = parameters(route.path, path) {
            if route.method == wanted {
                return Ok((route, parameters));
            }
            allow.push(route.method);
            if route.method == "GET" {
                allow.push("HEAD");
            }
        }
    }
    if allow.is_empty() {
        return Err(Problem::new(Kind::NotFound, "No route has this path."));
    }
    Err(Problem::method_not_allowed(allow.join(", ")))
}

/// The path a route is looked up with, of the one in the event. API Gateway puts the name of the
/// stage in front, except for `$default`; behind a custom domain the mapped prefix stands there
/// instead, which is configured.
pub fn path_of<'p>(path: &'p str, stage: &str, prefix: &str) -> &'p str {
    let path = match stage {
        "" | "$default" => path,
        stage => path.strip_prefix('/').and_then(|rest| without(rest, stage)).unwrap_or(path),
    };
    let path = if prefix.is_empty() { path } else { without(path, prefix).unwrap_or(path) };
    if path.is_empty() { "/" } else { path }
}

/// The path without `front`, if it begins with that as whole segments.
fn without<'p>(path: &'p str, front: &str) -> Option<&'p str> {
    path.strip_prefix(front).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn parameters(pattern: &'static str, path: &str) -> Option<PathParameters> {
    let mut found = Vec::new();
    let mut segments = path.split('/');
    for part in pattern.split('/') {
        let segment = segments.next()?;
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) if !segment.is_empty() => found.push((name, segment.to_owned())),
            Some(_) => return None,
            None if part == segment => {}
            None => return None,
        }
    }
    segments.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn never<'a>(_: &'a Api, _: &'a Request) -> Answer<'a> {
        Box::pin(async { Err(Problem::new(Kind::Internal, "not to be called")) })
    }

    const fn route(method: &'static str, path: &'static str) -> Route {
        let docs = Docs { summary: "", query: &[], condition: None, body: None, answers: &[], problems: &[] };
        Route { method, path, needs: Needs::Nothing, docs, handle: never }
    }

    const TABLE: &[Route] = &[
        route("GET", "/courses"),
        route("POST", "/courses"),
        route("GET", "/courses/{slug}"),
        route("PUT", "/me/enrolments/{slug}/lessons/{position}"),
    ];

    #[test]
    fn routes_are_found_by_method_and_path() {
        let cases = [
            ("GET", "/courses", Ok("GET /courses []")),
            ("HEAD", "/courses", Ok("GET /courses []")),
            ("POST", "/courses", Ok("POST /courses []")),
            ("GET", "/courses/rust", Ok(r#"GET /courses/{slug} [("slug", "rust")]"#)),
            (
                "PUT",
                "/me/enrolments/a b/lessons/2",
                Ok(r#"PUT /me/enrolments/{slug}/lessons/{position} [("slug", "a b"), ("position", "2")]"#),
            ),
            ("DELETE", "/courses", Err((405, "GET, HEAD, POST"))),
            ("OPTIONS", "/courses/rust", Err((405, "GET, HEAD"))),
            ("get", "/courses", Err((405, "GET, HEAD, POST"))),
            ("GET", "/", Err((404, ""))),
            ("GET", "", Err((404, ""))),
            ("GET", "/Courses", Err((404, ""))),
            ("GET", "/courses/", Err((404, ""))),
            ("GET", "//courses", Err((404, ""))),
            ("GET", "/courses/a/b", Err((404, ""))),
            ("GET", "/courses/{slug}/", Err((404, ""))),
        ];
        for (method, path, expected) in cases {
            let found = find(TABLE, method, path)
                .map(|(route, parameters)| format!("{} {} {parameters:?}", route.method, route.path))
                .map_err(|problem| {
                    let response = problem.response("");
                    let allow = response.headers().get("allow").map_or("", |value| value.to_str().unwrap());
                    (response.status().as_u16(), allow.to_owned())
                });
            let expected = expected.map(str::to_owned).map_err(|(status, allow)| (status, allow.to_owned()));
            assert_eq!(found, expected, "{method} {path}");
        }
    }

    #[test]
    fn stage_and_prefix_are_taken_off() {
        let cases = [
            ("/status", "$default", "", "/status"),
            ("/prod/status", "prod", "", "/status"),
            ("/prod", "prod", "", "/"),
            ("/status", "prod", "", "/status"),
            ("/production/status", "prod", "", "/production/status"),
            ("/prod/prod/status", "prod", "", "/prod/status"),
            ("/$default/status", "$default", "", "/$default/status"),
            ("/v1/status", "$default", "/v1", "/status"),
            ("/prod/v1/status", "prod", "/v1", "/status"),
            ("/status", "$default", "/v1", "/status"),
            ("/v10/status", "$default", "/v1", "/v10/status"),
            ("/v1", "$default", "/v1", "/"),
            ("", "prod", "", "/"),
            ("/status", "", "", "/status"),
        ];
        for (raw_path, stage, prefix, expected) in cases {
            assert_eq!(path_of(raw_path, stage, prefix), expected, "{raw_path} {stage} {prefix}");
        }
    }

    #[test]
    fn no_two_routes_answer_the_same() {
        for (at, route) in ROUTES.iter().enumerate() {
            let (found, _) = find(ROUTES, route.method, route.path).unwrap();
            assert!(std::ptr::eq(found, &ROUTES[at]), "{} {}", route.method, route.path);
        }
    }
}
