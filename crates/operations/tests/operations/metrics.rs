//! The figures: those of the pages are those of the events, one store asks for all who look, and what
//! CloudWatch refuses is said.

use std::sync::Arc;
use std::time::Duration;

use model::metrics::{MetricsPage, Name, Range, Scope, Span};
use model::problem::ProblemKind;
use model::time::Timestamp;
use sandbox::faults::{At, AwsEffect, Fault};
use sandbox::services::cloudwatch::Datum;

use crate::watch::Watch;

const MINUTE_MS: i64 = 60_000;

/// How often CloudWatch was asked for figures.
fn calls(watch: &Watch) -> u64 {
    watch.world.sandbox.context().calls.of("monitoring", "GetMetricData")
}

fn now(watch: &Watch) -> i64 {
    watch.world.sandbox.context().now_ms()
}

async fn last(watch: &Watch, span: Span) -> MetricsPage {
    watch.portal.metrics_page(Range::Last(span), Scope::Alias).await.expect("a page")
}

/// An event as a service records it.
struct Event {
    at: i64,
    latency: f64,
    status: u16,
}

/// Requests spread over some hours by a rule that looks like chance, and the same for each run.
fn events(from: i64, to: i64) -> Vec<Event> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let length = (to - from) as u64;
    let event = |_| {
        let status = match next() % 20 {
            0 => 500,
            1 | 2 => 404,
            _ => 200,
        };
        Event { at: from + (next() % length) as i64, latency: (next() % 9_000) as f64 / 10.0, status }
    };
    (0..4_000).map(event).collect()
}

fn record(watch: &Watch, events: &[Event]) {
    let (api, stage) = (watch.world.demo.api_id.clone(), watch.world.demo.stage.clone());
    let dimensions = vec![("ApiId".to_owned(), api), ("Stage".to_owned(), stage)];
    let datum = |event: &Event, name: &str, value: f64, unit| Datum {
        namespace: "AWS/ApiGateway".to_owned(),
        name: name.to_owned(),
        dimensions: dimensions.clone(),
        value,
        unit,
        at: chrono::DateTime::from_timestamp_millis(event.at).expect("a time"),
    };
    for event in events {
        watch.world.sandbox.metrics().record(&[
            datum(event, "Count", 1.0, "Count"),
            datum(event, "4xx", f64::from(u8::from((400..500).contains(&event.status))), "Count"),
            datum(event, "5xx", f64::from(u8::from(event.status >= 500)), "Count"),
            datum(event, "Latency", event.latency, "Milliseconds"),
        ]);
    }
}

/// The value at a rank: of 20 in order, p95 is the 19th.
fn percentile(mut values: Vec<f64>, share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let rank = (share * values.len() as f64 / 100.0).ceil() as usize;
    values.get(rank.max(1) - 1).copied()
}

/// What the page shows of a range is compared, period by period, with what follows from the events.
fn same(page: &MetricsPage, events: &[Event]) {
    let figures = page.figures.value.as_ref().expect("figures");
    let window = figures.window;
    let inside: Vec<&Event> =
        events.iter().filter(|event| event.at >= window.from.0 && event.at < window.to.0).collect();
    assert!(!inside.is_empty());
    let sum = |of: fn(u16) -> bool| inside.iter().filter(|event| of(event.status)).count() as f64;
    let (requests, server_errors) = (inside.len() as f64, sum(|status| status >= 500));
    assert_eq!(figures.whole(Name::Requests), Some(requests), "{window:?}");
    assert_eq!(figures.whole(Name::ClientErrors), Some(sum(|status| (400..500).contains(&status))));
    assert_eq!(figures.whole(Name::ServerErrors), Some(server_errors));
    assert_eq!(figures.error_share(), Some(server_errors / requests));
    for index in 0..window.periods() {
        let (from, to) = (window.start_of(index).0, window.start_of(index).0 + window.period_ms());
        let latencies: Vec<f64> = inside
            .iter()
            .filter(|event| event.at >= from && event.at < to)
            .map(|event| event.latency)
            .collect();
        let point = |name| figures.line(name).and_then(|line| line.points[index]);
        let count = (!latencies.is_empty()).then_some(latencies.len() as f64);
        assert_eq!(point(Name::Requests), count, "period {index} of {window:?}");
        for (name, share) in [(Name::LatencyP50, 50.0), (Name::LatencyP95, 95.0), (Name::LatencyP99, 99.0)] {
            assert_eq!(point(name), percentile(latencies.clone(), share), "{name:?} of period {index}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_figure_is_the_events_own() {
    let watch = Watch::start().await;
    let end = now(&watch) - 10 * MINUTE_MS;
    let events = events(end - 26 * 60 * MINUTE_MS, end);
    record(&watch, &events);
    for span in [Span::Hour, Span::ThreeHours, Span::TwelveHours, Span::Day] {
        same(&last(&watch, span).await, &events);
    }
    // Borders in the middle of a minute take the whole minute in; a day by the clock may have 25 hours.
    watch.advance(10 * MINUTE_MS);
    let between =
        [(end - 125 * MINUTE_MS - 30_000, end - 65 * MINUTE_MS + 1), (end - 25 * 60 * MINUTE_MS, end)];
    for (from, to) in between {
        let range = Range::Between { from: Timestamp(from), to: Timestamp(to) };
        let page = watch.portal.metrics_page(range, Scope::Alias).await.expect("a page");
        let window = page.figures.value.as_ref().expect("figures").window;
        assert!(window.from.0 <= from && window.to.0 >= to, "{window:?}");
        same(&page, &events);
    }
    watch.world.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_requests_are_told_from_each_other() {
    let watch = Watch::start().await;
    for _ in 0..3 {
        assert_eq!(watch.get("/courses").await, 200);
    }
    assert_eq!(watch.get("/nowhere").await, 404);
    watch.world.sandbox.switch_tds(false).await.expect("the local TDS server stops");
    assert_eq!(watch.get("/courses").await, 503);
    // The access log's and the function's own figures are gathered for a moment.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    watch.advance(MINUTE_MS);
    let page = last(&watch, Span::Hour).await;
    let figures = page.figures.value.as_ref().expect("figures");
    let whole = |name| figures.whole(name);
    assert_eq!((whole(Name::Requests), whole(Name::ClientErrors)), (Some(5.0), Some(1.0)), "{figures:?}");
    assert_eq!((whole(Name::ServerErrors), whole(Name::FunctionErrors)), (Some(1.0), Some(0.0)));
    // The answer of 503 is no error of the function's to Lambda.
    assert_eq!(figures.other_server_errors().iter().flatten().sum::<f64>(), 1.0);
    assert_eq!((whole(Name::Invocations), whole(Name::Throttles)), (Some(5.0), Some(0.0)));
    assert!(whole(Name::DurationMax) >= whole(Name::DurationP50) && whole(Name::DurationP50) > Some(0.0));
    assert_eq!((whole(Name::Concurrency), whole(Name::ColdStarts)), (Some(1.0), Some(1.0)));
    let starts = page.starts.as_ref().and_then(|starts| starts.value.as_ref()).expect("starts");
    assert_eq!((starts.count, starts.cut_short), (1, false), "{:?}", page.starts);
    assert!(starts.p50_ms > Some(0.0) && starts.p50_ms == starts.max_ms);
    assert!(page.limits.value.expect("limits").account >= 1_000);
    assert_eq!(page.versions, ["1"]);

    // One version by itself: the first, which is all of it, and one that nobody has called.
    let of = |version: &str| Scope::Version(version.to_owned());
    let first = watch.portal.metrics_page(Range::Last(Span::Hour), of("1")).await.expect("a page");
    assert_eq!(first.figures.value.expect("figures").whole(Name::Invocations), Some(5.0));
    let other = watch.portal.metrics_page(Range::Last(Span::Hour), of("9")).await.expect("a page");
    let other = other.figures.value.expect("figures");
    assert_eq!((other.whole(Name::Invocations), other.whole(Name::Requests)), (None, Some(5.0)));
    let refused = watch.portal.metrics_page(Range::Last(Span::Hour), of("$LATEST")).await;
    assert_eq!(refused.map(|_| ()).map_err(|problem| problem.kind), Err(ProblemKind::Invalid));
    watch.world.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_who_look_for_ten_minutes_cost_what_one_costs() {
    let watch = Arc::new(Watch::start().await);
    let before = calls(&watch);
    for second in (0..600).step_by(5) {
        let look = |number: usize| {
            let watch = Arc::clone(&watch);
            async move {
                // Half of them at the overview, the others at an hour and at three.
                match number % 4 {
                    0 | 1 => drop(watch.portal.overview().await),
                    2 => drop(last(&watch, Span::Hour).await),
                    _ => drop(last(&watch, Span::ThreeHours).await),
                }
            }
        };
        futures::future::join_all((0..20).map(look)).await;
        let made = calls(&watch) - before;
        // One at once, one more at once for those whose figures the first had not, then one a minute.
        let most = 2 + second / 60;
        assert!(made <= most, "{made} calls after {second} s");
        watch.advance(5_000);
    }
    let made = calls(&watch) - before;
    assert!((10..=11).contains(&made), "{made} calls in ten minutes");
    let cost = last(&watch, Span::Hour).await.cost;
    assert_eq!(cost.calls, calls(&watch) - before, "what is counted is what was called");
    assert!(cost.metrics >= made * 18 - 13 && cost.dollars < 0.01, "{cost:?}");
    Arc::into_inner(watch).expect("nobody else").world.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_opens_one_range_after_another_waits_at_last() {
    let watch = Watch::start().await;
    let before = calls(&watch);
    let mut seen = 0;
    for hours in 1..=12 {
        let to = now(&watch) - hours * 60 * MINUTE_MS;
        let range = Range::Between { from: Timestamp(to - 20 * MINUTE_MS), to: Timestamp(to) };
        let page = watch.portal.metrics_page(range, Scope::Alias).await.expect("a page");
        match page.figures.problem {
            None => seen += 1,
            Some(problem) => {
                assert_eq!(problem.kind, ProblemKind::Throttled, "{problem}");
                assert!(problem.message.contains("is asked in"), "{problem}");
                assert!(page.next.0 > now(&watch), "it says when");
            }
        }
    }
    assert_eq!((seen, calls(&watch) - before), (4, 4));
    watch.world.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_cloudwatch_does_the_page_stays_and_says_so() {
    let watch = Watch::start().await;
    assert_eq!(watch.get("/courses").await, 200);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    watch.advance(MINUTE_MS);
    let before = last(&watch, Span::Hour).await;
    let requests =
        |page: &MetricsPage| page.figures.value.as_ref().and_then(|figures| figures.whole(Name::Requests));
    assert_eq!(requests(&before), Some(1.0));
    let faults = &watch.world.sandbox.context().faults;
    let table = [
        (AwsEffect::Throttle, ProblemKind::Throttled),
        (AwsEffect::AccessDenied, ProblemKind::Forbidden),
        (AwsEffect::ServerError, ProblemKind::Upstream),
        (AwsEffect::DropReply, ProblemKind::Unreachable),
    ];
    for (effect, kind) in table {
        let at = At::Aws {
            service: "monitoring".to_owned(),
            operation: Some("GetMetricData".to_owned()),
            effect: effect.clone(),
        };
        faults.add(Fault::always(at)).expect("a fault");
        let made = calls(&watch);
        watch.advance(10 * MINUTE_MS);
        let page = last(&watch, Span::Hour).await;
        assert_eq!(page.figures.problem.as_ref().map(|problem| problem.kind), Some(kind), "{effect:?}");
        assert_eq!(requests(&page), Some(1.0), "what was read before stays");
        assert_eq!(page.figures.at, before.figures.at, "and says how old it is");
        assert!(page.next > page.now, "{effect:?}: the next attempt comes after a pause");
        // Who looks again at once asks for nothing: each attempt is paid for.
        last(&watch, Span::Hour).await;
        assert_eq!(calls(&watch) - made, 1, "{effect:?}");
        faults.clear();
    }
    // Slow: the older figures are there at once, and the new ones a little later.
    let at = At::Aws {
        service: "monitoring".to_owned(),
        operation: Some("GetMetricData".to_owned()),
        effect: AwsEffect::Delay(2_500),
    };
    faults.add(Fault::once(at)).expect("a fault");
    watch.advance(10 * MINUTE_MS);
    let page = last(&watch, Span::Hour).await;
    assert_eq!(page.figures.at, before.figures.at);
    tokio::time::sleep(Duration::from_millis(2_000)).await;
    let page = last(&watch, Span::Hour).await;
    assert!(
        page.figures.at > before.figures.at && page.figures.problem.is_none(),
        "{:?}",
        page.figures.problem
    );
    watch.world.sandbox.stop().await;
}
