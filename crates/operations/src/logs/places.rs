//! Which log groups the stack writes to. What can't be read is a problem of its own: the others are
//! searched all the same.

use std::sync::Arc;

use aws_sdk_apigatewayv2::Client as Gateway;
use aws_sdk_lambda::Client as Lambda;
use model::problem::{Problem, ProblemKind};
use model::stack::Stack;

use crate::aws::problem;

/// The places.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The stage's access log.
    pub(crate) access: Result<AccessLog, Problem>,
    /// The function's log group.
    pub(crate) function: String,
    /// Whether the function asks for traces of its own; none when that is not known.
    pub(crate) traced: Option<bool>,
    /// Why it is not known for sure which group the function writes to.
    pub(crate) guessed: Option<Problem>,
}

/// The access log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AccessLog {
    /// The log group's name.
    pub(crate) group: String,
    /// The format of its lines.
    pub(crate) format: String,
}

/// Reads both.
pub(crate) async fn read(gateway: Gateway, lambda: Lambda, stack: Arc<Stack>) -> Result<Places, Problem> {
    let (access, configuration) = futures::join!(access(&gateway, &stack), configuration(&lambda, &stack));
    let usual = format!("/aws/lambda/{}", stack.function);
    Ok(match configuration {
        Ok((group, traced)) => {
            Places { access, function: group.unwrap_or(usual), traced: Some(traced), guessed: None }
        }
        Err(problem) => Places { access, function: usual, traced: None, guessed: Some(problem) },
    })
}

async fn access(gateway: &Gateway, stack: &Stack) -> Result<AccessLog, Problem> {
    let stage = gateway.get_stage().api_id(&stack.api_id).stage_name(&stack.stage).send().await;
    let stage = stage
        .map_err(|error| problem(&format!("read the stage {}", stack.stage), "apigateway:GET", &error))?;
    let settings = stage.access_log_settings();
    let group = settings.and_then(|settings| settings.destination_arn()).and_then(group_of);
    match (group, settings.and_then(|settings| settings.format())) {
        (Some(group), Some(format)) => {
            Ok(AccessLog { group: group.to_owned(), format: format.trim().to_owned() })
        }
        _ => Err(Problem::new(
            ProblemKind::NotFound,
            format!("The stage {} writes no access log to CloudWatch Logs.", stack.stage),
        )
        .with_next("Switch the stage's access log on.")),
    }
}

/// The function's own log group, if it has one, and whether its tracing is active.
async fn configuration(lambda: &Lambda, stack: &Stack) -> Result<(Option<String>, bool), Problem> {
    let name = &stack.function;
    let facts = lambda.get_function_configuration().function_name(name).qualifier(&stack.alias).send().await;
    let facts = facts.map_err(|error| {
        problem(&format!("read the configuration of {name}"), "lambda:GetFunctionConfiguration", &error)
    })?;
    let group = facts.logging_config().and_then(|config| config.log_group()).map(str::to_owned);
    let traced = facts.tracing_config().and_then(|config| config.mode());
    Ok((group, traced.is_some_and(|mode| mode.as_str() == "Active")))
}

/// The name in a log group's ARN, which may end in `:*`. None for a Firehose stream.
fn group_of(arn: &str) -> Option<&str> {
    let (_, name) = arn.split_once(":log-group:")?;
    Some(name.strip_suffix(":*").unwrap_or(name)).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_in_its_arn() {
        let table = [
            ("arn:aws:logs:eu-west-1:1:log-group:/aws/vendedlogs/api", Some("/aws/vendedlogs/api")),
            ("arn:aws:logs:eu-west-1:1:log-group:api:*", Some("api")),
            ("arn:aws:firehose:eu-west-1:1:deliverystream/amazon-apigateway-x", None),
        ];
        for (arn, group) in table {
            assert_eq!(group_of(arn), group, "{arn}");
        }
    }
}
