//! The event of payload format version 2.0, to the letter.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::{Map, Value, json};

use super::jwt::{Authorized, claim_text};
use super::request::{Facts, text};

/// What took the request.
#[derive(Debug)]
pub struct Target<'a> {
    /// The account played.
    pub account: &'a str,
    /// The API.
    pub api_id: &'a str,
    /// The stage's name.
    pub stage: &'a str,
    /// The stage's variables.
    pub variables: &'a BTreeMap<String, String>,
    /// The route's key.
    pub route_key: &'a str,
    /// The path's parameters.
    pub parameters: &'a BTreeMap<String, String>,
    /// What the authorizer found, on a route that has one.
    pub authorized: Option<&'a Authorized>,
}

/// Writes the event. Members without a value are left out, save for `scopes`, which is null on a
/// route that asks for none.
pub fn event(facts: &Facts, target: &Target<'_>, body: &[u8]) -> Value {
    let mut event = Map::new();
    let mut put = |name: &str, value: Value| event.insert(name.to_owned(), value);
    put("version", json!("2.0"));
    put("routeKey", json!(target.route_key));
    put("rawPath", json!(facts.path));
    put("rawQueryString", json!(facts.query));
    let cookies = facts.cookies();
    if !cookies.is_empty() {
        put("cookies", json!(cookies));
    }
    put("headers", json!(facts.event_headers(body.len())));
    let query = facts.query_parameters();
    if !query.is_empty() {
        put("queryStringParameters", json!(query));
    }
    put("requestContext", request_context(facts, target));
    let as_text = if is_text(facts) { std::str::from_utf8(body).ok() } else { None };
    if !body.is_empty() {
        put("body", as_text.map_or_else(|| json!(STANDARD.encode(body)), |body| json!(body)));
    }
    if !target.parameters.is_empty() {
        put("pathParameters", json!(target.parameters));
    }
    put("isBase64Encoded", json!(!body.is_empty() && as_text.is_none()));
    if !target.variables.is_empty() {
        put("stageVariables", json!(target.variables));
    }
    Value::Object(event)
}

fn request_context(facts: &Facts, target: &Target<'_>) -> Value {
    let mut context = json!({
        "accountId": target.account,
        "apiId": target.api_id,
        "domainName": facts.host,
        "domainPrefix": facts.domain_prefix(),
        "http": {
            "method": facts.method,
            "path": facts.path,
            "protocol": facts.protocol,
            "sourceIp": facts.source_ip(),
            "userAgent": facts.user_agent(),
        },
        "requestId": facts.request_id,
        "routeKey": target.route_key,
        "stage": target.stage,
        "time": facts.time(),
        "timeEpoch": facts.at.timestamp_millis(),
    });
    if let Some(authorized) = target.authorized {
        let claims: BTreeMap<&str, String> =
            authorized.claims.iter().map(|(name, value)| (name.as_str(), claim_text(value))).collect();
        context["authorizer"] = json!({ "jwt": { "claims": claims, "scopes": authorized.scopes } });
    }
    context
}

/// Which bodies are text: `text/*` and three kinds of application data, neither compressed nor
/// without a type. All else is handed over in base64, forms too (as measured on AWS, which does not
/// document the list).
fn is_text(facts: &Facts) -> bool {
    let kind = facts.headers.get(CONTENT_TYPE).map(text).unwrap_or_default().to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let textual = kind.starts_with("text/")
        || matches!(kind, "application/json" | "application/javascript" | "application/xml");
    textual && !facts.headers.contains_key(CONTENT_ENCODING)
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone, Utc};
    use http::HeaderMap;

    use super::*;

    fn facts(headers: &[(&str, &str)]) -> Facts {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
        }
        Facts {
            method: "POST".into(),
            path: "/prod/courses/7".into(),
            query: "tag=a&tag=b%20c&page=2&flag".into(),
            protocol: "HTTP/1.1".into(),
            host: "abc123.execute-api.localhost".into(),
            headers: map,
            peer: "127.0.0.1:50000".parse().unwrap(),
            port: 4580,
            request_id: "JKJaXmPLvHcESHA=".into(),
            at: Utc.timestamp_millis_opt(1_583_348_638_390).unwrap(),
            trace: "Root=1-5e5ffbde-000000000000000000000001".into(),
        }
    }

    fn written(
        facts: &Facts,
        parameters: &[(&str, &str)],
        authorized: Option<&Authorized>,
        body: &[u8],
    ) -> Value {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>()
        };
        let target = Target {
            account: "123456789012",
            api_id: "abc123",
            stage: "prod",
            variables: &map(&[]),
            route_key: "POST /courses/{id}",
            parameters: &map(parameters),
            authorized,
        };
        event(facts, &target, body)
    }

    #[test]
    fn a_whole_event() {
        let facts = facts(&[
            ("Host", "abc123.execute-api.localhost:4580"),
            ("User-Agent", "curl/8"),
            ("Accept", "a"),
            ("Accept", "b"),
            ("Cookie", "one=1; two=2"),
            ("Cookie", "three=3"),
            ("Content-Type", "application/json; charset=utf-8"),
            ("Connection", "keep-alive"),
            ("X-Forwarded-For", "10.0.0.1"),
        ]);
        assert_eq!(
            written(&facts, &[("id", "7")], None, br#"{"a":1}"#),
            json!({
                "version": "2.0",
                "routeKey": "POST /courses/{id}",
                "rawPath": "/prod/courses/7",
                "rawQueryString": "tag=a&tag=b%20c&page=2&flag",
                "cookies": ["one=1", "two=2", "three=3"],
                "headers": {
                    "accept": "a,b",
                    "content-length": "7",
                    "content-type": "application/json; charset=utf-8",
                    "host": "abc123.execute-api.localhost:4580",
                    "user-agent": "curl/8",
                    "x-amzn-trace-id": "Root=1-5e5ffbde-000000000000000000000001",
                    "x-forwarded-for": "10.0.0.1, 127.0.0.1",
                    "x-forwarded-port": "4580",
                    "x-forwarded-proto": "http",
                },
                "queryStringParameters": { "tag": "a,b c", "page": "2", "flag": "" },
                "requestContext": {
                    "accountId": "123456789012",
                    "apiId": "abc123",
                    "domainName": "abc123.execute-api.localhost",
                    "domainPrefix": "abc123",
                    "http": {
                        "method": "POST",
                        "path": "/prod/courses/7",
                        "protocol": "HTTP/1.1",
                        "sourceIp": "127.0.0.1",
                        "userAgent": "curl/8",
                    },
                    "requestId": "JKJaXmPLvHcESHA=",
                    "routeKey": "POST /courses/{id}",
                    "stage": "prod",
                    "time": "04/Mar/2020:19:03:58 +0000",
                    "timeEpoch": 1_583_348_638_390_i64,
                },
                "body": r#"{"a":1}"#,
                "pathParameters": { "id": "7" },
                "isBase64Encoded": false,
            })
        );
    }

    #[test]
    fn what_is_absent_is_left_out() {
        let facts = Facts { query: String::new(), ..facts(&[]) };
        let event = written(&facts, &[], None, b"");
        let names: Vec<&str> = event.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "headers",
                "isBase64Encoded",
                "rawPath",
                "rawQueryString",
                "requestContext",
                "routeKey",
                "version"
            ]
        );
        assert!(event["requestContext"].get("authorizer").is_none());
        assert_eq!(event["requestContext"]["http"]["userAgent"], json!(""));
    }

    #[test]
    fn bodies_are_text_or_base64() {
        type Headers<'a> = &'a [(&'a str, &'a str)];
        let cases: [(Headers<'_>, &[u8], &str, bool); 9] = [
            (&[("content-type", "text/plain")], b"hi", "hi", false),
            (&[("content-type", "Application/JSON")], b"{}", "{}", false),
            (&[("content-type", "application/xml")], b"<a/>", "<a/>", false),
            (&[("content-type", "text/plain")], &[0xff], "/w==", true),
            (&[("content-type", "application/x-www-form-urlencoded")], b"a=1", "YT0x", true),
            (&[("content-type", "application/problem+json")], b"{}", "e30=", true),
            (&[("content-type", "application/octet-stream")], b"hi", "aGk=", true),
            (&[("content-type", "text/plain"), ("content-encoding", "gzip")], b"hi", "aGk=", true),
            (&[], b"hi", "aGk=", true),
        ];
        for (headers, body, expected, encoded) in cases {
            let event = written(&facts(headers), &[], None, body);
            assert_eq!(event["body"], json!(expected), "{headers:?}");
            assert_eq!(event["isBase64Encoded"], json!(encoded), "{headers:?}");
        }
    }

    #[test]
    fn claims_are_texts() {
        let authorized = Authorized {
            claims: json!({"sub": "u1", "exp": 1_600_000_000, "ok": true, "groups": ["a", "b"]})
                .as_object()
                .cloned()
                .unwrap(),
            scopes: Some(vec!["read".into()]),
        };
        let event = written(&facts(&[]), &[], Some(&authorized), b"");
        assert_eq!(
            event["requestContext"]["authorizer"],
            json!({"jwt": {
                "claims": {"sub": "u1", "exp": "1600000000", "ok": "true", "groups": "[a b]"},
                "scopes": ["read"],
            }})
        );
        let open = Authorized { scopes: None, ..authorized };
        let event = written(&facts(&[]), &[], Some(&open), b"");
        assert_eq!(event["requestContext"]["authorizer"]["jwt"]["scopes"], Value::Null);
    }
}
