//! What is asked of both functions, as events of payload format 2.0.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use serde_json::{Value, json};

/// A request that is measured.
#[derive(Debug)]
pub struct Request {
    /// The path.
    pub path: &'static str,
    /// The query string.
    pub query: &'static str,
    /// Where in both bodies the same must be: a JSON pointer.
    pub same: &'static str,
}

/// All of them. The first is the one cold starts are measured with.
pub const REQUESTS: &[Request] = &[
    Request { path: "/courses", query: "limit=20", same: "/items" },
    Request { path: "/courses/rust-for-operators", query: "", same: "/lessons" },
    Request { path: "/status", query: "", same: "/status" },
];

impl Request {
    /// Its name in the report.
    pub fn name(&self) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("GET {}{mark}{}", self.path, self.query)
    }

    /// The event, as API Gateway hands it over.
    pub fn event(&self) -> Bytes {
        let host = "abc.execute-api.eu-west-1.amazonaws.com";
        let event = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": self.path,
            "rawQueryString": self.query,
            "headers": {
                "accept": "*/*",
                "host": host,
                "user-agent": "lockkeeper-bench",
                "x-forwarded-for": "192.0.2.1",
                "x-forwarded-port": "443",
                "x-forwarded-proto": "https",
            },
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "abc",
                "domainName": host,
                "domainPrefix": "abc",
                "http": {
                    "method": "GET",
                    "path": self.path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1",
                    "userAgent": "lockkeeper-bench",
                },
                "requestId": "JKJaXmPLvHcESHA=",
                "routeKey": "$default",
                "stage": "$default",
                "time": "12/Mar/2020:19:03:58 +0000",
                "timeEpoch": 1_583_348_638_390_i64,
            },
            "isBase64Encoded": false,
        });
        Bytes::from(event.to_string())
    }

    /// The part of an answer that does not depend on who gave it.
    ///
    /// # Errors
    /// When it is not the answer of a request that went well.
    pub fn essence(&self, answer: &[u8]) -> Result<Value> {
        let answer: Value = serde_json::from_slice(answer).context("the answer is not JSON")?;
        ensure!(answer["statusCode"] == 200, "the answer is {answer}");
        let body = answer["body"].as_str().context("the answer has no body")?;
        let body: Value = serde_json::from_str(body).context("the body is not JSON")?;
        let part = body.pointer(self.same).with_context(|| format!("no {} in {body}", self.same))?;
        Ok(part.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_judged_by_its_essence() {
        let request = REQUESTS.iter().find(|request| request.path == "/status").unwrap();
        let answer = |status: u16, body: &str| json!({"statusCode": status, "body": body}).to_string();
        let found = request.essence(answer(200, r#"{"status":"ok","x":1}"#).as_bytes());
        assert_eq!(found.unwrap(), "ok");
        for wrong in [answer(503, r#"{"status":"ok"}"#), answer(200, "{}"), answer(200, "ok"), String::new()]
        {
            assert!(request.essence(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
