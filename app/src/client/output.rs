//! What is written where: results to standard output, everything else to standard error.

use std::fmt::Write as _;
use std::io::Write as _;

use serde::Serialize;
use serde_json::json;

use super::stop::{Exit, Stop};

/// How results are written.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// As one line of JSON, for scripts.
    pub json: bool,
}

impl Output {
    /// A result: as JSON, or in the words that `words` finds for it.
    ///
    /// # Errors
    /// `Failed` when nobody reads it.
    pub fn result<T: Serialize>(self, value: &T, words: impl FnOnce() -> String) -> Result<(), Stop> {
        let text = match self.json {
            true => {
                serde_json::to_string(value).map_err(|error| Stop::new(Exit::Failed, error.to_string()))?
            }
            false => words(),
        };
        let mut out = std::io::stdout().lock();
        let written = writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush());
        written.map_err(|error| Stop::new(Exit::Failed, format!("The result could not be written: {error}")))
    }

    /// Something told meanwhile. That nobody may read it is no reason to stop.
    pub fn tell(self, words: &str) {
        let _ = writeln!(std::io::stderr(), "{words}");
    }

    /// Why a command did not do what was asked.
    pub fn stopped(self, stop: &Stop) {
        let Stop { exit, message, next, kind, status } = stop;
        let words = match self.json {
            true => json!({
                "exit": *exit as u8, "detail": message, "next": next, "kind": kind, "status": status,
            })
            .to_string(),
            false => {
                let next = next.as_ref().map(|next| format!("\n  {next}")).unwrap_or_default();
                format!("lockkeeper: {message}{next}")
            }
        };
        self.tell(&words);
    }
}

/// Names and values, one below the other.
pub fn facts(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    facts.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:width$}  {}", plain(value));
        text
    })
}

/// Rows under headings.
pub fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| plain(cell))).collect();
    let mut widths = headings.map(|heading| heading.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String; N]| {
        let cells = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut text = line(&headings.map(|heading| heading.to_uppercase()));
    for row in &rows {
        let _ = write!(text, "\n{}", line(row));
    }
    text
}

/// Without what would move the terminal's cursor or change its colours: names and reasons come from
/// elsewhere.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a".to_owned(), "\u{1b}[2Jlong".to_owned()], ["bcdef".to_owned(), String::new()]];
        assert_eq!(table(["Id", "Name"], &rows), "ID     NAME\na       [2Jlong\nbcdef");
        assert_eq!(table(["Id", "Name"], &[]), "ID  NAME");
        assert_eq!(facts(&[("A", "1".to_owned()), ("Long", "2".to_owned())]), "A     1\nLong  2\n");
    }
}
