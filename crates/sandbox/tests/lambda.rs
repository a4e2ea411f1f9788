//! Lambda through the real SDK: the control plane's rules, and functions that really run: a
//! bootstrap (`examples/bootstrap.rs`) that does what the event tells it to.
#![expect(clippy::unwrap_used, reason = "a test that can't go on should say where")]

#[path = "lambda/control.rs"]
mod control;
#[path = "lambda/embedded.rs"]
mod embedded;
#[path = "lambda/invocations.rs"]
mod invocations;
#[path = "lambda/lifetime.rs"]
mod lifetime;
#[path = "lambda/world.rs"]
mod world;
