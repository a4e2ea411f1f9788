//! What is being done, how long it took, and what came of it: one heading per phase while it runs,
//! and a table at the end.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use crate::counts::Counts;
use crate::process;

/// The phases done so far.
#[derive(Debug, Default)]
pub struct Phases {
    done: Vec<Phase>,
}

#[derive(Debug)]
struct Phase {
    name: String,
    took: Duration,
    counts: Option<Counts>,
    failure: Option<String>,
}

impl Phases {
    /// Does one phase, and remembers its time and whether it failed. The next phase may go ahead
    /// all the same: a wrong format should not hide a failing test. Returns whether it succeeded;
    /// an error only if xtask was told to stop.
    pub fn step(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> Result<bool> {
        self.counted(name, || work().map(|()| None))
    }

    /// The same for a phase that runs tests and so returns their number. Failed tests are a failure
    /// of the phase, whatever else it returned.
    pub fn tests(&mut self, name: &str, work: impl FnOnce() -> Result<Counts>) -> Result<bool> {
        self.counted(name, || work().map(Some))
    }

    fn counted(&mut self, name: &str, work: impl FnOnce() -> Result<Option<Counts>>) -> Result<bool> {
        println!("\n==> {name}");
        let began = Instant::now();
        let outcome = work();
        if process::interrupted() {
            bail!("interrupted during: {name}");
        }
        let took = began.elapsed();
        let (counts, failure) = match outcome {
            Ok(Some(counts)) if counts.failed > 0 => {
                (Some(counts), Some(format!("{} failed", counts.failed)))
            }
            Ok(counts) => (counts, None),
            Err(error) => {
                eprintln!("{name}: {error:#}");
                (None, Some(first_line(&format!("{error:#}"))))
            }
        };
        let succeeded = failure.is_none();
        println!("    {} in {}", if succeeded { "done" } else { "FAILED" }, seconds(took));
        self.done.push(Phase { name: name.to_owned(), took, counts, failure });
        Ok(succeeded)
    }

    /// The table, for the end.
    pub fn table(&self) -> String {
        let width = self.done.iter().map(|phase| phase.name.len()).max().unwrap_or_default();
        let mut table = String::new();
        for phase in &self.done {
            let came = match (&phase.failure, phase.counts) {
                (Some(failure), None) => format!("FAILED: {failure}"),
                (Some(_), Some(counts)) => format!("FAILED: {counts}"),
                (None, Some(counts)) => counts.to_string(),
                (None, None) => "ok".to_owned(),
            };
            let _ = writeln!(table, "  {:width$}  {:>9}  {came}", phase.name, seconds(phase.took));
        }
        table
    }

    /// All tests together. A phase that failed without a failing test of its own counts as one, so
    /// that the closing line never says that nothing failed when something did.
    pub fn total(&self) -> Counts {
        self.done.iter().fold(Counts::default(), |sum, phase| {
            let own = phase.counts.unwrap_or_default();
            let itself = usize::from(phase.failure.is_some() && own.failed == 0);
            sum + own + Counts { failed: itself, ..Counts::default() }
        })
    }

    /// An error that names the phases that failed, if any did.
    pub fn verdict(&self) -> Result<()> {
        let failed: Vec<&str> = self
            .done
            .iter()
            .filter(|phase| phase.failure.is_some())
            .map(|phase| phase.name.as_str())
            .collect();
        if failed.is_empty() { Ok(()) } else { Err(anyhow!("failed: {}", failed.join(", "))) }
    }
}

/// A time for people: tenths of a second, and minutes from two minutes on.
pub fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0..120 => format!("{:.1} s", time.as_secs_f64()),
        long => format!("{} min {:02} s", long / 60, long % 60),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_phase_without_tests_counts_as_a_failure() {
        let mut phases = Phases::default();
        let passed = Counts { passed: 3, failed: 0, skipped: 1 };
        assert!(phases.tests("units", || Ok(passed)).unwrap());
        assert!(!phases.step("format", || Err(anyhow!("not formatted\nat all"))).unwrap());
        assert_eq!(phases.total(), Counts { passed: 3, failed: 1, skipped: 1 });
        assert!(phases.verdict().unwrap_err().to_string().ends_with("format"));
        assert!(phases.table().contains("FAILED: not formatted\n"), "{}", phases.table());
    }

    #[test]
    fn failed_tests_fail_their_phase_and_are_counted_once() {
        let mut phases = Phases::default();
        let counts = Counts { passed: 3, failed: 2, skipped: 0 };
        assert!(!phases.tests("units", || Ok(counts)).unwrap());
        assert_eq!(phases.total(), counts);
        assert!(phases.verdict().is_err());
    }

    #[test]
    fn times_read_well() {
        let cases =
            [(1_234, "1.2 s"), (119_900, "119.9 s"), (120_000, "2 min 00 s"), (3_605_000, "60 min 05 s")];
        for (milliseconds, text) in cases {
            assert_eq!(seconds(Duration::from_millis(milliseconds)), text);
        }
    }
}
