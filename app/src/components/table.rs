//! A table that nobody has to scroll sideways: where it is narrow, each row becomes a block, and each
//! cell carries its column's name.
//!
//! The style sheet does that by `display`, at which browsers forget that it is a table; the roles say
//! it again.

use leptos::prelude::*;

/// Rows under headings.
#[component]
pub fn Table(
    /// What it is a table of, for those who don't see it.
    caption: &'static str,
    /// The columns' names.
    columns: &'static [&'static str],
    /// Cells, as many in each row as there are columns.
    rows: Vec<Vec<AnyView>>,
) -> impl IntoView {
    let headings = columns.iter().map(|column| view! { <th role="columnheader" scope="col">{*column}</th> });
    let rows = rows.into_iter().map(|cells| {
        let cells = cells.into_iter().zip(columns).map(|(cell, column)| {
            view! { <td role="cell" data-column=*column><div>{cell}</div></td> }
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
