//! Lambda's metrics. Each invocation counts under the function's name, under the resource as it was
//! named (`fn`, `fn:alias` or `fn:version`), under the version an alias led to, and for the region.
//!
//! Times are the invocation's start. A throttled call is in neither Invocations nor Errors.

use chrono::{DateTime, Utc};

use super::concurrency::Levels;
use crate::services::cloudwatch::Datum;

const COUNT: &str = "Count";

/// Under which dimensions an invocation counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Counted {
    pub function: String,
    /// The function's name with the qualifier used.
    pub resource: String,
    /// The version that ran, for a call through an alias.
    pub executed: Option<String>,
}

impl Counted {
    fn sets(&self) -> Vec<Vec<(String, String)>> {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let function = vec![pair("FunctionName", &self.function)];
        let mut resource = function.clone();
        resource.push(pair("Resource", &self.resource));
        let mut sets = vec![Vec::new(), function, resource.clone()];
        if let Some(executed) = &self.executed {
            resource.push(pair("ExecutedVersion", executed));
            sets.push(resource);
        }
        sets
    }

    fn data(&self, name: &str, value: f64, unit: &'static str, at: DateTime<Utc>) -> Vec<Datum> {
        self.sets().into_iter().map(|dimensions| datum(name, dimensions, value, unit, at)).collect()
    }
}

fn datum(
    name: &str,
    dimensions: Vec<(String, String)>,
    value: f64,
    unit: &'static str,
    at: DateTime<Utc>,
) -> Datum {
    Datum { namespace: "AWS/Lambda".to_owned(), name: name.to_owned(), dimensions, value, unit, at }
}

/// A call that was refused for concurrency.
pub(super) fn throttled(counted: &Counted, at: DateTime<Utc>) -> Vec<Datum> {
    // No version ran.
    let counted = Counted { executed: None, ..counted.clone() };
    counted.data("Throttles", 1.0, COUNT, at)
}

/// An invocation begins: how many run now.
pub(super) fn began(counted: &Counted, levels: Levels, at: DateTime<Utc>) -> Vec<Datum> {
    let mut data = Vec::new();
    for dimensions in counted.sets() {
        let level = match dimensions.len() {
            0 => levels.total,
            1 => levels.function,
            _ => levels.resource,
        };
        data.push(datum("ConcurrentExecutions", dimensions, f64::from(level), COUNT, at));
    }
    if let Some(level) = levels.unreserved {
        data.push(datum("UnreservedConcurrentExecutions", Vec::new(), f64::from(level), COUNT, at));
    }
    data
}

/// An invocation that began at `at` has ended after `ms` milliseconds. Errors and throttles are
/// written as 0 too, so that their average is a share.
pub(super) fn ended(counted: &Counted, failed: bool, ms: f64, at: DateTime<Utc>) -> Vec<Datum> {
    let errors = if failed { 1.0 } else { 0.0 };
    [
        counted.data("Invocations", 1.0, COUNT, at),
        counted.data("Errors", errors, COUNT, at),
        counted.data("Throttles", 0.0, COUNT, at),
        counted.data("Duration", ms, "Milliseconds", at),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, dimensions in a line, value.
    fn lines(data: &[Datum]) -> Vec<String> {
        let shown = |datum: &Datum| {
            let dimensions: Vec<String> = datum.dimensions.iter().map(|(n, v)| format!("{n}={v}")).collect();
            format!("{} [{}] {} {}", datum.name, dimensions.join(" "), datum.value, datum.unit)
        };
        data.iter().map(shown).collect()
    }

    fn counted(resource: &str, executed: Option<&str>) -> Counted {
        Counted { function: "api".into(), resource: resource.into(), executed: executed.map(Into::into) }
    }

    #[test]
    fn through_an_alias() {
        let data = ended(&counted("api:live", Some("3")), true, 12.5, DateTime::UNIX_EPOCH);
        assert!(data.iter().all(|datum| datum.namespace == "AWS/Lambda" && datum.at == DateTime::UNIX_EPOCH));
        let lines = lines(&data);
        assert_eq!(
            lines[..4],
            [
                "Invocations [] 1 Count",
                "Invocations [FunctionName=api] 1 Count",
                "Invocations [FunctionName=api Resource=api:live] 1 Count",
                "Invocations [FunctionName=api Resource=api:live ExecutedVersion=3] 1 Count",
            ]
        );
        assert_eq!(lines[7], "Errors [FunctionName=api Resource=api:live ExecutedVersion=3] 1 Count");
        assert_eq!(lines[8], "Throttles [] 0 Count");
        assert_eq!(lines[13], "Duration [FunctionName=api] 12.5 Milliseconds");
        assert_eq!(lines.len(), 16);
    }

    #[test]
    fn without_one_and_throttled() {
        let lines_of =
            |resource: &str| lines(&ended(&counted(resource, None), false, 1.0, DateTime::UNIX_EPOCH));
        assert_eq!(lines_of("api")[2], "Invocations [FunctionName=api Resource=api] 1 Count");
        assert_eq!(lines_of("api:3")[5], "Errors [FunctionName=api Resource=api:3] 0 Count");
        assert_eq!(
            lines(&throttled(&counted("api:live", Some("3")), DateTime::UNIX_EPOCH)),
            [
                "Throttles [] 1 Count",
                "Throttles [FunctionName=api] 1 Count",
                "Throttles [FunctionName=api Resource=api:live] 1 Count",
            ]
        );
    }

    #[test]
    fn levels_of_concurrency() {
        let levels = Levels { total: 9, unreserved: Some(7), function: 5, resource: 3 };
        assert_eq!(
            lines(&began(&counted("api:live", Some("3")), levels, DateTime::UNIX_EPOCH)),
            [
                "ConcurrentExecutions [] 9 Count",
                "ConcurrentExecutions [FunctionName=api] 5 Count",
                "ConcurrentExecutions [FunctionName=api Resource=api:live] 3 Count",
                "ConcurrentExecutions [FunctionName=api Resource=api:live ExecutedVersion=3] 3 Count",
                "UnreservedConcurrentExecutions [] 7 Count",
            ]
        );
    }
}
