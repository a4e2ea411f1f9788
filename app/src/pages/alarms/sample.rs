//! A page to render in tests.

use model::alarms::{
    AlarmEvent, AlarmKind, AlarmRule, AlarmsPage, Difference, FunctionLogging, LogGroup, SetItem, Settings,
    StackAlarm, StageLogging, Told, Topic, TopicState,
};
use model::overview::{AlarmState, Reading};
use model::time::Timestamp;

pub const NOW: Timestamp = Timestamp(1_795_300_000_000);
const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:operators";

pub fn rule(name: &str) -> AlarmRule {
    AlarmRule {
        name: name.to_owned(),
        namespace: "AWS/Lambda".to_owned(),
        metric: "Errors".to_owned(),
        dimensions: vec![("FunctionName".to_owned(), "learninghub-api".to_owned())],
        statistic: "Sum".to_owned(),
        period: 60,
        periods: 1,
        needed: 1,
        comparison: "GreaterThanThreshold".to_owned(),
        threshold: 0.0,
        missing: "notBreaching".to_owned(),
        few: None,
        unit: None,
    }
}

fn alarm(name: &str, state: AlarmState, told: Told) -> StackAlarm {
    StackAlarm {
        rule: rule(name),
        state,
        reason: Some("Threshold Crossed: 1 datapoint [6.0] was greater than the threshold (0.0).".to_owned()),
        since: Some(Timestamp(NOW.0 - 120_000)),
        actions_enabled: true,
        actions: vec![TOPIC.to_owned()],
        told,
        foreign: false,
    }
}

fn item(kind: AlarmKind, existing: Option<&str>, differences: Vec<Difference>) -> SetItem {
    let wanted = rule("learninghub-api-errors");
    SetItem { kind, wanted, existing: existing.map(str::to_owned), differences, impossible: None }
}

/// One alarm fires, one tells nobody, one is missing, one differs.
pub fn page() -> AlarmsPage {
    let differs = Difference { what: "threshold".into(), is: "> 5".into(), should: "> 0".into() };
    let impossible = SetItem {
        impossible: Some("The secret has no rotation function. Set up its rotation first.".to_owned()),
        ..item(AlarmKind::Rotation, None, Vec::new())
    };
    AlarmsPage {
        now: NOW,
        alarms: Reading::fresh(
            vec![
                alarm("the-errors", AlarmState::Alarm, Told::Subscribers(2)),
                alarm("the-throttles", AlarmState::Ok, Told::Unconfirmed(1)),
            ],
            NOW,
        ),
        set: Reading::fresh(
            vec![
                item(AlarmKind::Errors, Some("the-errors"), Vec::new()),
                item(AlarmKind::Throttles, Some("the-throttles"), vec![differs]),
                item(AlarmKind::Duration, None, Vec::new()),
                impossible,
            ],
            NOW,
        ),
        topics: Reading::fresh(
            vec![Topic {
                arn: TOPIC.to_owned(),
                named: true,
                state: Some(TopicState::There { confirmed: 2, pending: 1 }),
            }],
            NOW,
        ),
        history: Reading::fresh(
            vec![AlarmEvent {
                at: NOW,
                alarm: "the-errors".to_owned(),
                what: "Alarm updated from OK to ALARM".to_owned(),
                state: Some(AlarmState::Alarm),
                why: Some("Threshold Crossed".to_owned()),
            }],
            NOW,
        ),
        settings: Reading::fresh(settings(), NOW),
    }
}

fn settings() -> Settings {
    let group = LogGroup {
        name: "/aws/lambda/learninghub-api".to_owned(),
        of: "the function".to_owned(),
        days: None,
        there: true,
        bytes: 4_200_000,
    };
    let function = FunctionLogging {
        function: "learninghub-api".to_owned(),
        format: "Text".to_owned(),
        level: None,
        tracing: false,
        live: Some("Version 3 logs JSON from INFO on with tracing.".to_owned()),
        revision: "r".to_owned(),
    };
    let stage = StageLogging {
        stage: "$default".to_owned(),
        destination: Some("/aws/vendedlogs/api".to_owned()),
        format: Some("$context.requestId".to_owned()),
        lacks: vec!["status".to_owned()],
        detailed_metrics: false,
    };
    Settings { groups: vec![group], functions: vec![function], stage }
}
