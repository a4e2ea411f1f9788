//! Throttling: token buckets, one for the account, one per stage, and one per route with settings
//! of its own. A bucket holds at most `burst` tokens and gains `rate` a second; a request takes one.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::context::lock;
use crate::services::apigateway::model::Stage;

/// AWS: 10,000 requests a second over all APIs of an account and region, with a burst of 5,000.
const ACCOUNT: Limit = Limit { rate: 10_000.0, burst: 5_000.0 };
/// So many buckets are kept at most; beyond it the full ones go, which loses nothing.
const MOST: usize = 10_000;

/// A rate (requests a second) and a burst (requests at once).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Tokens gained in a second.
    pub rate: f64,
    /// Tokens held at most.
    pub burst: f64,
}

/// Whose bucket it is: API, stage and, where the route has its own settings, its key.
pub type Owner = (String, String, Option<String>);

/// The limit of a route in a stage, and whether it is the route's own: what its settings leave open
/// the stage's default settings say, what those leave open the account's quota. A setting of 0 is
/// a setting: it lets nothing through.
pub fn limit(stage: &Stage, route_key: &str) -> (Limit, bool) {
    let own = stage.route_settings.get(route_key);
    let default = &stage.default_route_settings;
    let burst = own.and_then(|own| own.throttling_burst_limit);
    let rate = own.and_then(|own| own.throttling_rate_limit);
    #[expect(clippy::cast_precision_loss, reason = "a burst is far below 2^52")]
    let limit = Limit {
        burst: burst.or(default.throttling_burst_limit).map_or(ACCOUNT.burst, |burst| burst as f64),
        rate: rate.or(default.throttling_rate_limit).unwrap_or(ACCOUNT.rate),
    };
    (limit, burst.is_some() || rate.is_some())
}

/// The buckets.
#[derive(Debug, Default)]
pub struct Throttles(Mutex<HashMap<Owner, Bucket>>);

impl Throttles {
    /// Whether a request may pass now (milliseconds since 1970): it takes a token of the owner's
    /// bucket and one of the account's.
    pub fn admit(&self, owner: Owner, limit: Limit, now_ms: i64) -> bool {
        let mut buckets = lock(&self.0);
        if buckets.len() >= MOST {
            buckets.retain(|_, bucket| bucket.tokens < bucket.burst);
        }
        let account = (String::new(), String::new(), None);
        buckets.entry(owner).or_insert_with(|| Bucket::full(limit, now_ms)).take(limit, now_ms)
            && buckets.entry(account).or_insert_with(|| Bucket::full(ACCOUNT, now_ms)).take(ACCOUNT, now_ms)
    }
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    burst: f64,
    at_ms: i64,
}

impl Bucket {
    fn full(limit: Limit, now_ms: i64) -> Self {
        Self { tokens: limit.burst, burst: limit.burst, at_ms: now_ms }
    }

    fn take(&mut self, limit: Limit, now_ms: i64) -> bool {
        // A clock set back gives nothing and takes nothing.
        #[expect(clippy::cast_precision_loss, reason = "a time between two requests is far below 2^52 ms")]
        let seconds = now_ms.saturating_sub(self.at_ms).max(0) as f64 / 1_000.0;
        self.at_ms = now_ms;
        self.burst = limit.burst;
        self.tokens = (self.tokens + seconds * limit.rate).min(limit.burst);
        if limit.rate <= 0.0 || self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::apigateway::model::RouteSettings;

    fn owner(name: &str) -> Owner {
        (name.to_owned(), "$default".to_owned(), None)
    }

    fn passes(throttles: &Throttles, limit: Limit, times: &[i64]) -> Vec<bool> {
        times.iter().map(|now| throttles.admit(owner("a"), limit, *now)).collect()
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let throttles = Throttles::default();
        let limit = Limit { rate: 2.0, burst: 3.0 };
        assert_eq!(passes(&throttles, limit, &[0, 0, 0, 0]), [true, true, true, false]);
        assert_eq!(passes(&throttles, limit, &[499, 500, 500]), [false, true, false]);
        // However long nobody comes, no more than the burst gathers.
        assert_eq!(passes(&throttles, limit, &[60_000; 4]), [true, true, true, false]);
        // A clock set back.
        assert_eq!(passes(&throttles, limit, &[0, 400]), [false, false]);
    }

    #[test]
    fn a_zero_lets_nothing_through() {
        for limit in [Limit { rate: 0.0, burst: 5.0 }, Limit { rate: 5.0, burst: 0.0 }] {
            assert_eq!(passes(&Throttles::default(), limit, &[0, 10_000]), [false, false]);
        }
    }

    #[test]
    fn a_limit_that_is_raised_counts_at_once() {
        let throttles = Throttles::default();
        assert_eq!(passes(&throttles, Limit { rate: 0.0, burst: 0.0 }, &[0]), [false]);
        assert_eq!(passes(&throttles, Limit { rate: 10.0, burst: 10.0 }, &[0, 100]), [false, true]);
    }

    #[test]
    fn settings_fall_back_one_by_one() {
        let settings = |rate, burst| RouteSettings {
            throttling_rate_limit: rate,
            throttling_burst_limit: burst,
            ..RouteSettings::default()
        };
        let stage = |default, own: Option<RouteSettings>| Stage {
            default_route_settings: default,
            route_settings: own.map(|own| ("GET /a".to_owned(), own)).into_iter().collect(),
            ..Stage::default()
        };
        let cases = [
            (stage(settings(None, None), None), 10_000.0, 5_000.0, false),
            (stage(settings(Some(5.0), None), None), 5.0, 5_000.0, false),
            (stage(settings(Some(5.0), Some(7)), None), 5.0, 7.0, false),
            (stage(settings(Some(5.0), Some(7)), Some(settings(Some(1.0), None))), 1.0, 7.0, true),
            (stage(settings(Some(5.0), Some(7)), Some(settings(None, Some(0)))), 5.0, 0.0, true),
            (stage(settings(None, None), Some(settings(None, None))), 10_000.0, 5_000.0, false),
        ];
        for (stage, rate, burst, own) in cases {
            assert_eq!(limit(&stage, "GET /a"), (Limit { rate, burst }, own));
        }
    }
}
