//! Redeploys: new code gets its requests step by step, and is taken back by itself.
//!
//! In reading order:
//! - `next_step`: what a rollout's next step is, `gate`: whether the new version does as well as the
//!   old one, `preflight`: what is in the way of a deploy, `package`: what is in a zip. All pure;
//! - `details`: what a rollout keeps in the function's tags; the rest is in the alias's description
//!   ([`model::rollout`]);
//! - `aws`, `smoke`, `figures`, `read`, `history`: the calls;
//! - `drive`: look, decide, take one step; `staged`: uploads that wait;
//! - `actions`: what people do; `api`: the HTTP API in front; `page`: what is shown.

mod actions;
mod api;
mod aws;
mod details;
mod drive;
mod figures;
mod gate;
mod history;
mod next_step;
mod package;
mod page;
mod preflight;
mod read;
mod smoke;
mod staged;

pub(crate) use drive::Memory;
pub use drive::Pace;
pub(crate) use page::Readings;
