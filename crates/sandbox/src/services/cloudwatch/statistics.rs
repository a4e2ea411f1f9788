//! GetMetricStatistics: several statistics of one metric.
//!
//! Unlike GetMetricData's, its periods begin at the request's own beginning (rounded down to the
//! minute), and each unit the metric was recorded in has data points of its own.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::errors::{MODELLED, unsupported};
use super::input::{DimensionInput, Timestamp, dimensions, metric_name, namespace, seconds, unit};
use super::pending::Metric;
use super::period::{is_kept, period, rounded_start};
use super::statistic::{Statistic, Unusable};
use super::store::Store;
use super::tables::Span;
use crate::aws::{AwsError, Call, Reply};

/// AWS: data points of a call.
const MOST_POINTS: i64 = 1_440;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Input {
    namespace: Option<String>,
    metric_name: Option<String>,
    dimensions: Option<Vec<DimensionInput>>,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    period: Option<i64>,
    statistics: Option<Vec<String>>,
    extended_statistics: Option<Vec<String>>,
    unit: Option<String>,
}

/// Answers the data points in order of time (AWS promises no order). `now` is in milliseconds since
/// 1970.
///
/// # Errors
/// `MissingParameter`, `InvalidParameterValue` or `InvalidParameterCombination`.
pub(super) fn get_metric_statistics(store: &Store, now: i64, call: &Call) -> Result<Reply, AwsError> {
    let input: Input = call.parse()?;
    let metric = Metric {
        namespace: namespace(input.namespace.as_deref(), "", MODELLED)?,
        name: metric_name(input.metric_name.as_deref(), "", MODELLED)?,
        dimensions: dimensions(input.dimensions.as_deref(), "", MODELLED)?,
    };
    let statistics = wanted(input.statistics.as_deref(), input.extended_statistics.as_deref())?;
    let unit = unit(input.unit.as_deref(), "", MODELLED)?;
    let period = period(input.period, "", MODELLED)?;
    let start = input.start_time.ok_or_else(|| MODELLED.missing("StartTime"))?.0;
    let end = input.end_time.ok_or_else(|| MODELLED.missing("EndTime"))?.0;
    if start >= end {
        return Err(MODELLED.invalid("The parameter StartTime must be less than the parameter EndTime."));
    }
    let age = now.div_euclid(1000) - start.div_euclid(1000);
    let span = Span {
        from: rounded_start(start.div_euclid(1000), period, age),
        to: (end + 999).div_euclid(1000),
        period,
        values: statistics.iter().any(|(_, statistic)| statistic.needs_values()),
    };
    let points = (span.to - span.from + period - 1).div_euclid(period);
    if points > MOST_POINTS {
        return Err(MODELLED.combination(format!(
            "You have requested up to {points} datapoints, which exceeds the limit of {MOST_POINTS}. You may reduce the datapoints requested by increasing Period, or decreasing the time range."
        )));
    }
    let mut datapoints = Vec::new();
    if is_kept(period, age) {
        let units = match unit {
            Some(unit) => vec![unit.to_owned()],
            None => store.units(&metric)?,
        };
        for unit in units {
            store.periods(&metric, Some(&unit), span, |time, aggregate| {
                let values = statistics.iter().filter_map(|(name, statistic)| {
                    Some((name, *statistic, aggregate.statistic(*statistic)?))
                });
                datapoints.extend(datapoint(time, &unit, values));
            })?;
        }
    }
    Ok(Reply::json(json!({"Label": metric.name, "Datapoints": datapoints})))
}

fn datapoint<'a>(
    time: i64,
    unit: &str,
    values: impl Iterator<Item = (&'a String, Statistic, f64)>,
) -> Option<Value> {
    let (mut point, mut extended) = (Map::new(), Map::new());
    for (name, statistic, value) in values {
        let into = if statistic.is_basic() { &mut point } else { &mut extended };
        into.insert(name.clone(), value.into());
    }
    if !extended.is_empty() {
        point.insert("ExtendedStatistics".to_owned(), extended.into());
    }
    if point.is_empty() {
        return None;
    }
    point.insert("Timestamp".to_owned(), seconds(time * 1000));
    point.insert("Unit".to_owned(), unit.into());
    Some(point.into())
}

fn wanted(
    basic: Option<&[String]>,
    extended: Option<&[String]>,
) -> Result<Vec<(String, Statistic)>, AwsError> {
    let (list, place, most) = match (basic, extended) {
        (Some(list), None) if !list.is_empty() => (list, "Statistics", 5),
        (None, Some(list)) if !list.is_empty() => (list, "ExtendedStatistics", 10),
        (Some(_), Some(_)) => {
            return Err(MODELLED.combination(
                "The parameters Statistics and ExtendedStatistics are mutually exclusive and you have specified both.",
            ));
        }
        _ => return Err(MODELLED.missing("Statistics")),
    };
    if list.len() > most {
        return Err(
            MODELLED.invalid(format!("The collection {place} must not have a size greater than {most}."))
        );
    }
    list.iter()
        .enumerate()
        .map(|(n, name)| match Statistic::parse(name) {
            Ok(statistic) if statistic.is_basic() == (place == "Statistics") => Ok((name.clone(), statistic)),
            Err(Unusable::Unsupported) if place == "ExtendedStatistics" => {
                Err(unsupported("GetMetricStatistics", format_args!("the statistic {name}")))
            }
            _ => Err(MODELLED.value(format_args!("{place}.member.{}", n + 1), name)),
        })
        .collect()
}
