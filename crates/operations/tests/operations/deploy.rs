//! Redeploys with real zips of the function: each ends where it should, and says why.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use model::check::CheckOutcome;
use model::deploy::{
    Code, Deploy, DeployPreview, Gates, Live, PauseRollout, PointIntegrationAtAlias, Promote, PruneVersions,
    ResumeRollout, RollBack, Rollout, RolloutState, SendRequests, Smoke, Started, Verdict,
};
use model::people::Role;
use model::problem::{Problem, ProblemKind};
use operations::{Pace, Portal};
use sandbox::demo;

use crate::watch::{Watch, actor};
use crate::world::zips;

/// A deploy of code with a strategy; few requests are enough.
pub fn deploy(code: Code, strategy: &str) -> Deploy {
    Deploy {
        id: None,
        code,
        description: "A test's new code".to_owned(),
        commit: Some("0123abc".to_owned()),
        strategy: strategy.parse().expect("a strategy"),
        smoke: Smoke::default(),
        gates: Gates { min_requests: 20, ..Gates::default() },
        fill: false,
        despite_alarms: false,
    }
}

/// Uploads a zip to a portal.
pub async fn upload(portal: &Portal, zip: Vec<u8>) -> Code {
    Code::Upload { sha256: portal.keep_upload(zip).await.expect("it is kept").sha256 }
}

pub fn version(number: &str) -> Code {
    Code::Version { version: number.to_owned() }
}

pub async fn begin(portal: &Portal, deploy: &Deploy) -> Result<Started, Problem> {
    portal.perform(&actor("ada", Role::Operator), deploy).await
}

/// The rollout as the page shows it, read anew.
pub async fn shown(watch: &Watch) -> Option<Rollout> {
    watch.advance(1_500);
    watch.portal.deploys_page().await.rollout.value.expect("a reading")
}

pub async fn live(watch: &Watch) -> Live {
    watch.advance(5_000);
    watch.portal.deploys_page().await.live.value.expect("what is live")
}

/// Drives until there is nothing under way; the rollout's end. Time goes on faster than on the wall:
/// what has to be watched for ten seconds is watched for one.
pub async fn drive(watch: &Watch) -> Rollout {
    for _ in 0..400 {
        match watch.portal.drive_once().await.expect("it is driven on") {
            Pace::Idle => return shown(watch).await.expect("the last rollout"),
            Pace::Now => {}
            Pace::Watching => {
                watch.advance(2_000);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    panic!("it does not end: {:?}", shown(watch).await);
}

/// Drives until the new version has its first share.
pub async fn until_watched(watch: &Watch) {
    while shown(watch).await.is_none_or(|rollout| rollout.state != RolloutState::Watching) {
        watch.portal.drive_once().await.expect("driven");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// People who call the API all the time.
pub struct Callers {
    stop: Arc<AtomicBool>,
    pub called: Arc<AtomicU32>,
    pub failed: Arc<AtomicU32>,
    task: tokio::task::JoinHandle<()>,
}

impl Callers {
    pub fn of(watch: &Watch) -> Self {
        let address = format!("{}/courses", watch.world.sandbox.http_api());
        let (stop, called, failed) = (Arc::<AtomicBool>::default(), Arc::default(), Arc::default());
        let task =
            tokio::spawn(Self::call(address, Arc::clone(&stop), Arc::clone(&called), Arc::clone(&failed)));
        Self { stop, called, failed, task }
    }

    async fn call(address: String, stop: Arc<AtomicBool>, called: Arc<AtomicU32>, failed: Arc<AtomicU32>) {
        while !stop.load(Ordering::SeqCst) {
            let answer = reqwest::get(&address).await;
            called.fetch_add(1, Ordering::SeqCst);
            if !answer.is_ok_and(|answer| answer.status().is_success()) {
                failed.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// How many calls there were, and how many failed.
    pub async fn stop(self) -> (u32, u32) {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.expect("the callers stop");
        (self.called.load(Ordering::SeqCst), self.failed.load(Ordering::SeqCst))
    }
}

/// Somebody with the aws CLI.
pub async fn lambda(watch: &Watch) -> aws_sdk_lambda::Client {
    let sdk = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(watch.world.sandbox.aws_endpoint())
        .credentials_provider(Credentials::new("test", "test", None, None, "test"));
    aws_sdk_lambda::Client::new(&sdk.load().await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_version_is_promoted_and_rolled_back_by_hand() {
    let watch = Watch::start().await;
    let before = live(&watch).await;
    let callers = Callers::of(&watch);
    let mut wanted = deploy(upload(&watch.portal, zips::good("two")).await, "canary 50%/10s");
    wanted.id = Some("0123456789abcdef0123456789abcdef".to_owned());
    let preview: DeployPreview = watch.portal.preview_deploy(&wanted).await.expect("a preview");
    assert!(preview.preflight.ready, "{preview:?}");
    let started = begin(&watch.portal, &wanted).await.expect("it begins");
    assert_eq!(started, begin(&watch.portal, &wanted).await.expect("the same rollout"));
    let end = drive(&watch).await;
    assert_eq!((end.state, end.old.as_str()), (RolloutState::Promoted, before.version.as_str()), "{end:?}");
    let gate = end.gate.expect("figures");
    assert_eq!(gate.verdict, Verdict::Pass, "{gate:?}");
    let now = live(&watch).await;
    assert_eq!((Some(&now.version), now.weight.as_ref()), (end.new.as_ref(), None));
    assert_eq!((now.by.as_deref(), now.previous.as_ref()), (Some("ada@example.com"), Some(&before.version)));
    let description = now.description.expect("a description");
    assert!(description.contains("A test's new code; commit 0123abc; by ada@example.com"), "{description}");

    let again = begin(&watch.portal, &deploy(upload(&watch.portal, zips::good("two")).await, "all")).await;
    assert!(again.expect_err("nothing new").message.contains("Nothing to deploy"));
    let back =
        RollBack { from: now.version.clone(), to: before.version.clone(), why: Some("Just so.".into()) };
    watch.portal.perform(&actor("eve", Role::Operator), &back).await.expect("it is rolled back");
    let after = live(&watch).await;
    assert_eq!((after.version, after.by.as_deref()), (before.version.clone(), Some("eve@example.com")));
    let stale = watch.portal.perform(&actor("eve", Role::Operator), &back).await;
    assert_eq!(stale.expect_err("it is elsewhere").kind, ProblemKind::Conflict);

    // And the version that is there, forward again, all at once.
    begin(&watch.portal, &deploy(version(&now.version), "all")).await.expect("it begins");
    let end = drive(&watch).await;
    assert_eq!((end.state, end.percent), (RolloutState::Promoted, 100), "{end:?}");
    let (called, failed) = callers.stop().await;
    assert!(called > 40 && failed == 0, "{failed} of {called}");

    watch.advance(60_000);
    let page = watch.portal.deploys_page().await;
    let history = page.history.value.expect("a history");
    let told: Vec<_> = history.iter().rev().map(|change| change.what.as_str()).collect();
    let expected = [
        "Begun",
        "Published, to be asked",
        "Version 2 has 50 %",
        "Promoted",
        "Rolled back",
        "Begun with version 2",
        "Promoted",
    ];
    assert_eq!(told, expected, "{history:?}");
    let entries = watch.written.entries.lock().expect("the entries");
    let names: Vec<_> = entries.iter().map(|(began, _)| began.operation).collect();
    assert_eq!(names.iter().filter(|name| **name == "AdvanceRollout").count(), 7, "{names:?}");
    assert!(entries.iter().all(|(_, ended)| ended.is_some()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_fails_requests_is_taken_back() {
    let watch = Watch::start().await;
    let callers = Callers::of(&watch);
    begin(&watch.portal, &deploy(upload(&watch.portal, zips::erring(0.05)).await, "canary 50%/1h"))
        .await
        .expect("it begins");
    let end = drive(&watch).await;
    assert_eq!(end.state, RolloutState::RolledBack, "{end:?}");
    assert!(end.summary.contains("requests failed"), "{}", end.summary);
    let now = live(&watch).await;
    assert_eq!((now.version.as_str(), now.weight), ("1", None));
    callers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_version_is_taken_back() {
    let watch = Watch::start().await;
    let callers = Callers::of(&watch);
    begin(&watch.portal, &deploy(upload(&watch.portal, zips::slow(150)).await, "linear 50%/1h"))
        .await
        .expect("it begins");
    let end = drive(&watch).await;
    assert_eq!(end.state, RolloutState::RolledBack, "{end:?}");
    assert!(end.summary.contains("times as long"), "{}", end.summary);
    assert_eq!(live(&watch).await.version, "1");
    let (_, failed) = callers.stop().await;
    assert_eq!(failed, 0, "slow is not failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_its_first_request_gets_no_other() {
    let watch = Watch::start().await;
    let callers = Callers::of(&watch);
    let table =
        [(zips::failing_smoke(), "answered with 503"), (zips::crashing_at_init(), "made the function fail")];
    for (zip, words) in table {
        begin(&watch.portal, &deploy(upload(&watch.portal, zip).await, "all")).await.expect("it begins");
        let end = drive(&watch).await;
        assert_eq!(end.state, RolloutState::Stopped, "{end:?}");
        assert!(end.summary.contains(words), "{}", end.summary);
        let answer = end.smoke.expect("the answer is shown");
        assert!(!answer.passed && !answer.log.is_empty(), "{answer:?}");
        assert_eq!(live(&watch).await.version, "1");
    }
    let (called, failed) = callers.stop().await;
    assert!(called > 0 && failed == 0, "{failed} of {called}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lambda_would_choke_on_does_not_get_there() {
    let watch = Watch::start().await;
    let table = [
        (zips::wrong_architecture(), "built for arm64"),
        (zips::not_a_zip(), "no zip"),
        (zips::no_bootstrap(), "bin/bootstrap"),
    ];
    for (zip, words) in table {
        let problem = begin(&watch.portal, &deploy(upload(&watch.portal, zip).await, "all")).await;
        let problem = problem.expect_err(words);
        assert_eq!(problem.kind, ProblemKind::Invalid, "{problem:?}");
        assert!(problem.message.contains(words), "{problem:?}");
    }
    let problem = watch.portal.keep_upload(zips::too_large()).await.expect_err("too large");
    assert!(problem.message.contains("50 MB") && problem.next.is_some_and(|next| next.contains("S3")));
    let problem = begin(&watch.portal, &deploy(Code::Upload { sha256: "x".into() }, "all")).await;
    assert!(problem.expect_err("nothing uploaded").message.contains("not here"));
    let problem = begin(&watch.portal, &deploy(version("77"), "all")).await.expect_err("no such version");
    assert!(problem.message.contains("version 77"), "{problem:?}");
    assert!(shown(&watch).await.is_none());
    let viewer = watch.portal.perform(&actor("eve", Role::Viewer), &deploy(version("1"), "all")).await;
    assert_eq!(viewer.expect_err("no right").kind, ProblemKind::Forbidden);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_traffic_promotes_nothing_but_the_portals_own_requests_can() {
    let watch = Watch::start().await;
    let started =
        begin(&watch.portal, &deploy(upload(&watch.portal, zips::good("two")).await, "canary 10%/10s"))
            .await
            .expect("it begins");
    until_watched(&watch).await;
    for _ in 0..20 {
        watch.portal.drive_once().await.expect("driven");
        watch.advance(3_000);
    }
    let waiting = shown(&watch).await.expect("it is under way");
    assert_eq!((waiting.state, waiting.percent), (RolloutState::Watching, 10), "{waiting:?}");
    let gate = waiting.gate.expect("figures");
    assert_eq!(gate.verdict, Verdict::TooFew);
    assert!(gate.evidence.contains("not enough to judge"), "{}", gate.evidence);

    let ada = actor("ada", Role::Operator);
    let rollout = started.rollout;
    let problem = watch.portal.perform(&ada, &SendRequests { rollout: rollout.clone(), count: 101 }).await;
    assert_eq!(problem.expect_err("too many").kind, ProblemKind::Invalid);
    // Paused, it does not go on, whatever the figures say; and it can be told to stay paused.
    watch.portal.perform(&ada, &PauseRollout { rollout: rollout.clone() }).await.expect("it pauses");
    let sent = watch.portal.perform(&ada, &SendRequests { rollout: rollout.clone(), count: 25 }).await;
    assert_eq!(sent.expect("they are sent").passed, 25);
    for _ in 0..5 {
        watch.advance(11_000);
        watch.portal.drive_once().await.expect("driven");
    }
    assert_eq!(shown(&watch).await.expect("under way").state, RolloutState::Paused);
    watch.portal.perform(&ada, &ResumeRollout { rollout: rollout.clone() }).await.expect("it goes on");
    watch.portal.perform(&ada, &Promote { rollout: rollout.clone() }).await.expect("it is promoted");
    assert_eq!(live(&watch).await.version, "2");
    let over = watch.portal.perform(&ada, &Promote { rollout }).await.expect_err("it is over");
    assert_eq!(over.kind, ProblemKind::Conflict);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_few_requests_are_filled_up_where_that_was_asked_for() {
    let watch = Watch::start().await;
    let wanted =
        Deploy { fill: true, ..deploy(upload(&watch.portal, zips::good("two")).await, "canary 1%/10s") };
    begin(&watch.portal, &wanted).await.expect("it begins");
    let end = drive(&watch).await;
    assert_eq!(end.state, RolloutState::Promoted, "{end:?}");
    assert!(end.gate.expect("figures").new.requests >= 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_admins_at_two_portals_one_deploys() {
    let watch = Watch::start().await;
    let other = watch.another().await;
    let one = deploy(upload(&watch.portal, zips::good("two")).await, "canary 10%/1h");
    let two = deploy(upload(&other, zips::good("three")).await, "canary 10%/1h");
    let (ada, eve) = (actor("ada", Role::Operator), actor("eve", Role::Operator));
    let (first, second) = futures::join!(watch.portal.perform(&ada, &one), other.perform(&eve, &two));
    let (won, lost) = match (&first, &second) {
        (Ok(won), Err(lost)) | (Err(lost), Ok(won)) => (won, lost),
        both => panic!("{both:?}"),
    };
    assert_eq!(lost.kind, ProblemKind::Conflict, "{lost:?}");
    assert_eq!(shown(&watch).await.map(|rollout| rollout.id).as_ref(), Some(&won.rollout));
    let again = watch.portal.perform(&eve, &two).await.expect_err("another is under way");
    assert!(again.message.contains("is under way"), "{again:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_cli_does_in_the_middle_is_seen_and_stays() {
    let watch = Watch::start().await;
    let cli = lambda(&watch).await;
    begin(&watch.portal, &deploy(upload(&watch.portal, zips::good("two")).await, "canary 10%/1h"))
        .await
        .expect("it begins");
    until_watched(&watch).await;
    let update = || cli.update_alias().function_name(demo::FUNCTION).name(demo::ALIAS);
    let weights =
        aws_sdk_lambda::types::AliasRoutingConfiguration::builder().additional_version_weights("2", 0.4);
    update().routing_config(weights.build()).send().await.expect("it is changed");
    let end = drive(&watch).await;
    assert_eq!(end.state, RolloutState::Overtaken, "{end:?}");
    let now = live(&watch).await;
    assert_eq!((now.version.as_str(), now.weight), ("1", Some(("2".to_owned(), 0.4))));
    // Weights that no rollout explains are in the way of the next, and can be taken off.
    let problem = begin(&watch.portal, &deploy(version("2"), "all")).await.expect_err("weights");
    assert!(problem.message.contains("40 %"), "{problem:?}");
    let back = RollBack { from: "2".into(), to: "1".into(), why: None };
    watch.portal.perform(&actor("ada", Role::Operator), &back).await.expect("they are taken off");
    assert_eq!(live(&watch).await.weight, None);

    // Code that somebody else uploads while ours is on its way is not overwritten, and not published.
    begin(&watch.portal, &deploy(upload(&watch.portal, zips::good("four")).await, "all"))
        .await
        .expect("begins");
    let theirs = aws_sdk_lambda::primitives::Blob::new(zips::good("theirs"));
    let update = cli.update_function_code().function_name(demo::FUNCTION).zip_file(theirs);
    let theirs = update.send().await.expect("they upload").code_sha256;
    let end = drive(&watch).await;
    assert_eq!(end.state, RolloutState::Stopped, "{end:?}");
    assert!(end.summary.contains("changed from outside"), "{}", end.summary);
    let latest = cli.get_function_configuration().function_name(demo::FUNCTION).send().await.expect("it");
    assert_eq!(latest.code_sha256, theirs);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_and_a_rollout_keep_apart() {
    let watch = Watch::rotating().await;
    let begun = watch
        .portal
        .perform(&actor("ada", Role::Operator), &model::rotation::RotateSecret { id: None })
        .await
        .expect("it begins");
    let problem = begin(&watch.portal, &deploy(upload(&watch.portal, zips::good("two")).await, "all")).await;
    assert!(problem.expect_err("a rotation").message.contains("rotated"));
    crate::rotation::until(&watch, &begun.token, model::rotation::RotationState::Done).await;
    begin(&watch.portal, &deploy(upload(&watch.portal, zips::good("two")).await, "canary 10%/1h"))
        .await
        .expect("it begins");
    watch.advance(60_000);
    let rotate = model::rotation::RotateSecret { id: None };
    let problem = watch.portal.perform(&actor("ada", Role::Operator), &rotate).await.expect_err("a rollout");
    assert!(problem.message.contains("A redeploy by ada@example.com is under way"), "{problem:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_versions_go_and_those_in_use_stay() {
    let watch = Watch::start().await;
    let cli = lambda(&watch).await;
    for number in 2..=9 {
        let zip = aws_sdk_lambda::primitives::Blob::new(zips::good(&number.to_string()));
        let update = || cli.update_function_code().function_name(demo::FUNCTION).publish(true);
        while update().zip_file(zip.clone()).send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let versions = watch.portal.deploys_page().await.versions.value.expect("the versions");
    let free: Vec<_> =
        versions.iter().filter(|one| one.kept.is_none()).map(|one| one.version.clone()).collect();
    assert_eq!(free, ["4", "3", "2"], "{versions:?}");
    let ada = actor("ada", Role::Operator);
    let mut wanted = PruneVersions { versions: vec!["3".into(), "1".into()] };
    let problem = watch.portal.perform(&ada, &wanted).await.expect_err("the alias names it");
    assert!(problem.message.contains("the alias live names it"), "{problem:?}");
    wanted.versions = free;
    watch.portal.perform(&ada, &wanted).await.expect("they go");
    watch.portal.perform(&ada, &wanted).await.expect("they are gone, which is what was wanted");
    let versions = watch.portal.deploys_page().await.versions.value.expect("the versions");
    let left: Vec<_> = versions.iter().map(|one| one.version.as_str()).collect();
    assert_eq!(left, ["9", "8", "7", "6", "5", "1"]);
    assert_eq!(watch.get("/courses").await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_integration_is_led_to_the_alias_without_a_failed_request() {
    let watch = Watch::start().await;
    let sdk = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(watch.world.sandbox.aws_endpoint())
        .credentials_provider(Credentials::new("test", "test", None, None, "test"));
    let (gateway, cli) = (aws_sdk_apigatewayv2::Client::new(&sdk.load().await), lambda(&watch).await);
    let front = watch.portal.deploys_page().await.api.value.expect("the API");
    assert!(
        front.integrations.iter().all(|one| one.change.is_none() && one.permitted == Some(true)),
        "{front:?}"
    );
    let one = front.integrations.first().expect("an integration");
    // As the guide builds it: the bare function, which has a permission of its own.
    let bare = one.uri.replace(":live", "");
    cli.add_permission()
        .function_name(demo::FUNCTION)
        .statement_id("guide")
        .action("lambda:InvokeFunction")
        .principal("apigateway.amazonaws.com")
        .send()
        .await
        .expect("a permission");
    let api = &watch.world.demo.api_id;
    let update = || gateway.update_integration().api_id(api).integration_id(&one.id);
    update().integration_uri(&bare).send().await.expect("it leads past the alias");
    watch.advance(60_000);
    let front = watch.portal.deploys_page().await.api.value.expect("the API");
    let found = front.integrations.iter().find(|found| found.id == one.id).expect("it");
    let change = found.change.clone().expect("a change is offered");
    assert_eq!((change.from.as_str(), change.to.as_str()), (bare.as_str(), one.uri.as_str()));
    let checks = watch.portal.preview_deploy(&deploy(version("1"), "all")).await.expect("a preview");
    let check = checks.preflight.checks.iter().find(|check| check.id == "integration").expect("the check");
    assert_eq!(check.outcome, CheckOutcome::Warn, "{check:?}");

    let callers = Callers::of(&watch);
    let ada = actor("ada", Role::Operator);
    let wanted = PointIntegrationAtAlias { integration: one.id.clone(), from: bare };
    watch.portal.perform(&ada, &wanted).await.expect("it is led to the alias");
    let again = watch.portal.perform(&ada, &wanted).await.expect_err("it is there already");
    assert_eq!(again.kind, ProblemKind::Conflict);
    assert_eq!(watch.get("/courses").await, 200);
    let (_, failed) = callers.stop().await;
    assert_eq!(failed, 0);
}
