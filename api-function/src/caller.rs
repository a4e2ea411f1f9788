//! Who calls: what the HTTP API's JWT authorizer found in the token.
//!
//! API Gateway has checked signature, issuer, audience and time before the function is invoked, and
//! only API Gateway may invoke it. What is checked here is that the route was not left without an
//! authorizer, and the scope, so that a route added in a hurry does not stand open.

use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequestContext;

use crate::problem::{Kind, Problem};

/// What a route demands of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it is public.
    Nothing,
    /// A token with a subject: the learner.
    Subject,
    /// A token with this scope.
    Scope(&'static str),
}

/// A subject is at most 255 ASCII characters (OpenID Connect Core 1.0, section 2).
const LONGEST_SUBJECT: usize = 255;

/// Checks the caller, and returns the token's subject; empty where the route needs none.
///
/// # Errors
/// 401 without a token, or with one whose subject can't be used; 403 without the scope.
pub fn check(context: Option<&ApiGatewayV2httpRequestContext>, needs: Needs) -> Result<String, Problem> {
    let claim = |name: &str| {
        let jwt = context?.authorizer.as_ref()?.jwt.as_ref()?;
        jwt.claims.get(name).map(String::as_str)
    };
    let is_there = context.and_then(|c| c.authorizer.as_ref()).is_some_and(|a| a.jwt.is_some());
    let unknown = |detail: &str| Err(Problem::new(Kind::Unauthenticated, detail));
    match needs {
        Needs::Nothing => Ok(String::new()),
        _ if !is_there => unknown("A token is needed here: Authorization: Bearer ..."),
        Needs::Subject => match claim("sub").unwrap_or_default() {
            sub if !sub.is_empty() && sub.len() <= LONGEST_SUBJECT && sub.is_ascii() => Ok(sub.to_owned()),
            _ => unknown("The token names no subject, or one that is not 1 to 255 ASCII characters."),
        },
        Needs::Scope(wanted) => {
            // `scope` is RFC 8693's, `scp` Entra's; permissions are Auth0's. Lists come as `[a b]`.
            let held = ["scope", "scp", "permissions"].into_iter().filter_map(claim);
            let mut held = held.flat_map(|text| text.trim_matches(['[', ']']).split([' ', ',']));
            if held.any(|scope| scope == wanted) {
                Ok(String::new())
            } else {
                Err(Problem::forbidden(wanted))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn checked(authorizer: Value, needs: Needs) -> Result<String, u16> {
        let event = json!({
            "http": { "method": "GET", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1" },
            "authorizer": authorizer,
        });
        let context = serde_json::from_value(event).unwrap();
        check(Some(&context), needs).map_err(|problem| problem.response("").status().as_u16())
    }

    #[test]
    fn what_a_token_allows() {
        let with = |claims: Value| json!({ "jwt": { "claims": claims, "scopes": null } });
        let write = Needs::Scope("courses:write");
        let long = "x".repeat(256);
        let cases = [
            (Value::Null, Needs::Nothing, Ok("")),
            (with(json!({ "sub": "ada" })), Needs::Nothing, Ok("")),
            (Value::Null, Needs::Subject, Err(401)),
            (json!({}), Needs::Subject, Err(401)),
            (json!({ "lambda": { "sub": "ada" } }), Needs::Subject, Err(401)),
            (with(json!({})), Needs::Subject, Err(401)),
            (with(json!({ "sub": "" })), Needs::Subject, Err(401)),
            (with(json!({ "sub": "ädä" })), Needs::Subject, Err(401)),
            (with(json!({ "sub": long })), Needs::Subject, Err(401)),
            (with(json!({ "sub": "auth0|a b" })), Needs::Subject, Ok("auth0|a b")),
            (Value::Null, write, Err(401)),
            (with(json!({ "sub": "ada" })), write, Err(403)),
            (with(json!({ "scope": "courses:read courses:writer" })), write, Err(403)),
            (with(json!({ "scope": "openid courses:write" })), write, Ok("")),
            (with(json!({ "scp": "courses:write" })), write, Ok("")),
            (with(json!({ "permissions": "[courses:read courses:write]" })), write, Ok("")),
        ];
        for (authorizer, needs, expected) in cases {
            let outcome = checked(authorizer.clone(), needs);
            assert_eq!(outcome, expected.map(str::to_owned), "{authorizer} {needs:?}");
        }
        assert!(check(None, Needs::Subject).is_err());
    }
}
