//! The portal: what admins see and use. Server-rendered pages in which a few parts ("islands") wake
//! up in the browser; everything works without JavaScript, only less lively.
//!
//! One package, built twice: for the server (feature `ssr`, the default) and for the browser
//! (feature `hydrate`, wasm32). What stands without a mark below is in both.
//!
//! - [`pages`]: one module per screen, and the frame around them;
//! - [`components`]: what pages share;
//! - [`calls`]: what the browser part asks of the server;
//! - [`browser`]: the few things only a browser has (timers, visibility);
//! - `server` (server only): HTTP, sessions, accounts, the operations API;
//! - `client` (not in the browser either): that API from the command line.

// A view's type holds the types of all that it holds.
#![recursion_limit = "512"]

pub mod browser;
pub mod calls;
#[cfg(feature = "ssr")]
pub mod client;
pub mod components;
pub mod pages;
#[cfg(feature = "ssr")]
pub mod server;

/// Makes the browser part ready; the frame's script calls it once, and then wakes each island.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_islands();
}
