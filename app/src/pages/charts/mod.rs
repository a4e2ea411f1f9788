//! The metrics page: how the API fares over time, and what happened meanwhile.
//!
//! The server draws the charts; without JavaScript they are whole, with a table and a file behind each.
//! `charts.js` adds the cursor, the keyboard and zooming, `live.js` asks for newer figures.

pub mod address;
mod chart;
mod cost;
pub mod groups;
mod marks;
mod picker;
pub mod plot;
mod table;
#[cfg(test)]
mod tests;
mod times;

use leptos::prelude::*;
use model::metrics::{Figures, MetricsPage, Name, Window};
use model::overview::Reading;
use model::problem::Problem;

use crate::components::attention::{Attention, Matter};
use crate::components::card::Now;
use crate::components::form::FormProblem;
use crate::components::notice::{Notice, ProblemNotice};
use crate::components::refresh::{LIVE_SCRIPT, refresh_bar};
use crate::components::status::Tone;
use crate::components::words;
use address::{Address, PATH};
use chart::Frame;
pub use picker::Refused;
pub use table::{TableScreen, csv};

/// What keeps the page fresh and alive.
pub fn script() -> &'static str {
    static SCRIPT: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    SCRIPT.get_or_init(|| format!("{LIVE_SCRIPT}\n{}", include_str!("charts.js")))
}

/// From this share of 5xx on something is wrong, and from this one on badly; as on the overview.
const SHARE_TO_WATCH: f64 = 0.01;
const SHARE_TOO_HIGH: f64 = 0.05;

/// How often the page asks for newer figures, in milliseconds. They change once a minute, and what it
/// asks is the portal, not CloudWatch.
const EVERY_MS: u32 = 14_900;

/// The page.
pub struct MetricsScreen {
    /// What it shows.
    pub page: MetricsPage,
    /// Where it is.
    pub address: Address,
    /// What was typed and could not be taken.
    pub refused: Option<Refused>,
    /// Why there is no page for what was asked for.
    pub problem: Option<Problem>,
}

impl MetricsScreen {
    /// How often it is loaded anew where there is no JavaScript, in seconds.
    pub const RELOAD_SECONDS: u32 = 60;

    /// The document's title: an error comes first in it, as screen readers read it first.
    pub fn title(&self) -> &'static str {
        if self.refused.is_some() || self.problem.is_some() { "Error: Metrics" } else { "Metrics" }
    }

    /// As a page.
    pub fn view(self) -> impl IntoView + use<> {
        let Self { page, address, refused, problem } = self;
        let read = page.figures.value.as_ref().map(|figures| figures.window);
        let window = read.or_else(|| Window::of(page.range, page.now).ok());
        let bar = picker::bar(&address, window, &page.versions, page.now, refused.as_ref());
        let field = refused.as_ref().map(|refused| match refused.wrong.field {
            "to" => "range-to",
            "tz" => "range-tz",
            _ => "range-from",
        });
        view! {
            <div class="page-head">
                <h1>"Metrics"</h1>
                {refresh_bar(address.page())}
            </div>
            {problem.map(|problem| view! { <div class="done"><FormProblem problem field/></div> })}
            {bar}
            {fragment(page, &address)}
        }
    }
}

/// What is read: what the page's script asks for.
pub fn fragment(page: MetricsPage, address: &Address) -> AnyView {
    let now: Now = Signal::stored(page.now);
    let at = page.now;
    let MetricsPage { figures, next, starts, limits, marks, cost, .. } = page;
    let matters = matters(&figures, &cost);
    let (headline, tone) = headline(&figures);
    let starts_problem = starts.as_ref().and_then(|starts| starts.problem.clone());
    let starts = starts.and_then(|starts| starts.value);
    let age = figures.value.is_some().then(|| cost::age(&figures, next, at));
    let problem = figures.problem.clone();
    let shown = figures.value.map(|figures| {
        let frame = Frame::new(&figures, &marks, address);
        let notes = figures.notes.clone();
        let charts = groups::charts(&figures, limits.value, starts.as_ref());
        let regions = charts.into_iter().map(|chart| chart::region(chart, &frame));
        view! {
            {notes.into_iter().map(|message| view! { <Notice tone=Tone::Warn message/> }).collect_view()}
            {starts_problem.map(|problem| view! { <ProblemNotice problem/> })}
            {marks::list(&frame)}
            <div class="charts" data-window=format!(
                "{} {} {} {}", frame.window.from.0, frame.window.period_ms(), frame.window.periods(), frame.complete,
            ) data-zone=frame.zone.name() data-page=address.page()>
                {regions.collect_view()}
            </div>
        }
    });
    view! {
        <div id="live" data-from=address.fragment() data-every=EVERY_MS data-events=address.events()>
            <Attention headline matters tone/>
            {problem.map(|problem| view! { <ProblemNotice problem/> })}
            {age}
            {shown}
            {cost::region(cost, now)}
        </div>
    }
    .into_any()
}

/// What the figures come to, in a sentence.
fn headline(figures: &Reading<Figures>) -> (String, Tone) {
    let Some(figures) = &figures.value else {
        return ("There are no figures yet".to_owned(), Tone::Unknown);
    };
    match figures.error_share() {
        None => ("No traffic in this time".to_owned(), Tone::Plain),
        Some(share) => {
            let requests = words::count(figures.whole(Name::Requests).unwrap_or(0.0));
            let tone = match share {
                share if share >= SHARE_TOO_HIGH => Tone::Bad,
                share if share >= SHARE_TO_WATCH => Tone::Warn,
                _ => Tone::Good,
            };
            (format!("{requests} requests, {} of them failed", words::share(share)), tone)
        }
    }
}

/// What else has to be looked at.
fn matters(figures: &Reading<Figures>, cost: &model::metrics::Cost) -> Vec<Matter> {
    let mut matters = Vec::new();
    if let Some(figures) = &figures.value {
        let throttles = figures.whole(Name::Throttles).unwrap_or(0.0);
        if throttles > 0.0 {
            let words = format!("{} calls throttled", words::count(throttles));
            matters.push(Matter { words, tone: Tone::Warn, region: "#chart-throttles" });
        }
        let errors = figures.whole(Name::FunctionErrors).unwrap_or(0.0);
        if errors > 0.0 {
            let words = format!("{} function errors", words::count(errors));
            matters.push(Matter { words, tone: Tone::Warn, region: "#chart-errors" });
        }
    }
    if cost.slowed {
        let words = "Figures are read more seldom: this month's budget is almost spent".to_owned();
        matters.push(Matter { words, tone: Tone::Warn, region: "#cost" });
    }
    matters
}

/// The page's own address, for those who have none yet.
pub const START: &str = PATH;
