//! The screens, one module each, and the frame around them ([`shell`]).

#[cfg(feature = "ssr")]
pub mod charts;
#[cfg(feature = "ssr")]
pub mod deploys;
#[cfg(feature = "ssr")]
pub mod errors;
#[cfg(feature = "ssr")]
pub mod logs;
pub mod message;
pub mod overview;
#[cfg(feature = "ssr")]
pub mod requests;
pub mod secret;
pub mod shell;
pub mod sign_in;
pub mod tokens;
