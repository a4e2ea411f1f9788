//! What AWS demands of input before it looks at any secret.

use serde::Deserialize;

use super::state::Value;
use crate::aws::AwsError;

/// AWS: 65,536 bytes for a secret's value.
const LARGEST_VALUE: usize = 65_536;
/// AWS: 50 tags on a secret.
pub(super) const MOST_TAGS: usize = 50;

/// A tag as it travels.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Tag {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: String,
}

/// A breach of the service model's own limits, in the words of its validation.
fn constraint(member: &str, value: Option<&str>, rule: &str) -> AwsError {
    let value = value.map(|value| format!(" '{value}'")).unwrap_or_default();
    AwsError::validation(format!(
        "1 validation error detected: Value{value} at '{member}' failed to satisfy constraint: Member must {rule}"
    ))
}

/// Checks a length in characters.
pub(super) fn length(member: &str, text: &str, least: usize, most: usize) -> Result<(), AwsError> {
    match text.chars().count() {
        n if n < least => {
            Err(constraint(member, Some(text), &format!("have length greater than or equal to {least}")))
        }
        n if n > most => {
            Err(constraint(member, Some(text), &format!("have length less than or equal to {most}")))
        }
        _ => Ok(()),
    }
}

/// Checks a number.
pub(super) fn range(member: &str, value: i64, least: i64, most: i64) -> Result<(), AwsError> {
    let shown = value.to_string();
    if value < least {
        return Err(constraint(
            member,
            Some(&shown),
            &format!("have value greater than or equal to {least}"),
        ));
    }
    if value > most {
        return Err(constraint(member, Some(&shown), &format!("have value less than or equal to {most}")));
    }
    Ok(())
}

/// The size of a page: what was asked for, or `otherwise`.
pub(super) fn page(asked: Option<i64>, most: i64, otherwise: usize) -> Result<usize, AwsError> {
    let Some(asked) = asked else { return Ok(otherwise) };
    range("maxResults", asked, 1, most)?;
    Ok(usize::try_from(asked).unwrap_or(otherwise))
}

/// Letters, digits and `-/_+=.@!`, at most 512 of them.
pub(super) fn name(name: &str) -> Result<(), AwsError> {
    length("name", name, 1, 512)?;
    if name.chars().all(|c| c.is_ascii_alphanumeric() || "-/_+=.@!".contains(c)) {
        return Ok(());
    }
    Err(AwsError::validation(
        "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: \
         -/_+=.@!",
    ))
}

/// A name, or an ARN, which has colons besides.
pub(super) fn secret_id(id: &str) -> Result<(), AwsError> {
    length("secretId", id, 1, 2048)?;
    match id.strip_prefix("arn:") {
        Some(rest) => name(rest.rsplit(':').next().unwrap_or_default()),
        None => name(id),
    }
}

/// The `ClientRequestToken`, which every SDK fills in by itself and the raw protocol demands.
pub(super) fn token(token: Option<String>) -> Result<String, AwsError> {
    let token = token.ok_or_else(|| {
        AwsError::new(
            "InvalidRequestException",
            "You must provide a ClientRequestToken value. We recommend a UUID-type value.",
        )
    })?;
    length("clientRequestToken", &token, 32, 64)?;
    Ok(token)
}

/// A version id: 32 to 64 characters.
pub(super) fn version_id(member: &str, id: Option<&str>) -> Result<(), AwsError> {
    id.map_or(Ok(()), |id| length(member, id, 32, 64))
}

/// A staging label.
pub(super) fn label(label: &str) -> Result<(), AwsError> {
    length("versionStage", label, 1, 256)
}

/// The value of a call, if there is one.
pub(super) fn value(text: Option<String>, binary: Option<String>) -> Result<Option<Value>, AwsError> {
    match (text, binary) {
        (Some(_), Some(_)) => Err(AwsError::new(
            "InvalidParameterException",
            "You can't specify both a binary secret value and a string secret value in the same secret.",
        )),
        (Some(text), None) => {
            // The value is a secret: the message does not repeat it.
            size("secretString", text.len())?;
            Ok(Some(Value::Text(text)))
        }
        (None, Some(binary)) => {
            use base64::Engine;
            let bytes = base64::engine::general_purpose::STANDARD.decode(&binary).map_err(|_| {
                AwsError::new("SerializationException", "SecretBinary is not base64 with its padding")
            })?;
            size("secretBinary", bytes.len())?;
            Ok(Some(Value::Binary(binary)))
        }
        (None, None) => Ok(None),
    }
}

fn size(member: &str, bytes: usize) -> Result<(), AwsError> {
    match bytes {
        0 => Err(constraint(member, None, "have length greater than or equal to 1")),
        n if n > LARGEST_VALUE => {
            Err(constraint(member, None, &format!("have length less than or equal to {LARGEST_VALUE}")))
        }
        _ => Ok(()),
    }
}

/// Tags: keys of 1 to 128 characters, each once, none of AWS's own; values of at most 256.
pub(super) fn tags(tags: &[Tag]) -> Result<(), AwsError> {
    for (n, tag) in tags.iter().enumerate() {
        length("tags.key", &tag.key, 1, 128)?;
        length("tags.value", &tag.value, 0, 256)?;
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            return Err(AwsError::new(
                "InvalidParameterException",
                "Tag keys that begin with aws: are reserved for AWS use.",
            ));
        }
        if tags[..n].iter().any(|other| other.key == tag.key) {
            return Err(AwsError::new(
                "InvalidParameterException",
                format!("Duplicate tag key: {}", tag.key),
            ));
        }
    }
    Ok(())
}
