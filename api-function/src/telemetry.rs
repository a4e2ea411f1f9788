//! The log: one JSON object a line on standard output, which is what CloudWatch Logs takes apart.
//!
//! Every line has `timestamp`, `level` and `message`; lines of a request also have `span.requestId`
//! (Lambda's) and `span.apiRequestId` (API Gateway's). The line with the message `request` has them
//! at the top, with `method`, `route`, `status`, `durationMs`, `sqlMs`, `sqlRoundTrips`,
//! `sqlConnects`, `coldStart`, `secretVersion` (the first 8 characters) and, from 500 on, `error`, `cause`
//! (`secret`, `sql`, `time` or `function`) and `sqlError` (SQL Server's number of what it refused last);
//! what does not apply is absent. The portal's blame reads `cause` and `sqlError`.
//!
//! Lines with the member `_aws` are figures for CloudWatch (see [`crate::metrics`]); they are written as
//! they are, at any level.
//!
//! The configured level is that of this function. The libraries underneath are held to warnings,
//! whatever is configured: at DEBUG and TRACE they write whole requests and answers, the secret's
//! among them.

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;

use crate::metrics;

/// What writes the log. `level` is the least severe that is written.
pub fn subscriber<W>(level: LevelFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Clone + Send + Sync + 'static,
{
    let filter = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("api_function", level)
        .with_target(metrics::TARGET, LevelFilter::OFF);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_writer(writer.clone());
    let figures = tracing_subscriber::fmt::layer().event_format(AsItIs).with_writer(writer);
    let only_figures = Targets::new().with_target(metrics::TARGET, LevelFilter::TRACE);
    tracing_subscriber::registry().with(lines.with_filter(filter)).with(figures.with_filter(only_figures))
}

/// Writes the field `line` of an event and nothing else.
struct AsItIs;

impl<S, N> FormatEvent<S, N> for AsItIs
where
    S: Subscriber + for<'l> LookupSpan<'l>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let mut line = Line(String::new());
        event.record(&mut line);
        writeln!(writer, "{}", line.0)
    }
}

struct Line(String);

impl Visit for Line {
    fn record_str(&mut self, _: &Field, value: &str) {
        value.clone_into(&mut self.0);
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
