//! A portal on a demo world, with a clock that jumps past every rhythm.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use model::overview::Overview;
use model::people::{Actor, Role};
use model::problem::Problem;
use model::stack::Stack;
use model::time::Timestamp;
use operations::audit::{Began, Ended, Journal};
use operations::metrics::meter::InMemory;
use operations::{MetricsConfig, Portal, PortalConfig};

use crate::world::World;

/// What was written down.
#[derive(Default)]
pub struct Written {
    /// All entries, with their ends.
    pub entries: Mutex<Vec<(Began, Option<Ended>)>>,
    /// Whether nothing more can be written.
    pub full: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl Journal for Written {
    async fn began(&self, entry: &Began) -> Result<i64, Problem> {
        if self.full.load(Ordering::SeqCst) {
            return Err(Problem::new(model::problem::ProblemKind::Internal, "The disk is full."));
        }
        let mut entries = self.entries.lock().expect("the entries");
        entries.push((entry.clone(), None));
        Ok(i64::try_from(entries.len()).expect("few") - 1)
    }

    async fn ended(&self, entry: i64, end: &Ended) -> Result<(), Problem> {
        let mut entries = self.entries.lock().expect("the entries");
        entries[usize::try_from(entry).expect("its number")].1 = Some(end.clone());
        Ok(())
    }
}

/// A portal on a world.
pub struct Watch {
    pub world: World,
    pub portal: Portal,
    pub written: Arc<Written>,
    ahead: Arc<AtomicI64>,
}

impl Watch {
    pub async fn start() -> Self {
        Self::on(World::build().await).await
    }

    pub async fn rotating() -> Self {
        Self::on(World::build_rotating().await).await
    }

    /// The same with a secret that names no superuser, so that its one login changes its own password.
    pub async fn single_user() -> Self {
        let watch = Self::rotating().await;
        let secrets = watch.secrets().await;
        let id = &watch.world.demo.secret_id;
        let held = secrets.get_secret_value().secret_id(id).send().await.expect("the value");
        let mut value: serde_json::Value =
            serde_json::from_str(held.secret_string().expect("text")).expect("JSON");
        value.as_object_mut().expect("an object").remove("masterarn");
        secrets.put_secret_value().secret_id(id).secret_string(value.to_string()).send().await.expect("put");
        watch
    }

    pub async fn on(world: World) -> Self {
        let (ahead, written) = (Arc::new(AtomicI64::new(0)), Arc::new(Written::default()));
        let portal = portal(&world, &ahead, &written, PATIENCE).await;
        Self { world, portal, written, ahead }
    }

    /// AWS as somebody else uses it.
    pub async fn sdk(&self) -> aws_config::SdkConfig {
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .endpoint_url(self.world.sandbox.aws_endpoint())
            .credentials_provider(Credentials::new("test", "test", None, None, "test"));
        sdk.load().await
    }

    /// Secrets Manager as somebody else uses it.
    pub async fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::new(&self.sdk().await)
    }

    /// Another portal on the same stack.
    pub async fn another(&self) -> Portal {
        portal(&self.world, &self.ahead, &self.written, PATIENCE).await
    }

    /// The same, which waits a minute for AWS.
    pub async fn patient(&self) -> Portal {
        portal(&self.world, &self.ahead, &self.written, Duration::from_secs(60)).await
    }

    /// The same clock, that far ahead.
    pub fn advance(&self, ms: i64) {
        self.ahead.fetch_add(ms, Ordering::SeqCst);
    }

    /// The overview as a page that is opened a minute later sees it. The metrics' window moves by as
    /// much, so the traffic stays inside it.
    pub async fn later(&self) -> Arc<Overview> {
        self.advance(60_000);
        self.portal.overview().await
    }

    pub async fn get(&self, path: &str) -> u16 {
        let address = format!("{}{path}", self.world.sandbox.http_api());
        reqwest::get(address).await.expect("an answer").status().as_u16()
    }
}

/// Somebody with that role.
pub fn actor(name: &str, role: Role) -> Actor {
    Actor { name: format!("{name}@example.com"), role, address: None, token: None }
}

/// How long a portal waits for AWS.
const PATIENCE: Duration = Duration::from_secs(4);

async fn portal(world: &World, ahead: &Arc<AtomicI64>, written: &Arc<Written>, patience: Duration) -> Portal {
    let sdk = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(world.sandbox.aws_endpoint())
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .retry_config(aws_config::retry::RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(patience).build())
        .load()
        .await;
    let (context, offset) = (world.sandbox.context().clone(), ahead.clone());
    let journal: Arc<dyn Journal> = written.clone();
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let config = PortalConfig {
        stack: stack(world),
        sandbox: true,
        clock: Arc::new(move || Timestamp(context.now_ms() + offset.load(Ordering::SeqCst))),
        // Different each time, which is all that is asked of it here.
        random: Arc::new(|bytes| {
            let number = NUMBER.fetch_add(1, Ordering::SeqCst).to_le_bytes();
            bytes.iter_mut().zip(number.iter().cycle()).for_each(|(byte, part)| *byte = *part);
        }),
        journal,
        metrics: MetricsConfig {
            meter: InMemory::meter(),
            cap_dollars: 10.0,
            namespace: "LearningHub".to_owned(),
        },
    };
    Portal::with_sdk(config, &sdk).expect("the portal is set up")
}

fn stack(world: &World) -> Stack {
    Stack {
        region: "eu-west-1".into(),
        api_id: world.demo.api_id.clone(),
        stage: world.demo.stage.clone(),
        function: world.demo.function.clone(),
        alias: world.demo.alias.clone(),
        secret_id: world.demo.secret_id.clone(),
        status_url: format!("{}/status", world.demo.http_api),
    }
}
