//! Callers that keep calling the HTTP API while something is done to what is behind it, and what became
//! of every call. Each caller sends its next request when the last one was answered and a short time has
//! passed, so that now and then an environment is idle, and may be ended: calls are warm and cold mixed.
//!
//! One request in twenty changes something. It is the enrolment in a course, which can be sent any
//! number of times.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::AUDIENCE;
use crate::Sandbox;
use crate::context::{Context, lock};

/// The HTTP API answers within 30 s.
const LIMIT: Duration = Duration::from_secs(35);
/// So many calls are remembered; nothing that is meant to end makes more.
const MOST_CALLS: usize = 2_000_000;
/// A course of the sample data.
const COURSE: &str = "/courses/rust-for-operators";
/// Where a learner enrols in it.
const ENROLMENT: &str = "/me/enrolments/rust-for-operators";

/// A call and what became of it.
#[derive(Debug, Clone)]
pub struct Call {
    /// When it was made, in milliseconds since 1970.
    pub at_ms: i64,
    /// How long it took.
    pub took: Duration,
    /// Method and path.
    pub request: String,
    /// The answer's status; none where there was no answer.
    pub status: Option<u16>,
    /// What was said where the status is none of success.
    pub said: String,
}

impl Call {
    /// Whether the answer was a good one.
    pub fn is_good(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// Callers at work.
pub struct Callers {
    calls: Arc<Mutex<Vec<Call>>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Callers {
    /// Has so many callers call, each with `pause` on average between an answer and the next request.
    ///
    /// # Errors
    /// When the issuer gives no token.
    pub fn start(sandbox: &Sandbox, count: usize, pause: Duration) -> Result<Self> {
        let callers =
            Self { calls: Arc::default(), stop: CancellationToken::new(), tasks: TaskTracker::new() };
        for number in 0..count {
            let learner = json!({ "sub": format!("caller-{number}"), "aud": AUDIENCE });
            let caller = Caller {
                context: sandbox.context().clone(),
                address: sandbox.addresses().http,
                token: sandbox.issuer().mint(learner)?,
                pause,
                calls: callers.calls.clone(),
            };
            let stop = callers.stop.clone();
            callers.tasks.spawn(async move { caller.call_until(number, &stop).await });
        }
        Ok(callers)
    }

    /// How many calls were answered so far.
    pub fn answered(&self) -> usize {
        lock(&self.calls).len()
    }

    /// Waits for the answers that are still to come, and returns all calls.
    pub async fn stop(self) -> Vec<Call> {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        std::mem::take(&mut *lock(&self.calls))
    }
}

struct Caller {
    context: Arc<Context>,
    address: SocketAddr,
    token: String,
    pause: Duration,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Caller {
    async fn call_until(&self, number: usize, stop: &CancellationToken) {
        for round in number.. {
            // Between nothing and twice the pause: callers do not march in step.
            let pause = self.pause.mul_f64(2.0 * self.context.random.fraction());
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            let call = self.call(round).await;
            let mut calls = lock(&self.calls);
            if calls.len() < MOST_CALLS {
                calls.push(call);
            }
        }
    }

    async fn call(&self, round: usize) -> Call {
        let (method, path) = match round % 20 {
            0 => (Method::PUT, ENROLMENT),
            1..4 => (Method::GET, "/status"),
            4..11 => (Method::GET, COURSE),
            _ => (Method::GET, "/courses?limit=5"),
        };
        let request = format!("{method} {path}");
        let (at_ms, began) = (self.context.now_ms(), Instant::now());
        let answer = tokio::time::timeout(LIMIT, self.send(method, path)).await;
        let took = began.elapsed();
        let (status, said) = match answer {
            Ok(Ok((status, _))) if (200..300).contains(&status) => (Some(status), String::new()),
            Ok(Ok((status, body))) => (Some(status), String::from_utf8_lossy(&body).into_owned()),
            Ok(Err(error)) => (None, error.to_string()),
            Err(_) => (None, "no answer in time".to_owned()),
        };
        Call { at_ms, took, request, status, said }
    }

    async fn send(&self, method: Method, path: &str) -> Result<(u16, Bytes)> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string())
            .header("user-agent", "lockkeeper-callers")
            .header("authorization", format!("Bearer {}", self.token))
            .body(Empty::<Bytes>::new())?;
        let exchange = async {
            let answer = sender.send_request(request).await?;
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await?.to_bytes();
            drop(sender);
            anyhow::Ok((status, body))
        };
        let (answer, _) = futures::join!(exchange, connection);
        answer
    }
}
