//! The words in which an alarm says why it is in its state, as AWS has them.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::evaluation::{Gap, Point, Rule, State};

/// AWS: a reason has at most 1,023 characters and its data 4,000. Points past these numbers are
/// left out, the newest stay.
const POINTS_IN_REASON: usize = 10;
const POINTS_IN_DATA: usize = 20;

/// A sentence about the points that speak for `state`, newest first. `given` says whether the
/// alarm's owner set `DatapointsToAlarm`; AWS words it differently then.
pub(super) fn reason(rule: &Rule, given: bool, state: State, used: &[Point], filled: usize) -> String {
    if state == State::InsufficientData {
        let verb = if filled == 1 { "was" } else { "were" };
        return format!("Insufficient Data: {} {verb} unknown.", datapoints(filled));
    }
    let alarm = state == State::Alarm;
    let speaking: Vec<&Point> = used.iter().filter(|point| rule.breaches(point.value) == alarm).collect();
    let gaps = format!(
        "{} missing {} treated as [{}]",
        filled,
        if filled == 1 { "datapoint was" } else { "datapoints were" },
        match rule.missing {
            Gap::Missing => "Missing",
            Gap::Ignore => "Ignore",
            Gap::Breaching => "Breaching",
            Gap::NotBreaching => "NonBreaching",
        }
    );
    if speaking.is_empty() {
        return match used.len() {
            0 => {
                let periods = if filled == 1 { "period" } else { "periods" };
                format!("Threshold Crossed: no datapoints were received for {filled} {periods} and {gaps}.")
            }
            _ => format!("Threshold Crossed: {gaps}."),
        };
    }
    let mut list: Vec<String> = speaking
        .iter()
        .take(POINTS_IN_REASON)
        .map(|point| format!("{:?} ({})", point.value, format_time(point.start * 1000, "%d/%m/%y %H:%M:%S")))
        .collect();
    if speaking.len() > POINTS_IN_REASON {
        list.push("...".to_owned());
    }
    let (number, list) = (speaking.len(), list.join(", "));
    let subject = if given {
        format!("{number} out of the last {} datapoints [{list}]", used.len())
    } else {
        format!("{} [{list}]", datapoints(number))
    };
    let verb = if number == 1 { "was" } else { "were" };
    let not = if alarm { "" } else { "not " };
    let mut text = format!(
        "Threshold Crossed: {subject} {verb} {not}{} the threshold ({:?})",
        rule.comparison.words(),
        rule.threshold
    );
    if given {
        let (least, way) = match alarm {
            true => (rule.needed, "OK -> ALARM"),
            false => (rule.periods + 1 - rule.needed, "ALARM -> OK"),
        };
        text.push_str(&format!(" (minimum {} for {way} transition)", datapoints(least)));
    }
    if filled > 0 {
        text.push_str(&format!(" and {gaps}"));
    }
    text.push('.');
    text
}

fn datapoints(number: usize) -> String {
    format!("{number} {}", if number == 1 { "datapoint" } else { "datapoints" })
}

fn format_time(milliseconds: i64, pattern: &str) -> String {
    DateTime::<Utc>::from_timestamp_millis(milliseconds).unwrap_or_default().format(pattern).to_string()
}

/// A time as AWS writes it into the data of alarms, for example `2026-01-17T17:07:38.154+0000`.
pub(super) fn iso(milliseconds: i64) -> String {
    format_time(milliseconds, "%Y-%m-%dT%H:%M:%S%.3f+0000")
}

/// What goes into a reason's data besides the points.
pub(super) struct Facts<'a> {
    /// When the points were read, milliseconds since 1970.
    pub(super) now: i64,
    /// The statistic's name.
    pub(super) statistic: &'a str,
    /// The alarm's unit, if it has one.
    pub(super) unit: Option<&'a str>,
    /// The alarm's period in seconds.
    pub(super) period: i64,
    /// The alarm's threshold.
    pub(super) threshold: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    version: &'a str,
    query_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
    statistic: &'a str,
    period: i64,
    recent_datapoints: Vec<f64>,
    threshold: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evaluated_datapoints: Vec<Evaluated>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Evaluated {
    timestamp: String,
    sample_count: f64,
    value: f64,
}

/// The JSON text that AWS gives as `StateReasonData`.
pub(super) fn data(facts: &Facts<'_>, used: &[Point]) -> String {
    let newest = &used[..used.len().min(POINTS_IN_DATA)];
    let data = Data {
        version: "1.0",
        query_date: iso(facts.now),
        start_date: newest.last().map(|oldest| iso(oldest.start * 1000)),
        unit: facts.unit,
        statistic: facts.statistic,
        period: facts.period,
        recent_datapoints: newest.iter().rev().map(|point| point.value).collect(),
        threshold: facts.threshold,
        evaluated_datapoints: newest
            .iter()
            .map(|point| Evaluated {
                timestamp: iso(point.start * 1000),
                sample_count: point.samples,
                value: point.value,
            })
            .collect(),
    };
    // Plain numbers and texts: writing them can't fail.
    serde_json::to_string(&data).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::evaluation::Comparison;
    use super::*;

    fn rule(needed: usize, periods: usize, missing: Gap) -> Rule {
        let (comparison, threshold) = (Comparison::GreaterThan, 5.0);
        Rule { periods, needed, comparison, threshold, missing, least_samples: 0.0 }
    }

    fn point(minute: i64, value: f64) -> Point {
        // 22 November 2026, 10:00
        Point { start: 1_795_341_600 + minute * 60, value, samples: 1.0 }
    }

    #[test]
    fn reasons() {
        let (high, low) = (point(1, 9.0), point(0, 0.5));
        for (text, needed, given, state, used, filled, missing) in [
            (
                "Threshold Crossed: 1 datapoint [9.0 (22/11/26 10:01:00)] was greater than the threshold (5.0).",
                1,
                false,
                State::Alarm,
                vec![high],
                0,
                Gap::Missing,
            ),
            (
                "Threshold Crossed: 2 datapoints [0.5 (22/11/26 10:00:00), 0.5 (22/11/26 10:00:00)] were not greater than the threshold (5.0).",
                2,
                false,
                State::Ok,
                vec![low, low],
                0,
                Gap::Missing,
            ),
            (
                "Threshold Crossed: 1 out of the last 2 datapoints [9.0 (22/11/26 10:01:00)] was greater than the threshold (5.0) (minimum 1 datapoint for OK -> ALARM transition).",
                1,
                true,
                State::Alarm,
                vec![high, low],
                0,
                Gap::Missing,
            ),
            (
                "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as [NonBreaching].",
                1,
                false,
                State::Ok,
                vec![],
                1,
                Gap::NotBreaching,
            ),
            (
                "Threshold Crossed: 1 datapoint [9.0 (22/11/26 10:01:00)] was greater than the threshold (5.0) and 2 missing datapoints were treated as [Breaching].",
                3,
                false,
                State::Alarm,
                vec![high],
                2,
                Gap::Breaching,
            ),
            (
                "Insufficient Data: 3 datapoints were unknown.",
                3,
                false,
                State::InsufficientData,
                vec![],
                3,
                Gap::Missing,
            ),
        ] {
            let rule = rule(needed, used.len() + filled, missing);
            assert_eq!(reason(&rule, given, state, &used, filled), text);
        }
    }

    #[test]
    fn data_has_its_members_in_order() {
        let facts =
            Facts { now: 1_795_341_665_154, statistic: "Sum", unit: None, period: 60, threshold: 3.0 };
        assert_eq!(
            data(&facts, &[point(0, 63.0)]),
            r#"{"version":"1.0","queryDate":"2026-11-22T10:01:05.154+0000","startDate":"2026-11-22T10:00:00.000+0000","statistic":"Sum","period":60,"recentDatapoints":[63.0],"threshold":3.0,"evaluatedDatapoints":[{"timestamp":"2026-11-22T10:00:00.000+0000","sampleCount":1.0,"value":63.0}]}"#
        );
    }
}
