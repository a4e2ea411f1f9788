//! CloudWatch Logs: groups, streams and events, kept in SQLite (write-ahead log) in the state
//! folder.
//!
//! There are two ways in. `PutLogEvents` and the other calls of the API write before they answer.
//! The sandbox's own services, which on AWS deliver their logs in the background, use
//! [`Logs::append`]: it puts the events into a bounded queue in memory, and one thread writes what
//! has gathered in a single transaction. Every reading call writes the queue first, so nobody sees
//! less than was appended; a kill loses at most what the thread had not written yet, some
//! milliseconds' worth.
//!
//! Two things bound the data: a group's retention, counted with the context's clock, and an overall
//! cap ([`store::MOST_EVENTS`], [`store::MOST_BYTES`]) beyond which the oldest events go.
//!
//! Whichever way an event came in, once it is written the metrics embedded in it go to CloudWatch
//! (`emf`).
//!
//! In reading order: [`queue`], [`store`], `groups`, `streams`, `events` with `pages` (what the calls do), `checks`
//! (what they demand), `emf`, and [`filter`], the pattern language. Insights, live tail, metric and
//! subscription filters are refused by name. A `kmsKeyId` is kept and returned; nothing is encrypted.

mod checks;
mod emf;
mod events;
pub mod filter;
mod groups;
mod pages;
pub mod queue;
pub mod store;
mod streams;

use std::io;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use async_trait::async_trait;

use crate::aws::{AwsError, Call, Protocol, Reply, Service};
use crate::context::{Context, lock};
use crate::services::cloudwatch::CloudWatch;
use queue::Queue;
use store::{Limits, Store};

/// One event to write: milliseconds since 1970 and the message.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEvent {
    /// When it happened, milliseconds since 1970.
    pub timestamp: i64,
    /// What is written.
    pub message: String,
}

/// Groups, streams and events.
pub struct Logs {
    context: Arc<Context>,
    queue: Arc<Queue>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Logs {
    /// Opens the state of the service in the context's folder. Metrics embedded in events go to
    /// `metrics`.
    ///
    /// # Errors
    /// When the state can't be read.
    pub fn open(context: Arc<Context>, metrics: Arc<CloudWatch>) -> io::Result<Arc<Self>> {
        let store = Store::open(&context.path("logs.sqlite"), Limits::default())?;
        let queue = Arc::new(Queue::new(context.clone(), store, metrics));
        let writer = std::thread::Builder::new().name("logs-writer".to_owned()).spawn({
            let queue = queue.clone();
            move || queue.write_until_stopped()
        })?;
        Ok(Arc::new(Self { context, queue, writer: Mutex::new(Some(writer)) }))
    }

    /// Writes events as AWS's own services do: group and stream come into being with the first one.
    /// The timestamps are taken as they are. Returns as soon as the events are in the queue, and may
    /// be called from async code; only when the queue is full does it wait for the disk.
    ///
    /// # Errors
    /// `InternalFailure` when the queue is full and can't be written.
    pub fn append(&self, group: &str, stream: &str, events: Vec<LogEvent>) -> Result<(), AwsError> {
        self.queue.push(group, stream, events)
    }

    /// Writes everything that was appended so far. Blocks for as long as that takes.
    ///
    /// # Errors
    /// `InternalFailure` when it can't be written; it stays in the queue then.
    pub fn flush(&self) -> Result<(), AwsError> {
        self.queue.flush()
    }

    fn store(&self) -> &Store {
        &self.queue.store
    }

    fn answer(&self, call: &Call) -> Result<Reply, AwsError> {
        self.flush()?;
        match call.operation.as_str() {
            "CreateLogGroup" => self.create_group(call.parse()?),
            "DeleteLogGroup" => self.delete_group(&call.parse()?),
            "DescribeLogGroups" => self.describe_groups(&call.parse()?),
            "PutRetentionPolicy" => self.put_retention(&call.parse()?),
            "DeleteRetentionPolicy" => self.delete_retention(&call.parse()?),
            "PutLogGroupDeletionProtection" => self.put_deletion_protection(&call.parse()?),
            "TagResource" => self.tag(call.parse()?),
            "UntagResource" => self.untag(&call.parse()?),
            "ListTagsForResource" => self.list_tags(&call.parse()?),
            "CreateLogStream" => self.create_stream(&call.parse()?),
            "DeleteLogStream" => self.delete_stream(&call.parse()?),
            "DescribeLogStreams" => self.describe_streams(&call.parse()?),
            "PutLogEvents" => self.put_events(call.parse()?),
            "GetLogEvents" => self.get_events(&call.parse()?),
            "FilterLogEvents" => self.filter_events(&call.parse()?),
            other => Err(AwsError::unsupported(format_args!("logs {other}"))),
        }
    }
}

impl Drop for Logs {
    /// Writes what is queued, then ends the thread.
    fn drop(&mut self) {
        self.queue.stop();
        if let Some(writer) = lock(&self.writer).take()
            && writer.join().is_err()
        {
            tracing::error!("the log writer panicked");
        }
    }
}

#[async_trait]
impl Service for Logs {
    fn signing_name(&self) -> &'static str {
        "logs"
    }

    fn protocol(&self) -> Protocol {
        Protocol::AwsJson
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, AwsError> {
        // SQLite blocks: off the async threads.
        tokio::task::spawn_blocking(move || self.answer(&call))
            .await
            .map_err(|error| AwsError::internal(format!("logs: {error}")))?
    }
}
