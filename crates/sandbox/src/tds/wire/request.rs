//! Requests: batches, remote procedure calls and what the transaction manager is asked.

use std::io;

use super::decode::{read_type, read_value};
use super::reader::{Reader, malformed, utf16};
use crate::tds::value::{SqlType, Value};

/// The most parameters of a call, as by SQL Server.
pub const MOST_PARAMETERS: usize = 2_100;

/// One request.
#[derive(Debug)]
pub enum Request {
    /// Statements.
    Batch(String),
    /// A call.
    Call(Call),
    /// BEGIN, with the isolation level asked for (0: as it is).
    Begin(u8),
    /// COMMIT, and whether a new transaction begins at once, with its isolation level.
    Commit(Option<u8>),
    /// ROLLBACK, to a savepoint if it has a name, and whether a new one begins at once.
    Rollback(String, Option<u8>),
    /// SAVE.
    Save(String),
}

/// A remote procedure call.
#[derive(Debug)]
pub struct Call {
    /// The procedure.
    pub procedure: Procedure,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
}

/// Which procedure is called.
#[derive(Debug, PartialEq, Eq)]
pub enum Procedure {
    /// By its well-known number.
    Number(u16),
    /// By its name.
    Name(String),
}

/// A parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name with the @, or empty.
    pub name: String,
    /// Whether the caller wants it back.
    pub output: bool,
    /// Its type.
    pub ty: SqlType,
    /// Its value, in the stored form of the type.
    pub value: Value,
}

/// Reads a batch.
///
/// # Errors
/// When the message is malformed.
pub fn read_batch(payload: &[u8]) -> io::Result<Request> {
    let mut reader = Reader::new(payload);
    skip_headers(&mut reader)?;
    let mut rest = Vec::new();
    while !reader.is_empty() {
        rest.push(reader.u8()?);
    }
    utf16(&rest).map(Request::Batch)
}

/// Reads the calls of a message: one, or several in a row.
///
/// # Errors
/// When the message is malformed, or a parameter of a type not known.
pub fn read_calls(payload: &[u8]) -> io::Result<Vec<Request>> {
    let mut reader = Reader::new(payload);
    skip_headers(&mut reader)?;
    let mut calls = Vec::new();
    while !reader.is_empty() {
        let units = reader.u16()?;
        let procedure = if units == 0xFFFF {
            Procedure::Number(reader.u16()?)
        } else {
            Procedure::Name(reader.utf16(usize::from(units))?)
        };
        reader.u16()?;
        let mut parameters = Vec::new();
        // 0x80 and 0xFF separate calls, 0xFE too (without execution).
        while !reader.is_empty() && !matches!(reader.peek(), Some(0x80 | 0xFE | 0xFF)) {
            if parameters.len() >= MOST_PARAMETERS + 2 {
                return Err(malformed(format!("more than {MOST_PARAMETERS} parameters")));
            }
            let name = reader.b_varchar()?;
            let flags = reader.u8()?;
            let wire = read_type(&mut reader)?;
            let value = read_value(&mut reader, &wire)?;
            parameters.push(Parameter { name, output: flags & 0x01 != 0, ty: wire.ty(), value });
        }
        calls.push(Request::Call(Call { procedure, parameters }));
        if !reader.is_empty() {
            reader.u8()?;
        }
    }
    Ok(calls)
}

/// Reads a request to the transaction manager.
///
/// # Errors
/// When the message is malformed, or of a kind not known.
pub fn read_transaction(payload: &[u8]) -> io::Result<Request> {
    let mut reader = Reader::new(payload);
    skip_headers(&mut reader)?;
    let kind = reader.u16()?;
    let next = |reader: &mut Reader<'_>| -> io::Result<Option<u8>> {
        if reader.is_empty() || reader.u8()? & 1 == 0 {
            return Ok(None);
        }
        let level = reader.u8()?;
        transaction_name(reader)?;
        Ok(Some(level))
    };
    Ok(match kind {
        5 => {
            let level = reader.u8()?;
            transaction_name(&mut reader)?;
            Request::Begin(level)
        }
        7 => {
            transaction_name(&mut reader)?;
            Request::Commit(next(&mut reader)?)
        }
        8 => {
            let name = transaction_name(&mut reader)?;
            Request::Rollback(name, next(&mut reader)?)
        }
        9 => Request::Save(transaction_name(&mut reader)?),
        other => return Err(malformed(format!("transaction manager request {other}"))),
    })
}

/// The name of a transaction. Clients disagree about whether its length is in bytes (tedious) or in
/// characters (tiberius); what follows it, nothing or one byte of flags, tells which is meant.
fn transaction_name(reader: &mut Reader<'_>) -> io::Result<String> {
    let length = usize::from(reader.u8()?);
    let characters = length % 2 == 1 || matches!(reader.left().checked_sub(length * 2), Some(0 | 1));
    reader.utf16(if characters { length } else { length / 2 })
}

/// ALL_HEADERS: there since TDS 7.2. Nothing in them is needed: there is one request at a time, and
/// so one transaction.
fn skip_headers(reader: &mut Reader<'_>) -> io::Result<()> {
    let total = reader.u32()? as usize;
    reader.take(total.checked_sub(4).ok_or_else(|| malformed("headers shorter than their length"))?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_their_parameters_are_read() {
        let mut payload = vec![4, 0, 0, 0];
        payload.extend_from_slice(&[0xFF, 0xFF, 10, 0, 0, 0]);
        payload.extend_from_slice(&[0, 0, 0x26, 4, 4, 7, 0, 0, 0]);
        payload.extend_from_slice(&[2, b'@', 0, b'a', 0, 1, 0x1F]);
        let calls = read_calls(&payload).unwrap();
        let [Request::Call(call)] = calls.as_slice() else { panic!("{calls:?}") };
        assert_eq!(call.procedure, Procedure::Number(10));
        assert_eq!(call.parameters[0].value, Value::Integer(7));
        assert_eq!((call.parameters[1].name.as_str(), call.parameters[1].output), ("@a", true));
        assert_eq!(call.parameters[1].ty, SqlType::Null);
    }

    #[test]
    fn names_of_transactions_are_read_however_they_are_counted() {
        for (kind, length, tail) in [(9, 4, &[][..]), (9, 2, &[]), (8, 4, &[0]), (8, 2, &[0])] {
            let mut payload = vec![4, 0, 0, 0, kind, 0, length, b'a', 0, b'b', 0];
            payload.extend_from_slice(tail);
            match read_transaction(&payload).unwrap() {
                Request::Save(name) | Request::Rollback(name, None) => assert_eq!(name, "ab"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn cut_messages_are_refused() {
        assert!(read_batch(&[9, 0, 0, 0]).is_err());
        assert!(read_calls(&[4, 0, 0, 0, 3, 0, b'a']).is_err());
        assert!(read_transaction(&[4, 0, 0, 0, 77, 0]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reading_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let framed = [&[4, 0, 0, 0][..], &bytes].concat();
            let called = [&[4, 0, 0, 0, 0xFF, 0xFF, 10, 0, 0, 0][..], &bytes].concat();
            for payload in [&bytes, &framed, &called] {
                let _ = (read_batch(payload), read_calls(payload), read_transaction(payload));
                let _ = crate::tds::wire::login::read_login(payload);
                let _ = crate::tds::wire::login::read_prelogin(payload);
            }
        }
    }
}
