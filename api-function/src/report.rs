//! What is left behind of a request: a line in the log, its figures for CloudWatch, and its calls in
//! the trace.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::api::millis;
use crate::config::Config;
use crate::meter::Cost;
use crate::metrics;
use crate::router::Route;
use crate::trace::Tracer;

/// What a request is called.
#[derive(Debug, Clone, Copy)]
pub struct Ids<'a> {
    /// By Lambda.
    pub lambda: &'a str,
    /// By API Gateway, whose access log has it too.
    pub gateway: &'a str,
}

/// A request that has been answered.
#[derive(Debug)]
pub struct Report<'a> {
    /// What it is called.
    pub ids: Ids<'a>,
    /// Its method.
    pub method: &'a str,
    /// Its route, if one was found.
    pub route: Option<&'static Route>,
    /// How long its answer took, on the clock that only goes forward.
    pub took: Duration,
    /// When it began, on the wall clock.
    pub at: DateTime<Utc>,
    /// Whether it was the environment's first.
    pub cold_start: bool,
    /// The answer's status.
    pub status: u16,
    /// What it cost.
    pub cost: &'a Cost,
}

impl Report<'_> {
    /// Writes all three. `error` is for the log only.
    pub fn write(&self, error: Option<&str>, config: &Config, tracer: Option<&Tracer>, trace: Option<&str>) {
        let route = self.route.map(|route| format!("{} {}", route.method, route.path));
        self.line(route.as_deref(), error);
        metrics::write(self, route.as_deref(), &config.function_name, &config.function_version);
        if let (Some(tracer), Some(trace)) = (tracer, trace) {
            tracer.tell(trace, &self.cost.spans);
        }
    }

    fn line(&self, route: Option<&str>, error: Option<&str>) {
        macro_rules! line {
            ($level:ident, $($extra:tt)*) => {
                tracing::$level!(
                    requestId = self.ids.lambda,
                    apiRequestId = self.ids.gateway,
                    method = self.method,
                    route,
                    status = self.status,
                    durationMs = millis(self.took),
                    sqlMs = millis(self.cost.time),
                    sqlRoundTrips = self.cost.round_trips,
                    sqlConnects = self.cost.connects,
                    coldStart = self.cold_start,
                    secretVersion = self.cost.secret_version.as_deref(),
                    $($extra)*
                )
            };
        }
        match self.status {
            ..500 => line!(info, "request"),
            500 => line!(error, error, "request"),
            _ => line!(warn, error, "request"),
        }
    }
}
