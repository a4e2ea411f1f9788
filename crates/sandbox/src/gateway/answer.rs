//! Answers: those the gateway gives itself, and how it reads what a function returns.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::hop_by_hop;
use crate::aws::AwsError;
use crate::services::lambda::Invoked;

/// An answer to the client.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, in order; a name may come up more than once.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// One of the gateway's own: `{"message": text}`.
    pub fn message(status: u16, text: &str) -> Self {
        Self {
            status,
            headers: vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))],
            body: json!({ "message": text }).to_string().into(),
        }
    }
}

/// What came of an integration.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// What the client gets.
    pub answer: Answer,
    /// Where the gateway answered for the function: the type of its response (for the access log).
    pub failure: Option<&'static str>,
    /// The function's own status, where it gave one.
    pub function_status: Option<u16>,
    /// The Lambda service's status.
    pub service_status: Option<u16>,
    /// What was wrong, in AWS's words as far as they are known.
    pub error: Option<String>,
    /// The request id of the invocation.
    pub request_id: Option<String>,
}

/// Reads what came of an invocation.
///
/// Whatever the Lambda service refuses is a 500 to the client, except that a throttled function is
/// a 503 (what HTTP APIs are seen to answer; REST APIs say 500) and an event too large a 413.
pub fn settle(result: Result<Invoked, AwsError>) -> Settled {
    match result {
        Ok(invoked) => settle_invoked(invoked),
        Err(error) => {
            let (status, text, kind) = match (error.status, error.code.as_str()) {
                (429, _) | (_, "TooManyRequestsException") => {
                    (503, "Service Unavailable", "INTEGRATION_FAILURE")
                }
                (413, _) => (413, "Request Entity Too Large", "REQUEST_TOO_LARGE"),
                _ => (500, "Internal Server Error", "INTEGRATION_FAILURE"),
            };
            let said = match error.code.as_str() {
                "AccessDeniedException" => {
                    "The IAM role configured on the integration or API Gateway doesn't have permissions to \
                     call the integration. Check the permissions and try again."
                        .to_owned()
                }
                code => format!("{code}: {}", error.message),
            };
            Settled {
                answer: Answer::message(status, text),
                failure: Some(kind),
                function_status: None,
                service_status: Some(error.status),
                error: Some(said),
                request_id: None,
            }
        }
    }
}

/// The integration's time was up.
pub fn timed_out() -> Settled {
    Settled {
        answer: Answer::message(503, "Service Unavailable"),
        failure: Some("INTEGRATION_TIMEOUT"),
        function_status: None,
        service_status: None,
        error: Some("Endpoint request timed out".to_owned()),
        request_id: None,
    }
}

fn settle_invoked(invoked: Invoked) -> Settled {
    let failed = |error: String, request_id: String| Settled {
        answer: Answer::message(500, "Internal Server Error"),
        failure: Some("INTEGRATION_FAILURE"),
        function_status: None,
        service_status: Some(200),
        error: Some(error),
        request_id: Some(request_id),
    };
    if invoked.function_error.is_some() {
        let said = serde_json::from_slice::<Value>(&invoked.payload).ok();
        let said = said.as_ref().and_then(|said| said["errorMessage"].as_str()).unwrap_or_default();
        return failed(
            format!(
                "The Lambda function returned the following error: {said}. Check your Lambda function code \
                 and try again."
            ),
            invoked.request_id,
        );
    }
    match interpret(&invoked.payload) {
        Ok(answer) => Settled {
            function_status: Some(answer.status),
            service_status: Some(200),
            answer,
            failure: None,
            error: None,
            request_id: Some(invoked.request_id),
        },
        Err(why) => failed(
            format!(
                "The response from the Lambda function doesn't match the format that API Gateway expects \
                 ({why}). Check your Lambda function code and try again."
            ),
            invoked.request_id,
        ),
    }
}

/// Reads a function's return value, format 2.0: an object with a `statusCode` is a response; any
/// other JSON is the body of a 200.
///
/// # Errors
/// What is wrong with it.
pub fn interpret(payload: &[u8]) -> Result<Answer, String> {
    let value: Value = serde_json::from_slice(payload).map_err(|_| "it is not JSON".to_owned())?;
    match value {
        Value::Object(members) if members.contains_key("statusCode") => response(&members),
        // A text is sent as it is, without its quotes; all else as the JSON it is.
        Value::String(text) => Ok(inferred(text.into())),
        _ => Ok(inferred(Bytes::copy_from_slice(payload))),
    }
}

fn inferred(body: Bytes) -> Answer {
    Answer { status: 200, headers: vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body }
}

fn response(members: &Map<String, Value>) -> Result<Answer, String> {
    let status = members["statusCode"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok())
        .filter(|status| (200..=599).contains(status))
        .ok_or("statusCode is no number from 200 to 599")?;
    let mut headers = headers(members.get("headers"))?;
    for cookie in list(members.get("cookies"))? {
        headers.push((SET_COOKIE, header_value(cookie).ok_or("a cookie is no header value")?));
    }
    let body = match members.get("body") {
        None | Some(Value::Null) => Bytes::new(),
        Some(Value::String(body)) => match members.get("isBase64Encoded") {
            None | Some(Value::Null | Value::Bool(false)) => body.clone().into(),
            Some(Value::Bool(true)) => {
                STANDARD.decode(body).map_err(|_| "the body is not base64".to_owned())?.into()
            }
            Some(_) => return Err("isBase64Encoded is neither true nor false".to_owned()),
        },
        Some(_) => return Err("the body is no text".to_owned()),
    };
    if !body.is_empty() && !headers.iter().any(|(name, _)| name == CONTENT_TYPE) {
        headers.push((CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=UTF-8")));
    }
    Ok(Answer { status, headers, body })
}

fn headers(value: Option<&Value>) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let members = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(members)) => members,
        Some(_) => return Err("headers is no object".to_owned()),
    };
    let mut headers = Vec::with_capacity(members.len());
    for (name, value) in members {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            _ => return Err(format!("the header {name} is no text")),
        };
        let name: HeaderName = name.parse().map_err(|_| format!("{name} is no header name"))?;
        let value = header_value(&value).ok_or_else(|| format!("the header {name} has no possible value"))?;
        // What concerns the connection is the gateway's own business.
        if !hop_by_hop(&name) && name != http::header::CONTENT_LENGTH {
            headers.push((name, value));
        }
    }
    Ok(headers)
}

fn list(value: Option<&Value>) -> Result<Vec<&str>, String> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => {
            items.iter().map(|item| item.as_str().ok_or_else(|| "a cookie is no text".to_owned())).collect()
        }
        Some(_) => Err("cookies is no list".to_owned()),
    }
}

fn header_value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_bytes(text.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(payload: &str) -> String {
        match interpret(payload.as_bytes()) {
            Err(why) => format!("malformed: {why}"),
            Ok(answer) => {
                let headers: Vec<String> = answer
                    .headers
                    .iter()
                    .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("?")))
                    .collect();
                format!(
                    "{} [{}] {}",
                    answer.status,
                    headers.join("; "),
                    String::from_utf8_lossy(&answer.body)
                )
            }
        }
    }

    #[test]
    fn both_formats_are_read() {
        let cases = [
            (r#""Hello""#, "200 [content-type: application/json] Hello"),
            (r#"{ "a": 1 }"#, r#"200 [content-type: application/json] { "a": 1 }"#),
            ("[1, 2]", "200 [content-type: application/json] [1, 2]"),
            ("null", "200 [content-type: application/json] null"),
            ("7", "200 [content-type: application/json] 7"),
            (r#"{"statusCode": 204}"#, "204 [] "),
            (r#"{"statusCode": 200, "body": "hi"}"#, "200 [content-type: text/plain;charset=UTF-8] hi"),
            (
                r#"{"statusCode": 201, "headers": {"Content-Type": "text/html", "X-A": 1}, "body": "<p>"}"#,
                "201 [content-type: text/html; x-a: 1] <p>",
            ),
            (
                r#"{"statusCode": 200, "cookies": ["a=1", "b=2; Secure"], "multiValueHeaders": {"x": ["y"]}}"#,
                "200 [set-cookie: a=1; set-cookie: b=2; Secure] ",
            ),
            (
                r#"{"statusCode": 200, "body": "aGk=", "isBase64Encoded": true, "headers": {"content-type": "x/y"}}"#,
                "200 [content-type: x/y] hi",
            ),
            (r#"{"statusCode": 200, "headers": {"Connection": "close", "Content-Length": "99"}}"#, "200 [] "),
        ];
        for (payload, expected) in cases {
            assert_eq!(shown(payload), expected, "{payload}");
        }
    }

    #[test]
    fn what_fits_neither_is_malformed() {
        for payload in [
            "",
            "hello",
            r#"{"statusCode": null}"#,
            r#"{"statusCode": "200"}"#,
            r#"{"statusCode": 99}"#,
            r#"{"statusCode": 101}"#,
            r#"{"statusCode": 600}"#,
            r#"{"statusCode": 200.5}"#,
            r#"{"statusCode": 200, "body": {"a": 1}}"#,
            r#"{"statusCode": 200, "body": "%%%", "isBase64Encoded": true}"#,
            r#"{"statusCode": 200, "headers": {"a b": "c"}}"#,
            r#"{"statusCode": 200, "headers": {"a": "b\r\nc: d"}}"#,
            r#"{"statusCode": 200, "headers": {"a": ["b"]}}"#,
            r#"{"statusCode": 200, "headers": []}"#,
            r#"{"statusCode": 200, "cookies": "a=1"}"#,
            r#"{"statusCode": 200, "cookies": [1]}"#,
        ] {
            assert!(shown(payload).starts_with("malformed"), "{payload}: {}", shown(payload));
        }
    }

    #[test]
    fn refusals_of_the_lambda_service_become_5xx() {
        let cases = [
            (AwsError::new("TooManyRequestsException", "Rate Exceeded").with_status(429), 503),
            (AwsError::new("AccessDeniedException", "no").with_status(403), 500),
            (AwsError::new("ResourceNotFoundException", "no").with_status(404), 500),
            (AwsError::new("RequestTooLargeException", "no").with_status(413), 413),
            (AwsError::internal("no"), 500),
        ];
        for (error, status) in cases {
            let service = error.status;
            let settled = settle(Err(error));
            assert_eq!((settled.answer.status, settled.service_status), (status, Some(service)));
            assert!(settled.error.is_some());
        }
        let failed = settle(Ok(Invoked {
            request_id: "r1".into(),
            executed_version: "1".into(),
            function_error: Some("Unhandled".into()),
            payload: br#"{"errorMessage":"boom","errorType":"E"}"#.as_slice().into(),
            log_tail: String::new(),
        }));
        assert_eq!((failed.answer.status, failed.service_status), (500, Some(200)));
        assert_eq!(failed.answer.body, br#"{"message":"Internal Server Error"}"#.as_slice());
        assert!(failed.error.is_some_and(|error| error.contains("boom")));
    }
}
