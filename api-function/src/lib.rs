//! The LearningHub HTTP API: a Lambda function behind an API Gateway HTTP API, in front of SQL
//! Server.
//!
//! In reading order:
//! - [`config`]: every environment variable, in one place;
//! - [`event`]: from API Gateway's event to a request and back;
//! - [`api`]: a request, its answer and its line in the log;
//! - [`router`]: the table of routes;
//! - [`routes`]: the routes themselves, one file for each resource;
//! - [`request`], [`response`], [`problem`], [`cursor`]: what routes are written with;
//! - [`sql`]: the one connection to the database and its rules;
//! - [`secret`]: the login it is made with;
//! - [`telemetry`], [`time`]: the log, the clock, the random numbers.
//!
//! # Adding a route
//! Two places: the route's file and the table in [`router::ROUTES`].
//!
//! 1. In the file of its resource under `routes` (or a new one), write a `pub const` of type
//!    [`router::Route`] with method, path (`/courses/{slug}`) and handler.
//! 2. The handler takes `(&Api, &Request)` and returns a boxed future. Take the path's parameters
//!    with [`request::Request::path`] and the query's with [`request::Request::query`], which collects
//!    what is wrong; `finish()?` answers 400 with all of it.
//! 3. Ask the database with [`sql::Database::read`]: a fixed text with `@P1`, `@P2` ... and bound
//!    values. It may be sent twice, so it must not change anything.
//! 4. Return [`response::json`], with a type of the `model` crate as its body, or a
//!    [`problem::Problem`]. Errors of the database become one with `?`.
//! 5. Name the constant in [`router::ROUTES`]. `HEAD`, 405 with `Allow`, the deadline, the log line
//!    and the request id come by themselves.

pub mod api;
pub mod config;
pub mod cursor;
pub mod event;
pub mod problem;
pub mod request;
pub mod response;
pub mod router;
pub mod routes;
pub mod secret;
pub mod sql;
pub mod telemetry;
pub mod time;
