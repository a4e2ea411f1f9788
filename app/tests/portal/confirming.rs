//! Showing once more that it is really them: how many tries there are, and what the session's id does.

use std::net::{IpAddr, Ipv4Addr};

use app::server::accounts::WRONG_IN_A_ROW;
use axum::body::Body;
use axum::http::{StatusCode, header};
use model::people::Role;

use crate::{Answer, COOKIE, ORIGIN, PASSWORD, TestPortal, request};

/// A confirmation from an address of its own each time, so that it is not the address that is slowed.
async fn confirm(portal: &TestPortal, cookie: &str, from: i64, password: &str) -> Answer {
    let body = serde_json::json!({ "password": password }).to_string();
    let mut request = request("POST", "/api/v1/confirmation", Some(cookie), Body::from(body));
    request.headers_mut().insert(header::ORIGIN, ORIGIN.parse().unwrap());
    request.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    let address = IpAddr::V4(Ipv4Addr::from(0xC000_0200 + u32::try_from(from).unwrap()));
    portal.send_from(address, request).await
}

#[tokio::test]
async fn ten_wrong_passwords_in_a_row_end_the_sign_in_wherever_they_come_from() {
    let portal = TestPortal::start().await;
    let mut cookie = portal.signed_in_as(Role::Operator, true).await;
    let other = portal.signed_in().await;
    for number in 1..WRONG_IN_A_ROW {
        assert_eq!(confirm(&portal, &cookie, number, "guess").await.status, StatusCode::FORBIDDEN);
    }
    let right = confirm(&portal, &cookie, WRONG_IN_A_ROW, PASSWORD).await;
    assert_eq!(right.status, StatusCode::NO_CONTENT, "nine are not too many, and it counts anew");
    cookie = right.cookie().unwrap();
    for number in 1..WRONG_IN_A_ROW {
        assert_eq!(confirm(&portal, &cookie, 100 + number, "guess").await.status, StatusCode::FORBIDDEN);
    }
    let last = confirm(&portal, &cookie, 200, "guess").await;
    assert_eq!(last.status, StatusCode::UNAUTHORIZED);
    assert!(last.body.contains("Too many wrong passwords"), "{}", last.body);
    assert_eq!(confirm(&portal, &cookie, 201, PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert!(!portal.is_signed_in(&cookie).await);
    assert!(portal.is_signed_in(&other).await, "the person's other sessions go on");
    assert_eq!(portal.written().await, []);
}

#[tokio::test]
async fn many_at_once_are_no_more_tries() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Operator, true).await;
    let all = (0..30).map(|number| confirm(&portal, &cookie, number, "guess"));
    let statuses: Vec<StatusCode> = futures::future::join_all(all).await.iter().map(|a| a.status).collect();
    let looked_at = statuses.iter().filter(|status| **status == StatusCode::FORBIDDEN).count();
    assert!(looked_at < usize::try_from(WRONG_IN_A_ROW).unwrap(), "{statuses:?}");
    assert!(!portal.is_signed_in(&cookie).await);
}

#[tokio::test]
async fn a_form_with_one_wrong_password_too_many_leads_to_the_sign_in() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Operator, true).await;
    for number in 1..WRONG_IN_A_ROW {
        confirm(&portal, &cookie, number, "guess").await;
    }
    let answer = portal.post("/secret/rotate", Some(&cookie), "password=guess").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.header("location"), "/sign-in?notice=wrong-too-often&next=/secret");
    let page = portal.get("/sign-in?notice=wrong-too-often", None).await.body;
    assert!(page.contains("signed out after too many wrong passwords"), "{page}");
}

#[tokio::test]
async fn whoever_has_shown_that_it_is_them_goes_on_under_a_new_id() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Operator, true).await;
    let wrong = confirm(&portal, &cookie, 1, "guess").await;
    assert_eq!(wrong.cookie(), None, "nothing was shown");
    // The operation fails at an AWS that is not there, with a status from 500 on: the session does not.
    let form = format!("password={}", PASSWORD.replace(' ', "+"));
    let answer = portal.post("/secret/rotate", Some(&cookie), &form).await;
    assert!(answer.status.is_server_error(), "{}", answer.status);
    let renewed = answer.cookie().expect("a new cookie");
    for attribute in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
        assert!(answer.header("set-cookie").contains(attribute), "{}", answer.header("set-cookie"));
    }
    assert_ne!(renewed, cookie);
    assert!(portal.is_signed_in(&renewed).await);
    assert!(!portal.is_signed_in(&cookie).await, "the old id is worth nothing");
    let again = confirm(&portal, &renewed, 2, PASSWORD).await.cookie().expect("and once more");
    assert_ne!(again, renewed);
    assert!(portal.is_signed_in(&again).await && !portal.is_signed_in(&renewed).await);
}

#[tokio::test]
async fn a_call_with_an_old_id_does_not_take_the_new_cookie_back() {
    let portal = TestPortal::start().await;
    let old = format!("{COOKIE}=AAAAAAAAAAAAAAAAAAAAAA");
    let call = portal.call("POST", "/api/calls/overview", &old, r#"{"active":false}"#).await;
    assert_eq!((call.status, call.header("set-cookie")), (StatusCode::UNAUTHORIZED, ""));
    for path in ["/secret/fragment", "/events?page=secret"] {
        let asked = portal.get(path, Some(&old)).await;
        assert_eq!((asked.status, asked.header("set-cookie")), (StatusCode::SEE_OTHER, ""), "{path}");
    }
    let page = portal.get("/secret", Some(&old)).await;
    assert!(page.header("set-cookie").starts_with(&format!("{COOKIE}=;")), "a page does");
}
