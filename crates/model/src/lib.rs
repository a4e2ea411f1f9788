//! The words of Lockkeeper: plain data that crosses a border (function to portal, portal to
//! browser, portal to script). No I/O; builds for wasm.
//!
//! - [`time`]: a point in time, as a number everybody can read;
//! - [`problem`]: what can go wrong, without HTTP;
//! - [`stack`]: the names of the stack that is watched;
//! - [`status`], [`courses`], [`learning`], [`problem_details`]: what the LearningHub API answers;
//! - [`overview`]: what the portal says of all of it;
//! - [`metrics`]: the stack's figures over time;
//! - [`rotation`]: the secret's rotation, what is shown of it and what can be done to it;
//! - [`check`]: what is looked at before an operation begins;
//! - [`rollout`], [`deploy`]: new code and how it gets its requests;
//! - [`logs`], [`lookup`]: what was written about requests, and one request as a whole;
//!   [`log_filter`]: which lines are wanted; [`blame`]: whose errors are;
//! - [`alarms`]: alarms, who is told, and the settings that observability needs;
//! - [`people`]: who does something, and what they may; [`tokens`]: what scripts show for it.

pub mod alarms;
pub mod blame;
pub mod check;
pub mod courses;
pub mod deploy;
pub mod learning;
pub mod log_filter;
pub mod logs;
pub mod lookup;
pub mod metrics;
pub mod overview;
pub mod people;
pub mod problem;
pub mod problem_details;
pub mod rollout;
pub mod rotation;
pub mod stack;
pub mod status;
pub mod time;
pub mod tokens;
