//! The sandbox and the portal as two child processes: started in order, waited for, watched, and
//! stopped together.
//!
//! Both are told everything by arguments and environment, as they would be anywhere else. The
//! variables of whoever runs xtask that begin with `AWS_` are taken away first: a portal started
//! here can only ever reach the sandbox, never somebody's account.

pub mod ports;
mod service;
pub mod state;

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::process::{self, Orphanage};
use crate::workspace::Workspace;
use ports::Ports;
use service::Service;
use state::State;

/// How long a program may take until it is ready: the sandbox builds a whole demo world at a first
/// start, the portal opens a database.
const READY: Duration = Duration::from_secs(120);

/// The account that sign-in links are for.
pub const ADMIN: &str = "admin@localhost";

/// Any access key will do for the sandbox.
const ACCESS_KEY: &str = "sandbox";

/// What the sandbox writes when everything in it is up.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// The address of the AWS endpoint, what `AWS_ENDPOINT_URL` names.
    pub aws_endpoint: String,
    /// The region everything is in.
    pub region: String,
    /// The address of the HTTP API's `$default` stage.
    pub http_api: String,
    /// The id of the HTTP API.
    pub api_id: String,
    /// The stage that is served.
    pub stage: String,
    /// The address of the local TDS server, `host:port`.
    pub tds: String,
    /// The address of the control port.
    pub control: String,
    /// The address of the token issuer.
    pub issuer: String,
    /// The certificate of the sandbox's own CA.
    pub ca_file: PathBuf,
    /// The name of the function behind the API.
    pub function: String,
    /// The alias that the API's integration names.
    pub alias: String,
    /// The name of the secret with the database's credentials.
    pub secret_id: String,
}

/// What to start.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Where state and logs go.
    pub state: &'a State,
    /// Where to listen.
    pub ports: &'a Ports,
    /// The function package of the demo world.
    pub zip: &'a Path,
    /// The package of its rotation function.
    pub rotation_zip: &'a Path,
    /// The built browser part.
    pub site: &'a Path,
    /// Whether the sandbox sends requests of its own.
    pub traffic: bool,
}

/// Sandbox and portal, running. Dropping it stops both.
///
/// Fields are dropped in this order: the portal goes first, because it uses the sandbox while it
/// finishes its requests, and what either left behind last.
#[derive(Debug)]
pub struct Stack {
    portal: Service,
    sandbox: Service,
    _orphanage: Orphanage,
    portal_binary: PathBuf,
    /// What the sandbox says about itself.
    pub world: World,
    /// The portal's address for a browser.
    pub portal_url: String,
    /// The environment of the portal, for its `admin` commands.
    pub portal_environment: BTreeMap<String, String>,
}

impl Stack {
    /// Starts the sandbox, waits until its demo world stands, starts the portal and waits until it
    /// answers. If either fails, what was started is stopped again and the error shows the end of
    /// its log.
    pub fn start(workspace: &Workspace, plan: &Plan<'_>) -> Result<Self> {
        let orphanage = Orphanage::open();
        let ready_file = plan.state.folder().join("ready.json");
        match fs::remove_file(&ready_file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let mut command = sandbox_command(workspace, plan, &ready_file);
        let mut sandbox = Service::start("sandbox", &mut command, &plan.state.log("sandbox"))?;
        let world = wait_until_ready(&mut sandbox, || {
            // A half-written file does not parse, and is read again.
            fs::read(&ready_file).ok().and_then(|text| serde_json::from_slice::<World>(&text).ok())
        })
        .with_context(|| match fs::read_to_string(&ready_file) {
            Ok(text) => format!("this is what the sandbox reported, and it cannot be read: {text}"),
            Err(_) => "the sandbox did not come up".to_owned(),
        })?;

        let environment = portal_environment(plan, &world);
        let portal_binary = workspace.binary("lockkeeper");
        let mut command = portal_command(&portal_binary, &environment);
        let mut portal = Service::start("portal", command.arg("serve"), &plan.state.log("portal"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, plan.ports.portal));
        wait_until_ready(&mut portal, || answers(address, "/readyz").then_some(()))
            .context("the portal did not come up")?;
        Ok(Self {
            portal,
            sandbox,
            _orphanage: orphanage,
            portal_binary,
            world,
            portal_url: plan.ports.portal_url(),
            portal_environment: environment,
        })
    }

    /// The portal's program.
    pub fn portal_binary(&self) -> &Path {
        &self.portal_binary
    }

    /// A link that signs an administrator in, once. Creates the administrator at the first call.
    pub fn sign_in_link(&self) -> Result<String> {
        let mut admin = portal_command(&self.portal_binary, &self.portal_environment);
        admin.args(["admin", "link", "--email", ADMIN, "--create"]);
        let printed = process::capture(&mut admin)?;
        let link = printed.lines().map(str::trim).find(|line| line.starts_with("http"));
        Ok(link.with_context(|| format!("no link in what the portal printed: {printed:?}"))?.to_owned())
    }

    /// Waits until xtask is told to stop (fine) or one of the two ends by itself (an error that
    /// shows the end of its log). Meanwhile does `between` ten times a second.
    pub fn watch(&mut self, mut between: impl FnMut(&Self)) -> Result<()> {
        while !process::interrupted() {
            self.still_running()?;
            between(self);
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// An error if one of the two is no longer running.
    pub fn still_running(&mut self) -> Result<()> {
        self.sandbox.still_running()?;
        self.portal.still_running()
    }
}

fn sandbox_command(workspace: &Workspace, plan: &Plan<'_>, ready_file: &Path) -> Command {
    let mut command = Command::new(workspace.binary("lockkeeper-sandbox"));
    command.arg("--state").arg(plan.state.folder().join("sandbox"));
    for (flag, port) in [
        ("--aws-port", plan.ports.aws),
        ("--http-port", plan.ports.http),
        ("--tds-port", plan.ports.sql),
        ("--control-port", plan.ports.control),
    ] {
        command.args([flag, &port.to_string()]);
    }
    command.arg("--demo-zip").arg(plan.zip).arg("--demo-rotation-zip").arg(plan.rotation_zip);
    command.arg("--demo-migrations").arg(workspace.root.join("api-function/migrations"));
    command.arg("--ready-file").arg(ready_file);
    if !plan.traffic {
        command.arg("--no-traffic");
    }
    away_from_aws(&mut command);
    command
}

fn portal_command(binary: &Path, environment: &BTreeMap<String, String>) -> Command {
    let mut command = Command::new(binary);
    away_from_aws(&mut command);
    command.envs(environment);
    command
}

fn portal_environment(plan: &Plan<'_>, world: &World) -> BTreeMap<String, String> {
    let database = plan.state.database();
    let variables = [
        ("LOCKKEEPER_ADDRESS", format!("{}:{}", Ipv4Addr::LOCALHOST, plan.ports.portal)),
        ("LOCKKEEPER_PUBLIC_URL", plan.ports.portal_url()),
        ("LOCKKEEPER_DATABASE", database.display().to_string()),
        ("LOCKKEEPER_SITE", plan.site.display().to_string()),
        ("LOCKKEEPER_API_ID", world.api_id.clone()),
        ("LOCKKEEPER_API_STAGE", world.stage.clone()),
        ("LOCKKEEPER_FUNCTION", world.function.clone()),
        ("LOCKKEEPER_ALIAS", world.alias.clone()),
        ("LOCKKEEPER_SECRET_ID", world.secret_id.clone()),
        ("LOCKKEEPER_STATUS_URL", format!("{}/status", world.http_api.trim_end_matches('/'))),
        ("LOCKKEEPER_SANDBOX", "1".to_owned()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    variables.into_iter().chain(aws_environment(world)).collect()
}

/// What points a program that uses AWS, the aws CLI for one, at the sandbox.
///
/// The region under both of its names: the SDKs and the CLI's second version read the first, its first
/// version only the other.
pub fn aws_environment(world: &World) -> [(String, String); 5] {
    [
        ("AWS_ENDPOINT_URL", world.aws_endpoint.as_str()),
        ("AWS_REGION", world.region.as_str()),
        ("AWS_DEFAULT_REGION", world.region.as_str()),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", ACCESS_KEY),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
}

fn away_from_aws(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
    }
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    // A proxy of the machine's has no business between two programs on it.
    command.env("NO_PROXY", "localhost,127.0.0.1").env("no_proxy", "localhost,127.0.0.1");
}

fn wait_until_ready<T>(service: &mut Service, mut ready: impl FnMut() -> Option<T>) -> Result<T> {
    let began = Instant::now();
    let mut told = Duration::ZERO;
    loop {
        service.still_running()?;
        if let Some(ready) = ready() {
            println!("    {} is ready after {}", service.name(), crate::phases::seconds(began.elapsed()));
            return Ok(ready);
        }
        if process::interrupted() {
            bail!("interrupted");
        }
        if began.elapsed() > READY {
            bail!("not ready after {} s{}", READY.as_secs(), service.last_words());
        }
        if began.elapsed() - told >= Duration::from_secs(5) {
            told = began.elapsed();
            println!("    waiting for the {} ({} s)", service.name(), told.as_secs());
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Whether `GET path` is answered with 200 within a second.
fn answers(address: SocketAddr, path: &str) -> bool {
    use std::io::{Read, Write};
    let second = Duration::from_secs(1);
    let ask = || -> std::io::Result<bool> {
        let mut stream = std::net::TcpStream::connect_timeout(&address, second)?;
        stream.set_read_timeout(Some(second))?;
        stream.set_write_timeout(Some(second))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut status = [0_u8; 12];
        stream.read_exact(&mut status)?;
        Ok(status.starts_with(b"HTTP/1.") && status.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn world() -> World {
        serde_json::from_str(
            r#"{"aws_endpoint": "http://127.0.0.1:4566", "region": "eu-west-1",
                "http_api": "http://127.0.0.1:4580", "api_id": "abc", "stage": "$default", "alias": "live", "tds": "127.0.0.1:14330",
                "control": "http://127.0.0.1:4599", "issuer": "http://127.0.0.1:4599/_issuer", "ca_file": "/state/ca.pem",
                "function": "learninghub-api-handler", "secret_id": "learninghub/sqlserver"}"#,
        )
        .unwrap()
    }

    fn plan<'a>(state: &'a State, ports: &'a Ports, traffic: bool) -> Plan<'a> {
        let [zip, rotation_zip, site] = ["z", "r", "s"].map(Path::new);
        Plan { state, ports, zip, rotation_zip, site, traffic }
    }

    #[test]
    fn the_portal_is_told_of_the_sandbox_only() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(&folder.path().join("state"), false).unwrap();
        let ports = Ports { portal: 3999, aws: 1, http: 2, sql: 3, control: 4 };
        let plan = plan(&state, &ports, true);
        let environment = portal_environment(&plan, &world());
        let at = |name: &str| environment.get(name).map(String::as_str);
        assert_eq!(at("LOCKKEEPER_STATUS_URL"), Some("http://127.0.0.1:4580/status"));
        assert_eq!(at("LOCKKEEPER_PUBLIC_URL"), Some("http://localhost:3999"));
        assert_eq!(at("AWS_ENDPOINT_URL"), Some("http://127.0.0.1:4566"));
        assert_eq!(at("AWS_REGION"), Some("eu-west-1"));
    }

    /// A stand-in for both programs: shell scripts that keep to the two command lines. The fake
    /// sandbox leaves a child in a session of its own, as an execution environment is one.
    fn fake_workspace(folder: &Path) -> Workspace {
        let sandbox = r#"
            while [ $# -gt 0 ]; do
                case "$1" in --ready-file) ready=$2;; --state) state=$2;; esac
                shift
            done
            mkdir -p "$state"
            setsid sh -c 'echo $$ > "$0/environment"; exec sleep 60' "$state" &
            while [ ! -s "$state/environment" ]; do sleep 0.01; done
            printf '{"aws_endpoint": "http://127.0.0.1:1", "region": "eu-west-1",' > "$ready"
            sleep 0.1
            printf '"http_api": "http://127.0.0.1:2", "api_id": "abc", "stage": "$default", "alias": "live", "tds": "127.0.0.1:3", "control": "c", "issuer": "i",
                "ca_file": "ca.pem", "function": "f", "secret_id": "s"}' >> "$ready"
            trap '' TERM
            while :; do sleep 0.1; done"#;
        let portal = r#"
            case "$1" in
                admin) echo "$LOCKKEEPER_PUBLIC_URL/sign-in/link/$AWS_ENDPOINT_URL/$LOCKKEEPER_API_ID";;
                serve)
                    while [ ! -e "$LOCKKEEPER_DATABASE.full" ]; do sleep 0.01; done
                    echo "no room at the inn"
                    exit 3;;
            esac"#;
        let workspace = Workspace { root: folder.to_path_buf(), target: folder.join("target") };
        fs::create_dir_all(folder.join("target/debug")).unwrap();
        for (name, script) in [("lockkeeper-sandbox", sandbox), ("lockkeeper", portal)] {
            use std::os::unix::fs::PermissionsExt;
            let program = workspace.binary(name);
            fs::write(&program, format!("#!/bin/sh{script}\n")).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        workspace
    }

    /// Answers every request for one path until it is dropped. Patient, because on a busy machine a
    /// client may give up and come again, and a port that was free a moment ago may be somebody else's
    /// target: what is no such request is passed over.
    struct Answering {
        address: SocketAddr,
        stop: Arc<AtomicBool>,
        thread: Option<thread::JoinHandle<()>>,
    }

    impl Answering {
        fn start(path: &'static str, status: &'static str) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            listener.set_nonblocking(true).unwrap();
            let stop = Arc::new(AtomicBool::new(false));
            let stopped = Arc::clone(&stop);
            let thread = thread::spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    match listener.accept() {
                        Ok((stream, _)) => drop(answer(&stream, path, status)),
                        Err(_) => thread::sleep(Duration::from_millis(5)),
                    }
                }
            });
            Self { address, stop, thread: Some(thread) }
        }
    }

    impl Drop for Answering {
        fn drop(&mut self) {
            self.stop.store(true, Ordering::Relaxed);
            self.thread.take().unwrap().join().unwrap();
        }
    }

    /// Reads all of the request before it answers: closing a socket with bytes unread resets the
    /// connection, and the answer may be lost with it.
    fn answer(mut stream: &TcpStream, path: &str, status: &str) -> std::io::Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut lines = BufReader::new(stream).lines();
        let first = lines.next().transpose()?.unwrap_or_default();
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        if first == format!("GET {path} HTTP/1.1") {
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n")?;
        }
        Ok(())
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn both_start_a_death_is_told_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = fake_workspace(folder.path());
        let state = State::open(&folder.path().join("state"), false).unwrap();
        let portal = Answering::start("/readyz", "200 OK");
        let ports = Ports { portal: portal.address.port(), ..Ports::free().unwrap() };

        let plan = plan(&state, &ports, false);
        let mut stack = Stack::start(&workspace, &plan).unwrap();
        assert_eq!(
            stack.sign_in_link().unwrap(),
            format!("http://localhost:{}/sign-in/link/http://127.0.0.1:1/abc", ports.portal)
        );
        fs::write(state.folder().join("portal.db.full"), "").unwrap();
        let death = stack.watch(|_| {}).unwrap_err().to_string();
        assert!(death.contains("the portal ended by itself (exit status: 3)"), "{death}");
        assert!(death.ends_with("| no room at the inn"), "{death}");

        let environment = fs::read_to_string(state.folder().join("sandbox/environment")).unwrap();
        let environment = PathBuf::from("/proc").join(environment.trim());
        assert!(environment.exists());
        // The sandbox does not listen to SIGTERM and has to be killed; its child must go all the same.
        drop(stack);
        assert!(!environment.exists(), "the execution environment outlived its sandbox");
    }

    #[test]
    fn only_200_is_ready() {
        for (status, ready) in [("200 OK", true), ("503 Service Unavailable", false), ("302 Found", false)] {
            let server = Answering::start("/only-200", status);
            assert_eq!(answers(server.address, "/only-200"), ready, "{status}");
        }
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(!answers(free, "/nobody"), "nobody listens");
    }
}
