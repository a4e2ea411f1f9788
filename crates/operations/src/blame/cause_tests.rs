//! The judge's table: lines as the sandbox's gateway and the API's function write them.

use model::time::Timestamp;

use super::*;
use crate::logs::access::Format;
use crate::logs::said;

/// The demo stage's format, as far as it counts here.
const FORMAT: &str = concat!(
    r#"{"requestId":"$context.requestId","userAgent":"$context.identity.userAgent","#,
    r#""routeKey":"$context.routeKey","status":"$context.status","latency":"$context.responseLatency","#,
    r#""integrationLatency":"$context.integration.latency","integrationStatus":"$context.integration.status","#,
    r#""lambdaStatus":"$context.integration.integrationStatus","integrationError":"$context.integrationErrorMessage","#,
    r#""integrationRequestId":"$context.integration.requestId","error":"$context.error.message","#,
    r#""errorType":"$context.error.responseType","authorizerError":"$context.authorizer.error"}"#
);

const ID: &str = "8f507cfc-7f0f-4e2a-9d3c-0123456789ab";

/// A line: status, the function's, Lambda's, the integration's error, the gateway's kind, the authorizer's.
fn line([status, function, lambda, failed, kind, authorizer]: [&str; 6]) -> String {
    let id = if lambda == "200" { ID } else { "-" };
    let latency = if lambda == "-" && failed == "-" { "-" } else { "12" };
    format!(
        r#"{{"requestId":"JKJaXmPLvHcESHA=","userAgent":"curl/8.5.0","routeKey":"GET /courses","status":"{status}","latency":"14","integrationLatency":"{latency}","integrationStatus":"{function}","lambdaStatus":"{lambda}","integrationError":"{failed}","integrationRequestId":"{id}","error":"-","errorType":"{kind}","authorizerError":"{authorizer}"}}"#
    )
}

/// The function's line about a request, with these members more.
fn request(status: u16, more: &str) -> String {
    format!(
        r#"{{"timestamp":"2026-12-01T03:50:01.123456Z","level":"WARN","message":"request","requestId":"{ID}","apiRequestId":"JKJaXmPLvHcESHA=","method":"GET","route":"GET /courses","status":{status},"durationMs":2003.5,"sqlMs":0.0,"sqlRoundTrips":0,"sqlConnects":1,"coldStart":false,"secretVersion":"0123abcd"{more},"span":{{"apiRequestId":"JKJaXmPLvHcESHA=","requestId":"{ID}","name":"request"}}}}"#
    )
}

fn report(status: &str, kind: &str) -> String {
    format!(
        r#"{{"record":{{{kind}"metrics":{{"billedDurationMs":1.0,"durationMs":1.0,"memorySizeMB":512}},"requestId":"{ID}","status":"{status}"}},"time":"2026-12-01T03:50:01.123Z","type":"platform.report"}}"#
    )
}

fn judged(access: &str, lines: &[String]) -> Option<(Cause, String)> {
    let read = Format::new(FORMAT).read(Timestamp(0), access);
    assert!(read.fits, "{access}");
    let said: Vec<Said> = lines.iter().map(|line| said::read(line)).collect();
    blame(&read, &said).map(|blame| (blame.cause, blame.reason))
}

/// The gateway's line, the function's, and whose it is for what reason.
type Case<'a> = ([&'a str; 6], Vec<String>, Option<(Cause, &'a str)>);

#[test]
fn each_kind_of_error_has_its_cause() {
    let crashed = "The Lambda function returned the following error: RequestId: x Error: Runtime exited with error: signal: killed. Check your Lambda function code and try again.";
    let timed_out = "The Lambda function returned the following error: RequestId: x Error: Task timed out after 15.00 seconds. Check your Lambda function code and try again.";
    let no_answer = "The response from the Lambda function doesn't match the format that API Gateway expects (it is not JSON). Check your Lambda function code and try again.";
    let handler = "The Lambda function returned the following error: boom. Check your Lambda function code and try again.";
    let throttled = "TooManyRequestsException: Rate Exceeded.";
    let sql = |error: &str| vec![request(503, &format!(r#","error":"{error}","cause":"sql""#))];
    let none = Vec::new();
    let own = ["503", "503", "200", "-", "-", "-"];
    let failed = |said| ["500", "-", "200", said, "INTEGRATION_FAILURE", "-"];
    let table: [Case<'_>; 27] = [
        (["200", "200", "200", "-", "-", "-"], none.clone(), None),
        (["304", "304", "200", "-", "-", "-"], none.clone(), None),
        (["-", "-", "-", "-", "-", "-"], none.clone(), None),
        // The gateway.
        (
            ["503", "-", "-", "Endpoint request timed out", "INTEGRATION_TIMEOUT", "-"],
            none.clone(),
            Some((Cause::Gateway, "the integration's time was up")),
        ),
        (
            ["500", "-", "-", "-", "API_CONFIGURATION_ERROR", "-"],
            none.clone(),
            Some((Cause::Gateway, "API_CONFIGURATION_ERROR (500)")),
        ),
        (
            ["404", "-", "-", "-", "RESOURCE_NOT_FOUND", "-"],
            none.clone(),
            Some((Cause::Gateway, "RESOURCE_NOT_FOUND (404)")),
        ),
        (["503", "-", "-", "-", "-", "-"], none.clone(), Some((Cause::Gateway, "answered 503"))),
        // The authorizer.
        (
            ["401", "-", "-", "-", "UNAUTHORIZED", "the token has expired"],
            none.clone(),
            Some((Cause::Authorizer, "the token has expired")),
        ),
        (
            ["403", "-", "-", "-", "ACCESS_DENIED", "-"],
            none.clone(),
            Some((Cause::Authorizer, "ACCESS_DENIED")),
        ),
        (
            ["500", "-", "-", "-", "AUTHORIZER_FAILURE", "-"],
            none.clone(),
            Some((Cause::Authorizer, "AUTHORIZER_FAILURE")),
        ),
        // Throttling.
        (
            ["429", "-", "-", "-", "THROTTLED", "-"],
            none.clone(),
            Some((Cause::Throttling, "the stage's throttle")),
        ),
        (
            ["503", "-", "429", throttled, "INTEGRATION_FAILURE", "-"],
            none.clone(),
            Some((Cause::Throttling, "the function's concurrency")),
        ),
        (["429", "429", "200", "-", "-", "-"], none.clone(), Some((Cause::Caller, "answered 429"))),
        // Lambda.
        (
            ["500", "-", "403", "no permission", "INTEGRATION_FAILURE", "-"],
            none.clone(),
            Some((Cause::LambdaService, "Lambda answered 403")),
        ),
        (failed(crashed), none.clone(), Some((Cause::LambdaService, "the function broke off"))),
        (
            failed(crashed),
            vec![report("error", r#""errorType":"Runtime.ExitError","#)],
            Some((Cause::LambdaService, "the function broke off: Runtime.ExitError")),
        ),
        (failed(timed_out), none.clone(), Some((Cause::LambdaService, "the function's time limit"))),
        (failed("-"), vec![report("timeout", "")], Some((Cause::LambdaService, "the function's time limit"))),
        // Our code.
        (failed(no_answer), none.clone(), Some((Cause::Code, "its answer is none"))),
        (
            failed(handler),
            vec![report("error", r#""errorType":"Unhandled","#)],
            Some((Cause::Code, "its handler failed: Unhandled")),
        ),
        (
            ["500", "500", "200", "-", "-", "-"],
            vec![request(500, r#","error":"misbehaving on purpose","cause":"function""#)],
            Some((Cause::Code, "misbehaving on purpose")),
        ),
        (own, none.clone(), Some((Cause::Code, "answered 503; its line was not found"))),
        (
            own,
            vec![request(503, r#","error":"out of time","cause":"time""#)],
            Some((Cause::Code, "its own time limit")),
        ),
        // SQL and the secret.
        (
            own,
            vec![request(
                503,
                r#","error":"login refused with 18456, state 1: no","cause":"sql","sqlError":18456"#,
            )],
            Some((Cause::Sql, "SQL Server's error 18456")),
        ),
        (
            own,
            sql("the database was not reached: connect 127.0.0.1:14330: refused"),
            Some((Cause::Sql, "the database was not reached")),
        ),
        (
            own,
            vec![request(503, r#","error":"reading the secret is not allowed: no","cause":"secret""#)],
            Some((Cause::Secret, "reading the secret is not allowed")),
        ),
        // Callers.
        (["404", "404", "200", "-", "-", "-"], none.clone(), Some((Cause::Caller, "answered 404"))),
    ];
    for (fields, lines, expected) in table {
        let expected = expected.map(|(cause, reason)| (cause, reason.to_owned()));
        assert_eq!(judged(&line(fields), &lines), expected, "{fields:?} {lines:?}");
    }
}

#[test]
fn a_status_line_without_an_error_says_its_route() {
    let lines = [request(503, r#","cause":"sql""#)];
    let own = line(["503", "503", "200", "-", "-", "-"]);
    assert_eq!(judged(&own, &lines), Some((Cause::Sql, "answered 503 at GET /courses".to_owned())));
}
