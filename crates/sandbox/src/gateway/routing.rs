//! Which route takes a request.
//!
//! AWS's order: a route that matches the whole path, then one with a greedy variable, then
//! `$default`. Where several of a kind match, the more specific path goes first (segment by segment,
//! a literal before a variable before a greedy one), and for the same path the request's own method
//! before `ANY`.

use std::collections::BTreeMap;

use crate::services::apigateway::route_key::{RouteKey, Segment};

/// Chooses among route keys; returns the position of the one chosen and the path's parameters.
/// `path` is decoded, begins with a slash and does not hold the stage.
pub fn choose<'a>(
    keys: impl Iterator<Item = &'a str>,
    method: &str,
    path: &str,
) -> Option<(usize, BTreeMap<String, String>)> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let parts: Vec<&str> = if path.is_empty() { Vec::new() } else { path.split('/').collect() };
    let mut best: Option<(Rank, usize, BTreeMap<String, String>)> = None;
    for (at, key) in keys.enumerate() {
        let Some(key) = RouteKey::parse(key) else { continue };
        let Some((rank, parameters)) = fit(&key, method, &parts) else { continue };
        if best.as_ref().is_none_or(|(other, ..)| rank < *other) {
            best = Some((rank, at, parameters));
        }
    }
    best.map(|(_, at, parameters)| (at, parameters))
}

/// Smaller is better: the kind of match, the kinds of its segments, whether the method is `ANY`.
type Rank = (u8, Vec<u8>, bool);

fn fit(key: &RouteKey, method: &str, parts: &[&str]) -> Option<(Rank, BTreeMap<String, String>)> {
    let RouteKey::Path { method: wanted, segments } = key else {
        return Some(((2, Vec::new(), false), BTreeMap::new()));
    };
    let any = wanted == "ANY";
    if !any && wanted != method {
        return None;
    }
    let greedy = matches!(segments.last(), Some(Segment::Greedy(_)));
    if if greedy { parts.len() < segments.len() } else { parts.len() != segments.len() } {
        return None;
    }
    let mut parameters = BTreeMap::new();
    let mut kinds = Vec::with_capacity(segments.len());
    for (segment, (at, part)) in segments.iter().zip(parts.iter().enumerate()) {
        kinds.push(match segment {
            Segment::Literal(text) if text == part => 0,
            Segment::Variable(name) if !part.is_empty() => {
                parameters.insert(name.clone(), (*part).to_owned());
                1
            }
            Segment::Greedy(name) => {
                let rest = parts[at..].join("/");
                if rest.is_empty() {
                    return None;
                }
                parameters.insert(name.clone(), rest);
                2
            }
            _ => return None,
        });
    }
    Some(((u8::from(greedy), kinds, any), parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 10] = [
        "GET /pets/dog/1",
        "GET /pets/dog/{id}",
        "GET /pets/{proxy+}",
        "ANY /{proxy+}",
        "$default",
        "ANY /pets/dog/{id}",
        "POST /pets",
        "GET /",
        "ANY /pets/{kind}/{id}/toys",
        "GET /pets/dog/{id}/{what}",
    ];

    fn chosen(keys: &[&'static str], method: &str, path: &str) -> (String, String) {
        match choose(keys.iter().copied(), method, path) {
            None => ("-".into(), String::new()),
            Some((at, parameters)) => {
                let parameters: Vec<String> = parameters.iter().map(|(n, v)| format!("{n}={v}")).collect();
                (keys[at].into(), parameters.join(" "))
            }
        }
    }

    #[test]
    fn the_most_specific_route_takes_the_request() {
        let cases = [
            // The four of AWS's documentation.
            ("GET", "/pets/dog/1", "GET /pets/dog/1", ""),
            ("GET", "/pets/dog/2", "GET /pets/dog/{id}", "id=2"),
            ("GET", "/pets/cat/1", "GET /pets/{proxy+}", "proxy=cat/1"),
            ("POST", "/test/5", "ANY /{proxy+}", "proxy=test/5"),
            // The method before ANY; ANY before a greedy route of the method.
            ("PUT", "/pets/dog/2", "ANY /pets/dog/{id}", "id=2"),
            ("GET", "/pets/cat/1/toys", "ANY /pets/{kind}/{id}/toys", "id=1 kind=cat"),
            // A literal earlier in the path counts for more than one later.
            ("GET", "/pets/dog/1/toys", "GET /pets/dog/{id}/{what}", "id=1 what=toys"),
            ("POST", "/pets", "POST /pets", ""),
            ("GET", "/pets", "ANY /{proxy+}", "proxy=pets"),
            ("GET", "/", "GET /", ""),
            // A greedy variable takes at least one character.
            ("POST", "/", "$default", ""),
            ("GET", "/pets/", "ANY /{proxy+}", "proxy=pets/"),
            ("GET", "/pets/a b/é", "GET /pets/{proxy+}", "proxy=a b/é"),
        ];
        for (method, path, key, parameters) in cases {
            let found = chosen(&KEYS, method, path);
            assert_eq!(found, (key.to_owned(), parameters.to_owned()), "{method} {path}");
        }
    }

    #[test]
    fn without_a_default_some_requests_have_no_route() {
        let keys = ["GET /status", "GET /courses/{id}"];
        for (method, path) in [
            ("POST", "/status"),
            ("GET", "/status/"),
            ("GET", "/Status"),
            ("GET", "/"),
            ("GET", "/courses"),
            ("GET", "/courses/"),
            ("GET", "/courses/1/2"),
            ("HEAD", "/status"),
        ] {
            assert_eq!(chosen(&keys, method, path).0, "-", "{method} {path}");
        }
    }
}
