//! Whose one error is. Pure: from what the gateway wrote about it and what the function's log has of the
//! same request.
//!
//! It goes by the way of a request: what the gateway refused before it called the function, what Lambda
//! did not run to an answer, and then what the function says itself. Its log line names the cause
//! (`cause`: `sql`, `secret`, `time`, `function`); where the line is missing, or is a foreign function's,
//! the answer counts as its code's.
//!
//! Where it can be wrong: an integration whose time was up is the gateway's, whoever was slow; an access
//! log without `$context.integration.integrationStatus` can't tell Lambda from the function; a function
//! that answers 503 for want of something else than its database is its code.

use model::blame::{Blame, Cause};
use model::logs::{AccessLine, InvocationReport, RequestLine, Said};

/// The gateway's own answers that stand for the authorizer ("Gateway responses", API Gateway's guide).
const AUTHORIZER: [&str; 7] = [
    "UNAUTHORIZED",
    "ACCESS_DENIED",
    "AUTHORIZER_FAILURE",
    "AUTHORIZER_CONFIGURATION_ERROR",
    "MISSING_AUTHENTICATION_TOKEN",
    "INVALID_SIGNATURE",
    "EXPIRED_TOKEN",
];
/// A reason is no longer than that, in characters.
const LONGEST: usize = 120;

/// Whose the error is; none for an answer that is none.
pub fn blame(access: &AccessLine, lines: &[Said]) -> Option<Blame> {
    let status = access.status.filter(|status| *status >= 400)?;
    let kind = access.error_type.as_deref().unwrap_or_default();
    if AUTHORIZER.contains(&kind) || access.authorizer_error.is_some() {
        return blamed(Cause::Authorizer, access.authorizer_error.as_deref().unwrap_or(kind));
    }
    if matches!(kind, "THROTTLED" | "QUOTA_EXCEEDED") {
        return blamed(Cause::Throttling, "the stage's throttle");
    }
    match access.service_status {
        Some(429) => return blamed(Cause::Throttling, "the function's concurrency"),
        Some(service) if service != 200 => {
            return blamed(Cause::LambdaService, &format!("Lambda answered {service}"));
        }
        _ => {}
    }
    match access.function_status {
        Some(500..) => Some(of_answer(status, lines)),
        Some(400..) => blamed(Cause::Caller, &format!("answered {status}")),
        _ if access.service_status == Some(200) => Some(of_failure(access, lines)),
        _ => Some(of_gateway(status, kind, access)),
    }
}

fn blamed(cause: Cause, reason: &str) -> Option<Blame> {
    Some(of(cause, reason))
}

fn of(cause: Cause, reason: &str) -> Blame {
    Blame { cause, reason: reason.chars().take(LONGEST).collect() }
}

/// What the function answered itself, from 500 on.
fn of_answer(status: u16, lines: &[Said]) -> Blame {
    let line = lines.iter().find_map(|said| match said {
        Said::Request(line) => Some(line.as_ref()),
        _ => None,
    });
    let Some(line) = line else { return of(Cause::Code, &format!("answered {status}; {UNEXPLAINED}")) };
    match line.cause.as_deref() {
        Some("sql") => match line.sql_error {
            Some(number) => of(Cause::Sql, &format!("SQL Server's error {number}")),
            None => of(Cause::Sql, &worded(status, line)),
        },
        Some("secret") => of(Cause::Secret, &worded(status, line)),
        Some("time") => of(Cause::Code, "its own time limit"),
        _ => of(Cause::Code, &worded(status, line)),
    }
}

/// What is said of an answer that no line explains.
pub(super) const UNEXPLAINED: &str = "its line was not found";

/// The first words of the function's error: what stands behind them differs from request to request.
fn worded(status: u16, line: &RequestLine) -> String {
    let error = line.error.as_deref().unwrap_or_default();
    let first = error.split(':').next().unwrap_or_default();
    let first = first.split(char::is_numeric).next().unwrap_or_default().trim();
    match first {
        "" => format!("answered {status} at {}", line.route.as_deref().unwrap_or("no route")),
        words => words.to_owned(),
    }
}

/// Lambda ran the function, and there is no answer of its own.
fn of_failure(access: &AccessLine, lines: &[Said]) -> Blame {
    let said = access.integration_error.as_deref().unwrap_or_default();
    let report = lines.iter().find_map(|said| match said {
        Said::Report(report) => Some(report),
        _ => None,
    });
    let status = report.and_then(|report| report.status.as_deref());
    if status == Some("timeout") || said.contains("Task timed out") {
        return of(Cause::LambdaService, "the function's time limit");
    }
    if let Some(kind) = report.and_then(crash) {
        return of(Cause::LambdaService, &format!("the function broke off: {kind}"));
    }
    if ["Runtime exited", "exit status", "signal: killed"].iter().any(|words| said.contains(words)) {
        return of(Cause::LambdaService, "the function broke off");
    }
    if said.contains("doesn't match the format") || said.contains("Malformed") {
        return of(Cause::Code, "its answer is none");
    }
    match (said, report.and_then(|report| report.error_type.as_deref())) {
        (_, Some(kind)) => of(Cause::Code, &format!("its handler failed: {kind}")),
        ("", None) => of(Cause::LambdaService, "the function failed; how is not in the logs"),
        (_, None) => of(Cause::Code, "its handler failed"),
    }
}

/// The kind of a failure that is the runtime's and not the handler's.
fn crash(report: &InvocationReport) -> Option<&str> {
    let kind = report.error_type.as_deref()?;
    (kind.starts_with("Runtime.") || kind.starts_with("Sandbox.") || kind.starts_with("Extension."))
        .then_some(kind)
}

/// The gateway answered, and did not hear from Lambda.
fn of_gateway(status: u16, kind: &str, access: &AccessLine) -> Blame {
    let said = access.integration_error.as_deref().unwrap_or_default();
    match kind {
        "INTEGRATION_TIMEOUT" => of(Cause::Gateway, "the integration's time was up"),
        _ if said.contains("timed out") => of(Cause::Gateway, "the integration's time was up"),
        "" if status == 429 => of(Cause::Throttling, "answered 429, by whom is not in the log"),
        "" => of(Cause::Gateway, &format!("answered {status}")),
        kind => of(Cause::Gateway, &format!("{kind} ({status})")),
    }
}

#[cfg(test)]
#[path = "cause_tests.rs"]
mod tests;
