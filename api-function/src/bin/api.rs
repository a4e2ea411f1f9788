//! The function's process: read the configuration, connect, and answer one event after the other.

use std::process::ExitCode;

use api_function::api::Api;
use api_function::config::Config;
use api_function::event;
use api_function::process;
use api_function::time::{Random, system_clock};
use lambda_http::lambda_runtime::Runtime;
use lambda_http::service_fn;

/// The C library of the static build has an allocator that is small and slow.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// One request at a time: a second thread would only cost memory and start-up time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(config) = process::begin(Config::from_env(), |config| config.log_level) else {
        return ExitCode::FAILURE;
    };
    let api = Api::new(config, system_clock(), Random::from_os());
    api.warm_up().await;
    process::end(Runtime::new(service_fn(|event| event::handle(&api, event))).run().await)
}
