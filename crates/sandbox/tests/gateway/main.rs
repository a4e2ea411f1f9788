//! API Gateway over the wire: the control plane through the AWS SDK, the data plane through a plain
//! HTTP client. A closure stands in for Lambda and says what it was asked.

#![expect(clippy::unwrap_used, reason = "a test fails where something is not as it should be")]

mod control;
mod deployments;
mod limits;
mod requests;
mod tokens;
mod world;
