//! What the portal can do to a stack, over the AWS SDK. No HTTP framework, no Leptos.
//!
//! In reading order:
//! - [`Portal`]: the stack it watches and the clients it does so with;
//! - `overview`: the readings of the overview, one file per source: [`probe`] asks the API itself,
//!   `function`, `secret` and `alarms` ask AWS;
//! - [`metrics`]: figures from CloudWatch, for all pages together;
//! - [`audit`], `perform`: the one way in for every change, and the record of it;
//! - `rotation`: the secret's rotation; `deploy`: new code and how it gets its requests;
//! - `logs`: what was written about requests; `lookup`: one request as a whole; `blame`: whose errors are;
//! - `kept`: a reading that is shared between callers and read again in its own rhythm, `kept_by`: many;
//! - `checks`: what preflights have in common;
//! - `aws`: the SDK's configuration and its errors in words.

mod alarms;
pub mod audit;
mod aws;
mod blame;
mod checks;
mod deploy;
mod function;
mod kept;
mod kept_by;
mod logs;
mod lookup;
pub mod metrics;
mod perform;
mod portal;
pub mod probe;
mod rotation;
mod secret;

pub use blame::{Period, blame};
pub use deploy::Pace;
pub use logs::tail::{Follower, LinePlace};
pub use perform::{Operation, authorise};
pub use portal::{Clock, MetricsConfig, Portal, PortalConfig, Random};
