//! Operations and readings on the demo world: the real SDK, the real functions, and faults at the wire.

#![expect(clippy::expect_used, reason = "a test that can't go on should say where")]

mod alarms;
mod deploy;
mod deploy_faults;
mod errors;
mod logs;
mod lookup;
mod metrics;
mod overview;
mod rotation;
mod rotation_faults;
mod watch;
#[path = "../../../sandbox/tests/world/mod.rs"]
mod world;
