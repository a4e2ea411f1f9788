//! A line of the access log, read by the stage's own format.
//!
//! The gateway escapes nothing: a quotation mark in a user agent breaks the JSON of its line. So a line
//! is not read as JSON, but by what stands between the variables in the format. Before the first value
//! that a caller can choose it is read from the left, behind it from the right: no user agent can forge a
//! status. (Of two such values in one line, the first could forge the second.) Lines of an older format
//! are searched for the members' usual names.

use std::collections::BTreeMap;

use model::logs::AccessLine;
use model::time::Timestamp;
use serde_json::Value;

/// Variables whose values callers choose.
const CHOSEN: [&str; 3] = ["identity.userAgent", "path", "httpMethod"];

/// The usual names of what is read here, where the format does not help: variable, names.
const USUAL: [(&str, &[&str]); 15] = [
    ("requestId", &["requestId"]),
    ("requestTimeEpoch", &["requestTimeEpoch", "time"]),
    ("routeKey", &["routeKey"]),
    ("httpMethod", &["httpMethod", "method"]),
    ("path", &["path"]),
    ("status", &["status"]),
    ("responseLatency", &["responseLatency", "latency"]),
    ("integration.latency", &["integrationLatency"]),
    ("integration.status", &["integrationStatus", "functionStatus"]),
    ("integration.integrationStatus", &["lambdaStatus", "integrationServiceStatus"]),
    ("integrationErrorMessage", &["integrationErrorMessage", "integrationError"]),
    ("integration.requestId", &["integrationRequestId"]),
    ("error.message", &["errorMessage", "error"]),
    ("error.responseType", &["errorResponseType", "errorType"]),
    ("authorizer.error", &["authorizerError"]),
];

/// The format, taken apart once.
#[derive(Debug, Clone)]
pub(crate) struct Format {
    /// What stands before the first variable.
    head: String,
    /// Each variable, and what stands behind it.
    parts: Vec<(String, String)>,
}

impl Format {
    /// Takes a format apart.
    pub(crate) fn new(format: &str) -> Self {
        let mut pieces = format.trim_end().split("$context.");
        let head = pieces.next().unwrap_or_default().to_owned();
        let parts = pieces.map(|piece| {
            let (name, rest) = piece.split_at(name_length(piece));
            (name.to_owned(), rest.to_owned())
        });
        Self { head, parts: parts.collect() }
    }

    /// What stands right before a variable, at most its last 40 characters.
    pub(crate) fn before(&self, variable: &str) -> Option<&str> {
        let at = self.parts.iter().position(|(name, _)| name == variable)?;
        let before = at.checked_sub(1).map_or(self.head.as_str(), |at| &self.parts[at].1);
        let from = before.char_indices().rev().take(40).last().map_or(0, |(at, _)| at);
        Some(&before[from..])
    }

    /// Whether lines have a variable.
    pub(crate) fn has(&self, variable: &str) -> bool {
        self.parts.iter().any(|(name, _)| canonical(name) == variable)
    }

    /// The values of a line that has this form.
    fn values<'l>(&self, line: &'l str) -> Option<BTreeMap<&str, &'l str>> {
        let mut rest = line.trim_end().strip_prefix(self.head.as_str())?;
        let mut values = BTreeMap::new();
        let chosen = self.parts.iter().position(|(name, _)| CHOSEN.contains(&name.as_str()));
        let (left, right) = self.parts.split_at(chosen.unwrap_or(self.parts.len()));
        for (name, behind) in left {
            // Only the last may have nothing behind it: two that touch can't be told apart.
            let end = if behind.is_empty() { rest.len() } else { rest.find(behind.as_str())? };
            values.insert(canonical(name), &rest[..end]);
            rest = &rest[end + behind.len()..];
        }
        let Some(((first, behind_first), others)) = right.split_first() else {
            return rest.is_empty().then_some(values);
        };
        // What stands before each of these is what is behind the one before it.
        let mut behind = right.last().map_or("", |(_, behind)| behind.as_str());
        for (at, (name, _)) in others.iter().enumerate().rev() {
            rest = rest.strip_suffix(behind)?;
            let before = if at == 0 { behind_first.as_str() } else { others[at - 1].1.as_str() };
            if before.is_empty() {
                return None;
            }
            let start = rest.rfind(before)? + before.len();
            values.insert(canonical(name), &rest[start..]);
            rest = &rest[..start];
            behind = before;
        }
        values.insert(canonical(first), rest.strip_suffix(behind)?);
        Some(values)
    }

    /// Reads a line.
    pub(crate) fn read(&self, at: Timestamp, line: &str) -> AccessLine {
        // A line of words fits a format of words: but then its status is none.
        let right = |values: &BTreeMap<&str, &str>| {
            values.get("status").is_none_or(|status| *status == "-" || status.parse::<u16>().is_ok())
        };
        match self.values(line).filter(right) {
            Some(values) => put_together(at, true, |name| values.get(name).map(|value| (*value).to_owned())),
            None => {
                let json: Option<Value> = serde_json::from_str(line).ok();
                put_together(at, false, |name| usual(line, json.as_ref(), name))
            }
        }
    }
}

/// Some variables have two names.
fn canonical(name: &str) -> &str {
    match name {
        "integrationLatency" => "integration.latency",
        "integrationStatus" => "integration.integrationStatus",
        "integration.error" => "integrationErrorMessage",
        "awsEndpointRequestId" => "integration.requestId",
        "extendedRequestId" => "requestId",
        other => other,
    }
}

fn put_together(at: Timestamp, fits: bool, value: impl Fn(&str) -> Option<String>) -> AccessLine {
    let text = |name: &str| value(name).filter(|value| !matches!(value.as_str(), "" | "-"));
    let number = |name: &str| text(name).and_then(|value| value.parse::<f64>().ok());
    let status = |name: &str| text(name).and_then(|value| value.parse::<u16>().ok());
    AccessLine {
        at: Some(at),
        request_id: text("requestId"),
        began: text("requestTimeEpoch").and_then(|value| value.parse().ok()).map(Timestamp),
        route: text("routeKey"),
        method: text("httpMethod"),
        path: text("path"),
        status: status("status"),
        latency_ms: number("responseLatency"),
        integration_latency_ms: number("integration.latency"),
        function_status: status("integration.status"),
        service_status: status("integration.integrationStatus"),
        integration_error: text("integrationErrorMessage"),
        lambda_id: text("integration.requestId"),
        error: text("error.message"),
        error_type: text("error.responseType"),
        authorizer_error: text("authorizer.error"),
        fits,
    }
}

/// A member by its usual names, in JSON or in what once was meant to be.
fn usual(line: &str, json: Option<&Value>, variable: &str) -> Option<String> {
    let (_, names) = USUAL.iter().find(|(name, _)| *name == variable)?;
    names.iter().find_map(|name| match json {
        Some(json) => match json.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        },
        None => {
            let start = line.find(&format!("\"{name}\":"))? + name.len() + 3;
            let rest = line[start..].trim_start();
            let (rest, ends): (_, &[_]) = match rest.strip_prefix('"') {
                Some(rest) => (rest, &["\",", "\"}"]),
                None => (rest, &[",", "}"]),
            };
            let end = ends.iter().filter_map(|end| rest.find(end)).min()?;
            Some(rest[..end].to_owned())
        }
    })
}

/// How long the variable's name is with which `text` begins, as the gateway has it: claims can hold
/// colons and hyphens, a full stop at the end belongs to the sentence.
fn name_length(text: &str) -> usize {
    let claim = text.starts_with("authorizer.");
    let part = |c: char| c.is_ascii_alphanumeric() || "_.".contains(c) || claim && ":-".contains(c);
    let end = text.find(|c: char| !part(c)).unwrap_or(text.len());
    text[..end].trim_end_matches(['.', ':', '-']).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: &str = concat!(
        r#"{"requestId":"$context.requestId","time":"$context.requestTimeEpoch","#,
        r#""userAgent":"$context.identity.userAgent","routeKey":"$context.routeKey","path":"$context.path","#,
        r#""status":"$context.status","latency":"$context.responseLatency","#,
        r#""lambdaStatus":"$context.integration.integrationStatus","#,
        r#""integrationRequestId":"$context.integration.requestId","errorType":"$context.error.responseType"}"#
    );

    fn line(agent: &str, path: &str) -> String {
        format!(
            r#"{{"requestId":"r1","time":"1795300000000","userAgent":"{agent}","routeKey":"GET /courses","path":"{path}","status":"503","latency":"12","lambdaStatus":"200","integrationRequestId":"l1","errorType":"-"}}"#
        )
    }

    #[test]
    fn what_callers_choose_breaks_and_forges_nothing() {
        let format = Format::new(FORMAT);
        let forged = r#"x","routeKey":"GET /forged","path":"/","status":"200","latency":"1","lambdaStatus":"200","integrationRequestId":"forged","errorType":"-"}"#;
        for agent in ["curl/8", "", "-", r#"a "quoted" agent"#, r"back\slash", "{}", forged] {
            let read = format.read(Timestamp(5), &line(agent, "/courses"));
            assert!(read.fits, "{agent}");
            assert_eq!((read.status, read.lambda_id.as_deref()), (Some(503), Some("l1")), "{agent}");
            assert_eq!(read.request_id.as_deref(), Some("r1"));
            assert_eq!((read.began, read.latency_ms), (Some(Timestamp(1_795_300_000_000)), Some(12.0)));
            assert_eq!((read.service_status, read.error_type), (Some(200), None));
        }
        let read = format.read(Timestamp(5), &line("curl", r#"/a","status":"200"#));
        assert_eq!(read.status, Some(503));
    }

    #[test]
    fn a_line_of_another_format_is_searched_for_the_usual_names() {
        let format = Format::new("$context.requestId $context.status");
        for agent in ["curl/8", r#"a "quoted" agent"#] {
            let read = format.read(Timestamp(5), &line(agent, "/courses"));
            assert!(!read.fits);
            assert_eq!((read.status, read.lambda_id.as_deref()), (Some(503), Some("l1")), "{agent}");
            assert_eq!((read.route.as_deref(), read.error_type), (Some("GET /courses"), None));
        }
        let numbers =
            format.read(Timestamp(5), r#"{"requestId":"r1","status":503,"broken":"a"b","latency":12}"#);
        assert_eq!((numbers.status, numbers.latency_ms), (Some(503), Some(12.0)));
        let nothing = format.read(Timestamp(5), "what is this");
        assert_eq!((nothing.status, nothing.request_id, nothing.fits), (None, None, false));
    }

    #[test]
    fn a_plain_format_is_read_too() {
        let format = Format::new("$context.requestId $context.status $context.integrationLatency\n");
        let read = format.read(Timestamp(5), "r1 404 7");
        assert!(read.fits);
        assert_eq!((read.status, read.integration_latency_ms), (Some(404), Some(7.0)));
        assert!(format.has("integration.latency") && !format.has("integration.requestId"));
    }

    #[test]
    fn what_stands_before_a_variable_is_found() {
        let format = Format::new(FORMAT);
        assert_eq!(format.before("status"), Some(r#"","status":""#));
        assert_eq!(format.before("requestId"), Some(r#"{"requestId":""#));
        assert_eq!(format.before("nothing"), None);
    }
}
