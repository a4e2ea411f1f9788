//! `GET /api/v1/errors`: who is to blame for the errors of a period.

use axum::Json;
use axum::extract::{Query, State};
use model::blame::Errors;
use model::overview::Reading;

use crate::server::App;
use crate::server::answer::Failure;
use crate::server::errors::{Wanted, errors};

/// The errors of a period: `range` (1h, 3h, 12h, 1d), or `from` and `to` in milliseconds since 1970.
///
/// # Errors
/// 422 for a period that is none, 504 when it was not put together in time.
pub async fn get(
    State(app): State<App>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Reading<Errors>>, Failure> {
    errors(&app, &wanted).await.map(Json).map_err(Failure::api)
}
