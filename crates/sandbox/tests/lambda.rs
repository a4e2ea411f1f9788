//! Lambda through the real SDK: the control plane's rules, and functions that really run: a
//! bootstrap (`examples/bootstrap.rs`) that does what the event tells it to. And who invokes functions
//! by itself: Secrets Manager, with a rotation function (`examples/rotator.rs`).
#![expect(clippy::unwrap_used, reason = "a test that can't go on should say where")]

#[path = "lambda/control.rs"]
mod control;
#[path = "lambda/embedded.rs"]
mod embedded;
#[path = "lambda/invocations.rs"]
mod invocations;
#[path = "lambda/lifetime.rs"]
mod lifetime;
#[path = "lambda/rotation.rs"]
mod rotation;
#[path = "lambda/rotations.rs"]
mod rotations;
#[path = "lambda/rotations_in_faults.rs"]
mod rotations_in_faults;
#[path = "lambda/rotations_in_time.rs"]
mod rotations_in_time;
#[path = "lambda/trail.rs"]
mod trail;
#[path = "lambda/world.rs"]
mod world;
