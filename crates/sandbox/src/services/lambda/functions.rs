//! Functions: create, get, list, change, delete.
//!
//! A change takes effect after a short while by the context's clock, as on AWS: until then a new
//! function is `Pending`, a changed one `InProgress`, and what ran before keeps running.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Core;
use super::checks::check_architectures;
use super::errors::{
    conflict, constraint, function_not_found, in_progress, invalid, pending, stale_revision, update_failed,
};
use super::names::{FunctionRef, LATEST, arn, is_number};
use super::settings::{Changes, Settings};
use super::shown::{call_query, page};
use super::source::{CODE_MEMBERS, CodeInput};
use super::state::{Build, Failure, Function, State, Version};
use super::tags::check_tags;
use crate::aws::{AwsError, Call, Reply};
use crate::faults::UpdateEffect;

/// AWS: 75 GB of code for an account and region.
pub(super) const LARGEST_TOTAL_CODE: u64 = 80_530_636_800;

/// The members of `CreateFunction` that are not configuration.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateInput {
    function_name: Option<String>,
    code: Option<CodeInput>,
    #[serde(default)]
    publish: bool,
    package_type: Option<String>,
    architectures: Option<Vec<String>>,
    #[serde(default)]
    tags: std::collections::BTreeMap<String, String>,
    publish_to: Option<Value>,
    code_signing_config_arn: Option<Value>,
}

const CREATE_MEMBERS: [&str; 8] = [
    "FunctionName",
    "Code",
    "Publish",
    "PackageType",
    "Architectures",
    "Tags",
    "PublishTo",
    "CodeSigningConfigArn",
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct UpdateCodeInput {
    architectures: Option<Vec<String>>,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    publish: bool,
    publish_to: Option<Value>,
    revision_id: Option<String>,
}

/// Takes members out of an input, so that what is left can be another type's.
fn take(input: &mut Map<String, Value>, members: &[&str]) -> Value {
    Value::Object(members.iter().filter_map(|m| input.remove(*m).map(|v| ((*m).to_owned(), v))).collect())
}

fn members(call: &Call) -> Result<Map<String, Value>, AwsError> {
    call.parse()
}

fn parsed<T: serde::de::DeserializeOwned>(call: &Call, value: Value) -> Result<T, AwsError> {
    serde_json::from_value(value)
        .map_err(|error| AwsError::new("SerializationException", format!("{}: {error}", call.operation)))
}

impl Core {
    pub(super) async fn create_function(&self, call: &Call) -> Result<Reply, AwsError> {
        call_query(call, &[])?;
        let mut input = members(call)?;
        let create: CreateInput = parsed(call, take(&mut input, &CREATE_MEMBERS))?;
        let changes: Changes = parsed(call, Value::Object(input))?;
        let null = |at| constraint("null", at, "Member must not be null");
        let name = create.function_name.ok_or_else(|| null("functionName"))?;
        let name = FunctionRef::whole(&self.context, &name)?;
        let code = create.code.ok_or_else(|| null("code"))?;
        if let Some(other) = create.package_type.filter(|kind| kind != "Zip") {
            return Err(AwsError::unsupported(format_args!("the package type {other}: only Zip")));
        }
        if create.publish_to.is_some() || create.code_signing_config_arn.is_some() {
            return Err(AwsError::unsupported("PublishTo and CodeSigningConfigArn of a function"));
        }
        check_tags(&create.tags)?;
        let architecture = check_architectures(create.architectures)?.unwrap_or_else(|| "x86_64".to_owned());
        let settings = Settings::create(&self.context, changes, architecture)?;
        let exists = conflict(format!("Function already exist: {name}"));
        if self.state.read(|state| state.functions.contains_key(&name)) {
            return Err(exists);
        }
        let code = self.code.store(self.zip(code, "CreateFunction").await?, false).await?;
        let shown = self.state.change(|state| {
            if state.functions.contains_key(&name) {
                return Err(exists);
            }
            check_total(state, code.size)?;
            let now = self.context.now();
            let latest =
                self.version(Build { id: self.context.random.uuid(), code, settings }, None, now, true);
            let mut function = Function {
                latest,
                before: None,
                versions: Default::default(),
                last_number: 0,
                aliases: Default::default(),
                policies: Default::default(),
                reserved: None,
                tags: create.tags,
            };
            let shown = if create.publish {
                let number = self.publish(&mut function, None, now);
                self.configuration(&name, Some(&number), &function.versions[&function.last_number], &number)
            } else {
                self.configuration(&name, None, &function.latest, LATEST)
            };
            state.functions.insert(name, function);
            Ok(shown)
        })?;
        Ok(Reply::json(shown).with_status(201))
    }

    pub(super) async fn update_function_code(&self, call: &Call) -> Result<Reply, AwsError> {
        call_query(call, &[])?;
        let name = FunctionRef::whole(&self.context, call.path("FunctionName"))?;
        let mut input = members(call)?;
        let code: CodeInput = parsed(call, take(&mut input, &CODE_MEMBERS))?;
        let input: UpdateCodeInput = parsed(call, Value::Object(input))?;
        if input.publish_to.is_some() {
            return Err(AwsError::unsupported("PublishTo of a function"));
        }
        let architecture = check_architectures(input.architectures)?;
        let revision = input.revision_id.as_deref();
        self.state.read(|state| self.may_update(state, &name, revision))?;
        let code = self.code.store(self.zip(code, "UpdateFunctionCode").await?, input.dry_run).await?;
        let now = self.context.now();
        let change = |state: &mut State| {
            self.may_update(state, &name, revision)?;
            check_total(state, code.size)?;
            let function = state.functions.get_mut(&name).ok_or_else(|| self.no_function(&name))?;
            let mut build = function.latest.build.clone();
            build.id = self.context.random.uuid();
            build.code = code.clone();
            if let Some(architecture) = architecture.clone() {
                build.settings.architecture = architecture;
            }
            self.update(function, build, now);
            if !input.dry_run {
                function.latest.failure = self.failure(&name);
            }
            if !input.publish {
                return Ok(self.configuration(&name, None, &function.latest, LATEST));
            }
            let number = self.publish(function, None, now);
            let version = &function.versions[&function.last_number];
            Ok(self.configuration(&name, Some(&number), version, &number))
        };
        let shown = if input.dry_run {
            // What would be, from a copy that nobody keeps.
            change(&mut self.state.read(Clone::clone))?
        } else {
            self.state.change(change)?
        };
        Ok(Reply::json(shown))
    }

    pub(super) fn update_function_configuration(&self, call: &Call) -> Result<Reply, AwsError> {
        call_query(call, &[])?;
        let name = FunctionRef::whole(&self.context, call.path("FunctionName"))?;
        let mut input = members(call)?;
        let revision: Option<String> = match input.remove("RevisionId") {
            Some(value) => parsed(call, value)?,
            None => None,
        };
        let changes: Changes = parsed(call, Value::Object(input))?;
        let shown = self.state.change(|state| {
            self.may_update(state, &name, revision.as_deref())?;
            let function = state.functions.get_mut(&name).ok_or_else(|| self.no_function(&name))?;
            let mut build = function.latest.build.clone();
            build.settings = build.settings.changed(&self.context, changes)?;
            build.id = self.context.random.uuid();
            self.update(function, build, self.context.now());
            function.latest.failure = self.failure(&name);
            Ok(self.configuration(&name, None, &function.latest, LATEST))
        })?;
        Ok(Reply::json(shown))
    }

    pub(super) fn get_function(&self, call: &Call) -> Result<Reply, AwsError> {
        let (reference, configuration) = self.look_up(call)?;
        let (tags, reserved) = self.state.read(|state| {
            state.functions.get(&reference.name).map(|f| (f.tags.clone(), f.reserved)).unwrap_or_default()
        });
        // No Location: AWS gives a signed S3 URL, and there is no S3 here to sign one for.
        let mut answer = json!({"Configuration": configuration, "Code": {"RepositoryType": "S3"}});
        if !tags.is_empty() {
            answer["Tags"] = json!(tags);
        }
        if let Some(reserved) = reserved {
            answer["Concurrency"] = json!({"ReservedConcurrentExecutions": reserved});
        }
        Ok(Reply::json(answer))
    }

    pub(super) fn get_function_configuration(&self, call: &Call) -> Result<Reply, AwsError> {
        self.look_up(call).map(|(_, configuration)| Reply::json(configuration))
    }

    fn look_up(&self, call: &Call) -> Result<(FunctionRef, Value), AwsError> {
        call_query(call, &["Qualifier"])?;
        let reference =
            FunctionRef::parse(&self.context, call.path("FunctionName"), call.query("Qualifier"))?;
        let qualifier = reference.qualifier.as_deref();
        let shown = self.state.read(|state| {
            let function = state.functions.get(&reference.name)?;
            let (version, number) = function.resolve(qualifier)?;
            Some(self.configuration(&reference.name, qualifier, version, &number))
        });
        let shown = shown.ok_or_else(|| function_not_found(&reference.arn(&self.context)))?;
        Ok((reference, shown))
    }

    pub(super) fn list_functions(&self, call: &Call) -> Result<Reply, AwsError> {
        call_query(call, &["FunctionVersion", "Marker", "MaxItems"])?;
        let all = match call.query("FunctionVersion") {
            None => false,
            Some("ALL") => true,
            Some(other) => {
                return Err(constraint(
                    other,
                    "functionVersion",
                    "Member must satisfy enum value set: [ALL]",
                ));
            }
        };
        let items = self.state.read(|state| {
            let mut items = Vec::new();
            for (name, function) in &state.functions {
                let latest = all.then_some(LATEST);
                items.push((name.clone(), self.summary(name, latest, &function.latest, LATEST)));
                for (number, version) in function.versions.iter().filter(|_| all) {
                    let number = number.to_string();
                    let summary = self.summary(name, Some(&number), version, &number);
                    // A blank sorts before everything a name may hold.
                    items.push((format!("{name} {number:0>20}"), summary));
                }
            }
            items
        });
        page(call, "Functions", items)
    }

    pub(super) fn delete_function(&self, call: &Call) -> Result<Reply, AwsError> {
        call_query(call, &["Qualifier"])?;
        let reference =
            FunctionRef::parse(&self.context, call.path("FunctionName"), call.query("Qualifier"))?;
        self.state.change(|state| {
            let missing = || function_not_found(&reference.arn(&self.context));
            let Some(qualifier) = &reference.qualifier else {
                return state.functions.remove(&reference.name).map(drop).ok_or_else(missing);
            };
            let function = state.functions.get_mut(&reference.name).ok_or_else(missing)?;
            if qualifier == LATEST {
                return Err(invalid("$LATEST version cannot be deleted without deleting the function."));
            }
            if !is_number(qualifier) {
                return Err(invalid("Deletion of aliases is not currently supported."));
            }
            let users: Vec<&str> = function
                .aliases
                .iter()
                .filter(|(_, alias)| alias.names(qualifier))
                .map(|(name, _)| name.as_str())
                .collect();
            if !users.is_empty() {
                return Err(conflict(format!(
                    "Unable to delete version because the following aliases reference it: [{}]",
                    users.join(", ")
                )));
            }
            let number = qualifier.parse().map_err(|_| missing())?;
            function.versions.remove(&number).ok_or_else(missing)?;
            function.policies.remove(qualifier);
            Ok(())
        })?;
        self.retire();
        Ok(Reply::empty())
    }

    fn may_update(&self, state: &State, name: &str, revision: Option<&str>) -> Result<(), AwsError> {
        let function = state.functions.get(name).ok_or_else(|| self.no_function(name))?;
        let now = self.context.now();
        if function.latest.is_pending(now) {
            return Err(pending());
        }
        if !function.latest.is_settled(now) {
            return Err(in_progress(&arn(&self.context, name, None)));
        }
        if revision.is_some_and(|revision| revision != function.latest.revision(now)) {
            return Err(stale_revision());
        }
        Ok(())
    }

    fn update(&self, function: &mut Function, build: Build, now: DateTime<Utc>) {
        function.before = Some(function.serving(now).clone());
        function.latest = self.version(build, None, now, false);
    }

    /// How the change of a function that was just accepted fails, if a fault says that it does.
    fn failure(&self, name: &str) -> Option<Failure> {
        let UpdateEffect::Fail(code) = self.context.faults.update(&self.context.random, name)?;
        let reason = update_failed(&code);
        Some(Failure { code, reason })
    }

    /// A version that takes effect after the settling time.
    pub(super) fn version(
        &self,
        build: Build,
        description: Option<String>,
        now: DateTime<Utc>,
        created: bool,
    ) -> Version {
        Version {
            build,
            description,
            modified: now,
            created,
            settled_at: now + self.tuning.settling,
            revision: self.context.random.uuid(),
            settled_revision: self.context.random.uuid(),
            failure: None,
        }
    }

    pub(super) fn no_function(&self, name: &str) -> AwsError {
        function_not_found(&arn(&self.context, name, None))
    }
}

fn check_total(state: &State, more: u64) -> Result<(), AwsError> {
    let total: u64 = state.builds().map(|build| build.code.size).sum();
    if total + more > LARGEST_TOTAL_CODE {
        return Err(AwsError::new("CodeStorageExceededException", "Code storage limit exceeded."));
    }
    Ok(())
}
