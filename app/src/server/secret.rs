//! `/secret`: the page, what its script asks for, and its forms. Each form is answered with a redirect to the page when it went
//! through, and with the page itself, what was typed kept, when it did not.

use std::time::Duration;

use axum::extract::{Extension, Form, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use model::people::{Actor, Role};
use model::problem::{Problem, ProblemKind};
use model::rotation::{
    Begun, RehearseRotation, RepairRotation, RotateSecret, SecretPage, SetRotationSchedule,
};
use operations::Operation;
use serde::Deserialize;
use tokio::time::Instant;

use super::answer::{Failure, status_of};
use super::frame::{Frame, render};
use super::session::{Visitor, Way};
use super::sign_in::Caller;
use super::{App, confirm};
use crate::components::refresh::LIVE_SCRIPT;
use crate::pages::secret::{Forms, SecretScreen, TypedSchedule, running};
use crate::pages::sign_in::{self, Notice};

/// How long the page is waited for: its parts have limits of their own, one after the other.
const PAGE_TIME: Duration = Duration::from_secs(9);
/// What is left of a request's time for the answer itself.
pub const MARGIN: Duration = Duration::from_millis(500);

/// What may stand behind `/secret?`.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    rotation: Option<String>,
    done: Option<String>,
}

/// What may stand behind `/secret/fragment?`.
#[derive(Debug, Default, Deserialize)]
pub struct Shown {
    rotation: Option<String>,
    /// Which plan for a repair the page shows.
    plan: Option<String>,
}

/// What the page shows, within a time limit.
///
/// # Errors
/// `TimedOut`; `Invalid` when `watch` can't be a rotation's id.
pub async fn secret_page(app: &App, watch: Option<String>) -> Result<SecretPage, Problem> {
    page_within(app, watch, PAGE_TIME).await
}

async fn page_within(app: &App, watch: Option<String>, limit: Duration) -> Result<SecretPage, Problem> {
    let plain = |id: &String| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    if watch.as_ref().is_some_and(|id| !plain(id)) {
        return Err(Problem::new(ProblemKind::Invalid, "That is not the id of a rotation."));
    }
    // Boxed: it holds all of its parts' readings at once, 40 kB.
    let page = Box::pin(app.portal.secret_page(watch.as_deref()));
    let page = tokio::time::timeout(limit, page);
    page.await.map_err(|_| {
        Problem::new(ProblemKind::TimedOut, "The secret's page could not be put together in time.")
            .with_next("Try again; if it stays so, see whether AWS can be reached from here.")
    })
}

/// How an operation stands when whoever asked for it is answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Performed<T> {
    /// It is done.
    Done(T),
    /// It goes on in the background.
    GoesOn,
}

/// Performs an operation, to its end: whoever asked may leave, or be told to look later.
///
/// # Errors
/// The operation's own.
pub async fn perform<O>(app: &App, actor: Actor, operation: O) -> Result<Performed<O::Output>, Problem>
where
    O: Operation + 'static,
    O::Output: 'static,
{
    let (app, limit) = (App::clone(app), app.limits.operation_time);
    let task = tokio::spawn(async move { app.portal.perform(&actor, &operation).await });
    match tokio::time::timeout(limit, task).await {
        Ok(Ok(outcome)) => outcome.map(Performed::Done),
        Ok(Err(error)) => {
            tracing::error!(%error, operation = O::NAME, "an operation broke off");
            Err(Problem::new(ProblemKind::Internal, "The portal failed in the middle of it.")
                .with_next("Look at the page again to see what was done."))
        }
        Err(_) => {
            tracing::info!(operation = O::NAME, "an operation goes on after whoever asked was answered");
            Ok(Performed::GoesOn)
        }
    }
}

/// Who asks, as the audit log names them.
pub fn actor(visitor: &Visitor, Caller(address): Caller) -> Actor {
    let token = match &visitor.way {
        Way::SignIn(_) => None,
        Way::Token(token) => Some(token.clone()),
    };
    Actor { name: visitor.email.clone(), role: visitor.role, address: Some(address.to_string()), token }
}

/// `GET /secret`
pub async fn page(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    frame: Frame,
    Query(wanted): Query<Wanted>,
) -> Response {
    let done = wanted.done.as_deref().and_then(words_of);
    let forms = Forms { done: done.map(str::to_owned), ..Forms::default() };
    show(&app, &visitor, frame, StatusCode::OK, wanted.rotation, forms).await
}

/// `GET /secret/fragment`: what is read on the page, for its script.
pub async fn fragment(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    frame: Frame,
    Query(Shown { rotation, plan }): Query<Shown>,
) -> Response {
    match secret_page(&app, rotation.clone()).await {
        Ok(page) => {
            let plan =
                plan.filter(|plan| !plan.is_empty() && plan.bytes().all(|byte| byte.is_ascii_hexdigit()));
            let screen = SecretScreen { plan, ..screen(&app, &visitor, rotation, Forms::default(), page) };
            Html(render(move || screen.fragment())).into_response()
        }
        Err(problem) => Failure::page(frame, problem).into_response(),
    }
}

/// What a form that went through leaves in the address, and what is said of it.
const DONE: [(&str, &str); 4] = [
    ("repaired", "The labels were moved, and the rotation is put right."),
    ("scheduled", "The schedule is set. AWS tries the login once, which changes nothing."),
    ("off", "Rotation is switched off."),
    (
        GOES_ON,
        "It takes longer than usual, and goes on in the background. Look at this page again in a moment: if nothing has changed by then, it was refused, and the audit log says why.",
    ),
];

/// What stands there when a form's operation had no end yet.
const GOES_ON: &str = "goes-on";

fn words_of(done: &str) -> Option<&'static str> {
    DONE.iter().find(|(name, _)| *name == done).map(|(_, words)| *words)
}

async fn show(
    app: &App,
    visitor: &Visitor,
    frame: Frame,
    status: StatusCode,
    watch: Option<String>,
    forms: Forms,
) -> Response {
    match secret_page(app, watch.clone()).await {
        Ok(page) => shown(app, visitor, frame, status, watch, forms, page),
        Err(problem) => Failure::page(frame, problem).into_response(),
    }
}

fn shown(
    app: &App,
    visitor: &Visitor,
    frame: Frame,
    status: StatusCode,
    watch: Option<String>,
    forms: Forms,
    page: SecretPage,
) -> Response {
    let frame = match running(&page) {
        // Why a form was refused has to be read, and what was typed is still in it.
        Some(_) if status == StatusCode::OK => frame.reloading(SecretScreen::RELOAD_SECONDS),
        _ => frame,
    };
    let screen = screen(app, visitor, watch, forms, page);
    let title = screen.title();
    frame.with_script(LIVE_SCRIPT).page(status, title, move || screen.view())
}

fn screen(
    app: &App,
    visitor: &Visitor,
    watch: Option<String>,
    forms: Forms,
    page: SecretPage,
) -> SecretScreen {
    SecretScreen {
        proof: confirm::proof(visitor, (app.clock)()),
        role: visitor.role,
        new_id: app.portal.new_id(),
        page,
        forms,
        watch,
        plan: None,
    }
}

/// A form that was not carried out: the page again, with why. `began` is when the form came: the page
/// has what the operation has left of the request's time.
async fn refuse(
    app: &App,
    visitor: &Visitor,
    frame: Frame,
    began: Instant,
    problem: Problem,
    place: impl FnOnce(Problem) -> Forms,
) -> Response {
    if problem.kind == ProblemKind::NotSignedIn {
        return Redirect::to(&sign_in::address(Some(Notice::WrongTooOften), Some("/secret"))).into_response();
    }
    // Whoever has no forms on the page is told on a page of its own.
    if visitor.role < Role::Operator {
        return Failure::page(frame, problem).into_response();
    }
    let left = app.limits.request_time.saturating_sub(began.elapsed() + MARGIN).min(PAGE_TIME);
    match page_within(app, None, left).await {
        Ok(page) => {
            let status = status_of(problem.kind);
            shown(app, visitor, frame, status, None, place(problem), page)
        }
        // Why the form was refused matters more than why the page is not there.
        Err(_) => Failure::page(frame, problem).into_response(),
    }
}

/// To the rotation that was begun.
fn follow(begun: Performed<Begun>) -> Response {
    match begun {
        Performed::Done(Begun { token }) => {
            Redirect::to(&format!("/secret?rotation={token}")).into_response()
        }
        Performed::GoesOn => to_page(GOES_ON),
    }
}

/// To the page, with what was done.
fn to_page(done: &str) -> Response {
    Redirect::to(&format!("/secret?done={done}")).into_response()
}

/// The form "Rotate now".
#[derive(Deserialize)]
pub struct RotateForm {
    id: Option<String>,
    #[serde(default)]
    password: String,
}

/// `POST /secret/rotate`
pub async fn rotate(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    caller: Caller,
    frame: Frame,
    Form(form): Form<RotateForm>,
) -> Response {
    let began = Instant::now();
    let outcome = async {
        confirm::in_form(&app, &visitor, caller.0, &form.password).await?;
        perform(&app, actor(&visitor, caller), RotateSecret { id: form.id }).await
    };
    match outcome.await {
        Ok(begun) => follow(begun),
        Err(problem) => {
            let place = |problem| Forms { rotate: Some(problem), ..Forms::default() };
            refuse(&app, &visitor, frame, began, problem, place).await
        }
    }
}

/// The form "Rehearse".
#[derive(Deserialize)]
pub struct RehearseForm {
    id: Option<String>,
}

/// `POST /secret/rehearse`
pub async fn rehearse(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    caller: Caller,
    frame: Frame,
    Form(form): Form<RehearseForm>,
) -> Response {
    let began = Instant::now();
    match perform(&app, actor(&visitor, caller), RehearseRotation { id: form.id }).await {
        Ok(begun) => follow(begun),
        Err(problem) => {
            let place = |problem| Forms { rehearse: Some(problem), ..Forms::default() };
            refuse(&app, &visitor, frame, began, problem, place).await
        }
    }
}

/// The form "Repair".
#[derive(Deserialize)]
pub struct RepairForm {
    #[serde(default)]
    token: String,
    #[serde(default)]
    moves: String,
    #[serde(default)]
    confirm: String,
    #[serde(default)]
    password: String,
}

/// `POST /secret/repair`
pub async fn repair(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    caller: Caller,
    frame: Frame,
    Form(form): Form<RepairForm>,
) -> Response {
    let began = Instant::now();
    let outcome = async {
        confirm::in_form(&app, &visitor, caller.0, &form.password).await?;
        let moves = serde_json::from_str(&form.moves)
            .map_err(|_| Problem::new(ProblemKind::Invalid, "The form did not say which labels to move."))?;
        let operation = RepairRotation { token: form.token, moves, confirm: form.confirm };
        perform(&app, actor(&visitor, caller), operation).await
    };
    match outcome.await {
        Ok(Performed::Done(_)) => to_page("repaired"),
        Ok(Performed::GoesOn) => to_page(GOES_ON),
        Err(problem) => {
            let place = |problem| Forms { repair: Some(problem), ..Forms::default() };
            refuse(&app, &visitor, frame, began, problem, place).await
        }
    }
}

/// The form for the schedule, and the one that switches it off.
#[derive(Deserialize)]
pub struct ScheduleForm {
    #[serde(default)]
    schedule: String,
    #[serde(default)]
    window_hours: String,
    off: Option<String>,
    #[serde(default)]
    password: String,
}

/// `POST /secret/schedule`
pub async fn schedule(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    caller: Caller,
    frame: Frame,
    Form(form): Form<ScheduleForm>,
) -> Response {
    let began = Instant::now();
    let off = form.off.is_some();
    let typed = TypedSchedule { schedule: form.schedule.clone(), window_hours: form.window_hours.clone() };
    let outcome = async {
        if off {
            confirm::in_form(&app, &visitor, caller.0, &form.password).await?;
        }
        let operation = match off {
            true => SetRotationSchedule { schedule: None, window_hours: None },
            false => {
                let window_hours = hours(&form.window_hours)?;
                SetRotationSchedule { schedule: Some(form.schedule), window_hours }
            }
        };
        perform(&app, actor(&visitor, caller), operation).await
    };
    match outcome.await {
        Ok(Performed::Done(_)) => to_page(if off { "off" } else { "scheduled" }),
        Ok(Performed::GoesOn) => to_page(GOES_ON),
        Err(problem) => {
            let place = |problem| Forms { schedule: Some(problem), typed, ..Forms::default() };
            refuse(&app, &visitor, frame, began, problem, place).await
        }
    }
}

fn hours(typed: &str) -> Result<Option<u32>, Problem> {
    match typed.trim() {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| Problem::new(ProblemKind::Invalid, "The window must be a whole number of hours.")),
    }
}
