//! `GET /api/v1/overview`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use model::overview::Overview;

use crate::server::answer::Failure;
use crate::server::{App, overview};

/// What the overview shows, as JSON.
///
/// # Errors
/// 504 when the portal did not put it together in time.
pub async fn get(State(app): State<App>) -> Result<Json<Arc<Overview>>, Failure> {
    overview(&app).await.map(Json).map_err(Failure::api)
}
