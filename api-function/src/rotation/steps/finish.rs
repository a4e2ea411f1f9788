//! finishSecret: AWSCURRENT moves to the version, and AWSPREVIOUS by itself to the one before.
//!
//! It is moved away from the version it was just seen on: should another one have become current in
//! between, the move is refused, and nobody's work is undone. A refusal is looked at again before it
//! is believed: the answer to a move that was made may be lost, and the second try is refused.
//!
//! AWSPENDING is taken off afterwards, as AWS recommends. It may stay: on the current version it means
//! the same as its absence, so a failure there is a line in the log.

use super::{Done, Work};
use crate::rotation::failure::Failure;
use crate::rotation::guard::{CURRENT, Described, PENDING};

impl Work<'_> {
    pub(super) async fn finish(&self, described: Described, already: bool) -> Result<Done, Failure> {
        let (store, secret, token) = (&self.rotation.store, &self.order.secret, &self.order.token);
        let mut pending = described.has(token, PENDING);
        if !already {
            // For the log, and so that a version that can't be read does not become the current one.
            self.current().await?;
            self.expect_pending().await?;
            let from = described.holder(CURRENT);
            if let Err(failure) = store.move_label(secret, CURRENT, from, Some(token)).await {
                let now = self.describe().await?;
                if !now.has(token, CURRENT) {
                    return Err(failure);
                }
                pending = now.has(token, PENDING);
            }
        }
        if pending && let Err(failure) = store.move_label(secret, PENDING, Some(token), None).await {
            let (cause, reason) = (failure.cause.text(), failure.reason);
            tracing::warn!(cause, reason, "AWSPENDING stays on the version that is current now");
        }
        Ok(if already { Done::Before } else { Done::Now })
    }
}
