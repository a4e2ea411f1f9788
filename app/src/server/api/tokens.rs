//! `/api/v1/tokens`: the access tokens of whoever asks.

use axum::Json;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::tokens::{CreateToken, RevokeToken, Token, Tokens};
use serde::Serialize;

use super::secret::{Asked, Body, unreadable};
use crate::server::answer::Failure;
use crate::server::confirm;
use crate::server::secret::actor;
use crate::server::tokens::{Create, Revoke, carry_out, tokens_of};

/// `GET /api/v1/tokens`
///
/// # Errors
/// 500 when the database fails.
pub async fn list(asked: Asked) -> Result<Json<Tokens>, Failure> {
    tokens_of(&asked.app, &asked.visitor).await.map(Json).map_err(Failure::api)
}

/// A new token, the one time it is shown.
#[derive(Serialize)]
struct Shown<'a> {
    token: &'a str,
    #[serde(flatten)]
    about: &'a Token,
}

/// `POST /api/v1/tokens`
///
/// # Errors
/// 403 without a fresh confirmation, or for more than the person may; 409 when there are too many; 422
/// for a name or a life that breaks a rule.
pub async fn create(asked: Asked, body: Body<CreateToken>) -> Result<Response, Failure> {
    let Asked { app, visitor, caller } = asked;
    let Json(wanted) = body.map_err(unreadable)?;
    confirm::recently(&app, &visitor).map_err(Failure::api)?;
    let operation = Create::new(wanted, &app.accounts).map_err(Failure::api)?;
    let made = carry_out(&app, actor(&visitor, caller), operation).await;
    let (about, text) = made.map_err(Failure::api)?;
    let place = format!("/api/v1/tokens/{}", about.id);
    let shown = Json(Shown { token: text.expose(), about: &about });
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], shown).into_response())
}

/// `DELETE /api/v1/tokens/{id}`
///
/// # Errors
/// 404 when the person has no such token; 403 when a token without the scope `admin` asks for another
/// one's end.
pub async fn revoke(asked: Asked, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    let Asked { app, visitor, caller } = asked;
    let operation = Revoke::new(RevokeToken { id }, &app.accounts).map_err(Failure::api)?;
    carry_out(&app, actor(&visitor, caller), operation).await.map_err(Failure::api)?;
    Ok(StatusCode::NO_CONTENT)
}
