//! What the forms of `/deploys` do. Each is answered with a redirect to the page when it went through,
//! and with the page itself, and why, when it did not.

use std::time::Instant;

use axum::extract::{Form, FromRequestParts};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use model::deploy::{
    DeployApi, PauseRollout, PointIntegrationAtAlias, Promote, PruneVersions, ResumeRollout, RollBack,
    SendRequests,
};
use model::people::Role;
use model::problem::{Problem, ProblemKind};
use operations::Operation;
use serde::Deserialize;

use super::{GOES_ON, PAGE_TIME, page_within, shown};
use crate::pages::deploys::Act;
use crate::pages::sign_in::{self, Notice};
use crate::server::answer::Failure;
use crate::server::frame::Frame;
use crate::server::secret::{MARGIN, Performed, actor, perform};
use crate::server::session::Visitor;
use crate::server::sign_in::Caller;
use crate::server::{App, confirm};

/// Who sends a form, and from what page.
pub struct Sender {
    app: App,
    visitor: Visitor,
    caller: Caller,
    frame: Frame,
    /// When the form came: the page has what the operation has left of the request's time.
    began: Instant,
}

impl FromRequestParts<App> for Sender {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let frame = Frame::of(&parts.extensions, app);
        let caller = Caller::from_request_parts(parts, app).await?;
        let Some(visitor) = parts.extensions.get::<Visitor>().cloned() else {
            let problem = Problem::new(ProblemKind::NotSignedIn, "Nobody is signed in.");
            return Err(Failure::page(frame, problem));
        };
        Ok(Self { app: App::clone(app), visitor, caller, frame, began: Instant::now() })
    }
}

impl Sender {
    /// Performs the operation; with a `password` only if that is right.
    async fn perform<O>(&self, operation: O, password: Option<&str>) -> Result<Performed<O::Output>, Problem>
    where
        O: Operation + 'static,
        O::Output: 'static,
    {
        if let Some(password) = password {
            confirm::in_form(&self.app, &self.visitor, self.caller.0, password).await?;
        }
        perform(&self.app, actor(&self.visitor, self.caller), operation).await
    }

    /// The page again, by a redirect, or with why it was not done.
    async fn answer<T>(
        self,
        act: Act,
        outcome: Result<Performed<T>, Problem>,
        place: impl FnOnce(T) -> String,
    ) -> Response {
        let Self { app, visitor, frame, began, .. } = self;
        let problem = match outcome {
            Ok(Performed::Done(output)) => return Redirect::to(&place(output)).into_response(),
            Ok(Performed::GoesOn) => return Redirect::to(&done(GOES_ON)).into_response(),
            Err(problem) => problem,
        };
        if problem.kind == ProblemKind::NotSignedIn {
            let address = sign_in::address(Some(Notice::WrongTooOften), Some("/deploys"));
            return Redirect::to(&address).into_response();
        }
        // Whoever has no forms on the page is told on a page of its own.
        if visitor.role < Role::Operator {
            return Failure::page(frame, problem).into_response();
        }
        let left = app.limits.request_time.saturating_sub(began.elapsed() + MARGIN).min(PAGE_TIME);
        match page_within(&app, left).await {
            Ok(page) => shown(&app, &visitor, frame, page, None, Some((act, problem))).await,
            // Why the form was refused matters more than why the page is not there.
            Err(_) => Failure::page(frame, problem).into_response(),
        }
    }
}

fn done(name: &str) -> String {
    format!("/deploys?done={name}")
}

/// Names a rollout.
#[derive(Deserialize)]
pub struct RolloutForm {
    #[serde(default)]
    rollout: String,
    #[serde(default)]
    password: String,
}

/// `POST /deploys/pause`
pub async fn pause(sender: Sender, Form(form): Form<RolloutForm>) -> Response {
    let outcome = sender.perform(PauseRollout { rollout: form.rollout }, None).await;
    sender.answer(Act::Steer, outcome, |()| done("paused")).await
}

/// `POST /deploys/resume`
pub async fn resume(sender: Sender, Form(form): Form<RolloutForm>) -> Response {
    let outcome = sender.perform(ResumeRollout { rollout: form.rollout }, None).await;
    sender.answer(Act::Steer, outcome, |()| done("resumed")).await
}

/// `POST /deploys/promote`
pub async fn promote(sender: Sender, Form(form): Form<RolloutForm>) -> Response {
    let outcome = sender.perform(Promote { rollout: form.rollout }, Some(&form.password)).await;
    sender.answer(Act::Decide, outcome, |()| done("promoted")).await
}

/// The form that sends requests.
#[derive(Deserialize)]
pub struct RequestsForm {
    #[serde(default)]
    rollout: String,
    #[serde(default)]
    count: String,
}

/// `POST /deploys/requests`
pub async fn requests(sender: Sender, Form(form): Form<RequestsForm>) -> Response {
    let outcome = match form.count.trim().parse() {
        Ok(count) => sender.perform(SendRequests { rollout: form.rollout, count }, None).await,
        Err(_) => Err(Problem::new(ProblemKind::Invalid, "The number of requests is a whole number.")),
    };
    let place = |sent: model::deploy::Sent| {
        format!("/deploys?done=sent&passed={}&failed={}", sent.passed, sent.failed)
    };
    sender.answer(Act::Steer, outcome, place).await
}

/// The forms that roll back, during a rollout and afterwards.
#[derive(Deserialize)]
pub struct RollBackForm {
    #[serde(default)]
    rollout: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    why: String,
    #[serde(default)]
    password: String,
}

/// `POST /deploys/rollback`
pub async fn roll_back(sender: Sender, Form(form): Form<RollBackForm>) -> Response {
    let act = if form.rollout.is_empty() { Act::GoBack } else { Act::Decide };
    let why = Some(form.why).filter(|why| !why.trim().is_empty());
    let operation = RollBack { from: form.from, to: form.to, why };
    let outcome = sender.perform(operation, Some(&form.password)).await;
    sender.answer(act, outcome, |()| done("rolled-back")).await
}

/// The form that prunes.
#[derive(Deserialize)]
pub struct PruneForm {
    #[serde(default)]
    versions: String,
    #[serde(default)]
    password: String,
}

/// `POST /deploys/prune`
pub async fn prune(sender: Sender, Form(form): Form<PruneForm>) -> Response {
    let versions = form.versions.split(',').map(str::trim).filter(|version| !version.is_empty());
    let operation = PruneVersions { versions: versions.map(str::to_owned).collect() };
    let outcome = sender.perform(operation, Some(&form.password)).await;
    sender.answer(Act::Prune, outcome, |_| done("pruned")).await
}

/// The form that leads an integration to the alias.
#[derive(Deserialize)]
pub struct IntegrationForm {
    #[serde(default)]
    integration: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    password: String,
}

/// `POST /deploys/integration`
pub async fn integration(sender: Sender, Form(form): Form<IntegrationForm>) -> Response {
    let operation = PointIntegrationAtAlias { integration: form.integration, from: form.from };
    let outcome = sender.perform(operation, Some(&form.password)).await;
    sender.answer(Act::Point, outcome, |_| done("pointed")).await
}

/// The form that deploys the HTTP API.
#[derive(Deserialize)]
pub struct ApiForm {
    #[serde(default)]
    description: String,
    #[serde(default)]
    password: String,
}

/// `POST /deploys/api`
pub async fn api(sender: Sender, Form(form): Form<ApiForm>) -> Response {
    let operation = DeployApi { description: form.description };
    let outcome = sender.perform(operation, Some(&form.password)).await;
    sender.answer(Act::DeployApi, outcome, |_| done("api-deployed")).await
}
