//! `lockkeeper logs`: lines of a log, and with `--follow` what is written from then on.
//!
//! A stream that ends or breaks is opened again behind the last line, for as long as the portal can be
//! reached within a while. Lines go to standard output, each on its own; with `--json` as JSON.

use std::collections::VecDeque;
use std::io::Write as _;
use std::time::Duration;

use clap::Args;
use model::log_filter::{LogBatch, LogPage};
use model::logs::LogLine;

use super::api::{Api, Events};
use super::output::Output;
use super::stop::{Exit, Stop};
use super::{Connection, Tools, connect};
use crate::components::words;

/// Between two tries to follow on.
const PAUSE: Duration = Duration::from_secs(2);
/// So many tries in a row may fail.
const MOST_TRIES: u32 = 15;
/// So many ids are remembered, so that a line that is sent twice is shown once.
const REMEMBERED: usize = 4_096;

/// What `logs` can be told.
#[derive(Args)]
pub struct Arguments {
    /// Which log: function, access or rotation.
    #[arg(long, default_value = "function")]
    log: String,
    /// Only lines that hold this text.
    #[arg(long)]
    text: Option<String>,
    /// Only lines of this level or above: TRACE, DEBUG, INFO, WARN, ERROR, FATAL.
    #[arg(long)]
    level: Option<String>,
    /// Only lines of this route, for example "GET /courses".
    #[arg(long)]
    route: Option<String>,
    /// Only lines of this version of the function.
    #[arg(long)]
    version: Option<String>,
    /// How far back: 5m, 1h, 3h, 12h, 1d or 7d. Not with --follow, which begins half a minute ago.
    #[arg(long, default_value = "1h", conflicts_with = "follow")]
    since: String,
    /// Show what is written from now on, until it is interrupted.
    #[arg(long, short)]
    follow: bool,
    /// Where the portal is.
    #[command(flatten)]
    pub connection: Connection,
}

/// Reads and shows.
///
/// # Errors
/// What the portal says; that it can't be reached.
pub async fn run(arguments: Arguments, tools: &Tools) -> Result<(), Stop> {
    let api = connect(&arguments.connection, tools)?;
    let output = arguments.connection.output();
    let query = query(&arguments);
    if arguments.follow {
        return follow(&api, &query, output).await;
    }
    let page: LogPage = api.get(&format!("/api/v1/logs?{query}&range={}", escape(&arguments.since))).await?;
    if output.json {
        return output.result(&page, String::new);
    }
    for line in page.lines.iter().rev() {
        show(line, output)?;
    }
    if !page.whole {
        output.tell("There are more lines: name a shorter time, or what they hold.");
    }
    Ok(())
}

fn query(arguments: &Arguments) -> String {
    let Arguments { log, text, level, route, version, .. } = arguments;
    let named = [("text", text), ("level", level), ("route", route), ("version", version)];
    let named = named.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let named = named.map(|(name, value)| format!("&{name}={}", escape(value)));
    format!("group={}{}", escape(log), named.collect::<String>())
}

/// For the value of a query parameter.
fn escape(text: &str) -> String {
    crate::pages::sign_in::escape(text)
}

async fn follow(api: &Api, query: &str, output: Output) -> Result<(), Stop> {
    let (mut last, mut failed) = (None::<String>, 0);
    let mut shown = VecDeque::new();
    loop {
        let after = last.as_ref().map(|last| format!("&after={}", escape(last))).unwrap_or_default();
        match api.events(&format!("/api/v1/logs/tail?{query}{after}")).await {
            Ok(mut events) => {
                failed = 0;
                follow_one(&mut events, &mut last, &mut shown, output).await?;
            }
            // The portal may be starting anew, or have no room at the moment.
            Err(stop) if may_pass(&stop) && failed < MOST_TRIES => {
                failed += 1;
                output.tell(&format!("{} Trying again.", stop.message));
            }
            Err(stop) => return Err(stop),
        }
        if failed > 0 {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn may_pass(stop: &Stop) -> bool {
    stop.exit == Exit::Unreachable || stop.status == Some(503)
}

/// Shows one stream to its end. That it breaks is no failure: the next one goes on behind it.
async fn follow_one(
    events: &mut Events,
    last: &mut Option<String>,
    shown: &mut VecDeque<String>,
    output: Output,
) -> Result<(), Stop> {
    while let Some(event) = events.next().await {
        if event.name != "lines" {
            continue;
        }
        let batch: LogBatch = serde_json::from_str(&event.data)
            .map_err(|error| Stop::new(Exit::Failed, format!("An event could not be understood: {error}")))?;
        if batch.gap {
            output.tell("Lines may be missing before these.");
        }
        if let Some(problem) = &batch.problem {
            output.tell(&problem.message);
        }
        for line in &batch.lines {
            if shown.contains(&line.id) {
                continue;
            }
            show(line, output)?;
            shown.push_back(line.id.clone());
            if shown.len() > REMEMBERED {
                shown.pop_front();
            }
        }
        if event.id.is_some() {
            *last = event.id;
        }
    }
    Ok(())
}

/// One line. What would move the terminal's cursor is left out of it.
fn show(line: &LogLine, output: Output) -> Result<(), Stop> {
    let text = match output.json {
        true => serde_json::to_string(line).map_err(|error| Stop::new(Exit::Failed, error.to_string()))?,
        false => {
            let text: String =
                line.text.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            format!("{} {text}", words::iso(line.at))
        }
    };
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    written.map_err(|error| Stop::new(Exit::Failed, format!("A line could not be written: {error}")))
}
