//! A function's configuration: what may be said in it, and what is refused.
//!
//! Kept are the members the sandbox carries out (handler, time limit, environment, logging, ...)
//! and those that describe the stack to whoever inspects it (role, VPC, tracing, key). Members
//! whose effect is missing here (layers, dead letters, file systems, images, ...) are refused by
//! name as soon as they say anything.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::checks::{
    EnvironmentInput, EphemeralInput, LoggingInput, SnapStartInput, TracingInput, VpcInput,
    check_environment, check_key, check_role, check_runtime, missing, number, one_of, says_something,
};
use super::errors::{at_most, constraint, invalid, pattern};
use crate::aws::AwsError;
use crate::context::Context;

/// The configuration of `$LATEST` or of a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Settings {
    pub runtime: String,
    pub role: String,
    pub handler: String,
    pub description: String,
    /// Seconds.
    pub timeout: u32,
    /// Megabytes.
    pub memory: u32,
    pub environment: BTreeMap<String, String>,
    pub vpc: Option<Vpc>,
    /// `Active` or `PassThrough`.
    pub tracing: String,
    pub logging: Logging,
    pub architecture: String,
    /// Megabytes.
    pub ephemeral: u32,
    pub key: Option<String>,
}

/// Where the function has its network interfaces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Vpc {
    pub subnets: Vec<String>,
    pub groups: Vec<String>,
    pub ipv6: bool,
}

/// What is logged, how and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Logging {
    pub json: bool,
    /// Levels, kept with JSON only.
    pub application: String,
    pub system: String,
    pub group: Option<String>,
}

impl Default for Logging {
    fn default() -> Self {
        Self { json: false, application: "INFO".into(), system: "INFO".into(), group: None }
    }
}

/// The members `CreateFunction` and `UpdateFunctionConfiguration` share. What is absent stays.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Changes {
    runtime: Option<String>,
    role: Option<String>,
    handler: Option<String>,
    description: Option<String>,
    timeout: Option<i64>,
    memory_size: Option<i64>,
    environment: Option<EnvironmentInput>,
    vpc_config: Option<VpcInput>,
    tracing_config: Option<TracingInput>,
    logging_config: Option<LoggingInput>,
    ephemeral_storage: Option<EphemeralInput>,
    #[serde(rename = "KMSKeyArn")]
    kms_key_arn: Option<String>,
    dead_letter_config: Option<Value>,
    layers: Option<Value>,
    file_system_configs: Option<Value>,
    image_config: Option<Value>,
    snap_start: Option<SnapStartInput>,
    capacity_provider_config: Option<Value>,
    durable_config: Option<Value>,
    tenancy_config: Option<Value>,
}

impl Settings {
    /// The configuration a new function starts from. Runtime, role and handler must be there.
    ///
    /// # Errors
    /// AWS's, for what is missing or not allowed.
    pub fn create(context: &Context, changes: Changes, architecture: String) -> Result<Self, AwsError> {
        let required = |member: &Option<String>, name: &str| match member {
            Some(_) => Ok(()),
            None => Err(constraint("null", name, "Member must not be null")),
        };
        required(&changes.role, "role")?;
        required(&changes.runtime, "runtime").map_err(|_| missing("Runtime"))?;
        required(&changes.handler, "handler").map_err(|_| missing("Handler"))?;
        let start = Self {
            runtime: String::new(),
            role: String::new(),
            handler: String::new(),
            description: String::new(),
            timeout: 3,
            memory: 128,
            environment: BTreeMap::new(),
            vpc: None,
            tracing: "PassThrough".into(),
            logging: Logging::default(),
            architecture,
            ephemeral: 512,
            key: None,
        };
        start.changed(context, changes)
    }

    /// This configuration with changes.
    ///
    /// # Errors
    /// AWS's, for what is not allowed; `SandboxUnsupported` for what has no effect here.
    pub fn changed(&self, context: &Context, changes: Changes) -> Result<Self, AwsError> {
        changes.refuse_unsupported()?;
        let mut new = self.clone();
        if let Some(runtime) = changes.runtime {
            new.runtime = check_runtime(runtime)?;
        }
        if let Some(role) = changes.role {
            new.role = check_role(context, role)?;
        }
        if let Some(handler) = changes.handler {
            at_most(&handler, "handler", 128)?;
            if handler.is_empty() || handler.contains(char::is_whitespace) {
                return Err(pattern(handler, "handler", "[^\\s]+"));
            }
            new.handler = handler;
        }
        if let Some(description) = changes.description {
            at_most(&description, "description", 256)?;
            new.description = description;
        }
        if let Some(timeout) = changes.timeout {
            new.timeout = number(timeout, "timeout", 1, 900)?;
        }
        if let Some(memory) = changes.memory_size {
            new.memory = number(memory, "memorySize", 128, 10_240)?;
        }
        if let Some(storage) = changes.ephemeral_storage {
            new.ephemeral = number(storage.size, "ephemeralStorage.size", 512, 10_240)?;
        }
        if let Some(environment) = changes.environment {
            new.environment = check_environment(environment.variables)?;
        }
        if let Some(vpc) = changes.vpc_config {
            new.vpc = vpc.checked()?;
        }
        if let Some(mode) = changes.tracing_config.and_then(|tracing| tracing.mode) {
            new.tracing = one_of(mode, "tracingConfig.mode", &["Active", "PassThrough"])?;
        }
        if let Some(logging) = changes.logging_config {
            new.logging = logging.applied_to(&self.logging)?;
        }
        if let Some(key) = changes.kms_key_arn {
            new.key = check_key(key)?;
        }
        Ok(new)
    }

    /// The group the function logs to.
    pub fn log_group(&self, function: &str) -> String {
        self.logging.group.clone().unwrap_or_else(|| format!("/aws/lambda/{function}"))
    }

    /// The members of a `FunctionConfiguration` that come from here.
    pub fn rendered(&self, function: &str) -> Value {
        let mut logging = json!({
            "LogFormat": if self.logging.json { "JSON" } else { "Text" },
            "LogGroup": self.log_group(function),
        });
        if self.logging.json {
            logging["ApplicationLogLevel"] = json!(self.logging.application);
            logging["SystemLogLevel"] = json!(self.logging.system);
        }
        let mut value = json!({
            "Runtime": self.runtime, "Role": self.role, "Handler": self.handler,
            "Description": self.description, "Timeout": self.timeout, "MemorySize": self.memory,
            "TracingConfig": {"Mode": self.tracing}, "PackageType": "Zip",
            "Architectures": [self.architecture], "EphemeralStorage": {"Size": self.ephemeral},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"}, "LoggingConfig": logging,
        });
        if !self.environment.is_empty() {
            value["Environment"] = json!({"Variables": self.environment});
        }
        if let Some(vpc) = &self.vpc {
            // No VpcId: it is the subnets' own, and there is no EC2 here to ask.
            value["VpcConfig"] = json!({
                "SubnetIds": vpc.subnets, "SecurityGroupIds": vpc.groups, "Ipv6AllowedForDualStack": vpc.ipv6,
            });
        }
        if let Some(key) = &self.key {
            value["KMSKeyArn"] = json!(key);
        }
        value
    }
}

impl Changes {
    fn refuse_unsupported(&self) -> Result<(), AwsError> {
        let members = [
            ("Layers", &self.layers),
            ("FileSystemConfigs", &self.file_system_configs),
            ("DeadLetterConfig", &self.dead_letter_config),
            ("ImageConfig", &self.image_config),
            ("CapacityProviderConfig", &self.capacity_provider_config),
            ("DurableConfig", &self.durable_config),
            ("TenancyConfig", &self.tenancy_config),
        ];
        for (name, value) in members {
            if value.as_ref().is_some_and(says_something) {
                return Err(AwsError::unsupported(format_args!("{name} of a function")));
            }
        }
        match self.snap_start.as_ref().and_then(|snap| snap.apply_on.as_deref()) {
            None | Some("None") => Ok(()),
            Some("PublishedVersions") => {
                let runtime = self.runtime.as_deref().unwrap_or("provided.al2023");
                Err(invalid(format!("{runtime} is not supported for SnapStart enabled functions.")))
            }
            Some(other) => Err(constraint(
                other,
                "snapStart.applyOn",
                "Member must satisfy enum value set: [PublishedVersions, None]",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::context::SystemClock;

    fn create(members: &Value) -> Result<Settings, AwsError> {
        let context = Context::for_tests(Path::new("/nowhere"), Arc::new(SystemClock));
        let mut input = json!({
            "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": "arn:aws:iam::123456789012:role/x"
        });
        for (name, value) in members.as_object().unwrap() {
            input[name] = value.clone();
        }
        let changes = serde_json::from_value(input)
            .map_err(|e| AwsError::new("SerializationException", e.to_string()))?;
        Settings::create(&context, changes, "x86_64".into())
    }

    #[test]
    fn what_is_refused() {
        const INVALID: &str = "InvalidParameterValueException";
        const VALIDATION: &str = "ValidationException";
        const UNSUPPORTED: &str = "SandboxUnsupported";
        let long = "v".repeat(4096);
        for (members, code) in [
            (json!({"Timeout": 0}), VALIDATION),
            (json!({"Timeout": 901}), VALIDATION),
            (json!({"MemorySize": 127}), VALIDATION),
            (json!({"MemorySize": 10241}), VALIDATION),
            (json!({"Role": "nobody"}), VALIDATION),
            (json!({"Role": "arn:aws:iam::999999999999:role/x"}), "AccessDeniedException"),
            (json!({"Role": null}), VALIDATION),
            (json!({"Handler": "a b"}), VALIDATION),
            (json!({"Handler": null}), INVALID),
            (json!({"Runtime": null}), INVALID),
            (json!({"Runtime": "python3.12"}), UNSUPPORTED),
            (json!({"Runtime": "cobol"}), INVALID),
            (json!({"Description": "d".repeat(257)}), VALIDATION),
            (json!({"EphemeralStorage": {"Size": 511}}), VALIDATION),
            (json!({"Environment": {"Variables": {"AWS_REGION": "x"}}}), INVALID),
            (json!({"Environment": {"Variables": {"_HANDLER": "x"}}}), INVALID),
            (json!({"Environment": {"Variables": {"A": "one letter"}}}), VALIDATION),
            (json!({"Environment": {"Variables": {"1A": "x"}}}), VALIDATION),
            (json!({"Environment": {"Variables": {"LONG": long}}}), INVALID),
            (json!({"VpcConfig": {"SubnetIds": ["subnet-1"]}}), INVALID),
            (json!({"VpcConfig": {"SubnetIds": ["net-1"], "SecurityGroupIds": ["sg-1"]}}), VALIDATION),
            (json!({"TracingConfig": {"Mode": "On"}}), VALIDATION),
            (json!({"LoggingConfig": {"LogFormat": "XML"}}), VALIDATION),
            (json!({"LoggingConfig": {"SystemLogLevel": "INFO"}}), INVALID),
            (json!({"LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "TRACE"}}), VALIDATION),
            (json!({"LoggingConfig": {"LogGroup": "no spaces"}}), VALIDATION),
            (json!({"KMSKeyArn": "key"}), VALIDATION),
            (json!({"Layers": ["arn:aws:lambda:eu-west-1:1:layer:x:1"]}), UNSUPPORTED),
            (json!({"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:eu-west-1:1:q"}}), UNSUPPORTED),
            (json!({"FileSystemConfigs": [{}]}), UNSUPPORTED),
            (json!({"SnapStart": {"ApplyOn": "PublishedVersions"}}), INVALID),
            (json!({"Colour": "red"}), "SerializationException"),
        ] {
            let refused = create(&members).expect_err(&members.to_string());
            assert_eq!(refused.code, code, "{members}: {refused}");
        }
    }

    #[test]
    fn what_is_kept_comes_back() {
        let settings = create(&json!({
            "Timeout": 28, "MemorySize": 256, "DeadLetterConfig": {"TargetArn": ""}, "Layers": [],
            "Environment": {"Variables": {"COLOUR": "red"}},
            "VpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]},
            "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "LogGroup": "/my/group"},
            "TracingConfig": {"Mode": "Active"},
        }))
        .unwrap();
        let shown = settings.rendered("api");
        assert_eq!(shown["Timeout"], 28);
        assert_eq!(shown["VpcConfig"]["SubnetIds"], json!(["subnet-1", "subnet-2"]));
        assert_eq!(
            shown["LoggingConfig"],
            json!({"LogFormat": "JSON", "LogGroup": "/my/group", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "INFO"})
        );
        let context = Context::for_tests(Path::new("/nowhere"), Arc::new(SystemClock));
        let change =
            |input: Value| settings.changed(&context, serde_json::from_value(input).unwrap()).unwrap();
        let text = change(json!({"LoggingConfig": {"LogFormat": "Text"}}));
        assert_eq!(
            text.rendered("api")["LoggingConfig"],
            json!({"LogFormat": "Text", "LogGroup": "/my/group"})
        );
        let bare = change(json!({"VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}, "Environment": {}}));
        assert!(bare.vpc.is_none() && bare.environment.is_empty());
        assert_eq!(bare.timeout, 28);
    }
}
