//! The world the tests run in: the sandbox's AWS endpoint with Secrets Manager, its local TDS server
//! with a small database, and a rotation function in this process.

#![expect(clippy::unwrap_used, reason = "a helper of tests: what fails here fails the test")]

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api_function::rotation::Rotation;
use api_function::rotation::config::RotationConfig;
use api_function::telemetry;
use api_function::time::{Random, system_clock};
use aws_sdk_secretsmanager::Client as SecretsClient;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Credentials, Region};
use lambda_http::lambda_runtime::Diagnostic;
use lambda_http::{Context as LambdaContext, LambdaEvent};
use sandbox::aws::{AwsEndpoint, serve};
use sandbox::faults::{At, AwsEffect, Fault, TdsEffect};
use sandbox::services::secretsmanager::SecretsManager;
use sandbox::tds::TdsServer;
use sandbox::{Context, SystemClock};
use serde_json::{Value, json};
use tiberius::{AuthMethod, Client, EncryptionLevel};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};
use tokio_util::sync::CancellationToken;
use tracing::instrument::WithSubscriber as _;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::rotatable::Rotatable;

pub const SECRET: &str = "learninghub/sqlserver";
pub const MASTER: &str = "learninghub/sqlserver-master";
pub const ADMIN_PASSWORD: &str = "Canary-admin-1!";
pub const PASSWORD: &str = "Canary-first-1!;{}'\"]";
pub const MASTER_PASSWORD: &str = "Canary-master-1!";
pub const DATABASE: &str = "LearningHub";
pub const USER: &str = "learninghub_app";
pub const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];

pub type Sql = Client<Compat<TcpStream>>;

pub struct World {
    pub context: Arc<Context>,
    pub secrets: SecretsClient,
    pub aws: SocketAddr,
    pub sql: SocketAddr,
    pub ca: String,
    pub rotatable: Arc<Rotatable>,
    pub log: Log,
    stop: CancellationToken,
    _state: tempfile::TempDir,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl World {
    /// Everything up, a login made and its secret stored.
    pub async fn start() -> Self {
        let state = tempfile::tempdir().unwrap();
        let context = Context::for_tests(state.path(), Arc::new(SystemClock));
        let inner = SecretsManager::open(context.clone()).unwrap();
        let rotatable = Arc::new(Rotatable::new(inner));
        let endpoint = Arc::new(AwsEndpoint::new(context.clone(), vec![rotatable.clone()]));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let aws = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(serve(endpoint, listener, stop.clone()));
        let server = TdsServer::open(context.clone(), ADMIN_PASSWORD).unwrap();
        let ca = server.ca_pem();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sql = listener.local_addr().unwrap();
        let until = stop.clone();
        tokio::spawn(async move { server.serve(listener, until).await.unwrap() });
        let secrets = secrets_client(aws);
        let log = Log::default();
        let world = Self { context, secrets, aws, sql, ca, rotatable, log, stop, _state: state };
        world.prepare().await;
        world
    }

    /// The same with a superuser, which the application's secret names.
    pub async fn start_alternating() -> Self {
        let world = Self::start().await;
        let login = format!("CREATE LOGIN lockkeeper_rotation WITH PASSWORD = {}", quoted(MASTER_PASSWORD));
        world.sql("master", &login).await;
        world.sql("master", "GRANT ALTER ANY LOGIN TO lockkeeper_rotation").await;
        world
            .sql(
                DATABASE,
                "CREATE USER lockkeeper_rotation FOR LOGIN lockkeeper_rotation;
                 ALTER ROLE db_owner ADD MEMBER lockkeeper_rotation",
            )
            .await;
        let mut master = world.value("lockkeeper_rotation", MASTER_PASSWORD);
        master["host"] = json!("localhost");
        let create = world.secrets.create_secret().name(MASTER).secret_string(master.to_string());
        let arn = create.send().await.unwrap().arn.unwrap();
        let mut value = world.value(USER, PASSWORD);
        value["masterarn"] = json!(arn);
        let put = world.secrets.put_secret_value().secret_id(SECRET).secret_string(value.to_string());
        put.send().await.unwrap();
        world
    }

    async fn prepare(&self) {
        self.sql("master", &format!("CREATE DATABASE {DATABASE}")).await;
        let login = format!(
            "CREATE LOGIN {USER} WITH PASSWORD = {}, DEFAULT_DATABASE = {DATABASE}",
            quoted(PASSWORD)
        );
        self.sql("master", &login).await;
        self.sql(
            DATABASE,
            &format!(
                "CREATE TABLE dbo.courses (id int NOT NULL, title nvarchar(80) NULL);
                 INSERT INTO dbo.courses VALUES (1, N'one');
                 CREATE USER {USER} FOR LOGIN {USER};
                 ALTER ROLE db_datareader ADD MEMBER {USER}"
            ),
        )
        .await;
        let value = self.value(USER, PASSWORD).to_string();
        self.secrets.create_secret().name(SECRET).secret_string(value).send().await.unwrap();
    }

    /// The members of the application's secret.
    pub fn value(&self, user: &str, password: &str) -> Value {
        json!({
            "engine": "sqlserver",
            "host": "127.0.0.1",
            "port": self.sql.port().to_string(),
            "dbname": DATABASE,
            "username": user,
            "password": password,
            "mine": {"kept": [1, null]},
        })
    }

    /// Runs batches as the administrator.
    pub async fn sql(&self, database: &str, batch: &str) {
        let mut admin = self.log_in("admin", ADMIN_PASSWORD, database).await.unwrap();
        let outcome = async { admin.simple_query(batch).await?.into_results().await };
        if let Err(error) = outcome.await {
            panic!("{error}\n{batch}");
        }
    }

    /// The first column of every row, as text.
    pub async fn texts(&self, database: &str, query: &str) -> Vec<String> {
        let mut admin = self.log_in("admin", ADMIN_PASSWORD, database).await.unwrap();
        let rows = admin.simple_query(query).await.unwrap().into_first_result().await.unwrap();
        rows.iter().map(|row| row.get::<&str, _>(0).unwrap_or("NULL").to_owned()).collect()
    }

    pub async fn log_in(&self, user: &str, password: &str, database: &str) -> tiberius::Result<Sql> {
        let mut config = tiberius::Config::new();
        config.host("127.0.0.1");
        config.port(self.sql.port());
        config.database(database);
        config.authentication(AuthMethod::sql_server(user, password));
        config.encryption(EncryptionLevel::Required);
        config.trust_cert_ca_bundle(self.ca.as_bytes());
        let stream = TcpStream::connect(self.sql).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Box::pin(Client::connect(config, stream.compat_write())).await
    }

    pub fn config(&self, changes: &[(&str, &str)]) -> RotationConfig {
        let mut variables = HashMap::from([
            ("SQL_CA", self.ca.clone()),
            ("SQL_TIMEOUT", "1000".to_owned()),
            ("AWS_REGION", "eu-west-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "Canary-key".to_owned()),
            ("AWS_ENDPOINT_URL", format!("http://{}", self.aws)),
        ]);
        for (name, value) in changes {
            variables.insert(name, (*value).to_owned());
        }
        RotationConfig::read(&|name| variables.get(name).cloned()).unwrap()
    }

    pub fn function(&self, changes: &[(&str, &str)]) -> Rotation {
        Rotation::new(self.config(changes), system_clock(), Random::from_os())
    }

    /// One step, logged at TRACE.
    pub async fn step(&self, function: &Rotation, step: &str, token: &str) -> Result<(), Diagnostic> {
        self.step_within(function, step, token, Duration::from_secs(60)).await
    }

    pub async fn step_within(
        &self,
        function: &Rotation,
        step: &str,
        token: &str,
        left: Duration,
    ) -> Result<(), Diagnostic> {
        let payload = json!({
            "Step": step, "SecretId": SECRET, "ClientRequestToken": token, "Other": 1,
            "RotationToken": "Canary-rotation-token",
        });
        let mut context = LambdaContext::default();
        context.request_id = "8f5c3a2e-0000-4000-8000-000000000001".to_owned();
        let now = u64::try_from((system_clock())().timestamp_millis()).unwrap();
        context.deadline = now + left.as_millis() as u64;
        let subscriber = telemetry::subscriber(LevelFilter::TRACE, self.log.clone());
        let handled = Box::pin(function.handle(LambdaEvent::new(payload, context)));
        handled.with_subscriber(subscriber).await.map(drop).map_err(Diagnostic::from)
    }

    /// The steps, until one fails.
    pub async fn rotate(&self, function: &Rotation, token: &str) -> Result<(), Diagnostic> {
        for step in STEPS {
            self.step(function, step, token).await?;
        }
        Ok(())
    }

    /// What RotateSecret does before it invokes the function: AWSPENDING on a version without a value.
    pub fn begin(&self, token: &str) {
        self.rotatable.state.lock().unwrap().pending = Some(token.to_owned());
    }

    pub fn fault(&self, fault: Fault) {
        self.context.faults.add(fault).unwrap();
    }

    pub fn aws_fault(&self, operation: Option<&str>, effect: AwsEffect, skip: u32, times: Option<u32>) {
        let operation = operation.map(str::to_owned);
        let at = At::Aws { service: "secretsmanager".to_owned(), operation, effect };
        self.fault(Fault { at, skip, times, share: 1.0 });
    }

    pub fn sql_fault(&self, effect: TdsEffect, skip: u32) {
        self.fault(Fault { at: At::Tds { effect }, skip, times: Some(1), share: 1.0 });
    }

    /// The value of a stage: version, user, password.
    pub async fn stage(&self, stage: &str) -> Option<(String, Value)> {
        let get = self.secrets.get_secret_value().secret_id(SECRET).version_stage(stage);
        let output = get.send().await.ok()?;
        let value = serde_json::from_str(output.secret_string()?).ok()?;
        Some((output.version_id.unwrap(), value))
    }

    /// The labels of each version, sorted.
    pub async fn labels(&self) -> BTreeMap<String, Vec<String>> {
        let described = self.secrets.describe_secret().secret_id(SECRET).send().await.unwrap();
        let mut labels: BTreeMap<_, _> =
            described.version_ids_to_stages.unwrap_or_default().into_iter().collect();
        labels.values_mut().for_each(|labels: &mut Vec<String>| labels.sort());
        labels
    }

    /// Whether the credentials of a stage log in and read the table.
    pub async fn works(&self, stage: &str) -> bool {
        let Some((_, value)) = self.stage(stage).await else { return false };
        let (user, password) = (value["username"].as_str().unwrap(), value["password"].as_str().unwrap());
        let Ok(mut sql) = self.log_in(user, password, DATABASE).await else { return false };
        let read = async { sql.simple_query("SELECT id FROM dbo.courses").await?.into_results().await };
        read.await.is_ok()
    }

    /// I1: the credentials of some stage log in.
    pub async fn assert_some_stage_works(&self) {
        for stage in ["AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"] {
            if self.works(stage).await {
                return;
            }
        }
        panic!("no stage logs in: {:?}", self.labels().await);
    }

    /// I2: the version is current and works, and nothing dangles. I3: one password for one id.
    pub async fn assert_rotated(&self, token: &str) {
        let labels = self.labels().await;
        assert_eq!(self.stage("AWSCURRENT").await.unwrap().0, token, "{labels:?}");
        assert!(
            labels.values().flatten().all(|label| label != "AWSPENDING")
                || labels[token].contains(&"AWSPENDING".to_owned())
        );
        assert!(self.works("AWSCURRENT").await);
        self.assert_one_password_each();
    }

    pub fn assert_one_password_each(&self) {
        for (token, values) in &self.rotatable.state.lock().unwrap().put {
            assert!(values.len() <= 1, "{token} was given {} values", values.len());
        }
    }

    /// Nothing secret was logged so far, at TRACE.
    pub async fn assert_no_leak(&self) {
        let text = self.log.text();
        let mut secrets = vec!["Canary".to_owned()];
        for stage in ["AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"] {
            if let Some((_, value)) = self.stage(stage).await {
                secrets.push(value["password"].as_str().unwrap().to_owned());
            }
        }
        for secret in secrets {
            assert!(!text.contains(&secret), "the log holds {secret}");
        }
    }

    /// The last line with this member `event`.
    pub fn last_line(&self, event: &str) -> Value {
        let mut lines = self.log.lines();
        lines.retain(|line| line["event"] == event);
        lines.pop().unwrap()
    }
}

/// A text as a literal.
pub fn quoted(text: &str) -> String {
    format!("N'{}'", text.replace('\'', "''"))
}

/// A version's id, as the portal makes them.
pub fn token(number: u32) -> String {
    format!("{number:032x}-ada")
}

fn secrets_client(address: SocketAddr) -> SecretsClient {
    let credentials = Credentials::builder()
        .access_key_id("AKIDEXAMPLE")
        .secret_access_key("x")
        .provider_name("test")
        .build();
    let config = aws_sdk_secretsmanager::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(credentials)
        .endpoint_url(format!("http://{address}"));
    SecretsClient::from_conf(config.build())
}

/// Collects what is logged.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Log;

    fn make_writer(&'w self) -> Log {
        self.clone()
    }
}
