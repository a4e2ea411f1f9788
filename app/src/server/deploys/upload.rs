//! The two addresses that take a zip: the form of a new deploy, and the operations API's. Whose it is
//! was found out before a byte of the body is read; there are few at once, each in memory, within a
//! size and a time.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{Extension, FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use model::deploy::Uploaded;
use model::problem::{Problem, ProblemKind};
use tokio::sync::OwnedSemaphorePermit;

use super::may;
use super::new::{show_form, show_preview};
use crate::pages::deploys::{LARGEST_ZIP, Typed, Wrong};
use crate::server::App;
use crate::server::answer::{Failure, status_of};
use crate::server::frame::Frame;
use crate::server::limits::{describe, worked_on};
use crate::server::session::Visitor;

/// The most of a field that is no zip.
const MOST_TEXT: usize = 4 * 1024;
/// So much of a body that is too large is read and thrown away, as browsers show no answer to a request
/// that they could not send.
const MOST_DRAINED: u64 = 256 * 1024 * 1024;
/// When to try again where there is no place, in seconds.
const TRY_AGAIN: &str = "10";

/// Why an upload is refused.
struct Refusal {
    status: StatusCode,
    problem: Problem,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { status: status_of(problem.kind), problem }
    }
}

impl Refusal {
    fn too_large() -> Self {
        let message = "The zip is larger than 50 MB, which is what Lambda takes directly.";
        let problem = Problem::new(ProblemKind::Invalid, message)
            .with_next("Put it into an S3 bucket and name the object, or make it smaller.");
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, problem }
    }

    fn late() -> Self {
        let message = "The upload did not come in time.";
        let problem = Problem::new(ProblemKind::TimedOut, message)
            .with_next("Try again, or put the zip into an S3 bucket and name the object.");
        Self { status: StatusCode::REQUEST_TIMEOUT, problem }
    }

    fn broken() -> Self {
        let problem =
            Problem::new(ProblemKind::Invalid, "The upload broke off, or is no form of this portal.");
        Self { status: StatusCode::BAD_REQUEST, problem: problem.with_next("Try again.") }
    }
}

/// `POST /deploys/upload`: the form of a new deploy, with a zip or without. Answered with the preview.
pub async fn form(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    frame: Frame,
    request: Request,
) -> Response {
    if let Err(problem) = may(&visitor) {
        return Failure::page(frame, problem).into_response();
    }
    // A form without a zip needs no place.
    let small = length(request.headers()).is_some_and(|length| length <= app.limits.body as u64);
    let place = match small {
        true => None,
        false => match take_place(&app) {
            Ok(place) => Some(place),
            Err(problem) => return later(Failure::page(frame, problem)),
        },
    };
    let (asked, request) = describe(request);
    let (mut typed, read) = arrived(&app, request).await;
    let kept = match read {
        Ok(Some(zip)) => keep(&app, zip).await.map(Some),
        Ok(None) => Ok(None),
        Err(refusal) => Err(refusal),
    };
    drop(place);
    let worker = App::clone(&app);
    let work = async move {
        match kept {
            Ok(Some(uploaded)) => {
                typed.upload_size = uploaded.size.to_string();
                typed.upload = uploaded.sha256;
                show_preview(&worker, &visitor, frame, typed, None).await
            }
            Ok(None) => show_preview(&worker, &visitor, frame, typed, None).await,
            Err(Refusal { status, problem }) => {
                // A form that broke off on its way holds less than was typed.
                if typed == Typed::default() {
                    return Failure::page(frame, problem).with_status(status).into_response();
                }
                let wrong = Wrong { field: Some("zip"), problem };
                let mut answer = show_form(&worker, &visitor, frame, typed, Some(wrong)).await;
                *answer.status_mut() = status;
                answer
            }
        }
    };
    worked_on(&app, asked, work).await
}

/// `POST /api/v1/deploys/uploads`: a zip as the body; what to name it by.
///
/// # Errors
/// 403 without the right, 413 for one that is too large, 415 for what is not called a zip, 503 when
/// others upload.
pub async fn api(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Result<(StatusCode, Json<Uploaded>), Response> {
    let refused = |problem| Failure::api(problem).into_response();
    may(&visitor).map_err(refused)?;
    let zip = request.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == "application/zip");
    if !zip {
        let problem = Problem::new(ProblemKind::Invalid, "An upload is `application/zip`.");
        return Err(Failure::api(problem).with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE).into_response());
    }
    let place = take_place(&app).map_err(|problem| later(Failure::api(problem)))?;
    let read = tokio::time::timeout(app.limits.upload_time, body(request)).await;
    let kept = match read {
        Ok(Ok(zip)) => keep(&app, zip).await,
        Ok(Err(refusal)) => Err(refusal),
        Err(_) => Err(Refusal::late()),
    };
    drop(place);
    match kept {
        Ok(uploaded) => Ok((StatusCode::CREATED, Json(uploaded))),
        Err(Refusal { status, problem }) => Err(Failure::api(problem).with_status(status).into_response()),
    }
}

fn take_place(app: &App) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(&app.uploads).try_acquire_owned().map_err(|_| {
        Problem::new(ProblemKind::Throttled, "Others are uploading at the moment.")
            .with_next("Try again in a few seconds.")
    })
}

fn later(failure: Failure) -> Response {
    let mut response = failure.into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(TRY_AGAIN));
    response
}

async fn keep(app: &App, zip: Vec<u8>) -> Result<Uploaded, Refusal> {
    if zip.len() > LARGEST_ZIP {
        return Err(Refusal::too_large());
    }
    Ok(app.portal.keep_upload(zip).await?)
}

/// What a request says of its body's length.
fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A body as it is, if it is not too large.
async fn body(request: Request) -> Result<Vec<u8>, Refusal> {
    let said = length(request.headers());
    let mut bytes = request.into_body();
    if said.is_some_and(|said| said > LARGEST_ZIP as u64) {
        drain(&mut bytes).await;
        return Err(Refusal::too_large());
    }
    let mut stream = bytes.into_data_stream();
    let mut zip = Vec::with_capacity(said.and_then(|said| usize::try_from(said).ok()).unwrap_or(0));
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Refusal::broken())?;
        if zip.len() + chunk.len() > LARGEST_ZIP {
            return Err(Refusal::too_large());
        }
        zip.extend_from_slice(&chunk);
    }
    Ok(zip)
}

async fn drain(body: &mut Body) {
    let mut stream = std::mem::take(body).into_data_stream();
    let mut read = 0;
    while let Some(Ok(chunk)) = stream.next().await {
        read += chunk.len() as u64;
        if read > MOST_DRAINED {
            return;
        }
    }
}

/// The form's fields as far as they came, and the zip, if there was one.
async fn arrived(app: &App, request: Request) -> (Typed, Result<Option<Vec<u8>>, Refusal>) {
    let mut typed = Typed::default();
    let read = tokio::time::timeout(app.limits.upload_time, fields(app, request, &mut typed)).await;
    (typed, read.unwrap_or_else(|_| Err(Refusal::late())))
}

async fn fields(app: &App, request: Request, typed: &mut Typed) -> Result<Option<Vec<u8>>, Refusal> {
    let said = length(request.headers());
    if said.is_some_and(|said| said > app.limits.upload_body as u64) {
        drain(&mut request.into_body()).await;
        return Err(Refusal::too_large());
    }
    let room = said.and_then(|said| usize::try_from(said).ok()).unwrap_or(0).min(LARGEST_ZIP);
    let Ok(mut form) = Multipart::from_request(request, app).await else { return Err(Refusal::broken()) };
    let mut zip = None;
    while let Some(field) = form.next_field().await.map_err(unreadable)? {
        let name = field.name().unwrap_or_default().to_owned();
        if name != "zip" {
            let text = whole(field, MOST_TEXT, Vec::new()).await?;
            typed.set(&name, String::from_utf8(text).map_err(|_| Refusal::broken())?);
            continue;
        }
        // Browsers send a file that was not chosen as an empty one without a name.
        let file = field.file_name().unwrap_or_default().to_owned();
        let bytes = whole(field, LARGEST_ZIP, Vec::with_capacity(room)).await?;
        if !file.is_empty() {
            typed.upload_name = file.chars().take(100).collect();
            zip = Some(bytes);
        }
    }
    Ok(zip.filter(|_| typed.source == "upload"))
}

async fn whole(mut field: Field<'_>, most: usize, mut bytes: Vec<u8>) -> Result<Vec<u8>, Refusal> {
    while let Some(chunk) = field.chunk().await.map_err(unreadable)? {
        if bytes.len() + chunk.len() > most {
            return Err(match most {
                MOST_TEXT => Refusal::broken(),
                _ => Refusal::too_large(),
            });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn unreadable(error: MultipartError) -> Refusal {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::too_large(),
        _ => Refusal::broken(),
    }
}
