//! The whole of it: takes a request, has it answered in time, and writes one line about it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lc_rs::hmac::Key as CursorKey;
use lambda_http::{Body, Request as HttpRequest, RequestExt as _};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use crate::caller;
use crate::config::Config;
use crate::cursor::Cursors;
use crate::event;
use crate::meter::{Cost, Meter};
use crate::problem::Problem;
use crate::report::{Cause, Ids, Report};
use crate::request::Request;
use crate::response::Response;
use crate::router::{self, PathParameters, ROUTES, Route};
use crate::sql::row::column;
use crate::sql::{Database, SqlError, Statement};
use crate::time::{Clock, Random};
use crate::trace::Tracer;

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
    cursor_key: OnceCell<CursorKey>,
    tracer: Option<Tracer>,
    cold: AtomicBool,
}

impl Api {
    /// The API with this configuration. Nothing is connected yet.
    pub fn new(config: Config, clock: Clock, random: Random) -> Self {
        let database = Database::new(&config, clock.clone(), random.clone());
        let tracer = config.xray_daemon.and_then(|daemon| Tracer::new(daemon, random));
        let cold = AtomicBool::new(true);
        Self { config, database, clock, cursor_key: OnceCell::new(), tracer, cold }
    }

    /// Makes the first connection during the init phase. A failure is logged and nothing more: the
    /// function has to be there to say what is wrong.
    pub async fn warm_up(&self) {
        let started = Instant::now();
        let deadline = started + WARM_UP;
        let ms = || millis(started.elapsed());
        let connecting = async {
            self.database.warm_up(deadline).await?;
            // So that no request has to. What fails here is tried again by the first that needs it.
            if let Err(error) = self.cursor_key(&Meter::default(), deadline).await {
                tracing::error!(%error, "the key of the cursors was not read");
            }
            Ok::<_, SqlError>(())
        };
        match timeout_at(deadline, connecting).await {
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
        let cold_start = self.cold.swap(false, Ordering::Relaxed);
        let (started, at) = (Instant::now(), (self.clock)());
        let method = request.method().as_str();
        let found = match refusal {
            None => self.find(request).map(|(route, parameters)| {
                (route, parameters, caller::check(event::gateway(request), route.needs))
            }),
            Some(problem) => Err(problem),
        };
        let (route, outcome, cost) = match found {
            Err(problem) => (None, Err(problem), Cost::default()),
            Ok((route, _, Err(problem))) => (Some(route), Err(problem), Cost::default()),
            Ok((route, parameters, Ok(subject))) => {
                let deadline = started + self.time_for(request);
                let query = request.uri().query().unwrap_or_default();
                let request = Request::new(ids.lambda.to_owned(), cold_start, deadline, parameters, query)
                    .with(subject, request.headers(), request.body());
                let outcome = self.carry_out(route, &request).await;
                (Some(route), outcome, request.meter.cost())
            }
        };
        let (response, error, cause) = match outcome {
            Ok(response) => {
                let cause = response.extensions().get::<Cause>().copied();
                (response, None, cause)
            }
            Err(problem) => {
                (problem.response(ids.lambda), problem.context().map(str::to_owned), problem.cause())
            }
        };
        let trace = request.lambda_context_ref().and_then(|context| context.xray_trace_id.as_deref());
        Report {
            ids,
            method,
            route,
            took: started.elapsed(),
            at,
            cold_start,
            status: response.status().as_u16(),
            cause,
            cost: &cost,
        }
        .write(error.as_deref(), &self.config, self.tracer.as_ref(), trace);
        without_body_for_head(method, response)
    }

    /// The route of a request, and its path's parameters.
    fn find(&self, request: &HttpRequest) -> Result<(&'static Route, PathParameters), Problem> {
        let path = event::path(request);
        let stage = event::gateway(request).and_then(|context| context.stage.as_deref());
        let path = router::path_of(&path, stage.unwrap_or_default(), &self.config.path_prefix);
        router::find(ROUTES, request.method().as_str(), path)
    }

    /// Has the route answer within the request's time. When that is up the route's future is dropped,
    /// and with it the connection it used.
    async fn carry_out(&self, route: &Route, request: &Request) -> Result<Response, Problem> {
        timeout_at(request.deadline, (route.handle)(self, request)).await.unwrap_or_else(|_| {
            let detail = match route.method {
                "GET" => "Reason: the answer would have come too late.",
                _ => "Reason: the answer would have come too late. Look whether the change was made before you repeat it.",
            };
            Err(Problem::unavailable(detail, Duration::from_secs(2)).with_context("out of time").caused_by(Cause::Time))
        })
    }

    /// The key of the cursors, read from the database once.
    ///
    /// # Errors
    /// Why it could not be read.
    pub async fn cursor_key(&self, meter: &Meter, deadline: Instant) -> Result<&CursorKey, SqlError> {
        self.cursor_key
            .get_or_try_init(|| async {
                let statement = Statement::new("SELECT TOP (1) value FROM dbo.cursor_keys ORDER BY id DESC");
                let answer = self.database.read(&statement, meter, deadline).await?;
                let row =
                    answer.first(0).ok_or_else(|| SqlError::Shape("there is no cursor key".to_owned()))?;
                Ok(Cursors::key(column::<&[u8]>(row, "value")?))
            })
            .await
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

/// The reason for people outside, and the answer's error for the log: what a route says when it
/// answers without the database instead of failing.
pub fn log_unavailable(error: &SqlError) -> &'static str {
    tracing::warn!(%error, "the database is not available");
    error.reason()
}
