use lambda_http::http::Uri;
use serde_json::{Value, json};

use super::*;

fn event(stage: &str, path: &str, query: &str) -> Value {
    json!({
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": { "host": "abc.example.com", "x-forwarded-proto": "https" },
        "requestContext": {
            "domainName": "abc.example.com", "http": { "method": "GET" }, "requestId": "id", "stage": stage,
        },
        "isBase64Encoded": false,
    })
}

/// The event as `lambda_http` makes a request of it, and whether it was refused.
fn converted(event: Value) -> (Request, Option<Problem>) {
    let mut payload: LambdaRequest = serde_json::from_value(event).unwrap();
    let LambdaRequest::ApiGatewayV2(request) = &mut payload else { panic!("another event") };
    let refusal = repair(request).err();
    (payload.into(), refusal)
}

/// Every character that has a meaning or none in an address, alone and between others.
fn hostile() -> Vec<String> {
    let mut texts: Vec<_> = (0..=255_u8).map(char::from).map(String::from).collect();
    texts.extend((0..=127_u8).map(|byte| format!("a{}b", char::from(byte))));
    let words = [
        "%",
        "%%",
        "%zz",
        "%4",
        "%4<",
        "%<",
        "%00",
        "%FF",
        "%E2%82",
        "%2F%2e%2e",
        "..",
        "../..",
        "a/../b",
        ".",
        "//",
        "///x",
        "?",
        "??a",
        "#",
        "#a?b",
        "a#b",
        "\\..\\",
        "{}|^`[]",
        "<script>\"'",
        "a b+c%20d",
        "é",
        "漢字",
        "👩‍🚀",
        "\u{202e}",
        "\u{feff}",
        "\u{fffd}",
        "@x:1/",
        ":99999",
        "a=1&b=<&c=%zz&é= ",
    ];
    texts.extend(words.map(str::to_owned));
    texts.extend(["a", " ", "é", "%", "/"].map(|text| text.repeat(8_192 / text.len())));
    texts
}

#[test]
fn nothing_in_an_address_is_lost_or_ends_the_process() {
    let pairs = |query: &str| -> Vec<(String, String)> {
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    };
    for text in hostile() {
        for stage in ["$default", "prod"] {
            for host in [json!("abc.example.com:8443"), json!("a b"), Value::Null] {
                let raw_path = format!("/{text}");
                let mut event = event(stage, &raw_path, &text);
                match host.is_null() {
                    true => event["headers"] = json!({}),
                    false => event["headers"]["host"] = host.clone(),
                }
                let (request, refusal) = converted(event);
                assert_eq!(refusal, None, "{text:?}");
                assert_eq!(path(&request), raw_path, "{stage} {host}");
                let query = request.uri().query().unwrap_or_default();
                assert_eq!(pairs(query), pairs(&text), "{text:?} became {query:?}");
            }
        }
    }
}

#[test]
fn the_path_has_its_stage_and_is_decoded() {
    let cases = [
        ("$default", "/courses", "/courses", "https://abc.example.com/courses"),
        ("prod", "/prod/courses", "/prod/courses", "https://abc.example.com/prod/courses"),
        // Behind a custom domain, whose path has no stage.
        ("prod", "/courses", "/courses", "https://abc.example.com/prod/courses"),
        // As HTTP APIs hand over /courses/a%20b%252F%C3%A9.
        (
            "$default",
            "/courses/a b%2Fé",
            "/courses/a b%2Fé",
            "https://abc.example.com/courses/a%20b%252F%C3%A9",
        ),
        ("$default", "/courses/../status", "/courses/../status", "https://abc.example.com/status"),
        ("$default", "", "/", "https://abc.example.com/"),
        ("", "/courses", "/courses", "https://abc.example.com//courses"),
    ];
    for (stage, raw_path, expected, uri) in cases {
        let (request, refusal) = converted(event(stage, raw_path, ""));
        assert_eq!(refusal, None);
        assert_eq!(path(&request), expected, "{stage} {raw_path}");
        assert_eq!(request.uri(), uri, "{stage} {raw_path}");
    }
}

#[test]
fn hosts_and_schemes_are_taken_or_left_out() {
    let long = format!("{}.com", "a".repeat(LONGEST_HOST));
    let cases = [
        ("abc.execute-api.eu-west-1.amazonaws.com", true),
        ("ABC.example.com:8443", true),
        ("localhost", true),
        ("localhost:", false),
        ("localhost:65536", false),
        ("localhost:+1", false),
        ("127.0.0.1:4580", false),
        ("256.256.256.256", false),
        ("a.0x7f", false),
        ("1.2.3.4.5", false),
        ("[::1]", false),
        ("[", false),
        ("", false),
        (".", false),
        ("a..b", false),
        ("a b", false),
        ("a<b", false),
        ("a/b", false),
        ("a?b", false),
        ("a#b", false),
        ("a@b", false),
        ("a:b@c", false),
        ("%zz", false),
        ("%", false),
        ("xn--a", false),
        ("a.XN--0000h.com", false),
        ("é.com", false),
        (long.as_str(), false),
    ];
    for (host, taken) in cases {
        for scheme in ["http", "https", "", "ht tp", "1", "javascript", "HTTPS", "é"] {
            let mut event = event("prod", "/prod/x", "a=b");
            event["headers"] = json!({ "Host": host, "X-Forwarded-Proto": scheme, "accept": "*/*" });
            event["requestContext"]["domainName"] = json!(host);
            let (request, refusal) = converted(event);
            assert_eq!(refusal, None);
            let uri: &Uri = request.uri();
            assert_eq!((uri.path(), uri.query()), ("/prod/x", Some("a=b")), "{scheme:?} {host:?}");
            assert_eq!(
                uri.host(),
                taken.then(|| host.split(':').next().unwrap().to_ascii_lowercase()).as_deref()
            );
            assert_eq!(request.headers().contains_key(HOST), taken, "{host:?}");
            assert_eq!(request.headers().contains_key(PROTOCOL), matches!(scheme, "http" | "https"));
            assert_eq!(request.headers()["accept"], "*/*");
        }
    }
}

#[test]
fn what_would_be_guesswork_is_refused_and_still_converted() {
    let of = |change: fn(&mut Value)| {
        let mut event = event("prod", "/prod/x", "");
        change(&mut event);
        event
    };
    let changes: &[fn(&mut Value)] = &[
        |event| event["rawPath"] = json!("courses"),
        |event| event["rawPath"] = json!("@evil.example"),
        |event| event["rawPath"] = json!("?"),
        |event| event["rawPath"] = json!(format!("/{}", "é".repeat(LONGEST / 6 + 1))),
        |event| event["rawQueryString"] = json!("a".repeat(LONGEST)),
        |event| event["requestContext"]["stage"] = json!("a?b"),
        |event| event["requestContext"]["stage"] = json!("a b"),
        |event| event["requestContext"]["stage"] = json!("../é"),
        |event| event["requestContext"]["stage"] = json!("a".repeat(LONGEST_STAGE + 1)),
        |event| {
            event["isBase64Encoded"] = json!(true);
            event["body"] = json!("%%%");
        },
        |event| {
            event["isBase64Encoded"] = json!(true);
            event["body"] = json!("YQ");
        },
    ];
    for (at, change) in changes.iter().enumerate() {
        let (request, refusal) = converted(of(*change));
        assert_eq!(refusal.unwrap().response("").status(), 400, "case {at}");
        assert_eq!((request.uri().path(), request.body().len()), ("/", 0), "case {at}");
    }
    // The longest that is taken, with the longest stage and host.
    let host = format!("{}.com:65535", "a.".repeat((LONGEST_HOST - 5) / 2) + "a");
    let mut longest = event(&"s".repeat(LONGEST_STAGE), "/x", &"a".repeat(LONGEST - 2));
    longest["headers"]["host"] = json!(host);
    let (request, refusal) = converted(longest);
    assert_eq!((refusal, request.uri().query().unwrap().len()), (None, LONGEST - 2));
    assert!(request.uri().host().is_some());
    // Bodies that are what they are said to be.
    for (encoded, body, expected) in [(true, "YQ==", "a"), (false, "%%%", "%%%"), (true, "", "")] {
        let mut event = event("prod", "/prod/x", "");
        event["isBase64Encoded"] = json!(encoded);
        event["body"] = json!(body);
        let (request, refusal) = converted(event);
        assert_eq!((refusal, &request.body()[..]), (None, expected.as_bytes()), "{body}");
    }
}

#[test]
fn other_events_are_not_taken_for_requests() {
    let cases = [
        json!({}),
        json!(null),
        json!([]),
        json!("GET /"),
        json!({ "rawPath": "/courses" }),
        json!({ "rawPath": "/courses", "requestContext": {} }),
        json!({ "rawPath": 5, "requestContext": { "http": { "method": "GET" } } }),
        json!({ "rawPath": "/courses", "requestContext": { "http": { "method": "G T" } } }),
        json!({ "httpMethod": "GET", "path": "/courses", "requestContext": { "httpMethod": "GET" } }),
        json!({ "Records": [{ "eventSource": "aws:sqs", "body": "x" }] }),
    ];
    for event in cases {
        assert!(serde_json::from_value::<LambdaRequest>(event.clone()).is_err(), "{event}");
    }
}
