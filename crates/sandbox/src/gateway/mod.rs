//! The HTTP APIs' data plane: one port that answers requests to every API and stage.
//!
//! The way of a request ([`handle`]) is: which API ([`locate`]: the host says so), which stage, a
//! CORS preflight ([`cors`]), which route ([`routing`]), throttling ([`throttle`]), the authorizer
//! ([`jwt`], with keys from [`keys`]), then the integration: the event of payload format 2.0
//! ([`event`]), the invocation, and the function's answer read back ([`answer`]). What came of it
//! goes into the stage's access log ([`access_log`]) and into metrics ([`record`]). [`issuer`] is an
//! OpenID issuer of the sandbox's own, for authorizers to trust.

pub mod access_log;
pub mod answer;
pub mod cors;
pub mod event;
mod handle;
pub mod issuer;
pub mod jwt;
pub mod keys;
pub mod locate;
pub mod record;
pub mod request;
pub mod routing;
#[cfg(test)]
mod tests;
pub mod throttle;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderName, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::access_log::{AccessLogs, Append};
use self::keys::Keys;
use self::throttle::Throttles;
use crate::aws::AwsError;
use crate::context::Context;
use crate::services::apigateway::ApiGateway;
use crate::services::cloudwatch::{CloudWatch, Datum};
use crate::services::lambda::{Invocation, Invoked, Lambda};
use crate::services::logs::Logs;

/// So many connections are open at once at most; further ones wait to be accepted.
const MOST_CONNECTIONS: usize = 2_000;
/// So many requests run at once at most, those counted whose client has left: more get a 503.
const MOST_REQUESTS: usize = 2_000;
/// How long a connection may take over a request's head, or do nothing between two requests.
const HEAD_TIME: Duration = Duration::from_secs(60);
/// How long running requests may take to end once the gateway is to stop: an integration's 30 s and
/// some room.
const LAST_TIME: Duration = Duration::from_secs(35);
/// What hyper may buffer of a request's head: more than the gateway takes, so that it is the gateway
/// that refuses.
const HEAD_BUFFER: usize = 64 * 1024;

/// What calls a function: [`Lambda::invoke`], or in tests whatever stands in for it.
pub type Invoke = Arc<dyn Fn(Invocation) -> BoxFuture<'static, Result<Invoked, AwsError>> + Send + Sync>;

type Write = Arc<dyn Fn(&[Datum]) + Send + Sync>;

/// The data plane, ready to serve.
#[derive(Clone)]
pub struct Gateway {
    context: Arc<Context>,
    apis: Arc<ApiGateway>,
    invoke: Invoke,
    append: Append,
    record: Write,
}

impl Gateway {
    /// A gateway in front of `lambda`, which serves what is defined in `apis`, writes access logs to
    /// `logs` and metrics to `metrics`.
    pub fn new(
        context: Arc<Context>,
        apis: Arc<ApiGateway>,
        lambda: Arc<Lambda>,
        logs: Arc<Logs>,
        metrics: Arc<CloudWatch>,
    ) -> Self {
        Self {
            context,
            apis,
            invoke: Arc::new(move |invocation| {
                let lambda = lambda.clone();
                Box::pin(async move { lambda.invoke(invocation).await })
            }),
            append: Arc::new(move |group, stream, events| {
                if let Err(error) = logs.append(group, stream, events) {
                    tracing::warn!(group, %error, "an access log can't be written");
                }
            }),
            record: Arc::new(move |data| metrics.record(data)),
        }
    }

    /// The same with something else in the place of Lambda.
    #[must_use]
    pub fn with_invoke(mut self, invoke: Invoke) -> Self {
        self.invoke = invoke;
        self
    }

    /// Serves requests until `stop` is cancelled, then lets running ones end. Says the listener's
    /// port to the control plane, so that `ApiEndpoint` names it.
    ///
    /// # Errors
    /// When the listener has no address.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> io::Result<()> {
        let port = listener.local_addr()?.port();
        self.apis.set_port(port);
        let (logs, writer) = AccessLogs::start(self.append);
        let running = Arc::new(Running {
            context: self.context,
            apis: self.apis,
            invoke: self.invoke,
            record: self.record,
            logs,
            keys: Keys::default(),
            throttles: Throttles::default(),
            requests: Arc::new(Semaphore::new(MOST_REQUESTS)),
            tasks: TaskTracker::new(),
            port,
        });
        let connections = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        while let Some((stream, peer, permit)) = next(&listener, &connections, &stop).await {
            let (running, stop) = (running.clone(), stop.clone());
            running.tasks.clone().spawn(async move {
                running.connection(stream, peer, stop).await;
                drop(permit);
            });
        }
        running.tasks.close();
        if tokio::time::timeout(LAST_TIME, running.tasks.wait()).await.is_err() {
            tracing::warn!("requests were still running when the gateway stopped");
        }
        // With the last handle the writer ends, and everything it had is written.
        drop(running);
        let _ = tokio::time::timeout(LAST_TIME, writer).await;
        Ok(())
    }
}

/// A gateway that serves.
struct Running {
    context: Arc<Context>,
    apis: Arc<ApiGateway>,
    invoke: Invoke,
    record: Write,
    logs: AccessLogs,
    keys: Keys,
    throttles: Throttles,
    requests: Arc<Semaphore>,
    tasks: TaskTracker,
    port: u16,
}

impl Running {
    async fn connection(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, stop: CancellationToken) {
        let _ = stream.set_nodelay(true);
        let service = service_fn(move |request: Request<Incoming>| self.clone().in_a_task(request, peer));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .max_buf_size(HEAD_BUFFER)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        tokio::select! {
            // An error is a client that left or spoke no HTTP: neither is the gateway's.
            _ = connection.as_mut() => return,
            () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        let _ = tokio::time::timeout(LAST_TIME, connection).await;
    }

    async fn in_a_task(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let task = self.tasks.clone().spawn(self.respond(request, peer));
        Ok(task.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a request broke the gateway");
            let mut response = Response::new(Full::new(r#"{"message":"Internal Server Error"}"#.into()));
            *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
            response
        }))
    }
}

/// The next connection, when there is room for one; none when the gateway is to stop.
async fn next(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let accept = async {
        // The semaphore is never closed.
        let permit = connections.clone().acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => return Some((stream, peer, permit)),
                Err(error) => {
                    // Out of file descriptors, most likely: wait for some to come back.
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => None,
        accepted = accept => accepted,
    }
}

/// Headers that concern one connection alone (RFC 9110, 7.6.1): handed on in neither direction.
fn hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}
