//! The values behind a chart: as a table, and as a file.

use std::fmt::Write;

use leptos::prelude::*;
use model::metrics::{ConcurrencyLimits, Figures, MetricsPage, Starts, Unit};

use super::address::Address;
use super::groups::{self, Chart, words_of};
use super::times;
use crate::components::notice::ProblemNotice;

/// The page with a chart's table.
pub struct TableScreen {
    /// What there is.
    pub page: MetricsPage,
    /// Where it is.
    pub address: Address,
    /// Which chart.
    pub chart: &'static str,
}

impl TableScreen {
    /// The document's title.
    pub const TITLE: &'static str = "Metrics as a table";

    /// As a page.
    pub fn view(self) -> impl IntoView + use<> {
        let Self { page, address, chart } = self;
        let back = format!("{}#chart-{chart}", address.page());
        let csv = address.csv(Some(chart));
        let MetricsPage { figures, limits, starts, .. } = page;
        let problem = figures.problem.clone();
        let body = figures.value.and_then(|figures| {
            let starts = starts.and_then(|starts| starts.value);
            let chart = find(&figures, limits.value, starts.as_ref(), chart)?;
            Some(table(&chart, &figures, &address))
        });
        view! {
            <div class="page-head">
                <h1>"Metrics as a table"</h1>
                <p class="chart__links"><a href=back>"Back to the charts"</a> <a href=csv download="">"CSV"</a></p>
            </div>
            {problem.map(|problem| view! { <ProblemNotice problem/> })}
            {body}
        }
    }
}

fn find(
    figures: &Figures,
    limits: Option<ConcurrencyLimits>,
    starts: Option<&Starts>,
    id: &str,
) -> Option<Chart> {
    groups::charts(figures, limits, starts).into_iter().find(|chart| chart.id == id)
}

fn table(chart: &Chart, figures: &Figures, address: &Address) -> AnyView {
    let headings =
        chart.lines.iter().rev().map(|line| view! { <th scope="col" class="number">{line.label}</th> });
    let (window, zone, unit) = (figures.window, address.zone, chart.unit);
    // The newest first: what is looked for at night.
    let rows = (0..window.periods()).rev().map(|index| {
        let at = window.start_of(index);
        let cells = chart.lines.iter().rev().map(|line| {
            let value = line.points.get(index).copied().flatten();
            view! { <td class="number">{value.map_or_else(|| "-".to_owned(), |value| exact(unit, value))}</td> }
        });
        let open = index >= figures.complete;
        view! {
            <tr class:open=open>
                <th scope="row"><time datetime=times::iso(at, zone)>{times::minute_and_zone(at, zone)}</time>
                    {open.then_some(" (not complete)")}
                </th>
                {cells.collect_view()}
            </tr>
        }
    });
    let wholes = chart.lines.iter().rev().map(|line| {
        let whole = line.whole.map_or_else(|| "-".to_owned(), |value| words_of(unit, value));
        view! { <td class="number">{format!("{whole}{}", if line.whole_is == "max" { " max" } else { "" })}</td> }
    });
    let caption =
        format!("{}, each period of {} s from the time in its row on", chart.heading, window.period_seconds);
    let label = caption.clone();
    view! {
        <section class="card" aria-label=chart.heading>
            <div class="values" tabindex="0" role="region" aria-label=label>
                <table class="values__table">
                    <caption>{caption}</caption>
                    <thead><tr><th scope="col">"From"</th>{headings.collect_view()}</tr></thead>
                    <tbody>
                        <tr class="values__whole"><th scope="row">"Whole"</th>{wholes.collect_view()}</tr>
                        {rows.collect_view()}
                    </tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

/// A value with all its digits, as far as anybody reads them.
fn exact(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Count => format!("{value}"),
        Unit::Milliseconds => format!("{value:.2} ms"),
    }
}

/// A file of values: a line for each period, a column for each figure, nothing where CloudWatch has none.
/// `chart` names one chart; otherwise all figures are in it, those too that no chart draws.
pub fn csv(page: &MetricsPage, address: &Address, chart: Option<&str>) -> Option<String> {
    let figures = page.figures.value.as_ref()?;
    let starts = page.starts.as_ref().and_then(|starts| starts.value.as_ref());
    let charts = groups::charts(figures, page.limits.value, starts);
    let drawn = charts
        .iter()
        .filter(|one| chart.is_none_or(|chart| one.id == chart))
        .flat_map(|chart| chart.lines.iter().rev())
        .map(|line| (line.key, line.points.as_slice()));
    let mut columns: Vec<(&str, &[Option<f64>])> = Vec::new();
    if chart.is_none() {
        columns.extend(figures.lines.iter().map(|line| (line.name.key(), line.points.as_slice())));
    }
    for column in drawn {
        if !columns.iter().any(|(key, _)| *key == column.0) {
            columns.push(column);
        }
    }
    let mut text = String::from("from");
    for (key, _) in &columns {
        text.push(',');
        text.push_str(key);
    }
    text.push_str(",complete\r\n");
    for index in 0..figures.window.periods() {
        text.push_str(&times::iso(figures.window.start_of(index), address.zone));
        for (_, points) in &columns {
            text.push(',');
            if let Some(value) = points.get(index).copied().flatten() {
                let _ = write!(text, "{value}");
            }
        }
        text.push_str(if index < figures.complete { ",true\r\n" } else { ",false\r\n" });
    }
    Some(text)
}
