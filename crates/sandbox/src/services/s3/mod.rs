//! S3, as much of it as code on its way to Lambda needs: buckets, objects and multipart uploads (which
//! the aws CLI makes of everything from 8 MB on), by path-style addresses. No versioning: a bucket
//! without it has it switched off on AWS too, and the one version of an object is called `null` there.
//! What else S3 knows (policies, tags, metadata of one's own, encryption, ...) is refused by name.
//!
//! State is one JSON file, contents are files beside it, each under an id of its own: a content is
//! written before anything names it, so a crash leaves at most a stray file, which the next start
//! removes.
//!
//! - `store`: what is kept; `body`: a request's content and its checksums; `xml`: documents;
//! - `buckets`, `objects`, `listing`, `multipart`: the operations.

mod body;
mod buckets;
mod listing;
mod multipart;
mod objects;
mod store;
mod xml;

use std::io;
use std::sync::Arc;

use async_trait::async_trait;

use self::store::Store;
use crate::aws::{AwsError, Call, Protocol, Reply, Route, Service};
use crate::context::Context;

/// The service.
pub struct S3 {
    context: Arc<Context>,
    store: Store,
}

impl S3 {
    /// Opens the objects in the context's folder.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn open(context: Arc<Context>) -> io::Result<Arc<Self>> {
        let store = Store::open(context.path("s3.json"), context.path("s3"))?;
        Ok(Arc::new(Self { context, store }))
    }

    /// An object's content, for another service. Reads from the disk.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`, `NoSuchVersion`.
    pub fn content(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<Vec<u8>, AwsError> {
        if version.is_some_and(|version| version != "null") {
            return Err(
                AwsError::new("NoSuchVersion", "The specified version does not exist.").with_status(404)
            );
        }
        let (_, content) = self.store.open_object(bucket, key)?;
        content.read(None)
    }

    fn answer(&self, call: &Call) -> Result<Reply, AwsError> {
        self.check(call)?;
        match call.operation.as_str() {
            "ListBuckets" => self.list_buckets(),
            "CreateBucket" => self.create_bucket(call),
            "HeadBucket" => self.head_bucket(call),
            "DeleteBucket" => self.delete_bucket(call),
            "GetBucketLocation" => self.bucket_location(call),
            "GetBucketVersioning" => self.bucket_versioning(call),
            "ListObjectsV2" => self.list_objects(call),
            "PutObject" => self.put_object(call),
            "GetObject" => self.get_object(call),
            "HeadObject" => self.head_object(call),
            "DeleteObject" => self.delete_object(call),
            "CreateMultipartUpload" => self.create_upload(call),
            "UploadPart" => self.upload_part(call),
            "CompleteMultipartUpload" => self.complete_upload(call),
            "AbortMultipartUpload" => self.abort_upload(call),
            other => Err(AwsError::unsupported(format_args!("s3 {other}"))),
        }
    }

    /// Refuses what a call asks for besides, in its query or its headers, and is not carried out here.
    fn check(&self, call: &Call) -> Result<(), AwsError> {
        let unknown = call.query.iter().map(|(name, _)| name.as_str()).find(|name| !QUERY.contains(name));
        if let Some(name) = unknown {
            return Err(AwsError::unsupported(format_args!("{name} of s3 {}", call.operation)));
        }
        for name in call.headers.keys().map(http::HeaderName::as_str) {
            let conditional = ["if-none-match", "if-modified-since", "if-unmodified-since"].contains(&name);
            let known = name.starts_with("x-amz-checksum-") || HEADERS.contains(&name);
            if conditional || (name.starts_with("x-amz-") && !known) {
                return Err(AwsError::unsupported(format_args!(
                    "the header {name} of s3 {}",
                    call.operation
                )));
            }
        }
        Ok(())
    }
}

/// What a query may say. `x-id` only repeats the operation.
const QUERY: [&str; 13] = [
    "x-id",
    "location",
    "versioning",
    "list-type",
    "prefix",
    "delimiter",
    "max-keys",
    "start-after",
    "continuation-token",
    "encoding-type",
    "uploads",
    "uploadId",
    "partNumber",
];
/// What headers of S3's own may say, besides checksums. Storage is always the standard class.
const HEADERS: [&str; 8] = [
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-user-agent",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-trailer",
    "x-amz-decoded-content-length",
    "x-amz-mp-object-size",
];

const ROUTES: [Route; 15] = [
    ("GET", "/", "ListBuckets"),
    ("PUT", "/{Bucket}", "CreateBucket"),
    ("PUT", "/{Bucket}/", "CreateBucket"),
    ("HEAD", "/{Bucket}", "HeadBucket"),
    ("HEAD", "/{Bucket}/", "HeadBucket"),
    ("DELETE", "/{Bucket}", "DeleteBucket"),
    ("DELETE", "/{Bucket}/", "DeleteBucket"),
    ("GET", "/{Bucket}", "ListObjects"),
    ("GET", "/{Bucket}/", "ListObjects"),
    ("POST", "/{Bucket}", "DeleteObjects"),
    ("PUT", "/{Bucket}/{*Key}", "PutObject"),
    ("GET", "/{Bucket}/{*Key}", "GetObject"),
    ("HEAD", "/{Bucket}/{*Key}", "HeadObject"),
    ("DELETE", "/{Bucket}/{*Key}", "DeleteObject"),
    ("POST", "/{Bucket}/{*Key}", "PostObject"),
];

#[async_trait]
impl Service for S3 {
    fn signing_name(&self) -> &'static str {
        "s3"
    }

    fn protocol(&self) -> Protocol {
        Protocol::RestXml
    }

    fn routes(&self) -> &'static [Route] {
        &ROUTES
    }

    fn operation(&self, route: &'static str, call: &Call) -> String {
        let says = |name: &str| call.query(name).is_some();
        match route {
            "ListObjects" if says("location") => "GetBucketLocation",
            "ListObjects" if says("versioning") => "GetBucketVersioning",
            "ListObjects" if call.query("list-type") == Some("2") => "ListObjectsV2",
            "CreateBucket" if says("versioning") => "PutBucketVersioning",
            "PutObject" if says("partNumber") => "UploadPart",
            "PutObject" if call.headers.contains_key("x-amz-copy-source") => "CopyObject",
            "PostObject" if says("uploads") => "CreateMultipartUpload",
            "PostObject" if says("uploadId") => "CompleteMultipartUpload",
            "DeleteObject" if says("uploadId") => "AbortMultipartUpload",
            other => other,
        }
        .to_owned()
    }

    fn throttled(&self) -> AwsError {
        AwsError::new("SlowDown", "Please reduce your request rate.").with_status(503)
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, AwsError> {
        // Contents are hashed and written: not on a thread that serves.
        tokio::task::spawn_blocking(move || self.answer(&call))
            .await
            .map_err(|error| AwsError::internal(format!("the call broke off: {error}")))?
    }
}
