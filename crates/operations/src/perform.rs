//! The one way in for every change: authorise, write down that it begins, run it, write down how it
//! ended. What only looks does not pass here.

use model::people::{Actor, Role};
use model::problem::{Problem, ProblemKind};
use model::tokens::Scope;
use serde::Serialize;

use crate::audit::{Began, Ended};
use crate::portal::Portal;

/// Something that changes the stack. Its value is the argument of a form and of the operations API,
/// and what stands in the audit log.
pub trait Operation: Serialize + Send + Sync {
    /// Its name in the audit log.
    const NAME: &'static str;
    /// Who may.
    const NEEDS: Role;
    /// What a token must be good for. An operation that does not say so is nothing for a token of less
    /// than all.
    const SCOPE: Scope = Scope::Admin;
    /// What comes of it.
    type Output: Send;

    /// Does it. Called by [`Portal::perform`] and nobody else.
    ///
    /// # Errors
    /// What went wrong; nothing is left half done that the next run or a repair does not see.
    fn run(
        &self,
        portal: &Portal,
        actor: &Actor,
    ) -> impl Future<Output = Result<Self::Output, Problem>> + Send;
}

impl Portal {
    /// Performs an operation for somebody.
    ///
    /// If the process is killed while it runs, the audit entry stays without an end; what the
    /// operation has done by then is to be seen in AWS.
    ///
    /// # Errors
    /// `Forbidden` when they may not; what the journal says when it can't be written, and then the
    /// operation has not run; otherwise the operation's own.
    pub async fn perform<O: Operation>(&self, actor: &Actor, operation: &O) -> Result<O::Output, Problem> {
        authorise::<O>(actor)?;
        let arguments = serde_json::to_value(operation).map_err(|error| {
            tracing::error!(%error, operation = O::NAME, "an operation could not be written down");
            Problem::new(ProblemKind::Internal, "The operation could not be written down, so it was not run.")
        })?;
        let began = Began { actor: actor.clone(), operation: O::NAME, arguments, at: self.now() };
        let entry = self.journal.began(&began).await?;
        let outcome = Box::pin(operation.run(self, actor)).await;
        let end = Ended { problem: outcome.as_ref().err().cloned(), at: self.now() };
        if let Err(problem) = self.journal.ended(entry, &end).await {
            tracing::error!(%problem, operation = O::NAME, entry, "the end of an operation could not be written down");
        }
        outcome
    }
}

/// Whether somebody may, with the token they act with if it is one: [`Portal::perform`]'s first look, and
/// that of whoever needs to know before there is an operation.
///
/// # Errors
/// `Forbidden`, with what is missing.
pub fn authorise<O: Operation>(actor: &Actor) -> Result<(), Problem> {
    if let Some(token) = actor.token.as_ref().filter(|_| !actor.token_allows(O::SCOPE)) {
        let (needs, has) = (O::SCOPE.name(), token.scopes.names());
        tracing::warn!(operation = O::NAME, token = token.id, scopes = has, "refused for want of a scope");
        let message = format!("This needs a token with the scope {needs}; this one has: {has}.");
        return Err(Problem::new(ProblemKind::Forbidden, message)
            .with_next("Make another on the portal's page \u{201c}Access tokens\u{201d}."));
    }
    if actor.role < O::NEEDS {
        let needs = O::NEEDS.name();
        let message = format!("This needs the role {needs}; yours is {}.", actor.role.name());
        tracing::warn!(operation = O::NAME, role = actor.role.name(), "refused for want of rights");
        return Err(Problem::new(ProblemKind::Forbidden, message)
            .with_next("Ask an administrator of this portal to do it, or for the role."));
    }
    Ok(())
}
