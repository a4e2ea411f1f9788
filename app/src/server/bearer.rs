//! Bearer tokens: how scripts show who they are to the operations API and to `/metrics`, and to nothing
//! else.
//!
//! A request to these with `Authorization: Bearer ...` is judged by that token alone: its cookies
//! are taken away before anything could look at them ([`alone`]), and where the token is no good the
//! answer is 401, whoever may be signed in beside it. Pages and server functions know no tokens.
//!
//! The origin check ([`super::security`]) leaves requests with a token and without a cookie alone. That
//! is safe: the check is there because browsers attach cookies to what other sites send. No browser
//! attaches a token by itself; a page of another site that could send one would have to know it, and its
//! script would have to ask the portal first whether it may (a preflight), which the portal never allows.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use model::problem::{Problem, ProblemKind};
use model::time::{Timestamp, in_words};

use super::App;
use super::accounts::tokens::{Holder, Shown};
use super::answer::Failure;
use super::session::{Visitor, Way};
use super::sign_in::Caller;
use crate::components::words;

/// The portal's own figures, which a scraper asks for as a script does.
pub const FIGURES: &str = "/metrics";

/// The scheme, in any case (RFC 9110, 11.1).
const SCHEME: &str = "bearer ";

/// What is wrong, as RFC 6750, 3.1 puts it.
const INVALID: HeaderValue = HeaderValue::from_static("Bearer error=\"invalid_token\"");

/// Whether the request is one that a token decides.
pub fn carries(request: &Request) -> bool {
    let path = request.uri().path();
    (path == "/api/v1" || path.starts_with("/api/v1/") || path == FIGURES) && has_token(request.headers())
}

/// Whether the origin check has nothing to look for: see the head of this module.
pub fn without_cookie(request: &Request) -> bool {
    carries(request) && !request.headers().contains_key(header::COOKIE)
}

fn has_token(headers: &HeaderMap) -> bool {
    headers.get_all(header::AUTHORIZATION).iter().any(|value| {
        let scheme = value.as_bytes().get(..SCHEME.len());
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME.as_bytes()))
    })
}

/// Takes the cookies from requests with a token, so that no layer further in can look at them.
pub async fn alone(mut request: Request, next: Next) -> Response {
    if carries(&request) {
        request.headers_mut().remove(header::COOKIE);
    }
    next.run(request).await
}

/// Who sends a request with a token; the token is not in it any more afterwards.
///
/// # Errors
/// 401 when the token is no good, 429 after too many of those from one address. Whoever has a good one
/// gets through all the same, from whatever address: a stranger behind the same one locks nobody out.
/// Nothing is lost by that, as 256 random bits can't be guessed; what is bounded is what such a stranger
/// writes into the log.
pub async fn admit(app: &App, request: &mut Request) -> Result<Visitor, Response> {
    let text = the_token(request.headers());
    request.headers_mut().remove(header::AUTHORIZATION);
    let shown = match &text {
        Some(text) => {
            app.accounts.shown(text).await.map_err(|problem| Failure::api(problem).into_response())?
        }
        None => Shown::Unknown,
    };
    match shown {
        Shown::Good(Holder { email, role, has_password, token }) => Ok(Visitor {
            email,
            role: role.min(token.scopes.role()),
            has_password,
            // What a token's scopes name was confirmed when it was made.
            confirmed: Timestamp(0),
            way: Way::Token(token),
            renew: Arc::default(),
        }),
        Shown::Expired(at) => {
            let message = format!("This token expired at {}.", words::utc(at));
            Err(refuse(app, request, message).await)
        }
        Shown::Unknown => {
            Err(refuse(app, request, "This is no token, or one that was revoked.".to_owned()).await)
        }
    }
}

/// The one token of a request; none where there are several, or it is no text.
fn the_token(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let text = value.to_str().ok()?.get(SCHEME.len()..)?;
    Some(text.trim().to_owned())
}

async fn refuse(app: &App, request: &mut Request, message: String) -> Response {
    match caller(app, request).await {
        Ok(address) => refusal(app, address, message),
        Err(failure) => failure.into_response(),
    }
}

async fn caller(app: &App, request: &mut Request) -> Result<IpAddr, Failure> {
    let (mut parts, body) = std::mem::take(request).into_parts();
    let caller = Caller::from_request_parts(&mut parts, app).await;
    *request = Request::from_parts(parts, body);
    caller.map(|Caller(address)| address)
}

fn refusal(app: &App, address: IpAddr, message: String) -> Response {
    if let Err(seconds) = app.wrong_tokens.take(address, (app.clock)()) {
        tracing::debug!(%address, "a wrong token, throttled");
        let message = format!("Too many wrong tokens from your address. Wait {}.", in_words(seconds));
        let problem = Problem::new(ProblemKind::Throttled, message);
        let failure = Failure::api(problem).with_status(axum::http::StatusCode::TOO_MANY_REQUESTS);
        let mut response = failure.into_response();
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        return response;
    }
    tracing::warn!(%address, "a wrong token");
    let problem = Problem::new(ProblemKind::NotSignedIn, message)
        .with_next("Make a new one on the portal's page \u{201c}Access tokens\u{201d}.");
    let mut response = Failure::api(problem).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, INVALID);
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn a_token_counts_in_the_api_alone() {
        let table = [
            ("/api/v1/overview", Some("Bearer lk_a"), true),
            ("/api/v1/overview", Some("bearer lk_a"), true),
            ("/api/v1", Some("BEARER lk_a"), true),
            ("/api/v1/overview", Some("Basic lk_a"), false),
            ("/api/v1/overview", Some("Bearer"), false),
            ("/api/v1/overview", None, false),
            ("/api/v1x", Some("Bearer lk_a"), false),
            ("/api/calls/overview", Some("Bearer lk_a"), false),
            ("/secret/rotate", Some("Bearer lk_a"), false),
            ("//api/v1/overview", Some("Bearer lk_a"), false),
        ];
        for (path, value, expected) in table {
            let mut request = Request::new(Body::empty());
            *request.uri_mut() = axum::http::Uri::builder().path_and_query(path).build().unwrap();
            if let Some(value) = value {
                request.headers_mut().insert(header::AUTHORIZATION, HeaderValue::from_static(value));
            }
            assert_eq!(carries(&request), expected, "{path} {value:?}");
            assert_eq!(without_cookie(&request), expected, "{path} {value:?}");
            request.headers_mut().insert(header::COOKIE, HeaderValue::from_static("a=b"));
            assert!(!without_cookie(&request), "{path} {value:?}");
        }
    }

    #[test]
    fn of_two_tokens_none_counts() {
        let mut headers = HeaderMap::new();
        headers.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer  lk_a "));
        assert_eq!(the_token(&headers).as_deref(), Some("lk_a"));
        headers.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer lk_b"));
        assert!(has_token(&headers));
        assert_eq!(the_token(&headers), None);
    }
}
