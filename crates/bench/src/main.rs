//! The benchmarks. `cargo xtask bench api` builds the function and its Node.js peer, and has them run
//! side by side on one sandbox; `cargo xtask bench rotation` rotates the secret under the API's callers
//! (see [`rotation`]), `cargo xtask bench rollback` deploys code that fails (see [`rollback`]), and
//! `cargo xtask bench portal` asks for the portal's pages (see [`portal`]). What follows is about the
//! first.
//!
//! Both run as they would on Lambda, under a Runtime API, with the same secret and the same database
//! behind TLS, and one after the other, since the machine has few processors and is shared. What they
//! use is read from outside. Times depend on the machine; counts, memory, processor time and the
//! ratios of pairs hardly do, and those are what the goals are about.
//!
//! In reading order:
//! - [`measure`]: cold starts and warm series, by turns;
//! - [`requests`]: what is asked;
//! - [`child`] and [`runtime_api`]: a program under measurement, and Lambda's end of it;
//! - [`world`] with [`delay`]: the sandbox, and longer ways to it;
//! - [`report`] and [`statistics`]: what is said about it.

mod child;
mod delay;
mod measure;
mod portal;
mod report;
mod requests;
mod rollback;
mod rotation;
mod runtime_api;
mod statistics;
mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::child::Program;
use crate::measure::{Amount, Programs};
use crate::report::Table;
use crate::requests::REQUESTS;
use crate::world::World;

/// The whole takes a few minutes; what takes longer than this hangs.
const LIMIT: Duration = Duration::from_secs(3600);

/// Everything: enough for medians that stay.
const FULL: Amount = Amount { cold: 20, series: 5, calls: 5_000, before: 500 };
/// With a delay calls take longer, and what is left to see is how many round trips they make.
const DELAYED: Amount = Amount { cold: 20, series: 5, calls: 200, before: 50 };
/// Whether it works at all.
const QUICK: Amount = Amount { cold: 6, series: 2, calls: 500, before: 100 };

/// Measures.
#[derive(Debug, Parser)]
enum What {
    /// Holds the function against its Node.js peer.
    Api(Options),
    /// Rotates the secret while callers call.
    Rotation(rotation::Options),
    /// Asks for the portal's pages.
    Portal(portal::Options),
    /// What the portal is held against.
    #[command(hide = true)]
    Hello(portal::Hello),
    /// Deploys code that fails requests, again and again.
    Rollback(rollback::Options),
}

#[derive(Debug, clap::Args)]
struct Options {
    /// The function's executable.
    #[arg(long)]
    function: PathBuf,
    /// Its package, for the size.
    #[arg(long)]
    function_zip: PathBuf,
    /// Node.js.
    #[arg(long)]
    node: PathBuf,
    /// The program that runs the peer's bundle under the Runtime API.
    #[arg(long)]
    peer_runtime: PathBuf,
    /// The peer's bundle.
    #[arg(long)]
    peer: PathBuf,
    /// Its package, for the size.
    #[arg(long)]
    peer_zip: PathBuf,
    /// The folder of the T-SQL migrations.
    #[arg(long)]
    migrations: PathBuf,
    /// Fewer starts and calls, and no added delay.
    #[arg(long)]
    quick: bool,
    /// Milliseconds of round-trip time to add, one table each.
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1, 5])]
    delay: Vec<u64>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let what = What::parse();
    match until_stopped(&what).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn until_stopped(what: &What) -> Result<()> {
    let measuring = async {
        match what {
            What::Api(options) => run(options).await,
            What::Rotation(options) => Box::pin(rotation::run(options)).await,
            What::Portal(options) => Box::pin(portal::run(options)).await,
            What::Hello(options) => portal::hello(options).await,
            What::Rollback(options) => Box::pin(rollback::run(options)).await,
        }
    };
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    // What is dropped when one of these comes first ends its child.
    tokio::select! {
        done = tokio::time::timeout(LIMIT, measuring) => done.context("it took too long")?,
        _ = interrupt.recv() => bail!("interrupted"),
        _ = terminate.recv() => bail!("terminated"),
    }
}

async fn run(options: &Options) -> Result<()> {
    let programs = Programs {
        function: Program::function(&options.function),
        peer: Program::peer(&options.node, &options.peer_runtime, &options.peer),
    };
    let world = World::start(&options.migrations).await?;
    println!("{} processors, load {} at the beginning", processors(), load());
    println!("medians; the ratio is the median of peer / function, pair by pair\n");
    let delays: &[u64] = if options.quick { &[0] } else { &options.delay };
    for delay in delays {
        let amount = match (options.quick, delay) {
            (true, _) => QUICK,
            (false, 0) => FULL,
            (false, _) => DELAYED,
        };
        println!("{}", table(&world, &programs, options, *delay, amount).await?);
    }
    println!("load {} at the end", load());
    world.stop().await;
    Ok(())
}

async fn table(
    world: &World,
    programs: &Programs,
    options: &Options,
    delay: u64,
    amount: Amount,
) -> Result<String> {
    let way = world.way(Duration::from_millis(delay)).await?;
    let title = format!(
        "{delay} ms of round-trip time added: {} cold starts and {} x {} warm calls of each",
        amount.cold, amount.series, amount.calls
    );
    eprintln!("measuring with {title}");
    let mut table = Table::new(&title, delay == 0);
    measure::compare(world, &way, programs).await.context("the two do not give the same answers")?;
    if delay == 0 {
        table.zips(megabytes(&options.function_zip)?, megabytes(&options.peer_zip)?);
    }
    let cold = measure::cold(world, &way, programs, amount).await?;
    table.cold(&REQUESTS[0].name(), &cold);
    for request in REQUESTS {
        let warm = measure::warm(world, &way, programs, request, amount).await?;
        table.warm(&request.name(), &warm);
    }
    Ok(table.finish())
}

fn megabytes(file: &Path) -> Result<f64> {
    let size = fs::metadata(file).with_context(|| format!("no {}", file.display()))?.len();
    Ok(size as f64 / 1e6)
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}

/// The load average of the last minute: on a machine that is busy with something else, the times are
/// worth little.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}
