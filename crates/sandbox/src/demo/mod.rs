//! The demo world: the guide's stack, built by the guide's own calls over the wire, and a trickle of
//! requests that keeps its figures alive. Nothing in it is invented: every figure comes from a
//! request that was made.
//!
//! Every step looks first whether its work is there, so building is safe to repeat: a second start
//! finds everything, and a start after a kill in the middle goes on where it stopped.

mod database;
mod http_api;
pub mod load;
mod rotation;
pub mod rounds;
mod stack;
mod traffic;

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;

pub use database::{DATABASE, LOGIN, SUPERUSER};
pub use traffic::trickle;

use crate::Sandbox;

/// The function's name in the guide.
pub const FUNCTION: &str = "learninghub-api-handler";
/// The alias the API's integration names.
pub const ALIAS: &str = "live";
/// The secret's name in the guide.
pub const SECRET_ID: &str = "learninghub/sqlserver";
/// The name of the superuser's secret, which the rotation function reads.
pub const MASTER_SECRET_ID: &str = "learninghub/sqlserver-master";
/// The rotation function's name.
pub const ROTATION_FUNCTION: &str = "learninghub-rotation";
/// The HTTP API's name in the guide.
pub const API: &str = "learninghub-api";
/// What a token must be for.
pub const AUDIENCE: &str = "learninghub";
/// The stage that serves the root.
pub const STAGE: &str = "$default";

/// What the demo world is built from.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The packaged function: a zip with `bootstrap` at its root, for this machine.
    pub zip: PathBuf,
    /// The folder of the T-SQL migrations.
    pub migrations: PathBuf,
    /// The packaged rotation function; without it the secret is not rotated.
    pub rotation_zip: Option<PathBuf>,
}

/// Where the demo world is, for whoever starts a portal on it.
#[derive(Debug, Clone, Serialize)]
pub struct World {
    /// What `AWS_ENDPOINT_URL` must be.
    pub aws_endpoint: String,
    /// The region.
    pub region: String,
    /// The address of the HTTP API.
    pub http_api: String,
    /// The HTTP API's id.
    pub api_id: String,
    /// The stage that is served.
    pub stage: String,
    /// The local TDS server's address.
    pub tds: String,
    /// The control port's address.
    pub control: String,
    /// The token issuer: `POST {issuer}/token` with `sub`, `aud` (`learninghub`) and `scope`.
    pub issuer: String,
    /// The certificate authority of the local TDS server, in PEM.
    pub ca_file: PathBuf,
    /// The function's name.
    pub function: String,
    /// The alias.
    pub alias: String,
    /// The secret's name.
    pub secret_id: String,
}

/// Packages a function as Lambda takes it: a zip with `bootstrap`, executable, at its root.
///
/// # Errors
/// When the binary can't be read or the zip not be written.
pub fn package(binary: &Path, zip: &Path) -> Result<()> {
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755).compression_level(Some(1));
    let mut writer = zip::ZipWriter::new(File::create(zip)?);
    writer.start_file("bootstrap", options)?;
    std::io::copy(&mut File::open(binary)?, &mut writer)?;
    writer.finish()?;
    Ok(())
}

/// The demo world's database and nothing else of it: schema, sample data, and the application's login
/// with this password, which must be alphanumeric. Safe to repeat.
///
/// # Errors
/// When a migration fails, with its name and batch.
pub async fn prepare_database(sandbox: &Sandbox, migrations: &Path, password: &str) -> Result<()> {
    let ca = authority(sandbox)?;
    database::migrate(sandbox, &ca, migrations).await.context("migrate the database")?;
    database::set_login(sandbox, &ca, password).await.context("make the application's login")
}

fn authority(sandbox: &Sandbox) -> Result<String> {
    std::fs::read_to_string(sandbox.context().path("ca.pem")).context("read the certificate authority")
}

/// Builds what is not there yet.
///
/// # Errors
/// When a step fails, with its name.
pub async fn build(sandbox: &Sandbox, parts: &Parts) -> Result<World> {
    let ca_file = sandbox.context().path("ca.pem");
    let ca = authority(sandbox)?;
    let stack = stack::Builder::new(sandbox, ca.clone()).await;
    // First, as a rotation that was cut begins again in a moment.
    rotation::follow_the_server(sandbox).context("put the secrets' port right")?;
    database::migrate(sandbox, &ca, &parts.migrations).await.context("migrate the database")?;
    // A secret without a login, or a login without a secret, is a build that was cut: the password
    // is set anew until both are there.
    if !stack.has_secret(SECRET_ID).await? {
        let password = stack.new_password().await.context("make a password")?;
        database::set_login(sandbox, &ca, &password).await.context("make the application's login")?;
        stack.store_secret(SECRET_ID, LOGIN, &password, Some(DATABASE)).await.context("store the secret")?;
    }
    stack.function(&parts.zip).await.context("deploy the function")?;
    let api_id = stack.http_api().await.context("build the HTTP API")?;
    stack.alarms(&api_id).await.context("set the alarms")?;
    if let Some(zip) = &parts.rotation_zip {
        rotation::build(sandbox, &stack, &ca, zip).await.context("set up the rotation")?;
    }
    let addresses = sandbox.addresses();
    Ok(World {
        aws_endpoint: sandbox.aws_endpoint(),
        region: sandbox.context().region.clone(),
        http_api: sandbox.http_api(),
        api_id,
        stage: STAGE.to_owned(),
        tds: addresses.tds.to_string(),
        control: format!("http://{}", addresses.control),
        issuer: sandbox.issuer().url().to_owned(),
        ca_file,
        function: FUNCTION.to_owned(),
        alias: ALIAS.to_owned(),
        secret_id: SECRET_ID.to_owned(),
    })
}
