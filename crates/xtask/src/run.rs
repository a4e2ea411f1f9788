//! `cargo xtask run`: from a clone to a portal in the browser.

use std::io::IsTerminal;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use anyhow::Result;

use crate::stack::ports::Ports;
use crate::stack::state::State;
use crate::stack::{ADMIN, Plan, Stack, aws_environment};
use crate::workspace::{self, Workspace};
use crate::{host_zip, site};

/// Options of `cargo xtask run`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Forget the state of earlier runs.
    #[arg(long)]
    fresh: bool,
    /// No requests but your own.
    #[arg(long)]
    no_traffic: bool,
    #[command(flatten)]
    ports: Ports,
}

/// Builds, starts, tells, and waits for Ctrl-C. State is kept in `.lockkeeper/`.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    // What can be refused is refused before minutes of building.
    // Ports first: `--fresh` must not throw a state away that a start can't use, or one whose sandbox
    // is still at work.
    options.ports.check()?;
    let state = State::open(&workspace.root.join(".lockkeeper"), options.fresh)?;

    println!("==> building");
    workspace.build()?;
    let zip = host_zip::build(workspace, "api")?;
    let rotation_zip = host_zip::build(workspace, "rotation")?;
    println!("==> building the browser's part");
    let site = site::build(workspace)?;
    println!("{site}");

    println!("==> starting");
    options.ports.check()?;
    let plan = Plan {
        state: &state,
        ports: &options.ports,
        zip: &zip,
        rotation_zip: &rotation_zip,
        site: &site.folder,
        traffic: !options.no_traffic,
    };
    let mut stack = Stack::start(workspace, &plan)?;
    println!("{}", announcement(workspace, &state, &stack)?);
    let pressed = enter_pressed();
    let outcome = stack.watch(|stack| {
        if pressed.try_iter().count() > 0 {
            match stack.sign_in_link() {
                Ok(link) => println!("  Sign in        {link}"),
                Err(error) => eprintln!("no sign-in link: {error:#}"),
            }
        }
    });
    println!("\nstopping");
    drop(stack);
    outcome
}

/// Tells when somebody at the terminal presses Enter; never, where there is no terminal.
fn enter_pressed() -> Receiver<()> {
    // One press waiting is enough, and a pipe that never ends cannot fill the memory.
    let (press, pressed) = mpsc::sync_channel(1);
    if std::io::stdin().is_terminal() {
        // Ends with the process: a read from a terminal cannot be cut short.
        thread::spawn(move || {
            for _ in std::io::stdin().lines().map_while(Result::ok) {
                let _ = press.try_send(());
            }
        });
    }
    pressed
}

/// The one block to read.
fn announcement(workspace: &Workspace, state: &State, stack: &Stack) -> Result<String> {
    let world = &stack.world;
    let variables: Vec<String> =
        aws_environment(world).iter().map(|(name, value)| format!("{name}={value}")).collect();
    let folder = workspace::short(workspace, state.folder());
    Ok(format!(
        "
Lockkeeper is running. Ctrl-C stops it.

  Portal         {portal}
  Sign in        {link}
                 (good once and not for long; Enter prints another)
  Access token   LOCKKEEPER_DATABASE={database} LOCKKEEPER_SANDBOX=1 \\
                 {program} admin token --email {admin} --name me --scope admin
                 (for {program} health --portal {portal} and others, see --help)

  HTTP API       {http}
                 curl {http}/courses
  Tokens         curl {issuer}/token --json '{{\"sub\":\"ada\",\"aud\":\"learninghub\",\"scope\":\"courses:write\"}}'
  AWS endpoint   {aws}
                 export {variables}
  SQL            {tds} (TLS; the CA is {ca})
  Control port   {control}
  State, logs    {folder}, {folder}/log",
        portal = stack.portal_url,
        link = stack.sign_in_link()?,
        database = workspace::short(workspace, &state.database()),
        program = workspace::short(workspace, stack.portal_binary()),
        admin = ADMIN,
        http = world.http_api.trim_end_matches('/'),
        issuer = world.issuer,
        aws = world.aws_endpoint,
        variables = variables.join(" "),
        tds = world.tds,
        ca = workspace::short(workspace, &world.ca_file),
        control = world.control,
    ))
}
