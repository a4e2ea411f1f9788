//! What is recorded of a request: the variables of the access log, and the metrics.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::jwt::claim_text;
use super::request::Facts;
use crate::services::cloudwatch::Datum;

/// A request that reached a stage, and what came of it.
#[derive(Debug)]
pub struct Record<'a> {
    /// The request.
    pub facts: &'a Facts,
    /// The account played.
    pub account: &'a str,
    /// The API.
    pub api_id: &'a str,
    /// The stage.
    pub stage: &'a str,
    /// The route, if one took the request.
    pub route_key: Option<&'a str>,
    /// Whether the route's own metrics are written.
    pub detailed: bool,
    /// The answer's status.
    pub status: u16,
    /// Bytes of the request's body.
    pub request_length: usize,
    /// Bytes of the answer's body.
    pub response_length: usize,
    /// Milliseconds from the request's head to the answer.
    pub latency: u64,
    /// Where the gateway refused: its message and the type of its response.
    pub error: Option<(String, &'static str)>,
    /// What the authorizer said against it.
    pub authorizer_error: Option<String>,
    /// The claims of the token.
    pub claims: Option<Map<String, Value>>,
    /// What came of the integration, if it was called.
    pub integration: Option<Integration>,
}

/// What the log tells of an integration.
#[derive(Debug, Clone, Default)]
pub struct Integration {
    /// Milliseconds.
    pub latency: u64,
    /// The function's own status.
    pub function_status: Option<u16>,
    /// The Lambda service's status.
    pub service_status: Option<u16>,
    /// What went wrong.
    pub error: Option<String>,
    /// The invocation's request id.
    pub request_id: Option<String>,
}

impl Record<'_> {
    /// The value of a `$context` variable; none where it is absent or not one of HTTP APIs.
    pub fn variable(&self, name: &str) -> Option<String> {
        if let Some(claim) = name.strip_prefix("authorizer.claims.") {
            return self.claims.as_ref()?.get(claim).map(claim_text);
        }
        let integration = self.integration.as_ref();
        let own = |text: &str| Some(text.to_owned());
        let error = self.error.as_ref();
        match name {
            "accountId" => own(self.account),
            "apiId" => own(self.api_id),
            "authorizer.error" => self.authorizer_error.clone(),
            "awsEndpointRequestId" | "integration.requestId" => integration?.request_id.clone(),
            "dataProcessed" => Some(self.data_processed().to_string()),
            "domainName" => own(&self.facts.host),
            "domainPrefix" => own(self.facts.domain_prefix()),
            "error.message" => error.map(|(message, _)| message.clone()),
            "error.messageString" => error.map(|(message, _)| format!("\"{message}\"")),
            "error.responseType" => error.and_then(|(_, kind)| own(kind)),
            "httpMethod" => own(&self.facts.method),
            "identity.sourceIp" => Some(self.facts.source_ip()),
            "identity.userAgent" => Some(self.facts.user_agent()).filter(|agent| !agent.is_empty()),
            "integration.error" | "integrationErrorMessage" => integration?.error.clone(),
            "integration.integrationStatus" | "integrationStatus" => {
                integration?.service_status.map(|status| status.to_string())
            }
            "integration.latency" | "integrationLatency" => integration.map(|one| one.latency.to_string()),
            "integration.status" => integration?.function_status.map(|status| status.to_string()),
            "path" => own(&self.facts.path),
            "protocol" => own(&self.facts.protocol),
            "requestId" | "extendedRequestId" => own(&self.facts.request_id),
            "requestTime" => Some(self.facts.time()),
            "requestTimeEpoch" => Some(self.facts.at.timestamp_millis().to_string()),
            "responseLatency" => Some(self.latency.to_string()),
            "responseLength" => Some(self.response_length.to_string()),
            "routeKey" => self.route_key.and_then(own),
            "stage" => own(self.stage),
            "status" => Some(self.status.to_string()),
            _ => None,
        }
    }

    /// The metrics of one request: `4xx` and `5xx` are 0 or 1, so that their average is the share.
    /// By API, by API and stage, and with detailed metrics by API, stage and route.
    pub fn metrics(&self) -> Vec<Datum> {
        let mut values = vec![
            ("Count", 1.0, "Count"),
            ("4xx", flag((400..500).contains(&self.status)), "Count"),
            ("5xx", flag(self.status >= 500), "Count"),
            ("Latency", float(self.latency), "Milliseconds"),
            ("DataProcessed", float(self.data_processed()), "Bytes"),
        ];
        if let Some(integration) = &self.integration {
            values.push(("IntegrationLatency", float(integration.latency), "Milliseconds"));
        }
        let dimension = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let api = vec![dimension("ApiId", self.api_id)];
        let stage = [api.clone(), vec![dimension("Stage", self.stage)]].concat();
        let mut sets = vec![api, stage.clone()];
        if let (true, Some(key)) = (self.detailed, self.route_key) {
            sets.push([stage, vec![dimension("Route", key)]].concat());
        }
        let at: DateTime<Utc> = self.facts.at;
        sets.iter()
            .flat_map(|dimensions| {
                values.iter().map(move |(name, value, unit)| Datum {
                    namespace: "AWS/ApiGateway".to_owned(),
                    name: (*name).to_owned(),
                    dimensions: dimensions.clone(),
                    value: *value,
                    unit,
                    at,
                })
            })
            .collect()
    }

    fn data_processed(&self) -> u64 {
        (self.request_length + self.response_length) as u64
    }
}

fn flag(set: bool) -> f64 {
    if set { 1.0 } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "bytes and milliseconds of one request are far below 2^52")]
fn float(value: u64) -> f64 {
    value as f64
}
