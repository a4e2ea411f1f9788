//! setSecret with a superuser: it sets the password of the login that is rotated to, and with
//! alternating users makes the clone and keeps it the same as its original.
//!
//! The clone is looked after before the new password is in force, and looked after again by every
//! run: that the new password logs in does not mean that an earlier run came to its end. With
//! alternating users AWSCURRENT's login is never touched.

use super::set::{no_session, split};
use super::{Done, Work};
use crate::rotation::clone::{self, Synchronised};
use crate::rotation::failure::{Cause, Failure};
use crate::rotation::guard::CURRENT;
use crate::rotation::login::{self, Next, Outcome, Source};
use crate::rotation::place;
use crate::rotation::secret::Held;
use crate::rotation::server::Session;
use crate::rotation::statements;
use crate::rotation::store::Version;
use crate::rotation::strategy::{self, Strategy};

impl Work<'_> {
    pub(super) async fn set_by_superuser(
        &self,
        current: &Held,
        pending: &Held,
        strategy: Strategy,
    ) -> Result<Done, Failure> {
        let mut probe = pending.login.clone();
        if strategy == Strategy::Alternating {
            // Where everybody gets in who has the right password: a clone that is half made may have
            // no user in the secret's database yet.
            "master".clone_into(&mut probe.database);
        }
        let (outcome, _) = split(self.rotation.server.log_in(&probe).await);
        let unlock = match login::next(strategy, Source::Pending, &outcome, false) {
            Next::Done => None,
            Next::BySuperuser { unlock } => Some(unlock),
            Next::Fail(failure) => return Err(failure),
            Next::Try(_) | Next::AlterOwn => return Err(no_session()),
        };
        let user = &pending.login.username;
        let original = match strategy {
            Strategy::Alternating if strategy::original_of(&current.login.username).is_none() => {
                Some(&current.login.username)
            }
            _ => None,
        };
        if unlock.is_none() && original.is_none() {
            return Ok(Done::Before);
        }
        let mut session = self.superuser(current, strategy).await?;
        let mut done = Synchronised { made: false, changes: 0 };
        if let Some(original) = original {
            let (password, database) = (&pending.login.password, &current.login.database);
            let synchronised = clone::synchronise(&mut session, original, user, password, database).await;
            done = self.abandoned_by_policy(synchronised).await?;
        }
        match unlock {
            Some(unlock) if !done.made => {
                let alter = statements::alter_other(user, &pending.login.password, unlock);
                self.alter(session, &alter, strategy).await
            }
            None if done.changes == 0 => Ok(Done::Before),
            _ => Ok(Done::Now),
        }
    }

    /// A session of the superuser's, on the server of AWSCURRENT: where else its own secret may point
    /// to, this secret's password is not sent there.
    async fn superuser(&self, current: &Held, strategy: Strategy) -> Result<Session, Failure> {
        let of_superuser =
            |failure: Failure| Failure::new(failure.cause, format!("the superuser: {}", failure.reason));
        let Some(arn) = &current.superuser else { return Err(no_session()) };
        let held = self.rotation.store.read(arn, Version::Labelled(CURRENT)).await.map_err(of_superuser)?;
        let held = held.ok_or_else(|| {
            let reason = "the superuser's secret (masterarn) does not exist or has no value";
            Failure::new(Cause::SecretNotFound, reason)
        })?;
        if !place::is_same(&held.login, &current.login).await {
            let reason = "the superuser's secret is for another server than AWSCURRENT";
            return Err(Failure::new(Cause::IdentityChanged, reason));
        }
        let mut login = held.login.clone();
        (login.host, login.port) = (current.login.host.clone(), current.login.port);
        // A user of the database's own, without a login, is altered where it is; the superuser may
        // have no user there, which costs one more login and counts towards no lock.
        let databases: &[&str] = match strategy {
            Strategy::SingleBySuperuser => &[&current.login.database, "master"],
            _ => &["master"],
        };
        let mut last = no_session();
        for database in databases {
            (*database).clone_into(&mut login.database);
            match self.rotation.server.log_in(&login).await {
                Ok(session) => return Ok(session),
                Err(Outcome::Refused(number)) => last = login::refused("the login of the superuser", number),
                Err(Outcome::Failed(failure)) => return Err(of_superuser(failure)),
                Err(Outcome::In) => {}
            }
            if last.cause != Cause::DatabaseUnavailable {
                break;
            }
        }
        Err(last)
    }
}
