//! The operations API: JSON under `/api/v1` for scripts and other programs, with the session of
//! somebody who is signed in, or with a token ([`super::bearer`]). What goes wrong is answered as problem
//! details (RFC 9457).

mod alarms;
mod deploys;
mod errors;
mod logs;
mod metrics;
mod overview;
mod requests;
mod secret;
mod tokens;

use axum::Router;
use axum::routing::{delete, get, post, put};

use super::App;

/// All of the API's routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/overview", get(overview::get))
        .route("/api/v1/metrics", get(metrics::get))
        .route("/api/v1/metrics.csv", get(metrics::file))
        .route("/api/v1/alarms", get(alarms::get).post(alarms::put))
        .route("/api/v1/alarms/preview", post(alarms::preview))
        .route("/api/v1/alarms/retention", post(alarms::retention))
        .route("/api/v1/alarms/retention/preview", post(alarms::preview_retention))
        .route("/api/v1/alarms/functions", post(alarms::function))
        .route("/api/v1/alarms/functions/preview", post(alarms::preview_function))
        .route("/api/v1/alarms/stage", post(alarms::stage))
        .route("/api/v1/alarms/stage/preview", post(alarms::preview_stage))
        .route("/api/v1/deploys", get(deploys::get).post(deploys::deploy))
        .route("/api/v1/deploys/preview", post(deploys::preview))
        .route("/api/v1/deploys/rollback", post(deploys::roll_back))
        .route("/api/v1/deploys/prune", post(deploys::prune))
        .route("/api/v1/deploys/integration", post(deploys::integration))
        .route("/api/v1/deploys/api", post(deploys::api))
        .route("/api/v1/deploys/{id}", get(deploys::rollout))
        .route("/api/v1/deploys/{id}/pause", post(deploys::pause))
        .route("/api/v1/deploys/{id}/resume", post(deploys::resume))
        .route("/api/v1/deploys/{id}/promote", post(deploys::promote))
        .route("/api/v1/deploys/{id}/requests", post(deploys::requests))
        .route("/api/v1/confirmation", post(secret::confirm))
        .route("/api/v1/errors", get(errors::get))
        .route("/api/v1/logs", get(logs::get))
        .route("/api/v1/requests/{id}", get(requests::get))
        .route("/api/v1/secret", get(secret::get))
        .route("/api/v1/secret/rotations", post(secret::rotate))
        .route("/api/v1/secret/rotations/{id}", get(secret::rotation))
        .route("/api/v1/secret/rehearsals", post(secret::rehearse))
        .route("/api/v1/secret/repairs", post(secret::repair))
        .route("/api/v1/secret/schedule", put(secret::schedule))
        .route("/api/v1/tokens", get(tokens::list).post(tokens::create))
        .route("/api/v1/tokens/{id}", delete(tokens::revoke))
}
