//! The way to a new deploy: the form, what it would find, and the button. What was typed goes along
//! from page to page; nothing of it is remembered here but a zip, for a quarter of an hour.

use axum::extract::{Extension, Form, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use model::deploy::FunctionVersion;
use model::problem::{Problem, ProblemKind};
use serde::Deserialize;

use super::{GOES_ON, acting, deploys_page, may, preview};
use crate::pages::deploys::{NewDeploy, Preview, Typed, UPLOAD_SCRIPT, Wrong};
use crate::pages::sign_in::{self, Notice};
use crate::server::answer::{Failure, status_of};
use crate::server::frame::Frame;
use crate::server::secret::{Performed, actor, perform};
use crate::server::session::Visitor;
use crate::server::sign_in::Caller;
use crate::server::{App, confirm};

/// What may stand behind `/deploys/new?`.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    version: Option<String>,
}

/// `GET /deploys/new`
pub async fn form(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    frame: Frame,
    Query(wanted): Query<Wanted>,
) -> Response {
    let digits = |version: &String| !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
    let typed = Typed::fresh(app.portal.new_id(), wanted.version.filter(digits));
    show_form(&app, &visitor, frame, typed, None).await
}

/// `POST /deploys/edit`: back to the form from the preview.
pub async fn edit(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    frame: Frame,
    Form(typed): Form<Typed>,
) -> Response {
    show_form(&app, &visitor, frame, typed, None).await
}

/// `POST /deploys/check`: the preview anew.
pub async fn check(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    frame: Frame,
    Form(typed): Form<Typed>,
) -> Response {
    show_preview(&app, &visitor, frame, typed, None).await
}

/// The preview's form: what was typed, and the password.
#[derive(Deserialize)]
pub struct StartForm {
    #[serde(flatten)]
    typed: Typed,
    #[serde(default)]
    password: String,
}

/// `POST /deploys/start`
pub async fn start(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    caller: Caller,
    frame: Frame,
    Form(StartForm { typed, password }): Form<StartForm>,
) -> Response {
    if let Err(problem) = may(&visitor) {
        return Failure::page(frame, problem).into_response();
    }
    let deploy = match typed.deploy() {
        Ok(deploy) => deploy,
        Err(wrong) => return show_form(&app, &visitor, frame, typed, Some(wrong)).await,
    };
    let outcome = async {
        confirm::in_form(&app, &visitor, caller.0, &password).await?;
        perform(&app, actor(&visitor, caller), deploy).await
    };
    match outcome.await {
        Ok(Performed::Done(_)) => Redirect::to("/deploys").into_response(),
        Ok(Performed::GoesOn) => Redirect::to(&format!("/deploys?done={GOES_ON}")).into_response(),
        Err(problem) if problem.kind == ProblemKind::NotSignedIn => {
            Redirect::to(&sign_in::address(Some(Notice::WrongTooOften), Some("/deploys"))).into_response()
        }
        Err(problem) => show_preview(&app, &visitor, frame, typed, Some(problem)).await,
    }
}

/// The form, with what was typed.
pub async fn show_form(
    app: &App,
    visitor: &Visitor,
    frame: Frame,
    typed: Typed,
    wrong: Option<Wrong>,
) -> Response {
    if let Err(problem) = may(visitor) {
        return Failure::page(frame, problem).into_response();
    }
    let status = wrong.as_ref().map_or(StatusCode::OK, |wrong| status_of(wrong.problem.kind));
    let screen = NewDeploy { typed, wrong, versions: versions(app).await };
    let title = screen.title();
    frame.with_script(UPLOAD_SCRIPT).page(status, title, move || screen.view())
}

/// For the form's list; without them a number is typed.
async fn versions(app: &App) -> Vec<FunctionVersion> {
    deploys_page(app).await.ok().and_then(|page| page.versions.value).unwrap_or_default()
}

/// What the deploy would find; the form again where it is none.
pub async fn show_preview(
    app: &App,
    visitor: &Visitor,
    frame: Frame,
    typed: Typed,
    refused: Option<Problem>,
) -> Response {
    if let Err(problem) = may(visitor) {
        return Failure::page(frame, problem).into_response();
    }
    let deploy = match typed.deploy() {
        Ok(deploy) => deploy,
        Err(wrong) => return show_form(app, visitor, frame, typed, Some(wrong)).await,
    };
    let found = match preview(app, &deploy).await {
        Ok(found) => found,
        // Why it was refused says more than that it can't be looked at again.
        Err(problem) => {
            let wrong = Wrong::from(refused.unwrap_or(problem));
            return show_form(app, visitor, frame, typed, Some(wrong)).await;
        }
    };
    let status = refused.as_ref().map_or(StatusCode::OK, |problem| status_of(problem.kind));
    let screen = Preview { typed, deploy, preview: found, acting: acting(app, visitor), refused };
    let title = screen.title();
    frame
        .with_script("document.documentElement.dataset.hydrated=\"\";")
        .page(status, title, move || screen.view())
}
