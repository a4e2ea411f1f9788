//! DescribeAlarmHistory.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::alarms::Alarms;
use super::book::Event;
use super::errors::{PLAIN, unsupported};
use super::input::{Timestamp, position, seconds, token};
use crate::aws::{AwsError, Call, Reply};

/// AWS: items of an answer, unless asked otherwise, and at most.
const MOST: usize = 100;
/// What an item can be of.
const KINDS: [&str; 3] = ["ConfigurationUpdate", "StateUpdate", "Action"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Input {
    alarm_name: Option<String>,
    alarm_contributor_id: Option<Value>,
    alarm_types: Option<Vec<String>>,
    history_item_type: Option<String>,
    start_date: Option<Timestamp>,
    end_date: Option<Timestamp>,
    max_records: Option<i64>,
    next_token: Option<String>,
    scan_by: Option<String>,
}

/// Where the next page begins: after so many items of this time, milliseconds since 1970.
type Place = (i64, usize);

impl Alarms {
    /// DescribeAlarmHistory. Deleted alarms have a history too (AWS).
    pub(super) fn history(&self, call: &Call) -> Result<Reply, AwsError> {
        let input: Input = call.parse()?;
        if input.alarm_contributor_id.is_some() {
            return Err(unsupported("DescribeAlarmHistory", "AlarmContributorId"));
        }
        if let Some(kind) = input.history_item_type.as_deref().filter(|kind| !KINDS.contains(kind)) {
            return Err(PLAIN.value("HistoryItemType", kind));
        }
        let most = match input.max_records.map(usize::try_from) {
            None => MOST,
            Some(Ok(most)) if (1..=MOST).contains(&most) => most,
            _ => return Err(PLAIN.invalid("The parameter MaxRecords must be between 1 and 100.")),
        };
        let newest_first = match input.scan_by.as_deref() {
            None | Some("TimestampDescending") => true,
            Some("TimestampAscending") => false,
            Some(other) => return Err(PLAIN.value("ScanBy", other)),
        };
        let after: Option<Place> = input.next_token.as_deref().map(position).transpose()?;
        let found = self.book.read(|book| {
            let of = |event: &&Event| input.takes(event);
            let mut events: Vec<Event> = book.history.iter().filter(of).cloned().collect();
            if newest_first {
                events.reverse();
            }
            events
        });
        let rest = beyond(&found, after, newest_first);
        let page = rest.get(..most.min(rest.len())).unwrap_or_default();
        let mut answer = Map::new();
        answer.insert("AlarmHistoryItems".to_owned(), page.iter().map(shown).collect());
        if let Some(last) = page.last().filter(|_| rest.len() > page.len()) {
            let shown_before = found.len() - rest.len() + page.len();
            let same = found.iter().take(shown_before).filter(|event| event.at == last.at).count();
            answer.insert("NextToken".to_owned(), token(&(last.at, same)).into());
        }
        Ok(Reply::json(answer.into()))
    }
}

impl Input {
    fn takes(&self, event: &Event) -> bool {
        // There are none but metric alarms here.
        let metric = |types: &Vec<String>| types.iter().any(|kind| kind == "MetricAlarm");
        self.alarm_types.as_ref().is_none_or(|types| types.is_empty() || metric(types))
            && self.alarm_name.as_ref().is_none_or(|name| *name == event.alarm)
            && self.history_item_type.as_ref().is_none_or(|kind| *kind == event.kind)
            && self.start_date.is_none_or(|start| event.at >= start.0)
            && self.end_date.is_none_or(|end| event.at <= end.0)
    }
}

/// What comes after a place; events that came meanwhile change nothing about it.
fn beyond(events: &[Event], after: Option<Place>, newest_first: bool) -> &[Event] {
    let Some((at, shown)) = after else { return events };
    let before = |event: &&Event| if newest_first { event.at > at } else { event.at < at };
    let skipped = events.iter().take_while(before).count() + shown;
    events.get(skipped.min(events.len())..).unwrap_or_default()
}

fn shown(event: &Event) -> Value {
    json!({
        "AlarmName": event.alarm, "AlarmType": "MetricAlarm", "Timestamp": seconds(event.at),
        "HistoryItemType": event.kind, "HistorySummary": event.summary, "HistoryData": event.data,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_where_the_last_one_ended() {
        let event = |at: i64, alarm: &str| Event {
            alarm: alarm.to_owned(),
            at,
            kind: "StateUpdate".to_owned(),
            summary: String::new(),
            data: String::new(),
        };
        let events = [event(9, "a"), event(5, "b"), event(5, "c"), event(1, "d")];
        let names = |after, newest_first| {
            let rest = beyond(&events, after, newest_first);
            rest.iter().map(|event| event.alarm.as_str()).collect::<String>()
        };
        assert_eq!(names(None, true), "abcd");
        assert_eq!(names(Some((9, 1)), true), "bcd");
        assert_eq!(names(Some((5, 1)), true), "cd");
        assert_eq!(names(Some((5, 2)), true), "d");
        assert_eq!(names(Some((1, 1)), true), "");
        // The one it stood at has fallen out of the record.
        assert_eq!(names(Some((7, 1)), true), "cd");
    }
}
