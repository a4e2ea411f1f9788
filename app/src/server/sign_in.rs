//! Signing in, by password and by link, and signing out. Forms; no JavaScript needed.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Form, FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use model::problem::{Problem, ProblemKind};
use serde::Deserialize;
use tower_sessions::Session;

use super::App;
use super::accounts::SignInId;
use super::answer::{Failure, status_of};
use super::frame::Frame;
use super::session;
use crate::pages::sign_in::{self, LinkPage, Notice, SignInPage, local_path};

/// What may stand behind `/sign-in?`.
#[derive(Debug, Deserialize)]
pub struct Arrival {
    notice: Option<String>,
    next: Option<String>,
}

/// The sign-in form. Unknown fields are ignored: password managers add some.
#[derive(Deserialize)]
pub struct Credentials {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    next: Option<String>,
}

/// Where the request comes from: the peer, or behind trusted proxies the address the outermost of
/// them saw.
#[derive(Debug, Clone, Copy)]
pub struct Caller(pub IpAddr);

impl FromRequestParts<App> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() else {
            let problem = Problem::new(ProblemKind::Internal, "The connection's address is unknown.");
            return Err(Failure::page(Frame::of(&parts.extensions, app), problem));
        };
        Ok(Self(behind_proxies(peer.ip(), &parts.headers, app.trusted_proxies)))
    }
}

/// `GET /sign-in`
pub async fn form(frame: Frame, Query(arrival): Query<Arrival>) -> Response {
    let notice = arrival.notice.as_deref().and_then(Notice::from_text);
    let page = SignInPage { notice, next: arrival.next, ..SignInPage::default() };
    show(frame, StatusCode::OK, page)
}

/// `POST /sign-in`
pub async fn by_password(
    State(app): State<App>,
    Caller(address): Caller,
    session: Session,
    frame: Frame,
    Form(credentials): Form<Credentials>,
) -> Response {
    let Credentials { email, password, next } = credentials;
    let page = SignInPage { email: email.clone(), next: next.clone(), ..SignInPage::default() };
    if email.trim().is_empty() || password.is_empty() {
        let page = SignInPage { email_missing: email.trim().is_empty(), ..page };
        let page = SignInPage { password_missing: password.is_empty(), ..page };
        return show(frame, StatusCode::UNPROCESSABLE_ENTITY, page);
    }
    if let Err(seconds) = app.throttle.take(address, (app.clock)()) {
        tracing::warn!(%address, "sign-in throttled");
        let page = SignInPage { wait_seconds: Some(seconds), ..page };
        let mut response = show(frame, StatusCode::TOO_MANY_REQUESTS, page);
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        return response;
    }
    match check(&app, &session, &email, password).await {
        Ok(true) => {
            app.throttle.give_back(address);
            Redirect::to(local_path(next.as_deref())).into_response()
        }
        Ok(false) => {
            tracing::warn!(%address, "sign-in refused");
            show(frame, StatusCode::UNAUTHORIZED, SignInPage { wrong: true, ..page })
        }
        Err(problem) => {
            let status = status_of(problem.kind);
            show(frame, status, SignInPage { problem: Some(problem), ..page })
        }
    }
}

/// `GET /sign-in/link/{token}`: a page with a button. Only the button uses the link up, so whatever
/// fetches addresses to look what is there (mail scanners, previews) does not.
pub async fn link(State(app): State<App>, frame: Frame, Path(token): Path<String>) -> Response {
    match app.accounts.link_is_good(&token).await {
        Ok(true) => frame.page(StatusCode::OK, "Sign in", move || LinkPage { token }.view()),
        Ok(false) => Redirect::to(&sign_in::address(Some(Notice::LinkOver), None)).into_response(),
        Err(problem) => Failure::page(frame, problem).into_response(),
    }
}

/// `POST /sign-in/link/{token}`
pub async fn by_link(
    State(app): State<App>,
    session: Session,
    frame: Frame,
    Path(token): Path<String>,
) -> Response {
    let redeemed = match app.accounts.redeem(&token).await {
        Ok(Some(sign_in)) => enter(&app, &session, sign_in).await.map(|()| true),
        Ok(None) => Ok(false),
        Err(problem) => Err(problem),
    };
    match redeemed {
        Ok(true) => Redirect::to("/").into_response(),
        Ok(false) => Redirect::to(&sign_in::address(Some(Notice::LinkOver), None)).into_response(),
        Err(problem) => Failure::page(frame, problem).into_response(),
    }
}

/// `POST /sign-out`
pub async fn sign_out(State(app): State<App>, session: Session, frame: Frame) -> Response {
    match session::end(&app, &session).await {
        Ok(()) => Redirect::to(&sign_in::address(Some(Notice::SignedOut), None)).into_response(),
        Err(problem) => Failure::page(frame, problem).into_response(),
    }
}

/// Whether the password is right; if so, the person is signed in.
async fn check(app: &App, session: &Session, email: &str, password: String) -> Result<bool, Problem> {
    let user = app.accounts.find(email).await?;
    let hash = user.as_ref().and_then(|user| user.password_hash.clone());
    if !app.passwords.verify(password, hash).await? {
        return Ok(false);
    }
    let Some(user) = user else { return Ok(false) };
    let sign_in = app.accounts.sign_in(user.id).await?;
    enter(app, session, sign_in).await.map(|()| true)
}

async fn enter(app: &App, session: &Session, sign_in: SignInId) -> Result<(), Problem> {
    session::begin(app, session, &sign_in).await?;
    tracing::info!("signed in");
    Ok(())
}

fn show(frame: Frame, status: StatusCode, page: SignInPage) -> Response {
    frame.page(status, page.title(), move || page.view())
}

/// Each proxy appends the address it saw, so the `proxies`-th entry from the right is the caller's;
/// what stands left of it is the caller's own claim.
fn behind_proxies(peer: IpAddr, headers: &HeaderMap, proxies: u8) -> IpAddr {
    let lists = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let entries: Vec<&str> = lists.flat_map(|list| list.split(',')).map(str::trim).collect();
    let hops = usize::from(proxies);
    let seen = entries.len().checked_sub(hops).filter(|_| hops > 0).and_then(|index| entries.get(index));
    seen.and_then(|entry| entry.parse().ok()).unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let peer: IpAddr = "10.0.0.9".parse().unwrap();
        let table = [
            (0, Some("203.0.113.7"), "10.0.0.9"),
            (1, None, "10.0.0.9"),
            (1, Some("203.0.113.7"), "203.0.113.7"),
            (1, Some("198.51.100.1, 203.0.113.7"), "203.0.113.7"),
            (2, Some("198.51.100.1, 203.0.113.7, 10.0.0.8"), "203.0.113.7"),
            (2, Some("203.0.113.7"), "10.0.0.9"),
            (1, Some("unknown"), "10.0.0.9"),
        ];
        for (proxies, forwarded, caller) in table {
            let mut headers = HeaderMap::new();
            if let Some(forwarded) = forwarded {
                headers.insert("x-forwarded-for", forwarded.parse().unwrap());
            }
            assert_eq!(
                behind_proxies(peer, &headers, proxies).to_string(),
                caller,
                "{proxies} {forwarded:?}"
            );
        }
    }
}
