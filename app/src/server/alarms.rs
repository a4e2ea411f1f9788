//! `/alarms`: the page, the preview of what its forms would change, and the change.

use std::time::Duration;

use axum::extract::{Extension, Form, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use model::alarms::{AlarmsPage, ChangePreview, Changed, PutAlarms};
use model::people::{Actor, Role};
use model::problem::{Problem, ProblemKind};
use serde::Deserialize;

use super::answer::{Failure, status_of};
use super::frame::{Frame, render};
use super::secret::{Performed, actor, perform};
use super::session::{Visitor, Way};
use super::sign_in::Caller;
use super::{App, confirm};
use crate::components::refresh::LIVE_SCRIPT;
use crate::pages::alarms::{Acting, AlarmsScreen, Preview, Typed, Wanted, fragment as view};
use crate::pages::sign_in::{self, Notice};

/// How long the page, or a preview, is waited for: its parts have limits of their own, two after each other.
const PAGE_TIME: Duration = Duration::from_secs(9);
/// What a page without anything to keep fresh runs.
const READY: &str = "document.documentElement.dataset.hydrated=\"\";";

/// What the page shows, within a time limit.
///
/// # Errors
/// `TimedOut`.
pub async fn alarms_page(app: &App) -> Result<AlarmsPage, Problem> {
    let page = tokio::time::timeout(PAGE_TIME, Box::pin(app.portal.alarms_page()));
    page.await.map_err(|_| late("The alarms' page could not be put together in time."))
}

/// What a change would do, within a time limit.
///
/// # Errors
/// `TimedOut`; what the operation would say.
pub async fn previewed(
    preview: impl Future<Output = Result<ChangePreview, Problem>>,
) -> Result<ChangePreview, Problem> {
    let preview = tokio::time::timeout(PAGE_TIME, preview);
    preview.await.unwrap_or_else(|_| Err(late("What would be changed could not be found out in time.")))
}

fn late(message: &str) -> Problem {
    Problem::new(ProblemKind::TimedOut, message)
        .with_next("Try again; if it stays so, see whether AWS can be reached from here.")
}

/// Whether they may change alarms and settings, for what is asked before there is an operation.
///
/// # Errors
/// `Forbidden`.
pub fn may(visitor: &Visitor) -> Result<(), Problem> {
    let token = match &visitor.way {
        Way::SignIn(_) => None,
        Way::Token(token) => Some(token.clone()),
    };
    let actor = Actor { name: visitor.email.clone(), role: visitor.role, address: None, token };
    operations::authorise::<PutAlarms>(&actor)
}

/// What may stand behind `/alarms?`.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    done: Option<String>,
}

const DONE: [(&str, &str); 2] = [
    ("changed", "It is changed. CloudWatch evaluates alarms once a minute."),
    (
        "goes-on",
        "It takes longer than usual, and goes on in the background. Look at this page again in a moment.",
    ),
];

/// `GET /alarms`
pub async fn page(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    frame: Frame,
    Query(asked): Query<Asked>,
) -> Response {
    let done = DONE.iter().find(|(name, _)| asked.done.as_deref() == Some(name)).map(|(_, words)| *words);
    show(&app, &visitor, frame, done, None).await
}

/// `GET /alarms/fragment`: what is read on the page, for its script.
pub async fn fragment(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    frame: Frame,
) -> Response {
    match alarms_page(&app).await {
        Ok(page) => {
            let acting = acting(&app, &visitor);
            Html(render(move || view(page, acting))).into_response()
        }
        Err(problem) => Failure::page(frame, problem).into_response(),
    }
}

fn acting(app: &App, visitor: &Visitor) -> Acting {
    Acting { role: visitor.role, proof: confirm::proof(visitor, (app.clock)()) }
}

async fn show(
    app: &App,
    visitor: &Visitor,
    frame: Frame,
    done: Option<&'static str>,
    refused: Option<Problem>,
) -> Response {
    match alarms_page(app).await {
        Ok(page) => {
            let status = refused.as_ref().map_or(StatusCode::OK, |problem| status_of(problem.kind));
            let screen = AlarmsScreen { page, acting: acting(app, visitor), done, refused };
            let title = screen.title();
            frame.with_script(LIVE_SCRIPT).page(status, title, move || screen.view())
        }
        // Why the form was refused matters more than why the page is not there.
        Err(problem) => Failure::page(frame, refused.unwrap_or(problem)).into_response(),
    }
}

/// `POST /alarms/preview`
pub async fn preview(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    frame: Frame,
    Form(typed): Form<Typed>,
) -> Response {
    if let Err(problem) = may(&visitor) {
        return Failure::page(frame, problem).into_response();
    }
    show_preview(&app, &visitor, frame, typed, None).await
}

async fn show_preview(
    app: &App,
    visitor: &Visitor,
    frame: Frame,
    typed: Typed,
    refused: Option<Problem>,
) -> Response {
    let found = match typed.wanted() {
        Ok(wanted) => preview_of(app, &wanted).await,
        Err(problem) => Err(problem),
    };
    match found {
        Ok(found) => {
            let status = refused.as_ref().map_or(StatusCode::OK, |problem| status_of(problem.kind));
            let screen = Preview { typed, preview: found, acting: acting(app, visitor), refused };
            let title = screen.title();
            frame.with_script(READY).page(status, title, move || screen.view())
        }
        Err(problem) => show(app, visitor, frame, None, Some(refused.unwrap_or(problem))).await,
    }
}

async fn preview_of(app: &App, wanted: &Wanted) -> Result<ChangePreview, Problem> {
    let portal = &app.portal;
    match wanted {
        Wanted::Alarms(put) => previewed(Box::pin(portal.preview_alarms(put))).await,
        Wanted::Retention(set) => previewed(Box::pin(portal.preview_retention(set))).await,
        Wanted::Function(set) => previewed(Box::pin(portal.preview_function_logging(set))).await,
        Wanted::Stage(set) => previewed(Box::pin(portal.preview_stage_logging(set))).await,
    }
}

/// `POST /alarms/apply`
pub async fn apply(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    caller: Caller,
    frame: Frame,
    Form(typed): Form<Typed>,
) -> Response {
    let outcome = async {
        let wanted = typed.wanted()?;
        may(&visitor)?;
        confirm::in_form(&app, &visitor, caller.0, &typed.password).await?;
        let who = actor(&visitor, caller);
        match wanted {
            Wanted::Alarms(put) => perform(&app, who, put).await,
            Wanted::Retention(set) => perform(&app, who, set).await,
            Wanted::Function(set) => perform(&app, who, set).await,
            Wanted::Stage(set) => perform(&app, who, set).await,
        }
    };
    let problem = match outcome.await {
        Ok(Performed::Done(Changed { .. })) => return Redirect::to("/alarms?done=changed").into_response(),
        Ok(Performed::GoesOn) => return Redirect::to("/alarms?done=goes-on").into_response(),
        Err(problem) => problem,
    };
    if problem.kind == ProblemKind::NotSignedIn {
        let address = sign_in::address(Some(Notice::WrongTooOften), Some("/alarms"));
        return Redirect::to(&address).into_response();
    }
    // Whoever has no forms on the page is told on a page of its own.
    if visitor.role < Role::Operator {
        return Failure::page(frame, problem).into_response();
    }
    show_preview(&app, &visitor, frame, typed, Some(problem)).await
}
