//! PutMetricData: values from outside.

use serde::Deserialize;

use super::errors::{MODELLED, unsupported};
use super::input::{DimensionInput, Double, Timestamp, dimensions, metric_name, namespace, unit};
use super::pending::{Metric, Sample};
use super::statistic::Aggregate;
use super::store::Store;
use crate::aws::{AwsError, Body, Call, Reply};

/// AWS: data of a call, and its size in bytes (compressed, where it is).
const MOST_DATA: usize = 1_000;
const LARGEST_CALL: usize = 1024 * 1024;
/// AWS: values of one datum.
const MOST_VALUES: usize = 150;
/// AWS: how old and how far ahead a timestamp may be, milliseconds.
const OLDEST: i64 = 14 * 24 * 3_600_000;
const FURTHEST: i64 = 2 * 3_600_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Input {
    namespace: Option<String>,
    metric_data: Option<Vec<Datum>>,
    entity_metric_data: Option<serde_json::Value>,
    strict_entity_validation: Option<serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Datum {
    pub(super) metric_name: Option<String>,
    pub(super) dimensions: Option<Vec<DimensionInput>>,
    pub(super) timestamp: Option<Timestamp>,
    pub(super) value: Option<Double>,
    pub(super) statistic_values: Option<StatisticSet>,
    pub(super) values: Option<Vec<Double>>,
    pub(super) counts: Option<Vec<Double>>,
    pub(super) unit: Option<String>,
    pub(super) storage_resolution: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct StatisticSet {
    sample_count: Option<Double>,
    sum: Option<Double>,
    minimum: Option<Double>,
    maximum: Option<Double>,
}

/// Takes all data of a call, or none. `now` is in milliseconds since 1970.
///
/// # Errors
/// `MissingParameter`, `InvalidParameterValue`, `InvalidParameterCombination`, or
/// `RequestEntityTooLarge` (413) for more than 1 MB.
pub(super) fn put_metric_data(store: &Store, now: i64, call: &Call) -> Result<Reply, AwsError> {
    let size = wire_size(call);
    if size > LARGEST_CALL {
        let message = format!("Request size {size} exceeded {LARGEST_CALL} bytes");
        return Err(AwsError::new("RequestEntityTooLarge", message).with_status(413));
    }
    let input: Input = call.parse()?;
    if input.entity_metric_data.is_some() {
        return Err(unsupported("PutMetricData", "EntityMetricData"));
    }
    if input.strict_entity_validation.is_some() {
        return Err(unsupported("PutMetricData", "StrictEntityValidation"));
    }
    let namespace = open_namespace(input.namespace.as_deref())?;
    let data = input.metric_data.filter(|d| !d.is_empty()).ok_or_else(|| MODELLED.missing("MetricData"))?;
    if data.len() > MOST_DATA {
        return Err(MODELLED
            .invalid(format!("The collection MetricData must not have a size greater than {MOST_DATA}.")));
    }
    let samples: Vec<Sample<'_>> = data
        .iter()
        .enumerate()
        .map(|(n, datum)| sample(&namespace, datum, &format!("MetricData.member.{}.", n + 1), now))
        .collect::<Result<_, _>>()?;
    store.write(samples)?;
    Ok(Reply { status: 200, headers: Vec::new(), body: Body::Empty })
}

/// A namespace that may be written to from outside: those of AWS's own services may not.
///
/// # Errors
/// `MissingParameter` or `InvalidParameterValue`.
pub(super) fn open_namespace(text: Option<&str>) -> Result<String, AwsError> {
    let namespace = namespace(text, "", MODELLED)?;
    if namespace.starts_with("AWS/") {
        return Err(MODELLED.value("Namespace", namespace));
    }
    Ok(namespace)
}

/// The bytes the caller sent. The endpoint hands over what came out of gzip.
fn wire_size(call: &Call) -> usize {
    let header = |name| call.headers.get(name).and_then(|value| value.to_str().ok());
    match (header("content-encoding"), header("content-length").and_then(|length| length.parse().ok())) {
        (Some("gzip"), Some(length)) => length,
        _ => call.body.len(),
    }
}

/// One datum, checked. `place` is what its members' names begin with in a refusal.
///
/// # Errors
/// `MissingParameter`, `InvalidParameterValue` or `InvalidParameterCombination`.
pub(super) fn sample<'a>(
    namespace: &str,
    datum: &Datum,
    place: &str,
    now: i64,
) -> Result<Sample<'a>, AwsError> {
    let metric = Metric {
        namespace: namespace.to_owned(),
        name: metric_name(datum.metric_name.as_deref(), place, MODELLED)?,
        dimensions: dimensions(datum.dimensions.as_deref(), place, MODELLED)?,
    };
    let unit = unit(datum.unit.as_deref(), place, MODELLED)?.unwrap_or("None");
    let at = datum.timestamp.map_or(now, |timestamp| timestamp.0);
    if !(now - OLDEST..=now + FURTHEST).contains(&at) {
        return Err(MODELLED.invalid(format!(
            "The parameter {place}Timestamp must lie between two weeks before and two hours after the present."
        )));
    }
    let high_resolution = match datum.storage_resolution {
        None | Some(60) => false,
        Some(1) => true,
        Some(other) => return Err(MODELLED.value(format_args!("{place}StorageResolution"), other)),
    };
    let aggregate = aggregate(datum, place)?;
    Ok(Sample { metric, unit, at, high_resolution, aggregate })
}

fn aggregate(datum: &Datum, place: &str) -> Result<Aggregate, AwsError> {
    let mut aggregate = Aggregate::default();
    match (datum.value, &datum.statistic_values, &datum.values) {
        (Some(_), None, None) | (None, Some(_), None) if datum.counts.is_some() => {
            return Err(
                MODELLED.combination(format!("The parameter {place}Counts goes with {place}Values only."))
            );
        }
        (Some(value), None, None) => aggregate.add(in_range(value, &format!("{place}Value"))?, 1.0),
        (None, Some(set), None) => add_set(&mut aggregate, set, &format!("{place}StatisticValues."))?,
        (None, None, Some(values)) => add_values(&mut aggregate, values, datum.counts.as_deref(), place)?,
        (None, None, None) => {
            return Err(MODELLED.missing(format_args!("{place}Value")));
        }
        _ => {
            return Err(MODELLED.combination(format!(
                "The parameters {place}Value, {place}StatisticValues and {place}Values are mutually exclusive and you have specified more than one."
            )));
        }
    }
    Ok(aggregate)
}

fn add_set(aggregate: &mut Aggregate, set: &StatisticSet, place: &str) -> Result<(), AwsError> {
    let part = |value: Option<Double>, name: &str| {
        let place = format!("{place}{name}");
        value.ok_or_else(|| MODELLED.missing(&place)).and_then(|value| in_range(value, &place))
    };
    let count = part(set.sample_count, "SampleCount")?;
    let sum = part(set.sum, "Sum")?;
    let minimum = part(set.minimum, "Minimum")?;
    let maximum = part(set.maximum, "Maximum")?;
    if count <= 0.0 {
        return Err(MODELLED.value(format_args!("{place}SampleCount"), count));
    }
    if minimum > maximum {
        return Err(
            MODELLED.invalid(format!("The parameter {place}Maximum must be at least {place}Minimum."))
        );
    }
    aggregate.add_set(count, sum, minimum, maximum);
    Ok(())
}

fn add_values(
    aggregate: &mut Aggregate,
    values: &[Double],
    counts: Option<&[Double]>,
    place: &str,
) -> Result<(), AwsError> {
    if values.is_empty() {
        return Err(MODELLED.missing(format_args!("{place}Values")));
    }
    if values.len() > MOST_VALUES {
        return Err(MODELLED.invalid(format!(
            "The collection {place}Values must not have a size greater than {MOST_VALUES}."
        )));
    }
    if counts.is_some_and(|counts| counts.len() != values.len()) {
        return Err(MODELLED
            .invalid(format!("The parameters {place}Values and {place}Counts must be of the same size.")));
    }
    for (n, value) in values.iter().enumerate() {
        let value = in_range(*value, &format!("{place}Values.member.{}", n + 1))?;
        let at = format!("{place}Counts.member.{}", n + 1);
        let count = in_range(counts.map_or(Double(1.0), |counts| counts[n]), &at)?;
        if count <= 0.0 {
            return Err(MODELLED.value(at, count));
        }
        aggregate.add(value, count);
    }
    Ok(())
}

/// AWS: values lie between -2^360 and 2^360, and what is nearer to nought than 2^-360 is refused too.
fn in_range(Double(value): Double, place: &str) -> Result<f64, AwsError> {
    let size = value.abs();
    if size == 0.0 || (2_f64.powi(-360)..=2_f64.powi(360)).contains(&size) {
        Ok(value)
    } else {
        Err(MODELLED.value(place, value))
    }
}
