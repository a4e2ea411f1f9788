//! The rotation function is killed (SIGKILL) at each boundary, while callers keep calling: at no point
//! is there a secret that nobody can log in with, one more attempt makes everything right, and no call
//! fails. What lies between the boundaries, the answers that are lost and the calls that hang, is tested
//! in `rotation`, in one process and much faster.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use aws_sdk_secretsmanager::config::{BehaviorVersion, Credentials, Region};
use sandbox::Sandbox;
use sandbox::demo;
use sandbox::demo::load::Callers;
use sandbox::demo::rounds::{Rotations, Strategy};
use sandbox::faults::{At, AwsEffect, Fault, FunctionEffect};
use serde_json::Value;
use tiberius::{AuthMethod, Client, EncryptionLevel};
use tokio::net::TcpStream;
use tokio_util::compat::TokioAsyncWriteCompatExt;

use crate::World;
use crate::rotation::assert_all_good;

const CALLERS: usize = 6;
const PAUSE: Duration = Duration::from_millis(100);
const LIMIT: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// Where the function is killed.
#[derive(Debug, Clone, Copy)]
enum Cut {
    /// When it has taken the event of this step, counted from 0.
    Step(u32),
    /// At this call of an operation that only it makes, counted from 0, before anything is done.
    Before(&'static str, u32),
    /// After it was done, and before its answer has come.
    After(&'static str, u32),
}

const PUT: &str = "PutSecretValue";
const MOVE: &str = "UpdateSecretVersionStage";

const CUTS: [Cut; 11] = [
    Cut::Step(0),
    Cut::Before("GetRandomPassword", 0),
    Cut::Before(PUT, 0),
    Cut::After(PUT, 0),
    Cut::Step(1),
    Cut::Step(2),
    Cut::Step(3),
    Cut::Before(MOVE, 0),
    Cut::After(MOVE, 0),
    Cut::Before(MOVE, 1),
    Cut::After(MOVE, 1),
];

impl Cut {
    /// The fault, and how many matches it must have seen for the cut to be due. An answer that is lost
    /// has certainly been given when the SDK asks again.
    fn fault(self) -> (Fault, u32) {
        let aws = |operation: &str, effect| At::Aws {
            service: "secretsmanager".to_owned(),
            operation: Some(operation.to_owned()),
            effect,
        };
        let (at, skip, behind) = match self {
            Self::Step(number) => {
                let name = demo::ROTATION_FUNCTION.to_owned();
                (At::Function { name, effect: FunctionEffect::Crash }, number, 1)
            }
            Self::Before(operation, number) => (aws(operation, AwsEffect::TimeOut), number, 1),
            Self::After(operation, number) => (aws(operation, AwsEffect::DropReply), number, 2),
        };
        (Fault { skip, ..Fault::always(at) }, skip + behind)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_user() {
    survives(Strategy::Single).await;
}

/// With `LOCKKEEPER_LONG=1`: only setSecret is another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_user_of_a_superuser() {
    if std::env::var_os("LOCKKEEPER_LONG").is_none() {
        return;
    }
    survives(Strategy::SingleBySuperuser).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alternating_users() {
    survives(Strategy::Alternating).await;
}

async fn survives(strategy: Strategy) {
    let world = World::build_with_rotation().await;
    let sandbox = &world.sandbox;
    let mut rotations = Box::pin(Rotations::of(sandbox)).await.unwrap();
    Box::pin(rotations.use_strategy(strategy)).await.unwrap();
    let callers = Callers::start(sandbox, CALLERS, PAUSE).unwrap();
    let secret = Secret::of(sandbox);
    for cut in CUTS {
        let token = rotations.next_token();
        let rotating = Box::pin(killed(sandbox, &rotations, &secret, &token, cut));
        tokio::time::timeout(LIMIT, rotating).await.unwrap_or_else(|_| panic!("{cut:?} takes too long"));
    }
    let calls = callers.stop().await;
    assert_all_good(&calls);
    assert!(calls.len() > CUTS.len() * CALLERS, "{} calls", calls.len());
    drop(rotations);
    world.sandbox.stop().await;
}

/// A rotation that is cut, and one more attempt of it.
async fn killed(sandbox: &Sandbox, rotations: &Rotations<'_>, secret: &Secret, token: &str, cut: Cut) {
    let faults = &sandbox.context().faults;
    let (fault, due) = cut.fault();
    faults.add(fault).unwrap();
    rotations.ask(token).await.unwrap();
    while faults.all()[0].2 < due {
        tokio::time::sleep(LOOK).await;
    }
    if !matches!(cut, Cut::Step(_)) {
        kill_rotation(sandbox);
    }
    faults.clear();
    sandbox.functions().end_idle(demo::FUNCTION);
    // I1: some stage logs in.
    assert!(secret.some_stage_logs_in().await, "{cut:?}");
    let value = secret.version(token).await;
    // The one attempt more. While the killed one is not over yet, asking for it changes nothing.
    while !rotations.is_over(token).await.unwrap() {
        rotations.ask(token).await.unwrap();
        tokio::time::sleep(LOOK).await;
    }
    // I2: the current stage logs in. I3: what was the new password stayed it.
    assert!(secret.logs_in("AWSCURRENT").await, "{cut:?}");
    let current = secret.version(token).await;
    assert!(current.is_some());
    assert!(value.is_none() || value == current, "{cut:?}: a second password for one rotation");
}

/// Kills the environments of the rotation function, as the system does when it has no memory left.
fn kill_rotation(sandbox: &Sandbox) {
    let name = format!("AWS_LAMBDA_FUNCTION_NAME={}", demo::ROTATION_FUNCTION);
    let mut killed = 0;
    for record in std::fs::read_dir(sandbox.context().path("lambda/environments")).unwrap() {
        let record = record.unwrap().path();
        let pid = record.file_stem().unwrap().to_str().unwrap().to_owned();
        // One may be gone by now.
        let variables = std::fs::read(Path::new("/proc").join(&pid).join("environ")).unwrap_or_default();
        if variables.split(|byte| *byte == 0).any(|variable| variable == name.as_bytes()) {
            killed += u32::from(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
        }
    }
    assert!(killed > 0, "there was nothing to kill");
}

/// The secret, from outside.
struct Secret {
    client: aws_sdk_secretsmanager::Client,
    ca: String,
}

impl Secret {
    fn of(sandbox: &Sandbox) -> Self {
        let config = aws_sdk_secretsmanager::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(
                Credentials::builder()
                    .access_key_id("A")
                    .secret_access_key("x")
                    .provider_name("test")
                    .build(),
            )
            .endpoint_url(sandbox.aws_endpoint());
        let client = aws_sdk_secretsmanager::Client::from_conf(config.build());
        Self { client, ca: sandbox.tds().ca_pem() }
    }

    async fn some_stage_logs_in(&self) -> bool {
        for stage in ["AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"] {
            if self.logs_in(stage).await {
                return true;
            }
        }
        false
    }

    async fn version(&self, id: &str) -> Option<String> {
        let get = self.client.get_secret_value().secret_id(demo::SECRET_ID).version_id(id);
        get.send().await.ok()?.secret_string
    }

    async fn logs_in(&self, stage: &str) -> bool {
        let get = self.client.get_secret_value().secret_id(demo::SECRET_ID).version_stage(stage);
        let Some(text) = get.send().await.ok().and_then(|held| held.secret_string) else { return false };
        let value: Value = serde_json::from_str(&text).unwrap();
        let text = |name: &str| value[name].as_str().unwrap();
        let port = u16::try_from(value["port"].as_u64().unwrap()).unwrap();
        let mut config = tiberius::Config::new();
        config.host(text("host"));
        config.port(port);
        config.database(text("dbname"));
        config.authentication(AuthMethod::sql_server(text("username"), text("password")));
        config.encryption(EncryptionLevel::Required);
        config.trust_cert_ca_bundle(self.ca.as_bytes());
        let stream = TcpStream::connect((text("host"), port)).await.unwrap();
        Box::pin(Client::connect(config, stream.compat_write())).await.is_ok()
    }
}
