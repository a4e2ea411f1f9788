//! Lines of logs: searched, found again, and followed while a thousand are written each second.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_cloudwatchlogs::Client as Logs;
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use model::log_filter::{LogFilter, LogGroup, LogLevel};
use model::problem::ProblemKind;
use model::time::Timestamp;
use operations::{Follower, LinePlace};
use sandbox::faults::{At, AwsEffect, Fault};

use crate::watch::Watch;

const GROUP: &str = "/aws/lambda/learninghub-api-handler";
const STREAM: &str = "2026/12/01/[7]test";

async fn logs(watch: &Watch) -> Logs {
    let logs = Logs::new(&watch.sdk().await);
    logs.create_log_stream().log_group_name(GROUP).log_stream_name(STREAM).send().await.expect("a stream");
    logs
}

/// Writes lines of now, each with a number and this level.
async fn write(watch: &Watch, logs: &Logs, numbers: std::ops::Range<u32>, level: &str) {
    let now = watch.world.sandbox.context().now_ms();
    let line = |number| {
        let text =
            format!(r#"{{"level":"{level}","message":"line {number} of the test","route":"GET /test"}}"#);
        InputLogEvent::builder().timestamp(now).message(text).build().expect("a line")
    };
    let put = logs.put_log_events().log_group_name(GROUP).log_stream_name(STREAM);
    put.set_log_events(Some(numbers.map(line).collect())).send().await.expect("written");
}

fn filter(text: &str) -> LogFilter {
    LogFilter { text: Some(text.to_owned()), ..LogFilter::default() }
}

/// Reads until so many lines have come; their ids, and whether a gap was told of.
async fn read(follower: &mut Follower, wanted: usize) -> (Vec<LinePlace>, bool) {
    let (mut places, mut gap) = (Vec::new(), false);
    while places.len() < wanted {
        let batch = tokio::time::timeout(Duration::from_secs(20), follower.next()).await;
        let batch =
            batch.unwrap_or_else(|_| panic!("{} of {wanted} lines", places.len())).expect("it goes on");
        assert_eq!(batch.problem, None);
        gap |= batch.gap;
        places.extend(batch.lines.iter().map(|line| LinePlace { at: line.at, id: line.id.clone() }));
    }
    (places, gap)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_are_found_by_text_level_route_and_version_page_by_page_and_each_again() {
    let watch = Watch::start().await;
    let logs = logs(&watch).await;
    write(&watch, &logs, 0..250, "INFO").await;
    write(&watch, &logs, 250..253, "ERROR").await;
    let now = watch.world.sandbox.context().now_ms();
    let (from, to) = (Timestamp(now - 60_000), Timestamp(now + 60_000));
    let page = async |filter: &LogFilter, to| watch.portal.log_page(filter, from, to).await.expect("a page");

    let wanted = filter("of the test");
    let mut found = HashSet::new();
    let mut until = to;
    for _ in 0..10 {
        let page = page(&wanted, until).await;
        assert!(page.lines.len() <= 200 && page.lines.windows(2).all(|pair| pair[0].at >= pair[1].at));
        found.extend(page.lines.into_iter().map(|line| line.id));
        let Some(older) = page.older else { break };
        until = older;
    }
    assert!(found.len() >= 203, "the newest and what is older: {}", found.len());
    let grave = LogFilter { level: Some(LogLevel::Error), ..wanted.clone() };
    assert_eq!(page(&grave, to).await.lines.len(), 3);
    let of_version = |version: &str| LogFilter { version: Some(version.to_owned()), ..grave.clone() };
    assert_eq!(page(&of_version("7"), to).await.lines.len(), 3);
    assert_eq!(page(&of_version("8"), to).await.lines.len(), 0);
    let of_route = |route: &str| LogFilter { route: Some(route.to_owned()), ..grave.clone() };
    assert_eq!(page(&of_route("GET /test"), to).await.lines.len(), 3);
    assert_eq!(page(&of_route("GET /tes"), to).await.lines.len(), 0);

    let line = page(&grave, to).await.lines[1].clone();
    let place = LinePlace { at: line.at, id: line.id.clone() };
    let around = watch.portal.log_place(LogGroup::Function, &place).await.expect("its place");
    assert!(around.is_found() && around.lines.len() > 3 && around.lines.contains(&line));
    let gone = LinePlace { at: line.at, id: "0".to_owned() };
    assert!(!watch.portal.log_place(LogGroup::Function, &gone).await.expect("its place").is_found());

    let rotation = LogFilter { group: LogGroup::Rotation, ..LogFilter::default() };
    let missing = watch.portal.log_page(&rotation, from, to).await.expect_err("this world does not rotate");
    assert_eq!(missing.kind, ProblemKind::NotFound);
    watch.world.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_share_a_poller_and_who_comes_back_misses_nothing() {
    let watch = Watch::start().await;
    let logs = logs(&watch).await;
    let wanted = filter("of the test");
    let mut one = watch.portal.follow(wanted.clone(), None).await.expect("followed");
    write(&watch, &logs, 0..5, "INFO").await;
    let (first, _) = read(&mut one, 5).await;
    // A second one finds what is kept, and both what comes then.
    let mut two = watch.portal.follow(wanted.clone(), None).await.expect("followed");
    assert_eq!(one.followers(), 2);
    assert_eq!(read(&mut two, 5).await, (first.clone(), false));
    let calls = &watch.world.sandbox.context().calls;
    let before = calls.of("logs", "FilterLogEvents");
    let began = Instant::now();
    write(&watch, &logs, 5..8, "INFO").await;
    let both = (read(&mut one, 3).await, read(&mut two, 3).await);
    assert_eq!(both.0, both.1);
    let polls = calls.of("logs", "FilterLogEvents") - before;
    assert!(polls <= began.elapsed().as_secs() + 2, "{polls} calls for two");

    // Away while others follow, and away while nobody does.
    drop(two);
    write(&watch, &logs, 8..10, "INFO").await;
    let (missed, _) = read(&mut one, 2).await;
    let last = both.0.0.last().cloned();
    let mut back = watch.portal.follow(wanted.clone(), last).await.expect("followed");
    assert_eq!(read(&mut back, 2).await, (missed.clone(), false));
    drop((one, back));
    write(&watch, &logs, 10..13, "INFO").await;
    let mut back = watch.portal.follow(wanted.clone(), missed.last().cloned()).await.expect("followed");
    let (later, gap) = read(&mut back, 3).await;
    assert!(!gap && later.len() == 3 && later.iter().all(|place| !missed.contains(place)));

    // So many filters, and no more; one that nobody follows any more makes room.
    let mut held = Vec::new();
    for number in 0..7 {
        held.push(watch.portal.follow(filter(&format!("filter {number}")), None).await.expect("followed"));
    }
    let full = watch.portal.follow(filter("one more"), None).await.err().expect("no room");
    assert_eq!(full.kind, ProblemKind::Throttled);
    held.pop();
    assert!(watch.portal.follow(filter("one more"), None).await.is_ok());

    // What AWS refuses is told, and it goes on afterwards.
    let refused = At::Aws { service: "logs".into(), operation: None, effect: AwsEffect::AccessDenied };
    let rule = watch.world.sandbox.context().faults.add(Fault::always(refused)).expect("a rule");
    let told =
        tokio::time::timeout(Duration::from_secs(10), back.next()).await.expect("in time").expect("told");
    let next = told.problem.as_ref().and_then(|problem| problem.next.clone());
    assert!(next.is_some_and(|next| next.contains("logs:FilterLogEvents")), "{told:?}");
    watch.world.sandbox.context().faults.remove(rule);
    watch.world.sandbox.stop().await;
}

/// What this process holds in memory, in kilobytes.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("its memory");
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number") * 4
}

/// The sandbox is in this process too, and keeps what is written in a file: what grows in memory by the
/// second would be seen all the same.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_lines_a_second_are_followed_without_a_loss_and_without_growing_memory() {
    const SECONDS: u32 = 20;
    let watch = Arc::new(Watch::start().await);
    let logs = logs(&watch).await;
    let mut follower = watch.portal.follow(filter("of the test"), None).await.expect("followed");
    let behind = watch.portal.follow(filter("of the test"), None).await.expect("one that never reads");
    let writing = {
        let watch = Arc::clone(&watch);
        tokio::spawn(async move {
            let began = tokio::time::Instant::now();
            for tenth in 0..SECONDS * 10 {
                write(&watch, &logs, tenth * 100..tenth * 100 + 100, "INFO").await;
                tokio::time::sleep_until(began + Duration::from_millis(100) * (tenth + 1)).await;
            }
        })
    };
    let (mut seen, mut early) = (HashSet::new(), 0);
    let all = (SECONDS * 1_000) as usize;
    while seen.len() < all {
        let batch = tokio::time::timeout(Duration::from_secs(20), follower.next()).await;
        let batch = batch.unwrap_or_else(|_| panic!("{} of {all} lines", seen.len())).expect("it goes on");
        assert!(!batch.gap && batch.problem.is_none(), "{:?}", batch.problem);
        for line in &batch.lines {
            assert!(seen.insert(line.id.clone()), "a line came twice");
        }
        if early == 0 && seen.len() >= all / 4 {
            early = resident();
        }
    }
    writing.await.expect("written");
    let late = resident();
    println!("{all} lines in {SECONDS} s: {early} kB after a quarter, {late} kB at the end");
    // The ids that this test itself remembers are about 2 MB.
    assert!(late.saturating_sub(early) < 40_000, "{early} kB, then {late} kB");
    drop(behind);
}
