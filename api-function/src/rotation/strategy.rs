//! Who is rotated to, and who changes the password.
//!
//! - *Single user*: the login keeps its name and changes its own password, with the old one. New
//!   logins with the old password fail from setSecret on; the API function tries AWSPENDING then.
//! - *Single user through a superuser*: the same, but a login that may alter others sets the password,
//!   so that a lost, expired or locked one is no obstacle.
//! - *Alternating users*: `user` and `user_clone` take turns, and a superuser sets the password of the
//!   one that is not in use. The one in use keeps working the whole time.

use super::failure::{Cause, Failure};

/// What is appended to a name to get its clone's.
const CLONE: &str = "_clone";
/// The longest name of a login, in UTF-16 code units: SQL Server's `sysname`.
const LONGEST_NAME: usize = 128;

/// What is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Alternating where the secret names a superuser, else single.
    Auto,
    /// Single.
    Single,
    /// Alternating.
    Alternating,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// The login changes its own password.
    Single,
    /// A superuser changes the login's password.
    SingleBySuperuser,
    /// A superuser changes the password of the login that is not in use.
    Alternating,
}

impl Strategy {
    /// What is to be done with a secret that names a superuser, or does not.
    ///
    /// # Errors
    /// When alternating users are configured and there is no superuser to make them.
    pub fn choose(wanted: Wanted, has_superuser: bool) -> Result<Self, Failure> {
        match (wanted, has_superuser) {
            (Wanted::Auto | Wanted::Single, false) => Ok(Self::Single),
            (Wanted::Single, true) => Ok(Self::SingleBySuperuser),
            (Wanted::Auto | Wanted::Alternating, true) => Ok(Self::Alternating),
            (Wanted::Alternating, false) => Err(Failure::new(
                Cause::SecretMalformed,
                "the secret has no masterarn, which alternating users need",
            )),
        }
    }

    /// Its name in the log.
    pub fn text(self) -> &'static str {
        match self {
            Self::Single | Self::SingleBySuperuser => "single_user",
            Self::Alternating => "alternating_users",
        }
    }

    /// The user that is rotated to, when `current` is in use.
    ///
    /// # Errors
    /// When a name can't be a login's.
    pub fn next_user(self, current: &str) -> Result<String, Failure> {
        let malformed = |reason| Err(Failure::new(Cause::SecretMalformed, reason));
        let next = match self {
            Self::Single | Self::SingleBySuperuser => current.to_owned(),
            Self::Alternating => match current.strip_suffix(CLONE) {
                Some(original) => original.to_owned(),
                None => format!("{current}{CLONE}"),
            },
        };
        if next.is_empty() {
            return malformed("the secret's username is only the ending of a clone's name");
        }
        if too_long(current) {
            return malformed("the secret's username is longer than the 128 characters of a login");
        }
        if too_long(&next) {
            return malformed(
                "the secret's username is too long for alternating users: with _clone it has more than 128 characters",
            );
        }
        Ok(next)
    }
}

/// The original of a clone's name; `None` for a name that is none of a clone.
pub fn original_of(user: &str) -> Option<&str> {
    user.strip_suffix(CLONE)
}

fn too_long(name: &str) -> bool {
    name.encode_utf16().count() > LONGEST_NAME
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strategy_follows_from_configuration_and_secret() {
        let cases = [
            (Wanted::Auto, false, Some(Strategy::Single)),
            (Wanted::Auto, true, Some(Strategy::Alternating)),
            (Wanted::Single, false, Some(Strategy::Single)),
            (Wanted::Single, true, Some(Strategy::SingleBySuperuser)),
            (Wanted::Alternating, true, Some(Strategy::Alternating)),
            (Wanted::Alternating, false, None),
        ];
        for (wanted, has_superuser, expected) in cases {
            assert_eq!(Strategy::choose(wanted, has_superuser).ok(), expected, "{wanted:?} {has_superuser}");
        }
    }

    #[test]
    fn users_take_turns() {
        let long = |length: usize| "x".repeat(length);
        let wide = "𝕏".repeat(62);
        let cases = [
            (Strategy::Single, "app".to_owned(), Some("app".to_owned())),
            (Strategy::SingleBySuperuser, "app_clone".to_owned(), Some("app_clone".to_owned())),
            (Strategy::Alternating, "app".to_owned(), Some("app_clone".to_owned())),
            (Strategy::Alternating, "app_clone".to_owned(), Some("app".to_owned())),
            (Strategy::Alternating, "app_clone_clone".to_owned(), Some("app_clone".to_owned())),
            (Strategy::Alternating, "_clone".to_owned(), None),
            (Strategy::Alternating, long(122), Some(long(122) + "_clone")),
            (Strategy::Alternating, long(123), None),
            (Strategy::Alternating, long(122) + "_clone", Some(long(122))),
            (Strategy::Single, long(128), Some(long(128))),
            (Strategy::Single, long(129), None),
            // 124 code units, and 130 with the ending.
            (Strategy::Alternating, wide.clone(), None),
            (Strategy::Single, wide.clone(), Some(wide)),
        ];
        for (strategy, current, expected) in cases {
            assert_eq!(strategy.next_user(&current).ok(), expected, "{strategy:?} {current}");
        }
    }
}
