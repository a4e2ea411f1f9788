//! `ListObjectsV2`: keys in order, grouped by a delimiter, in pages.

use std::ops::Bound;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::SecondsFormat;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::S3;
use super::store::{Bucket, Object};
use super::xml::{document, element};
use crate::aws::{AwsError, Call, Reply};

/// AWS: a page holds 1,000.
const PAGE: usize = 1_000;
/// What stays as it is in a key that is to be encoded.
const IN_KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What is listed.
enum Item<'s> {
    Object(&'s str, &'s Object),
    Prefix(&'s str),
}

impl S3 {
    pub(super) fn list_objects(&self, call: &Call) -> Result<Reply, AwsError> {
        let invalid = |words: &str| AwsError::new("InvalidArgument", words);
        let text = |name: &str| call.query(name).unwrap_or_default();
        let size = match call.query("max-keys").map(str::parse::<usize>) {
            None => PAGE,
            Some(Ok(size)) => size.min(PAGE),
            Some(Err(_)) => return Err(invalid("Provided max-keys not an integer or within integer range")),
        };
        let encoded = match call.query("encoding-type") {
            None => false,
            Some("url") => true,
            Some(_) => return Err(invalid("Invalid Encoding Method specified in Request")),
        };
        let after = match call.query("continuation-token") {
            None => text("start-after").to_owned(),
            Some(token) => URL_SAFE_NO_PAD
                .decode(token)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| invalid("The continuation token provided is incorrect"))?,
        };
        let named = |name: &str, text: &str| match encoded {
            true => element(name, &utf8_percent_encode(text, IN_KEY).to_string()),
            false => element(name, text),
        };
        let (prefix, delimiter) = (text("prefix"), text("delimiter"));
        let inside = self.store.state.read(|state| {
            let bucket = state.bucket(call.path("Bucket"))?;
            let (items, more) = page(bucket, prefix, delimiter, &after, size);
            let mut inside = element("Name", call.path("Bucket"));
            inside += &named("Prefix", prefix);
            inside += &element("KeyCount", &items.len().to_string());
            inside += &element("MaxKeys", &size.to_string());
            inside += &element("IsTruncated", &more.to_string());
            for (name, text) in [("Delimiter", delimiter), ("StartAfter", text("start-after"))] {
                if !text.is_empty() {
                    inside += &named(name, text);
                }
            }
            if encoded {
                inside += &element("EncodingType", "url");
            }
            if let Some(Item::Object(last, _) | Item::Prefix(last)) = items.last().filter(|_| more) {
                inside += &element("NextContinuationToken", &URL_SAFE_NO_PAD.encode(last));
            }
            for item in items {
                inside += &match item {
                    Item::Object(key, object) => contents(&named("Key", key), object),
                    Item::Prefix(prefix) => {
                        format!("<CommonPrefixes>{}</CommonPrefixes>", named("Prefix", prefix))
                    }
                };
            }
            Ok::<_, AwsError>(inside)
        })?;
        Ok(document("ListBucketResult", &inside))
    }
}

fn contents(key: &str, object: &Object) -> String {
    let modified = element("LastModified", &object.modified.to_rfc3339_opts(SecondsFormat::Millis, true));
    let tag = element("ETag", &format!("\"{}\"", object.kept.etag));
    let size = element("Size", &object.kept.size.to_string());
    format!("<Contents>{key}{modified}{tag}{size}<StorageClass>STANDARD</StorageClass></Contents>")
}

/// A page of a bucket, and whether there is more: what comes after a key, or after everything below a
/// prefix.
fn page<'s>(
    bucket: &'s Bucket,
    prefix: &str,
    delimiter: &str,
    after: &str,
    size: usize,
) -> (Vec<Item<'s>>, bool) {
    let is_prefix = !delimiter.is_empty() && after.ends_with(delimiter);
    let from = if after < prefix { Bound::Included(prefix) } else { Bound::Excluded(after) };
    let keys = bucket
        .objects
        .range::<str, _>((from, Bound::Unbounded))
        .skip_while(|(key, _)| is_prefix && key.starts_with(after))
        .take_while(|(key, _)| key.starts_with(prefix));
    let mut items = Vec::new();
    for (key, object) in keys {
        let item = match key[prefix.len()..].find(delimiter).filter(|_| !delimiter.is_empty()) {
            Some(at) => Item::Prefix(&key[..prefix.len() + at + delimiter.len()]),
            None => Item::Object(key, object),
        };
        match (items.last(), &item) {
            (Some(Item::Prefix(last)), Item::Prefix(this)) if last == this => continue,
            _ if items.len() == size => return (items, size > 0),
            _ => items.push(item),
        }
    }
    (items, false)
}

#[cfg(test)]
mod tests {
    use super::super::store::Kept;
    use super::*;

    #[test]
    fn pages_go_through_everything_once() {
        let object = || Object {
            kept: Kept { file: String::new(), size: 0, etag: String::new() },
            content_type: String::new(),
            modified: chrono::DateTime::UNIX_EPOCH,
        };
        let keys = ["a", "a/1", "a/2", "a/b/1", "b", "c/1", "c/2", "d"];
        let objects = keys.iter().map(|key| ((*key).to_owned(), object())).collect();
        let bucket = Bucket { created: chrono::DateTime::UNIX_EPOCH, objects };
        let all = |prefix: &str, delimiter: &str, size: usize| {
            let (mut seen, mut after) = (Vec::new(), String::new());
            loop {
                let (items, more) = page(&bucket, prefix, delimiter, &after, size);
                assert!(items.len() <= size);
                for item in &items {
                    let (Item::Object(text, _) | Item::Prefix(text)) = item;
                    seen.push((*text).to_owned());
                }
                match (more, seen.last()) {
                    (true, Some(last)) => after.clone_from(last),
                    _ => return seen.join(" "),
                }
            }
        };
        for size in 1..10 {
            assert_eq!(all("", "", size), keys.join(" "));
            assert_eq!(all("", "/", size), "a a/ b c/ d");
            assert_eq!(all("a", "/", size), "a a/");
            assert_eq!(all("a/", "/", size), "a/1 a/2 a/b/");
            assert_eq!(all("c", "", size), "c/1 c/2");
            assert_eq!(all("x", "/", size), "");
        }
        assert!(page(&bucket, "", "", "", 0).0.is_empty());
    }
}
