//! How a command ends when it does not end well, and the exit codes.
//!
//! | code | means |
//! |---|---|
//! | 0 | done |
//! | 1 | refused or failed; the message says why |
//! | 2 | the command line is wrong |
//! | 3 | the portal can't be reached, or does not answer in time |
//! | 4 | no token, one that is no good, or one that may not do this |
//! | 5 | something else is in the way, for example a rotation that is running |
//! | 6 | the new version did not hold, and was rolled back |

use std::process::ExitCode;

use model::problem::ProblemKind;

/// What a script can tell endings apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Refused or failed.
    Failed = 1,
    /// The command line is wrong; clap ends with the same code.
    Usage = 2,
    /// No answer.
    Unreachable = 3,
    /// Not signed in, or not allowed.
    Forbidden = 4,
    /// Something else is in the way.
    Conflict = 5,
    /// Rolled back.
    RolledBack = 6,
}

impl Exit {
    /// As the process ends with it.
    pub fn code(self) -> ExitCode {
        ExitCode::from(self as u8)
    }

    /// What an answer's status means.
    pub fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::Forbidden,
            409 => Self::Conflict,
            _ => Self::Failed,
        }
    }
}

/// Why a command did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// How it ends.
    pub exit: Exit,
    /// One sentence that says why.
    pub message: String,
    /// What to do next.
    pub next: Option<String>,
    /// What the portal calls it, where it said so.
    pub kind: Option<ProblemKind>,
    /// The answer's status; none where there was no answer.
    pub status: Option<u16>,
}

impl Stop {
    /// An ending without a next step.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), next: None, kind: None, status: None }
    }

    /// The same with what to do next.
    #[must_use]
    pub fn with_next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_one_ending() {
        let table = [
            (401, Exit::Forbidden),
            (403, Exit::Forbidden),
            (404, Exit::Failed),
            (409, Exit::Conflict),
            (422, Exit::Failed),
            (503, Exit::Failed),
        ];
        for (status, exit) in table {
            assert_eq!(Exit::of_status(status), exit, "{status}");
        }
    }
}
