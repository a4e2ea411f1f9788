//! Changes of the alias.

use leptos::prelude::*;
use model::deploy::AliasChange;
use model::overview::Reading;

use crate::components::card::{Card, Freshness, Now, value_or_none};
use crate::components::table::{Cell, Table};
use crate::components::words;

/// The newest first.
pub fn region(reading: Reading<Vec<AliasChange>>, now: Now) -> AnyView {
    let freshness = Freshness::from(&reading);
    view! {
        <Card id="history" heading="History" freshness now>
            {value_or_none(reading, move |changes| match changes.is_empty() {
                true => view! { <p class="empty">"CloudTrail has no change of the alias in the time it looks back."</p> }.into_any(),
                false => {
                    let rows = changes.into_iter().map(row).collect();
                    view! {
                        <Table caption="Changes of the alias" columns=&["When", "What", "From", "To", "Share", "Who", "Why"] rows now/>
                    }.into_any()
                }
            })}
        </Card>
    }
    .into_any()
}

fn row(change: AliasChange) -> Vec<Cell> {
    let AliasChange { at, by, by_portal, what, from, to, weight, why } = change;
    let share = weight.map_or_else(
        || "all requests".to_owned(),
        |(version, share)| format!("version {version}: {}", words::share(share)),
    );
    vec![
        Cell::Age(at, None),
        Cell::Text(what),
        Cell::Text(from.unwrap_or_else(|| "not known".to_owned())),
        Cell::Text(to),
        Cell::Text(share),
        Cell::Text(if by_portal { by } else { format!("{by} (outside)") }),
        Cell::Text(why.unwrap_or_else(|| "not said".to_owned())),
    ]
}
