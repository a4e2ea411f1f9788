//! A local AWS and a local TDS server in which the very same portal and the very same function
//! binaries run with no account, no container engine and no database product.
//!
//! The sandbox knows the wire and nothing of the portal: whoever uses it does so over HTTP, over
//! TDS, or, in tests, by starting it with [`Sandbox::start`]. Where AWS is strict the sandbox is
//! strict, and what it does not know it refuses by name; it never answers with an empty success.
//!
//! In reading order:
//! - [`context`]: the clock, the random numbers and the identity everything else is given;
//! - [`persisted`]: state that survives a restart;
//! - [`faults`]: what is to go wrong, and when;
//! - [`aws`]: one port that speaks AWS's five protocols and hands calls to the services;
//! - [`services`]: STS, Secrets Manager with its rotations, CloudTrail's event history, CloudWatch,
//!   CloudWatch Logs, X-Ray, S3 as far as code comes from there, Lambda's and API Gateway's control
//!   planes;
//! - [`lambda`]: execution environments, which are child processes with a Runtime API each;
//! - [`gateway`]: the HTTP API's data plane, and the token issuer;
//! - [`tds`]: the local TDS server;
//! - [`control`]: the small port through which faults are set from outside;
//! - [`sandbox`]: all of it put together.

pub mod aws;
pub mod context;
pub mod control;
pub mod demo;
pub mod faults;
pub mod gateway;
pub mod lambda;
pub mod persisted;
pub mod sandbox;
pub mod services;
pub mod tds;

pub use context::{Clock, Context, ManualClock, Random, SystemClock};
pub use sandbox::{Config, Sandbox};
