//! The command line client: the real program, against a portal on a port of its own, and against the real
//! portal over the sandbox.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use app::client::api::Api;
use app::client::{Tools, address};
use app::server::limits::Limits;
use app::server::listen;
use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use model::people::Role;
use model::time::Timestamp;
use model::tokens::{MOST_TOKENS, Scope};
use sandbox::faults::{At, Fault, FunctionEffect};
use sandbox::sandbox::Ports;
use sandbox::{Config, Sandbox, demo};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::{EMAIL, ORIGIN, TestPortal, counting, write_site, zips};

/// How the program ended: exit code, standard output, standard error.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub error: String,
}

impl Ended {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.error))
    }
}

/// The program with these variables and no others; ends the test when it does not end.
async fn lockkeeper(variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
    command.args(arguments).env_clear().envs(variables.iter().copied()).stdin(Stdio::null());
    let output = tokio::time::timeout(Duration::from_secs(120), command.kill_on_drop(true).output());
    let output = output.await.expect("it ends").unwrap();
    Ended {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        error: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A router on a port of its own, until the test's end.
async fn on_a_port(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        listen::serve(listener, router, &Limits::default(), std::future::pending()).await;
    });
    format!("http://{address}")
}

#[tokio::test]
async fn tokens_are_listed_made_and_revoked() {
    let portal = TestPortal::start().await;
    let token = portal.token(Role::Admin, &[Scope::Admin]).await;
    let url = on_a_port(portal.router.clone()).await;
    let variables = [("LOCKKEEPER_URL", &*url), ("LOCKKEEPER_TOKEN", &*token)];
    let run = async |arguments: &[&str]| lockkeeper(&variables, arguments).await;

    let made = run(&["token", "create", "--name", "night", "--scope", "rotate", "--expires", "12h"]).await;
    assert_eq!(made.code, 0, "{}", made.error);
    let new = made.out.trim();
    assert!(new.starts_with("lk_") && new.len() == 59 && made.out.lines().count() == 1, "{}", made.out);
    assert!(made.error.contains("night") && !made.error.contains(new), "{}", made.error);
    let id = new.split('_').nth(1).unwrap();

    let list = run(&["token", "list"]).await;
    let row = list.out.lines().find(|line| line.starts_with(id)).expect("the new one");
    assert!(row.contains("night") && row.contains("read rotate") && row.contains("never"), "{}", list.out);
    let list = run(&["token", "--json", "list"]).await.json();
    assert_eq!(list["tokens"].as_array().unwrap().len(), 2);
    let made = run(&["token", "create", "--json", "--name", "other", "--expires", "1h"]).await;
    assert_eq!((made.json()["name"].as_str(), made.error.as_str()), (Some("other"), ""));

    let revoked = run(&["token", "revoke", id]).await;
    assert_eq!((revoked.code, revoked.out), (0, format!("Revoked {id}.\n")));
    let again = run(&["token", "revoke", id, "--json"]).await;
    let problem: Value = serde_json::from_str(&again.error).unwrap();
    assert_eq!((again.code, &problem["kind"], again.out.as_str()), (1, &"not_found".into(), ""));
    assert_eq!((problem["exit"].as_i64(), problem["status"].as_i64()), (Some(1), Some(404)));
    let whole = run(&["token", "revoke", new]).await;
    assert_eq!(whole.code, 2);
    assert!(!whole.error.contains(new), "{}", whole.error);
}

#[tokio::test]
async fn exit_codes_tell_what_stood_in_the_way() {
    let portal = TestPortal::start().await;
    let token = portal.token(Role::Admin, &[Scope::Admin]).await;
    let reads = portal.token(Role::Admin, &[Scope::Read]).await;
    for _ in 2..MOST_TOKENS {
        portal.token(Role::Admin, &[]).await;
    }
    let url = on_a_port(portal.router.clone()).await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nobody = format!("http://{nobody}");
    let elsewhere = on_a_port(Router::new().fallback(async || {
        (StatusCode::FOUND, [(header::LOCATION, "https://other.example.com/")]).into_response()
    }))
    .await;
    let files = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| -> String {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (good, rubbish) = (file("token", &format!("{token}\nmore\n")), file("rubbish", "rubbish"));
    let create = ["token", "create", "--name", "one more", "--expires", "1h"];
    type Case<'a> = (i32, &'a str, &'a str, &'a [&'a str], &'a str);
    let table: [Case<'_>; 15] = [
        (0, &url, "", &["token", "list", "--token-file", &good], ""),
        (2, &url, &token, &["rotate", "--unknown"], "--unknown"),
        (2, &url, &token, &["rotate", "--timeout", "5"], "--watch"),
        (2, "", &token, &["token", "list"], "Which portal?"),
        (2, "http://lock.example.com", &token, &["token", "list"], "must be https"),
        (2, &url, &token, &["token", "list", "--ca-file", &rubbish], "no PEM"),
        (2, &url, "", &["token", "list", "--token-file", "/nowhere/at/all"], "--token-file"),
        (3, &elsewhere, &token, &["token", "list"], "other.example.com"),
        (3, &nobody, &token, &["token", "list"], "can't be reached"),
        (4, &url, "", &["token", "list"], "no access token"),
        (4, &url, "", &["token", "list", "--token-file", &rubbish], "begin with lk_"),
        (4, &url, "lk_0123456789ab_wrong", &["token", "list"], "no token, or one that was revoked"),
        (4, &url, &reads, &["rotate"], "the scope rotate"),
        (4, &url, &reads, &create, "the scope admin"),
        (5, &url, &token, &create, "50 tokens"),
    ];
    for (code, url, token, arguments, words) in table {
        let variables = [("LOCKKEEPER_URL", url), ("LOCKKEEPER_TOKEN", token)];
        let ended = lockkeeper(&variables, arguments).await;
        assert_eq!(ended.code, code, "{arguments:?}: {}", ended.error);
        assert!(ended.error.contains(words), "{arguments:?}: {}", ended.error);
        assert!(code == 0 || ended.out.is_empty(), "{arguments:?}: {}", ended.out);
    }
    let said = lockkeeper(&[("LOCKKEEPER_TOKEN", &token)], &["token", "list", "--portal", &url]).await;
    assert_eq!(said.code, 0, "{}", said.error);
}

#[tokio::test]
async fn completions_and_help_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = lockkeeper(&[], &["completions", shell]).await;
        assert_eq!(script.code, 0);
        for word in ["rotate", "token-file", "revoke"] {
            assert!(script.out.contains(word), "{shell} has no {word}");
        }
    }
    assert!(lockkeeper(&[], &["--help"]).await.out.contains("5 something else is in the way"));
    assert_eq!(lockkeeper(&[], &["completions", "csh"]).await.code, 2);
}

#[tokio::test]
async fn the_local_command_makes_a_token_for_an_account_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("portal.sqlite");
    let variables = [("LOCKKEEPER_DATABASE", database.to_str().unwrap()), ("LOCKKEEPER_PUBLIC_URL", ORIGIN)];
    let run = async |arguments: &[&str]| lockkeeper(&variables, arguments).await;
    let create = ["admin", "token", "--email", EMAIL, "--name", "ci", "--scope", "rotate", "--expires", "1h"];
    let unknown = run(&create).await;
    assert_eq!(unknown.code, 1);
    assert!(unknown.error.contains("no account"), "{}", unknown.error);
    assert_eq!(run(&["admin", "link", "--email", EMAIL, "--role", "operator", "--create"]).await.code, 0);
    let made = run(&create).await;
    assert_eq!(made.code, 0, "{}", made.error);
    assert!(made.out.starts_with("lk_") && made.out.trim().len() == 59, "{}", made.out);
    let more = run(&["admin", "token", "--email", EMAIL, "--name", "ci", "--scope", "admin"]).await;
    assert_eq!(more.code, 1);
    assert!(more.error.contains("more than your role"), "{}", more.error);
}

/// An API in this process.
fn api(url: &str) -> Api {
    let clock = Arc::new(|| Timestamp(0));
    Api::new(address::portal(url).unwrap(), "lk_test", None, &Tools { clock, random: counting() }).unwrap()
}

#[tokio::test]
async fn an_upload_arrives_whole_and_tells_how_far_it_is() {
    let arrived = async |request: Request| {
        let length = request.headers()[header::CONTENT_LENGTH].to_str().unwrap().to_owned();
        let token = request.headers()[header::AUTHORIZATION].to_str().unwrap().to_owned();
        let body = to_bytes(request.into_body(), 1 << 20).await.unwrap();
        let sum: u64 = body.iter().map(|byte| u64::from(*byte)).sum();
        axum::Json((length, token, sum))
    };
    let url = on_a_port(Router::new().route("/api/v1/upload", post(arrived))).await;
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    let sum: u64 = bytes.iter().map(|byte| u64::from(*byte)).sum();
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&steps);
    let progress = move |sent| seen.lock().unwrap().push(sent);
    let answer: (String, String, u64) = api(&url)
        .post_bytes("/api/v1/upload", "application/zip", Bytes::from(bytes), progress)
        .await
        .unwrap();
    assert_eq!(answer, ("300000".to_owned(), "Bearer lk_test".to_owned(), sum));
    assert_eq!(*steps.lock().unwrap(), [65_536, 131_072, 196_608, 262_144, 300_000]);
}

#[tokio::test]
async fn only_what_is_safe_is_sent_again() {
    use app::client::retry::Repeat;
    let calls = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&calls);
    let busy_twice = async move || {
        let mut calls = counted.lock().unwrap();
        *calls += 1;
        match *calls {
            1 | 2 => (StatusCode::SERVICE_UNAVAILABLE, "busy").into_response(),
            _ => axum::Json(*calls).into_response(),
        }
    };
    let url = on_a_port(Router::new().route("/a", get(busy_twice.clone()).post(busy_twice))).await;
    let api = api(&url);
    let stop = api.post::<_, u32>("/a", &(), Repeat::Never).await.unwrap_err();
    assert_eq!((stop.status, *calls.lock().unwrap()), (Some(503), 1));
    assert_eq!(api.get::<u32>("/a").await.unwrap(), 3);
    *calls.lock().unwrap() = 0;
    assert_eq!(api.post::<_, u32>("/a", &(), Repeat::Safe).await.unwrap(), 3);
}

/// The demo world, with a real portal on it whose log holds all there is to be logged.
pub struct Stand {
    pub sandbox: Sandbox,
    portal: std::process::Child,
    folder: tempfile::TempDir,
    url: String,
}

impl Drop for Stand {
    fn drop(&mut self) {
        let _ = self.portal.kill();
        let _ = self.portal.wait();
    }
}

impl Stand {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        demo::package(&binary("api"), &at("api.zip")).unwrap();
        demo::package(&binary("rotation"), &at("rotation.zip")).unwrap();
        let config = Config { ports: Ports::ANY, ..Config::new(at("state")) };
        let sandbox = Sandbox::start(config).await.unwrap();
        let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../api-function/migrations");
        let parts = demo::Parts { zip: at("api.zip"), migrations, rotation_zip: Some(at("rotation.zip")) };
        let world = demo::build(&sandbox, &parts).await.unwrap();
        std::fs::create_dir(at("site")).unwrap();
        write_site(&at("site"));
        let log = File::create(at("log")).unwrap();
        let portal = Command::new(env!("CARGO_BIN_EXE_lockkeeper"))
            .arg("serve")
            .env_clear()
            .envs(database(folder.path()))
            .env("LOCKKEEPER_LOG", "trace")
            .env("LOCKKEEPER_LOG_FORMAT", "json")
            .env("LOCKKEEPER_ADDRESS", "127.0.0.1:0")
            .env("LOCKKEEPER_SITE", at("site"))
            .env("LOCKKEEPER_API_ID", &world.api_id)
            .env("LOCKKEEPER_API_STAGE", &world.stage)
            .env("LOCKKEEPER_FUNCTION", &world.function)
            .env("LOCKKEEPER_ALIAS", &world.alias)
            .env("LOCKKEEPER_SECRET_ID", &world.secret_id)
            .env("LOCKKEEPER_STATUS_URL", format!("{}/status", world.http_api.trim_end_matches('/')))
            .env("AWS_ENDPOINT_URL", sandbox.aws_endpoint())
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_ACCESS_KEY_ID", "sandbox")
            .env("AWS_SECRET_ACCESS_KEY", "sandbox")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut stand = Self { sandbox, portal, folder, url: String::new() };
        stand.url = format!("http://{}", stand.address().await);
        stand
    }

    /// Where the portal listens, as it says itself.
    async fn address(&mut self) -> SocketAddr {
        for _ in 0..300 {
            let log = self.log();
            let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let serving = lines.map(|line| line["fields"].clone()).find(|it| it["message"] == "serving");
            if let Some(serving) = serving {
                return serving["address"].as_str().unwrap().parse().unwrap();
            }
            assert!(self.portal.try_wait().unwrap().is_none(), "the portal ended: {log}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the portal does not serve: {}", self.log());
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.path().join("log")).unwrap()).into_owned()
    }

    pub async fn run(&self, token: &str, arguments: &[&str]) -> Ended {
        lockkeeper(&[("LOCKKEEPER_URL", &self.url), ("LOCKKEEPER_TOKEN", token)], arguments).await
    }

    pub async fn admin(&self, arguments: &[&str]) -> String {
        let variables = database(self.folder.path());
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let ended = lockkeeper(&variables, arguments).await;
        assert_eq!(ended.code, 0, "{}", ended.error);
        ended.out.trim().to_owned()
    }
}

fn database(folder: &Path) -> [(&'static str, String); 2] {
    let path = folder.join("portal.sqlite").to_str().unwrap().to_owned();
    [("LOCKKEEPER_DATABASE", path), ("LOCKKEEPER_SANDBOX", "1".to_owned())]
}

/// A program that is built beside this test.
fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let binary = test.parent().and_then(Path::parent).unwrap().join(name);
    assert!(binary.exists(), "{} is not built: run the tests with --workspace", binary.display());
    binary
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_looks_rotates_and_leaves_its_token_in_no_log() {
    let stand = Stand::start().await;
    stand.admin(&["admin", "link", "--email", EMAIL, "--create"]).await;
    let create = ["admin", "token", "--email", EMAIL, "--name", "ci", "--expires", "1h", "--scope"];
    let token = stand.admin(&[&create[..], &["admin"]].concat()).await;

    let health = stand.run(&token, &["health"]).await;
    assert_eq!(health.code, 0, "{}{}", health.out, health.error);
    for words in ["API        healthy", "Function   version 1", "Secret     version", "Last hour  requests"] {
        assert!(health.out.contains(words), "{words} in {}", health.out);
    }
    let overview = stand.run(&token, &["health", "--json"]).await.json();
    assert_eq!(overview["health"]["value"]["verdict"], "healthy");

    let rotated = stand.run(&token, &["rotate", "--watch", "--timeout", "100", "--json"]).await;
    assert_eq!(rotated.code, 0, "{}{}", rotated.out, rotated.error);
    assert_eq!((&rotated.json()["state"], &rotated.json()["started_by"]), (&"done".into(), &"ada".into()));
    assert!(rotated.error.contains("finishSecret  done"), "each step is told: {}", rotated.error);
    // The next one takes longer than the test does, so that a third is in its way for certain.
    let effect = FunctionEffect::Slow(60_000);
    let slow = At::Function { name: "learninghub-rotation".to_owned(), effect };
    stand.sandbox.context().faults.add(Fault { at: slow, skip: 0, times: None, share: 1.0 });
    let begun = stand.run(&token, &["rotate"]).await;
    assert_eq!(begun.code, 0, "{}", begun.error);
    assert!(begun.out.starts_with("Begun: ") && begun.out.trim().ends_with("-ada"), "{}", begun.out);
    let third = stand.run(&token, &["rotate"]).await;
    assert_eq!((third.code, third.out.as_str()), (5, ""), "{}", third.error);

    let made = stand.run(&token, &["token", "create", "--name", "short", "--expires", "1h"]).await;
    assert_eq!(made.code, 1, "an hour from now is later than an hour from a while ago: {}", made.error);
    let wrong = format!("{}{}", &token[..token.len() - 4], "AAAA");
    assert_eq!(stand.run(&wrong, &["health"]).await.code, 4);
    let log = stand.log();
    assert!(log.contains(r#""level":"TRACE""#) && log.contains("a wrong token"), "all is logged");
    for (_, _, secret) in [&token, &wrong].map(|token| split(token)) {
        assert!(!log.contains(&secret[..30]), "the token stands in the log");
    }
}

fn split(token: &str) -> (&str, &str, &str) {
    let mut parts = token.splitn(3, '_');
    (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_deploys_and_hears_when_its_version_is_taken_back() {
    let stand = Stand::start().await;
    stand.admin(&["admin", "link", "--email", EMAIL, "--create"]).await;
    let create = ["admin", "token", "--email", EMAIL, "--name", "ci", "--expires", "1h", "--scope", "deploy"];
    let token = stand.admin(&create).await;
    let file = |name: &str, zip: Vec<u8>| -> String {
        let path = stand.folder.path().join(name);
        std::fs::write(&path, zip).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (good, bad) = (file("good.zip", zips::good("two")), file("bad.zip", zips::erring(0.3)));
    // Nobody else calls this API, and its first requests are the slow ones.
    let how = ["--fill", "--min-requests", "10", "--max-slowdown", "100", "--timeout", "100", "--json"];
    let deploy = async |zip: &str, share: &str| {
        stand
            .run(&token, &[&["deploy", zip, "--steps", share, "--commit", "0123abc"], &how[..]].concat())
            .await
    };

    let dry = stand.run(&token, &["deploy", &good, "--dry-run"]).await;
    assert_eq!(dry.code, 0, "{}{}", dry.out, dry.error);
    assert!(dry.out.contains("Nothing is in the way"), "{}", dry.out);
    let promoted = deploy(&good, "50%/10s").await;
    assert_eq!(promoted.code, 0, "{}{}", promoted.out, promoted.error);
    assert_eq!((&promoted.json()["state"], &promoted.json()["new"]), (&"promoted".into(), &"2".into()));
    for words in ["uploaded: ", "Upload and publish", "50 % of the requests", "well: "] {
        assert!(promoted.error.contains(words), "{words} in {}", promoted.error);
    }
    let again = stand.run(&token, &["deploy", &good, "--all-at-once"]).await;
    assert_eq!(again.code, 5, "{}", again.error);
    assert!(again.error.contains("Nothing to deploy"), "{}", again.error);

    let back = deploy(&bad, "50%/1h").await;
    assert_eq!(back.code, 6, "{}{}", back.out, back.error);
    assert_eq!(back.json()["state"], "rolled_back");
    assert!(back.error.contains("requests failed"), "{}", back.error);

    let no_zip = stand.run(&token, &["deploy", &file("no.zip", zips::not_a_zip())]).await;
    assert_eq!(no_zip.code, 1, "{}", no_zip.error);
    assert!(no_zip.error.contains("no zip"), "{}", no_zip.error);
    let to_one = stand.run(&token, &["rollback", "--to", "1", "--why", "a test"]).await;
    assert_eq!(
        (to_one.code, to_one.out.as_str()),
        (0, "Version 1 has all requests again.\n"),
        "{}",
        to_one.error
    );
    let rotate = stand.run(&token, &["rotate"]).await;
    assert_eq!(rotate.code, 4, "a token for deploys rotates nothing: {}", rotate.error);
}
