//! What keeps other sites out: response headers, and the origin check.
//!
//! Server functions have no check of their own, so every request that is not a plain GET or HEAD has
//! to come from the portal's own pages: `Origin` must be the public URL to the letter. Browsers send
//! it with every POST (the referrer policy is `same-origin`, with `no-referrer` they would send
//! `null`), so a request without it is no form of ours either. Left out are requests that carry a token
//! and no cookie; [`super::bearer`] says why.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::problem::{Problem, ProblemKind};

use super::answer::Failure;
use super::config::Origin;
use super::{App, bearer};

/// The number used once that this response's scripts carry.
#[derive(Debug, Clone)]
pub struct Nonce(pub String);

/// Sets the headers that every response has.
pub async fn headers(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let mut bytes = [0_u8; 16];
    (app.random)(&mut bytes);
    let nonce = STANDARD.encode(bytes);
    request.extensions_mut().insert(Nonce(nonce.clone()));
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in FIXED {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(&content_policy(&nonce)) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if app.public_url.is_https() {
        let two_years = HeaderValue::from_static("max-age=63072000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, two_years);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Headers with one value for all.
const FIXED: [(&str, &str); 6] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Nothing but our own files, one nonced script, and wasm.
fn content_policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self'; \
         img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; \
         base-uri 'none'; object-src 'none'"
    )
}

/// Refuses what comes from elsewhere.
pub async fn same_origin(State(app): State<App>, request: Request, next: Next) -> Response {
    if bearer::without_cookie(&request) {
        return next.run(request).await;
    }
    match check_origin(request.method(), request.headers(), &app.public_url) {
        Ok(()) => next.run(request).await,
        Err(why) => {
            tracing::warn!(why, "refused a request from another origin");
            let problem = Problem::new(
                ProblemKind::Forbidden,
                "This request did not come from the portal's own pages.",
            )
            .with_next(format!("Open {} and try again from there.", app.public_url));
            Failure::of(&request, &app, problem).into_response()
        }
    }
}

/// The origin check's decision.
///
/// # Errors
/// Why the request is refused, for the log.
fn check_origin(method: &Method, headers: &HeaderMap, own: &Origin) -> Result<(), &'static str> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    if reads && !headers.contains_key(header::UPGRADE) {
        return Ok(());
    }
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        None | Some(b"same-origin") => {}
        Some(_) => return Err("sec-fetch-site is not same-origin"),
    }
    let mut origins = headers.get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (Some(origin), None) if origin.as_bytes() == own.to_string().as_bytes() => Ok(()),
        (Some(_), None) => Err("origin is another"),
        (Some(_), Some(_)) => Err("more than one origin"),
        (None, _) => Err("no origin"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_may_post() {
        let own: Origin = "https://lock.example.com".parse().unwrap();
        const OURS: &str = "https://lock.example.com";
        type Given = &'static [(&'static str, &'static str)];
        let table: [(&str, Given, bool); 13] = [
            ("GET", &[], true),
            ("HEAD", &[("origin", "https://evil.example")], true),
            ("POST", &[("origin", OURS)], true),
            ("POST", &[("origin", OURS), ("sec-fetch-site", "same-origin")], true),
            ("POST", &[], false),
            ("POST", &[("sec-fetch-site", "same-origin")], false),
            ("POST", &[("origin", "null")], false),
            ("POST", &[("origin", "https://lock.example.com.evil.example")], false),
            ("POST", &[("origin", "http://lock.example.com")], false),
            ("POST", &[("origin", OURS), ("origin", "https://evil.example")], false),
            ("POST", &[("origin", OURS), ("sec-fetch-site", "same-site")], false),
            ("DELETE", &[("origin", "https://evil.example")], false),
            ("GET", &[("upgrade", "websocket"), ("origin", "https://evil.example")], false),
        ];
        for (method, given, allowed) in table {
            let mut headers = HeaderMap::new();
            for (name, value) in given {
                headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            let verdict = check_origin(&method.parse().unwrap(), &headers, &own);
            assert_eq!(verdict.is_ok(), allowed, "{method} {given:?}: {verdict:?}");
        }
    }
}
