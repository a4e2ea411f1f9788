//! The table: what was measured, what it was to be, and whether it is. It judges and never fails: a
//! goal that is missed is a result.

use std::fmt::Write as _;

use crate::measure::{Cold, Pairs, Warm};
use crate::statistics::{median, paired_ratio};

/// What a measure is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Goal {
    /// The function's value is at most this.
    AtMost(f64),
    /// It is this.
    Exactly(f64),
    /// The peer's is at least so many times the function's.
    Times(f64),
}

/// A line of the table.
struct Measure {
    name: &'static str,
    unit: &'static str,
    places: usize,
    goals: &'static [Goal],
}

const fn measure(name: &'static str, unit: &'static str, places: usize, goals: &'static [Goal]) -> Measure {
    Measure { name, unit, places, goals }
}

const COLD: [Measure; 7] = [
    measure("init CPU, until the first next", "ms", 2, &[Goal::AtMost(3.5), Goal::Times(50.0)]),
    measure("start to the first next", "ms", 1, &[]),
    measure("start to the first answer", "ms", 1, &[]),
    measure("CPU until the first answer", "ms", 2, &[]),
    measure("TDS logins", "", 0, &[Goal::Exactly(1.0)]),
    measure("TDS round trips", "", 0, &[]),
    measure("reads of the secret", "", 0, &[]),
];

const WARM: [Measure; 5] = [
    measure("p50", "us", 0, &[Goal::Times(4.0)]),
    measure("p99", "us", 0, &[]),
    measure("CPU per call", "us", 0, &[Goal::Times(10.0)]),
    measure("TDS round trips per call", "", 2, &[Goal::Exactly(1.0)]),
    measure("peak memory", "MB", 1, &[Goal::AtMost(12.0)]),
];

const ZIP: Measure = measure("zip", "MB", 2, &[Goal::AtMost(2.0)]);

/// A table with or without its goals: those are for a way without an added delay.
#[derive(Debug)]
pub struct Table {
    text: String,
    with_goals: bool,
}

impl Table {
    /// An empty table.
    pub fn new(title: &str, with_goals: bool) -> Self {
        let goal = if with_goals { "  goals" } else { "" };
        let text = format!("{title}\n{:<40}{:>10}{:>12}{:>10}{goal}\n", "", "function", "peer", "ratio");
        Self { text, with_goals }
    }

    /// The sizes of the packages.
    pub fn zips(&mut self, function: f64, peer: f64) {
        self.heading("package");
        self.line(&ZIP, &Pairs { function: vec![function], peer: vec![peer] });
    }

    /// The cold starts.
    pub fn cold(&mut self, name: &str, values: &Cold) {
        self.heading(&format!("cold, {name}"));
        for (measure, pairs) in COLD.iter().zip(values) {
            self.line(measure, pairs);
        }
    }

    /// The warm calls of a request.
    pub fn warm(&mut self, name: &str, values: &Warm) {
        self.heading(&format!("warm, {name}"));
        for (measure, pairs) in WARM.iter().zip(values) {
            self.line(measure, pairs);
        }
    }

    /// The text.
    pub fn finish(self) -> String {
        self.text
    }

    fn heading(&mut self, text: &str) {
        let _ = writeln!(self.text, "{text}");
    }

    fn line(&mut self, measure: &Measure, pairs: &Pairs) {
        let (function, peer) = (median(&pairs.function), median(&pairs.peer));
        let ratio = paired_ratio(&pairs.peer, &pairs.function);
        let times = ratio.map_or_else(|| "-".to_owned(), times);
        let goals: Vec<String> =
            measure.goals.iter().map(|goal| verdict(*goal, measure, function, ratio)).collect();
        let goals = if self.with_goals { format!("  {}", goals.join("; ")) } else { String::new() };
        let line = format!(
            "  {:<33}{:<5}{function:>10.places$}{peer:>12.places$}{times:>10}{goals}",
            measure.name,
            measure.unit,
            places = measure.places
        );
        let _ = writeln!(self.text, "{}", line.trim_end());
    }
}

/// Three digits: 4.0x for 3.97 would look like a goal that was met.
fn times(ratio: f64) -> String {
    let places = if ratio < 10.0 { 2 } else { 1 };
    format!("{ratio:.places$}x")
}

fn verdict(goal: Goal, measure: &Measure, function: f64, ratio: Option<f64>) -> String {
    let (wanted, met) = match goal {
        Goal::AtMost(most) => (format!("<= {most} {}", measure.unit), function <= most),
        Goal::Exactly(value) => (format!("{value}"), (function - value).abs() < 0.005),
        Goal::Times(least) => (format!(">= {least}x"), ratio.is_some_and(|ratio| ratio >= least)),
    };
    format!("{} {}", wanted.trim_end(), if met { "met" } else { "MISSED" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_judged() {
        let size = measure("size", "MB", 1, &[]);
        let cases = [
            (Goal::AtMost(12.0), 12.0, None, "<= 12 MB met"),
            (Goal::AtMost(3.5), 3.51, None, "<= 3.5 MB MISSED"),
            (Goal::Exactly(1.0), 1.001, None, "1 met"),
            (Goal::Exactly(1.0), 2.0, None, "1 MISSED"),
            (Goal::Times(4.0), 0.0, Some(4.0), ">= 4x met"),
            (Goal::Times(4.0), 0.0, Some(3.99), ">= 4x MISSED"),
            (Goal::Times(4.0), 0.0, None, ">= 4x MISSED"),
        ];
        for (goal, function, ratio, expected) in cases {
            assert_eq!(verdict(goal, &size, function, ratio), expected);
        }
    }

    #[test]
    fn the_table_says_what_was_missed() {
        let pairs = |function: f64, peer: f64| Pairs { function: vec![function; 3], peer: vec![peer; 3] };
        let warm: Warm = [
            pairs(200.0, 1000.0),
            pairs(300.0, 2000.0),
            pairs(100.0, 900.0),
            pairs(1.0, 2.0),
            pairs(8.0, 100.0),
        ];
        let mut table = Table::new("No delay", true);
        table.warm("GET /courses", &warm);
        let text = table.finish();
        assert!(text.contains("5.00x  >= 4x met\n"), "{text}");
        assert!(text.contains("9.00x  >= 10x MISSED\n"), "{text}");
        let mut table = Table::new("5 ms", false);
        table.warm("GET /courses", &warm);
        assert!(!table.finish().contains("MISSED"));
    }
}
