//! The world the tests run in: the sandbox's AWS endpoint with Secrets Manager, its local TDS server
//! with the migrations run, and an API in this process.

#![expect(clippy::unwrap_used, reason = "a helper of tests: what fails here fails the test")]

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api_function::api::Api;
use api_function::config::Config;
use api_function::event::handle;
use api_function::time::{Clock, Random, system_clock};
use aws_sdk_secretsmanager::Client as SecretsClient;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Credentials, Region};
use chrono::TimeDelta;
use lambda_http::{Context as LambdaContext, LambdaEvent};
use sandbox::aws::{AwsEndpoint, serve};
use sandbox::faults::{At, Fault, TdsEffect};
use sandbox::services::secretsmanager::SecretsManager;
use sandbox::tds::TdsServer;
use sandbox::{Context, SystemClock};
use serde::Deserialize;
use serde_json::{Value, json};
use tiberius::{AuthMethod, Client, EncryptionLevel};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::fmt::MakeWriter;

pub const SECRET: &str = "learninghub/sqlserver";
pub const ADMIN_PASSWORD: &str = "Canary-admin-1!";
pub const PASSWORD: &str = "Canary-first-1!;{}'\"";
/// What the login's password is changed to.
pub const SECOND: &str = "Canary-second-2!";
pub const DATABASE: &str = "learninghub";

pub struct World {
    pub context: Arc<Context>,
    pub secrets: SecretsClient,
    pub aws: SocketAddr,
    pub sql: SocketAddr,
    pub ca: String,
    /// What the APIs' clock is ahead of the machine's, in seconds.
    ahead: Arc<AtomicI64>,
    stop_aws: CancellationToken,
    stop_sql: Option<(CancellationToken, tokio::task::JoinHandle<()>)>,
    _state: tempfile::TempDir,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop_aws.cancel();
        if let Some((stop, _)) = &self.stop_sql {
            stop.cancel();
        }
    }
}

impl World {
    /// Everything up, the migrations run, the login made and its secret stored.
    pub async fn start() -> Self {
        let state = tempfile::tempdir().unwrap();
        let context = Context::for_tests(state.path(), Arc::new(SystemClock));
        let services = SecretsManager::open(context.clone()).unwrap();
        let endpoint = Arc::new(AwsEndpoint::new(context.clone(), vec![services]));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let aws = listener.local_addr().unwrap();
        let stop_aws = CancellationToken::new();
        tokio::spawn(serve(endpoint, listener, stop_aws.clone()));
        let secrets = secrets_client(aws);
        let mut world = Self {
            context,
            secrets,
            aws,
            sql: aws,
            ca: String::new(),
            ahead: Arc::default(),
            stop_aws,
            stop_sql: None,
            _state: state,
        };
        world.start_sql(0).await;
        world.migrate().await;
        let value = world.secret_value(PASSWORD);
        world.secrets.create_secret().name(SECRET).secret_string(value).send().await.unwrap();
        world
    }

    /// Starts the local TDS server; port 0 takes a free one.
    pub async fn start_sql(&mut self, port: u16) {
        let server = TdsServer::open(self.context.clone(), ADMIN_PASSWORD).unwrap();
        self.ca = server.ca_pem();
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        self.sql = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let until = stop.clone();
        let task = tokio::spawn(async move { server.serve(listener, until).await.unwrap() });
        self.stop_sql = Some((stop, task));
    }

    /// Stops it, its connections included, and waits until it is gone.
    pub async fn stop_sql(&mut self) {
        if let Some((stop, task)) = self.stop_sql.take() {
            stop.cancel();
            task.await.unwrap();
        }
    }

    async fn migrate(&self) {
        let mut admin = self.admin("master").await;
        run(&mut admin, &format!("CREATE DATABASE {DATABASE}")).await;
        let login = format!(
            "CREATE LOGIN learninghub_app WITH PASSWORD = N'{}', DEFAULT_DATABASE = {DATABASE}",
            PASSWORD.replace('\'', "''")
        );
        run(&mut admin, &login).await;
        let mut admin = self.admin(DATABASE).await;
        for statement in [
            "CREATE USER learninghub_app FOR LOGIN learninghub_app",
            "ALTER ROLE db_datareader ADD MEMBER learninghub_app",
            "ALTER ROLE db_datawriter ADD MEMBER learninghub_app",
        ] {
            run(&mut admin, statement).await;
        }
        // Twice: a migration is safe to repeat.
        for _ in 0..2 {
            for batch in migrations() {
                run(&mut admin, &batch).await;
            }
        }
    }

    pub async fn admin(&self, database: &str) -> Client<Compat<TcpStream>> {
        self.log_in("admin", ADMIN_PASSWORD, database).await.unwrap()
    }

    pub async fn log_in(
        &self,
        login: &str,
        password: &str,
        database: &str,
    ) -> tiberius::Result<Client<Compat<TcpStream>>> {
        let mut config = tiberius::Config::new();
        config.host("127.0.0.1");
        config.port(self.sql.port());
        config.database(database);
        config.authentication(AuthMethod::sql_server(login, password));
        config.encryption(EncryptionLevel::Required);
        config.trust_cert_ca_bundle(self.ca.as_bytes());
        let stream = TcpStream::connect(self.sql).await.unwrap();
        stream.set_nodelay(true).unwrap();
        // Boxed here, like the other large futures, so that the tests themselves stay small.
        Box::pin(Client::connect(config, stream.compat_write())).await
    }

    pub fn secret_value(&self, password: &str) -> String {
        json!({
            "engine": "sqlserver",
            "host": "127.0.0.1",
            "port": self.sql.port().to_string(),
            "dbname": DATABASE,
            "username": "learninghub_app",
            "password": password,
        })
        .to_string()
    }

    /// Gives the login another password at the server.
    pub async fn alter_login(&self, password: &str) {
        self.alter_login_with(password, "").await;
    }

    /// The same with an option behind it.
    pub async fn alter_login_with(&self, password: &str, option: &str) {
        let password = password.replace('\'', "''");
        let statement = format!("ALTER LOGIN learninghub_app WITH PASSWORD = N'{password}' {option}");
        run(&mut self.admin("master").await, &statement).await;
    }

    /// Stores a new version of the secret under a stage, and returns its id.
    pub async fn put_secret(&self, password: &str, stage: &str) -> String {
        let put = self.secrets.put_secret_value().secret_id(SECRET).version_stages(stage);
        let put = put.secret_string(self.secret_value(password));
        put.send().await.unwrap().version_id.unwrap()
    }

    pub fn config(&self, changes: &[(&str, &str)]) -> Config {
        let mut variables = HashMap::from([
            ("SECRET_ID", SECRET.to_owned()),
            ("SQL_CA", self.ca.clone()),
            ("SQL_TIMEOUT", "1000".to_owned()),
            ("AWS_REGION", "eu-west-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "Canary-key".to_owned()),
            ("AWS_ENDPOINT_URL", format!("http://{}", self.aws)),
            ("AWS_LAMBDA_FUNCTION_NAME", "learninghub-api".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "7".to_owned()),
        ]);
        for (name, value) in changes {
            variables.insert(name, (*value).to_owned());
        }
        Config::read(&|name| variables.get(name).cloned()).unwrap()
    }

    /// An API that has not connected yet.
    pub fn api(&self, changes: &[(&str, &str)]) -> Api {
        Api::new(self.config(changes), self.clock(), Random::seeded(7))
    }

    /// An API that has been through its init phase.
    pub async fn warm_api(&self) -> Api {
        let api = self.api(&[]);
        Box::pin(api.warm_up()).await;
        api
    }

    /// The machine's clock, and what it was moved forward by.
    pub fn clock(&self) -> Clock {
        let (machine, ahead) = (system_clock(), self.ahead.clone());
        Arc::new(move || machine() + TimeDelta::seconds(ahead.load(Ordering::Relaxed)))
    }

    pub fn advance(&self, seconds: i64) {
        self.ahead.fetch_add(seconds, Ordering::Relaxed);
    }

    pub fn sql_fault(&self, effect: TdsEffect) {
        self.context.faults.add(Fault::once(At::Tds { effect })).unwrap();
    }

    pub fn secret_reads(&self) -> u64 {
        self.context.calls.of("secretsmanager", "GetSecretValue")
    }
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

/// The batches of all migrations, in order.
fn migrations() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    assert!(files.len() >= 5);
    let mut batches = Vec::new();
    for file in files {
        let mut batch = String::new();
        for line in std::fs::read_to_string(file).unwrap().lines() {
            if line.trim().eq_ignore_ascii_case("GO") {
                batches.push(std::mem::take(&mut batch));
            } else {
                batch.push_str(line);
                batch.push('\n');
            }
        }
        assert!(batch.trim().is_empty(), "every batch ends with GO");
    }
    batches
}

/// Runs a batch to its end.
pub async fn run(client: &mut Client<Compat<TcpStream>>, batch: &str) {
    let outcome = async { client.simple_query(batch).await?.into_results().await };
    if let Err(error) = outcome.await {
        panic!("{error}\n{batch}");
    }
}

/// An answer, as an HTTP API takes it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    pub status_code: u16,
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub body: String,
    pub is_base64_encoded: bool,
}

/// A payload 2.0 event, as API Gateway hands it over.
pub fn event(method: &str, stage: &str, path: &str, query: &str) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "cookies": ["a=b"],
        "headers": { "host": "abc.execute-api.eu-west-1.amazonaws.com", "user-agent": "tëst", "accept": "*/*" },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc",
            "domainName": "abc.execute-api.eu-west-1.amazonaws.com",
            "domainPrefix": "abc",
            "http": {
                "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "tëst"
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": stage,
            "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1_583_348_638_390_i64,
        },
        "isBase64Encoded": false,
    })
}

/// Lambda's context with so much time left; all there is when none is given.
pub fn context(api: &Api, left: Option<Duration>) -> LambdaContext {
    let mut context = LambdaContext::default();
    context.request_id = "8f5c3a2e-0000-4000-8000-000000000001".to_owned();
    if let Some(left) = left {
        context.deadline = u64::try_from((api.clock)().timestamp_millis()).unwrap() + left.as_millis() as u64;
    }
    context
}

/// One request. The body is null where it is empty.
pub async fn get(api: &Api, path_and_query: &str) -> (Response, Value) {
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    send(api, event("GET", "$default", path, query), None).await
}

pub async fn send(api: &Api, event: Value, left: Option<Duration>) -> (Response, Value) {
    let event = LambdaEvent::new(serde_json::from_value(event).unwrap(), context(api, left));
    let response = Box::pin(handle(api, event)).await.unwrap();
    let response: Response = serde_json::from_value(serde_json::to_value(response).unwrap()).unwrap();
    assert!(!response.is_base64_encoded);
    let body = match response.body.is_empty() {
        true => Value::Null,
        false => serde_json::from_str(&response.body).unwrap(),
    };
    (response, body)
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
