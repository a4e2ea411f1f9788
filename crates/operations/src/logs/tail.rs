//! Lines as they are written.
//!
//! One poller for a filter, however many follow it: it asks for what was written since the last time,
//! with an overlap, as lines become visible late and out of order, and leaves out what it has handed out
//! already. It ends with its last follower. CloudWatch's own live tail (`StartLiveTail`) costs by the
//! minute, this costs nothing; but its calls are limited by the second, so there is a bound on filters.
//!
//! Everything has a bound: the lines of a poll, those that are remembered for who comes back, the batches
//! that wait for a slow follower. Who loses lines by that is told ([`LogBatch::gap`]).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use aws_sdk_cloudwatchlogs::Client as Logs;
use model::log_filter::{LogBatch, LogFilter};
use model::logs::LogLine;
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;
use tokio::sync::broadcast;

use super::filter::{keeps, pattern};
use super::search::{Search, search_for};
use crate::portal::{Clock, Portal};

/// Between two polls.
const EVERY: Duration = Duration::from_secs(1);
/// The longest pause after failures.
const LONGEST: Duration = Duration::from_secs(16);
/// So much of what was asked for before is asked for again.
const OVERLAP_MS: i64 = 4_000;
/// A new tail begins with the lines of so long.
const BEGIN_MS: i64 = 30_000;
/// Who was away longer begins anew.
const AWAY_MS: i64 = 5 * 60_000;
/// So many lines of a poll: it goes on with the rest at once.
const MOST_LINES: usize = 2_000;
/// So many pages of a poll.
const MOST_PAGES: usize = 8;
/// So many lines are kept for who comes, or comes back.
const MOST_KEPT: usize = 2_000;
/// So many batches wait for a slow follower: 16,000 lines, about 10 MB, for all followers together.
const MOST_WAITING: usize = 8;
/// So many filters are followed at once.
const MOST_TAILS: usize = 8;
/// So many lines of the time that is asked for again are remembered.
const MOST_SEEN: usize = 50_000;

/// The tails there are.
#[derive(Default)]
pub(crate) struct Tails(Mutex<HashMap<LogFilter, Weak<Tail>>>);

/// A tail.
struct Tail {
    sender: broadcast::Sender<Arc<LogBatch>>,
    kept: Mutex<VecDeque<LogLine>>,
}

/// Somebody who follows a tail.
pub struct Follower {
    tail: Arc<Tail>,
    receiver: broadcast::Receiver<Arc<LogBatch>>,
    first: Option<LogBatch>,
}

/// A line's place in a log: its time, and its id among those of that time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinePlace {
    /// Its time.
    pub at: Timestamp,
    /// Its id.
    pub id: String,
}

impl Follower {
    /// What comes next. Waits; none when the tail has ended.
    pub async fn next(&mut self) -> Option<Arc<LogBatch>> {
        if let Some(first) = self.first.take() {
            return Some(Arc::new(first));
        }
        match self.receiver.recv().await {
            Ok(batch) => Some(batch),
            Err(broadcast::error::RecvError::Lagged(_)) => {
                Some(Arc::new(LogBatch { gap: true, ..LogBatch::default() }))
            }
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// How many follow the same.
    pub fn followers(&self) -> usize {
        self.tail.sender.receiver_count()
    }
}

impl Portal {
    /// Follows what is written from now on; after a line, from there on, if that is not long ago.
    ///
    /// # Errors
    /// `NotFound` for a log that is not there, `Throttled` when too many filters are followed already.
    pub async fn follow(&self, filter: LogFilter, after: Option<LinePlace>) -> Result<Follower, Problem> {
        let group = self.log_group(filter.group).await?;
        let mut held = lock(&self.tails.0);
        held.retain(|_, tail| tail.strong_count() > 0);
        let now = self.now();
        if let Some(tail) = held.get(&filter).and_then(Weak::upgrade) {
            return Ok(join(tail, after.as_ref()));
        }
        if held.len() >= MOST_TAILS {
            let message = format!("{MOST_TAILS} different filters are followed already.");
            return Err(Problem::new(ProblemKind::Throttled, message)
                .with_next("Close another tail, or follow with the filter of one that is open."));
        }
        let recent = after.as_ref().filter(|after| now.0 - after.at.0 <= AWAY_MS);
        let from = recent.map_or(Timestamp(now.0 - BEGIN_MS), |after| after.at);
        let (sender, receiver) = broadcast::channel(MOST_WAITING);
        let tail = Arc::new(Tail { sender, kept: Mutex::default() });
        held.insert(filter.clone(), Arc::downgrade(&tail));
        let mut poller = Poller {
            logs: self.clients.logs.clone(),
            clock: Arc::clone(self.clock()),
            tail: Arc::downgrade(&tail),
            filter,
            group,
            from,
            after: recent.map(|after| after.id.clone()),
            seen: HashMap::new(),
        };
        tokio::spawn(async move { poller.run().await });
        let gap =
            (after.is_some() && recent.is_none()).then(|| LogBatch { gap: true, ..LogBatch::default() });
        Ok(Follower { tail, receiver, first: gap })
    }
}

/// Joins a tail: with what is kept of it, or of that what comes after a line.
fn join(tail: Arc<Tail>, after: Option<&LinePlace>) -> Follower {
    // Under the lock, so that a batch is either kept already or still to come.
    let kept = lock(&tail.kept);
    let receiver = tail.sender.subscribe();
    let (lines, gap) = since(&kept, after);
    drop(kept);
    let first = Some(LogBatch { lines, gap, problem: None }).filter(|first| gap || !first.lines.is_empty());
    Follower { tail, receiver, first }
}

/// The kept lines after a place, and whether there may be others between.
fn since(kept: &VecDeque<LogLine>, after: Option<&LinePlace>) -> (Vec<LogLine>, bool) {
    let Some(after) = after else { return (kept.iter().cloned().collect(), false) };
    match kept.iter().rposition(|line| line.id == after.id) {
        Some(at) => (kept.iter().skip(at + 1).cloned().collect(), false),
        None => {
            let later = kept.iter().filter(|line| line.at >= after.at).cloned().collect();
            (later, kept.front().is_some_and(|first| first.at > after.at))
        }
    }
}

/// What asks.
struct Poller {
    logs: Logs,
    clock: Clock,
    tail: Weak<Tail>,
    filter: LogFilter,
    group: String,
    from: Timestamp,
    /// The line behind which the first poll begins: others of its millisecond may stand before it.
    after: Option<String>,
    /// What was handed out of the time that is asked for again.
    seen: HashMap<String, Timestamp>,
}

impl Poller {
    /// Polls until nobody follows any more.
    async fn run(&mut self) {
        let mut pause = EVERY;
        loop {
            let asked = self.poll().await;
            let Some(tail) = self.tail.upgrade() else { return };
            let more = match asked {
                Ok((batch, more)) => {
                    pause = EVERY;
                    tail.hand_out(batch);
                    more
                }
                Err(problem) => {
                    pause = (pause * 2).min(LONGEST);
                    tail.hand_out(LogBatch { problem: Some(problem), ..LogBatch::default() });
                    false
                }
            };
            drop(tail);
            if !more {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// What is new, and whether there is more of it already.
    async fn poll(&mut self) -> Result<(LogBatch, bool), Problem> {
        let now = (self.clock)();
        let asked = Search {
            group: self.group.clone(),
            stream: None,
            pattern: pattern(&self.filter),
            from: self.from,
            // Clocks differ.
            to: Timestamp(now.0 + 60_000),
            lines: MOST_LINES,
            pages: MOST_PAGES,
            newest_first: false,
        };
        let (filter, seen) = (&self.filter, &self.seen);
        let wanted = |line: &LogLine| !seen.contains_key(&line.id) && keeps(filter, line);
        let mut found = search_for(&self.logs, &asked, wanted).await?;
        for line in &found.lines {
            self.seen.insert(line.id.clone(), line.at);
        }
        let none = found.lines.is_empty();
        if let Some(after) = self.after.take()
            && let Some(at) = found.lines.iter().position(|line| line.id == after)
        {
            found.lines.drain(..=at);
        }
        let newest = Timestamp((now.0 - OVERLAP_MS).max(self.from.0));
        // What can't be got through is passed over: more pages without a wanted line than one poll turns,
        // or more lines of a few seconds than are remembered.
        let stuck = !found.whole && none || self.seen.len() > MOST_SEEN;
        self.from = match found.reached {
            Some(reached) if !found.whole && !stuck => reached.max(self.from),
            _ => newest,
        };
        let from = self.from;
        self.seen.retain(|_, at| *at >= from);
        Ok((LogBatch { lines: found.lines, gap: stuck, problem: None }, !found.whole && !stuck))
    }
}

impl Tail {
    fn hand_out(&self, batch: LogBatch) {
        if batch == LogBatch::default() {
            return;
        }
        let mut kept = lock(&self.kept);
        kept.extend(batch.lines.iter().cloned());
        let over = kept.len().saturating_sub(MOST_KEPT);
        kept.drain(..over);
        // Err is nobody who follows at the moment.
        let _ = self.sender.send(Arc::new(batch));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: i64) -> LogLine {
        LogLine {
            at: Timestamp(number * 10),
            stream: String::new(),
            id: number.to_string(),
            text: String::new(),
        }
    }

    fn place(number: i64) -> LinePlace {
        LinePlace { at: Timestamp(number * 10), id: number.to_string() }
    }

    #[test]
    fn who_comes_back_gets_what_was_missed_or_is_told_of_a_gap() {
        let kept: VecDeque<LogLine> = (5..8).map(line).collect();
        let ids = |after: Option<LinePlace>| {
            let (lines, gap) = since(&kept, after.as_ref());
            (lines.into_iter().map(|line| line.id).collect::<Vec<_>>().join(","), gap)
        };
        assert_eq!(ids(None), ("5,6,7".to_owned(), false));
        assert_eq!(ids(Some(place(6))), ("7".to_owned(), false));
        assert_eq!(ids(Some(place(7))), (String::new(), false));
        assert_eq!(ids(Some(place(3))), ("5,6,7".to_owned(), true));
        let unknown = LinePlace { at: Timestamp(60), id: "x".to_owned() };
        assert_eq!(ids(Some(unknown)), ("6,7".to_owned(), false));
    }

    #[test]
    fn what_is_kept_has_a_bound_and_a_slow_follower_is_told() {
        let (sender, receiver) = broadcast::channel(MOST_WAITING);
        let tail = Arc::new(Tail { sender, kept: Mutex::default() });
        for number in 0..10_000 {
            tail.hand_out(LogBatch { lines: vec![line(number)], ..LogBatch::default() });
        }
        assert_eq!(lock(&tail.kept).len(), MOST_KEPT);
        let mut follower = Follower { tail, receiver, first: None };
        let next = futures::executor::block_on(follower.next()).unwrap();
        assert!(next.gap && next.lines.is_empty());
        let next = futures::executor::block_on(follower.next()).unwrap();
        assert_eq!(next.lines[0].id, (10_000 - MOST_WAITING).to_string());
    }
}
