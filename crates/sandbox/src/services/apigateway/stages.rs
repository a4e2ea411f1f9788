//! Stages: under which path an API is served, with which limits, and where its access log goes.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::apis::free;
use super::check::{api, api_mut, bad, input, iso, length, not_found, page, quota, reply, tags};
use super::model::{AccessLogSettings, ApiState, RouteSettings, Stage};
use super::{ApiGateway, deployments};
use crate::aws::{AwsError, Call, Reply};

/// AWS: 10 stages per API.
const MOST: usize = 10;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Input {
    access_log_settings: Option<AccessLogSettings>,
    auto_deploy: Option<bool>,
    default_route_settings: Option<RouteSettings>,
    deployment_id: Option<String>,
    description: Option<String>,
    route_settings: Option<BTreeMap<String, RouteSettings>>,
    stage_name: Option<String>,
    stage_variables: Option<BTreeMap<String, String>>,
    tags: Option<BTreeMap<String, String>>,
}

/// `CreateStage`.
pub(super) fn create(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let mut input: Input = input(call, &["clientCertificateId"])?;
    let name = input.stage_name.take().ok_or_else(|| bad("StageName is required"))?;
    let named = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if name != "$default" && !(named && (1..=128).contains(&name.len())) {
        return Err(bad(format!(
            "Stage name must be $default or 1 to 128 letters, digits, hyphens and underscores: {name}"
        )));
    }
    let given = input.tags.take().unwrap_or_default();
    tags(&given)?;
    let now = iso(gateway.context.now());
    gateway.state.change(|state| {
        let found = api_mut(state, call)?;
        free(found.stages.contains_key(&name), "Stage", &name)?;
        if found.stages.len() >= MOST {
            return Err(quota("Stages", MOST));
        }
        let mut stage = Stage {
            created_date: now.clone(),
            last_updated_date: now,
            stage_name: name.clone(),
            tags: given,
            default_route_settings: RouteSettings {
                detailed_metrics_enabled: Some(false),
                ..RouteSettings::default()
            },
            ..Stage::default()
        };
        apply(gateway, found, &mut stage, input)?;
        keep(gateway, found, stage, 201)
    })
}

/// `GetStage`.
pub(super) fn get(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    gateway.state.read(|state| Ok(reply(200, named(api(state, call)?, call)?)))
}

/// `GetStages`.
pub(super) fn list(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    gateway.state.read(|state| page(call, api(state, call)?.stages.values()))
}

/// `UpdateStage`. What is absent stays. Settings of single routes and stage variables are merged by
/// key (a variable given as an empty text goes); default settings and access log are replaced.
pub(super) fn update(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let input: Input = input(call, &["clientCertificateId", "stageName", "tags"])?;
    gateway.state.change(|state| {
        let found = api_mut(state, call)?;
        let mut stage = named(found, call)?.clone();
        stage.last_updated_date = iso(gateway.context.now());
        apply(gateway, found, &mut stage, input)?;
        keep(gateway, found, stage, 200)
    })
}

/// `DeleteStage`.
pub(super) fn delete(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    gateway.state.change(|state| {
        let found = api_mut(state, call)?;
        let name = named(found, call)?.stage_name.clone();
        found.stages.remove(&name);
        Ok(Reply::empty())
    })
}

/// `DeleteAccessLogSettings`. To say so twice does no harm.
pub(super) fn delete_access_log(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    gateway.state.change(|state| {
        named_mut(api_mut(state, call)?, call)?.access_log_settings = None;
        Ok(Reply::empty())
    })
}

/// `DeleteRouteSettings` of one route.
pub(super) fn delete_route_settings(gateway: &ApiGateway, call: &Call) -> Result<Reply, AwsError> {
    let key = call.path("RouteKey");
    gateway.state.change(|state| {
        let stage = named_mut(api_mut(state, call)?, call)?;
        stage.route_settings.remove(key).ok_or_else(|| not_found("RouteSettings", key))?;
        Ok(Reply::empty())
    })
}

/// The name of the log group in an access log's destination.
pub fn log_group(arn: &str) -> Option<&str> {
    let rest = arn.strip_prefix("arn:aws:logs:")?;
    let (_, group) = rest.split_once(":log-group:")?;
    let group = group.strip_suffix(":*").unwrap_or(group);
    let usable = |c: char| c.is_ascii_alphanumeric() || "-_/.#".contains(c);
    (!group.is_empty() && group.len() <= 512 && group.chars().all(usable)).then_some(group)
}

fn named<'a>(api: &'a ApiState, call: &Call) -> Result<&'a Stage, AwsError> {
    let name = call.path("StageName");
    api.stages.get(name).ok_or_else(|| not_found("stage", name))
}

fn named_mut<'a>(api: &'a mut ApiState, call: &Call) -> Result<&'a mut Stage, AwsError> {
    let name = call.path("StageName");
    api.stages.get_mut(name).ok_or_else(|| not_found("stage", name))
}

/// Puts the stage in its place; one that deploys itself and serves nothing yet, or has just been
/// told to, is deployed.
fn keep(gateway: &ApiGateway, api: &mut ApiState, stage: Stage, status: u16) -> Result<Reply, AwsError> {
    let name = stage.stage_name.clone();
    let before = api.stages.insert(name.clone(), stage.clone());
    if stage.auto_deploy && before.is_none_or(|before| !before.auto_deploy) {
        deployments::republish(&gateway.context, api);
    }
    Ok(reply(status, &api.stages[&name]))
}

fn apply(gateway: &ApiGateway, api: &ApiState, stage: &mut Stage, input: Input) -> Result<(), AwsError> {
    stage.auto_deploy = input.auto_deploy.unwrap_or(stage.auto_deploy);
    if let Some(text) = input.description {
        length("Description", &text, 0, 1024)?;
        stage.description = Some(text);
    }
    if let Some(id) = input.deployment_id {
        if stage.auto_deploy {
            return Err(bad(deployments::SET_BY_ITSELF));
        }
        if !api.deployments.iter().any(|one| one.deployment.deployment_id == id) {
            return Err(not_found("Deployment", &id));
        }
        stage.deployment_id = Some(id);
    }
    if let Some(settings) = input.access_log_settings {
        check_access_log(gateway, &settings)?;
        stage.access_log_settings = Some(settings);
    }
    if let Some(settings) = input.default_route_settings {
        check_settings(&settings)?;
        stage.default_route_settings = settings;
    }
    for (key, settings) in input.route_settings.unwrap_or_default() {
        check_settings(&settings)?;
        if !api.edited.routes.values().any(|route| route.route_key == key) {
            return Err(AwsError::new(
                "NotFoundException",
                format!("Unable to find Route by key {key} within the provided RouteSettings"),
            )
            .with_status(404)
            .with("resourceType", "Route"));
        }
        stage.route_settings.insert(key, settings);
    }
    for (key, value) in input.stage_variables.unwrap_or_default() {
        check_variable(&key, &value)?;
        if value.is_empty() {
            stage.stage_variables.remove(&key);
        } else {
            stage.stage_variables.insert(key, value);
        }
    }
    // AWS: 100 variables per stage.
    if stage.stage_variables.len() > 100 {
        return Err(quota("StageVariables", 100));
    }
    Ok(())
}

/// AWS: keys of 64 characters, values of 512, of what can stand in a URL.
fn check_variable(key: &str, value: &str) -> Result<(), AwsError> {
    length("a stage variable's key", key, 1, 64)?;
    length("a stage variable's value", value, 0, 512)?;
    let key_ok = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let value_ok = value.chars().all(|c| c.is_ascii_alphanumeric() || "-._~:/?#&=,".contains(c));
    if key_ok && value_ok { Ok(()) } else { Err(bad(format!("Invalid stage variable {key}"))) }
}

fn check_settings(settings: &RouteSettings) -> Result<(), AwsError> {
    if settings.data_trace_enabled == Some(true)
        || settings.logging_level.as_deref().is_some_and(|level| level != "OFF")
    {
        return Err(bad("Execution logs are not supported on protocolType HTTP"));
    }
    if settings.throttling_burst_limit.is_some_and(|burst| burst < 0)
        || settings.throttling_rate_limit.is_some_and(|rate| !rate.is_finite() || rate < 0.0)
    {
        return Err(bad("Throttling limits must not be negative"));
    }
    Ok(())
}

/// AWS's API takes a format of 1 to 1,024 characters in one line with the request's id in it (its
/// page of quotas says 3 KB; the narrower of the two is kept).
fn check_access_log(gateway: &ApiGateway, settings: &AccessLogSettings) -> Result<(), AwsError> {
    let arn = &settings.destination_arn;
    if arn.starts_with("arn:aws:firehose:") {
        return Err(AwsError::unsupported("access logs to Data Firehose"));
    }
    let here = gateway.context.arn("logs", "log-group:");
    if !arn.starts_with(&here) || log_group(arn).is_none() {
        return Err(bad(format!(
            "Invalid access log destination {arn}: it must be a log group of this region and account, {here}NAME"
        )));
    }
    length("Format", &settings.format, 1, 1024)?;
    if settings.format.trim_end_matches('\n').contains('\n') {
        return Err(bad(
            "Access Log format must be single line, new line character is allowed only at end of the format",
        ));
    }
    let held =
        |name: &str| crate::gateway::access_log::variables(&settings.format).any(|found| found == name);
    if !held("requestId") && !held("extendedRequestId") {
        return Err(bad("The access log format must contain $context.requestId"));
    }
    Ok(())
}
