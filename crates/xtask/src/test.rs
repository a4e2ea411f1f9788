//! `cargo xtask test`: everything that must hold before a change lands, in the order of what it
//! costs, with a table and one closing line at the end.
//!
//! A phase that fails does not keep the others from running, where these can run at all: whoever
//! waited for the whole wants the whole. The exit code is the truth, and no test run is no success.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::counts::{self, Counts};
use crate::phases::Phases;
use crate::process::{self, Ran};
use crate::stack::ports::Ports;
use crate::stack::state::State;
use crate::stack::{Plan, Stack};
use crate::workspace::Workspace;
use crate::{check, host_zip, setup, site};

/// The longest the tests may take once they are built.
const TESTS: Duration = Duration::from_secs(2700);

/// Options of `cargo xtask test`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The quick round: without the browser build and the tests in a browser.
    #[arg(long)]
    no_browser: bool,
    /// What takes long as well: tens of thousands of generated requests where it is hundreds else.
    #[arg(long)]
    long: bool,
    /// Only tests whose name contains this, in Rust and in the browser.
    filter: Option<String>,
}

/// Runs everything and prints the summary. An error if anything failed, or if no test was run where
/// some should have been.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut phases = Phases::default();
    let filter = options.filter.as_deref();
    check::all(workspace, &mut phases)?;
    let mut zips = None;
    let built = phases.step("build", || {
        workspace.build()?;
        zips = Some([host_zip::build(workspace, "api")?, host_zip::build(workspace, "rotation")?]);
        Ok(())
    })?;
    if built {
        phases.tests("unit and integration tests", || rust_tests(workspace, filter, options.long))?;
        phases.tests("documentation tests", || documentation_tests(workspace, filter))?;
    }
    if !options.no_browser {
        let mut built_site = None;
        phases.step("browser build", || {
            let site = site::build(workspace)?;
            println!("{site}");
            built_site = Some(site.folder);
            Ok(())
        })?;
        if let (Some(zips), Some(site)) = (zips, built_site) {
            phases.tests("tests in a browser", || browser_tests(workspace, &zips, &site, filter))?;
        }
    }
    let total = phases.total();
    if phases.verdict().is_ok() && total.executed() == 0 {
        phases.step("tests at all", || bail!("not one test was run"))?;
    }
    println!("\n{}\n{}", phases.table(), phases.total());
    phases.verdict()
}

/// cargo-nextest if it is there (quicker, and it ends tests that hang), else cargo test.
fn rust_tests(workspace: &Workspace, filter: Option<&str>, long: bool) -> Result<Counts> {
    let nextest = setup::program("cargo-nextest").is_some();
    let mut cargo = workspace.cargo();
    if nextest {
        // What to do about no tests is decided below, for both runners alike.
        cargo.args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast", "--no-tests=pass"]);
    } else {
        cargo.args(["test", "--workspace", "--locked", "--no-fail-fast", "--lib", "--bins", "--tests"]);
    }
    cargo.args(filter);
    if long {
        cargo.env("LOCKKEEPER_LONG", "1");
    }
    let ran = process::tee(&mut cargo, if long { 4 * TESTS } else { TESTS })?;
    let read = if nextest { counts::nextest(&ran.output) } else { counts::cargo_test(&ran.output) };
    // With a filter that matches nothing nextest prints no summary.
    let counts = judged(&ran, read.or(filter.map(|_| Counts::default())))?;
    ensure!(counts.executed() > 0 || filter.is_some(), "no test was run");
    Ok(counts)
}

/// The examples in documentation, which nextest does not run. There may be none.
fn documentation_tests(workspace: &Workspace, filter: Option<&str>) -> Result<Counts> {
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--workspace", "--locked", "--no-fail-fast", "--doc"]);
    if let Some(filter) = filter {
        cargo.args(["--", filter]);
    }
    let ran = process::tee(&mut cargo, TESTS)?;
    judged(&ran, counts::cargo_test(&ran.output))
}

/// The numbers, if they agree with the exit code: a runner that failed without a failed test broke
/// in some other way.
fn judged(ran: &Ran, counts: Option<Counts>) -> Result<Counts> {
    let Some(counts) = counts else { bail!("the tests could not be run ({})", ran.status) };
    if !ran.status.success() && counts.failed == 0 {
        bail!("{counts}, and yet the test runner failed ({})", ran.status);
    }
    Ok(counts)
}

/// Playwright against a stack of its own: state that begins empty, ports that are free.
fn browser_tests(
    workspace: &Workspace,
    [zip, rotation_zip]: &[PathBuf; 2],
    site: &Path,
    filter: Option<&str>,
) -> Result<Counts> {
    let end2end = workspace.root.join("end2end");
    setup::node_packages(&end2end, "the tests in a browser (`--no-browser` leaves them out)")?;
    let chromium = setup::chromium()?;
    let mut types = npx(&end2end, "tsc");
    process::run(types.arg("--noEmit")).context("the tests' own types")?;

    let state = State::open(&workspace.target.join("e2e"), true)?;
    let ports = Ports::free()?;
    let plan = Plan { state: &state, ports: &ports, zip, rotation_zip, site, traffic: true };
    let mut stack = Stack::start(workspace, &plan)?;
    let report = state.folder().join("report.json");
    let mut playwright = npx(&end2end, "playwright");
    playwright
        .args(["test", "--reporter=list,json"])
        .arg("--output")
        .arg(state.folder().join("test-results"))
        .envs(&stack.portal_environment)
        .env("PLAYWRIGHT_JSON_OUTPUT_NAME", &report)
        .env("LOCKKEEPER_CHROMIUM", chromium)
        .env("LOCKKEEPER_URL", &stack.portal_url)
        .env("LOCKKEEPER_BIN", stack.portal_binary())
        .env("LOCKKEEPER_CONTROL", &stack.world.control)
        .env("LOCKKEEPER_HTTP_API", &stack.world.http_api)
        .env("LOCKKEEPER_ZIP", zip)
        // Built with the tests in Rust, which went before.
        .env("LOCKKEEPER_MISBEHAVING", workspace.binary("examples/misbehaving"));
    if let Some(filter) = filter {
        playwright.args(["--grep", filter, "--pass-with-no-tests"]);
    }
    let ran = process::tee(&mut playwright, TESTS)?;
    stack.still_running()?;
    drop(stack);
    let text = std::fs::read_to_string(&report)
        .with_context(|| format!("Playwright left no report ({})", ran.status))?;
    let counts = judged(&ran, Some(counts::playwright(&text)?))?;
    ensure!(counts.executed() > 0 || filter.is_some(), "no test was run in the browser");
    Ok(counts)
}

/// A program that the packages of `end2end/` brought along.
fn npx(end2end: &Path, program: &str) -> Command {
    let path: PathBuf = end2end.join("node_modules/.bin").join(program);
    let mut command = Command::new(path);
    command.current_dir(end2end);
    command
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn numbers_and_exit_code_must_agree() {
        let ran = |code: i32| Ran { status: ExitStatus::from_raw(code << 8), output: String::new() };
        let passed = Counts { passed: 2, ..Counts::default() };
        let failed = Counts { passed: 1, failed: 1, skipped: 0 };
        assert_eq!(judged(&ran(0), Some(passed)).unwrap(), passed);
        assert_eq!(judged(&ran(100), Some(failed)).unwrap(), failed);
        assert!(judged(&ran(101), Some(passed)).is_err(), "crashed after the tests");
        assert!(judged(&ran(101), None).is_err(), "did not compile");
        assert!(judged(&ran(0), None).is_err(), "printed nothing that can be read");
    }
}
