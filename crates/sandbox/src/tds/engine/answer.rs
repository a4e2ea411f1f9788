//! The answer to one request, made of tokens and handed over in pieces while it is made. A DONE
//! token is held back until it is known whether more follows, because it has to say so. Here is
//! also where an injected fault cuts or stalls an answer.

use tokio::sync::mpsc::Sender;

use crate::faults::TdsEffect;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::value::{SqlType, Value};
use crate::tds::wire::tokens::{self, Column};

/// How much is gathered before it is handed over, in bytes.
const PIECE: usize = 32 << 10;
/// The most bytes of an answer that is kept back whole, because a fault is to cut it.
const LARGEST_HELD: usize = 64 << 20;

/// What is handed over.
#[derive(Debug)]
pub enum Out {
    /// A piece of the message.
    Bytes(Vec<u8>),
    /// The message ends, and packets have this size from the next one on.
    End,
    /// The login is accepted; packets have this size.
    PacketSize(usize),
    /// The connection is to be closed in the middle of what was sent.
    Cut,
    /// Nothing more is to be sent, and the connection stays.
    Stall,
}

#[derive(Debug, Clone, Copy)]
struct Done {
    kind: u8,
    status: u16,
    command: u16,
    count: u64,
}

/// The answer.
#[derive(Debug)]
pub struct Answer {
    sender: Sender<Out>,
    buffer: Vec<u8>,
    pending: Option<Done>,
    /// How many procedures one is in: inside, a statement's end is a DONEINPROC.
    pub procedures: usize,
    fault: Option<TdsEffect>,
    rows: Vec<usize>,
}

impl Answer {
    /// An answer that goes to `sender`.
    pub fn new(sender: Sender<Out>, fault: Option<TdsEffect>) -> Self {
        Self { sender, buffer: Vec::new(), pending: None, procedures: 0, fault, rows: Vec::new() }
    }

    /// Adds tokens.
    ///
    /// # Errors
    /// When nobody takes them any more.
    pub fn tokens(&mut self, write: impl FnOnce(&mut Vec<u8>) -> SqlResult<()>) -> SqlResult<()> {
        self.settle(true);
        write(&mut self.buffer)?;
        self.hand_over(PIECE)
    }

    /// Adds the columns of a result.
    ///
    /// # Errors
    /// When nobody takes them any more.
    pub fn columns(&mut self, columns: &[Column]) -> SqlResult<()> {
        self.tokens(|out| tokens::columns(out, columns))
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When a value is not of its type, or nobody takes it any more.
    pub fn row<'a>(&mut self, cells: impl Iterator<Item = (SqlType, &'a Value)>) -> SqlResult<()> {
        self.settle(true);
        let start = self.buffer.len();
        if let Err(error) = tokens::row(&mut self.buffer, cells) {
            self.buffer.truncate(start);
            return Err(error);
        }
        if self.fault.is_some() {
            self.rows.push(start);
        }
        self.hand_over(PIECE)
    }

    /// Adds an error or a message.
    ///
    /// # Errors
    /// When nobody takes it any more.
    pub fn message(&mut self, error: &SqlError, line: u32) -> SqlResult<()> {
        self.tokens(|out| {
            tokens::message(out, error, line);
            Ok(())
        })
    }

    /// Ends a statement.
    pub fn done(&mut self, status: u16, command: u16, count: u64) {
        self.settle(true);
        let kind = if self.procedures > 0 { tokens::DONE_IN_PROC } else { tokens::DONE };
        self.pending = Some(Done { kind, status, command, count });
    }

    /// Ends a batch.
    pub fn end_batch(&mut self) {
        if self.pending.is_none() {
            self.pending = Some(Done { kind: tokens::DONE, status: 0, command: 0, count: 0 });
        }
    }

    /// Ends a procedure that was called.
    pub fn end_call(&mut self, failed: bool) {
        self.settle(true);
        let status = if failed { tokens::FAILED } else { 0 };
        self.pending = Some(Done { kind: tokens::DONE_PROC, status, command: 0, count: 0 });
    }

    /// Ends the message; false when nobody takes it any more.
    pub fn end(mut self) -> bool {
        self.settle(false);
        let half = match self.rows.as_slice() {
            [] => self.buffer.len() / 2,
            rows => {
                let at = rows.len() / 2;
                let next = rows.get(at + 1).copied().unwrap_or(self.buffer.len());
                rows[at] + (next - rows[at]).div_ceil(2).min(next - rows[at] - 1).max(1)
            }
        };
        let last = match self.fault {
            Some(TdsEffect::CutMidRow) => {
                self.buffer.truncate(half);
                Out::Cut
            }
            Some(TdsEffect::Stall) => {
                self.buffer.truncate(half);
                Out::Stall
            }
            _ => Out::End,
        };
        self.fault = None;
        self.hand_over(0).is_ok() && self.sender.blocking_send(last).is_ok()
    }

    fn settle(&mut self, more: bool) {
        if let Some(done) = self.pending.take() {
            let status = done.status | if more { tokens::MORE } else { 0 };
            tokens::done(&mut self.buffer, done.kind, status, done.command, done.count);
        }
    }

    fn hand_over(&mut self, above: usize) -> SqlResult<()> {
        if self.fault.is_some() {
            if self.buffer.len() > LARGEST_HELD {
                return Err(SqlError::internal("an answer too large to be cut"));
            }
            return Ok(());
        }
        if self.buffer.len() > above {
            let piece = std::mem::take(&mut self.buffer);
            self.sender.blocking_send(Out::Bytes(piece)).map_err(|_| SqlError::cancelled())?;
        }
        Ok(())
    }
}
