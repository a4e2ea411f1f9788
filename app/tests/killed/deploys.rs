//! Rollouts whose portal is killed: while the new version has its share, and while its code is being
//! uploaded and published. Another portal, started after that, ends what was begun; the alias never points
//! where nobody chose, and callers of the API notice nothing but what the new code does to them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_lambda::config::{BehaviorVersion, Region};
use model::deploy::{Driver, Rollout, RolloutState, Started};
use sandbox::demo;
use sandbox::demo::load::{Call, Callers};
use sandbox::faults::{At, AwsEffect, Fault};
use tokio::task::JoinHandle;

use crate::portal::Process;
use crate::world::{World, zips};

/// Between an answer and a caller's next request.
const PAUSE: Duration = Duration::from_millis(150);
const CALLERS: usize = 3;
/// A portal is silent for 45 s before another takes over, and then a share has its time.
const LIMIT: Duration = Duration::from_secs(150);

/// Where the alias points: the version, and the one with a share and its per cent.
type Pointing = (String, Option<(String, u8)>);

/// The world, somebody who looks on, callers, and all places where the alias ever pointed.
struct Scene {
    world: World,
    witness: Process,
    callers: Callers,
    seen: Arc<Mutex<BTreeSet<Pointing>>>,
    looking: JoinHandle<()>,
}

impl Scene {
    async fn set() -> Self {
        let world = World::build().await;
        let witness = Process::looking_on(&world).await;
        let callers = Callers::start(&world.sandbox, CALLERS, PAUSE).unwrap();
        let seen = Arc::<Mutex<BTreeSet<Pointing>>>::default();
        let looking = tokio::spawn(look(lambda(&world), Arc::clone(&seen)));
        Self { world, witness, callers, seen, looking }
    }

    /// Begins a rollout at a portal; its id.
    async fn begin(&self, portal: &Process, zip: Vec<u8>, strategy: &str) -> String {
        let sha256 = portal.upload(zip).await;
        let deploy = serde_json::json!({
            "code": { "upload": { "sha256": sha256 } },
            "strategy": strategy,
            // On a machine that does much else cold starts count for more than a version's own doing.
            "gates": { "max_error_percent": 1, "max_slowdown": 100, "min_requests": 10 },
        });
        let (status, body) = portal.post("deploys", &deploy.to_string()).await;
        assert_eq!(status, 202, "{body}");
        serde_json::from_str::<Started>(&body).unwrap().rollout
    }

    /// Waits until the rollout is as it is to be.
    async fn until(&self, what: &str, is: impl Fn(&Rollout) -> bool) -> Rollout {
        let found = async {
            loop {
                let rollout = self.witness.deploys().await.rollout.value.flatten();
                match rollout.filter(&is) {
                    Some(rollout) => return rollout,
                    None => tokio::time::sleep(Duration::from_millis(300)).await,
                }
            }
        };
        let found = tokio::time::timeout(LIMIT, found).await;
        match found {
            Ok(rollout) => rollout,
            Err(_) => panic!("{what}: {:?}", self.witness.deploys().await.rollout),
        }
    }

    /// Ends it: every call that was made, and where the alias pointed.
    async fn end(self) -> (Vec<Call>, Vec<Pointing>) {
        let calls = self.callers.stop().await;
        self.looking.abort();
        let seen = self.seen.lock().unwrap().iter().cloned().collect();
        (calls, seen)
    }

    fn was_called(&self, rule: u64, skip: u32) -> bool {
        let all = self.world.sandbox.context().faults.all();
        all.iter().any(|(number, _, seen)| *number == rule && *seen > skip)
    }

    fn fault(&self, operation: &str, effect: AwsEffect, skip: u32) -> u64 {
        let (service, operation) = ("lambda".to_owned(), Some(operation.to_owned()));
        let at = At::Aws { service, operation, effect };
        self.world.sandbox.context().faults.add(Fault { at, skip, times: None, share: 1.0 }).unwrap()
    }
}

/// Looks where the alias points, all the time.
async fn look(lambda: aws_sdk_lambda::Client, seen: Arc<Mutex<BTreeSet<Pointing>>>) {
    loop {
        let alias = lambda.get_alias().function_name(demo::FUNCTION).name(demo::ALIAS).send().await.unwrap();
        let weights = alias.routing_config().and_then(|config| config.additional_version_weights());
        let weight = weights.into_iter().flatten().next();
        let weight = weight.map(|(version, share)| (version.clone(), (share * 100.0).round() as u8));
        seen.lock().unwrap().insert((alias.function_version().unwrap().to_owned(), weight));
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}

/// Lambda as somebody else uses it.
fn lambda(world: &World) -> aws_sdk_lambda::Client {
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(world.sandbox.aws_endpoint());
    aws_sdk_lambda::Client::from_conf(config.build())
}

fn pointing(version: &str, weight: Option<(&str, u8)>) -> Pointing {
    (version.to_owned(), weight.map(|(version, percent)| (version.to_owned(), percent)))
}

/// Kills the portal while version 2 has half of the requests, and has another go on; the rollout's end.
async fn killed_with_a_share(scene: &Scene, zip: Vec<u8>, strategy: &str) -> Rollout {
    let mut victim = Process::start(&scene.world).await;
    let id = scene.begin(&victim, zip, strategy).await;
    scene.until("it has its share", |rollout| rollout.percent == 50).await;
    victim.kill();
    let left = scene.until("nobody drives", |rollout| matches!(rollout.driver, Driver::Nobody { .. })).await;
    assert_eq!((left.id.as_str(), left.percent), (id.as_str(), 50), "{left:?}");
    assert!(left.summary.contains("No portal drives it"), "{}", left.summary);
    let _heir = Process::start(&scene.world).await;
    let end = scene.until("it ends", |rollout| rollout.state.is_over()).await;
    assert_eq!(end.id, id);
    end
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_version_with_a_share_is_promoted_by_the_next_portal() {
    let scene = Scene::set().await;
    let end = killed_with_a_share(&scene, zips::good("killed with a share"), "50%/60s").await;
    assert_eq!(end.state, RolloutState::Promoted, "{end:?}");
    let (calls, seen) = scene.end().await;
    let bad: Vec<_> = calls.iter().filter(|call| !call.is_good()).collect();
    assert!(calls.len() > 100 && bad.is_empty(), "{} calls: {bad:?}", calls.len());
    assert_eq!(seen, [pointing("1", None), pointing("1", Some(("2", 50))), pointing("2", None)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_version_with_a_share_is_taken_back_by_the_next_portal() {
    let scene = Scene::set().await;
    let mut victim = Process::start(&scene.world).await;
    // Whoever can read the figures takes it back within seconds, so this portal can't.
    let at = At::Aws {
        service: "monitoring".to_owned(),
        operation: Some("GetMetricData".to_owned()),
        effect: AwsEffect::AccessDenied,
    };
    scene.world.sandbox.context().faults.add(Fault::always(at)).unwrap();
    let id = scene.begin(&victim, zips::erring(0.2), "50%/1h").await;
    scene.until("it has its share", |rollout| rollout.percent == 50).await;
    victim.kill();
    scene.world.sandbox.context().faults.clear();
    let _heir = Process::start(&scene.world).await;
    let end = scene.until("it ends", |rollout| rollout.state.is_over()).await;
    assert_eq!((end.id, end.state), (id, RolloutState::RolledBack), "{}", end.summary);
    assert!(end.summary.contains("requests failed"), "{}", end.summary);
    // From here on nobody meets the new code.
    let after = scene.world.sandbox.context().now_ms();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (calls, seen) = scene.end().await;
    let bad: Vec<_> = calls.iter().filter(|call| !call.is_good()).collect();
    assert!(!bad.is_empty() && bad.iter().all(|call| call.said.contains("On purpose")), "{bad:?}");
    assert!(bad.iter().all(|call| call.at_ms <= after), "{bad:?}");
    assert_eq!(seen, [pointing("1", None), pointing("1", Some(("2", 50)))]);
}

/// Whether the new code is there, or its version.
async fn is_done(lambda: &aws_sdk_lambda::Client, operation: &str) -> bool {
    let versions = lambda.list_versions_by_function().function_name(demo::FUNCTION).send().await.unwrap();
    let hash = |number: &str| {
        let found = versions.versions().iter().find(|one| one.version() == Some(number));
        found.and_then(|one| one.code_sha256().map(str::to_owned))
    };
    match operation {
        "UpdateFunctionCode" => hash("$LATEST") != hash("1"),
        _ => hash("2").is_some(),
    }
}

/// Kills the portal at a call of the upload or of the publishing; the rollout's end, and the version that
/// has the requests.
async fn killed_at(operation: &str, skip: u32, effect: AwsEffect) -> (RolloutState, String) {
    let name = format!("{operation} #{skip} {effect:?}");
    let scene = Scene::set().await;
    let mut victim = Process::start(&scene.world).await;
    let rule = scene.fault(operation, effect.clone(), skip);
    let id = scene.begin(&victim, zips::good(&name), "all").await;
    let lambda = lambda(&scene.world);
    let met = async {
        // A call that takes effect is cut when it has, and another one when it is made.
        while !scene.was_called(rule, skip)
            || (effect == AwsEffect::HoldReply && !is_done(&lambda, operation).await)
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LIMIT, met).await.unwrap_or_else(|_| panic!("{name}: never called"));
    victim.kill();
    scene.world.sandbox.context().faults.clear();
    let _heir = Process::start(&scene.world).await;
    let end = scene.until(&name, |rollout| rollout.state.is_over()).await;
    assert_eq!(end.id, id, "{name}");
    let versions = lambda.list_versions_by_function().function_name(demo::FUNCTION).send().await.unwrap();
    let published = versions.versions().iter().filter(|one| one.version() != Some("$LATEST")).count();
    assert_eq!(published, if end.state == RolloutState::Promoted { 2 } else { 1 }, "{name}: {end:?}");
    let alias = lambda.get_alias().function_name(demo::FUNCTION).name(demo::ALIAS).send().await.unwrap();
    let live = alias.function_version().unwrap().to_owned();
    let (calls, seen) = scene.end().await;
    let bad: Vec<_> = calls.iter().filter(|call| !call.is_good()).collect();
    assert!(calls.len() > 50 && bad.is_empty(), "{name}: {} calls: {bad:?}", calls.len());
    assert!(
        seen.iter().all(|place| *place == pointing("1", None) || *place == pointing("2", None)),
        "{seen:?}"
    );
    (end.state, live)
}

/// Four worlds side by side: most of the time is the silence after which another portal takes over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_on_its_way_is_published_by_the_next_portal_or_the_rollout_ends() {
    let (lost, uploaded, unpublished, published) = tokio::join!(
        // The first call is the dry run.
        Box::pin(killed_at("UpdateFunctionCode", 1, AwsEffect::TimeOut)),
        Box::pin(killed_at("UpdateFunctionCode", 1, AwsEffect::HoldReply)),
        Box::pin(killed_at("PublishVersion", 0, AwsEffect::TimeOut)),
        Box::pin(killed_at("PublishVersion", 0, AwsEffect::HoldReply)),
    );
    // The bytes were in the killed portal's memory only.
    assert_eq!(lost, (RolloutState::Stopped, "1".to_owned()));
    for (name, end) in [("uploaded", uploaded), ("unpublished", unpublished), ("published", published)] {
        assert_eq!(end, (RolloutState::Promoted, "2".to_owned()), "{name}");
    }
}
