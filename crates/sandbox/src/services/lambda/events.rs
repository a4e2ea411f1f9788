//! Asynchronous invocations: accepted, kept in a file each, run later.
//!
//! An event is run at least once: its file goes when it has been run, so an event that a crash of
//! the sandbox interrupts is run again, as AWS reserves the right to. After an error of the
//! function it is run twice more, after one minute and two more; a throttled one is tried again for
//! six hours, after one second at first and five minutes at most (AWS's defaults, all of them).
//! Then it is dropped, and the sandbox's own log says so: there are no destinations here.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::Core;
use super::errors::throttled;
use super::invoke::Request;
use super::names::FunctionRef;
use crate::aws::AwsError;
use crate::context::{Context, lock};

/// More events than this are not taken: 1,000 files of at most 1.4 MB.
const MOST_EVENTS: usize = 1_000;
/// At most this many run at once.
const MOST_RUNNING: usize = 16;
/// How often the queue is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// AWS: two retries after an error of the function, and how long after it.
const RETRIES: [TimeDelta; 2] = [TimeDelta::minutes(1), TimeDelta::minutes(2)];
/// AWS: how long an event that could not be run at all is kept.
const OLDEST: TimeDelta = TimeDelta::hours(6);
/// AWS: the longest wait between two tries of a throttled event.
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(5);

/// The queue.
#[derive(Debug)]
pub(super) struct Events {
    folder: PathBuf,
    waiting: Mutex<BTreeMap<String, Waiting>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Waiting {
    request_id: String,
    function: String,
    qualifier: Option<String>,
    /// In base64.
    payload: String,
    trace: Option<String>,
    accepted: DateTime<Utc>,
    due: DateTime<Utc>,
    /// How often the function has failed with it.
    failures: usize,
    /// How often it could not be run.
    refusals: u32,
    #[serde(skip)]
    running: bool,
}

impl Events {
    /// Opens the queue with what an earlier sandbox left in it.
    ///
    /// # Errors
    /// When the folder or a file in it can't be read.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let mut waiting = BTreeMap::new();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let event: Waiting = serde_json::from_slice(&fs::read(&path)?).map_err(io::Error::from)?;
                waiting.insert(event.request_id.clone(), event);
            } else {
                fs::remove_file(&path)?;
            }
        }
        Ok(Self { folder, waiting: Mutex::new(waiting) })
    }

    /// Takes an event. When this returns, it is in its file.
    ///
    /// # Errors
    /// `TooManyRequestsException` when the queue is full, `InternalFailure` when the disk is.
    pub fn accept(&self, context: &Context, request: &Request) -> Result<(), AwsError> {
        let now = context.now();
        let event = Waiting {
            request_id: request.request_id.clone(),
            function: request.reference.name.clone(),
            qualifier: request.reference.qualifier.clone(),
            payload: STANDARD.encode(&request.payload),
            trace: request.trace.clone(),
            accepted: now,
            due: now,
            failures: 0,
            refusals: 0,
            running: false,
        };
        let mut waiting = lock(&self.waiting);
        if waiting.len() >= MOST_EVENTS {
            return Err(throttled("CallerRateLimitExceeded"));
        }
        self.write(&event)
            .map_err(|error| AwsError::internal(format!("the sandbox can't keep an event: {error}")))?;
        waiting.insert(event.request_id.clone(), event);
        Ok(())
    }

    /// How many events wait or run.
    pub fn len(&self) -> usize {
        lock(&self.waiting).len()
    }

    fn path(&self, request_id: &str) -> PathBuf {
        self.folder.join(format!("{request_id}.json"))
    }

    fn write(&self, event: &Waiting) -> io::Result<()> {
        let path = self.path(&event.request_id);
        let beside = path.with_extension("new");
        fs::write(&beside, serde_json::to_vec(event)?)?;
        fs::rename(beside, path)
    }

    /// The events whose time has come, now marked as running.
    fn take_due(&self, now: DateTime<Utc>) -> Vec<Waiting> {
        let mut waiting = lock(&self.waiting);
        let room = MOST_RUNNING.saturating_sub(waiting.values().filter(|event| event.running).count());
        let mut due: Vec<&mut Waiting> =
            waiting.values_mut().filter(|event| !event.running && event.due <= now).collect();
        due.sort_by_key(|event| event.due);
        due.into_iter()
            .take(room)
            .map(|event| {
                event.running = true;
                event.clone()
            })
            .collect()
    }

    /// The event is done with, or waits for its next turn.
    fn put_back(&self, mut event: Waiting, next: Option<DateTime<Utc>>) {
        let mut waiting = lock(&self.waiting);
        let kept = match next {
            Some(due) => {
                event.due = due;
                event.running = false;
                let kept = self.write(&event);
                waiting.insert(event.request_id.clone(), event);
                kept
            }
            None => {
                waiting.remove(&event.request_id);
                fs::remove_file(self.path(&event.request_id))
            }
        };
        if let Err(error) = kept {
            tracing::error!(%error, "the queue of events is not what its files say");
        }
    }
}

/// When an event is to be run again, if at all.
fn next_turn(
    event: &mut Waiting,
    outcome: &Result<bool, AwsError>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    match outcome {
        Ok(true) => None,
        Ok(false) => {
            let wait = RETRIES.get(event.failures).copied();
            event.failures += 1;
            wait.map(|wait| now + wait)
        }
        Err(error) if error.status == 429 || error.status >= 500 || error.status == 409 => {
            let wait = TimeDelta::seconds(1 << event.refusals.min(9)).min(LONGEST_WAIT);
            event.refusals += 1;
            let due = now + wait;
            (due - event.accepted <= OLDEST).then_some(due)
        }
        Err(_) => None,
    }
}

impl Core {
    /// Runs events as they fall due, until the sandbox stops.
    pub(super) async fn run_events(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            for event in self.events.take_due(self.context.now()) {
                let core = self.clone();
                self.tasks.spawn(async move { core.run_event(event).await });
            }
        }
    }

    async fn run_event(self: Arc<Self>, mut event: Waiting) {
        let request = Request {
            request_id: event.request_id.clone(),
            reference: FunctionRef { name: event.function.clone(), qualifier: event.qualifier.clone() },
            payload: STANDARD.decode(&event.payload).unwrap_or_default().into(),
            principal: None,
            trace: event.trace.clone(),
            client_context: None,
        };
        let outcome = self.run(request).await.map(|invoked| invoked.function_error.is_none());
        if self.stop.is_cancelled() && !matches!(outcome, Ok(true)) {
            // Cut short by the sandbox itself: the file stays for the next start.
            return;
        }
        let next = next_turn(&mut event, &outcome, self.context.now());
        if next.is_none() && !matches!(outcome, Ok(true)) {
            tracing::warn!(function = event.function, request = event.request_id, "an event is dropped");
        }
        self.events.put_back(event, next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns() {
        let start = DateTime::UNIX_EPOCH;
        let event = |failures, refusals| Waiting {
            request_id: "r".into(),
            function: "f".into(),
            qualifier: None,
            payload: String::new(),
            trace: None,
            accepted: start,
            due: start,
            failures,
            refusals,
            running: true,
        };
        let busy = || Err(throttled("ConcurrentInvocationLimitExceeded"));
        let gone = || Err(AwsError::new("ResourceNotFoundException", "").with_status(404));
        for (failures, refusals, outcome, after, expected) in [
            (0, 0, Ok(true), 0, None),
            (0, 0, Ok(false), 0, Some(60)),
            (1, 0, Ok(false), 0, Some(120)),
            (2, 0, Ok(false), 0, None),
            (0, 0, busy(), 0, Some(1)),
            (0, 5, busy(), 0, Some(32)),
            (0, 30, busy(), 100, Some(400)),
            (0, 30, busy(), 6 * 3600, None),
            (0, 0, gone(), 0, None),
        ] {
            let next = next_turn(&mut event(failures, refusals), &outcome, start + TimeDelta::seconds(after));
            assert_eq!(
                next,
                expected.map(|s| start + TimeDelta::seconds(s)),
                "{failures} {refusals} {outcome:?}"
            );
        }
    }
}
