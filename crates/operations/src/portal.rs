//! The portal: the stack it watches and the clients it does so with.

use std::sync::Arc;
use std::time::Duration;

use model::overview::{Alarm, Function, Health, Overview, Secret, Traffic};
use model::problem::{Problem, ProblemKind};
use model::stack::Stack;
use model::time::Timestamp;

use crate::audit::Journal;
use crate::kept::Kept;
use crate::probe::Probe;
use crate::rotation::Readings;
use crate::{alarms, aws, deploy, function, secret, traffic};

/// Where the portal reads the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Where the portal takes random bytes from: fills the buffer.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// How a portal is set up.
pub struct PortalConfig {
    /// The stack's names.
    pub stack: Stack,
    /// Whether the probe may call plain http and loopback addresses: in the sandbox only.
    pub sandbox: bool,
    /// The time.
    pub clock: Clock,
    /// Random bytes.
    pub random: Random,
    /// Where it is written down what is done.
    pub journal: Arc<dyn Journal>,
}

/// One stack, and what is needed to look at it and change it. Cheap to share behind an `Arc`; two
/// portals can watch the same stack side by side.
pub struct Portal {
    stack: Arc<Stack>,
    clock: Clock,
    random: Random,
    id: String,
    pub(crate) journal: Arc<dyn Journal>,
    probe: Probe,
    pub(crate) clients: Clients,
    pub(crate) readings: Readings,
    pub(crate) deploys: deploy::Readings,
    pub(crate) rollouts: Arc<deploy::Memory>,
    health: Kept<Health>,
    function: Kept<Function>,
    pub(crate) secret: Kept<Secret>,
    alarms: Kept<Vec<Alarm>>,
    pub(crate) alarms_page: alarms::Readings,
    traffic: Kept<Traffic>,
}

/// The SDK's clients, one configuration for all. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Clients {
    pub(crate) lambda: aws_sdk_lambda::Client,
    pub(crate) secrets: aws_sdk_secretsmanager::Client,
    pub(crate) cloudwatch: aws_sdk_cloudwatch::Client,
    pub(crate) logs: aws_sdk_cloudwatchlogs::Client,
    pub(crate) trail: aws_sdk_cloudtrail::Client,
    pub(crate) gateway: aws_sdk_apigatewayv2::Client,
    pub(crate) sns: aws_sdk_sns::Client,
}

impl Portal {
    /// A portal with the AWS configuration of the environment (`AWS_REGION`, `AWS_ENDPOINT_URL`,
    /// credentials). Calls nobody yet.
    ///
    /// # Errors
    /// `Invalid` when a name is empty or the status address breaks a rule of [`Probe::new`].
    pub async fn connect(config: PortalConfig) -> Result<Self, Problem> {
        let sdk = aws::environment(&config.stack.region).await;
        Self::with_sdk(config, &sdk)
    }

    /// A portal with an AWS configuration of the caller's own.
    ///
    /// # Errors
    /// As [`Portal::connect`].
    pub fn with_sdk(config: PortalConfig, sdk: &aws_config::SdkConfig) -> Result<Self, Problem> {
        named(&config.stack)?;
        Ok(Self {
            probe: Probe::new(&config.stack.status_url, config.sandbox)?,
            clients: Clients {
                lambda: aws_sdk_lambda::Client::new(sdk),
                secrets: aws_sdk_secretsmanager::Client::new(sdk),
                cloudwatch: aws_sdk_cloudwatch::Client::new(sdk),
                logs: aws_sdk_cloudwatchlogs::Client::new(sdk),
                trail: aws_sdk_cloudtrail::Client::new(sdk),
                gateway: aws_sdk_apigatewayv2::Client::new(sdk),
                sns: aws_sdk_sns::Client::new(sdk),
            },
            readings: Readings::new(),
            deploys: deploy::Readings::new(),
            rollouts: Arc::new(deploy::Memory::new()),
            id: hex::<4>(&config.random),
            random: config.random,
            journal: config.journal,
            stack: Arc::new(config.stack),
            clock: config.clock,
            // The probe costs an invocation, metrics cost money (USD 0.01 per 1,000 asked for) and
            // are a minute old at best: each has its own rhythm, for all callers together.
            health: Kept::every(Duration::from_secs(5)),
            function: Kept::every(Duration::from_secs(10)),
            secret: Kept::every(Duration::from_secs(15)),
            alarms: Kept::every(Duration::from_secs(15)),
            alarms_page: alarms::Readings::new(),
            traffic: Kept::every(Duration::from_secs(30)),
        })
    }

    /// The stack's names.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The same for a task of its own.
    pub(crate) fn shared_stack(&self) -> Arc<Stack> {
        Arc::clone(&self.stack)
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The clock.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// 32 hexadecimal digits, 128 random bits.
    pub fn new_id(&self) -> String {
        hex::<16>(&self.random)
    }

    /// This process, among portals that watch the same stack.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Fills a buffer with random bytes.
    pub(crate) fn fill_random(&self, bytes: &mut [u8]) {
        (self.random)(bytes);
    }

    /// Has what runs behind the alias read anew by the next who looks.
    pub(crate) fn forget_function(&self) {
        self.function.forget();
    }

    /// Has the alarms' states read anew by the next who looks.
    pub(crate) fn forget_alarm_states(&self) {
        self.alarms.forget();
    }

    /// What the overview shows. Never fails as a whole: each part carries its own problem. Answers
    /// within about 5 seconds, whatever AWS does, and is shared between callers: however many ask,
    /// each part is read at most once in its own rhythm (health 5 s, the rest 10 to 30 s). A part that
    /// takes long is shown as it was before, if it was.
    pub async fn overview(&self) -> Arc<Overview> {
        let clients = &self.clients;
        let stack = || self.shared_stack();
        let now = (self.clock)();
        let (health, function, secret, alarms, traffic, rotations) = futures::join!(
            self.health.get(&self.clock, || self.probe.clone().health()),
            self.function.get(&self.clock, || function::read(clients.lambda.clone(), stack())),
            self.secret.get(&self.clock, || secret::read(clients.secrets.clone(), stack())),
            self.alarms.get(&self.clock, || alarms::read(clients.cloudwatch.clone(), stack())),
            self.traffic.get(&self.clock, || traffic::read(clients.cloudwatch.clone(), stack(), now)),
            self.rotations(),
        );
        let now = (self.clock)();
        let stack = self.stack().clone();
        Arc::new(Overview { stack, now, health, function, secret, alarms, traffic, rotations })
    }
}

/// So many random bytes, in hexadecimal digits.
fn hex<const BYTES: usize>(random: &Random) -> String {
    let mut bytes = [0_u8; BYTES];
    random(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn named(stack: &Stack) -> Result<(), Problem> {
    let names = [
        ("region", &stack.region),
        ("API id", &stack.api_id),
        ("stage", &stack.stage),
        ("function", &stack.function),
        ("alias", &stack.alias),
        ("secret", &stack.secret_id),
    ];
    match names.into_iter().find(|(_, name)| name.trim().is_empty()) {
        Some((what, _)) => {
            Err(Problem::new(ProblemKind::Invalid, format!("The stack's {what} is not named.")))
        }
        None => Ok(()),
    }
}
