//! `ListSecrets` with its filters and order, and `ListSecretVersionIds`.
//!
//! A `NextToken` holds the sort key of the last entry that was given, not a position: entries that
//! come or go between two pages make none appear twice.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::json;

use super::state::{Secret, State, seconds};
use super::{SecretsManager, checks};
use crate::aws::{AwsError, Reply};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct List {
    #[serde(default)]
    include_planned_deletion: bool,
    max_results: Option<i64>,
    next_token: Option<String>,
    #[serde(default)]
    filters: Vec<Filter>,
    sort_order: Option<String>,
    sort_by: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct ListVersions {
    secret_id: String,
    max_results: Option<i64>,
    next_token: Option<String>,
    #[serde(default)]
    include_deprecated: bool,
}

/// One filter: any of its values must match, and none of those that begin with `!`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Filter {
    key: String,
    values: Vec<String>,
}

/// What a list is ordered by: the value asked for, then the name.
type Key = (String, String);

impl SecretsManager {
    pub(super) fn list(&self, input: &List) -> Result<Reply, AwsError> {
        let most = checks::page(input.max_results, 100, 100)?;
        let by = input.sort_by.as_deref().unwrap_or("created-date");
        one_of("sortBy", by, &["created-date", "last-accessed-date", "last-changed-date", "name"])?;
        let order = input.sort_order.as_deref().unwrap_or("asc");
        one_of("sortOrder", order, &["asc", "desc"])?;
        input.filters.iter().try_for_each(Filter::check)?;
        let after = input.next_token.as_deref().map(key_of).transpose()?;
        let now = self.context.now_ms();
        self.state.read(|state| {
            let mut found = sorted(state, now, &input.filters, input.include_planned_deletion, by);
            if order == "desc" {
                found.reverse();
            }
            let (page, next) = page(found, most, after.as_ref(), order == "desc");
            let list: Vec<_> = page.iter().map(|(_, s)| s.described("SecretVersionsToStages")).collect();
            let mut reply = json!({"SecretList": list});
            if let Some(next) = next {
                reply["NextToken"] = next.into();
            }
            Ok(Reply::json(reply))
        })
    }

    pub(super) fn list_version_ids(&self, input: &ListVersions) -> Result<Reply, AwsError> {
        checks::secret_id(&input.secret_id)?;
        let most = checks::page(input.max_results, 100, 100)?;
        let after = input.next_token.as_deref().map(key_of).transpose()?;
        let now = self.context.now_ms();
        self.state.read(|state| {
            let secret = state.find(&input.secret_id, now)?;
            let key = secret.kms_key_id.as_deref().unwrap_or("DefaultEncryptionKey");
            let mut found: Vec<(Key, &super::state::Version)> = secret
                .versions
                .iter()
                .filter(|version| input.include_deprecated || secret.labels.any_on(&version.id))
                .map(|version| ((sortable(version.created_ms), version.id.clone()), version))
                .collect();
            found.sort_by(|(a, _), (b, _)| a.cmp(b));
            let (page, next) = page(found, most, after.as_ref(), false);
            let versions: Vec<_> = page
                .iter()
                .map(|(_, version)| {
                    let mut entry = json!({
                        "VersionId": version.id,
                        "CreatedDate": seconds(version.created_ms),
                        "KmsKeyIds": [key],
                    });
                    let labels = secret.labels.of(&version.id);
                    if !labels.is_empty() {
                        entry["VersionStages"] = labels.into();
                    }
                    if let Some(at) = version.accessed_ms {
                        entry["LastAccessedDate"] = seconds(at);
                    }
                    entry
                })
                .collect();
            let mut reply = json!({"ARN": secret.arn, "Name": secret.name, "Versions": versions});
            if let Some(next) = next {
                reply["NextToken"] = next.into();
            }
            Ok(Reply::json(reply))
        })
    }

    /// The names that match `filters`, a page of them, and the token of the next.
    pub(super) fn matching(
        &self,
        filters: &[Filter],
        most: usize,
        after: Option<&str>,
    ) -> Result<(Vec<String>, Option<String>), AwsError> {
        filters.iter().try_for_each(Filter::check)?;
        let after = after.map(key_of).transpose()?;
        let now = self.context.now_ms();
        Ok(self.state.read(|state| {
            let (page, next) =
                page(sorted(state, now, filters, false, "created-date"), most, after.as_ref(), false);
            (page.into_iter().map(|(_, secret)| secret.name.clone()).collect(), next)
        }))
    }
}

impl Filter {
    fn check(&self) -> Result<(), AwsError> {
        one_of(
            "filters.key",
            &self.key,
            &["description", "name", "tag-key", "tag-value", "primary-region", "owning-service", "all"],
        )?;
        if self.values.is_empty() || self.values.len() > 10 {
            return Err(AwsError::validation(
                "1 validation error detected: Value at 'filters.values' failed to satisfy constraint: Member must \
                 have length between 1 and 10",
            ));
        }
        Ok(())
    }

    fn matches(&self, secret: &Secret) -> bool {
        let negated = |value: &&String| value.starts_with('!');
        let mut wanted = self.values.iter().filter(|value| !negated(value)).peekable();
        let some = wanted.peek().is_none() || wanted.any(|value| self.one(secret, value));
        some && !self.values.iter().filter(negated).any(|value| self.one(secret, &value[1..]))
    }

    /// AWS: prefixes, case-sensitive but for the description; `all` looks for words anywhere.
    fn one(&self, secret: &Secret, value: &str) -> bool {
        match self.key.as_str() {
            "name" => secret.name.starts_with(value),
            "description" => secret
                .description
                .as_ref()
                .is_some_and(|text| text.to_lowercase().starts_with(&value.to_lowercase())),
            "tag-key" => secret.tags.keys().any(|key| key.starts_with(value)),
            "tag-value" => secret.tags.values().any(|tag| tag.starts_with(value)),
            "all" => {
                let mut text = vec![secret.name.to_lowercase()];
                text.extend(secret.description.iter().map(|text| text.to_lowercase()));
                text.extend(secret.tags.iter().flat_map(|(k, v)| [k.to_lowercase(), v.to_lowercase()]));
                value
                    .to_lowercase()
                    .split_whitespace()
                    .all(|word| text.iter().any(|attribute| attribute.contains(word)))
            }
            // No secret here is a replica's primary or owned by another service.
            _ => false,
        }
    }
}

fn sorted<'a>(
    state: &'a State,
    now: i64,
    filters: &[Filter],
    with_deleted: bool,
    by: &str,
) -> Vec<(Key, &'a Secret)> {
    let mut found: Vec<_> = state
        .all(now)
        .filter(|secret| with_deleted || secret.deleted_ms.is_none())
        .filter(|secret| filters.iter().all(|filter| filter.matches(secret)))
        .map(|secret| {
            let value = match by {
                "last-accessed-date" => sortable(secret.accessed_ms.unwrap_or(0)),
                "last-changed-date" => sortable(secret.changed_ms),
                "name" => String::new(),
                _ => sortable(secret.created_ms),
            };
            ((value, secret.name.clone()), secret)
        })
        .collect();
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found
}

/// A time as text that sorts like the time.
fn sortable(ms: i64) -> String {
    format!("{ms:020}")
}

fn page<T>(
    all: Vec<(Key, T)>,
    most: usize,
    after: Option<&Key>,
    descending: bool,
) -> (Vec<(Key, T)>, Option<String>) {
    let mut rest = all
        .into_iter()
        .filter(|(key, _)| after.is_none_or(|after| if descending { key < after } else { key > after }));
    let page: Vec<_> = rest.by_ref().take(most).collect();
    let next = rest
        .next()
        .and(page.last())
        .map(|((value, name), _)| URL_SAFE_NO_PAD.encode(json!([value, name]).to_string()));
    (page, next)
}

fn key_of(token: &str) -> Result<Key, AwsError> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(|| AwsError::new("InvalidNextTokenException", "The NextToken value is invalid."))
}

fn one_of(member: &str, value: &str, allowed: &[&str]) -> Result<(), AwsError> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(AwsError::validation(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must \
         satisfy enum value set: [{}]",
        allowed.join(", ")
    )))
}
