//! One port that speaks AWS: it reads which service a request was signed for, decodes the call in
//! that service's protocol, lets the faults have their say, and hands it to the service.

pub mod cbor;
mod endpoint;
mod error;
mod service;

pub(crate) use endpoint::escape;
pub use endpoint::{AwsEndpoint, serve};
pub use error::AwsError;
pub use service::{Body, Call, Protocol, Reply, Route, Service};
