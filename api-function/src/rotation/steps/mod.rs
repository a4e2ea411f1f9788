//! The four steps.

mod create;
mod finish;
mod set;
mod superuser;
mod test;

use std::sync::OnceLock;

use super::Rotation;
use super::event::{Order, Step};
use super::failure::{Cause, Failure};
use super::guard::{self, CURRENT, Described, Guard, PENDING};
use super::secret::Held;
use super::store::Version;
use super::strategy::Strategy;

/// How a step that did not fail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It did what it is for.
    Now,
    /// There was nothing left to do.
    Before,
}

/// One step on its way.
pub struct Work<'a> {
    rotation: &'a Rotation,
    order: &'a Order,
    /// For the log, once it is known.
    strategy: OnceLock<Strategy>,
}

impl<'a> Work<'a> {
    /// A step that has not begun.
    pub fn new(rotation: &'a Rotation, order: &'a Order) -> Self {
        Self { rotation, order, strategy: OnceLock::new() }
    }

    /// The strategy, where the step came so far as to know it.
    pub fn strategy(&self) -> Option<Strategy> {
        self.strategy.get().copied()
    }

    /// Looks whether the step is in order, and takes it.
    ///
    /// # Errors
    /// Why it is not done.
    pub async fn run(&self) -> Result<Done, Failure> {
        let described = self.rotation.store.describe(&self.order.secret).await?;
        let already = guard::guard(&described, &self.order.token)? == Guard::AlreadyCurrent;
        match self.order.step {
            Step::Finish => self.finish(described, already).await,
            _ if already => Ok(Done::Before),
            Step::Create => self.create().await,
            Step::Set => self.set().await,
            Step::Test => self.test().await,
        }
    }

    async fn describe(&self) -> Result<Described, Failure> {
        self.rotation.store.describe(&self.order.secret).await
    }

    /// The version in use, and with it the strategy.
    async fn current(&self) -> Result<(Held, Strategy), Failure> {
        let held = self.rotation.store.read(&self.order.secret, Version::Labelled(CURRENT)).await?;
        let held = held.ok_or_else(|| {
            Failure::new(Cause::SecretNotFound, "the secret has no value with the label AWSCURRENT")
        })?;
        let strategy = Strategy::choose(self.rotation.config.strategy, held.superuser.is_some())?;
        Ok((held, *self.strategy.get_or_init(|| strategy)))
    }

    /// The version that is rotated to; none when it has no value.
    async fn pending(&self) -> Result<Option<Held>, Failure> {
        let version = Version::Exactly(&self.order.token, PENDING);
        self.rotation.store.read(&self.order.secret, version).await
    }
}
