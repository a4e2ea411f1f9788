//! Events: put, read stream by stream, searched over a group. How a page is found is in
//! `pages`.

use rusqlite::{Connection, params};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::checks::{self, constraint, invalid, no_group, no_stream};
use super::filter::{Pattern, PatternError};
use super::pages::{MOST_BYTES, MOST_EVENTS, Range, Row, Streams, Token};
use super::store::{DAY_MS, EVENT_OVERHEAD, group_id, insert, sql, stream_id};
use super::{LogEvent, Logs};
use crate::aws::{AwsError, Reply};

/// AWS: 14 days back.
const OLDEST_MS: i64 = 14 * DAY_MS;
/// AWS: 2 hours ahead.
const NEWEST_MS: i64 = 2 * 3_600_000;
/// AWS: events are returned newest first only where the range begins in 2024 or later.
const BACKWARDS_SINCE_MS: i64 = 1_704_067_200_000;
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Put {
    log_group_name: String,
    log_stream_name: String,
    log_events: Vec<Event>,
    /// Ignored, as on AWS.
    #[serde(rename = "sequenceToken")]
    _sequence_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Event {
    timestamp: i64,
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Get {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name: String,
    start_time: Option<i64>,
    end_time: Option<i64>,
    next_token: Option<String>,
    limit: Option<i64>,
    #[serde(default)]
    start_from_head: bool,
    /// Nothing is masked here.
    #[serde(rename = "unmask")]
    _unmask: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Filter {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefix: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
    start_from_head: Option<bool>,
    /// Always true, as on AWS.
    #[serde(rename = "interleaved")]
    _interleaved: Option<bool>,
    /// Nothing is masked here.
    #[serde(rename = "unmask")]
    _unmask: Option<bool>,
}

impl Logs {
    pub(super) fn put_events(&self, input: Put) -> Result<Reply, AwsError> {
        checks::group_name(&input.log_group_name)?;
        checks::stream_name(&input.log_stream_name)?;
        check_batch(&input.log_events)?;
        let now = self.context.now_ms();
        let (reply, events) = self.store().write(|transaction| {
            let group = group_id(transaction, &input.log_group_name).map_err(sql)?.ok_or_else(no_group)?;
            let stream =
                stream_id(transaction, group, &input.log_stream_name).map_err(sql)?.ok_or_else(no_stream)?;
            let (accepted, rejected) = sort_out(&input.log_events, now, retention(transaction, group)?)?;
            let mut events = input.log_events;
            let events: Vec<LogEvent> = events
                .drain(accepted)
                .map(|event| LogEvent { timestamp: event.timestamp, message: event.message })
                .collect();
            insert(transaction, group, stream, now, &events).map_err(sql)?;
            let mut reply = json!({"nextSequenceToken": format!("{:056}", transaction.last_insert_rowid())});
            if let Some(rejected) = rejected {
                reply["rejectedLogEventsInfo"] = rejected;
            }
            Ok((Reply::json(reply), events))
        })?;
        self.queue.extract(&input.log_group_name, &events);
        self.store().keep_within_limits()?;
        Ok(reply)
    }

    pub(super) fn get_events(&self, input: &Get) -> Result<Reply, AwsError> {
        let name = checks::group(
            &self.context,
            input.log_group_name.as_deref(),
            input.log_group_identifier.as_deref(),
        )?;
        checks::stream_name(&input.log_stream_name)?;
        let limit = checks::limit(input.limit, MOST_EVENTS)?;
        checks::time("startTime", input.start_time)?;
        checks::time("endTime", input.end_time)?;
        let token = input.next_token.as_deref().map(Token::parse).transpose()?;
        let forward = token.as_ref().map_or(input.start_from_head, |token| token.forward);
        self.store().read(|connection| {
            let group = readable(connection, &name)?;
            let stream =
                stream_id(connection, group, &input.log_stream_name).map_err(sql)?.ok_or_else(no_stream)?;
            let first = self.first_kept(connection, group)?;
            let range = Range {
                from: input.start_time.unwrap_or(0).max(first),
                // Exclusive here, inclusive in FilterLogEvents: so AWS has it.
                to: input.end_time.map_or(i64::MAX, |end| end - 1),
                after: token.as_ref().map(|token| token.place),
                forward,
            };
            let mut rows = range.rows(connection, Streams::One(stream), limit)?;
            if !forward {
                rows.reverse();
            }
            let start = token.map_or((range.from, 0), |token| token.place);
            let back = rows.first().map_or(start, |row| (row.timestamp, row.id - 1));
            let on = rows.last().map_or(start, |row| (row.timestamp, row.id));
            let events: Vec<Json> = rows.iter().map(Row::brief).collect();
            Ok(Reply::json(json!({
                "events": events,
                "nextForwardToken": Token { forward: true, place: on }.text(),
                "nextBackwardToken": Token { forward: false, place: back }.text(),
            })))
        })
    }

    pub(super) fn filter_events(&self, input: &Filter) -> Result<Reply, AwsError> {
        let name = checks::group(
            &self.context,
            input.log_group_name.as_deref(),
            input.log_group_identifier.as_deref(),
        )?;
        let limit = checks::limit(input.limit, MOST_EVENTS)?;
        checks::time("startTime", input.start_time)?;
        checks::time("endTime", input.end_time)?;
        if input.log_stream_names.is_some() && input.log_stream_name_prefix.is_some() {
            return Err(invalid(
                "LogStream names and LogStream name prefix are mutually exclusive parameters.",
            ));
        }
        let head = input.start_from_head.unwrap_or(true);
        if !head && input.start_time.unwrap_or(0) < BACKWARDS_SINCE_MS {
            return Err(invalid("startFromHead can only be false when startTime is on or after 2024-01-01."));
        }
        let pattern = pattern(input.filter_pattern.as_deref().unwrap_or_default())?;
        let token = input.next_token.as_deref().map(Token::parse).transpose()?;
        self.store().read(|connection| {
            let group = readable(connection, &name)?;
            let range = Range {
                from: input.start_time.unwrap_or(0).max(self.first_kept(connection, group)?),
                to: input.end_time.unwrap_or(i64::MAX),
                after: token.as_ref().map(|token| token.place),
                forward: token.as_ref().map_or(head, |token| token.forward),
            };
            let streams = chosen_streams(connection, group, input)?;
            let (events, next) = range.search(connection, streams, &pattern, limit)?;
            let mut reply = json!({"events": events, "searchedLogStreams": []});
            if let Some(place) = next {
                reply["nextToken"] = Token { forward: range.forward, place }.text().into();
            }
            Ok(Reply::json(reply))
        })
    }

    /// The time before which a group's events have expired, though they may still be on the disk.
    fn first_kept(&self, connection: &Connection, group: i64) -> Result<i64, AwsError> {
        Ok(retention(connection, group)?.map_or(0, |days| self.context.now_ms() - days * DAY_MS))
    }
}

/// What concerns the batch alone.
fn check_batch(events: &[Event]) -> Result<(), AwsError> {
    if events.is_empty() {
        return Err(constraint("logEvents", "[]", "have length greater than or equal to 1"));
    }
    if events.len() as i64 > MOST_EVENTS {
        return Err(invalid(format!(
            "1 validation error detected: Value at 'logEvents' failed to satisfy constraint: Member must have \
             length less than or equal to {MOST_EVENTS}"
        )));
    }
    for (n, event) in events.iter().enumerate() {
        let member = format!("logEvents.{}.member", n + 1);
        checks::time(&format!("{member}.timestamp"), Some(event.timestamp))?;
        if event.message.is_empty() {
            return Err(constraint(
                &format!("{member}.message"),
                "",
                "have length greater than or equal to 1",
            ));
        }
    }
    let bytes: usize = events.iter().map(|event| event.message.len() + EVENT_OVERHEAD).sum();
    if bytes > MOST_BYTES {
        return Err(invalid(format!("Upload too large: {bytes} bytes exceeds limit of {MOST_BYTES}")));
    }
    if events.windows(2).any(|pair| pair[0].timestamp > pair[1].timestamp) {
        return Err(invalid("Log events in a single PutLogEvents request must be in chronological order."));
    }
    Ok(())
}

/// Which events are taken, and what AWS says of the others. The events are in order, so those that
/// are too old stand in front and those too new at the end.
fn sort_out(
    events: &[Event],
    now: i64,
    retention_days: Option<i64>,
) -> Result<(std::ops::Range<usize>, Option<Json>), AwsError> {
    let before = |time: i64| events.partition_point(|event| event.timestamp < time);
    let too_old = before(now - OLDEST_MS);
    let expired = retention_days.map_or(0, |days| before(now - days * DAY_MS));
    let too_new = before(now + NEWEST_MS + 1);
    let accepted = too_old.max(expired).min(too_new)..too_new;
    if let [first, .., last] = &events[accepted.clone()]
        && last.timestamp - first.timestamp > DAY_MS
    {
        return Err(invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        ));
    }
    let mut rejected = json!({});
    if too_old > 0 {
        rejected["tooOldLogEventEndIndex"] = too_old.into();
    }
    if expired > too_old {
        rejected["expiredLogEventEndIndex"] = expired.into();
    }
    if too_new < events.len() {
        rejected["tooNewLogEventStartIndex"] = too_new.into();
    }
    let any = rejected.as_object().is_some_and(|members| !members.is_empty());
    Ok((accepted, any.then_some(rejected)))
}

/// A group's id, if its class can be read by these calls.
fn readable(connection: &Connection, name: &str) -> Result<i64, AwsError> {
    let id = group_id(connection, name).map_err(sql)?.ok_or_else(no_group)?;
    let class: String = connection
        .query_row("SELECT class FROM groups WHERE id = ?1", [id], |row| row.get(0))
        .map_err(sql)?;
    if class != "STANDARD" {
        return Err(invalid(format!("This operation is not supported for log groups of the class {class}.")));
    }
    Ok(id)
}

fn retention(connection: &Connection, group: i64) -> Result<Option<i64>, AwsError> {
    connection
        .prepare_cached("SELECT retention_days FROM groups WHERE id = ?1")
        .and_then(|mut statement| statement.query_row(params![group], |row| row.get(0)))
        .map_err(sql)
}

fn chosen_streams(connection: &Connection, group: i64, input: &Filter) -> Result<Streams, AwsError> {
    let names = input.log_stream_names.as_deref().unwrap_or_default();
    if input.log_stream_names.is_some() && !(1..=100).contains(&names.len()) {
        return Err(invalid(
            "1 validation error detected: Value at 'logStreamNames' failed to satisfy constraint: Member must have \
             length between 1 and 100",
        ));
    }
    let names = names
        .iter()
        .map(|name| stream_id(connection, group, name).map_err(sql)?.ok_or_else(no_stream))
        .collect::<Result<Vec<i64>, AwsError>>()?;
    Ok(Streams::Of { group, names, prefix: input.log_stream_name_prefix.clone().unwrap_or_default() })
}

fn pattern(text: &str) -> Result<Pattern, AwsError> {
    Pattern::parse(text).map_err(|error| match error {
        PatternError::Invalid(_) => invalid(error.to_string()),
        PatternError::Unsupported(what) => AwsError::unsupported(format_args!("{what} in filter patterns")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_sorted_out_by_the_age_of_its_events() {
        let now = 100 * DAY_MS;
        let hour = 3_600_000;
        // Timestamps relative to now, retention, accepted range or error, rejected.
        type Case<'a> = (&'a [i64], Option<i64>, Option<std::ops::Range<usize>>, Json);
        let table: &[Case<'_>] = &[
            (&[-1, 0, 1], None, Some(0..3), json!(null)),
            (&[-15 * DAY_MS, -1], None, Some(1..2), json!({"tooOldLogEventEndIndex": 1})),
            (&[-14 * DAY_MS, -14 * DAY_MS + 1], None, Some(0..2), json!(null)),
            (&[0, 2 * hour, 2 * hour + 1], None, Some(0..2), json!({"tooNewLogEventStartIndex": 2})),
            (&[-2 * DAY_MS, -1], Some(1), Some(1..2), json!({"expiredLogEventEndIndex": 1})),
            (
                &[-20 * DAY_MS, -10 * DAY_MS, -1, 3 * hour],
                Some(3),
                Some(2..3),
                json!({"tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": 2, "tooNewLogEventStartIndex": 3}),
            ),
            (&[-DAY_MS - 1, 0], None, None, json!(null)),
            (&[-DAY_MS, 0], None, Some(0..2), json!(null)),
            // What is rejected does not count for the span.
            (&[-20 * DAY_MS, 0], None, Some(1..2), json!({"tooOldLogEventEndIndex": 1})),
            (&[-20 * DAY_MS], None, Some(1..1), json!({"tooOldLogEventEndIndex": 1})),
        ];
        for (times, retention, accepted, rejected) in table {
            let events: Vec<Event> =
                times.iter().map(|time| Event { timestamp: now + time, message: "x".into() }).collect();
            let found = sort_out(&events, now, *retention).ok();
            assert_eq!(found.as_ref().map(|(range, _)| range.clone()), *accepted, "{times:?}");
            if let Some((_, found)) = found {
                assert_eq!(found.unwrap_or(Json::Null), *rejected, "{times:?}");
            }
        }
    }
}
