//! The overview.

use std::time::Duration;

use model::overview::{AlarmState, HealthVerdict};
use model::problem::ProblemKind;
use sandbox::faults::{At, AwsEffect, Fault};

use crate::watch::Watch;
use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_overview_shows_what_is() {
    let watch = Watch::start().await;
    for path in ["/courses", "/courses?limit=3", "/nowhere"] {
        watch.get(path).await;
    }
    let overview = watch.later().await;

    let health = overview.health.value.as_ref().expect("a health");
    assert_eq!(health.verdict, HealthVerdict::Healthy, "{health:?}");
    assert_eq!(health.http_status, Some(200));
    let status = health.status.as_ref().expect("a status");
    assert!(status.database.reachable && status.database.latency_ms.is_some());

    let function = overview.function.value.as_ref().expect("a function");
    assert_eq!((function.version.as_str(), function.state.as_str()), ("1", "Active"));
    assert_eq!((function.last_update.as_str(), &function.canary), ("Successful", &None));
    assert!(function.modified.is_some());

    let secret = overview.secret.value.as_ref().expect("a secret");
    let current = secret.current_version.as_ref().expect("a current version");
    assert_eq!(status.secret.as_ref().map(|secret| secret.version.as_str()), Some(&current[..8]));
    assert!(!secret.rotation_enabled && secret.pending_version.is_none() && secret.changed.is_some());

    let alarms = overview.alarms.value.as_ref().expect("alarms");
    assert_eq!(alarms.len(), 4);
    assert!(alarms.iter().all(|alarm| alarm.state != AlarmState::Alarm), "{alarms:?}");

    // Three requests and one probe; one of them for a route that is not there.
    let overview = watch.later().await;
    let traffic = overview.traffic.value.as_ref().expect("traffic");
    assert_eq!(traffic.requests.points.len(), 60);
    assert!(traffic.requests.whole >= Some(4.0), "{:?}", traffic.requests.whole);
    assert_eq!(traffic.client_errors.whole, Some(1.0));
    assert_eq!(traffic.error_share(), Some(0.0));
    assert!(traffic.duration_p95.whole > Some(0.0));
    watch.world.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_down_is_seen_at_once_and_so_is_its_return() {
    let watch = Watch::start().await;
    assert_eq!(watch.get("/status").await, 200);
    watch.world.sandbox.switch_tds(false).await.expect("the local TDS server stops");
    let overview = watch.later().await;
    let health = overview.health.value.as_ref().expect("a health");
    assert_eq!((health.verdict, health.http_status), (HealthVerdict::Unhealthy, Some(503)), "{health:?}");
    assert!(!health.status.as_ref().expect("the API's own answer").database.reachable);
    assert_eq!(watch.get("/courses").await, 503);

    watch.world.sandbox.switch_tds(true).await.expect("the local TDS server starts");
    // The function may hold back its logins for a moment after a failure.
    let mut verdict = None;
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        verdict = watch.later().await.health.value.as_ref().map(|health| health.verdict);
        if verdict == Some(HealthVerdict::Healthy) {
            break;
        }
    }
    assert_eq!(verdict, Some(HealthVerdict::Healthy));
    assert_eq!(watch.get("/courses").await, 200);
    watch.world.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_aws_refuses_leaves_the_rest_standing_and_keeps_the_older_value() {
    let watch = Watch::start().await;
    let before = watch.later().await;
    let faults = &watch.world.sandbox.context().faults;
    let fault = |service: &str, effect| {
        faults.add(Fault::always(At::Aws { service: service.into(), operation: None, effect }));
    };
    fault("monitoring", AwsEffect::Throttle);
    fault("secretsmanager", AwsEffect::AccessDenied);
    fault("lambda", AwsEffect::TimeOut);
    let began = std::time::Instant::now();
    let overview = watch.later().await;
    assert!(began.elapsed() < Duration::from_secs(10), "a page must not wait for AWS for ever");

    let kind = |problem: &Option<model::problem::Problem>| problem.as_ref().map(|problem| problem.kind);
    assert_eq!(kind(&overview.traffic.problem), Some(ProblemKind::Throttled));
    assert_eq!(kind(&overview.alarms.problem), Some(ProblemKind::Throttled));
    assert_eq!(kind(&overview.secret.problem), Some(ProblemKind::Forbidden));
    assert_eq!(kind(&overview.function.problem), Some(ProblemKind::TimedOut));
    assert_eq!((&overview.secret.value, overview.secret.at), (&before.secret.value, before.secret.at));
    assert_eq!(overview.health.problem, None);
    let next = overview.secret.problem.as_ref().and_then(|problem| problem.next.as_deref());
    assert!(next.is_some_and(|next| next.contains("secretsmanager:DescribeSecret")), "{next:?}");

    faults.clear();
    // What hangs is waited for by itself until it is given up.
    let mut overview = watch.later().await;
    for _ in 0..40 {
        if overview.function.problem.is_none() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
        overview = watch.later().await;
    }
    assert!(overview.secret.problem.is_none() && overview.function.problem.is_none());
    watch.world.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_start_finds_everything_even_on_other_ports() {
    let first = World::build().await;
    let (before, folder) = (first.demo, first.folder);
    first.sandbox.stop().await;

    let watch = Watch::on(World::build_in(folder).await).await;
    assert_ne!(watch.world.demo.tds, before.tds, "the ports are free ones, so the system gives others");
    assert_eq!(watch.world.demo.api_id, before.api_id);
    assert_eq!(watch.get("/courses").await, 200);
    let overview = watch.later().await;
    assert_eq!(overview.function.value.as_ref().map(|function| function.version.as_str()), Some("1"));
    assert_eq!(overview.health.value.as_ref().map(|health| health.verdict), Some(HealthVerdict::Healthy));
    watch.world.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_look_cost_no_more_calls_than_one() {
    let watch = Watch::start().await;
    watch.later().await;
    let calls = &watch.world.sandbox.context().calls;
    let count = || {
        [
            ("monitoring", "GetMetricData"),
            ("monitoring", "DescribeAlarms"),
            ("secretsmanager", "DescribeSecret"),
        ]
        .map(|(service, operation)| calls.of(service, operation))
    };
    let before = count();
    watch.advance(60_000);
    futures::future::join_all((0..50).map(|_| watch.portal.overview())).await;
    // The secret is described for itself, and for the ARN that its rotations are found by.
    let [metrics, alarms, secret] = before;
    assert_eq!(count(), [metrics + 1, alarms + 1, secret + 2]);
    watch.world.sandbox.stop().await;
}
