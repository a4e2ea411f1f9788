//! Answers: what routes and problems build them with.

use lambda_http::Body;
use lambda_http::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS};
use lambda_http::http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use crate::etag;
use crate::request::Request;

/// For how long anybody may keep a public answer, in seconds: a change is seen by everyone after so long.
const PUBLIC: &str = "public, max-age=30";

/// An answer on its way to `lambda_http`.
pub type Response = lambda_http::Response<Body>;

/// An answer with a JSON body.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    // Plain data with string keys always serialises; an empty body would be seen by every test.
    let body = serde_json::to_string(body).unwrap_or_default();
    let mut response = Response::new(Body::Text(body));
    *response.status_mut() = status;
    let response = with_header(response, CONTENT_TYPE, HeaderValue::from_static("application/json"));
    with_header(response, X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
}

/// An answer of 204, without a body.
pub fn nothing() -> Response {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// A public answer to `request`, which caches may keep, under the tag `tag` or else under that of its
/// text: 304 without a body where the client has it.
pub fn cacheable(request: &Request, body: &impl Serialize, tag: Option<String>) -> Response {
    let mut response = json(StatusCode::OK, body);
    let tag = tag.unwrap_or_else(|| match response.body() {
        Body::Text(text) => etag::of_text(text),
        _ => String::new(),
    });
    if etag::is_held(request.header(IF_NONE_MATCH), &tag) {
        *response.body_mut() = Body::Empty;
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().remove(CONTENT_TYPE);
    }
    let response = with_header(response, ETAG, etag::header(&tag));
    with_header(response, CACHE_CONTROL, HeaderValue::from_static(PUBLIC))
}

/// An answer that is for the caller alone and for no cache.
pub fn private(status: StatusCode, body: &impl Serialize) -> Response {
    with_header(json(status, body), CACHE_CONTROL, HeaderValue::from_static("private, no-store"))
}

/// The same with one header more, or another value of one it has.
#[must_use]
pub fn with_header(mut response: Response, name: HeaderName, value: HeaderValue) -> Response {
    response.headers_mut().insert(name, value);
    response
}
