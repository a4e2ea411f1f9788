//! All alarms and what became of them: state that is changed as a whole and kept in one file.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::alarm::{Alarm, Configuration};
use super::evaluation::State;
use crate::aws::AwsError;

/// AWS: alarms of an account and region (the default quota).
const MOST_ALARMS: usize = 5_000;
/// What is remembered of the alarms' past: AWS keeps 30 days; the number bounds the file.
const HISTORY_KEPT: i64 = 30 * 24 * 3_600_000;
const MOST_HISTORY: usize = 1_000;

/// All alarms and their recent past.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Book {
    pub(super) alarms: BTreeMap<String, Alarm>,
    /// Oldest first.
    pub(super) history: VecDeque<Event>,
}

/// Something that happened to an alarm, as DescribeAlarmHistory is to show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) alarm: String,
    /// Milliseconds since 1970.
    pub(super) at: i64,
    /// `StateUpdate`, `ConfigurationUpdate` or `Action`.
    pub(super) kind: String,
    pub(super) summary: String,
    /// JSON as text.
    pub(super) data: String,
}

/// What carries an action out: its ARN, a subject and a text; why not, where that fails.
pub(super) type Act<'a> = &'a dyn Fn(&str, &str, &str) -> Result<(), String>;

/// A new state and why.
#[derive(Debug, Clone)]
pub(super) struct Transition {
    pub(super) to: State,
    pub(super) reason: String,
    pub(super) reason_data: Option<String>,
}

impl Book {
    /// Adds to the record; what is too old or too much falls out of it.
    pub(super) fn remember(&mut self, now: i64, alarm: &str, kind: &str, summary: String, data: &Value) {
        let (alarm, kind, data) = (alarm.to_owned(), kind.to_owned(), data.to_string());
        self.history.push_back(Event { alarm, at: now, kind, summary, data });
        while self.history.len() > MOST_HISTORY
            || self.history.front().is_some_and(|event| event.at < now - HISTORY_KEPT)
        {
            self.history.pop_front();
        }
    }

    /// Puts an alarm into a state, with all that follows: the record, and its actions, each with how it
    /// went. `act` carries one out. (It runs while the book is held; what it does is in memory.)
    pub(super) fn transition(&mut self, now: i64, name: &str, new: &Transition, act: Act<'_>) {
        let Some(alarm) = self.alarms.get_mut(name) else { return };
        let old = std::mem::replace(&mut alarm.state, new.to);
        let old_reason = std::mem::replace(&mut alarm.reason, new.reason.clone());
        let old_data = std::mem::replace(&mut alarm.reason_data, new.reason_data.clone());
        alarm.updated = now;
        if old == new.to {
            return;
        }
        alarm.transitioned = now;
        let actions = match alarm.configuration.actions_enabled {
            true => alarm.configuration.actions(new.to).to_vec(),
            false => Vec::new(),
        };
        let (from, to) = (old.name(), new.to.name());
        let side = |state: &str, reason: &str, data: &Option<String>| json!({"stateValue": state, "stateReason": reason, "stateReasonData": data});
        let data = json!({
            "version": "1.0",
            "oldState": side(from, &old_reason, &old_data),
            "newState": side(to, &new.reason, &new.reason_data),
        });
        tracing::info!(alarm = name, from, to, reason = new.reason, "an alarm changed its state");
        self.remember(now, name, "StateUpdate", format!("Alarm updated from {from} to {to}"), &data);
        let subject = format!("{to}: \"{name}\"");
        let message = json!({"AlarmName": name, "NewStateValue": to, "NewStateReason": new.reason, "OldStateValue": from});
        for action in actions {
            let data = |state: &str| json!({"version": "1.0", "actionState": state, "notificationResource": action, "stateUpdateTimestamp": now});
            let (summary, data) = match act(&action, &subject, &message.to_string()) {
                Ok(()) => (format!("Successfully executed action {action}"), data("Succeeded")),
                Err(error) => {
                    tracing::warn!(alarm = name, action, error, "an alarm's action was not carried out");
                    let mut data = data("Failed");
                    data["error"] = error.as_str().into();
                    (format!("Failed to execute action {action}. Received error: \"{error}\""), data)
                }
            };
            self.remember(now, name, "Action", summary, &data);
        }
    }

    /// Sets an alarm up, or anew: state, reason and tags of one that exists stay (AWS).
    ///
    /// # Errors
    /// `LimitExceeded` for a new one past the limit.
    pub(super) fn put(
        &mut self,
        now: i64,
        name: String,
        configuration: Configuration,
        tags: BTreeMap<String, String>,
    ) -> Result<(), AwsError> {
        let kind = "ConfigurationUpdate";
        if let Some(known) = self.alarms.get_mut(&name) {
            known.configuration = configuration;
            known.configured = now;
            let summary = format!("Alarm \"{name}\" updated");
            self.remember(now, &name, kind, summary, &json!({"version": "1.0", "type": "Update"}));
            return Ok(());
        }
        if self.alarms.len() >= MOST_ALARMS {
            return Err(AwsError::new(
                "LimitExceeded",
                format!("You have reached the limit of {MOST_ALARMS} alarms for this account."),
            ));
        }
        let alarm = Alarm {
            name: name.clone(),
            configuration,
            tags,
            configured: now,
            state: State::InsufficientData,
            reason: "Unchecked: Initial alarm creation".to_owned(),
            reason_data: None,
            updated: now,
            transitioned: now,
        };
        self.alarms.insert(name.clone(), alarm);
        let summary = format!("Alarm \"{name}\" created");
        self.remember(now, &name, kind, summary, &json!({"version": "1.0", "type": "Create"}));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:operators";

    fn book() -> Book {
        let configuration: Configuration = serde_json::from_value(json!({
            "actions_enabled": true, "ok_actions": [], "alarm_actions": [TOPIC],
            "insufficient_data_actions": [], "namespace": "N", "metric_name": "M", "dimensions": [],
            "statistic": "Sum", "period": 60, "evaluation_periods": 1, "threshold": 1.0,
            "comparison_operator": "GreaterThanThreshold",
        }))
        .unwrap();
        let mut book = Book::default();
        book.put(0, "a".to_owned(), configuration, BTreeMap::new()).unwrap();
        book
    }

    fn to(to: State) -> Transition {
        Transition { to, reason: "because".to_owned(), reason_data: None }
    }

    fn nowhere(_: &str, _: &str, _: &str) -> Result<(), String> {
        Err("the sandbox has no such service".to_owned())
    }

    #[test]
    fn what_an_action_does_is_recorded() {
        let mut book = book();
        book.transition(1, "a", &to(State::Alarm), &|action, subject, text| {
            assert_eq!((action, subject), (TOPIC, "ALARM: \"a\""));
            assert!(text.contains("because"), "{text}");
            Ok(())
        });
        let last = book.history.back().unwrap();
        assert_eq!(last.summary, format!("Successfully executed action {TOPIC}"));
        assert!(last.data.contains("Succeeded"), "{}", last.data);
    }

    #[test]
    fn changes_of_state_are_recorded_and_repetitions_are_not() {
        let mut book = book();
        book.transition(1, "a", &to(State::Alarm), &nowhere);
        book.transition(2, "a", &to(State::Alarm), &nowhere);
        book.alarms.get_mut("a").unwrap().configuration.actions_enabled = false;
        book.transition(3, "a", &to(State::Ok), &nowhere);
        book.transition(4, "a", &to(State::Alarm), &nowhere);
        let told: Vec<_> = book.history.iter().map(|e| (e.at, e.kind.as_str(), e.summary.as_str())).collect();
        let failed =
            format!("Failed to execute action {TOPIC}. Received error: \"the sandbox has no such service\"");
        assert_eq!(
            told,
            [
                (0, "ConfigurationUpdate", "Alarm \"a\" created"),
                (1, "StateUpdate", "Alarm updated from INSUFFICIENT_DATA to ALARM"),
                (1, "Action", failed.as_str()),
                (3, "StateUpdate", "Alarm updated from ALARM to OK"),
                (4, "StateUpdate", "Alarm updated from OK to ALARM"),
            ]
        );
        assert_eq!((book.alarms["a"].updated, book.alarms["a"].transitioned), (4, 4));
        let data: Value = serde_json::from_str(&book.history[1].data).unwrap();
        assert_eq!(data["oldState"]["stateReason"], "Unchecked: Initial alarm creation");
        assert_eq!(data["newState"]["stateValue"], "ALARM");
    }

    #[test]
    fn the_record_is_bounded_by_number_and_age() {
        let mut book = book();
        for n in 0..MOST_HISTORY as i64 {
            book.transition(
                n,
                "a",
                &to(if n % 2 == 0 { State::Ok } else { State::InsufficientData }),
                &nowhere,
            );
        }
        assert_eq!(book.history.len(), MOST_HISTORY);
        assert_eq!(book.history[0].summary, "Alarm updated from INSUFFICIENT_DATA to OK");
        book.transition(HISTORY_KEPT + MOST_HISTORY as i64, "a", &to(State::Ok), &nowhere);
        assert_eq!(book.history.len(), 1);
    }
}
