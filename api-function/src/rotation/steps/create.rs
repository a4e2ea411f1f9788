//! createSecret: a value with a new password under the version's id.
//!
//! The id has one value for ever. So it is put only where there is none, and where two invocations
//! come at once, or an answer is lost, the first one counts: the second is refused by Secrets
//! Manager, and reads what is there. Killed before the value is put, nothing has happened; after it,
//! the step finds it.

use zeroize::Zeroizing;

use super::{Done, Work};
use crate::rotation::failure::{Cause, Failure};
use crate::rotation::password;

impl Work<'_> {
    pub(super) async fn create(&self) -> Result<Done, Failure> {
        let (current, strategy) = self.current().await?;
        let user = strategy.next_user(&current.login.username)?;
        if self.pending().await?.is_some() {
            return Ok(Done::Before);
        }
        let rotation = self.rotation;
        let length = rotation.config.password_length;
        let password = password::new(&rotation.store, &rotation.random, &user, length).await;
        let text: Zeroizing<String> = current.next(&user, &password);
        let (secret, token) = (&self.order.secret, &self.order.token);
        let handed = self.order.rotation_token.as_ref().map(|token| token.as_str());
        if rotation.store.put(secret, token, &text, handed).await? {
            return Ok(Done::Now);
        }
        match self.pending().await? {
            Some(_) => Ok(Done::Before),
            // Its label was taken away meanwhile: whoever did that abandoned the rotation.
            None => Err(Failure::new(
                Cause::NotInRotation,
                "the version has a value already, and lost its label AWSPENDING meanwhile",
            )),
        }
    }
}
