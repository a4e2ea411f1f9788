//! The clone of a login: made where there is none, and the same as its original after every rotation
//! to it.
//!
//! The original is the truth, whichever of the two is in use: a person grants to `user` and knows
//! nothing of `user_clone`. So only the clone is ever changed here, and what was granted to it alone
//! goes with the next rotation. Copied are default database and language, the policy (when it is
//! made), server roles and rights, and in every database the user with its default schema, roles and
//! rights on the database, schemas, objects and columns. Not copied: rights on single logins,
//! endpoints, types, certificates and the like, and what the original owns.
//!
//! Both sides are read, the difference is worked out ([`state`]), and carried out one statement at a
//! time. What a crash leaves half done, the next run finds and completes. The clone is not in use
//! meanwhile, so nobody sees it half done.
//!
//! The superuser needs ALTER ANY LOGIN, and in each database the application has a user in a user of
//! its own in db_owner (fixed roles are given by an owner only). CONTROL SERVER includes all of that.
//! Where the original has server roles or server rights it needs those too, or sysadmin.

mod change;
mod read;
pub mod state;

use super::failure::{Cause, Failure};
use super::server::Session;
use crate::secret::Password;
use crate::sql::Statement;

pub use change::{create_login, statement};

/// Makes `clone` the same as `original`. A login that is not there is made with `password`. True when
/// something was changed.
///
/// # Errors
/// Why it is not, or not yet.
pub async fn synchronise(
    session: &mut Session,
    original: &str,
    clone: &str,
    password: &Password,
    needed: &str,
) -> Result<Synchronised, Failure> {
    let (databases, closed) = read::databases(session).await?;
    if closed.iter().any(|name| name.eq_ignore_ascii_case(needed)) {
        let reason = "the superuser can't open the secret's database, where the clone needs a user";
        return Err(Failure::new(Cause::Permission, reason));
    }
    if !closed.is_empty() {
        tracing::warn!(
            databases = closed.len(),
            "the superuser can't open some databases; the clone gets no user there"
        );
    }
    let Some(wanted) = read::login(session, original, &databases).await? else {
        let reason = "the login the clone is made from does not exist";
        return Err(Failure::new(Cause::IdentityChanged, reason));
    };
    let mut made = false;
    let held = match read::login(session, clone, &databases).await? {
        Some(held) => held,
        None => {
            let create = create_login(clone, password, &wanted.database, &wanted.language, wanted.policy);
            run(session, &create, "making the clone's login").await?;
            made = true;
            tracing::info!(clone, "the clone was made");
            read::login(session, clone, &databases).await?.unwrap_or_default()
        }
    };
    let changes = state::changes(&wanted, &held, clone);
    for change in &changes {
        run(session, &statement(clone, change), "bringing the clone up to date").await?;
    }
    if !changes.is_empty() {
        tracing::info!(clone, changes = changes.len(), "the clone was brought up to date");
    }
    Ok(Synchronised { made, changes: changes.len() })
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synchronised {
    /// The login was made, with its password.
    pub made: bool,
    /// How many other changes there were.
    pub changes: usize,
}

async fn run(session: &mut Session, statement: &Statement, what: &str) -> Result<(), Failure> {
    session.run(statement).await.map(drop).map_err(|refusal| refusal.failure(what))
}
