//! What runs behind the alias.

use leptos::prelude::*;
use model::overview::{Function, Reading};

use crate::components::age::Age;
use crate::components::card::{Card, Freshness, Now, value_or_none};
use crate::components::facts::{Fact, Facts};
use crate::components::notice::Notice;
use crate::components::status::{StatusBadge, Tone};
use crate::components::words;

/// Version, state, last update and size.
pub fn region(reading: Reading<Function>, now: Now, alias: String) -> impl IntoView {
    let freshness = Freshness::from(&reading);
    view! {
        <Card id="function" heading="Function" freshness now>
            {value_or_none(reading, move |function| body(function, now, alias))}
        </Card>
    }
}

fn body(function: Function, now: Now, alias: String) -> impl IntoView {
    let state_tone = tone(&function.state);
    let update_tone = tone(&function.last_update);
    let reasons = [(state_tone, function.state_reason), (update_tone, function.last_update_reason)];
    let notices = reasons
        .into_iter()
        .filter_map(|(tone, reason)| reason.map(|message| view! { <Notice tone message/> }));
    let canary = function.canary.map_or_else(
        || "none".to_owned(),
        |(version, weight)| format!("version {version} gets {}", words::share(weight)),
    );
    let size = match (function.memory_mb, function.timeout_seconds) {
        (Some(memory), Some(seconds)) => format!("{memory} MB, {seconds} s"),
        (Some(memory), None) => format!("{memory} MB"),
        (None, Some(seconds)) => format!("{seconds} s"),
        (None, None) => "not known".to_owned(),
    };
    view! {
        <p class="lead"><span class="lead__label">"Version "</span>{function.version}<span class="lead__label">{format!(" behind {alias}")}</span></p>
        {notices.collect_view()}
        <Facts>
            <Fact name="State"><StatusBadge tone=state_tone label=function.state/></Fact>
            <Fact name="Last update"><StatusBadge tone=update_tone label=spaced(&function.last_update)/></Fact>
            <Fact name="Changed">
                {match function.modified {
                    Some(at) => leptos::either::Either::Left(view! { <Age at now/> }),
                    None => leptos::either::Either::Right("not known"),
                }}
            </Fact>
            <Fact name="Canary">{canary}</Fact>
            <Fact name="Runtime">{function.runtime.unwrap_or_else(|| "not known".to_owned())}</Fact>
            <Fact name="Memory, limit">{size}</Fact>
        </Facts>
    }
}

/// Lambda's words for a state and for an update.
fn tone(word: &str) -> Tone {
    match word {
        "Active" | "Successful" => Tone::Good,
        "Failed" => Tone::Bad,
        "Pending" | "InProgress" => Tone::Warn,
        "Inactive" => Tone::Plain,
        _ => Tone::Unknown,
    }
}

/// `InProgress` as people write it.
fn spaced(word: &str) -> String {
    if word == "InProgress" { "In progress".to_owned() } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_that_are_not_known_are_not_called_good() {
        assert_eq!(tone("Active"), Tone::Good);
        assert_eq!(tone("Failed"), Tone::Bad);
        assert_eq!(tone("Deactivating"), Tone::Unknown);
    }
}
