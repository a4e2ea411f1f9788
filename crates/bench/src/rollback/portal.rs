//! The portal's program on a demo world, and its command line.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use sandbox::demo;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// The portal starts within a second or so.
const START: Duration = Duration::from_secs(30);
const EMAIL: &str = "bench@localhost";

/// A portal that runs. It is killed when it goes out of scope.
pub struct Portal {
    _serving: Child,
    program: PathBuf,
    variables: Vec<(&'static str, String)>,
}

impl Portal {
    /// Starts it on a free port of loopback, with its files in `folder`, and makes an access token.
    ///
    /// # Errors
    /// When it does not start, or its command line refuses.
    pub async fn start(program: &Path, world: &demo::World, folder: &Path) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let site = folder.join("site");
        write_site(&site)?;
        let mut variables = variables(world, &address);
        variables.push(("LOCKKEEPER_DATABASE", folder.join("portal.sqlite").display().to_string()));
        variables.push(("LOCKKEEPER_SITE", site.display().to_string()));
        let serving = command(program, &variables).arg("serve").kill_on_drop(true).spawn()?;
        let mut portal = Self { _serving: serving, program: program.to_owned(), variables };
        tokio::time::timeout(START, async {
            while TcpStream::connect(&address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
        .await
        .context("it does not listen")?;
        portal.said(["admin", "link", "--email", EMAIL, "--create"]).await?;
        let token = ["admin", "token", "--email", EMAIL, "--name", "bench", "--scope", "deploy"];
        let token = portal.said(token).await?;
        portal.variables.push(("LOCKKEEPER_TOKEN", token));
        portal.variables.push(("LOCKKEEPER_URL", format!("http://{address}")));
        Ok(portal)
    }

    /// Its program, to be told what to do.
    pub fn command(&self) -> Command {
        let mut command = command(&self.program, &self.variables);
        command.kill_on_drop(true);
        command
    }

    /// What it says to this.
    async fn said(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<String> {
        let output = self.command().args(arguments).stdout(Stdio::piped()).output().await?;
        if !output.status.success() {
            bail!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        let said = String::from_utf8(output.stdout)?.trim().to_owned();
        ensure!(!said.is_empty(), "it said nothing");
        Ok(said)
    }
}

/// The program with an environment of its own.
fn command(program: &Path, variables: &[(&'static str, String)]) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(variables.iter().cloned()).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn variables(world: &demo::World, address: &str) -> Vec<(&'static str, String)> {
    vec![
        ("LOCKKEEPER_ADDRESS", address.to_owned()),
        ("LOCKKEEPER_LOG", "error".to_owned()),
        ("LOCKKEEPER_SANDBOX", "1".to_owned()),
        ("LOCKKEEPER_API_ID", world.api_id.clone()),
        ("LOCKKEEPER_API_STAGE", world.stage.clone()),
        ("LOCKKEEPER_FUNCTION", world.function.clone()),
        ("LOCKKEEPER_ALIAS", world.alias.clone()),
        ("LOCKKEEPER_SECRET_ID", world.secret_id.clone()),
        ("LOCKKEEPER_STATUS_URL", format!("{}/status", world.http_api)),
        ("AWS_REGION", world.region.clone()),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "not-a-key".to_owned()),
        ("AWS_ENDPOINT_URL", world.aws_endpoint.clone()),
    ]
}

/// What the portal needs of the browser's files to start. No page is looked at here.
fn write_site(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder.join("pkg"))?;
    for name in ["app.1.js", "app.1.wasm", "app.1.css"] {
        std::fs::write(folder.join("pkg").join(name), "x")?;
    }
    std::fs::write(folder.join("favicon.svg"), "<svg/>")?;
    let manifest = r#"{"js":"/pkg/app.1.js","wasm":"/pkg/app.1.wasm","css":"/pkg/app.1.css"}"#;
    std::fs::write(folder.join("manifest.json"), manifest)?;
    Ok(())
}
