//! What preflight looks at, read from AWS: the rotation function, the network of the API's function,
//! and the alias.

use std::sync::Arc;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::types::VpcConfigResponse;
use model::problem::Problem;
use model::rollout::Note;
use model::rotation::{SecretUser, Strategy};
use model::stack::Stack;
use serde_json::Value;

use super::preflight::{ApiFunction, Network, RotationFunction};
use crate::aws::problem;

/// Who invokes a rotation function.
const SERVICE: &str = "secretsmanager.amazonaws.com";
/// Functions are listed 50 at a time; so many pages are looked through for users of the secret.
const MOST_PAGES: usize = 10;

/// Reads the rotation function that `arn` names, for the secret `secret_arn`.
pub(crate) async fn rotation_function(
    lambda: Client,
    arn: String,
    secret_arn: String,
) -> Result<RotationFunction, Problem> {
    let (facts, invocable, reserved) = futures::join!(
        configuration(&lambda, &arn, None),
        may_invoke(&lambda, &arn, &secret_arn),
        reserved(&lambda, &arn),
    );
    let facts = facts?;
    let name = facts.function_name().unwrap_or(&arn).to_owned();
    let own_group = facts.logging_config().and_then(|config| config.log_group()).map(str::to_owned);
    Ok(RotationFunction {
        log_group: own_group.unwrap_or_else(|| format!("/aws/lambda/{name}")),
        state: facts.state().map_or("Active", |state| state.as_str()).to_owned(),
        timeout_seconds: facts.timeout().and_then(|seconds| seconds.try_into().ok()).unwrap_or(3),
        network: network_of(facts.vpc_config()),
        strategy: strategy(&facts),
        invocable,
        reserved,
        name,
    })
}

/// The API's function: where it runs, at the version the alias names, and how many environments it may
/// have.
pub(crate) async fn api_function(lambda: Client, stack: Arc<Stack>) -> Result<ApiFunction, Problem> {
    let (facts, reserved) = futures::join!(
        configuration(&lambda, &stack.function, Some(&stack.alias)),
        reserved(&lambda, &stack.function),
    );
    Ok(ApiFunction { network: network_of(facts?.vpc_config()), reserved })
}

/// The redeploy that is under way, in words: a rollout that the alias's note tells of, or a share that
/// somebody gave a version by other means.
pub(crate) async fn redeploy(lambda: Client, stack: Arc<Stack>) -> Result<Option<String>, Problem> {
    let alias = lambda.get_alias().function_name(&stack.function).name(&stack.alias).send().await;
    let alias = alias
        .map_err(|error| problem(&format!("read the alias {}", stack.alias), "lambda:GetAlias", &error))?;
    let by = match Note::read(alias.description().unwrap_or_default()) {
        Note::Underway(note) => Some(note.by),
        _ => None,
    };
    let weights = alias.routing_config().and_then(|config| config.additional_version_weights());
    let share = weights.into_iter().flatten().find(|(_, weight)| **weight > 0.0);
    let whose = by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    Ok(match share {
        Some((version, share)) => {
            let percent = share * 100.0;
            Some(format!(
                "Version {version} gets {percent:.0} % of the requests: a redeploy{whose} is under way."
            ))
        }
        None => by.map(|_| format!("A redeploy{whose} is under way.")),
    })
}

/// The functions whose environment names the secret, by its name or its ARN.
pub(crate) async fn users(
    lambda: Client,
    stack: Arc<Stack>,
    arn: String,
) -> Result<Vec<SecretUser>, Problem> {
    let (mut users, mut next) = (Vec::new(), None);
    for _ in 0..MOST_PAGES {
        let page = lambda.list_functions().set_marker(next).max_items(50).send().await;
        let page = page.map_err(|error| problem("list the functions", "lambda:ListFunctions", &error))?;
        for function in page.functions() {
            let variables = function.environment().and_then(|environment| environment.variables());
            let names = variables.into_iter().flatten();
            let variable = names
                .filter(|(_, value)| **value == stack.secret_id || **value == arn)
                .map(|(name, _)| name)
                .min();
            if let (Some(name), Some(variable)) = (function.function_name(), variable) {
                users.push(SecretUser { function: name.to_owned(), variable: variable.clone() });
            }
        }
        next = page.next_marker;
        if next.is_none() {
            break;
        }
    }
    Ok(users)
}

async fn configuration(
    lambda: &Client,
    function: &str,
    qualifier: Option<&str>,
) -> Result<GetFunctionConfigurationOutput, Problem> {
    let request = lambda.get_function_configuration().function_name(function);
    request.set_qualifier(qualifier.map(str::to_owned)).send().await.map_err(|error| {
        problem(&format!("read the function {function}"), "lambda:GetFunctionConfiguration", &error)
    })
}

fn network_of(config: Option<&VpcConfigResponse>) -> Network {
    let Some(config) = config else { return Network::default() };
    let mut network = Network {
        vpc: config.vpc_id().filter(|id| !id.is_empty()).map(str::to_owned),
        subnets: config.subnet_ids().to_vec(),
        groups: config.security_group_ids().to_vec(),
    };
    network.subnets.sort();
    network.groups.sort();
    network
}

/// The strategy that the rotation function is told to follow. Most are told none: it follows from the
/// secret's value then, which the portal does not read.
fn strategy(facts: &GetFunctionConfigurationOutput) -> Option<Strategy> {
    match facts.environment()?.variables()?.get("ROTATION_STRATEGY")?.trim() {
        "single" => Some(Strategy::SingleUser),
        "alternating" => Some(Strategy::AlternatingUsers),
        _ => None,
    }
}

async fn reserved(lambda: &Client, arn: &str) -> Option<u32> {
    // Of little consequence where it can't be read: an invocation that is refused says so itself.
    let answer = lambda.get_function_concurrency().function_name(arn).send().await.ok()?;
    answer.reserved_concurrent_executions().and_then(|count| count.try_into().ok())
}

async fn may_invoke(lambda: &Client, arn: &str, secret_arn: &str) -> Result<bool, Problem> {
    match lambda.get_policy().function_name(arn).send().await {
        Ok(answer) => Ok(lets_in(answer.policy().unwrap_or_default(), secret_arn)),
        Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(false),
        Err(error) => Err(problem("read the rotation function's policy", "lambda:GetPolicy", &error)),
    }
}

/// Whether a function's policy lets Secrets Manager in on behalf of this secret. Conditions other
/// than those on the source are taken as not met: better a check too strict than a rotation that fails.
fn lets_in(policy: &str, secret_arn: &str) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return false };
    let statements = match &policy["Statement"] {
        Value::Array(list) => list.clone(),
        Value::Object(_) => vec![policy["Statement"].clone()],
        _ => return false,
    };
    let applies = |statement: &&Value| {
        listed(&statement["Principal"]["Service"], |service| service == SERVICE)
            && listed(&statement["Action"], |action| {
                matches!(action, "lambda:InvokeFunction" | "lambda:*" | "*")
            })
            && conditions_hold(&statement["Condition"], secret_arn)
    };
    let effect = |statement: &&&Value, effect: &str| statement["Effect"] == effect;
    let applying: Vec<&Value> = statements.iter().filter(applies).collect();
    applying.iter().any(|statement| effect(&statement, "Allow"))
        && !applying.iter().any(|statement| effect(&statement, "Deny"))
}

fn conditions_hold(conditions: &Value, secret_arn: &str) -> bool {
    let account = secret_arn.split(':').nth(4).unwrap_or_default();
    conditions.as_object().into_iter().flatten().all(|(operator, keys)| {
        keys.as_object().into_iter().flatten().all(|(key, value)| {
            let of = match key.to_ascii_lowercase().as_str() {
                "aws:sourcearn" => secret_arn,
                "aws:sourceaccount" => account,
                _ => return false,
            };
            match operator.as_str() {
                "ArnLike" | "StringLike" | "ArnEquals" => {
                    listed(value, |pattern| matches_pattern(pattern, of))
                }
                "StringEquals" => listed(value, |text| text == of),
                _ => false,
            }
        })
    })
}

/// One text, or one of several.
fn listed(value: &Value, holds: impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => holds(text),
        Value::Array(list) => list.iter().filter_map(Value::as_str).any(holds),
        _ => false,
    }
}

/// `*` stands for any characters, `?` for one (IAM, "StringLike" and "ArnLike").
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut star) = (0, 0, None);
    while let Some(c) = text.get(t) {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(expected) if *expected == '?' || expected == c => {
                p += 1;
                t += 1;
            }
            _ => match star {
                // The last star takes one character more.
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:learninghub/sqlserver-AbCdEf";

    #[test]
    fn a_policy_lets_secrets_manager_in_or_not() {
        let statement = |principal: Value, condition: Value| json!({ "Effect": "Allow", "Principal": principal, "Action": "lambda:InvokeFunction", "Condition": condition });
        let service = || json!({ "Service": SERVICE });
        let like = |pattern: &str| json!({ "ArnLike": { "AWS:SourceArn": pattern } });
        let table = [
            (statement(service(), Value::Null), true),
            (statement(service(), like(SECRET)), true),
            (statement(service(), like("arn:aws:secretsmanager:*:123456789012:secret:learninghub/*")), true),
            (
                statement(
                    service(),
                    like("arn:aws:secretsmanager:eu-west-1:123456789012:secret:other-??????"),
                ),
                false,
            ),
            (statement(service(), json!({ "StringEquals": { "AWS:SourceAccount": "123456789012" } })), true),
            (statement(service(), json!({ "StringEquals": { "AWS:SourceAccount": "210987654321" } })), false),
            (statement(service(), json!({ "Bool": { "aws:SecureTransport": "true" } })), false),
            (statement(json!({ "Service": "apigateway.amazonaws.com" }), Value::Null), false),
            (statement(json!({ "AWS": "*" }), Value::Null), false),
        ];
        for (statement, expected) in table {
            let policy = json!({ "Version": "2012-10-17", "Statement": [statement.clone()] }).to_string();
            assert_eq!(lets_in(&policy, SECRET), expected, "{statement}");
        }
        let allow = statement(service(), Value::Null);
        let mut deny = allow.clone();
        deny["Effect"] = json!("Deny");
        assert!(!lets_in(&json!({ "Statement": [allow, deny] }).to_string(), SECRET));
        assert!(!lets_in("no JSON", SECRET));
    }
}
