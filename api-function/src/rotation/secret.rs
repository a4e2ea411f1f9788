//! A version of the secret, as a rotation sees it: what the API function reads of it, and every other
//! member as it is, so that the next version keeps them.

use serde_json::Value;
use zeroize::Zeroizing;

use super::failure::{Cause, Failure};
use crate::secret::{DatabaseSecret, Password, text_of, wipe};

/// A version with its value.
#[derive(Clone)]
pub struct Held {
    /// What is known of it.
    pub login: DatabaseSecret,
    /// The superuser's secret, where one is named.
    pub superuser: Option<String>,
    members: Value,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("version", &self.login.version).finish_non_exhaustive()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        wipe(&mut self.members);
    }
}

impl Held {
    /// Reads a version's text. `which` says in a message which one it is.
    ///
    /// # Errors
    /// What is wrong with it, by the member's name and never with a part of the text.
    pub fn read(which: &str, version: &str, text: String) -> Result<Self, Failure> {
        let malformed = |what: String| Failure::new(Cause::SecretMalformed, format!("{which}: {what}"));
        let text = Zeroizing::new(text);
        let members: Value =
            serde_json::from_str(&text).map_err(|_| malformed("it is not JSON".to_owned()))?;
        let login = DatabaseSecret::from_value(version, None, &members);
        let superuser = match &members["masterarn"] {
            Value::Null => Ok(None),
            _ => text_of(&members, "masterarn").map(Some),
        };
        // Made first, so that the members are wiped whatever is wrong with them.
        let held = (login, superuser, Members(members));
        let (login, superuser) = match (held.0, held.1) {
            (Ok(login), Ok(superuser)) => (login, superuser),
            (Err(error), _) | (_, Err(error)) => return Err(malformed(error.to_string())),
        };
        Ok(Self { login, superuser, members: held.2.take() })
    }

    /// The text of the next version: another user and password, and everything else as it is.
    pub fn next(&self, user: &str, password: &Password) -> Zeroizing<String> {
        let mut members = Members(self.members.clone());
        members.0["username"] = user.into();
        members.0["password"] = password.reveal().into();
        Zeroizing::new(members.0.to_string())
    }
}

/// Members that are wiped when they go.
struct Members(Value);

impl Members {
    fn take(mut self) -> Value {
        std::mem::take(&mut self.0)
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_known_is_kept() {
        let text = json!({
            "username": "app", "password": "canary", "host": "h", "port": "1433", "masterarn": "arn:m",
            "mine": {"a": [1, null]}, "engine": "sqlserver",
        });
        let held = Held::read("AWSCURRENT", "v", text.to_string()).unwrap();
        assert_eq!(held.superuser.as_deref(), Some("arn:m"));
        assert!(!format!("{held:?}").contains("canary"));
        let next: Value = serde_json::from_str(&held.next("app_clone", &"new".to_owned().into())).unwrap();
        let mut expected = text;
        expected["username"] = "app_clone".into();
        expected["password"] = "new".into();
        assert_eq!(next, expected);
    }

    #[test]
    fn what_is_wrong_is_named_and_never_quoted() {
        for (text, expected) in [
            ("canary", "AWSCURRENT: it is not JSON"),
            (r#"{"username":"u","host":"h"}"#, "AWSCURRENT: password is missing"),
            (
                r#"{"username":"u","host":"h","password":"canary","masterarn":1}"#,
                "AWSCURRENT: masterarn is not a string",
            ),
            (
                r#"{"username":"u","host":"h","password":"canary","masterarn":""}"#,
                "AWSCURRENT: masterarn is empty",
            ),
        ] {
            let failure = Held::read("AWSCURRENT", "v", text.to_owned()).unwrap_err();
            assert_eq!((failure.cause, failure.reason.as_str()), (Cause::SecretMalformed, expected));
        }
    }
}
