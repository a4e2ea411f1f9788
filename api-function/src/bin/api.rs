//! The function's process: read the configuration, connect, and answer one event after the other.

use std::process::ExitCode;

use api_function::api::Api;
use api_function::config::Config;
use api_function::event;
use api_function::telemetry;
use api_function::time::{Random, system_clock};
use lambda_http::lambda_runtime::Runtime;
use lambda_http::service_fn;
use tracing::level_filters::LevelFilter;

/// The C library of the static build has an allocator that is small and slow.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// One request at a time: a second thread would only cost memory and start-up time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let config = Config::from_env();
    let level = config.as_ref().map_or(LevelFilter::INFO, |config| config.log_level);
    if tracing::subscriber::set_global_default(telemetry::subscriber(level, std::io::stdout)).is_err() {
        return ExitCode::FAILURE;
    }
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            // Lambda reports the exit as an init error; this line says why.
            tracing::error!(variable = error.variable, reason = error.reason, "bad configuration");
            return ExitCode::FAILURE;
        }
    };
    let api = Api::new(config, system_clock(), Random::from_os());
    api.warm_up().await;
    match Runtime::new(service_fn(|event| event::handle(&api, event))).run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the runtime ended");
            ExitCode::FAILURE
        }
    }
}
