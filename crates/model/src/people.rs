//! Who does something, and what they may.

use serde::{Deserialize, Serialize};

use crate::tokens::{Scope, UsedToken};

/// What somebody may do; each role may do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Role {
    /// Look at everything, change nothing.
    Viewer,
    /// Change the stack: rotate, rehearse, repair, schedule.
    Operator,
    /// Change who may do what, too.
    Admin,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// As it is written in the database and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// From [`name`](Self::name); none if it is something else.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// Who does something: goes into the audit log with everything that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The account's e-mail address.
    pub name: String,
    /// What they may do; with a token, no more than its scopes.
    pub role: Role,
    /// The address they come from, where it is known.
    pub address: Option<String>,
    /// The token they act with; none for somebody who is signed in.
    pub token: Option<UsedToken>,
}

impl Actor {
    /// Whether the token, if it is one, is good for this. Whoever is signed in needs none.
    pub fn token_allows(&self, scope: Scope) -> bool {
        self.token.as_ref().is_none_or(|token| token.scopes.allow(scope))
    }
}
