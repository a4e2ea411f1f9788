//! `lockkeeper health`: the overview, in a few lines.

use clap::Args;
use model::overview::{
    Alarm, AlarmState, Function, Health, HealthVerdict, Overview, Reading, Secret, Traffic,
};

use super::stop::{Exit, Stop};
use super::{Connection, Tools, connect, output};
use crate::components::words;

/// What `health` can be told.
#[derive(Args)]
pub struct Arguments {
    /// Where the portal is.
    #[command(flatten)]
    pub connection: Connection,
}

/// Reads and shows it.
///
/// # Errors
/// `Failed` when callers of the API don't get what they came for; otherwise what the portal says.
pub async fn run(arguments: Arguments, tools: &Tools) -> Result<(), Stop> {
    let api = connect(&arguments.connection, tools)?;
    let overview: Overview = api.get("/api/v1/overview").await?;
    arguments.connection.output().result(&overview, || in_words(&overview))?;
    match &overview.health.value {
        Some(Health { verdict: HealthVerdict::Healthy, .. }) => Ok(()),
        Some(health) => Err(Stop::new(Exit::Failed, health.summary.clone())),
        None => Err(Stop::new(Exit::Failed, "Whether the API is healthy could not be found out.")),
    }
}

fn in_words(overview: &Overview) -> String {
    let stack = &overview.stack;
    output::facts(&[
        ("Stack", format!("{} in {}, API {} {}", stack.function, stack.region, stack.api_id, stack.stage)),
        ("API", said(&overview.health, health)),
        ("Function", said(&overview.function, function)),
        ("Secret", said(&overview.secret, |secret| self::secret(secret, overview))),
        ("Alarms", said(&overview.alarms, |alarms| self::alarms(alarms))),
        ("Last hour", said(&overview.traffic, traffic)),
    ])
}

/// A reading in words, and that it is an old one or none.
fn said<T>(reading: &Reading<T>, words: impl FnOnce(&T) -> String) -> String {
    match (&reading.value, &reading.problem) {
        (Some(value), None) => words(value),
        (Some(value), Some(problem)) => {
            format!("{} (as of {}: {})", words(value), words::utc(reading.at), problem.message)
        }
        (None, Some(problem)) => format!("not known: {}", problem.message),
        (None, None) => "not read yet".to_owned(),
    }
}

fn health(health: &Health) -> String {
    let verdict = match health.verdict {
        HealthVerdict::Healthy => "healthy",
        HealthVerdict::Unhealthy => "unhealthy",
        HealthVerdict::Unreachable => "unreachable",
    };
    format!("{verdict} ({}): {}", words::millis(health.latency_ms), health.summary)
}

fn function(function: &Function) -> String {
    let canary = function
        .canary
        .as_ref()
        .map(|(version, share)| format!(", version {version} gets {}", words::share(*share)));
    let Function { version, state, last_update, .. } = function;
    format!("version {version}{}, {state}, last update {last_update}", canary.unwrap_or_default())
}

fn secret(secret: &Secret, overview: &Overview) -> String {
    let version = secret.current_version.as_deref().map_or("none".to_owned(), words::short_id);
    let rotated =
        secret.rotated.map_or("never rotated".to_owned(), |at| format!("rotated {}", words::utc(at)));
    let next = match (secret.rotation_enabled, secret.next_rotation) {
        (false, _) => ", rotation is off".to_owned(),
        (true, Some(next)) if next < overview.now => format!(", overdue since {}", words::utc(next)),
        (true, Some(next)) => format!(", next {}", words::utc(next)),
        (true, None) => String::new(),
    };
    let pending = secret.pending_version.as_ref().map(|_| ", a rotation is running or half done");
    format!("version {version}, {rotated}{next}{}", pending.unwrap_or_default())
}

fn alarms(alarms: &[Alarm]) -> String {
    let firing: Vec<&str> =
        alarms.iter().filter(|alarm| alarm.state == AlarmState::Alarm).map(|alarm| &*alarm.name).collect();
    match firing.as_slice() {
        [] => format!("none of {} fires", alarms.len()),
        firing => format!("{} of {} fire: {}", firing.len(), alarms.len(), firing.join(", ")),
    }
}

fn traffic(traffic: &Traffic) -> String {
    let count = |value: Option<f64>| value.map_or("no data".to_owned(), words::count);
    let errors = traffic.error_share().map_or("-".to_owned(), words::share);
    let p95 = traffic.duration_p95.whole.map_or("-".to_owned(), words::millis);
    let (requests, throttles) = (count(traffic.requests.whole), count(traffic.throttles.whole));
    format!("requests {requests}, errors {errors}, throttles {throttles}, p95 {p95}")
}
