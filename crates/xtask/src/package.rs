//! The functions as AWS takes them: `lambda/<architecture>/api.zip` and `rotation.zip` under the target
//! directory, and `lambda/api.zip` and `lambda/rotation.zip`, which are the arm64 ones.
//!
//! Static programs (musl), so that they depend on no version of a C library, and the same to the
//! byte for the same sources, so that a SHA-256 tells whether a function runs what is in the
//! repository: no path of this machine is in them, the compiler and all dependencies are pinned, and
//! the zip holds nothing that changes (see [`crate::archive`]).

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::archive::{self, Effort, megabytes};
use crate::elf::{self, Architecture};
use crate::phases::seconds;
use crate::workspace::{self, Workspace};
use crate::{process, setup};

/// The profile of the root `Cargo.toml` that functions are built with.
pub const PROFILE: &str = "lambda";
/// The functions: the names of their programs.
const FUNCTIONS: [&str; 2] = ["api", "rotation"];

/// Options of `cargo xtask package`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Only for this architecture; both if not given.
    #[arg(long, value_enum)]
    architecture: Option<Architecture>,
}

/// Builds and checks the packages, and prints their sizes and hashes.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let wanted = match options.architecture {
        Some(one) => vec![one],
        None => vec![Architecture::Arm64, Architecture::X86_64],
    };
    let folder = workspace.target.join("lambda");
    for architecture in wanted {
        build(workspace, architecture)?;
        for name in FUNCTIONS {
            pack(workspace, &folder, architecture, name)?;
        }
    }
    Ok(())
}

/// Checks a built function, zips it and prints its size and hash.
fn pack(workspace: &Workspace, folder: &Path, architecture: Architecture, name: &str) -> Result<()> {
    println!("\n==> {name} for {}", architecture.name());
    let program = program(workspace, architecture, name);
    let content = fs::read(&program).with_context(|| format!("the build left no {}", program.display()))?;
    elf::check_static(&content, architecture).with_context(|| format!("{}", program.display()))?;
    let file = format!("{name}.zip");
    let zip = folder.join(architecture.name()).join(&file);
    let package = archive::write(&program, &zip, Effort::Small)?;
    println!("    {}", workspace::short(workspace, &zip));
    println!("    {:.2} MB, {:.2} MB unpacked", megabytes(package.zipped), megabytes(package.unpacked));
    println!("    sha256 {}", package.sha256);
    if architecture == Architecture::Arm64 {
        let default = folder.join(&file);
        fs::copy(&zip, &default)?;
        println!("    also as {}", workspace::short(workspace, &default));
    }
    Ok(())
}

/// Builds the functions for Lambda, one command for both: they share all their dependencies.
pub fn build(workspace: &Workspace, architecture: Architecture) -> Result<()> {
    println!("\n==> functions for {}", architecture.name());
    let began = Instant::now();
    let target = triple(architecture);
    setup::rust_target(workspace, target)?;
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--locked", "--package=api-function"]);
    cargo.args(FUNCTIONS.map(|name| format!("--bin={name}")));
    cargo.args(["--profile", PROFILE, "--target", target]);
    let cargo_home = cargo_home()?;
    cargo.env("CARGO_ENCODED_RUSTFLAGS", rust_flags(&workspace.root, &cargo_home));
    let underscored = target.replace('-', "_");
    cargo.env(format!("CC_{underscored}"), c_compiler(architecture)?);
    cargo.env(format!("CFLAGS_{underscored}"), C_FLAGS);
    process::run(&mut cargo)?;
    println!("    in {}", seconds(began.elapsed()));
    Ok(())
}

/// Where a built function is.
pub fn program(workspace: &Workspace, architecture: Architecture, name: &str) -> PathBuf {
    workspace.target.join(triple(architecture)).join(PROFILE).join(name)
}

fn triple(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Arm64 => "aarch64-unknown-linux-musl",
        Architecture::X86_64 => "x86_64-unknown-linux-musl",
    }
}

/// Some distributions' compilers turn on checks that call functions only glibc has.
const C_FLAGS: &str = "-U_FORTIFY_SOURCE -fno-asynchronous-unwind-tables -fno-unwind-tables";

/// What makes the program smaller, and so quicker to load, at no cost:
/// - no tables for unwinding, as a panic ends the process (a backtrace ends early);
/// - relocations in the packed form (RELR, which the C library that comes with Rust reads since 1.2.4);
/// - functions that came out the same kept once, where nobody compares their addresses.
const SMALL: [&str; 3] =
    ["-Cforce-unwind-tables=no", "-Clink-arg=--pack-dyn-relocs=relr", "-Clink-arg=--icf=safe"];

/// Replaces the two folders that differ from machine to machine wherever the compiler would write
/// them down: panic messages and `file!()`.
fn rust_flags(root: &Path, cargo_home: &Path) -> String {
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    // Cargo's form for flags that may hold spaces: separated by the ASCII unit separator.
    let mut flags = vec![remap(cargo_home, "/cargo"), remap(root, "/lockkeeper")];
    flags.extend(SMALL.map(str::to_owned));
    flags.join("\u{1f}")
}

fn cargo_home() -> Result<PathBuf> {
    let default = || env::home_dir().map(|home| home.join(".cargo"));
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(default)
        .context("neither CARGO_HOME nor HOME is set")
}

/// A C compiler for the parts of the cryptography that are C and assembly. Rust brings the C
/// library and the linker; only the compiler itself comes from the machine, so that one meant for
/// glibc will do.
fn c_compiler(architecture: Architecture) -> Result<PathBuf> {
    let (names, packages): (&[&str], &[&str]) = match (architecture, env::consts::ARCH) {
        (Architecture::Arm64, "aarch64") | (Architecture::X86_64, "x86_64") => {
            (&["musl-gcc", "gcc", "clang"], &["musl-tools"])
        }
        (Architecture::Arm64, _) => {
            let packages = &["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"];
            (&["aarch64-linux-musl-gcc", "aarch64-linux-gnu-gcc"], packages)
        }
        (Architecture::X86_64, _) => {
            let packages = &["gcc-x86-64-linux-gnu", "libc6-dev-amd64-cross"];
            (&["x86_64-linux-musl-gcc", "x86_64-linux-gnu-gcc"], packages)
        }
    };
    let purpose = format!("the {} package", architecture.name());
    setup::program_or_packages(names, packages, has_headers, &purpose)
}

/// Whether a compiler finds the C library's headers. Debian's compilers for other architectures come
/// without, unless what they recommend is installed too, and then find the machine's own.
fn has_headers(compiler: &Path) -> bool {
    let mut probe = Command::new(compiler);
    probe.args(["-E", "-include", "stdlib.h", "-x", "c", "/dev/null"]);
    process::capture(&mut probe).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_folders_are_remapped_and_may_hold_spaces() {
        let flags = rust_flags(Path::new("/my work/lockkeeper"), Path::new("/me/.cargo"));
        let flags: Vec<&str> = flags.split('\u{1f}').collect();
        assert_eq!(
            flags[..2],
            ["--remap-path-prefix=/me/.cargo=/cargo", "--remap-path-prefix=/my work/lockkeeper=/lockkeeper"]
        );
    }
}
