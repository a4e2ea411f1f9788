//! What was recorded and is not in the file yet.

use std::collections::HashMap;

use super::input::Dimensions;
use super::statistic::Aggregate;

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Metric {
    /// For example `AWS/Lambda`.
    pub(super) namespace: String,
    /// For example `Duration`.
    pub(super) name: String,
    /// In order of the names.
    pub(super) dimensions: Dimensions,
}

/// What was measured in one place and one unit.
pub(super) struct Sample<'a> {
    pub(super) metric: Metric,
    pub(super) unit: &'a str,
    /// Milliseconds since 1970.
    pub(super) at: i64,
    /// Whether seconds are kept apart.
    pub(super) high_resolution: bool,
    pub(super) aggregate: Aggregate,
}

/// Length of a stretch of time and its beginning, both in seconds.
pub(super) type Place = (i64, i64);

/// Aggregates by series and place.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) series: HashMap<(Metric, String), PendingSeries>,
    /// How many there are, over all series.
    pub(super) aggregates: usize,
}

/// Those of one series.
#[derive(Debug, Default)]
pub(super) struct PendingSeries {
    /// When the newest came in, milliseconds since 1970.
    pub(super) received: i64,
    pub(super) aggregates: HashMap<Place, Aggregate>,
}

impl Pending {
    /// Adds a sample that came in at `received`, milliseconds since 1970.
    pub(super) fn add(&mut self, received: i64, sample: Sample<'_>) {
        let series = self.series.entry((sample.metric, sample.unit.to_owned())).or_default();
        series.received = series.received.max(received);
        let second = sample.at.div_euclid(1000);
        let mut put = |resolution: i64| {
            let place = (resolution, floor(second, resolution));
            series
                .aggregates
                .entry(place)
                .or_insert_with(|| {
                    self.aggregates += 1;
                    Aggregate::default()
                })
                .merge(&sample.aggregate);
        };
        put(60);
        if sample.high_resolution {
            put(1);
        }
    }

    /// Takes back what could not be written.
    pub(super) fn take_back(&mut self, other: Self) {
        for (key, series) in other.series {
            let known = self.series.entry(key).or_default();
            known.received = known.received.max(series.received);
            for (place, aggregate) in series.aggregates {
                known
                    .aggregates
                    .entry(place)
                    .or_insert_with(|| {
                        self.aggregates += 1;
                        Aggregate::default()
                    })
                    .merge(&aggregate);
            }
        }
    }
}

/// The largest multiple of `step` that is not above `second`.
pub(super) fn floor(second: i64, step: i64) -> i64 {
    second.div_euclid(step) * step
}
