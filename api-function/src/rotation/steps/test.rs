//! testSecret: a login with the new password, and a query that needs the application's own rights.
//!
//! Changes nothing: the query runs in a transaction that is rolled back.
//!
//! A version without a value is a rehearsal (RotateSecret with RotateImmediately = false): there is
//! nothing new to be tested, so that what the next rotation begins with is tested, AWSCURRENT.

use super::{Done, Work};
use crate::rotation::failure::{Cause, Failure};
use crate::rotation::login::{self, Outcome};
use crate::rotation::server::Refusal;
use crate::sql::{Statement, Value};

/// The query as a text of its own, so that whatever is in it can't end the transaction's batch early.
const QUERY: &str = "SET XACT_ABORT ON;
BEGIN TRANSACTION;
EXEC (@P1);
IF @@TRANCOUNT > 0 ROLLBACK;";

impl Work<'_> {
    pub(super) async fn test(&self) -> Result<Done, Failure> {
        let (current, _) = self.current().await?;
        let tested = self.pending().await?.unwrap_or(current);
        let mut session = match self.rotation.server.log_in(&tested.login).await {
            Ok(session) => session,
            Err(Outcome::Refused(number)) => {
                return Err(login::refused("the login of the version under test", number));
            }
            Err(Outcome::Failed(failure)) => return Err(failure),
            Err(Outcome::In) => return Err(Failure::new(Cause::Internal, "a login without a session")),
        };
        let query = Statement::new(QUERY).bind(Value::Text(self.rotation.config.test_query.clone()));
        match session.run(&query).await {
            Ok(_) => Ok(Done::Now),
            Err(Refusal::Statement { number }) => Err(Failure::new(
                Cause::TestQueryFailed,
                format!(
                    "the new login works, but the test query (ROTATION_TEST_QUERY) fails with error {number}"
                ),
            )),
            Err(refusal) => Err(refusal.failure("the test query")),
        }
    }
}
