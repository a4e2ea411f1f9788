//! That it is really them: before an operation that could do harm, a person shows so once more.
//!
//! Whoever has a password types it; wrong ones count as wrong sign-ins do, by address, and by sign-in as
//! well: [`WRONG_IN_A_ROW`] of them end it, wherever they come from. That locks nobody out whose session
//! nobody has. Whoever has no password has signed in by a link, which is good once, and needs a sign-in
//! that is not old. What was shown holds for [`FRESH_MS`], so that a script confirms once and then works;
//! its session goes on under a new id ([`session::guard`](super::session::guard)). A token's owner has
//! confirmed when it was made: what its scopes name needs no more.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use model::problem::{Problem, ProblemKind};
use model::time::{Timestamp, in_words};

use super::App;
use super::accounts::WRONG_IN_A_ROW;
use super::session::{Visitor, Way};
use crate::pages::secret::Proof;

/// How long it holds that somebody has shown that it is them.
pub const FRESH_MS: i64 = 10 * 60 * 1_000;

/// What a person will be asked for.
pub fn proof(visitor: &Visitor, now: Timestamp) -> Proof {
    if visitor.has_password { Proof::Password } else { Proof::RecentSignIn { fresh: is_fresh(visitor, now) } }
}

fn is_fresh(visitor: &Visitor, now: Timestamp) -> bool {
    (0..FRESH_MS).contains(&(now.0 - visitor.confirmed.0))
}

/// Checks a password that was typed into a form; without one, whether the last proof is fresh enough.
/// In a form of the portal's pages an account with a password types it each time.
///
/// # Errors
/// `NotConfirmed` with what to do; `Throttled` after too many wrong passwords.
pub async fn in_form(app: &App, visitor: &Visitor, address: IpAddr, typed: &str) -> Result<(), Problem> {
    if !visitor.has_password {
        return recently(app, visitor);
    }
    if typed.is_empty() {
        return Err(Problem::new(ProblemKind::NotConfirmed, "Enter your password to confirm."));
    }
    by_password(app, visitor, address, typed).await
}

/// Whether the last proof is fresh enough, for the operations API.
///
/// # Errors
/// `NotConfirmed` with what to do.
pub fn recently(app: &App, visitor: &Visitor) -> Result<(), Problem> {
    // Whether its scopes name the operation, `Portal::perform` looks.
    if matches!(visitor.way, Way::Token(_)) || is_fresh(visitor, (app.clock)()) {
        return Ok(());
    }
    let within = in_words(u64::try_from(FRESH_MS / 1_000).unwrap_or_default());
    let next = if visitor.has_password {
        format!("Confirm with your password (POST /api/v1/confirmation), which holds for {within}.")
    } else {
        format!("Sign in again by a new link; for {within} that counts.")
    };
    Err(Problem::new(ProblemKind::NotConfirmed, "It has to be shown once more that this is you.")
        .with_next(next))
}

/// Checks the password, and notes that it was right.
///
/// # Errors
/// `NotConfirmed` when it is wrong; `Invalid` for whoever comes with a token; `Throttled` after too many
/// wrong ones from one address; `NotSignedIn` when it was one too many, which ended the sign-in.
pub async fn by_password(
    app: &App,
    visitor: &Visitor,
    address: IpAddr,
    password: &str,
) -> Result<(), Problem> {
    let Way::SignIn(sign_in) = &visitor.way else {
        return Err(Problem::new(ProblemKind::Invalid, "With a token there is nothing to confirm."));
    };
    if let Err(seconds) = app.throttle.take(address, (app.clock)()) {
        tracing::warn!(%address, "confirmation throttled");
        let message = format!("Too many wrong passwords from your address. Wait {}.", in_words(seconds));
        return Err(Problem::new(ProblemKind::Throttled, message));
    }
    let Some(number) = app.accounts.take_try(sign_in).await? else {
        tracing::warn!(%address, "confirmation of a sign-in without a try left");
        return Err(used_up());
    };
    let right = match is_right(app, visitor, password).await {
        Ok(right) => right,
        Err(problem) => {
            app.throttle.give_back(address);
            app.accounts.give_try_back(sign_in).await?;
            return Err(problem);
        }
    };
    if right {
        app.throttle.give_back(address);
        app.accounts.confirm(sign_in).await?;
        visitor.renew.store(true, Ordering::SeqCst);
        return Ok(());
    }
    tracing::warn!(%address, number, "confirmation refused");
    if number >= WRONG_IN_A_ROW {
        app.accounts.sign_out(sign_in).await?;
        return Err(used_up());
    }
    Err(Problem::new(ProblemKind::NotConfirmed, "That is not your password; nothing was done."))
}

async fn is_right(app: &App, visitor: &Visitor, password: &str) -> Result<bool, Problem> {
    let user = app.accounts.find(&visitor.email).await?;
    let hash = user.and_then(|user| user.password_hash);
    // Without a hash nothing is right; it takes as long.
    app.passwords.verify(password.to_owned(), hash).await
}

fn used_up() -> Problem {
    let message = "Too many wrong passwords: you have been signed out, and nothing was done.";
    Problem::new(ProblemKind::NotSignedIn, message).with_next("Sign in again.")
}
