//! Multipart uploads: an object in parts, each sent by itself.

use std::collections::BTreeMap;

use md5::{Digest, Md5};

use super::S3;
use super::body::{content, hex, too_large};
use super::buckets::nothing;
use super::objects::{checked_key, content_type};
use super::store::{Kept, LARGEST_OBJECT, Object, State, Upload};
use super::xml::{all, document, element, first};
use crate::aws::{AwsError, Call, Reply};

/// AWS: numbers of parts.
const PARTS: std::ops::RangeInclusive<u32> = 1..=10_000;
/// AWS: every part but the last has 5 MB.
const SMALLEST_PART: u64 = 5 * 1024 * 1024;
/// Uploads that are under way. AWS names no limit.
const MOST_UPLOADS: usize = 100;

impl S3 {
    pub(super) fn create_upload(&self, call: &Call) -> Result<Reply, AwsError> {
        let (bucket, key) = (call.path("Bucket"), checked_key(call)?);
        let id = self.context.random.uuid();
        let upload = Upload {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            content_type: content_type(call),
            parts: BTreeMap::new(),
        };
        self.store.change(None, |state: &mut State| {
            state.bucket(bucket)?;
            if state.uploads.len() >= MOST_UPLOADS {
                return Err(AwsError::unsupported(format_args!(
                    "more than {MOST_UPLOADS} multipart uploads at a time; abort some"
                )));
            }
            state.uploads.insert(id.clone(), upload);
            Ok(((), Vec::new()))
        })?;
        let names = [element("Bucket", bucket), element("Key", key), element("UploadId", &id)];
        Ok(document("InitiateMultipartUploadResult", &names.concat()))
    }

    pub(super) fn upload_part(&self, call: &Call) -> Result<Reply, AwsError> {
        let number = call.query("partNumber").and_then(|number| number.parse().ok());
        let number = number.filter(|number| PARTS.contains(number)).ok_or_else(|| {
            AwsError::new("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
        })?;
        self.store.state.read(|state| upload(state, call).map(drop))?;
        let (content, etag) = content(call)?;
        let kept = self.store.keep(&self.context, &content, etag.clone())?;
        self.store.change(Some(&kept), |state: &mut State| {
            let id = upload(state, call)?.to_owned();
            let parts = state.uploads.get_mut(&id).map(|upload| &mut upload.parts).ok_or_else(no_upload)?;
            let before = parts.insert(number, kept.clone());
            Ok(((), before.into_iter().collect()))
        })?;
        Ok(nothing(200).with_header("etag", format!("\"{etag}\"")))
    }

    pub(super) fn complete_upload(&self, call: &Call) -> Result<Reply, AwsError> {
        let (bucket, key) = (call.path("Bucket"), checked_key(call)?);
        let listed = listed(&String::from_utf8_lossy(&call.body))?;
        let parts = self.store.state.read(|state| {
            let held = &state.uploads.get(upload(state, call)?).ok_or_else(no_upload)?.parts;
            chosen(held, &listed)
        })?;
        if parts.iter().map(|part| part.size).sum::<u64>() > LARGEST_OBJECT {
            return Err(too_large());
        }
        let (mut whole, mut digests) = (Vec::new(), Md5::new());
        for part in &parts {
            let bytes = self.store.open_content(part)?.read(None)?;
            digests.update(Md5::digest(&bytes));
            whole.extend(bytes);
        }
        let etag = format!("{}-{}", hex(&digests.finalize()), parts.len());
        let kept = self.store.keep(&self.context, &whole, etag.clone())?;
        self.store.change(Some(&kept), |state: &mut State| {
            let id = upload(state, call)?.to_owned();
            let upload = state.uploads.remove(&id).ok_or_else(no_upload)?;
            let object = Object {
                kept: kept.clone(),
                content_type: upload.content_type,
                modified: self.context.now(),
            };
            let before = state.bucket_mut(bucket)?.objects.insert(key.to_owned(), object);
            let parts = upload.parts.into_values();
            Ok(((), parts.chain(before.map(|object| object.kept)).collect()))
        })?;
        let names = [element("Bucket", bucket), element("Key", key), element("ETag", &format!("\"{etag}\""))];
        Ok(document("CompleteMultipartUploadResult", &names.concat()))
    }

    pub(super) fn abort_upload(&self, call: &Call) -> Result<Reply, AwsError> {
        self.store.change(None, |state: &mut State| {
            let id = upload(state, call)?.to_owned();
            let gone = state.uploads.remove(&id).ok_or_else(no_upload)?;
            Ok(((), gone.parts.into_values().collect()))
        })?;
        Ok(Reply::empty())
    }
}

/// The id of the upload that a call names, which must be of its bucket and key.
fn upload<'c>(state: &State, call: &'c Call) -> Result<&'c str, AwsError> {
    state.bucket(call.path("Bucket"))?;
    let id = call.query("uploadId").unwrap_or_default();
    let found = state
        .uploads
        .get(id)
        .filter(|upload| upload.bucket == call.path("Bucket") && upload.key == call.path("Key"));
    found.map(|_| id).ok_or_else(no_upload)
}

fn no_upload() -> AwsError {
    let words = "The specified upload does not exist. The upload ID may be invalid, or the upload may have \
                 been aborted or completed.";
    AwsError::new("NoSuchUpload", words).with_status(404)
}

/// The parts that the caller wants, in its order: number and tag.
fn listed(document: &str) -> Result<Vec<(u32, String)>, AwsError> {
    let part = |text: &&str| {
        let number = first(text, "PartNumber")?.parse().ok()?;
        Some((number, first(text, "ETag")?.trim_matches('"').to_owned()))
    };
    let parts: Option<Vec<_>> = all(document, "Part").iter().map(part).collect();
    parts.filter(|parts| !parts.is_empty()).ok_or_else(|| {
        let words =
            "The XML you provided was not well-formed or did not validate against our published schema";
        AwsError::new("MalformedXML", words)
    })
}

fn chosen(held: &BTreeMap<u32, Kept>, listed: &[(u32, String)]) -> Result<Vec<Kept>, AwsError> {
    if !listed.windows(2).all(|two| two[0].0 < two[1].0) {
        let words = "The list of parts was not in ascending order. Parts must be ordered by part number.";
        return Err(AwsError::new("InvalidPartOrder", words));
    }
    let mut parts = Vec::new();
    for (number, tag) in listed {
        let part = held.get(number).filter(|part| part.etag == *tag).ok_or_else(|| {
            let words = "One or more of the specified parts could not be found. The part may not have been \
                         uploaded, or the specified entity tag may not match the part's entity tag.";
            AwsError::new("InvalidPart", words).with("PartNumber", number.to_string())
        })?;
        parts.push(part.clone());
    }
    let small = parts.iter().rev().skip(1).any(|part| part.size < SMALLEST_PART);
    if small {
        let words = "Your proposed upload is smaller than the minimum allowed size";
        return Err(AwsError::new("EntityTooSmall", words));
    }
    Ok(parts)
}
