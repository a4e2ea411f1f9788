//! A request's content: taken out of the chunks that SDKs put it in, and held against the checksums that
//! came with it. CRC32, SHA-256 and MD5 are checked; those of other kinds are taken as they are.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::Md5;
use sha2::{Digest, Sha256};

use super::store::LARGEST_OBJECT;
use crate::aws::{AwsError, Call};

/// Headers that come behind a content, by their names in small letters.
type Trailers = Vec<(String, String)>;

/// The content of a call, and its MD5 in hexadecimal.
///
/// # Errors
/// `EntityTooLarge`, `IncompleteBody`, `BadDigest`, `XAmzContentSHA256Mismatch`.
pub(super) fn content(call: &Call) -> Result<(Bytes, String), AwsError> {
    let header = |name: &str| call.headers.get(name).and_then(|value| value.to_str().ok());
    let hash = header("x-amz-content-sha256").unwrap_or_default();
    let (content, trailers) = if hash.starts_with("STREAMING-") {
        let (content, trailers) = unchunked(&call.body)?;
        let said = header("x-amz-decoded-content-length").and_then(|length| length.parse().ok());
        if said != Some(content.len()) {
            return Err(incomplete());
        }
        (Bytes::from(content), trailers)
    } else {
        (call.body.clone(), Vec::new())
    };
    if content.len() as u64 > LARGEST_OBJECT {
        return Err(too_large());
    }
    if hash.len() == 64 && hash != hex(&Sha256::digest(&content)) {
        let words = "The provided 'x-amz-content-sha256' header does not match what was computed.";
        return Err(AwsError::new("XAmzContentSHA256Mismatch", words));
    }
    let digest = Md5::digest(&content);
    if header("content-md5").is_some_and(|said| said != STANDARD.encode(digest)) {
        return Err(AwsError::new(
            "BadDigest",
            "The Content-MD5 you specified did not match what we received.",
        ));
    }
    let said = |name: &str| {
        let trailer = trailers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
        trailer.or_else(|| header(name))
    };
    let mut crc = flate2::Crc::new();
    crc.update(&content);
    let computed = [
        ("CRC32", "x-amz-checksum-crc32", STANDARD.encode(crc.sum().to_be_bytes())),
        ("SHA256", "x-amz-checksum-sha256", STANDARD.encode(Sha256::digest(&content))),
    ];
    for (kind, name, computed) in computed {
        if said(name).is_some_and(|said| said != computed) {
            let words = format!("The {kind} you specified did not match the calculated checksum.");
            return Err(AwsError::new("BadDigest", words));
        }
    }
    Ok((content, hex(&digest)))
}

/// An object is larger than the sandbox takes.
pub(super) fn too_large() -> AwsError {
    let most = LARGEST_OBJECT / (1024 * 1024);
    AwsError::new("EntityTooLarge", format!("Your proposed upload exceeds the sandbox's {most} MB"))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn incomplete() -> AwsError {
    let words = "You did not provide the number of bytes specified by the Content-Length HTTP header";
    AwsError::new("IncompleteBody", words)
}

/// Takes chunks apart (`aws-chunked`): a size in hexadecimal, perhaps a signature, the bytes; the last is
/// of size 0 and headers follow it. Signatures are not checked, here as elsewhere.
fn unchunked(mut rest: &[u8]) -> Result<(Vec<u8>, Trailers), AwsError> {
    let mut content = Vec::new();
    loop {
        let line = line(&mut rest).ok_or_else(incomplete)?;
        let size = line.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size, 16).map_err(|_| incomplete())?;
        if size == 0 {
            break;
        }
        let (chunk, after) = rest.split_at_checked(size).ok_or_else(incomplete)?;
        content.extend_from_slice(chunk);
        rest = after.strip_prefix(b"\r\n").ok_or_else(incomplete)?;
    }
    let mut trailers = Vec::new();
    while let Some(line) = line(&mut rest) {
        if let Some((name, value)) = line.split_once(':') {
            trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    Ok((content, trailers))
}

/// Takes a line off the front; none where it does not end.
fn line<'t>(rest: &mut &'t [u8]) -> Option<&'t str> {
    let end = rest.windows(2).position(|two| two == b"\r\n")?;
    let (line, after) = rest.split_at(end);
    *rest = &after[2..];
    std::str::from_utf8(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Headers<'h> = &'h [(&'static str, &'h str)];

    fn call(headers: Headers<'_>, body: &str) -> Call {
        Call {
            operation: "PutObject".to_owned(),
            path: Default::default(),
            query: Vec::new(),
            headers: headers
                .iter()
                .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
                .collect(),
            body: Bytes::from(body.to_owned()),
            input: serde_json::Value::Null,
            access_key: "AKIATEST".to_owned(),
            request_id: "r".to_owned(),
        }
    }

    /// MD5, SHA-256 and CRC32 of "hello world", made with other programs.
    const MD5: &str = "5eb63bbbe01eeed093cb22bb8f5acdc3";
    const SHA256: &str = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";
    const CRC32: &str = "DUoRhQ==";

    const CHUNKED: (&str, &str) = ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    const LENGTH: (&str, &str) = ("x-amz-decoded-content-length", "11");

    #[test]
    fn chunks_are_put_together_and_checksums_hold() {
        let trailer = format!(
            "6\r\nhello \r\n5;chunk-signature=ab\r\nworld\r\n0\r\nx-amz-checksum-crc32:{CRC32}\r\n\r\n"
        );
        let good: [(Headers<'_>, &str); 5] = [
            (&[], "hello world"),
            (&[("x-amz-content-sha256", SHA256), ("x-amz-checksum-crc32", CRC32)], "hello world"),
            (&[("content-md5", "XrY7u+Ae7tCTyyK7j1rNww==")], "hello world"),
            (&[CHUNKED, LENGTH], &trailer),
            (&[CHUNKED, LENGTH], "b\r\nhello world\r\n0\r\n\r\n"),
        ];
        for (headers, body) in good {
            let (content, etag) = content(&call(headers, body)).unwrap();
            assert_eq!((&content[..], etag.as_str()), (&b"hello world"[..], MD5), "{headers:?}");
        }
        let wrong = trailer.replace(CRC32, "AAAAAA==");
        let bad: [(Headers<'_>, &str, &str); 9] = [
            (&[("x-amz-content-sha256", SHA256)], "hello worlds", "XAmzContentSHA256Mismatch"),
            (&[("x-amz-checksum-crc32", CRC32)], "hello worlds", "BadDigest"),
            (&[("x-amz-checksum-sha256", CRC32)], "hello world", "BadDigest"),
            (&[("content-md5", "XrY7u+Ae7tCTyyK7j1rNww==")], "hello worlds", "BadDigest"),
            (&[CHUNKED, LENGTH], &wrong, "BadDigest"),
            (&[CHUNKED], &trailer, "IncompleteBody"),
            (&[CHUNKED, LENGTH], "a\r\nhello worl\r\n0\r\n\r\n", "IncompleteBody"),
            (&[CHUNKED, LENGTH], "ffffffffffffffff\r\nhello", "IncompleteBody"),
            (&[CHUNKED, LENGTH], "b\r\nhello world", "IncompleteBody"),
        ];
        for (headers, body, code) in bad {
            let error = content(&call(headers, body)).unwrap_err();
            assert_eq!(error.code, code, "{headers:?} {body:?}");
        }
    }
}
