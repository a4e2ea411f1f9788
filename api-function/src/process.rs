//! What both functions' processes begin and end with: the log, and how the runtime ended.

use std::process::ExitCode;

use lambda_http::Error;
use tracing::level_filters::LevelFilter;

use crate::config::ConfigError;
use crate::telemetry;

/// Begins to log on standard output, at the level that the configuration says, and hands the
/// configuration on; none when the process has to end, and then the log says why.
pub fn begin<C>(config: Result<C, ConfigError>, level: impl FnOnce(&C) -> LevelFilter) -> Option<C> {
    let level = config.as_ref().map_or(LevelFilter::INFO, level);
    tracing::subscriber::set_global_default(telemetry::subscriber(level, std::io::stdout)).ok()?;
    // Lambda reports the exit as an init error; this line says why.
    config
        .inspect_err(|error| {
            tracing::error!(variable = error.variable, reason = error.reason, "bad configuration");
        })
        .ok()
}

/// What the process exits with when Lambda's runtime has ended.
pub fn end(outcome: Result<(), Error>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the runtime ended");
            ExitCode::FAILURE
        }
    }
}
