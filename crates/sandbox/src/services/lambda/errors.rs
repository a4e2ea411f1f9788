//! Lambda's refusals, in its own codes and words.

use crate::aws::AwsError;

/// `InvalidParameterValueException` (400).
pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new("InvalidParameterValueException", message).with("Type", "User")
}

/// `ResourceNotFoundException` (404).
pub(super) fn not_found(message: impl Into<String>) -> AwsError {
    AwsError::new("ResourceNotFoundException", message).with_status(404).with("Type", "User")
}

/// No function, version or alias of that ARN.
pub(super) fn function_not_found(arn: &str) -> AwsError {
    not_found(format!("Function not found: {arn}"))
}

/// `ResourceConflictException` (409).
pub(super) fn conflict(message: impl Into<String>) -> AwsError {
    AwsError::new("ResourceConflictException", message).with_status(409).with("Type", "User")
}

/// The function is still being made.
pub(super) fn pending() -> AwsError {
    conflict(
        "The operation cannot be performed at this time. The function is currently in the following state: \
         Pending",
    )
}

/// The version could not be made, or the function's last change did not take effect.
pub(super) fn failed() -> AwsError {
    conflict(
        "The operation cannot be performed at this time. The function is currently in the following state: \
         Failed",
    )
}

/// Why an update failed, in words: AWS's for the codes that a function in a VPC meets.
pub(super) fn update_failed(code: &str) -> String {
    match code {
        "SubnetOutOfIPAddresses" => {
            "Lambda was not able to set up VPC access for the Lambda function because one or more configured \
             subnets has no available IP addresses."
        }
        "EniLimitExceeded" => {
            "Lambda was not able to create an elastic network interface in the VPC, specified as part of Lambda \
             function configuration, because the limit for network interfaces has been reached."
        }
        "KMSKeyAccessDenied" => {
            "Lambda was unable to decrypt your environment variables because the KMS access was denied. Please \
             check your KMS permissions."
        }
        "InvalidZipFileException" => {
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        }
        other => return format!("The update failed: {other}."),
    }
    .to_owned()
}

/// Another update has not ended yet.
pub(super) fn in_progress(arn: &str) -> AwsError {
    conflict(format!(
        "The operation cannot be performed at this time. An update is in progress for resource: {arn}"
    ))
}

/// A stale `RevisionId` (412).
pub(super) fn stale_revision() -> AwsError {
    precondition(
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to \
         retrieve the latest Revision Id",
    )
}

/// A stale `RevisionId` of a policy (412).
pub(super) fn stale_policy() -> AwsError {
    precondition(
        "The RevisionId provided does not match the latest RevisionId. Call the GetPolicy API to retrieve the \
         latest Revision Id",
    )
}

fn precondition(message: &str) -> AwsError {
    AwsError::new("PreconditionFailedException", message).with_status(412).with("Type", "User")
}

/// `TooManyRequestsException` (429) of an invocation, with its reason and when to come back.
pub(super) fn throttled(reason: &str) -> AwsError {
    AwsError::new("TooManyRequestsException", "Rate Exceeded.")
        .with_status(429)
        .with("Type", "User")
        .with("Reason", reason)
        .with("retryAfterSeconds", "1")
}

/// `ValidationException` (400) in the words of the input's own model.
pub(super) fn constraint(value: impl std::fmt::Display, at: &str, rule: &str) -> AwsError {
    AwsError::validation(format!(
        "1 validation error detected: Value '{value}' at '{at}' failed to satisfy constraint: {rule}"
    ))
}

/// A value that breaks its pattern.
pub(super) fn pattern(value: impl std::fmt::Display, at: &str, pattern: &str) -> AwsError {
    constraint(value, at, &format!("Member must satisfy regular expression pattern: {pattern}"))
}

/// A number outside its range, both ends included.
pub(super) fn within(value: i64, at: &str, least: i64, most: i64) -> Result<(), AwsError> {
    if value < least {
        let rule = format!("Member must have value greater than or equal to {least}");
        return Err(constraint(value, at, &rule));
    }
    if value > most {
        return Err(constraint(value, at, &format!("Member must have value less than or equal to {most}")));
    }
    Ok(())
}

/// A text longer than `most` characters.
pub(super) fn at_most(value: &str, at: &str, most: usize) -> Result<(), AwsError> {
    if value.chars().count() > most {
        let rule = format!("Member must have length less than or equal to {most}");
        return Err(constraint(value, at, &rule));
    }
    Ok(())
}
