//! Blame: each kind of error provoked through the real gateway, and each counted where it belongs.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_apigatewayv2::types::RouteSettings;
use aws_sdk_lambda::primitives::Blob;
use model::blame::{Cause, Errors};
use model::problem::ProblemKind;
use operations::Period;
use sandbox::faults::{At, AwsEffect, Fault, FunctionEffect};

use crate::watch::Watch;
use crate::world::zips;

/// Counts what is provoked.
#[derive(Default)]
struct Provoked(BTreeMap<Cause, u64>);

impl Provoked {
    /// So many calls, each with this answer, and whose that is.
    async fn calls(&mut self, watch: &Watch, number: u64, path: &str, status: u16, cause: Cause) {
        for _ in 0..number {
            assert_eq!(get(watch, path, None).await, status, "{path} for {cause:?}");
        }
        *self.0.entry(cause).or_default() += number;
    }
}

async fn get(watch: &Watch, path: &str, token: Option<&str>) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut request = client.get(format!("{}{path}", watch.world.sandbox.http_api()));
    // Breaks the JSON of the gateway's line, and must not break the count.
    request = request.header("user-agent", "a \"quoted\" agent");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.send().await.expect("an answer").status().as_u16()
}

/// Waits until the API answers again.
async fn well(watch: &Watch) -> u64 {
    for failed in 0..100 {
        if get(watch, "/courses", None).await == 200 {
            return failed;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the API does not get well");
}

/// Deploys a zip and leads the alias to it.
async fn deploy(watch: &Watch, zip: Vec<u8>) {
    let (lambda, function) = (aws_sdk_lambda::Client::new(&watch.sdk().await), &watch.world.demo.function);
    lambda
        .update_function_code()
        .function_name(function)
        .zip_file(Blob::new(zip))
        .send()
        .await
        .expect("code");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let version = lambda.publish_version().function_name(function).send().await.expect("a version");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let alias = lambda.update_alias().function_name(function).name(&watch.world.demo.alias);
    alias.function_version(version.version().expect("its number")).send().await.expect("the alias");
}

async fn errors(watch: &Watch) -> Errors {
    // What is written last is there after a moment.
    tokio::time::sleep(Duration::from_millis(700)).await;
    watch.advance(31_000);
    watch.portal.errors(Period::Last(3_600_000)).await.expect("the places").value.expect("a reading")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_count_is_what_was_provoked() {
    let watch = Watch::start().await;
    let (sdk, demo) = (watch.sdk().await, &watch.world.demo);
    let (lambda, apis) = (aws_sdk_lambda::Client::new(&sdk), aws_sdk_apigatewayv2::Client::new(&sdk));
    let (faults, sandbox) = (&watch.world.sandbox.context().faults, &watch.world.sandbox);
    let mut provoked = Provoked::default();
    let function = |effect| At::Function { name: demo.function.clone(), effect };
    assert_eq!(get(&watch, "/courses", None).await, 200);

    // Lambda: one runs into the function's 15 s meanwhile, two crash, and further down one does not start.
    faults.add(Fault::once(function(FunctionEffect::Slow(20_000))));
    let address = format!("{}/courses", sandbox.http_api());
    let slow = tokio::spawn(async move { reqwest::get(address).await.expect("an answer").status().as_u16() });
    while faults.all().iter().all(|(_, _, seen)| *seen == 0) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    faults.add(Fault { times: Some(2), ..Fault::always(function(FunctionEffect::Crash)) });
    provoked.calls(&watch, 2, "/courses", 500, Cause::LambdaService).await;
    *provoked.0.entry(Cause::LambdaService).or_default() += 1;

    // The authorizer: no token, a bad one, and a good one without the scope.
    provoked.calls(&watch, 2, "/me/progress", 401, Cause::Authorizer).await;
    assert_eq!(get(&watch, "/me/progress", Some("x.y.z")).await, 401);
    *provoked.0.entry(Cause::Authorizer).or_default() += 1;

    // Callers: what is not there, and what is not understood.
    provoked.calls(&watch, 3, "/courses/nothing-of-that-name", 404, Cause::Caller).await;
    provoked.calls(&watch, 1, "/courses?limit=none", 400, Cause::Caller).await;

    // SQL: the server is gone.
    sandbox.switch_tds(false).await.expect("the local TDS server stops");
    provoked.calls(&watch, 3, "/courses", 503, Cause::Sql).await;
    provoked.calls(&watch, 1, "/status", 503, Cause::Sql).await;
    sandbox.switch_tds(true).await.expect("the local TDS server starts");
    *provoked.0.entry(Cause::Sql).or_default() += well(&watch).await;

    // The secret: an environment that starts without it.
    sandbox.functions().end_idle(&demo.function);
    let refused =
        At::Aws { service: "secretsmanager".into(), operation: None, effect: AwsEffect::AccessDenied };
    let rule = faults.add(Fault::always(refused)).expect("a rule");
    provoked.calls(&watch, 2, "/courses", 503, Cause::Secret).await;
    provoked.calls(&watch, 1, "/status", 503, Cause::Secret).await;
    faults.remove(rule);
    *provoked.0.entry(Cause::Secret).or_default() += well(&watch).await;

    // Throttling: the function's concurrency, and the stage's rate.
    assert_eq!(slow.await.expect("the slow one"), 500);
    lambda
        .put_function_concurrency()
        .function_name(&demo.function)
        .reserved_concurrent_executions(0)
        .send()
        .await
        .expect("no concurrency");
    provoked.calls(&watch, 2, "/courses", 503, Cause::Throttling).await;
    lambda.delete_function_concurrency().function_name(&demo.function).send().await.expect("some again");
    let throttle = |burst, rate| {
        let settings =
            RouteSettings::builder().throttling_burst_limit(burst).throttling_rate_limit(rate).build();
        apis.update_stage()
            .api_id(&demo.api_id)
            .stage_name(&demo.stage)
            .default_route_settings(settings)
            .send()
    };
    throttle(0, 0.0).await.expect("the stage is closed");
    provoked.calls(&watch, 3, "/courses", 429, Cause::Throttling).await;
    throttle(5_000, 10_000.0).await.expect("the stage is open");

    // The gateway: an integration whose time is up, and a route without one.
    let integrations = apis.get_integrations().api_id(&demo.api_id).send().await.expect("the integrations");
    let integration = integrations.items()[0].integration_id().expect("its id");
    let limit = |ms| {
        apis.update_integration()
            .api_id(&demo.api_id)
            .integration_id(integration)
            .timeout_in_millis(ms)
            .send()
    };
    apis.create_route().api_id(&demo.api_id).route_key("GET /leads-nowhere").send().await.expect("a route");
    limit(500).await.expect("a shorter time");
    tokio::time::sleep(Duration::from_millis(300)).await;
    provoked.calls(&watch, 1, "/leads-nowhere", 500, Cause::Gateway).await;
    faults.add(Fault { times: Some(2), ..Fault::always(function(FunctionEffect::Slow(1_500))) });
    provoked.calls(&watch, 2, "/courses", 503, Cause::Gateway).await;
    limit(30_000).await.expect("the usual time");
    tokio::time::sleep(Duration::from_millis(2_000)).await;

    // Our code: a version that answers 500. Then one that does not start, which is Lambda's.
    deploy(&watch, zips::erring(1.0)).await;
    provoked.calls(&watch, 3, "/courses", 500, Cause::Code).await;
    deploy(&watch, zips::crashing_at_init()).await;
    provoked.calls(&watch, 1, "/courses", 500, Cause::LambdaService).await;

    let found = errors(&watch).await;
    let counts: BTreeMap<Cause, u64> = Cause::ALL
        .into_iter()
        .map(|cause| (cause, found.of(cause)))
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!(counts, provoked.0, "{found:#?}");
    assert_eq!((found.unexplained, found.unread), (0, 0), "{found:#?}");
    assert!(found.access.whole && found.function.whole && found.read_from == found.from);
    let shares: f64 = found.server.iter().map(|share| share.share).sum();
    assert!((shares - 1.0).abs() < 1e-9);
    let all = found.server.iter().chain(&found.client);
    assert!(
        all.clone().all(|share| share.reasons.iter().map(|reason| reason.count).sum::<u64>() == share.count)
    );
    // Each has a request that can be looked up.
    for share in all {
        let sample = &share.reasons[0].samples[0];
        let id = sample.id.parse().unwrap_or_else(|_| panic!("{sample:?}"));
        let lookup = watch.portal.lookup(id, None).await.expect("a lookup");
        let access = lookup.access.value.unwrap_or_else(|| panic!("{sample:?}")).read;
        assert_eq!(access.status, Some(sample.status));
    }
    watch.world.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_look_read_once_and_what_may_not_be_read_is_said() {
    let watch = Watch::start().await;
    let calls = &watch.world.sandbox.context().calls;
    let before = calls.of("logs", "FilterLogEvents");
    let period = Period::Last(3_600_000);
    futures::future::join_all((0..20).map(|_| watch.portal.errors(period))).await;
    assert_eq!(calls.of("logs", "FilterLogEvents"), before + 2, "one for each log");
    let refused = At::Aws { service: "logs".into(), operation: None, effect: AwsEffect::AccessDenied };
    watch.world.sandbox.context().faults.add(Fault::always(refused));
    let reading = watch.portal.errors(Period::Last(7_200_000)).await.expect("the places");
    let problem = reading.problem.expect("a problem");
    assert_eq!(problem.kind, ProblemKind::Forbidden);
    assert!(problem.next.is_some_and(|next| next.contains("logs:FilterLogEvents")));
    watch.world.sandbox.stop().await;
}
