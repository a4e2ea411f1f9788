//! The alarms' operations.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::alarm::{Alarm, AlarmInput, Tag, check_tags, too_many_tags};
use super::book::{Act, Book, Transition};
use super::errors::{MODELLED, PLAIN, unsupported};
use super::evaluation::State;
use super::input::{DimensionInput, dimensions, metric_name, namespace, position, token, unit};
use super::reason::iso;
use crate::aws::{AwsError, Body, Call, Reply};
use crate::context::Context;
use crate::persisted::Persisted;

/// AWS: alarms named in a call, and shown in an answer.
const MOST_NAMES: usize = 100;
const SHOWN: usize = 50;

/// The operations.
pub(super) struct Alarms {
    context: Arc<Context>,
    pub(super) book: Persisted<Book>,
}

impl Alarms {
    pub(super) fn open(context: Arc<Context>) -> std::io::Result<Self> {
        let book = Persisted::open(&context.path("cloudwatch/alarms.json"))?;
        Ok(Self { context, book })
    }

    /// PutMetricAlarm.
    pub(super) fn put(&self, call: &Call) -> Result<Reply, AwsError> {
        let mut input: AlarmInput = call.parse()?;
        let name = alarm_name(input.alarm_name.take())?;
        let (configuration, tags) = input.check()?;
        let now = self.context.now_ms();
        self.book.change(|book| book.put(now, name, configuration, tags))?;
        Ok(done())
    }

    /// DescribeAlarms.
    pub(super) fn describe(&self, call: &Call) -> Result<Reply, AwsError> {
        let input: DescribeInput = call.parse()?;
        let wanted = input.check()?;
        let mut answer = Map::new();
        let metric_alarms: Vec<Value> = if wanted.metric_alarms {
            let mut found = self.book.read(|book| {
                let after = |name: &str| wanted.after.as_deref().is_none_or(|after| name > after);
                let alarms = book.alarms.values().filter(|alarm| after(&alarm.name) && wanted.takes(alarm));
                alarms.take(wanted.most + 1).cloned().collect::<Vec<_>>()
            });
            if found.len() > wanted.most {
                found.truncate(wanted.most);
                if let Some(last) = found.last() {
                    answer.insert("NextToken".to_owned(), token(&last.name).into());
                }
            }
            found.iter().map(|alarm| self.show(alarm)).collect()
        } else {
            Vec::new()
        };
        answer.insert("MetricAlarms".to_owned(), metric_alarms.into());
        // There is no operation here that could have made one.
        answer.insert("CompositeAlarms".to_owned(), json!([]));
        Ok(Reply::json(answer.into()))
    }

    /// DescribeAlarmsForMetric.
    pub(super) fn describe_for_metric(&self, call: &Call) -> Result<Reply, AwsError> {
        let input: ForMetricInput = call.parse()?;
        let namespace = namespace(input.namespace.as_deref(), "", PLAIN)?;
        let name = metric_name(input.metric_name.as_deref(), "", PLAIN)?;
        let dimensions = dimensions(input.dimensions.as_deref(), "", PLAIN)?;
        unit(input.unit.as_deref(), "", PLAIN)?;
        let takes = |alarm: &&Alarm| {
            let of = &alarm.configuration;
            of.namespace == namespace
                && of.metric_name == name
                && of.dimensions == dimensions
                && (input.statistic.is_none() || of.statistic == input.statistic)
                && (input.extended_statistic.is_none() || of.extended_statistic == input.extended_statistic)
                && input.period.is_none_or(|period| of.period == period)
                && (input.unit.is_none() || of.unit == input.unit)
        };
        let found: Vec<Value> =
            self.book.read(|book| book.alarms.values().filter(takes).map(|alarm| self.show(alarm)).collect());
        Ok(Reply::json(json!({"MetricAlarms": found})))
    }

    /// DeleteAlarms. AWS: the alarms that exist are deleted even when others of the call do not.
    pub(super) fn delete(&self, call: &Call) -> Result<Reply, AwsError> {
        let names = names(call)?;
        let now = self.context.now_ms();
        let missing = self.book.change(|book| {
            let mut missing = Vec::new();
            for name in &names {
                if book.alarms.remove(name).is_none() {
                    missing.push(name.clone());
                    continue;
                }
                let summary = format!("Alarm \"{name}\" deleted");
                let data = json!({"version": "1.0", "type": "Delete"});
                book.remember(now, name, "ConfigurationUpdate", summary, &data);
            }
            Ok(missing)
        })?;
        if missing.is_empty() { Ok(done()) } else { Err(no_alarm(&missing)) }
    }

    /// SetAlarmState: until the next evaluation says otherwise.
    pub(super) fn set_state(&self, call: &Call, act: Act<'_>) -> Result<Reply, AwsError> {
        let input: SetStateInput = call.parse()?;
        let name = alarm_name(input.alarm_name)?;
        let value = input.state_value.ok_or_else(|| PLAIN.missing("StateValue"))?;
        let to = State::parse(&value).ok_or_else(|| PLAIN.value("StateValue", &value))?;
        let reason = input.state_reason.ok_or_else(|| PLAIN.missing("StateReason"))?;
        if reason.chars().count() > 1_023 {
            return Err(PLAIN.invalid("The parameter StateReason is longer than 1023 characters."));
        }
        if let Some(data) = &input.state_reason_data {
            if data.chars().count() > 4_000 {
                return Err(PLAIN.invalid("The parameter StateReasonData is longer than 4000 characters."));
            }
            if serde_json::from_str::<Value>(data).is_err() {
                return Err(AwsError::new("InvalidFormat", "StateReasonData was not valid JSON."));
            }
        }
        let new = Transition { to, reason, reason_data: input.state_reason_data };
        let now = self.context.now_ms();
        self.book.change(|book| {
            if !book.alarms.contains_key(&name) {
                return Err(no_alarm(std::slice::from_ref(&name)));
            }
            book.transition(now, &name, &new, act);
            Ok(())
        })?;
        Ok(done())
    }

    /// EnableAlarmActions and DisableAlarmActions: all the alarms named, or none.
    pub(super) fn enable_actions(&self, call: &Call, enabled: bool) -> Result<Reply, AwsError> {
        let names = names(call)?;
        let now = self.context.now_ms();
        self.book.change(|book| {
            let missing: Vec<String> =
                names.iter().filter(|name| !book.alarms.contains_key(*name)).cloned().collect();
            if !missing.is_empty() {
                return Err(no_alarm(&missing));
            }
            for name in &names {
                let Some(alarm) = book.alarms.get_mut(name) else { continue };
                if alarm.configuration.actions_enabled == enabled {
                    continue;
                }
                alarm.configuration.actions_enabled = enabled;
                alarm.configured = now;
                let summary = format!("Alarm \"{name}\" updated");
                let data =
                    json!({"version": "1.0", "type": "Update", "actionsEnabled": enabled, "at": iso(now)});
                book.remember(now, name, "ConfigurationUpdate", summary, &data);
            }
            Ok(())
        })?;
        Ok(done())
    }

    /// TagResource.
    pub(super) fn tag(&self, call: &Call) -> Result<Reply, AwsError> {
        let input: TagInput = call.parse()?;
        let name = self.named_by(input.resource_arn.as_deref())?;
        let tags = input.tags.ok_or_else(|| MODELLED.missing("Tags"))?;
        let tags = check_tags(tags, |message| MODELLED.invalid(message))?;
        self.change_tags(&name, |known| {
            known.extend(tags);
            if too_many_tags(known) {
                return Err(MODELLED.invalid("An alarm can have at most 50 tags."));
            }
            Ok(())
        })
    }

    /// UntagResource.
    pub(super) fn untag(&self, call: &Call) -> Result<Reply, AwsError> {
        let input: UntagInput = call.parse()?;
        let name = self.named_by(input.resource_arn.as_deref())?;
        let keys = input.tag_keys.ok_or_else(|| MODELLED.missing("TagKeys"))?;
        self.change_tags(&name, |known| {
            known.retain(|key, _| !keys.contains(key));
            Ok(())
        })
    }

    fn change_tags(
        &self,
        name: &str,
        change: impl FnOnce(&mut BTreeMap<String, String>) -> Result<(), AwsError>,
    ) -> Result<Reply, AwsError> {
        self.book
            .change(|book| change(&mut book.alarms.get_mut(name).ok_or_else(|| no_resource(name))?.tags))?;
        Ok(Reply::json(json!({})))
    }

    /// ListTagsForResource.
    pub(super) fn list_tags(&self, call: &Call) -> Result<Reply, AwsError> {
        let input: ListTagsInput = call.parse()?;
        let name = self.named_by(input.resource_arn.as_deref())?;
        let tags = self.book.read(|book| book.alarms.get(&name).map(|alarm| alarm.tags.clone()));
        let tags: Vec<Value> = tags
            .ok_or_else(|| no_resource(&name))?
            .into_iter()
            .map(|(key, value)| json!({"Key": key, "Value": value}))
            .collect();
        Ok(Reply::json(json!({"Tags": tags})))
    }

    fn show(&self, alarm: &Alarm) -> Value {
        alarm.show(self.context.arn("cloudwatch", &format!("alarm:{}", alarm.name)))
    }

    /// The name in an alarm's ARN.
    fn named_by(&self, arn: Option<&str>) -> Result<String, AwsError> {
        let arn = arn.ok_or_else(|| MODELLED.missing("ResourceARN"))?;
        if !arn.starts_with("arn:") || arn.splitn(6, ':').count() < 6 {
            return Err(MODELLED.value("ResourceARN", arn));
        }
        let name = arn.strip_prefix(&self.context.arn("cloudwatch", "alarm:"));
        name.map(str::to_owned).ok_or_else(|| no_resource(arn))
    }
}

fn done() -> Reply {
    Reply { status: 200, headers: Vec::new(), body: Body::Empty }
}

fn no_alarm(names: &[String]) -> AwsError {
    AwsError::new("ResourceNotFound", format!("Alarm does not exist: {}", names.join(", "))).with_status(404)
}

fn no_resource(name: &str) -> AwsError {
    AwsError::new("ResourceNotFoundException", format!("Unknown resource: {name}"))
        .with_status(404)
        .with("ResourceType", "alarm")
        .with("ResourceId", name)
}

/// AWS: 1 to 255 characters, no control characters.
fn alarm_name(name: Option<String>) -> Result<String, AwsError> {
    let name = name.ok_or_else(|| PLAIN.missing("AlarmName"))?;
    if name.is_empty() || name.chars().count() > 255 || name.contains(char::is_control) {
        return Err(PLAIN.value("AlarmName", name));
    }
    Ok(name)
}

fn names(call: &Call) -> Result<Vec<String>, AwsError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "PascalCase")]
    struct Input {
        alarm_names: Option<Vec<String>>,
    }
    let names = call.parse::<Input>()?.alarm_names.unwrap_or_default();
    if names.is_empty() {
        return Err(PLAIN.missing("AlarmNames"));
    }
    if names.len() > MOST_NAMES {
        return Err(PLAIN
            .invalid(format!("The collection AlarmNames must not have a size greater than {MOST_NAMES}.")));
    }
    Ok(names)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct DescribeInput {
    alarm_names: Option<Vec<String>>,
    alarm_name_prefix: Option<String>,
    alarm_types: Option<Vec<String>>,
    children_of_alarm_name: Option<Value>,
    parents_of_alarm_name: Option<Value>,
    state_value: Option<String>,
    action_prefix: Option<String>,
    max_records: Option<i64>,
    next_token: Option<String>,
}

/// DescribeAlarms' filters, checked.
struct Wanted {
    names: Vec<String>,
    prefix: Option<String>,
    state: Option<State>,
    action: Option<String>,
    metric_alarms: bool,
    most: usize,
    after: Option<String>,
}

impl DescribeInput {
    fn check(self) -> Result<Wanted, AwsError> {
        if self.children_of_alarm_name.is_some() {
            return Err(unsupported("DescribeAlarms", "ChildrenOfAlarmName"));
        }
        if self.parents_of_alarm_name.is_some() {
            return Err(unsupported("DescribeAlarms", "ParentsOfAlarmName"));
        }
        let names = self.alarm_names.unwrap_or_default();
        if names.len() > MOST_NAMES {
            return Err(PLAIN.invalid("The collection AlarmNames must not have a size greater than 100."));
        }
        if !names.is_empty() && self.alarm_name_prefix.is_some() {
            return Err(PLAIN.combination("AlarmNames and AlarmNamePrefix cannot both be specified."));
        }
        let types = self.alarm_types.unwrap_or_default();
        let known = ["MetricAlarm", "CompositeAlarm", "LogAlarm"];
        if let Some(other) = types.iter().find(|kind| !known.contains(&kind.as_str())) {
            return Err(PLAIN.value("AlarmTypes", other));
        }
        let state = self
            .state_value
            .map(|value| State::parse(&value).ok_or_else(|| PLAIN.value("StateValue", &value)))
            .transpose()?;
        let most = match self.max_records.map(usize::try_from) {
            // AWS: 50 unless asked otherwise; a call that names alarms gets all of them.
            None => SHOWN.max(names.len()),
            Some(Ok(most)) if (1..=MOST_NAMES).contains(&most) => most,
            _ => return Err(PLAIN.invalid("The parameter MaxRecords must be between 1 and 100.")),
        };
        Ok(Wanted {
            metric_alarms: types.is_empty() || types.iter().any(|kind| kind == "MetricAlarm"),
            names,
            prefix: self.alarm_name_prefix,
            state,
            action: self.action_prefix,
            most,
            after: self.next_token.as_deref().map(position).transpose()?,
        })
    }
}

impl Wanted {
    fn takes(&self, alarm: &Alarm) -> bool {
        let of = &alarm.configuration;
        let mut actions =
            [&of.ok_actions, &of.alarm_actions, &of.insufficient_data_actions].into_iter().flatten();
        (self.names.is_empty() || self.names.contains(&alarm.name))
            && self.prefix.as_deref().is_none_or(|prefix| alarm.name.starts_with(prefix))
            && self.state.is_none_or(|state| alarm.state == state)
            && self.action.as_deref().is_none_or(|prefix| actions.any(|action| action.starts_with(prefix)))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct ForMetricInput {
    metric_name: Option<String>,
    namespace: Option<String>,
    statistic: Option<String>,
    extended_statistic: Option<String>,
    dimensions: Option<Vec<DimensionInput>>,
    period: Option<i64>,
    unit: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct SetStateInput {
    alarm_name: Option<String>,
    state_value: Option<String>,
    state_reason: Option<String>,
    state_reason_data: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct TagInput {
    #[serde(rename = "ResourceARN")]
    resource_arn: Option<String>,
    tags: Option<Vec<Tag>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct UntagInput {
    #[serde(rename = "ResourceARN")]
    resource_arn: Option<String>,
    tag_keys: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListTagsInput {
    #[serde(rename = "ResourceARN")]
    resource_arn: Option<String>,
}
