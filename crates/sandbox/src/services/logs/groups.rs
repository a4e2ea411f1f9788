//! Log groups: made, deleted, described, tagged, given a retention.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::{Connection, Row, params};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::Logs;
use super::checks::{self, bad_token, constraint, invalid, no_group};
use super::store::{group_id, sql};
use crate::aws::{AwsError, Reply};

/// The retentions AWS allows, in days.
const RETENTIONS: [i64; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Create {
    log_group_name: String,
    kms_key_id: Option<String>,
    #[serde(default)]
    tags: Map<String, Json>,
    log_group_class: Option<String>,
    #[serde(default)]
    deletion_protection_enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ByName {
    log_group_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Describe {
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    log_group_identifiers: Option<Vec<String>>,
    log_group_class: Option<String>,
    #[serde(default)]
    include_linked_accounts: bool,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PutRetention {
    log_group_name: String,
    retention_in_days: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Protect {
    log_group_identifier: String,
    deletion_protection_enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Tag {
    resource_arn: String,
    tags: Map<String, Json>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Untag {
    resource_arn: String,
    tag_keys: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ListTags {
    resource_arn: String,
}

impl Logs {
    pub(super) fn create_group(&self, input: Create) -> Result<Reply, AwsError> {
        checks::group_name(&input.log_group_name)?;
        if input.log_group_name.to_ascii_lowercase().starts_with("aws/") {
            return Err(invalid("Log groups starting with AWS/ are reserved for AWS."));
        }
        let class = input.log_group_class.as_deref().unwrap_or("STANDARD");
        match class {
            "STANDARD" | "INFREQUENT_ACCESS" => {}
            "DELIVERY" | "ESSENTIALS" => {
                return Err(AwsError::unsupported(format_args!("log groups of the class {class}")));
            }
            other => {
                return Err(constraint(
                    "logGroupClass",
                    other,
                    "satisfy enum value set: [STANDARD, INFREQUENT_ACCESS, DELIVERY, ESSENTIALS]",
                ));
            }
        }
        let mut tags = Map::new();
        checks::add_tags(&mut tags, input.tags)?;
        let now = self.context.now_ms();
        self.store().write(|transaction| {
            if group_id(transaction, &input.log_group_name).map_err(sql)?.is_some() {
                return Err(AwsError::new(
                    "ResourceAlreadyExistsException",
                    "The specified log group already exists",
                ));
            }
            transaction
                .execute(
                    "INSERT INTO groups (name, created_ms, class, kms_key_id, protected, tags)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![
                        input.log_group_name,
                        now,
                        class,
                        input.kms_key_id,
                        input.deletion_protection_enabled,
                        Json::Object(tags).to_string()
                    ],
                )
                .map_err(sql)?;
            Ok(done())
        })
    }

    pub(super) fn delete_group(&self, input: &ByName) -> Result<Reply, AwsError> {
        checks::group_name(&input.log_group_name)?;
        self.store().write(|transaction| {
            let id = group_id(transaction, &input.log_group_name).map_err(sql)?.ok_or_else(no_group)?;
            let protected: bool = transaction
                .query_row("SELECT protected FROM groups WHERE id = ?1", [id], |row| row.get(0))
                .map_err(sql)?;
            if protected {
                return Err(AwsError::validation(
                    "The log group can't be deleted because deletion protection is enabled.",
                ));
            }
            transaction.execute("DELETE FROM events WHERE group_id = ?1", [id]).map_err(sql)?;
            transaction.execute("DELETE FROM groups WHERE id = ?1", [id]).map_err(sql)?;
            Ok(done())
        })
    }

    pub(super) fn describe_groups(&self, input: &Describe) -> Result<Reply, AwsError> {
        if input.include_linked_accounts {
            return Err(AwsError::unsupported("linked accounts"));
        }
        let limit = checks::limit(input.limit, 50)?;
        if input.log_group_name_prefix.is_some() && input.log_group_name_pattern.is_some() {
            return Err(invalid(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
            ));
        }
        let after = input.next_token.as_deref().map(name_of).transpose()?.unwrap_or_default();
        // `storedBytes` counts no expired event.
        self.store().sweep(self.context.now_ms())?;
        let groups = self.store().read(all_groups)?;
        let wanted = |group: &&Group| {
            let name = group.name.as_str();
            name > after.as_str()
                && input.log_group_name_prefix.as_deref().is_none_or(|prefix| name.starts_with(prefix))
                && input.log_group_name_pattern.as_deref().is_none_or(|part| name.contains(part))
                && input.log_group_class.as_deref().is_none_or(|class| group.class == class)
                && input.log_group_identifiers.as_ref().is_none_or(|ids| ids.iter().any(|id| id == name))
        };
        let mut rest = groups.iter().filter(wanted);
        let page: Vec<&Group> = rest.by_ref().take(limit).collect();
        let brief = input.log_group_name_pattern.is_some();
        let described: Vec<Json> = page.iter().map(|group| self.described(group, brief)).collect();
        let mut reply = json!({"logGroups": described});
        if let (Some(_), Some(last)) = (rest.next(), page.last()) {
            reply["nextToken"] = URL_SAFE_NO_PAD.encode(&last.name).into();
        }
        Ok(Reply::json(reply))
    }

    pub(super) fn put_retention(&self, input: &PutRetention) -> Result<Reply, AwsError> {
        checks::group_name(&input.log_group_name)?;
        if !RETENTIONS.contains(&input.retention_in_days) {
            return Err(constraint(
                "retentionInDays",
                &input.retention_in_days.to_string(),
                &format!("satisfy enum value set: {RETENTIONS:?}"),
            ));
        }
        self.set(&input.log_group_name, "retention_days", Some(input.retention_in_days))?;
        self.store().sweep(self.context.now_ms())?;
        Ok(done())
    }

    pub(super) fn delete_retention(&self, input: &ByName) -> Result<Reply, AwsError> {
        checks::group_name(&input.log_group_name)?;
        self.set(&input.log_group_name, "retention_days", None)
    }

    pub(super) fn put_deletion_protection(&self, input: &Protect) -> Result<Reply, AwsError> {
        let name = checks::group(&self.context, None, Some(&input.log_group_identifier))?;
        self.set(&name, "protected", Some(i64::from(input.deletion_protection_enabled)))
    }

    pub(super) fn tag(&self, input: Tag) -> Result<Reply, AwsError> {
        self.change_tags(&input.resource_arn, |there| checks::add_tags(there, input.tags))
    }

    pub(super) fn untag(&self, input: &Untag) -> Result<Reply, AwsError> {
        self.change_tags(&input.resource_arn, |there| {
            there.retain(|key, _| !input.tag_keys.contains(key));
            Ok(())
        })
    }

    pub(super) fn list_tags(&self, input: &ListTags) -> Result<Reply, AwsError> {
        let name = checks::group_of_arn(&self.context, &input.resource_arn)?;
        self.store().read(|connection| Ok(Reply::json(json!({"tags": tags_of(connection, &name)?}))))
    }

    /// Sets one column, whose name is never the caller's.
    fn set(&self, group: &str, column: &'static str, value: Option<i64>) -> Result<Reply, AwsError> {
        self.store().write(|transaction| {
            let changed = transaction
                .execute(&format!("UPDATE groups SET {column} = ?2 WHERE name = ?1"), params![group, value])
                .map_err(sql)?;
            if changed == 0 { Err(no_group()) } else { Ok(done()) }
        })
    }

    fn change_tags(
        &self,
        arn: &str,
        change: impl FnOnce(&mut Map<String, Json>) -> Result<(), AwsError>,
    ) -> Result<Reply, AwsError> {
        let name = checks::group_of_arn(&self.context, arn)?;
        self.store().write(|transaction| {
            let mut tags = tags_of(transaction, &name)?;
            change(&mut tags)?;
            transaction
                .execute(
                    "UPDATE groups SET tags = ?2 WHERE name = ?1",
                    params![name, Json::Object(tags).to_string()],
                )
                .map_err(sql)?;
            Ok(done())
        })
    }

    /// AWS leaves some members out when the group was found by a pattern.
    fn described(&self, group: &Group, brief: bool) -> Json {
        let arn = self.context.arn("logs", &format!("log-group:{}", group.name));
        let mut out = json!({
            "logGroupName": group.name,
            "creationTime": group.created_ms,
            "metricFilterCount": 0,
            "arn": format!("{arn}:*"),
            "logGroupArn": arn,
            "logGroupClass": group.class,
        });
        if !brief {
            out["storedBytes"] = group.bytes.into();
            out["deletionProtectionEnabled"] = group.protected.into();
            if let Some(days) = group.retention_days {
                out["retentionInDays"] = days.into();
            }
            if let Some(key) = &group.kms_key_id {
                out["kmsKeyId"] = key.as_str().into();
            }
        }
        out
    }
}

/// 200 without a body, as AWS answers the calls that have no output.
pub(super) fn done() -> Reply {
    Reply::empty().with_status(200)
}

struct Group {
    name: String,
    created_ms: i64,
    class: String,
    kms_key_id: Option<String>,
    retention_days: Option<i64>,
    protected: bool,
    bytes: i64,
}

impl Group {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            name: row.get(0)?,
            created_ms: row.get(1)?,
            class: row.get(2)?,
            kms_key_id: row.get(3)?,
            retention_days: row.get(4)?,
            protected: row.get(5)?,
            bytes: row.get(6)?,
        })
    }
}

/// Every group, sorted by name byte by byte, as AWS does. A sandbox has dozens.
fn all_groups(connection: &Connection) -> Result<Vec<Group>, AwsError> {
    let mut statement = connection
        .prepare_cached(
            "SELECT name, created_ms, class, kms_key_id, retention_days, protected,
                (SELECT coalesce(sum(bytes), 0) FROM streams WHERE group_id = groups.id) FROM groups ORDER BY name",
        )
        .map_err(sql)?;
    let rows = statement.query_map([], Group::of).map_err(sql)?;
    rows.collect::<Result<_, _>>().map_err(sql)
}

fn tags_of(connection: &Connection, group: &str) -> Result<Map<String, Json>, AwsError> {
    let id = group_id(connection, group).map_err(sql)?.ok_or_else(no_group)?;
    let text: String =
        connection.query_row("SELECT tags FROM groups WHERE id = ?1", [id], |row| row.get(0)).map_err(sql)?;
    serde_json::from_str(&text).map_err(|error| AwsError::internal(format!("logs: tags of {group}: {error}")))
}

fn name_of(token: &str) -> Result<String, AwsError> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|name| checks::group_name(name).is_ok())
        .ok_or_else(bad_token)
}
