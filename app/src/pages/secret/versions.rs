//! The versions of the secret that have a label.

use leptos::prelude::*;
use model::overview::Reading;
use model::rotation::{SecretDetail, SecretVersion};

use super::timeline::age_or;
use crate::components::card::{Card, Freshness, Now, value_or_none};
use crate::components::id::Id;
use crate::components::status::{StatusBadge, Tone};
use crate::components::table::Table;

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
    let rows = versions.into_iter().map(|version| row(version, now));
    view! {
        <Table caption="Versions of the secret" columns=&["Version", "Labels", "Age", "Value", "Started by"] rows=rows.collect()/>
    }
    .into_any()
}

fn row(version: SecretVersion, now: Now) -> Vec<AnyView> {
    let labels = version.labels.into_iter().map(|label| {
        view! { <li class="label" class:label--current=label == "AWSCURRENT">{label.clone()}</li> }
    });
    let (tone, word) = if version.has_value { (Tone::Good, "there") } else { (Tone::Warn, "none yet") };
    vec![
        view! { <Id id=version.id/> }.into_any(),
        view! { <ul class="labels">{labels.collect_view()}</ul> }.into_any(),
        age_or(version.created, now, "not known"),
        view! { <StatusBadge tone label=word/> }.into_any(),
        version.started_by.unwrap_or_else(|| "not known".to_owned()).into_any(),
    ]
}
