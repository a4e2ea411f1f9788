//! The Runtime API: what a bootstrap talks to. One listener for each environment, because the
//! address is all that tells environments apart (`AWS_LAMBDA_RUNTIME_API` has room for no path).
//!
//! It is a thin state machine between the child and the environment: `next` waits for an event,
//! `response` and `error` answer the one that was taken. Extensions, the Telemetry API and
//! streamed responses are refused by name.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::context::lock;

/// AWS: a response may hold 6 MB and 100 bytes.
pub(super) const LARGEST_RESPONSE: usize = 6_291_556;
/// More connections than any runtime needs.
const MOST_CONNECTIONS: usize = 16;

/// An event for the function, as `next` hands it over.
#[derive(Debug)]
pub(super) struct Handed {
    pub request_id: String,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub payload: Bytes,
}

/// What the child does, as the environment sees it.
#[derive(Debug)]
pub(super) enum Report {
    /// It asks for an event: it is ready, and has done with the one before.
    Ready,
    /// It has been given the event.
    Taken,
    /// It answers.
    Response(Bytes),
    /// The answer was larger than [`LARGEST_RESPONSE`].
    TooLarge,
    /// It says that the invocation failed: the error's type and the body.
    Failed(String, Bytes),
    /// It says that it can't start: the error's type and the body.
    InitFailed(String, Bytes),
}

#[derive(Debug, Clone, PartialEq)]
enum Phase {
    Starting,
    Waiting,
    Running(String),
    Answered(String),
}

/// The environment's end of it.
pub(super) struct RuntimeApi {
    /// `host:port`.
    pub address: String,
    pub events: mpsc::Sender<Handed>,
    pub reports: mpsc::Receiver<Report>,
}

struct Api {
    phase: Mutex<Phase>,
    events: tokio::sync::Mutex<mpsc::Receiver<Handed>>,
    reports: mpsc::Sender<Report>,
}

type Answer = Response<Full<Bytes>>;

/// Opens a listener on a free loopback port and serves it until `stop`.
///
/// # Errors
/// When there is no port.
pub(super) async fn open(stop: CancellationToken) -> io::Result<RuntimeApi> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?.to_string();
    let (events, take_events) = mpsc::channel(1);
    let (report, reports) = mpsc::channel(MOST_CONNECTIONS);
    let api = Arc::new(Api {
        phase: Mutex::new(Phase::Starting),
        events: tokio::sync::Mutex::new(take_events),
        reports: report,
    });
    tokio::spawn(serve(api, listener, stop));
    Ok(RuntimeApi { address, events, reports })
}

async fn serve(api: Arc<Api>, listener: TcpListener, stop: CancellationToken) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "accept failed on a Runtime API");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let _ = stream.set_nodelay(true);
        let (api, stop) = (api.clone(), stop.clone());
        tokio::spawn(async move {
            let _permit = permit;
            let service = service_fn(move |request| {
                let api = api.clone();
                async move { Ok::<_, std::convert::Infallible>(api.answer(request).await) }
            });
            // No time-outs here: a frozen child is silent for as long as it is frozen.
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                _ = connection => {}
                () = stop.cancelled() => {}
            }
        });
    }
}

impl Api {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let (parts, body) = request.into_parts();
        let path: Vec<&str> = parts.uri.path().trim_matches('/').split('/').collect();
        match (&parts.method, path.as_slice()) {
            (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => self.next().await,
            (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "response"]) => {
                self.response(id, &parts.headers, body).await
            }
            (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "error"]) => {
                self.error(id, &parts.headers, body).await
            }
            (&Method::POST, ["2018-06-01", "runtime", "init", "error"]) => {
                let body = match read(body).await {
                    Ok(body) => body,
                    Err(refused) => return *refused,
                };
                if *lock(&self.phase) != Phase::Starting {
                    return refused(
                        StatusCode::FORBIDDEN,
                        "InvalidStateTransition",
                        "the runtime has started",
                    );
                }
                self.say(Report::InitFailed(error_type(&parts.headers), body)).await
            }
            (_, [date, "extension", ..]) | (_, [date, "telemetry" | "logs" | "credentials", ..]) => {
                let what = format!("the sandbox has no {} API of {date}", path[1]);
                refused(StatusCode::NOT_IMPLEMENTED, "SandboxUnsupported", &what)
            }
            _ => {
                let what = format!("the Runtime API has no {} {}", parts.method, parts.uri.path());
                refused(StatusCode::NOT_FOUND, "SandboxUnsupported", &what)
            }
        }
    }

    /// Waits for an event. When the child goes away while waiting, the event is not taken.
    async fn next(&self) -> Answer {
        {
            let mut phase = lock(&self.phase);
            if matches!(*phase, Phase::Running(_)) {
                return refused(
                    StatusCode::FORBIDDEN,
                    "InvalidStateTransition",
                    "State transition from Running to Ready is not allowed: answer the event first",
                );
            }
            *phase = Phase::Waiting;
        }
        let mut events = self.events.lock().await;
        if self.reports.send(Report::Ready).await.is_err() {
            return gone();
        }
        let Some(event) = events.recv().await else { return gone() };
        *lock(&self.phase) = Phase::Running(event.request_id);
        let mut answer = Response::new(Full::new(event.payload));
        answer.headers_mut().extend(event.headers);
        let _ = self.reports.send(Report::Taken).await;
        answer
    }

    async fn response(&self, id: &str, headers: &HeaderMap, body: Incoming) -> Answer {
        let mode = headers.get("lambda-runtime-function-response-mode");
        if mode.is_some_and(|mode| mode.as_bytes().eq_ignore_ascii_case(b"streaming")) {
            return refused(
                StatusCode::NOT_IMPLEMENTED,
                "SandboxUnsupported",
                "the sandbox has no streamed responses: answer in buffered mode",
            );
        }
        if let Some(refused) = self.not_running(id) {
            return refused;
        }
        match read(body).await {
            Ok(body) => self.done(id, Report::Response(body)).await,
            Err(refused) if refused.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                self.done(id, Report::TooLarge).await;
                *refused
            }
            Err(refused) => *refused,
        }
    }

    async fn error(&self, id: &str, headers: &HeaderMap, body: Incoming) -> Answer {
        if let Some(refused) = self.not_running(id) {
            return refused;
        }
        match read(body).await {
            Ok(body) => self.done(id, Report::Failed(error_type(headers), body)).await,
            Err(refused) => *refused,
        }
    }

    fn not_running(&self, id: &str) -> Option<Answer> {
        match &*lock(&self.phase) {
            Phase::Running(current) if current == id => None,
            Phase::Answered(current) if current == id => Some(refused(
                StatusCode::FORBIDDEN,
                "InvalidStateTransition",
                "State transition from Answered to Answered is not allowed",
            )),
            _ => Some(refused(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")),
        }
    }

    /// The event is answered, unless it was in the meantime.
    async fn done(&self, id: &str, report: Report) -> Answer {
        {
            let mut phase = lock(&self.phase);
            if *phase != Phase::Running(id.to_owned()) {
                return refused(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID");
            }
            *phase = Phase::Answered(id.to_owned());
        }
        self.say(report).await
    }

    async fn say(&self, report: Report) -> Answer {
        if self.reports.send(report).await.is_err() {
            return gone();
        }
        answer(StatusCode::ACCEPTED, &json!({"status": "OK"}))
    }
}

fn error_type(headers: &HeaderMap) -> String {
    let given = headers.get("lambda-runtime-function-error-type").and_then(|value| value.to_str().ok());
    given.unwrap_or("Runtime.Unknown").to_owned()
}

async fn read(body: Incoming) -> Result<Bytes, Box<Answer>> {
    match Limited::new(body, LARGEST_RESPONSE).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Box::new(refused(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            &format!("Exceeded maximum allowed payload size ({LARGEST_RESPONSE} bytes)."),
        ))),
        Err(error) => Err(Box::new(refused(StatusCode::BAD_REQUEST, "InvalidRequest", &error.to_string()))),
    }
}

fn gone() -> Answer {
    refused(StatusCode::GONE, "Sandbox.Ended", "this environment is over")
}

fn refused(status: StatusCode, kind: &str, message: &str) -> Answer {
    answer(status, &json!({"errorType": kind, "errorMessage": message}))
}

fn answer(status: StatusCode, body: &serde_json::Value) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
