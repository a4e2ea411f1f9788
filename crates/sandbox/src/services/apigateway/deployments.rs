//! Deployments: frozen copies of what was edited, which stages serve. A stage that deploys itself
//! gets a new one with every edit.

use serde::Deserialize;

use super::ApiGateway;
use super::check::{api, api_mut, bad, input, iso, length, not_found, page, reply};
use super::model::{ApiState, Deployed, Deployment};
use crate::aws::{AwsError, Call, Reply};
use crate::context::Context;

/// How many deployments that no stage serves are kept of those a stage made for itself. AWS keeps
/// them all; every edit makes one, and nobody reads the old ones.
const KEPT: usize = 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Create {
    description: Option<String>,
    stage_name: Option<String>,
}

/// `CreateDeployment`, onto a stage at once when one is named.
pub(super) fn create(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let input: Create = input(call, &[])?;
    input.description.as_deref().map_or(Ok(()), |text| length("Description", text, 0, 1024))?;
    gateway.state.change(|state| {
        let found = api_mut(state, call)?;
        if let Some(name) = &input.stage_name {
            let stage = found.stages.get(name).ok_or_else(|| not_found("stage", name))?;
            if stage.auto_deploy {
                return Err(bad(SET_BY_ITSELF));
            }
        }
        if found.edited.routes.is_empty() {
            return Err(bad("Unable to deploy API because no routes exist in this API"));
        }
        let made = freeze(&gateway.context, found, false, input.description);
        if let Some(stage) = input.stage_name.and_then(|name| found.stages.get_mut(&name)) {
            serve(&gateway.context, stage, &made.deployment_id);
        }
        Ok(reply(201, &made))
    })
}

/// `GetDeployment`.
pub(super) fn get(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    gateway.state.read(|state| {
        let found = api(state, call)?;
        Ok(reply(200, &found.deployments[position(found, call)?].deployment))
    })
}

/// `GetDeployments`.
pub(super) fn list(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    gateway.state.read(|state| page(call, api(state, call)?.deployments.iter().map(|one| &one.deployment)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Update {
    description: Option<String>,
}

/// `UpdateDeployment`: its description.
pub(super) fn update(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let input: Update = input(call, &[])?;
    input.description.as_deref().map_or(Ok(()), |text| length("Description", text, 0, 1024))?;
    gateway.state.change(|state| {
        let found = api_mut(state, call)?;
        let at = position(found, call)?;
        let to = &mut found.deployments[at].deployment;
        to.description = input.description.or_else(|| to.description.clone());
        Ok(reply(200, to))
    })
}

/// `DeleteDeployment`, refused while a stage serves it.
pub(super) fn delete(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    gateway.state.change(|state| {
        let found = api_mut(state, call)?;
        let at = position(found, call)?;
        let id = call.path("DeploymentId");
        if found.stages.values().any(|stage| stage.deployment_id.as_deref() == Some(id)) {
            return Err(bad("Active stages pointing to this deployment must be moved or deleted"));
        }
        found.deployments.remove(at);
        Ok(Reply::empty())
    })
}

/// What AWS says to a deployment id for a stage that deploys itself.
pub(super) const SET_BY_ITSELF: &str =
    "Deployment ID cannot be set on this stage because AutoDeploy is enabled.";

/// Gives every stage that deploys itself what was edited. An API without routes can't be deployed:
/// the stage goes on with what it had and says so.
pub(super) fn republish(context: &Context, api: &mut ApiState) {
    let names: Vec<String> =
        api.stages.values().filter(|stage| stage.auto_deploy).map(|stage| stage.stage_name.clone()).collect();
    for name in names {
        let made = if api.edited.routes.is_empty() {
            None
        } else {
            Some(freeze(
                context,
                api,
                true,
                Some("Automatic deployment triggered by changes to the Api configuration".to_owned()),
            ))
        };
        let Some(stage) = api.stages.get_mut(&name) else { continue };
        match made {
            Some(made) => {
                serve(context, stage, &made.deployment_id);
                stage.last_deployment_status_message =
                    Some(format!("Successfully deployed stage with deployment ID '{}'", made.deployment_id));
            }
            None => {
                stage.last_deployment_status_message = Some(
                    "Deployment attempt failed: Unable to deploy API because no routes exist in this API"
                        .to_owned(),
                );
            }
        }
    }
    forget(api);
}

fn freeze(context: &Context, api: &mut ApiState, auto: bool, description: Option<String>) -> Deployment {
    let deployment = Deployment {
        auto_deployed: auto,
        created_date: iso(context.now()),
        deployment_id: super::fresh(context, 6, |id| {
            api.deployments.iter().any(|one| one.deployment.deployment_id == id)
        }),
        deployment_status: "DEPLOYED".to_owned(),
        description,
    };
    api.deployments.push(Deployed { deployment: deployment.clone(), definition: api.edited.clone() });
    deployment
}

fn serve(context: &Context, stage: &mut super::model::Stage, id: &str) {
    stage.deployment_id = Some(id.to_owned());
    stage.last_updated_date = iso(context.now());
}

fn forget(api: &mut ApiState) {
    let served: Vec<String> = api.stages.values().filter_map(|stage| stage.deployment_id.clone()).collect();
    let idle =
        |one: &Deployed| one.deployment.auto_deployed && !served.contains(&one.deployment.deployment_id);
    let mut surplus = api.deployments.iter().filter(|one| idle(one)).count().saturating_sub(KEPT);
    api.deployments.retain(|one| {
        let goes = surplus > 0 && idle(one);
        surplus -= usize::from(goes);
        !goes
    });
}

fn position(api: &ApiState, call: &Call) -> Result<usize, AwsError> {
    let id = call.path("DeploymentId");
    api.deployments
        .iter()
        .position(|one| one.deployment.deployment_id == id)
        .ok_or_else(|| not_found("Deployment", id))
}
