//! A longer way: a proxy on loopback that adds a round-trip time.
//!
//! What a client sends is held back by the whole time and what comes back by nothing, which is the
//! same for every exchange of a request and an answer. The kernel accepts a connection at once, so the
//! round trip of connecting is added to the first bytes. Threads and no tasks: Tokio's timer counts in
//! milliseconds, which is what is to be added.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// More connections than both functions ever have at a time.
const MOST_CONNECTIONS: usize = 16;
/// How many pieces may be under way on a connection.
const PIECES: usize = 64;

/// Starts the proxy and returns its address. It ends with the process.
///
/// # Errors
/// When there is no port.
pub fn start(to: SocketAddr, delay: Duration) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let open = Arc::new(AtomicUsize::new(0));
    thread::Builder::new().name("delay".to_owned()).spawn(move || {
        for client in listener.incoming().flatten() {
            if open.load(Ordering::SeqCst) >= MOST_CONNECTIONS {
                continue;
            }
            open.fetch_add(1, Ordering::SeqCst);
            let open = Arc::clone(&open);
            thread::spawn(move || {
                // A connection that broke is what both ends notice by themselves.
                let _ = connection(&client, to, delay);
                open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    })?;
    Ok(address)
}

fn connection(client: &TcpStream, to: SocketAddr, delay: Duration) -> io::Result<()> {
    let server = TcpStream::connect(to)?;
    for stream in [client, &server] {
        stream.set_nodelay(true)?;
    }
    let connected = Instant::now() + delay;
    let (send, pieces) = mpsc::sync_channel::<(Instant, Vec<u8>)>(PIECES);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = copy(&server, |piece| (&*client).write_all(piece));
            let _ = client.shutdown(Shutdown::Both);
        });
        scope.spawn(|| {
            for (due, piece) in pieces {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                if (&server).write_all(&piece).is_err() {
                    break;
                }
            }
            let _ = server.shutdown(Shutdown::Both);
        });
        copy(client, move |piece| {
            let due = Instant::now().max(connected) + delay;
            send.send((due, piece.to_vec())).map_err(io::Error::other)
        })
    })
}

/// Reads to the end, and hands on what came.
fn copy(from: &TcpStream, mut to: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        match (&*from).read(&mut buffer)? {
            0 => return Ok(()),
            read => to(&buffer[..read])?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_arrives_later_and_in_order() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let delay = Duration::from_millis(20);
        let address = start(server.local_addr().unwrap(), delay).unwrap();
        thread::spawn(move || {
            let (stream, _) = server.accept().unwrap();
            let _ = copy(&stream, |piece| (&stream).write_all(piece));
        });
        let began = Instant::now();
        let mut client = TcpStream::connect(address).unwrap();
        let mut answer = [0; 4];
        client.write_all(b"ping").unwrap();
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"ping");
        // Connecting is a round trip as well.
        assert!(began.elapsed() >= 2 * delay, "{:?}", began.elapsed());
        let began = Instant::now();
        for byte in b"pong" {
            client.write_all(&[*byte]).unwrap();
        }
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"pong");
        assert!(began.elapsed() >= delay, "{:?}", began.elapsed());
    }
}
