//! `/api/v1/deploys`: redeploys, for scripts. Uploads are [`crate::server::deploys::upload`]'s.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::deploy::{
    ApiDeployed, Deploy, DeployApi, DeployPreview, DeploysPage, PauseRollout, PointIntegrationAtAlias,
    Promote, PruneVersions, Pruned, ResumeRollout, RollBack, Rollout, SendRequests, Sent,
};
use serde::Deserialize;

use super::secret::{Asked, Body, unreadable};
use crate::server::App;
use crate::server::answer::Failure;
use crate::server::deploys;

/// `GET /api/v1/deploys`
///
/// # Errors
/// 504 when it was not put together in time.
pub async fn get(State(app): State<App>) -> Result<Json<DeploysPage>, Failure> {
    deploys::deploys_page(&app).await.map(Json).map_err(Failure::api)
}

/// `GET /api/v1/deploys/{id}`: how a rollout stands.
///
/// # Errors
/// 404 when it is neither under way nor the last one.
pub async fn rollout(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Rollout>, Failure> {
    app.portal.rollout(&id).await.map(Json).map_err(Failure::api)
}

/// `POST /api/v1/deploys/preview`: what a deploy would find. Changes nothing.
///
/// # Errors
/// 403 without the right, as it has S3 read; 422 for what could not be deployed at all.
pub async fn preview(asked: Asked, body: Body<Deploy>) -> Result<Json<DeployPreview>, Failure> {
    let Json(deploy) = body.map_err(unreadable)?;
    deploys::may(&asked.visitor).map_err(Failure::api)?;
    deploys::preview(&asked.app, &deploy).await.map(Json).map_err(Failure::api)
}

/// `POST /api/v1/deploys`
///
/// # Errors
/// 403 without the right or a fresh confirmation, 409 when something is in the way, 422 for a package
/// that the function could not run.
pub async fn deploy(asked: Asked, body: Body<Deploy>) -> Result<Response, Failure> {
    let started = asked.perform(body, true).await?;
    let place = format!("/api/v1/deploys/{}", started.rollout);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, place)], Json(started)).into_response())
}

/// `POST /api/v1/deploys/{id}/pause`
///
/// # Errors
/// 404 when it is not under way, 409 when it is over.
pub async fn pause(asked: Asked, Path(rollout): Path<String>) -> Result<StatusCode, Failure> {
    asked.perform(Ok(Json(PauseRollout { rollout })), false).await.map(done)
}

/// `POST /api/v1/deploys/{id}/resume`
///
/// # Errors
/// As [`pause`].
pub async fn resume(asked: Asked, Path(rollout): Path<String>) -> Result<StatusCode, Failure> {
    asked.perform(Ok(Json(ResumeRollout { rollout })), false).await.map(done)
}

/// `POST /api/v1/deploys/{id}/promote`
///
/// # Errors
/// As [`pause`]; 403 without a fresh confirmation.
pub async fn promote(asked: Asked, Path(rollout): Path<String>) -> Result<StatusCode, Failure> {
    asked.perform(Ok(Json(Promote { rollout })), true).await.map(done)
}

/// How many requests to send.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requests {
    count: u32,
}

/// `POST /api/v1/deploys/{id}/requests`
///
/// # Errors
/// As [`pause`]; 504 when they take longer than a request may, and go on.
pub async fn requests(
    asked: Asked,
    Path(rollout): Path<String>,
    body: Body<Requests>,
) -> Result<Json<Sent>, Failure> {
    let operation = body.map(|Json(Requests { count })| Json(SendRequests { rollout, count }));
    asked.perform(operation, false).await.map(Json)
}

/// `POST /api/v1/deploys/rollback`
///
/// # Errors
/// 403 without the right or a fresh confirmation; 409 when the alias is elsewhere by now.
pub async fn roll_back(asked: Asked, body: Body<RollBack>) -> Result<StatusCode, Failure> {
    asked.perform(body, true).await.map(done)
}

/// `POST /api/v1/deploys/prune`
///
/// # Errors
/// 403 without the right or a fresh confirmation; 409 when one of them has to be kept.
pub async fn prune(asked: Asked, body: Body<PruneVersions>) -> Result<Json<Pruned>, Failure> {
    asked.perform(body, true).await.map(Json)
}

/// `POST /api/v1/deploys/integration`
///
/// # Errors
/// 403 without the right or a fresh confirmation; 409 when it leads elsewhere by now.
pub async fn integration(asked: Asked, body: Body<PointIntegrationAtAlias>) -> Result<StatusCode, Failure> {
    asked.perform(body, true).await.map(|_| StatusCode::NO_CONTENT)
}

/// `POST /api/v1/deploys/api`
///
/// # Errors
/// 403 without the right or a fresh confirmation; 409 where the stage deploys by itself.
pub async fn api(asked: Asked, body: Body<DeployApi>) -> Result<Json<ApiDeployed>, Failure> {
    asked.perform(body, true).await.map(Json)
}

fn done(_: ()) -> StatusCode {
    StatusCode::NO_CONTENT
}
