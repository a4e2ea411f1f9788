//! Alarms and the settings of logging, on the demo world: what is recommended is created and changed over
//! the wire, who is told is looked at, and nothing else of an alarm is touched.

use aws_sdk_cloudwatch::types::{ComparisonOperator, MetricAlarm, Statistic};
use model::alarms::{
    AlarmKind, AlarmsPage, PutAlarms, SetFunctionLogging, SetLogRetention, SetStageLogging, Thresholds, Told,
};
use model::people::Role;
use model::problem::{Problem, ProblemKind};
use operations::Operation;
use sandbox::demo::{FUNCTION, ROTATION_FUNCTION};
use sandbox::faults::{At, AwsEffect, Fault};

use crate::watch::{Watch, actor};

const ENDPOINT: &str = "ops@example.com";

async fn page(watch: &Watch) -> AlarmsPage {
    watch.advance(31_000);
    watch.portal.alarms_page().await
}

async fn perform<O: Operation>(watch: &Watch, operation: &O) -> Result<O::Output, Problem> {
    watch.portal.perform(&actor("ada", Role::Operator), operation).await
}

fn put(kinds: &[AlarmKind], topic: Option<&str>) -> PutAlarms {
    let topic = topic.map(str::to_owned);
    PutAlarms { kinds: kinds.to_vec(), thresholds: Thresholds::default(), topic, seen: None }
}

async fn alarm(watch: &Watch, name: &str) -> MetricAlarm {
    let cloudwatch = aws_sdk_cloudwatch::Client::new(&watch.sdk().await);
    let found = cloudwatch.describe_alarms().alarm_names(name).send().await.expect("described");
    found.metric_alarms()[0].clone()
}

/// Of each item of the set its name, the alarm there is, and how many differences there are.
fn short(page: &AlarmsPage) -> Vec<(&'static str, Option<&str>, usize)> {
    let items = page.set.value.as_deref().expect("a set");
    items.iter().map(|item| (item.kind.name(), item.existing.as_deref(), item.differences.len())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_set_is_completed_and_told_to_a_topic() {
    let watch = Watch::rotating().await;
    let sns = aws_sdk_sns::Client::new(&watch.sdk().await);
    let seen = page(&watch).await;
    let expected = [
        ("errors", Some("learninghub-errors"), 0),
        ("throttles", Some("learninghub-throttles"), 0),
        ("duration", Some("learninghub-duration-p95"), 0),
        ("api5xx", Some("learninghub-api-5xx"), 0),
        ("rotation", None, 0),
    ];
    assert_eq!(short(&seen), expected);
    assert!(seen.alarms.value.expect("alarms").iter().all(|alarm| alarm.told == Told::NoAction));

    let missing = "arn:aws:sns:eu-west-1:123456789012:operators";
    let none = watch.portal.preview_alarms(&put(&AlarmKind::ALL, Some(missing))).await;
    assert_eq!(none.expect_err("no topic").kind, ProblemKind::NotFound);
    let topic = sns.create_topic().name("operators").send().await.expect("made").topic_arn.expect("an ARN");
    let subscribe = sns.subscribe().topic_arn(&topic).protocol("email").endpoint(ENDPOINT);
    subscribe.send().await.expect("subscribed");
    let wanted = put(&AlarmKind::ALL, Some(&topic));
    let preview = watch.portal.preview_alarms(&wanted).await.expect("a preview");
    assert_eq!(preview.changes.len(), 5, "{preview:?}");
    assert!(preview.warnings[0].contains("None of the 1 subscriptions"), "{preview:?}");
    let done =
        perform(&watch, &PutAlarms { seen: Some(preview.seen), ..wanted.clone() }).await.expect("done");
    assert_eq!(done.changes, preview.changes);

    let now = page(&watch).await;
    assert!(short(&now).iter().all(|(_, existing, differences)| existing.is_some() && *differences == 0));
    let told = |page: &AlarmsPage| {
        page.alarms.value.as_ref().expect("alarms").iter().map(|one| one.told.clone()).collect::<Vec<_>>()
    };
    assert_eq!(told(&now), vec![Told::Unconfirmed(1); 5]);
    watch.world.sandbox.topics().confirm(&topic, ENDPOINT).expect("confirmed");
    assert_eq!(told(&page(&watch).await), vec![Told::Subscribers(1); 5]);
    // All is as it is to be: a second time nothing is written.
    let calls = watch.world.sandbox.context().calls.of("monitoring", "PutMetricAlarm");
    let again = perform(&watch, &wanted).await.expect("nothing to do");
    assert_eq!(
        (again.changes.len(), watch.world.sandbox.context().calls.of("monitoring", "PutMetricAlarm")),
        (0, calls)
    );

    let rotation = alarm(&watch, &format!("{FUNCTION}-rotation-failed")).await;
    assert_eq!(rotation.dimensions()[0].value(), Some(ROTATION_FUNCTION));
    assert_eq!(rotation.treat_missing_data(), Some("notBreaching"));
    let duration = alarm(&watch, "learninghub-duration-p95").await;
    assert_eq!(duration.evaluate_low_sample_count_percentile(), Some("ignore"));
    let history = page(&watch).await.history.value.expect("a history");
    assert!(history.iter().any(|event| event.what.contains("rotation-failed\" created")), "{history:?}");
    sns.delete_topic().topic_arn(&topic).send().await.expect("deleted");
    assert_eq!(told(&page(&watch).await), vec![Told::NoTopic; 5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alarm_that_differs_is_changed_and_keeps_the_rest() {
    let watch = Watch::start().await;
    let cloudwatch = aws_sdk_cloudwatch::Client::new(&watch.sdk().await);
    let held = alarm(&watch, "learninghub-errors").await;
    let ok = "arn:aws:sns:eu-west-1:123456789012:fine";
    let odd = cloudwatch
        .put_metric_alarm()
        .alarm_name("learninghub-errors")
        .alarm_description("Do not touch")
        .set_dimensions(held.dimensions.clone())
        .namespace("AWS/Lambda")
        .metric_name("Errors")
        .statistic(Statistic::Sum)
        .period(300)
        .evaluation_periods(3)
        .threshold(5.0)
        .comparison_operator(ComparisonOperator::GreaterThanThreshold)
        .ok_actions(ok)
        .actions_enabled(false);
    odd.send().await.expect("changed");
    let item = &page(&watch).await.set.value.expect("a set")[0];
    let what: Vec<_> = item.differences.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(what, ["period", "periods beyond it", "threshold", "a period without data"]);

    let wanted = PutAlarms {
        thresholds: Thresholds { errors: 2, ..Thresholds::default() },
        ..put(&[AlarmKind::Errors], None)
    };
    let preview = watch.portal.preview_alarms(&wanted).await.expect("a preview");
    assert_eq!(preview.changes[0].what, "Change learninghub-errors");
    // Somebody else changes it between the preview and the button.
    let other =
        PutAlarms { thresholds: Thresholds::default(), seen: Some(preview.seen.clone()), ..wanted.clone() };
    assert_eq!(perform(&watch, &other).await.expect_err("not as shown").kind, ProblemKind::Conflict);
    perform(&watch, &PutAlarms { seen: Some(preview.seen), ..wanted }).await.expect("changed");
    let now = alarm(&watch, "learninghub-errors").await;
    assert_eq!((now.period(), now.threshold(), now.evaluation_periods()), (Some(60), Some(2.0), Some(1)));
    assert_eq!(now.alarm_description(), Some("Do not touch"));
    assert_eq!((now.ok_actions(), now.actions_enabled()), ([ok.to_owned()].as_slice(), Some(false)));

    // Names that are taken by what watches something else are not written over.
    let name = format!("{FUNCTION}-errors");
    let alarms = || cloudwatch.put_metric_alarm().alarm_name(&name).namespace("N").metric_name("M");
    let taken = alarms().statistic(Statistic::Sum).period(60).evaluation_periods(1).threshold(1.0);
    taken.comparison_operator(ComparisonOperator::GreaterThanThreshold).send().await.expect("put");
    cloudwatch.delete_alarms().alarm_names("learninghub-errors").send().await.expect("deleted");
    let refused = perform(&watch, &put(&[AlarmKind::Errors], None)).await.expect_err("taken");
    assert_eq!(refused.kind, ProblemKind::Conflict, "{refused:?}");
    assert_eq!(alarm(&watch, &name).await.namespace(), Some("N"));

    let bounds = PutAlarms {
        thresholds: Thresholds { duration_percent: 96, ..Thresholds::default() },
        ..put(&[AlarmKind::Duration], None)
    };
    assert_eq!(perform(&watch, &bounds).await.expect_err("bounds").kind, ProblemKind::Invalid);
    let viewer = watch.portal.perform(&actor("eve", Role::Viewer), &put(&[AlarmKind::Errors], None)).await;
    assert_eq!(viewer.expect_err("no right").kind, ProblemKind::Forbidden);
    // Without the rotation function there is none to watch.
    let rotation = perform(&watch, &put(&[AlarmKind::Rotation], None)).await.expect_err("no rotation");
    assert!(rotation.message.contains("no rotation function"), "{rotation:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logging_and_tracing_are_set_and_what_is_live_keeps_its_own() {
    let watch = Watch::rotating().await;
    let sdk = watch.sdk().await;
    let settings = async || page(&watch).await.settings.value.expect("settings");
    let before = settings().await;
    let names: Vec<_> = before.groups.iter().map(|group| (group.name.clone(), group.days)).collect();
    let (function_group, access_group) =
        (format!("/aws/lambda/{FUNCTION}"), "/aws/vendedlogs/learninghub-api");
    assert!(
        names.contains(&(function_group.clone(), Some(14)))
            && names.contains(&(access_group.to_owned(), Some(14))),
        "{names:?}"
    );
    assert_eq!(before.stage.lacks, ["authorizer.claims.sub"]);

    let retention = SetLogRetention { group: function_group.clone(), days: Some(30), seen: None };
    perform(&watch, &retention).await.expect("set");
    perform(&watch, &retention).await.expect("nothing to do");
    let forever = SetLogRetention { group: access_group.to_owned(), days: None, seen: None };
    perform(&watch, &forever).await.expect("set");
    let now = settings().await;
    let days = |name: &str| now.groups.iter().find(|group| group.name == name).expect("the group").days;
    assert_eq!((days(&function_group), days(access_group)), (Some(30), None));

    let logging = |tracing: bool, level: &str| SetFunctionLogging {
        function: FUNCTION.to_owned(),
        format: "JSON".to_owned(),
        level: Some(level.to_owned()),
        tracing,
        seen: None,
    };
    let preview = watch.portal.preview_function_logging(&logging(false, "DEBUG")).await.expect("a preview");
    assert!(preview.warnings.iter().any(|words| words.contains("next deploy")), "{preview:?}");
    perform(&watch, &SetFunctionLogging { seen: Some(preview.seen), ..logging(false, "DEBUG") })
        .await
        .expect("set");
    let function = settings().await.functions[0].clone();
    assert_eq!((function.level.as_deref(), function.tracing), (Some("DEBUG"), false));
    assert_eq!(function.live.as_deref(), Some("Version 1 logs JSON from INFO on with tracing."));
    let lambda = aws_sdk_lambda::Client::new(&sdk);
    let latest = lambda.get_function_configuration().function_name(FUNCTION).send().await.expect("read");
    assert_eq!(latest.timeout(), Some(15), "nothing else is changed");

    let stage = SetStageLogging { access_log: true, detailed_metrics: true, seen: None };
    perform(&watch, &stage).await.expect("set");
    let now = settings().await.stage;
    assert_eq!(
        (now.lacks.len(), now.detailed_metrics, now.destination.as_deref()),
        (0, true, Some(access_group))
    );
    assert_eq!(watch.get("/courses").await, 200, "no throttle was set to nought");
    assert_eq!(perform(&watch, &stage).await.expect("nothing to do").changes, []);

    // Code on its way must not find another configuration.
    let deploy = crate::deploy::deploy(crate::deploy::version("1"), "all");
    let other = crate::deploy::upload(&watch.portal, crate::world::zips::good("two")).await;
    crate::deploy::begin(&watch.portal, &model::deploy::Deploy { code: other, ..deploy })
        .await
        .expect("begun");
    let refused = perform(&watch, &logging(true, "INFO")).await.expect_err("a rollout");
    assert_eq!(refused.kind, ProblemKind::Conflict, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_read_is_said_part_by_part() {
    let watch = Watch::start().await;
    let denied = |service: &str, operation: &str| {
        let (service, operation) = (service.to_owned(), Some(operation.to_owned()));
        let at = At::Aws { service, operation, effect: AwsEffect::AccessDenied };
        watch.world.sandbox.context().faults.add(Fault::always(at)).expect("a fault");
    };
    denied("sns", "ListTopics");
    denied("logs", "DescribeLogGroups");
    let page = page(&watch).await;
    assert!(page.alarms.problem.is_none() && page.history.problem.is_none() && page.set.problem.is_none());
    let topics = page.topics.problem.expect("a problem");
    assert!(topics.next.expect("what to do").contains("sns:ListTopics"));
    assert!(
        page.settings
            .problem
            .expect("a problem")
            .next
            .expect("what to do")
            .contains("logs:DescribeLogGroups")
    );
}
