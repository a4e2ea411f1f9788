//! `cargo xtask bench api`: builds the function as Lambda gets it and its Node.js peer as Lambda would
//! get that, and has `lockkeeper-bench` run one against the other. `cargo xtask bench rotation`: builds
//! both functions, and has it rotate the secret under the API's callers. `cargo xtask bench rollback`:
//! builds the portal, and has it deploy code that fails. `cargo xtask bench portal`: builds the portal, and
//! has it asked for its pages.
//!
//! What is measured is decided there; here things are only built and handed over. Numbers make
//! nothing fail: whoever reads them decides.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::archive::{self, Effort};
use crate::elf::Architecture;
use crate::workspace::Workspace;
use crate::{host_zip, package, process, setup, site};

/// The profile of the root `Cargo.toml` that the benchmark itself is built with.
const PROFILE: &str = "measure";

/// Options of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The function and a Node.js peer by turns on one sandbox: CPU, times, memory, round trips, sizes.
    Api(ApiOptions),
    /// The secret rotated under callers of the API: calls that fail, logins that fail, times.
    Rotation(RotationOptions),
    /// The portal's pages beside axum's hello: requests, times, bytes, memory, and Chromium's view.
    Portal(PortalOptions),
    /// Code that fails requests, deployed by the real portal: from the first bad figure in CloudWatch until
    /// no request goes there any more.
    Rollback(RollbackOptions),
}

#[derive(Debug, clap::Args)]
struct PortalOptions {
    /// A fifth of the time, and a twentieth of the broken-off page loads.
    #[arg(long)]
    quick: bool,
}

#[derive(Debug, clap::Args)]
struct ApiOptions {
    /// Fewer starts and calls, and no added delay: a minute instead of several.
    #[arg(long)]
    quick: bool,
    /// The function built for this machine's C library, where the Rust target for Lambda can't be had.
    #[arg(long)]
    host: bool,
}

#[derive(Debug, clap::Args)]
struct RotationOptions {
    /// Fewer callers and rotations: a minute instead of several.
    #[arg(long)]
    quick: bool,
    /// The functions built for this machine's C library, where the Rust target for Lambda can't be had.
    #[arg(long)]
    host: bool,
}

#[derive(Debug, clap::Args)]
struct RollbackOptions {
    /// How often.
    #[arg(long, default_value_t = 5)]
    times: u32,
}

/// Builds and measures.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    match &options.what {
        What::Api(options) => api(workspace, options),
        What::Rotation(options) => rotation(workspace, options),
        What::Portal(options) => portal(workspace, options),
        What::Rollback(options) => rollback(workspace, options),
    }
}

/// With the dev profile, as `cargo xtask run` has it: what is measured is how long is waited for what.
fn rollback(workspace: &Workspace, options: &RollbackOptions) -> Result<()> {
    println!("==> the portal, the functions and the benchmark");
    let mut cargo = workspace.cargo();
    process::run(cargo.args(["build", "--locked", "--workspace", "--bins", "--example", "misbehaving"]))?;
    let mut bench = Command::new(workspace.binary("lockkeeper-bench"));
    bench.arg("rollback").arg("--portal").arg(workspace.binary("lockkeeper"));
    bench.arg("--function").arg(workspace.binary("api"));
    bench.arg("--failing").arg(workspace.binary("examples/misbehaving"));
    bench.arg("--migrations").arg(migrations(workspace)).args(["--times", &options.times.to_string()]);
    process::run(&mut bench)
}

fn rotation(workspace: &Workspace, options: &RotationOptions) -> Result<()> {
    println!("==> the functions");
    let [function, rotation] = functions(workspace, options.host)?;
    println!("==> the benchmark");
    let mut bench = benchmark(workspace)?;
    bench.arg("rotation").arg("--function").arg(function).arg("--rotation").arg(rotation);
    bench.arg("--migrations").arg(migrations(workspace));
    if options.quick {
        bench.args(["--callers", "50", "--rotations", "5"]);
    }
    process::run(&mut bench)
}

fn portal(workspace: &Workspace, options: &PortalOptions) -> Result<()> {
    println!("==> the browser's part");
    let site = site::build(workspace)?;
    println!("{site}");
    println!("==> the function");
    workspace.build()?;
    let zip = host_zip::build(workspace, "api")?;
    println!("==> the portal and the benchmark");
    let mut cargo = workspace.cargo();
    cargo.args([
        "build",
        "--locked",
        "--package=lockkeeper",
        "--package=lockkeeper-bench",
        "--profile",
        PROFILE,
    ]);
    process::run(&mut cargo)?;
    let built = |name: &str| workspace.target.join(PROFILE).join(name);
    let mut bench = Command::new(built("lockkeeper-bench"));
    bench.arg("portal").arg("--portal").arg(built("lockkeeper")).arg("--site").arg(&site.folder);
    bench.arg("--function-zip").arg(zip).arg("--migrations").arg(migrations(workspace));
    let browser = workspace.root.join("end2end");
    setup::node_packages(&browser, "the benchmarks")?;
    if let Some(node) = setup::program("node") {
        bench.arg("--node").arg(node).arg("--vitals").arg(browser.join("support/vitals.mjs"));
    }
    if options.quick {
        bench.args(["--time", "1000", "--aborted", "5000"]);
    }
    process::run(&mut bench)
}

fn api(workspace: &Workspace, options: &ApiOptions) -> Result<()> {
    let folder = workspace.target.join("bench");
    fs::create_dir_all(&folder)?;
    println!("==> the peer");
    let peer = peer(workspace, &folder)?;
    println!("==> the function");
    let [function, _] = functions(workspace, options.host)?;
    println!("==> the benchmark");
    let mut bench = benchmark(workspace)?;

    let [function_zip, peer_zip] = ["api.zip", "peer.zip"].map(|name| folder.join(name));
    archive::write(&function, &function_zip, Effort::Small)?;
    archive::write_as("index.mjs", &peer, &peer_zip, Effort::Small)?;
    let node = setup::program("node").context("there is no node on the PATH")?;
    let version = process::capture(Command::new(&node).arg("--version"))?;
    let library = if options.host { "this machine's C library" } else { "static, as Lambda gets it" };
    println!("\nfunction: Rust, {library}\npeer: Node.js {}, mssql, one bundle", version.trim());
    bench.arg("api").arg("--function").arg(function).arg("--function-zip").arg(function_zip);
    bench.arg("--node").arg(node).arg("--peer").arg(peer).arg("--peer-zip").arg(peer_zip);
    bench.arg("--peer-runtime").arg(peer_folder(workspace).join("runtime.mjs"));
    bench.arg("--migrations").arg(migrations(workspace));
    if options.quick {
        bench.arg("--quick");
    }
    process::run(&mut bench)
}

fn peer_folder(workspace: &Workspace) -> PathBuf {
    workspace.root.join("end2end/peer")
}

/// Bundles the peer into one file.
fn peer(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let sources = peer_folder(workspace);
    setup::node_packages(&sources, "the benchmarks")?;
    let bundle = folder.join("index.mjs");
    let outfile = format!("--outfile={}", bundle.display());
    process::run(
        Command::new("npm").args(["run", "--silent", "build", "--", &outfile]).current_dir(sources),
    )?;
    ensure!(bundle.is_file(), "the build left no {}", bundle.display());
    Ok(bundle)
}

/// The functions `api` and `rotation`, built as Lambda gets them or for this machine.
fn functions(workspace: &Workspace, host: bool) -> Result<[PathBuf; 2]> {
    let names = ["api", "rotation"];
    if !host {
        let architecture = Architecture::of_this_machine()?;
        package::build(workspace, architecture)?;
        return Ok(names.map(|name| package::program(workspace, architecture, name)));
    }
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--locked", "--package=api-function", "--bins", "--profile", package::PROFILE]);
    process::run(&mut cargo)?;
    Ok(names.map(|name| workspace.target.join(package::PROFILE).join(name)))
}

/// The benchmark itself, built.
fn benchmark(workspace: &Workspace) -> Result<Command> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--locked", "--package=lockkeeper-bench", "--profile", PROFILE]);
    process::run(&mut cargo)?;
    Ok(Command::new(workspace.target.join(PROFILE).join("lockkeeper-bench")))
}

fn migrations(workspace: &Workspace) -> PathBuf {
    workspace.root.join("api-function/migrations")
}
