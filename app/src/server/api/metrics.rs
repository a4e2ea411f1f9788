//! `GET /api/v1/metrics`: the figures over time.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use model::problem::{Problem, ProblemKind};

use crate::pages::charts::address::Asked;
use crate::server::App;
use crate::server::answer::Failure;
use crate::server::charts::{metrics_page, problem, written};

/// The figures of `range` (`1h`, the default, to `30d`) or of `from` to `to` (RFC 3339, milliseconds since
/// 1970, or local time in `tz`), of the alias or of `version`.
///
/// # Errors
/// 422 for a range or a version that can't be; 504 when it was not put together in time.
pub async fn get(
    State(app): State<App>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Failure> {
    let address = read(asked)?;
    let page = metrics_page(&app, address.range, address.scope).await.map_err(Failure::api)?;
    Ok(Json(page).into_response())
}

/// `GET /api/v1/metrics.csv`: the same as a file, a line for each period.
///
/// # Errors
/// As [`get`]; what kept the figures from being read.
pub async fn file(
    State(app): State<App>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Failure> {
    let address = read(asked)?;
    let page = metrics_page(&app, address.range, address.scope.clone()).await.map_err(Failure::api)?;
    written(&page, &address, None).map_err(Failure::api)
}

fn read(
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<crate::pages::charts::address::Address, Failure> {
    let Query(asked) = asked.map_err(|rejection| {
        Failure::api(Problem::new(ProblemKind::Invalid, format!("The query can't be read: {rejection}.")))
    })?;
    asked.address().map_err(|wrong| Failure::api(problem(wrong)))
}
