//! Where a page of a list ends: the sort key of its last item, as text for an address.
//!
//! Opaque to clients: base64url of JSON that begins with a version. A cursor of another version is
//! refused, and the client starts over. It grants nothing (it names a place in a public order), so
//! it is checked for its form only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version of the cursors this code writes.
const VERSION: u8 = 1;
/// The longest text that is looked at.
const LONGEST: usize = 512;

/// The text for a sort key.
pub fn encode(key: &impl Serialize) -> String {
    // Plain data always serialises; an empty cursor would be refused, not misread.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&(VERSION, key)).unwrap_or_default())
}

/// The sort key in a text.
///
/// # Errors
/// The reason, for the client.
pub fn decode<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let not_ours = || "is not a cursor of this list; leave it out to start over".to_owned();
    if text.len() > LONGEST {
        return Err(not_ours());
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| not_ours())?;
    let (version, key): (u8, T) = serde_json::from_slice(&bytes).map_err(|_| not_ours())?;
    if version == VERSION { Ok(key) } else { Err(not_ours()) }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDateTime;

    use super::*;

    type Key = (NaiveDateTime, i64);

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let at: NaiveDateTime = "2026-02-28T23:59:59.9999999".parse().unwrap();
        for id in [0, 1, i64::MAX, i64::MIN] {
            let text = encode(&(at, id));
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{text}");
            assert_eq!(decode::<Key>(&text), Ok((at, id)));
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let of = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let cases = [
            String::new(),
            "%%%".to_owned(),
            "é".to_owned(),
            of(""),
            of("[]"),
            of("null"),
            of(r#"[1,["2026-01-01T00:00:00"]]"#),
            of(r#"[1,["yesterday",1]]"#),
            of(r#"[1,["2026-01-01T00:00:00","1"]]"#),
            of(r#"[1,["2026-01-01T00:00:00",1]] "#) + "=",
            of(r#"[2,["2026-01-01T00:00:00",1]]"#),
            of(r#"[1,["2026-01-01T00:00:00",1],3]"#),
            "A".repeat(LONGEST + 1),
        ];
        for text in cases {
            assert!(decode::<Key>(&text).is_err(), "{text}");
        }
    }
}
