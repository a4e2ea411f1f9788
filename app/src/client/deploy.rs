//! `lockkeeper deploy` and `lockkeeper rollback`: new code before users and back, from a terminal or a CI
//! job.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::{ArgGroup, Args};
use hyper::body::Bytes;
use model::check::CheckOutcome;
use model::deploy::{
    Code, Deploy, DeployPreview, DeploysPage, Gates, RollBack, Rollout, RolloutState, RolloutStepState,
    Smoke, Started, Strategy, Uploaded, Verdict,
};

use super::api::{Api, Pace};
use super::output::{Output, facts};
use super::retry::Repeat;
use super::stop::{Exit, Stop};
use super::{Connection, Tools, connect, new_id};

/// AWS: a larger zip goes through S3. It is not even read.
const LARGEST_ZIP: u64 = 50 * 1024 * 1024;
/// How often a rollout is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// What `deploy` can be told.
#[derive(Args)]
#[command(group = ArgGroup::new("code").required(true))]
#[command(group = ArgGroup::new("how"))]
pub struct Arguments {
    /// The zip: what `cargo xtask package` writes.
    #[arg(group = "code", value_name = "ZIP")]
    zip: Option<PathBuf>,
    /// A zip in S3 instead, up to 250 MB unzipped: s3://BUCKET/KEY, with ?versionId=ID for a version of it.
    #[arg(long, group = "code", value_name = "URL")]
    s3: Option<String>,
    /// A published version instead.
    #[arg(long, group = "code", value_name = "NUMBER")]
    version: Option<String>,
    /// A share for some time, then all, for example 10%/5m. This is what happens when nothing is said.
    #[arg(long, group = "how", value_name = "SHARE/TIME", default_value = "10%/5m")]
    canary: String,
    /// The share, and as much again after each time, for example 10%/1m.
    #[arg(long, group = "how", value_name = "SHARE/TIME")]
    linear: Option<String>,
    /// Shares of your own, each for its time: 5%/10m,25%/10m,50%/5m.
    #[arg(long, group = "how", value_name = "SHARES")]
    steps: Option<String>,
    /// All requests, as soon as the first one was answered well.
    #[arg(long, group = "how")]
    all_at_once: bool,
    /// What is new, at most 150 bytes.
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// The commit it was built from.
    #[arg(long, value_name = "ID")]
    commit: Option<String>,
    /// What the new version is asked before anybody else asks it.
    #[arg(long, value_name = "REQUEST", default_value = "GET /status")]
    smoke: String,
    /// It is taken back when more of its requests fail than of the old version's, by so many per cent.
    #[arg(long, value_name = "PERCENT", default_value_t = Gates::default().max_error_percent)]
    max_errors: f64,
    /// It is taken back when its 95th percentile is so many times the old version's.
    #[arg(long, value_name = "TIMES", default_value_t = Gates::default().max_slowdown)]
    max_slowdown: f64,
    /// So many requests are needed at each share before it goes on.
    #[arg(long, value_name = "NUMBER", default_value_t = Gates::default().min_requests)]
    min_requests: u32,
    /// Where there are too few requests, have the portal send the smoke request again and again.
    #[arg(long)]
    fill: bool,
    /// Alarms that fire are no obstacle. It is written into the audit log.
    #[arg(long)]
    despite_alarms: bool,
    /// Only show what it would find; ends with 5 when something is in the way.
    #[arg(long)]
    dry_run: bool,
    /// End when it has begun.
    #[arg(long)]
    no_wait: bool,
    /// How many seconds to wait for its end at most. The rollout goes on afterwards.
    #[arg(long, value_name = "SECONDS", default_value_t = 7_200, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    timeout: u64,
    /// Where the portal is.
    #[command(flatten)]
    pub connection: Connection,
}

/// Deploys.
///
/// # Errors
/// `RolledBack` when the new version did not hold; `Conflict` when something is in the way; `Failed` when
/// it never had a request.
pub async fn run(arguments: Arguments, tools: &Tools) -> Result<(), Stop> {
    let api = connect(&arguments.connection, tools)?;
    let output = arguments.connection.output();
    let strategy = strategy(&arguments)?;
    let smoke = smoke(&arguments.smoke)?;
    let code = code(&api, &arguments, output).await?;
    let deploy = Deploy {
        id: Some(new_id(tools)),
        code,
        description: arguments.description,
        commit: arguments.commit,
        strategy,
        smoke,
        gates: Gates {
            max_error_percent: arguments.max_errors,
            max_slowdown: arguments.max_slowdown,
            min_requests: arguments.min_requests,
        },
        fill: arguments.fill,
        despite_alarms: arguments.despite_alarms,
    };
    if arguments.dry_run {
        return preview(&api, &deploy, output).await;
    }
    let started: Started = api.post("/api/v1/deploys", &deploy, Repeat::Safe).await?;
    if arguments.no_wait {
        return output.result(&started, || format!("Begun: {}", started.rollout));
    }
    output.tell(&format!("begun: {} ({})", started.rollout, deploy.strategy.words()));
    let end = watch(&api, &started.rollout, Duration::from_secs(arguments.timeout), output).await?;
    output.result(&end, || end.summary.clone())?;
    ended(&end)
}

/// How the command ends for a rollout that has.
fn ended(end: &Rollout) -> Result<(), Stop> {
    let exit = match end.state {
        RolloutState::Promoted => return Ok(()),
        RolloutState::RolledBack => Exit::RolledBack,
        _ => Exit::Failed,
    };
    let log = end.smoke.as_ref().filter(|answer| !answer.passed).map(|answer| answer.log.join("\n  "));
    let stop = Stop::new(exit, end.summary.clone());
    Err(match log.filter(|log| !log.is_empty()) {
        Some(log) => stop.with_next(format!("Its log:\n  {log}")),
        None => stop.with_next("The portal's page of deploys says more."),
    })
}

fn strategy(arguments: &Arguments) -> Result<Strategy, Stop> {
    let text = match (&arguments.linear, &arguments.steps) {
        _ if arguments.all_at_once => "all".to_owned(),
        (Some(linear), _) => format!("linear {linear}"),
        (_, Some(steps)) => steps.clone(),
        _ => format!("canary {}", arguments.canary),
    };
    text.parse().map_err(|problem: model::problem::Problem| {
        let stop = Stop::new(Exit::Usage, problem.message);
        match problem.next {
            Some(next) => stop.with_next(next),
            None => stop,
        }
    })
}

fn smoke(text: &str) -> Result<Smoke, Stop> {
    let parts = text.trim().split_once(' ');
    let (method, path) = parts.ok_or_else(|| {
        Stop::new(Exit::Usage, format!("{text:?} is no request.")).with_next("Say --smoke \"GET /status\".")
    })?;
    Ok(Smoke { method: method.to_owned(), path: path.trim().to_owned(), body: None })
}

async fn code(api: &Api, arguments: &Arguments, output: Output) -> Result<Code, Stop> {
    if let Some(version) = &arguments.version {
        return Ok(Code::Version { version: version.clone() });
    }
    if let Some(url) = &arguments.s3 {
        return object(url);
    }
    let Some(path) = &arguments.zip else {
        return Err(Stop::new(Exit::Usage, "Which code?"));
    };
    let unreadable = |error: &dyn std::fmt::Display| {
        Stop::new(Exit::Usage, format!("{} can't be read: {error}", path.display()))
    };
    let size = std::fs::metadata(path).map_err(|error| unreadable(&error))?.len();
    if size > LARGEST_ZIP {
        let message =
            format!("{} is larger than 50 MB, which is what Lambda takes directly.", path.display());
        return Err(
            Stop::new(Exit::Usage, message).with_next("Put it into S3, and say --s3 s3://BUCKET/KEY.")
        );
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(&error))?;
    let uploaded: Uploaded = api
        .post_bytes("/api/v1/deploys/uploads", "application/zip", Bytes::from(bytes), progress(size, output))
        .await?;
    output.tell(&format!("uploaded: {} bytes, SHA-256 {}", uploaded.size, uploaded.sha256));
    Ok(Code::Upload { sha256: uploaded.sha256 })
}

/// Tells how far an upload is, where somebody sits before it; each tenth once.
fn progress(size: u64, output: Output) -> impl Fn(u64) + Send + Sync + 'static {
    let told = AtomicU64::new(0);
    let watched = std::io::stderr().is_terminal();
    move |sent| {
        let tenths = sent * 10 / size.max(1);
        if watched && told.fetch_max(tenths, Ordering::Relaxed) < tenths {
            output.tell(&format!("uploading: {} %", tenths * 10));
        }
    }
}

/// `s3://bucket/key` or `s3://bucket/key?versionId=id`.
fn object(url: &str) -> Result<Code, Stop> {
    let wrong = || {
        Stop::new(Exit::Usage, format!("{url:?} is no object in S3.")).with_next("Say --s3 s3://BUCKET/KEY.")
    };
    let rest = url.strip_prefix("s3://").ok_or_else(wrong)?;
    let (bucket, key) = rest.split_once('/').ok_or_else(wrong)?;
    let (key, version) = match key.split_once("?versionId=") {
        Some((key, version)) => (key, Some(version.to_owned())),
        None => (key, None),
    };
    if bucket.is_empty() || key.is_empty() {
        return Err(wrong());
    }
    Ok(Code::S3 { bucket: bucket.to_owned(), key: key.to_owned(), version })
}

async fn preview(api: &Api, deploy: &Deploy, output: Output) -> Result<(), Stop> {
    let found: DeployPreview = api.post("/api/v1/deploys/preview", deploy, Repeat::Safe).await?;
    output.result(&found, || {
        let checks = found.preflight.checks.iter().map(|check| {
            let outcome = match check.outcome {
                CheckOutcome::Pass => "ok      ",
                CheckOutcome::Unknown => "unknown ",
                CheckOutcome::Warn => "warning ",
                CheckOutcome::Fail => "in the way",
            };
            let fix = check.fix.as_ref().map(|fix| format!(" {fix}")).unwrap_or_default();
            (check.title.as_str(), format!("{outcome:10}  {}{fix}", check.evidence))
        });
        let checks: Vec<_> = checks.collect();
        format!("{}{}", facts(&checks), found.preflight.verdict)
    })?;
    match found.preflight.ready {
        true => Ok(()),
        false => Err(Stop::new(Exit::Conflict, found.preflight.verdict.clone())),
    }
}

async fn watch(api: &Api, rollout: &str, limit: Duration, output: Output) -> Result<Rollout, Stop> {
    let pace = Pace { every: LOOK, limit, unseen: Duration::from_secs(30) };
    let mut told = Told::default();
    let path = format!("/api/v1/deploys/{rollout}");
    api.poll(&path, pace, |rollout: Rollout| {
        told.news(&rollout).iter().for_each(|line| output.tell(line));
        if rollout.state.is_over() { ControlFlow::Break(rollout) } else { ControlFlow::Continue(()) }
    })
    .await
}

/// What was told of a rollout.
#[derive(Default)]
struct Told {
    steps: BTreeMap<usize, RolloutStepState>,
    gate: Option<String>,
    trouble: Option<String>,
    state: Option<RolloutState>,
}

impl Told {
    /// What is new since the last look, a line for each thing.
    fn news(&mut self, rollout: &Rollout) -> Vec<String> {
        let mut lines = Vec::new();
        for (index, step) in rollout.steps.iter().enumerate() {
            let waits = step.state == RolloutStepState::Waiting;
            if waits || self.steps.insert(index, step.state) == Some(step.state) {
                continue;
            }
            let state = match step.state {
                RolloutStepState::Waiting | RolloutStepState::Running => "at work",
                RolloutStepState::Done => "done",
            };
            lines.push(format!("{:24}  {state}", step.title));
        }
        if let Some(gate) = rollout.gate.as_ref().filter(|gate| self.gate.as_ref() != Some(&gate.evidence)) {
            let verdict = match gate.verdict {
                Verdict::Pass => "well",
                Verdict::TooFew => "waits",
                Verdict::Fail => "fails",
                Verdict::Unknown => "unknown",
            };
            lines.push(format!("  {verdict}: {}", gate.evidence));
            self.gate = Some(gate.evidence.clone());
        }
        if rollout.trouble.is_some() && self.trouble != rollout.trouble {
            lines.extend(rollout.trouble.iter().map(|trouble| format!("  trouble: {trouble}")));
            self.trouble.clone_from(&rollout.trouble);
        }
        if self.state.replace(rollout.state) != Some(rollout.state) && rollout.state == RolloutState::Paused {
            lines.push("  paused".to_owned());
        }
        lines
    }
}

/// What `rollback` can be told.
#[derive(Args)]
pub struct BackArguments {
    /// The version to go back to; else the one before, or during a rollout the old one.
    #[arg(long, value_name = "NUMBER")]
    to: Option<String>,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Where the portal is.
    #[command(flatten)]
    pub connection: Connection,
}

/// Rolls back.
///
/// # Errors
/// `Conflict` when there is nothing to go back to, or the alias is elsewhere by now.
pub async fn back(arguments: BackArguments, tools: &Tools) -> Result<(), Stop> {
    let api = connect(&arguments.connection, tools)?;
    let output = arguments.connection.output();
    let page: DeploysPage = api.get("/api/v1/deploys").await?;
    let operation = plan(&page, arguments.to, arguments.why)?;
    let _: serde_json::Value = api.post("/api/v1/deploys/rollback", &operation, Repeat::Never).await?;
    output.result(&operation, || format!("Version {} has all requests again.", operation.to))
}

/// What is to be rolled back, and to where.
fn plan(page: &DeploysPage, to: Option<String>, why: Option<String>) -> Result<RollBack, Stop> {
    let underway =
        page.rollout.value.as_ref().and_then(Option::as_ref).filter(|rollout| !rollout.state.is_over());
    if let Some(rollout) = underway {
        let from = rollout.new.clone().unwrap_or_else(|| rollout.old.clone());
        return Ok(RollBack { from, to: to.unwrap_or_else(|| rollout.old.clone()), why });
    }
    let Some(live) = &page.live.value else {
        let message = page.live.problem.as_ref().map(|problem| problem.message.clone());
        return Err(Stop::new(
            Exit::Failed,
            message.unwrap_or_else(|| "What is live is not known.".to_owned()),
        ));
    };
    if let Some((version, _)) = &live.weight {
        return Ok(RollBack { from: version.clone(), to: to.unwrap_or_else(|| live.version.clone()), why });
    }
    let to = to.or_else(|| live.previous.clone()).ok_or_else(|| {
        Stop::new(Exit::Conflict, "Which version was live before is not known.").with_next("Say --to NUMBER.")
    })?;
    Ok(RollBack { from: live.version.clone(), to, why })
}

#[cfg(test)]
#[path = "deploy_tests.rs"]
mod tests;
