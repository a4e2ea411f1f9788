//! Published versions: copies of `$LATEST` that nothing changes any more.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::Core;
use super::errors::{at_most, failed, in_progress, invalid, pending, stale_revision};
use super::names::{FunctionRef, LATEST, arn};
use super::shown::{call_query, page};
use super::state::{Build, Function};
use crate::aws::{AwsError, Call, Reply};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PublishInput {
    code_sha256: Option<String>,
    description: Option<String>,
    revision_id: Option<String>,
    publish_to: Option<Value>,
}

impl Core {
    pub(super) fn publish_version(&self, call: &Call) -> Result<Reply, AwsError> {
        call_query(call, &[])?;
        let name = FunctionRef::whole(&self.context, call.path("FunctionName"))?;
        let input: PublishInput = call.parse()?;
        if input.publish_to.is_some() {
            return Err(AwsError::unsupported("PublishTo of a version"));
        }
        at_most(input.description.as_deref().unwrap_or_default(), "description", 256)?;
        let now = self.context.now();
        let shown = self.state.change(|state| {
            let function = state.functions.get_mut(&name).ok_or_else(|| self.no_function(&name))?;
            if function.latest.is_pending(now) {
                return Err(pending());
            }
            if !function.latest.is_settled(now) {
                return Err(in_progress(&arn(&self.context, &name, None)));
            }
            // AWS does not say what it does here; what never took effect must not become a version.
            if function.latest.failed(now).is_some() {
                return Err(failed());
            }
            if input.revision_id.is_some_and(|revision| revision != function.latest.revision(now)) {
                return Err(stale_revision());
            }
            let current = &function.latest.build.code.sha256;
            if let Some(expected) = input.code_sha256.filter(|expected| expected != current) {
                return Err(invalid(format!(
                    "CodeSHA256 ({expected}) is different from current CodeSHA256 in $LATEST ({current}). \
                     Please try again with the CodeSHA256 in $LATEST."
                )));
            }
            let number = self.publish(function, input.description, now);
            let (version, _) = function.resolve(Some(&number)).ok_or_else(|| self.no_function(&name))?;
            Ok(self.configuration(&name, Some(&number), version, &number))
        })?;
        Ok(Reply::json(shown).with_status(201))
    }

    pub(super) fn list_versions(&self, call: &Call) -> Result<Reply, AwsError> {
        call_query(call, &["Marker", "MaxItems"])?;
        let name = FunctionRef::whole(&self.context, call.path("FunctionName"))?;
        let items = self.state.read(|state| {
            let function = state.functions.get(&name)?;
            let mut items =
                vec![(LATEST.to_owned(), self.summary(&name, Some(LATEST), &function.latest, LATEST))];
            for (number, version) in &function.versions {
                let text = number.to_string();
                items.push((format!("v{number:0>20}"), self.summary(&name, Some(&text), version, &text)));
            }
            Some(items)
        });
        page(call, "Versions", items.ok_or_else(|| self.no_function(&name))?)
    }

    /// Publishes `$LATEST` and returns the version's number: a new one, or the last one when
    /// neither code nor configuration have changed since.
    pub(super) fn publish(
        &self,
        function: &mut Function,
        description: Option<String>,
        now: DateTime<Utc>,
    ) -> String {
        let latest = &function.latest.build;
        let latest_failure = function.latest.failure.clone();
        let last = function.versions.get(&function.last_number);
        let unchanged = last.is_some_and(|last| {
            last.build.code == latest.code
                && last.build.settings == latest.settings
                && last.failure == latest_failure
        });
        if !unchanged {
            let build = Build { id: self.context.random.uuid(), ..latest.clone() };
            function.last_number += 1;
            let mut version = self.version(build, description, now, true);
            version.failure = latest_failure;
            function.versions.insert(function.last_number, version);
        }
        function.last_number.to_string()
    }
}
