//! Metrics embedded in log events: AWS's Embedded Metric Format.
//!
//! An event is of this format when its whole message is a JSON object with a member `_aws`. That
//! member's directives name members of the same object: some as dimensions, which are texts, others
//! as metrics, which are a number or up to 100 of them. It does not matter who wrote the event, a
//! function, the gateway or a caller of `PutLogEvents`, and no header is needed. A line that a function
//! writes arrives here as it was written when it is a JSON object, with either log format; wrapped in
//! a record as a text it is no longer of this format. Text before the object is not looked past: the
//! runtimes that put some there are not the sandbox's.
//!
//! [`read`] knows the format, `cloudwatch` what a metric may be (units and times, for example). A
//! directive that breaks a rule of either gives no metrics at all; the other directives give theirs.
//! The event itself is kept in any case. AWS counts what is broken in `EMFParsingErrors` and
//! `EMFValidationErrors` of `AWS/Logs`, but does not say which breach counts as which: the sandbox has
//! neither and writes a warning of its own instead.
//!
//! A group of the class `INFREQUENT_ACCESS` has no extraction of metrics.

use rusqlite::OptionalExtension;
use serde_json::{Map, Value};

use super::LogEvent;
use super::store::{Store, sql};
use crate::aws::AwsError;
use crate::services::cloudwatch::{CloudWatch, Embedded, Figure};

/// AWS: metrics of a directive.
const MOST_FIGURES: usize = 100;
/// AWS: values of a metric.
const MOST_VALUES: usize = 100;
/// AWS: dimensions of a set.
const MOST_DIMENSIONS: usize = 30;
/// AWS: bytes of a name, and of a dimension's value.
const LONGEST_NAME: usize = 255;
const LONGEST_VALUE: usize = 1_024;
/// AWS names no limit for these two, so that an event of 1 MB could ask for a billion values. Metrics
/// of a directive, once for each set of dimensions: what one call of PutMetricData may bring.
const MOST_METRICS: usize = 1_000;
/// Directives of an event.
const MOST_DIRECTIVES: usize = 100;

type Object = Map<String, Value>;

/// Why there are no metrics.
type Breach = &'static str;

/// Hands over the metrics in events of a group. The events must be on the disk, and the group with
/// them. What gives no metrics though it should is logged, once for each event.
pub(super) fn extract(store: &Store, metrics: &CloudWatch, group: &str, events: &[LogEvent]) {
    let mut candidates = events.iter().filter(|event| may_be(&event.message)).peekable();
    if candidates.peek().is_none() {
        return;
    }
    match extracts(store, group) {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => {
            tracing::error!(group, %error, "the metrics in log events are lost");
            return;
        }
    }
    for event in candidates {
        let mut broken = read(&event.message).into_iter().filter_map(|embedded| {
            let embedded = embedded.map_err(ToOwned::to_owned);
            embedded.and_then(|it| metrics.record_embedded(&it).map_err(|error| error.message)).err()
        });
        if let Some(first) = broken.next() {
            let more = broken.count();
            tracing::warn!(group, breach = first, more, "a log event's embedded metrics are left out");
        }
    }
}

/// Whether metrics are extracted from a group's events. From one that was just deleted they are not.
fn extracts(store: &Store, group: &str) -> Result<bool, AwsError> {
    store.read(|connection| {
        connection
            .prepare_cached("SELECT class = 'STANDARD' FROM groups WHERE name = ?1")
            .and_then(|mut statement| statement.query_row([group], |row| row.get(0)).optional())
            .map(|standard| standard.unwrap_or(false))
            .map_err(sql)
    })
}

/// Whether it is worth parsing a message: most are not. `_aws` may be written with escapes.
fn may_be(message: &str) -> bool {
    message.trim_ascii_start().starts_with('{') && (message.contains("\"_aws\"") || message.contains("\\u"))
}

/// What each directive of a message asks for; nothing where the message is of another format.
fn read(message: &str) -> Vec<Result<Embedded, Breach>> {
    let Ok(root) = serde_json::from_str::<Object>(message) else { return Vec::new() };
    let Some(metadata) = root.get("_aws") else { return Vec::new() };
    match directives(metadata) {
        Ok((at, directives)) => directives.iter().map(|it| directive(it, &root, at)).collect(),
        Err(breach) => vec![Err(breach)],
    }
}

/// The time and the directives. Members that the format does not have are ignored, here and below:
/// so AWS demands it.
fn directives(metadata: &Value) -> Result<(i64, &[Value]), Breach> {
    let metadata = metadata.as_object().ok_or("_aws is no object")?;
    let at = metadata.get("Timestamp").and_then(Value::as_i64).ok_or("Timestamp is no whole number")?;
    let directives = array(metadata, "CloudWatchMetrics").ok_or("CloudWatchMetrics is no array")?;
    if directives.len() > MOST_DIRECTIVES {
        return Err("more than 100 directives, which is the sandbox's limit");
    }
    Ok((at, directives))
}

fn directive(value: &Value, root: &Object, at: i64) -> Result<Embedded, Breach> {
    let it = value.as_object().ok_or("a directive is no object")?;
    let namespace =
        text(it.get("Namespace"), LONGEST_NAME).ok_or("Namespace is no text of 1 to 255 bytes")?.to_owned();
    let sets = array(it, "Dimensions").ok_or("Dimensions is no array")?;
    let metrics = array(it, "Metrics").ok_or("Metrics is no array")?;
    if sets.is_empty() {
        return Err("Dimensions holds no set");
    }
    if metrics.len() > MOST_FIGURES {
        return Err("more than 100 metrics");
    }
    if sets.len().saturating_mul(metrics.len().max(1)) > MOST_METRICS {
        return Err("more than 1,000 metrics over all sets of dimensions, which is the sandbox's limit");
    }
    Ok(Embedded {
        namespace,
        at,
        dimension_sets: sets.iter().map(|set| dimensions(set, root)).collect::<Result<_, _>>()?,
        figures: metrics.iter().map(|metric| figure(metric, root)).collect::<Result<_, _>>()?,
    })
}

/// A set's names with the values that the root holds for them.
fn dimensions(set: &Value, root: &Object) -> Result<Vec<(String, String)>, Breach> {
    let names = set.as_array().ok_or("a set of dimensions is no array")?;
    if names.len() > MOST_DIMENSIONS {
        return Err("more than 30 dimensions");
    }
    let pair = |name: &Value| {
        let name = text(Some(name), LONGEST_NAME).ok_or("a dimension's name is no text of 1 to 255 bytes")?;
        let value = root.get(name).ok_or("a dimension's member is missing")?;
        let value =
            text(Some(value), LONGEST_VALUE).ok_or("a dimension's value is no text of 1 to 1,024 bytes")?;
        Ok((name.to_owned(), value.to_owned()))
    };
    names.iter().map(pair).collect()
}

/// A metric with the values that the root holds for it.
fn figure(metric: &Value, root: &Object) -> Result<Figure, Breach> {
    let metric = metric.as_object().ok_or("a metric is no object")?;
    let name =
        text(metric.get("Name"), LONGEST_NAME).ok_or("a metric's Name is no text of 1 to 255 bytes")?;
    let unit = match metric.get("Unit") {
        None => None,
        given => Some(text(given, LONGEST_NAME).ok_or("a metric's Unit is no text")?.to_owned()),
    };
    let resolution = match metric.get("StorageResolution") {
        None => None,
        Some(given) => Some(given.as_i64().ok_or("a metric's StorageResolution is no whole number")?),
    };
    let values = match root.get(name).ok_or("a metric's member is missing")? {
        Value::Array(values) if values.is_empty() => return Err("a metric without a value"),
        Value::Array(values) if values.len() > MOST_VALUES => return Err("more than 100 values of a metric"),
        Value::Array(values) => values.iter().map(Value::as_f64).collect(),
        value => value.as_f64().map(|value| vec![value]),
    };
    let values = values.ok_or("a metric's value is no number")?;
    Ok(Figure { name: name.to_owned(), values, unit, resolution })
}

fn array<'a>(object: &'a Object, member: &str) -> Option<&'a [Value]> {
    object.get(member).and_then(Value::as_array).map(Vec::as_slice)
}

/// A text that is not empty and has at most so many bytes.
fn text(value: Option<&Value>, longest: usize) -> Option<&str> {
    value.and_then(Value::as_str).filter(|text| (1..=longest).contains(&text.len()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const AT: i64 = 1_795_341_600_000;

    /// An event that gives metrics: one directive, a set of one dimension and an empty one, two metrics.
    fn event() -> Value {
        json!({
            "_aws": {"Timestamp": AT, "CloudWatchMetrics": [{
                "Namespace": "Shop",
                "Dimensions": [["Stage"], []],
                "Metrics": [
                    {"Name": "Orders"},
                    {"Name": "Latency", "Unit": "Milliseconds", "StorageResolution": 1},
                ],
            }]},
            "Stage": "prod", "Orders": 2, "Latency": [1, 2.5, -3], "requestId": "r",
        })
    }

    /// What a message gives, a line for each directive.
    fn lines(message: &str) -> Vec<String> {
        let line = |directive: Result<Embedded, Breach>| match directive {
            Err(breach) => format!("breach: {breach}"),
            Ok(Embedded { namespace, at, dimension_sets, figures }) => {
                let set = |set: &Vec<(String, String)>| {
                    let pairs: Vec<String> = set.iter().map(|(n, v)| format!("{n}={v}")).collect();
                    format!("[{}]", pairs.join(" "))
                };
                let figure = |figure: &Figure| {
                    let Figure { name, values, unit, resolution } = figure;
                    format!("{name}={values:?} {} {resolution:?}", unit.as_deref().unwrap_or("-"))
                };
                let sets: Vec<String> = dimension_sets.iter().map(set).collect();
                let figures: Vec<String> = figures.iter().map(figure).collect();
                format!("{namespace} {} {} {}", at - AT, sets.join(""), figures.join(", "))
            }
        };
        if may_be(message) { read(message).into_iter().map(line).collect() } else { Vec::new() }
    }

    const WHOLE: &str =
        "Shop 0 [Stage=prod][] Orders=[2.0] - None, Latency=[1.0, 2.5, -3.0] Milliseconds Some(1)";

    #[test]
    fn what_is_well_formed_is_read() {
        let event = event().to_string();
        assert_eq!(lines(&event), [WHOLE]);
        assert_eq!(lines(&format!(" {event}\r\n")), [WHOLE]);
        assert_eq!(lines(&event.replace("_aws", "\\u005faws")), [WHOLE]);
    }

    #[test]
    fn other_messages_are_of_another_format() {
        let event = event().to_string();
        let before = format!("2026-11-22T10:00:00Z r INFO {event}");
        let wrapped = json!({"level": "INFO", "message": event}).to_string();
        let nested = json!({"message": event.parse::<Value>().unwrap()}).to_string();
        let listed = format!("[{event}]");
        let twice = format!("{event}{event}");
        let (cut, infinite) = (&event[..event.len() - 1], event.replace("2.5", "1e999"));
        for message in [
            "",
            "plain",
            "{}",
            "null",
            r#"{"aws": "\u005faws"}"#,
            &before,
            &wrapped,
            &nested,
            &listed,
            &twice,
            cut,
            &infinite,
        ] {
            assert_eq!(lines(message), [""; 0], "{message}");
        }
    }

    const DIRECTIVE: &str = "/_aws/CloudWatchMetrics/0";

    /// Where (D is the directive), what is put there, and a part of what comes of it.
    type Change = (&'static str, Value, Result<&'static str, &'static str>);

    fn check(table: &[Change]) {
        for (place, value, expected) in table {
            let mut event = event();
            *event.pointer_mut(&place.replacen("D/", &format!("{DIRECTIVE}/"), 1)).unwrap() = value.clone();
            let lines = lines(&event.to_string());
            assert_eq!(lines.len(), 1, "{place} {value}");
            let breach = lines[0].strip_prefix("breach: ");
            let (got, part) = match expected {
                Ok(part) => (breach.is_none().then_some(lines[0].as_str()), part),
                Err(part) => (breach, part),
            };
            assert!(got.is_some_and(|got| got.contains(part)), "{place} {value}: {}", lines[0]);
        }
    }

    fn many(count: usize, value: &Value) -> Value {
        Value::Array(vec![value.clone(); count])
    }

    fn long(length: usize) -> Value {
        "x".repeat(length).into()
    }

    #[test]
    fn metadata_and_dimensions() {
        check(&[
            ("/_aws", json!("x"), Err("_aws is no object")),
            ("/_aws", json!([]), Err("_aws is no object")),
            ("/_aws", json!({}), Err("Timestamp is no whole")),
            ("/_aws/Timestamp", json!(AT + 1), Ok("Shop 1 [Stage")),
            ("/_aws/Timestamp", json!("1795341600000"), Err("Timestamp is no whole")),
            ("/_aws/Timestamp", json!(1.5), Err("Timestamp is no whole")),
            ("/_aws/Timestamp", json!(null), Err("Timestamp is no whole")),
            ("/_aws/CloudWatchMetrics", json!({}), Err("CloudWatchMetrics is no array")),
            ("/_aws/CloudWatchMetrics", many(101, &json!(1)), Err("more than 100 directives")),
            ("/_aws", json!({"Timestamp": AT}), Err("CloudWatchMetrics is no array")),
            (DIRECTIVE, json!("x"), Err("directive is no object")),
            (DIRECTIVE, json!({}), Err("Namespace is no text")),
            (DIRECTIVE, json!({"Namespace": "a"}), Err("Dimensions is no array")),
            (DIRECTIVE, json!({"Namespace": "a", "Dimensions": [[]]}), Err("Metrics is no array")),
            ("D/Namespace", json!(1), Err("Namespace is no text")),
            ("D/Namespace", json!(""), Err("Namespace is no text")),
            ("D/Namespace", long(255), Ok("xxx 0 [Stage=prod]")),
            ("D/Namespace", long(256), Err("Namespace is no text")),
            ("D/Dimensions", json!("Stage"), Err("Dimensions is no array")),
            ("D/Dimensions", json!([]), Err("holds no set")),
            ("D/Dimensions", json!([[]]), Ok("Shop 0 [] Orders")),
            ("D/Dimensions", json!(["Stage"]), Err("set of dimensions is no array")),
            ("D/Dimensions", many(500, &json!([])), Ok("Shop 0 [][]")),
            ("D/Dimensions", many(501, &json!([])), Err("more than 1,000 metrics")),
            ("D/Dimensions/1", json!(["requestId", "Stage"]), Ok("[Stage=prod][requestId=r Stage=prod]")),
            ("D/Dimensions/1", many(30, &json!("Stage")), Ok("Stage=prod Stage=prod")),
            ("D/Dimensions/1", many(31, &json!("Stage")), Err("more than 30 dimensions")),
            ("D/Dimensions/1", json!([1]), Err("dimension's name is no text")),
            ("D/Dimensions/1", json!([""]), Err("dimension's name is no text")),
            ("D/Dimensions/1", json!([long(256)]), Err("dimension's name is no text")),
            ("D/Dimensions/1", json!(["Else"]), Err("dimension's member is missing")),
            ("/Stage", json!(1), Err("dimension's value is no text")),
            ("/Stage", json!(""), Err("dimension's value is no text")),
            ("/Stage", long(1_025), Err("dimension's value is no text")),
        ]);
    }

    #[test]
    fn metrics_and_their_values() {
        check(&[
            ("D/Metrics", json!({}), Err("Metrics is no array")),
            ("D/Metrics", json!([]), Ok("Shop 0 [Stage=prod][] ")),
            ("D/Metrics", many(100, &json!({"Name": "Orders"})), Ok("Orders=[2.0] - None, Orders")),
            ("D/Metrics", many(101, &json!({"Name": "Orders"})), Err("more than 100 metrics")),
            ("D/Metrics/0", json!("Orders"), Err("metric is no object")),
            ("D/Metrics/0", json!({}), Err("Name is no text")),
            ("D/Metrics/0/Name", json!(1), Err("Name is no text")),
            ("D/Metrics/0/Name", json!("Else"), Err("metric's member is missing")),
            ("D/Metrics/0/Name", json!("Stage"), Err("value is no number")),
            ("D/Metrics/0/Name", json!("_aws"), Err("value is no number")),
            ("D/Metrics/1/Unit", json!("Anything"), Ok("-3.0] Anything Some(1)")),
            ("D/Metrics/1/Unit", json!(null), Err("Unit is no text")),
            ("D/Metrics/1/Unit", json!(1), Err("Unit is no text")),
            ("D/Metrics/1/StorageResolution", json!(60), Ok("Milliseconds Some(60)")),
            ("D/Metrics/1/StorageResolution", json!("1"), Err("StorageResolution is no whole")),
            ("D/Metrics/1/StorageResolution", json!(1.5), Err("StorageResolution is no whole")),
            ("/Orders", json!("2"), Err("value is no number")),
            ("/Orders", json!(true), Err("value is no number")),
            ("/Orders", json!(null), Err("value is no number")),
            ("/Orders", json!({"Value": 1}), Err("value is no number")),
            ("/Orders", json!([1, "2"]), Err("value is no number")),
            ("/Orders", json!([1, [2]]), Err("value is no number")),
            ("/Orders", json!([]), Err("without a value")),
            ("/Orders", many(100, &json!(1)), Ok("Orders=[1.0, 1.0")),
            ("/Orders", many(101, &json!(1)), Err("more than 100 values")),
        ]);
    }

    #[test]
    fn each_directive_stands_for_itself() {
        let mut event = event();
        let directives = event["_aws"]["CloudWatchMetrics"].as_array_mut().unwrap();
        directives.push(json!({"Namespace": "B", "Dimensions": [["Else"]], "Metrics": [{"Name": "Orders"}]}));
        // What the format does not know is ignored.
        let metric = json!({"Name": "Orders", "Unit": "Count", "Else": 1});
        directives.push(json!({"Namespace": "C", "Dimensions": [[]], "Metrics": [metric], "Else": 1}));
        event["_aws"]["LogGroupName"] = json!("/g");
        assert_eq!(
            lines(&event.to_string()),
            [WHOLE, "breach: a dimension's member is missing", "C 0 [] Orders=[2.0] Count None"]
        );
    }
}
