//! The clock and the random numbers everything else is given, so that tests can hold them still.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::distr::{Alphanumeric, SampleString};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::Instant;

/// Where the wall clock is read.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// The machine's clock.
#[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is given")]
pub fn system_clock() -> Clock {
    Arc::new(Utc::now)
}

/// A point in time on two clocks. An environment is frozen between requests, and depending on how,
/// the monotonic clock stands still meanwhile; the wall clock does not, but can be set. What passed
/// is the longer of the two: at worst something is taken for older than it is.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    monotonic: Instant,
    wall: DateTime<Utc>,
}

impl Moment {
    /// The present.
    pub fn now(clock: &Clock) -> Self {
        Self { monotonic: Instant::now(), wall: clock() }
    }

    /// How long ago this was.
    pub fn elapsed(&self, clock: &Clock) -> Duration {
        let wall = (clock() - self.wall).to_std().unwrap_or_default();
        self.monotonic.elapsed().max(wall)
    }
}

/// Random numbers, for jitter, for the ids of spans and for passwords: the generator is one for
/// cryptography (ChaCha), seeded by the operating system.
#[derive(Debug, Clone)]
pub struct Random(Arc<Mutex<StdRng>>);

impl Random {
    /// A generator seeded by the operating system.
    pub fn from_os() -> Self {
        Self(Arc::new(Mutex::new(StdRng::from_os_rng())))
    }

    /// A generator whose numbers follow from `seed`.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// A number from 0 (included) to 1 (excluded).
    pub fn fraction(&self) -> f64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).random()
    }

    /// Any number.
    pub fn number(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).random()
    }

    /// So many letters and digits, each as likely as any other.
    pub fn alphanumeric(&self, length: usize) -> String {
        let mut random = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Alphanumeric.sample_string(&mut *random, length)
    }
}
