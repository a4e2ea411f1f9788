//! The store: figures that somebody looks at, read together and seldom.
//!
//! Whoever wants figures says so with [`Store::get`]. What is due is read in a task of its own, one at
//! a time; who asks waits for it a moment where there is something older, and else as long as a page
//! may take. Where no call may be made yet, what is older is shown with its age, and where there is
//! nothing, when there will be.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_cloudwatch::Client;
use model::metrics::{Cost, Figures, Line, Name, Range, Scope, Span, Window};
use model::overview::Reading;
use model::problem::{Problem, ProblemKind};
use model::stack::Stack;
use model::time::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use super::ask::{Answer, Given, Lack, ask};
use super::budget::Budget;
use super::catalog::{Set, query};
use super::meter::{Meter, PACE_MS, Spent, cost, month, pace_ms};
use super::plan::{Due, MOST_QUERIES, batch, span};
use crate::portal::{Clock, Random};

/// So many ranges are kept, the one that nobody has looked at for longest goes first.
const MOST_ENTRIES: usize = 32;
/// What nobody has looked at for so long is not read again: a little more than the slowest page's rhythm.
const LOOKED_AT_MS: i64 = 90_000;
/// CloudWatch's figures of the newest two minutes are not complete.
const SETTLES_MS: i64 = 120_000;
/// What is older than this does not change any more.
const LATE_MS: i64 = 15 * 60_000;
/// How long who looks waits where there is something older, and where there is nothing.
const GRACE: Duration = Duration::from_millis(1_500);
const PATIENCE: Duration = Duration::from_millis(4_700);
/// Who looks at the same moment is asked for in the same call.
const GATHER: Duration = Duration::from_millis(25);
/// How long the count of what is spent may take to be written.
const COUNTING: Duration = Duration::from_secs(1);
/// The pause after a failure; it doubles with each, up to the longest, and half of it is chance.
const FIRST_PAUSE_MS: i64 = 15_000;
const LONGEST_PAUSE_MS: i64 = 300_000;

/// What a store needs.
pub(crate) struct Setup {
    /// CloudWatch.
    pub(crate) client: Client,
    /// The stack's names.
    pub(crate) stack: Arc<Stack>,
    /// The time.
    pub(crate) clock: Clock,
    /// Random bytes.
    pub(crate) random: Random,
    /// The count of what is spent.
    pub(crate) meter: Arc<dyn Meter>,
    /// What may be spent in a month before it is asked more seldom, in US dollars.
    pub(crate) cap_dollars: f64,
    /// The namespace of the function's own figures.
    pub(crate) own_namespace: String,
}

/// Which figures of which time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) set: Set,
    pub(super) scope: Scope,
    pub(super) time: Time,
}

/// Usual ranges with the same period share the longest one's figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Time {
    Last(Span),
    Fixed(Window),
}

impl Time {
    /// # Errors
    /// `Invalid` for a range that can't be.
    pub(super) fn of(range: Range, now: Timestamp) -> Result<Self, Problem> {
        Ok(match range {
            Range::Last(Span::Hour | Span::ThreeHours) => Self::Last(Span::ThreeHours),
            Range::Last(Span::TwelveHours | Span::Day) => Self::Last(Span::Day),
            Range::Last(span) => Self::Last(span),
            between @ Range::Between { .. } => Self::Fixed(Window::of(between, now)?),
        })
    }

    fn window(self, now: Timestamp) -> Window {
        match self {
            Self::Fixed(window) => window,
            Self::Last(span) => Window::of(Range::Last(span), now).unwrap_or(Window {
                from: now,
                to: now,
                period_seconds: model::metrics::MINUTE,
            }),
        }
    }

    /// How long what was read counts as new. Long periods change slowly; what is over does not change.
    fn rhythm_ms(self, tried: Timestamp) -> i64 {
        match self {
            Self::Fixed(window) if window.to.0 < tried.0 - LATE_MS => i64::MAX / 4,
            Self::Fixed(window) => (window.period_ms() / 2).clamp(PACE_MS, 30 * 60_000),
            Self::Last(_) => (self.window(tried).period_ms() / 2).clamp(PACE_MS, 30 * 60_000),
        }
    }
}

/// Figures as they are kept: a row for each of the set's names.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) window: Window,
    pub(super) rows: Arc<Vec<Vec<Option<f64>>>>,
    /// What CloudWatch said beside them.
    pub(super) messages: Vec<String>,
    /// What it did not give, or not all of.
    pub(super) lacks: BTreeMap<Lack, Vec<Name>>,
}

/// What is found.
pub(super) struct Found {
    /// The figures.
    pub(super) table: Reading<Table>,
    /// When they are read again.
    pub(super) next: Timestamp,
}

/// The store. Cheap to clone; its clones share everything.
#[derive(Clone)]
pub(crate) struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    setup: Setup,
    state: Mutex<State>,
}

struct State {
    entries: BTreeMap<Key, Entry>,
    budget: Budget,
    flight: Option<Flight>,
    /// What this month has cost, and what of it is not written down yet.
    month: String,
    spent: Option<Spent>,
    unsaid: Spent,
    failures: u32,
    not_before: Timestamp,
}

struct Entry {
    wanted: Timestamp,
    /// When it was last tried.
    tried: Option<Timestamp>,
    table: Option<(Table, Timestamp)>,
    problem: Option<Problem>,
    /// Whether the last call failed as a whole.
    failed: bool,
}

#[derive(Clone)]
struct Flight {
    began: Instant,
    /// Closed when it has ended.
    ended: watch::Receiver<()>,
}

enum Look {
    Found(Found),
    UnderWay(Flight, bool),
}

impl Store {
    pub(crate) fn new(setup: Setup) -> Self {
        let now = (setup.clock)();
        let state = State {
            entries: BTreeMap::new(),
            budget: Budget::full(now),
            flight: None,
            month: month(now),
            spent: None,
            unsaid: Spent::default(),
            failures: 0,
            not_before: Timestamp(i64::MIN),
        };
        Self { shared: Arc::new(Shared { setup, state: Mutex::new(state) }) }
    }

    /// The figures: those that are kept, or new ones when they are due and a call may be made.
    pub(super) async fn get(&self, key: &Key) -> Found {
        let asked = Instant::now();
        loop {
            let (mut flight, has_value) = match self.look(key) {
                Look::Found(found) => return found,
                Look::UnderWay(flight, has_value) => (flight, has_value),
            };
            let until = if has_value { flight.began + GRACE } else { asked + PATIENCE };
            if timeout_at(until, flight.ended.changed()).await.is_err() {
                return self.older(key);
            }
        }
    }

    /// What is kept for others who look, without asking for more: none where nobody does.
    pub(super) fn peek(&self, key: &Key) -> Option<Found> {
        let now = (self.shared.setup.clock)();
        let state = lock(&self.shared.state);
        let pace = state.pace(self.shared.setup.cap_dollars);
        let entry = state.entries.get(key)?;
        let looked_at = entry.table.is_some() && entry.wanted.0 >= now.0 - LOOKED_AT_MS;
        looked_at.then(|| entry.found(now, entry.due(key, pace, state.not_before)))
    }

    /// What asking has cost this month.
    pub(super) fn cost(&self) -> Cost {
        let state = lock(&self.shared.state);
        let spent = state.spent.unwrap_or_default().plus(state.unsaid);
        cost(state.month.clone(), spent, self.shared.setup.cap_dollars)
    }

    /// The namespace of the function's own figures.
    pub(crate) fn own_namespace(&self) -> &str {
        &self.shared.setup.own_namespace
    }

    /// Counts calls that are made elsewhere, such as a gate's.
    pub(crate) fn count(&self, calls: u64, metrics: u64) {
        let mut state = lock(&self.shared.state);
        state.unsaid = state.unsaid.plus(Spent { calls, metrics });
    }

    /// What is kept, if that is all there is to be had now; else the reading under way, which is begun if
    /// there is none.
    fn look(&self, key: &Key) -> Look {
        let shared = &self.shared;
        let now = (shared.setup.clock)();
        let mut state = lock(&shared.state);
        let pace = state.pace(shared.setup.cap_dollars);
        state.want(key, now);
        let Some(entry) = state.entries.get(key) else {
            return Look::Found(missing(now, now));
        };
        let due = entry.due(key, pace, state.not_before);
        if due > now {
            return Look::Found(entry.found(now, due));
        }
        let has_value = entry.table.is_some();
        if let Some(flight) = state.flight.as_ref().filter(|flight| flight.ended.has_changed().is_ok()) {
            return Look::UnderWay(flight.clone(), has_value);
        }
        let next = state.budget.next(now, state.distance(pace));
        if next > now {
            return Look::Found(entry.found(now, next));
        }
        let (end, ended) = watch::channel(());
        let flight = Flight { began: Instant::now(), ended };
        state.flight = Some(flight.clone());
        let reading = Arc::clone(shared);
        tokio::spawn(
            async move {
                read(&reading).await;
                // Only now: who has waited finds what was read.
                drop(end);
            }
            .in_current_span(),
        );
        Look::UnderWay(flight, has_value)
    }

    /// What there is while a reading takes its time.
    fn older(&self, key: &Key) -> Found {
        let now = (self.shared.setup.clock)();
        let state = lock(&self.shared.state);
        let Some(entry) = state.entries.get(key) else { return missing(now, now) };
        let mut found = entry.found(now, now);
        if found.table.value.is_none() {
            let message = "CloudWatch has not answered yet; it is still waited for.";
            found.table.problem = Some(Problem::new(ProblemKind::TimedOut, message));
        }
        found
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Nothing was read yet, and no call may be made before `next`.
fn missing(now: Timestamp, next: Timestamp) -> Found {
    let seconds = (next.0 - now.0).max(0).div_euclid(1_000) + 1;
    let message =
        format!("CloudWatch is asked in {seconds} s: the portal keeps to few calls, as each is paid for.");
    let problem =
        Problem::new(ProblemKind::Throttled, message).with_next("Wait, or look at a range of the last day.");
    Found { table: Reading::missing(problem, now), next }
}

impl Entry {
    /// When it is to be read again.
    fn due(&self, key: &Key, pace_ms: i64, not_before: Timestamp) -> Timestamp {
        match self.tried.filter(|_| !self.failed) {
            None => not_before,
            Some(tried) => Timestamp(tried.0.saturating_add(key.time.rhythm_ms(tried).max(pace_ms))),
        }
    }

    fn found(&self, now: Timestamp, next: Timestamp) -> Found {
        match (&self.table, &self.problem) {
            (Some((table, at)), problem) => {
                let table = Reading { value: Some(table.clone()), at: *at, problem: problem.clone() };
                Found { table, next }
            }
            (None, Some(problem)) => {
                let at = self.tried.unwrap_or(now);
                Found { table: Reading::missing(problem.clone(), at), next }
            }
            (None, None) => missing(now, next),
        }
    }
}

impl State {
    /// Notes that somebody looks.
    fn want(&mut self, key: &Key, now: Timestamp) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.wanted = now;
            return;
        }
        if self.entries.len() >= MOST_ENTRIES {
            let oldest =
                self.entries.iter().min_by_key(|(_, entry)| entry.wanted).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                self.entries.remove(&oldest);
            }
        }
        let entry = Entry { wanted: now, tried: None, table: None, problem: None, failed: false };
        self.entries.insert(key.clone(), entry);
    }

    /// How far apart calls are, in milliseconds.
    fn pace(&self, cap: f64) -> i64 {
        pace_ms(self.spent.unwrap_or_default().plus(self.unsaid).dollars(), cap)
    }

    /// The same for all that is wanted: more than 500 metrics are more than one call.
    fn distance(&self, pace_ms: i64) -> i64 {
        let metrics: usize = self.entries.keys().map(|key| key.set.names().len()).sum();
        let calls = metrics.div_ceil(MOST_QUERIES).max(1);
        pace_ms / i64::try_from(calls).unwrap_or(1)
    }

    /// What is read now: what is wanted and due, as far as it goes into one call.
    fn choose(&self, now: Timestamp, pace_ms: i64) -> Vec<(Key, Window)> {
        let wanted = self.entries.iter().filter(|(_, entry)| entry.wanted.0 >= now.0 - LOOKED_AT_MS);
        let due: Vec<(Key, Due)> = wanted
            .filter_map(|(key, entry)| {
                // Half a minute early, where it goes with another: better than a call of its own.
                let since = entry.due(key, pace_ms, self.not_before);
                (since.0.saturating_sub(pace_ms / 2) <= now.0).then(|| {
                    let window = key.time.window(now);
                    let queries = key.set.names().len();
                    (key.clone(), Due { window, queries, never_read: entry.table.is_none(), since })
                })
            })
            .collect();
        let dues: Vec<Due> = due.iter().map(|(_, due)| *due).collect();
        batch(&dues, now)
            .into_iter()
            .filter_map(|index| due.get(index).map(|(key, due)| (key.clone(), due.window)))
            .collect()
    }
}

/// Reads what is wanted and due, and fills it in.
async fn read(shared: &Shared) {
    // Those who look at the same time are to be in.
    tokio::time::sleep(GATHER).await;
    let Setup { client, stack, clock, own_namespace, .. } = &shared.setup;
    say_what_was_spent(shared).await;
    let now = clock();
    let chosen = {
        let state = lock(&shared.state);
        state.choose(now, state.pace(shared.setup.cap_dollars))
    };
    let Some(time) = span(chosen.iter().map(|(_, window)| *window)) else { return };
    let mut queries = Vec::new();
    for (key, window) in &chosen {
        for name in key.set.names() {
            let id = format!("q{}", queries.len());
            queries.push(query(id, *name, &key.scope, stack, own_namespace, window.period_seconds));
        }
    }
    let (answer, spent) = ask(client, queries, time).await;
    let at = clock();
    {
        let mut state = lock(&shared.state);
        state.unsaid = state.unsaid.plus(spent);
        let distance = state.distance(state.pace(shared.setup.cap_dollars));
        state.budget.take(u32::try_from(spent.calls).unwrap_or(u32::MAX), at, distance);
        state.fill(&chosen, answer, at, pause_share(&shared.setup.random));
    }
    say_what_was_spent(shared).await;
}

/// Writes down what is not written down yet, and reads what the month has cost. Where that fails, the
/// count stays in memory and is tried again with the next call.
async fn say_what_was_spent(shared: &Shared) {
    let current = month((shared.setup.clock)());
    let (said, more) = {
        let mut state = lock(&shared.state);
        if state.month != current && state.unsaid == Spent::default() {
            state.month.clone_from(&current);
            state.spent = None;
        }
        if state.spent.is_some() && state.unsaid == Spent::default() {
            return;
        }
        (state.month.clone(), std::mem::take(&mut state.unsaid))
    };
    let added = tokio::time::timeout(COUNTING, shared.setup.meter.add(&said, more)).await;
    let mut state = lock(&shared.state);
    match added {
        Ok(Ok(total)) => state.spent = Some(total),
        Ok(Err(_)) | Err(_) => {
            tracing::warn!("what CloudWatch was asked for could not be counted; it is tried again");
            state.unsaid = state.unsaid.plus(more);
        }
    }
}

/// A share from 0 to 1 by chance.
fn pause_share(random: &Random) -> f64 {
    let mut byte = [0_u8; 1];
    random(&mut byte);
    f64::from(byte[0]) / 255.0
}

impl State {
    /// Puts an answer, or a failure, where it belongs.
    fn fill(
        &mut self,
        chosen: &[(Key, Window)],
        answer: Result<Answer, Problem>,
        at: Timestamp,
        chance: f64,
    ) {
        match answer {
            Ok(mut answer) => {
                self.failures = 0;
                self.not_before = Timestamp(i64::MIN);
                let mut first = 0;
                for (key, window) in chosen {
                    let names = key.set.names();
                    let given: Vec<Given> = (first..first + names.len())
                        .map(|index| answer.results.remove(&format!("q{index}")).unwrap_or_default())
                        .collect();
                    first += names.len();
                    let Some(entry) = self.entries.get_mut(key) else { continue };
                    let older = entry.table.take().map(|(table, _)| table);
                    let table = put_together(names, *window, given, older.as_ref(), &answer);
                    entry.tried = Some(at);
                    entry.failed = false;
                    entry.problem = nothing_given(&table);
                    entry.table = Some((table, at));
                }
            }
            Err(problem) => {
                self.failures = self.failures.saturating_add(1);
                let doubled = FIRST_PAUSE_MS.saturating_mul(1 << (self.failures - 1).min(8));
                let pause = doubled.min(LONGEST_PAUSE_MS) as f64 * (0.5 + chance / 2.0);
                self.not_before = Timestamp(at.0 + pause as i64);
                for (key, _) in chosen {
                    let Some(entry) = self.entries.get_mut(key) else { continue };
                    entry.tried = Some(at);
                    entry.failed = true;
                    entry.problem = Some(problem.clone());
                }
            }
        }
    }
}

/// A table of what was given. What CloudWatch did not give this time stays as it was before.
fn put_together(
    names: &[Name],
    window: Window,
    given: Vec<Given>,
    older: Option<&Table>,
    answer: &Answer,
) -> Table {
    let mut lacks: BTreeMap<Lack, Vec<Name>> = BTreeMap::new();
    let mut rows = Vec::with_capacity(names.len());
    for (place, (name, given)) in names.iter().zip(given).enumerate() {
        let mut row = vec![None; window.periods()];
        if let Some(lack) = given.lacks {
            lacks.entry(lack).or_default().push(*name);
            let before = older.filter(|table| table.window.period_seconds == window.period_seconds);
            if let Some((table, values)) = before.and_then(|table| Some((table, table.rows.get(place)?))) {
                let values = values.iter().enumerate();
                place_all(
                    &mut row,
                    window,
                    values.map(|(index, value)| (table.window.start_of(index), *value)),
                );
            }
        }
        place_all(&mut row, window, given.values.into_iter().map(|(at, value)| (Timestamp(at), Some(value))));
        rows.push(row);
    }
    Table { window, rows: Arc::new(rows), messages: answer.messages.iter().cloned().collect(), lacks }
}

/// Puts values at their periods; what lies outside of the window is left out.
fn place_all(
    row: &mut [Option<f64>],
    window: Window,
    values: impl Iterator<Item = (Timestamp, Option<f64>)>,
) {
    for (at, value) in values {
        if let Some(point) = window.index_of(at).and_then(|index| row.get_mut(index)) {
            *point = value;
        }
    }
}

/// What is wrong where CloudWatch refused all figures, or failed at all of them.
fn nothing_given(table: &Table) -> Option<Problem> {
    let all = |lack: Lack| table.lacks.get(&lack).is_some_and(|names| names.len() == table.rows.len());
    if all(Lack::Forbidden) {
        return Some(
            Problem::new(ProblemKind::Forbidden, "CloudWatch did not allow the portal to read any figure.")
                .with_next("Give the portal's role cloudwatch:GetMetricData."),
        );
    }
    all(Lack::Failed).then(|| Problem::new(ProblemKind::Upstream, "CloudWatch failed to read any figure."))
}

/// What has to be said of a table: a sentence each.
fn notes(table: &Table) -> Vec<String> {
    let said = table.messages.iter().map(|text| format!("CloudWatch says: {text}"));
    let lacking = table.lacks.iter().map(|(lack, names)| {
        let names = names.iter().map(|name| name.key()).collect::<Vec<_>>().join(", ");
        match lack {
            Lack::Part => {
                format!("CloudWatch gave only a part of {names}. What it left out is shown as it was before.")
            }
            Lack::Forbidden => {
                format!("CloudWatch did not allow the portal to read {names}: its role needs cloudwatch:GetMetricData.")
            }
            Lack::Failed => {
                format!("CloudWatch failed to read {names}. What it left out is shown as it was before.")
            }
        }
    });
    said.chain(lacking).collect()
}

/// The figures of a range out of a table that may hold more, as they were read at `at`.
pub(super) fn figures(set: Set, table: &Table, periods: usize, at: Timestamp) -> Figures {
    let all = table.window.periods();
    let skipped = all.saturating_sub(periods);
    let window = Window { from: table.window.start_of(skipped), ..table.window };
    let settled = Timestamp(at.0 - SETTLES_MS);
    let complete = match settled < window.from {
        true => 0,
        false => usize::try_from((settled.0 - window.from.0) / window.period_ms()).unwrap_or_default(),
    };
    let lines = set
        .names()
        .iter()
        .zip(table.rows.iter())
        .map(|(name, row)| Line::new(*name, row.get(skipped..).unwrap_or_default().to_vec()));
    let complete = complete.min(window.periods());
    Figures { window, complete, lines: lines.collect(), notes: notes(table) }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
