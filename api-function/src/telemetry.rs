//! The log: one JSON object a line on standard output, which is what CloudWatch Logs takes apart.
//!
//! Every line has `timestamp`, `level` and `message`; lines of a request also have `span.requestId`
//! (Lambda's) and `span.apiRequestId` (API Gateway's). The line with the message `request` has them
//! at the top, with `method`, `route`, `status`, `durationMs`, `sqlMs`, `sqlRoundTrips`,
//! `sqlConnects`, `coldStart`, `secretVersion` (the first 8 characters) and, from 500 on, `error`;
//! what does not apply is absent.
//!
//! The configured level is that of this function. The libraries underneath are held to warnings,
//! whatever is configured: at DEBUG and TRACE they write whole requests and answers, the secret's
//! among them.

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

/// What writes the log. `level` is the least severe that is written.
pub fn subscriber<W>(level: LevelFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("api_function", level)
        .with_target("api", level);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_writer(writer);
    tracing_subscriber::registry().with(lines.with_filter(filter))
}
