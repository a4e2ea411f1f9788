//! What keeps a page without islands fresh: the script, and the bar it writes into.
//!
//! The page's part that is read stands in `<div id="live">`, with `data-from` (where it is had anew, as
//! HTML), `data-every` (how often, in milliseconds) and `data-events` (where the server says that there is
//! something newer); with `data-now` (the server's clock, in milliseconds since 1970) its ages count on
//! between two answers.
//!
//! What has an id is found again. A form with `data-hold` is let be while somebody is at it, and what has
//! `data-hold="always"` in any case: but for the parts in it that are marked `data-follow` and have an id.
//! These follow, with `data-follow="once"` only as long as they are empty.

use leptos::prelude::*;

/// The script.
pub const LIVE_SCRIPT: &str = include_str!("live.js");

/// As on the page that is an island; the script finds its parts by their `data-refresh`. Without
/// JavaScript the link loads the page, which is at `address`, anew.
pub fn refresh_bar(address: String) -> impl IntoView {
    view! {
        <div class="refresh">
            <p class="refresh__age" data-refresh="age">"As of now"</p>
            <button class="button button--quiet needs-script" type="button" data-refresh="pause">"Pause"</button>
            <a class="button button--quiet" href=address data-refresh="now">"Refresh"</a>
        </div>
        <div class="refresh-state" role="status" data-refresh="state"></div>
    }
}
