//! The deploys' page and its API: who may, what has to be shown, and what may be sent. There is no AWS
//! here, so that an operation which is let through fails at its first call.

use app::server::limits::Limits;
use axum::body::Body;
use axum::http::{StatusCode, header};
use model::people::Role;

use crate::{Answer, ORIGIN, PASSWORD, TestPortal, request};

const ELEVEN_MINUTES: i64 = 11 * 60_000;
const MEGABYTE: usize = 1024 * 1024;

/// Every change, as a form and in the API; the last word is whether it has to be shown who asks.
const FORMS: [(&str, &str, bool); 9] = [
    (
        "/deploys/start",
        "source=version&version=7&strategy=all&max_error_percent=1&max_slowdown=2&min_requests=1",
        true,
    ),
    ("/deploys/pause", "rollout=r", false),
    ("/deploys/resume", "rollout=r", false),
    ("/deploys/requests", "rollout=r&count=3", false),
    ("/deploys/promote", "rollout=r", true),
    ("/deploys/rollback", "from=8&to=7", true),
    ("/deploys/prune", "versions=1,2", true),
    ("/deploys/integration", "integration=i&from=f", true),
    ("/deploys/api", "description=d", true),
];
const CALLS: [(&str, &str, bool); 9] = [
    ("/api/v1/deploys", r#"{"code":{"version":{"version":"7"}},"strategy":"all"}"#, true),
    ("/api/v1/deploys/r/pause", "", false),
    ("/api/v1/deploys/r/resume", "", false),
    ("/api/v1/deploys/r/requests", r#"{"count":3}"#, false),
    ("/api/v1/deploys/r/promote", "", true),
    ("/api/v1/deploys/rollback", r#"{"from":"8","to":"7"}"#, true),
    ("/api/v1/deploys/prune", r#"{"versions":["1"]}"#, true),
    ("/api/v1/deploys/integration", r#"{"integration":"i","from":"f"}"#, true),
    ("/api/v1/deploys/api", r#"{"description":"d"}"#, true),
];
/// What only looks, and still is no viewer's.
const PREVIEW: (&str, &str) =
    ("/api/v1/deploys/preview", r#"{"code":{"version":{"version":"7"}},"strategy":"all"}"#);

impl TestPortal {
    /// A form with a file, as browsers send it.
    async fn upload(&self, cookie: &str, fields: &[(&str, &str)], file: Option<&[u8]>) -> Answer {
        let mut body = Vec::new();
        for (name, value) in fields {
            body.extend(
                format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes(),
            );
        }
        if let Some(file) = file {
            body.extend(
                b"--b\r\ncontent-disposition: form-data; name=\"zip\"; filename=\"api.zip\"\r\ncontent-type: application/zip\r\n\r\n",
            );
            body.extend(file);
            body.extend(b"\r\n");
        }
        body.extend(b"--b--\r\n");
        let mut request = request("POST", "/deploys/upload", Some(cookie), Body::from(body.clone()));
        let headers = request.headers_mut();
        headers.insert(header::ORIGIN, ORIGIN.parse().unwrap());
        headers.insert(header::CONTENT_TYPE, "multipart/form-data; boundary=b".parse().unwrap());
        headers.insert(header::CONTENT_LENGTH, body.len().into());
        self.send(request).await
    }

    async fn upload_by_api(
        &self,
        cookie: &str,
        kind: &'static str,
        body: Body,
        length: Option<usize>,
    ) -> Answer {
        let mut request = request("POST", "/api/v1/deploys/uploads", Some(cookie), body);
        let headers = request.headers_mut();
        headers.insert(header::ORIGIN, ORIGIN.parse().unwrap());
        headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        if let Some(length) = length {
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
        self.send(request).await
    }
}

/// The form as it opens, but for where the code is.
const FIELDS: [(&str, &str); 8] = [
    ("source", "upload"),
    ("strategy", "canary 10%/5m"),
    ("method", "GET"),
    ("path", "/status"),
    ("description", "Page <two>"),
    ("max_error_percent", "1"),
    ("max_slowdown", "1.5"),
    ("min_requests", "50"),
];

#[tokio::test]
async fn a_viewer_changes_nothing() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Viewer, false).await;
    for (path, form, _) in FORMS {
        let answer = portal.post(path, Some(&cookie), form).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(answer.body.contains("This needs the role operator"), "{path}: {}", answer.body);
    }
    let calls = CALLS.map(|(path, body, _)| (path, body)).into_iter().chain([PREVIEW]);
    for (path, body) in calls {
        let answer = portal.call("POST", path, &cookie, body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(answer.body.contains(r#""kind":"forbidden""#), "{path}: {}", answer.body);
    }
    for path in ["/deploys/check", "/deploys/edit"] {
        assert_eq!(
            portal.post(path, Some(&cookie), "source=version&version=7").await.status,
            StatusCode::FORBIDDEN,
            "{path}"
        );
    }
    assert_eq!(portal.get("/deploys/new", Some(&cookie)).await.status, StatusCode::FORBIDDEN);
    assert_eq!(portal.upload(&cookie, &FIELDS, Some(b"PK")).await.status, StatusCode::FORBIDDEN);
    let upload = portal.upload_by_api(&cookie, "application/zip", Body::from("PK"), None).await;
    assert_eq!(upload.status, StatusCode::FORBIDDEN);
    assert_eq!(portal.written().await, []);
}

#[tokio::test]
async fn nobody_and_strangers_get_nowhere() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Admin, false).await;
    let calls = CALLS.map(|(path, body, _)| (path, body)).into_iter().chain([PREVIEW]);
    for (path, body) in
        calls.chain([("/api/v1/deploys/uploads", "PK"), ("/deploys/upload", ""), ("/deploys/start", "")])
    {
        let mut stranger = request("POST", path, Some(&cookie), Body::from(body.to_owned()));
        stranger.headers_mut().insert(header::ORIGIN, "https://evil.example".parse().unwrap());
        stranger.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        assert_eq!(portal.send(stranger).await.status, StatusCode::FORBIDDEN, "{path}");
        let mut nobody = request("POST", path, None, Body::from(body.to_owned()));
        nobody.headers_mut().insert(header::ORIGIN, ORIGIN.parse().unwrap());
        let status = portal.send(nobody).await.status;
        let expected =
            if path.starts_with("/api/") { StatusCode::UNAUTHORIZED } else { StatusCode::SEE_OTHER };
        assert_eq!(status, expected, "{path}");
        // What has no body in the API has no type either, and the uploads have their own test.
        if !path.starts_with("/api/") || body.is_empty() || body == "PK" {
            continue;
        }
        let mut text = request("POST", path, Some(&cookie), Body::from(body.to_owned()));
        text.headers_mut().insert(header::ORIGIN, ORIGIN.parse().unwrap());
        text.headers_mut().insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
        assert_eq!(portal.send(text).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{path}");
        let unknown = portal.call("POST", path, &cookie, r#"{"unknown":1}"#).await;
        assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
    }
    assert_eq!(portal.get("/deploys/fragment", None).await.status, StatusCode::SEE_OTHER);
    assert_eq!(portal.get("/api/v1/deploys", None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(portal.written().await, []);
}

#[tokio::test]
async fn what_could_do_harm_asks_for_the_password_each_time_and_is_written_down() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Operator, true).await;
    for (path, form, confirmed) in FORMS {
        if !confirmed {
            continue;
        }
        let without = portal.post(path, Some(&cookie), form).await;
        assert_eq!(without.status, StatusCode::FORBIDDEN, "{path}");
        assert!(without.body.contains("Enter your password to confirm."), "{path}: {}", without.body);
    }
    let wrong =
        portal.post("/deploys/promote", Some(&cookie), "rollout=r&password=not+the+right+words").await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    assert!(!wrong.body.contains("not the right words"), "a password is never sent back");
    assert_eq!(portal.written().await, []);
    // Let through, it fails at AWS, which is not there; both halves are on record.
    let form = format!("rollout=r&password={}", PASSWORD.replace(' ', "+"));
    let answer = portal.post("/deploys/promote", Some(&cookie), &form).await;
    assert!(answer.status.is_server_error(), "{}", answer.status);
    let written = portal.written().await;
    let [(operation, Some(outcome))] = written.as_slice() else { panic!("{written:?}") };
    assert_eq!(operation, "Promote");
    assert_ne!(outcome, "done");
}

#[tokio::test]
async fn a_script_needs_a_fresh_confirmation_for_what_could_do_harm() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Admin, false).await;
    portal.advance(ELEVEN_MINUTES);
    for (path, body, confirmed) in CALLS {
        let answer = portal.call("POST", path, &cookie, body).await;
        match confirmed {
            true => {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
                assert!(answer.body.contains(r#""kind":"not_confirmed""#), "{path}: {}", answer.body);
            }
            false => assert!(answer.status.is_server_error(), "let through, {path}: {}", answer.status),
        }
    }
}

#[tokio::test]
async fn an_upload_is_a_zip_of_at_most_fifty_megabytes() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Operator, false).await;
    let zip = vec![7_u8; 3 * MEGABYTE];
    let kept = portal.upload_by_api(&cookie, "application/zip", Body::from(zip.clone()), None).await;
    assert_eq!(kept.status, StatusCode::CREATED, "{}", kept.body);
    assert!(kept.body.contains(r#""size":3145728"#), "{}", kept.body);
    let json = portal.upload_by_api(&cookie, "application/json", Body::from("{}"), None).await;
    assert_eq!(json.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let empty = portal.upload_by_api(&cookie, "application/zip", Body::empty(), None).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    // Told beforehand, and found out on the way.
    let large = vec![7_u8; 50 * MEGABYTE + 1];
    for length in [Some(large.len()), None] {
        let answer =
            portal.upload_by_api(&cookie, "application/zip", Body::from(large.clone()), length).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(answer.body.contains("larger than 50 MB") && answer.body.contains("S3"), "{}", answer.body);
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    let page = portal.upload(&cookie, &FIELDS, Some(&large)).await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(page.body.contains("larger than 50 MB"), "{}", page.body);
    assert!(page.body.contains("value=\"Page &lt;two&gt;\""), "what was typed stays: {}", page.body);
    // All other addresses take what they took before.
    for path in ["/deploys/start", "/deploys/check", "/secret/rotate"] {
        let answer = portal.post(path, Some(&cookie), &format!("x={}", "y".repeat(100_000))).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
}

#[tokio::test]
async fn uploads_are_few_at_once_and_a_form_without_a_file_is_none() {
    let portal = TestPortal::with(Limits { uploads: 0, ..Limits::default() }, ORIGIN, false).await;
    let cookie = portal.signed_in_as(Role::Operator, false).await;
    let busy = portal.upload_by_api(&cookie, "application/zip", Body::from("PK"), None).await;
    assert_eq!((busy.status, busy.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "10"));
    let busy = portal.upload(&cookie, &FIELDS, Some(&vec![7; MEGABYTE])).await;
    assert_eq!((busy.status, busy.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "10"));
    let mut fields = FIELDS;
    fields[0].1 = "s3";
    let form = portal.upload(&cookie, &fields, None).await;
    assert_eq!(form.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(form.body.contains("Name the bucket."), "{}", form.body);
}

#[tokio::test]
async fn an_upload_that_never_ends_is_given_up() {
    let limits = Limits { upload_time: std::time::Duration::from_millis(200), ..Limits::default() };
    let portal = TestPortal::with(limits, ORIGIN, false).await;
    let cookie = portal.signed_in_as(Role::Operator, false).await;
    let never = || Body::from_stream(futures::stream::pending::<Result<&'static [u8], std::io::Error>>());
    for _ in 0..3 {
        let answer = portal.upload_by_api(&cookie, "application/zip", never(), None).await;
        assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT, "its place is free again: {}", answer.body);
    }
}

#[tokio::test]
async fn an_odd_form_is_no_failure_of_ours() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Operator, false).await;
    let mut odd = request("POST", "/deploys/upload", Some(&cookie), Body::from("source=upload"));
    odd.headers_mut().insert(header::ORIGIN, ORIGIN.parse().unwrap());
    odd.headers_mut().insert(header::CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap());
    assert_eq!(portal.send(odd).await.status, StatusCode::BAD_REQUEST);
    let long = "z".repeat(5_000);
    let answer = portal.upload(&cookie, &[("source", "upload"), ("description", &long)], None).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let script = portal.get("/deploys/new?version=%22%3E%3Cscript%3E", Some(&cookie)).await;
    assert!(!script.body.contains("\"><script>"), "{}", script.body);
    assert_eq!(portal.get("/deploys/upload", Some(&cookie)).await.header("location"), "/deploys/new");
}

#[tokio::test]
async fn asking_by_itself_is_no_use_of_the_session() {
    let portal = TestPortal::start().await;
    let cookie = portal.signed_in_as(Role::Viewer, false).await;
    for _ in 0..3 {
        portal.advance(ELEVEN_MINUTES);
        portal.get("/deploys/fragment", Some(&cookie)).await;
    }
    assert!(!portal.is_signed_in(&cookie).await, "half an hour without use");
    let cookie = portal.signed_in().await;
    for _ in 0..3 {
        portal.advance(ELEVEN_MINUTES);
        let answer = portal.get("/deploys/fragment?active", Some(&cookie)).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.body.starts_with("<div id=\"live\""), "{}", answer.body);
    }
    assert!(portal.is_signed_in(&cookie).await);
}
