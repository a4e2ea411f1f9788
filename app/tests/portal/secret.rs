//! The secret's page and its API: who may, what has to be shown, and that it is written down. There is
//! no AWS here, so that an operation which is let through fails at its first call.

use app::server::password::Passwords;
use axum::body::Body;
use axum::http::{StatusCode, header};
use model::people::Role;

use crate::{Answer, EMAIL, ORIGIN, PASSWORD, TestPortal, counting, request};

pub(crate) const ELEVEN_MINUTES: i64 = 11 * 60_000;

impl TestPortal {
    /// Signs in somebody with that role, with the password or by link; the cookie.
    pub async fn signed_in_as(&self, role: Role, with_password: bool) -> String {
        let hash = Passwords::new(counting()).unwrap().hash(PASSWORD.to_owned()).await.unwrap();
        self.accounts.add(EMAIL, with_password.then_some(hash.as_str()), role).await.unwrap();
        let user = self.accounts.find(EMAIL).await.unwrap().unwrap();
        let token = self.accounts.create_link(&user).await.unwrap();
        self.post(&format!("/sign-in/link/{token}"), None, "").await.cookie().unwrap()
    }

    pub async fn call(&self, method: &str, path: &str, cookie: &str, body: &str) -> Answer {
        let mut request = request(method, path, Some(cookie), Body::from(body.to_owned()));
        let headers = request.headers_mut();
        headers.insert(header::ORIGIN, ORIGIN.parse().unwrap());
        headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        self.send(request).await
    }

    /// Operation and outcome of each entry of the audit log.
    pub async fn written(&self) -> Vec<(String, Option<String>)> {
        let entries = sqlx::query_as("SELECT operation, outcome FROM audit_log ORDER BY id");
        entries.fetch_all(self.accounts.pool()).await.unwrap()
    }
}

/// Every change, as a form and in the API.
pub const FORMS: [(&str, &str); 5] = [
    ("/secret/rotate", "password="),
    ("/secret/rehearse", ""),
    ("/secret/repair", "token=t&moves=%5B%5D&confirm=c"),
    ("/secret/schedule", "schedule=rate(30+days)"),
    ("/secret/schedule", "off=yes"),
];
pub(crate) const CALLS: [(&str, &str, &str); 5] = [
    ("POST", "/api/v1/secret/rotations", "{}"),
    ("POST", "/api/v1/secret/rehearsals", "{}"),
    ("POST", "/api/v1/secret/repairs", r#"{"token":"t","moves":[],"confirm":"c"}"#),
    ("PUT", "/api/v1/secret/schedule", r#"{"schedule":"rate(30 days)"}"#),
    ("PUT", "/api/v1/secret/schedule", r#"{"schedule":null}"#),
];

#[tokio::test]
async fn a_viewer_changes_nothing() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Viewer, false).await;
    for (path, form) in FORMS {
        let answer = portal.post(path, Some(&cookie), form).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(answer.body.contains("This needs the role operator"), "{path}: {}", answer.body);
    }
    for (method, path, body) in CALLS {
        let answer = portal.call(method, path, &cookie, body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(answer.body.contains(r#""kind":"forbidden""#), "{path}: {}", answer.body);
    }
    assert_eq!(portal.written().await, []);
}

#[tokio::test]
async fn nobody_and_strangers_get_nowhere() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Admin, false).await;
    for (method, path, body) in CALLS {
        let mut stranger = request(method, path, Some(&cookie), Body::from(body.to_owned()));
        stranger.headers_mut().insert(header::ORIGIN, "https://evil.example".parse().unwrap());
        stranger.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        assert_eq!(portal.send(stranger).await.status, StatusCode::FORBIDDEN, "{path}");
        let mut nobody = request(method, path, None, Body::from(body.to_owned()));
        nobody.headers_mut().insert(header::ORIGIN, ORIGIN.parse().unwrap());
        assert_eq!(portal.send(nobody).await.status, StatusCode::UNAUTHORIZED, "{path}");
        let mut text = request(method, path, Some(&cookie), Body::from(body.to_owned()));
        text.headers_mut().insert(header::ORIGIN, ORIGIN.parse().unwrap());
        text.headers_mut().insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
        assert_eq!(portal.send(text).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{path}");
        let unknown = portal.call(method, path, &cookie, r#"{"unknown":1}"#).await;
        assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
    }
    assert_eq!(portal.written().await, []);
}

#[tokio::test]
async fn a_rotation_asks_for_the_password_each_time_and_is_written_down() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Operator, true).await;
    let rotate = async |password: &str| {
        portal.post("/secret/rotate", Some(&cookie), &format!("password={password}")).await
    };
    let answer = rotate("").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.body.contains("Enter your password to confirm."), "{}", answer.body);
    let answer = rotate("not+the+right+words").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(!answer.body.contains("not the right words"), "a password is never sent back");
    assert_eq!(portal.written().await, []);
    // Let through, it fails at AWS, which is not there; both halves are on record.
    let answer = rotate(&PASSWORD.replace(' ', "+")).await;
    assert!(answer.status.is_server_error(), "{}", answer.status);
    let written = portal.written().await;
    let [(operation, Some(outcome))] = written.as_slice() else { panic!("{written:?}") };
    assert_eq!(operation, "RotateSecret");
    assert_ne!(outcome, "done");
}

#[tokio::test]
async fn without_a_password_a_fresh_sign_in_is_needed() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Admin, false).await;
    portal.advance(ELEVEN_MINUTES);
    let answer = portal.call("POST", "/api/v1/secret/rotations", &cookie, "{}").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.body.contains(r#""kind":"not_confirmed""#), "{}", answer.body);
    let answer = portal.post("/secret/rotate", Some(&cookie), "").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(portal.written().await, []);
}

#[tokio::test]
async fn a_script_confirms_once_and_then_works() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Admin, true).await;
    portal.advance(ELEVEN_MINUTES);
    let rotate = async |cookie: &str| portal.call("POST", "/api/v1/secret/rotations", cookie, "{}").await;
    assert!(rotate(&cookie).await.body.contains("/api/v1/confirmation"));
    let confirm = async |password: &str| {
        let body = serde_json::json!({ "password": password }).to_string();
        portal.call("POST", "/api/v1/confirmation", &cookie, &body).await
    };
    assert_eq!(confirm("not the right words").await.status, StatusCode::FORBIDDEN);
    assert_eq!(rotate(&cookie).await.status, StatusCode::FORBIDDEN);
    let confirmed = confirm(PASSWORD).await;
    assert_eq!(confirmed.status, StatusCode::NO_CONTENT);
    let renewed = confirmed.cookie().unwrap();
    assert!(rotate(&renewed).await.status.is_server_error(), "let through, to an AWS that is not there");
    assert_eq!(portal.written().await.len(), 1);
}

#[tokio::test]
async fn a_schedule_that_aws_would_refuse_is_refused_before_and_what_was_typed_stays() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Operator, false).await;
    let answer =
        portal.post("/secret/schedule", Some(&cookie), "schedule=rate(1+hours)&window_hours=3").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("4 hours at least"), "{}", answer.body);
    let odd = portal.get("/secret?rotation=%22%3E%3Cscript%3E", Some(&cookie)).await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!odd.body.contains("\"><script>"));
}

#[tokio::test]
async fn the_script_is_given_what_is_read_and_no_more() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Viewer, false).await;
    let asked = "/secret/fragment?rotation=0011-anna&plan=%22%3E%3Cscript%3E&active";
    let answer = portal.get(asked, Some(&cookie)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.starts_with("<div id=\"live\""), "{}", answer.body);
    assert!(answer.body.contains("data-from=\"/secret/fragment?rotation=0011-anna\""), "{}", answer.body);
    assert!(!answer.body.contains("<script>") && !answer.body.contains("plan="), "{}", answer.body);
    let odd = portal.get("/secret/fragment?rotation=%22%3E", Some(&cookie)).await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);
    let page = portal.get("/secret", Some(&cookie)).await;
    assert!(page.body.contains("data-events=\"/events?page=secret\""), "{}", page.body);
    for island in ["leptos-island", "app_bg", "modulepreload"] {
        assert!(!page.body.contains(island), "the page loads none of the browser's program: {island}");
    }
}
