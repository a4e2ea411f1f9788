//! `GET /api/v1/requests/{id}`: one request, looked up by any of its names.

use axum::Json;
use axum::extract::{Path, Query, State};
use model::lookup::Lookup;

use crate::server::App;
use crate::server::answer::Failure;
use crate::server::requests::{Wanted, lookup};

/// What was found of a request, and where the rest was looked for: also where nothing was.
///
/// # Errors
/// 422 for what is no id, 504 when it was not looked up in time.
pub async fn get(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Lookup>, Failure> {
    lookup(&app, &id, &wanted).await.map(Json).map_err(Failure::api)
}
