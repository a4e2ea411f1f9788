//! Programs from PyPI that tests drive, each in a virtual environment of its own.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether the tests that drive clients from PyPI run. They do, and fail where such a client can't
/// be had, unless `LOCKKEEPER_NO_FOREIGN_CLIENTS=1` says that this machine is to do without.
pub fn foreign_clients() -> bool {
    let without = std::env::var("LOCKKEEPER_NO_FOREIGN_CLIENTS").is_ok_and(|value| value == "1");
    if without {
        eprintln!("SKIPPED: LOCKKEEPER_NO_FOREIGN_CLIENTS=1");
    }
    !without
}

/// A program out of the packages that the file `list` names, installed once per target folder. A
/// marker holding the list is written last, so an installation that was cut, or is of an older list, is
/// made anew.
pub fn tool(list: &Path, name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test's own path");
    // target/debug/deps/test -> target
    let tools = test.ancestors().nth(3).expect("the target folder").join("tools");
    let stem = list.file_stem().expect("the list is a file");
    let venv = tools.join(stem);
    std::fs::create_dir_all(&tools).expect("the tools' folder");
    let lock = std::fs::File::create(venv.with_extension("lock")).expect("the lock file");
    lock.lock().expect("the lock");
    let wanted = std::fs::read_to_string(list).expect("the list of packages");
    let marker = venv.join("installed.txt");
    if std::fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        return venv.join("bin").join(name);
    }
    if venv.exists() {
        std::fs::remove_dir_all(&venv).expect("the old environment goes");
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
    let mut pip = Command::new(venv.join("bin/pip"));
    run(pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(list));
    std::fs::write(&marker, wanted).expect("the marker");
    venv.join("bin").join(name)
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        status.success(),
        "{command:?}: {status}. Set LOCKKEEPER_NO_FOREIGN_CLIENTS=1 to do without clients from PyPI."
    );
}
