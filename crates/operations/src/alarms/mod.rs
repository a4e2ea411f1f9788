//! The stack's alarms: those on a metric of its function, of its API, or of its secret's rotation function.
//!
//! In reading order:
//! - here: which of the account's alarms are the stack's;
//! - `set`: the set a stack should have, and how it differs from what there is; `puts`: what is to be
//!   written for that. Pure;
//! - `topics`: who is told; `history`: what happened; `settings`: what is logged and traced, read and
//!   compared;
//! - `actions`: what can be done; `page`: what is shown.

mod actions;
mod history;
mod page;
mod puts;
mod set;
mod settings;
mod topics;

use std::sync::Arc;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{AlarmType, Dimension, MetricAlarm, StateValue};
use model::alarms::{AlarmRule, StackAlarm, Told};
use model::overview::{Alarm, AlarmState};
use model::problem::{Problem, ProblemKind};
use model::stack::Stack;

use crate::aws::{problem, timestamp};
pub(crate) use page::Readings;

/// At most this many pages of 100 alarms are looked through. A list that is not whole would look like
/// "no alarm", so beyond it the reading fails.
const MOST_PAGES: usize = 10;

/// Reads the alarms of the account that watch this stack, the firing ones first, then by name.
pub(crate) async fn read(cloudwatch: Client, stack: Arc<Stack>) -> Result<Vec<Alarm>, Problem> {
    let mut alarms: Vec<Alarm> = raw(&cloudwatch, &stack, None).await?.iter().map(alarm).collect();
    alarms.sort_by(|a, b| (a.state, &a.name).cmp(&(b.state, &b.name)));
    Ok(alarms)
}

/// The alarms as CloudWatch has them; with the rotation function's name, also those that watch that.
async fn raw(
    cloudwatch: &Client,
    stack: &Stack,
    rotation: Option<&str>,
) -> Result<Vec<MetricAlarm>, Problem> {
    let mut pages = cloudwatch
        .describe_alarms()
        .alarm_types(AlarmType::MetricAlarm)
        .max_records(100)
        .into_paginator()
        .send();
    let mut alarms = Vec::new();
    let mut read = 0;
    while let Some(page) = pages.next().await {
        if read == MOST_PAGES {
            let message = format!(
                "The account has more than {} alarms: not all were looked through.",
                MOST_PAGES * 100
            );
            return Err(Problem::new(ProblemKind::Invalid, message)
                .with_next("Look at the stack's alarms in CloudWatch, or delete alarms that nobody needs."));
        }
        read += 1;
        let page =
            page.map_err(|error| problem("describe the alarms", "cloudwatch:DescribeAlarms", &error))?;
        let ours = page.metric_alarms.unwrap_or_default().into_iter();
        alarms.extend(ours.filter(|alarm| watches(alarm, stack, rotation)));
    }
    Ok(alarms)
}

/// Whether an alarm's metric, or one of the metrics of its expression, is of this stack.
fn watches(alarm: &MetricAlarm, stack: &Stack, rotation: Option<&str>) -> bool {
    let of_stack = |dimension: &Dimension| match (dimension.name(), dimension.value()) {
        (Some("FunctionName"), Some(value)) => value == stack.function || Some(value) == rotation,
        (Some("ApiId"), Some(value)) => value == stack.api_id,
        _ => false,
    };
    let in_expression = alarm.metrics().iter().filter_map(|query| query.metric_stat()?.metric());
    alarm.dimensions().iter().any(of_stack)
        || in_expression.flat_map(|metric| metric.dimensions()).any(of_stack)
}

fn state(value: Option<&StateValue>) -> AlarmState {
    match value {
        Some(StateValue::Ok) => AlarmState::Ok,
        Some(StateValue::Alarm) => AlarmState::Alarm,
        _ => AlarmState::InsufficientData,
    }
}

/// An alarm as the page shows it; whether anybody is told is found out later.
fn stack_alarm(alarm: &MetricAlarm) -> StackAlarm {
    let expression = !alarm.metrics().is_empty() || alarm.threshold_metric_id().is_some();
    StackAlarm {
        rule: rule(alarm),
        state: state(alarm.state_value()),
        reason: alarm.state_reason().map(str::to_owned),
        since: alarm.state_transitioned_timestamp().or(alarm.state_updated_timestamp()).map(timestamp),
        actions_enabled: alarm.actions_enabled().unwrap_or(false),
        actions: alarm.alarm_actions().to_vec(),
        told: Told::Unknown,
        foreign: expression || alarm.threshold().is_none(),
    }
}

fn rule(alarm: &MetricAlarm) -> AlarmRule {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let number = |number: Option<i32>| number.and_then(|number| number.try_into().ok()).unwrap_or(0_u32);
    let named = |one: &Dimension| Some((one.name()?.to_owned(), one.value()?.to_owned()));
    let mut dimensions: Vec<_> = alarm.dimensions().iter().filter_map(named).collect();
    dimensions.sort();
    let periods = number(alarm.evaluation_periods());
    AlarmRule {
        name: text(alarm.alarm_name()),
        namespace: text(alarm.namespace()),
        metric: text(alarm.metric_name()),
        dimensions,
        statistic: text(alarm.statistic().map(|one| one.as_str()).or(alarm.extended_statistic())),
        period: number(alarm.period()),
        periods,
        needed: alarm.datapoints_to_alarm().map_or(periods, |needed| number(Some(needed))),
        comparison: text(alarm.comparison_operator().map(|one| one.as_str())),
        threshold: alarm.threshold().unwrap_or_default(),
        missing: alarm.treat_missing_data().unwrap_or("missing").to_owned(),
        few: alarm.evaluate_low_sample_count_percentile().map(str::to_owned),
        unit: alarm.unit().map(|unit| unit.as_str().to_owned()),
    }
}

fn alarm(alarm: &MetricAlarm) -> Alarm {
    Alarm {
        name: alarm.alarm_name().unwrap_or_default().to_owned(),
        state: state(alarm.state_value()),
        reason: alarm.state_reason().map(str::to_owned),
        since: alarm.state_transitioned_timestamp().or(alarm.state_updated_timestamp()).map(timestamp),
        actions_enabled: alarm.actions_enabled().unwrap_or(false),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudwatch::types::{Metric, MetricDataQuery, MetricStat};

    use super::*;

    fn stack() -> Stack {
        Stack {
            region: "eu-west-1".into(),
            api_id: "abc".into(),
            stage: "$default".into(),
            function: "handler".into(),
            alias: "live".into(),
            secret_id: "s".into(),
            status_url: "https://example.com/status".into(),
        }
    }

    fn dimension(name: &str, value: &str) -> Dimension {
        Dimension::builder().name(name).value(value).build()
    }

    #[test]
    fn only_the_stacks_own_alarms_count() {
        let stack = stack();
        let on = |name, value| MetricAlarm::builder().dimensions(dimension(name, value)).build();
        assert!(watches(&on("FunctionName", "handler"), &stack, None));
        assert!(watches(&on("FunctionName", "rotator"), &stack, Some("rotator")));
        assert!(!watches(&on("FunctionName", "rotator"), &stack, None));
        assert!(watches(&on("ApiId", "abc"), &stack, None));
        assert!(!watches(&on("FunctionName", "another"), &stack, None));
        assert!(!watches(&on("Stage", "abc"), &stack, None));
        assert!(!watches(&MetricAlarm::builder().build(), &stack, None));
    }

    #[test]
    fn an_alarm_on_an_expression_counts_by_its_metrics() {
        let metric = Metric::builder().metric_name("Errors").dimensions(dimension("FunctionName", "handler"));
        let stat = MetricStat::builder().metric(metric.build()).period(60).stat("Sum").build();
        let query = MetricDataQuery::builder().id("e1").metric_stat(stat).build();
        assert!(watches(&MetricAlarm::builder().metrics(query).build(), &stack(), None));
    }
}
