//! The tokens of an answer.

use super::codec::{write_type, write_value};
use super::login::SERVER_VERSION;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::value::{SqlType, Value, collation};

/// The server's name in messages and in LOGINACK.
pub const SERVER: &str = "local TDS server";

/// More is to come.
pub const MORE: u16 = 0x01;
/// The statement failed.
pub const FAILED: u16 = 0x02;
/// The count is valid.
pub const COUNTED: u16 = 0x10;
/// This acknowledges an attention.
pub const ATTENTION: u16 = 0x20;

/// DONE, the end of a statement in a batch.
pub const DONE: u8 = 0xFD;
/// DONEPROC, the end of a procedure.
pub const DONE_PROC: u8 = 0xFE;
/// DONEINPROC, the end of a statement in a procedure.
pub const DONE_IN_PROC: u8 = 0xFF;

/// The command code of SELECT in a DONE token; some clients tell by it whether a count is of rows.
pub const SELECT: u16 = 0xC1;

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name; empty for an expression without one.
    pub name: String,
    /// Its type.
    pub ty: SqlType,
    /// Whether it can hold NULL.
    pub nullable: bool,
    /// Whether it numbers itself.
    pub identity: bool,
}

/// COLMETADATA.
///
/// # Errors
/// When a name is longer than the wire can say.
pub fn columns(out: &mut Vec<u8>, columns: &[Column]) -> SqlResult<()> {
    out.push(0x81);
    let count = u16::try_from(columns.len()).map_err(|_| SqlError::unknown("that many columns"))?;
    out.extend_from_slice(&count.to_le_bytes());
    for column in columns {
        let user_type: u32 = if column.ty == SqlType::RowVersion { 80 } else { 0 };
        out.extend_from_slice(&user_type.to_le_bytes());
        let flags = u16::from(column.nullable) | if column.identity { 0x10 } else { 0x08 };
        out.extend_from_slice(&flags.to_le_bytes());
        write_type(out, column.ty);
        b_varchar(out, &column.name);
    }
    Ok(())
}

/// ROW.
///
/// # Errors
/// When a value is not of its column's type, which is this server's own mistake.
pub fn row<'a>(out: &mut Vec<u8>, cells: impl Iterator<Item = (SqlType, &'a Value)>) -> SqlResult<()> {
    out.push(0xD1);
    for (ty, value) in cells {
        write_value(out, ty, value)?;
    }
    Ok(())
}

/// DONE, DONEPROC or DONEINPROC.
pub fn done(out: &mut Vec<u8>, kind: u8, status: u16, command: u16, count: u64) {
    out.push(kind);
    out.extend_from_slice(&status.to_le_bytes());
    out.extend_from_slice(&command.to_le_bytes());
    out.extend_from_slice(&count.to_le_bytes());
}

/// ERROR, or INFO for messages of class 10 and below.
pub fn message(out: &mut Vec<u8>, error: &SqlError, line: u32) {
    out.push(if error.class > 10 { 0xAA } else { 0xAB });
    let mut body = error.number.to_le_bytes().to_vec();
    body.extend_from_slice(&[error.state, error.class]);
    let text: Vec<u16> = error.message.encode_utf16().take(4_000).collect();
    body.extend_from_slice(&(text.len() as u16).to_le_bytes());
    body.extend(text.iter().flat_map(|unit| unit.to_le_bytes()));
    b_varchar(&mut body, SERVER);
    b_varchar(&mut body, "");
    body.extend_from_slice(&line.to_le_bytes());
    out.extend_from_slice(&(body.len() as u16).to_le_bytes());
    out.extend_from_slice(&body);
}

/// LOGINACK.
pub fn login_ack(out: &mut Vec<u8>, version: u32) {
    let mut body = vec![1];
    body.extend_from_slice(&version.to_be_bytes());
    b_varchar(&mut body, SERVER);
    body.extend_from_slice(&SERVER_VERSION);
    sized(out, 0xAD, &body);
}

/// ENVCHANGE 1 (database), 2 (language) or 4 (packet size): two texts.
pub fn changed_text(out: &mut Vec<u8>, kind: u8, new: &str, old: &str) {
    let mut body = vec![kind];
    b_varchar(&mut body, new);
    b_varchar(&mut body, old);
    sized(out, 0xE3, &body);
}

/// ENVCHANGE 7: the collation.
pub fn changed_collation(out: &mut Vec<u8>) {
    let mut body = vec![7, 5];
    body.extend_from_slice(&collation::WIRE);
    body.push(0);
    sized(out, 0xE3, &body);
}

/// What became of a transaction, with its descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It began.
    Began(u64),
    /// It was committed.
    Committed(u64),
    /// It was rolled back.
    RolledBack(u64),
}

/// ENVCHANGE 8, 9 or 10.
pub fn changed_transaction(out: &mut Vec<u8>, turn: Turn) {
    let (kind, new, old) = match turn {
        Turn::Began(id) => (8, Some(id), None),
        Turn::Committed(id) => (9, None, Some(id)),
        Turn::RolledBack(id) => (10, None, Some(id)),
    };
    let mut body = vec![kind];
    for id in [new, old] {
        match id {
            Some(id) => {
                body.push(8);
                body.extend_from_slice(&id.to_le_bytes());
            }
            None => body.push(0),
        }
    }
    sized(out, 0xE3, &body);
}

/// ENVCHANGE 18: the session was reset.
pub fn changed_reset(out: &mut Vec<u8>) {
    sized(out, 0xE3, &[18, 0, 0]);
}

/// RETURNSTATUS.
pub fn return_status(out: &mut Vec<u8>, status: i32) {
    out.push(0x79);
    out.extend_from_slice(&status.to_le_bytes());
}

/// RETURNVALUE: an output parameter.
///
/// # Errors
/// When the value is not of the type, which is this server's own mistake.
pub fn return_value(
    out: &mut Vec<u8>,
    ordinal: u16,
    name: &str,
    ty: SqlType,
    value: &Value,
) -> SqlResult<()> {
    out.push(0xAC);
    out.extend_from_slice(&ordinal.to_le_bytes());
    b_varchar(out, name);
    out.push(1);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&[1, 0]);
    write_type(out, ty);
    write_value(out, ty, value)
}

/// A text of at most 255 UTF-16 code units behind a length byte; what is longer is cut.
fn b_varchar(out: &mut Vec<u8>, text: &str) {
    let units: Vec<u16> = text.encode_utf16().take(255).collect();
    out.push(units.len() as u8);
    out.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
}

fn sized(out: &mut Vec<u8>, token: u8, body: &[u8]) {
    out.push(token);
    out.extend_from_slice(&(body.len() as u16).to_le_bytes());
    out.extend_from_slice(body);
}
