//! The pipe into which a child writes both its outputs, cut into lines.
//!
//! One pipe for both keeps their order. It is read in two ways: by a task in the background
//! whenever Tokio says that there is something, and directly, around Tokio's readiness, after init
//! and after an invocation: everything the child wrote until then must be had at once, and the task
//! alone would sometimes come too late. One lock keeps the two in order.

use std::fs::File;
use std::io::{self, ErrorKind, PipeWriter, Read};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use tokio::net::unix::pipe::Receiver;

use super::journal::{Journal, LONGEST_LINE};
use crate::context::lock;

/// The reading end.
pub(super) struct Output {
    pipe: Receiver,
    /// The same pipe once more, for reading directly.
    direct: File,
    journal: Arc<Journal>,
    rest: Mutex<Vec<u8>>,
}

/// What is left in the pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drained {
    /// Nothing for now.
    Empty,
    /// Perhaps more.
    Busy,
    /// Nothing, for good.
    Closed,
}

impl Output {
    /// A pipe whose lines go to `journal`, and the end to write to.
    ///
    /// # Errors
    /// When the system has no pipes left.
    pub fn new(journal: Arc<Journal>) -> io::Result<(Arc<Self>, PipeWriter)> {
        let (reader, writer) = io::pipe()?;
        let reader = OwnedFd::from(reader);
        let direct = File::from(reader.try_clone()?);
        // Sets the pipe non-blocking, and so both of its ends here.
        let pipe = Receiver::from_owned_fd(reader)?;
        Ok((Arc::new(Self { pipe, direct, journal, rest: Mutex::default() }), writer))
    }

    /// Reads until the last writer is gone.
    pub async fn follow(&self) {
        while self.pipe.readable().await.is_ok() {
            if self.take(|bytes| self.pipe.try_read(bytes)) == Drained::Closed {
                return;
            }
            // A child that writes without end does not keep this thread from others.
            tokio::task::yield_now().await;
        }
    }

    /// Takes what is in the pipe now, at most 1 MB. Lines that are not ended yet wait for their end.
    pub fn drain(&self) {
        let mut direct = &self.direct;
        self.take(|bytes| direct.read(bytes));
    }

    fn take(&self, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> Drained {
        let mut rest = lock(&self.rest);
        let mut lines = Vec::new();
        let mut state = Drained::Busy;
        for _ in 0..64 {
            let mut bytes = [0; 16 * 1024];
            match read(&mut bytes) {
                Ok(0) => {
                    state = Drained::Closed;
                    break;
                }
                Ok(count) => cut(&mut rest, &bytes[..count], &mut lines),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    state = Drained::Empty;
                    break;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    state = Drained::Closed;
                    break;
                }
            }
        }
        if state == Drained::Closed && !rest.is_empty() {
            lines.push(String::from_utf8_lossy(&std::mem::take(&mut *rest)).into_owned());
        }
        if !lines.is_empty() {
            self.journal.lines(lines);
        }
        state
    }
}

/// Cuts bytes into lines. A line longer than CloudWatch takes is given out in pieces.
fn cut(rest: &mut Vec<u8>, bytes: &[u8], lines: &mut Vec<String>) {
    for part in bytes.split_inclusive(|b| *b == b'\n') {
        rest.extend_from_slice(part);
        if rest.last() == Some(&b'\n') {
            rest.pop();
            if rest.last() == Some(&b'\r') {
                rest.pop();
            }
            lines.push(String::from_utf8_lossy(rest).into_owned());
            rest.clear();
        }
        while rest.len() >= LONGEST_LINE {
            let tail = rest.split_off(LONGEST_LINE);
            lines.push(String::from_utf8_lossy(rest).into_owned());
            *rest = tail;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_and_bounded() {
        let (mut rest, mut lines) = (Vec::new(), Vec::new());
        cut(&mut rest, b"one\r\ntwo\nth", &mut lines);
        cut(&mut rest, b"ree\n\n", &mut lines);
        assert_eq!(lines, ["one", "two", "three", ""]);
        lines.clear();
        cut(&mut rest, &vec![b'x'; LONGEST_LINE + 10], &mut lines);
        cut(&mut rest, b"\n", &mut lines);
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [LONGEST_LINE, 10]);
    }
}
