//! Cross-origin requests. Where an API has a CORS configuration the gateway answers preflights
//! itself and what the function says about CORS is ignored.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::answer::Answer;
use super::request::text;
use crate::services::apigateway::model::Cors;

/// The answer to a preflight: 204, with headers only for an origin that is allowed. None for a
/// request that is no preflight.
pub fn preflight(cors: &Cors, method: &str, headers: &HeaderMap) -> Option<Answer> {
    if method != "OPTIONS" || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let mut answer = Answer { status: 204, headers: Vec::new(), body: bytes::Bytes::new() };
    if let Some(origin) = allowed(cors, &text(headers.get(ORIGIN)?)) {
        put(&mut answer, ACCESS_CONTROL_ALLOW_ORIGIN, &origin);
        put(&mut answer, ACCESS_CONTROL_ALLOW_METHODS, &cors.allow_methods.join(","));
        put(&mut answer, ACCESS_CONTROL_ALLOW_HEADERS, &cors.allow_headers.join(","));
        put(&mut answer, ACCESS_CONTROL_EXPOSE_HEADERS, &cors.expose_headers.join(","));
        if let Some(age) = cors.max_age {
            put(&mut answer, ACCESS_CONTROL_MAX_AGE, &age.to_string());
        }
        credentials(cors, &mut answer);
    }
    Some(answer)
}

/// Puts the configured headers on an integration's answer in place of the function's own.
pub fn decorate(cors: &Cors, headers: &HeaderMap, answer: &mut Answer) {
    answer.headers.retain(|(name, _)| !name.as_str().starts_with("access-control-"));
    let Some(origin) = headers.get(ORIGIN).and_then(|origin| allowed(cors, &text(origin))) else { return };
    put(answer, ACCESS_CONTROL_ALLOW_ORIGIN, &origin);
    put(answer, ACCESS_CONTROL_EXPOSE_HEADERS, &cors.expose_headers.join(","));
    credentials(cors, answer);
}

/// What to answer this origin: `*` where every one is allowed, itself where it is, else nothing.
fn allowed(cors: &Cors, origin: &str) -> Option<String> {
    let mut found = None;
    for pattern in &cors.allow_origins {
        match pattern.strip_suffix('*') {
            Some("") => return Some("*".to_owned()),
            Some(scheme) if origin.starts_with(scheme) => found = Some(origin.to_owned()),
            // Scheme and host are case-insensitive, and browsers send them in lower case.
            None if pattern.eq_ignore_ascii_case(origin) => found = Some(origin.to_owned()),
            _ => {}
        }
    }
    found
}

fn credentials(cors: &Cors, answer: &mut Answer) {
    if cors.allow_credentials == Some(true) {
        put(answer, ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
}

fn put(answer: &mut Answer, name: HeaderName, value: &str) {
    if let (false, Ok(value)) = (value.is_empty(), HeaderValue::from_bytes(value.as_bytes())) {
        answer.headers.push((name, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(answer: &Answer) -> Vec<String> {
        answer.headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect()
    }

    fn asking(origin: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, origin.parse().unwrap());
        headers.insert(ACCESS_CONTROL_REQUEST_METHOD, "POST".parse().unwrap());
        headers
    }

    fn guide() -> Cors {
        Cors {
            allow_origins: vec!["https://learninghub.example.com".into()],
            allow_methods: vec!["GET".into(), "POST".into()],
            allow_headers: vec!["Content-Type".into(), "Authorization".into()],
            expose_headers: vec!["x-total".into()],
            max_age: Some(3600),
            allow_credentials: Some(true),
        }
    }

    #[test]
    fn a_preflight_gets_exactly_what_is_configured() {
        let answer = preflight(&guide(), "OPTIONS", &asking("https://learninghub.example.com")).unwrap();
        assert_eq!(answer.status, 204);
        assert_eq!(
            shown(&answer),
            [
                "access-control-allow-origin: https://learninghub.example.com",
                "access-control-allow-methods: GET,POST",
                "access-control-allow-headers: Content-Type,Authorization",
                "access-control-expose-headers: x-total",
                "access-control-max-age: 3600",
                "access-control-allow-credentials: true",
            ]
        );
    }

    #[test]
    fn origins_are_allowed_by_name_by_scheme_or_all() {
        let cases: [(&[&str], &str, Option<&str>); 9] = [
            (&["https://a.example"], "https://a.example", Some("https://a.example")),
            (&["https://a.example"], "http://a.example", None),
            (&["https://a.example"], "https://a.example:8443", None),
            (&["https://a.example"], "https://a.example.evil.example", None),
            (&["https://*"], "https://b.example", Some("https://b.example")),
            (&["https://*"], "http://b.example", None),
            (&["https://a.example", "*"], "https://a.example", Some("*")),
            (&["*"], "null", Some("*")),
            (&[], "https://a.example", None),
        ];
        for (patterns, origin, expected) in cases {
            let cors =
                Cors { allow_origins: patterns.iter().map(|p| (*p).to_owned()).collect(), ..Cors::default() };
            assert_eq!(allowed(&cors, origin).as_deref(), expected, "{patterns:?} {origin}");
        }
    }

    #[test]
    fn strangers_get_a_bare_204_and_other_requests_are_no_preflights() {
        let stranger = preflight(&guide(), "OPTIONS", &asking("https://evil.example")).unwrap();
        assert_eq!((stranger.status, stranger.headers.len()), (204, 0));
        assert_eq!(preflight(&guide(), "GET", &asking("https://learninghub.example.com")), None);
        let mut headers = asking("https://learninghub.example.com");
        headers.remove(ACCESS_CONTROL_REQUEST_METHOD);
        assert_eq!(preflight(&guide(), "OPTIONS", &headers), None);
    }

    #[test]
    fn the_functions_own_word_is_ignored() {
        let own = |origin: &str| {
            let mut answer = Answer::message(200, "ok");
            put(&mut answer, ACCESS_CONTROL_ALLOW_ORIGIN, "*");
            put(&mut answer, ACCESS_CONTROL_ALLOW_METHODS, "DELETE");
            decorate(&guide(), &asking(origin), &mut answer);
            shown(&answer)
        };
        assert_eq!(own("https://evil.example"), ["content-type: application/json"]);
        assert_eq!(
            own("https://learninghub.example.com"),
            [
                "content-type: application/json",
                "access-control-allow-origin: https://learninghub.example.com",
                "access-control-expose-headers: x-total",
                "access-control-allow-credentials: true",
            ]
        );
    }
}
