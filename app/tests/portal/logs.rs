//! Requests, errors and logs: who may look, what is refused, and the bounds of a stream.

use std::net::TcpListener;
use std::time::Duration;

use app::server::limits::Limits;
use axum::body::{Body, BodyDataStream};
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use futures::StreamExt;
use tower::ServiceExt;

use crate::{ORIGIN, TestPortal, request};

/// Where nobody listens: whatever is asked of AWS fails at once.
fn nowhere() -> Option<std::net::SocketAddr> {
    Some(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
}

async fn portal(streams: usize) -> TestPortal {
    let limits = Limits { streams, ..Limits::default() };
    TestPortal::build(limits, ORIGIN, false, nowhere(), |journal| journal).await
}

/// Opens a stream; its head is there, its body to come.
async fn open(portal: &TestPortal, path: &str, cookie: &str, headers: &[(&str, &str)]) -> Response {
    let mut asked: Request<Body> = request("GET", path, Some(cookie), Body::empty());
    for (name, value) in headers {
        let name: header::HeaderName = name.parse().unwrap();
        asked.headers_mut().insert(name, value.parse().unwrap());
    }
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 40_000));
    asked.extensions_mut().insert(axum::extract::ConnectInfo(address));
    portal.router.clone().oneshot(asked).await.unwrap()
}

/// The next piece of a body; none at its end.
async fn piece(body: &mut BodyDataStream) -> Option<String> {
    let piece = tokio::time::timeout(Duration::from_secs(20), body.next()).await.expect("in time")?;
    Some(String::from_utf8_lossy(&piece.unwrap()).into_owned())
}

#[tokio::test]
async fn nobody_looks_without_a_sign_in() {
    let portal = portal(2).await;
    for path in ["/requests", "/requests/AAAAAAAAAAAAAAA=", "/errors", "/logs", "/logs/tail"] {
        assert_eq!(portal.get(path, None).await.status, StatusCode::SEE_OTHER, "{path}");
    }
    for path in ["requests/AAAAAAAAAAAAAAA=", "errors", "logs", "logs/tail"] {
        let answer = portal.get(&format!("/api/v1/{path}"), None).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn what_can_t_be_asked_for_is_refused_in_words() {
    let portal = portal(2).await;
    let cookie = portal.signed_in().await;
    for path in [
        "requests/what",
        "requests/AAAAAAAAAAAAAAA=?from=5",
        "errors?range=2h",
        "errors?from=5&to=4",
        "logs?group=secret",
        "logs?at=5",
        "logs/tail?level=LOUD",
        "logs/tail?after=x",
    ] {
        let path = format!("/api/v1/{path}");
        let answer = portal.get(&path, Some(&cookie)).await;
        let json = path.contains("at=5");
        assert!(json || answer.status == StatusCode::UNPROCESSABLE_ENTITY, "{path} {}", answer.status);
        assert!(json || answer.header("content-type").contains("problem+json"), "{path}");
    }
    let page = portal.get("/requests?id=what", Some(&cookie)).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.body.contains("neither an apigw-requestid"));
    let led = portal.get("/requests?id=%20JKJaXmPLvHcESHA%3D", Some(&cookie)).await;
    assert_eq!((led.status, led.header("location")), (StatusCode::SEE_OTHER, "/requests/JKJaXmPLvHcESHA%3D"));
    // AWS can't be reached: the pages stand, and say so.
    for path in ["/requests/JKJaXmPLvHcESHA%3D", "/errors", "/logs"] {
        let page = portal.get(path, Some(&cookie)).await;
        assert!(page.body.contains("out of reach"), "{path}: {}", page.body);
    }
}

#[tokio::test]
async fn streams_have_a_bound_and_end_with_the_portal() {
    let portal = portal(1).await;
    let cookie = portal.signed_in().await;
    let path = "/api/v1/logs/tail?group=function";
    let one = open(&portal, path, &cookie, &[("last-event-id", "1795300000000-1")]).await;
    assert_eq!(one.status(), StatusCode::OK);
    assert_eq!(one.headers()["content-type"], "text/event-stream");
    assert_eq!(one.headers()["x-accel-buffering"], "no");
    let mut body = one.into_body().into_data_stream();
    // AWS can't be reached: that is told, and tried again.
    let told = piece(&mut body).await.unwrap();
    assert!(told.starts_with("event: lines") && told.contains("out of reach"), "{told}");

    let full = open(&portal, path, &cookie, &[]).await;
    assert_eq!(full.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(body);
    let other = open(&portal, path, &cookie, &[("accept", "application/json")]).await;
    assert_eq!(other.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let two = open(&portal, "/logs/tail?group=function", &cookie, &[("accept", "text/event-stream")]).await;
    assert_eq!(two.status(), StatusCode::OK);
    let mut body = two.into_body().into_data_stream();
    assert!(piece(&mut body).await.unwrap().contains("html"));
    portal.app.end_streams();
    while let Some(last) = piece(&mut body).await {
        assert!(last.contains("event: "), "{last}");
    }
}
