//! What `lockkeeper` can be told on the command line.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, CommandFactory, Parser, Subcommand};
use model::people::{Actor, Role};
use operations::audit::{Began, Ended, Journal as _};
use operations::{Clock, MetricsConfig, Operation, Portal, PortalConfig, Random};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower_sessions::ExpiredDeletion;
use tower_sessions_sqlx_store::SqliteStore;

use super::accounts::Accounts;
use super::audit::Journal;
use super::config::{AdminConfig, Config};
use super::limits::Limits;
use super::meter::Meter;
use super::password::{self, Passwords};
use super::tokens::Create;
use super::{App, Parts, Services, listen, router, telemetry};
use crate::client::{self, tokens};

/// How often what is over is deleted.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// Lockkeeper watches and tends one HTTP API on AWS: gateway, function, secret and database.
#[derive(Parser)]
#[command(name = "lockkeeper", version, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

/// For scripts; they are explained in [`client::stop`].
const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 refused or failed; 2 wrong command line; 3 the portal can't be reached;
4 no token, or not allowed; 5 something else is in the way; 6 rolled back";

#[derive(Subcommand)]
enum Command {
    /// Serve the portal (the default). Configured by LOCKKEEPER_* variables.
    Serve,
    /// Who may sign in.
    #[command(subcommand)]
    Admin(AdminCommand),
    #[command(flatten)]
    Client(client::Command),
    /// Print completions for a shell.
    Completions {
        /// Which.
        shell: clap_complete::Shell,
    },
}

#[derive(Subcommand)]
enum AdminCommand {
    /// Add an account; asks for its password, or reads it from standard input.
    Add(Account),
    /// Print a sign-in link: good once, for 15 minutes.
    Link {
        #[command(flatten)]
        account: Account,
        /// Add the account, without a password, if there is none.
        #[arg(long)]
        create: bool,
    },
    /// Make an access token for somebody and print it, this once. It can do no more than they may.
    Token {
        /// The account's e-mail address.
        #[arg(long)]
        email: String,
        #[command(flatten)]
        wanted: tokens::Wanted,
    },
}

#[derive(Args)]
struct Account {
    /// The account's e-mail address.
    #[arg(long)]
    email: String,
    /// What a new account may do; one that exists keeps its role.
    #[arg(long, value_parser = role, default_value = "admin")]
    role: Role,
}

/// Does what the command line says, and says what went wrong; how it ended.
pub async fn run(cli: Cli, clock: Clock, random: Random) -> ExitCode {
    let outcome = match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(clock, random).await,
        Command::Admin(command) => admin(command, clock, random).await,
        Command::Client(command) => return client::run(command, &client::Tools { clock, random }).await,
        Command::Completions { shell } => completions(shell),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where nobody can read it, nobody can be told that either.
            let _ = writeln!(std::io::stderr(), "lockkeeper: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn admin(command: AdminCommand, clock: Clock, random: Random) -> anyhow::Result<()> {
    match command {
        AdminCommand::Add(account) => add(account, clock, random).await,
        AdminCommand::Link { account, create } => link(account, create, clock, random).await,
        AdminCommand::Token { email, wanted } => token(email, wanted, clock, random).await,
    }
}

async fn serve(clock: Clock, random: Random) -> anyhow::Result<()> {
    let traces = telemetry::start(variable)?;
    let config = Config::read(variable)?;
    let accounts = open(&config.database, &clock, &random).await?;
    let portal = Portal::connect(PortalConfig {
        stack: config.stack.clone(),
        sandbox: config.sandbox,
        clock: Arc::clone(&clock),
        random: Arc::clone(&random),
        journal: Arc::new(Journal::new(accounts.pool().clone())),
        metrics: MetricsConfig {
            meter: Arc::new(Meter::new(accounts.pool().clone())),
            cap_dollars: config.metrics_cap,
            namespace: config.metrics_namespace.clone(),
        },
    })
    .await?;
    let app = Services::new(Parts {
        portal,
        accounts: accounts.clone(),
        site: config.site.clone(),
        clock,
        random,
        limits: Limits::default(),
        public_url: config.public_url.clone(),
        trusted_proxies: config.trusted_proxies,
        sandbox: config.sandbox,
        drive_rollouts: config.drive_rollouts,
    })?;
    let listener = TcpListener::bind(config.address)
        .await
        .with_context(|| format!("LOCKKEEPER_ADDRESS: can't listen on {}", config.address))?;
    tracing::info!(address = %listener.local_addr()?, public_url = %config.public_url, "serving");
    let sweeper = tokio::spawn(sweep(accounts));
    let driver = tokio::spawn(drive(App::clone(&app)));
    let limits = app.limits().clone();
    let signal = stop_signal()?;
    let stop = async {
        signal.await;
        app.end_streams();
    };
    listen::serve(listener, router(App::clone(&app)), &limits, stop).await;
    // Wherever this cuts a rollout: the next portal that looks goes on with it.
    driver.abort();
    sweeper.abort();
    traces.end().await;
    Ok(())
}

async fn add(account: Account, clock: Clock, random: Random) -> anyhow::Result<()> {
    let config = AdminConfig::read(variable)?;
    let accounts = open(&config.database, &clock, &random).await?;
    let password = ask_password()?;
    password::check_rules(&password)?;
    let hash = Passwords::new(random)?.hash(password).await?;
    accounts.add(&account.email, Some(&hash), account.role).await?;
    writeln!(std::io::stderr(), "Added {}.", account.email)?;
    Ok(())
}

async fn link(account: Account, create: bool, clock: Clock, random: Random) -> anyhow::Result<()> {
    let config = AdminConfig::read(variable)?;
    let accounts = open(&config.database, &clock, &random).await?;
    if create && accounts.find(&account.email).await?.is_none() {
        accounts.add(&account.email, None, account.role).await?;
    }
    let Some(user) = accounts.find(&account.email).await? else {
        bail!("there is no account for {} (--create adds it)", account.email);
    };
    let token = accounts.create_link(&user).await?;
    writeln!(std::io::stdout(), "{}/sign-in/link/{token}", config.public_url)?;
    Ok(())
}

/// Makes a token without the portal: whoever can write its database needs no leave. It is written down
/// all the same, with no address.
async fn token(email: String, wanted: tokens::Wanted, clock: Clock, random: Random) -> anyhow::Result<()> {
    let config = AdminConfig::read(variable)?;
    let accounts = open(&config.database, &clock, &random).await?;
    let Some((email, role)) = accounts.role_of(&email).await? else {
        bail!("there is no account for {email}");
    };
    let actor = Actor { name: email, role, address: None, token: None };
    let operation = Create::new(wanted.operation(), &accounts)?;
    let journal = Journal::new(accounts.pool().clone());
    let arguments = serde_json::to_value(&operation)?;
    let began = Began { actor: actor.clone(), operation: Create::NAME, arguments, at: clock() };
    let entry = journal.began(&began).await?;
    let made = operation.run_for(&actor).await;
    journal.ended(entry, &Ended { problem: made.as_ref().err().cloned(), at: clock() }).await?;
    let (about, text) = made?;
    writeln!(std::io::stderr(), "{}", tokens::told(&about))?;
    writeln!(std::io::stdout(), "{}", text.expose())?;
    Ok(())
}

fn completions(shell: clap_complete::Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "lockkeeper", &mut script);
    Ok(std::io::stdout().write_all(&script)?)
}

async fn open(path: &std::path::Path, clock: &Clock, random: &Random) -> anyhow::Result<Accounts> {
    Accounts::open(path, Arc::clone(clock), Arc::clone(random))
        .await
        .with_context(|| format!("LOCKKEEPER_DATABASE: can't open {}", path.display()))
}

fn role(name: &str) -> Result<Role, String> {
    let names = || Role::ALL.map(Role::name).join(", ");
    Role::from_name(name).ok_or_else(|| format!("must be one of {}", names()))
}

/// From the terminal twice and without echo; otherwise the first line of standard input.
fn ask_password() -> anyhow::Result<String> {
    if !std::io::stdin().is_terminal() {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    let password = rpassword::prompt_password("Password: ")?;
    if rpassword::prompt_password("Once more: ")? != password {
        bail!("the two differ");
    }
    Ok(password)
}

/// Deletes what is over, for as long as the portal runs. Failing once does no harm: it only ever
/// deletes what no longer counts.
async fn sweep(accounts: Accounts) {
    let sessions = SqliteStore::new(accounts.pool().clone());
    let mut rhythm = tokio::time::interval(SWEEP_EVERY);
    loop {
        rhythm.tick().await;
        if let Err(error) = sessions.delete_expired().await {
            tracing::warn!(%error, "deleting expired sessions failed");
        }
        if let Err(problem) = accounts.sweep().await {
            tracing::warn!(%problem, "deleting expired links and sign-ins failed");
        }
    }
}

/// Takes rollouts from step to step, for as long as the portal runs, where it is to do that.
async fn drive(app: App) {
    match app.drives_rollouts() {
        true => app.drive_rollouts().await,
        false => tracing::info!("rollouts are left to other portals (LOCKKEEPER_DRIVE_ROLLOUTS)"),
    }
}

/// Done at the first SIGINT or SIGTERM.
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
