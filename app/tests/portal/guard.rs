//! Who gets through, from where, and to what.

use app::server::limits::Limits;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};

use crate::{ORIGIN, TestPortal, request};

#[tokio::test]
async fn strangers_get_to_the_sign_in_page_and_no_further() {
    let portal = TestPortal::start().await;
    for (path, aim) in
        [("/", "/sign-in"), ("/logs?q=a%26b", "/sign-in?next=/logs%3Fq%3Da%2526b"), ("//x", "/sign-in")]
    {
        let answer = portal.get(path, None).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, aim), "{path}");
    }
    for path in ["/api/v1/overview", "/api/v1/nothing"] {
        let answer = portal.get(path, None).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(answer.body.contains(r#""kind":"not_signed_in""#), "{}", answer.body);
    }
    let answer = portal.post("/api/calls/overview", None, "{}").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.body.starts_with(r#"{"kind":"not_signed_in""#), "{}", answer.body);
    let answer = portal.post("/sign-out", None, "").await;
    assert_eq!(answer.header("location"), "/sign-in", "signing out twice is no error");
    assert_eq!(portal.get("/sign-in", None).await.status, StatusCode::OK);
}

#[tokio::test]
async fn posts_from_elsewhere_are_refused() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in().await;
    for path in ["/sign-in", "/sign-out", "/api/calls/overview", "/api/v1/overview", "/nowhere"] {
        for origin in [None, Some("https://evil.example"), Some("null")] {
            let mut request = request("POST", path, Some(&cookie), Body::empty());
            if let Some(origin) = origin {
                request.headers_mut().insert(header::ORIGIN, origin.parse().unwrap());
            }
            let answer = portal.send(request).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {origin:?}");
            if path == "/sign-out" {
                assert!(answer.body.contains("<h1>Request refused</h1>"), "{}", answer.body);
                assert!(answer.body.contains(ORIGIN), "the page says where to go");
            }
        }
    }
    assert!(portal.is_signed_in(&cookie).await, "nobody was signed out");
}

#[tokio::test]
async fn calls_are_json_and_calls_there_are() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in().await;
    let call = async |path: &str, kind: &'static str, body: &'static str| {
        let mut request = request("POST", path, Some(&cookie), Body::from(body));
        request.headers_mut().insert(header::ORIGIN, ORIGIN.parse().unwrap());
        request.headers_mut().insert(header::CONTENT_TYPE, kind.parse().unwrap());
        portal.send(request).await
    };
    let text = call("/api/calls/overview", "text/plain", r#"{"active":true}"#).await;
    assert_eq!(text.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let unknown = call("/api/calls/nothing", "application/json", "{}").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(unknown.body.contains(r#""kind":"not_found""#), "{}", unknown.body);
    let undecodable = call("/api/calls/overview", "application/json", r#"{"active":"#).await;
    assert_eq!(undecodable.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(undecodable.body.contains(r#""kind":"invalid""#), "{}", undecodable.body);
    let get = portal.get("/api/calls/overview", Some(&cookie)).await;
    assert_eq!(get.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn the_sandbox_goes_by_one_name_and_a_plain_cookie() {
    let portal = TestPortal::with(Limits::default(), "http://127.0.0.1:3000", true).await;
    let mut request = request("GET", "/sign-in?next=/logs", None, Body::empty());
    request.headers_mut().insert(header::HOST, "localhost:3000".parse().unwrap());
    let answer = portal.send(request).await;
    assert_eq!(answer.header("location"), "http://127.0.0.1:3000/sign-in?next=/logs");
    assert_eq!(answer.header("strict-transport-security"), "");

    let token = portal.link().await;
    let request = Request::builder()
        .method("POST")
        .uri(format!("/sign-in/link/{token}"))
        .header(header::HOST, "127.0.0.1:3000")
        .header(header::ORIGIN, "http://127.0.0.1:3000");
    let answer = portal.send(request.body(Body::empty()).unwrap()).await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("lockkeeper=") && !cookie.contains("Secure"), "{cookie}");
}
