//! The rotation function's configuration: every environment variable it reads.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `ROTATION_STRATEGY` | `auto`: alternating users where the secret has a `masterarn`, else single user; `single`: always single user, through the superuser where there is a `masterarn`; `alternating`: refuse a secret without `masterarn` | `auto` |
//! | `ROTATION_TEST_QUERY` | what testSecret runs as the application, to see that the new login has its rights: one query that begins with `SELECT`, up to 4,000 characters; its changes, if it had any, are rolled back. In the secret's database (`dbname`) | `SELECT TOP (1) id FROM dbo.courses`, LearningHub's main table |
//! | `ROTATION_PASSWORD_LENGTH` | characters of a new password, 32 to 128 | 40 |
//! | `SQL_TLS` | `strict` (TDS 8) or `required` (TDS 7: TLS before the login). There is no plaintext: a new password is not sent in the clear | `required` |
//! | `SQL_CA` | certificates to trust besides Mozilla's list, as the API function reads them | none |
//! | `SQL_TIMEOUT` | milliseconds a statement may take, 100 to 25000 | 5000 |
//! | `AWS_LAMBDA_LOG_LEVEL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_ENDPOINT_URL_SECRETS_MANAGER`, `AWS_ENDPOINT_URL`, `AWS_CA_BUNDLE` | as the API function reads them ([`crate::config`]) | |
//!
//! Which secret is rotated is in the event: one function may rotate several. A value that is not
//! understood ends the init phase with a message that names the variable. An empty value counts as
//! none.

use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::strategy::Wanted;
use crate::config::{self, AwsCredentials, ConfigError, SqlTls};

/// What is run where nothing else is configured.
const TEST_QUERY: &str = "SELECT TOP (1) id FROM dbo.courses";
/// The longest test query, in characters.
const LONGEST_QUERY: usize = 4_000;

/// All of it. See the module's head for the variables.
#[derive(Debug, Clone, PartialEq)]
pub struct RotationConfig {
    /// How the password is changed.
    pub strategy: Wanted,
    /// What is run with the new one.
    pub test_query: String,
    /// Characters of a new password.
    pub password_length: usize,
    /// How connections are encrypted; never plaintext.
    pub sql_tls: SqlTls,
    /// Certificates to trust at the database besides Mozilla's list, in PEM.
    pub sql_ca: Option<String>,
    /// How long a statement may take.
    pub sql_timeout: Duration,
    /// The least severe level that is logged.
    pub log_level: LevelFilter,
    /// The region.
    pub region: String,
    /// What requests to Secrets Manager are signed with.
    pub credentials: AwsCredentials,
    /// Another address for Secrets Manager.
    pub endpoint_url: Option<String>,
    /// Certificates to trust at Secrets Manager instead of Amazon's roots, in PEM.
    pub aws_ca: Option<String>,
}

impl RotationConfig {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// The first variable that is missing or not understood.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(&|name| std::env::var(name).ok())
    }

    /// Reads from `variables`, which gives the value of a name.
    ///
    /// # Errors
    /// The first variable that is missing or not understood.
    pub fn read(variables: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let get = |name: &'static str| variables(name).filter(|value: &String| !value.trim().is_empty());
        let number = |variable: &'static str, default, least, most, unit| {
            config::whole_number(variable, get(variable), default, least, most, unit)
        };
        let sql_tls = config::sql_tls(get("SQL_TLS"))?;
        if sql_tls == SqlTls::Plaintext {
            return Err(config::error(
                "SQL_TLS",
                "must be strict or required: passwords are changed over it",
            ));
        }
        let certificates =
            |variable| get(variable).map(|value| config::certificates(variable, value)).transpose();
        let length = number("ROTATION_PASSWORD_LENGTH", 40, 32, 128, "characters")?;
        let timeout = number("SQL_TIMEOUT", 5_000, 100, 25_000, "milliseconds")?;
        Ok(Self {
            strategy: strategy(get("ROTATION_STRATEGY"))?,
            test_query: test_query(get("ROTATION_TEST_QUERY"))?,
            password_length: usize::try_from(length).unwrap_or(32),
            sql_tls,
            sql_ca: certificates("SQL_CA")?,
            sql_timeout: Duration::from_millis(timeout),
            log_level: config::log_level(get("AWS_LAMBDA_LOG_LEVEL"))?,
            region: get("AWS_REGION").ok_or_else(|| config::error("AWS_REGION", "must be set, and isn't"))?,
            credentials: AwsCredentials::read(&get)?,
            endpoint_url: config::endpoint_url(&get)?,
            aws_ca: certificates("AWS_CA_BUNDLE")?,
        })
    }
}

fn strategy(value: Option<String>) -> Result<Wanted, ConfigError> {
    match value.as_deref().map(str::trim) {
        None | Some("auto") => Ok(Wanted::Auto),
        Some("single") => Ok(Wanted::Single),
        Some("alternating") => Ok(Wanted::Alternating),
        Some(_) => Err(config::error("ROTATION_STRATEGY", "must be auto, single or alternating")),
    }
}

fn test_query(value: Option<String>) -> Result<String, ConfigError> {
    const VARIABLE: &str = "ROTATION_TEST_QUERY";
    let Some(value) = value else { return Ok(TEST_QUERY.to_owned()) };
    let value = value.trim();
    if value.chars().count() > LONGEST_QUERY {
        return Err(config::error(VARIABLE, format!("must not be longer than {LONGEST_QUERY} characters")));
    }
    let begins = value.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("select"));
    if !begins || !value[6..].starts_with(|c: char| c.is_whitespace() || c == '(') {
        return Err(config::error(VARIABLE, "must begin with SELECT: it is to change nothing"));
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(changes: &[(&str, &str)]) -> Result<RotationConfig, ConfigError> {
        let base = [
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "canary"),
        ];
        RotationConfig::read(&|name| {
            let found = changes.iter().chain(&base).find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn what_is_not_set_has_a_default() {
        let config = read(&[]).unwrap();
        assert_eq!((config.strategy, config.password_length), (Wanted::Auto, 40));
        assert_eq!((config.sql_tls, config.sql_timeout), (SqlTls::Required, Duration::from_secs(5)));
        assert_eq!(config.test_query, TEST_QUERY);
        assert!(!format!("{config:?}").contains("canary"));
    }

    #[test]
    fn what_is_set_is_taken() {
        let config = read(&[
            ("ROTATION_STRATEGY", " single "),
            ("ROTATION_TEST_QUERY", " select(1) "),
            ("ROTATION_PASSWORD_LENGTH", "128"),
            ("SQL_TLS", "strict"),
            ("SQL_TIMEOUT", "250"),
        ])
        .unwrap();
        assert_eq!((config.strategy, config.password_length), (Wanted::Single, 128));
        assert_eq!((config.sql_tls, config.sql_timeout), (SqlTls::Strict, Duration::from_millis(250)));
        assert_eq!(config.test_query, "select(1)");
        assert_eq!(read(&[("ROTATION_STRATEGY", "alternating")]).unwrap().strategy, Wanted::Alternating);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let long = format!("SELECT {}", "1".repeat(4_000));
        let cases = [
            ("ROTATION_STRATEGY", "both"),
            ("ROTATION_STRATEGY", "Single"),
            ("ROTATION_TEST_QUERY", "DELETE FROM dbo.courses"),
            ("ROTATION_TEST_QUERY", "SELECTED"),
            ("ROTATION_TEST_QUERY", "sel"),
            ("ROTATION_TEST_QUERY", &long),
            ("ROTATION_PASSWORD_LENGTH", "31"),
            ("ROTATION_PASSWORD_LENGTH", "129"),
            ("SQL_TLS", "plaintext"),
            ("SQL_TLS", "off"),
            ("SQL_CA", "/no/such/file.pem"),
            ("SQL_TIMEOUT", "99"),
            ("AWS_LAMBDA_LOG_LEVEL", "LOUD"),
            ("AWS_REGION", ""),
            ("AWS_SECRET_ACCESS_KEY", " "),
        ];
        for (variable, value) in cases {
            let error = read(&[(variable, value)]).unwrap_err();
            assert_eq!(error.variable, variable, "{value:?}");
        }
    }
}
