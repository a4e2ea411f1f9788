//! Rotations of the past, and who uses the secret.

use leptos::prelude::*;
use model::overview::Reading;
use model::rotation::{PastOutcome, PastRotation, SecretUser};

use super::timeline::{NOBODY_KNOWN, address, took};
use crate::components::card::{Card, Freshness, Now, value_or_none};
use crate::components::status::Tone;
use crate::components::table::{Cell, Table};

/// The newest first, each with a link to its steps where its id is known.
pub fn region(reading: Reading<Vec<PastRotation>>, now: Now) -> AnyView {
    let freshness = Freshness::from(&reading);
    view! {
        <Card id="history" heading="History" freshness now>
            {value_or_none(reading, move |past| match past.is_empty() {
                true => view! { <p class="empty">"CloudTrail has no rotation of this secret in the time it looks back."</p> }.into_any(),
                false => {
                    let rows = past.into_iter().map(row).collect();
                    view! {
                        <Table caption="Rotations of the past" columns=&["Started", "Took", "Outcome", "By", "Error"] rows now/>
                    }.into_any()
                }
            })}
        </Card>
    }
    .into_any()
}

fn row(rotation: PastRotation) -> Vec<Cell> {
    let PastRotation { token, started_by, started, ended, outcome, error } = rotation;
    let (tone, word) = match outcome {
        PastOutcome::Open => (Tone::Unknown, "No end is known"),
        PastOutcome::Succeeded => (Tone::Good, "Rotated"),
        PastOutcome::Failed => (Tone::Bad, "Failed"),
        PastOutcome::Abandoned => (Tone::Warn, "Abandoned"),
    };
    vec![
        Cell::Age(started, token.map(|token| address(&token))),
        Cell::Text(took(Some(started), ended)),
        Cell::Badge(tone, word),
        Cell::Text(started_by.unwrap_or_else(|| NOBODY_KNOWN.to_owned())),
        Cell::Text(error.unwrap_or_else(|| "none".to_owned())),
    ]
}

/// The functions that name the secret.
pub fn users(reading: Reading<Vec<SecretUser>>, now: Now) -> AnyView {
    let freshness = Freshness::from(&reading);
    view! {
        <Card id="users" heading="Used by" freshness now>
            {value_or_none(reading, move |users| match users.is_empty() {
                true => view! { <p class="empty">"No function of this stack names the secret in its environment."</p> }.into_any(),
                false => {
                    let cells = |user: SecretUser| vec![Cell::Text(user.function), Cell::Code(user.variable)];
                    let rows = users.into_iter().map(cells).collect();
                    view! {
                        <Table caption="Functions that use the secret" columns=&["Function", "Variable"] rows now/>
                    }.into_any()
                }
            })}
        </Card>
    }
    .into_any()
}
