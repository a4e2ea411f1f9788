//! The whole of it: takes a request, has it answered in time, and writes one line about it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lambda_http::{Body, Request as HttpRequest, RequestExt as _};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use crate::config::Config;
use crate::event;
use crate::problem::Problem;
use crate::request::Request;
use crate::response::Response;
use crate::router::{self, PathParameters, ROUTES, Route};
use crate::sql::{Cost, Database, SqlError};
use crate::time::{Clock, Random};

/// An answer is given so long before Lambda ends the invocation.
const MARGIN: Duration = Duration::from_millis(500);
/// No request takes longer, whatever Lambda would allow: API Gateway gives up after 30 seconds.
const LONGEST: Duration = Duration::from_secs(25);
/// So much of the init phase, which ends after 10 seconds, is spent on the first connection.
const WARM_UP: Duration = Duration::from_secs(8);

/// What the routes stand on.
pub struct Api {
    /// The configuration.
    pub config: Config,
    /// The database.
    pub database: Database,
    /// The wall clock.
    pub clock: Clock,
    cold: AtomicBool,
}

impl Api {
    /// The API with this configuration. Nothing is connected yet.
    pub fn new(config: Config, clock: Clock, random: Random) -> Self {
        let database = Database::new(&config, clock.clone(), random);
        Self { config, database, clock, cold: AtomicBool::new(true) }
    }

    /// Makes the first connection during the init phase. A failure is logged and nothing more: the
    /// function has to be there to say what is wrong.
    pub async fn warm_up(&self) {
        let started = Instant::now();
        let deadline = started + WARM_UP;
        let ms = || millis(started.elapsed());
        match timeout_at(deadline, self.database.warm_up(deadline)).await {
            Ok(Ok(())) => tracing::info!(durationMs = ms(), "connected during init"),
            Ok(Err(error)) => tracing::error!(%error, durationMs = ms(), "not connected during init"),
            Err(_) => tracing::error!(durationMs = ms(), "not connected during init in time"),
        }
    }

    /// Answers a request. Never fails: what goes wrong becomes an answer.
    pub async fn answer(&self, request: HttpRequest) -> Response {
        self.respond(&request, None).await
    }

    /// Answers a request that is not to reach a route.
    pub async fn refuse(&self, request: HttpRequest, problem: Problem) -> Response {
        self.respond(&request, Some(problem)).await
    }

    async fn respond(&self, request: &HttpRequest, refusal: Option<Problem>) -> Response {
        let gateway = event::gateway(request);
        let ids = Ids {
            lambda: request.lambda_context_ref().map_or("", |context| &context.request_id),
            gateway: gateway.and_then(|context| context.request_id.as_deref()).unwrap_or_default(),
        };
        // Of the highest level, so that every line of the request has the ids, whatever is filtered.
        let span = tracing::error_span!("request", requestId = ids.lambda, apiRequestId = ids.gateway);
        self.respond_within(request, ids, refusal).instrument(span).await
    }

    async fn respond_within(
        &self,
        request: &HttpRequest,
        ids: Ids<'_>,
        refusal: Option<Problem>,
    ) -> Response {
        let started = Instant::now();
        let cold_start = self.cold.swap(false, Ordering::Relaxed);
        let method = request.method().as_str();
        let mut line = Line { ids, method, started, cold_start, route: None };
        let (route, parameters) = match refusal.map_or_else(|| self.route(request), Err) {
            Ok(found) => found,
            Err(problem) => {
                let response = problem.response(ids.lambda);
                line.write(&response, problem.context(), &Cost::default());
                return without_body_for_head(method, response);
            }
        };
        line.route = Some(format!("{} {}", route.method, route.path));
        let deadline = started + self.time_for(request);
        let query = request.uri().query().unwrap_or_default();
        let request = Request::new(ids.lambda.to_owned(), cold_start, deadline, parameters, query);
        // When the time is up the route's future is dropped, and with it the connection it used.
        let outcome = timeout_at(deadline, (route.handle)(self, &request)).await.unwrap_or_else(|_| {
            let detail = "Reason: the answer would have come too late.";
            Err(Problem::unavailable(detail, Duration::from_secs(2)).with_context("out of time"))
        });
        let (response, error) = match outcome {
            Ok(response) => (response, None),
            Err(problem) => (problem.response(ids.lambda), problem.context().map(str::to_owned)),
        };
        line.write(&response, error.as_deref(), &request.meter.cost());
        without_body_for_head(method, response)
    }

    fn route(&self, request: &HttpRequest) -> Result<(&'static Route, PathParameters), Problem> {
        let path = event::path(request);
        let stage = event::gateway(request).and_then(|context| context.stage.as_deref());
        let path = router::path_of(&path, stage.unwrap_or_default(), &self.config.path_prefix);
        router::find(ROUTES, request.method().as_str(), path)
    }

    /// How long a request may take: what Lambda leaves, less the margin.
    fn time_for(&self, request: &HttpRequest) -> Duration {
        // Zero where there is no Lambda, in tests.
        let deadline = request.lambda_context_ref().map_or(0, |context| context.deadline);
        if deadline == 0 {
            return LONGEST;
        }
        let now = u64::try_from((self.clock)().timestamp_millis()).unwrap_or(0);
        Duration::from_millis(deadline.saturating_sub(now)).saturating_sub(MARGIN).min(LONGEST)
    }
}

/// HEAD is answered as GET is, less the body (RFC 9110, 9.3.2).
fn without_body_for_head(method: &str, mut response: Response) -> Response {
    if method == "HEAD" {
        *response.body_mut() = Body::Empty;
    }
    response
}

/// Milliseconds, with three places.
pub fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// What a request is called.
#[derive(Clone, Copy)]
struct Ids<'a> {
    /// By Lambda.
    lambda: &'a str,
    /// By API Gateway, whose access log has it too.
    gateway: &'a str,
}

/// The line that is written about a request.
struct Line<'a> {
    ids: Ids<'a>,
    method: &'a str,
    started: Instant,
    cold_start: bool,
    route: Option<String>,
}

impl Line<'_> {
    fn write(&self, response: &Response, error: Option<&str>, cost: &Cost) {
        macro_rules! line {
            ($level:ident, $($extra:tt)*) => {
                tracing::$level!(
                    requestId = self.ids.lambda,
                    apiRequestId = self.ids.gateway,
                    method = self.method,
                    route = self.route.as_deref(),
                    status = response.status().as_u16(),
                    durationMs = millis(self.started.elapsed()),
                    sqlMs = millis(cost.time),
                    sqlRoundTrips = cost.round_trips,
                    sqlConnects = cost.connects,
                    coldStart = self.cold_start,
                    secretVersion = cost.secret_version.as_deref(),
                    $($extra)*
                )
            };
        }
        match response.status().as_u16() {
            ..500 => line!(info, "request"),
            500 => line!(error, error, "request"),
            _ => line!(warn, error, "request"),
        }
    }
}

/// The reason for people outside, and the answer's error for the log: what a route says when it
/// answers without the database instead of failing.
pub fn log_unavailable(error: &SqlError) -> &'static str {
    tracing::warn!(%error, "the database is not available");
    error.reason()
}
