//! The demo world for tests: a sandbox on free ports with the real function binary in it.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::expect_used)]

mod python;
pub mod zips;

use std::path::{Path, PathBuf};

use sandbox::sandbox::Ports;
use sandbox::{Config, Sandbox, demo};
use tempfile::TempDir;

pub struct World {
    pub sandbox: Sandbox,
    pub demo: demo::World,
    pub folder: TempDir,
}

impl World {
    /// Builds the demo world on free ports, with all state in a folder that goes with it.
    pub async fn build() -> Self {
        Self::build_in(tempfile::tempdir().expect("a folder")).await
    }

    /// The same in a folder that may hold an earlier one's state, on other ports.
    pub async fn build_in(folder: TempDir) -> Self {
        Self::build_with(folder, false).await
    }

    /// The same with the rotation function too.
    pub async fn build_rotating() -> Self {
        Self::build_with(tempfile::tempdir().expect("a folder"), true).await
    }

    /// The same in a folder that may hold an earlier one's state, with the rotation function or
    /// without.
    pub async fn build_with(folder: TempDir, rotating: bool) -> Self {
        let zip = folder.path().join("api.zip");
        package(&function_binary(), &zip);
        let rotation_zip = rotating.then(|| folder.path().join("rotation.zip"));
        if let Some(zip) = &rotation_zip {
            package(&binary("rotation"), zip);
        }
        let config = Config { ports: Ports::ANY, ..Config::new(folder.path().join("state")) };
        let sandbox = Sandbox::start(config).await.expect("the sandbox starts");
        let migrations = workspace().join("api-function/migrations");
        let parts = demo::Parts { zip, migrations, rotation_zip };
        let demo = demo::build(&sandbox, &parts).await.expect("the demo world is built");
        Self { sandbox, demo, folder }
    }
}

/// Packages a function, unless an earlier world in the folder has: it takes seconds.
fn package(binary: &Path, zip: &Path) {
    if !zip.exists() {
        demo::package(binary, zip).expect("the function is packaged");
    }
}

/// The workspace's root.
pub fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package.ancestors().find(|folder| folder.join("Cargo.lock").exists());
    root.expect("the workspace's lock file").to_owned()
}

/// The real function, which `cargo test --workspace` and nextest build beside the tests.
pub fn function_binary() -> PathBuf {
    binary("api")
}

fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test's own path");
    let folder = test.parent().and_then(Path::parent).expect("the profile's folder");
    let binary = folder.join(name);
    assert!(binary.exists(), "{} is not built: run the tests with --workspace", binary.display());
    binary
}

/// A payload 2.0 event.
pub fn event(method: &str, path: &str) -> String {
    serde_json::json!({
        "version": "2.0", "routeKey": format!("{method} {path}"), "rawPath": path, "rawQueryString": "",
        "headers": { "host": "test" },
        "requestContext": {
            "accountId": "123456789012", "apiId": "test", "domainName": "test", "domainPrefix": "test",
            "requestId": "test", "routeKey": format!("{method} {path}"), "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 1_767_225_600_000_i64,
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "test" },
        },
        "isBase64Encoded": false,
    })
    .to_string()
}

/// Whether the tests that drive clients from PyPI run.
pub fn foreign_clients() -> bool {
    python::foreign_clients()
}

/// A program out of the packages that `tests/clients/aws-cli.txt` names.
pub fn python_tool(name: &str) -> PathBuf {
    python::tool(&workspace().join("crates/sandbox/tests/clients/aws-cli.txt"), name)
}
