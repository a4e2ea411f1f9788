//! Readings by a key, each shared and kept as [`crate::kept`] has it, and no more than so many: the one
//! that was asked for longest ago gives way.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::kept::Kept;

/// The readings.
pub(crate) struct KeptBy<K, T> {
    most: usize,
    make: Box<dyn Fn() -> Kept<T> + Send + Sync>,
    /// What was asked for last is last.
    held: Mutex<VecDeque<(K, Arc<Kept<T>>)>>,
}

impl<K: Clone + PartialEq, T: Clone + Send + 'static> KeptBy<K, T> {
    /// At most `most` readings, each made anew when it is `every` old.
    pub(crate) fn new(most: usize, every: Duration) -> Self {
        Self::made(most, move || Kept::every(every))
    }

    /// The same with readings of another kind.
    pub(crate) fn made(most: usize, make: impl Fn() -> Kept<T> + Send + Sync + 'static) -> Self {
        Self { most: most.max(1), make: Box::new(make), held: Mutex::default() }
    }

    /// The reading of a key.
    pub(crate) fn of(&self, key: &K) -> Arc<Kept<T>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let found = held.iter().position(|(known, _)| known == key).and_then(|at| held.remove(at));
        let (key, kept) = found.unwrap_or_else(|| (key.clone(), Arc::new((self.make)())));
        held.push_back((key, Arc::clone(&kept)));
        if held.len() > self.most {
            held.pop_front();
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_longest_ago_gives_way() {
        let kept = KeptBy::<u8, u8>::new(2, Duration::from_secs(1));
        let (one, two) = (kept.of(&1), kept.of(&2));
        assert!(Arc::ptr_eq(&one, &kept.of(&1)));
        let three = kept.of(&3);
        assert!(Arc::ptr_eq(&one, &kept.of(&1)) && Arc::ptr_eq(&three, &kept.of(&3)));
        assert!(!Arc::ptr_eq(&two, &kept.of(&2)));
    }
}
