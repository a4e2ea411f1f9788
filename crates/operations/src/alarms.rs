//! The stack's alarms: those on a metric of its function or of its API.

use std::sync::Arc;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{AlarmType, Dimension, MetricAlarm, StateValue};
use model::overview::{Alarm, AlarmState};
use model::problem::{Problem, ProblemKind};
use model::stack::Stack;

use crate::aws::{problem, timestamp};

/// At most this many pages of 100 alarms are looked through. A list that is not whole would look like
/// "no alarm", so beyond it the reading fails.
const MOST_PAGES: usize = 10;

/// Reads the alarms of the account that watch this stack, the firing ones first, then by name.
pub(crate) async fn read(cloudwatch: Client, stack: Arc<Stack>) -> Result<Vec<Alarm>, Problem> {
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
        alarms.extend(page.metric_alarms().iter().filter(|alarm| watches(alarm, &stack)).map(alarm));
    }
    alarms.sort_by(|a, b| (a.state, &a.name).cmp(&(b.state, &b.name)));
    Ok(alarms)
}

/// Whether an alarm's metric, or one of the metrics of its expression, is of this stack.
fn watches(alarm: &MetricAlarm, stack: &Stack) -> bool {
    let of_stack = |dimension: &Dimension| match (dimension.name(), dimension.value()) {
        (Some("FunctionName"), Some(value)) => value == stack.function,
        (Some("ApiId"), Some(value)) => value == stack.api_id,
        _ => false,
    };
    let in_expression = alarm.metrics().iter().filter_map(|query| query.metric_stat()?.metric());
    alarm.dimensions().iter().any(of_stack)
        || in_expression.flat_map(|metric| metric.dimensions()).any(of_stack)
}

fn alarm(alarm: &MetricAlarm) -> Alarm {
    Alarm {
        name: alarm.alarm_name().unwrap_or_default().to_owned(),
        state: match alarm.state_value() {
            Some(StateValue::Ok) => AlarmState::Ok,
            Some(StateValue::Alarm) => AlarmState::Alarm,
            _ => AlarmState::InsufficientData,
        },
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
        assert!(watches(&on("FunctionName", "handler"), &stack));
        assert!(watches(&on("ApiId", "abc"), &stack));
        assert!(!watches(&on("FunctionName", "another"), &stack));
        assert!(!watches(&on("Stage", "abc"), &stack));
        assert!(!watches(&MetricAlarm::builder().build(), &stack));
    }

    #[test]
    fn an_alarm_on_an_expression_counts_by_its_metrics() {
        let metric = Metric::builder().metric_name("Errors").dimensions(dimension("FunctionName", "handler"));
        let stat = MetricStat::builder().metric(metric.build()).period(60).stat("Sum").build();
        let query = MetricDataQuery::builder().id("e1").metric_stat(stat).build();
        assert!(watches(&MetricAlarm::builder().metrics(query).build(), &stack()));
    }
}
