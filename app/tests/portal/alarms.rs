//! The alarms' page and its API: who may, what has to be shown, and what may be sent. There is no AWS here,
//! so that an operation which is let through fails at its first call.

use axum::body::Body;
use axum::http::{StatusCode, header};
use model::people::Role;

use crate::{ORIGIN, PASSWORD, TestPortal, request};

const ELEVEN_MINUTES: i64 = 11 * 60_000;

/// Each form, as it asks for a preview and for the change.
const FORMS: [&str; 4] = [
    "what=alarms&errors=yes&errors_above=0&throttles_above=0&duration_percent=80&api5xx_above=0",
    "what=retention&group=/aws/lambda/learninghub-api&days=30",
    "what=function&function=learninghub-api&format=JSON&level=INFO&tracing=yes",
    "what=stage&access_log=yes",
];
/// Each change in the API; with `/preview` behind it, what it would do.
const CALLS: [(&str, &str); 4] = [
    ("/api/v1/alarms", r#"{"kinds":["errors"]}"#),
    ("/api/v1/alarms/retention", r#"{"group":"/aws/lambda/learninghub-api","days":30}"#),
    ("/api/v1/alarms/functions", r#"{"function":"learninghub-api","format":"JSON","tracing":true}"#),
    ("/api/v1/alarms/stage", r#"{"access_log":true,"detailed_metrics":false}"#),
];

#[tokio::test]
async fn a_viewer_changes_nothing() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Viewer, false).await;
    for form in FORMS {
        for path in ["/alarms/preview", "/alarms/apply"] {
            let answer = portal.post(path, Some(&cookie), form).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {form}");
            assert!(answer.body.contains("This needs the role operator"), "{path}: {}", answer.body);
        }
    }
    for (path, body) in CALLS {
        for path in [path.to_owned(), format!("{path}/preview")] {
            let answer = portal.call("POST", &path, &cookie, body).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        }
    }
    let page = portal.get("/alarms", Some(&cookie)).await;
    assert!(page.status.is_success() && !page.body.contains("/alarms/preview"), "{}", page.body);
    assert_eq!(portal.written().await, []);
}

#[tokio::test]
async fn nobody_and_strangers_get_nowhere() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Admin, false).await;
    let forms = ["/alarms/preview", "/alarms/apply"].map(|path| (path.to_owned(), FORMS[0]));
    let calls = CALLS
        .into_iter()
        .flat_map(|(path, body)| [(path.to_owned(), body), (format!("{path}/preview"), body)]);
    for (path, body) in calls.chain(forms) {
        let mut stranger = request("POST", &path, Some(&cookie), Body::from(body));
        stranger.headers_mut().insert(header::ORIGIN, "https://evil.example".parse().unwrap());
        stranger.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        assert_eq!(portal.send(stranger).await.status, StatusCode::FORBIDDEN, "{path}");
        let mut nobody = request("POST", &path, None, Body::from(body));
        nobody.headers_mut().insert(header::ORIGIN, ORIGIN.parse().unwrap());
        let expected =
            if path.starts_with("/api/") { StatusCode::UNAUTHORIZED } else { StatusCode::SEE_OTHER };
        assert_eq!(portal.send(nobody).await.status, expected, "{path}");
        if path.starts_with("/api/") {
            let unknown = portal.call("POST", &path, &cookie, r#"{"unknown":1}"#).await;
            assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        }
    }
    for path in ["/alarms", "/alarms/fragment"] {
        assert_eq!(portal.get(path, None).await.status, StatusCode::SEE_OTHER, "{path}");
    }
    assert_eq!(portal.get("/api/v1/alarms", None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(portal.written().await, []);
}

#[tokio::test]
async fn each_change_asks_for_the_password_and_is_written_down() {
    let portal = TestPortal::start().await;
    let mut cookie = portal.signed_in_as(Role::Operator, true).await;
    for form in FORMS {
        let without = portal.post("/alarms/apply", Some(&cookie), form).await;
        assert_eq!(without.status, StatusCode::FORBIDDEN, "{form}");
        assert!(without.body.contains("Enter your password to confirm."), "{form}: {}", without.body);
    }
    assert_eq!(portal.written().await, []);
    let password = PASSWORD.replace(' ', "+");
    for form in FORMS {
        let answer =
            portal.post("/alarms/apply", Some(&cookie), &format!("{form}&password={password}")).await;
        assert!(answer.status.is_server_error(), "let through, {form}: {}", answer.status);
        assert!(!answer.body.contains(PASSWORD), "a password is never sent back");
        // Whoever has shown it goes on under a new session id.
        cookie = answer.cookie().unwrap_or(cookie);
    }
    let written = portal.written().await;
    let names: Vec<_> = written.iter().map(|(operation, _)| operation.as_str()).collect();
    assert_eq!(names, ["PutAlarms", "SetLogRetention", "SetFunctionLogging", "SetStageLogging"]);
    assert!(written.iter().all(|(_, outcome)| outcome.as_deref().is_some_and(|how| how != "done")));
}

#[tokio::test]
async fn a_script_needs_a_fresh_confirmation_for_a_change_and_none_for_a_preview() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Admin, false).await;
    portal.advance(ELEVEN_MINUTES);
    for (path, body) in CALLS {
        let answer = portal.call("POST", path, &cookie, body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(answer.body.contains(r#""kind":"not_confirmed""#), "{path}: {}", answer.body);
        let preview = portal.call("POST", &format!("{path}/preview"), &cookie, body).await;
        assert!(preview.status.is_server_error(), "let through, {path}: {}", preview.status);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_said_on_the_page() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Operator, false).await;
    let form =
        "what=alarms&errors=yes&errors_above=many&throttles_above=0&duration_percent=80&api5xx_above=0";
    let answer = portal.post("/alarms/preview", Some(&cookie), form).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        answer.body.contains("is a whole number") && answer.body.contains("<h1>Alarms</h1>"),
        "{}",
        answer.body
    );
    let script = portal.get("/alarms?done=%3Cscript%3E", Some(&cookie)).await;
    assert!(script.status.is_success() && !script.body.contains("<script>alert"), "{}", script.body);
}
