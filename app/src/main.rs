//! The portal's program: the clock, random numbers and the command line. All else is in the library.

use std::process::ExitCode;
use std::sync::Arc;

use app::server::commands::{self, Cli};
use clap::Parser;
use model::time::Timestamp;
use operations::{Clock, Random};
use rand::TryRngCore;
use rand::rngs::OsRng;

#[tokio::main]
async fn main() -> ExitCode {
    commands::run(Cli::parse(), system_clock(), system_random()).await
}

#[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is given")]
fn system_clock() -> Clock {
    Arc::new(|| Timestamp(chrono::Utc::now().timestamp_millis()))
}

/// The operating system's generator. It fails only where the system has none; better no portal than
/// one with guessable sessions.
#[expect(clippy::expect_used, reason = "there is no safe way on without random numbers")]
fn system_random() -> Random {
    Arc::new(|bytes| OsRng.try_fill_bytes(bytes).expect("the operating system gives random numbers"))
}
