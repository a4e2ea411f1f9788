//! The portal's program on the demo world, and somebody who is signed in to it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use model::deploy::{DeploysPage, Uploaded};
use model::rotation::SecretPage;
use reqwest::{Client, RequestBuilder, header};
use serde::de::DeserializeOwned;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tokio::task::JoinHandle;

use crate::until;
use crate::world::World;

const EMAIL: &str = "ada@example.com";
/// Longer than the portal takes for a request.
const PATIENCE: Duration = Duration::from_secs(20);

/// A portal that runs. It is killed when it goes out of scope.
pub struct Process {
    child: Child,
    origin: String,
    client: Client,
    cookie: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Process {
    /// Starts a portal on a port of its own, on the one database of the world, and signs in.
    pub async fn start(world: &World) -> Self {
        Self::start_with(world, true).await
    }

    /// The same, which leaves rollouts to others.
    pub async fn looking_on(world: &World) -> Self {
        Self::start_with(world, false).await
    }

    async fn start_with(world: &World, drives: bool) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let origin = format!("http://{address}");
        let drives = drives.to_string();
        let mut serve = command(world, &address);
        let child = serve.arg("serve").env("LOCKKEEPER_DRIVE_ROLLOUTS", drives).spawn().unwrap();
        let none = reqwest::redirect::Policy::none();
        let client = Client::builder().redirect(none).timeout(PATIENCE).build().unwrap();
        let mut portal = Self { child, origin, client, cookie: String::new() };
        until("the portal is ready", async || {
            let answer = portal.client.get(format!("{}/readyz", portal.origin)).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        portal.sign_in(world, &address).await;
        portal
    }

    async fn sign_in(&mut self, world: &World, address: &str) {
        let link = command(world, address)
            .args(["admin", "link", "--email", EMAIL, "--create"])
            .stdout(Stdio::piped())
            .output()
            .unwrap();
        let link = String::from_utf8(link.stdout).unwrap();
        let answer = self.client.post(link.trim()).header(header::ORIGIN, &self.origin).send().await.unwrap();
        let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
        self.cookie = cookie.split(';').next().unwrap().to_owned();
    }

    /// Kills it at once (SIGKILL), and waits until it is gone. Safe to repeat.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// What the operations API says of the secret.
    pub async fn secret(&self) -> SecretPage {
        self.get("secret").await
    }

    /// What it says of the deploys.
    pub async fn deploys(&self) -> DeploysPage {
        self.get("deploys").await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let request = self.client.get(format!("{}/api/v1/{path}", self.origin));
        let answer = request.header(header::COOKIE, &self.cookie).send().await.unwrap();
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{status} {error}: {body}"))
    }

    /// Uploads a zip: its hash.
    pub async fn upload(&self, zip: Vec<u8>) -> String {
        let request = self.change("deploys/uploads").header(header::CONTENT_TYPE, "application/zip");
        let answer = request.body(zip).send().await.unwrap();
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        let uploaded: Result<Uploaded, _> = serde_json::from_str(&body);
        uploaded.unwrap_or_else(|error| panic!("{status} {error}: {body}")).sha256
    }

    /// Asks for a change: status and body of the answer.
    pub async fn post(&self, path: &str, body: &str) -> (u16, String) {
        let answer = self.request(path, body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// The same without waiting for the answer.
    pub fn ask(&self, path: &str, body: &str) -> JoinHandle<reqwest::Result<u16>> {
        let asked = self.request(path, body).send();
        tokio::spawn(async move { asked.await.map(|answer| answer.status().as_u16()) })
    }

    fn request(&self, path: &str, body: &str) -> RequestBuilder {
        self.change(path).header(header::CONTENT_TYPE, "application/json").body(body.to_owned())
    }

    fn change(&self, path: &str) -> RequestBuilder {
        let request = self.client.post(format!("{}/api/v1/{path}", self.origin));
        request.header(header::COOKIE, &self.cookie).header(header::ORIGIN, &self.origin)
    }

    /// Operation and outcome of each entry of the audit log, in their order.
    pub async fn written(&self, world: &World) -> Vec<(String, Option<String>)> {
        let file = SqliteConnectOptions::new().filename(database(world)).busy_timeout(PATIENCE);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(file).await.unwrap();
        let entries = sqlx::query_as("SELECT operation, outcome FROM audit_log ORDER BY id");
        let entries = entries.fetch_all(&pool).await.unwrap();
        pool.close().await;
        entries
    }
}

fn database(world: &World) -> PathBuf {
    world.folder.path().join("portal.sqlite")
}

/// The program with an environment of its own.
fn command(world: &World, address: &str) -> Command {
    let site = world.folder.path().join("site");
    write_site(&site);
    let demo = &world.demo;
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
    command
        .env_clear()
        .env("LOCKKEEPER_ADDRESS", address)
        .env("LOCKKEEPER_DATABASE", database(world))
        .env("LOCKKEEPER_SITE", site)
        .env("LOCKKEEPER_LOG", "error")
        .env("LOCKKEEPER_SANDBOX", "1")
        .env("LOCKKEEPER_API_ID", &demo.api_id)
        .env("LOCKKEEPER_API_STAGE", &demo.stage)
        .env("LOCKKEEPER_FUNCTION", &demo.function)
        .env("LOCKKEEPER_ALIAS", &demo.alias)
        .env("LOCKKEEPER_SECRET_ID", &demo.secret_id)
        .env("LOCKKEEPER_STATUS_URL", format!("{}/status", demo.http_api))
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_ENDPOINT_URL", world.sandbox.aws_endpoint())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// What the portal needs of the browser's files to start. No page is looked at here.
fn write_site(folder: &Path) {
    std::fs::create_dir_all(folder.join("pkg")).unwrap();
    for name in ["app.1.js", "app.1.wasm", "app.1.css"] {
        std::fs::write(folder.join("pkg").join(name), "x").unwrap();
    }
    std::fs::write(folder.join("favicon.svg"), "<svg/>").unwrap();
    let manifest = r#"{"js":"/pkg/app.1.js","wasm":"/pkg/app.1.wasm","css":"/pkg/app.1.css"}"#;
    std::fs::write(folder.join("manifest.json"), manifest).unwrap();
}
