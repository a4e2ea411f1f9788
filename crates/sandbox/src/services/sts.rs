//! Security Token Service: who is calling.

use std::sync::Arc;

use async_trait::async_trait;

use crate::aws::{AwsError, Body, Call, Protocol, Reply, Service};
use crate::context::Context;

/// The service.
pub struct Sts {
    context: Arc<Context>,
}

impl Sts {
    /// The service for the context's account.
    pub fn new(context: Arc<Context>) -> Arc<Self> {
        Arc::new(Self { context })
    }
}

#[async_trait]
impl Service for Sts {
    fn signing_name(&self) -> &'static str {
        "sts"
    }

    fn protocol(&self) -> Protocol {
        Protocol::Query { namespace: "https://sts.amazonaws.com/doc/2011-06-15/" }
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, AwsError> {
        if call.operation != "GetCallerIdentity" {
            return Err(AwsError::unsupported(format_args!("sts {}", call.operation)));
        }
        // The call has no input of its own, only what every call of this protocol has.
        let known = ["Action", "Version"];
        if let Some(name) = call
            .input
            .as_object()
            .and_then(|fields| fields.keys().find(|name| !known.contains(&name.as_str())))
        {
            return Err(AwsError::unsupported(format_args!("the parameter {name} of sts GetCallerIdentity")));
        }
        let account = &self.context.account;
        let identity = format!(
            "<Arn>arn:aws:iam::{account}:user/sandbox</Arn><UserId>AIDASANDBOX</UserId><Account>{account}</Account>"
        );
        Ok(Reply { status: 200, headers: Vec::new(), body: Body::Xml(identity) })
    }
}
