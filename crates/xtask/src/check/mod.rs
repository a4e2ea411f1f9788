//! What can be told without running anything: format, lints, the arrows between the crates, the
//! dependencies, and the files as git has them.

mod dependencies;
mod files;
mod layering;

use anyhow::{Result, bail};

use crate::metadata::Metadata;
use crate::phases::Phases;
use crate::workspace::{WASM, Workspace};
use crate::{process, setup};

/// All checks on their own, with a table at the end.
pub fn run(workspace: &Workspace) -> Result<()> {
    let mut phases = Phases::default();
    all(workspace, &mut phases)?;
    println!("\n{}", phases.table());
    phases.verdict()
}

/// All checks, the quick ones first. A check that fails does not keep the others from being made.
pub fn all(workspace: &Workspace, phases: &mut Phases) -> Result<()> {
    phases.step("format", || process::run(workspace.cargo().args(["fmt", "--all", "--check"])))?;
    phases.step("files", || files::check(workspace))?;
    let mut metadata = None;
    phases.step("lock file", || {
        metadata = Some(Metadata::load(workspace)?);
        Ok(())
    })?;
    if let Some(metadata) = &metadata {
        phases.step("layering", || problems("layering", layering::violations(metadata)))?;
        phases.step("dependencies", || problems("dependencies", dependencies::problems(metadata)))?;
    }
    if let Some(mut deny) = cargo_deny(workspace) {
        phases.step("cargo-deny", || process::run(&mut deny))?;
    }
    phases.step("lints", || {
        process::run(workspace.cargo().args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ]))
    })?;
    phases.step("lints, browser", || {
        setup::rust_target(workspace, WASM)?;
        process::run(workspace.cargo().args([
            "clippy",
            "--package=lockkeeper",
            "--lib",
            "--no-default-features",
            "--features=hydrate",
            "--locked",
            "--target",
            WASM,
            "--",
            "-D",
            "warnings",
        ]))
    })?;
    Ok(())
}

/// cargo-deny on `deny.toml`, if somebody installed it. Without its advisories: their database comes
/// from the internet. What must hold everywhere is checked in [`dependencies`].
fn cargo_deny(workspace: &Workspace) -> Option<std::process::Command> {
    let own = workspace.target.join("tools/bin/cargo-deny");
    let program = if own.is_file() { own } else { setup::program("cargo-deny")? };
    let mut deny = std::process::Command::new(program);
    deny.current_dir(&workspace.root).args(["--all-features", "check", "bans", "licenses", "sources"]);
    Some(deny)
}

fn problems(what: &str, found: Vec<String>) -> Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    for problem in &found {
        eprintln!("  - {problem}");
    }
    match found.len() {
        1 => bail!("1 problem with {what}"),
        many => bail!("{many} problems with {what}"),
    }
}
