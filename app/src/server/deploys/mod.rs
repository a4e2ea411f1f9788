//! `/deploys`: the page and what its script asks for. [`forms`] is what its forms are answered with,
//! [`new`] the way to a new deploy, [`upload`] the two addresses that take a zip.

pub mod forms;
pub mod new;
pub mod upload;

use std::time::Duration;

use axum::extract::{Extension, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use model::deploy::{
    Deploy, DeployApi, DeployPreview, DeploysPage, PauseRollout, PointIntegrationAtAlias, Promote,
    PruneVersions, ResumeRollout, RollBack, SendRequests,
};
use model::people::Actor;
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;
use operations::Operation;
use serde::Deserialize;

use super::answer::{Failure, status_of};
use super::audit::Journal;
use super::frame::{Frame, render};
use super::session::{Visitor, Way};
use super::{App, confirm};
use crate::components::refresh::LIVE_SCRIPT;
use crate::pages::deploys::{Act, Acting, DeploysScreen, fragment as view, running};

/// How long the page is waited for: its parts have limits of their own, and are read side by side.
const PAGE_TIME: Duration = Duration::from_secs(9);
/// How long a preview is waited for.
const PREVIEW_TIME: Duration = Duration::from_secs(9);

/// How long the page tells of an operation that was refused in the background.
const TOLD_MS: i64 = 15 * 60_000;
/// What is asked for on this page and on the one of a new deploy.
const OPERATIONS: [&str; 9] = [
    Deploy::NAME,
    PauseRollout::NAME,
    ResumeRollout::NAME,
    Promote::NAME,
    RollBack::NAME,
    SendRequests::NAME,
    PruneVersions::NAME,
    PointIntegrationAtAlias::NAME,
    DeployApi::NAME,
];

/// What the page shows, within a time limit.
///
/// # Errors
/// `TimedOut`.
pub async fn deploys_page(app: &App) -> Result<DeploysPage, Problem> {
    page_within(app, PAGE_TIME).await
}

async fn page_within(app: &App, limit: Duration) -> Result<DeploysPage, Problem> {
    let page = tokio::time::timeout(limit, Box::pin(app.portal.deploys_page()));
    page.await.map_err(|_| late("The deploys' page could not be put together in time."))
}

/// What a deploy would find, within a time limit.
///
/// # Errors
/// `TimedOut`; `Invalid` for what could not be deployed at all; what AWS says.
pub async fn preview(app: &App, deploy: &Deploy) -> Result<DeployPreview, Problem> {
    let preview = tokio::time::timeout(PREVIEW_TIME, Box::pin(app.portal.preview_deploy(deploy)));
    preview.await.unwrap_or_else(|_| Err(late("What is in the way could not be found out in time.")))
}

fn late(message: &str) -> Problem {
    Problem::new(ProblemKind::TimedOut, message)
        .with_next("Try again; if it stays so, see whether AWS can be reached from here.")
}

/// Whether they may deploy, for what is asked before there is an operation.
///
/// # Errors
/// `Forbidden`.
pub fn may(visitor: &Visitor) -> Result<(), Problem> {
    let token = match &visitor.way {
        Way::SignIn(_) => None,
        Way::Token(token) => Some(token.clone()),
    };
    let actor = Actor { name: visitor.email.clone(), role: visitor.role, address: None, token };
    operations::authorise::<Deploy>(&actor)
}

/// What may stand behind `/deploys?`.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    done: Option<String>,
    passed: Option<u32>,
    failed: Option<u32>,
}

/// What a form that went through leaves in the address, and what is said of it.
const DONE: [(&str, &str); 8] = [
    (
        "paused",
        "The rollout is paused. If the new version does worse than it may, it is taken back all the same.",
    ),
    ("resumed", "The rollout goes on: the time at this share begins anew."),
    ("promoted", "The new version has all requests."),
    ("rolled-back", "The requests are back at the older version."),
    ("pruned", "The old versions are deleted."),
    ("pointed", "The API leads to the alias."),
    ("api-deployed", "The API's deployment is begun; the stage says what became of it."),
    (
        GOES_ON,
        "It takes longer than usual, and goes on in the background. Look at this page again in a moment: if it is refused, the page says why.",
    ),
];

/// What stands there when a form's operation had no end yet.
const GOES_ON: &str = "goes-on";

fn words_of(wanted: &Wanted) -> Option<String> {
    if let (Some("sent"), Some(passed), Some(failed)) = (wanted.done.as_deref(), wanted.passed, wanted.failed)
    {
        return Some(format!(
            "{passed} requests were answered well, {failed} were not. Their figures take about a minute."
        ));
    }
    let done = wanted.done.as_deref()?;
    DONE.iter().find(|(name, _)| *name == done).map(|(_, words)| (*words).to_owned())
}

/// `GET /deploys`
pub async fn page(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    frame: Frame,
    Query(wanted): Query<Wanted>,
) -> Response {
    match deploys_page(&app).await {
        Ok(page) => shown(&app, &visitor, frame, page, words_of(&wanted), None).await,
        Err(problem) => Failure::page(frame, problem).into_response(),
    }
}

/// `GET /deploys/fragment`: what is read on the page, for its script.
pub async fn fragment(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    frame: Frame,
) -> Response {
    match deploys_page(&app).await {
        Ok(page) => {
            let acting = acting(&app, &visitor);
            let refused = refused_late(&app).await;
            Html(render(move || view(page, acting, refused))).into_response()
        }
        Err(problem) => Failure::page(frame, problem).into_response(),
    }
}

fn acting(app: &App, visitor: &Visitor) -> Acting {
    let proof = confirm::proof(visitor, (app.clock)());
    Acting { role: visitor.role, proof, drives: app.drive_rollouts }
}

/// What is said of the last operation, where it was refused in the background.
async fn refused_late(app: &App) -> Option<String> {
    let since = Timestamp((app.clock)().0 - TOLD_MS);
    let least = i64::try_from(app.limits.operation_time.as_millis()).unwrap_or(i64::MAX);
    let journal = Journal::new(app.accounts.pool().clone());
    let refused = journal.refused_late(&OPERATIONS, since, least).await?;
    Some(format!("{} by {} was refused: {}", refused.operation, refused.by, refused.why))
}

async fn shown(
    app: &App,
    visitor: &Visitor,
    frame: Frame,
    page: DeploysPage,
    done: Option<String>,
    refused: Option<(Act, Problem)>,
) -> Response {
    let status = refused.as_ref().map_or(StatusCode::OK, |(_, problem)| status_of(problem.kind));
    // Why a form was refused has to be read.
    let frame = match running(&page) {
        Some(_) if refused.is_none() => frame.reloading(DeploysScreen::RELOAD_SECONDS),
        _ => frame,
    };
    let refused_late = refused_late(app).await;
    let screen = DeploysScreen { page, acting: acting(app, visitor), done, refused, refused_late };
    let title = screen.title();
    frame.with_script(LIVE_SCRIPT).page(status, title, move || screen.view())
}
