//! Slows down whoever tries passwords: so many sign-ins per address, then one every while.
//!
//! It counts addresses, never accounts: a stranger who tries somebody's account can't lock that
//! person out, who comes from elsewhere.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use model::time::Timestamp;

/// Tries an address has from a standing start.
pub const TRIES: i64 = 10;

/// After that, one more try in this time.
pub const REFILL_MS: i64 = 30_000;

/// Addresses kept in mind; about 1 MB.
const ADDRESSES: usize = 10_000;

/// Who tried how often.
#[derive(Default)]
pub struct Throttle {
    /// When each address' tries will all be back.
    full_again: Mutex<HashMap<IpAddr, i64>>,
}

impl Throttle {
    /// Takes one try from `address`, at `now`.
    ///
    /// # Errors
    /// The seconds to wait until there is one, when none is left; nothing is taken then.
    pub fn take(&self, address: IpAddr, now: Timestamp) -> Result<(), u64> {
        let mut full_again = self.full_again.lock().unwrap_or_else(PoisonError::into_inner);
        let key = network(address);
        let full = full_again.get(&key).copied().unwrap_or(0).max(now.0) + REFILL_MS;
        let too_early = full - TRIES * REFILL_MS - now.0;
        if too_early > 0 {
            return Err(too_early.unsigned_abs().div_ceil(1_000));
        }
        if full_again.len() >= ADDRESSES && !full_again.contains_key(&key) {
            make_room(&mut full_again, now);
        }
        full_again.insert(key, full);
        Ok(())
    }

    /// Gives a try back: it was a sign-in that succeeded.
    pub fn give_back(&self, address: IpAddr) {
        let mut full_again = self.full_again.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(full) = full_again.get_mut(&network(address)) {
            *full -= REFILL_MS;
        }
    }
}

/// Forgets the addresses that have all their tries, and if that frees nothing, the one that is
/// nearest to it.
fn make_room(full_again: &mut HashMap<IpAddr, i64>, now: Timestamp) {
    full_again.retain(|_, full| *full > now.0);
    if full_again.len() >= ADDRESSES {
        let nearest = full_again.iter().min_by_key(|(_, full)| **full).map(|(key, _)| *key);
        nearest.map(|key| full_again.remove(&key));
    }
}

/// An IPv6 network of 64 bits counts as one address, since it is usually one customer's.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => {
            let [a, b, c, d, ..] = six.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        four => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_700_000_000_000);

    fn at(ms: i64) -> Timestamp {
        Timestamp(START.0 + ms)
    }

    #[test]
    fn ten_tries_then_one_every_thirty_seconds() {
        let throttle = Throttle::default();
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        for _ in 0..TRIES {
            throttle.take(address, START).unwrap();
        }
        assert_eq!(throttle.take(address, START), Err(30));
        assert_eq!(throttle.take(address, at(29_001)), Err(1));
        assert_eq!(throttle.take(address, at(30_000)), Ok(()));
        assert_eq!(throttle.take(address, at(30_000)), Err(30));
        throttle.give_back(address);
        assert_eq!(throttle.take(address, at(30_000)), Ok(()));
        assert_eq!(throttle.take("192.0.2.2".parse().unwrap(), START), Ok(()), "others are not slowed");
    }

    #[test]
    fn a_network_of_64_bits_is_one_address() {
        let throttle = Throttle::default();
        for host in 0..TRIES {
            throttle.take(format!("2001:db8::{host:x}").parse().unwrap(), START).unwrap();
        }
        assert!(throttle.take("2001:db8::ffff".parse().unwrap(), START).is_err());
        assert!(throttle.take("2001:db8:0:1::1".parse().unwrap(), START).is_ok());
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_the_worst() {
        let throttle = Throttle::default();
        let worst: IpAddr = "192.0.2.1".parse().unwrap();
        for _ in 0..TRIES {
            throttle.take(worst, START).unwrap();
        }
        for n in 0..u32::try_from(ADDRESSES).unwrap() * 2 {
            throttle.take(IpAddr::V4((0x0A00_0000 + n).into()), START).unwrap();
        }
        assert!(throttle.full_again.lock().unwrap().len() <= ADDRESSES);
        assert!(
            throttle.take(worst, START).is_err(),
            "a flood of addresses must not wash away the worst one"
        );
    }
}
