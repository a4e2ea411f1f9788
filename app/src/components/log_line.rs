//! A line of a log, folded: when, how grave, what; open, the whole of it, and JSON with its members one
//! below the other.

use leptos::prelude::*;
use model::logs::LogLine;
use serde_json::Value;

use super::words;

/// What a line says in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Short {
    /// `ERROR`, `WARN`, ...; none where the line does not say.
    pub level: Option<String>,
    /// A few words.
    pub words: String,
    /// All of it, laid out.
    pub whole: String,
}

/// So much of a line stands in its summary.
const LONGEST: usize = 200;

/// Reads a line as far as it goes.
pub fn short(text: &str) -> Short {
    let text = text.trim_end();
    let value = serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
    let Some(value) = value else {
        let level = ["FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"].into_iter();
        let level =
            level.into_iter().find(|level| text.split([' ', '\t', '[', ']', ':']).any(|word| word == *level));
        let words = cut(text.lines().next().unwrap_or_default());
        return Short { level: level.map(str::to_owned), words, whole: text.to_owned() };
    };
    let member = |name: &str| value[name].as_str().map(str::to_owned);
    let words = match (member("message"), member("type"), value.get("_aws"), member("requestId")) {
        (Some(message), ..) => message_of(&value, message),
        (None, Some(kind), ..) => platform(&value, kind),
        (None, None, Some(_), _) => "figures for CloudWatch".to_owned(),
        (None, None, None, _) => text.to_owned(),
    };
    let whole = serde_json::to_string_pretty(&value).unwrap_or_else(|_| text.to_owned());
    Short { level: member("level"), words: cut(&words), whole }
}

/// A message, with what tells one request from another.
fn message_of(value: &Value, message: String) -> String {
    let member = |name: &str| match &value[name] {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let known = ["method", "route", "status", "error", "step", "event", "outcome", "cause"];
    let more: Vec<String> = known.into_iter().filter_map(member).collect();
    if more.is_empty() { message } else { format!("{message}: {}", more.join(" \u{b7} ")) }
}

fn platform(value: &Value, kind: String) -> String {
    let record = &value["record"];
    let status = record["status"].as_str().map(|status| format!(" {status}"));
    let took = record["metrics"]["durationMs"].as_f64().map(|ms| format!(", {}", words::millis(ms)));
    format!("{kind}{}{}", status.unwrap_or_default(), took.unwrap_or_default())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}\u{2026}", &text[..at]),
        None => text.to_owned(),
    }
}

/// The style sheet's word for a level.
pub fn tone(level: Option<&str>) -> &'static str {
    match level {
        Some("ERROR" | "FATAL") => "bad",
        Some("WARN") => "warn",
        _ => "plain",
    }
}

/// `14:05:09.123` of a day that is named elsewhere.
pub fn clock(at: model::time::Timestamp) -> String {
    let text = words::utc(at);
    let time = text.get(11..19).unwrap_or_default();
    format!("{time}.{:03}", at.0.rem_euclid(1_000))
}

/// The line.
#[component]
pub fn Line(
    /// The line.
    line: LogLine,
    /// What leads to it from elsewhere.
    #[prop(optional_no_strip, into)]
    address: Option<String>,
    /// Whether it is the one that was looked for.
    #[prop(default = false)]
    meant: bool,
) -> impl IntoView {
    let Short { level, words, whole } = short(&line.text);
    let tone = tone(level.as_deref());
    let id = format!("line-{}", line.id);
    view! {
        <li class=format!("line line--{tone}") class:line--meant=meant id=id data-line=line.id>
            <details open=meant>
                <summary>
                    <time class="line__time" datetime=words::iso(line.at) title=words::utc(line.at)>{clock(line.at)}</time>
                    <span class="line__level">{level.unwrap_or_default()}</span>
                    <span class="line__words">{words}</span>
                </summary>
                <pre class="line__whole" tabindex="0">{whole}</pre>
                <p class="line__place">
                    {words::utc(line.at)}" \u{b7} "<code>{line.stream}</code>
                    {address.map(|address| view! { " \u{b7} "<a href=address>"Link to this line"</a> })}
                </p>
            </details>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_in_short() {
        let table = [
            (
                r#"{"level":"WARN","message":"request","method":"GET","route":"GET /x","status":503,"error":"login refused"}"#,
                Some("WARN"),
                "request: GET \u{b7} GET /x \u{b7} 503 \u{b7} login refused",
            ),
            (
                r#"{"type":"platform.report","record":{"status":"timeout","metrics":{"durationMs":3000.0}}}"#,
                None,
                "platform.report timeout, 3.00 s",
            ),
            (r#"{"_aws":{},"Requests":1}"#, None, "figures for CloudWatch"),
            (r#"{"a":1}"#, None, r#"{"a":1}"#),
            ("2026 ERROR it broke\nmore", Some("ERROR"), "2026 ERROR it broke"),
            ("START RequestId: x", None, "START RequestId: x"),
        ];
        for (text, level, words) in table {
            let short = short(text);
            assert_eq!((short.level.as_deref(), short.words.as_str()), (level, words), "{text}");
        }
        assert!(short(&"\u{e9}".repeat(500)).words.chars().count() <= LONGEST + 1);
        assert!(short(r#"{"a":{"b":1}}"#).whole.contains("\n    \"b\": 1"));
    }

    #[test]
    fn a_time_of_day_has_milliseconds() {
        assert_eq!(clock(model::time::Timestamp(1_709_251_199_007)), "23:59:59.007");
    }
}
