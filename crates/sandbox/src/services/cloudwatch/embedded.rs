//! Metrics that came embedded in a log event.
//!
//! CloudWatch Logs reads them out of the event. What a metric may be is decided here, and by the very
//! checks PutMetricData has: for names, dimensions, units, values, resolutions and times.

use super::input::{DimensionInput, Double, Timestamp};
use super::pending::Sample;
use super::put::{Datum, open_namespace, sample};
use crate::aws::AwsError;

/// What one directive of a log event asks to be recorded: every figure under every set of dimensions.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// The metrics' namespace.
    pub namespace: String,
    /// When it happened, milliseconds since 1970.
    pub at: i64,
    /// Names and values. Each set, an empty one too, makes a metric of its own of every figure.
    pub dimension_sets: Vec<Vec<(String, String)>>,
    /// What was measured.
    pub figures: Vec<Figure>,
}

/// A metric's values.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The metric's name.
    pub name: String,
    /// The values, each of which counts once.
    pub values: Vec<f64>,
    /// CloudWatch's unit.
    pub unit: Option<String>,
    /// Seconds: 1 or 60.
    pub resolution: Option<i64>,
}

/// All samples of a directive, or none. `now` is in milliseconds since 1970.
///
/// # Errors
/// `MissingParameter` or `InvalidParameterValue`.
pub(super) fn samples(embedded: &Embedded, now: i64) -> Result<Vec<Sample<'static>>, AwsError> {
    let namespace = open_namespace(Some(&embedded.namespace))?;
    let mut samples = Vec::new();
    for (n, figure) in embedded.figures.iter().enumerate() {
        let mut datum = Datum {
            metric_name: Some(figure.name.clone()),
            timestamp: Some(Timestamp(embedded.at)),
            values: Some(figure.values.iter().copied().map(Double).collect()),
            unit: figure.unit.clone(),
            storage_resolution: figure.resolution,
            ..Datum::default()
        };
        for set in &embedded.dimension_sets {
            let dimension = |(name, value): &(String, String)| DimensionInput {
                name: Some(name.clone()),
                value: Some(value.clone()),
            };
            datum.dimensions = Some(set.iter().map(dimension).collect());
            samples.push(sample(&namespace, &datum, &format!("Metrics.member.{}.", n + 1), now)?);
        }
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_341_600_000;
    const HOUR: i64 = 3_600_000;

    fn embedded() -> Embedded {
        let set = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let figure = |name: &str, values: &[f64]| Figure {
            name: name.to_owned(),
            values: values.to_owned(),
            unit: None,
            resolution: None,
        };
        Embedded {
            namespace: "Shop".to_owned(),
            at: NOW,
            dimension_sets: vec![Vec::new(), set(&[("Stage", "prod"), ("Route", "GET /a")])],
            figures: vec![figure("Orders", &[2.0]), figure("Latency", &[1.0, 1.0, 4.0])],
        }
    }

    #[test]
    fn every_figure_counts_under_every_set() {
        let mut embedded = embedded();
        embedded.figures[1].unit = Some("Milliseconds".to_owned());
        embedded.figures[1].resolution = Some(1);
        let samples = samples(&embedded, NOW).unwrap();
        let shown: Vec<String> = samples
            .iter()
            .map(|sample| {
                let Sample { metric, unit, at, high_resolution, aggregate } = sample;
                assert_eq!((metric.namespace.as_str(), *at), ("Shop", NOW));
                let dimensions: Vec<String> =
                    metric.dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!(
                    "{} [{}] {unit} {high_resolution} {} {}",
                    metric.name,
                    dimensions.join(" "),
                    aggregate.count,
                    aggregate.sum
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "Orders [] None false 1 2",
                "Orders [Route=GET /a Stage=prod] None false 1 2",
                "Latency [] Milliseconds true 3 6",
                "Latency [Route=GET /a Stage=prod] Milliseconds true 3 6",
            ]
        );
    }

    #[test]
    fn what_put_metric_data_refuses_is_refused_whole() {
        type Change = fn(&mut Embedded);
        let table: &[(Change, Option<&str>)] = &[
            (|e| e.at = NOW - 14 * 24 * HOUR, None),
            (|e| e.at = NOW - 14 * 24 * HOUR - 1, Some("Timestamp")),
            (|e| e.at = NOW + 2 * HOUR, None),
            (|e| e.at = NOW + 2 * HOUR + 1, Some("Timestamp")),
            (|e| e.at = i64::MIN, Some("Timestamp")),
            // Seconds where milliseconds are meant.
            (|e| e.at = NOW / 1000, Some("Timestamp")),
            (|e| e.namespace.clear(), Some("Namespace")),
            (|e| e.namespace = "AWS/Lambda".to_owned(), Some("Namespace")),
            (|e| e.namespace = ":a".to_owned(), Some("Namespace")),
            (|e| e.figures[1].name = "ü".to_owned(), Some("Metrics.member.2.MetricName")),
            (|e| e.figures[1].unit = Some("Count/Second".to_owned()), None),
            (|e| e.figures[1].unit = Some("count".to_owned()), Some("Metrics.member.2.Unit")),
            (|e| e.figures[0].resolution = Some(60), None),
            (|e| e.figures[0].resolution = Some(5), Some("Metrics.member.1.StorageResolution")),
            (|e| e.figures[1].values.clear(), Some("Metrics.member.2.Values")),
            (|e| e.figures[1].values[2] = 1e300, Some("Metrics.member.2.Values.member.3")),
            (|e| e.dimension_sets[1][0].1 = " ".to_owned(), Some("Dimensions.member.1.Value")),
            (|e| e.dimension_sets[1][0].0 = "Route".to_owned(), Some("more than once")),
            (|e| e.dimension_sets[1] = vec![("a".to_owned(), "b".to_owned()); 31], Some("greater than 30")),
        ];
        for (n, (change, refusal)) in table.iter().enumerate() {
            let mut embedded = embedded();
            change(&mut embedded);
            match (samples(&embedded, NOW), refusal) {
                (Ok(samples), None) => assert_eq!(samples.len(), 4, "row {n}"),
                (Err(error), Some(part)) => assert!(error.message.contains(part), "row {n}: {error}"),
                (Ok(_), Some(part)) => panic!("row {n} is not refused for {part}"),
                (Err(error), None) => panic!("row {n}: {error}"),
            }
        }
    }
}
