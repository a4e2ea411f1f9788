//! Reading numbers and texts out of a message. Whatever does not fit its message is a protocol
//! error, which ends the connection.

use std::io;

/// A message and how far it was read.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// The error of a message that can't be understood.
pub fn malformed(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed TDS message: {what}"))
}

impl<'a> Reader<'a> {
    /// Starts at the beginning of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at.min(self.bytes.len())
    }

    /// The next byte, left in place.
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn take(&mut self, count: usize) -> io::Result<&'a [u8]> {
        let end = self.at.checked_add(count).ok_or_else(|| malformed("a length overflows"))?;
        let taken = self.bytes.get(self.at..end).ok_or_else(|| malformed("it ends too early"))?;
        self.at = end;
        Ok(taken)
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// A byte.
    ///
    /// # Errors
    /// When there is none.
    pub fn u8(&mut self) -> io::Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    /// Two bytes, little-endian.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn u16(&mut self) -> io::Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// Four bytes, little-endian.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn u32(&mut self) -> io::Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes, little-endian.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn u64(&mut self) -> io::Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// `units` UTF-16 code units as text.
    ///
    /// # Errors
    /// When there are fewer, or they are no text.
    pub fn utf16(&mut self, units: usize) -> io::Result<String> {
        utf16(self.take(units * 2)?)
    }

    /// A text with a length byte in front.
    ///
    /// # Errors
    /// When it is cut, or no text.
    pub fn b_varchar(&mut self) -> io::Result<String> {
        let units = self.u8()?;
        self.utf16(usize::from(units))
    }
}

/// Little-endian UTF-16 as text.
///
/// # Errors
/// When it is none: half a surrogate pair is refused, never replaced.
pub fn utf16(bytes: &[u8]) -> io::Result<String> {
    if bytes.len() % 2 == 1 {
        return Err(malformed("half a UTF-16 code unit"));
    }
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).collect::<Result<_, _>>().map_err(|_| malformed("half a surrogate pair"))
}
