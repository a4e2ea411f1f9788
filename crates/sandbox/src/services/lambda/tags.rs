//! Tags of functions.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::Core;
use super::errors::{at_most, constraint, function_not_found, invalid};
use super::names::FunctionRef;
use super::shown::call_query;
use crate::aws::{AwsError, Call, Reply};

/// AWS: 50 tags for a function.
const MOST_TAGS: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct TagInput {
    tags: BTreeMap<String, String>,
}

impl Core {
    pub(super) fn tag_resource(&self, call: &Call) -> Result<Reply, AwsError> {
        call_query(call, &[])?;
        let input: TagInput = call.parse()?;
        self.change_tags(call, |tags| {
            tags.extend(input.tags);
            check_tags(tags)
        })
    }

    pub(super) fn untag_resource(&self, call: &Call) -> Result<Reply, AwsError> {
        call_query(call, &["tagKeys"])?;
        self.change_tags(call, |tags| {
            for (_, key) in call.query.iter().filter(|(name, _)| name == "tagKeys") {
                tags.remove(key);
            }
            Ok(())
        })
    }

    pub(super) fn list_tags(&self, call: &Call) -> Result<Reply, AwsError> {
        call_query(call, &[])?;
        let name = self.tagged(call)?;
        let tags = self.state.read(|state| state.functions.get(&name).map(|function| json!(function.tags)));
        let tags = tags.ok_or_else(|| function_not_found(call.path("Resource")))?;
        Ok(Reply::json(json!({"Tags": tags})))
    }

    fn change_tags(
        &self,
        call: &Call,
        change: impl FnOnce(&mut BTreeMap<String, String>) -> Result<(), AwsError>,
    ) -> Result<Reply, AwsError> {
        let name = self.tagged(call)?;
        self.state.change(|state| {
            let function =
                state.functions.get_mut(&name).ok_or_else(|| function_not_found(call.path("Resource")))?;
            change(&mut function.tags)
        })?;
        Ok(Reply::empty())
    }

    /// The name of the function whose ARN the call names; nothing else has tags.
    fn tagged(&self, call: &Call) -> Result<String, AwsError> {
        let given = call.path("Resource");
        if !given.starts_with("arn:") {
            return Err(constraint(given, "resource", "Member must be the ARN of a function"));
        }
        let reference = FunctionRef::parse(&self.context, given, None)?;
        match reference.qualifier.as_deref() {
            None => Ok(reference.name),
            Some(_) => Err(invalid(
                "Tags on function aliases and versions are not supported. Please specify a function ARN.",
            )),
        }
    }
}

/// The rules for a function's tags.
pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), AwsError> {
    if tags.len() > MOST_TAGS {
        return Err(invalid("Number of tags exceeds resource tag limit."));
    }
    for (key, value) in tags {
        if key.is_empty() || key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid(format!("The tag key {key:?} is empty or reserved for AWS.")));
        }
        at_most(key, "tags", 128)?;
        at_most(value, "tags", 256)?;
        if let Some(text) = [key, value].into_iter().find(|text| !text.chars().all(is_allowed)) {
            return Err(invalid(format!("{text:?} in a tag does not match the pattern {TAG_PATTERN}")));
        }
    }
    Ok(())
}

/// AWS: what the key and the value of a tag may hold.
const TAG_PATTERN: &str = "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*";

/// Letters, separators (blanks, but no tabs or line ends), numbers and a few signs. Marks that belong to
/// a letter before them are taken for letters.
fn is_allowed(c: char) -> bool {
    c.is_alphabetic() || c.is_numeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c)
}
