//! How many invocations may run at once: the account's limit, what functions have reserved of it,
//! and the count of those that are running.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde_json::json;

use super::Core;
use super::code::LARGEST_UNZIPPED;
use super::errors::{constraint, invalid, throttled, within};
use super::functions::LARGEST_TOTAL_CODE;
use super::names::FunctionRef;
use super::shown::call_query;
use super::source::LARGEST_ZIP;
use crate::aws::{AwsError, Call, Reply};
use crate::context::lock;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PutInput {
    reserved_concurrent_executions: Option<i64>,
}

impl Core {
    pub(super) fn put_function_concurrency(&self, call: &Call) -> Result<Reply, AwsError> {
        call_query(call, &[])?;
        let name = FunctionRef::whole(&self.context, call.path("FunctionName"))?;
        let at = "reservedConcurrentExecutions";
        let wanted = call
            .parse::<PutInput>()?
            .reserved_concurrent_executions
            .ok_or_else(|| constraint("null", at, "Member must not be null"))?;
        within(wanted, at, 0, i64::from(u32::MAX))?;
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        let (limit, least) = (self.options.account_concurrency, self.tuning.least_unreserved);
        self.state.change(|state| {
            let others = state.reserved() - state.functions.get(&name).and_then(|f| f.reserved).unwrap_or(0);
            let function = state.functions.get_mut(&name).ok_or_else(|| self.no_function(&name))?;
            // A reservation of 0 takes nothing away from anybody: it only switches the function off.
            if wanted > 0 && u64::from(others) + u64::from(wanted) + u64::from(least) > u64::from(limit) {
                return Err(invalid(format!(
                    "Specified ReservedConcurrentExecutions for function decreases account's \
                     UnreservedConcurrentExecution below its minimum value of [{least}]."
                )));
            }
            function.reserved = Some(wanted);
            Ok(())
        })?;
        Ok(Reply::json(json!({"ReservedConcurrentExecutions": wanted})))
    }

    pub(super) fn get_function_concurrency(&self, call: &Call) -> Result<Reply, AwsError> {
        call_query(call, &[])?;
        let name = FunctionRef::whole(&self.context, call.path("FunctionName"))?;
        let reserved = self.state.read(|state| state.functions.get(&name).map(|function| function.reserved));
        Ok(Reply::json(match reserved.ok_or_else(|| self.no_function(&name))? {
            Some(reserved) => json!({"ReservedConcurrentExecutions": reserved}),
            None => json!({}),
        }))
    }

    pub(super) fn delete_function_concurrency(&self, call: &Call) -> Result<Reply, AwsError> {
        call_query(call, &[])?;
        let name = FunctionRef::whole(&self.context, call.path("FunctionName"))?;
        self.state.change(|state| {
            let function = state.functions.get_mut(&name).ok_or_else(|| self.no_function(&name))?;
            function.reserved = None;
            Ok(())
        })?;
        Ok(Reply::empty())
    }

    pub(super) fn get_account_settings(&self, call: &Call) -> Result<Reply, AwsError> {
        call_query(call, &[])?;
        let limit = self.options.account_concurrency;
        let (functions, reserved, size) = self.state.read(|state| {
            let size: u64 = state
                .functions
                .values()
                .flat_map(|function| function.versions.values().chain([&function.latest]))
                .map(|version| version.build.code.size)
                .sum();
            (state.functions.len(), state.reserved(), size)
        });
        Ok(Reply::json(json!({
            "AccountLimit": {
                "TotalCodeSize": LARGEST_TOTAL_CODE, "CodeSizeUnzipped": LARGEST_UNZIPPED,
                "CodeSizeZipped": LARGEST_ZIP, "ConcurrentExecutions": limit,
                "UnreservedConcurrentExecutions": limit.saturating_sub(reserved),
            },
            "AccountUsage": {"TotalCodeSize": size, "FunctionCount": functions},
        })))
    }
}

/// The count of running invocations.
#[derive(Debug, Default)]
pub(super) struct Admission(Mutex<Running>);

#[derive(Debug, Default)]
struct Running {
    total: u32,
    unreserved: u32,
    functions: HashMap<String, u32>,
    resources: HashMap<String, u32>,
}

/// How many run, this one included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Levels {
    pub total: u32,
    /// None for a function with a reservation.
    pub unreserved: Option<u32>,
    pub function: u32,
    pub resource: u32,
}

/// One running invocation; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    admission: Arc<Admission>,
    function: String,
    resource: String,
    unreserved: bool,
}

impl Admission {
    /// Lets one more run. `resource` is the function's name with the qualifier used, `pool` what
    /// is left of the account's limit for functions without a reservation.
    ///
    /// # Errors
    /// `TooManyRequestsException` with AWS's reason.
    pub fn admit(
        self: &Arc<Self>,
        function: &str,
        resource: &str,
        reserved: Option<u32>,
        pool: u32,
    ) -> Result<(Slot, Levels), AwsError> {
        let mut running = lock(&self.0);
        let here = running.functions.get(function).copied().unwrap_or(0);
        if reserved.is_some_and(|reserved| here >= reserved) {
            return Err(throttled("ReservedFunctionConcurrentInvocationLimitExceeded"));
        }
        if reserved.is_none() && running.unreserved >= pool {
            return Err(throttled("ConcurrentInvocationLimitExceeded"));
        }
        running.total += 1;
        if reserved.is_none() {
            running.unreserved += 1;
        }
        *running.functions.entry(function.to_owned()).or_default() += 1;
        let of_resource = running.resources.entry(resource.to_owned()).or_default();
        *of_resource += 1;
        let levels = Levels {
            resource: *of_resource,
            function: here + 1,
            total: running.total,
            unreserved: reserved.is_none().then_some(running.unreserved),
        };
        let slot = Slot {
            admission: self.clone(),
            function: function.to_owned(),
            resource: resource.to_owned(),
            unreserved: reserved.is_none(),
        };
        Ok((slot, levels))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut running = lock(&self.admission.0);
        running.total -= 1;
        running.unreserved -= u32::from(self.unreserved);
        let Running { functions, resources, .. } = &mut *running;
        for (counts, key) in [(functions, &self.function), (resources, &self.resource)] {
            if let Some(count) = counts.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservations_and_the_pool_are_kept_apart() {
        let admission = Arc::new(Admission::default());
        let reason = |result: Result<(Slot, Levels), AwsError>| {
            let error = result.expect_err("throttled");
            assert_eq!((error.code.as_str(), error.status), ("TooManyRequestsException", 429));
            error.members["Reason"].as_str().unwrap().to_owned()
        };
        assert_eq!(
            reason(admission.admit("off", "off", Some(0), 10)),
            "ReservedFunctionConcurrentInvocationLimitExceeded"
        );
        let (one, levels) = admission.admit("a", "a:live", Some(1), 1).unwrap();
        assert_eq!(levels, Levels { total: 1, unreserved: None, function: 1, resource: 1 });
        assert_eq!(
            reason(admission.admit("a", "a", Some(1), 1)),
            "ReservedFunctionConcurrentInvocationLimitExceeded"
        );
        let (two, levels) = admission.admit("b", "b", None, 1).unwrap();
        assert_eq!(levels, Levels { total: 2, unreserved: Some(1), function: 1, resource: 1 });
        assert_eq!(reason(admission.admit("c", "c", None, 1)), "ConcurrentInvocationLimitExceeded");
        drop(two);
        let (_three, levels) = admission.admit("c", "c", None, 1).unwrap();
        assert_eq!(levels.total, 2);
        drop(one);
        assert!(admission.admit("a", "a", Some(1), 1).is_ok());
    }
}
