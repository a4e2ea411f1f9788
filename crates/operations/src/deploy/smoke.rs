//! Asking a version by itself: a request as API Gateway would send it, straight to the version.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::error::ProvideErrorMetadata as _;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::LogType;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::deploy::{Smoke, SmokeAnswer};
use model::problem::{Problem, ProblemKind};
use model::stack::Stack;
use model::time::Timestamp;
use serde_json::{Value, json};

use super::aws::INVOKE_TIME;
use crate::aws::problem;

/// So much of an answer's body is kept.
const MOST_OF_A_BODY: usize = 2_000;
/// So many lines of the log.
const MOST_LINES: usize = 40;

/// Sends the request to a version and looks at the answer.
///
/// # Errors
/// When Lambda could not be asked at all; whatever the function does is an answer.
pub(super) async fn ask(
    lambda: &Client,
    stack: &Stack,
    version: &str,
    smoke: &Smoke,
    id: &str,
    now: Timestamp,
) -> Result<SmokeAnswer, Problem> {
    let limits = TimeoutConfig::builder()
        .operation_timeout(INVOKE_TIME)
        .operation_attempt_timeout(INVOKE_TIME)
        .build();
    let patience = aws_sdk_lambda::config::Builder::new().timeout_config(limits);
    let answer = lambda
        .invoke()
        .function_name(&stack.function)
        .qualifier(version)
        .log_type(LogType::Tail)
        .payload(Blob::new(event(stack, smoke, id, now).to_string()))
        .customize()
        .config_override(patience)
        .send()
        .await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let problem = problem(&format!("invoke version {version}"), "lambda:InvokeFunction", &error);
            // A function that can't be started, or does not answer in time, is an answer, too; that
            // Lambda fails, throttles or can't be reached says nothing of it, and is tried again.
            let its_own = problem.kind == ProblemKind::TimedOut || error.code().is_some_and(cannot_start);
            if !its_own {
                return Err(problem);
            }
            let summary = format!("{} was not answered: {}", line(smoke), problem.message);
            return Ok(failed(version, summary, String::new(), Vec::new(), now));
        }
    };
    let log = answer.log_result().map(log_lines).unwrap_or_default();
    let payload = answer.payload().map(|payload| payload.as_ref()).unwrap_or_default();
    let text = String::from_utf8_lossy(payload);
    if let Some(kind) = answer.function_error() {
        let said: Value = serde_json::from_slice(payload).unwrap_or_default();
        let why = said["errorMessage"].as_str().unwrap_or(kind);
        let summary = format!("{} made the function fail: {}", line(smoke), sentence(why));
        return Ok(failed(version, summary, cut(&text), log, now));
    }
    let said: Value = serde_json::from_slice(payload).unwrap_or_default();
    let status = said["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
    let Some(status) = status else {
        let summary = format!("{} was answered with no HTTP status.", line(smoke));
        return Ok(failed(version, summary, cut(&text), log, now));
    };
    Ok(SmokeAnswer {
        version: version.to_owned(),
        passed: (200..300).contains(&status),
        summary: format!("{} was answered with {status}.", line(smoke)),
        status: Some(status),
        body: cut(said["body"].as_str().unwrap_or_default()),
        log,
        at: now,
    })
}

/// Whether an error code of `Invoke` is about the function (AWS, "Invoke", errors): its package, its
/// runtime, its key, its network or its file system.
fn cannot_start(code: &str) -> bool {
    [
        "InvalidRuntime",
        "InvalidZipFile",
        "InvalidSecurityGroup",
        "InvalidSubnet",
        "KMS",
        "EFS",
        "ENILimit",
        "SubnetIPAddressLimit",
        "SnapStart",
    ]
    .iter()
    .any(|beginning| code.starts_with(beginning))
}

fn failed(version: &str, summary: String, body: String, log: Vec<String>, at: Timestamp) -> SmokeAnswer {
    SmokeAnswer { version: version.to_owned(), passed: false, summary, status: None, body, log, at }
}

fn line(smoke: &Smoke) -> String {
    format!("{} {}", smoke.method, smoke.path)
}

fn sentence(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    if text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") }
}

fn cut(text: &str) -> String {
    text.chars().take(MOST_OF_A_BODY).collect()
}

/// The end of the function's log, as Lambda sends it: base64 of the last 4 kB.
fn log_lines(encoded: &str) -> Vec<String> {
    let bytes = STANDARD.decode(encoded).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    let first = lines.len().saturating_sub(MOST_LINES);
    lines.into_iter().skip(first).collect()
}

/// An event of payload format 2.0 (API Gateway, "Working with AWS Lambda proxy integrations for HTTP
/// APIs"), as the stack's own stage would send it: a stage with a name is in the path.
fn event(stack: &Stack, smoke: &Smoke, id: &str, now: Timestamp) -> Value {
    let (path, query) = smoke.path.split_once('?').unwrap_or((&smoke.path, ""));
    let raw_path = match stack.stage.as_str() {
        "$default" => path.to_owned(),
        stage => format!("/{stage}{path}"),
    };
    let domain = format!("{}.execute-api.{}.amazonaws.com", stack.api_id, stack.region);
    let agent = "lockkeeper-smoke";
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": raw_path,
        "rawQueryString": query,
        "headers": { "host": domain, "user-agent": agent, "accept": "*/*", "x-forwarded-proto": "https" },
        "requestContext": {
            "accountId": "anonymous",
            "apiId": stack.api_id,
            "domainName": domain,
            "domainPrefix": stack.api_id,
            "http": {
                "method": smoke.method,
                "path": raw_path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": agent,
            },
            "requestId": format!("smoke-{id}"),
            "routeKey": "$default",
            "stage": stack.stage,
            "time": time(now),
            "timeEpoch": now.0,
        },
        "isBase64Encoded": false,
    });
    if !query.is_empty() {
        let mut pairs = serde_json::Map::new();
        for (name, value) in query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))) {
            pairs.insert(name.to_owned(), value.into());
        }
        event["queryStringParameters"] = Value::Object(pairs);
    }
    if let Some(body) = &smoke.body {
        event["body"] = body.clone().into();
        event["headers"]["content-type"] = "application/json".into();
        event["headers"]["content-length"] = body.len().to_string().into();
    }
    event
}

/// A time as API Gateway writes it: `25/Nov/2026:20:51:08 +0000`.
fn time(now: Timestamp) -> String {
    let now = chrono::DateTime::from_timestamp_millis(now.0).unwrap_or_default();
    now.format("%d/%b/%Y:%H:%M:%S %z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(stage: &str) -> Stack {
        Stack {
            region: "eu-west-1".to_owned(),
            api_id: "a1b2c3".to_owned(),
            stage: stage.to_owned(),
            function: "api".to_owned(),
            alias: "live".to_owned(),
            secret_id: "s".to_owned(),
            status_url: "https://example.com/status".to_owned(),
        }
    }

    #[test]
    fn the_event_is_as_the_stages_own() {
        let smoke = Smoke {
            method: "POST".to_owned(),
            path: "/courses?a=1&b".to_owned(),
            body: Some("{}".to_owned()),
        };
        let bare = event(&stack("$default"), &smoke, "x", Timestamp(5));
        assert_eq!((&bare["rawPath"], &bare["rawQueryString"]), (&json!("/courses"), &json!("a=1&b")));
        assert_eq!(bare["queryStringParameters"], json!({ "a": "1", "b": "" }));
        assert_eq!(
            (&bare["body"], &bare["requestContext"]["http"]["method"]),
            (&json!("{}"), &json!("POST"))
        );
        let staged = event(&stack("prod"), &Smoke::default(), "x", Timestamp(5));
        assert_eq!(staged["rawPath"], "/prod/status");
        assert_eq!(staged["requestContext"]["time"], "01/Jan/1970:00:00:00 +0000");
        assert_eq!(staged.get("queryStringParameters"), None);
    }

    #[test]
    fn only_what_is_the_functions_doing_is_its_answer() {
        for code in
            ["InvalidZipFileException", "KMSDisabledException", "SubnetIPAddressLimitReachedException"]
        {
            assert!(cannot_start(code), "{code}");
        }
        for code in
            ["ServiceException", "InternalFailure", "TooManyRequestsException", "EC2ThrottledException"]
        {
            assert!(!cannot_start(code), "{code}");
        }
    }

    #[test]
    fn the_end_of_the_log_is_kept() {
        let all: Vec<_> = (0..60).map(|number| format!("line {number}")).collect();
        let lines = log_lines(&STANDARD.encode(all.join("\n")));
        assert_eq!((lines.len(), lines.last().map(String::as_str)), (40, Some("line 59")));
        assert_eq!(log_lines("not base64!"), Vec::<String>::new());
    }
}
