//! Who is asking: the session cookie, and the guard before everything that is not public.
//!
//! In the operations API a token may stand in the cookie's place ([`super::bearer`]).
//!
//! The cookie names a session record, the record names a row of `sign_ins`, and that row decides.
//! Time limits: 8 hours in all, 30 minutes without use ([`super::accounts`]). Refreshing by itself
//! is not use: a call says whether the person has touched the page since the last one.
//!
//! The cookie's id is a new one after each sign-in, and after each time the person shows once more that it
//! is them ([`super::confirm`]): whoever knew the old one has nothing of that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use model::people::Role;
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;
use model::tokens::UsedToken;
use tower_sessions::Session;

use super::accounts::{Person, SignInId};
use super::answer::Failure;
use super::{App, bearer};
use crate::pages::sign_in::Notice;

/// The one thing in a session's record.
const SIGN_IN: &str = "sign_in";

/// Who is signed in; in the request's extensions behind [`guard`].
#[derive(Debug, Clone)]
pub struct Visitor {
    /// The account's e-mail address.
    pub email: String,
    /// How they come in.
    pub way: Way,
    /// What they may do; with a token, no more than its scopes.
    pub role: Role,
    /// Whether the account has a password.
    pub has_password: bool,
    /// When they last showed that it is them.
    pub confirmed: Timestamp,
    /// Set when they did so in this request: [`guard`] gives the session a new id then.
    pub renew: Arc<AtomicBool>,
}

/// The status of an answer, while it passes the session layer: that keeps no session of one with a status
/// from 500 on, and a session that has a new id would be lost.
#[derive(Clone, Copy)]
struct Status(StatusCode);

/// How somebody comes in.
#[derive(Debug, Clone)]
pub enum Way {
    /// By a sign-in, which the session's record names.
    SignIn(SignInId),
    /// With a token; in the operations API alone.
    Token(UsedToken),
}

/// The cookie's name. The prefix makes browsers insist on https, the path `/` and no domain, so that
/// no neighbouring host can plant one; over plain http (the sandbox) it can't be used.
pub fn cookie_name(https: bool) -> &'static str {
    if https { "__Host-lockkeeper" } else { "lockkeeper" }
}

/// Lets through who is signed in, and everybody to the sign-in pages.
pub async fn guard(State(app): State<App>, session: Session, mut request: Request, next: Next) -> Response {
    if bearer::carries(&request) {
        return match bearer::admit(&app, &mut request).await {
            Ok(visitor) => {
                request.extensions_mut().insert(visitor);
                next.run(request).await
            }
            Err(refusal) => refusal,
        };
    }
    let visitor = match visitor(&app, &session).await {
        Ok(visitor) => visitor,
        Err(problem) => return Failure::of(&request, &app, problem).into_response(),
    };
    match visitor {
        Some(visitor) => {
            if !refreshes_itself(&request)
                && let Way::SignIn(sign_in) = &visitor.way
                && let Err(problem) = app.accounts.touch(sign_in).await
            {
                return Failure::of(&request, &app, problem).into_response();
            }
            let renew = Arc::clone(&visitor.renew);
            request.extensions_mut().insert(visitor);
            let response = next.run(request).await;
            match renew.load(Ordering::SeqCst) {
                true => renewed(&session, response).await,
                false => response,
            }
        }
        None if is_public(request.uri().path()) => next.run(request).await,
        None if is_for_programs(request.uri().path()) => {
            let problem =
                Problem::new(ProblemKind::NotSignedIn, "Nobody is signed in, or the session is over.")
                    .with_next("Sign in and try again.");
            Failure::of(&request, &app, problem).into_response()
        }
        None => to_sign_in(&app, &request).into_response(),
    }
}

/// Signs somebody in: a session under a new id, whatever the browser brought along.
///
/// # Errors
/// `Internal` when the session can't be written.
pub async fn begin(app: &App, session: &Session, sign_in: &SignInId) -> Result<(), Problem> {
    if let Some(old) = current(session).await? {
        app.accounts.sign_out(&old).await?;
    }
    session.clear().await;
    session.cycle_id().await.map_err(broken)?;
    session.insert(SIGN_IN, sign_in.to_text()).await.map_err(broken)
}

/// The answer to somebody who has shown once more that it is them: their session goes on under a new id.
/// Last of all, as the page asks with the old one as long as it has no answer.
async fn renewed(session: &Session, mut response: Response) -> Response {
    match session.cycle_id().await {
        Ok(()) => {
            let status = std::mem::replace(response.status_mut(), StatusCode::OK);
            response.extensions_mut().insert(Status(status));
        }
        // What was asked for is done, and the session is as it was.
        Err(error) => tracing::error!(%error, "a session has kept its id"),
    }
    response
}

/// Signs out; safe to repeat.
///
/// # Errors
/// `Internal` when the session can't be deleted.
pub async fn end(app: &App, session: &Session) -> Result<(), Problem> {
    if let Some(sign_in) = current(session).await? {
        app.accounts.sign_out(&sign_in).await?;
    }
    session.flush().await.map_err(broken)
}

/// A cookie that is taken back must carry the attributes of the one that was set, or browsers keep a
/// `__Host-` one; the session layer leaves them out. And only a page takes one back: what its script asks
/// for may still have the old id when the browser has got a new one, and would take that back. Runs outside
/// of the session layer, and gives answers back the status they were to have.
pub async fn take_back_whole(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let of_page = !path.starts_with("/api/") && !crate::pages::shell::is_asked_by_script(path);
    let mut response = next.run(request).await;
    if let Some(Status(status)) = response.extensions_mut().remove() {
        *response.status_mut() = status;
    }
    let https = app.public_url.is_https();
    let taken_back = format!("{}=;", cookie_name(https));
    let attributes = if https { "; HttpOnly; SameSite=Lax; Secure" } else { "; HttpOnly; SameSite=Lax" };
    if !of_page {
        let kept: Vec<HeaderValue> = response.headers().get_all(header::SET_COOKIE).iter().cloned().collect();
        response.headers_mut().remove(header::SET_COOKIE);
        for cookie in kept.into_iter().filter(|cookie| !cookie.as_bytes().starts_with(taken_back.as_bytes()))
        {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        return response;
    }
    if let header::Entry::Occupied(mut cookies) = response.headers_mut().entry(header::SET_COOKIE) {
        for value in cookies.iter_mut() {
            if let Ok(text) = value.to_str()
                && text.starts_with(&taken_back)
                && let Ok(whole) = HeaderValue::from_str(&format!("{text}{attributes}"))
            {
                *value = whole;
            }
        }
    }
    response
}

/// What is answered to programs, which can do nothing with a page to sign in.
fn is_for_programs(path: &str) -> bool {
    path.starts_with("/api/") || path == bearer::FIGURES
}

async fn visitor(app: &App, session: &Session) -> Result<Option<Visitor>, Problem> {
    let Some(sign_in) = current(session).await? else { return Ok(None) };
    let Some(person) = app.accounts.visitor(&sign_in).await? else {
        session.flush().await.map_err(broken)?;
        return Ok(None);
    };
    let Person { email, role, has_password, confirmed } = person;
    let (way, renew) = (Way::SignIn(sign_in), Arc::default());
    Ok(Some(Visitor { email, way, role, has_password, confirmed, renew }))
}

async fn current(session: &Session) -> Result<Option<SignInId>, Problem> {
    let text: Option<String> = session.get(SIGN_IN).await.map_err(broken)?;
    Ok(text.as_deref().and_then(SignInId::from_text))
}

/// Calls tell by themselves whether somebody is there, and a page without JavaScript that reloads
/// itself does so at an address of its own; scripts that use the API always count.
fn refreshes_itself(request: &Request) -> bool {
    let uri = request.uri();
    uri.path().starts_with("/api/calls/") || crate::pages::shell::refreshes_itself(uri.path(), uri.query())
}

fn is_public(path: &str) -> bool {
    path == "/sign-in" || path.starts_with("/sign-in/")
}

/// To the sign-in page, and from there back to where the person wanted to go.
fn to_sign_in(app: &App, request: &Request) -> Redirect {
    let notice =
        had_cookie(request.headers(), cookie_name(app.public_url.is_https())).then_some(Notice::Ended);
    let wanted = match *request.method() {
        Method::GET => request.uri().path_and_query().map(|wanted| wanted.as_str()),
        _ => None,
    };
    Redirect::to(&crate::pages::sign_in::address(notice, wanted))
}

/// Whether the browser believes that it is signed in.
fn had_cookie(headers: &HeaderMap, name: &str) -> bool {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|list| list.split(';')).any(|cookie| cookie.trim().split('=').next() == Some(name))
}

fn broken(error: tower_sessions::session::Error) -> Problem {
    tracing::error!(%error, "the session store failed");
    Problem::new(ProblemKind::Internal, "The session could not be read or written.")
        .with_next("Try again in a moment; the log says more.")
}
