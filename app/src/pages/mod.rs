//! The screens, one module each, and the frame around them ([`shell`]).

#[cfg(feature = "ssr")]
pub mod alarms;
#[cfg(feature = "ssr")]
pub mod deploys;
pub mod message;
pub mod overview;
pub mod secret;
pub mod shell;
pub mod sign_in;
pub mod tokens;
