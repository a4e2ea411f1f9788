//! The accept loop: axum's router over hyper, with what `axum::serve` leaves out: TCP_NODELAY (small
//! answers otherwise wait for the peer's acknowledgement), a time limit for headers, a bound on
//! connections, and a shutdown with a deadline.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;

use super::limits::Limits;
use super::routes::takes_upload;

/// After an error of `accept` that is not the peer's (no file descriptor left), the pause before the
/// next try.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` is done, then lets the requests under way finish within the limits' deadline.
pub async fn serve(listener: TcpListener, router: Router, limits: &Limits, stop: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let (stopping, _) = watch::channel(false);
    let mut stop = std::pin::pin!(stop);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            next = next => next,
            () = &mut stop => break,
        };
        match (accepted, place) {
            (Ok((stream, peer)), Ok(place)) => {
                let connection =
                    connection(stream, peer, router.clone(), limits.clone(), stopping.subscribe());
                tokio::spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            (Err(error), _) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(PAUSE).await;
            }
            (_, Err(_)) => break,
        }
    }
    drop(listener);
    tracing::info!(connections = limits.connections - places.available_permits(), "stopping");
    stopping.send_replace(true);
    // All places are free when all connections are closed.
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    if tokio::time::timeout(limits.shutdown_time, places.acquire_many(all)).await.is_err() {
        tracing::warn!("stopped with requests still under way");
    }
}

/// One connection from first byte to last. After `connection_time`, and when the portal stops, it is
/// closed behind the request under way, which has the time any request has; then it is closed
/// whatever the peer does: otherwise a few hundred silent peers would take all places for good. An
/// upload has its own time, which few can take at once.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    mut stopping: watch::Receiver<bool>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let uploading = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&uploading);
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        seen.store(takes_upload(request.uri().path()), Ordering::Relaxed);
        let mut request: Request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let router = router.clone();
        async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = std::pin::pin!(served);
    let result = tokio::select! {
        result = served.as_mut() => Some(result),
        () = tokio::time::sleep(limits.connection_time) => None,
        _ = stopping.wait_for(|stopping| *stopping) => None,
    };
    let result = match result {
        Some(result) => Ok(result),
        None => {
            served.as_mut().graceful_shutdown();
            let arrival = if uploading.load(Ordering::Relaxed) { limits.upload_time } else { Duration::ZERO };
            tokio::time::timeout(arrival + limits.queue_time + limits.request_time, served).await
        }
    };
    match result {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, %peer, "a connection broke"),
        Err(_) => tracing::debug!(%peer, "a connection was open for too long"),
    }
}
