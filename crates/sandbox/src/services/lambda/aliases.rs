//! Aliases: names for a version, or for two with a share for the second.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Core;
use super::errors::{
    at_most, conflict, constraint, function_not_found, invalid, not_found, pattern, stale_revision,
};
use super::names::{FunctionRef, LATEST, arn, is_number, is_word};
use super::shown::{call_query, page};
use super::state::{Alias, Function};
use crate::aws::{AwsError, Call, Reply};

const NAME_PATTERN: &str = "(?!^[0-9]+$)([a-zA-Z0-9-_]+)";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CreateInput {
    name: Option<String>,
    function_version: Option<String>,
    #[serde(default)]
    description: String,
    routing_config: Option<RoutingInput>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct UpdateInput {
    function_version: Option<String>,
    description: Option<String>,
    routing_config: Option<RoutingInput>,
    revision_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RoutingInput {
    #[serde(default)]
    additional_version_weights: BTreeMap<String, f64>,
}

impl Core {
    pub(super) fn create_alias(&self, call: &Call) -> Result<Reply, AwsError> {
        call_query(call, &[])?;
        let function = FunctionRef::whole(&self.context, call.path("FunctionName"))?;
        let input: CreateInput = call.parse()?;
        let null = |at| constraint("null", at, "Member must not be null");
        let name = checked_name(input.name.ok_or_else(|| null("name"))?)?;
        let version = input.function_version.ok_or_else(|| null("functionVersion"))?;
        at_most(&input.description, "description", 256)?;
        let alias = Alias {
            version,
            description: input.description,
            weights: input.routing_config.map(|r| r.additional_version_weights).unwrap_or_default(),
            revision: self.context.random.uuid(),
        };
        let shown = self.state.change(|state| {
            let found = state.functions.get_mut(&function).ok_or_else(|| self.no_function(&function))?;
            if found.aliases.contains_key(&name) {
                let arn = arn(&self.context, &function, Some(&name));
                return Err(conflict(format!("Alias already exists: {arn}")));
            }
            self.check_alias(&function, found, &alias)?;
            let shown = self.shown_alias(&function, &name, &alias);
            found.aliases.insert(name, alias);
            Ok(shown)
        })?;
        Ok(Reply::json(shown).with_status(201))
    }

    pub(super) fn get_alias(&self, call: &Call) -> Result<Reply, AwsError> {
        call_query(call, &[])?;
        let (function, name) = self.alias_of(call)?;
        let shown = self.state.read(|state| {
            let alias = state.functions.get(&function)?.aliases.get(&name)?;
            Some(self.shown_alias(&function, &name, alias))
        });
        shown.map(Reply::json).ok_or_else(|| self.no_alias(&function, &name))
    }

    pub(super) fn update_alias(&self, call: &Call) -> Result<Reply, AwsError> {
        call_query(call, &[])?;
        let (function, name) = self.alias_of(call)?;
        let input: UpdateInput = call.parse()?;
        at_most(input.description.as_deref().unwrap_or_default(), "description", 256)?;
        let shown = self.state.change(|state| {
            let missing = || self.no_alias(&function, &name);
            let found = state.functions.get_mut(&function).ok_or_else(missing)?;
            let mut alias = found.aliases.get(&name).ok_or_else(missing)?.clone();
            if input.revision_id.is_some_and(|revision| revision != alias.revision) {
                return Err(stale_revision());
            }
            if let Some(version) = input.function_version {
                alias.version = version;
            }
            if let Some(description) = input.description {
                alias.description = description;
            }
            // Without a RoutingConfig the weights stay; an empty one takes them away.
            if let Some(routing) = input.routing_config {
                alias.weights = routing.additional_version_weights;
            }
            self.check_alias(&function, found, &alias)?;
            alias.revision = self.context.random.uuid();
            let shown = self.shown_alias(&function, &name, &alias);
            found.aliases.insert(name.clone(), alias);
            Ok(shown)
        })?;
        Ok(Reply::json(shown))
    }

    /// Deleting an alias that is not there is a success, as on AWS.
    pub(super) fn delete_alias(&self, call: &Call) -> Result<Reply, AwsError> {
        call_query(call, &[])?;
        let (function, name) = self.alias_of(call)?;
        self.state.change(|state| {
            let found = state.functions.get_mut(&function).ok_or_else(|| self.no_function(&function))?;
            found.aliases.remove(&name);
            found.policies.remove(&name);
            Ok(())
        })?;
        Ok(Reply::empty())
    }

    pub(super) fn list_aliases(&self, call: &Call) -> Result<Reply, AwsError> {
        call_query(call, &["FunctionVersion", "Marker", "MaxItems"])?;
        let function = FunctionRef::whole(&self.context, call.path("FunctionName"))?;
        let version = call.query("FunctionVersion");
        let items = self.state.read(|state| {
            let aliases = &state.functions.get(&function)?.aliases;
            let named =
                aliases.iter().filter(|(_, alias)| version.is_none_or(|version| alias.names(version)));
            Some(
                named.map(|(name, alias)| (name.clone(), self.shown_alias(&function, name, alias))).collect(),
            )
        });
        page(call, "Aliases", items.ok_or_else(|| self.no_function(&function))?)
    }

    fn alias_of(&self, call: &Call) -> Result<(String, String), AwsError> {
        let function = FunctionRef::whole(&self.context, call.path("FunctionName"))?;
        Ok((function, checked_name(call.path("Name").to_owned())?))
    }

    fn no_alias(&self, function: &str, name: &str) -> AwsError {
        not_found(format!("Cannot find alias arn: {}", arn(&self.context, function, Some(name))))
    }

    /// The rules for what an alias may point at.
    fn check_alias(&self, name: &str, function: &Function, alias: &Alias) -> Result<(), AwsError> {
        let existing = |number: &str| {
            function
                .version(number)
                .ok_or_else(|| function_not_found(&arn(&self.context, name, Some(number))))
        };
        if alias.version != LATEST && !is_number(&alias.version) {
            return Err(pattern(&alias.version, "functionVersion", "(\\$LATEST|[0-9]+)"));
        }
        let main = existing(&alias.version)?;
        if alias.weights.len() > 1 {
            return Err(invalid("Number of items in AdditionalVersionWeights cannot be greater than 1"));
        }
        for (number, weight) in &alias.weights {
            check_weight(number, *weight)?;
            if *number == alias.version {
                return Err(invalid(format!(
                    "Invalid function version {number}. Function version {number} is already included in \
                     routing configuration."
                )));
            }
            if alias.version == LATEST {
                return Err(invalid("$LATEST is not supported for an alias pointing to more than 1 version"));
            }
            let other = existing(number)?;
            if other.build.settings.role != main.build.settings.role {
                return Err(invalid(format!(
                    "Function versions {} and {number} must have the same execution role to share an alias.",
                    alias.version
                )));
            }
        }
        Ok(())
    }

    fn shown_alias(&self, function: &str, name: &str, alias: &Alias) -> Value {
        let mut shown = json!({
            "AliasArn": arn(&self.context, function, Some(name)), "Name": name,
            "FunctionVersion": alias.version, "Description": alias.description, "RevisionId": alias.revision,
        });
        if !alias.weights.is_empty() {
            shown["RoutingConfig"] = json!({"AdditionalVersionWeights": alias.weights});
        }
        shown
    }
}

fn checked_name(name: String) -> Result<String, AwsError> {
    at_most(&name, "name", 128)?;
    if is_word(&name) && !is_number(&name) { Ok(name) } else { Err(pattern(name, "name", NAME_PATTERN)) }
}

fn check_weight(number: &str, weight: f64) -> Result<(), AwsError> {
    let refused = |what: &str| {
        Err(constraint(
            format_args!("{{{number}={weight}}}"),
            "routingConfig.additionalVersionWeights",
            &format!("Map {what}, Member must not be null]"),
        ))
    };
    if !is_number(number) {
        return refused(
            "keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must \
             have length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+",
        );
    }
    if !(0.0..=1.0).contains(&weight) {
        return refused(
            "value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must \
             have value greater than or equal to 0.0",
        );
    }
    Ok(())
}
