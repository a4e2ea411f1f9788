//! The errors of a period, by whose they are.
//!
//! Read are the gateway's lines with a status from 400 on, the newest first, and of the function's log
//! its own answers from 500 on and Lambda's reports of what failed; both are bounded, and the page says so
//! where a bound was hit. Joined by the invocation's id, each is judged by [`cause::blame`]. A reading is
//! shared by everybody who looks at the same period, and kept for half a minute.

mod cause;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_cloudwatchlogs::Client as Logs;
use model::blame::{Cause, Errors, Reason, Sample, Share};
use model::logs::{AccessLine, LogLine, Looked, Said};
use model::overview::Reading;
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;

pub use cause::blame;

use crate::kept::Kept;
use crate::kept_by::KeptBy;
use crate::logs::access::Format;
use crate::logs::places::Places;
use crate::logs::said;
use crate::logs::search::{Found, Search, any_of, search};
use crate::portal::Portal;

/// So many lines of each log are read: about 5 MB.
const MOST_LINES: usize = 10_000;
/// So many pages are turned.
const MOST_PAGES: usize = 40;
/// How long a reading may take.
const LIMIT: Duration = Duration::from_secs(25);
/// How long it is kept.
const EVERY: Duration = Duration::from_secs(30);
/// So many periods are kept.
const MOST_PERIODS: usize = 16;
/// The function writes before the gateway does: so much earlier its lines are looked for.
const BEFORE_MS: i64 = 60_000;
/// So many reasons of a cause are told apart.
const MOST_REASONS: usize = 12;
/// So many requests are named for each.
const MOST_SAMPLES: usize = 3;
/// What else there is.
const OTHER: &str = "other reasons";

/// The function's own answers from 500 on, and what Lambda says of those that have none.
const FUNCTION_PATTERN: &str = r#"{ ($.message = "request" && $.status >= 500) || ($.type = "platform.report" && $.record.status != "success") }"#;

/// A period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// So many milliseconds up to now.
    Last(i64),
    /// From one time to another.
    Between(Timestamp, Timestamp),
}

impl Period {
    fn bounds(self, now: Timestamp) -> (Timestamp, Timestamp) {
        match self {
            Self::Last(ms) => (Timestamp(now.0 - ms), now),
            Self::Between(from, to) => (from, to),
        }
    }
}

/// What is kept of periods.
pub(crate) struct Periods(KeptBy<Period, Errors>);

impl Periods {
    pub(crate) fn new() -> Self {
        Self(KeptBy::made(MOST_PERIODS, || Kept::every(EVERY).unhurried(LIMIT)))
    }
}

impl Portal {
    /// The errors of a period.
    ///
    /// # Errors
    /// `TimedOut` when it is not even known where the logs are.
    pub async fn errors(&self, period: Period) -> Result<Reading<Errors>, Problem> {
        let places = self.places().await?;
        let (logs, now) = (self.clients.logs.clone(), self.now());
        Ok(self.periods.0.of(&period).get(self.clock(), || read(logs, places, period.bounds(now))).await)
    }
}

async fn read(logs: Logs, places: Places, (from, to): (Timestamp, Timestamp)) -> Result<Errors, Problem> {
    let log = places.access?;
    let format = Format::new(&log.format);
    let asked = |group: &str, pattern: String, from: i64| Search {
        group: group.to_owned(),
        stream: None,
        pattern,
        from: Timestamp(from),
        to,
        lines: MOST_LINES,
        pages: MOST_PAGES,
        newest_first: true,
    };
    let access = asked(&log.group, pattern(&format)?, from.0);
    let function = asked(&places.function, FUNCTION_PATTERN.to_owned(), from.0 - BEFORE_MS);
    let (lines, said) = futures::join!(search(&logs, &access), search(&logs, &function));
    let lines = lines?;
    let looked = |search: &Search, whole, problem| Looked {
        place: search.group.clone(),
        from: search.from,
        to: search.to,
        whole,
        problem,
    };
    let (said, problem) = match said {
        Ok(said) => (said, None),
        Err(problem) => (Found::default(), Some(problem)),
    };
    let oldest = lines.lines.last().map_or(from, |line| line.at);
    let read_from = if lines.whole { from } else { oldest };
    let access = looked(&access, lines.whole, None);
    let function = looked(&function, said.whole, problem);
    let (judged, unread) = judge(&format, lines.lines, said.lines);
    let unexplained = judged.iter().filter(|one| one.reason.ends_with(cause::UNEXPLAINED)).count() as u64;
    let (server, client): (Vec<Judged>, Vec<Judged>) =
        judged.into_iter().partition(|one| one.sample.status >= 500);
    let (server, client) = (shares(server), shares(client));
    Ok(Errors { from, to, server, client, access, function, read_from, unexplained, unread })
}

/// The lines with a status from 400 on, by what stands before the status in the stage's format: a filter
/// for JSON would pass over the lines that a user agent has broken.
fn pattern(format: &Format) -> Result<String, Problem> {
    match format.before("status") {
        None => Err(Problem::new(
            ProblemKind::NotFound,
            "The access log's format has no $context.status: it does not say what was an error.",
        )
        .with_next("Add it to the format of the stage's access log.")),
        Some("") => Ok(String::new()),
        Some(before) => Ok(any_of(&[&format!("{before}4"), &format!("{before}5")])),
    }
}

/// An error, judged.
struct Judged {
    cause: Cause,
    reason: String,
    sample: Sample,
}

/// Judges each line of the gateway's by those of the function's that belong to it. The other number is of
/// lines that have no status.
fn judge(format: &Format, lines: Vec<LogLine>, said: Vec<LogLine>) -> (Vec<Judged>, u64) {
    let mut by_request: HashMap<String, Vec<Said>> = HashMap::new();
    for line in said {
        let said = said::read(&line.text);
        // By the gateway's id too, for a format that does not name the invocation.
        if let Said::Request(line) = &said
            && !line.api_request_id.is_empty()
        {
            by_request.entry(line.api_request_id.clone()).or_default().push(said.clone());
        }
        if let Some(id) = said::request_of(&said).map(str::to_owned) {
            by_request.entry(id).or_default().push(said);
        }
    }
    let (mut judged, mut unread) = (Vec::new(), 0);
    for line in lines {
        let read: AccessLine = format.read(line.at, &line.text);
        let ids = [&read.lambda_id, &read.request_id];
        let about = ids.into_iter().flatten().find_map(|id| by_request.get(id));
        match (blame(&read, about.map_or(&[], Vec::as_slice)), read.status) {
            (Some(blame), Some(status)) => judged.push(Judged {
                cause: blame.cause,
                reason: blame.reason,
                sample: Sample {
                    id: read.request_id.or(read.lambda_id).unwrap_or_default(),
                    at: line.at,
                    status,
                    route: read.route,
                },
            }),
            (_, None) => unread += 1,
            // The filter found its text elsewhere in the line.
            (None, Some(_)) => {}
        }
    }
    (judged, unread)
}

/// Counts, the newest first as the lines are.
fn shares(judged: Vec<Judged>) -> Vec<Share> {
    let all = judged.len() as f64;
    let mut causes: BTreeMap<Cause, (u64, Vec<Reason>)> = BTreeMap::new();
    for Judged { cause, reason, sample } in judged {
        let (count, reasons) = causes.entry(cause).or_default();
        *count += 1;
        let known = reasons.iter().any(|one| one.reason == reason);
        let reason = if known || reasons.len() < MOST_REASONS { reason } else { OTHER.to_owned() };
        let at = reasons.iter().position(|one| one.reason == reason).unwrap_or_else(|| {
            reasons.push(Reason { reason, count: 0, samples: Vec::new() });
            reasons.len() - 1
        });
        reasons[at].count += 1;
        if reasons[at].samples.len() < MOST_SAMPLES && !sample.id.is_empty() {
            reasons[at].samples.push(sample);
        }
    }
    let share = |(cause, (count, mut reasons)): (Cause, (u64, Vec<Reason>))| {
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
        Share { cause, count, share: count as f64 / all, reasons }
    };
    causes.into_iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(cause: Cause, reason: &str, number: u32) -> Judged {
        let sample = Sample { id: number.to_string(), at: Timestamp(0), status: 500, route: None };
        Judged { cause, reason: reason.to_owned(), sample }
    }

    #[test]
    fn counts_add_up_whatever_the_bounds() {
        let mut all: Vec<Judged> =
            (0..40).map(|number| judged(Cause::Code, &format!("reason {number}"), number)).collect();
        all.extend((0..10).map(|number| judged(Cause::Sql, "error 1205", number)));
        let shares = shares(all);
        assert_eq!(shares.iter().map(|share| share.count).sum::<u64>(), 50);
        assert_eq!((shares[0].cause, shares[0].count, shares[0].share), (Cause::Code, 40, 0.8));
        assert!(shares[0].reasons.len() <= MOST_REASONS + 1);
        assert_eq!(shares[0].reasons.iter().map(|reason| reason.count).sum::<u64>(), 40);
        assert_eq!(shares[0].reasons[0].reason, OTHER);
        assert_eq!(shares[1].reasons[0].samples.len(), MOST_SAMPLES);
    }

    #[test]
    fn the_status_is_filtered_by_what_stands_before_it() {
        let pattern = |format: &str| pattern(&Format::new(format)).ok();
        assert_eq!(
            pattern(r#"{"id":"$context.requestId","status":"$context.status"}"#).as_deref(),
            Some(r#"?"\",\"status\":\"4" ?"\",\"status\":\"5""#)
        );
        assert_eq!(pattern("$context.requestId $context.status").as_deref(), Some(r#"?" 4" ?" 5""#));
        assert_eq!(pattern("$context.status").as_deref(), Some(""));
        assert_eq!(pattern("$context.requestId"), None);
    }
}
