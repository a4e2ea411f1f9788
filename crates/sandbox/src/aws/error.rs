//! An error as AWS gives it: a code that the SDKs turn into a type, a status and a message.

use serde_json::{Map, Value};

/// A refusal with AWS's own error code.
#[derive(Debug, Clone, PartialEq)]
pub struct AwsError {
    /// The exception's name, for example `ResourceNotFoundException`.
    pub code: String,
    /// The HTTP status.
    pub status: u16,
    /// The text for people.
    pub message: String,
    /// Further members of the exception's shape, for example `Type` or `retryAfterSeconds`.
    pub members: Map<String, Value>,
}

impl AwsError {
    /// An error with status 400, which is what most of AWS's client errors have.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), status: 400, message: message.into(), members: Map::new() }
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same with a further member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// A failure of the sandbox itself: 500.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new("InternalFailure", message).with_status(500)
    }

    /// An operation, or a part of one, that AWS has and the sandbox has not. Its code is one of no
    /// service, so that nobody takes it for AWS's own word.
    pub fn unsupported(what: impl std::fmt::Display) -> Self {
        Self::new("SandboxUnsupported", format!("the sandbox does not know {what}; nothing was done"))
            .with_status(501)
    }

    /// Input that breaks a constraint, in the words most services use.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }
}

impl std::fmt::Display for AwsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for AwsError {}
