//! The portal's server, driven through its router without a socket (but for the accept loop's own
//! tests): who gets in, who does not, and what every answer carries.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod alarms;
mod answers;
mod client;
mod confirming;
mod deploys;
mod guard;
mod logs;
mod metrics;
mod objects;
mod process;
mod secret;
mod sessions;
mod signing_in;
mod slow;
mod tokens;
#[path = "../../../crates/sandbox/tests/world/zips.rs"]
mod zips;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use app::server::accounts::Accounts;
use app::server::audit::Journal;
use app::server::limits::Limits;
use app::server::meter::Meter;
use app::server::{App, Parts, Services, router};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode, header};
use model::people::Role;
use model::stack::Stack;
use model::time::Timestamp;
use operations::{Clock, MetricsConfig, Portal, PortalConfig, Random, audit};
use tower::ServiceExt;

const ORIGIN: &str = "https://lock.example.com";
const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "a lock keeper's own words";
const COOKIE: &str = "__Host-lockkeeper";

/// A portal over a folder of its own, with a clock that stands still.
struct TestPortal {
    router: Router,
    app: App,
    accounts: Accounts,
    now: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

/// An answer, read to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The session cookie that the answer sets, as the browser would send it back.
    fn cookie(&self) -> Option<String> {
        let cookies = self.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap());
        let cookie =
            cookies.filter_map(|cookie| cookie.split(';').next()).find(|pair| pair.starts_with(COOKIE))?;
        (!cookie.ends_with('=')).then(|| cookie.to_owned())
    }
}

impl TestPortal {
    async fn start() -> Self {
        Self::with(Limits::default(), ORIGIN, false).await
    }

    async fn with(limits: Limits, public_url: &str, sandbox: bool) -> Self {
        Self::build(limits, public_url, sandbox, None, |journal| journal).await
    }

    /// The same with AWS at an address, and with another audit log around the real one.
    async fn build(
        limits: Limits,
        public_url: &str,
        sandbox: bool,
        aws: Option<SocketAddr>,
        around: impl FnOnce(Arc<dyn audit::Journal>) -> Arc<dyn audit::Journal>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_site(folder.path());
        let now = Arc::new(AtomicI64::new(1_795_300_000_000));
        let clock: Clock = {
            let now = Arc::clone(&now);
            Arc::new(move || Timestamp(now.load(Ordering::SeqCst)))
        };
        let random = counting();
        let database = folder.path().join("data/portal.sqlite");
        let accounts = Accounts::open(&database, Arc::clone(&clock), Arc::clone(&random)).await.unwrap();
        let stack = stack();
        let config = PortalConfig {
            stack,
            sandbox,
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            journal: around(Arc::new(Journal::new(accounts.pool().clone()))),
            metrics: MetricsConfig {
                meter: Arc::new(Meter::new(accounts.pool().clone())),
                cap_dollars: 10.0,
                namespace: "LearningHub".to_owned(),
            },
        };
        let portal = match aws {
            None => Portal::connect(config).await.unwrap(),
            Some(address) => Portal::with_sdk(config, &sdk(address).await).unwrap(),
        };
        let app = Services::new(Parts {
            portal,
            accounts: accounts.clone(),
            site: folder.path().to_owned(),
            clock,
            random,
            limits,
            public_url: public_url.parse().unwrap(),
            trusted_proxies: 0,
            sandbox,
            drive_rollouts: false,
        })
        .unwrap();
        Self { router: router(App::clone(&app)), app, accounts, now, _folder: folder }
    }

    fn advance(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        self.send_from(Ipv4Addr::LOCALHOST.into(), request).await
    }

    async fn send_from(&self, address: IpAddr, mut request: Request<Body>) -> Answer {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(address, 40_000)));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    async fn get(&self, path: &str, cookie: Option<&str>) -> Answer {
        self.send(request("GET", path, cookie, Body::empty())).await
    }

    /// A form as the portal's own pages send it.
    async fn post(&self, path: &str, cookie: Option<&str>, form: &str) -> Answer {
        let mut request = request("POST", path, cookie, Body::from(form.to_owned()));
        let headers = request.headers_mut();
        headers.insert(header::ORIGIN, ORIGIN.parse().unwrap());
        headers.insert(header::CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap());
        self.send(request).await
    }

    /// A link's token for [`EMAIL`].
    async fn link(&self) -> String {
        let _ = self.accounts.add(EMAIL, None, Role::Admin).await;
        let user = self.accounts.find(EMAIL).await.unwrap().unwrap();
        self.accounts.create_link(&user).await.unwrap()
    }

    /// Signs in by link; the cookie.
    async fn signed_in(&self) -> String {
        let token = self.link().await;
        let answer = self.post(&format!("/sign-in/link/{token}"), None, "").await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/"));
        answer.cookie().unwrap()
    }

    async fn is_signed_in(&self, cookie: &str) -> bool {
        // A page that needs no answer from AWS: the one that is not there.
        match self.get("/nowhere", Some(cookie)).await.status {
            StatusCode::NOT_FOUND => true,
            StatusCode::SEE_OTHER => false,
            other => panic!("{other}"),
        }
    }
}

fn request(method: &str, path: &str, cookie: Option<&str>, body: Body) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header(header::HOST, "lock.example.com");
    let request = match cookie {
        Some(cookie) => request.header(header::COOKIE, cookie),
        None => request,
    };
    request.body(body).unwrap()
}

/// AWS at this address, asked once and for four seconds at most, as the portal's own limit is.
async fn sdk(address: SocketAddr) -> aws_config::SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(format!("http://{address}"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(Duration::from_secs(4)).build())
        .load()
        .await
}

/// Different bytes each time, the same in each run.
fn counting() -> Random {
    let next = AtomicU64::new(1);
    Arc::new(move |bytes: &mut [u8]| {
        for chunk in bytes.chunks_mut(8) {
            let number =
                next.fetch_add(1, Ordering::SeqCst).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes();
            let (head, _) = number.split_at(chunk.len());
            chunk.copy_from_slice(head);
        }
    })
}

fn stack() -> Stack {
    Stack {
        region: "eu-west-1".to_owned(),
        api_id: "a1b2c3".to_owned(),
        stage: "$default".to_owned(),
        function: "learninghub-api".to_owned(),
        alias: "live".to_owned(),
        secret_id: "learninghub/sqlserver".to_owned(),
        status_url: "https://a1b2c3.execute-api.eu-west-1.amazonaws.com/status".to_owned(),
    }
}

fn write_site(folder: &Path) {
    std::fs::create_dir(folder.join("pkg")).unwrap();
    for (name, content) in
        [("app.1.js", "js"), ("app.1.wasm", "wasm"), ("app.1.css", "css"), ("app.1.wasm.br", "small")]
    {
        std::fs::write(folder.join("pkg").join(name), content).unwrap();
    }
    std::fs::write(folder.join("favicon.svg"), "<svg/>").unwrap();
    let manifest = r#"{"js":"/pkg/app.1.js","wasm":"/pkg/app.1.wasm","css":"/pkg/app.1.css"}"#;
    std::fs::write(folder.join("manifest.json"), manifest).unwrap();
}
