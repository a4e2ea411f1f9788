//! What happened to the stack's alarms: CloudWatch keeps it for 30 days.

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{AlarmHistoryItem, AlarmType, ScanBy, StateValue};
use model::alarms::AlarmEvent;
use model::problem::Problem;
use serde_json::Value;

use crate::aws::{problem, timestamp};

/// So many pages of 100 items of all alarms of the account are looked through, and so many shown.
const MOST_PAGES: usize = 3;
const MOST: usize = 50;

/// Reads what happened to these alarms, the newest first.
pub(super) async fn read(cloudwatch: &Client, names: &[String]) -> Result<Vec<AlarmEvent>, Problem> {
    let mut pages = cloudwatch
        .describe_alarm_history()
        .alarm_types(AlarmType::MetricAlarm)
        .scan_by(ScanBy::TimestampDescending)
        .max_records(100)
        .into_paginator()
        .send();
    let (mut events, mut read) = (Vec::new(), 0);
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| {
            problem("read the alarms' history", "cloudwatch:DescribeAlarmHistory", &error)
        })?;
        events.extend(page.alarm_history_items().iter().filter_map(|item| event(item, names)));
        read += 1;
        if read == MOST_PAGES || events.len() >= MOST {
            break;
        }
    }
    events.truncate(MOST);
    Ok(events)
}

fn event(item: &AlarmHistoryItem, names: &[String]) -> Option<AlarmEvent> {
    let alarm = item.alarm_name().filter(|name| names.iter().any(|known| known == name))?;
    let data: Value = serde_json::from_str(item.history_data().unwrap_or_default()).unwrap_or_default();
    let state = data["newState"]["stateValue"].as_str();
    Some(AlarmEvent {
        at: timestamp(item.timestamp()?),
        alarm: alarm.to_owned(),
        what: item.history_summary().unwrap_or_default().to_owned(),
        state: state.map(|state| super::state(Some(&StateValue::from(state)))),
        why: data["newState"]["stateReason"].as_str().map(str::to_owned),
    })
}
