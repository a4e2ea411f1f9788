//! Lambda's Runtime API, as far as it takes to measure one program: a listener for each, because the
//! address is all that tells programs apart.
//!
//! The time of a call is taken here, between handing out the event and having the whole answer, so
//! that it holds the program's work and the way there and back and nothing of the benchmark's.

use std::io;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use http::StatusCode;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

/// What the program does.
#[derive(Debug)]
pub enum Arrival {
    /// It asks for an event.
    Next(Instant),
    /// It answered.
    Answer {
        /// So long after it was given the event.
        took: Duration,
        /// With this.
        body: Bytes,
    },
    /// It says that it could not start, or not answer.
    Failed(String),
}

/// An event for the program.
#[derive(Debug)]
pub struct Event {
    /// Its id.
    pub request_id: String,
    /// When it must be answered, in milliseconds since 1970.
    pub deadline_ms: i64,
    /// The event itself.
    pub payload: Bytes,
}

/// The benchmark's end of it. Dropping it closes the listener and all connections.
#[derive(Debug)]
pub struct RuntimeApi {
    /// `host:port`, as `AWS_LAMBDA_RUNTIME_API` has it.
    pub address: String,
    /// Where events go.
    pub events: mpsc::Sender<Event>,
    /// What comes back.
    pub arrivals: mpsc::Receiver<Arrival>,
    _serving: DropGuard,
}

struct Api {
    events: Mutex<mpsc::Receiver<Event>>,
    arrivals: mpsc::Sender<Arrival>,
    handed: StdMutex<Option<Instant>>,
    stop: CancellationToken,
}

/// Opens one on a free port of loopback.
///
/// # Errors
/// When there is no port.
pub async fn open() -> io::Result<RuntimeApi> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?.to_string();
    let (events, take_events) = mpsc::channel(1);
    let (arrived, arrivals) = mpsc::channel(4);
    let stop = CancellationToken::new();
    let api = Arc::new(Api {
        events: Mutex::new(take_events),
        arrivals: arrived,
        handed: StdMutex::default(),
        stop: stop.clone(),
    });
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .with_state(api);
    let listener = listener.tap_io(|stream| {
        // Without it an answer may wait 40 ms for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
    });
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    tokio::spawn(serving.into_future());
    Ok(RuntimeApi { address, events, arrivals, _serving: stop.drop_guard() })
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    if api.arrivals.send(Arrival::Next(Instant::now())).await.is_err() {
        return StatusCode::GONE.into_response();
    }
    let mut events = api.events.lock().await;
    let event = tokio::select! {
        () = api.stop.cancelled() => None,
        event = events.recv() => event,
    };
    let Some(event) = event else { return StatusCode::GONE.into_response() };
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", event.request_id),
        ("lambda-runtime-deadline-ms", event.deadline_ms.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-west-1:123456789012:function:learninghub-api-handler:live".to_owned(),
        ),
        ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0".to_owned()),
    ];
    let answer = (headers, event.payload).into_response();
    *api.handed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    answer
}

async fn response(State(api): State<Arc<Api>>, Path(_id): Path<String>, body: Bytes) -> StatusCode {
    let now = Instant::now();
    let handed = api.handed.lock().unwrap_or_else(PoisonError::into_inner).take();
    let arrival = match handed {
        Some(handed) => Arrival::Answer { took: now - handed, body },
        None => Arrival::Failed("it answered what it was not asked".to_owned()),
    };
    api.accept(arrival).await
}

async fn error(State(api): State<Arc<Api>>, Path(_id): Path<String>, body: String) -> StatusCode {
    api.accept(Arrival::Failed(body)).await
}

async fn init_error(State(api): State<Arc<Api>>, body: String) -> StatusCode {
    api.accept(Arrival::Failed(body)).await
}

impl Api {
    async fn accept(&self, arrival: Arrival) -> StatusCode {
        match self.arrivals.send(arrival).await {
            Ok(()) => StatusCode::ACCEPTED,
            Err(_) => StatusCode::GONE,
        }
    }
}
