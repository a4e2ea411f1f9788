//! Why a step failed: a cause that programs tell apart, and a sentence for people. Neither holds a
//! secret, a password or a part of a secret's text, so both go into the log and to whoever invoked
//! the function.

use lambda_http::lambda_runtime::Diagnostic;

use super::event::Step;

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident $text:literal,)*) => {
        /// The causes there are. The portal knows them by these names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Cause {
            $($(#[$doc])* $name,)*
        }

        impl Cause {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name in the log.
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Its name as an error's type.
            pub fn error_type(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}

causes! {
    /// No password at hand is the login's.
    WrongPassword "wrong_password",
    /// The login is locked: too many wrong passwords.
    LoginLocked "login_locked",
    /// The login is disabled.
    LoginDisabled "login_disabled",
    /// The login's password has expired, or must be changed by its owner.
    LoginExpired "login_expired",
    /// The server's password policy does not take the new password.
    PasswordPolicy "password_policy",
    /// No connection to the database server.
    Unreachable "unreachable",
    /// No encrypted connection to the database server.
    Tls "tls",
    /// A login may not do what it has to.
    Permission "permission",
    /// The server answers, the database does not.
    DatabaseUnavailable "database_unavailable",
    /// The new login works, the test query does not.
    TestQueryFailed "test_query_failed",
    /// Host or user are not what AWSCURRENT says.
    IdentityChanged "identity_changed",
    /// The function may not use the secret.
    SecretDenied "secret_denied",
    /// There is no such secret, or no such version of it.
    SecretNotFound "secret_not_found",
    /// What the secret holds can't be used.
    SecretMalformed "secret_malformed",
    /// No connection to Secrets Manager.
    SecretsManagerUnreachable "secrets_manager_unreachable",
    /// Secrets Manager did not do what it was asked.
    SecretsManagerRefused "secrets_manager_refused",
    /// The version is not one that is being rotated to.
    NotInRotation "not_in_rotation",
    /// The login has the new password, and another rotation has taken the label that led to it.
    Overtaken "overtaken",
    /// Rotation is not switched on.
    RotationDisabled "rotation_disabled",
    /// Something took longer than it may.
    TimedOut "timed_out",
    /// A mistake of this program.
    Internal "internal",
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For programs.
    pub cause: Cause,
    /// For people: one sentence.
    pub reason: String,
}

impl Failure {
    /// A failure.
    pub fn new(cause: Cause, reason: impl Into<String>) -> Self {
        Self { cause, reason: reason.into() }
    }
}

/// A step that failed, as Lambda and whoever invoked the function are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepFailed {
    /// Which; none when the event did not say.
    pub step: Option<Step>,
    /// Why.
    pub failure: Failure,
}

impl From<StepFailed> for Diagnostic {
    fn from(failed: StepFailed) -> Self {
        let step = failed.step.map_or("rotation", Step::name);
        Self {
            error_type: failed.failure.cause.error_type().to_owned(),
            error_message: format!("{step}: {}", failed.failure.reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_s_type_is_the_cause_in_camel_case() {
        for cause in Cause::ALL {
            let camel: String =
                cause.text().split('_').map(|word| word[..1].to_ascii_uppercase() + &word[1..]).collect();
            assert_eq!(cause.error_type(), camel);
        }
        assert_eq!(Cause::ALL.len(), 21);
    }

    #[test]
    fn lambda_is_told_step_and_reason() {
        let failure = Failure::new(Cause::WrongPassword, "no password fits");
        let failed = StepFailed { step: Some(Step::Set), failure };
        let told = Diagnostic::from(failed);
        assert_eq!(
            (told.error_type.as_str(), told.error_message.as_str()),
            ("WrongPassword", "setSecret: no password fits")
        );
    }
}
