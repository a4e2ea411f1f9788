//! The parts of a function's configuration, as they come in and one by one: what each may hold.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::{at_most, constraint, invalid, pattern, within};
use super::settings::{Logging, Vpc};
use crate::aws::AwsError;
use crate::context::Context;

/// AWS: 4 KB for all environment variables of a function.
const LARGEST_ENVIRONMENT: usize = 4 * 1024;
const ROLE_PATTERN: &str = "arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+";
const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const SYSTEM_LEVELS: [&str; 3] = ["DEBUG", "INFO", "WARN"];
/// Names the runtime sets itself.
const RESERVED: [&str; 18] = [
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct EnvironmentInput {
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct VpcInput {
    #[serde(default)]
    pub subnet_ids: Vec<String>,
    #[serde(default)]
    pub security_group_ids: Vec<String>,
    #[serde(default)]
    pub ipv6_allowed_for_dual_stack: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct TracingInput {
    pub mode: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct LoggingInput {
    pub log_format: Option<String>,
    pub application_log_level: Option<String>,
    pub system_log_level: Option<String>,
    pub log_group: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct EphemeralInput {
    pub size: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct SnapStartInput {
    pub apply_on: Option<String>,
}

impl VpcInput {
    pub fn checked(self) -> Result<Option<Vpc>, AwsError> {
        let counted = |count: usize, at: &str, most: usize| {
            if count > most {
                let rule = format!("Member must have length less than or equal to {most}");
                return Err(constraint(count, at, &rule));
            }
            Ok(())
        };
        counted(self.subnet_ids.len(), "vpcConfig.subnetIds", 16)?;
        counted(self.security_group_ids.len(), "vpcConfig.securityGroupIds", 5)?;
        let is_id = |id: &str, prefix: &str| {
            id.strip_prefix(prefix).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_alphanumeric()))
        };
        if let Some(id) = self.subnet_ids.iter().find(|id| !is_id(id, "subnet-")) {
            return Err(pattern(id, "vpcConfig.subnetIds", "subnet-[0-9a-z]*"));
        }
        if let Some(id) = self.security_group_ids.iter().find(|id| !is_id(id, "sg-")) {
            return Err(pattern(id, "vpcConfig.securityGroupIds", "sg-[0-9a-zA-Z]*"));
        }
        match (self.subnet_ids.is_empty(), self.security_group_ids.is_empty()) {
            (true, true) => Ok(None),
            (false, false) => Ok(Some(Vpc {
                subnets: self.subnet_ids,
                groups: self.security_group_ids,
                ipv6: self.ipv6_allowed_for_dual_stack,
            })),
            _ => Err(invalid("SubnetIds and SecurityGroupIds must coexist or be both empty list.")),
        }
    }
}

impl LoggingInput {
    pub fn applied_to(self, old: &Logging) -> Result<Logging, AwsError> {
        let mut new = old.clone();
        if let Some(format) = self.log_format {
            new.json = one_of(format, "loggingConfig.logFormat", &["JSON", "Text"])? == "JSON";
        }
        if !new.json && (self.application_log_level.is_some() || self.system_log_level.is_some()) {
            return Err(invalid(
                "To set ApplicationLogLevel or SystemLogLevel, LogFormat must be JSON: they have no effect \
                 with Text.",
            ));
        }
        if !new.json {
            new.application = Logging::default().application;
            new.system = Logging::default().system;
        }
        if let Some(level) = self.application_log_level {
            new.application = one_of(level, "loggingConfig.applicationLogLevel", &LEVELS)?;
        }
        if let Some(level) = self.system_log_level {
            new.system = one_of(level, "loggingConfig.systemLogLevel", &SYSTEM_LEVELS)?;
        }
        if let Some(group) = self.log_group {
            at_most(&group, "loggingConfig.logGroup", 512)?;
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-_/#".contains(&b);
            if group.is_empty() || !group.bytes().all(allowed) {
                return Err(pattern(group, "loggingConfig.logGroup", "[\\.\\-_/#A-Za-z0-9]+"));
            }
            new.group = Some(group);
        }
        Ok(new)
    }
}

pub(super) fn missing(member: &str) -> AwsError {
    invalid(format!("{member} is mandatory for functions created with deployment packages."))
}

pub(super) fn number(value: i64, at: &str, least: u32, most: u32) -> Result<u32, AwsError> {
    within(value, at, i64::from(least), i64::from(most))?;
    u32::try_from(value).map_err(|_| constraint(value, at, "Member must be a number"))
}

pub(super) fn one_of(value: String, at: &str, allowed: &[&str]) -> Result<String, AwsError> {
    if allowed.contains(&value.as_str()) {
        return Ok(value);
    }
    let rule = format!("Member must satisfy enum value set: [{}]", allowed.join(", "));
    Err(constraint(value, at, &rule))
}

/// The two architectures there are.
pub(super) fn check_architectures(given: Option<Vec<String>>) -> Result<Option<String>, AwsError> {
    let Some(given) = given else { return Ok(None) };
    match <[String; 1]>::try_from(given) {
        Ok([one]) => one_of(one, "architectures", &["x86_64", "arm64"]).map(Some),
        Err(other) => Err(constraint(
            format!("[{}]", other.join(", ")),
            "architectures",
            "Member must have length less than or equal to 1",
        )),
    }
}

pub(super) fn check_runtime(runtime: String) -> Result<String, AwsError> {
    match runtime.as_str() {
        "provided.al2023" | "provided.al2" => Ok(runtime),
        // AWS has these, but only the operating system's own runtimes can be run as they are.
        known
            if ["nodejs", "python", "java", "dotnet", "ruby", "go", "provided"]
                .iter()
                .any(|p| known.starts_with(p)) =>
        {
            Err(AwsError::unsupported(format_args!(
                "the runtime {known}: only provided.al2023 and provided.al2, a bootstrap of your own"
            )))
        }
        other => Err(invalid(format!(
            "Value {other} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: \
             [provided.al2023, provided.al2] or be a valid ARN"
        ))),
    }
}

pub(super) fn check_role(context: &Context, role: String) -> Result<String, AwsError> {
    let parts: Vec<&str> = role.splitn(6, ':').collect();
    let name_is_fine = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&b))
    };
    match parts.as_slice() {
        ["arn", partition, "iam", "", account, resource]
            if partition.starts_with("aws")
                && account.len() == 12
                && account.bytes().all(|b| b.is_ascii_digit())
                && resource
                    .strip_prefix("role")
                    .map(|r| r.trim_start_matches('/'))
                    .is_some_and(name_is_fine) =>
        {
            if *account != context.account {
                return Err(AwsError::new(
                    "AccessDeniedException",
                    "Cross-account pass role is not allowed.",
                )
                .with_status(403));
            }
            Ok(role)
        }
        _ => Err(pattern(role, "role", ROLE_PATTERN)),
    }
}

pub(super) fn check_key(key: String) -> Result<Option<String>, AwsError> {
    if key.is_empty() {
        return Ok(None);
    }
    if key.starts_with("arn:aws") && key.split(':').nth(2) == Some("kms") && key.split(':').count() >= 6 {
        return Ok(Some(key));
    }
    Err(pattern(key, "kMSKeyArn", "(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()"))
}

pub(super) fn check_environment(
    variables: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, AwsError> {
    let reserved: Vec<&str> =
        variables.keys().map(String::as_str).filter(|name| RESERVED.contains(name)).collect();
    if !reserved.is_empty() {
        return Err(invalid(format!(
            "Lambda was unable to configure your environment variables because the environment variables you \
             have provided contains reserved keys that are currently not supported for modification. Reserved \
             keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    for name in variables.keys() {
        let mut bytes = name.bytes();
        let starts = bytes.next().is_some_and(|b| b.is_ascii_alphabetic());
        if !starts || name.len() < 2 || !bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(constraint(
                name,
                "environment.variables",
                "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: \
                 [a-zA-Z]([a-zA-Z0-9_])+, Member must not be null]",
            ));
        }
    }
    let value_with_zero = variables.iter().find(|(_, value)| value.contains('\0'));
    if let Some((name, _)) = value_with_zero {
        return Err(invalid(format!("the value of {name} holds a zero byte")));
    }
    let measured = json!(variables).to_string();
    if measured.len() > LARGEST_ENVIRONMENT {
        return Err(invalid(format!(
            "Lambda was unable to configure your environment variables because the environment variables you \
             have provided exceeded the 4KB limit. String measured: {measured}"
        )));
    }
    Ok(variables)
}

/// Whether a member is more than an empty list, map or text.
pub(super) fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => members.values().any(says_something),
        Value::Bool(_) | Value::Number(_) => true,
    }
}
