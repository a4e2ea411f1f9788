//! Answers: what routes and problems build them with.

use lambda_http::Body;
use lambda_http::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use lambda_http::http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

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

/// The same with one header more, or another value of one it has.
#[must_use]
pub fn with_header(mut response: Response, name: HeaderName, value: HeaderValue) -> Response {
    response.headers_mut().insert(name, value);
    response
}
