//! The operations API: JSON under `/api/v1` for scripts and other programs, with the session of
//! somebody who is signed in, or with a token ([`super::bearer`]). What goes wrong is answered as problem
//! details (RFC 9457).

mod overview;
mod secret;
mod tokens;

use axum::Router;
use axum::routing::{delete, get, post, put};

use super::App;

/// All of the API's routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/overview", get(overview::get))
        .route("/api/v1/confirmation", post(secret::confirm))
        .route("/api/v1/secret", get(secret::get))
        .route("/api/v1/secret/rotations", post(secret::rotate))
        .route("/api/v1/secret/rotations/{id}", get(secret::rotation))
        .route("/api/v1/secret/rehearsals", post(secret::rehearse))
        .route("/api/v1/secret/repairs", post(secret::repair))
        .route("/api/v1/secret/schedule", put(secret::schedule))
        .route("/api/v1/tokens", get(tokens::list).post(tokens::create))
        .route("/api/v1/tokens/{id}", delete(tokens::revoke))
}
