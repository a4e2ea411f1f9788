//! A bounded trickle of real requests, so that the figures are alive: about two a second, a small
//! share of them mistakes as real callers make them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::context::{Context, Random};

/// A request every half second on average.
const PAUSE: Duration = Duration::from_millis(500);
/// When this many are unanswered, no further one is sent.
const MOST_OPEN: usize = 8;
/// The HTTP API answers within 30 s.
const LIMIT: Duration = Duration::from_secs(35);

/// Sends requests to the HTTP API at `address` until `stop` is cancelled.
pub async fn trickle(context: Arc<Context>, address: SocketAddr, stop: CancellationToken) {
    let open = Arc::new(Semaphore::new(MOST_OPEN));
    loop {
        // Between half and one and a half of the pause: callers do not march in step.
        let pause = PAUSE.mul_f64(0.5 + context.random.fraction());
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
        let Ok(permit) = open.clone().try_acquire_owned() else { continue };
        let path = path(&context.random);
        tokio::spawn(async move {
            if let Ok(Err(error)) | Err(error) =
                tokio::time::timeout(LIMIT, get(address, path)).await.map_err(anyhow::Error::from)
            {
                tracing::debug!(%error, path, "a request of the trickle had no answer");
            }
            drop(permit);
        });
    }
}

/// What a caller asks for: mostly the courses, now and then something that is not there or wrong.
fn path(random: &Random) -> &'static str {
    match random.below(100) {
        0..35 => "/courses",
        35..50 => "/courses?limit=5&level=beginner",
        50..60 => "/courses?search=sql&total=true",
        60..80 => "/courses/rust-for-operators",
        80..96 => "/status",
        96..98 => "/courses?limit=many",
        98 => "/me/progress",
        _ => "/course",
    }
}

async fn get(address: SocketAddr, path: &str) -> anyhow::Result<()> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path)
        .header("host", address.to_string())
        .header("user-agent", "lockkeeper-trickle")
        .body(Empty::<Bytes>::new())?;
    let exchange = async {
        let answer = sender.send_request(request).await?;
        answer.into_body().collect().await?;
        drop(sender);
        anyhow::Ok(())
    };
    let (answer, _) = futures::join!(exchange, connection);
    answer
}
