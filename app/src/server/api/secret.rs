//! `/api/v1/secret`: the secret's rotation, for scripts.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::problem::{Problem, ProblemKind};
use model::rotation::{
    Begun, RehearseRotation, RepairRotation, Repaired, RotateSecret, Rotation, Scheduled, SecretPage,
    SetRotationSchedule,
};
use operations::Operation;
use serde::Deserialize;

use crate::server::answer::Failure;
use crate::server::secret::{Performed, actor, perform, secret_page};
use crate::server::session::Visitor;
use crate::server::sign_in::Caller;
use crate::server::{App, confirm};

/// `GET /api/v1/secret`
///
/// # Errors
/// 504 when it was not put together in time.
pub async fn get(State(app): State<App>) -> Result<Json<SecretPage>, Failure> {
    secret_page(&app, None).await.map(Json).map_err(Failure::api)
}

/// `GET /api/v1/secret/rotations/{id}`: how one rotation stands.
///
/// # Errors
/// 404 when nothing is known of it.
pub async fn rotation(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Rotation>, Failure> {
    let page = secret_page(&app, Some(id)).await.map_err(Failure::api)?;
    match (page.rotation.value.flatten(), page.rotation.problem) {
        (Some(rotation), _) => Ok(Json(rotation)),
        (None, Some(problem)) => Err(Failure::api(problem)),
        (None, None) => {
            Err(Failure::api(Problem::new(ProblemKind::NotFound, "Nothing is known of that rotation.")))
        }
    }
}

/// `POST /api/v1/secret/rotations`
///
/// # Errors
/// 403 without the right or a fresh confirmation, 409 when something is in the way.
pub async fn rotate(asked: Asked, body: Body<RotateSecret>) -> Result<Response, Failure> {
    begun(asked.perform(body, true).await?)
}

/// `POST /api/v1/secret/rehearsals`
///
/// # Errors
/// As [`rotate`]; it needs no confirmation.
pub async fn rehearse(asked: Asked, body: Body<RehearseRotation>) -> Result<Response, Failure> {
    begun(asked.perform(body, false).await?)
}

/// `POST /api/v1/secret/repairs`
///
/// # Errors
/// As [`rotate`]; 409 when the plan is another by now.
pub async fn repair(asked: Asked, body: Body<RepairRotation>) -> Result<Json<Repaired>, Failure> {
    asked.perform(body, true).await.map(Json)
}

/// `PUT /api/v1/secret/schedule`
///
/// # Errors
/// As [`rotate`]; 422 for a schedule that AWS would refuse. Switching off needs a confirmation.
pub async fn schedule(asked: Asked, body: Body<SetRotationSchedule>) -> Result<Json<Scheduled>, Failure> {
    let switches_off = body.as_ref().is_ok_and(|Json(operation)| operation.schedule.is_none());
    asked.perform(body, switches_off).await.map(Json)
}

/// What shows that it is them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    password: String,
}

/// `POST /api/v1/confirmation`: shows once more that it is them, for the next ten minutes.
///
/// The answer has a new session cookie; the old one is worth nothing any more.
///
/// # Errors
/// 403 when the password is wrong; 401 when it was one too many, which ends the session.
pub async fn confirm(asked: Asked, body: Body<Confirmation>) -> Result<StatusCode, Failure> {
    let Json(Confirmation { password }) = body.map_err(unreadable)?;
    let Asked { app, visitor, caller } = asked;
    confirm::by_password(&app, &visitor, caller.0, &password).await.map_err(Failure::api)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) type Body<T> = Result<Json<T>, JsonRejection>;

/// Who asks for a change.
pub struct Asked {
    pub(super) app: App,
    pub(super) visitor: Visitor,
    pub(super) caller: Caller,
}

impl FromRequestParts<App> for Asked {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let nobody = || Failure::api(Problem::new(ProblemKind::NotSignedIn, "Nobody is signed in."));
        let visitor = parts.extensions.get::<Visitor>().cloned().ok_or_else(nobody)?;
        Ok(Self { app: App::clone(app), visitor, caller })
    }
}

impl Asked {
    pub(super) async fn perform<O>(
        self,
        body: Body<O>,
        needs_confirmation: bool,
    ) -> Result<O::Output, Failure>
    where
        O: Operation + 'static,
        O::Output: 'static,
    {
        let Self { app, visitor, caller } = self;
        let Json(operation) = body.map_err(unreadable)?;
        if needs_confirmation {
            confirm::recently(&app, &visitor).map_err(Failure::api)?;
        }
        match perform(&app, actor(&visitor, caller), operation).await.map_err(Failure::api)? {
            Performed::Done(output) => Ok(output),
            Performed::GoesOn => Err(Failure::api(
                Problem::new(ProblemKind::TimedOut, "It takes longer than usual, and goes on.")
                    .with_next("Look in a moment how it stands."),
            )),
        }
    }
}

fn begun(begun: Begun) -> Result<Response, Failure> {
    let place = format!("/api/v1/secret/rotations/{}", begun.token);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, place)], Json(begun)).into_response())
}

pub(super) fn unreadable(rejection: JsonRejection) -> Failure {
    Failure::api(Problem::new(ProblemKind::Invalid, rejection.body_text())).with_status(rejection.status())
}
