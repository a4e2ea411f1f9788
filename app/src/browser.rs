//! The few things that only a browser has. Called from effects, which run nowhere else; what is here
//! changes between Leptos versions, so it is kept in one place.

use std::time::Duration;

use leptos::prelude::{document, set_interval_with_handle, window_event_listener_untyped};
use model::time::Timestamp;

/// Calls `tick` once a second, for as long as the page stands.
pub fn every_second(tick: impl Fn() + 'static) {
    if let Err(error) = set_interval_with_handle(tick, Duration::from_secs(1)) {
        leptos::logging::error!("no timer: {error:?}");
    }
}

/// Calls `touched` whenever the person presses a key or a button in the page.
pub fn on_touch(touched: impl Fn() + Clone + 'static) {
    for event in ["pointerdown", "keydown"] {
        let touched = touched.clone();
        std::mem::forget(window_event_listener_untyped(event, move |_| touched()));
    }
}

/// Whether nobody can see the page: another tab is in front, or the window is minimised.
pub fn hidden() -> bool {
    document().hidden()
}

/// The browser's clock. Compare it with itself only: it may be wrong.
#[cfg(feature = "hydrate")]
pub fn now() -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 fit")]
    Timestamp(js_sys::Date::now() as i64)
}

/// The server's pages stand still: their ages are counted from the reading's own time.
#[cfg(not(feature = "hydrate"))]
pub fn now() -> Timestamp {
    Timestamp(0)
}
