//! What every part of the sandbox is given instead of taking it from the machine: the time, random
//! numbers, the region and account it plays, its faults and the record of its calls.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

use crate::faults::Faults;

/// Where the sandbox reads the time.
pub trait Clock: Send + Sync + 'static {
    /// The present time.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's clock.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is given")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct ManualClock(Mutex<DateTime<Utc>>);

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(start)))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: TimeDelta) {
        *lock(&self.0) += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *lock(&self.0)
    }
}

/// Random numbers from one seeded generator, so that a test that gives the seed gets the same ids.
#[derive(Debug)]
pub struct Random(Mutex<StdRng>);

impl Random {
    /// A generator whose numbers follow from `seed`.
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    /// A generator seeded by the operating system.
    pub fn from_os() -> Self {
        Self(Mutex::new(StdRng::from_os_rng()))
    }

    /// A version 4 UUID in lower case with hyphens.
    pub fn uuid(&self) -> String {
        let mut bytes = [0; 16];
        lock(&self.0).fill_bytes(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }

    /// `length` characters out of `alphabet`, which must be ASCII and not empty.
    pub fn text(&self, alphabet: &str, length: usize) -> String {
        let alphabet = alphabet.as_bytes();
        let mut random = lock(&self.0);
        (0..length).map(|_| char::from(alphabet[random.random_range(0..alphabet.len())])).collect()
    }

    /// A number from 0 (included) to 1 (excluded).
    pub fn fraction(&self) -> f64 {
        lock(&self.0).random()
    }

    /// A whole number from 0 (included) to `bound` (excluded); 0 where `bound` is 0.
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { lock(&self.0).random_range(0..bound) }
    }

    /// Random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        lock(&self.0).fill_bytes(&mut bytes);
        bytes
    }
}

/// How often each AWS operation was called, by service and operation name.
#[derive(Debug, Default)]
pub struct Calls(Mutex<BTreeMap<(String, String), u64>>);

impl Calls {
    /// Counts one call.
    pub fn count(&self, service: &str, operation: &str) {
        *lock(&self.0).entry((service.to_owned(), operation.to_owned())).or_default() += 1;
    }

    /// How often `operation` of `service` was called since the start.
    pub fn of(&self, service: &str, operation: &str) -> u64 {
        lock(&self.0).get(&(service.to_owned(), operation.to_owned())).copied().unwrap_or(0)
    }

    /// All counts: (service, operation, calls), in order of the names.
    pub fn all(&self) -> Vec<(String, String, u64)> {
        lock(&self.0).iter().map(|((s, o), n)| (s.clone(), o.clone(), *n)).collect()
    }
}

/// The ground the sandbox's parts share.
pub struct Context {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random numbers and ids.
    pub random: Random,
    /// The region played, `eu-west-1` unless configured.
    pub region: String,
    /// The account played: 12 digits.
    pub account: String,
    /// The folder that holds all state.
    pub state: PathBuf,
    /// What is to go wrong.
    pub faults: Faults,
    /// What was called.
    pub calls: Calls,
}

impl Context {
    /// The ARN of a resource of this region and account.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.account)
    }

    /// The present time.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.now().timestamp_millis()
    }

    /// A path below the state folder.
    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.state.join(below)
    }

    /// A context for tests: `state` as its folder, seed 7, the clock given.
    pub fn for_tests(state: &Path, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            random: Random::seeded(7),
            region: "eu-west-1".to_owned(),
            account: "123456789012".to_owned(),
            state: state.to_owned(),
            faults: Faults::default(),
            calls: Calls::default(),
        })
    }
}

/// Locks, whatever a panicking holder left: the sandbox's maps are whole after every statement.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
