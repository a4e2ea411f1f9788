//! What must be on the machine. Whatever can be installed without asking is; of the rest it is said
//! what is missing, what for, and how to get it.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::archive;
use crate::process;
use crate::workspace::Workspace;

/// The oldest Node.js that Playwright, the foreign clients and the function's peer run on.
const NODE: u64 = 20;

/// Makes sure that rustc can build for `target`.
pub fn rust_target(workspace: &Workspace, target: &str) -> Result<()> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let library = process::capture(
        Command::new(rustc)
            .args(["--print", "target-libdir", "--target", target])
            .current_dir(&workspace.root),
    )?;
    if Path::new(library.trim()).is_dir() {
        return Ok(());
    }
    ensure!(
        program("rustup").is_some(),
        "Rust's standard library for {target} is missing, and there is no rustup to fetch it: install it \
         the way this Rust was installed"
    );
    println!("    adding the Rust target {target}");
    process::run(Command::new("rustup").args(["target", "add", target]).current_dir(&workspace.root))
        .with_context(|| format!("cannot add the Rust target {target}: rustup fetches it from the internet"))
}

/// Finds a program on the PATH.
pub fn program(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| {
        fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    })
}

/// Finds one of `names` on the PATH, in this order, that is `usable`, or installs Debian's `packages`
/// for it where that needs no question: as root on a machine with apt-get. `purpose` goes into the
/// error.
pub fn program_or_packages(
    names: &[&str],
    packages: &[&str],
    usable: impl Fn(&Path) -> bool,
    purpose: &str,
) -> Result<PathBuf> {
    let find = || names.iter().copied().filter_map(program).find(|program| usable(program));
    if let Some(found) = find() {
        return Ok(found);
    }
    if nix::unistd::geteuid().is_root() && program("apt-get").is_some() {
        println!("    installing from Debian: {}", packages.join(", "));
        let apt = || {
            let mut apt = Command::new("apt-get");
            apt.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet");
            apt
        };
        process::run(apt().arg("update"))?;
        process::run(apt().args(["install", "--yes", "--no-install-recommends"]).args(packages))?;
    }
    find().with_context(|| {
        format!(
            "{purpose} needs {}: install it, for example as {} of Debian or Ubuntu",
            names.join(" or "),
            packages.join(" and ")
        )
    })
}

/// Makes sure of Node.js, npm and the packages of a folder, for `purpose`. The packages are installed
/// again only when their lock file changed.
pub fn node_packages(folder: &Path, purpose: &str) -> Result<()> {
    let needed = format!("{purpose} need Node.js {NODE} or newer and npm");
    ensure!(program("npm").is_some(), "{needed}");
    let version = process::capture(Command::new("node").arg("--version")).with_context(|| needed.clone())?;
    ensure!(node_is_new_enough(&version), "this is Node.js {}; {needed}", version.trim());

    let lock = archive::sha256(&folder.join("package-lock.json"))?;
    let stamp = folder.join("node_modules/.installed-from");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    process::run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(folder))
        .with_context(|| format!("cannot install the packages of {}", folder.display()))?;
    fs::write(&stamp, lock).context("cannot note what was installed")
}

/// A Chromium for the tests: the one `LOCKKEEPER_CHROMIUM` names, else one on the PATH, else
/// Debian's.
pub fn chromium() -> Result<PathBuf> {
    if let Some(named) = env::var_os("LOCKKEEPER_CHROMIUM") {
        let named = PathBuf::from(named);
        if !named.is_file() {
            bail!("LOCKKEEPER_CHROMIUM names {}, which is no file", named.display());
        }
        return Ok(named);
    }
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    program_or_packages(&names, &["chromium"], |_| true, "the tests in a browser")
        .context("set LOCKKEEPER_CHROMIUM to a Chromium, or leave these tests out with `--no-browser`")
}

fn node_is_new_enough(version: &str) -> bool {
    let major = version.trim().trim_start_matches('v').split('.').next();
    major.and_then(|major| major.parse::<u64>().ok()).is_some_and(|major| major >= NODE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions() {
        for (version, enough) in [("v20.20.2\n", true), ("v22.0.0", true), ("v18.19.1", false), ("", false)] {
            assert_eq!(node_is_new_enough(version), enough, "{version}");
        }
    }

    #[test]
    fn programs_are_found_on_the_path_only() {
        assert!(program("sh").is_some());
        assert!(program("no-such-program-anywhere").is_none());
    }
}
