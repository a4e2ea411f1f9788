//! One long-running program: its process, its log file, and how it ends.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process;

/// How many lines of a log are shown when its program died.
const LAST_LINES: usize = 25;

/// A program that is meant to run until it is stopped.
#[derive(Debug)]
pub struct Service {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts it with both of its output streams going to `log`, which is begun anew.
    pub fn start(name: &'static str, command: &mut Command, log: &Path) -> Result<Self> {
        let output = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        Ok(Self { name, child: process::spawn(command)?, log: log.to_path_buf() })
    }

    /// Its name in messages.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// An error with the end of its log if it has ended.
    pub fn still_running(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the {} ended by itself ({status}){}", self.name, self.last_words());
        }
        Ok(())
    }

    /// The end of its log, and where the rest is.
    pub fn last_words(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default();
        let shown: String = last.iter().map(|line| format!("\n  | {line}")).collect();
        format!(
            "; its log, {}, ends with:{}",
            self.log.display(),
            if last.is_empty() { "\n  | (nothing)" } else { &shown }
        )
    }

    /// Stops it: SIGTERM, and SIGKILL after a while. Safe to repeat.
    pub fn stop(&mut self) {
        if !process::stop(&mut self.child, process::GRACE) {
            eprintln!("the {} did not stop within {} s and was killed", self.name, process::GRACE.as_secs());
        }
    }
}

/// So that an error between two starts leaves nothing behind.
impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_death_is_told_with_the_end_of_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("x.log");
        let script = "for n in $(seq 100); do echo line $n; done; echo the reason >&2; exit 7";
        let mut service = Service::start("sandbox", Command::new("sh").args(["-c", script]), &log).unwrap();
        let error = loop {
            match service.still_running() {
                Ok(()) => thread::sleep(Duration::from_millis(10)),
                Err(error) => break error.to_string(),
            }
        };
        assert!(error.contains("the sandbox ended by itself (exit status: 7)"), "{error}");
        assert!(error.ends_with("| line 100\n  | the reason"), "{error}");
        assert!(!error.contains("line 50\n"), "{error}");
    }

    #[test]
    fn stopping_ends_it_with_its_children_and_may_be_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("x.log");
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & echo $!; wait"]);
        let mut service = Service::start("portal", &mut command, &log).unwrap();
        let grandchild: i32 = loop {
            match fs::read_to_string(&log).unwrap().trim().parse() {
                Ok(pid) => break pid,
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        };
        service.still_running().unwrap();
        service.stop();
        service.stop();
        assert!(service.still_running().is_err());
        let alive = || {
            fs::read_to_string(format!("/proc/{grandchild}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
        };
        if cfg!(target_os = "linux") {
            for _ in 0..200 {
                if !alive() {
                    return;
                }
                thread::sleep(Duration::from_millis(10));
            }
            panic!("the grandchild {grandchild} is still running");
        }
    }
}
