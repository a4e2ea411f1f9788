//! The rotation of the secret: what is to be seen of it, and what can be done.
//!
//! Nothing of it is kept here. Where a rotation stands is derived from the secret's version stages and
//! from the rotation function's log, each time anew: a portal may be killed at any moment, and two of
//! them see the same.
//!
//! In reading order:
//! - `detail`: the secret as AWS describes it; `schedule`: when it is rotated by itself;
//! - `log`, `timeline`, `trouble`: how a rotation goes, step by step, and what went wrong;
//! - `history`: rotations of the past;
//! - `facts`, `preflight`: whether one would go through;
//! - `probe`, `repair`: what to do about one that was left half done;
//! - `page`: all of that for a page;
//! - `actions`: the operations.

mod actions;
mod detail;
mod facts;
mod history;
mod log;
mod page;
mod preflight;
mod probe;
mod repair;
#[cfg(test)]
mod samples;
mod schedule;
mod timeline;
mod trouble;

pub(crate) use page::Readings;
