//! Where a page of a list ends: the sort key of its last item, as text for an address.
//!
//! Opaque to clients: base64url of JSON and of an authentication code over it, so that a cursor which
//! somebody wrote or changed is told from one of ours. The code is also over the list and its filters:
//! a cursor is good for the list it came with, and for no other. Whoever has one is granted nothing
//! by it; it names a place in an order.
//!
//! The key of the code lies in the database (`dbo.cursor_keys`, made by a migration): all environments
//! have the same one, and it outlives every rotation of the secret.

use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version of the cursors this code writes.
const VERSION: u8 = 2;
/// The longest text that is looked at.
const LONGEST: usize = 512;
/// So many bytes of the code are kept (RFC 2104, section 5: not less than half of it).
const CODE: usize = 16;

/// Writes and reads the cursors of one list.
#[derive(Debug)]
pub struct Cursors<'a> {
    key: &'a Key,
    list: String,
}

impl<'a> Cursors<'a> {
    /// The cursors of the list that `name` and its filters make.
    pub fn new(key: &'a Key, name: &str, filters: &[Option<&str>]) -> Self {
        // As JSON, in which no filter can be mistaken for a part of another.
        Self { key, list: serde_json::to_string(&(VERSION, name, filters)).unwrap_or_default() }
    }

    /// The key of a code.
    pub fn key(bytes: &[u8]) -> Key {
        Key::new(HMAC_SHA256, bytes)
    }

    /// The text for a sort key.
    pub fn write(&self, sort_key: &impl Serialize) -> String {
        // Plain data always serialises; an empty cursor would be refused, not misread.
        let mut bytes = serde_json::to_vec(sort_key).unwrap_or_default();
        let code = self.code(&bytes);
        bytes.extend_from_slice(&code.as_ref()[..CODE]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The sort key in a text.
    ///
    /// # Errors
    /// The reason, for the client.
    pub fn read<T: DeserializeOwned>(&self, text: &str) -> Result<T, String> {
        let not_ours = || "is not a cursor of this list; leave it out to start over".to_owned();
        if text.len() > LONGEST {
            return Err(not_ours());
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| not_ours())?;
        let (json, code) = bytes.split_last_chunk::<CODE>().ok_or_else(not_ours)?;
        let ours = self.code(json);
        aws_lc_rs::constant_time::verify_slices_are_equal(&ours.as_ref()[..CODE], code)
            .map_err(|_| not_ours())?;
        serde_json::from_slice(json).map_err(|_| not_ours())
    }

    fn code(&self, json: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(self.key);
        // The list's description ends where its JSON does.
        context.update(self.list.as_bytes());
        context.update(json);
        context.sign()
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDateTime;

    use super::*;

    type Sort = (NaiveDateTime, i64);

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let key = Cursors::key(&[7; 32]);
        let cursors = Cursors::new(&key, "courses", &[None, Some("beginner")]);
        let at: NaiveDateTime = "2026-02-28T23:59:59.9999999".parse().unwrap();
        for id in [0, 1, i64::MAX, i64::MIN] {
            let text = cursors.write(&(at, id));
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{text}");
            assert_eq!(cursors.read::<Sort>(&text), Ok((at, id)));
        }
    }

    #[test]
    fn a_cursor_is_good_for_its_own_list_only() {
        let key = Cursors::key(&[7; 32]);
        let at: NaiveDateTime = "2026-02-28T23:59:59".parse().unwrap();
        let text = Cursors::new(&key, "courses", &[None, Some("a")]).write(&(at, 1));
        let other = Cursors::key(&[8; 32]);
        for (key, name, filters) in [
            (&key, "courses", vec![None, Some("b")]),
            (&key, "courses", vec![Some("a"), None]),
            (&key, "courses", vec![None, Some("a"), None]),
            (&key, "enrolments", vec![None, Some("a")]),
            (&other, "courses", vec![None, Some("a")]),
        ] {
            assert!(Cursors::new(key, name, &filters).read::<Sort>(&text).is_err(), "{name} {filters:?}");
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let key = Cursors::key(&[7; 32]);
        let cursors = Cursors::new(&key, "courses", &[]);
        let at: NaiveDateTime = "2026-01-01T00:00:00".parse().unwrap();
        let good = cursors.write(&(at, 1));
        let bytes = URL_SAFE_NO_PAD.decode(&good).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(cursors.read::<Sort>(&URL_SAFE_NO_PAD.encode(changed)).is_err(), "byte {at}");
        }
        for text in ["", "%%%", "é", "W10", &good[1..], &format!("{good}="), &"A".repeat(LONGEST + 1)] {
            assert!(cursors.read::<Sort>(text).is_err(), "{text}");
        }
        // Ours, but of something else.
        assert!(cursors.read::<Sort>(&cursors.write(&"x")).is_err());
    }
}
