//! Where things are: the root of the repository and the target directory, as cargo tells them.
//!
//! Everything that is built goes under cargo's own target directory, wherever `CARGO_TARGET_DIR`
//! puts it; nothing here assumes that it is `target/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::process;

/// The targets this workspace is ever built for, apart from the host itself.
pub const WASM: &str = "wasm32-unknown-unknown";

/// The repository and the directory that cargo builds into.
#[derive(Debug)]
pub struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub root: PathBuf,
    /// Cargo's target directory, shared by everything xtask writes.
    pub target: PathBuf,
}

#[derive(Deserialize)]
struct Located {
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

impl Workspace {
    /// Asks cargo. Fails if the manifest cannot be read.
    pub fn load() -> Result<Self> {
        let mut ask = cargo_at(Path::new(env!("CARGO_MANIFEST_DIR")));
        ask.args(["metadata", "--no-deps", "--format-version", "1"]);
        let located: Located = serde_json::from_str(&process::capture(&mut ask)?)
            .context("cannot read what `cargo metadata` printed")?;
        Ok(Self { root: located.workspace_root, target: located.target_directory })
    }

    /// A cargo command that runs at the root.
    pub fn cargo(&self) -> Command {
        cargo_at(&self.root)
    }

    /// A binary of the dev profile, built by [`Workspace::build`].
    pub fn binary(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    /// Builds every crate with the dev profile. One command for the whole workspace: cargo unifies
    /// the features of shared dependencies over what it is asked to build, so that building crates
    /// one by one would build most dependencies several times.
    pub fn build(&self) -> Result<()> {
        process::run(self.cargo().args(["build", "--workspace"]))?;
        for name in ["lockkeeper", "lockkeeper-sandbox", "api", "rotation"] {
            let binary = self.binary(name);
            ensure!(binary.is_file(), "the build left no {}", binary.display());
        }
        Ok(())
    }
}

/// Cargo without the variables with which the outer cargo described xtask itself: build scripts
/// that look at them would run again for every difference.
fn cargo_at(folder: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(folder);
    for (name, _) in std::env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        let about_xtask = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
        if about_xtask.iter().any(|prefix| text.starts_with(prefix)) || text == "CARGO_PRIMARY_PACKAGE" {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// A path as a person at the root would write it.
pub fn short(workspace: &Workspace, path: &Path) -> String {
    path.strip_prefix(&workspace.root).unwrap_or(path).display().to_string()
}
