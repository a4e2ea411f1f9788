//! An id: short enough to read, and whole for whoever wants to copy it.

use leptos::prelude::*;

use super::words::short_id;

/// The first characters; the whole of it on hovering, and on opening, where one click selects it.
#[component]
pub fn Id(
    /// The whole id.
    id: String,
) -> impl IntoView {
    view! {
        <details class="id">
            <summary title=id.clone()><code>{short_id(&id)}</code></summary>
            <code class="id__whole">{id}</code>
        </details>
    }
}
