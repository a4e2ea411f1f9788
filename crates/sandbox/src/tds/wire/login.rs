//! PRELOGIN and LOGIN7.

use std::io;

use super::reader::{Reader, malformed, utf16};

/// The version this server tells in PRELOGIN and LOGINACK: clients choose by it what they may ask
/// for, and 15.0 stands for a server that knows everything TDS 7.4 has.
pub const SERVER_VERSION: [u8; 4] = [15, 0, 0x07, 0xD0];

/// The oldest version of TDS spoken: 7.3, since then there are date, time and datetime2.
pub const OLDEST: u32 = 0x730A_0003;
/// The newest before 8.0.
pub const NEWEST: u32 = 0x7400_0004;
/// TDS 8.
pub const EIGHT: u32 = 0x0800_0000;

/// What a client asks for, and a server answers, about encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// The login only.
    Off,
    /// Everything.
    On,
    /// Nothing.
    NotSupported,
    /// Everything, or no connection at all.
    Required,
}

impl Encryption {
    /// Reads the byte of a PRELOGIN; the bit for client certificates does not count.
    fn read(byte: u8) -> io::Result<Self> {
        match byte & 0x7F {
            0 => Ok(Self::Off),
            1 => Ok(Self::On),
            2 => Ok(Self::NotSupported),
            3 => Ok(Self::Required),
            other => Err(malformed(format!("encryption {other}"))),
        }
    }

    /// What this server answers: it has TLS and forces none, so that the client decides.
    fn answer(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::On | Self::Required => 1,
            Self::NotSupported => 2,
        }
    }
}

/// Reads what the client says about encryption in its PRELOGIN.
///
/// # Errors
/// When the message is malformed.
pub fn read_prelogin(payload: &[u8]) -> io::Result<Encryption> {
    let mut reader = Reader::new(payload);
    loop {
        let token = reader.u8()?;
        if token == 0xFF {
            // A client that says nothing about encryption has none.
            return Ok(Encryption::NotSupported);
        }
        let [offset, length] = [reader.array::<2>()?, reader.array::<2>()?].map(u16::from_be_bytes);
        if token == 1 && length > 0 {
            let byte = payload.get(usize::from(offset)).ok_or_else(|| malformed("an offset outside"))?;
            return Encryption::read(*byte);
        }
    }
}

/// The server's PRELOGIN. Under TDS 8 there is nothing left to agree on.
pub fn write_prelogin(encryption: Encryption, strict: bool) -> Vec<u8> {
    let mut version = SERVER_VERSION.to_vec();
    version.extend_from_slice(&[0, 0]);
    let encryption = if strict { Encryption::On.answer() } else { encryption.answer() };
    // Version, encryption, instance (0: the right one), thread, MARS (0: none).
    let options: [(u8, &[u8]); 5] = [(0, &version), (1, &[encryption]), (2, &[0]), (3, &[]), (4, &[0])];
    let mut out = Vec::new();
    let mut offset = options.len() * 5 + 1;
    for (token, data) in options {
        out.push(token);
        // Five short options: the offsets are far below 65,536.
        out.extend_from_slice(&(offset as u16).to_be_bytes());
        out.extend_from_slice(&(data.len() as u16).to_be_bytes());
        offset += data.len();
    }
    out.push(0xFF);
    out.extend(options.iter().flat_map(|(_, data)| data.iter()));
    out
}

/// What a LOGIN7 says.
#[derive(Clone)]
pub struct Login {
    /// The version of TDS asked for.
    pub version: u32,
    /// The packet size asked for.
    pub packet_size: u32,
    /// The client's host.
    pub host: String,
    /// The login.
    pub user: String,
    /// Its password.
    pub password: String,
    /// The client's program.
    pub application: String,
    /// The database to begin in; empty for the login's default.
    pub database: String,
    /// Whether the client wants to log in with something other than a password.
    pub integrated: bool,
    /// Whether the client wants to change its password on the way.
    pub changes_password: bool,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .field("database", &self.database)
            .field("application", &self.application)
            .finish_non_exhaustive()
    }
}

/// Reads a LOGIN7.
///
/// # Errors
/// When the message is malformed.
pub fn read_login(payload: &[u8]) -> io::Result<Login> {
    let mut reader = Reader::new(payload);
    let length = reader.u32()? as usize;
    if length > payload.len() {
        return Err(malformed("a login longer than its message"));
    }
    let version = reader.u32()?;
    let packet_size = reader.u32()?;
    reader.take(12)?;
    let [_, flags2, _, flags3] = reader.array()?;
    reader.take(8)?;
    // Host, user, password, application, server, extension, library, language, database.
    let mut fields = [(0_u16, 0_u16); 9];
    for field in &mut fields {
        *field = (reader.u16()?, reader.u16()?);
    }
    let bytes = |(offset, units): (u16, u16)| {
        let from = usize::from(offset);
        payload
            .get(from..from + usize::from(units) * 2)
            .ok_or_else(|| malformed("a field outside of the login"))
    };
    let text = |at: usize| utf16(bytes(fields[at])?);
    Ok(Login {
        version,
        packet_size,
        host: text(0)?,
        user: text(1)?,
        password: utf16(&clear(bytes(fields[2])?))?,
        application: text(3)?,
        database: text(8)?,
        integrated: flags2 & 0x80 != 0,
        changes_password: flags3 & 0x01 != 0,
    })
}

/// Undoes the veil of a password: every byte XOR 0xA5, then its halves swapped.
fn clear(veiled: &[u8]) -> Vec<u8> {
    veiled.iter().map(|byte| (byte ^ 0xA5).rotate_left(4)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_veil_comes_off() {
        // "a" is 0x61 0x00: halves swapped 0x16 0x00, XOR 0xA5 0xB3 0xA5.
        assert_eq!(clear(&[0xB3, 0xA5]), [0x61, 0x00]);
    }

    #[test]
    fn prelogins_of_every_level_are_read_and_answered() {
        for (byte, level, answer) in [
            (0, Encryption::Off, 0),
            (1, Encryption::On, 1),
            (2, Encryption::NotSupported, 2),
            (3, Encryption::Required, 1),
        ] {
            let payload = [1, 0, 6, 0, 1, 0xFF, byte];
            assert_eq!(read_prelogin(&payload).unwrap(), level);
            assert_eq!(write_prelogin(level, false)[26 + 6], answer);
        }
        assert!(read_prelogin(&[1, 0, 60, 0, 1, 0xFF]).is_err());
        assert!(read_prelogin(&[1, 0, 6, 0, 1, 0xFF, 9]).is_err());
    }
}
