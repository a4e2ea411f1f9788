//! The alarms a stack should have, and how those there are differ. Pure.
//!
//! An alarm is known by what it watches, not by its name: whoever built the stack may have called it
//! anything. What is compared is what decides when it fires.

use model::alarms::{AlarmKind, AlarmRule, Difference, SetItem, StackAlarm, Thresholds};
use model::stack::Stack;

const LAMBDA: &str = "AWS/Lambda";
const GATEWAY: &str = "AWS/ApiGateway";
const MORE: &str = "GreaterThanThreshold";
const AT_LEAST: &str = "GreaterThanOrEqualToThreshold";
/// Of counts a minute: the shortest period of AWS's own metrics.
const MINUTE: u32 = 60;
/// Of a 95th percentile: CloudWatch wants 200 values for one (AWS: 10 / (1 - 0.95)), and a quiet API has
/// those in five minutes, if at all.
const FIVE_MINUTES: u32 = 300;

/// What the set depends on.
#[derive(Debug, Clone)]
pub(super) struct Stands<'a> {
    pub(super) stack: &'a Stack,
    /// The function's time limit in seconds; none where it could not be read.
    pub(super) timeout_seconds: Option<u32>,
    /// The rotation function's name; none where the secret has none.
    pub(super) rotation: Option<&'a str>,
    pub(super) thresholds: Thresholds,
}

/// The set, each with the alarm there is for it.
pub(super) fn plan(existing: &[StackAlarm], stands: &Stands<'_>) -> Vec<SetItem> {
    AlarmKind::ALL.into_iter().map(|kind| item(kind, existing, stands)).collect()
}

fn item(kind: AlarmKind, existing: &[StackAlarm], stands: &Stands<'_>) -> SetItem {
    let wanted = wanted(kind, stands);
    // Of several the one that is nearest.
    let mut found: Vec<(Vec<Difference>, &StackAlarm)> = existing
        .iter()
        .filter(|alarm| !alarm.foreign && same_metric(&alarm.rule, &wanted))
        .map(|alarm| (differences(&alarm.rule, &wanted), alarm))
        .collect();
    found.sort_by(|one, other| (one.0.len(), &one.1.rule.name).cmp(&(other.0.len(), &other.1.rule.name)));
    let nearest = found.into_iter().next();
    let impossible = match kind {
        AlarmKind::Duration if stands.timeout_seconds.is_none() => {
            Some("The function's time limit could not be read.".to_owned())
        }
        AlarmKind::Rotation if stands.rotation.is_none() => {
            Some("The secret has no rotation function. Set up its rotation first.".to_owned())
        }
        _ => None,
    };
    SetItem {
        kind,
        existing: nearest.as_ref().map(|(_, alarm)| alarm.rule.name.clone()),
        differences: nearest
            .filter(|_| impossible.is_none())
            .map(|(differences, _)| differences)
            .unwrap_or_default(),
        wanted,
        impossible,
    }
}

/// The alarm as it should be.
fn wanted(kind: AlarmKind, stands: &Stands<'_>) -> AlarmRule {
    let Stands { stack, timeout_seconds, rotation, thresholds } = stands;
    let function = vec![("FunctionName".to_owned(), stack.function.clone())];
    let count = |name: &str, namespace: &str, metric: &str, dimensions, threshold: u32| AlarmRule {
        name: format!("{}-{name}", stack.function),
        namespace: namespace.to_owned(),
        metric: metric.to_owned(),
        dimensions,
        statistic: "Sum".to_owned(),
        period: MINUTE,
        periods: 1,
        needed: 1,
        comparison: MORE.to_owned(),
        threshold: f64::from(threshold),
        // No traffic is no error.
        missing: "notBreaching".to_owned(),
        few: None,
        unit: None,
    };
    match kind {
        AlarmKind::Errors => count("errors", LAMBDA, "Errors", function, thresholds.errors),
        AlarmKind::Throttles => count("throttles", LAMBDA, "Throttles", function, thresholds.throttles),
        AlarmKind::Duration => {
            let limit_ms = f64::from(timeout_seconds.unwrap_or_default()) * 1_000.0;
            AlarmRule {
                statistic: "p95".to_owned(),
                period: FIVE_MINUTES,
                comparison: AT_LEAST.to_owned(),
                threshold: limit_ms * f64::from(thresholds.duration_percent) / 100.0,
                few: Some("ignore".to_owned()),
                ..count("duration-p95", LAMBDA, "Duration", function, 0)
            }
        }
        AlarmKind::Api5xx => {
            let api =
                vec![("ApiId".to_owned(), stack.api_id.clone()), ("Stage".to_owned(), stack.stage.clone())];
            count("api-5xx", GATEWAY, "5xx", api, thresholds.api5xx)
        }
        AlarmKind::Rotation => {
            let function = vec![("FunctionName".to_owned(), rotation.unwrap_or_default().to_owned())];
            count("rotation-failed", LAMBDA, "Errors", function, 0)
        }
    }
}

/// Whether an alarm watches what another should. One on the whole API watches its stage too.
fn same_metric(is: &AlarmRule, wanted: &AlarmRule) -> bool {
    let same_kind = |statistic: &str| statistic.starts_with('p');
    let api_only = wanted.namespace == GATEWAY && is.dimensions.as_slice() == &wanted.dimensions[..1];
    is.namespace == wanted.namespace
        && is.metric == wanted.metric
        && same_kind(&is.statistic) == same_kind(&wanted.statistic)
        && (is.dimensions == wanted.dimensions || api_only)
}

fn differences(is: &AlarmRule, wanted: &AlarmRule) -> Vec<Difference> {
    let few = |rule: &AlarmRule| match rule.few.as_deref() {
        // CloudWatch's default.
        None if rule.statistic.starts_with('p') => "evaluate".to_owned(),
        None => "does not matter".to_owned(),
        Some(few) => few.to_owned(),
    };
    let unit = |rule: &AlarmRule| rule.unit.clone().unwrap_or_else(|| "any".to_owned());
    let table = [
        ("statistic", is.statistic.clone(), wanted.statistic.clone()),
        ("period", format!("{} s", is.period), format!("{} s", wanted.period)),
        ("periods beyond it", is.periods_words(), wanted.periods_words()),
        ("threshold", is.threshold_words(), wanted.threshold_words()),
        ("a period without data", is.missing_words().to_owned(), wanted.missing_words().to_owned()),
        ("too few values for a percentile", few(is), few(wanted)),
        ("unit of values", unit(is), unit(wanted)),
    ];
    let differs = table.into_iter().filter(|(_, is, should)| is != should);
    differs.map(|(what, is, should)| Difference { what: what.to_owned(), is, should }).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use model::alarms::Told;
    use model::overview::AlarmState;

    use super::*;

    pub(crate) fn stack() -> Stack {
        Stack {
            region: "eu-west-1".into(),
            api_id: "abc".into(),
            stage: "$default".into(),
            function: "api".into(),
            alias: "live".into(),
            secret_id: "s".into(),
            status_url: "https://example.com/status".into(),
        }
    }

    pub(crate) fn alarm(rule: AlarmRule, actions: &[&str]) -> StackAlarm {
        StackAlarm {
            rule,
            state: AlarmState::Ok,
            reason: None,
            since: None,
            actions_enabled: true,
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            told: Told::Unknown,
            foreign: false,
        }
    }

    pub(crate) fn stands(stack: &Stack) -> Stands<'_> {
        Stands {
            stack,
            timeout_seconds: Some(15),
            rotation: Some("rotator"),
            thresholds: Thresholds::default(),
        }
    }

    /// Each item's kind, whether there is an alarm, and what differs.
    fn short(items: &[SetItem]) -> Vec<(&'static str, Option<&str>, String)> {
        let one = |item: &SetItem| {
            item.differences
                .iter()
                .map(|one| format!("{} {}->{}", one.what, one.is, one.should))
                .collect::<Vec<_>>()
                .join("; ")
        };
        items.iter().map(|item| (item.kind.name(), item.existing.as_deref(), one(item))).collect()
    }

    #[test]
    fn the_set_of_a_stack_without_alarms() {
        let stack = stack();
        let items = plan(&[], &stands(&stack));
        let rules: Vec<_> =
            items.iter().map(|item| format!("{}: {}", item.wanted.name, item.wanted.words())).collect();
        assert_eq!(
            rules,
            [
                "api-errors: Sum of Errors over 60 s > 0, 1 of 1 periods; a period without data is fine",
                "api-throttles: Sum of Throttles over 60 s > 0, 1 of 1 periods; a period without data is fine",
                "api-duration-p95: p95 of Duration over 300 s >= 12000, 1 of 1 periods; a period without data is fine; too few values for a percentile change nothing",
                "api-api-5xx: Sum of 5xx over 60 s > 0, 1 of 1 periods; a period without data is fine",
                "api-rotation-failed: Sum of Errors over 60 s > 0, 1 of 1 periods; a period without data is fine",
            ]
        );
        assert!(items.iter().all(|item| item.existing.is_none() && item.impossible.is_none()));
        assert_eq!(items[4].wanted.dimensions, [("FunctionName".to_owned(), "rotator".to_owned())]);
        let unknown = Stands { timeout_seconds: None, rotation: None, ..stands(&stack) };
        let impossible: Vec<_> = plan(&[], &unknown).iter().map(|item| item.impossible.is_some()).collect();
        assert_eq!(impossible, [false, false, true, false, true]);
    }

    #[test]
    fn what_there_is_is_known_by_what_it_watches() {
        let stack = stack();
        let wanted = |kind| super::wanted(kind, &stands(&stack));
        let renamed = |kind, name: &str| AlarmRule { name: name.to_owned(), ..wanted(kind) };
        let errors = renamed(AlarmKind::Errors, "mine");
        let table: [(Vec<AlarmRule>, &str, Option<&str>, &str); 11] = [
            (vec![errors.clone()], "errors", Some("mine"), ""),
            (
                vec![AlarmRule { threshold: 5.0, ..errors.clone() }],
                "errors",
                Some("mine"),
                "threshold > 5->> 0",
            ),
            (
                vec![AlarmRule { threshold: 1.0, comparison: AT_LEAST.into(), ..errors.clone() }],
                "errors",
                Some("mine"),
                "threshold >= 1->> 0",
            ),
            (
                vec![AlarmRule { missing: "missing".into(), period: 300, ..errors.clone() }],
                "errors",
                Some("mine"),
                "period 300 s->60 s; a period without data is not known->is fine",
            ),
            // A wrong unit gives no data at all.
            (
                vec![AlarmRule { unit: Some("Seconds".into()), ..errors.clone() }],
                "errors",
                Some("mine"),
                "unit of values Seconds->any",
            ),
            // Of two the nearer one.
            (
                vec![AlarmRule { threshold: 5.0, name: "a".into(), ..errors.clone() }, errors.clone()],
                "errors",
                Some("mine"),
                "",
            ),
            // Another function's errors are the rotation's.
            (vec![renamed(AlarmKind::Rotation, "r")], "errors", None, ""),
            (vec![renamed(AlarmKind::Rotation, "r")], "rotation", Some("r"), ""),
            // An average is no percentile.
            (
                vec![AlarmRule { statistic: "Average".into(), ..renamed(AlarmKind::Duration, "d") }],
                "duration",
                None,
                "",
            ),
            (
                vec![AlarmRule { few: None, ..renamed(AlarmKind::Duration, "d") }],
                "duration",
                Some("d"),
                "too few values for a percentile evaluate->ignore",
            ),
            (
                vec![AlarmRule {
                    dimensions: vec![("ApiId".into(), "abc".into())],
                    ..renamed(AlarmKind::Api5xx, "w")
                }],
                "api5xx",
                Some("w"),
                "",
            ),
        ];
        for (rules, kind, existing, differences) in table {
            let alarms: Vec<_> = rules.into_iter().map(|rule| alarm(rule, &[])).collect();
            let items = plan(&alarms, &stands(&stack));
            let found = short(&items).into_iter().find(|(name, ..)| *name == kind);
            assert_eq!(found, Some((kind, existing, differences.to_owned())), "{alarms:?}");
        }
        let foreign = StackAlarm { foreign: true, ..alarm(errors, &[]) };
        assert_eq!(plan(&[foreign], &stands(&stack))[0].existing, None);
    }
}
