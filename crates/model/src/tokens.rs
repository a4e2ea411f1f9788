//! Access tokens: what a script shows instead of a session cookie. Here are the words about them; the
//! token itself is never among them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::people::Role;
use crate::time::Timestamp;

/// The longest name of a token, in characters: it stands in tables and in the audit log.
pub const LONGEST_NAME: usize = 60;

/// The longest life of a token, in hours: a year. The shortest is one hour.
pub const MOST_HOURS: u32 = 365 * 24;

/// The life of a token where nobody says how long: 30 days.
pub const USUAL_HOURS: u32 = 30 * 24;

/// So many tokens that have not expired somebody may have.
pub const MOST_TOKENS: u32 = 50;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Scope {
    /// Look at everything. Every token has it.
    Read,
    /// Rotate the secret, rehearse that, repair it, set its schedule.
    Rotate,
    /// Put new code before users, and take it back.
    Deploy,
    /// Everything its owner may do, making and revoking tokens among it.
    Admin,
}

impl Scope {
    /// All of them, the least first.
    pub const ALL: [Self; 4] = [Self::Read, Self::Rotate, Self::Deploy, Self::Admin];

    /// As it is written in the database, in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Rotate => "rotate",
            Self::Deploy => "deploy",
            Self::Admin => "admin",
        }
    }

    /// From [`name`](Self::name); none if it is something else.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    /// What it is for, in a few words.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Read => "look at everything",
            Self::Rotate => "rotate, rehearse and repair the secret, and set its schedule",
            Self::Deploy => "put new code before users, and take it back",
            Self::Admin => "everything you may do, making and revoking tokens among it",
        }
    }

    /// The role that its holder acts in at most.
    pub fn role(self) -> Role {
        match self {
            Self::Read => Role::Viewer,
            Self::Rotate | Self::Deploy => Role::Operator,
            Self::Admin => Role::Admin,
        }
    }
}

/// The scopes of a token; `read` is always among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeSet<Scope>", into = "BTreeSet<Scope>")]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// These, and `read`.
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self(scopes.into_iter().chain([Scope::Read]).collect())
    }

    /// Whether what needs this scope may be done: it is among them, or `admin` is.
    pub fn allow(&self, scope: Scope) -> bool {
        self.0.contains(&scope) || self.0.contains(&Scope::Admin)
    }

    /// The role that the token's holder acts in at most.
    pub fn role(&self) -> Role {
        self.0.iter().map(|scope| scope.role()).max().unwrap_or(Role::Viewer)
    }

    /// The least first.
    pub fn iter(&self) -> impl Iterator<Item = Scope> {
        self.0.iter().copied()
    }

    /// Their names, with a space between them.
    pub fn names(&self) -> String {
        self.iter().map(Scope::name).collect::<Vec<_>>().join(" ")
    }

    /// From [`names`](Self::names). A name that nobody knows is left out: less is allowed then, never
    /// more.
    pub fn from_names(names: &str) -> Self {
        Self::new(names.split(' ').filter_map(Scope::from_name))
    }
}

impl Default for Scopes {
    fn default() -> Self {
        Self::new([])
    }
}

impl From<BTreeSet<Scope>> for Scopes {
    fn from(scopes: BTreeSet<Scope>) -> Self {
        Self::new(scopes)
    }
}

impl From<Scopes> for BTreeSet<Scope> {
    fn from(Scopes(scopes): Scopes) -> Self {
        scopes
    }
}

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The part of the token that is no secret: it stands at its beginning, too.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// What it is good for.
    pub scopes: Scopes,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends, or did.
    pub expires: Timestamp,
    /// When it was used last, to the minute; none when it never was.
    pub last_used: Option<Timestamp>,
}

/// Somebody's tokens, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// When they were read.
    pub now: Timestamp,
    /// Those that are good, and those that have expired within the last 30 days.
    pub tokens: Vec<Token>,
}

/// Makes a token for whoever asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// What to call it, up to [`LONGEST_NAME`] characters.
    pub name: String,
    /// What it is to be good for; `read` need not be said.
    #[serde(default)]
    pub scopes: Scopes,
    /// How long, from 1 to [`MOST_HOURS`]; [`USUAL_HOURS`] where it is not said.
    #[serde(default)]
    pub hours: Option<u32>,
}

/// Ends a token of whoever asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeToken {
    /// Its id.
    pub id: String,
}

/// The token that somebody acts with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedToken {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is good for.
    pub scopes: Scopes,
    /// When it ends.
    pub expires: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_allow_what_they_say() {
        let table: [(&[Scope], Role, &[Scope]); 5] = [
            (&[], Role::Viewer, &[Scope::Read]),
            (&[Scope::Read], Role::Viewer, &[Scope::Read]),
            (&[Scope::Rotate], Role::Operator, &[Scope::Read, Scope::Rotate]),
            (&[Scope::Deploy, Scope::Rotate], Role::Operator, &[Scope::Read, Scope::Rotate, Scope::Deploy]),
            (&[Scope::Admin], Role::Admin, &Scope::ALL),
        ];
        for (given, role, allowed) in table {
            let scopes = Scopes::new(given.iter().copied());
            assert_eq!(scopes.role(), role, "{given:?}");
            for scope in Scope::ALL {
                assert_eq!(scopes.allow(scope), allowed.contains(&scope), "{given:?} {scope:?}");
            }
        }
    }

    #[test]
    fn scopes_are_written_as_names() {
        let scopes = Scopes::new([Scope::Deploy, Scope::Rotate]);
        assert_eq!(scopes.names(), "read rotate deploy");
        assert_eq!(Scopes::from_names("read rotate deploy"), scopes);
        assert_eq!(Scopes::from_names("everything").names(), "read", "what is not known allows nothing");
        assert_eq!(serde_json::to_string(&scopes).unwrap(), r#"["read","rotate","deploy"]"#);
        let read: Scopes = serde_json::from_str(r#"["rotate","rotate"]"#).unwrap();
        assert_eq!(read.names(), "read rotate");
        assert!(serde_json::from_str::<Scopes>(r#"["all"]"#).is_err());
        for scope in Scope::ALL {
            assert_eq!(Scope::from_name(scope.name()), Some(scope));
        }
    }
}
