//! How long somebody stays signed in.

use std::collections::HashMap;

use app::server::accounts::{IDLE_MS, SIGNED_IN_MS};
use axum::http::StatusCode;
use model::people::Role;
use tower_sessions::cookie::time::{self, OffsetDateTime};
use tower_sessions::session::{Id, Record};
use tower_sessions::{ExpiredDeletion, SessionStore};
use tower_sessions_sqlx_store::SqliteStore;

use crate::{COOKIE, EMAIL, TestPortal};

#[tokio::test]
async fn a_session_that_is_no_more_is_told_apart_from_none() {
    let portal = TestPortal::start().await;
    let answer = portal.get("/", Some(&format!("{COOKIE}=AAAAAAAAAAAAAAAAAAAAAA"))).await;
    assert_eq!(answer.header("location"), "/sign-in?notice=session-over");
    let page = portal.get("/sign-in?notice=session-over", None).await.body;
    assert!(page.contains("Your session is over."), "{page}");
    assert!(page.contains("30 minutes"), "the page says when sessions end");
}

#[tokio::test]
async fn a_session_ends_after_half_an_hour_without_use() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in().await;
    for _ in 0..3 {
        portal.advance(IDLE_MS - 1);
        assert!(portal.is_signed_in(&cookie).await, "use keeps it alive");
    }
    portal.advance(IDLE_MS);
    let answer = portal.get("/", Some(&cookie)).await;
    assert_eq!(answer.header("location"), "/sign-in?notice=session-over");
    let taken_back = answer.header("set-cookie");
    assert!(taken_back.starts_with(&format!("{COOKIE}=;")), "{taken_back}");
    assert!(
        taken_back.contains("Secure") && taken_back.contains("Path=/"),
        "browsers would keep it: {taken_back}"
    );
    portal.advance(-IDLE_MS);
    assert!(!portal.is_signed_in(&cookie).await, "over is over");
}

#[tokio::test]
async fn a_session_ends_after_eight_hours_however_it_is_used() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in().await;
    let steps = SIGNED_IN_MS / (IDLE_MS / 2);
    for _ in 1..steps {
        portal.advance(IDLE_MS / 2);
        assert!(portal.is_signed_in(&cookie).await);
    }
    portal.advance(IDLE_MS / 2);
    assert!(!portal.is_signed_in(&cookie).await);
}

#[tokio::test]
async fn signing_out_ends_the_session_on_the_server() {
    let portal = TestPortal::start().await;
    let (cookie, other) = (portal.signed_in().await, portal.signed_in().await);
    let answer = portal.post("/sign-out", Some(&cookie), "").await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (StatusCode::SEE_OTHER, "/sign-in?notice=signed-out")
    );
    let taken_back = answer.header("set-cookie");
    assert!(taken_back.starts_with(&format!("{COOKIE}=;")) && taken_back.contains("Secure"), "{taken_back}");
    assert!(!portal.is_signed_in(&cookie).await, "the old cookie is worth nothing");
    assert!(portal.is_signed_in(&other).await, "other sessions go on");
}

#[tokio::test]
async fn a_touch_under_way_does_not_bring_a_session_back() {
    let portal = TestPortal::start().await;
    let user = {
        portal.accounts.add(EMAIL, None, Role::Admin).await.unwrap();
        portal.accounts.find(EMAIL).await.unwrap().unwrap()
    };
    let sign_in = portal.accounts.sign_in(user.id).await.unwrap();
    portal.accounts.sign_out(&sign_in).await.unwrap();
    portal.advance(120_000);
    portal.accounts.touch(&sign_in).await.unwrap();
    assert_eq!(portal.accounts.visitor(&sign_in).await.unwrap(), None);
}

#[tokio::test]
async fn the_sweep_deletes_what_is_over_and_nothing_else() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in().await;
    portal.link().await;
    let rows = async || -> (i64, i64) {
        let query = "SELECT (SELECT count(*) FROM sign_in_links), (SELECT count(*) FROM sign_ins)";
        sqlx::query_as(query).fetch_one(portal.accounts.pool()).await.unwrap()
    };
    portal.accounts.sweep().await.unwrap();
    assert_eq!(rows().await, (2, 1));
    assert!(portal.is_signed_in(&cookie).await);
    portal.advance(IDLE_MS);
    portal.accounts.sweep().await.unwrap();
    assert_eq!(rows().await, (0, 0));
}

#[tokio::test]
async fn session_records_that_are_over_are_deleted() {
    let portal = TestPortal::start().await;
    portal.signed_in().await;
    let store = SqliteStore::new(portal.accounts.pool().clone());
    let yesterday = OffsetDateTime::now_utc() - time::Duration::days(1);
    let mut over = Record { id: Id::default(), data: HashMap::default(), expiry_date: yesterday };
    store.create(&mut over).await.unwrap();
    let count = async || -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM tower_sessions")
            .fetch_one(portal.accounts.pool())
            .await
            .unwrap()
    };
    assert_eq!(count().await, 2);
    store.delete_expired().await.unwrap();
    assert_eq!(count().await, 1);
}

#[tokio::test]
async fn a_deleted_account_is_out_at_once() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in().await;
    sqlx::query("DELETE FROM users").execute(portal.accounts.pool()).await.unwrap();
    assert!(!portal.is_signed_in(&cookie).await);
}
