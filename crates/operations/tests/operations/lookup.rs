//! One request, looked up by each of its names.

use std::time::Duration;

use model::lookup::{Lookup, RequestId, Source};
use model::problem::ProblemKind;
use sandbox::faults::{At, AwsEffect, Fault, FunctionEffect};

use crate::watch::Watch;

/// Calls the API; the status and the gateway's id.
async fn call(watch: &Watch, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut request = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client")
        .get(format!("{}{path}", watch.world.sandbox.http_api()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.expect("an answer");
    let id = answer.headers()["apigw-requestid"].to_str().expect("text").to_owned();
    (answer.status().as_u16(), id)
}

async fn lookup(watch: &Watch, id: &str) -> Lookup {
    let id: RequestId = id.parse().expect("an id");
    watch.portal.lookup(id, None).await.expect("a lookup")
}

/// Looks again until it is all there: lines are written in batches, and datagrams take their time.
async fn whole(watch: &Watch, id: &str, is_whole: impl Fn(&Lookup) -> bool) -> Lookup {
    let mut found = lookup(watch, id).await;
    for _ in 0..40 {
        if is_whole(&found) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        // Past what is kept.
        watch.advance(11_000);
        found = lookup(watch, id).await;
    }
    panic!("not all of it was found: {found:#?}");
}

/// A trace header of now that asks to be sampled.
fn trace(watch: &Watch, number: u32) -> (String, String) {
    let seconds = watch.world.sandbox.context().now().timestamp();
    let root = format!("1-{seconds:08x}-{number:024x}");
    (root.clone(), format!("Root={root};Sampled=1"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_found_by_each_of_its_three_names() {
    let watch = Watch::start().await;
    let (root, header) = trace(&watch, 7);
    let agent = r#"a "quoted" agent","status":"200"#;
    let headers = [("x-amzn-trace-id", header.as_str()), ("user-agent", agent)];
    let (status, gateway) = call(&watch, "/courses", &headers).await;
    assert_eq!(status, 200);
    // Others at the same time must not get in between.
    for _ in 0..3 {
        call(&watch, "/status", &[]).await;
    }
    let all = |found: &Lookup| {
        let spans = found.trace.value.as_ref().map_or(0, |trace| trace.spans.len());
        found.access.value.is_some() && found.function.value.is_some() && spans >= 4
    };
    let by_gateway = whole(&watch, &gateway, all).await;
    let lambda = by_gateway.lambda_id.clone().expect("Lambda's id");
    assert_eq!(by_gateway.trace_id.as_deref(), Some(root.as_str()));
    let by_lambda = whole(&watch, &lambda, all).await;
    let by_trace = whole(&watch, &format!("Root={root}"), all).await;
    for found in [&by_gateway, &by_lambda, &by_trace] {
        let ids = [&found.gateway_id, &found.lambda_id, &found.trace_id].map(|id| id.clone());
        assert_eq!(ids, [Some(gateway.clone()), Some(lambda.clone()), Some(root.clone())]);
        assert_eq!(found.timeline, by_gateway.timeline);
        let access = &found.access.value.as_ref().expect("the gateway's line").read;
        assert!(access.fits, "{access:?}");
        assert_eq!((access.status, access.route.as_deref()), (Some(200), Some("GET /courses")));
        let function = found.function.value.as_ref().expect("the function's lines");
        assert_eq!(function.version.as_deref(), Some("1"));
        let request = function.request.as_ref().expect("its line about the request");
        assert!(request.sql_ms > Some(0.0) && request.sql_round_trips == Some(1), "{request:?}");
        assert_eq!(request.secret_version.as_ref().map(String::len), Some(8));
        let report = function.report.as_ref().expect("Lambda's report");
        assert_eq!(report.status.as_deref(), Some("success"));
    }
    // What says how long it took agrees, and stands inside of what is around it.
    let bar = |name: &str| {
        let bar = by_gateway.timeline.iter().find(|bar| bar.name == name);
        bar.unwrap_or_else(|| panic!("{name}: {:#?}", by_gateway.timeline))
    };
    let (gateway, service, sql) = (bar("API Gateway, all of it"), bar("Lambda service"), bar("SQL Server"));
    assert_eq!((gateway.source, sql.source), (Source::AccessLog, Source::Trace));
    assert!(sql.took_ms <= service.took_ms && service.took_ms <= gateway.took_ms + 2.0);
    assert!(sql.start_ms >= service.start_ms && !gateway.failed && !sql.failed);
    watch.world.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cold_start_is_on_the_time_line_with_what_was_written_during_it() {
    let watch = Watch::start().await;
    watch.world.sandbox.functions().end_idle(&watch.world.demo.function);
    let (root, header) = trace(&watch, 8);
    let (_, gateway) = call(&watch, "/courses", &[("x-amzn-trace-id", &header)]).await;
    let found = whole(&watch, &gateway, |found| {
        found.timeline.iter().any(|bar| bar.name == "Function: init") && found.trace.value.is_some()
    })
    .await;
    assert_eq!(found.trace_id.as_deref(), Some(root.as_str()));
    let function = found.function.value.as_ref().expect("the function's lines");
    assert!(function.report.as_ref().is_some_and(|report| report.init_ms > Some(0.0)));
    assert_eq!(function.request.as_ref().and_then(|request| request.cold_start), Some(true));
    let texts: Vec<&str> = function.lines.iter().map(|line| line.text.as_str()).collect();
    assert!(texts.iter().any(|text| text.contains("connected during init")), "{texts:#?}");
    watch.world.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_says_where_it_was_looked_for_and_what_is_refused_which_right_is_missing() {
    let watch = Watch::start().await;
    let nowhere = lookup(&watch, "AAAAAAAAAAAAAAA=").await;
    assert!(!nowhere.is_found() && nowhere.timeline.is_empty());
    let places: Vec<&str> = nowhere
        .access
        .looked
        .iter()
        .chain(&nowhere.function.looked)
        .map(|looked| looked.place.as_str())
        .collect();
    assert!(places.contains(&"/aws/vendedlogs/learninghub-api"), "{places:?}");
    assert!(places.contains(&"/aws/lambda/learninghub-api-handler"), "{places:?}");
    let oldest = nowhere.access.looked.last().expect("it was looked for");
    assert!(oldest.whole && oldest.from.0 < nowhere.now.0 - 6 * 86_400_000);
    let unknown = lookup(&watch, "1-00000001-000000000000000000000001").await;
    assert!(!unknown.is_found());

    // Not sampled: the trace says so. A gateway's own answer: the function was not called.
    let (_, unsampled) = call(
        &watch,
        "/courses",
        &[("x-amzn-trace-id", "Root=1-5e5ffbde-00000000000000000000000a;Sampled=0")],
    )
    .await;
    let found = whole(&watch, &unsampled, |found| found.function.value.is_some()).await;
    assert!(found.trace.note.as_ref().is_some_and(|note| note.contains("not sampled")), "{:?}", found.trace);
    assert!(found.timeline.iter().any(|bar| bar.name == "Function: invocation" && bar.placed));
    let (status, refused) = call(&watch, "/me/progress", &[]).await;
    assert_eq!(status, 401);
    let found = whole(&watch, &refused, |found| found.access.value.is_some()).await;
    assert!(found.function.note.as_ref().is_some_and(|note| note.contains("did not call the function")));

    let faults = &watch.world.sandbox.context().faults;
    for service in ["logs", "xray"] {
        let effect = AwsEffect::AccessDenied;
        faults.add(Fault::always(At::Aws { service: service.into(), operation: None, effect }));
    }
    watch.advance(60_000);
    let forbidden = lookup(&watch, "1-5e5ffbde-00000000000000000000000a").await;
    let problem = forbidden.trace.looked[0].problem.as_ref().expect("a problem");
    assert_eq!(problem.kind, ProblemKind::Forbidden);
    assert!(problem.next.as_ref().is_some_and(|next| next.contains("xray:BatchGetTraces")), "{problem:?}");
    let forbidden = lookup(&watch, "AAAAAAAAAAAAAAB=").await;
    let problem = forbidden.access.looked[0].problem.as_ref().expect("a problem");
    assert!(problem.next.as_ref().is_some_and(|next| next.contains("logs:FilterLogEvents")), "{problem:?}");
    watch.world.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_is_on_the_time_line_as_one() {
    let watch = Watch::start().await;
    let name = watch.world.demo.function.clone();
    watch
        .world
        .sandbox
        .context()
        .faults
        .add(Fault::once(At::Function { name, effect: FunctionEffect::Crash }));
    let (_, header) = trace(&watch, 9);
    let (status, gateway) = call(&watch, "/courses", &[("x-amzn-trace-id", &header)]).await;
    assert_eq!(status, 500);
    let found = whole(&watch, &gateway, |found| {
        found.function.value.is_some() && found.trace.value.is_some() && found.access.value.is_some()
    })
    .await;
    let report = found.function.value.as_ref().and_then(|record| record.report.as_ref()).expect("a report");
    assert_eq!(report.status.as_deref(), Some("error"));
    let failed: Vec<&str> =
        found.timeline.iter().filter(|bar| bar.failed).map(|bar| bar.name.as_str()).collect();
    assert!(failed.contains(&"Lambda service") && failed.contains(&"API Gateway, all of it"), "{failed:?}");
    watch.world.sandbox.stop().await;
}
