//! One request by any of its names: the gateway's line, the function's lines and the trace, on one time
//! line.
//!
//! They are joined by what each writes of the other: the access log has Lambda's id
//! (`integration.requestId`), the function's log has the gateway's (`apiRequestId`), Lambda's report has
//! the trace's, and the trace has Lambda's. Nobody knows beforehand when a request was, but for a trace,
//! whose id says so: the last hour is searched first, then what lies before it, a week at most. Each
//! search is bounded (see [`crate::logs::search`]), and what is not found says where it was looked for.

mod find;
mod timeline;
mod trace;

use std::time::Duration;

use model::lookup::{Lookup, RequestId};
use model::overview::Reading;
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;

use crate::kept_by::KeptBy;
use crate::logs::places::{self, Places};
use crate::portal::Portal;

/// A request that is over does not change; what is still written about it is seen after so long.
const EVERY: Duration = Duration::from_secs(10);
/// So many lookups are kept: whoever reloads a page, or two who look at one request, share one.
const MOST: usize = 32;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    id: RequestId,
    /// The time to search, where somebody said so.
    range: Option<(Timestamp, Timestamp)>,
}

/// What is kept of lookups.
pub(crate) struct Lookups(KeptBy<Asked, Lookup>);

impl Lookups {
    pub(crate) fn new() -> Self {
        Self(KeptBy::new(MOST, EVERY))
    }
}

impl Portal {
    /// One request: within `range`, or else within the last week.
    ///
    /// # Errors
    /// `TimedOut` when it was not found out in time; what is not found, or may not be read, is said in the
    /// lookup itself.
    pub async fn lookup(
        &self,
        id: RequestId,
        range: Option<(Timestamp, Timestamp)>,
    ) -> Result<Lookup, Problem> {
        let places = self.places().await?;
        let asked = Asked { id, range };
        let kept = self.lookups.0.of(&asked);
        let tools = find::Tools {
            logs: self.clients.logs.clone(),
            xray: self.clients.xray.clone(),
            places,
            now: self.now(),
        };
        let reading: Reading<Lookup> =
            kept.get(self.clock(), || find::lookup(tools, asked.id.clone(), asked.range)).await;
        reading.value.ok_or_else(|| {
            reading.problem.unwrap_or_else(|| {
                Problem::new(ProblemKind::TimedOut, "The request was not looked up in time.")
            })
        })
    }

    /// The log groups, read once a minute.
    ///
    /// # Errors
    /// `TimedOut`.
    pub(crate) async fn places(&self) -> Result<Places, Problem> {
        let clients = &self.clients;
        let (gateway, lambda) = (clients.gateway.clone(), clients.lambda.clone());
        let reading =
            self.places.get(self.clock(), || places::read(gateway, lambda, self.shared_stack())).await;
        reading.value.ok_or_else(|| {
            reading.problem.unwrap_or_else(|| Problem::new(ProblemKind::TimedOut, "Nothing was read yet."))
        })
    }
}
