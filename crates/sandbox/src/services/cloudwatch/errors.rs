//! CloudWatch's errors.
//!
//! CloudWatch once spoke the Query protocol, and its newer protocols keep the old codes: the body
//! names the shape (`InvalidParameterValueException`), and the header `x-amzn-query-error` carries
//! the code that callers match on (`InvalidParameterValue`). Inside this service an error has the
//! old code; [`reply`] puts both on the wire.

use serde_json::{Map, Value};

use crate::aws::{AwsError, Body, Reply};

/// The codes an operation refuses bad input with. Operations whose model names errors for it use
/// those; the others (GetMetricData and the alarms) answer `ValidationError` to everything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    missing: &'static str,
    invalid: &'static str,
    combination: &'static str,
}

/// For operations whose model names errors for bad input.
pub(super) const MODELLED: Refusal = Refusal {
    missing: "MissingParameter",
    invalid: "InvalidParameterValue",
    combination: "InvalidParameterCombination",
};

/// For operations whose model does not.
pub(super) const PLAIN: Refusal =
    Refusal { missing: "ValidationError", invalid: "ValidationError", combination: "ValidationError" };

impl Refusal {
    /// A parameter that must be there is not.
    pub(super) fn missing(self, parameter: impl std::fmt::Display) -> AwsError {
        AwsError::new(self.missing, format!("The parameter {parameter} is required."))
    }

    /// A value that is not allowed, in words of the caller's choice.
    pub(super) fn invalid(self, message: impl Into<String>) -> AwsError {
        AwsError::new(self.invalid, message)
    }

    /// A value that is not allowed where it stands.
    pub(super) fn value(self, parameter: impl std::fmt::Display, value: impl std::fmt::Display) -> AwsError {
        self.invalid(format!("The value {value} for parameter {parameter} is invalid."))
    }

    /// Parameters that do not go together.
    pub(super) fn combination(self, message: impl Into<String>) -> AwsError {
        AwsError::new(self.combination, message)
    }
}

/// A member or an operation that CloudWatch has and the sandbox has not.
pub(super) fn unsupported(operation: &str, what: impl std::fmt::Display) -> AwsError {
    AwsError::unsupported(format_args!("cloudwatch {operation} with {what}"))
}

/// The state can't be read or written.
pub(super) fn storage(error: impl std::fmt::Display) -> AwsError {
    AwsError::new("InternalServiceError", format!("the sandbox's metric store failed: {error}"))
        .with_status(500)
}

/// A token that no earlier answer gave, or not to this request.
pub(super) fn bad_token() -> AwsError {
    AwsError::new("InvalidNextToken", "The next token specified is invalid.")
}

/// The error as the wire has it. Codes that are not CloudWatch's own come back as they are, for the
/// endpoint to write.
pub(super) fn reply(error: AwsError) -> Result<Reply, AwsError> {
    let shape = match error.code.as_str() {
        "InvalidParameterValue" => "InvalidParameterValueException",
        "InvalidParameterCombination" => "InvalidParameterCombinationException",
        "MissingParameter" => "MissingRequiredParameterException",
        "InternalServiceError" => "InternalServiceFault",
        "InvalidFormat" => "InvalidFormatFault",
        "LimitExceeded" => "LimitExceededFault",
        "InvalidNextToken" => "InvalidNextToken",
        "ResourceNotFound" => "ResourceNotFound",
        "ResourceNotFoundException" => "ResourceNotFoundException",
        "ValidationError" => "ValidationError",
        _ => return Err(error),
    };
    let fault = if error.status < 500 { "Sender" } else { "Receiver" };
    let mut body: Map<String, Value> = error.members;
    body.insert("__type".to_owned(), format!("com.amazonaws.cloudwatch#{shape}").into());
    body.insert("message".to_owned(), error.message.into());
    let headers = vec![("x-amzn-query-error", format!("{};{fault}", error.code))];
    Ok(Reply { status: error.status, headers, body: Body::Json(Value::Object(body)) })
}
