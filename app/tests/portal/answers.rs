//! What every answer carries, and the files.

use axum::body::Body;
use axum::http::{StatusCode, header};

use crate::{EMAIL, TestPortal, request};

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in().await;
    let mut nonces = Vec::new();
    for (path, cookie) in [("/sign-in", None), ("/", None), ("/nowhere", Some(&cookie)), ("/healthz", None)] {
        let answer = portal.get(path, cookie.map(String::as_str)).await;
        let policy = answer.header("content-security-policy").to_owned();
        for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"]
        {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{path}");
        assert!(answer.header("strict-transport-security").contains("max-age="), "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("x-request-id").len(), 16, "{path}");
        let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
        if answer.header("content-type").starts_with("text/html") {
            assert!(answer.body.contains(&format!(r#"nonce="{nonce}""#)), "{path}: {}", answer.body);
            assert!(!answer.body.contains(" style="), "inline styles are forbidden: {path}");
        }
        nonces.push(nonce);
    }
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 4, "a nonce is used once");
}

#[tokio::test]
async fn files_are_kept_for_ever_and_sent_small() {
    let portal = TestPortal::start().await;
    let mut wanted = request("GET", "/pkg/app.1.wasm", None, Body::empty());
    wanted.headers_mut().insert(header::ACCEPT_ENCODING, "gzip, br".parse().unwrap());
    let small = portal.send(wanted).await;
    assert_eq!((small.body.as_str(), small.header("content-encoding")), ("small", "br"));
    assert_eq!(small.header("content-type"), "application/wasm");
    assert!(small.header("cache-control").contains("immutable"));
    assert_eq!(small.header("vary"), "Accept-Encoding");
    let plain = portal.get("/pkg/app.1.wasm", None).await;
    assert_eq!((plain.body.as_str(), plain.header("content-encoding")), ("wasm", ""));
    assert_eq!(portal.get("/favicon.svg", None).await.status, StatusCode::OK);
    for path in ["/pkg/app.2.wasm", "/pkg/../manifest.json", "/pkg/%2e%2e/data/portal.sqlite"] {
        assert_eq!(portal.get(path, None).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(
        portal.get("/manifest.json", None).await.status,
        StatusCode::SEE_OTHER,
        "no file, hence guarded"
    );
}

#[tokio::test]
async fn probes_tell_life_from_readiness() {
    let portal = TestPortal::start().await;
    assert_eq!(portal.get("/healthz", None).await.status, StatusCode::OK);
    assert_eq!(portal.get("/readyz", None).await.status, StatusCode::OK);
    portal.accounts.pool().close().await;
    assert_eq!(portal.get("/healthz", None).await.status, StatusCode::OK);
    assert_eq!(portal.get("/readyz", None).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn what_is_not_there_says_so() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in().await;
    let page = portal.get("/nowhere", Some(&cookie)).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.body.contains("<h1>Page not found</h1>") && page.body.contains(EMAIL), "{}", page.body);
    let api = portal.get("/api/v1/nothing", Some(&cookie)).await;
    assert_eq!((api.status, api.header("content-type")), (StatusCode::NOT_FOUND, "application/problem+json"));
    let page = portal.get("/sign-out", Some(&cookie)).await;
    assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED);
    let large = portal.post("/sign-in", None, &"x".repeat(100_000)).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
}
