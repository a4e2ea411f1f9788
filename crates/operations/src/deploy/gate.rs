//! Whether a new version does as well as the old one. Pure.
//!
//! A verdict needs evidence: too few requests pass nothing, and one failure among three is no
//! failure rate. So a version is taken back from [`FEWEST_FAILURES`] failures on, as soon as their
//! share is more than it may be, however few requests there were; and goes on only after the
//! agreed number of them. (A canary gets few requests: waiting for the agreed number before taking
//! it back would have people meet failures that everybody can see.)

use model::deploy::{GateReport, Gates, Sample, Verdict};
use model::time::Timestamp;

/// Fewer failures than this are an accident.
const FEWEST_FAILURES: u64 = 3;
/// A percentile of fewer requests than this is one request's duration.
const FEWEST_FOR_PERCENTILE: u64 = 20;
/// A version that is slower by less than this is not slower: it is what a cold start, or another
/// program on the machine, costs a function that answers in a few milliseconds.
const LEAST_SLOWER_MS: f64 = 25.0;

/// The figures that are judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figures {
    pub(crate) new: Sample,
    pub(crate) old: Sample,
    /// Calls of the alias that Lambda refused for want of concurrency, and all calls, in the same
    /// time. No version ran, so they are no version's.
    pub(crate) throttled: u64,
    pub(crate) at: Timestamp,
}

/// Judges.
pub(crate) fn judge(figures: &Figures, gates: &Gates) -> GateReport {
    let Figures { new, old, throttled, at } = *figures;
    let (verdict, evidence) = errors(&new, &old, gates)
        .or_else(|| slowness(&new, &old, gates))
        .or_else(|| throttles(&new, &old, throttled, gates))
        .map_or_else(|| enough(&new, gates), |evidence| (Verdict::Fail, evidence));
    GateReport { verdict, evidence, new, old, at }
}

fn errors(new: &Sample, old: &Sample, gates: &Gates) -> Option<String> {
    if new.errors < FEWEST_FAILURES {
        return None;
    }
    let (share, before) = (percent(new.errors, new.requests), percent(old.errors, old.requests));
    (share > before + gates.max_error_percent).then(|| {
        let was = match old.requests {
            0 => "the old version had none to compare with".to_owned(),
            _ => format!("the old version's share is {before:.1} %"),
        };
        format!("{} of {} requests failed ({share:.1} %); {was}.", new.errors, new.requests)
    })
}

fn slowness(new: &Sample, old: &Sample, gates: &Gates) -> Option<String> {
    let (now, before) = (new.p95_ms?, old.p95_ms?);
    if new.requests < FEWEST_FOR_PERCENTILE || old.requests < FEWEST_FOR_PERCENTILE {
        return None;
    }
    (now > before * gates.max_slowdown && now > before + LEAST_SLOWER_MS).then(|| {
        format!(
            "95 of 100 requests took up to {now:.0} ms, the old version's {before:.0} ms: {:.1} times as long.",
            now / before.max(0.1)
        )
    })
}

fn throttles(new: &Sample, old: &Sample, throttled: u64, gates: &Gates) -> Option<String> {
    let calls = new.requests + old.requests + throttled;
    let share = percent(throttled, calls);
    (throttled >= FEWEST_FAILURES && share > gates.max_error_percent).then(|| {
        format!(
            "Lambda refused {throttled} of {calls} calls ({share:.1} %) for want of concurrency: two versions share what the function has."
        )
    })
}

fn enough(new: &Sample, gates: &Gates) -> (Verdict, String) {
    let least = u64::from(gates.min_requests);
    if new.requests < least {
        let requests = if new.requests == 1 { "request" } else { "requests" };
        return (
            Verdict::TooFew,
            format!("{} {requests}, not enough to judge: {least} are needed.", new.requests),
        );
    }
    let p95 = new.p95_ms.map(|ms| format!(", 95 of 100 within {ms:.0} ms")).unwrap_or_default();
    (Verdict::Pass, format!("{} of {} requests failed{p95}.", new.errors, new.requests))
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(requests: u64, errors: u64, p95: f64) -> Sample {
        Sample { requests, errors, p95_ms: (requests > 0).then_some(p95) }
    }

    #[test]
    fn verdicts() {
        let old = sample(900, 1, 40.0);
        let table = [
            // Nothing promotes without evidence.
            (sample(0, 0, 0.0), old, 0, Verdict::TooFew, "0 requests"),
            (sample(1, 0, 20.0), old, 0, Verdict::TooFew, "1 request,"),
            (sample(49, 0, 20.0), old, 0, Verdict::TooFew, "50 are needed"),
            (sample(50, 0, 20.0), old, 0, Verdict::Pass, "0 of 50"),
            // One accident among few is not a failure rate; three are.
            (sample(3, 2, 20.0), old, 0, Verdict::TooFew, "3 requests"),
            (sample(3, 3, 20.0), old, 0, Verdict::Fail, "3 of 3"),
            (sample(60, 3, 20.0), old, 0, Verdict::Fail, "(5.0 %)"),
            (sample(300, 3, 20.0), old, 0, Verdict::Pass, "3 of 300"),
            // What the old one does, too, is not the new one's doing.
            (sample(100, 5, 20.0), sample(900, 45, 40.0), 0, Verdict::Pass, "5 of 100"),
            (sample(100, 7, 20.0), sample(900, 45, 40.0), 0, Verdict::Fail, "old version's share is 5.0 %"),
            (sample(100, 7, 20.0), sample(0, 0, 0.0), 0, Verdict::Fail, "none to compare with"),
            // Slower by the half, and by what can be felt.
            (sample(60, 0, 120.0), old, 0, Verdict::Fail, "3.0 times"),
            (sample(60, 0, 64.0), old, 0, Verdict::Pass, "within 64 ms"),
            (sample(60, 0, 12.0), sample(900, 0, 4.0), 0, Verdict::Pass, "within 12 ms"),
            (sample(19, 0, 400.0), old, 0, Verdict::TooFew, "19 requests"),
            (sample(60, 0, 400.0), sample(19, 0, 40.0), 0, Verdict::Pass, "0 of 60"),
            // Refused calls ran on no version.
            (sample(60, 0, 20.0), old, 2, Verdict::Pass, "0 of 60"),
            (sample(60, 0, 20.0), old, 30, Verdict::Fail, "want of concurrency"),
        ];
        for (new, old, throttled, verdict, words) in table {
            let figures = Figures { new, old, throttled, at: Timestamp(0) };
            let report = judge(&figures, &Gates::default());
            assert_eq!(report.verdict, verdict, "{figures:?}: {}", report.evidence);
            assert!(report.evidence.contains(words), "{figures:?}: {}", report.evidence);
        }
    }
}
