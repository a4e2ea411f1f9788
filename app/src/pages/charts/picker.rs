//! The bar above the charts: which time, which part, which time zone.

use leptos::prelude::*;
use model::metrics::{Range, Scope, Span, Window};
use model::time::Timestamp;

use super::address::{Address, Asked, PATH, Wrong};
use super::times;

/// The time zones that are suggested; any other of the database's names can be typed.
const ZONES: [&str; 22] = [
    "UTC",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Helsinki",
    "Europe/Istanbul",
    "Africa/Lagos",
    "Africa/Johannesburg",
    "Asia/Dubai",
    "Asia/Karachi",
    "Asia/Kolkata",
    "Asia/Bangkok",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Pacific/Auckland",
    "America/Sao_Paulo",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
];

/// What was typed and could not be taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// As it came.
    pub asked: Asked,
    /// What is wrong with which field.
    pub wrong: Wrong,
}

/// The usual ranges, one click each, and the form for others.
pub fn bar(
    address: &Address,
    window: Option<Window>,
    versions: &[String],
    now: Timestamp,
    refused: Option<&Refused>,
) -> AnyView {
    let usual = Span::ALL.map(|span| {
        let here = (address.range == Range::Last(span)).then_some("page");
        let href = address.with_range(Range::Last(span));
        view! { <li><a href=href aria-current=here>{span.name()}</a></li> }
    });
    let custom = matches!(address.range, Range::Between { .. });
    let shown = window.map(|window| {
        let (from, to) = (window.from, Timestamp(window.to.0.min(now.0)));
        let zone = address.zone;
        format!("{} to {}", times::minute_and_zone(from, zone), times::minute_and_zone(to, zone))
    });
    let wider = window.map(|window| address.wider(window, now));
    let open = custom || refused.is_some();
    view! {
        <div class="range">
            <nav class="segments" aria-label="Time range"><ul>{usual.collect_view()}</ul></nav>
            {wider.map(|href| view! { <a class="button button--quiet" href=href data-zoom-out="">"Zoom out"</a> })}
            <p class="range__shown" data-shown="">{shown}</p>
            <details class="range__other" open=open>
                <summary>"Other time, version or time zone"</summary>
                {form(address, window, versions, now, refused)}
            </details>
        </div>
    }
    .into_any()
}

fn form(
    address: &Address,
    window: Option<Window>,
    versions: &[String],
    now: Timestamp,
    refused: Option<&Refused>,
) -> impl IntoView + use<> {
    let zone = address.zone;
    let (from, to) = match (refused, window) {
        (Some(refused), _) => (refused.asked.from.clone(), refused.asked.to.clone()),
        (None, Some(window)) => {
            (times::field(window.from, zone), times::field(Timestamp(window.to.0.min(now.0)), zone))
        }
        (None, None) => Default::default(),
    };
    let tz = refused.map_or_else(|| zone.name().to_owned(), |refused| refused.asked.tz.clone());
    let wrong =
        |field: &str| refused.filter(|refused| refused.wrong.field == field).map(|refused| refused.wrong.why);
    let version = match &address.scope {
        Scope::Version(version) => version.clone(),
        Scope::Alias => String::new(),
    };
    let options = versions.iter().map(|number| {
        let selected = *number == version;
        view! { <option value=number.clone() selected=selected>{format!("version {number}")}</option> }
    });
    // One that was pruned has figures all the same.
    let gone = (!version.is_empty() && !versions.contains(&version)).then(
        || view! { <option value=version.clone() selected=true>{format!("version {version}")}</option> },
    );
    let zones = ZONES.map(|name| view! { <option value=name></option> });
    view! {
        <form class="range__form" method="get" action=PATH data-hold="">
            {field("range-from", "from", "From", "datetime-local", from, wrong("from"))}
            {field("range-to", "to", "To", "datetime-local", to, wrong("to"))}
            <div class="field">
                <label for="range-tz">"Time zone"</label>
                {wrong("tz").map(|why| view! { <p class="field__error" id="range-tz-error">{why}</p> })}
                <input id="range-tz" name="tz" type="text" value=tz list="zones" spellcheck="false"
                    autocomplete="off" autocapitalize="none"
                    aria-invalid=wrong("tz").map(|_| "true") aria-describedby=wrong("tz").map(|_| "range-tz-error")/>
                <datalist id="zones">{zones.collect_view()}</datalist>
            </div>
            <div class="field">
                <label for="range-version">"Of the function"</label>
                <select id="range-version" name="version">
                    <option value="" selected=version.is_empty()>"all of the alias"</option>
                    {gone}
                    {options.collect_view()}
                </select>
            </div>
            <button class="button" type="submit">"Show"</button>
        </form>
    }
}

fn field(
    id: &'static str,
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    value: String,
    wrong: Option<&'static str>,
) -> impl IntoView {
    let error = format!("{id}-error");
    let described_by = wrong.map(|_| error.clone());
    view! {
        <div class="field" class:field--wrong=wrong.is_some()>
            <label for=id>{label}</label>
            {wrong.map(|wrong| view! { <p class="field__error" id=error>{wrong}</p> })}
            <input id=id name=name type=kind value=value autocomplete="off"
                aria-invalid=wrong.map(|_| "true") aria-describedby=described_by/>
        </div>
    }
}
