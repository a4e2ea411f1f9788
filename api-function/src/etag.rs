//! Entity tags and the conditions made of them (RFC 9110, 8.8.3 and 13.1).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lambda_http::http::HeaderValue;

use crate::problem::{Kind, Problem};

/// So many tags of a condition are looked at. A client has one, or a few from a few caches.
const MOST_TAGS: usize = 16;

/// The tag of a row: its `rowversion`, in hexadecimal.
pub fn of_version(version: &[u8]) -> String {
    version.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The tag of a text: a hash of it.
pub fn of_text(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(&digest(&SHA256, text.as_bytes()).as_ref()[..16])
}

/// The header's value for a tag. The letters of both kinds can always stand in a header.
pub fn header(tag: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{tag}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// Whether `If-None-Match` names the tag, so that the client has what would be sent. Weakly compared,
/// as the rule for this header is.
pub fn is_held(if_none_match: Option<&str>, tag: &str) -> bool {
    match if_none_match.map(str::trim) {
        None => false,
        Some("*") => true,
        Some(list) => tags(list).any(|(_, held)| held == tag),
    }
}

/// What `If-Match` demands of a row before it is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// That it is there.
    Exists,
    /// That its `rowversion` is one of these.
    Version(Vec<Vec<u8>>),
}

/// Reads `If-Match`. Strongly compared: a weak tag matches nothing, and neither does one that is no tag
/// of ours.
///
/// # Errors
/// 428 without the header: who changes a thing says which state of it they have seen.
pub fn condition(if_match: Option<&str>) -> Result<Condition, Problem> {
    match if_match.map(str::trim) {
        None | Some("") => Err(Problem::new(
            Kind::PreconditionRequired,
            "Say in If-Match which state is changed: the ETag of the answer you have, or * for any.",
        )),
        Some("*") => Ok(Condition::Exists),
        Some(list) => Ok(Condition::Version(
            tags(list).filter(|(weak, _)| !weak).filter_map(|(_, tag)| version(tag)).collect(),
        )),
    }
}

fn version(tag: &str) -> Option<Vec<u8>> {
    // rowversion has 8 bytes.
    if tag.len() != 16 || !tag.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(tag, 16).ok().map(|number| number.to_be_bytes().to_vec())
}

/// The tags of a list: whether weak, and what stands between the quotation marks.
fn tags(list: &str) -> impl Iterator<Item = (bool, &str)> {
    let parts = list.split(',').take(MOST_TAGS).map(str::trim);
    parts.filter_map(|part| {
        let (weak, rest) = match part.strip_prefix("W/") {
            Some(rest) => (true, rest),
            None => (false, part),
        };
        Some((weak, rest.strip_prefix('"')?.strip_suffix('"')?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "00000000000007d1";

    #[test]
    fn a_version_goes_out_and_comes_back() {
        let bytes = 2001_u64.to_be_bytes();
        assert_eq!(of_version(&bytes), TAG);
        assert_eq!(version(TAG), Some(bytes.to_vec()));
        assert_eq!(header(TAG), "\"00000000000007d1\"");
        assert_eq!(of_text("a").len(), 22);
        assert_ne!(of_text("a"), of_text("b"));
    }

    #[test]
    fn what_a_client_holds_is_not_sent_again() {
        let cases = [
            (None, false),
            (Some("*"), true),
            (Some("\"00000000000007d1\""), true),
            (Some("W/\"00000000000007d1\""), true),
            (Some("\"x\", \"00000000000007d1\""), true),
            (Some("00000000000007d1"), false),
            (Some("\"x\""), false),
            (Some(""), false),
        ];
        for (header, held) in cases {
            assert_eq!(is_held(header, TAG), held, "{header:?}");
        }
    }

    #[test]
    fn conditions_are_read_strongly() {
        let bytes = 2001_u64.to_be_bytes().to_vec();
        let cases = [
            (Some("*"), Some(Condition::Exists)),
            (Some("\"00000000000007d1\""), Some(Condition::Version(vec![bytes.clone()]))),
            (Some("\"x\", \"00000000000007d1\""), Some(Condition::Version(vec![bytes]))),
            (Some("W/\"00000000000007d1\""), Some(Condition::Version(vec![]))),
            (Some("\"00000000000007dg\""), Some(Condition::Version(vec![]))),
            (Some("\"+0000000000007d1\""), Some(Condition::Version(vec![]))),
            (Some("\"7d1\""), Some(Condition::Version(vec![]))),
            (Some("nonsense"), Some(Condition::Version(vec![]))),
            (Some(" "), None),
            (None, None),
        ];
        for (header, expected) in cases {
            assert_eq!(condition(header).ok(), expected, "{header:?}");
        }
        assert_eq!(condition(None).unwrap_err().response("").status(), 428);
    }

    #[test]
    fn a_long_list_is_not_read_to_its_end() {
        let list = format!("{}\"{TAG}\"", "\"x\",".repeat(10_000));
        assert!(!is_held(Some(&list), TAG));
    }
}
