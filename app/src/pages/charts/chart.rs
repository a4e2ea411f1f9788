//! One chart: heading, number, plot, legend.
//!
//! Two SVGs, one in the other. The inner one is stretched to whatever room there is and holds the lines,
//! the outer one is not and holds the words, which would be stretched, too: their places are shares of
//! its width. So a chart fits every screen without a `style` attribute and without a script.

use chrono_tz::Tz;
use leptos::prelude::*;
use model::metrics::{Figures, Mark, MarkKind, Unit, Window};
use model::time::in_words;

use super::address::Address;
use super::groups::{Chart, Drawn, words_of};
use super::plot::{self, HEIGHT, Paths, Scale};
use super::times::{self, Tick};

/// The plot's height in pixels, and what of it is above and below the lines.
const PLOT: f64 = 168.0;
const ABOVE: f64 = 14.0;
const BELOW: f64 = 20.0;

/// All that the charts of a page have in common.
#[derive(Clone)]
pub struct Frame {
    /// The time.
    pub window: Window,
    /// How many periods are complete.
    pub complete: usize,
    /// The reader's time zone.
    pub zone: Tz,
    /// What happened meanwhile.
    pub marks: Vec<Mark>,
    /// The axis' ticks.
    pub ticks: Vec<Tick>,
    /// Where the page is.
    pub address: Address,
}

impl Frame {
    /// Of some figures.
    pub fn new(figures: &Figures, marks: &[Mark], address: &Address) -> Self {
        let (window, zone) = (figures.window, address.zone);
        let inside = |mark: &&Mark| mark.at >= window.from && mark.at < window.to;
        Self {
            window,
            complete: figures.complete,
            zone,
            marks: marks.iter().filter(inside).cloned().collect(),
            ticks: times::ticks(window, zone),
            address: address.clone(),
        }
    }

    fn share(&self, mark: &Mark) -> f64 {
        let length = (self.window.to.0 - self.window.from.0).max(1);
        (mark.at.0 - self.window.from.0) as f64 / length as f64
    }
}

/// The chart as a region.
pub fn region(chart: Chart, frame: &Frame) -> AnyView {
    let heading_id = format!("{}-heading", chart.id);
    let (id, labelled_by) = (format!("chart-{}", chart.id), heading_id.clone());
    let table = frame.address.table(chart.id);
    let csv = frame.address.csv(Some(chart.id));
    let empty = chart.figure.is_none();
    let figure = chart.figure.clone().unwrap_or_else(|| chart.without.to_owned());
    let note = chart.note.clone();
    let (name_of_table, name_of_csv) =
        (format!("{} as a table", chart.heading), format!("{} as CSV", chart.heading));
    view! {
        <section class="card chart" id=id aria-labelledby=labelled_by tabindex="-1">
            <header class="chart__head">
                <h2 id=heading_id>{chart.heading}</h2>
                <p class="chart__links">
                    <a href=table aria-label=name_of_table>"Table"</a>
                    <a href=csv aria-label=name_of_csv download="">"CSV"</a>
                </p>
                <p class="chart__figure" class:chart__figure--none=empty>{figure}</p>
                <p class="chart__note">{note}</p>
            </header>
            {plot(&chart, frame)}
            {legend(&chart)}
        </section>
    }
    .into_any()
}

fn plot(chart: &Chart, frame: &Frame) -> AnyView {
    let highest =
        chart.lines.iter().flat_map(|line| line.points.iter().flatten()).copied().fold(0.0, f64::max);
    let highest = chart.limit.as_ref().map_or(highest, |(limit, _)| highest.max(*limit));
    let scale = plot::scale(highest, chart.unit == Unit::Count);
    let periods = frame.window.periods();
    let single = chart.lines.len() == 1;
    let lines = chart.lines.iter().map(|line| line_view(line, frame.complete, &scale, single));
    let view_box = format!("0 0 {} {HEIGHT}", plot::width(periods));
    let grid = scale.marks.iter().map(|value| grid_line(*value, &scale, chart.unit)).collect_view();
    let ticks = frame.ticks.iter().map(tick_view).collect_view();
    let marks = frame.marks.iter().map(|mark| mark_view(mark, frame)).collect_view();
    let limit = chart.limit.as_ref().map(|(value, name)| {
        let y = height_of(*value, &scale);
        view! {
            <line class="plot__limit" x1="0" x2="100%" y1=y.clone() y2=y.clone()></line>
            <text class="plot__word" x="100%" y=y dy="-4" text-anchor="end">{name.clone()}</text>
        }
    });
    let inner = PLOT - ABOVE - BELOW;
    view! {
        <div class="plot" data-plot=chart.id data-unit=unit_name(chart.unit) role="img" aria-label=said(chart, frame)>
            <svg class="plot__frame" width="100%" height=PLOT aria-hidden="true" focusable="false">
                {grid}
                {ticks}
                <svg x="0" y=ABOVE width="100%" height=inner viewBox=view_box preserveAspectRatio="none">
                    {lines.collect_view()}
                </svg>
                {limit}
                {marks}
            </svg>
        </div>
    }
    .into_any()
}

fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "count",
        Unit::Milliseconds => "ms",
    }
}

/// How far down a value is, in pixels.
fn height_of(value: f64, scale: &Scale) -> String {
    let inner = PLOT - ABOVE - BELOW;
    format!("{:.1}", ABOVE + inner * (1.0 - value / scale.top))
}

fn grid_line(value: f64, scale: &Scale, unit: Unit) -> impl IntoView + use<> {
    let y = height_of(value, scale);
    let label = if value > 0.0 { words_of(unit, value) } else { "0".to_owned() };
    view! {
        <line class="plot__grid" x1="0" x2="100%" y1=y.clone() y2=y.clone()></line>
        <text class="plot__word" x="0" y=y dy="-3">{label}</text>
    }
}

fn tick_view(tick: &Tick) -> impl IntoView + use<> {
    let x = format!("{:.2}%", tick.share * 100.0);
    // At the edges the words stand inside.
    let anchor = match tick.share {
        share if share < 0.04 => "start",
        share if share > 0.96 => "end",
        _ => "middle",
    };
    view! {
        <line class="plot__tick" x1=x.clone() x2=x.clone() y1=PLOT - BELOW y2=PLOT - BELOW + 4.0></line>
        <text class="plot__word" x=x y=PLOT - 4.0 text-anchor=anchor>{tick.label.clone()}</text>
    }
}

/// A mark's sign: its kind's shape.
pub fn sign(kind: MarkKind) -> &'static str {
    match kind {
        MarkKind::Deploy => "\u{25b2}",
        MarkKind::Rotation => "\u{25cf}",
        MarkKind::Alarm => "\u{25c6}",
    }
}

/// The class of a mark's kind.
pub fn kind_class(kind: MarkKind) -> &'static str {
    match kind {
        MarkKind::Deploy => "mark-deploy",
        MarkKind::Rotation => "mark-rotation",
        MarkKind::Alarm => "mark-alarm",
    }
}

fn mark_view(mark: &Mark, frame: &Frame) -> impl IntoView + use<> {
    let x = format!("{:.2}%", frame.share(mark) * 100.0);
    let title = format!("{}: {}", times::minute(mark.at, frame.zone), mark.label);
    view! {
        <g class=format!("plot__mark {}", kind_class(mark.kind))>
            <title>{title}</title>
            <line x1=x.clone() x2=x.clone() y1=ABOVE y2=PLOT - BELOW></line>
            <text x=x y=ABOVE - 3.0 text-anchor="middle">{sign(mark.kind)}</text>
        </g>
    }
}

fn line_view(line: &Drawn, complete: usize, scale: &Scale, single: bool) -> impl IntoView + use<> {
    let Paths { line: path, open, area, dots } = plot::paths(&line.points, complete, scale.top, single);
    let class = format!("plot__line look-{}", line.look);
    view! {
        {single.then(|| view! { <path class=format!("plot__area look-{}", line.look) d=area></path> })}
        <path class=class.clone() data-values=plot::values(&line.points) d=path></path>
        {(!open.is_empty()).then(|| view! { <path class=format!("{class} plot__line--open") d=open></path> })}
        {(!dots.is_empty()).then(|| view! { <path class=format!("{class} plot__line--dots") d=dots></path> })}
    }
}

/// What the lines are, with the value of the whole; the script puts the cursor's in its place.
fn legend(chart: &Chart) -> AnyView {
    let items = chart.lines.iter().rev().map(|line| {
        let whole = match line.whole {
            Some(value) => words_of(chart.unit, value),
            None => "no data".to_owned(),
        };
        let shown = whole.clone();
        view! {
            <li>
                <svg class="legend__sign" viewBox="0 0 24 8" aria-hidden="true" focusable="false">
                    <path class=format!("plot__line look-{}", line.look) d="M1 4h22"></path>
                </svg>
                <span class="legend__name">{line.label}</span>
                <span class="legend__value" data-whole=whole>{shown}</span>
                <span class="legend__of">{if line.whole_is == "max" { "max" } else { "" }}</span>
            </li>
        }
    });
    view! { <ul class="legend">{items.collect_view()}</ul> }.into_any()
}

/// The chart in words, for those who don't see it.
fn said(chart: &Chart, frame: &Frame) -> String {
    let span = in_words(u64::try_from((frame.window.to.0 - frame.window.from.0) / 1_000).unwrap_or_default());
    let lines = chart.lines.iter().rev().map(|line| {
        let known = line.points.iter().flatten().copied();
        match (known.clone().reduce(f64::min), known.clone().reduce(f64::max), known.last()) {
            (Some(lowest), Some(highest), Some(newest)) => format!(
                "{}: lowest {}, highest {}, newest {}",
                line.label,
                words_of(chart.unit, lowest),
                words_of(chart.unit, highest),
                words_of(chart.unit, newest)
            ),
            _ => format!("{}: no data", line.label),
        }
    });
    let lines: Vec<String> = lines.collect();
    format!("{} over {span}. {}.", chart.heading, lines.join(". "))
}
