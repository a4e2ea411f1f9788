//! The operations API: JSON under `/api/v1` for scripts and other programs, with the session of
//! somebody who is signed in. What goes wrong is answered as problem details (RFC 9457).

mod overview;

use axum::Router;
use axum::routing::get;

use super::App;

/// All of the API's routes.
pub fn routes() -> Router<App> {
    Router::new().route("/api/v1/overview", get(overview::get))
}
