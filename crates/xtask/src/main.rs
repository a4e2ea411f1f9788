//! The one way in, for people and for CI: `cargo xtask run | test | check | package | bench`.
//!
//! A plain program that calls cargo, npm and the project's own binaries, so that a laptop with
//! nothing but rustup needs no other tool, and so that what CI does is what a person does. It
//! builds before anything else does, so its dependencies are few; it knows where things are and in
//! which order they happen, and leaves every decision worth a test to small pure functions.
//!
//! In reading order:
//! - [`run`]: sandbox and portal, started, watched and stopped;
//! - [`test`]: everything that must hold before a change lands, with a summary;
//! - [`check`]: the part of it that needs no test to run: format, lints, arrows, dependencies;
//! - [`package`]: the functions as AWS takes them;
//! - [`bench`]: a function held against the one it replaces;
//! - [`site`] with [`css`]: the browser's half of the portal; [`host_zip`]: the functions the sandbox runs;
//! - [`stack`]: the two programs as child processes, their ports and their state;
//! - [`setup`]: what must be on the machine; [`workspace`], [`metadata`]: where things are;
//! - [`process`], [`phases`], [`counts`], [`archive`], [`elf`]: the tools of the above.

mod archive;
mod bench;
mod check;
mod counts;
mod css;
mod elf;
mod host_zip;
mod metadata;
mod package;
mod phases;
mod process;
mod run;
mod setup;
mod site;
mod stack;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Build, run, test and package Lockkeeper.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build everything, start the sandbox and the portal, and say where they are. Ctrl-C stops both.
    Run(run::Options),
    /// Checks, unit and integration tests, the browser build and the tests in a browser.
    Test(test::Options),
    /// Format, lints, layering, dependencies and files; nothing is run.
    Check,
    /// Only the browser's half of the portal: `target/site`.
    Site,
    /// The function packages for AWS: `target/lambda/<architecture>/api.zip` and
    /// `rotation.zip`.
    Package(package::Options),
    /// Measurements, with what they should come to beside them. Fails for no number.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome =
        process::listen_for_signals().and_then(|()| Workspace::load()).and_then(|workspace| match arguments
            .task
        {
            Task::Run(options) => run::run(&workspace, &options),
            Task::Test(options) => test::run(&workspace, &options),
            Task::Check => check::run(&workspace),
            Task::Site => site::build(&workspace).map(|site| println!("{site}")),
            Task::Package(options) => package::run(&workspace, &options),
            Task::Bench(options) => bench::run(&workspace, &options),
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if process::interrupted() => {
            eprintln!("stopped");
            // 128 + SIGINT, what a shell reports for a program that Ctrl-C ended.
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}
