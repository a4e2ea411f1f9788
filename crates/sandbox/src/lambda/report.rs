//! What the platform writes about starts and invocations, in AWS's formats for text and JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::environment::Ending;
use super::journal::{Journal, Record};
use super::{Event, Spec};

/// Says which runtime this is: no version of AWS's.
const RUNTIME_VERSION: &str = "provided:sandbox";

/// A start begins.
pub(super) fn init_start(journal: &Journal, spec: &Spec) {
    journal.platform(
        Some(format!("INIT_START Runtime Version: {RUNTIME_VERSION}")),
        Record {
            kind: "platform.initStart",
            level: "INFO",
            members: json!({
                "initializationType": "on-demand", "phase": "init", "runtimeVersion": RUNTIME_VERSION,
                "functionName": spec.function, "functionVersion": spec.version,
            }),
        },
    );
}

/// A start ended, well or not. Text is written only for one that failed, as on AWS.
pub(super) fn init_done(journal: &Journal, phase: &str, took: Duration, failed: Option<&Ending>) {
    let (status, kind) = status_of(failed);
    let level = if failed.is_some() { "WARN" } else { "DEBUG" };
    let common = json!({"initializationType": "on-demand", "phase": phase, "status": status});
    let done = with_error(common.clone(), kind);
    journal.platform(None, Record { kind: "platform.initRuntimeDone", level, members: done });
    let text = failed.map(|_| {
        let kind = kind.map(|kind| format!("\tError Type: {kind}")).unwrap_or_default();
        format!("INIT_REPORT Init Duration: {:.2} ms\tPhase: {phase}\tStatus: {status}{kind}\t", ms(took))
    });
    let mut report = with_error(common, kind);
    report["metrics"] = json!({"durationMs": round(took)});
    journal.platform(text, Record { kind: "platform.initReport", level, members: report });
}

/// An invocation begins.
pub(super) fn start(journal: &Journal, spec: &Spec, event: &Event) {
    journal.platform(
        Some(format!("START RequestId: {} Version: {}", event.request_id, spec.version)),
        Record {
            kind: "platform.start",
            level: "INFO",
            members: json!({"requestId": event.request_id, "version": spec.version}),
        },
    );
}

/// An invocation is over. `init` is how long the start took that came before it, if one did.
pub(super) fn done(
    journal: &Journal,
    spec: &Spec,
    event: &Event,
    ending: &Ending,
    took: Duration,
    init: Option<Duration>,
    peak_memory: Option<u64>,
) {
    if let Some(words) = &ending.words {
        journal.text(words.clone());
    }
    let failed = ending.error.as_ref().map(|_| ending);
    let (status, kind) = status_of(failed);
    let runtime_done = with_error(
        json!({
            "requestId": event.request_id, "status": status,
            "metrics": {"durationMs": round(took), "producedBytes": ending.payload.len()},
        }),
        kind,
    );
    let level = if failed.is_some() { "WARN" } else { "DEBUG" };
    journal.platform(None, Record { kind: "platform.runtimeDone", level, members: runtime_done });
    journal.text(format!("END RequestId: {}", event.request_id));
    let billed = ms(took + init.unwrap_or_default()).ceil();
    let mut metrics =
        json!({"durationMs": round(took), "billedDurationMs": billed, "memorySizeMB": spec.memory});
    let mut text = format!(
        "REPORT RequestId: {}\tDuration: {:.2} ms\tBilled Duration: {billed:.0} ms\tMemory Size: {} MB\t",
        event.request_id,
        ms(took),
        spec.memory
    );
    if let Some(peak) = peak_memory {
        metrics["maxMemoryUsedMB"] = json!(peak);
        text += &format!("Max Memory Used: {peak} MB\t");
    }
    if let Some(init) = init {
        metrics["initDurationMs"] = json!(round(init));
        text += &format!("Init Duration: {:.2} ms\t", ms(init));
    }
    if failed.is_some() {
        text += &format!("Status: {status}\t");
    }
    if let Some(kind) = kind {
        text += &format!("Error Type: {kind}\t");
    }
    let mut members =
        with_error(json!({"requestId": event.request_id, "status": status, "metrics": metrics}), kind);
    if let Some((trace, segment)) = event.sampled() {
        text += &format!("\nXRAY TraceId: {trace}\tSegmentId: {segment}\tSampled: true\t");
        members["tracing"] = json!({"spanId": segment, "type": "X-Amzn-Trace-Id", "value": event.trace});
    }
    let level = if failed.is_some() { "WARN" } else { "INFO" };
    journal.platform(Some(text), Record { kind: "platform.report", level, members });
}

/// The status and, but for a time-out, the type of an error.
fn status_of(failed: Option<&Ending>) -> (&'static str, Option<&str>) {
    match failed {
        None => ("success", None),
        Some(ending) if ending.timed_out => ("timeout", None),
        Some(ending) => ("error", ending.error.as_deref()),
    }
}

fn with_error(mut members: Value, kind: Option<&str>) -> Value {
    if let Some(kind) = kind {
        members["errorType"] = json!(kind);
    }
    members
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Milliseconds with three digits after the point.
fn round(duration: Duration) -> f64 {
    (ms(duration) * 1000.0).round() / 1000.0
}
