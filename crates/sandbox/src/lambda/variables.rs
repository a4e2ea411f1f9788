//! The variables an execution environment is given: those AWS sets, then the configured ones.
//!
//! Left out on purpose: `LAMBDA_RUNTIME_DIR` (there is no such folder here).

use std::path::Path;

use super::Spec;
use crate::context::Context;

const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const MIXED: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/+";

/// The variables of a new environment, in the order in which they are set: later ones win.
pub(super) fn variables(
    context: &Context,
    spec: &Spec,
    endpoint_url: &str,
    runtime_api: &str,
    log_stream: &str,
    trace: &str,
) -> Vec<(String, String)> {
    let root = spec.task_root.to_string_lossy();
    let libraries = Path::new(&*spec.task_root).join("lib");
    let mut all: Vec<(String, String)> = [
        ("AWS_REGION", context.region.as_str()),
        ("AWS_DEFAULT_REGION", context.region.as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", spec.function.as_str()),
        ("AWS_LAMBDA_FUNCTION_VERSION", spec.version.as_str()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &spec.memory.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", spec.logs.group.as_str()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream),
        ("AWS_LAMBDA_RUNTIME_API", runtime_api),
        ("AWS_ACCESS_KEY_ID", &format!("ASIA{}", context.random.text(LETTERS, 16))),
        ("AWS_SECRET_ACCESS_KEY", &context.random.text(MIXED, 40)),
        ("AWS_SESSION_TOKEN", &context.random.text(MIXED, 120)),
        ("AWS_ENDPOINT_URL", endpoint_url),
        ("LAMBDA_TASK_ROOT", &root),
        ("_HANDLER", spec.handler.as_str()),
        ("_X_AMZN_TRACE_ID", trace),
        ("LANG", "en_US.UTF-8"),
        ("TZ", ":UTC"),
        ("PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin"),
        ("LD_LIBRARY_PATH", &format!("{root}:{}", libraries.display())),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    if let Some(daemon) = spec.xray_daemon {
        all.push(("AWS_XRAY_DAEMON_ADDRESS".to_owned(), daemon.to_string()));
        all.push(("AWS_XRAY_CONTEXT_MISSING".to_owned(), "LOG_ERROR".to_owned()));
    }
    if let Some(levels) = &spec.logs.json {
        all.push(("AWS_LAMBDA_LOG_FORMAT".to_owned(), "JSON".to_owned()));
        all.push(("AWS_LAMBDA_LOG_LEVEL".to_owned(), levels.application.clone()));
    }
    all.extend(spec.environment.iter().map(|(name, value)| (name.clone(), value.clone())));
    all
}
