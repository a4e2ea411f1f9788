//! How a page of events is found.
//!
//! A place between two events is `(timestamp, id)`: everything up to and including that event is
//! before it. Tokens hold such a place and a direction, so a page is found through an index however
//! far in, and events that come in later move no page.

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};
use serde_json::{Value as Json, json};

use super::checks::bad_token;
use super::filter::Pattern;
use super::store::{EVENT_OVERHEAD, sql};
use crate::aws::AwsError;

/// AWS: 1 MB for a batch, and for a page.
pub(super) const MOST_BYTES: usize = 1_048_576;
/// AWS: 10,000 events in a batch, and in a page.
pub(super) const MOST_EVENTS: i64 = 10_000;
/// So many events are looked at for one page of `FilterLogEvents`; then it returns what it has and
/// a token, as AWS does with its partly filled pages. It bounds how long the reading connection is
/// held.
const MOST_SCANNED: i64 = 20_000;

/// A place between two events: the timestamp and the id of the one before it.
pub(super) type Place = (i64, i64);

/// A stretch of time, from a place on, in one direction.
pub(super) struct Range {
    /// First millisecond.
    pub(super) from: i64,
    /// Last millisecond, itself included.
    pub(super) to: i64,
    /// The place to begin behind, or, backwards, in front of.
    pub(super) after: Option<Place>,
    /// Oldest first.
    pub(super) forward: bool,
}

/// Where to look.
pub(super) enum Streams {
    /// In one stream.
    One(i64),
    /// In a group: in the streams named, in all when none are, if their name has the prefix.
    Of { group: i64, names: Vec<i64>, prefix: String },
}

/// An event.
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) timestamp: i64,
    pub(super) ingested_ms: i64,
    pub(super) message: String,
    pub(super) stream: String,
}

impl Range {
    /// Up to `limit` events and 1 MB of them, one at least, in the range's direction.
    pub(super) fn rows(
        &self,
        connection: &Connection,
        streams: Streams,
        limit: usize,
    ) -> Result<Vec<Row>, AwsError> {
        let mut rows = Vec::new();
        let mut bytes = 0;
        self.each(connection, streams, i64::try_from(limit).unwrap_or(MOST_EVENTS), |row| {
            bytes += row.message.len() + EVENT_OVERHEAD;
            let fits = bytes <= MOST_BYTES || rows.is_empty();
            if fits {
                rows.push(row);
            }
            fits
        })?;
        Ok(rows)
    }

    /// The events that match, and the place to go on from unless the end was reached.
    pub(super) fn search(
        &self,
        connection: &Connection,
        streams: Streams,
        pattern: &Pattern,
        limit: usize,
    ) -> Result<(Vec<Json>, Option<Place>), AwsError> {
        let (mut events, mut bytes, mut scanned) = (Vec::new(), 0, 0);
        let mut last = None;
        let mut cut = false;
        self.each(connection, streams, MOST_SCANNED + 1, |row| {
            let matches = pattern.matches(&row.message);
            let size = row.message.len() + EVENT_OVERHEAD;
            if scanned == MOST_SCANNED
                || (matches && (events.len() == limit || (bytes + size > MOST_BYTES && !events.is_empty())))
            {
                cut = true;
                return false;
            }
            scanned += 1;
            // Backwards, the place lies just before this event.
            last = Some((row.timestamp, if self.forward { row.id } else { row.id - 1 }));
            if matches {
                bytes += size;
                events.push(row.full());
            }
            true
        })?;
        Ok((events, last.filter(|_| cut)))
    }

    /// Hands out events in order until `take` says no.
    fn each(
        &self,
        connection: &Connection,
        streams: Streams,
        most: i64,
        mut take: impl FnMut(Row) -> bool,
    ) -> Result<(), AwsError> {
        // Nothing of the caller's goes into the statement's text.
        let (sign, way) = if self.forward { (">", "ASC") } else { ("<=", "DESC") };
        let after = self.after.unwrap_or(if self.forward { (i64::MIN, 0) } else { (i64::MAX, i64::MAX) });
        let mut values: Vec<Sql> =
            [self.from, self.to, after.0, after.1, most].into_iter().map(Sql::from).collect();
        let whose = match streams {
            Streams::One(stream) => {
                values.push(stream.into());
                "e.stream_id = ?6".to_owned()
            }
            Streams::Of { group, names, prefix } => {
                values.push(group.into());
                values.push(prefix.into());
                let marks: Vec<String> = (0..names.len()).map(|n| format!("?{}", n + 8)).collect();
                values.extend(names.into_iter().map(Sql::from));
                let named = if marks.is_empty() {
                    String::new()
                } else {
                    format!(" AND e.stream_id IN ({})", marks.join(", "))
                };
                format!("e.group_id = ?6 AND substr(s.name, 1, length(?7)) = ?7{named}")
            }
        };
        let text = format!(
            "SELECT e.id, e.ts, e.ingested_ms, e.message, s.name FROM events e JOIN streams s ON s.id = e.stream_id
             WHERE {whose} AND e.ts BETWEEN ?1 AND ?2 AND (e.ts, e.id) {sign} (?3, ?4)
             ORDER BY e.ts {way}, e.id {way} LIMIT ?5"
        );
        let mut statement = connection.prepare_cached(&text).map_err(sql)?;
        let mut rows = statement.query(params_from_iter(values)).map_err(sql)?;
        while let Some(row) = rows.next().map_err(sql)? {
            let row = (|| {
                Ok(Row {
                    id: row.get(0)?,
                    timestamp: row.get(1)?,
                    ingested_ms: row.get(2)?,
                    message: row.get(3)?,
                    stream: row.get(4)?,
                })
            })()
            .map_err(sql)?;
            if !take(row) {
                break;
            }
        }
        Ok(())
    }
}

impl Row {
    pub(super) fn brief(&self) -> Json {
        json!({"timestamp": self.timestamp, "message": self.message, "ingestionTime": self.ingested_ms})
    }

    fn full(self) -> Json {
        json!({
            // 56 digits, as AWS's; they sort like the events.
            "eventId": format!("{:028}{:028}", self.timestamp, self.id),
            "logStreamName": self.stream,
            "timestamp": self.timestamp,
            "message": self.message,
            "ingestionTime": self.ingested_ms,
        })
    }
}

/// A place and a direction: `f/<timestamp>/<id>` or `b/...`.
pub(super) struct Token {
    pub(super) forward: bool,
    pub(super) place: Place,
}

impl Token {
    pub(super) fn parse(text: &str) -> Result<Self, AwsError> {
        let parsed = || {
            let (way, place) = text.split_once('/')?;
            let (timestamp, id) = place.split_once('/')?;
            let forward = match way {
                "f" => true,
                "b" => false,
                _ => return None,
            };
            Some(Self { forward, place: (timestamp.parse().ok()?, id.parse().ok()?) })
        };
        parsed().ok_or_else(bad_token)
    }

    pub(super) fn text(&self) -> String {
        format!("{}/{:020}/{:020}", if self.forward { 'f' } else { 'b' }, self.place.0, self.place.1)
    }
}
