//! The daemon that stands beside functions: takes segments as datagrams, each a header line of JSON and
//! a document. It listens on loopback, takes one datagram at a time, and what does not fit is dropped by
//! the system, as with AWS's own. What it can't read it drops too, and says so in the log.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use serde::Deserialize;
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use super::XRay;
use super::document::LARGEST;

/// The first line of each datagram.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    version: u32,
}

impl XRay {
    /// Binds the daemon's socket, on any port that is free, and returns the loop that serves it.
    ///
    /// # Errors
    /// When there is no socket to be had.
    pub async fn listen(
        self: &Arc<Self>,
        stop: CancellationToken,
    ) -> io::Result<impl Future<Output = ()> + Send + use<>> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = socket.local_addr()?;
        // Set once, at the start.
        let _ = self.daemon.set(address);
        let xray = Arc::clone(self);
        Ok(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = xray.serve(&socket) => {}
            }
        })
    }

    async fn serve(&self, socket: &UdpSocket) {
        // A datagram holds less than that; the header line is extra.
        let mut buffer = vec![0; LARGEST + 1_024];
        loop {
            let length = match socket.recv(&mut buffer).await {
                Ok(length) => length,
                Err(error) => {
                    // A system that has nothing left must not be asked in a tight loop.
                    tracing::warn!(%error, "the daemon for traces received nothing");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    continue;
                }
            };
            if let Err(why) = self.datagram(&buffer[..length]) {
                tracing::warn!(why, "a datagram with a segment was dropped");
            }
        }
    }

    fn datagram(&self, bytes: &[u8]) -> Result<(), String> {
        let document = document_of(bytes)?;
        self.take(document).map_err(|refused| format!("{}: {}", refused.code, refused.message))
    }
}

/// What stands behind the header line.
fn document_of(bytes: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
    let (header, document) = text.split_once('\n').ok_or("there is no header line")?;
    let header: Header = serde_json::from_str(header).map_err(|error| format!("the header: {error}"))?;
    if header.format != "json" || header.version != 1 {
        return Err("the header must say the format json and the version 1".to_owned());
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_has_a_header_line() {
        let good = "{\"format\":\"json\",\"version\":1}\n{\"id\":\"x\"}";
        assert_eq!(document_of(good.as_bytes()), Ok("{\"id\":\"x\"}"));
        assert_eq!(document_of(b"{\"format\": \"json\", \"version\": 1}\n{}"), Ok("{}"));
        for wrong in [
            "",
            "{}",
            "{\"id\":\"x\"}\n{}",
            "{\"format\":\"json\",\"version\":2}\n{}",
            "{\"format\":\"xml\",\"version\":1}\n{}",
            "{\"format\":\"json\",\"version\":1,\"more\":1}\n{}",
        ] {
            assert!(document_of(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(document_of(b"\xff\n{}").is_err());
    }
}
