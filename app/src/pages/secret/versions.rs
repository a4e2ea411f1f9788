//! The versions of the secret that have a label.

use leptos::prelude::*;
use model::overview::Reading;
use model::rotation::{SecretDetail, SecretVersion};

use crate::components::card::{Card, Freshness, Now, value_or_none};
use crate::components::status::Tone;
use crate::components::table::{Cell, Table};

/// Ids, labels and ages; never a value.
pub fn region(reading: Reading<SecretDetail>, now: Now) -> AnyView {
    let freshness = Freshness::from(&reading);
    view! {
        <Card id="versions" heading="Versions" freshness now>
            {value_or_none(reading, move |secret| body(secret.versions, now))}
        </Card>
    }
    .into_any()
}

fn body(versions: Vec<SecretVersion>, now: Now) -> AnyView {
    if versions.is_empty() {
        return view! {
            <p class="empty">"No version has a label, so the secret has no value. Put one into it."</p>
        }
        .into_any();
    }
    let rows = versions.into_iter().map(row).collect();
    view! {
        <Table caption="Versions of the secret" columns=&["Version", "Labels", "Age", "Value", "Started by"] rows now/>
    }
    .into_any()
}

fn row(version: SecretVersion) -> Vec<Cell> {
    let (tone, word) = if version.has_value { (Tone::Good, "there") } else { (Tone::Warn, "none yet") };
    let unknown = || "not known".to_owned();
    vec![
        Cell::Id(version.id),
        Cell::Labels(version.labels),
        version.created.map_or_else(|| Cell::Text(unknown()), |at| Cell::Age(at, None)),
        Cell::Badge(tone, word),
        Cell::Text(version.started_by.unwrap_or_else(unknown)),
    ]
}
