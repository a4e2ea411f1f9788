//! The command line client: the operations API from a terminal or a CI job, with an access token.
//!
//! - [`api`]: the API itself: reads, changes, uploads, waiting; [`address`]: which portals are spoken to;
//!   [`retry`]: what is tried again, and when;
//! - [`stop`]: how a command ends, and the exit codes;
//! - [`output`]: tables for people, JSON for scripts;
//! - [`health`], [`rotate`], [`deploy`], [`logs`], [`tokens`]: the commands.
//!
//! What a command found out goes to standard output, what it tells meanwhile to standard error. It keeps
//! nothing, and the token comes from the environment or a file, never from an argument, which every user
//! of the machine could read.

pub mod address;
pub mod api;
pub mod deploy;
pub mod health;
pub mod logs;
pub mod output;
pub mod retry;
pub mod rotate;
pub mod stop;
pub mod tokens;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use operations::{Clock, Random};

use api::Api;
use output::Output;
use stop::{Exit, Stop};

/// The variable that holds the token.
pub const TOKEN_VARIABLE: &str = "LOCKKEEPER_TOKEN";

/// The variable that holds the portal's address.
pub const URL_VARIABLE: &str = "LOCKKEEPER_URL";

/// What a portal can be asked for from here.
#[derive(Subcommand)]
pub enum Command {
    /// Show how the API and its parts are. Ends with 1 when callers don't get what they came for.
    Health(health::Arguments),
    /// Rotate the database's secret now.
    Rotate(rotate::Arguments),
    /// Put new code before users, step by step; ends with 6 when it was taken back.
    Deploy(Box<deploy::Arguments>),
    /// Go back to the version that had the requests before, at once.
    Rollback(deploy::BackArguments),
    /// Show lines of a log, or follow it.
    Logs(logs::Arguments),
    /// Your access tokens.
    Token(tokens::Arguments),
}

/// Where the portal is, and how to talk to it.
#[derive(Args)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// The portal's address; otherwise LOCKKEEPER_URL says it.
    #[arg(long, global = true, value_name = "URL")]
    portal: Option<String>,
    /// A file whose first line is your access token; otherwise LOCKKEEPER_TOKEN holds it.
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// PEM certificates to trust in place of the system's.
    #[arg(long, global = true, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// One line of JSON on standard output; what goes wrong is JSON on standard error, too.
    #[arg(long, global = true)]
    json: bool,
}

impl Connection {
    /// How results are to be written.
    pub fn output(&self) -> Output {
        Output { json: self.json }
    }
}

/// What a command is given.
pub struct Tools {
    /// The time.
    pub clock: Clock,
    /// Random bytes.
    pub random: Random,
}

/// Does what was asked for; says what went wrong.
pub async fn run(command: Command, tools: &Tools) -> ExitCode {
    let (output, outcome) = match command {
        Command::Health(arguments) => {
            let output = arguments.connection.output();
            (output, health::run(arguments, tools).await)
        }
        Command::Rotate(arguments) => {
            let output = arguments.connection.output();
            (output, rotate::run(arguments, tools).await)
        }
        Command::Deploy(arguments) => {
            let output = arguments.connection.output();
            (output, deploy::run(*arguments, tools).await)
        }
        Command::Rollback(arguments) => {
            let output = arguments.connection.output();
            (output, deploy::back(arguments, tools).await)
        }
        Command::Logs(arguments) => {
            let output = arguments.connection.output();
            (output, logs::run(arguments, tools).await)
        }
        Command::Token(arguments) => {
            let output = arguments.connection.output();
            (output, tokens::run(arguments, tools).await)
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            output.stopped(&stop);
            stop.exit.code()
        }
    }
}

/// Connects as the arguments and the environment say; asks nobody yet.
///
/// # Errors
/// `Usage` when no portal is named, or one that must not be spoken to; `Forbidden` when there is no token.
pub fn connect(connection: &Connection, tools: &Tools) -> Result<Api, Stop> {
    let named = connection.portal.clone().or_else(|| variable(URL_VARIABLE)).ok_or_else(|| {
        Stop::new(Exit::Usage, "Which portal?").with_next("Say --portal https://..., or set LOCKKEEPER_URL.")
    })?;
    let portal = address::portal(&named)?;
    let token = token(connection)?;
    let ca = match &connection.ca_file {
        Some(path) => Some(read(path, "--ca-file")?),
        None => None,
    };
    Api::new(portal, &token, ca.as_deref(), tools)
}

/// 32 hexadecimal digits: an id of our own choice, so that a request that is sent again is the same one.
fn new_id(tools: &Tools) -> String {
    let mut bytes = [0_u8; 16];
    (tools.random)(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn token(connection: &Connection) -> Result<String, Stop> {
    let text = match &connection.token_file {
        Some(path) => {
            let bytes = read(path, "--token-file")?;
            String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned()
        }
        None => variable(TOKEN_VARIABLE).ok_or_else(|| {
            Stop::new(Exit::Forbidden, "There is no access token.").with_next(
                "Make one on the portal's page \u{201c}Access tokens\u{201d}, and set LOCKKEEPER_TOKEN or say --token-file.",
            )
        })?,
    };
    let text = text.trim();
    // What it is must not be said: it may be another secret.
    match text.starts_with("lk_") && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(text.to_owned()),
        false => {
            Err(Stop::new(Exit::Forbidden, "That is no access token of a Lockkeeper: those begin with lk_."))
        }
    }
}

fn read(path: &std::path::Path, argument: &str) -> Result<Vec<u8>, Stop> {
    std::fs::read(path).map_err(|error| {
        Stop::new(Exit::Usage, format!("{argument}: {} can't be read: {error}", path.display()))
    })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}
