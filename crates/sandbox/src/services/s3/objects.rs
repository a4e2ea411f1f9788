//! Objects: put, get, head, delete.

use std::ops::RangeInclusive;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::S3;
use super::body::content;
use super::buckets::nothing;
use super::store::{Object, State};
use crate::aws::{AwsError, Body, Call, Reply};

/// AWS: bytes of a key.
const LONGEST_KEY: usize = 1_024;

impl S3 {
    pub(super) fn put_object(&self, call: &Call) -> Result<Reply, AwsError> {
        let (bucket, key) = (call.path("Bucket"), checked_key(call)?);
        self.store.state.read(|state| state.bucket(bucket).map(drop))?;
        if call.headers.contains_key("if-match") {
            return Err(AwsError::unsupported("the header if-match of s3 PutObject"));
        }
        let (content, etag) = content(call)?;
        let kept = self.store.keep(&self.context, &content, etag.clone())?;
        let object =
            Object { kept: kept.clone(), content_type: content_type(call), modified: self.context.now() };
        self.store.change(Some(&kept), |state: &mut State| {
            let before = state.bucket_mut(bucket)?.objects.insert(key.to_owned(), object);
            Ok(((), before.map(|object| object.kept).into_iter().collect()))
        })?;
        Ok(nothing(200).with_header("etag", format!("\"{etag}\"")))
    }

    pub(super) fn get_object(&self, call: &Call) -> Result<Reply, AwsError> {
        let (object, content) = self.store.open_object(call.path("Bucket"), checked_key(call)?)?;
        check_match(call, &object)?;
        let part = part(call, object.kept.size)?;
        let bytes = Bytes::from(content.read(part.clone())?);
        let reply = Reply { body: Body::Plain(bytes), ..described(&object) };
        Ok(match part {
            None => reply,
            Some(part) => {
                let range = format!("bytes {}-{}/{}", part.start(), part.end(), object.kept.size);
                reply.with_status(206).with_header("content-range", range)
            }
        })
    }

    pub(super) fn head_object(&self, call: &Call) -> Result<Reply, AwsError> {
        let (object, _) = self.store.open_object(call.path("Bucket"), checked_key(call)?)?;
        check_match(call, &object)?;
        Ok(described(&object).with_header("content-length", object.kept.size.to_string()))
    }

    /// Deleting what is not there is a success, as on AWS.
    pub(super) fn delete_object(&self, call: &Call) -> Result<Reply, AwsError> {
        let key = checked_key(call)?;
        self.store.change(None, |state: &mut State| {
            let gone = state.bucket_mut(call.path("Bucket"))?.objects.remove(key);
            Ok(((), gone.map(|object| object.kept).into_iter().collect()))
        })?;
        Ok(Reply::empty())
    }
}

/// What an answer about an object says of it.
fn described(object: &Object) -> Reply {
    nothing(200)
        .with_header("etag", format!("\"{}\"", object.kept.etag))
        .with_header("last-modified", http_date(object.modified))
        .with_header("accept-ranges", "bytes")
        .with_header("content-type", object.content_type.clone())
}

fn http_date(time: DateTime<Utc>) -> String {
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

pub(super) fn content_type(call: &Call) -> String {
    let given = call.headers.get("content-type").and_then(|value| value.to_str().ok());
    given.unwrap_or("binary/octet-stream").to_owned()
}

/// A call's key.
///
/// # Errors
/// `KeyTooLongError`; `SandboxUnsupported` for control characters, which XML can't hold.
pub(super) fn checked_key(call: &Call) -> Result<&str, AwsError> {
    let key = call.path("Key");
    if key.len() > LONGEST_KEY {
        return Err(AwsError::new("KeyTooLongError", "Your key is too long"));
    }
    if key.chars().any(char::is_control) {
        return Err(AwsError::unsupported("control characters in a key of S3"));
    }
    Ok(key)
}

/// `If-Match`, by which a client that reads in parts sees that it reads one and the same object.
fn check_match(call: &Call, object: &Object) -> Result<(), AwsError> {
    let wanted = call.headers.get("if-match").and_then(|value| value.to_str().ok());
    match wanted.map(|tag| tag.trim_matches('"')) {
        None | Some("*") => Ok(()),
        Some(tag) if tag == object.kept.etag => Ok(()),
        Some(_) => {
            let words = "At least one of the pre-conditions you specified did not hold";
            Err(AwsError::new("PreconditionFailed", words).with_status(412).with("Condition", "If-Match"))
        }
    }
}

/// The part of an object that is asked for. A range that is not understood is none (RFC 9110, 14.2).
fn part(call: &Call, size: u64) -> Result<Option<RangeInclusive<u64>>, AwsError> {
    let range = call.headers.get("range").and_then(|value| value.to_str().ok());
    let Some((from, to)) = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) else {
        return Ok(None);
    };
    let last = size.saturating_sub(1);
    let part = match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), Ok(to)) if from <= to => from..=to.min(last),
        (Ok(from), Err(_)) if to.is_empty() => from..=last,
        (Err(_), Ok(length)) if from.is_empty() && length > 0 => size.saturating_sub(length)..=last,
        _ => return Ok(None),
    };
    if *part.start() >= size {
        return Err(AwsError::new("InvalidRange", "The requested range is not satisfiable").with_status(416));
    }
    Ok(Some(part))
}
