//! All of it put together: one process, loopback only, every port configurable, all state in one
//! folder.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::aws::{self, AwsEndpoint, Service};
use crate::context::{Calls, Clock, Context, Random, SystemClock, lock};
use crate::control::{self, ControlState};
use crate::faults::Faults;
use crate::gateway::Gateway;
use crate::gateway::issuer::{self, Issuer};
use crate::services::apigateway::ApiGateway;
use crate::services::cloudtrail::CloudTrail;
use crate::services::cloudwatch::CloudWatch;
use crate::services::lambda::{Lambda, LambdaOptions};
use crate::services::logs::Logs;
use crate::services::s3::S3;
use crate::services::secretsmanager::SecretsManager;
use crate::services::sns::{self, Sns};
use crate::services::sts::Sts;
use crate::services::xray::XRay;
use crate::tds::TdsServer;

/// How a sandbox is set up.
#[derive(Clone)]
pub struct Config {
    /// The folder for all state. It is made where there is none.
    pub state: PathBuf,
    /// The ports to listen on.
    pub ports: Ports,
    /// The region played.
    pub region: String,
    /// The account played: 12 digits.
    pub account: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The seed of all ids and random numbers; none for the operating system's.
    pub seed: Option<u64>,
    /// How often alarms are evaluated.
    pub alarm_tick: Duration,
    /// An idle execution environment is ended after this many seconds.
    pub idle_seconds: u64,
    /// The account's concurrency limit.
    pub account_concurrency: u32,
}

/// The ports to listen on; 0 for any that is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// The AWS endpoint, 4566 unless configured.
    pub aws: u16,
    /// The HTTP APIs, 4580 unless configured.
    pub http: u16,
    /// The local TDS server, 14330 unless configured.
    pub tds: u16,
    /// The control port, 4599 unless configured.
    pub control: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self { aws: 4566, http: 4580, tds: 14330, control: 4599 }
    }
}

impl Ports {
    /// Any ports that are free.
    pub const ANY: Self = Self { aws: 0, http: 0, tds: 0, control: 0 };
}

impl Config {
    /// The defaults, with all state in `state`.
    pub fn new(state: impl Into<PathBuf>) -> Self {
        Self {
            state: state.into(),
            ports: Ports::default(),
            region: "eu-west-1".to_owned(),
            account: "123456789012".to_owned(),
            clock: Arc::new(SystemClock),
            seed: None,
            alarm_tick: Duration::from_secs(5),
            idle_seconds: 300,
            account_concurrency: 1_000,
        }
    }
}

/// A running sandbox. Dropping it leaves its tasks running until the runtime ends; [`Sandbox::stop`]
/// ends them and every function's process.
pub struct Sandbox {
    context: Arc<Context>,
    lambda: Arc<Lambda>,
    metrics: Arc<CloudWatch>,
    secrets: Arc<SecretsManager>,
    topics: Arc<Sns>,
    issuer: Arc<Issuer>,
    tds: Arc<Tds>,
    addresses: Addresses,
    admin_password: String,
    stop: CancellationToken,
    tasks: TaskTracker,
    // Held as long as the sandbox runs, so that no second one works on the same folder.
    _lock: File,
}

/// Where a sandbox listens.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// The AWS endpoint.
    pub aws: SocketAddr,
    /// The HTTP APIs.
    pub http: SocketAddr,
    /// The local TDS server.
    pub tds: SocketAddr,
    /// The control port.
    pub control: SocketAddr,
}

impl Sandbox {
    /// Opens the state, binds the ports and serves.
    ///
    /// # Errors
    /// When the folder is in use by another sandbox or can't be read, or a port is taken (the
    /// message says which).
    pub async fn start(config: Config) -> io::Result<Self> {
        fs::create_dir_all(&config.state)?;
        let lock = lock_folder(&config.state)?;
        let ports = config.ports;
        let (aws_listener, http_listener) =
            (bind("AWS endpoint", ports.aws).await?, bind("HTTP API", ports.http).await?);
        let (tds_listener, control_listener) =
            (bind("local TDS server", ports.tds).await?, bind("control", ports.control).await?);
        let addresses = Addresses {
            aws: aws_listener.local_addr()?,
            http: http_listener.local_addr()?,
            tds: tds_listener.local_addr()?,
            control: control_listener.local_addr()?,
        };

        let context = Arc::new(Context {
            clock: config.clock.clone(),
            random: config.seed.map_or_else(Random::from_os, Random::seeded),
            region: config.region.clone(),
            account: config.account.clone(),
            state: config.state.clone(),
            faults: Faults::default(),
            calls: Calls::default(),
        });
        let admin_password = admin_password(&context)?;
        let metrics = CloudWatch::open(context.clone())?;
        let topics = Sns::open(context.clone())?;
        metrics.tell(topics.clone());
        let logs = Logs::open(context.clone(), metrics.clone())?;
        let trail = CloudTrail::open(context.clone())?;
        let secrets = SecretsManager::open(context.clone())?;
        secrets.record_in(trail.clone());
        let apis = ApiGateway::open(context.clone())?;
        apis.set_port(addresses.http.port());
        apis.record_in(trail.clone());
        let options = LambdaOptions {
            endpoint_url: format!("http://{}", addresses.aws),
            idle_seconds: config.idle_seconds,
            account_concurrency: config.account_concurrency,
        };
        let lambda = Lambda::open(context.clone(), logs.clone(), metrics.clone(), options)?;
        lambda.record_in(trail.clone());
        let objects = S3::open(context.clone())?;
        lambda.fetch_from(objects.clone());
        let traces = XRay::open(context.clone())?;
        lambda.trace_in(traces.clone());
        let server = TdsServer::open(context.clone(), &admin_password)?;
        fs::write(context.path("ca.pem"), server.ca_pem())?;

        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let services: Vec<Arc<dyn Service>> = vec![
            Sts::new(context.clone()),
            secrets.clone(),
            trail,
            logs.clone(),
            metrics.clone(),
            lambda.clone(),
            apis.clone(),
            objects,
            traces.clone(),
            topics.clone(),
        ];
        tasks.spawn(traces.listen(stop.clone()).await?);
        let endpoint = Arc::new(AwsEndpoint::new(context.clone(), services));
        tasks.spawn(aws::serve(endpoint, aws_listener, stop.clone()));
        secrets.rotate_with(lambda.clone(), stop.clone());
        let gateway = Gateway::new(context.clone(), apis, lambda.clone(), logs, metrics.clone());
        tasks.spawn(serving("HTTP API", gateway.serve(http_listener, stop.clone())));
        let tds =
            Arc::new(Tds { server, address: addresses.tds, running: Mutex::new(None), stop: stop.clone() });
        tds.run(tds_listener);
        let issuer = Issuer::open(context.clone(), format!("http://{}/_issuer", addresses.control))?;
        let control = ControlState { context: context.clone(), tds: Some(tds_switch(&tds)) };
        let control = control::routes(control)
            .nest("/_issuer", issuer::router(issuer.clone()))
            .nest("/sns", sns::control(topics.clone()));
        let control = control::guarded(control);
        tasks.spawn(serving("control", serve_control(control, control_listener, stop.clone())));
        tasks.spawn(evaluate(metrics.clone(), config.alarm_tick, stop.clone()));
        Ok(Self {
            context,
            lambda,
            metrics,
            secrets,
            topics,
            issuer,
            tds,
            addresses,
            admin_password,
            stop,
            tasks,
            _lock: lock,
        })
    }

    /// The ground its parts share: clock, faults, counted calls.
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// What `AWS_ENDPOINT_URL` must be.
    pub fn aws_endpoint(&self) -> String {
        format!("http://{}", self.addresses.aws)
    }

    /// The root of the HTTP APIs.
    pub fn http_api(&self) -> String {
        format!("http://{}", self.addresses.http)
    }

    /// The local TDS server: its counters.
    pub fn tds(&self) -> &TdsServer {
        &self.tds.server
    }

    /// The password of the local TDS server's login `admin`.
    pub fn admin_password(&self) -> &str {
        &self.admin_password
    }

    /// The metrics, to have alarms evaluated at once.
    pub fn metrics(&self) -> &CloudWatch {
        &self.metrics
    }

    /// The functions, for whoever wants their environments gone.
    pub fn functions(&self) -> &Lambda {
        &self.lambda
    }

    /// The secrets, for whoever moves what they name.
    pub fn secrets(&self) -> &SecretsManager {
        &self.secrets
    }

    /// The topics, for whoever confirms a subscription or looks what was published.
    pub fn topics(&self) -> &Sns {
        &self.topics
    }

    /// The token issuer, for tests that need a token.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Stops or starts the local TDS server: open connections are cut, new ones refused.
    ///
    /// # Errors
    /// When its port was taken in the meantime.
    pub async fn switch_tds(&self, on: bool) -> io::Result<()> {
        self.tds.switch(on).await
    }

    /// Ends everything: no new requests, execution environments killed, listeners closed. Waits for
    /// at most ten seconds.
    pub async fn stop(self) {
        self.stop.cancel();
        self.lambda.stop().await;
        self.tasks.close();
        if tokio::time::timeout(Duration::from_secs(10), self.tasks.wait()).await.is_err() {
            tracing::warn!("some tasks did not end in time");
        }
    }
}

/// The local TDS server and the switch that stops it.
struct Tds {
    server: Arc<TdsServer>,
    address: SocketAddr,
    /// While it serves: what stops it.
    running: Mutex<Option<CancellationToken>>,
    stop: CancellationToken,
}

impl Tds {
    fn run(self: &Arc<Self>, listener: TcpListener) {
        let stop = self.stop.child_token();
        *lock(&self.running) = Some(stop.clone());
        let server = self.server.clone();
        tokio::spawn(serving("local TDS server", server.serve(listener, stop)));
    }

    async fn switch(self: &Arc<Self>, on: bool) -> io::Result<()> {
        let held = lock(&self.running).take();
        match (on, held) {
            (true, Some(running)) => *lock(&self.running) = Some(running),
            (true, None) => {
                let listener = rebind(self.address).await?;
                self.run(listener);
            }
            (false, Some(running)) => running.cancel(),
            (false, None) => {}
        }
        Ok(())
    }
}

fn tds_switch(tds: &Arc<Tds>) -> control::TdsSwitch {
    let tds = tds.clone();
    Arc::new(move |on| {
        let tds = tds.clone();
        Box::pin(async move { tds.switch(on).await })
    })
}

/// The listener that was just closed may need a moment to be gone.
async fn rebind(address: SocketAddr) -> io::Result<TcpListener> {
    let mut tries = 0;
    loop {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < 50 => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            result => return result,
        }
    }
}

async fn serve_control(
    router: axum::Router,
    listener: TcpListener,
    stop: CancellationToken,
) -> io::Result<()> {
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn serving(what: &'static str, serve: impl Future<Output = io::Result<()>>) {
    if let Err(error) = serve.await {
        tracing::error!(%error, "{what} stopped serving");
    }
}

async fn evaluate(metrics: Arc<CloudWatch>, every: Duration, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {
                let metrics = metrics.clone();
                // It reads from SQLite: not on a thread that serves.
                let _ = tokio::task::spawn_blocking(move || metrics.evaluate_alarms()).await;
            }
        }
    }
}

async fn bind(what: &str, port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
        io::Error::new(error.kind(), format!("the {what} port {port} can't be used: {error}"))
    })
}

fn lock_folder(state: &Path) -> io::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(state.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            format!("another sandbox is running on {}", state.display()),
        )),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The administrator's password of the local TDS server: made on the first start, kept in a file
/// that only its owner reads.
fn admin_password(context: &Context) -> io::Result<String> {
    const ALPHABET: &str = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
    let path = context.path("admin-password");
    match fs::read_to_string(&path) {
        Ok(password) => Ok(password.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let password = context.random.text(ALPHABET, 32);
            let mut file = File::options().create_new(true).write(true).mode(0o600).open(&path)?;
            file.write_all(password.as_bytes())?;
            Ok(password)
        }
        Err(error) => Err(error),
    }
}
