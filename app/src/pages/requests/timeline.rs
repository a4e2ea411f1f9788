//! The time line: a table whose last column draws what the others say in figures.

use leptos::prelude::*;
use model::lookup::{Bar, Source};
use model::time::Timestamp;

use crate::components::log_line::clock;
use crate::components::words;

/// The drawing's width in its own units.
const WIDTH: f64 = 1_000.0;
/// A bar is never narrower, or it could not be seen.
const LEAST: f64 = 4.0;

const COLUMNS: [&str; 5] = ["What", "From", "Took", "Said by", "When"];

/// The table, one row for each bar.
pub fn view(began: Timestamp, bars: Vec<Bar>) -> AnyView {
    let whole = bars.iter().map(|bar| bar.start_ms + bar.took_ms).fold(1.0, f64::max);
    let placed = bars.iter().any(|bar| bar.placed);
    let rows = bars.into_iter().map(|bar| row(bar, whole));
    let headings = COLUMNS.map(|column| view! { <th role="columnheader" scope="col">{column}</th> });
    view! {
        <p class="hint">
            {format!("Begins at {} ({}), {} in all.", words::utc(began), clock(began), words::millis(whole))}
        </p>
        <table class="table table--timeline" role="table">
            <caption class="unseen">"What took how long"</caption>
            <thead role="rowgroup"><tr role="row">{headings.collect_view()}</tr></thead>
            <tbody role="rowgroup">{rows.collect_view()}</tbody>
        </table>
        <p class="hint">
            "The clocks of gateway, Lambda and function differ by some milliseconds; nothing is shifted to fit."
            {placed.then_some(" Where \u{2248} stands, only the length is known: the bar stands where it must have been.")}
        </p>
    }
    .into_any()
}

fn row(bar: Bar, whole: f64) -> impl IntoView {
    let (x, width) = place(&bar, whole);
    let tone = if bar.failed { "bad" } else { source_class(bar.source) };
    let about = if bar.placed { "\u{2248} " } else { "" };
    let cells: [AnyView; 5] = [
        view! { {bar.name}{bar.failed.then(|| view! { " "<strong class="failed">"failed"</strong> })} }.into_any(),
        format!("{about}+{}", offset(bar.start_ms)).into_any(),
        words::millis(bar.took_ms).into_any(),
        bar.source.name().into_any(),
        view! {
            <svg class="bar" viewBox="0 0 1000 12" preserveAspectRatio="none" aria-hidden="true" focusable="false">
                <rect class="bar__ground" x="0" y="0" width="1000" height="12"></rect>
                <rect class=format!("bar__time bar__time--{tone}") x=format!("{x:.1}") y="0" width=format!("{width:.1}") height="12"></rect>
            </svg>
        }
        .into_any(),
    ];
    let cells = cells.into_iter().zip(COLUMNS).map(|(cell, column)| {
        view! { <td role="cell" data-column=column><div>{cell}</div></td> }
    });
    view! { <tr role="row">{cells.collect_view()}</tr> }
}

/// Where a bar begins and how wide it is, within the drawing.
fn place(bar: &Bar, whole: f64) -> (f64, f64) {
    let x = (bar.start_ms / whole * WIDTH).clamp(0.0, WIDTH - LEAST);
    let width = (bar.took_ms / whole * WIDTH).clamp(LEAST, WIDTH - x);
    (x, width)
}

fn offset(ms: f64) -> String {
    if ms < 999.5 { format!("{ms:.1} ms") } else { words::millis(ms) }
}

fn source_class(source: Source) -> &'static str {
    match source {
        Source::AccessLog => "gateway",
        Source::FunctionLog => "function",
        Source::Trace => "trace",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stay_inside_and_can_be_seen() {
        let bar = |start_ms, took_ms| Bar {
            name: String::new(),
            source: Source::Trace,
            start_ms,
            took_ms,
            failed: false,
            placed: false,
        };
        assert_eq!(place(&bar(0.0, 100.0), 100.0), (0.0, 1_000.0));
        assert_eq!(place(&bar(50.0, 25.0), 100.0), (500.0, 250.0));
        assert_eq!(place(&bar(100.0, 0.0), 100.0), (996.0, 4.0));
        assert_eq!(offset(12.34), "12.3 ms");
    }
}
