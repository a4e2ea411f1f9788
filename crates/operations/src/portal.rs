//! The portal: the stack it watches and the clients it does so with.

use std::sync::Arc;
use std::time::Duration;

use model::overview::{Alarm, Function, Health, Overview, Secret};
use model::problem::{Problem, ProblemKind};
use model::stack::Stack;
use model::time::Timestamp;

use crate::audit::Journal;
use crate::kept::Kept;
use crate::metrics::meter::Meter;
use crate::metrics::{self, overview_traffic};
use crate::probe::Probe;
use crate::rotation::Readings;
use crate::{alarms, aws, blame, deploy, function, logs, lookup, secret};

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
    /// How CloudWatch is asked for figures.
    pub metrics: MetricsConfig,
}

/// How CloudWatch is asked for figures.
pub struct MetricsConfig {
    /// Where the count of what is spent is kept.
    pub meter: Arc<dyn Meter>,
    /// What may be spent in a month before it is asked more seldom, in US dollars.
    pub cap_dollars: f64,
    /// The namespace of the function's own figures.
    pub namespace: String,
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
    pub(crate) places: Kept<logs::places::Places>,
    pub(crate) lookups: lookup::Lookups,
    pub(crate) periods: blame::Periods,
    pub(crate) tails: logs::tail::Tails,
    health: Kept<Health>,
    function: Kept<Function>,
    pub(crate) secret: Kept<Secret>,
    alarms: Kept<Vec<Alarm>>,
    pub(crate) metrics: metrics::Readings,
    pub(crate) figures: metrics::Store,
    pub(crate) alarms_page: alarms::Readings,
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
    pub(crate) xray: aws_sdk_xray::Client,
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
        let stack = Arc::new(config.stack);
        let cloudwatch = aws_sdk_cloudwatch::Client::new(sdk);
        let figures = metrics::Store::new(metrics::Setup {
            client: cloudwatch.clone(),
            stack: Arc::clone(&stack),
            clock: Arc::clone(&config.clock),
            random: Arc::clone(&config.random),
            meter: config.metrics.meter,
            cap_dollars: config.metrics.cap_dollars,
            own_namespace: config.metrics.namespace,
        });
        Ok(Self {
            probe: Probe::new(&stack.status_url, config.sandbox)?,
            clients: Clients {
                lambda: aws_sdk_lambda::Client::new(sdk),
                secrets: aws_sdk_secretsmanager::Client::new(sdk),
                cloudwatch,
                logs: aws_sdk_cloudwatchlogs::Client::new(sdk),
                trail: aws_sdk_cloudtrail::Client::new(sdk),
                gateway: aws_sdk_apigatewayv2::Client::new(sdk),
                xray: aws_sdk_xray::Client::new(sdk),
                sns: aws_sdk_sns::Client::new(sdk),
            },
            readings: Readings::new(),
            deploys: deploy::Readings::new(),
            rollouts: Arc::new(deploy::Memory::new()),
            places: Kept::every(Duration::from_secs(60)),
            lookups: lookup::Lookups::new(),
            periods: blame::Periods::new(),
            tails: logs::tail::Tails::default(),
            id: hex::<4>(&config.random),
            random: config.random,
            journal: config.journal,
            stack,
            clock: config.clock,
            // The probe costs an invocation: each has its own rhythm, for all callers together.
            health: Kept::every(Duration::from_secs(5)),
            function: Kept::every(Duration::from_secs(10)),
            secret: Kept::every(Duration::from_secs(15)),
            alarms: Kept::every(Duration::from_secs(15)),
            metrics: metrics::Readings::new(),
            figures,
            alarms_page: alarms::Readings::new(),
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
    /// each part is read at most once in its own rhythm (health 5 s, figures a minute, the rest 10 to 15 s). A part that
    /// takes long is shown as it was before, if it was.
    pub async fn overview(&self) -> Arc<Overview> {
        let clients = &self.clients;
        let stack = || self.shared_stack();
        let (health, function, secret, alarms, traffic, rotations) = futures::join!(
            self.health.get(&self.clock, || self.probe.clone().health()),
            self.function.get(&self.clock, || function::read(clients.lambda.clone(), stack())),
            self.secret.get(&self.clock, || secret::read(clients.secrets.clone(), stack())),
            self.alarms.get(&self.clock, || alarms::read(clients.cloudwatch.clone(), stack())),
            overview_traffic(self),
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
