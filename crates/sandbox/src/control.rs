//! The control port: how a test or a person outside the process sets faults and reads what was
//! called.
//!
//! It can break things, so it is for this machine's own programs only: it is served on a loopback
//! address, and a request whose `Host` or `Origin` names anything else is refused. A page in a
//! browser, which can reach loopback addresses and can have a name of its own point to one (DNS
//! rebinding), gets nowhere.
//!
//! | call | what it does |
//! |---|---|
//! | `GET /health` | 200 when it runs |
//! | `GET /faults` | the faults in force, with their numbers and how many matches each has seen |
//! | `POST /faults` | adds one ([`Fault`] as JSON) and answers its number |
//! | `DELETE /faults`, `DELETE /faults/{number}` | takes all of them, or one, back |
//! | `GET /calls` | how often each AWS operation was called since the start |
//! | `POST /tds/stop`, `POST /tds/start` | takes the local TDS server down, and up again |
//! | `GET /sns/...`, `POST /sns/confirm` | subscriptions and messages ([`crate::services::sns`]) |
//!
//! Errors are problem details (RFC 9457). Whoever puts the sandbox together can add routes with
//! `axum::Router::merge` before [`guarded`].

use std::io;
use std::sync::Arc;

use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::context::Context;
use crate::faults::{Fault, MOST_RULES};

/// The largest body taken: a fault is a few hundred bytes.
const LARGEST_BODY: usize = 64 * 1024;

/// Takes the local TDS server down (`false`) or up (`true`), and is through when it is so. Repeating a
/// call must change nothing.
pub type TdsSwitch = Arc<dyn Fn(bool) -> BoxFuture<'static, io::Result<()>> + Send + Sync>;

/// What the control port works on.
#[derive(Clone)]
pub struct ControlState {
    /// Faults and calls.
    pub context: Arc<Context>,
    /// The local TDS server's switch; without one, `/tds/...` answers 501.
    pub tds: Option<TdsSwitch>,
}

/// The control port's routes, guarded. Serve it on a loopback address.
pub fn router(state: ControlState) -> Router {
    guarded(routes(state))
}

/// The routes without the guard, for merging with others.
pub fn routes(state: ControlState) -> Router {
    Router::new()
        .route("/health", get(async || Json(json!({"status": "ok"}))))
        .route("/faults", get(list_faults).post(add_fault).delete(clear_faults))
        .route("/faults/{number}", delete(remove_fault))
        .route("/calls", get(list_calls))
        .route("/tds/{way}", post(switch_tds))
        .with_state(state)
}

/// Puts the checks of `Host` and `Origin` and the limit on bodies in front of `routes`, and answers
/// what is none of them as a problem.
pub fn guarded(routes: Router) -> Router {
    routes
        .fallback(async || problem(StatusCode::NOT_FOUND, "the control port has no such path"))
        .method_not_allowed_fallback(async || {
            problem(StatusCode::METHOD_NOT_ALLOWED, "the path is right, the method is not")
        })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn(local_only))
}

async fn list_faults(State(state): State<ControlState>) -> Json<Value> {
    let faults = state.context.faults.all();
    faults
        .into_iter()
        .map(|(number, fault, seen)| json!({"number": number, "fault": fault, "seen": seen}))
        .collect::<Value>()
        .into()
}

async fn add_fault(State(state): State<ControlState>, body: Result<Bytes, BytesRejection>) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return problem(rejection.status(), &rejection.body_text()),
    };
    let fault: Fault = match serde_json::from_slice(&body) {
        Ok(fault) => fault,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &format!("this is no fault: {error}")),
    };
    if !(0.0..=1.0).contains(&fault.share) {
        return problem(StatusCode::BAD_REQUEST, "share must be between 0 and 1");
    }
    tracing::info!(?fault, "a fault was set");
    match state.context.faults.add(fault) {
        Some(number) => (StatusCode::CREATED, Json(json!({"number": number}))).into_response(),
        None => problem(
            StatusCode::CONFLICT,
            &format!("there are {MOST_RULES} faults already; take some back first"),
        ),
    }
}

async fn clear_faults(State(state): State<ControlState>) -> StatusCode {
    state.context.faults.clear();
    StatusCode::NO_CONTENT
}

async fn remove_fault(
    State(state): State<ControlState>,
    number: Result<Path<u64>, PathRejection>,
) -> Response {
    let Ok(Path(number)) = number else {
        return problem(StatusCode::BAD_REQUEST, "a fault's number is a whole number");
    };
    if state.context.faults.remove(number) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        problem(StatusCode::NOT_FOUND, &format!("there is no fault {number}"))
    }
}

async fn list_calls(State(state): State<ControlState>) -> Json<Value> {
    let calls = state.context.calls.all();
    calls
        .into_iter()
        .map(
            |(service, operation, calls)| json!({"service": service, "operation": operation, "calls": calls}),
        )
        .collect::<Value>()
        .into()
}

async fn switch_tds(State(state): State<ControlState>, Path(way): Path<String>) -> Response {
    let up = match way.as_str() {
        "start" => true,
        "stop" => false,
        _ => return problem(StatusCode::NOT_FOUND, "the local TDS server can be started and stopped"),
    };
    let Some(switch) = &state.tds else {
        return problem(StatusCode::NOT_IMPLEMENTED, "this sandbox has no switch for its local TDS server");
    };
    tracing::info!(up, "the local TDS server is switched");
    match switch(up).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => {
            problem(StatusCode::CONFLICT, &format!("the local TDS server can't be switched: {error}"))
        }
    }
}

/// Lets requests through that name this machine by a name only this machine has.
async fn local_only(request: Request, next: Next) -> Response {
    if let Err(reason) = check_origin(request.headers()) {
        tracing::warn!(reason, path = request.uri().path(), "a request to the control port was refused");
        return problem(StatusCode::FORBIDDEN, reason);
    }
    next.run(request).await
}

fn check_origin(headers: &HeaderMap) -> Result<(), &'static str> {
    let text = |name| headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
    let mut hosts = text(HOST);
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if is_local(host) => {}
        _ => return Err("the Host header does not name this machine's loopback address"),
    }
    // Programs send no Origin; a browser does, and `null` is what a sandboxed page has.
    for origin in text(ORIGIN) {
        if !origin.strip_prefix("http://").is_some_and(is_local) {
            return Err("the Origin header does not name this machine's loopback address");
        }
    }
    Ok(())
}

/// Whether an authority (host and perhaps port) is loopback. Only addresses and `localhost` count:
/// any other name may point anywhere.
fn is_local(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else { return false };
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// Problem details (RFC 9457).
fn problem(status: StatusCode, detail: &str) -> Response {
    let body = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "detail": detail,
    });
    (status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::context::{SystemClock, lock};
    use crate::faults::{At, AwsEffect};

    struct Port {
        address: std::net::SocketAddr,
        context: Arc<Context>,
        switched: Arc<Mutex<Vec<bool>>>,
        _state: tempfile::TempDir,
    }

    impl Port {
        async fn start() -> Self {
            Self::start_with(Some).await
        }

        async fn start_with(tds: impl FnOnce(TdsSwitch) -> Option<TdsSwitch>) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let context = Context::for_tests(folder.path(), Arc::new(SystemClock));
            let switched: Arc<Mutex<Vec<bool>>> = Arc::default();
            let log = switched.clone();
            let tds = tds(Arc::new(move |up| {
                lock(&log).push(up);
                Box::pin(async { Ok(()) })
            }));
            let router = router(ControlState { context: context.clone(), tds });
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(async move { axum::serve(listener, router).await });
            Self { address, context, switched, _state: folder }
        }

        /// Status and body of an answer, which must be a problem where it is an error.
        async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
            self.ask_as(method, path, body, &format!("Host: {}\r\n", self.address)).await
        }

        async fn ask_as(&self, method: &str, path: &str, body: &str, headers: &str) -> (u16, Value) {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            let length = body.len();
            let head = format!(
                "{method} {path} HTTP/1.1\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            // A refused request may be answered before its body was read.
            let _ = stream.write_all(body.as_bytes()).await;
            let mut answer = String::new();
            let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut answer));
            let _ = read.await.expect("an answer in time");
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            if status >= 400 {
                assert!(head.contains("application/problem+json"), "{head}");
            }
            (status, serde_json::from_str(body).unwrap_or(Value::Null))
        }
    }

    #[tokio::test]
    async fn faults_come_and_go() {
        let port = Port::start().await;
        assert_eq!(port.ask("GET", "/health", "").await, (200, json!({"status": "ok"})));
        let fault = r#"{"at":{"target":"aws","service":"logs","effect":"throttle"},"times":2}"#;
        assert_eq!(port.ask("POST", "/faults", fault).await, (201, json!({"number": 1})));
        assert_eq!(port.ask("POST", "/faults", fault).await, (201, json!({"number": 2})));
        let known = port.context.faults.all();
        assert_eq!(known.len(), 2);
        let at = At::Aws { service: "logs".into(), operation: None, effect: AwsEffect::Throttle };
        assert_eq!(known[0].1, Fault { times: Some(2), ..Fault::always(at) });
        let effect = port.context.faults.aws(&port.context.random, "logs", "PutLogEvents");
        assert_eq!(effect, Some(AwsEffect::Throttle));
        let (_, listed) = port.ask("GET", "/faults", "").await;
        assert_eq!(listed[0]["seen"], 1);
        assert_eq!(listed[0]["fault"]["at"]["effect"], "throttle");
        assert_eq!(port.ask("DELETE", "/faults/1", "").await.0, 204);
        assert_eq!(port.ask("DELETE", "/faults/1", "").await.0, 404);
        assert_eq!(port.ask("DELETE", "/faults", "").await.0, 204);
        assert_eq!(port.ask("GET", "/faults", "").await, (200, json!([])));
    }

    #[tokio::test]
    async fn what_is_wrong_is_said() {
        let port = Port::start().await;
        let long = "x".repeat(LARGEST_BODY + 1);
        for (method, path, body, status, detail) in [
            ("POST", "/faults", "{", 400, "no fault: EOF"),
            ("POST", "/faults", r#"{"at":{"target":"moon"}}"#, 400, "unknown variant `moon`"),
            (
                "POST",
                "/faults",
                r#"{"at":{"target":"tds","effect":"refuse"},"often":1}"#,
                400,
                "unknown field `often`",
            ),
            ("POST", "/faults", r#"{"at":{"target":"tds","effect":"refuse"},"share":2}"#, 400, "share"),
            ("POST", "/faults", &long, 413, "length limit"),
            ("DELETE", "/faults/one", "", 400, "whole number"),
            ("PUT", "/faults", "", 405, "method"),
            ("GET", "/nothing", "", 404, "no such path"),
            ("POST", "/tds/sideways", "", 404, "started and stopped"),
        ] {
            let (got, problem) = port.ask(method, path, body).await;
            assert_eq!(got, status, "{method} {path}");
            assert_eq!(problem["status"], status);
            assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
        }
        assert_eq!(port.context.faults.all(), []);
    }

    #[tokio::test]
    async fn calls_are_told_and_the_tds_server_is_switched() {
        let port = Port::start().await;
        port.context.calls.count("lambda", "Invoke");
        port.context.calls.count("lambda", "Invoke");
        let expected = json!([{"service": "lambda", "operation": "Invoke", "calls": 2}]);
        assert_eq!(port.ask("GET", "/calls", "").await, (200, expected));
        assert_eq!(port.ask("POST", "/tds/stop", "").await.0, 204);
        assert_eq!(port.ask("POST", "/tds/start", "").await.0, 204);
        assert_eq!(*lock(&port.switched), [false, true]);
        let without = Port::start_with(|_| None).await;
        assert_eq!(without.ask("POST", "/tds/stop", "").await.0, 501);
    }

    #[tokio::test]
    async fn pages_from_elsewhere_get_nowhere() {
        let port = Port::start().await;
        let here = format!("Host: {}\r\n", port.address);
        for (headers, status) in [
            (format!("Host: localhost:{}\r\n", port.address.port()), 204),
            ("Host: [::1]:4590\r\n".to_owned(), 204),
            (format!("{here}Origin: http://localhost:3000\r\n"), 204),
            ("Host: rebound.example:4590\r\n".to_owned(), 403),
            ("Host: localhost.example\r\n".to_owned(), 403),
            ("Host: localhost@rebound.example\r\n".to_owned(), 403),
            ("Host: rebound.example@localhost\r\n".to_owned(), 403),
            ("Host: 10.0.0.1\r\n".to_owned(), 403),
            (format!("{here}Origin: https://elsewhere.example\r\n"), 403),
            (format!("{here}Origin: null\r\n"), 403),
            (format!("{here}Origin: http://localhost.example\r\n"), 403),
            (String::new(), 403),
        ] {
            let (got, _) = port.ask_as("DELETE", "/faults", "", &headers).await;
            assert_eq!(got, status, "{headers}");
        }
    }
}
