//! The metrics page, its API, what is told to pages that listen, and the portal's own figures. There is
//! no AWS here: what is shown is what is shown without.

use std::time::Duration;

use app::server::limits::Limits;
use axum::body::{Body, BodyDataStream};
use axum::extract::{ConnectInfo, Request};
use axum::http::{StatusCode, header};
use axum::routing::post;
use axum::{Router, body::Bytes};
use futures::StreamExt;
use model::people::Role;
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::{EMAIL, ORIGIN, TestPortal, request};

#[tokio::test]
async fn the_page_stands_without_aws_and_says_so() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in().await;
    let page = portal.get("/charts?range=3h", Some(&cookie)).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert!(
        page.body.contains("There are no figures yet") && page.body.contains("range=3h"),
        "{}",
        page.body
    );
    // Where there is no script the page comes back to itself, range and all.
    assert!(page.body.contains("60;url=/charts?range=3h&amp;refresh=self"), "{}", page.body);
    let file = portal.get("/charts/figures.csv?range=3h", Some(&cookie)).await;
    assert!(file.status.is_server_error() && !file.body.contains("from,"), "{} {}", file.status, file.body);
    let unknown = portal.get("/charts/table?chart=none", Some(&cookie)).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_can_not_be_is_refused_and_stays_in_the_form() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in().await;
    for (query, words) in [
        ("range=2h", "There are the ranges"),
        ("from=yesterday&to=2026-12-01T00:00", "This is no time"),
        ("from=2026-12-01T00:00&to=2026-11-01T00:00", "ends before it begins"),
        ("tz=Nowhere", "This is no time zone"),
        ("version=latest", "A version is a number"),
    ] {
        let page = portal.get(&format!("/charts?{query}"), Some(&cookie)).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        assert!(page.body.contains(words) && page.body.contains("range-from"), "{query}: {}", page.body);
        let answer = portal.get(&format!("/api/v1/metrics?{query}"), Some(&cookie)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        assert!(answer.body.contains(words), "{query}: {}", answer.body);
    }
}

#[tokio::test]
async fn who_is_not_signed_in_sees_none_of_it() {
    let portal = TestPortal::start().await;
    for path in [
        "/charts",
        "/charts/fragment",
        "/charts/table?chart=errors",
        "/charts/figures.csv",
        "/events?page=charts",
    ] {
        let answer = portal.get(path, None).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert!(answer.header("location").starts_with("/sign-in"), "{path}");
    }
    for path in ["/api/v1/metrics", "/api/v1/metrics.csv", "/metrics"] {
        let answer = portal.get(path, None).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
    }
}

#[tokio::test]
async fn the_portals_own_figures_are_for_scrapers_with_a_token_too() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in().await;
    portal.get("/nowhere/at/all", Some(&cookie)).await;
    let figures = portal.get("/metrics", Some(&cookie)).await;
    assert_eq!(figures.status, StatusCode::OK);
    assert!(figures.header("content-type").starts_with("application/openmetrics-text"));
    // What somebody asks for becomes no label.
    assert!(!figures.body.contains("/nowhere"), "{}", figures.body);
    assert!(figures.body.contains("lockkeeper_http_requests_total{"), "{}", figures.body);
    assert!(figures.body.contains(r#"route="/sign-in/link/{token}""#), "{}", figures.body);
    assert!(figures.body.ends_with("# EOF\n"), "{}", figures.body);

    let _ = portal.accounts.add("viewer@example.com", None, Role::Viewer).await;
    let scrape = |token: &str| {
        let mut asked = request("GET", "/metrics", None, Body::empty());
        asked.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        asked
    };
    assert_eq!(portal.send(scrape("lk_wrong")).await.status, StatusCode::UNAUTHORIZED);
}

/// The next frame of a stream, within a time.
async fn next(stream: &mut BodyDataStream) -> Option<String> {
    let frame =
        tokio::time::timeout(Duration::from_secs(10), stream.next()).await.expect("a frame in time")?;
    Some(String::from_utf8_lossy(&frame.unwrap()).into_owned())
}

fn listening(path: &str, cookie: &str, heard: Option<&str>) -> Request {
    let mut request = request("GET", path, Some(cookie), Body::empty());
    let address: std::net::SocketAddr = "127.0.0.1:40000".parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(address));
    if let Some(heard) = heard {
        request.headers_mut().insert("last-event-id", heard.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn a_page_that_listens_is_told_where_it_stands_and_what_it_missed() {
    let limits = Limits { streams: 1, ..Limits::default() };
    let portal = TestPortal::with(limits, ORIGIN, false).await;
    let cookie = portal.signed_in().await;
    let address = "/events?page=charts&range=1h";
    let answer = portal.router.clone().oneshot(listening(address, &cookie, None)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let mut stream = answer.into_body().into_data_stream();
    let first = next(&mut stream).await.unwrap();
    assert!(first.contains("event: here") && first.contains("id: "), "{first}");
    // One more than there is room for: the page asks by itself then.
    let refused = portal.router.clone().oneshot(listening(address, &cookie, None)).await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(stream);
    // Who was cut off and has heard something else meanwhile is told at once.
    let again = portal.router.clone().oneshot(listening(address, &cookie, Some("1"))).await.unwrap();
    assert_eq!(again.status(), StatusCode::OK, "the place is free again");
    let missed = next(&mut again.into_body().into_data_stream()).await.unwrap();
    assert!(missed.contains("event: newer"), "{missed}");
    for path in ["/events", "/events?page=nothing"] {
        let answer = portal.router.clone().oneshot(listening(path, &cookie, None)).await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path}");
    }
}

/// A collector that keeps what it is sent.
#[tokio::test]
async fn traces_go_to_the_collector_and_hold_no_secret() {
    let (told, mut batches) = tokio::sync::mpsc::channel::<Bytes>(16);
    let collector = Router::new().route(
        "/v1/traces",
        post(move |body: Bytes| {
            let told = told.clone();
            async move { drop(told.send(body).await) }
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, collector).await });
    let folder = tempfile::tempdir().unwrap();
    crate::write_site(folder.path());
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut portal = tokio::process::Command::new(env!("CARGO_BIN_EXE_lockkeeper"))
        .arg("serve")
        .env_clear()
        .env("LOCKKEEPER_ADDRESS", address.to_string())
        .env("LOCKKEEPER_DATABASE", folder.path().join("portal.sqlite"))
        .env("LOCKKEEPER_SITE", folder.path())
        .env("LOCKKEEPER_SANDBOX", "1")
        .env("LOCKKEEPER_API_ID", "a1b2c3")
        .env("LOCKKEEPER_FUNCTION", "learninghub-api")
        .env("LOCKKEEPER_SECRET_ID", "learninghub/sqlserver")
        .env("LOCKKEEPER_STATUS_URL", "http://127.0.0.1:9/status")
        .env("LOCKKEEPER_DRIVE_ROLLOUTS", "false")
        .env("AWS_REGION", "eu-west-1")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let secret = "c2VjcmV0LXRva2Vu";
    let mut status = None;
    for _ in 0..100 {
        let asked = reqwest::get(format!("http://{address}/sign-in/link/{secret}?email={EMAIL}")).await;
        if let Ok(answer) = asked {
            status = Some(answer.status().as_u16());
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(status.is_some(), "the portal does not listen");
    // What is left is sent when it ends.
    let pid = portal.id().unwrap().to_string();
    std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert!(portal.wait().await.unwrap().success());
    let mut all = Vec::new();
    while let Ok(Some(batch)) = tokio::time::timeout(Duration::from_secs(2), batches.recv()).await {
        all.extend_from_slice(&batch);
    }
    let all = String::from_utf8_lossy(&all);
    assert!(all.contains("lockkeeper") && all.contains("/sign-in/link/..."), "{all}");
    assert!(!all.contains(secret) && !all.contains(EMAIL), "{all}");
    serving.abort();
}
