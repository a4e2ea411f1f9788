//! The smallest client that keeps a connection: what it costs must not be what is measured.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Nothing here takes that long, unless it hangs.
const LIMIT: Duration = Duration::from_secs(20);
/// An answer's head is shorter than this.
const MOST_HEAD: usize = 64 * 1024;

/// A connection, and what it has read beyond the last answer.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The head, as it came.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = timeout(LIMIT, TcpStream::connect(address)).await.context("no connection in time")??;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(128 * 1024) })
    }

    /// Sends a request and leaves.
    ///
    /// # Errors
    /// When it can't be sent.
    pub async fn send_and_leave(mut self, request: &[u8], after: Duration) -> Result<()> {
        self.stream.write_all(request).await?;
        if !after.is_zero() {
            tokio::time::sleep(after).await;
        }
        Ok(())
    }

    /// Sends a request and reads the answer, which has to say how long it is.
    ///
    /// # Errors
    /// When there is none in time, or it can't be read.
    pub async fn ask(&mut self, request: &[u8]) -> Result<Answer> {
        timeout(LIMIT, async {
            self.stream.write_all(request).await?;
            self.read().await
        })
        .await
        .context("no answer in time")?
    }

    async fn read(&mut self) -> Result<Answer> {
        let head_end = loop {
            if let Some(end) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
            ensure!(self.buffer.len() < MOST_HEAD, "a head without an end");
            self.more().await?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..head_end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
        let mut answer = Answer { status, head, body: Vec::new() };
        let length: usize = match answer.header("content-length") {
            Some(length) => length.parse().context("a length that is no number")?,
            None if matches!(answer.status, 204 | 303 | 307) => 0,
            None => bail!("an answer of unknown length: {}", answer.head),
        };
        while self.buffer.len() < head_end + length {
            self.more().await?;
        }
        answer.body = self.buffer[head_end..head_end + length].to_vec();
        self.buffer.drain(..head_end + length);
        Ok(answer)
    }

    async fn more(&mut self) -> Result<()> {
        let read = self.stream.read_buf(&mut self.buffer).await?;
        ensure!(read > 0, "the connection was closed in the middle of an answer");
        Ok(())
    }
}
