//! What AWS demands of input, and its words when it is not so.

use serde_json::{Map, Value as Json};

use crate::aws::AwsError;
use crate::context::Context;

/// AWS: 50 tags on a log group.
const MOST_TAGS: usize = 50;

/// `InvalidParameterException`.
pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new("InvalidParameterException", message)
}

/// A breach of the service model's own limits, in the words of its validation.
pub(super) fn constraint(member: &str, value: &str, rule: &str) -> AwsError {
    invalid(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must {rule}"
    ))
}

/// The size of a page.
pub(super) fn limit(asked: Option<i64>, most: i64) -> Result<usize, AwsError> {
    let asked = asked.unwrap_or(most);
    if asked < 1 {
        return Err(constraint("limit", &asked.to_string(), "have value greater than or equal to 1"));
    }
    if asked > most {
        return Err(constraint(
            "limit",
            &asked.to_string(),
            &format!("have value less than or equal to {most}"),
        ));
    }
    Ok(usize::try_from(asked).unwrap_or(1))
}

/// A time of a range, milliseconds since 1970.
pub(super) fn time(member: &str, ms: Option<i64>) -> Result<(), AwsError> {
    match ms {
        Some(ms) if ms < 0 => {
            Err(constraint(member, &ms.to_string(), "have value greater than or equal to 0"))
        }
        _ => Ok(()),
    }
}

/// A group's name: 1 to 512 letters, digits and `._-/#`.
pub(super) fn group_name(name: &str) -> Result<(), AwsError> {
    length(name)?;
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/#".contains(&b)) {
        return Err(constraint(
            "logGroupName",
            name,
            "satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+",
        ));
    }
    Ok(())
}

/// A stream's name: 1 to 512 characters without `:` and `*`.
pub(super) fn stream_name(name: &str) -> Result<(), AwsError> {
    length(name)?;
    if name.contains([':', '*']) {
        return Err(constraint("logStreamName", name, "satisfy regular expression pattern: [^:*]*"));
    }
    Ok(())
}

fn length(name: &str) -> Result<(), AwsError> {
    if name.chars().count() > 512 {
        return Err(invalid(
            "Invalid LogGroup or LogStream, both must have length less than or equal to 512.",
        ));
    }
    if name.is_empty() {
        return Err(invalid(
            "Invalid LogGroup or LogStream, both must have length greater than or equal to 1.",
        ));
    }
    Ok(())
}

/// The group that a call means by `logGroupName` or by `logGroupIdentifier`, a name or an ARN.
pub(super) fn group(
    context: &Context,
    name: Option<&str>,
    identifier: Option<&str>,
) -> Result<String, AwsError> {
    let name = match (name, identifier) {
        (Some(name), None) => name.to_owned(),
        (None, Some(identifier)) if identifier.starts_with("arn:") => group_of_arn(context, identifier)?,
        (None, Some(identifier)) => identifier.to_owned(),
        (Some(_), Some(_)) => {
            return Err(AwsError::validation(
                "LogGroup name and LogGroup ARN are mutually exclusive parameters.",
            ));
        }
        (None, None) => {
            return Err(AwsError::validation("Either LogGroup name or LogGroup ARN must be specified."));
        }
    };
    group_name(&name)?;
    Ok(name)
}

/// The name in a group's ARN, which may end in `:*`.
pub(super) fn group_of_arn(context: &Context, arn: &str) -> Result<String, AwsError> {
    arn.strip_prefix(&context.arn("logs", "log-group:"))
        .map(|name| name.strip_suffix(":*").unwrap_or(name).to_owned())
        .ok_or_else(no_group)
}

/// Adds `tags` to those that are there.
pub(super) fn add_tags(there: &mut Map<String, Json>, tags: Map<String, Json>) -> Result<(), AwsError> {
    for (key, value) in tags {
        let text = value.as_str().ok_or_else(|| constraint("tags", &key, "be a string"))?;
        let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
        if key.is_empty() || key.chars().count() > 128 || !key.chars().all(allowed) {
            return Err(constraint(
                "tags",
                &key,
                "be a key of 1 to 128 letters, digits, spaces and _.:/=+-@",
            ));
        }
        if text.chars().count() > 256 || !text.chars().all(allowed) {
            return Err(constraint("tags", text, "have at most 256 letters, digits, spaces and _.:/=+-@"));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid("Tag keys that begin with aws: are reserved for AWS use."));
        }
        there.insert(key, value);
    }
    if there.len() > MOST_TAGS {
        return Err(AwsError::new(
            "TooManyTagsException",
            format!("A resource can have no more than {MOST_TAGS} tags."),
        ));
    }
    Ok(())
}

/// The group a call names is not there.
pub(super) fn no_group() -> AwsError {
    AwsError::new("ResourceNotFoundException", "The specified log group does not exist.")
}

/// The stream a call names is not there.
pub(super) fn no_stream() -> AwsError {
    AwsError::new("ResourceNotFoundException", "The specified log stream does not exist.")
}

/// A token that no call of this service gave out.
pub(super) fn bad_token() -> AwsError {
    invalid("The specified nextToken is invalid.")
}
