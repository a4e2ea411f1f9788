//! Requests with a token and a body, as a few words.

#![expect(clippy::unwrap_used, reason = "a helper of tests: what fails here fails the test")]

use api_function::api::Api;
use serde_json::{Value, json};

use crate::world::{Response, event, send};

/// A request on its way.
pub struct Call(Value);

impl Call {
    /// A request without a token.
    pub fn new(method: &str, path_and_query: &str) -> Self {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        Self(event(method, "$default", path, query))
    }

    /// An author's request.
    pub fn author(method: &str, path: &str) -> Self {
        Self::new(method, path).claims(json!({ "sub": "author-1", "scope": "openid courses:write" }))
    }

    /// A learner's request.
    pub fn learner(subject: &str, method: &str, path: &str) -> Self {
        Self::new(method, path).claims(json!({ "sub": subject }))
    }

    /// What the authorizer found in the token.
    pub fn claims(mut self, claims: Value) -> Self {
        self.0["requestContext"]["authorizer"] = json!({ "jwt": { "claims": claims, "scopes": null } });
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.0["headers"][name] = json!(value);
        self
    }

    /// A body of JSON.
    pub fn json(self, body: &Value) -> Self {
        self.text(&body.to_string())
    }

    /// A body that is said to be JSON.
    pub fn text(mut self, body: &str) -> Self {
        self.0["body"] = json!(body);
        self.header("content-type", "application/json")
    }

    pub async fn send(self, api: &Api) -> (Response, Value) {
        let (response, body) = send(api, self.0, None).await;
        if response.status_code >= 400 && !response.body.is_empty() && body["type"].is_string() {
            assert_eq!(response.headers["content-type"], "application/problem+json");
            assert_eq!(body["status"], response.status_code);
            assert!(body["request_id"].is_string());
        }
        (response, body)
    }

    /// The same, of which only the status is of interest.
    pub async fn status(self, api: &Api) -> u16 {
        self.send(api).await.0.status_code
    }
}

/// A course that can be added.
pub fn course(slug: &str) -> Value {
    json!({
        "slug": slug,
        "title": "Locks and weirs",
        "summary": "How water is kept.",
        "level": "beginner",
        "price": "12.5",
        "published_at": "2020-01-01T00:00:00Z",
    })
}

/// The same without its slug, as PUT takes it.
pub fn content() -> Value {
    let mut content = course("");
    content.as_object_mut().unwrap().remove("slug");
    content
}

/// Adds a course and returns its tag.
pub async fn add(api: &Api, slug: &str) -> String {
    let (response, body) = Call::author("POST", "/courses").json(&course(slug)).send(api).await;
    assert_eq!(response.status_code, 201, "{body}");
    response.headers["etag"].clone()
}

/// Gives a course lessons with these titles, and returns its tag and the lessons' ids.
pub async fn teach(api: &Api, slug: &str, titles: &[&str]) -> (String, Vec<i64>) {
    let lessons: Vec<_> = titles.iter().map(|title| json!({ "title": title, "minutes": 10 })).collect();
    let call = Call::author("PUT", &format!("/courses/{slug}/lessons")).header("if-match", "*");
    let (response, body) = call.json(&json!({ "lessons": lessons })).send(api).await;
    assert_eq!(response.status_code, 200, "{body}");
    let ids = body["lessons"].as_array().unwrap().iter().map(|lesson| lesson["id"].as_i64().unwrap());
    (response.headers["etag"].clone(), ids.collect())
}
