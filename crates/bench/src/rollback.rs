//! Code that fails three requests of ten is deployed under callers of the API, again and again: how long
//! does it have requests after the first sign of it?
//!
//! The portal is the real program, started as a process, and the deploy is its own command line. It is
//! measured from outside: the first sign is the moment at which GetMetricData has a failed request of the
//! new version for the first time, and the end is the alias without weights. On AWS a figure is in
//! CloudWatch a minute or so after its request; that time comes before, and is not Lockkeeper's.

mod portal;

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aws_credential_types::Credentials;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use aws_sdk_lambda::config::{BehaviorVersion, Region};
use sandbox::demo::load::{Call, Callers};
use sandbox::sandbox::Ports;
use sandbox::{Config, Sandbox, demo};
use zip::write::SimpleFileOptions;

use self::portal::Portal;
use crate::statistics::{median, percentile};

/// On average between an answer and a caller's next request.
const PAUSE: Duration = Duration::from_millis(400);
/// How often it is looked: so exact are the times.
const LOOK: Duration = Duration::from_millis(250);
/// How long one deploy may take from its beginning to its end.
const LIMIT: Duration = Duration::from_secs(300);
/// What is to be met, in seconds.
const GOAL: f64 = 60.0;
/// What goes wrong with the new code.
const FAULTS: &str = r#"{"error_share":0.3}"#;
/// What `lockkeeper deploy` ends with when the new version was taken back.
const ROLLED_BACK: i32 = 6;

/// Options of the benchmark.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The portal's program.
    #[arg(long)]
    portal: PathBuf,
    /// The API's function.
    #[arg(long)]
    function: PathBuf,
    /// The function that fails as a file in its package tells it to.
    #[arg(long)]
    failing: PathBuf,
    /// The folder of the T-SQL migrations.
    #[arg(long)]
    migrations: PathBuf,
    /// How often it is deployed.
    #[arg(long, default_value_t = 5)]
    times: u32,
    /// How many call at the same time.
    #[arg(long, default_value_t = 8)]
    callers: usize,
}

/// What was seen of one deploy, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Seen {
    share_ms: i64,
    bad_ms: i64,
    back_ms: i64,
}

/// One deploy, and what the callers got from its beginning on.
struct Deployed {
    seen: Seen,
    calls: Vec<Call>,
}

/// Measures and prints.
///
/// # Errors
/// When something fails that is not to be measured.
pub async fn run(options: &Options) -> Result<()> {
    let state = tempfile::tempdir()?;
    let zip = state.path().join("api.zip");
    demo::package(&options.function, &zip)?;
    let config = Config { ports: Ports::ANY, ..Config::new(state.path().join("sandbox")) };
    let sandbox = Sandbox::start(config).await.context("start the sandbox")?;
    let parts = demo::Parts { zip, migrations: options.migrations.clone(), rotation_zip: None };
    let world = Box::pin(demo::build(&sandbox, &parts)).await?;
    let portal = Portal::start(&options.portal, &world, state.path()).await.context("start the portal")?;
    let looker = Looker::of(&sandbox);
    println!("{} processors, load {} at the beginning", super::processors(), super::load());
    let mut deployed = Vec::new();
    for number in 1..=options.times {
        let zip = state.path().join(format!("failing-{number}.zip"));
        package(&options.failing, number, &zip)?;
        let callers = Callers::start(&sandbox, options.callers, PAUSE)?;
        let seen = measure(&portal, &looker, &zip).await;
        let calls = callers.stop().await;
        let one = Deployed { seen: seen.with_context(|| format!("deploy {number}"))?, calls };
        eprintln!("deploy {number}: {:.1} s", seconds(one.seen.bad_ms, one.seen.back_ms));
        deployed.push(one);
    }
    println!("\n{}", table(options, &deployed));
    println!("load {} at the end", super::load());
    drop(portal);
    sandbox.stop().await;
    Ok(())
}

/// The failing function with what tells it to fail; each number gives other code.
fn package(program: &Path, number: u32, zip: &Path) -> Result<()> {
    let options = SimpleFileOptions::default().compression_level(Some(1));
    let mut writer = zip::ZipWriter::new(File::create(zip)?);
    writer.start_file("bootstrap", options.unix_permissions(0o755))?;
    std::io::copy(&mut File::open(program)?, &mut writer)?;
    for (name, content) in [("misbehave.json", FAULTS.to_owned()), ("label", number.to_string())] {
        writer.start_file(name, options.unix_permissions(0o644))?;
        writer.write_all(content.as_bytes())?;
    }
    writer.finish()?;
    Ok(())
}

/// Deploys, and looks on until the command has ended.
async fn measure(portal: &Portal, looker: &Looker<'_>, zip: &Path) -> Result<Seen> {
    let mut command = portal.command();
    command.arg("deploy").arg(zip).args(["--steps", "50%/1h", "--min-requests", "20"]);
    // The deploy before has set them off.
    let deploy = command.arg("--despite-alarms").output();
    let (output, seen) = tokio::time::timeout(LIMIT, async { tokio::join!(deploy, looker.watch()) })
        .await
        .context("it does not come to its end")?;
    let output = output.context("run lockkeeper deploy")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(ROLLED_BACK), "lockkeeper deploy: {}: {said}", output.status);
    seen
}

/// Somebody who looks at CloudWatch and at the alias.
struct Looker<'a> {
    sandbox: &'a Sandbox,
    cloudwatch: aws_sdk_cloudwatch::Client,
    lambda: aws_sdk_lambda::Client,
}

impl<'a> Looker<'a> {
    fn of(sandbox: &'a Sandbox) -> Self {
        let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "not-a-key", None, None, "bench");
        let cloudwatch = aws_sdk_cloudwatch::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(credentials.clone())
            .endpoint_url(sandbox.aws_endpoint());
        let lambda = aws_sdk_lambda::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(credentials)
            .endpoint_url(sandbox.aws_endpoint());
        Self {
            sandbox,
            cloudwatch: aws_sdk_cloudwatch::Client::from_conf(cloudwatch.build()),
            lambda: aws_sdk_lambda::Client::from_conf(lambda.build()),
        }
    }

    /// Looks until a version that had a share has none any more.
    async fn watch(&self) -> Result<Seen> {
        let (mut share, mut bad_ms) = (None, None);
        loop {
            let weighted = self.weighted().await?;
            let now = self.sandbox.context().now_ms();
            match (&share, weighted) {
                (None, Some(version)) => share = Some((version, now)),
                (Some((_, share_ms)), None) => {
                    let bad_ms = bad_ms.context("it was taken back before a failed request was seen")?;
                    return Ok(Seen { share_ms: *share_ms, bad_ms, back_ms: now });
                }
                _ => {}
            }
            if let (Some((version, share_ms)), None) = (&share, bad_ms)
                && self.failed(version, *share_ms).await? > 0.0
            {
                bad_ms = Some(self.sandbox.context().now_ms());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The version that has a share.
    async fn weighted(&self) -> Result<Option<String>> {
        let alias = self.lambda.get_alias().function_name(demo::FUNCTION).name(demo::ALIAS).send().await?;
        let weights = alias.routing_config().and_then(|config| config.additional_version_weights());
        Ok(weights.into_iter().flatten().next().map(|(version, _)| version.clone()))
    }

    /// The version's failed requests since then, as the function counts them.
    async fn failed(&self, version: &str, since_ms: i64) -> Result<f64> {
        let dimension = |name, value| Dimension::builder().name(name).value(value).build();
        let metric = Metric::builder()
            .namespace("LearningHub")
            .metric_name("ServerErrors")
            .dimensions(dimension("FunctionName", demo::FUNCTION))
            .dimensions(dimension("ExecutedVersion", version));
        let stat = MetricStat::builder().metric(metric.build()).period(60).stat("Sum").build();
        let minute = since_ms / 60_000 * 60_000;
        let end = (self.sandbox.context().now_ms() / 60_000 + 1) * 60_000;
        let answer = self
            .cloudwatch
            .get_metric_data()
            .start_time(DateTime::from_millis(minute))
            .end_time(DateTime::from_millis(end))
            .metric_data_queries(MetricDataQuery::builder().id("failed").metric_stat(stat).build())
            .send()
            .await?;
        Ok(answer.metric_data_results().iter().flat_map(|result| result.values()).sum())
    }
}

fn seconds(from_ms: i64, to_ms: i64) -> f64 {
    (to_ms - from_ms) as f64 / 1e3
}

/// The figures, and whether they are as they were to be.
fn table(options: &Options, deployed: &[Deployed]) -> String {
    let mut text = format!(
        "code that fails 30 % of its requests, at 50 % of {} callers' requests\n{:<8}{:>22}{:>22}{:>16}{:>16}\n",
        options.callers, "", "share to bad figure", "bad figure to none", "bad answers", "after the end",
    );
    let mut taken = Vec::new();
    for (index, Deployed { seen, calls }) in deployed.iter().enumerate() {
        let took = seconds(seen.bad_ms, seen.back_ms);
        let bad = |call: &&Call| !call.is_good();
        let late = calls.iter().filter(bad).filter(|call| call.at_ms > seen.back_ms).count();
        let _ = writeln!(
            text,
            "{:<8}{:>20.1} s{took:>20.1} s{:>16}{late:>16}",
            index + 1,
            seconds(seen.share_ms, seen.bad_ms),
            format!("{} of {}", calls.iter().filter(bad).count(), calls.len()),
        );
        taken.push(took);
    }
    let (least, most) = (percentile(&taken, 0.0), percentile(&taken, 100.0));
    let verdict = if most <= GOAL { "met" } else { "MISSED" };
    let _ = writeln!(
        text,
        "bad figure to none: least {least:.1} s, median {:.1} s, most {most:.1} s; <= {GOAL} s {verdict}",
        median(&taken)
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_was_missed() {
        let options = Options {
            portal: PathBuf::new(),
            function: PathBuf::new(),
            failing: PathBuf::new(),
            migrations: PathBuf::new(),
            times: 2,
            callers: 8,
        };
        let call = |at_ms, status| Call {
            at_ms,
            took: Duration::from_millis(7),
            request: "GET /status".to_owned(),
            status: Some(status),
            said: String::new(),
        };
        let one = |back_ms| Deployed {
            seen: Seen { share_ms: 1_000, bad_ms: 3_500, back_ms },
            calls: vec![call(500, 200), call(2_000, 500), call(back_ms + 1, 503)],
        };
        let text = table(&options, &[one(13_500), one(23_500)]);
        assert!(text.contains("2.5 s                10.0 s          2 of 3               1\n"), "{text}");
        assert!(text.contains("least 10.0 s, median 15.0 s, most 20.0 s; <= 60 s met\n"), "{text}");
        assert!(table(&options, &[one(63_600)]).contains("<= 60 s MISSED"));
    }
}
