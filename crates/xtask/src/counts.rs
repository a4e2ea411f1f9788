//! How many tests passed and failed, read out of what the test runners print.
//!
//! The runners' exit codes say whether something failed; the numbers are read so that a run which
//! executed nothing is seen for what it is.

use std::fmt;
use std::ops::Add;

use anyhow::{Context, Result};
use serde_json::Value;

/// The outcome of a number of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tests that passed.
    pub passed: usize,
    /// Tests that failed, timed out, or could not be run.
    pub failed: usize,
    /// Tests that were left out.
    pub skipped: usize,
}

impl Counts {
    /// Tests that were run.
    pub fn executed(self) -> usize {
        self.passed + self.failed
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

/// The plain closing line: `N passed, N failed`, and `, N skipped` if any were.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// Reads cargo-nextest's closing line, for example
/// `Summary [ 0.2s] 5 tests run: 3 passed (1 slow), 1 failed, 1 timed out, 2 skipped`.
/// None if there is none, as when the build failed.
pub fn nextest(output: &str) -> Option<Counts> {
    let line = output.lines().rev().find(|line| line.trim_start().starts_with("Summary ["))?;
    let (_, parts) = line.split_once(" run: ")?;
    let mut counts = Counts::default();
    // What stands in brackets ("3 passed (1 slow, 1 flaky)") is about tests already counted.
    for part in without_brackets(parts).split(',') {
        let Some((number, what)) = numbered(part) else { continue };
        match what {
            "passed" => counts.passed += number,
            "skipped" => counts.skipped += number,
            // "failed", "timed out", "exec failed", and what a later version may call it.
            _ => counts.failed += number,
        }
    }
    Some(counts)
}

/// Adds up the closing lines of `cargo test`, one per binary, for example
/// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s`.
/// What a filter left out is not counted as skipped: nobody meant to run it.
/// None if there is no such line.
pub fn cargo_test(output: &str) -> Option<Counts> {
    let lines = output.lines().filter_map(|line| line.trim().strip_prefix("test result: "));
    lines.fold(None, |sum, line| {
        let mut counts = sum.unwrap_or_default();
        let (_, parts) = line.split_once(". ").unwrap_or_default();
        for (number, what) in parts.split(';').filter_map(numbered) {
            match what {
                "passed" => counts.passed += number,
                "failed" => counts.failed += number,
                "ignored" => counts.skipped += number,
                _ => {}
            }
        }
        Some(counts)
    })
}

/// Reads the `stats` of Playwright's JSON report. A flaky test is a failed one: here nothing may
/// pass only at the second try.
pub fn playwright(report: &str) -> Result<Counts> {
    let report: Value = serde_json::from_str(report).context("Playwright's report is no JSON")?;
    let number = |name: &str| -> Result<usize> {
        let stat = report["stats"][name].as_u64().and_then(|n| usize::try_from(n).ok());
        stat.with_context(|| format!("Playwright's report has no stats.{name}"))
    };
    let outside = report["errors"].as_array().map_or(0, Vec::len);
    Ok(Counts {
        passed: number("expected")?,
        failed: number("unexpected")? + number("flaky")? + outside,
        skipped: number("skipped")?,
    })
}

fn numbered(part: &str) -> Option<(usize, &str)> {
    let (number, what) = part.trim().split_once(' ')?;
    Some((number.parse().ok()?, what.trim()))
}

fn without_brackets(text: &str) -> String {
    let mut depth = 0_u32;
    let outside = |character: &char| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => return depth == 0,
        }
        false
    };
    text.chars().filter(outside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: usize, failed: usize, skipped: usize) -> Counts {
        Counts { passed, failed, skipped }
    }

    #[test]
    fn nextest_summaries() {
        let cases = [
            ("     Summary [   0.008s] 3 tests run: 3 passed, 0 skipped", counts(3, 0, 0)),
            (
                "Summary [ 9s] 12 tests run: 10 passed (2 slow, 1 flaky), 1 failed, 1 timed out, 4 skipped",
                counts(10, 2, 4),
            ),
            ("Summary [ 9s] 2/9 tests run: 1 passed, 1 exec failed, 0 skipped", counts(1, 1, 0)),
            ("Summary [ 0s] 0 tests run: 0 passed, 7 skipped", counts(0, 0, 7)),
            ("Summary [ 0s] 1 test run: 1 passed, 0 skipped\n error: after", counts(1, 0, 0)),
        ];
        for (line, expected) in cases {
            assert_eq!(nextest(line), Some(expected), "{line}");
        }
        assert_eq!(nextest("error: could not compile `app`"), None);
    }

    #[test]
    fn cargo_test_results_add_up() {
        let output = "running 2 tests\n\
            test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 5 filtered out; finished in 0.00s\n\
            test result: FAILED. 1 passed; 2 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        assert_eq!(cargo_test(output), Some(counts(3, 2, 3)));
        assert_eq!(cargo_test("error: could not compile"), None);
    }

    #[test]
    fn playwright_reports() {
        let report = r#"{"errors": [], "stats": {"expected": 4, "skipped": 1, "unexpected": 2, "flaky": 1}}"#;
        assert_eq!(playwright(report).unwrap(), counts(4, 3, 1));
        let broken = r#"{"errors": [{"message": "no tests found"}],
            "stats": {"expected": 0, "skipped": 0, "unexpected": 0, "flaky": 0}}"#;
        assert_eq!(playwright(broken).unwrap(), counts(0, 1, 0));
        assert!(playwright(r#"{"stats": {}}"#).is_err());
        assert!(playwright("").is_err());
    }

    #[test]
    fn the_closing_line_names_skipped_tests_only_if_there_are_any() {
        assert_eq!(counts(3, 0, 0).to_string(), "3 passed, 0 failed");
        assert_eq!(counts(3, 1, 2).to_string(), "3 passed, 1 failed, 2 skipped");
    }
}
