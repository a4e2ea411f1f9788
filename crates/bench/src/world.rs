//! What both programs stand on: one sandbox with a secret and the migrated database, and ways to it
//! of different lengths.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_credential_types::Credentials;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Region};
use bytes::Bytes;
use sandbox::sandbox::Ports;
use sandbox::{Config, Sandbox, demo};
use serde_json::json;
use tempfile::TempDir;

use crate::delay;
use crate::runtime_api::Event;

const LETTERS: &str = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
/// How long a call may take, as the functions are told.
const CALL_LIMIT_MS: i64 = 30_000;

/// The world.
pub struct World {
    sandbox: Sandbox,
    password: String,
    // Removed with the world.
    state: TempDir,
}

/// How a program gets to the sandbox.
#[derive(Debug)]
pub struct Way {
    /// Where Secrets Manager is.
    pub endpoint_url: String,
    /// The secret that says where the database is.
    pub secret_id: String,
    /// The authority that signed the database's certificate.
    pub ca_file: PathBuf,
    /// A folder for what is written meanwhile.
    pub state: PathBuf,
}

/// What was asked of the sandbox so far.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    /// Logins at the TDS server.
    pub logins: u64,
    /// Requests of clients at the TDS server, each a round trip.
    pub round_trips: u64,
    /// Reads of a secret's value.
    pub secret_reads: u64,
}

impl Counts {
    /// What was asked since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            logins: self.logins - earlier.logins,
            round_trips: self.round_trips - earlier.round_trips,
            secret_reads: self.secret_reads - earlier.secret_reads,
        }
    }
}

impl World {
    /// Starts the sandbox on free ports of loopback, and prepares the database.
    ///
    /// # Errors
    /// When that fails.
    pub async fn start(migrations: &Path) -> Result<Self> {
        let state = tempfile::tempdir()?;
        let config = Config {
            ports: Ports::ANY,
            // There are no alarms, and nothing but the functions' work is to run beside them.
            alarm_tick: Duration::from_secs(24 * 3600),
            ..Config::new(state.path().join("sandbox"))
        };
        let sandbox = Sandbox::start(config).await.context("start the sandbox")?;
        let password = sandbox.context().random.text(LETTERS, 32);
        // Boxed: the future of several connections is large.
        Box::pin(demo::prepare_database(&sandbox, migrations, &password)).await?;
        Ok(Self { sandbox, password, state })
    }

    /// A way with that much more round-trip time.
    ///
    /// # Errors
    /// When the secret can't be stored or the proxy not be started.
    pub async fn way(&self, delay: Duration) -> Result<Way> {
        let addresses = self.sandbox.addresses();
        let through = |address: SocketAddr| match delay {
            Duration::ZERO => Ok(address),
            delay => delay::start(address, delay),
        };
        let (aws, tds) = (through(addresses.aws)?, through(addresses.tds)?);
        let secret_id = format!("learninghub/sqlserver-{}ms", delay.as_millis());
        let value = json!({
            "engine": "sqlserver",
            "host": "127.0.0.1",
            "port": tds.port(),
            "dbname": demo::DATABASE,
            "username": demo::LOGIN,
            "password": self.password,
        });
        let secrets = secrets_client(&self.sandbox.aws_endpoint());
        secrets
            .create_secret()
            .name(&secret_id)
            .secret_string(value.to_string())
            .send()
            .await
            .context("store the secret")?;
        Ok(Way {
            endpoint_url: format!("http://{aws}"),
            secret_id,
            ca_file: self.sandbox.context().path("ca.pem"),
            state: self.state.path().to_owned(),
        })
    }

    /// An event with an id of its own.
    pub fn event(&self, payload: &Bytes) -> Event {
        let context = self.sandbox.context();
        Event {
            request_id: context.random.uuid(),
            deadline_ms: context.now_ms() + CALL_LIMIT_MS,
            payload: payload.clone(),
        }
    }

    /// What was asked so far.
    pub fn counts(&self) -> Counts {
        let tds = self.sandbox.tds();
        Counts {
            logins: tds.logins(),
            round_trips: tds.requests(),
            secret_reads: self.sandbox.context().calls.of("secretsmanager", "GetSecretValue"),
        }
    }

    /// Ends the sandbox.
    pub async fn stop(self) {
        self.sandbox.stop().await;
    }
}

fn secrets_client(endpoint_url: &str) -> aws_sdk_secretsmanager::Client {
    let config = aws_sdk_secretsmanager::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("AKIAIOSFODNN7EXAMPLE", "not-a-key", None, None, "bench"))
        .endpoint_url(endpoint_url);
    aws_sdk_secretsmanager::Client::from_conf(config.build())
}
