//! `cargo xtask bench api`: builds the function as Lambda gets it and its Node.js peer as Lambda would
//! get that, and has `lockkeeper-bench` run one against the other.
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
use crate::{package, process, setup};

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

/// Builds and measures.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let What::Api(options) = &options.what;
    let folder = workspace.target.join("bench");
    fs::create_dir_all(&folder)?;
    println!("==> the peer");
    let peer = peer(workspace, &folder)?;
    println!("==> the function");
    let function = match options.host {
        false => {
            let architecture = Architecture::of_this_machine()?;
            package::build(workspace, architecture)?;
            package::program(workspace, architecture, "api")
        }
        true => for_this_machine(workspace)?,
    };
    println!("==> the benchmark");
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--locked", "--package=lockkeeper-bench", "--profile", PROFILE]);
    process::run(&mut cargo)?;

    let [function_zip, peer_zip] = ["api.zip", "peer.zip"].map(|name| folder.join(name));
    archive::write(&function, &function_zip, Effort::Small)?;
    archive::write_as("index.mjs", &peer, &peer_zip, Effort::Small)?;
    let node = setup::program("node").context("there is no node on the PATH")?;
    let version = process::capture(Command::new(&node).arg("--version"))?;
    let library = if options.host { "this machine's C library" } else { "static, as Lambda gets it" };
    println!("\nfunction: Rust, {library}\npeer: Node.js {}, mssql, one bundle", version.trim());
    let mut bench = Command::new(workspace.target.join(PROFILE).join("lockkeeper-bench"));
    bench.arg("--function").arg(function).arg("--function-zip").arg(function_zip);
    bench.arg("--node").arg(node).arg("--peer").arg(peer).arg("--peer-zip").arg(peer_zip);
    bench.arg("--peer-runtime").arg(peer_folder(workspace).join("runtime.mjs"));
    bench.arg("--migrations").arg(workspace.root.join("api-function/migrations"));
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

fn for_this_machine(workspace: &Workspace) -> Result<PathBuf> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--locked", "--package=api-function", "--bin=api"]);
    cargo.args(["--profile", package::PROFILE]);
    process::run(&mut cargo)?;
    Ok(workspace.target.join(package::PROFILE).join("api"))
}
