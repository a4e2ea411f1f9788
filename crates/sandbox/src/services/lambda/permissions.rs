//! Resource policies: who else may invoke. A policy belongs to the function or to exactly one
//! qualifier; a permission on one is none on another.

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::{
    at_most, conflict, constraint, function_not_found, invalid, not_found, pattern, stale_policy,
};
use super::names::{FunctionRef, LATEST, is_number, is_word};
use super::shown::call_query;
use super::state::{Function, Grantee, Statement};
use super::{Core, Principal};
use crate::aws::{AwsError, Call, Reply};

/// AWS: 20 KB for a policy.
const LARGEST_POLICY: usize = 20 * 1024;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct AddInput {
    statement_id: Option<String>,
    action: Option<String>,
    principal: Option<String>,
    source_arn: Option<String>,
    source_account: Option<String>,
    revision_id: Option<String>,
    event_source_token: Option<Value>,
    #[serde(rename = "PrincipalOrgID")]
    principal_org_id: Option<Value>,
    function_url_auth_type: Option<Value>,
    invoked_via_function_url: Option<Value>,
}

impl AddInput {
    fn statement(self) -> Result<Statement, AwsError> {
        let unsupported = [
            ("EventSourceToken", &self.event_source_token),
            ("PrincipalOrgID", &self.principal_org_id),
            ("FunctionUrlAuthType", &self.function_url_auth_type),
            ("InvokedViaFunctionUrl", &self.invoked_via_function_url),
        ];
        if let Some((name, _)) = unsupported.iter().find(|(_, value)| value.is_some()) {
            return Err(AwsError::unsupported(format_args!("{name} of a permission")));
        }
        let needed = |value: Option<String>, at: &str| {
            value.ok_or_else(|| constraint("null", at, "Member must not be null"))
        };
        let sid = needed(self.statement_id, "statementId")?;
        at_most(&sid, "statementId", 100)?;
        if !is_word(&sid) {
            return Err(pattern(sid, "statementId", "([a-zA-Z0-9-_]+)"));
        }
        let action = needed(self.action, "action")?;
        let is_action = action == "*"
            || action
                .strip_prefix("lambda:")
                .is_some_and(|a| a == "*" || (!a.is_empty() && a.bytes().all(|b| b.is_ascii_alphabetic())));
        if !is_action {
            return Err(pattern(action, "action", "(lambda:[*]|lambda:[a-zA-Z]+|[*])"));
        }
        let principal = Grantee::read(&needed(self.principal, "principal")?)?;
        if let Some(arn) = self.source_arn.as_deref().filter(|arn| !is_arn(arn)) {
            return Err(pattern(
                arn,
                "sourceArn",
                "arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1})?:(\\d{12})?:(.*)",
            ));
        }
        if let Some(account) = self.source_account.as_deref().filter(|a| a.len() != 12 || !is_number(a)) {
            return Err(pattern(account, "sourceAccount", "\\d{12}"));
        }
        Ok(Statement {
            sid,
            action,
            principal,
            source_arn: self.source_arn,
            source_account: self.source_account,
        })
    }
}

impl Grantee {
    fn read(text: &str) -> Result<Self, AwsError> {
        if text == "*" {
            return Ok(Self::Everyone);
        }
        if text.len() == 12 && is_number(text) {
            return Ok(Self::Aws(format!("arn:aws:iam::{text}:root")));
        }
        if text.starts_with("arn:aws:iam::") {
            return Ok(Self::Aws(text.to_owned()));
        }
        if text.strip_suffix(".amazonaws.com").is_some_and(|service| !service.is_empty()) {
            return Ok(Self::Service(text.to_owned()));
        }
        Err(invalid("The provided principal was invalid. Please check the principal and try again."))
    }

    fn shown(&self) -> Value {
        match self {
            Self::Everyone => json!("*"),
            Self::Service(service) => json!({"Service": service}),
            Self::Aws(arn) => json!({"AWS": arn}),
        }
    }
}

impl Statement {
    fn shown(&self, resource: &str) -> Value {
        let mut shown = json!({
            "Sid": self.sid, "Effect": "Allow", "Principal": self.principal.shown(),
            "Action": self.action, "Resource": resource,
        });
        if let Some(account) = &self.source_account {
            shown["Condition"]["StringEquals"] = json!({"AWS:SourceAccount": account});
        }
        if let Some(arn) = &self.source_arn {
            shown["Condition"]["ArnLike"] = json!({"AWS:SourceArn": arn});
        }
        shown
    }

    /// Whether it lets a service invoke on behalf of a resource.
    fn allows(&self, principal: &Principal) -> bool {
        let who = match &self.principal {
            Grantee::Everyone => true,
            Grantee::Service(service) => *service == principal.service,
            Grantee::Aws(_) => false,
        };
        let account = principal.source_arn.split(':').nth(4);
        who && matches!(self.action.as_str(), "*" | "lambda:*" | "lambda:InvokeFunction")
            && self.source_arn.as_deref().is_none_or(|like| arn_like(like, &principal.source_arn))
            && self.source_account.as_deref().is_none_or(|expected| account == Some(expected))
    }
}

impl Core {
    pub(super) fn add_permission(&self, call: &Call) -> Result<Reply, AwsError> {
        let (reference, qualifier) = self.policy_of(call, &["Qualifier"])?;
        let mut input: AddInput = call.parse()?;
        let revision = input.revision_id.take();
        let statement = input.statement()?;
        if reference.qualifier.as_deref() == Some(LATEST) {
            return Err(invalid("We currently do not support adding policies for $LATEST."));
        }
        let resource = reference.arn(&self.context);
        let shown = statement.shown(&resource);
        self.state.change(|state| {
            let missing = || function_not_found(&resource);
            let function = state.functions.get_mut(&reference.name).ok_or_else(missing)?;
            let current = self.revision(function, &qualifier).ok_or_else(missing)?;
            let policy = function.policies.entry(qualifier.clone()).or_default();
            if policy.iter().any(|other| other.sid == statement.sid) {
                return Err(conflict(format!(
                    "The statement id ({}) provided already exists. Please provide a new statement id, or \
                     remove the existing statement.",
                    statement.sid
                )));
            }
            if revision.is_some_and(|revision| revision != current) {
                return Err(stale_policy());
            }
            policy.push(statement);
            let size = document(policy, &resource).len();
            if size > LARGEST_POLICY {
                return Err(AwsError::new(
                    "PolicyLengthExceededException",
                    format!("The final policy size ({size}) is bigger than the limit ({LARGEST_POLICY})."),
                ));
            }
            self.renew(function, &qualifier);
            Ok(())
        })?;
        Ok(Reply::json(json!({"Statement": shown.to_string()})).with_status(201))
    }

    pub(super) fn remove_permission(&self, call: &Call) -> Result<Reply, AwsError> {
        let (reference, qualifier) = self.policy_of(call, &["Qualifier", "RevisionId"])?;
        let sid = call.path("StatementId");
        let resource = reference.arn(&self.context);
        self.state.change(|state| {
            let missing = || function_not_found(&resource);
            let function = state.functions.get_mut(&reference.name).ok_or_else(missing)?;
            let current = self.revision(function, &qualifier).ok_or_else(missing)?;
            let policy = function
                .policies
                .get_mut(&qualifier)
                .ok_or_else(|| not_found("No policy is associated with the given resource."))?;
            let at = policy
                .iter()
                .position(|statement| statement.sid == sid)
                .ok_or_else(|| not_found(format!("Statement {sid} is not found in resource policy.")))?;
            if call.query("RevisionId").is_some_and(|revision| revision != current) {
                return Err(stale_policy());
            }
            policy.remove(at);
            if policy.is_empty() {
                function.policies.remove(&qualifier);
            }
            self.renew(function, &qualifier);
            Ok(())
        })?;
        Ok(Reply::empty())
    }

    pub(super) fn get_policy(&self, call: &Call) -> Result<Reply, AwsError> {
        let (reference, qualifier) = self.policy_of(call, &["Qualifier"])?;
        let resource = reference.arn(&self.context);
        self.state.read(|state| {
            let missing = || function_not_found(&resource);
            let function = state.functions.get(&reference.name).ok_or_else(missing)?;
            let revision = self.revision(function, &qualifier).ok_or_else(missing)?;
            let policy = function
                .policies
                .get(&qualifier)
                .ok_or_else(|| not_found("The resource you requested does not exist."))?;
            Ok(Reply::json(json!({"Policy": document(policy, &resource), "RevisionId": revision})))
        })
    }

    /// The function a call names, and the key of its policy: empty for the function itself.
    fn policy_of(&self, call: &Call, query: &[&str]) -> Result<(FunctionRef, String), AwsError> {
        call_query(call, query)?;
        let reference =
            FunctionRef::parse(&self.context, call.path("FunctionName"), call.query("Qualifier"))?;
        let key = policy_key(reference.qualifier.as_deref());
        Ok((reference, key))
    }

    /// The revision of what a policy belongs to; a change of the policy is one of its owner.
    fn revision(&self, function: &Function, qualifier: &str) -> Option<String> {
        if let Some(alias) = function.aliases.get(qualifier) {
            return Some(alias.revision.clone());
        }
        let version = if qualifier.is_empty() { &function.latest } else { function.version(qualifier)? };
        Some(version.revision(self.context.now()).to_owned())
    }

    fn renew(&self, function: &mut Function, qualifier: &str) {
        if let Some(alias) = function.aliases.get_mut(qualifier) {
            alias.revision = self.context.random.uuid();
            return;
        }
        let version = match qualifier.parse() {
            Ok(number) => function.versions.get_mut(&number),
            Err(_) => Some(&mut function.latest),
        };
        if let Some(version) = version {
            version.revision = self.context.random.uuid();
            version.settled_revision = self.context.random.uuid();
        }
    }
}

/// The key of the policy that counts for a qualifier.
fn policy_key(qualifier: Option<&str>) -> String {
    qualifier.filter(|qualifier| *qualifier != LATEST).unwrap_or_default().to_owned()
}

fn document(policy: &[Statement], resource: &str) -> String {
    let statements: Vec<Value> = policy.iter().map(|statement| statement.shown(resource)).collect();
    json!({"Version": "2012-10-17", "Id": "default", "Statement": statements}).to_string()
}

/// Checks that a service may invoke a function through this qualifier.
///
/// # Errors
/// `AccessDeniedException` (403).
pub(super) fn check_principal(
    function: &Function,
    qualifier: Option<&str>,
    resource: &str,
    principal: &Principal,
) -> Result<(), AwsError> {
    let policy = function.policies.get(&policy_key(qualifier));
    if policy.is_some_and(|policy| policy.iter().any(|statement| statement.allows(principal))) {
        return Ok(());
    }
    Err(AwsError::new(
        "AccessDeniedException",
        format!(
            "User: {} is not authorized to perform: lambda:InvokeFunction on resource: {resource} because no \
             resource-based policy allows the lambda:InvokeFunction action",
            principal.service
        ),
    )
    .with_status(403)
    .with("Type", "User"))
}

fn is_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    matches!(parts.as_slice(), ["arn", partition, service, _, account, _]
        if partition.starts_with("aws") && !service.is_empty() && (account.is_empty() || is_number(account)))
}

/// IAM's `ArnLike`: each of the six parts is compared by itself, `*` stands for any text and `?`
/// for one character, and neither reaches over a colon but in the last part.
fn arn_like(pattern: &str, arn: &str) -> bool {
    let (patterns, parts): (Vec<&str>, Vec<&str>) =
        (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    patterns.len() == parts.len()
        && patterns.iter().zip(&parts).all(|(p, t)| glob(p.as_bytes(), t.as_bytes()))
}

/// Whether a text fits a pattern of `*` and `?`. Only the last star met is ever tried again, so the
/// work is bounded by the product of the two lengths.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(b) if *b == b'?' || *b == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_and_their_patterns() {
        let call = "arn:aws:execute-api:eu-west-1:123456789012:abc/$default/GET/courses/{id}";
        for (pattern, arn, expected) in [
            (call, call, true),
            ("arn:aws:execute-api:eu-west-1:123456789012:abc/*/*/*", call, true),
            ("arn:aws:execute-api:eu-west-1:123456789012:abc/*/*/courses/{id}", call, true),
            ("arn:aws:execute-api:eu-west-1:123456789012:abc/*", call, true),
            ("arn:aws:execute-api:eu-west-1:123456789012:abd/*", call, false),
            ("arn:aws:execute-api:*:123456789012:abc/*", call, true),
            ("arn:aws:execute-api:eu-west-?:*:a?c/*", call, true),
            ("arn:aws:*:abc/*", call, false),
            ("arn:aws:execute-api:eu-west-1:123456789012:abc/*/POST/*", call, false),
            ("arn:aws:s3:::bucket", "arn:aws:s3:::bucket", true),
            ("arn:aws:sns:eu-west-1:1:a*b*c", "arn:aws:sns:eu-west-1:1:axxbyybzzc", true),
            ("arn:aws:sns:eu-west-1:1:a:*", "arn:aws:sns:eu-west-1:1:a:b:c", true),
        ] {
            assert_eq!(arn_like(pattern, arn), expected, "{pattern} on {arn}");
        }
    }

    #[test]
    fn a_statement_allows_its_own_only() {
        let gateway =
            |arn: &str| Principal { service: "apigateway.amazonaws.com".into(), source_arn: arn.into() };
        let statement = |principal: &str, action: &str, arn: Option<&str>, account: Option<&str>| Statement {
            sid: "s".into(),
            action: action.into(),
            principal: Grantee::read(principal).unwrap(),
            source_arn: arn.map(str::to_owned),
            source_account: account.map(str::to_owned),
        };
        let invoke = "lambda:InvokeFunction";
        let api = "arn:aws:execute-api:eu-west-1:123456789012:abc/$default/GET/status";
        let like = Some("arn:aws:execute-api:eu-west-1:123456789012:abc/*");
        for (statement, expected) in [
            (statement("apigateway.amazonaws.com", invoke, None, None), true),
            (statement("apigateway.amazonaws.com", invoke, like, None), true),
            (statement("*", "lambda:*", like, None), true),
            (statement("apigateway.amazonaws.com", invoke, None, Some("123456789012")), true),
            (statement("apigateway.amazonaws.com", invoke, None, Some("999999999999")), false),
            (statement("apigateway.amazonaws.com", "lambda:GetFunction", None, None), false),
            (statement("secretsmanager.amazonaws.com", invoke, None, None), false),
            (statement("123456789012", invoke, None, None), false),
            (
                statement("apigateway.amazonaws.com", invoke, Some("arn:aws:execute-api:*:*:other/*"), None),
                false,
            ),
        ] {
            assert_eq!(statement.allows(&gateway(api)), expected, "{statement:?}");
        }
        assert!(Grantee::read("somebody").is_err());
    }
}
