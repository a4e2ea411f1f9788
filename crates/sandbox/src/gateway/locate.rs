//! Which API and which stage a request is for.

use std::collections::BTreeMap;

use crate::services::apigateway::authorizers::is_loopback;

/// The header that picks an API where the address alone does not say which.
pub const PICK: &str = "x-apigw-api-id";

/// What an address says.
#[derive(Debug, PartialEq, Eq)]
pub enum Located<'a> {
    /// This API.
    Api(&'a str),
    /// An API that does not exist.
    Unknown,
    /// The plain address, which could mean any of these APIs (or there is none at all).
    Ambiguous(Vec<&'a str>),
    /// A name that is none of the gateway's: a page elsewhere whose name was pointed at this
    /// machine must get nothing.
    Foreign,
}

/// Finds the API: by the host `ID.execute-api.localhost` or `ID.execute-api.REGION.amazonaws.com`;
/// on a plain loopback address by the header [`PICK`], or because there is only one.
pub fn api<'a, V>(
    host: &str,
    picked: Option<&str>,
    region: &str,
    apis: &'a BTreeMap<String, V>,
) -> Located<'a> {
    let known = |id: &str| apis.get_key_value(id).map_or(Located::Unknown, |(id, _)| Located::Api(id));
    let named = host
        .strip_suffix(".execute-api.localhost")
        .or_else(|| host.strip_suffix(&format!(".execute-api.{region}.amazonaws.com")));
    if let Some(id) = named {
        return known(id);
    }
    if !is_loopback(host) {
        return Located::Foreign;
    }
    match (picked, apis.len()) {
        (Some(id), _) if apis.contains_key(id) => known(id),
        (None, 1) => apis.keys().next().map_or(Located::Unknown, |id| Located::Api(id)),
        _ => Located::Ambiguous(apis.keys().map(String::as_str).collect()),
    }
}

/// Finds the stage and what is left of the path: the one the first segment names, else `$default`
/// with the whole path. None where neither exists.
pub fn stage<'a, 'p, V>(path: &'p str, stages: &'a BTreeMap<String, V>) -> Option<(&'a str, &'p str)> {
    let after = path.strip_prefix('/').unwrap_or(path);
    let (first, rest) = match after.find('/') {
        Some(at) => (&after[..at], &after[at..]),
        None => (after, "/"),
    };
    if first != "$default"
        && let Some((name, _)) = stages.get_key_value(first)
    {
        return Some((name, rest));
    }
    stages.get_key_value("$default").map(|(name, _)| (name.as_str(), path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> BTreeMap<String, ()> {
        names.iter().map(|name| ((*name).to_owned(), ())).collect()
    }

    #[test]
    fn an_api_is_found_by_its_name_or_for_want_of_another() {
        let (none, one, two) = (named(&[]), named(&["aaa"]), named(&["aaa", "bbb"]));
        let find = |host, picked, apis| match api(host, picked, "eu-west-1", apis) {
            Located::Api(id) => format!("api {id}"),
            Located::Ambiguous(ids) => format!("one of {ids:?}"),
            other => format!("{other:?}"),
        };
        let cases = [
            ("aaa.execute-api.localhost", None, &two, "api aaa"),
            ("bbb.execute-api.eu-west-1.amazonaws.com", None, &two, "api bbb"),
            ("bbb.execute-api.us-east-1.amazonaws.com", None, &two, "Foreign"),
            ("ccc.execute-api.localhost", Some("aaa"), &two, "Unknown"),
            ("127.0.0.1", None, &one, "api aaa"),
            ("localhost", None, &one, "api aaa"),
            ("[::1]", None, &one, "api aaa"),
            ("localhost", Some("bbb"), &two, "api bbb"),
            ("localhost", Some("ccc"), &two, r#"one of ["aaa", "bbb"]"#),
            ("localhost", Some("ccc"), &one, r#"one of ["aaa"]"#),
            ("localhost", None, &two, r#"one of ["aaa", "bbb"]"#),
            ("localhost", None, &none, "one of []"),
            ("evil.example", Some("aaa"), &one, "Foreign"),
            ("", None, &one, "Foreign"),
        ];
        for (host, picked, apis, expected) in cases {
            assert_eq!(find(host, picked, apis), expected, "{host} {picked:?}");
        }
    }

    #[test]
    fn a_stage_is_the_first_segment_or_the_default() {
        let both = named(&["$default", "prod"]);
        let only = named(&["prod"]);
        let cases = [
            ("/status", &both, Some(("$default", "/status"))),
            ("/prod/status", &both, Some(("prod", "/status"))),
            ("/prod", &both, Some(("prod", "/"))),
            ("/prod/", &both, Some(("prod", "/"))),
            ("/production", &both, Some(("$default", "/production"))),
            ("/$default/x", &both, Some(("$default", "/$default/x"))),
            ("/", &both, Some(("$default", "/"))),
            ("/status", &only, None),
            ("/prod/a/b", &only, Some(("prod", "/a/b"))),
        ];
        for (path, stages, expected) in cases {
            assert_eq!(stage(path, stages), expected, "{path}");
        }
    }
}
