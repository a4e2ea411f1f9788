//! The services behind the AWS endpoint, one module each.

pub mod apigateway;
pub mod cloudtrail;
pub mod cloudwatch;
pub mod lambda;
pub mod logs;
pub mod s3;
pub mod secretsmanager;
pub mod sns;
pub mod sts;
pub mod xray;
