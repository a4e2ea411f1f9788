//! The HTTP API in front: whether its integrations lead to the alias, and whether its stage deploys
//! by itself.
//!
//! New code needs no deployment of the API. But an integration that names the function without the
//! alias gets whatever was uploaded last, and no rollout has an effect on it.

use aws_sdk_apigatewayv2::Client as Gateway;
use aws_sdk_apigatewayv2::error::ProvideErrorMetadata as _;
use aws_sdk_lambda::Client as Lambda;
use model::deploy::{
    ApiDeployed, ApiFront, DeployApi, Integration, IntegrationChange, IntegrationTarget,
    PointIntegrationAtAlias,
};
use model::people::{Actor, Role};
use model::problem::{Problem, ProblemKind};
use model::stack::Stack;
use model::tokens::Scope;
use serde_json::Value;

use crate::aws::problem;
use crate::perform::Operation;
use crate::portal::Portal;

/// AWS: an HTTP API has at most 300 integrations; read 100 at a time.
const MOST_PAGES: usize = 3;
/// The permission's name in the alias's policy.
const STATEMENT: &str = "lockkeeper-http-api";

/// Reads the stage and the integrations with the function.
pub(super) async fn read(gateway: &Gateway, lambda: &Lambda, stack: &Stack) -> Result<ApiFront, Problem> {
    let stage = gateway
        .get_stage()
        .api_id(&stack.api_id)
        .stage_name(&stack.stage)
        .send()
        .await
        .map_err(|error| problem(&format!("read the stage {}", stack.stage), "apigateway:GET", &error))?;
    let mut integrations = Vec::new();
    let mut next = None;
    for _ in 0..MOST_PAGES {
        let page = gateway
            .get_integrations()
            .api_id(&stack.api_id)
            .max_results("100")
            .set_next_token(next)
            .send()
            .await
            .map_err(|error| problem("read the API's integrations", "apigateway:GET", &error))?;
        for one in page.items() {
            if let (Some(id), Some(uri)) = (one.integration_id(), one.integration_uri())
                && let Some(target) = target(uri, stack)
            {
                integrations.push((id.to_owned(), uri.to_owned(), target));
            }
        }
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    let mut shown = Vec::new();
    for (id, uri, target) in integrations {
        let qualifier = match &target {
            IntegrationTarget::Alias => Some(stack.alias.as_str()),
            IntegrationTarget::Unqualified => None,
            IntegrationTarget::Other(name) => Some(name.as_str()),
        };
        let permitted = permitted(lambda, stack, qualifier).await.ok();
        let change = match &target {
            IntegrationTarget::Alias => None,
            _ => Some(change(lambda, stack, &uri).await?),
        };
        shown.push(Integration { id, uri, target, permitted, change });
    }
    Ok(ApiFront {
        stage: stack.stage.clone(),
        auto_deploy: stage.auto_deploy().unwrap_or_default(),
        deployment: stage.deployment_id().map(str::to_owned),
        last_message: stage.last_deployment_status_message().map(str::to_owned),
        integrations: shown,
    })
}

/// The ARN in an integration's URI: HTTP APIs take it bare, or as REST APIs have it
/// (`arn:aws:apigateway:…:lambda:path/2015-03-31/functions/ARN/invocations`).
fn arn(uri: &str) -> &str {
    match uri.split_once("/functions/") {
        Some((_, rest)) => rest.trim_end_matches("/invocations"),
        None => uri,
    }
}

/// What of the function an integration's URI names; none where it names another function.
fn target(uri: &str, stack: &Stack) -> Option<IntegrationTarget> {
    let (_, rest) = arn(uri).split_once(":function:")?;
    let (name, qualifier) = match rest.split_once(':') {
        Some((name, qualifier)) => (name, Some(qualifier)),
        None => (rest, None),
    };
    (name == stack.function).then(|| match qualifier {
        None | Some("$LATEST") => IntegrationTarget::Unqualified,
        Some(alias) if alias == stack.alias => IntegrationTarget::Alias,
        Some(other) => IntegrationTarget::Other(other.to_owned()),
    })
}

/// The same URI with the alias in it.
fn to_alias(uri: &str, stack: &Stack) -> String {
    let old = arn(uri);
    let (start, rest) = old.split_once(":function:").unwrap_or((old, ""));
    let name = rest.split(':').next().unwrap_or_default();
    uri.replacen(old, &format!("{start}:function:{name}:{}", stack.alias), 1)
}

async fn change(lambda: &Lambda, stack: &Stack, uri: &str) -> Result<IntegrationChange, Problem> {
    let permitted = permitted(lambda, stack, Some(&stack.alias)).await?;
    let permission = (!permitted).then(|| {
        format!(
            "apigateway.amazonaws.com may invoke {}:{} for the API {}",
            stack.function, stack.alias, stack.api_id
        )
    });
    Ok(IntegrationChange { from: uri.to_owned(), to: to_alias(uri, stack), permission })
}

/// Whether the policy of the function, or of its alias or version, lets this API in.
async fn permitted(lambda: &Lambda, stack: &Stack, qualifier: Option<&str>) -> Result<bool, Problem> {
    let answer = lambda
        .get_policy()
        .function_name(&stack.function)
        .set_qualifier(qualifier.map(str::to_owned))
        .send()
        .await;
    match answer {
        Ok(answer) => Ok(lets_in(answer.policy().unwrap_or_default(), &stack.api_id)),
        // Without a policy there is nothing to read.
        Err(error)
            if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) =>
        {
            Ok(false)
        }
        Err(error) => Err(problem("read the function's policy", "lambda:GetPolicy", &error)),
    }
}

fn lets_in(policy: &str, api_id: &str) -> bool {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let ours = format!(":{api_id}/");
    policy["Statement"].as_array().into_iter().flatten().any(|statement| {
        let source = &statement["Condition"];
        let arn = ["ArnLike", "StringEquals", "ArnEquals", "StringLike"]
            .iter()
            .find_map(|kind| {
                source[kind].as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case("aws:SourceArn"))
            })
            .and_then(|(_, arn)| arn.as_str());
        statement["Effect"] == "Allow"
            && statement["Principal"]["Service"] == "apigateway.amazonaws.com"
            && arn.is_none_or(|arn| arn.contains(&ours))
    })
}

impl Operation for PointIntegrationAtAlias {
    const NAME: &'static str = "PointIntegrationAtAlias";
    const NEEDS: Role = Role::Operator;
    const SCOPE: Scope = Scope::Deploy;
    type Output = IntegrationChange;

    async fn run(&self, portal: &Portal, _: &Actor) -> Result<IntegrationChange, Problem> {
        let (gateway, lambda, stack) = (&portal.clients.gateway, &portal.clients.lambda, portal.stack());
        let front = read(gateway, lambda, stack).await?;
        let found = front.integrations.into_iter().find(|one| one.id == self.integration);
        let Some(found) = found else {
            let message = "There is no such integration with this function.";
            return Err(Problem::new(ProblemKind::NotFound, message));
        };
        let Some(change) = found.change.filter(|change| change.from == self.from) else {
            let message = "The integration leads elsewhere by now, so nothing was done.";
            return Err(Problem::new(ProblemKind::Conflict, message).with_next("Look at the page again."));
        };
        // First the permission: the other way round each request would fail until it is there.
        if change.permission.is_some() {
            allow(lambda, stack, &change.to).await?;
        }
        let answer = gateway
            .update_integration()
            .api_id(&stack.api_id)
            .integration_id(&self.integration)
            .integration_uri(&change.to)
            .send()
            .await;
        answer.map_err(|error| problem("change the integration", "apigateway:PATCH", &error))?;
        portal.forget_deploys();
        Ok(change)
    }
}

async fn allow(lambda: &Lambda, stack: &Stack, uri: &str) -> Result<(), Problem> {
    let account = arn(uri).split(':').nth(4).unwrap_or("*");
    let source = format!("arn:aws:execute-api:{}:{account}:{}/*/*", stack.region, stack.api_id);
    let answer = lambda
        .add_permission()
        .function_name(&stack.function)
        .qualifier(&stack.alias)
        .statement_id(format!("{STATEMENT}-{}", stack.api_id))
        .action("lambda:InvokeFunction")
        .principal("apigateway.amazonaws.com")
        .source_arn(source)
        .send()
        .await;
    match answer {
        Ok(_) => Ok(()),
        // Added by an earlier attempt, whose answer was lost.
        Err(error) if error.code() == Some("ResourceConflictException") => Ok(()),
        Err(error) => Err(problem("add the permission", "lambda:AddPermission", &error)),
    }
}

impl Operation for DeployApi {
    const NAME: &'static str = "DeployApi";
    const NEEDS: Role = Role::Operator;
    const SCOPE: Scope = Scope::Deploy;
    type Output = ApiDeployed;

    async fn run(&self, portal: &Portal, _: &Actor) -> Result<ApiDeployed, Problem> {
        let (gateway, stack) = (&portal.clients.gateway, portal.stack());
        let stage =
            gateway.get_stage().api_id(&stack.api_id).stage_name(&stack.stage).send().await.map_err(
                |error| problem(&format!("read the stage {}", stack.stage), "apigateway:GET", &error),
            )?;
        if stage.auto_deploy() == Some(true) {
            let message = format!("The stage {} deploys changes by itself.", stack.stage);
            return Err(Problem::new(ProblemKind::Conflict, message).with_next("There is nothing to do."));
        }
        if self.description.len() > 1_024 {
            return Err(Problem::new(ProblemKind::Invalid, "The description is longer than 1,024 bytes."));
        }
        let answer = gateway
            .create_deployment()
            .api_id(&stack.api_id)
            .stage_name(&stack.stage)
            .description(self.description.trim())
            .send()
            .await
            .map_err(|error| problem("deploy the API", "apigateway:POST", &error))?;
        portal.forget_deploys();
        Ok(ApiDeployed {
            deployment: answer.deployment_id().unwrap_or_default().to_owned(),
            status: answer.deployment_status().map_or("PENDING", |status| status.as_str()).to_owned(),
            message: answer.deployment_status_message().map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack() -> Stack {
        Stack {
            region: "eu-west-1".to_owned(),
            api_id: "a1b2c3".to_owned(),
            stage: "$default".to_owned(),
            function: "api".to_owned(),
            alias: "live".to_owned(),
            secret_id: "s".to_owned(),
            status_url: String::new(),
        }
    }

    #[test]
    fn where_an_integration_leads() {
        use IntegrationTarget::{Alias, Other, Unqualified};
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:api";
        let long = |arn: &str| {
            format!("arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{arn}/invocations")
        };
        let table = [
            (arn.to_owned(), Some(Unqualified), format!("{arn}:live")),
            (format!("{arn}:$LATEST"), Some(Unqualified), format!("{arn}:live")),
            (format!("{arn}:live"), Some(Alias), format!("{arn}:live")),
            (format!("{arn}:7"), Some(Other("7".to_owned())), format!("{arn}:live")),
            (long(arn), Some(Unqualified), long(&format!("{arn}:live"))),
            (long(&format!("{arn}:beta")), Some(Other("beta".to_owned())), long(&format!("{arn}:live"))),
        ];
        for (uri, expected, changed) in table {
            assert_eq!(target(&uri, &stack()), expected, "{uri}");
            assert_eq!(to_alias(&uri, &stack()), changed, "{uri}");
        }
        for other in
            ["https://example.com/x", &format!("{arn}-other"), "arn:aws:lambda:eu-west-1:1:function:b:live"]
        {
            assert_eq!(target(other, &stack()), None, "{other}");
        }
    }

    #[test]
    fn whom_a_policy_lets_in() {
        let policy = |source: &str, principal: &str| {
            serde_json::json!({ "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": principal },
                "Action": "lambda:InvokeFunction",
                "Condition": { "ArnLike": { "AWS:SourceArn": source } },
            }]})
            .to_string()
        };
        let service = "apigateway.amazonaws.com";
        let table = [
            (policy("arn:aws:execute-api:eu-west-1:1:a1b2c3/*/*", service), true),
            (policy("arn:aws:execute-api:eu-west-1:1:other/*/*", service), false),
            (policy("arn:aws:execute-api:eu-west-1:1:a1b2c3/*/*", "s3.amazonaws.com"), false),
            ("{}".to_owned(), false),
        ];
        for (policy, expected) in table {
            assert_eq!(lets_in(&policy, "a1b2c3"), expected, "{policy}");
        }
    }
}
