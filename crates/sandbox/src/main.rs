//! The sandbox as a program: starts everything, builds the demo world if it is given the parts, says
//! where it listens, and runs until SIGINT or SIGTERM.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Parser;
use sandbox::sandbox::Ports;
use sandbox::{Config, Sandbox, demo};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A local AWS and a local TDS server.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// The folder for all state.
    #[arg(long)]
    state: PathBuf,
    /// The port of the AWS endpoint; 0 for any that is free.
    #[arg(long, default_value_t = Ports::default().aws)]
    aws_port: u16,
    /// The port of the HTTP APIs.
    #[arg(long, default_value_t = Ports::default().http)]
    http_port: u16,
    /// The port of the local TDS server.
    #[arg(long, default_value_t = Ports::default().tds)]
    tds_port: u16,
    /// The port through which faults are set.
    #[arg(long, default_value_t = Ports::default().control)]
    control_port: u16,
    /// The region to play.
    #[arg(long, default_value = "eu-west-1")]
    region: String,
    /// The packaged function; with it and the migrations the demo world is built.
    #[arg(long, requires = "demo_migrations")]
    demo_zip: Option<PathBuf>,
    /// The folder of the T-SQL migrations.
    #[arg(long, requires = "demo_zip")]
    demo_migrations: Option<PathBuf>,
    /// The packaged rotation function; with it the demo world's secret is rotated.
    #[arg(long, requires = "demo_zip")]
    demo_rotation_zip: Option<PathBuf>,
    /// No trickle of requests.
    #[arg(long)]
    no_traffic: bool,
    /// A file to write, as JSON, where everything is, once everything is up.
    #[arg(long)]
    ready_file: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match start().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn start() -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_env("SANDBOX_LOG")
        .unwrap_or_else(|_| "info,aws_config=warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let options = Options::parse();
    // Installed first, so that a signal during the start ends it as well.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let ports = Ports {
        aws: options.aws_port,
        http: options.http_port,
        tds: options.tds_port,
        control: options.control_port,
    };
    let config = Config { ports, region: options.region.clone(), ..Config::new(&options.state) };
    let sandbox = Sandbox::start(config).await?;
    let stop = CancellationToken::new();
    let result = tokio::select! {
        result = run(&sandbox, &options, &stop) => result,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    };
    stop.cancel();
    sandbox.stop().await;
    result
}

async fn run(sandbox: &Sandbox, options: &Options, stop: &CancellationToken) -> Result<()> {
    let addresses = sandbox.addresses();
    let ready = match (&options.demo_zip, &options.demo_migrations) {
        (Some(zip), Some(migrations)) => {
            let parts = demo::Parts {
                zip: zip.clone(),
                migrations: migrations.clone(),
                rotation_zip: options.demo_rotation_zip.clone(),
            };
            let world = demo::build(sandbox, &parts).await.context("build the demo world")?;
            if !options.no_traffic {
                tokio::spawn(demo::trickle(Arc::clone(sandbox.context()), addresses.http, stop.clone()));
            }
            serde_json::to_string_pretty(&world)?
        }
        _ => serde_json::to_string_pretty(&serde_json::json!({
            "aws_endpoint": sandbox.aws_endpoint(),
            "http_api": sandbox.http_api(),
            "tds": addresses.tds.to_string(),
            "control": format!("http://{}", addresses.control),
        }))?,
    };
    tracing::info!(aws = %addresses.aws, http = %addresses.http, tds = %addresses.tds, control = %addresses.control, "ready");
    if let Some(file) = &options.ready_file {
        // Moved into place whole, as somebody waits for it.
        let beside = file.with_extension("new");
        std::fs::write(&beside, ready)?;
        std::fs::rename(&beside, file)?;
    }
    std::future::pending().await
}
