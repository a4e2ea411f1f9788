//! Running other programs so that none outlives xtask and none runs for ever.
//!
//! Every program gets a process group of its own and is waited for with a time limit. Ctrl-C then
//! reaches xtask alone, which ends the group in an orderly way: first SIGTERM, after a while
//! SIGKILL. SIGTERM and SIGHUP (a closed terminal) are taken the same way.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// How long a program may take to end after SIGTERM before SIGKILL ends it. Shorter where a test
/// waits for just that.
pub const GRACE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });

/// The longest any one command may take. A cold build of everything takes minutes on two cores;
/// what takes longer than an hour hangs.
pub const LIMIT: Duration = Duration::from_secs(3600);

/// How much of a command's output is kept for reading numbers out of it: the end, where they stand.
const KEPT: usize = 4 * 1024 * 1024;

static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// The programs that were started here and not yet waited for: children, but no orphans.
static STARTED: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub status: ExitStatus,
    /// The end of its standard output and standard error, in the order they came, without colours.
    pub output: String,
}

/// From here on SIGINT, SIGTERM and SIGHUP only set the flag that [`interrupted`] reads.
pub fn listen_for_signals() -> Result<()> {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        signal_hook::flag::register(signal as i32, Arc::clone(&INTERRUPTED))
            .with_context(|| format!("cannot listen for {signal}"))?;
    }
    Ok(())
}

/// Whether somebody asked xtask to stop.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Runs a command that writes to the terminal itself. An error if it does not succeed.
pub fn run(command: &mut Command) -> Result<()> {
    let mut child = spawn(command.stdin(Stdio::null()))?;
    let status = wait(&mut child, LIMIT)?;
    if !status.success() {
        bail!("`{}` failed ({status})", line(command));
    }
    Ok(())
}

/// Runs a command and returns its standard output. An error, with what it said, if it does not
/// succeed.
pub fn capture(command: &mut Command) -> Result<String> {
    let mut child = spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let out = child.stdout.take().map(read_all);
    let err = child.stderr.take().map(read_all);
    let status = wait(&mut child, LIMIT)?;
    let [out, err] = [out, err].map(|reader| reader.and_then(|r| r.join().ok()).unwrap_or_default());
    if !status.success() {
        bail!("`{}` failed ({status}): {}", line(command), err.trim());
    }
    Ok(out)
}

/// Runs a command, passes on what it prints as it comes and keeps the end of it. How it ended is
/// for the caller to judge; an error only if it cannot be run, hangs, or xtask is told to stop.
pub fn tee(command: &mut Command, limit: Duration) -> Result<Ran> {
    let mut child = spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let kept = Arc::new(Mutex::new(Vec::new()));
    let readers: Vec<_> = [
        child.stdout.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>),
        child.stderr.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>),
    ]
    .into_iter()
    .flatten()
    .map(|stream| {
        let kept = Arc::clone(&kept);
        thread::spawn(move || pass_on(stream, &kept))
    })
    .collect();
    let status = wait(&mut child, limit);
    // A grandchild left behind would hold the pipes open and the readers with them.
    signal_group(child.id(), Signal::SIGKILL);
    for reader in readers {
        let _ = reader.join();
    }
    let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Ran { status: status?, output: without_colours(&String::from_utf8_lossy(&kept)) })
}

/// Starts a program in a process group of its own.
pub fn spawn(command: &mut Command) -> Result<Child> {
    // Held over the start, so that nobody takes the new child for an orphan.
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    let child =
        command.process_group(0).spawn().with_context(|| format!("cannot start `{}`", line(command)))?;
    started.insert(child.id());
    Ok(child)
}

/// Sends a signal to a whole process group; a group that is gone already is no error.
pub fn signal_group(leader: u32, signal: Signal) {
    if let Ok(leader) = i32::try_from(leader) {
        let _ = killpg(Pid::from_raw(leader), signal);
    }
}

/// Ends a program and its group: SIGTERM, and SIGKILL if it is still there after `grace`.
/// Returns whether it ended by itself in time. Safe to repeat.
pub fn stop(child: &mut Child, grace: Duration) -> bool {
    let in_time = matches!(child.try_wait(), Ok(Some(_))) || {
        signal_group(child.id(), Signal::SIGTERM);
        ended_within(child, grace)
    };
    signal_group(child.id(), Signal::SIGKILL);
    let _ = child.wait();
    forget(child);
    in_time
}

/// While this lives a process whose parent dies becomes a child of xtask, and at its end every such
/// orphan is killed: the sandbox's execution environments have process groups of their own, which
/// nobody could name once the sandbox had to be killed. Linux only; elsewhere this does nothing.
#[derive(Debug)]
pub struct Orphanage;

impl Orphanage {
    /// Begins to adopt.
    pub fn open() -> Self {
        #[cfg(target_os = "linux")]
        if let Err(error) = nix::sys::prctl::set_child_subreaper(true) {
            eprintln!("orphans cannot be adopted ({error}): if the sandbox has to be killed, they stay");
        }
        Self
    }
}

impl Drop for Orphanage {
    fn drop(&mut self) {
        end_orphans();
    }
}

fn end_orphans() {
    let mut waiting = 100_u8;
    loop {
        let orphans = orphans();
        for &orphan in &orphans {
            let _ = nix::sys::signal::kill(orphan, Signal::SIGKILL);
            let _ = nix::sys::wait::waitpid(orphan, Some(nix::sys::wait::WaitPidFlag::WNOHANG));
        }
        // The child of an orphan is adopted in its turn, so look again until there is none.
        if orphans.is_empty() || waiting == 0 {
            return;
        }
        waiting -= 1;
        thread::sleep(Duration::from_millis(20));
    }
}

fn orphans() -> Vec<Pid> {
    let started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let own = std::process::id().to_string();
    let parent_is_us = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // "pid (name) state parent ...", where the name may hold anything, brackets too.
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)) == Some(own.as_str())
    };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let orphans = pids.filter(|pid| parent_is_us(pid) && !started.contains(pid));
    orphans.filter_map(|pid| i32::try_from(pid).ok()).map(Pid::from_raw).collect()
}

fn forget(child: &Child) {
    STARTED.lock().unwrap_or_else(PoisonError::into_inner).remove(&child.id());
}

/// A command as one would type it, for messages.
pub fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

fn wait(child: &mut Child, limit: Duration) -> Result<ExitStatus> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            forget(child);
            return Ok(status);
        }
        if interrupted() || began.elapsed() > limit {
            stop(child, GRACE);
            if interrupted() {
                bail!("interrupted");
            }
            bail!("still running after {} s, so it was ended", limit.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn ended_within(child: &mut Child, grace: Duration) -> bool {
    let began = Instant::now();
    while began.elapsed() < grace {
        if !matches!(child.try_wait(), Ok(None)) {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}

fn read_all(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn pass_on(stream: impl Read, kept: &Mutex<Vec<u8>>) {
    let mut lines = BufReader::new(stream);
    let mut bytes = Vec::new();
    while matches!(lines.read_until(b'\n', &mut bytes), Ok(1..)) {
        let mut terminal = std::io::stdout().lock();
        let _ = terminal.write_all(&bytes).and_then(|()| terminal.flush());
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&bytes);
        if kept.len() > 2 * KEPT {
            let surplus = kept.len() - KEPT;
            kept.drain(..surplus);
        }
        bytes.clear();
    }
}

/// Removes the escape sequences of colours (`ESC [ ... letter`).
fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_removed_and_text_stays() {
        assert_eq!(without_colours("\u{1b}[32;1m  Summary\u{1b}[0m [ 0.1s] é"), "  Summary [ 0.1s] é");
    }

    #[test]
    fn both_streams_are_kept_and_the_exit_code_is_told() {
        let ran = tee(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]), LIMIT).unwrap();
        assert_eq!(ran.status.code(), Some(3));
        assert!(ran.output.contains("out\n") && ran.output.contains("err\n"), "{}", ran.output);
    }

    #[test]
    fn a_command_that_hangs_is_ended_with_its_children() {
        let began = Instant::now();
        let error = tee(Command::new("sh").args(["-c", "sleep 60 & sleep 60"]), Duration::from_millis(100));
        assert!(error.unwrap_err().to_string().contains("was ended"));
        assert!(began.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn what_ignores_sigterm_is_killed() {
        // The shell says when its trap is set; before that SIGTERM would end it.
        let mut deaf = Command::new("sh");
        deaf.args(["-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"]).stdout(Stdio::piped());
        let mut child = spawn(&mut deaf).unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
        assert!(!stop(&mut child, Duration::from_millis(200)), "it ended by itself");
        assert!(child.try_wait().unwrap().is_some());
    }

    #[test]
    fn a_failure_tells_the_command_and_its_reason() {
        let error = capture(Command::new("sh").args(["-c", "echo no such luck >&2; false"])).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("no such luck") && text.contains("sh -c"), "{text}");
    }
}
