//! Which lines of which log are wanted, and what was found.

use serde::{Deserialize, Serialize};

use crate::logs::LogLine;
use crate::problem::Problem;
use crate::time::Timestamp;

/// A log of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogGroup {
    /// The API's function.
    #[default]
    Function,
    /// The stage's access log.
    Access,
    /// The rotation function.
    Rotation,
}

impl LogGroup {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Function, Self::Access, Self::Rotation];

    /// As programs write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Access => "access",
            Self::Rotation => "rotation",
        }
    }

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Function => "Function",
            Self::Access => "Access log",
            Self::Rotation => "Rotation function",
        }
    }

    /// The one with that name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
    }
}

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogLevel {
    /// The least grave.
    Trace,
    /// For who mends it.
    Debug,
    /// What happens.
    Info,
    /// What may go wrong.
    Warn,
    /// What went wrong.
    Error,
    /// What ended it.
    Fatal,
}

impl LogLevel {
    /// All of them, the gravest last.
    pub const ALL: [Self; 6] = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal];

    /// As logs write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }

    /// The one with that name, in whichever case.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name))
    }
}

/// Which lines are wanted: those that all of it fits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct LogFilter {
    /// Of which log.
    pub group: LogGroup,
    /// What they hold, in upper and lower case as it stands.
    pub text: Option<String>,
    /// How grave they are at least.
    pub level: Option<LogLevel>,
    /// Of which route, for example `GET /courses`.
    pub route: Option<String>,
    /// Of which version of the function.
    pub version: Option<String>,
}

/// Lines that were found, the newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogPage {
    /// The log group's name.
    pub place: String,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// The lines.
    pub lines: Vec<LogLine>,
    /// Whether all of the time was searched.
    pub whole: bool,
    /// Until when to search for what is older; none where all was searched.
    pub older: Option<Timestamp>,
}

/// A line with what stands around it, the oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogPlace {
    /// The log group's name.
    pub place: String,
    /// The line's id.
    pub line: String,
    /// The lines.
    pub lines: Vec<LogLine>,
}

impl LogPlace {
    /// Whether the line is still there.
    pub fn is_found(&self) -> bool {
        self.lines.iter().any(|line| line.id == self.line)
    }
}

/// What a tail gives at once: lines in the order in which they were found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LogBatch {
    /// The lines.
    pub lines: Vec<LogLine>,
    /// Whether lines before these may be missing: who reads them was away for too long, or too slow, or
    /// there were more than are followed.
    pub gap: bool,
    /// Why nothing more was read; it is tried again.
    pub problem: Option<Problem>,
}
