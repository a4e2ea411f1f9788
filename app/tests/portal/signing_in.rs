//! Passwords and links.

use std::net::IpAddr;

use app::server::accounts::LINK_LIFE_MS;
use app::server::password::Passwords;
use axum::body::Body;
use axum::http::{StatusCode, header};
use model::people::Role;

use crate::{COOKIE, EMAIL, ORIGIN, PASSWORD, TestPortal, counting, request};

#[tokio::test]
async fn the_right_password_opens_a_new_session() {
    let portal = TestPortal::start().await;
    let hash = password_hash().await;
    portal.accounts.add("Ada@Example.com", Some(&hash), Role::Admin).await.unwrap();
    let planted = format!("{COOKIE}=AAAAAAAAAAAAAAAAAAAAAA");
    let form = form(EMAIL, PASSWORD, "/logs");
    let answer = portal.post("/sign-in", Some(&planted), &form).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/logs"));
    let cookie = answer.cookie().unwrap();
    assert_ne!(cookie, planted, "an id that came from outside is never taken");
    let attributes = answer.header("set-cookie");
    for attribute in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/", "Max-Age=28800"] {
        assert!(attributes.contains(attribute), "{attributes}");
    }
    assert!(!attributes.contains("Domain"), "{attributes}");
    assert!(portal.is_signed_in(&cookie).await);

    let again = portal.post("/sign-in", Some(&cookie), &form).await.cookie().unwrap();
    assert_ne!(again, cookie, "a new id at each sign-in");
    assert!(portal.is_signed_in(&again).await);
    assert!(!portal.is_signed_in(&cookie).await, "the old one is over");
}

#[tokio::test]
async fn a_wrong_password_says_no_more_than_that() {
    let portal = TestPortal::start().await;
    let hash = password_hash().await;
    portal.accounts.add(EMAIL, Some(&hash), Role::Admin).await.unwrap();
    portal.accounts.add("link-only@example.com", None, Role::Admin).await.unwrap();
    let mut pages = Vec::new();
    for email in [EMAIL, "nobody@example.com", "link-only@example.com"] {
        let answer = portal.post("/sign-in", None, &form(email, "not the right words", "")).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.cookie().is_none());
        assert!(answer.body.contains("E-mail address or password is wrong."), "{}", answer.body);
        assert!(answer.body.contains(r#"role="alert""#));
        assert!(!answer.body.contains("not the right words"), "a password is never sent back");
        let page = answer.body.replace(email, "EMAIL");
        pages.push(page.split("nonce=").next().unwrap().to_owned() + page.split("</script>").nth(1).unwrap());
    }
    assert!(pages.iter().all(|page| *page == pages[0]), "the page does not tell known from unknown");
}

#[tokio::test]
async fn a_form_with_gaps_is_shown_again() {
    let portal = TestPortal::start().await;
    let answer = portal.post("/sign-in", None, &form("", "", "")).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("<title>Error: Sign in"), "{}", answer.body);
    for part in [r##"href="#email""##, r##"href="#password""##, r#"aria-describedby="email-error""#] {
        assert!(answer.body.contains(part), "{part} in {}", answer.body);
    }
    let typed = form("<script>alert(1)</script>", "", "");
    let answer = portal.post("/sign-in", None, &typed).await;
    assert!(!answer.body.contains("<script>alert"), "{}", answer.body);
}

#[tokio::test]
async fn tries_are_counted_by_address() {
    let portal = TestPortal::start().await;
    let stranger: IpAddr = "203.0.113.7".parse().unwrap();
    let attempt = || {
        let mut request = request("POST", "/sign-in", None, Body::from(form(EMAIL, "guess", "")));
        request.headers_mut().insert(header::ORIGIN, ORIGIN.parse().unwrap());
        let kind = "application/x-www-form-urlencoded".parse().unwrap();
        request.headers_mut().insert(header::CONTENT_TYPE, kind);
        request
    };
    for _ in 0..10 {
        assert_eq!(portal.send_from(stranger, attempt()).await.status, StatusCode::UNAUTHORIZED);
    }
    let answer = portal.send_from(stranger, attempt()).await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "30"));
    assert!(answer.body.contains("Too many tries"), "{}", answer.body);
    let elsewhere = portal.send(attempt()).await.status;
    assert_eq!(elsewhere, StatusCode::UNAUTHORIZED, "the account itself is not locked");
    portal.advance(30_000);
    assert_eq!(portal.send_from(stranger, attempt()).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_link_works_once_and_only_through_its_button() {
    let portal = TestPortal::start().await;
    let token = portal.link().await;
    assert!(token.len() >= 43, "256 bits in base64url");
    let path = format!("/sign-in/link/{token}");
    for _ in 0..3 {
        let page = portal.get(&path, None).await;
        assert_eq!(page.status, StatusCode::OK, "looking at it does not use it up");
        assert!(page.body.contains(&format!(r#"action="{path}""#)), "{}", page.body);
    }
    let (first, second) = tokio::join!(portal.post(&path, None, ""), portal.post(&path, None, ""));
    let winners = [&first, &second].into_iter().filter(|answer| answer.cookie().is_some()).count();
    assert_eq!(winners, 1, "of two that come at once one gets in");
    for answer in [portal.post(&path, None, "").await, portal.get(&path, None).await] {
        assert_eq!(answer.header("location"), "/sign-in?notice=link-over");
        assert!(answer.cookie().is_none());
    }
}

#[tokio::test]
async fn a_link_is_good_for_fifteen_minutes() {
    let portal = TestPortal::start().await;
    let (early, late) = (portal.link().await, portal.link().await);
    portal.advance(LINK_LIFE_MS - 1);
    assert!(portal.post(&format!("/sign-in/link/{early}"), None, "").await.cookie().is_some());
    portal.advance(1);
    assert!(portal.post(&format!("/sign-in/link/{late}"), None, "").await.cookie().is_none());
}

#[tokio::test]
async fn the_database_holds_no_token() {
    let portal = TestPortal::start().await;
    let token = portal.link().await;
    let hashes: Vec<Vec<u8>> = sqlx::query_scalar("SELECT token_hash FROM sign_in_links")
        .fetch_all(portal.accounts.pool())
        .await
        .unwrap();
    assert_eq!(hashes.len(), 1);
    assert_eq!(hashes[0].len(), 32);
    assert!(!hashes[0].windows(8).any(|part| token.as_bytes().starts_with(part)));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = portal._folder.path().join("data/portal.sqlite");
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn accounts_are_added_once() {
    let portal = TestPortal::start().await;
    portal.accounts.add(" Ada@Example.com ", None, Role::Admin).await.unwrap();
    assert!(portal.accounts.add(EMAIL, None, Role::Admin).await.is_err(), "the same in other letters");
    for wrong in ["", "ada", "@example.com", "ada@", "a da@example.com", "ada@example.com\nBcc: x"] {
        assert!(portal.accounts.add(wrong, None, Role::Admin).await.is_err(), "{wrong}");
        assert!(portal.accounts.find(wrong).await.unwrap().is_none());
    }
}

fn form(email: &str, password: &str, next: &str) -> String {
    let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    format!("email={}&password={}&next={}", escape(email), escape(password), escape(next))
}

async fn password_hash() -> String {
    Passwords::new(counting()).unwrap().hash(PASSWORD.to_owned()).await.unwrap()
}
