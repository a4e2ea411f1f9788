//! The rotation function's process: read the configuration, and take one step after the other.
//!
//! Nothing is connected in the init phase: a step that finds itself done already needs no database,
//! and a login too many could lock one.

use std::process::ExitCode;

use api_function::process;
use api_function::rotation::Rotation;
use api_function::rotation::config::RotationConfig;
use api_function::time::{Random, system_clock};
use lambda_http::lambda_runtime::Runtime;
use lambda_http::service_fn;

/// The C library of the static build has an allocator that is small and slow.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// One step at a time: a second thread would only cost memory and start-up time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(config) = process::begin(RotationConfig::from_env(), |config| config.log_level) else {
        return ExitCode::FAILURE;
    };
    let rotation = Rotation::new(config, system_clock(), Random::from_os());
    process::end(Runtime::new(service_fn(|event| rotation.handle(event))).run().await)
}
