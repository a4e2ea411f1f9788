//! The accept loop and the command line, with real sockets and processes.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use app::server::limits::Limits;
use app::server::listen;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::{EMAIL, ORIGIN, PASSWORD, TestPortal};

#[tokio::test]
async fn who_sends_no_headers_is_cut_off() {
    let limits = Limits { header_time: Duration::from_millis(200), ..Limits::default() };
    let (address, stop, served) = serve(limits).await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: x").await.unwrap();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), slow.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "still open after 5 s");
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));

    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), idle.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "idle and still open after 5 s");
    assert!(String::from_utf8_lossy(&rest).contains("200 OK"));
    stop.send(()).unwrap();
    served.await.unwrap();
}

#[tokio::test]
async fn a_busy_connection_ends_with_the_portal_and_a_silent_one_at_its_limit() {
    let limits = Limits {
        connections: 1,
        connection_time: Duration::from_millis(300),
        shutdown_time: Duration::from_millis(500),
        ..Limits::default()
    };
    let (address, stop, served) = serve(limits).await;
    let _silent = TcpStream::connect(address).await.unwrap();
    let mut next = TcpStream::connect(address).await.unwrap();
    next.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    let read = tokio::time::timeout(Duration::from_secs(5), next.read_to_string(&mut answer)).await;
    assert!(read.is_ok(), "the only place was never freed");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(5), served).await.expect("it stops in time").unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

/// The program itself, with an environment of its own.
fn lockkeeper(folder: &Path, arguments: &[&str], input: &str) -> (bool, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lockkeeper"))
        .args(arguments)
        .env_clear()
        .env("LOCKKEEPER_DATABASE", folder.join("portal.sqlite"))
        .env("LOCKKEEPER_PUBLIC_URL", ORIGIN)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_command_line_adds_accounts_and_prints_links() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str], input: &str| lockkeeper(folder.path(), arguments, input);
    let (done, _, error) = run(&["admin", "add", "--email", EMAIL], "too short\n");
    assert!(!done && error.contains("15 to 256 characters"), "{error}");
    let (done, output, error) = run(&["admin", "add", "--email", EMAIL], &format!("{PASSWORD}\n"));
    assert!(done && output.is_empty(), "{error}");
    let (done, _, error) = run(&["admin", "add", "--email", EMAIL], &format!("{PASSWORD}\n"));
    assert!(!done && error.contains("already"), "{error}");
    assert!(run(&["admin", "link", "--email", EMAIL], "").1.starts_with(&format!("{ORIGIN}/sign-in/link/")));
    let (done, _, error) = run(&["admin", "link", "--email", "eve@example.com"], "");
    assert!(!done && error.contains("--create"), "{error}");
    assert!(run(&["admin", "link", "--email", "eve@example.com", "--create"], "").0);
}

#[test]
fn the_start_ends_with_the_name_of_the_variable_that_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let (done, _, error) = lockkeeper(folder.path(), &[], "");
    assert!(!done && error.starts_with("lockkeeper: LOCKKEEPER_TRUSTED_PROXIES: "), "{error}");
}

/// A portal on a port of its own; tell it to stop through the sender.
async fn serve(
    limits: Limits,
) -> (SocketAddr, tokio::sync::oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let portal = TestPortal::with(limits.clone(), ORIGIN, false).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let served = tokio::spawn(async move {
        let router = portal.router.clone();
        listen::serve(listener, router, &limits, async { drop(stopped.await) }).await;
    });
    (address, stop, served)
}
