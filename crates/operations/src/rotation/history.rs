//! Rotations of the past, from CloudTrail's event history: 90 days, a few minutes behind.
//!
//! The events that Secrets Manager writes about a rotation name the secret, not the version. Who
//! started one is in the `RotateSecret` call before it, whose token is its id.
//!
//! `LookupEvents` takes one condition, and two calls a second from the whole account. The condition is
//! the event's name: by the secret's name or ARN (`ResourceName`) one would also turn the pages of every
//! GetSecretValue of 90 days, thousands to one rotation, and it is documented nowhere that rotation's own
//! events are found by it. So the events of all secrets of the account come along, and some pages of each
//! of the five kinds are turned, slowly. What could be read of it is shown, with what could not.

use std::time::Duration;

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_cloudtrail::types::{Event, LookupAttribute, LookupAttributeKey};
use model::problem::{Problem, ProblemKind};
use model::rotation::{PastOutcome, PastRotation, starter};
use model::time::Timestamp;
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use crate::aws::{problem, timestamp};

/// How far back.
const BACK: Duration = Duration::from_secs(90 * 86_400);
/// Events on a page, which is the most that AWS gives.
const MOST: i32 = 50;
/// So many pages of each kind are turned: the newest 200 events of the account.
const MOST_PAGES: usize = 4;
/// So many of the secret's own are enough.
const ENOUGH: usize = 50;
/// AWS takes two calls a second.
const APART: Duration = Duration::from_millis(550);
/// How long all of it may take: 20 calls at their distance, and then some for answers.
pub(crate) const WHOLE_TIME: Duration = Duration::from_secs(25);
/// A rotation begins within so long of the call that asks for it.
const AFTER_CALL_MS: i64 = 60_000;
/// The kinds of events.
const KINDS: [&str; 5] =
    ["RotationStarted", "RotationSucceeded", "RotationFailed", "RotationAbandoned", "RotateSecret"];

/// What an event says.
#[derive(Debug, Clone, PartialEq)]
struct Record {
    at: Timestamp,
    kind: &'static str,
    error: Option<String>,
    token: Option<String>,
}

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct History {
    /// The rotations, the newest first.
    pub(crate) past: Vec<PastRotation>,
    /// What is missing, and why.
    pub(crate) partial: Option<Problem>,
}

/// Reads the history of the secret with this ARN. Fails only where nothing could be read.
pub(crate) async fn read(trail: Client, arn: String, now: Timestamp) -> Result<History, Problem> {
    let start = DateTime::from_millis(now.0 - i64::try_from(BACK.as_millis()).unwrap_or(i64::MAX));
    let mut lookup = Lookup { trail, arn, start, last: None };
    let (mut records, mut missing, mut why) = (Vec::new(), Vec::new(), None);
    for kind in KINDS {
        if let Err(problem) = lookup.kind(kind, &mut records).await {
            // Asked too often, the next kind may go through; else all of them would fail the same way.
            let goes_on = problem.kind == ProblemKind::Throttled;
            missing.push(kind);
            why.get_or_insert(problem);
            if !goes_on {
                let read = KINDS.iter().position(|other| *other == kind).unwrap_or_default();
                missing.extend(&KINDS[read + 1..]);
                break;
            }
        }
    }
    match why {
        Some(problem) if missing.len() == KINDS.len() && records.is_empty() => Err(problem),
        why => {
            let partial = why.map(|why| partial(&missing, why));
            Ok(History { past: put_together(records), partial })
        }
    }
}

fn partial(missing: &[&str], why: Problem) -> Problem {
    let message = format!("This is not all of it: {} could not be read. {}", missing.join(", "), why.message);
    Problem { message, ..why }
}

struct Lookup {
    trail: Client,
    arn: String,
    start: DateTime,
    /// When AWS was last asked.
    last: Option<Instant>,
}

impl Lookup {
    /// Adds the secret's events of a kind; those of the pages before it is refused, too.
    async fn kind(&mut self, kind: &'static str, records: &mut Vec<Record>) -> Result<(), Problem> {
        let attribute = LookupAttribute::builder()
            .attribute_key(LookupAttributeKey::EventName)
            .attribute_value(kind)
            .build()
            .map_err(|_| Problem::new(ProblemKind::Internal, "A lookup could not be made."))?;
        let (before, mut next) = (records.len(), None);
        for _ in 0..MOST_PAGES {
            if let Some(last) = self.last {
                sleep_until(last + APART).await;
            }
            self.last = Some(Instant::now());
            let lookup = self.trail.lookup_events().lookup_attributes(attribute.clone());
            let lookup = lookup.start_time(self.start).max_results(MOST).set_next_token(next);
            let page = lookup
                .send()
                .await
                .map_err(|error| problem("look up past rotations", "cloudtrail:LookupEvents", &error))?;
            records.extend(page.events().iter().filter_map(|event| record(event, kind, &self.arn)));
            next = page.next_token;
            if next.is_none() || records.len() - before >= ENOUGH {
                break;
            }
        }
        Ok(())
    }
}

fn record(event: &Event, kind: &'static str, arn: &str) -> Option<Record> {
    let at = timestamp(event.event_time()?);
    let inner: Value = serde_json::from_str(event.cloud_trail_event()?).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if kind == "RotateSecret" {
        let parameters = &inner["requestParameters"];
        // Names and ARNs both name a secret; the answer always has the ARN. A rehearsal is no rotation.
        let ours = inner["responseElements"]["arn"] == arn;
        let at_once = parameters["rotateImmediately"] != false;
        let token = text(&parameters["clientRequestToken"]);
        return (ours && at_once && token.is_some()).then_some(Record { at, kind, error: None, token });
    }
    let ours = inner["additionalEventData"]["SecretId"] == arn;
    ours.then(|| Record { at, kind, error: text(&inner["errorMessage"]), token: None })
}

/// Pairs each beginning with the end that came next, and with the call that came before.
fn put_together(mut records: Vec<Record>) -> Vec<PastRotation> {
    // Events have whole seconds: within one, the call comes first and the end last.
    let rank = |kind: &str| match kind {
        "RotateSecret" => 0,
        "RotationStarted" => 1,
        _ => 2,
    };
    records.sort_by_key(|record| (record.at, rank(record.kind)));
    let mut past: Vec<PastRotation> = Vec::new();
    let mut call: Option<(Timestamp, String)> = None;
    for record in records {
        let outcome = match record.kind {
            "RotateSecret" => {
                call = record.token.map(|token| (record.at, token));
                continue;
            }
            "RotationStarted" => {
                let token = call.take().filter(|(at, _)| record.at.0 - at.0 <= AFTER_CALL_MS);
                let token = token.map(|(_, token)| token);
                past.push(PastRotation {
                    started_by: token.as_deref().and_then(starter).map(str::to_owned),
                    token,
                    started: record.at,
                    ended: None,
                    outcome: PastOutcome::Open,
                    error: None,
                });
                continue;
            }
            "RotationSucceeded" => PastOutcome::Succeeded,
            "RotationFailed" => PastOutcome::Failed,
            _ => PastOutcome::Abandoned,
        };
        match past.last_mut().filter(|last| last.outcome == PastOutcome::Open) {
            Some(open) => {
                open.ended = Some(record.at);
                open.outcome = outcome;
                open.error = record.error;
            }
            // An end without a beginning: the beginning is older than what was looked up.
            None => past.push(PastRotation {
                token: None,
                started_by: None,
                started: record.at,
                ended: Some(record.at),
                outcome,
                error: record.error,
            }),
        }
    }
    past.reverse();
    past
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(at: i64, kind: &'static str) -> Record {
        let token = (kind == "RotateSecret").then(|| "0123456789abcdef0123456789abcdef-anna".to_owned());
        let error = (kind == "RotationFailed").then(|| "setSecret: no".to_owned());
        Record { at: Timestamp(at * 1_000), kind, error, token }
    }

    #[test]
    fn beginnings_and_ends_are_paired() {
        let past = put_together(vec![
            record(400, "RotationSucceeded"),
            record(300, "RotationStarted"),
            record(200, "RotationFailed"),
            record(100, "RotationStarted"),
            record(100, "RotateSecret"),
            record(500, "RotationStarted"),
            record(50, "RotationSucceeded"),
            record(600, "RotationSucceeded"),
            record(600, "RotationStarted"),
            record(600, "RotateSecret"),
        ]);
        let short: Vec<_> = past
            .iter()
            .map(|past| {
                (
                    past.started.0 / 1_000,
                    past.ended.map(|at| at.0 / 1_000),
                    past.outcome,
                    past.started_by.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            short,
            [
                (600, Some(600), PastOutcome::Succeeded, Some("anna")),
                (500, None, PastOutcome::Open, None),
                (300, Some(400), PastOutcome::Succeeded, None),
                (100, Some(200), PastOutcome::Failed, Some("anna")),
                (50, Some(50), PastOutcome::Succeeded, None),
            ]
        );
        assert_eq!(past[3].error.as_deref(), Some("setSecret: no"));
    }
}
