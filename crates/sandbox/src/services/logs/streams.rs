//! Log streams: made, deleted, described.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::params;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::Logs;
use super::checks::{self, bad_token, constraint, invalid, no_group, no_stream};
use super::groups::done;
use super::store::{group_id, sql, stream_id};
use crate::aws::{AwsError, Reply};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ByNames {
    log_group_name: String,
    log_stream_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Describe {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name_prefix: Option<String>,
    order_by: Option<String>,
    #[serde(default)]
    descending: bool,
    next_token: Option<String>,
    limit: Option<i64>,
}

/// What streams are ordered by: the time of the last event (0 when ordered by name), the name.
type Key = (i64, String);

impl Logs {
    pub(super) fn create_stream(&self, input: &ByNames) -> Result<Reply, AwsError> {
        checks::group_name(&input.log_group_name)?;
        checks::stream_name(&input.log_stream_name)?;
        let now = self.context.now_ms();
        self.store().write(|transaction| {
            let group = group_id(transaction, &input.log_group_name).map_err(sql)?.ok_or_else(no_group)?;
            if stream_id(transaction, group, &input.log_stream_name).map_err(sql)?.is_some() {
                return Err(AwsError::new(
                    "ResourceAlreadyExistsException",
                    "The specified log stream already exists",
                ));
            }
            transaction
                .execute(
                    "INSERT INTO streams (group_id, name, created_ms) VALUES (?1, ?2, ?3)",
                    params![group, input.log_stream_name, now],
                )
                .map_err(sql)?;
            Ok(done())
        })
    }

    pub(super) fn delete_stream(&self, input: &ByNames) -> Result<Reply, AwsError> {
        checks::group_name(&input.log_group_name)?;
        checks::stream_name(&input.log_stream_name)?;
        self.store().write(|transaction| {
            let group = group_id(transaction, &input.log_group_name).map_err(sql)?.ok_or_else(no_group)?;
            let id =
                stream_id(transaction, group, &input.log_stream_name).map_err(sql)?.ok_or_else(no_stream)?;
            transaction.execute("DELETE FROM events WHERE stream_id = ?1", [id]).map_err(sql)?;
            transaction.execute("DELETE FROM streams WHERE id = ?1", [id]).map_err(sql)?;
            Ok(done())
        })
    }

    pub(super) fn describe_streams(&self, input: &Describe) -> Result<Reply, AwsError> {
        let group = checks::group(
            &self.context,
            input.log_group_name.as_deref(),
            input.log_group_identifier.as_deref(),
        )?;
        let limit = checks::limit(input.limit, 50)?;
        let by_time = match input.order_by.as_deref() {
            None | Some("LogStreamName") => false,
            Some("LastEventTime") => true,
            Some(other) => {
                return Err(constraint(
                    "orderBy",
                    other,
                    "satisfy enum value set: [LogStreamName, LastEventTime]",
                ));
            }
        };
        if by_time && input.log_stream_name_prefix.is_some() {
            return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
        }
        let after = input.next_token.as_deref().map(key_of).transpose()?;
        let (streams, more) = self.streams(&group, input, by_time, after, limit)?;
        let arn = self.context.arn("logs", &format!("log-group:{group}:log-stream:"));
        let described: Vec<Json> = streams.iter().map(|stream| stream.described(&arn)).collect();
        let mut reply = json!({"logStreams": described});
        if let (true, Some(last)) = (more, streams.last()) {
            let time = if by_time { last.last_ms.unwrap_or(0) } else { 0 };
            reply["nextToken"] = URL_SAFE_NO_PAD.encode(json!([time, last.name]).to_string()).into();
        }
        Ok(Reply::json(reply))
    }

    /// A page of streams, and whether there are more.
    fn streams(
        &self,
        group: &str,
        input: &Describe,
        by_time: bool,
        after: Option<Key>,
        limit: usize,
    ) -> Result<(Vec<Stream>, bool), AwsError> {
        // Nothing of the caller's goes into the statement's text.
        let key = if by_time { "(coalesce(last_ms, 0), name)" } else { "(0, name)" };
        let (sign, way) = if input.descending { ("<", "DESC") } else { (">", "ASC") };
        let order =
            if by_time { format!("coalesce(last_ms, 0) {way}, name {way}") } else { format!("name {way}") };
        let text = format!(
            "SELECT name, created_ms, first_ms, last_ms, ingested_ms FROM streams
             WHERE group_id = ?1 AND substr(name, 1, length(?2)) = ?2 AND (?3 IS NULL OR {key} {sign} (?3, ?4))
             ORDER BY {order} LIMIT ?5"
        );
        let (time, name) = after.unzip();
        let prefix = input.log_stream_name_prefix.as_deref().unwrap_or_default();
        self.store().read(|connection| {
            let group = group_id(connection, group).map_err(sql)?.ok_or_else(no_group)?;
            let mut statement = connection.prepare_cached(&text).map_err(sql)?;
            let most = i64::try_from(limit).unwrap_or(50) + 1;
            let rows = statement
                .query_map(params![group, prefix, time, name, most], |row| {
                    Ok(Stream {
                        name: row.get(0)?,
                        created_ms: row.get(1)?,
                        first_ms: row.get(2)?,
                        last_ms: row.get(3)?,
                        ingested_ms: row.get(4)?,
                    })
                })
                .map_err(sql)?;
            let mut streams: Vec<Stream> = rows.collect::<Result<_, _>>().map_err(sql)?;
            let more = streams.len() > limit;
            streams.truncate(limit);
            Ok((streams, more))
        })
    }
}

struct Stream {
    name: String,
    created_ms: i64,
    first_ms: Option<i64>,
    last_ms: Option<i64>,
    ingested_ms: Option<i64>,
}

impl Stream {
    fn described(&self, arn: &str) -> Json {
        let mut out = json!({
            "logStreamName": self.name,
            "creationTime": self.created_ms,
            "arn": format!("{arn}{}", self.name),
            // AWS counts bytes by group only; a stream's have been 0 since 2019.
            "storedBytes": 0,
        });
        for (member, value) in [
            ("firstEventTimestamp", self.first_ms),
            ("lastEventTimestamp", self.last_ms),
            ("lastIngestionTime", self.ingested_ms),
        ] {
            if let Some(value) = value {
                out[member] = value.into();
            }
        }
        out
    }
}

fn key_of(token: &str) -> Result<Key, AwsError> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(bad_token)
}
