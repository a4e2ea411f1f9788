//! Where code comes from: a zip in the request, or an object of S3.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::errors::invalid;
use super::{Core, Lambda};
use crate::aws::AwsError;
use crate::services::s3::S3;

/// AWS: 50 MB zipped for a direct upload. What comes from S3 is measured when it is unzipped.
pub(super) const LARGEST_ZIP: usize = 52_428_800;

/// The members that say where code comes from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct CodeInput {
    zip_file: Option<String>,
    s3_bucket: Option<String>,
    s3_key: Option<String>,
    s3_object_version: Option<String>,
    s3_object_storage_mode: Option<Value>,
    image_uri: Option<Value>,
    #[serde(rename = "SourceKMSKeyArn")]
    source_kms_key_arn: Option<Value>,
}

/// Their names.
pub(super) const CODE_MEMBERS: [&str; 7] =
    ["ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion", "S3ObjectStorageMode", "ImageUri", "SourceKMSKeyArn"];

impl Lambda {
    /// Says where objects are. Only the first word counts.
    pub fn fetch_from(&self, objects: Arc<S3>) {
        // A second word is a mistake of the caller's that changes nothing.
        let _ = self.core.objects.set(objects);
    }
}

impl Core {
    /// The zip that an input names.
    ///
    /// # Errors
    /// `InvalidParameterValueException` where there is none, with S3's own code and words for an object;
    /// `RequestEntityTooLargeException` for one in the request.
    pub(super) async fn zip(&self, input: CodeInput, operation: &str) -> Result<Bytes, AwsError> {
        let refused = [
            ("S3ObjectStorageMode", &input.s3_object_storage_mode),
            ("ImageUri", &input.image_uri),
            ("SourceKMSKeyArn", &input.source_kms_key_arn),
        ];
        if let Some((name, _)) = refused.iter().find(|(_, value)| value.is_some()) {
            return Err(AwsError::unsupported(format_args!("{name}: code comes as a zip")));
        }
        match (input.zip_file, input.s3_bucket, input.s3_key) {
            (Some(text), None, None) if input.s3_object_version.is_none() => uploaded(&text, operation),
            (None, Some(bucket), Some(key)) => self.fetched(bucket, key, input.s3_object_version).await,
            (Some(_), ..) => {
                Err(invalid("Please do not provide other FunctionCode parameters when providing a ZipFile."))
            }
            _ => Err(invalid("Please provide a source for function code.")),
        }
    }

    async fn fetched(&self, bucket: String, key: String, version: Option<String>) -> Result<Bytes, AwsError> {
        let Some(objects) = self.objects.get().cloned() else {
            return Err(AwsError::unsupported("S3Bucket where there is no S3"));
        };
        let read = move || objects.content(&bucket, &key, version.as_deref());
        let read = tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| AwsError::internal(format!("reading from S3 broke off: {error}")))?;
        read.map(Bytes::from).map_err(|error| {
            if error.status >= 500 {
                return error;
            }
            invalid(format!(
                "Error occurred while GetObject. S3 Error Code: {}. S3 Error Message: {}",
                error.code, error.message
            ))
        })
    }
}

fn uploaded(text: &str, operation: &str) -> Result<Bytes, AwsError> {
    let zip = STANDARD.decode(text).map_err(|error| {
        AwsError::new("SerializationException", format!("ZipFile is not base64: {error}"))
    })?;
    if zip.len() > LARGEST_ZIP {
        return Err(AwsError::new(
            "RequestEntityTooLargeException",
            format!("Request must be smaller than 70167211 bytes for the {operation} operation"),
        )
        .with_status(413));
    }
    Ok(zip.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_base64_and_not_too_large() {
        let large = STANDARD.encode(vec![0; LARGEST_ZIP + 1]);
        let large = uploaded(&large, "CreateFunction").unwrap_err();
        assert_eq!((large.code.as_str(), large.status), ("RequestEntityTooLargeException", 413));
        assert_eq!(uploaded("UEs=", "CreateFunction").unwrap(), "PK");
        assert_eq!(uploaded("no base64!", "CreateFunction").unwrap_err().code, "SerializationException");
    }
}
