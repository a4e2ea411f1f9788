//! Buckets.

use chrono::SecondsFormat;

use super::S3;
use super::store::{Bucket, State};
use super::xml::{document, element, first};
use crate::aws::{AwsError, Body, Call, Reply};

/// AWS: 100 buckets for an account, unless it asks for more.
const MOST_BUCKETS: usize = 100;
/// The region whose buckets name no location.
const FIRST_REGION: &str = "us-east-1";

impl S3 {
    pub(super) fn list_buckets(&self) -> Result<Reply, AwsError> {
        let account = &self.context.account;
        let buckets = self.store.state.read(|state| {
            let shown = |(name, bucket): (&String, &Bucket)| {
                let created = bucket.created.to_rfc3339_opts(SecondsFormat::Millis, true);
                format!("<Bucket>{}{}</Bucket>", element("Name", name), element("CreationDate", &created))
            };
            state.buckets.iter().map(shown).collect::<String>()
        });
        let owner = format!("<Owner>{}</Owner>", element("ID", account));
        Ok(document("ListAllMyBucketsResult", &format!("{owner}<Buckets>{buckets}</Buckets>")))
    }

    pub(super) fn create_bucket(&self, call: &Call) -> Result<Reply, AwsError> {
        let name = call.path("Bucket");
        if !is_bucket_name(name) {
            return Err(AwsError::new("InvalidBucketName", "The specified bucket is not valid.")
                .with("BucketName", name));
        }
        let location = first(&String::from_utf8_lossy(&call.body), "LocationConstraint");
        let region = self.context.region.as_str();
        if location.as_deref().unwrap_or(FIRST_REGION) != region {
            let location = location.as_deref().unwrap_or("unspecified");
            return Err(AwsError::new(
                "IllegalLocationConstraintException",
                format!(
                    "The {location} location constraint is incompatible for the region specific endpoint this \
                     request was sent to."
                ),
            ));
        }
        self.store.change(None, |state: &mut State| {
            if state.buckets.contains_key(name) {
                let words =
                    "Your previous request to create the named bucket succeeded and you already own it.";
                return Err(AwsError::new("BucketAlreadyOwnedByYou", words)
                    .with_status(409)
                    .with("BucketName", name));
            }
            if state.buckets.len() >= MOST_BUCKETS {
                let words = "You have attempted to create more buckets than allowed";
                return Err(AwsError::new("TooManyBuckets", words));
            }
            let bucket = Bucket { created: self.context.now(), objects: Default::default() };
            state.buckets.insert(name.to_owned(), bucket);
            Ok(((), Vec::new()))
        })?;
        Ok(nothing(200).with_header("location", format!("/{name}")))
    }

    pub(super) fn head_bucket(&self, call: &Call) -> Result<Reply, AwsError> {
        self.store.state.read(|state| state.bucket(call.path("Bucket")).map(drop))?;
        Ok(nothing(200).with_header("x-amz-bucket-region", self.context.region.clone()))
    }

    pub(super) fn delete_bucket(&self, call: &Call) -> Result<Reply, AwsError> {
        let name = call.path("Bucket");
        self.store.change(None, |state: &mut State| {
            if !state.bucket(name)?.objects.is_empty() {
                let words = "The bucket you tried to delete is not empty";
                return Err(AwsError::new("BucketNotEmpty", words).with_status(409).with("BucketName", name));
            }
            state.buckets.remove(name);
            let (of_bucket, others): (Vec<_>, Vec<_>) =
                std::mem::take(&mut state.uploads).into_iter().partition(|(_, upload)| upload.bucket == name);
            state.uploads = others.into_iter().collect();
            Ok(((), of_bucket.into_iter().flat_map(|(_, upload)| upload.parts.into_values()).collect()))
        })?;
        Ok(Reply::empty())
    }

    pub(super) fn bucket_location(&self, call: &Call) -> Result<Reply, AwsError> {
        self.store.state.read(|state| state.bucket(call.path("Bucket")).map(drop))?;
        let region = self.context.region.as_str();
        Ok(document("LocationConstraint", if region == FIRST_REGION { "" } else { region }))
    }

    /// Never switched on, which is an empty document.
    pub(super) fn bucket_versioning(&self, call: &Call) -> Result<Reply, AwsError> {
        self.store.state.read(|state| state.bucket(call.path("Bucket")).map(drop))?;
        Ok(document("VersioningConfiguration", ""))
    }
}

/// An answer without a body.
pub(super) fn nothing(status: u16) -> Reply {
    Reply { status, headers: Vec::new(), body: Body::Empty }
}

/// AWS: 3 to 63 small letters, digits, dots and hyphens, a letter or digit at both ends, no two dots in a
/// row, and nothing that looks like an address.
fn is_bucket_name(name: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = name.as_bytes();
    (3..=63).contains(&name.len())
        && bytes.iter().all(|b| word(*b) || matches!(b, b'.' | b'-'))
        && bytes.first().is_some_and(|b| word(*b))
        && bytes.last().is_some_and(|b| word(*b))
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_buckets() {
        for name in ["abc", "learninghub-code", "a.b.c", "0ab", &"a".repeat(63)] {
            assert!(is_bucket_name(name), "{name}");
        }
        for name in ["ab", "Abc", "a_b", "-ab", "ab-", "a..b", "10.0.0.1", "a b", "äbc", &"a".repeat(64)] {
            assert!(!is_bucket_name(name), "{name}");
        }
    }
}
