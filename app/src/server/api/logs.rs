//! `GET /api/v1/logs`: lines of a log. What follows it is [`crate::server::logs::tail`].

use axum::Json;
use axum::extract::{Query, State};
use model::log_filter::LogPage;

use crate::server::App;
use crate::server::answer::Failure;
use crate::server::logs::{Wanted, log_page};

/// The newest lines of a time that a filter lets through.
///
/// # Errors
/// 422 for what can't be searched for, 404 for a log that is not there, 504 when it took too long.
pub async fn get(State(app): State<App>, Query(wanted): Query<Wanted>) -> Result<Json<LogPage>, Failure> {
    log_page(&app, &wanted).await.map(Json).map_err(Failure::api)
}
