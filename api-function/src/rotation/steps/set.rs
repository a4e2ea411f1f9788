//! setSecret: the login gets the new password.
//!
//! The new password is tried first: who is in, is done, whether an earlier invocation was cut off
//! behind the change or its answer lost. Which password is tried next, and what else is done, is
//! decided in [`crate::rotation::login`].

use super::{Done, Work};
use crate::rotation::failure::{Cause, Failure};
use crate::rotation::guard::{CURRENT, Described, PENDING, PREVIOUS};
use crate::rotation::login::{self, Next, Outcome, Source};
use crate::rotation::place;
use crate::rotation::secret::Held;
use crate::rotation::server::{Refusal, Session};
use crate::rotation::statements;
use crate::rotation::store::Version;
use crate::rotation::strategy::Strategy;
use crate::sql::Statement;

impl Work<'_> {
    pub(super) async fn set(&self) -> Result<Done, Failure> {
        let (current, strategy) = self.current().await?;
        let pending = self.expect_pending().await?;
        check_identity(&current, &pending, strategy).await?;
        match strategy {
            Strategy::Single => self.set_own(&current, &pending).await,
            Strategy::SingleBySuperuser | Strategy::Alternating => {
                self.set_by_superuser(&current, &pending, strategy).await
            }
        }
    }

    /// The version that is rotated to, which must have a value.
    pub(super) async fn expect_pending(&self) -> Result<Held, Failure> {
        self.pending().await?.ok_or_else(|| {
            let reason = "the version has no value: createSecret has not come to its end";
            Failure::new(Cause::SecretNotFound, reason)
        })
    }

    /// Single user: the login changes its own password.
    async fn set_own(&self, current: &Held, pending: &Held) -> Result<Done, Failure> {
        let mut previous: Option<Held> = None;
        let mut source = Source::Pending;
        loop {
            let tried = match (source, &previous) {
                (Source::Pending, _) => pending.clone(),
                (Source::Previous, Some(previous)) => previous.clone(),
                _ => current.clone(),
            };
            let (outcome, session) = split(self.rotation.server.log_in(&tried.login).await);
            if source == Source::Current && outcome == Outcome::Refused(18456) {
                previous = self.usable_previous(current, pending).await?;
            }
            match login::next(Strategy::Single, source, &outcome, previous.is_some()) {
                Next::Done => return Ok(Done::Before),
                Next::Try(next) => source = next,
                Next::Fail(failure) => return Err(failure),
                Next::AlterOwn => {
                    let Some(session) = session else { return Err(no_session()) };
                    let (user, new) = (&pending.login.username, &pending.login.password);
                    let alter = statements::alter_own(user, new, &tried.login.password);
                    return self.alter(session, &alter, Strategy::Single).await;
                }
                Next::BySuperuser { .. } => return Err(no_session()),
            }
        }
    }

    /// AWSPREVIOUS, where it has another password for the same login.
    async fn usable_previous(&self, current: &Held, pending: &Held) -> Result<Option<Held>, Failure> {
        let held = match self.rotation.store.read(&self.order.secret, Version::Labelled(PREVIOUS)).await {
            Ok(held) => held,
            // A version from before somebody corrected it helps nobody.
            Err(failure) if failure.cause == Cause::SecretMalformed => None,
            Err(failure) => return Err(failure),
        };
        let Some(held) = held else { return Ok(None) };
        let new = |other: &Held| held.login.password != other.login.password;
        let usable = held.login.username == current.login.username
            && new(current)
            && new(pending)
            && place::is_same(&held.login, &current.login).await;
        Ok(usable.then_some(held))
    }

    /// Sends the change of the password. A password that policy refuses ends this rotation (see
    /// [`crate::rotation::password`]); one that is in force, or may be, stays under a label.
    pub(super) async fn alter(
        &self,
        mut session: Session,
        alter: &Statement,
        strategy: Strategy,
    ) -> Result<Done, Failure> {
        let refusal = match session.run(alter).await {
            Ok(_) => {
                self.stay_labelled(strategy).await?;
                return Ok(Done::Now);
            }
            Err(refusal) => refusal,
        };
        if matches!(refusal, Refusal::TimedOut | Refusal::Broken)
            && let Err(failure) = self.stay_labelled(strategy).await
        {
            let (cause, reason) = (failure.cause.text(), failure.reason);
            tracing::warn!(cause, reason, "the new password may be in force and under no label");
        }
        if let Refusal::Statement { number: statements::NOT_QUOTABLE } = refusal {
            let reason = "the user's name or a password is longer than 128 characters";
            return Err(Failure::new(Cause::SecretMalformed, reason));
        }
        self.abandoned_by_policy(Err(refusal.failure("the change of the password"))).await
    }

    /// The same result; where it is a password that policy refuses, the version is given up.
    pub(super) async fn abandoned_by_policy<T>(&self, result: Result<T, Failure>) -> Result<T, Failure> {
        if let Err(Failure { cause: Cause::PasswordPolicy, .. }) = &result {
            self.abandon().await;
        }
        result
    }

    /// Sees that the password which was just set is under a label, and puts AWSPENDING back where
    /// somebody has taken it off since the step began: a repair that looked before this attempt, for
    /// one. Else nobody who reads the secret could log in. Whoever takes the label off after this has
    /// looked meets a login that is altered already.
    ///
    /// With alternating users the login that was altered is not the one in use: there the next rotation
    /// sets its password anew, and the label may stay away.
    async fn stay_labelled(&self, strategy: Strategy) -> Result<(), Failure> {
        if strategy == Strategy::Alternating {
            return Ok(());
        }
        let (secret, token) = (&self.order.secret, &self.order.token);
        let labelled = |now: &Described| now.has(token, PENDING) || now.has(token, CURRENT);
        let now = self.describe().await?;
        if labelled(&now) {
            return Ok(());
        }
        let failure = match now.holder(PENDING) {
            Some(other) => return Err(overtaken(token, other)),
            None => match self.rotation.store.move_label(secret, PENDING, None, Some(token)).await {
                Ok(()) => {
                    tracing::warn!("AWSPENDING was taken off in the middle of the step, and is back");
                    return Ok(());
                }
                Err(failure) => failure,
            },
        };
        // The answer may be lost, or somebody was faster.
        let now = self.describe().await?;
        match now.holder(PENDING) {
            _ if labelled(&now) => Ok(()),
            Some(other) => Err(overtaken(token, other)),
            None => Err(failure),
        }
    }

    /// Takes AWSPENDING off the version, so that the next rotation is not held up by it. Where that
    /// fails, the step repeated comes here again.
    async fn abandon(&self) {
        let (secret, token) = (&self.order.secret, &self.order.token);
        match self.rotation.store.move_label(secret, PENDING, Some(token), None).await {
            Ok(()) => tracing::warn!("the version is given up: the next rotation takes a new password"),
            Err(failure) => {
                let (cause, reason) = (failure.cause.text(), failure.reason);
                tracing::warn!(cause, reason, "the version could not be given up");
            }
        }
    }
}

/// That the new version is for the same server and the user it should be for. AWSCURRENT may have
/// been changed by hand since the new version was made.
async fn check_identity(current: &Held, pending: &Held, strategy: Strategy) -> Result<(), Failure> {
    let changed = |what| {
        let reason = format!(
            "{what} of the new version is not what follows from AWSCURRENT: it was changed meanwhile"
        );
        Err(Failure::new(Cause::IdentityChanged, reason))
    };
    if pending.login.username != strategy.next_user(&current.login.username)? {
        return changed("the user");
    }
    if !place::is_same(&current.login, &pending.login).await {
        return changed("host or port");
    }
    if current.login.database != pending.login.database {
        return changed("the database");
    }
    Ok(())
}

/// The login has this version's password, and another version has the label.
fn overtaken(token: &str, other: &str) -> Failure {
    let reason = format!(
        "the login has the password of version {token} now, which lost AWSPENDING to version {other} in the middle of the step: no label leads to that password"
    );
    Failure::new(Cause::Overtaken, reason)
}

/// The outcome of a login, and the session where there is one.
pub(super) fn split(login: Result<Session, Outcome>) -> (Outcome, Option<Session>) {
    match login {
        Ok(session) => (Outcome::In, Some(session)),
        Err(outcome) => (outcome, None),
    }
}

/// What can't be, from the way decisions and logins belong together.
pub(super) fn no_session() -> Failure {
    Failure::new(Cause::Internal, "a decision that does not follow from the login before it")
}
