//! The secret is rotated again and again, with each strategy, while callers call the API through the
//! gateway, and environments of its function end and start: does any of them notice?
//!
//! All of it runs as it would on AWS, the two functions as built for Lambda in the sandbox's execution
//! environments. The times are this machine's; that no call fails, and how many logins do, is not.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sandbox::demo::load::{Call, Callers};
use sandbox::demo::rounds::{Rotated, Rotations, Strategy, is_failed_login, most_failed_logins};
use sandbox::sandbox::Ports;
use sandbox::tds::RefusedLogin;
use sandbox::{Config, Sandbox, demo};

use crate::statistics::{median, percentile};

/// On average between an answer and a caller's next request.
const PAUSE: Duration = Duration::from_millis(500);
/// Before the first rotation, between two, and after the last: what they are compared with.
const REST: Duration = Duration::from_secs(2);
/// So many failed logins of one environment and rotation are allowed.
const MOST_FAILED: usize = 2;
const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];

/// Options of the benchmark.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The API's function.
    #[arg(long)]
    function: PathBuf,
    /// The rotation function.
    #[arg(long)]
    rotation: PathBuf,
    /// The folder of the T-SQL migrations.
    #[arg(long)]
    migrations: PathBuf,
    /// How many call at the same time.
    #[arg(long, default_value_t = 200)]
    callers: usize,
    /// How often the secret is rotated with each strategy.
    #[arg(long, default_value_t = 20)]
    rotations: usize,
}

/// What came of one strategy.
struct Outcome {
    calls: Vec<Call>,
    rotated: Vec<Rotated>,
    steps: Vec<(String, f64)>,
    refused: Vec<RefusedLogin>,
    logins: u64,
}

/// Measures and prints.
///
/// # Errors
/// When something fails that is not to be measured.
pub async fn run(options: &Options) -> Result<()> {
    let state = tempfile::tempdir()?;
    let [zip, rotation_zip] = ["api.zip", "rotation.zip"].map(|name| state.path().join(name));
    demo::package(&options.function, &zip)?;
    demo::package(&options.rotation, &rotation_zip)?;
    let config = Config { ports: Ports::ANY, ..Config::new(state.path().join("sandbox")) };
    let sandbox = Sandbox::start(config).await.context("start the sandbox")?;
    let parts = demo::Parts { zip, migrations: options.migrations.clone(), rotation_zip: Some(rotation_zip) };
    Box::pin(demo::build(&sandbox, &parts)).await?;
    println!("{} processors, load {} at the beginning", super::processors(), super::load());
    let mut rotations = Rotations::of(&sandbox).await?;
    for strategy in Strategy::ALL {
        eprintln!("measuring {}", strategy.name());
        rotations.use_strategy(strategy).await?;
        let outcome = measure(&sandbox, &mut rotations, options).await?;
        let title =
            format!("{}: {} callers, {} rotations", strategy.name(), options.callers, options.rotations);
        println!("\n{}", table(&title, &outcome));
    }
    println!("load {} at the end", super::load());
    drop(rotations);
    sandbox.stop().await;
    Ok(())
}

async fn measure(sandbox: &Sandbox, rotations: &mut Rotations<'_>, options: &Options) -> Result<Outcome> {
    let (logins, refused) = (sandbox.tds().logins(), sandbox.tds().refused_logins().len());
    let callers = Callers::start(sandbox, options.callers, PAUSE)?;
    let mut rotated = Vec::new();
    rotations.rest(REST).await;
    for _ in 0..options.rotations {
        rotated.push(rotations.rotate().await?);
        rotations.rest(REST).await;
    }
    let calls = callers.stop().await;
    let steps = rotations.steps(&rotated).await?;
    let refused = sandbox.tds().refused_logins().split_off(refused);
    Ok(Outcome { calls, rotated, steps, refused, logins: sandbox.tds().logins() - logins })
}

/// The figures, and whether they are as they were to be.
fn table(title: &str, outcome: &Outcome) -> String {
    let mut text = format!("{title}\n");
    let mut line = |name: &str, values: &str, goal: &str| {
        let _ = writeln!(text, "{}", format!("  {name:<52}{values:>24}  {goal}").trim_end());
    };
    let Outcome { calls, rotated, steps, refused, logins } = outcome;
    let within = |call: &&Call| {
        rotated.iter().any(|rotation| (rotation.from_ms..=rotation.to_ms).contains(&call.at_ms))
    };
    let times =
        |calls: &[&Call]| -> Vec<f64> { calls.iter().map(|call| call.took.as_secs_f64() * 1e3).collect() };
    let (during, outside): (Vec<&Call>, Vec<&Call>) = calls.iter().partition(within);
    let bad: Vec<&Call> = calls.iter().filter(|call| !call.is_good()).collect();
    let most = most_failed_logins(refused, rotated);
    let failed = refused.iter().filter(|refused| is_failed_login(refused)).count();
    line("requests during rotations, and outside", &pair(during.len(), outside.len()), "");
    line("answers that are not 2xx", &bad.len().to_string(), verdict("0", bad.is_empty()).as_str());
    for percent in [50.0, 99.0] {
        let of = |calls: &[&Call]| format!("{:.1}", percentile(&times(calls), percent));
        line(&format!("p{percent} during and outside, ms"), &pair(of(&during), of(&outside)), "");
    }
    line("logins of all functions that worked", &logins.to_string(), "");
    line("failed logins of the API's function", &failed.to_string(), "");
    let goal = verdict(&format!("<= {MOST_FAILED}"), most <= MOST_FAILED);
    line("failed logins, most of one environment and rotation", &most.to_string(), &goal);
    let lasted: Vec<f64> =
        rotated.iter().map(|rotation| (rotation.to_ms - rotation.from_ms) as f64).collect();
    line("a rotation, median and longest, ms", &median_and_longest(&lasted), "");
    for step in STEPS {
        let took: Vec<f64> = steps.iter().filter(|(name, _)| name == step).map(|(_, took)| *took).collect();
        line(&format!("  {step}, median and longest, ms"), &median_and_longest(&took), "");
    }
    for call in bad.iter().take(5) {
        line(&format!("{} {:?}: {}", call.request, call.status, call.said), "", "");
    }
    text
}

fn pair(one: impl std::fmt::Display, other: impl std::fmt::Display) -> String {
    format!("{one:>11} {other:>12}")
}

fn median_and_longest(values: &[f64]) -> String {
    pair(format!("{:.0}", median(values)), format!("{:.0}", percentile(values, 100.0)))
}

fn verdict(wanted: &str, met: bool) -> String {
    format!("{wanted} {}", if met { "met" } else { "MISSED" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_was_missed() {
        let call = |at_ms, status| Call {
            at_ms,
            took: Duration::from_millis(7),
            request: "GET /status".to_owned(),
            status,
            said: String::new(),
        };
        let rotated = vec![Rotated { token: "a".to_owned(), from_ms: 10, to_ms: 30 }];
        let steps = STEPS.map(|step| (step.to_owned(), 4.0)).to_vec();
        let calls = vec![call(5, Some(200)), call(10, Some(201)), call(30, Some(200))];
        let mut outcome = Outcome { calls, rotated, steps, refused: Vec::new(), logins: 3 };
        let text = table("title", &outcome);
        assert!(!text.contains("MISSED"), "{text}");
        assert!(text.contains("2            1\n"), "{text}");
        outcome.calls.push(call(31, Some(503)));
        outcome.calls.push(call(32, None));
        let text = table("title", &outcome);
        assert!(text.contains("2  0 MISSED\n"), "{text}");
    }
}
