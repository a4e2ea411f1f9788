//! A table that nobody has to scroll sideways: where it is narrow, each row becomes a block, and each
//! cell carries its column's name.
//!
//! The style sheet does that by `display`, at which browsers forget that it is a table; the roles say
//! it again.

use leptos::prelude::*;
use model::time::Timestamp;

use super::age::Age;
use super::card::Now;
use super::id::Id;
use super::status::{StatusBadge, Tone};

/// What stands in a cell. One type for all tables: each kind of view that a page makes up for itself
/// is code of its own in the browser's program.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A name that a program knows.
    Code(String),
    /// An id.
    Id(String),
    /// Version stages.
    Labels(Vec<String>),
    /// A point in time, and what it leads to.
    Age(Timestamp, Option<String>),
    /// A verdict.
    Badge(Tone, &'static str),
}

/// Rows under headings.
#[component]
pub fn Table(
    /// What it is a table of, for those who don't see it.
    caption: &'static str,
    /// The columns' names.
    columns: &'static [&'static str],
    /// Cells, as many in each row as there are columns.
    rows: Vec<Vec<Cell>>,
    /// The present.
    now: Now,
) -> impl IntoView {
    let headings = columns.iter().map(|column| view! { <th role="columnheader" scope="col">{*column}</th> });
    let rows = rows.into_iter().map(|cells| {
        let cells = cells.into_iter().zip(columns).map(|(cell, column)| {
            view! { <td role="cell" data-column=*column><div>{content(cell, now)}</div></td> }
        });
        view! { <tr role="row">{cells.collect_view()}</tr> }
    });
    view! {
        <table class="table" role="table">
            <caption class="unseen">{caption}</caption>
            <thead role="rowgroup"><tr role="row">{headings.collect_view()}</tr></thead>
            <tbody role="rowgroup">{rows.collect_view()}</tbody>
        </table>
    }
}

fn content(cell: Cell, now: Now) -> AnyView {
    match cell {
        Cell::Text(text) => text.into_any(),
        Cell::Code(text) => view! { <code>{text}</code> }.into_any(),
        Cell::Id(id) => view! { <Id id/> }.into_any(),
        Cell::Labels(labels) => {
            let labels = labels.into_iter().map(|label| {
                view! { <li class="label" class:label--current=label == "AWSCURRENT">{label.clone()}</li> }
            });
            view! { <ul class="labels">{labels.collect_view()}</ul> }.into_any()
        }
        Cell::Age(at, None) => view! { <Age at now/> }.into_any(),
        Cell::Age(at, Some(address)) => view! { <a href=address><Age at now/></a> }.into_any(),
        Cell::Badge(tone, label) => view! { <StatusBadge tone label/> }.into_any(),
    }
}
