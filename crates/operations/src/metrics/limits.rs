//! How many calls may be at work at once.

use std::sync::Arc;

use aws_sdk_lambda::Client;
use model::metrics::ConcurrencyLimits;
use model::problem::{Problem, ProblemKind};
use model::stack::Stack;

use crate::aws::problem;

/// Reads what is set aside for the function, and what the account has.
pub(super) async fn read(lambda: Client, stack: Arc<Stack>) -> Result<ConcurrencyLimits, Problem> {
    let of_function = lambda.get_function_concurrency().function_name(&stack.function).send();
    let of_account = lambda.get_account_settings().send();
    let (function, account) = futures::join!(of_function, of_account);
    let function = function
        .map_err(|error| problem("read the reserved concurrency", "lambda:GetFunctionConcurrency", &error))?;
    let account = account
        .map_err(|error| problem("read the account's concurrency", "lambda:GetAccountSettings", &error))?;
    let unsigned = |number: i32| u32::try_from(number).unwrap_or_default();
    let Some(limit) = account.account_limit() else {
        return Err(Problem::new(ProblemKind::Upstream, "Lambda left out the account's concurrency."));
    };
    Ok(ConcurrencyLimits {
        reserved: function.reserved_concurrent_executions().map(unsigned),
        account: unsigned(limit.concurrent_executions()),
    })
}
