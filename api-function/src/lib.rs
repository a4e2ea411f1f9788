//! The LearningHub HTTP API: a Lambda function behind an API Gateway HTTP API, in front of SQL
//! Server.
//!
//! In reading order:
//! - [`config`]: every environment variable, in one place;
//! - [`event`]: from API Gateway's event to a request and back;
//! - [`api`]: a request and its answer; [`report`]: what is left behind of it, with [`metrics`] and
//!   [`trace`];
//! - [`router`]: the table of routes; [`caller`]: whom they let in;
//! - [`routes`]: the routes themselves, one file for each resource;
//! - [`request`], [`body`], [`etag`], [`cursor`], [`response`], [`problem`]: what routes are written
//!   with;
//! - [`sql`]: the one connection to the database and its rules; [`meter`]: what it costs;
//! - [`secret`]: the login it is made with; `secrets_manager`, [`roots`]: whom it is fetched from;
//! - [`rotation`]: the other function of this package, which changes that login's password;
//! - [`process`], [`telemetry`], [`time`]: beginning and end, the log, the clock, the random numbers.
//!
//! # Adding a route
//! Two places: the route's file and the table in [`router::ROUTES`].
//!
//! 1. In the file of its resource under `routes` (or a new one), write a `pub const` of type
//!    [`router::Route`]: method, path (`/courses/{slug}`), what its caller needs, its documentation and
//!    its handler.
//! 2. The handler takes `(&Api, &Request)` and returns a boxed future. Take the path's parameters
//!    with [`request::Request::path`], the query's with [`request::Request::query`] and the body's
//!    members with [`request::Request::json`] and [`body::Fields`]. The last two collect what is wrong;
//!    `finish()?` answers 400 with all of it.
//! 3. Ask the database with [`sql::Database::read`]: fixed texts, put together by [`sql::Statement`],
//!    and bound values. It may be sent twice, so it must not change anything. What does goes through
//!    [`sql::Database::write`], as one batch in one transaction, and says whether it may be repeated.
//! 4. Return [`response::cacheable`] or [`response::private`], with a type of the `model` crate as the
//!    body, or a [`problem::Problem`]. Errors of the database become one with `?`.
//! 5. Name the constant in [`router::ROUTES`]. `HEAD`, 405 with `Allow`, 401 and 403, the deadline, the
//!    log line, the figures and the request id come by themselves.
//! 6. The OpenAPI document is made of the table. The test fails while the committed one is stale;
//!    `LOCKKEEPER_BLESS=1 cargo nextest run --workspace -E 'test(openapi::)'` writes it.

pub mod api;
pub mod body;
pub mod caller;
pub mod config;
pub mod cursor;
pub mod etag;
pub mod event;
pub mod meter;
pub mod metrics;
pub mod problem;
pub mod process;
pub mod report;
pub mod request;
pub mod response;
pub mod roots;
pub mod rotation;
pub mod router;
pub mod routes;
pub mod secret;
mod secrets_manager;
pub mod sql;
pub mod telemetry;
pub mod time;
pub mod trace;
