//! What `lockkeeper` can be told on the command line.

use std::io::{BufRead, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use model::people::Role;
use operations::{Clock, Portal, PortalConfig, Random};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower_sessions::ExpiredDeletion;
use tower_sessions_sqlx_store::SqliteStore;

use super::accounts::Accounts;
use super::audit::Journal;
use super::config::{AdminConfig, Config};
use super::limits::Limits;
use super::password::{self, Passwords};
use super::{App, Parts, Services, listen, router, telemetry};

/// How often what is over is deleted.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// Lockkeeper watches and tends one HTTP API on AWS: gateway, function, secret and database.
#[derive(Parser)]
#[command(name = "lockkeeper", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the portal (the default). Configured by LOCKKEEPER_* variables.
    Serve,
    /// Who may sign in.
    #[command(subcommand)]
    Admin(AdminCommand),
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

/// Does what the command line says.
///
/// # Errors
/// What went wrong, for the terminal.
pub async fn run(cli: Cli, clock: Clock, random: Random) -> anyhow::Result<()> {
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(clock, random).await,
        Command::Admin(AdminCommand::Add(account)) => add(account, clock, random).await,
        Command::Admin(AdminCommand::Link { account, create }) => link(account, create, clock, random).await,
    }
}

async fn serve(clock: Clock, random: Random) -> anyhow::Result<()> {
    telemetry::start(variable)?;
    let config = Config::read(variable)?;
    let accounts = open(&config.database, &clock, &random).await?;
    let portal = Portal::connect(PortalConfig {
        stack: config.stack.clone(),
        sandbox: config.sandbox,
        clock: Arc::clone(&clock),
        random: Arc::clone(&random),
        journal: Arc::new(Journal::new(accounts.pool().clone())),
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
    })?;
    let listener = TcpListener::bind(config.address)
        .await
        .with_context(|| format!("LOCKKEEPER_ADDRESS: can't listen on {}", config.address))?;
    tracing::info!(address = %listener.local_addr()?, public_url = %config.public_url, "serving");
    let sweeper = tokio::spawn(sweep(accounts));
    let limits = app.limits().clone();
    listen::serve(listener, router(App::clone(&app)), &limits, stop_signal()?).await;
    sweeper.abort();
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
