//! Figures from CloudWatch: one store for all who look, which asks as seldom as it can.
//!
//! Each metric that is asked for is paid for, each time (USD 0.01 per 1,000, whatever the number of
//! points), and never free of charge. So no page asks by itself. What somebody looks at is noted as
//! wanted; once a minute what is wanted, and due, is asked for in one call of at most 500 metrics.
//!
//! In reading order:
//! - [`meter`]: what was spent, and what that does to the pace;
//! - `catalog`: which figure is which metric, `budget`: when a call may be made, `plan`: what goes into
//!   it. All pure;
//! - `ask`: the call; `store`: who waits for what;
//! - `starts`: how long starts took, which no metric tells; `limits`: concurrency; `page`: what the
//!   metrics page shows.

mod ask;
mod budget;
mod catalog;
mod limits;
pub mod meter;
mod page;
mod plan;
mod starts;
mod store;

pub(crate) use page::{Readings, overview_traffic};
pub(crate) use store::{Setup, Store};
