//! Packets: eight bytes of header and a payload; messages are runs of packets of which the last has
//! the end-of-message bit.

use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::reader::malformed;

/// A batch of statements.
pub const BATCH: u8 = 0x01;
/// A remote procedure call.
pub const RPC: u8 = 0x03;
/// What a server answers with.
pub const RESULT: u8 = 0x04;
/// An attention: the request under way is to be given up.
pub const ATTENTION: u8 = 0x06;
/// A request to the transaction manager.
pub const TRANSACTION: u8 = 0x0E;
/// A login.
pub const LOGIN: u8 = 0x10;
/// A prelogin, and the TLS handshake in TDS 7.
pub const PRELOGIN: u8 = 0x12;

/// The end-of-message bit of a packet's status.
pub const END: u8 = 0x01;
/// The bits that ask for a reset of the session before the request.
pub const RESET: u8 = 0x08 | 0x10;

/// The length of a packet's header.
pub const HEADER: usize = 8;
/// The most bytes of one message; a longer one ends the connection.
pub const LARGEST_MESSAGE: usize = 64 << 20;
/// How long a client may leave what is sent to it unread.
pub const WRITE_LIMIT: Duration = Duration::from_secs(120);

/// One packet without its header.
#[derive(Debug)]
pub struct Packet {
    /// What kind of message it belongs to.
    pub kind: u8,
    /// Its status bits.
    pub status: u8,
    /// Its payload.
    pub payload: BytesMut,
}

/// One message.
#[derive(Debug)]
pub struct Message {
    /// Its kind.
    pub kind: u8,
    /// The status bits of its first packet.
    pub status: u8,
    /// The payloads of its packets.
    pub payload: BytesMut,
}

/// Reads packets. Dropping the future of a read loses nothing: what came in stays here.
#[derive(Debug, Default)]
pub struct PacketReader {
    buffer: BytesMut,
}

impl PacketReader {
    /// The next packet; `None` when the client closed the connection between two packets.
    ///
    /// # Errors
    /// When reading fails, or the bytes are no packet.
    pub async fn packet(&mut self, io: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Packet>> {
        loop {
            if let Some(packet) = self.buffered()? {
                return Ok(Some(packet));
            }
            if io.read_buf(&mut self.buffer).await? == 0 {
                let whole = self.buffer.is_empty();
                return if whole { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
    }

    /// The next message; `None` when the client closed the connection before it.
    ///
    /// # Errors
    /// When reading fails, the bytes are no message, or it is larger than [`LARGEST_MESSAGE`].
    pub async fn message(&mut self, io: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Message>> {
        let Some(Packet { kind, status, mut payload }) = self.packet(io).await? else { return Ok(None) };
        let mut last = status;
        while last & END == 0 {
            let Some(more) = self.packet(io).await? else { return Err(io::ErrorKind::UnexpectedEof.into()) };
            if more.kind == ATTENTION {
                // The client gave the request up before it was sent whole.
                return Ok(Some(Message { kind: ATTENTION, status: more.status, payload: more.payload }));
            }
            if more.kind != kind {
                return Err(malformed("packets of two kinds in one message"));
            }
            if payload.len() + more.payload.len() > LARGEST_MESSAGE {
                return Err(malformed(format!("longer than {LARGEST_MESSAGE} bytes")));
            }
            payload.unsplit(more.payload);
            last = more.status;
        }
        Ok(Some(Message { kind, status, payload }))
    }

    fn buffered(&mut self) -> io::Result<Option<Packet>> {
        if self.buffer.len() < HEADER {
            return Ok(None);
        }
        let length = usize::from(u16::from_be_bytes([self.buffer[2], self.buffer[3]]));
        if length < HEADER {
            return Err(malformed(format!("a packet of {length} bytes")));
        }
        if self.buffer.len() < length {
            return Ok(None);
        }
        let mut payload = self.buffer.split_to(length);
        let (kind, status) = (payload[0], payload[1]);
        payload.advance(HEADER);
        Ok(Some(Packet { kind, status, payload }))
    }
}

/// Writes one message after the other, cut into packets of the size agreed on.
#[derive(Debug)]
pub struct MessageWriter {
    size: usize,
    spid: u16,
    number: u8,
    buffer: BytesMut,
}

impl MessageWriter {
    /// A writer of packets of `size` bytes, headers included, for the session `spid`.
    pub fn new(size: usize, spid: u16) -> Self {
        Self { size, spid, number: 0, buffer: BytesMut::new() }
    }

    /// Changes the size of packets, between two messages.
    pub fn resize(&mut self, size: usize) {
        self.size = size;
    }

    /// Adds bytes to the message and sends the packets that are full.
    ///
    /// # Errors
    /// When writing fails or takes longer than [`WRITE_LIMIT`].
    pub async fn add(&mut self, io: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(bytes);
        let most = self.size - HEADER;
        while self.buffer.len() > most {
            let payload = self.buffer.split_to(most);
            self.send(io, &payload, 0).await?;
        }
        Ok(())
    }

    /// Sends the rest as the message's last packet.
    ///
    /// # Errors
    /// When writing fails or takes longer than [`WRITE_LIMIT`].
    pub async fn end(&mut self, io: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let payload = self.buffer.split();
        self.send(io, &payload, END).await?;
        self.number = 0;
        flush(io).await
    }

    /// Sends what there is without ending the message: what a server does that dies in the middle.
    ///
    /// # Errors
    /// When writing fails or takes longer than [`WRITE_LIMIT`].
    pub async fn break_off(&mut self, io: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let payload = self.buffer.split();
        if !payload.is_empty() {
            self.send(io, &payload, 0).await?;
        }
        flush(io).await
    }

    async fn send(
        &mut self,
        io: &mut (impl AsyncWrite + Unpin),
        payload: &[u8],
        status: u8,
    ) -> io::Result<()> {
        self.number = self.number.wrapping_add(1);
        let mut packet = header(RESULT, status, payload.len(), self.spid, self.number)?.to_vec();
        packet.extend_from_slice(payload);
        timeout(WRITE_LIMIT, io.write_all(&packet)).await.map_err(|_| io::ErrorKind::TimedOut)?
    }
}

/// A packet's header.
///
/// # Errors
/// When the payload is longer than a packet can be.
pub fn header(kind: u8, status: u8, payload: usize, spid: u16, number: u8) -> io::Result<[u8; HEADER]> {
    let length = u16::try_from(payload + HEADER).map_err(|_| malformed("a packet too long"))?.to_be_bytes();
    let spid = spid.to_be_bytes();
    Ok([kind, status, length[0], length[1], spid[0], spid[1], number, 0])
}

async fn flush(io: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    timeout(WRITE_LIMIT, io.flush()).await.map_err(|_| io::ErrorKind::TimedOut)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_is_cut_and_put_together_again() {
        let sent: Vec<u8> = (0..2_000_u32).map(|n| (n % 251) as u8).collect();
        let mut wire = Vec::new();
        let mut writer = MessageWriter::new(512, 51);
        writer.add(&mut wire, &sent).await.unwrap();
        writer.end(&mut wire).await.unwrap();
        assert_eq!(wire.len(), 2_000 + 4 * HEADER);
        let message = PacketReader::default().message(&mut wire.as_slice()).await.unwrap().unwrap();
        assert_eq!(message.kind, RESULT);
        assert_eq!(message.payload, sent);
    }

    #[tokio::test]
    async fn what_is_no_packet_is_refused() {
        for wire in [&[4, 1, 0, 3, 0, 0, 0, 0][..], &[4, 1, 0, 20, 0, 0, 0, 0, 9], &[4, 1, 0]] {
            let mut wire = wire;
            assert!(PacketReader::default().message(&mut wire).await.is_err());
        }
    }
}
