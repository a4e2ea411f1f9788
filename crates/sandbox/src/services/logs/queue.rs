//! What was appended and is not written yet, and the thread that writes it.
//!
//! No sleep and no timer: while the thread writes one batch, the next gathers, so a quiet sandbox
//! writes at once and a busy one in large transactions. Once a batch is on the disk, the metrics
//! embedded in its events go to CloudWatch: what had to be tried again is counted once, and a kill in
//! between loses at most that batch's metrics.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::store::{EVENT_OVERHEAD, Store};
use super::{LogEvent, emf};
use crate::aws::AwsError;
use crate::context::{Context, lock};
use crate::services::cloudwatch::CloudWatch;

/// How much may wait in memory.
pub const MOST_PENDING_BYTES: usize = 32 * 1024 * 1024;
/// AWS: 1 MB for an event with its overhead; longer messages of the sandbox's own are cut.
const LARGEST_MESSAGE: usize = 1_048_576 - EVENT_OVERHEAD;
/// How long the thread waits after a write that failed.
const RETRY: Duration = Duration::from_secs(1);
/// How often expired events are taken from the disk, by the context's clock.
const SWEEP_MS: i64 = 3_600_000;

/// Events of one stream on their way to the disk.
pub(super) struct Batch {
    pub(super) group: String,
    pub(super) stream: String,
    pub(super) ingested_ms: i64,
    pub(super) events: Vec<LogEvent>,
}

#[derive(Default)]
struct Pending {
    batches: VecDeque<Batch>,
    bytes: usize,
    stopped: bool,
}

/// The queue in front of the store.
pub struct Queue {
    context: Arc<Context>,
    pub(super) store: Store,
    metrics: Arc<CloudWatch>,
    pending: Mutex<Pending>,
    wake: Condvar,
    /// Held while a batch is written, so that batches are written in the order they came in.
    writing: Mutex<()>,
}

impl Queue {
    /// An empty queue.
    pub(super) fn new(context: Arc<Context>, store: Store, metrics: Arc<CloudWatch>) -> Self {
        Self {
            context,
            store,
            metrics,
            pending: Mutex::default(),
            wake: Condvar::new(),
            writing: Mutex::new(()),
        }
    }

    /// Adds events.
    pub(super) fn push(&self, group: &str, stream: &str, mut events: Vec<LogEvent>) -> Result<(), AwsError> {
        // AWS knows no empty message.
        events.retain(|event| !event.message.is_empty());
        if events.is_empty() {
            return Ok(());
        }
        for event in &mut events {
            if event.message.len() > LARGEST_MESSAGE {
                let end = event.message.floor_char_boundary(LARGEST_MESSAGE);
                event.message.truncate(end);
            }
        }
        let batch = Batch {
            group: group.to_owned(),
            stream: stream.to_owned(),
            ingested_ms: self.context.now_ms(),
            events,
        };
        let bytes = size(&batch);
        if lock(&self.pending).bytes.saturating_add(bytes) > MOST_PENDING_BYTES {
            self.flush()?;
        }
        let mut pending = lock(&self.pending);
        pending.bytes += bytes;
        pending.batches.push_back(batch);
        drop(pending);
        self.wake.notify_one();
        Ok(())
    }

    /// Writes everything that is in the queue now.
    pub(super) fn flush(&self) -> Result<(), AwsError> {
        let _writing = lock(&self.writing);
        let batches = {
            let mut pending = lock(&self.pending);
            pending.bytes = 0;
            std::mem::take(&mut pending.batches)
        };
        if batches.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.store.append(&self.context, &batches) {
            // Back in front, to be tried again: nothing of it was committed.
            let mut pending = lock(&self.pending);
            for batch in batches.into_iter().rev() {
                pending.bytes += size(&batch);
                pending.batches.push_front(batch);
            }
            return Err(error);
        }
        for batch in &batches {
            self.extract(&batch.group, &batch.events);
        }
        Ok(())
    }

    /// Hands over the metrics embedded in events that are on the disk.
    pub(super) fn extract(&self, group: &str, events: &[LogEvent]) {
        emf::extract(&self.store, &self.metrics, group, events);
    }

    /// The thread's whole life.
    pub(super) fn write_until_stopped(&self) {
        let mut swept = self.context.now_ms();
        loop {
            let stopped = {
                let mut pending = lock(&self.pending);
                while pending.batches.is_empty() && !pending.stopped {
                    pending = self.wake.wait(pending).unwrap_or_else(PoisonError::into_inner);
                }
                pending.stopped
            };
            let result = self.flush();
            if let Err(error) = &result {
                tracing::error!(%error, "log events can't be written");
            }
            if stopped {
                return;
            }
            let now = self.context.now_ms();
            if now - swept >= SWEEP_MS {
                swept = now;
                if let Err(error) = self.store.sweep(now) {
                    tracing::error!(%error, "expired log events can't be removed");
                }
            }
            if result.is_err() {
                let pending = lock(&self.pending);
                drop(self.wake.wait_timeout(pending, RETRY));
            }
        }
    }

    /// Lets the thread write what is left and end.
    pub(super) fn stop(&self) {
        lock(&self.pending).stopped = true;
        self.wake.notify_one();
    }
}

/// What a batch takes in memory, roughly: its texts and what surrounds them.
fn size(batch: &Batch) -> usize {
    let events: usize = batch.events.iter().map(|event| event.message.len() + EVENT_OVERHEAD).sum();
    events + batch.group.len() + batch.stream.len() + size_of::<Batch>()
}

#[cfg(test)]
mod tests {
    use super::super::store::{Limits, sql};
    use super::*;
    use crate::context::ManualClock;

    #[test]
    fn what_could_not_be_written_stays_in_order_for_the_next_try() {
        let folder = tempfile::tempdir().unwrap();
        let context = Context::for_tests(folder.path(), ManualClock::new(Default::default()));
        let store = Store::open(&folder.path().join("l"), Limits::default()).unwrap();
        let metrics = CloudWatch::open(context.clone()).unwrap();
        let queue = Queue::new(context, store, metrics);
        let rename = |from: &str, to: &str| {
            let text = format!("ALTER TABLE {from} RENAME TO {to}");
            queue.store.write(|transaction| transaction.execute(&text, []).map_err(sql)).unwrap();
        };
        let push = |message: &str| {
            queue.push("g", "s", vec![LogEvent { timestamp: 1, message: message.to_owned() }]).unwrap();
        };
        rename("events", "hidden");
        push("one");
        push("two");
        assert_eq!(queue.flush().unwrap_err().code, "InternalFailure");
        push("three");
        let pending = lock(&queue.pending).bytes;
        assert!(pending > 3 * EVENT_OVERHEAD, "{pending}");
        rename("hidden", "events");
        queue.flush().unwrap();
        assert_eq!(lock(&queue.pending).bytes, 0);
        let written: String = queue
            .store
            .read(|connection| {
                connection
                    .query_row(
                        "SELECT group_concat(message) FROM (SELECT message FROM events ORDER BY id)",
                        [],
                        |row| row.get(0),
                    )
                    .map_err(sql)
            })
            .unwrap();
        assert_eq!(written, "one,two,three");
    }
}
