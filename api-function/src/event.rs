//! From API Gateway's event to a request and back: payload format 2.0, converted by `lambda_http`.
//!
//! That conversion builds an `http::Uri` out of parts that any client can write, and panics when they
//! make none: a query string with a space or a `<` in it, a `Host` that is no host. The function is
//! built with `panic = "abort"`, so one such request would end the process and with it whatever the
//! environment had connected. Therefore every event goes through `repair` first, which leaves
//! nothing in it that the conversion stumbles over. Where that can't be done without guessing what
//! was meant, the event is emptied and the request refused with 400, like any other on the way back.
//! An event that is none of an HTTP API's is an error of that one invocation.
//!
//! HTTP APIs hand the path over decoded. In the event it is encoded again, since a request's path has
//! to be; [`path`] gives it back as it came. It is not taken from the request's URI, because that one
//! is resolved (`/courses/../status` would be `/status`) and may have the stage put in front.

use std::borrow::Cow;
use std::convert::Infallible;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpRequestContext};
use lambda_http::http::header::HOST;
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::tower::ServiceExt as _;
use lambda_http::{Adapter, Error, LambdaEvent, Request, RequestExt as _, service_fn};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Serialize;

use crate::api::Api;
use crate::problem::{Kind, Problem};

/// The scheme the client used, as API Gateway says.
const PROTOCOL: &str = "x-forwarded-proto";
/// The longest path and query, encoded, in bytes. `http::Uri` takes 65,534 in all, and API Gateway
/// 10,240 in the request line and headers together.
const LONGEST: usize = 65_000;
/// The longest name of a stage. AWS: 128.
const LONGEST_STAGE: usize = 128;
/// The longest name of a host (RFC 1035, 2.3.4).
const LONGEST_HOST: usize = 255;

/// What is encoded in a path: all that may not stand in one (RFC 3986, 3.3), and `%`, because the
/// path comes decoded.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// What is encoded in a query: all that may not stand in one (RFC 3986, 3.4). `%` stays, because the
/// query comes as it was sent; a reader of forms finds the same in it as before.
const IN_QUERY: &AsciiSet = &IN_PATH.remove(b'?').remove(b'%');

/// Answers an event. What it returns is the answer in API Gateway's format.
///
/// # Errors
/// When the event is of another kind than an HTTP API's.
pub async fn handle(api: &Api, event: LambdaEvent<LambdaRequest>) -> Result<impl Serialize + use<>, Error> {
    let LambdaEvent { mut payload, context } = event;
    let LambdaRequest::ApiGatewayV2(request) = &mut payload else {
        return Err("the event is none of an HTTP API".into());
    };
    let mut refusal = repair(request).err();
    let adapter = Adapter::from(service_fn(|request: Request| {
        let refusal = refusal.take();
        async move {
            Ok::<_, Infallible>(match refusal {
                None => api.answer(request).await,
                Some(problem) => api.refuse(request, problem).await,
            })
        }
    }));
    Ok(adapter.oneshot(LambdaEvent { payload, context }).await?)
}

/// The path of a request as API Gateway has it: decoded, with the stage in front where it has a name.
pub fn path(request: &Request) -> Cow<'_, str> {
    percent_decode_str(request.raw_http_path()).decode_utf8_lossy()
}

/// What API Gateway says about a request.
pub fn gateway(request: &Request) -> Option<&ApiGatewayV2httpRequestContext> {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => Some(context),
        _ => None,
    }
}

/// Makes an event one that `lambda_http` converts without a panic.
///
/// # Errors
/// 400 when that would be guesswork. The event is left without what was wrong, and can be converted
/// all the same.
fn repair(event: &mut ApiGatewayV2httpRequest) -> Result<(), Problem> {
    repair_origin(event);
    let outcome = repair_target(event).and_then(|()| check_body(event));
    if outcome.is_err() {
        event.raw_path = None;
        event.raw_query_string = None;
        event.request_context.stage = None;
        event.body = None;
    }
    outcome
}

/// Takes out a host or a scheme that may not be one. The URI of the request is then a relative one,
/// or `https`; nothing here depends on either.
fn repair_origin(event: &mut ApiGatewayV2httpRequest) {
    let is_http = |scheme: &[u8]| scheme == b"http" || scheme == b"https";
    if event.headers.get(PROTOCOL).is_some_and(|scheme| !is_http(scheme.as_bytes())) {
        event.headers.remove(PROTOCOL);
    }
    if event.headers.get(HOST).is_some_and(|host| !host.to_str().is_ok_and(is_plain_host)) {
        event.headers.remove(HOST);
    }
    event.request_context.domain_name.take_if(|name| !is_plain_host(name));
}

/// Whether it is the name of a host, with or without a port, that every parser takes: labels of
/// letters, digits and hyphens, the last of which begins with a letter (with a digit it would be
/// read as an address), none in the encoding of other alphabets (which may be faulty).
fn is_plain_host(text: &str) -> bool {
    let (name, port) = text.split_once(':').unwrap_or((text, "443"));
    let labels = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let encoded = label.get(..4).is_some_and(|front| front.eq_ignore_ascii_case("xn--"));
        !label.is_empty() && label.bytes().all(plain) && !encoded
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= LONGEST_HOST
        && name.split('.').all(labels)
        && last.starts_with(|first: char| first.is_ascii_alphabetic())
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse::<u16>().is_ok()
}

fn repair_target(event: &mut ApiGatewayV2httpRequest) -> Result<(), Problem> {
    let refuse = |detail| Err(Problem::new(Kind::BadInput, detail));
    let in_stage = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'$');
    let stage = event.request_context.stage.as_deref().unwrap_or_default();
    if stage.len() > LONGEST_STAGE || !stage.bytes().all(in_stage) {
        return refuse("The request came by a stage that can't be.");
    }
    let path = match event.raw_path.as_deref().unwrap_or_default() {
        "" => "/".to_owned(),
        path if path.starts_with('/') => utf8_percent_encode(path, IN_PATH).to_string(),
        _ => return refuse("The path does not begin with a slash."),
    };
    let query = event.raw_query_string.as_deref().unwrap_or_default();
    let query = utf8_percent_encode(query, IN_QUERY).to_string();
    if path.len() + query.len() > LONGEST {
        return refuse("The address is too long.");
    }
    event.raw_path = Some(path);
    event.raw_query_string = Some(query);
    Ok(())
}

fn check_body(event: &ApiGatewayV2httpRequest) -> Result<(), Problem> {
    match &event.body {
        Some(body) if event.is_base64_encoded && STANDARD.decode(body).is_err() => {
            Err(Problem::new(Kind::BadInput, "The body is not the base64 it is said to be."))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
