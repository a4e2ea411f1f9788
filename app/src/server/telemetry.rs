//! The log: what to write and how, and one line for each request.
//!
//! Secrets stay out of it: no header, no body, no query, and of an address not what opens a door.

use std::io::IsTerminal;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::App;
use super::config::ConfigError;
use super::traces::Traces;

/// The request's number in the log, also told to the caller.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Starts the log on stderr, by `LOCKKEEPER_LOG` (default `info`) and `LOCKKEEPER_LOG_FORMAT`
/// (`text`, the default, or `json`), and traces, where a collector is configured ([`super::traces`]). Needs a
/// runtime.
///
/// # Errors
/// When one of the variables is not understood.
pub fn start(lookup: impl Fn(&str) -> Option<String>) -> Result<Traces, ConfigError> {
    let filter = lookup("LOCKKEEPER_LOG").unwrap_or_else(|| "info".to_owned());
    let filter = EnvFilter::builder()
        .parse(filter)
        .map_err(|error| ConfigError { variable: "LOCKKEEPER_LOG", why: error.to_string() })?;
    let log = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let log = match lookup("LOCKKEEPER_LOG_FORMAT").as_deref() {
        None | Some("text") => log.boxed(),
        Some("json") => log.json().boxed(),
        Some(other) => {
            let why = format!("`{other}` is neither text nor json");
            return Err(ConfigError { variable: "LOCKKEEPER_LOG_FORMAT", why });
        }
    };
    let traces = Traces::start(&lookup)?;
    tracing_subscriber::registry().with(filter).with(log).with(traces.layer()).init();
    Ok(traces)
}

/// Numbers a request and writes a line when it is answered.
pub async fn log_requests(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut bytes = [0_u8; 8];
    (app.random)(&mut bytes);
    let id = format!("{:016x}", u64::from_be_bytes(bytes));
    let quiet = is_quiet(request.uri().path());
    let span = tracing::info_span!("request", %id, method = %request.method(), path = loggable(request.uri().path()));
    let begun = (app.clock)();
    let mut response = next.run(request).instrument(span.clone()).await;
    let ms = (app.clock)().0 - begun.0;
    let status = response.status().as_u16();
    span.in_scope(|| match quiet && status < 400 {
        true => tracing::debug!(status, ms, "answered"),
        false => tracing::info!(status, ms, "answered"),
    });
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// What machines ask for all the time, and the files of a page.
fn is_quiet(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz" | "/metrics" | "/api/calls/overview" | "/events")
        || path.ends_with("/fragment")
        || path.starts_with("/pkg/")
}

/// A path without what opens a door.
fn loggable(path: &str) -> &str {
    // The second is what somebody asks for who takes a whole token for its id.
    let hidden = [("/sign-in/link/", "/sign-in/link/..."), ("/api/v1/tokens/lk_", "/api/v1/tokens/lk_...")];
    hidden.into_iter().find(|(begin, _)| path.starts_with(begin)).map_or(path, |(_, shown)| shown)
}

#[cfg(test)]
mod tests {
    use super::loggable;

    #[test]
    fn a_links_token_is_not_logged() {
        assert_eq!(loggable("/sign-in/link/c2VjcmV0"), "/sign-in/link/...");
        assert_eq!(loggable("/api/v1/tokens/lk_0123456789ab_c2VjcmV0"), "/api/v1/tokens/lk_...");
        assert_eq!(loggable("/api/v1/tokens/0123456789ab"), "/api/v1/tokens/0123456789ab");
        assert_eq!(loggable("/sign-in"), "/sign-in");
    }
}
