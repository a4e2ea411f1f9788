//! Child processes: started in a group of their own, frozen, thawed, ended, and never left behind.
//!
//! Three nets hold them. `stop` and dropping an environment kill its whole group. When the sandbox
//! itself is killed, the kernel helps: its children's groups become orphaned, and a group that is
//! orphaned while stopped is sent SIGHUP and SIGCONT, so frozen environments end at once; one that
//! is busy finds its Runtime API gone and ends by its own. What outlives even that (a bootstrap
//! that ignores SIGHUP; any frozen one where the new parent is in the same session, as the first
//! process of a container may be) is found by the next start: every child is recorded in a file with its
//! start time, and a process that still has both, and whose parent is no longer the sandbox that
//! started it, is killed with its group. A parent-death signal would need unsafe code, and it hangs
//! on the life of the thread that forked, not of the process.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::context::lock;

/// How long is waited for killed processes to be gone.
pub(super) const GONE: Duration = Duration::from_secs(10);

/// All children of one runtime.
#[derive(Debug)]
pub(super) struct Processes {
    records: PathBuf,
    alive: Mutex<HashMap<i32, Arc<Process>>>,
    waiters: TaskTracker,
    /// No child that is started from now on may live.
    stopped: AtomicBool,
}

/// One child, and the group it leads.
#[derive(Debug)]
pub(super) struct Process {
    pid: i32,
    exit: watch::Receiver<Option<ExitStatus>>,
}

/// What is written down of a child.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    pid: i32,
    /// In the kernel's ticks since boot: with the pid it names one process for good.
    started: u64,
    sandbox: u32,
}

impl Processes {
    /// Children recorded in `records`; those an earlier sandbox left are killed.
    ///
    /// # Errors
    /// When the folder can't be made or read.
    pub fn open(records: PathBuf) -> io::Result<Arc<Self>> {
        fs::create_dir_all(&records)?;
        for entry in fs::read_dir(&records)? {
            let path = entry?.path();
            if let Some(record) = fs::read(&path).ok().and_then(|b| serde_json::from_slice::<Record>(&b).ok())
                && record.is_left_behind()
            {
                tracing::warn!(pid = record.pid, "ending an execution environment that was left behind");
                let _ = killpg(Pid::from_raw(record.pid), Signal::SIGKILL);
            }
            fs::remove_file(&path)?;
        }
        Ok(Arc::new(Self {
            records,
            alive: Mutex::default(),
            waiters: TaskTracker::new(),
            stopped: AtomicBool::new(false),
        }))
    }

    /// Starts a command as the leader of a new group and watches for its end.
    ///
    /// # Errors
    /// When it can't be started.
    pub async fn spawn(self: &Arc<Self>, mut command: Command) -> io::Result<Arc<Process>> {
        command.process_group(0).kill_on_drop(true);
        let mut child = spawn_patiently(&mut command).await?;
        let pid = child
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .ok_or_else(|| io::Error::other("a child without a pid"))?;
        let record = self.record(pid);
        let (said, exit) = watch::channel(None);
        let process = Arc::new(Process { pid, exit });
        lock(&self.alive).insert(pid, process.clone());
        let all = self.clone();
        self.waiters.spawn(async move {
            let status = child.wait().await.unwrap_or_else(|error| {
                tracing::error!(%error, pid, "can't wait for a child");
                ExitStatus::from_raw(0)
            });
            // Its own children, if it left any: the group's number can't be anybody else's while
            // one of them lives, and is not given out again this soon when none does.
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
            lock(&all.alive).remove(&pid);
            let _ = fs::remove_file(record);
            let _ = said.send(Some(status));
        });
        // One that came while `stop` was looking round is not missed by both.
        if self.stopped.load(Ordering::SeqCst) {
            process.kill();
        }
        Ok(process)
    }

    /// Kills every child and waits until they are gone, for at most ten seconds.
    pub async fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        let alive: Vec<Arc<Process>> = lock(&self.alive).values().cloned().collect();
        for process in alive {
            process.kill();
        }
        self.waiters.close();
        if tokio::time::timeout(GONE, self.waiters.wait()).await.is_err() {
            tracing::error!("some execution environments do not end");
        }
    }

    fn record(&self, pid: i32) -> PathBuf {
        let path = self.records.join(format!("{pid}.json"));
        let record = Record {
            pid,
            started: Stat::of(pid).map_or(0, |stat| stat.started),
            sandbox: std::process::id(),
        };
        let written = serde_json::to_vec(&record).map_err(io::Error::from).and_then(|b| fs::write(&path, b));
        if let Err(error) = written {
            tracing::warn!(%error, pid, "can't record an execution environment");
        }
        path
    }
}

/// A fork of another thread may hold the freshly unpacked file open for writing until its exec: the
/// kernel then says "text file busy" for a moment.
async fn spawn_patiently(command: &mut Command) -> io::Result<tokio::process::Child> {
    for _ in 0..20 {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            other => return other,
        }
    }
    command.spawn()
}

impl Record {
    /// Whether that very process still runs and nobody looks after it.
    fn is_left_behind(&self) -> bool {
        Stat::of(self.pid).is_some_and(|stat| {
            self.started != 0 && stat.started == self.started && stat.parent != i64::from(self.sandbox)
        })
    }
}

/// What is read from `/proc/PID/stat`; nothing where there is no such file system.
struct Stat {
    parent: i64,
    started: u64,
}

impl Stat {
    fn of(pid: i32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the program's name in brackets, which may hold anything.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        Some(Self { parent: fields.get(1)?.parse().ok()?, started: fields.get(19)?.parse().ok()? })
    }
}

impl Process {
    /// Stops the group: nothing in it runs until it is thawed.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets the group run on.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Ends the group, frozen or not.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    fn signal(&self, signal: Signal) {
        if self.has_ended() {
            return;
        }
        match killpg(Pid::from_raw(self.pid), signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => tracing::warn!(%error, pid = self.pid, %signal, "can't signal"),
        }
    }

    /// Whether it is gone.
    pub fn has_ended(&self) -> bool {
        self.exit.borrow().is_some()
    }

    /// Waits for its end. Safe to cancel and to repeat.
    pub async fn ended(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or_default(),
            // The waiter is gone with the Tokio runtime, and the child with it.
            Err(_) => ExitStatus::from_raw(Signal::SIGKILL as i32),
        }
    }

    /// The most memory it ever held, in megabytes, where the system says so.
    pub fn peak_memory(&self) -> Option<u64> {
        let status = fs::read_to_string(Path::new("/proc").join(self.pid.to_string()).join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kilobytes.div_ceil(1024))
    }
}

/// How AWS words the end of a runtime.
pub(super) fn worded(status: ExitStatus) -> String {
    if let Some(signal) = status.signal() {
        let name = match Signal::try_from(signal) {
            Ok(Signal::SIGKILL) => "killed",
            Ok(Signal::SIGTERM) => "terminated",
            Ok(Signal::SIGABRT) => "aborted",
            Ok(Signal::SIGSEGV) => "segmentation fault",
            Ok(Signal::SIGBUS) => "bus error",
            Ok(Signal::SIGILL) => "illegal instruction",
            Ok(Signal::SIGFPE) => "floating point exception",
            Ok(Signal::SIGHUP) => "hangup",
            Ok(Signal::SIGINT) => "interrupt",
            Ok(Signal::SIGPIPE) => "broken pipe",
            _ => return format!("Runtime exited with error: signal: signal {signal}"),
        };
        let core = if status.core_dumped() { " (core dumped)" } else { "" };
        return format!("Runtime exited with error: signal: {name}{core}");
    }
    match status.code() {
        Some(0) | None => "Runtime exited without providing a reason".to_owned(),
        Some(code) => format!("Runtime exited with error: exit status {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_in_words() {
        for (raw, expected) in [
            (0, "Runtime exited without providing a reason"),
            (0x0100, "Runtime exited with error: exit status 1"),
            (9, "Runtime exited with error: signal: killed"),
            (11, "Runtime exited with error: signal: segmentation fault"),
            (11 | 0x80, "Runtime exited with error: signal: segmentation fault (core dumped)"),
        ] {
            assert_eq!(worded(ExitStatus::from_raw(raw)), expected);
        }
    }

    #[tokio::test]
    async fn what_a_killed_sandbox_left_is_ended_by_the_next_start_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let records = folder.path().to_owned();
        let sleeper = || {
            let mut command = Command::new("sleep");
            command.arg("600").process_group(0).kill_on_drop(true);
            command.spawn().unwrap()
        };
        let (mut left, mut other, mut ours) = (sleeper(), sleeper(), sleeper());
        let write = |child: &tokio::process::Child, later: u64, sandbox: u32| {
            let pid = i32::try_from(child.id().unwrap()).unwrap();
            let record = Record { pid, started: Stat::of(pid).unwrap().started + later, sandbox };
            fs::write(records.join(format!("{pid}.json")), serde_json::to_vec(&record).unwrap()).unwrap();
        };
        // Its sandbox is another process; the pid is another process's now; its sandbox lives.
        write(&left, 0, 1);
        write(&other, 1, 1);
        write(&ours, 0, std::process::id());
        Processes::open(records.clone()).unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(5), left.wait()).await.unwrap().unwrap();
        assert_eq!(ended.signal(), Some(9));
        assert!(other.try_wait().unwrap().is_none() && ours.try_wait().unwrap().is_none());
        assert_eq!(fs::read_dir(&records).unwrap().count(), 0);
    }
}
