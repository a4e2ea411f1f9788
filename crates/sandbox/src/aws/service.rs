//! What a service is to the endpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::AwsError;

/// How a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `X-Amz-Target` and a JSON body.
    AwsJson,
    /// Smithy's RPC v2 with CBOR; the same service also answers `AwsJson`. The names are those of
    /// the members that are timestamps: CBOR tags them, JSON does not tell them from numbers.
    RpcV2Cbor {
        /// Names of timestamp members in answers.
        timestamps: &'static [&'static str],
    },
    /// Form-encoded `Action=...`, answered in XML. The reply's body must be `Body::Xml`.
    Query {
        /// The XML namespace of the answers.
        namespace: &'static str,
    },
    /// Method and path, JSON bodies.
    RestJson,
    /// Method, path and query; bodies of any kind, and S3's documents in XML.
    RestXml,
}

/// One operation of a `RestJson` or `RestXml` service: method, path with `{Name}` parameters, operation's name.
pub type Route = (&'static str, &'static str, &'static str);

/// A decoded call.
#[derive(Debug, Clone)]
pub struct Call {
    /// The operation's name, for example `GetSecretValue`.
    pub operation: String,
    /// Parameters in the path (REST only), percent-decoded.
    pub path: BTreeMap<String, String>,
    /// The query string's pairs (REST only), percent-decoded, in order.
    pub query: Vec<(String, String)>,
    /// The request's headers.
    pub headers: HeaderMap,
    /// The body as it came (decompressed).
    pub body: Bytes,
    /// The body as JSON: an object, empty where the body was. A form's fields are strings. Null
    /// where a REST body is not JSON (Lambda's `Invoke` takes any bytes).
    pub input: Value,
    /// The access key that signed the request.
    pub access_key: String,
    /// The request id the reply will carry.
    pub request_id: String,
}

impl Call {
    /// The input as a type of the service's own. Use `#[serde(deny_unknown_fields)]` on it, so that
    /// a member the sandbox does not know is refused by name and not dropped.
    ///
    /// # Errors
    /// `SerializationException` (400) with the place and the reason.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, AwsError> {
        serde_json::from_value(self.input.clone())
            .map_err(|error| AwsError::new("SerializationException", format!("{}: {error}", self.operation)))
    }

    /// A path parameter; empty when the route has none of that name.
    pub fn path(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// A query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// A reply's body.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// JSON, or CBOR where the caller spoke it.
    Json(Value),
    /// XML, written by the service (Query only).
    Xml(String),
    /// Bytes as they are, with their content type.
    Bytes(Bytes, &'static str),
    /// Bytes as they are; their content type, if any, is among the headers.
    Plain(Bytes),
    /// None.
    Empty,
}

/// A reply.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers besides content type and request id.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Body,
}

impl Reply {
    /// 200 with a JSON body.
    pub fn json(value: Value) -> Self {
        Self { status: 200, headers: Vec::new(), body: Body::Json(value) }
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same with one header more.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// 204 without a body.
    pub fn empty() -> Self {
        Self { status: 204, headers: Vec::new(), body: Body::Empty }
    }
}

/// A service behind the endpoint.
#[async_trait]
pub trait Service: Send + Sync + 'static {
    /// The name in a signature's scope, for example `secretsmanager` or `monitoring`.
    fn signing_name(&self) -> &'static str;

    /// How it speaks.
    fn protocol(&self) -> Protocol;

    /// The routes of a `RestJson` or `RestXml` service: every one it answers. Empty for the others.
    fn routes(&self) -> &'static [Route] {
        &[]
    }

    /// The name of the operation behind a route, where the route alone does not say it (`RestXml`).
    fn operation(&self, route: &'static str, _: &Call) -> String {
        route.to_owned()
    }

    /// Code and status of this service's throttling error. Lambda and API Gateway say
    /// `TooManyRequestsException` with 429.
    fn throttled(&self) -> AwsError {
        AwsError::new("ThrottlingException", "Rate exceeded")
    }

    /// Answers a call.
    ///
    /// # Errors
    /// AWS's own, or [`AwsError::unsupported`] for an operation or a member the sandbox does not
    /// know.
    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, AwsError>;
}
