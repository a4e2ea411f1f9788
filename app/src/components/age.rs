//! How old something is, counting on by itself where the page is awake.

use leptos::prelude::*;
use model::time::{Timestamp, in_words};

use super::words;

/// `12 s ago`, or `in 3 d 4 h` for what lies ahead; the point in time itself on hovering.
#[component]
pub fn Age(
    /// When it was, or will be.
    at: Timestamp,
    /// The present.
    #[prop(into)]
    now: Signal<Timestamp>,
) -> impl IntoView {
    view! {
        <time class="age" datetime=words::iso(at) title=words::utc(at)>
            {move || relative(at, now.get())}
        </time>
    }
}

/// The words of an age.
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    // Clocks differ by a little: what is a few seconds ahead is now.
    if at.0 > now.0 + 5_000 {
        return format!("in {}", in_words(now.age_seconds(at)));
    }
    match at.age_seconds(now) {
        0 => "now".to_owned(),
        seconds => format!("{} ago", in_words(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_and_future_read_well() {
        let now = Timestamp(1_000_000);
        let table = [
            (1_000_000, "now"),
            (999_001, "now"),
            (988_000, "12 s ago"),
            (1_004_000, "now"),
            (1_090_000, "in 1 min"),
            (1_000_000 + 273_600_000, "in 3 d 4 h"),
        ];
        for (at, text) in table {
            assert_eq!(relative(Timestamp(at), now), text);
        }
    }
}
