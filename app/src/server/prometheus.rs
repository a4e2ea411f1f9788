//! `GET /metrics`: the portal's own figures, for Prometheus (OpenMetrics text).
//!
//! Who may read them is decided as everywhere: a sign-in, or a token with the scope `read`
//! (`authorization: { credentials_file: ... }` in the scrape configuration). Labels are bounded: a route
//! is one of the router's own, never what somebody asked for.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use model::problem::{Problem, ProblemKind};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::App;
use super::answer::Failure;

/// Seconds. A page takes milliseconds where AWS's answers are at hand, and 10 s at most.
const BUCKETS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    route: String,
}

/// The portal's own figures.
pub struct Figures {
    registry: Registry,
    answered: Family<Answered, Counter>,
    took: Family<Of, Histogram, fn() -> Histogram>,
    active: Gauge,
    streams: Gauge,
    uploads: Gauge,
    cloudwatch_calls: Gauge,
    cloudwatch_metrics: Gauge,
    memory: Gauge,
}

impl Default for Figures {
    fn default() -> Self {
        Self::new()
    }
}

impl Figures {
    /// All at nought.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("lockkeeper");
        let answered = Family::<Answered, Counter>::default();
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        let took = Family::<Of, Histogram, fn() -> Histogram>::new_with_constructor(histogram);
        registry.register("http_requests", "Requests that were answered", answered.clone());
        registry.register_with_unit(
            "http_request_duration",
            "From request to answer",
            Unit::Seconds,
            took.clone(),
        );
        let mut gauge = |name: &'static str, help: &'static str| {
            let gauge = Gauge::<i64>::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let (active, streams, uploads) = (
            gauge("http_requests_active", "Requests at work"),
            gauge("event_streams_open", "Pages that listen for something newer"),
            gauge("uploads_active", "Uploads at work"),
        );
        let (cloudwatch_calls, cloudwatch_metrics, memory) = (
            gauge("cloudwatch_calls_this_month", "Calls of GetMetricData in this calendar month (UTC)"),
            gauge("cloudwatch_metrics_this_month", "Metrics asked for in them: what is paid for"),
            gauge("resident_memory_bytes", "Memory of this process that is in use"),
        );
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", build);
        Self {
            registry,
            answered,
            took,
            active,
            streams,
            uploads,
            cloudwatch_calls,
            cloudwatch_metrics,
            memory,
        }
    }

    fn note(&self, method: &Method, route: String, status: u16, took: Duration) {
        self.took.get_or_create(&Of { route: route.clone() }).observe(took.as_secs_f64());
        self.answered.get_or_create(&Answered { method: known(method), route, status }).inc();
    }
}

/// One of the usual methods; whatever else somebody makes up is one more.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

/// Counts a request when it is answered.
pub async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "none".to_owned());
    let method = request.method().clone();
    let begun = Instant::now();
    let response = next.run(request).await;
    app.figures.note(&method, route, response.status().as_u16(), begun.elapsed());
    response
}

/// `GET /metrics`
///
/// # Errors
/// 500 when they can't be written down.
pub async fn scrape(State(app): State<App>) -> Result<Response, Failure> {
    let figures = &app.figures;
    let taken = |all: usize, free: usize| i64::try_from(all.saturating_sub(free)).unwrap_or(i64::MAX);
    figures.active.set(taken(app.limits.requests, app.turns.available_permits()));
    figures.streams.set(taken(app.limits.streams, app.streams.available_permits()));
    figures.uploads.set(taken(app.limits.uploads, app.uploads.available_permits()));
    let cost = app.portal.metrics_cost();
    figures.cloudwatch_calls.set(i64::try_from(cost.calls).unwrap_or(i64::MAX));
    figures.cloudwatch_metrics.set(i64::try_from(cost.metrics).unwrap_or(i64::MAX));
    if let Some(bytes) = resident_bytes() {
        figures.memory.set(bytes);
    }
    let mut text = String::new();
    encode(&mut text, &figures.registry).map_err(|error| {
        tracing::error!(%error, "the portal's own figures can't be written");
        Failure::api(Problem::new(ProblemKind::Internal, "The portal's own figures can't be written."))
    })?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// What the process has in memory, in bytes; none where the system does not say.
pub fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_told() {
        let figures = Figures::new();
        let took = Duration::from_millis(3);
        figures.note(&Method::GET, "/deploys/{id}".to_owned(), 200, took);
        figures.note(&Method::GET, "/deploys/{id}".to_owned(), 200, took);
        figures.note(&Method::from_bytes(b"BREW").unwrap(), "none".to_owned(), 404, took);
        let mut text = String::new();
        encode(&mut text, &figures.registry).unwrap();
        for line in [
            r#"lockkeeper_http_requests_total{method="GET",route="/deploys/{id}",status="200"} 2"#,
            r#"lockkeeper_http_requests_total{method="other",route="none",status="404"} 1"#,
            r#"lockkeeper_http_request_duration_seconds_bucket{le="0.005",route="/deploys/{id}"} 2"#,
            "lockkeeper_event_streams_open 0",
            "# EOF",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    #[test]
    fn memory_is_read() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 1 << 20));
    }
}
