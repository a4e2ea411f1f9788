//! Finds a request's traces in both logs and in X-Ray.

use std::time::Duration;

use aws_sdk_cloudwatchlogs::Client as Logs;
use aws_sdk_xray::Client as XRay;
use model::logs::{AccessLine, LogLine, Looked, Said};
use model::lookup::{AccessRecord, FunctionRecord, Lookup, Part, RequestId, Trace};
use model::problem::Problem;
use model::time::Timestamp;

use super::{timeline, trace};
use crate::logs::access::Format;
use crate::logs::places::Places;
use crate::logs::said;
use crate::logs::search::{Search, any_of, search};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// How far back the searches reach, the newest first.
const BACK: [i64; 4] = [HOUR, 6 * HOUR, 24 * HOUR, 7 * 24 * HOUR];
/// So many pages a search turns. A page is at most 1 MB, and on AWS often less.
const MOST_PAGES: usize = 10;
/// A request has a few lines; what writes more is shown in part.
const MOST_LINES: usize = 300;
/// A request is over after 15 minutes at most, which is Lambda's longest time.
const LONGEST: i64 = 15 * MINUTE;
/// Clocks differ, and lines come late.
const SLACK: i64 = MINUTE;
/// All searches together: the page waits for them.
const TIME: Duration = Duration::from_millis(4_300);

/// What it takes.
pub(super) struct Tools {
    pub(super) logs: Logs,
    pub(super) xray: XRay,
    pub(super) places: Places,
    pub(super) now: Timestamp,
}

type Window = (Timestamp, Timestamp);

/// Looks a request up. What was found when the time was up is given, and that it was.
pub(super) async fn lookup(tools: Tools, asked: RequestId, range: Option<Window>) -> Result<Lookup, Problem> {
    let mut found = Lookup {
        now: tools.now,
        gateway_id: None,
        lambda_id: None,
        trace_id: None,
        access: Part::default(),
        function: Part::default(),
        trace: Part::default(),
        began: None,
        timeline: Vec::new(),
        asked: asked.clone(),
    };
    let windows = windows(tools.now, &asked, range);
    let whole = tokio::time::timeout(TIME, tools.find(&mut found, &asked, &windows)).await;
    if whole.is_err() {
        let words = "The search was given up when its time was over: name a shorter time.";
        for note in [&mut found.access.note, &mut found.function.note] {
            note.get_or_insert_with(|| words.to_owned());
        }
    }
    (found.began, found.timeline) = timeline::of(&found);
    Ok(found)
}

/// Where to look: what somebody named, the time in a trace's id, or step by step backwards.
fn windows(now: Timestamp, asked: &RequestId, range: Option<Window>) -> Vec<Window> {
    if let Some(range) = range {
        return vec![range];
    }
    if let RequestId::Trace(id) = asked
        && let Some(began) = id.get(2..10).and_then(|time| i64::from_str_radix(time, 16).ok())
    {
        let began = began * 1_000;
        return vec![(Timestamp(began - SLACK), Timestamp(began + LONGEST + SLACK))];
    }
    let mut to = now.0 + SLACK;
    BACK.into_iter()
        .map(|back| {
            let window = (Timestamp(now.0 - back), Timestamp(to));
            to = now.0 - back - 1;
            window
        })
        .collect()
}

impl Tools {
    async fn find(&self, found: &mut Lookup, asked: &RequestId, windows: &[Window]) {
        match asked {
            RequestId::Gateway(id) => {
                found.gateway_id = Some(id.clone());
                self.access(found, &[id], windows).await;
                let near = near(found).map_or_else(|| windows.to_vec(), |near| vec![near]);
                let refused = found.access.value.as_ref().is_some_and(|access| refused(&access.read));
                self.function(found, windows_of(refused, &near)).await;
            }
            RequestId::Lambda(id) => {
                found.lambda_id = Some(id.clone());
                self.function(found, windows).await;
                let near = near(found).map_or_else(|| windows.to_vec(), |near| vec![near]);
                let ids: Vec<String> =
                    [&found.gateway_id, &found.lambda_id].into_iter().flatten().cloned().collect();
                self.access(found, &texts(&ids), &near).await;
            }
            RequestId::Trace(id) => {
                found.trace_id = Some(id.clone());
                self.trace(found).await;
                self.function(found, windows).await;
                let ids: Vec<String> =
                    [&found.gateway_id, &found.lambda_id].into_iter().flatten().cloned().collect();
                if ids.is_empty() {
                    found.access.note =
                        Some("The access log does not name traces: without the invocation it can't be found there.".to_owned());
                } else {
                    self.access(found, &texts(&ids), windows).await;
                }
                return;
            }
        }
        self.trace(found).await;
    }

    /// The gateway's line with one of these ids.
    async fn access(&self, found: &mut Lookup, ids: &[&str], windows: &[Window]) {
        let log = match &self.places.access {
            Ok(log) => log,
            Err(problem) => {
                found.access.problem = Some(problem.clone());
                return;
            }
        };
        let format = Format::new(&log.format);
        let (lines, looked) = self.first(&log.group, &any_of(ids), windows).await;
        found.access.looked = looked;
        let read =
            lines.into_iter().map(|line| AccessRecord { read: format.read(line.at, &line.text), line });
        // The id stands in the member it should, and not in somebody's user agent.
        let is_it = |record: &AccessRecord| {
            let named = [&record.read.request_id, &record.read.lambda_id];
            named.into_iter().flatten().any(|id| ids.contains(&id.as_str()))
        };
        let Some(record) = read.into_iter().find(is_it) else { return };
        if found.gateway_id.is_none() {
            found.gateway_id.clone_from(&record.read.request_id);
        }
        if found.lambda_id.is_none() {
            found.lambda_id.clone_from(&record.read.lambda_id);
        }
        if record.read.lambda_id.is_none() && !format.has("integration.requestId") {
            found.access.note = Some(
                "The access log's format has no $context.integration.requestId, which names the invocation."
                    .to_owned(),
            );
        }
        found.access.value = Some(record);
    }

    /// The function's lines: first those with an id, then what was written in between.
    async fn function(&self, found: &mut Lookup, windows: &[Window]) {
        found.function.problem.clone_from(&self.places.guessed);
        if windows.is_empty() {
            found.function.note =
                Some("The gateway answered this request itself and did not call the function.".to_owned());
            return;
        }
        let ids: Vec<String> =
            [&found.lambda_id, &found.gateway_id, &found.trace_id].into_iter().flatten().cloned().collect();
        let group = &self.places.function;
        let (lines, looked) = self.first(group, &any_of(&texts(&ids)), windows).await;
        found.function.looked = looked;
        let Some(id) = found.lambda_id.clone().or_else(|| invocation_of(&lines, &ids)) else { return };
        found.lambda_id = Some(id.clone());
        let lines: Vec<LogLine> = match ids.contains(&id) {
            true => lines,
            // By another name it has fewer lines.
            false => {
                let around = around(&lines).map_or_else(|| windows.to_vec(), |around| vec![around]);
                self.first(group, &any_of(&[&id]), &around).await.0
            }
        };
        let mut record = record(lines, &id);
        if record.lines.is_empty() {
            return;
        }
        self.between(group, &mut record, &id).await;
        if let Some(request) = record.request.as_ref().filter(|request| !request.api_request_id.is_empty()) {
            found.gateway_id.get_or_insert_with(|| request.api_request_id.clone());
        }
        if let Some(trace) = record.report.as_ref().and_then(|report| report.trace_id.clone()) {
            found.trace_id.get_or_insert(trace);
        }
        found.function.value = Some(record);
    }

    /// Adds what the environment wrote between the first and the last line without naming the request,
    /// and before them while it started for it.
    async fn between(&self, group: &str, record: &mut FunctionRecord, id: &str) {
        let (Some(first), Some(last)) = (record.lines.first(), record.lines.last()) else { return };
        let init =
            record.report.as_ref().and_then(|report| report.init_ms).map_or(0, |ms| ms.ceil() as i64 + 500);
        let asked = Search {
            group: group.to_owned(),
            stream: Some(first.stream.clone()),
            pattern: String::new(),
            from: Timestamp(first.at.0 - init),
            to: last.at,
            lines: MOST_LINES,
            pages: MOST_PAGES,
            newest_first: false,
        };
        // What has been found already stands; a failure here only leaves it at that.
        let Ok(all) = search(&self.logs, &asked).await else { return };
        let ours = |line: &LogLine| said::request_of(&said::read(&line.text)).is_none_or(|of| of == id);
        let lines: Vec<LogLine> = all.lines.into_iter().filter(ours).collect();
        if lines.len() >= record.lines.len() {
            record.lines = lines;
            record.cut = !all.whole;
        }
    }

    async fn trace(&self, found: &mut Lookup) {
        let Some(id) = found.trace_id.clone() else {
            found.trace.note = Some(match (self.places.traced, &found.function.value) {
                (Some(false), _) => "The function's active tracing is off, so nothing is traced.",
                (_, Some(record)) if record.report.is_some() => {
                    "This request was not sampled: by default X-Ray traces the first request of each second and one in twenty of the others."
                }
                _ => "Which trace it has is in Lambda's report, which was not found.",
            }.to_owned());
            return;
        };
        let (from, to) = windows(self.now, &RequestId::Trace(id.clone()), None)
            .first()
            .copied()
            .unwrap_or((self.now, self.now));
        let read: Result<Option<Trace>, Problem> = trace::read(&self.xray, &id).await;
        let problem = read.as_ref().err().cloned();
        found.trace.looked =
            vec![Looked { place: "X-Ray".to_owned(), from, to, whole: problem.is_none(), problem }];
        found.trace.value = read.ok().flatten();
        if let Some(trace) = &found.trace.value {
            let invocation = trace.spans.iter().find_map(|span| span.request_id.clone());
            if found.lambda_id.is_none() {
                found.lambda_id = invocation;
            }
        } else if found.trace.looked[0].whole {
            found.trace.note =
                Some("X-Ray keeps traces for 30 days, and has a new one after some seconds.".to_owned());
        }
    }

    /// The lines of the first window that has any.
    async fn first(&self, group: &str, pattern: &str, windows: &[Window]) -> (Vec<LogLine>, Vec<Looked>) {
        let mut looked = Vec::new();
        for (from, to) in windows.iter().copied() {
            let asked = Search {
                group: group.to_owned(),
                stream: None,
                pattern: pattern.to_owned(),
                from,
                to,
                lines: MOST_LINES,
                pages: MOST_PAGES,
                newest_first: false,
            };
            let found = search(&self.logs, &asked).await;
            let (whole, problem) = match &found {
                Ok(found) => (found.whole, None),
                Err(problem) => (false, Some(problem.clone())),
            };
            let failed = problem.is_some();
            looked.push(Looked { place: group.to_owned(), from, to, whole, problem });
            let lines = found.map(|found| found.lines).unwrap_or_default();
            if failed || !lines.is_empty() {
                return (lines, looked);
            }
        }
        (Vec::new(), looked)
    }
}

fn texts(ids: &[String]) -> Vec<&str> {
    ids.iter().map(String::as_str).collect()
}

/// Whether the gateway answered without calling the function. An integration whose time was up was
/// called, though the gateway never learned its id.
fn refused(access: &AccessLine) -> bool {
    access.lambda_id.is_none() && access.integration_latency_ms.is_none() && access.error_type.is_some()
}

/// No windows for a request that the gateway answered itself.
fn windows_of(refused: bool, near: &[Window]) -> &[Window] {
    if refused { &[] } else { near }
}

/// The time around what was found so far.
fn near(found: &Lookup) -> Option<Window> {
    match (&found.access.value, &found.function.value) {
        (Some(access), _) => {
            let took = access.read.latency_ms.map_or(0, |ms| ms.ceil() as i64);
            Some((Timestamp(access.line.at.0 - took - SLACK), Timestamp(access.line.at.0 + LONGEST)))
        }
        (None, Some(record)) => around(&record.lines),
        (None, None) => None,
    }
}

fn around(lines: &[LogLine]) -> Option<Window> {
    let (first, last) = (lines.first()?, lines.last()?);
    Some((Timestamp(first.at.0 - SLACK), Timestamp(last.at.0 + SLACK)))
}

/// Lambda's id in lines that were found by another name.
fn invocation_of(lines: &[LogLine], ids: &[String]) -> Option<String> {
    lines.iter().find_map(|line| match said::read(&line.text) {
        Said::Request(line) if ids.contains(&line.api_request_id) => Some(line.request_id.clone()),
        Said::Report(report) if report.trace_id.as_ref().is_some_and(|id| ids.contains(id)) => {
            Some(report.request_id)
        }
        Said::Other { request_id } if line.text.contains("apiRequestId") => request_id,
        _ => None,
    })
}

/// The lines of one invocation, with what they say.
fn record(lines: Vec<LogLine>, id: &str) -> FunctionRecord {
    let mut record = FunctionRecord::default();
    for line in lines {
        let said = said::read(&line.text);
        if said::request_of(&said).is_some_and(|of| of != id) {
            continue;
        }
        match said {
            Said::Start { version, .. } => record.version = version,
            Said::Report(report) => record.report = Some(report),
            Said::Request(request) => record.request = Some(*request),
            Said::Other { .. } => {}
        }
        record.version = record.version.take().or_else(|| version_of(&line.stream));
        record.lines.push(line);
    }
    record.lines.sort_by_key(|line| line.at);
    record
}

/// The version in a stream's name: `2026/12/01/[7]0123abcd`.
fn version_of(stream: &str) -> Option<String> {
    let (_, rest) = stream.split_once('[')?;
    rest.split_once(']').map(|(version, _)| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_hour_is_searched_first_and_nothing_twice() {
        let now = Timestamp(1_795_300_000_000);
        let id = RequestId::Gateway("JKJaXmPLvHcESHA=".to_owned());
        let all = windows(now, &id, None);
        assert_eq!(all[0], (Timestamp(now.0 - HOUR), Timestamp(now.0 + SLACK)));
        assert!(all.windows(2).all(|pair| pair[1].1.0 == pair[0].0.0 - 1));
        assert_eq!(all[3].0, Timestamp(now.0 - 7 * 24 * HOUR));
        let range = (Timestamp(1), Timestamp(2));
        assert_eq!(windows(now, &id, Some(range)), [range]);
        let trace = RequestId::Trace("1-5e5ffbde-000000000000000000000001".to_owned());
        let began = 0x5e5f_fbde_i64 * 1_000;
        assert_eq!(
            windows(now, &trace, None),
            [(Timestamp(began - SLACK), Timestamp(began + LONGEST + SLACK))]
        );
    }

    #[test]
    fn a_stream_says_which_version_it_is_of() {
        assert_eq!(version_of("2026/12/01/[7]0123abcd").as_deref(), Some("7"));
        assert_eq!(version_of("2026/12/01/[$LATEST]0123abcd").as_deref(), Some("$LATEST"));
        assert_eq!(version_of("other"), None);
    }

    #[test]
    fn lines_of_another_request_are_left_out() {
        let line = |at, text: &str| LogLine {
            at: Timestamp(at),
            stream: "2026/12/01/[7]0123abcd".to_owned(),
            id: at.to_string(),
            text: text.to_owned(),
        };
        let lines = vec![
            line(3, "REPORT RequestId: a\tDuration: 1.00 ms\t"),
            line(1, "START RequestId: a Version: 7"),
            line(2, "START RequestId: b Version: 7"),
            line(2, "plain"),
        ];
        let record = record(lines, "a");
        assert_eq!(record.lines.iter().map(|line| line.at.0).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(record.version.as_deref(), Some("7"));
        assert_eq!(record.report.and_then(|report| report.duration_ms), Some(1.0));
    }
}
