//! `/api/v1/alarms`: alarms and what is logged, for scripts.

use axum::Json;
use axum::extract::State;
use model::alarms::{
    AlarmsPage, ChangePreview, Changed, PutAlarms, SetFunctionLogging, SetLogRetention, SetStageLogging,
};

use super::secret::{Asked, Body, unreadable};
use crate::server::App;
use crate::server::alarms::{alarms_page, may, previewed};
use crate::server::answer::Failure;

/// `GET /api/v1/alarms`
///
/// # Errors
/// 504 when it was not put together in time.
pub async fn get(State(app): State<App>) -> Result<Json<AlarmsPage>, Failure> {
    alarms_page(&app).await.map(Json).map_err(Failure::api)
}

/// `POST /api/v1/alarms`: creates and changes alarms of the set.
///
/// # Errors
/// 403 without the right or a fresh confirmation, 404 for a topic that is not there, 409 when it is not as
/// it was seen any more, 422 for thresholds out of bounds.
pub async fn put(asked: Asked, body: Body<PutAlarms>) -> Result<Json<Changed>, Failure> {
    asked.perform(body, true).await.map(Json)
}

/// `POST /api/v1/alarms/preview`: what that would change. Changes nothing.
///
/// # Errors
/// As [`put`].
pub async fn preview(asked: Asked, body: Body<PutAlarms>) -> Result<Json<ChangePreview>, Failure> {
    let Json(wanted) = body.map_err(unreadable)?;
    may(&asked.visitor).map_err(Failure::api)?;
    previewed(Box::pin(asked.app.portal.preview_alarms(&wanted))).await.map(Json).map_err(Failure::api)
}

/// `POST /api/v1/alarms/retention`
///
/// # Errors
/// 403 without the right or a fresh confirmation, 404 for what is no log group of the stack.
pub async fn retention(asked: Asked, body: Body<SetLogRetention>) -> Result<Json<Changed>, Failure> {
    asked.perform(body, true).await.map(Json)
}

/// `POST /api/v1/alarms/retention/preview`
///
/// # Errors
/// As [`retention`].
pub async fn preview_retention(
    asked: Asked,
    body: Body<SetLogRetention>,
) -> Result<Json<ChangePreview>, Failure> {
    let Json(wanted) = body.map_err(unreadable)?;
    may(&asked.visitor).map_err(Failure::api)?;
    previewed(Box::pin(asked.app.portal.preview_retention(&wanted))).await.map(Json).map_err(Failure::api)
}

/// `POST /api/v1/alarms/functions`
///
/// # Errors
/// 403 without the right or a fresh confirmation, 409 while a redeploy is under way or somebody else
/// changes the function.
pub async fn function(asked: Asked, body: Body<SetFunctionLogging>) -> Result<Json<Changed>, Failure> {
    asked.perform(body, true).await.map(Json)
}

/// `POST /api/v1/alarms/functions/preview`
///
/// # Errors
/// As [`function`].
pub async fn preview_function(
    asked: Asked,
    body: Body<SetFunctionLogging>,
) -> Result<Json<ChangePreview>, Failure> {
    let Json(wanted) = body.map_err(unreadable)?;
    may(&asked.visitor).map_err(Failure::api)?;
    previewed(Box::pin(asked.app.portal.preview_function_logging(&wanted)))
        .await
        .map(Json)
        .map_err(Failure::api)
}

/// `POST /api/v1/alarms/stage`
///
/// # Errors
/// 403 without the right or a fresh confirmation; 409 when it is not as it was seen any more.
pub async fn stage(asked: Asked, body: Body<SetStageLogging>) -> Result<Json<Changed>, Failure> {
    asked.perform(body, true).await.map(Json)
}

/// `POST /api/v1/alarms/stage/preview`
///
/// # Errors
/// As [`stage`].
pub async fn preview_stage(
    asked: Asked,
    body: Body<SetStageLogging>,
) -> Result<Json<ChangePreview>, Failure> {
    let Json(wanted) = body.map_err(unreadable)?;
    may(&asked.visitor).map_err(Failure::api)?;
    previewed(Box::pin(asked.app.portal.preview_stage_logging(&wanted))).await.map(Json).map_err(Failure::api)
}
