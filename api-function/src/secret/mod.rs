//! The secret the function logs in with: what it may look like, and how it is read and kept.
//!
//! Both schemas are taken: the one AWS's rotation expects (`engine`, `host`, `username`, `password`,
//! and if need be `port`, `dbname`) and the source guide's, which has no `engine` and no `dbname`.
//! Members that are not known here are passed over, since a rotation may keep its own there
//! (`masterarn`).

mod store;

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::Value;
use zeroize::{Zeroize, Zeroizing};

pub use store::{Cache, SecretError, Store};

/// A password. It can be read by [`Password::reveal`] only: it is neither `Serialize` nor `Display`,
/// its `Debug` shows nothing, and its memory is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// The password itself, to be handed to the driver and nowhere else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Where the database is and how to log in: one version of the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSecret {
    /// The version's id.
    pub version: String,
    /// When the version was made; none when the service did not say.
    pub created: Option<DateTime<Utc>>,
    /// The host's name or address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The login's name.
    pub username: String,
    /// The login's password.
    pub password: Password,
    /// The database's name.
    pub database: String,
}

impl DatabaseSecret {
    /// The first 8 characters of the version's id: enough to tell versions apart, and what is shown
    /// outside.
    pub fn version_prefix(&self) -> &str {
        let end = self.version.char_indices().nth(8).map_or(self.version.len(), |(at, _)| at);
        &self.version[..end]
    }

    /// Whether this is a version made after `other`, and not just another one.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        self.version != other.version && self.created > other.created
    }

    /// Reads the secret's text. It is wiped afterwards.
    ///
    /// # Errors
    /// What is wrong with it, by the member's name. Never a part of the text: the JSON reader's own
    /// messages quote it.
    pub fn parse(
        version: &str,
        created: Option<DateTime<Utc>>,
        text: String,
    ) -> Result<Self, MalformedSecret> {
        let text = Zeroizing::new(text);
        let mut value: Value =
            serde_json::from_str(&text).map_err(|_| MalformedSecret("it is not JSON".to_owned()))?;
        let parsed = Self::from_value(version, created, &value);
        wipe(&mut value);
        parsed
    }

    /// Reads the secret's members.
    ///
    /// # Errors
    /// As [`DatabaseSecret::parse`].
    pub(crate) fn from_value(
        version: &str,
        created: Option<DateTime<Utc>>,
        value: &Value,
    ) -> Result<Self, MalformedSecret> {
        if !value.is_object() {
            return Err(MalformedSecret("it is not a JSON object".to_owned()));
        }
        match &value["engine"] {
            Value::Null => {}
            Value::String(engine) if engine == "sqlserver" => {}
            _ => return Err(MalformedSecret("engine is not \"sqlserver\"".to_owned())),
        }
        Ok(Self {
            version: version.to_owned(),
            created,
            host: text_of(value, "host")?,
            port: port(&value["port"])?,
            username: text_of(value, "username")?,
            password: text_of(value, "password")?.into(),
            database: match &value["dbname"] {
                Value::Null => "master".to_owned(),
                _ => text_of(value, "dbname")?,
            },
        })
    }
}

/// Why a secret can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MalformedSecret(pub(crate) String);

pub(crate) fn text_of(value: &Value, name: &str) -> Result<String, MalformedSecret> {
    match &value[name] {
        Value::Null => Err(MalformedSecret(format!("{name} is missing"))),
        Value::String(text) if text.is_empty() => Err(MalformedSecret(format!("{name} is empty"))),
        Value::String(text) => Ok(text.clone()),
        _ => Err(MalformedSecret(format!("{name} is not a string"))),
    }
}

/// A number or a string: both are in use. 1433 when there is none.
fn port(value: &Value) -> Result<u16, MalformedSecret> {
    let port = match value {
        Value::Null => Some(1433),
        Value::Number(number) => number.as_u64().and_then(|number| u16::try_from(number).ok()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    port.filter(|port| *port > 0)
        .ok_or_else(|| MalformedSecret("port is not a number from 1 to 65535".to_owned()))
}

/// Overwrites every string in it.
pub(crate) fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<DatabaseSecret, String> {
        DatabaseSecret::parse("0123456789abcdef", None, text.to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn both_schemas_are_taken() {
        let cases = [
            (r#"{"username":"u","password":"p","host":"10.0.1.10","port":"1433"}"#, 1433, "master"),
            (r#"{"username":"u","password":"p","host":"10.0.1.10"}"#, 1433, "master"),
            (
                r#"{"engine":"sqlserver","username":"u","password":"p","host":"10.0.1.10","port":14330,
                    "dbname":"learninghub","masterarn":"arn:aws:secretsmanager:eu-west-1:1:secret:m"}"#,
                14330,
                "learninghub",
            ),
            (
                r#"{"username":"u","password":"p","host":"10.0.1.10","port":null,"dbname":null}"#,
                1433,
                "master",
            ),
        ];
        for (text, port, database) in cases {
            let secret = parse(text).unwrap();
            assert_eq!((secret.port, secret.database.as_str()), (port, database), "{text}");
            assert_eq!((secret.host.as_str(), secret.username.as_str()), ("10.0.1.10", "u"));
            assert_eq!(secret.password.reveal(), "p");
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_never_quoted() {
        let cases = [
            ("canary", "it is not JSON"),
            (r#"["canary"]"#, "it is not a JSON object"),
            (
                r#"{"engine":"canary","username":"u","password":"canary","host":"h"}"#,
                "engine is not \"sqlserver\"",
            ),
            (r#"{"password":"canary","host":"h"}"#, "username is missing"),
            (r#"{"username":"u","password":"","host":"h"}"#, "password is empty"),
            (r#"{"username":"u","password":["canary"],"host":"h"}"#, "password is not a string"),
            (r#"{"username":"u","password":"canary"}"#, "host is missing"),
            (
                r#"{"username":"u","password":"canary","host":"h","port":"canary"}"#,
                "port is not a number from 1 to 65535",
            ),
            (
                r#"{"username":"u","password":"canary","host":"h","port":0}"#,
                "port is not a number from 1 to 65535",
            ),
            (
                r#"{"username":"u","password":"canary","host":"h","port":70000}"#,
                "port is not a number from 1 to 65535",
            ),
            (r#"{"username":"u","password":"canary","host":"h","dbname":7}"#, "dbname is not a string"),
        ];
        for (text, expected) in cases {
            let error = parse(text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!error.contains("canary"));
        }
    }

    #[test]
    fn nothing_shows_the_password() {
        let secret = parse(r#"{"username":"u","password":"canary;{}'","host":"h"}"#).unwrap();
        assert_eq!(secret.password.reveal(), "canary;{}'");
        assert!(!format!("{secret:?}").contains("canary"));
    }

    #[test]
    fn the_prefix_is_at_most_eight_characters() {
        for (version, prefix) in [("0123456789", "01234567"), ("012", "012"), ("ééééééééé", "éééééééé")]
        {
            let text = r#"{"username":"u","password":"p","host":"h"}"#.to_owned();
            assert_eq!(DatabaseSecret::parse(version, None, text).unwrap().version_prefix(), prefix);
        }
    }
}
