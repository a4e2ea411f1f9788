//! How old the figures are, and what they cost.

use leptos::prelude::*;
use model::metrics::{Cost, Figures};
use model::overview::Reading;
use model::time::{Timestamp, in_words};

use crate::components::card::{Card, Freshness, Now};
use crate::components::facts::{Fact, Facts};
use crate::components::words;

/// When the figures were read, and when CloudWatch is asked again.
pub fn age(figures: &Reading<Figures>, next: Timestamp, now: Timestamp) -> AnyView {
    let old = figures.at.age_seconds(now);
    let read = if old < 2 { "just now".to_owned() } else { format!("{} ago", in_words(old)) };
    let again = match now.age_seconds(next) {
        // What is over does not change, and is not read again.
        seconds if seconds > 86_400 * 365 => "They are of the past and do not change.".to_owned(),
        0 => "CloudWatch is asked again when somebody looks.".to_owned(),
        seconds => format!("CloudWatch is asked again in {}.", in_words(seconds)),
    };
    view! {
        <p class="charts__age">
            {format!("Figures read from CloudWatch {read}. {again} The newest two minutes are dashed: they are not complete.")}
        </p>
    }
    .into_any()
}

/// What asking has cost this month.
pub fn region(cost: Cost, now: Now) -> AnyView {
    let freshness = Freshness { at: now.get_untracked(), problem: None, has_value: true };
    let Cost { month, calls, metrics, dollars, cap_dollars, pace_seconds, slowed } = cost;
    let rhythm = in_words(pace_seconds);
    let why = match slowed {
        true => format!(
            "Most of what may be spent is spent, so calls are {rhythm} apart. The cap is LOCKKEEPER_METRICS_CAP."
        ),
        false => format!(
            "However many people look, CloudWatch is asked once for all of them, calls are {rhythm} apart, and there is none while nobody looks."
        ),
    };
    view! {
        <Card id="cost" heading="What these figures cost" freshness now>
            <Facts>
                <Fact name="Month (UTC)">{month}</Fact>
                <Fact name="Calls of GetMetricData">{words::count(calls as f64)}</Fact>
                <Fact name="Metrics asked for">{words::count(metrics as f64)}</Fact>
                <Fact name="Estimated">{format!("USD {dollars:.2} of {cap_dollars:.2}")}</Fact>
            </Facts>
            <p class="hint">{why}</p>
        </Card>
    }
    .into_any()
}
