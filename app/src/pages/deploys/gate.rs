//! What the new version's figures say, beside the old one's.

use leptos::prelude::*;
use model::deploy::{GateReport, Rollout, Sample, Verdict};

use crate::components::age::Age;
use crate::components::card::Now;
use crate::components::notice::Notice;
use crate::components::status::Tone;
use crate::components::table::{Cell, Table};
use crate::components::words;

/// The verdict with its evidence, and both versions' figures side by side.
pub fn view(report: GateReport, rollout: &Rollout, now: Now) -> AnyView {
    let GateReport { verdict, evidence, new, old, at } = report;
    let (tone, word) = match verdict {
        Verdict::Pass => (Tone::Good, "It does as well as it should."),
        Verdict::TooFew => (Tone::Plain, "Too few requests to judge."),
        Verdict::Fail => (Tone::Bad, "It does worse than it may."),
        Verdict::Unknown => (Tone::Unknown, "The figures could not be read."),
    };
    let name = rollout.new.as_ref().map_or("the new one".to_owned(), |new| format!("Version {new} (new)"));
    let rows = vec![row(name, new), row(format!("Version {} (old)", rollout.old), old)];
    view! {
        <div class="gate">
            <div class="smoke__head"><h3>"Verdict on the new version"</h3><span>"read "<Age at now/></span></div>
            <Notice tone message=word next=evidence/>
            <Table caption="Figures of both versions" columns=&["Version", "Requests", "Failed", "Share failed", "95th percentile"] rows now/>
        </div>
    }
    .into_any()
}

fn row(name: String, sample: Sample) -> Vec<Cell> {
    let Sample { requests, errors, p95_ms } = sample;
    let share = match requests {
        0 => "none".to_owned(),
        requests => words::share(errors as f64 / requests as f64),
    };
    vec![
        Cell::Text(name),
        Cell::Text(words::count(requests as f64)),
        Cell::Text(words::count(errors as f64)),
        Cell::Text(share),
        Cell::Text(p95_ms.map_or_else(|| "none".to_owned(), words::millis)),
    ]
}
