//! The portal's pages under load, beside the least that axum can do: requests per second and times of a
//! page, what a point of a chart costs, and what is left of page loads that visitors break off.
//!
//! The portal runs as it would, against the sandbox, in a process of its own, and so does axum's hello;
//! both are asked by this process, one after the other. The machine is shared, and so are its
//! processors between who asks and who answers: trust ratios, processor time and bytes.

mod http;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use axum::Router;
use axum::response::Html;
use axum::routing::get;
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;
use sandbox::sandbox::Ports;
use sandbox::services::cloudwatch::Datum;
use sandbox::{Config, Sandbox, demo};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use self::http::Connection;
use crate::statistics::{median, percentile};

/// Connections that ask at the same time.
const CONNECTIONS: [usize; 3] = [1, 16, 64];
/// The portal's port says that it listens within so long.
const STARTS_WITHIN: Duration = Duration::from_secs(20);
/// The charts' lines with data, as the page draws them; the surface below a single line counts with it.
const LINES: f64 = 16.0;
/// From a browser that leaves at once to one that leaves while the page is rendered.
const LEAVES_AFTER_US: [u64; 4] = [0, 200, 1_000, 3_000];

/// Options of the benchmark.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The portal's program.
    #[arg(long)]
    portal: PathBuf,
    /// The folder of the browser's files.
    #[arg(long)]
    site: PathBuf,
    /// The API function's package.
    #[arg(long)]
    function_zip: PathBuf,
    /// The folder of the T-SQL migrations.
    #[arg(long)]
    migrations: PathBuf,
    /// Node.js, and the script that looks at pages in Chromium.
    #[arg(long, requires = "vitals")]
    node: Option<PathBuf>,
    /// See `node`.
    #[arg(long)]
    vitals: Option<PathBuf>,
    /// Page loads that are broken off.
    #[arg(long, default_value_t = 100_000)]
    aborted: usize,
    /// How long each page is asked for with each number of connections, in milliseconds.
    #[arg(long, default_value_t = 5_000)]
    time: u64,
}

/// The other side of the comparison.
#[derive(Debug, clap::Args)]
pub struct Hello {
    /// A file with the page that is as long as the portal's.
    #[arg(long)]
    page: PathBuf,
}

/// Serves `hello` at `/`, and a plain HTML page at `/page`; prints its address.
///
/// # Errors
/// When it can't listen.
pub async fn hello(options: &Hello) -> Result<()> {
    let page: &'static str = Box::leak(std::fs::read_to_string(&options.page)?.into_boxed_str());
    let router = Router::new()
        .route("/", get(async || "hello"))
        .route("/page", get(move || async move { Html(page) }));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(())
}

/// A server under measurement.
struct Server {
    _process: Child,
    pid: Pid,
    clock: ClockId,
    address: SocketAddr,
}

impl Server {
    fn new(process: Child, address: SocketAddr) -> Result<Self> {
        let id = process.id().context("it ended at once")?;
        let pid = Pid::from_raw(i32::try_from(id)?);
        Ok(Self { _process: process, pid, clock: clock_getcpuclockid(pid)?, address })
    }

    fn cpu(&self) -> Result<Duration> {
        Ok(self.clock.now().context("the process is gone")?.into())
    }

    /// What it has in memory, in megabytes (10^6).
    fn memory(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.split_whitespace().next().context("VmRSS is empty")?.parse()?;
        Ok(kib * 1024.0 / 1e6)
    }
}

/// What is asked for, and of whom.
struct Target<'a> {
    name: String,
    server: &'a Server,
    request: Vec<u8>,
}

/// What came of one series.
#[derive(Debug, Clone, Copy)]
struct Series {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_us: f64,
    bytes: f64,
}

/// Measures and prints.
///
/// # Errors
/// When something fails that is not to be measured.
pub async fn run(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = Config { ports: Ports::ANY, ..Config::new(folder.path().join("sandbox")) };
    let sandbox = Sandbox::start(config).await.context("start the sandbox")?;
    let zip = options.function_zip.clone();
    let parts = demo::Parts { zip, migrations: options.migrations.clone(), rotation_zip: None };
    let world = Box::pin(demo::build(&sandbox, &parts)).await?;
    record(&sandbox, &world);
    let stage = Stage { options, world: &world, folder: folder.path() };
    let portal = stage.portal().await?;
    let cookie = stage.sign_in(portal.address).await?;
    let overview = answered(&portal, "/", &cookie).await?;
    let page = folder.path().join("page.html");
    std::fs::write(&page, &overview)?;
    let hello = stage.hello(&page).await?;
    println!("{} processors, load {} at the beginning\n", super::processors(), super::load());

    let of = |name: &str, server, path: &str| Target {
        name: name.to_owned(),
        server,
        request: request(path, &cookie),
    };
    let targets = [
        of("axum hello", &hello, "/"),
        of("a plain page of the overview's length", &hello, "/page"),
        of("overview, 4 x 60 points", &portal, "/"),
        of("metrics, 1 h: 60 periods", &portal, "/charts?range=1h"),
        of("metrics, 1 d: 288 periods", &portal, "/charts?range=1d"),
    ];
    println!("{}", table(&targets, Duration::from_millis(options.time)).await?);
    println!("{}", slope(&portal, &cookie, Duration::from_millis(options.time)).await?);
    println!("{}", aborted(&portal, &cookie, options.aborted).await?);
    if let (Some(node), Some(vitals)) = (&options.node, &options.vitals) {
        look(node, vitals, portal.address, &cookie).await?;
    }
    println!("load {} at the end", super::load());
    sandbox.stop().await;
    Ok(())
}

/// Traffic of the last day, so that each period has a value.
fn record(sandbox: &Sandbox, world: &demo::World) {
    let now = sandbox.context().now();
    let api = [("ApiId", &world.api_id), ("Stage", &world.stage)];
    let resource = format!("{}:{}", world.function, world.alias);
    let function = [("FunctionName", &world.function), ("Resource", &resource)];
    let own = [("FunctionName", &world.function)];
    let mut data = Vec::new();
    for number in 0..4_500_i32 {
        let at = now - chrono::TimeDelta::seconds(i64::from(number) * 20);
        let latency = f64::from(20 + (number * 7_919) % 97);
        let failed = f64::from(u8::from(number % 50 == 0));
        let mut add = |namespace: &str, name: &str, dimensions: &[(&str, &String)], value: f64, unit| {
            let dimensions =
                dimensions.iter().map(|(name, value)| ((*name).to_owned(), (*value).clone())).collect();
            let (namespace, name) = (namespace.to_owned(), name.to_owned());
            data.push(Datum { namespace, name, dimensions, value, unit, at });
        };
        for (name, value) in [("Count", 1.0), ("4xx", f64::from(u8::from(number % 9 == 0))), ("5xx", failed)]
        {
            add("AWS/ApiGateway", name, &api, value, "Count");
        }
        for (name, value) in [("Latency", latency + 3.0), ("IntegrationLatency", latency + 1.0)] {
            add("AWS/ApiGateway", name, &api, value, "Milliseconds");
        }
        for (name, value) in
            [("Invocations", 1.0), ("Errors", failed), ("Throttles", 0.0), ("ConcurrentExecutions", 1.0)]
        {
            add("AWS/Lambda", name, &function, value, "Count");
        }
        add("AWS/Lambda", "Duration", &function, latency, "Milliseconds");
        add("LearningHub", "ColdStart", &own, f64::from(u8::from(number % 100 == 0)), "Count");
    }
    sandbox.metrics().record(&data);
}

/// Where servers are started.
struct Stage<'a> {
    options: &'a Options,
    world: &'a demo::World,
    folder: &'a Path,
}

impl Stage<'_> {
    fn program(&self, address: SocketAddr) -> Command {
        let world = self.world;
        let mut command = Command::new(&self.options.portal);
        command
            .kill_on_drop(true)
            .stderr(Stdio::null())
            .env("LOCKKEEPER_LOG", "error")
            .env("LOCKKEEPER_ADDRESS", address.to_string())
            .env("LOCKKEEPER_DATABASE", self.folder.join("portal.sqlite"))
            .env("LOCKKEEPER_SITE", &self.options.site)
            .env("LOCKKEEPER_SANDBOX", "1")
            .env("LOCKKEEPER_API_ID", &world.api_id)
            .env("LOCKKEEPER_API_STAGE", &world.stage)
            .env("LOCKKEEPER_FUNCTION", &world.function)
            .env("LOCKKEEPER_ALIAS", &world.alias)
            .env("LOCKKEEPER_SECRET_ID", &world.secret_id)
            .env("LOCKKEEPER_STATUS_URL", format!("{}/status", world.http_api))
            .env("AWS_REGION", &world.region)
            .env("AWS_ENDPOINT_URL", &world.aws_endpoint)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test");
        command
    }

    async fn portal(&self) -> Result<Server> {
        let free = TcpListener::bind("127.0.0.1:0").await?;
        let address = free.local_addr()?;
        drop(free);
        let process = self.program(address).arg("serve").spawn().context("start the portal")?;
        let server = Server::new(process, address)?;
        let until = Instant::now() + STARTS_WITHIN;
        while Connection::open(address).await.is_err() {
            ensure!(Instant::now() < until, "the portal does not listen");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(server)
    }

    async fn hello(&self, page: &Path) -> Result<Server> {
        use tokio::io::{AsyncBufReadExt, BufReader};
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("hello").arg("--page").arg(page).kill_on_drop(true).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let output = process.stdout.take().context("no output")?;
        let line = BufReader::new(output).lines().next_line().await?.context("no address")?;
        Server::new(process, line.trim().parse()?)
    }

    /// The cookie of somebody who has signed in.
    async fn sign_in(&self, address: SocketAddr) -> Result<String> {
        let mut link = self.program(address);
        let link = link.args(["admin", "link", "--email", "bench@localhost", "--create"]).output().await?;
        let link = String::from_utf8(link.stdout)?;
        let path = link.trim().split_once(&address.to_string()).context("no link")?.1.to_owned();
        let post = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\norigin: http://{address}\r\ncontent-length: 0\r\n\
             content-type: application/x-www-form-urlencoded\r\n\r\n"
        );
        let answer = Connection::open(address).await?.ask(post.as_bytes()).await?;
        let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next());
        Ok(cookie.with_context(|| format!("no cookie: {}", answer.head))?.to_owned())
    }
}

fn request(path: &str, cookie: &str) -> Vec<u8> {
    // The host is the portal's own in its sandbox, whatever the port: hello does not look at it.
    format!("GET {path} HTTP/1.1\r\nhost: HOST\r\naccept: text/html\r\ncookie: {cookie}\r\n\r\n").into_bytes()
}

/// The request with the server's own name in it.
fn addressed(request: &[u8], address: SocketAddr) -> Vec<u8> {
    String::from_utf8_lossy(request).replace("HOST", &address.to_string()).into_bytes()
}

/// A page as it is once all it shows has been read.
async fn answered(server: &Server, path: &str, cookie: &str) -> Result<Vec<u8>> {
    let request = addressed(&request(path, cookie), server.address);
    let mut connection = Connection::open(server.address).await?;
    for _ in 0..20 {
        let answer = connection.ask(&request).await?;
        ensure!(answer.status == 200, "{path} is answered with {}", answer.head);
        let whole = !String::from_utf8_lossy(&answer.body).contains("Nothing has been read yet");
        if whole {
            return Ok(answer.body);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    bail!("{path} does not show all its parts")
}

/// One page, asked for by so many connections for so long.
async fn series(target: &Target<'_>, connections: usize, time: Duration) -> Result<Series> {
    let request = addressed(&target.request, target.server.address);
    let (began, cpu) = (Instant::now(), target.server.cpu()?);
    let asking = (0..connections).map(|_| {
        let request = request.clone();
        let address = target.server.address;
        tokio::spawn(async move {
            let mut connection = Connection::open(address).await?;
            let (mut times, mut bytes) = (Vec::new(), 0);
            while began.elapsed() < time {
                let asked = Instant::now();
                let answer = connection.ask(&request).await?;
                ensure!(answer.status == 200, "{}", answer.head);
                times.push(asked.elapsed().as_secs_f64() * 1e3);
                bytes = answer.body.len();
            }
            anyhow::Ok((times, bytes))
        })
    });
    let (mut times, mut bytes) = (Vec::new(), 0);
    for one in asking.collect::<Vec<_>>() {
        let (more, length) = one.await??;
        times.extend(more);
        bytes = length;
    }
    let took = began.elapsed().as_secs_f64();
    let count = times.len() as f64;
    Ok(Series {
        per_second: count / took,
        p50_ms: median(&times),
        p99_ms: percentile(&times, 99.0),
        cpu_us: (target.server.cpu()? - cpu).as_secs_f64() * 1e6 / count,
        bytes: bytes as f64,
    })
}

async fn table(targets: &[Target<'_>], time: Duration) -> Result<String> {
    let mut text = String::new();
    for connections in CONNECTIONS {
        writeln!(text, "{connections} connections, {} s each", time.as_secs_f64())?;
        writeln!(
            text,
            "  {:<40} {:>10} {:>9} {:>9} {:>9} {:>8} {:>8}",
            "", "requests/s", "of hello", "p50 ms", "p99 ms", "CPU us", "kB"
        )?;
        let mut hello = None;
        for target in targets {
            // Once before: the first answer of a connection is not what is meant.
            series(target, connections, time / 10).await?;
            let Series { per_second, p50_ms, p99_ms, cpu_us, bytes } =
                series(target, connections, time).await?;
            let of_hello = per_second / *hello.get_or_insert(per_second) * 100.0;
            writeln!(
                text,
                "  {:<40} {per_second:>10.0} {of_hello:>7.1} % {p50_ms:>9.2} {p99_ms:>9.2} {cpu_us:>8.0} {:>8.1}",
                target.name,
                bytes / 1e3
            )?;
        }
    }
    text.push_str("goals: 20 % of hello with 4 x 60 points, p99 at 16 connections <= 10 ms\n");
    Ok(text)
}

/// What a point of a chart costs: the difference between many and few.
async fn slope(portal: &Server, cookie: &str, time: Duration) -> Result<String> {
    let mut text = String::from("what a point costs (1 connection; lines of 60, 180, 288 and 336 periods)\n");
    let mut measured = Vec::new();
    for (range, periods) in [("1h", 60.0), ("3h", 180.0), ("1d", 288.0), ("7d", 336.0)] {
        let path = format!("/charts?range={range}");
        answered(portal, &path, cookie).await?;
        let target = Target { name: path.clone(), server: portal, request: request(&path, cookie) };
        let series = series(&target, 1, time).await?;
        writeln!(
            text,
            "  {range:<4} {:>6.0} points {:>8.0} us CPU {:>8.1} kB",
            periods * LINES,
            series.cpu_us,
            series.bytes / 1e3
        )?;
        measured.push((periods * LINES, series));
    }
    // A day's values are all there; a week's begin a day ago.
    let (few, many) = (&measured[0], &measured[2]);
    let points = many.0 - few.0;
    writeln!(
        text,
        "  a point: {:.2} us CPU (goal 0.5), {:.1} bytes (goal 10)",
        (many.1.cpu_us - few.1.cpu_us) / points,
        (many.1.bytes - few.1.bytes) / points
    )?;
    Ok(text)
}

/// Page loads that are broken off, and what is left of them.
async fn aborted(portal: &Server, cookie: &str, count: usize) -> Result<String> {
    let asked = addressed(&request("/charts?range=3h", cookie), portal.address);
    // What the first thousand leave is what any work leaves: caches, and the allocator's pools.
    break_off(portal, &asked, count.min(1_000)).await?;
    let before = portal.memory()?;
    let began = Instant::now();
    break_off(portal, &asked, count).await?;
    let took = began.elapsed().as_secs_f64();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = portal.memory()?;
    let answer = Connection::open(portal.address).await?.ask(&asked).await?;
    ensure!(answer.status == 200, "after broken-off loads: {}", answer.head);
    Ok(format!(
        "{count} page loads broken off in {took:.0} s: memory {before:.1} MB before, {after:.1} MB after ({:+.1} %, goal 10 %), and it answers\n",
        (after / before - 1.0) * 100.0
    ))
}

async fn break_off(portal: &Server, request: &[u8], count: usize) -> Result<()> {
    const AT_ONCE: usize = 32;
    let each = count.div_ceil(AT_ONCE);
    let tasks: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (request, address) = (request.to_vec(), portal.address);
            tokio::spawn(async move {
                for number in 0..each {
                    let after = LEAVES_AFTER_US[number % LEAVES_AFTER_US.len()];
                    let connection = Connection::open(address).await?;
                    connection.send_and_leave(&request, Duration::from_micros(after)).await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}

/// Pages in Chromium on a processor that is four times slower.
async fn look(node: &Path, script: &Path, address: SocketAddr, cookie: &str) -> Result<()> {
    let mut command = Command::new(node);
    command.arg(script).arg(format!("http://{address}")).arg(cookie).kill_on_drop(true);
    let status = tokio::time::timeout(Duration::from_secs(180), command.status())
        .await
        .context("Chromium hangs")??;
    ensure!(status.success(), "Chromium could not look at the pages");
    Ok(())
}
