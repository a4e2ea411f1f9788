//! `/requests`: one request, looked up by any of its names. Only looks, so a sign-in is enough.

use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use model::lookup::{Lookup, RequestId};
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;
use serde::Deserialize;

use super::App;
use super::answer::Failure;
use super::frame::Frame;
use crate::pages::requests::{RequestScreen, RequestsPage, STILL_SCRIPT, address_of};

/// How long a lookup is waited for: its searches have a limit of their own.
const TIME: Duration = Duration::from_secs(9);

/// What may stand behind `/requests?` and `/requests/{id}?`.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    id: Option<String>,
    /// Milliseconds since 1970.
    from: Option<i64>,
    to: Option<i64>,
}

/// One request, within a time limit.
///
/// # Errors
/// `Invalid` for what is no id or no time; `TimedOut`.
pub async fn lookup(app: &App, id: &str, wanted: &Wanted) -> Result<Lookup, Problem> {
    let id: RequestId = id
        .parse()
        .map_err(|why: model::lookup::NoRequestId| Problem::new(ProblemKind::Invalid, why.to_string()))?;
    let range = match (wanted.from, wanted.to) {
        (Some(from), Some(to)) if 0 <= from && from < to => Some((Timestamp(from), Timestamp(to))),
        (None, None) => None,
        _ => {
            let message = "A time has a from and, behind it, a to: milliseconds since 1970.";
            return Err(Problem::new(ProblemKind::Invalid, message));
        }
    };
    let found = tokio::time::timeout(TIME, Box::pin(app.portal.lookup(id, range))).await;
    found.unwrap_or_else(|_| {
        Err(Problem::new(ProblemKind::TimedOut, "The request was not looked up in time.")
            .with_next("Try again; if it stays so, name a shorter time."))
    })
}

/// `GET /requests`: the form; with an id, the way to its page.
pub async fn form(frame: Frame, Query(wanted): Query<Wanted>) -> Response {
    let typed = wanted.id.unwrap_or_default();
    let page = match typed.parse::<RequestId>() {
        Ok(id) => return Redirect::to(&address_of(id.id())).into_response(),
        Err(_) if typed.trim().is_empty() => RequestsPage::default(),
        Err(_) => RequestsPage {
            typed,
            wrong: Some("This is neither an apigw-requestid nor a Lambda request id nor a trace id."),
        },
    };
    let status = if page.wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let title = page.title();
    frame.with_script(STILL_SCRIPT).page(status, title, move || page.view())
}

/// `GET /requests/{id}`
pub async fn page(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
    frame: Frame,
) -> Response {
    match lookup(&app, &id, &wanted).await {
        Ok(lookup) => {
            let screen = RequestScreen { lookup };
            frame.with_script(STILL_SCRIPT).page(StatusCode::OK, "Request", move || screen.view())
        }
        Err(problem) => Failure::page(frame, problem).into_response(),
    }
}
