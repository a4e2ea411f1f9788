//! The byte stream below the packets: plain, or TLS. In TDS 7 the TLS handshake itself travels in
//! prelogin packets (0x12) and only what comes after it is bare; [`Carrier`] does that wrapping. In
//! TDS 8 TLS comes first and nothing is wrapped.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::packet::{END, HEADER, PRELOGIN, header};
use super::reader::malformed;

/// The largest payload of a packet that carries a part of the handshake.
const LARGEST_PART: usize = 4096 - HEADER;

/// The socket; while `wrapping`, what goes through it is put into, and taken out of, packets.
#[derive(Debug)]
pub struct Carrier {
    socket: TcpStream,
    wrapping: bool,
    head: Vec<u8>,
    left: usize,
    outgoing: Vec<u8>,
    sent: usize,
    packed: bool,
}

impl Carrier {
    /// A carrier that passes everything through.
    pub fn new(socket: TcpStream) -> Self {
        let (head, outgoing) = (Vec::new(), Vec::new());
        Self { socket, wrapping: false, head, left: 0, outgoing, sent: 0, packed: false }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.packed && !self.outgoing.is_empty() {
            let mut packets = Vec::with_capacity(self.outgoing.len() + HEADER);
            let parts = self.outgoing.chunks(LARGEST_PART);
            let last = parts.len();
            for (at, part) in parts.enumerate() {
                let status = if at + 1 == last { END } else { 0 };
                packets.extend_from_slice(&header(PRELOGIN, status, part.len(), 0, 1)?);
                packets.extend_from_slice(part);
            }
            self.outgoing = packets;
            self.packed = true;
        }
        while self.sent < self.outgoing.len() {
            let rest = &self.outgoing[self.sent..];
            let written = ready!(Pin::new(&mut self.socket).poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += written;
        }
        self.outgoing.clear();
        (self.sent, self.packed) = (0, false);
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Carrier {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.wrapping {
            return Pin::new(&mut this.socket).poll_read(cx, into);
        }
        while this.left == 0 {
            let mut bytes = [0; HEADER];
            let mut missing = ReadBuf::new(&mut bytes[..HEADER - this.head.len()]);
            ready!(Pin::new(&mut this.socket).poll_read(cx, &mut missing))?;
            if missing.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.head.extend_from_slice(missing.filled());
            if this.head.len() == HEADER {
                let length = usize::from(u16::from_be_bytes([this.head[2], this.head[3]]));
                if this.head[0] != PRELOGIN || length < HEADER {
                    return Poll::Ready(Err(malformed("no TLS handshake in a prelogin packet")));
                }
                this.left = length - HEADER;
                this.head.clear();
            }
        }
        let most = this.left.min(into.remaining());
        let mut part = into.take(most);
        ready!(Pin::new(&mut this.socket).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        // `part` lent its room from `into`, which does not know yet that it is filled.
        let filled = part.filled().to_vec();
        into.put_slice(&filled);
        this.left -= read;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Carrier {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if !this.wrapping && this.outgoing.is_empty() {
            return Pin::new(&mut this.socket).poll_write(cx, bytes);
        }
        if !this.wrapping || this.packed {
            ready!(this.poll_send(cx))?;
        }
        if !this.wrapping {
            return Pin::new(&mut this.socket).poll_write(cx, bytes);
        }
        this.outgoing.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// Plain or TLS.
#[derive(Debug)]
pub enum Wire {
    /// Plain.
    Plain(Carrier),
    /// TLS.
    Tls(Box<TlsStream<Carrier>>),
}

impl Wire {
    /// TLS at once (TDS 8).
    ///
    /// # Errors
    /// When the handshake fails.
    pub async fn strict(socket: TcpStream, tls: &TlsAcceptor) -> io::Result<Self> {
        Ok(Self::Tls(Box::new(tls.accept(Carrier::new(socket)).await?)))
    }

    /// TLS whose handshake travels in prelogin packets (TDS 7).
    ///
    /// # Errors
    /// When the handshake fails, or there is TLS already.
    pub async fn wrapped(self, tls: &TlsAcceptor) -> io::Result<Self> {
        let Self::Plain(mut carrier) = self else { return Err(malformed("TLS in TLS")) };
        carrier.wrapping = true;
        let mut stream = tls.accept(carrier).await?;
        stream.get_mut().0.wrapping = false;
        Ok(Self::Tls(Box::new(stream)))
    }

    /// Leaves TLS, after a login for which alone it was.
    pub fn bare(self) -> Self {
        match self {
            Self::Tls(stream) => Self::Plain(stream.into_inner().0),
            plain => plain,
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(carrier) => Pin::new(carrier).poll_read(cx, into),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(carrier) => Pin::new(carrier).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(carrier) => Pin::new(carrier).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(carrier) => Pin::new(carrier).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
