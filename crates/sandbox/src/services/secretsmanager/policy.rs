//! Resource policies: kept, checked for their form, never enforced.

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{ById, SecretsManager, checks};
use crate::aws::{AwsError, Reply};

/// AWS: 20,480 characters.
const LONGEST_POLICY: usize = 20_480;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Put {
    secret_id: String,
    resource_policy: String,
    #[serde(default)]
    block_public_policy: bool,
}

impl SecretsManager {
    pub(super) fn get_policy(&self, input: &ById) -> Result<Reply, AwsError> {
        checks::secret_id(&input.secret_id)?;
        self.read(&input.secret_id, |secret| {
            let mut reply = json!({"ARN": secret.arn, "Name": secret.name});
            if let Some(policy) = &secret.policy {
                reply["ResourcePolicy"] = policy.as_str().into();
            }
            Ok(Reply::json(reply))
        })
    }

    pub(super) fn put_policy(&self, input: Put) -> Result<Reply, AwsError> {
        checks::secret_id(&input.secret_id)?;
        checks::length("resourcePolicy", &input.resource_policy, 1, LONGEST_POLICY)?;
        check_form(&input.resource_policy, input.block_public_policy)?;
        self.change(&input.secret_id, |secret, _| {
            secret.policy = Some(input.resource_policy);
            Ok(Reply::json(json!({"ARN": secret.arn, "Name": secret.name})))
        })
    }

    /// May be repeated: a secret without a policy stays without one.
    pub(super) fn delete_policy(&self, input: &ById) -> Result<Reply, AwsError> {
        checks::secret_id(&input.secret_id)?;
        self.change(&input.secret_id, |secret, _| {
            secret.policy = None;
            Ok(Reply::json(json!({"ARN": secret.arn, "Name": secret.name})))
        })
    }
}

/// JSON of the shape of a policy; with `block_public`, no `Allow` for everybody without a condition.
fn check_form(text: &str, block_public: bool) -> Result<(), AwsError> {
    let malformed = |why: &str| {
        AwsError::new(
            "MalformedPolicyDocumentException",
            format!("This resource policy is malformed: {why}."),
        )
    };
    let policy: Json = serde_json::from_str(text).map_err(|_| {
        AwsError::new("MalformedPolicyDocumentException", "This resource policy contains invalid JSON.")
    })?;
    let statements = match &policy["Statement"] {
        Json::Array(statements) if !statements.is_empty() => statements.clone(),
        Json::Object(statement) => vec![Json::Object(statement.clone())],
        _ => return Err(malformed("it has no Statement")),
    };
    for statement in &statements {
        let has = |member: &str| statement.get(member).is_some();
        if !matches!(statement["Effect"].as_str(), Some("Allow" | "Deny")) {
            return Err(malformed("an Effect is neither Allow nor Deny"));
        }
        for (one, other) in
            [("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource")]
        {
            if has(one) == has(other) {
                return Err(malformed(&format!("a statement needs either {one} or {other}")));
            }
        }
        let everybody = statement["Principal"] == "*"
            || statement["Principal"]["AWS"] == "*"
            || statement["Principal"]["AWS"].as_array().is_some_and(|list| list.contains(&json!("*")));
        if block_public && everybody && statement["Effect"] == "Allow" && !has("Condition") {
            return Err(AwsError::new(
                "PublicPolicyException",
                "You can't attach a resource policy that grants broad access to the secret.",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_must_have_the_form_of_one() {
        let public =
            r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"secretsmanager:*","Resource":"*"}}"#;
        for (text, block, code) in [
            (public, false, None),
            (public, true, Some("PublicPolicyException")),
            ("{", false, Some("MalformedPolicyDocumentException")),
            ("{}", false, Some("MalformedPolicyDocumentException")),
            (r#"{"Statement":[]}"#, false, Some("MalformedPolicyDocumentException")),
            (
                r#"{"Statement":[{"Effect":"Maybe","Principal":"*","Action":"*","Resource":"*"}]}"#,
                false,
                Some("MalformedPolicyDocumentException"),
            ),
            (
                r#"{"Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#,
                false,
                Some("MalformedPolicyDocumentException"),
            ),
            (r#"{"Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}"#, true, None),
        ] {
            let found = check_form(text, block).err().map(|error| error.code);
            assert_eq!(found.as_deref(), code, "{text}");
        }
    }
}
