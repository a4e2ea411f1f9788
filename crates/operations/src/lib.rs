//! What the portal can do to a stack, over the AWS SDK. No HTTP framework, no Leptos.
//!
//! In reading order:
//! - [`Portal`]: the stack it watches and the clients it does so with;
//! - `overview`: the readings of the overview, one file per source: [`probe`] asks the API itself,
//!   `function`, `secret`, `alarms` and `traffic` ask AWS;
//! - `kept`: a reading that is shared between callers and read again in its own rhythm;
//! - `aws`: the SDK's configuration and its errors in words.

mod alarms;
mod aws;
mod function;
mod kept;
mod portal;
pub mod probe;
mod secret;
mod traffic;

pub use portal::{Clock, Portal, PortalConfig};
