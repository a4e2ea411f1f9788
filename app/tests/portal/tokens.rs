//! Access tokens: who gets one, what it opens, and what it does not.

use std::net::IpAddr;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use model::people::Role;
use model::tokens::{CreateToken, MOST_TOKENS, Scope, Scopes};
use serde_json::{Value, json};

use crate::secret::{CALLS, ELEVEN_MINUTES};
use crate::{Answer, EMAIL, ORIGIN, PASSWORD, TestPortal, request};

const HOUR: i64 = 3_600_000;

impl TestPortal {
    /// A token for [`EMAIL`], whose account it adds with that role.
    pub(crate) async fn token(&self, role: Role, scopes: &[Scope]) -> String {
        let _ = self.accounts.add(EMAIL, None, role).await;
        self.token_of(EMAIL, scopes).await
    }

    async fn token_of(&self, email: &str, scopes: &[Scope]) -> String {
        let scopes = Scopes::new(scopes.iter().copied());
        let asked = CreateToken { name: "ci".to_owned(), scopes, hours: Some(24) };
        let id = self.accounts.new_token_id();
        let (_, text) = self.accounts.add_token(email, &id, &asked, None).await.unwrap();
        text.expose().to_owned()
    }

    /// As a script sends it: the token, and nothing that a browser would add.
    async fn script(&self, method: &str, path: &str, token: &str, body: &str) -> Answer {
        self.send(bearer(method, path, token, body)).await
    }

    /// The first row of the one column of a query.
    async fn one(&self, query: &str) -> Option<String> {
        sqlx::query_scalar(query).fetch_one(self.accounts.pool()).await.unwrap()
    }
}

fn bearer(method: &str, path: &str, token: &str, body: &str) -> Request<Body> {
    let mut request = request(method, path, None, Body::from(body.to_owned()));
    let headers = request.headers_mut();
    headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    request
}

fn id_of(token: &str) -> &str {
    token.split('_').nth(1).unwrap()
}

/// Behind the id; it may hold the same separator.
fn secret_of(token: &str) -> &str {
    token.splitn(3, '_').nth(2).unwrap()
}

fn parsed(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.body))
}

fn assert_refused(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.body);
    assert_eq!(answer.header("www-authenticate"), r#"Bearer error="invalid_token""#);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(parsed(answer)["kind"], "not_signed_in");
}

#[tokio::test]
async fn a_token_is_made_used_and_revoked() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Admin, false).await;
    let body = r#"{"name":" night job ","scopes":["rotate"],"hours":24}"#;
    let made = portal.call("POST", "/api/v1/tokens", &cookie, body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(made.header("cache-control"), "no-store");
    let token = parsed(&made)["token"].as_str().unwrap().to_owned();
    let secret = secret_of(&token);
    assert!(token.starts_with("lk_") && token.len() == 59, "{token}");
    assert_eq!(made.header("location"), format!("/api/v1/tokens/{}", id_of(&token)));

    portal.advance(HOUR / 6);
    let list = portal.script("GET", "/api/v1/tokens", &token, "").await;
    let row = parsed(&list)["tokens"][0].clone();
    assert_eq!((&row["name"], &row["scopes"]), (&json!("night job"), &json!(["read", "rotate"])));
    assert_eq!(row["expires"].as_i64().unwrap() - row["created"].as_i64().unwrap(), 24 * HOUR);
    assert_eq!(row["last_used"].as_i64().unwrap() - row["created"].as_i64().unwrap(), HOUR / 6);
    assert!(!list.body.contains(secret), "a token is shown once");

    let path = format!("/api/v1/tokens/{}", id_of(&token));
    assert_eq!(portal.call("DELETE", &path, &cookie, "").await.status, StatusCode::NO_CONTENT);
    assert_refused(&portal.script("GET", "/api/v1/tokens", &token, "").await);
    assert_eq!(portal.call("DELETE", &path, &cookie, "").await.status, StatusCode::NOT_FOUND);
    let done = |operation: &str, outcome: &str| (operation.to_owned(), Some(outcome.to_owned()));
    let expected =
        [done("CreateToken", "done"), done("RevokeToken", "done"), done("RevokeToken", "not_found")];
    assert_eq!(portal.written().await, expected);
    let arguments = portal.one("SELECT arguments FROM audit_log ORDER BY id LIMIT 1").await.unwrap();
    assert!(arguments.contains(id_of(&token)) && !arguments.contains(secret), "{arguments}");
}

#[tokio::test]
async fn the_page_makes_shows_once_and_revokes_without_javascript() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Operator, true).await;
    let form =
        |password: &str| format!("name=ci&hours=24&rotate=yes&password={}", password.replace(' ', "+"));
    for (password, words) in [("", "Enter your password"), ("not the right words", "not your password")] {
        let refused = portal.post("/tokens", Some(&cookie), &form(password)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.body.contains(words) && refused.body.contains("<title>Error: Access tokens"));
        assert!(refused.body.contains(r#"value="ci""#), "what was typed stays: {}", refused.body);
    }
    assert_eq!(portal.written().await, [], "nothing was made");
    let made = portal.post("/tokens", Some(&cookie), &form(PASSWORD)).await;
    assert_eq!((made.status, made.header("cache-control")), (StatusCode::OK, "no-store"));
    let cookie = made.cookie().expect("who has shown that it is them goes on under a new id");
    let (_, rest) = made.body.split_once(r#"<code class="new-token">"#).expect("the token");
    let token = rest.split('<').next().unwrap().to_owned();
    assert_eq!(made.body.matches(&token).count(), 1);
    assert_eq!(portal.script("GET", "/api/v1/tokens", &token, "").await.status, StatusCode::OK);

    let page = portal.get("/tokens", Some(&cookie)).await;
    let secret = secret_of(&token);
    assert!(page.body.contains(id_of(&token)) && !page.body.contains(secret), "{}", page.body);
    assert!(page.body.contains(r#"href="/tokens" aria-current="page""#), "{}", page.body);
    for _ in 0..2 {
        let answer = portal.post("/tokens/revoke", Some(&cookie), &format!("id={}", id_of(&token))).await;
        assert_eq!(answer.header("location"), "/tokens?done=revoked", "twice is no error");
    }
    assert_refused(&portal.script("GET", "/api/v1/tokens", &token, "").await);
    let page = portal.get("/tokens?done=revoked", Some(&cookie)).await;
    assert!(page.body.contains("The token is revoked") && page.body.contains("You have none."));
}

#[tokio::test]
async fn the_form_and_the_api_hold_to_the_rules() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Operator, false).await;
    let long = "x".repeat(61);
    let table = [
        (json!({"name": ""}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"name": long}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"name": "a\nb"}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"name": "a", "hours": 0}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"name": "a", "hours": 8_761}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"name": "a", "scopes": ["all"]}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"name": "a", "unknown": 1}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"scopes": []}), StatusCode::UNPROCESSABLE_ENTITY),
    ];
    for (body, status) in table {
        let answer = portal.call("POST", "/api/v1/tokens", &cookie, &body.to_string()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
    }
    for form in ["name=&hours=24", "name=a&hours=", "name=a&hours=9000", ""] {
        let answer = portal.post("/tokens", Some(&cookie), form).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{form}");
    }
    assert_eq!(portal.written().await, [], "what breaks a rule is not written down");
    let more = portal.call("POST", "/api/v1/tokens", &cookie, r#"{"name":"a","scopes":["admin"]}"#).await;
    assert_eq!(more.status, StatusCode::FORBIDDEN, "more than an operator may");
    portal.advance(ELEVEN_MINUTES);
    let late = portal.call("POST", "/api/v1/tokens", &cookie, r#"{"name":"a"}"#).await;
    assert_eq!((late.status, &parsed(&late)["kind"]), (StatusCode::FORBIDDEN, &json!("not_confirmed")));
    let late = portal.post("/tokens", Some(&cookie), "name=a&hours=24").await;
    assert_eq!(late.status, StatusCode::FORBIDDEN);
    assert!(late.body.contains("Sign in again"), "{}", late.body);
}

#[tokio::test]
async fn nobody_and_strangers_make_none() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Admin, false).await;
    let changes =
        [("POST", "/api/v1/tokens", r#"{"name":"a"}"#), ("DELETE", "/api/v1/tokens/0123456789ab", "")];
    for (method, path, body) in changes {
        let mut stranger = request(method, path, Some(&cookie), Body::from(body));
        stranger.headers_mut().insert(header::ORIGIN, "https://evil.example".parse().unwrap());
        stranger.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        assert_eq!(portal.send(stranger).await.status, StatusCode::FORBIDDEN, "{path}");
        let mut nobody = request(method, path, None, Body::from(body));
        nobody.headers_mut().insert(header::ORIGIN, ORIGIN.parse().unwrap());
        let answer = portal.send(nobody).await;
        let seen = (answer.status, answer.header("www-authenticate"));
        assert_eq!(seen, (StatusCode::UNAUTHORIZED, "Bearer"), "{path}");
    }
    let mut text = request("POST", "/api/v1/tokens", Some(&cookie), Body::from(r#"{"name":"a"}"#));
    text.headers_mut().insert(header::ORIGIN, ORIGIN.parse().unwrap());
    text.headers_mut().insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
    assert_eq!(portal.send(text).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    for path in ["/tokens", "/tokens/revoke"] {
        let answer = portal.post(path, None, "name=a&hours=24&id=0123456789ab").await;
        assert!(answer.header("location").starts_with("/sign-in"), "{path}");
        let mut stranger = request("POST", path, Some(&cookie), Body::from("name=a&hours=24"));
        stranger.headers_mut().insert(header::ORIGIN, "https://evil.example".parse().unwrap());
        assert_eq!(portal.send(stranger).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(portal.get("/api/v1/tokens", None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(portal.written().await, []);
}

#[tokio::test]
async fn a_token_does_what_its_scopes_name_and_nothing_else() {
    let portal = TestPortal::start().await;
    for scopes in [&[Scope::Read][..], &[Scope::Deploy]] {
        let token = portal.token(Role::Admin, scopes).await;
        for (method, path, body) in CALLS {
            let answer = portal.script(method, path, &token, body).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{scopes:?} {path}");
            assert!(answer.body.contains("a token with the scope rotate"), "{}", answer.body);
        }
        let more = portal.script("POST", "/api/v1/tokens", &token, r#"{"name":"a"}"#).await;
        assert_eq!(more.status, StatusCode::FORBIDDEN, "{scopes:?}");
        assert!(more.body.contains("scope admin"), "{}", more.body);
    }
    assert_eq!(portal.written().await, []);
    // Let through, without a confirmation, it fails at AWS, which is not there.
    for scopes in [&[Scope::Rotate][..], &[Scope::Admin]] {
        let token = portal.token(Role::Admin, scopes).await;
        portal.advance(ELEVEN_MINUTES);
        let answer = portal.script("POST", "/api/v1/secret/rotations", &token, "{}").await;
        assert!(answer.status.is_server_error(), "{scopes:?}: {}", answer.body);
        let used = portal.one("SELECT token FROM audit_log ORDER BY id DESC LIMIT 1").await;
        assert_eq!(used, Some(format!("ci ({})", id_of(&token))));
    }
    let actor = portal.one("SELECT actor || ' ' || role FROM audit_log ORDER BY id LIMIT 1").await;
    assert_eq!(actor.as_deref(), Some("ada@example.com operator"), "the scope bounds the role");
}

#[tokio::test]
async fn a_token_does_no_more_than_its_owner_may_now() {
    let portal = TestPortal::start().await;
    let token = portal.token(Role::Operator, &[Scope::Rotate]).await;
    let rotate = async || portal.script("POST", "/api/v1/secret/rotations", &token, "{}").await;
    sqlx::query("UPDATE users SET role = 'viewer'").execute(portal.accounts.pool()).await.unwrap();
    let answer = rotate().await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.body.contains("This needs the role operator; yours is viewer"), "{}", answer.body);
    sqlx::query("DELETE FROM users").execute(portal.accounts.pool()).await.unwrap();
    assert_refused(&rotate().await);
}

#[tokio::test]
async fn a_token_opens_the_api_alone() {
    let portal = TestPortal::start().await;
    let token = portal.token(Role::Admin, &[Scope::Admin]).await;
    for path in ["/", "/secret", "/secret/fragment", "/tokens", "/nowhere"] {
        let answer = portal.script("GET", path, &token, "").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert!(answer.header("location").starts_with("/sign-in"), "{path}");
    }
    for path in ["/secret/rotate", "/tokens", "/sign-out", "/api/calls/overview"] {
        let answer = portal.script("POST", path, &token, "{}").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} without an origin");
        let mut ours = bearer("POST", path, &token, "{}");
        ours.headers_mut().insert(header::ORIGIN, ORIGIN.parse().unwrap());
        let answer = portal.send(ours).await;
        let to_sign_in = answer.header("location").starts_with("/sign-in");
        assert!(to_sign_in || answer.status == StatusCode::UNAUTHORIZED, "{path}: {}", answer.status);
    }
    assert_eq!(portal.written().await, []);
    let confirm = portal.script("POST", "/api/v1/confirmation", &token, r#"{"password":"x"}"#).await;
    assert_eq!(confirm.status, StatusCode::UNPROCESSABLE_ENTITY, "there is nothing to confirm");
}

#[tokio::test]
async fn beside_a_token_no_cookie_counts() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Admin, false).await;
    let token = portal.token(Role::Admin, &[Scope::Read]).await;
    let both = |method: &str, path: &str, token: &str, cookie: &str| {
        let mut request = bearer(method, path, token, "{}");
        request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
        request
    };
    assert_refused(&portal.send(both("GET", "/api/v1/tokens", "lk_wrong", &cookie)).await);
    let answer = portal.send(both("GET", "/api/v1/tokens", &token, "__Host-lockkeeper=rubbish")).await;
    assert_eq!((answer.status, answer.header("set-cookie")), (StatusCode::OK, ""));
    // The cookie's person could rotate; the token's scope is what counts.
    let mut ours = both("POST", "/api/v1/secret/rotations", &token, &cookie);
    ours.headers_mut().insert(header::ORIGIN, ORIGIN.parse().unwrap());
    let answer = portal.send(ours).await;
    assert!(answer.body.contains("a token with the scope rotate"), "{}", answer.body);
    // A browser that sends a cookie is held to its origin, token or not.
    for origin in [None, Some("https://evil.example")] {
        let mut request = both("POST", "/api/v1/secret/rotations", &token, &cookie);
        if let Some(origin) = origin {
            request.headers_mut().insert(header::ORIGIN, origin.parse().unwrap());
        }
        let answer = portal.send(request).await;
        assert!(answer.body.contains("did not come from the portal"), "{origin:?}: {}", answer.body);
    }
    assert!(portal.is_signed_in(&cookie).await, "the session is as it was");
}

#[tokio::test]
async fn a_token_ends_when_it_said_and_is_swept_later() {
    let portal = TestPortal::start().await;
    let token = portal.token(Role::Admin, &[Scope::Read]).await;
    let ask = async || portal.script("GET", "/api/v1/tokens", &token, "").await;
    portal.advance(24 * HOUR - 1);
    assert_eq!(ask().await.status, StatusCode::OK);
    portal.advance(1);
    let answer = ask().await;
    assert_refused(&answer);
    assert!(answer.body.contains("This token expired at 20"), "{}", answer.body);
    let guess = format!("lk_{}_{}", id_of(&token), "A".repeat(43));
    let answer = portal.script("GET", "/api/v1/tokens", &guess, "").await;
    assert!(!answer.body.contains("expired at"), "only its owner is told: {}", answer.body);
    let rows = async || portal.one("SELECT cast(count(*) AS text) FROM access_tokens").await.unwrap();
    portal.accounts.sweep().await.unwrap();
    assert_eq!(rows().await, "1", "it is shown for a while");
    portal.advance(30 * 24 * HOUR);
    portal.accounts.sweep().await.unwrap();
    assert_eq!(rows().await, "0");
}

#[tokio::test]
async fn wrong_tokens_are_slowed_down_and_good_ones_are_not() {
    let portal = TestPortal::start().await;
    let good = portal.token(Role::Admin, &[Scope::Read]).await;
    let (id, other) = (id_of(&good), "B".repeat(43));
    let shared: IpAddr = "203.0.113.7".parse().unwrap();
    let ask = async |token: &str| portal.send_from(shared, bearer("GET", "/api/v1/tokens", token, "")).await;
    let wrong = ["lk_", "rubbish", &format!("lk_{id}_{other}"), &format!("{good}x"), &good[..58]];
    for token in wrong.iter().chain(&wrong) {
        assert_refused(&ask(token).await);
    }
    let answer = ask("lk_").await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "30"));
    assert_eq!(ask(&good).await.status, StatusCode::OK, "nobody is locked out");
    assert_eq!(portal.post("/sign-in", None, "email=a@b&password=x").await.status, StatusCode::UNAUTHORIZED);
    portal.advance(30_000);
    assert_refused(&ask("lk_").await);
    let mut two = bearer("GET", "/api/v1/tokens", &good, "");
    two.headers_mut().append(header::AUTHORIZATION, format!("Bearer {good}").parse().unwrap());
    assert_refused(&portal.send(two).await);
}

#[tokio::test]
async fn a_use_is_noted_once_a_minute() {
    let portal = TestPortal::start().await;
    let token = portal.token(Role::Admin, &[Scope::Read]).await;
    let mut noted = Vec::new();
    for _ in 0..4 {
        let list = parsed(&portal.script("GET", "/api/v1/tokens", &token, "").await);
        noted.push(
            list["tokens"][0]["last_used"].as_i64().unwrap() - list["tokens"][0]["created"].as_i64().unwrap(),
        );
        portal.advance(30_000);
    }
    assert_eq!(noted, [0, 0, 60_000, 60_000]);
}

#[tokio::test]
async fn there_are_fifty_at_most_and_each_sees_their_own() {
    let portal = TestPortal::start().await;
    let token = portal.token(Role::Admin, &[Scope::Admin]).await;
    portal.accounts.add("eve@example.com", None, Role::Admin).await.unwrap();
    let eves = portal.token_of("eve@example.com", &[Scope::Admin]).await;
    for _ in 1..MOST_TOKENS {
        portal.token_of(EMAIL, &[]).await;
    }
    let create =
        async |token: &str| portal.script("POST", "/api/v1/tokens", token, r#"{"name":"a","hours":1}"#).await;
    assert_eq!(create(&token).await.status, StatusCode::CONFLICT);
    assert_eq!(create(&eves).await.status, StatusCode::CREATED, "others have their own fifty");
    let list = parsed(&portal.script("GET", "/api/v1/tokens", &token, "").await);
    assert_eq!(list["tokens"].as_array().unwrap().len(), 50);
    let theirs = format!("/api/v1/tokens/{}", id_of(&eves));
    assert_eq!(portal.script("DELETE", &theirs, &token, "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(portal.script("GET", "/api/v1/tokens", &eves, "").await.status, StatusCode::OK);
    portal.advance(24 * HOUR);
    let cookie = portal.signed_in().await;
    let made = portal.call("POST", "/api/v1/tokens", &cookie, r#"{"name":"a"}"#).await;
    assert_eq!(made.status, StatusCode::CREATED, "those that have expired don't count");
}

#[tokio::test]
async fn a_token_makes_none_that_outlives_it_and_ends_itself() {
    let portal = TestPortal::start().await;
    let token = portal.token(Role::Admin, &[Scope::Admin]).await;
    let create = async |hours: u32| {
        let body = json!({ "name": "a", "hours": hours }).to_string();
        portal.script("POST", "/api/v1/tokens", &token, &body).await
    };
    assert_eq!(create(25).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let made = create(24).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let child = parsed(&made)["token"].as_str().unwrap().to_owned();
    let revoke = async |with: &str, id: &str| {
        portal.script("DELETE", &format!("/api/v1/tokens/{id}"), with, "").await.status
    };
    assert_eq!(revoke(&child, id_of(&token)).await, StatusCode::FORBIDDEN, "it may only read");
    assert_eq!(revoke(&child, &child).await, StatusCode::NOT_FOUND, "a token is no id");
    assert_eq!(revoke(&child, id_of(&child)).await, StatusCode::NO_CONTENT);
    assert_eq!(revoke(&token, id_of(&token)).await, StatusCode::NO_CONTENT);
    assert_refused(&portal.script("GET", "/api/v1/tokens", &child, "").await);
    let arguments = portal.one("SELECT group_concat(arguments) FROM audit_log").await.unwrap();
    assert!(!arguments.contains(secret_of(&child)), "{arguments}");
}

#[tokio::test]
async fn without_an_audit_log_no_token_is_made() {
    let portal = TestPortal::start().await;
    let token = portal.token(Role::Admin, &[Scope::Admin]).await;
    sqlx::query("DROP TABLE audit_log").execute(portal.accounts.pool()).await.unwrap();
    let answer = portal.script("POST", "/api/v1/tokens", &token, r#"{"name":"a","hours":1}"#).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.body.contains("nothing was done"), "{}", answer.body);
    let count = portal.one("SELECT cast(count(*) AS text) FROM access_tokens").await;
    assert_eq!(count.as_deref(), Some("1"));
}
