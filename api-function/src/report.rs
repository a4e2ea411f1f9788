//! What is left behind of a request: a line in the log, its figures for CloudWatch, and its calls in
//! the trace.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::api::millis;
use crate::config::Config;
use crate::meter::{Cost, SpanKind};
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

/// What an answer from 500 on comes from: what the log says in a word that programs compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The secret could not be read, or not be used.
    Secret,
    /// The database: out of reach, refused, broken, too slow.
    Sql,
    /// The request's time was up, and nothing else had failed by then.
    Time,
    /// This function itself.
    Function,
}

impl Cause {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Sql => "sql",
            Self::Time => "time",
            Self::Function => "function",
        }
    }
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
    /// What it comes from, where it is 500 or more and that is known.
    pub cause: Option<Cause>,
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

    /// What it comes from. A request whose time was up is blamed on what had failed it last, if anything
    /// had.
    fn blamed(&self) -> Cause {
        match self.cause.unwrap_or(Cause::Function) {
            Cause::Time => {
                self.cost.spans.iter().rev().find(|span| span.failed).map_or(Cause::Time, |span| {
                    match span.kind {
                        SpanKind::Secret => Cause::Secret,
                        SpanKind::Connect | SpanKind::Sql => Cause::Sql,
                    }
                })
            }
            cause => cause,
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
        let cause = self.blamed();
        // SQL Server's number of what it refused last.
        let number = self.cost.errors.last().filter(|_| cause == Cause::Sql).copied();
        let cause = cause.name();
        match self.status {
            ..500 => line!(info, "request"),
            500 => line!(error, error, cause, sqlError = number, "request"),
            _ => line!(warn, error, cause, sqlError = number, "request"),
        }
    }
}
