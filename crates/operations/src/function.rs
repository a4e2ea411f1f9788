//! What runs behind the alias.

use std::sync::Arc;

use aws_sdk_lambda::Client;
use aws_smithy_types::date_time::Format;
use model::overview::Function;
use model::problem::Problem;
use model::stack::Stack;

use crate::aws::{problem, timestamp};

/// Reads the alias, then the configuration of the version it names: two calls, so that a canary's
/// share and the version's own facts are of the same alias. When the alias moves in between, the
/// facts are the old version's, and the next reading puts it right.
pub(crate) async fn read(lambda: Client, stack: Arc<Stack>) -> Result<Function, Problem> {
    let (name, alias) = (&stack.function, &stack.alias);
    let at =
        lambda.get_alias().function_name(name).name(alias).send().await.map_err(|error| {
            problem(&format!("read the alias {alias} of {name}"), "lambda:GetAlias", &error)
        })?;
    let version = at.function_version().unwrap_or_default().to_owned();
    let facts = lambda
        .get_function_configuration()
        .function_name(name)
        .qualifier(&version)
        .send()
        .await
        .map_err(|error| {
            problem(&format!("read version {version} of {name}"), "lambda:GetFunctionConfiguration", &error)
        })?;
    let canary = at
        .routing_config()
        .and_then(|routing| routing.additional_version_weights())
        .and_then(|weights| weights.iter().next())
        .map(|(version, weight)| (version.clone(), *weight));
    let unsigned = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    Ok(Function {
        version,
        canary,
        state: facts.state().map_or("Unknown", |state| state.as_str()).to_owned(),
        state_reason: facts.state_reason().map(str::to_owned),
        last_update: facts.last_update_status().map_or("Unknown", |status| status.as_str()).to_owned(),
        last_update_reason: facts.last_update_status_reason().map(str::to_owned),
        modified: facts.last_modified().and_then(modified),
        runtime: facts.runtime().map(|runtime| runtime.as_str().to_owned()),
        memory_mb: unsigned(facts.memory_size()),
        timeout_seconds: unsigned(facts.timeout()),
    })
}

/// Lambda writes `2026-01-31T23:59:59.000+0000`: ISO 8601 without the colon RFC 3339 wants.
pub(crate) fn modified(text: &str) -> Option<model::time::Timestamp> {
    let text = match text.strip_suffix("+0000") {
        Some(start) => format!("{start}Z"),
        None => text.to_owned(),
    };
    aws_smithy_types::DateTime::from_str(&text, Format::DateTime).ok().map(|time| timestamp(&time))
}

#[cfg(test)]
mod tests {
    use model::time::Timestamp;

    use super::*;

    #[test]
    fn lambdas_own_time_format_is_read() {
        assert_eq!(modified("1970-01-01T00:00:01.500+0000"), Some(Timestamp(1_500)));
        assert_eq!(modified("1970-01-01T00:00:02Z"), Some(Timestamp(2_000)));
        assert_eq!(modified("yesterday"), None);
    }
}
