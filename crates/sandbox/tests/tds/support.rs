//! A server on a port of its own, and ways to talk to it.

use std::sync::Arc;
use std::time::Duration;

use sandbox::context::{Clock, Context, SystemClock};
use sandbox::tds::TdsServer;
use tempfile::TempDir;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, Query, Row};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};
use tokio_util::sync::CancellationToken;

pub const PASSWORD: &str = "Correct-Horse-9";

pub type Sql = Client<Compat<TcpStream>>;

/// A running server.
pub struct Running {
    pub server: Arc<TdsServer>,
    pub context: Arc<Context>,
    pub port: u16,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
    folder: Option<TempDir>,
}

impl Running {
    pub async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), Arc::new(SystemClock)).await
    }

    pub async fn start_in(folder: TempDir, clock: Arc<dyn Clock>) -> Self {
        let context = Context::for_tests(folder.path(), clock);
        let server = TdsServer::open(Arc::clone(&context), PASSWORD).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = CancellationToken::new();
        let task = tokio::spawn(Arc::clone(&server).serve(listener, stop.clone()));
        Self { server, context, port, stop, task, folder: Some(folder) }
    }

    /// Stops it and gives the folder back, to start again in.
    pub async fn stop(mut self) -> TempDir {
        self.stop.cancel();
        (&mut self.task).await.unwrap().unwrap();
        self.folder.take().unwrap()
    }

    pub fn config(&self, user: &str, password: &str, level: EncryptionLevel) -> Config {
        let mut config = Config::new();
        config.host("localhost");
        config.port(self.port);
        config.authentication(AuthMethod::sql_server(user, password));
        config.encryption(level);
        config.trust_cert_ca_bundle(self.server.ca_pem());
        config
    }

    pub async fn try_connect(&self, config: Config) -> tiberius::Result<Sql> {
        let socket = TcpStream::connect(("127.0.0.1", self.port)).await?;
        socket.set_nodelay(true)?;
        Client::connect(config, socket.compat_write()).await
    }

    /// A connection of the login `admin`.
    pub async fn admin(&self) -> Sql {
        self.try_connect(self.config("admin", PASSWORD, EncryptionLevel::Required)).await.unwrap()
    }

    /// A connection of the login `admin` in a database of its own.
    pub async fn fresh(&self) -> Sql {
        let mut sql = self.admin().await;
        run(&mut sql, "IF DB_ID('lab') IS NULL CREATE DATABASE lab").await;
        run(&mut sql, "USE lab").await;
        sql
    }

    pub async fn login(&self, user: &str, password: &str, database: &str) -> tiberius::Result<Sql> {
        let mut config = self.config(user, password, EncryptionLevel::Required);
        config.database(database);
        self.try_connect(config).await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Runs a batch that must succeed.
pub async fn run(sql: &mut Sql, text: &str) {
    if let Err(error) = try_run(sql, text).await {
        panic!("{error}\n{text}");
    }
}

/// Runs a batch.
pub async fn try_run(sql: &mut Sql, text: &str) -> tiberius::Result<()> {
    sql.simple_query(text).await?.into_results().await.map(|_| ())
}

/// Runs a batch that must fail, and gives number, state, class and text of its first error.
pub async fn refused(sql: &mut Sql, text: &str) -> (u32, u8, u8, String) {
    match try_run(sql, text).await {
        Err(tiberius::error::Error::Server(error)) => {
            (error.code(), error.state(), error.class(), error.message().to_owned())
        }
        Err(other) => panic!("{other}\n{text}"),
        Ok(()) => panic!("not refused\n{text}"),
    }
}

/// The number of the error a batch fails with.
pub async fn number(sql: &mut Sql, text: &str) -> u32 {
    refused(sql, text).await.0
}

/// The rows of a batch's last result.
pub async fn rows(sql: &mut Sql, text: &str) -> Vec<Row> {
    match sql.simple_query(text).await {
        Ok(stream) => match stream.into_results().await {
            Ok(mut results) => results.pop().unwrap_or_default(),
            Err(error) => panic!("{error}\n{text}"),
        },
        Err(error) => panic!("{error}\n{text}"),
    }
}

/// The first column of the first row as an int.
pub async fn int(sql: &mut Sql, text: &str) -> i32 {
    let rows = rows(sql, text).await;
    rows.first().unwrap_or_else(|| panic!("no row\n{text}")).get(0).unwrap_or_else(|| panic!("NULL\n{text}"))
}

/// The first column of all rows as texts, with commas between; NULL is a minus.
pub async fn texts(sql: &mut Sql, text: &str) -> String {
    let rows = rows(sql, text).await;
    let all: Vec<String> = rows.iter().map(|row| row.get::<&str, _>(0).unwrap_or("-").to_owned()).collect();
    all.join(",")
}

/// A query with parameters.
pub async fn query(sql: &mut Sql, query: Query<'_>) -> Vec<Row> {
    query.query(sql).await.unwrap().into_first_result().await.unwrap()
}

/// Waits until something is so.
pub async fn until(what: &str, mut is: impl FnMut() -> bool) {
    for _ in 0..500 {
        if is() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}
