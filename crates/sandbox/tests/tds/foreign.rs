//! Clients nobody here wrote: python-tds, pymssql (FreeTDS) and tedious. They are installed once,
//! with the versions written down in `tests/clients`, below the target directory. When that fails
//! the tests fail: a check that quietly does not happen is none. `LOCKKEEPER_NO_FOREIGN_CLIENTS=1`
//! skips them, and they say so.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{PASSWORD, Running};

/// How long an installation and a client's checks may take.
const INSTALLED_WITHIN: Duration = Duration::from_secs(600);
const CHECKED_WITHIN: Duration = Duration::from_secs(120);

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

fn tools() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("tools")
}

fn skipped(client: &str) -> bool {
    let skip = std::env::var_os("LOCKKEEPER_NO_FOREIGN_CLIENTS").is_some_and(|value| value == "1");
    if skip {
        println!(
            "SKIPPED by LOCKKEEPER_NO_FOREIGN_CLIENTS: {client} was not run against the local TDS server"
        );
    }
    skip
}

/// Installs into a folder, once for every content of the files that say what: others who want the
/// same wait meanwhile.
fn once(folder: &Path, says: &[PathBuf], install: impl FnOnce(&Path)) {
    fs::create_dir_all(tools()).unwrap();
    let lock = File::create(folder.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let wanted: String = says.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let stamp = folder.join("installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return;
    }
    if folder.exists() {
        fs::remove_dir_all(folder).unwrap();
    }
    install(folder);
    // Written last: what was installed in part is installed again.
    fs::write(stamp, wanted).unwrap();
}

/// A Python with the clients of `requirements.txt`.
fn python() -> PathBuf {
    let folder = tools().join("python");
    let says = clients().join("requirements.txt");
    once(&folder, std::slice::from_ref(&says), |folder| {
        must(Command::new("python3").args(["-m", "venv"]).arg(folder), INSTALLED_WITHIN);
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(&says);
        must(&mut pip, INSTALLED_WITHIN);
    });
    folder.join("bin/python")
}

/// A folder of node modules with the clients of `package-lock.json`.
fn node_modules() -> PathBuf {
    let folder = tools().join("node");
    let says = ["package.json", "package-lock.json"].map(|file| clients().join(file));
    once(&folder, &says, |folder| {
        fs::create_dir_all(folder).unwrap();
        for file in &says {
            fs::copy(file, folder.join(file.file_name().unwrap())).unwrap();
        }
        let mut npm = Command::new("npm");
        npm.current_dir(folder).args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
        must(&mut npm, INSTALLED_WITHIN);
    });
    folder.join("node_modules")
}

/// Runs a program that must succeed in time, and gives what it said.
fn must(command: &mut Command, within: Duration) -> String {
    let shown = format!("{command:?}");
    // Into a file: a pipe that nobody empties would hold the program up.
    let said = tempfile::NamedTempFile::new().unwrap();
    let file = said.as_file();
    command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file.try_clone().unwrap());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{shown}: {error}"));
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if start.elapsed() > within {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let said = fs::read_to_string(said.path()).unwrap();
    let status = status.unwrap_or_else(|| panic!("{shown} takes longer than {within:?}\n{said}"));
    assert!(status.success(), "{shown}: {status}\n{said}");
    said
}

/// Runs a client's checks, and sees that they came to their end.
async fn check(mut command: Command) {
    let said = tokio::task::spawn_blocking(move || must(&mut command, CHECKED_WITHIN)).await.unwrap();
    assert!(said.contains("all as it should be"), "{said}");
}

fn authority(running: &Running) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), running.server.ca_pem()).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn python_tds() {
    if skipped("python-tds") {
        return;
    }
    let running = Running::start().await;
    let authority = authority(&running);
    let mut command = Command::new(tokio::task::spawn_blocking(python).await.unwrap());
    command
        .arg(clients().join("tds_pytds.py"))
        .arg(running.port.to_string())
        .arg(authority.path())
        .arg(PASSWORD);
    check(command).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pymssql() {
    if skipped("pymssql") {
        return;
    }
    let running = Running::start().await;
    let mut command = Command::new(tokio::task::spawn_blocking(python).await.unwrap());
    command.arg(clients().join("tds_pymssql.py")).arg(running.port.to_string()).arg(PASSWORD);
    check(command).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tedious() {
    if skipped("tedious") {
        return;
    }
    let running = Running::start().await;
    let authority = authority(&running);
    let modules = tokio::task::spawn_blocking(node_modules).await.unwrap();
    let mut command = Command::new("node");
    command
        .arg(clients().join("tds_tedious.js"))
        .arg(running.port.to_string())
        .arg(authority.path())
        .arg(PASSWORD);
    // In strict mode tedious looks at the machine's authorities only.
    command.env("NODE_PATH", modules).env("NODE_EXTRA_CA_CERTS", authority.path());
    check(command).await;
}
