//! The logs: a form that searches, the lines that were found, and a live tail with the same filter.
//!
//! The page is complete without JavaScript but for the tail, which `tail.js` (3 kB) adds: it keeps at most
//! [`MOST_LINES`] lines in the browser.

#[cfg(test)]
mod tests;

use leptos::prelude::*;
use model::log_filter::{LogFilter, LogGroup, LogLevel, LogPage, LogPlace};
use model::logs::LogLine;
use model::problem::Problem;

use crate::components::log_line::Line;
use crate::components::notice::{Notice, ProblemNotice};
use crate::components::status::Tone;
use crate::components::words;
use crate::pages::sign_in::escape;

/// What follows what is written.
pub const TAIL_SCRIPT: &str = include_str!("tail.js");
/// What the tail is asked for.
pub const TAIL: &str = "/logs/tail";
/// So many lines are kept in the browser; older ones are dropped, and that is said.
pub const MOST_LINES: usize = 2_000;

/// The times that are offered: what stands in the address, what people read, and the length.
pub const RANGES: [(&str, &str, i64); 6] = [
    ("5m", "Last 5 minutes", 5 * 60_000),
    ("1h", "Last hour", 3_600_000),
    ("3h", "Last 3 hours", 3 * 3_600_000),
    ("12h", "Last 12 hours", 12 * 3_600_000),
    ("1d", "Last day", 24 * 3_600_000),
    ("7d", "Last 7 days", 7 * 24 * 3_600_000),
];

/// The query string of a filter, without a question mark; empty for none.
pub fn query_of(filter: &LogFilter) -> String {
    let LogFilter { group, text, level, route, version } = filter;
    let level = level.map(|level| level.name().to_owned());
    let fields = [("text", text), ("level", &level), ("route", route), ("version", version)];
    let named = fields.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let named = named.map(|(name, value)| format!("&{name}={}", escape(value)));
    format!("group={}{}", group.name(), named.collect::<String>())
}

/// The address that leads back to a line with what stands around it.
pub fn address_of(group: LogGroup, line: &LogLine) -> String {
    format!("/logs?group={}&at={}&line={}", group.name(), line.at.0, escape(&line.id))
}

/// The page.
pub struct LogsScreen {
    /// Which lines are wanted.
    pub filter: LogFilter,
    /// The time's name, where it is one of [`RANGES`].
    pub range: Option<String>,
    /// What was found, or why nothing was.
    pub found: Found,
}

/// What was found.
pub enum Found {
    /// A page of lines.
    Lines(LogPage),
    /// A line with what stands around it.
    Place(LogPlace),
    /// What went wrong.
    Problem(Problem),
}

impl LogsScreen {
    /// As a page.
    pub fn view(self) -> impl IntoView {
        let Self { filter, range, found } = self;
        let group = filter.group;
        let tailing = format!("{TAIL}?{}", query_of(&filter));
        view! {
            <div class="page-head">
                <h1>"Logs"</h1>
                <div class="refresh needs-script">
                    <p class="refresh__age" data-tail="state" role="status">"Not following"</p>
                    <button class="button button--quiet" type="button" data-tail="follow" data-from=tailing data-most=MOST_LINES>"Follow"</button>
                </div>
            </div>
            {form(&filter, range.as_deref())}
            <section class="card tail" aria-label="Followed lines" hidden data-tail="region">
                <header class="card__head">
                    <h2>"As it is written"</h2>
                    <p class="card__age" data-tail="count"></p>
                </header>
                <div class="card__body">
                    <p class="hint" data-tail="note" hidden></p>
                    <ol class="log-lines" data-tail="lines" aria-label="Lines, the newest last" tabindex="0"></ol>
                </div>
            </section>
            {match found {
                Found::Lines(page) => lines(page, &filter),
                Found::Place(place) => surroundings(place, group),
                Found::Problem(problem) => view! { <ProblemNotice problem/> }.into_any(),
            }}
        }
    }
}

fn form(filter: &LogFilter, range: Option<&str>) -> AnyView {
    let groups = LogGroup::ALL.map(|group| {
        view! { <option value=group.name() selected=group == filter.group>{group.title()}</option> }
    });
    let levels = [LogLevel::Info, LogLevel::Warn, LogLevel::Error].map(|level| {
        view! { <option value=level.name() selected=filter.level == Some(level)>{format!("{} and above", level.name())}</option> }
    });
    let wanted = range.unwrap_or("1h").to_owned();
    let ranges = RANGES.map(|(name, words, _)| {
        view! { <option value=name selected=name == wanted>{words}</option> }
    });
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    view! {
        <section class="card" aria-label="Search">
            <div class="card__body">
                <form class="form logs-form" method="get" action="/logs" role="search">
                    <div class="field">
                        <label for="log-group">"Log"</label>
                        <select id="log-group" name="group">{groups.collect_view()}</select>
                    </div>
                    <div class="field">
                        <label for="log-range">"Time"</label>
                        <select id="log-range" name="range">{ranges.collect_view()}</select>
                    </div>
                    <div class="field">
                        <label for="log-level">"Level"</label>
                        <select id="log-level" name="level"><option value="">"Any"</option>{levels.collect_view()}</select>
                    </div>
                    <div class="field field--wide">
                        <label for="log-text">"Text, as it is written"</label>
                        <input id="log-text" name="text" type="search" autocomplete="off" spellcheck="false" maxlength="200" value=text(&filter.text)/>
                    </div>
                    <div class="field">
                        <label for="log-route">"Route"</label>
                        <input id="log-route" name="route" type="text" autocomplete="off" spellcheck="false" maxlength="200" placeholder="GET /courses" value=text(&filter.route)/>
                    </div>
                    <div class="field field--short">
                        <label for="log-version">"Version"</label>
                        <input id="log-version" name="version" type="text" autocomplete="off" spellcheck="false" maxlength="20" value=text(&filter.version)/>
                    </div>
                    <button class="button button--primary" type="submit">"Search"</button>
                </form>
            </div>
        </section>
    }
    .into_any()
}

fn lines(page: LogPage, filter: &LogFilter) -> AnyView {
    let LogPage { place, from, to, lines, whole, older } = page;
    let group = filter.group;
    let count = lines.len();
    let older = older.map(|older| {
        let address = format!("/logs?{}&from={}&to={}", query_of(filter), from.0, older.0);
        view! { <p class="older"><a class="button button--quiet" href=address>"Older lines"</a></p> }
    });
    let said = match (count, whole) {
        (0, true) => "No line in this time fits.".to_owned(),
        (0, false) => "No line so far: there is more to search.".to_owned(),
        (count, true) => format!("{} lines, the newest first.", words::count(count as f64)),
        (count, false) => {
            format!("The newest {} lines that fit, the newest first.", words::count(count as f64))
        }
    };
    let lines = lines.into_iter().map(|line| {
        let address = address_of(group, &line);
        view! { <Line line address/> }
    });
    view! {
        <section class="card" aria-label="Found lines">
            <div class="card__body">
                <p class="hint">{said}" "<code>{place}</code>{format!(", {} to {}", words::utc(from), words::utc(to))}</p>
                <ol class="log-lines">{lines.collect_view()}</ol>
                {older}
            </div>
        </section>
    }
    .into_any()
}

fn surroundings(place: LogPlace, group: LogGroup) -> AnyView {
    let missing = (!place.is_found()).then(|| {
        let message = "The line is not there any more, or its log was cut. Below stands what was written around its time.";
        view! { <div class="done"><Notice tone=Tone::Warn message/></div> }
    });
    let LogPlace { place, line: meant, lines } = place;
    let rows = lines.into_iter().map(|line| {
        let address = address_of(group, &line);
        let meant = line.id == meant;
        view! { <Line line address meant/> }
    });
    view! {
        {missing}
        <section class="card" aria-label="The line and what stands around it">
            <div class="card__body">
                <p class="hint">"The oldest first. "<code>{place}</code>" \u{b7} "<a href=format!("#line-{meant}")>"To the line"</a></p>
                <ol class="log-lines">{rows.collect_view()}</ol>
            </div>
        </section>
    }
    .into_any()
}

/// Lines as the tail's script puts them in.
pub fn fragment(group: LogGroup, lines: Vec<LogLine>) -> impl IntoView {
    let rows = lines.into_iter().map(|line| {
        let address = address_of(group, &line);
        view! { <Line line address/> }
    });
    view! { <ol>{rows.collect_view()}</ol> }
}

/// The length of a range by its name.
pub fn length_of(range: &str) -> Option<i64> {
    RANGES.into_iter().find(|(name, ..)| *name == range).map(|(_, _, length)| length)
}
