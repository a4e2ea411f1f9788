//! What happened meanwhile, as a list: what the charts' signs stand for.

use leptos::prelude::*;

use super::chart::{Frame, kind_class, sign};
use super::times;

/// More than this, and the rest is counted.
const MOST: usize = 12;

/// The list; nothing where nothing happened.
pub fn list(frame: &Frame) -> AnyView {
    let count = frame.marks.len();
    if count == 0 {
        return ().into_any();
    }
    let skipped = count.saturating_sub(MOST);
    let items = frame.marks.iter().skip(skipped).map(|mark| {
        let at = times::minute(mark.at, frame.zone);
        let class = format!("meanwhile__sign {}", kind_class(mark.kind));
        view! {
            <li>
                <span class=class aria-hidden="true">{sign(mark.kind)}</span>
                <time datetime=times::iso(mark.at, frame.zone)>{at.get(5..).unwrap_or_default().to_owned()}</time>
                {" "}{mark.label.clone()}
            </li>
        }
    });
    let before = (skipped > 0).then(|| view! { <li>{format!("and {skipped} before")}</li> });
    view! {
        <div class="meanwhile">
            <h2 class="meanwhile__head">"Meanwhile"</h2>
            <ul>{before}{items.collect_view()}</ul>
        </div>
    }
    .into_any()
}
