//! Whether a rotation would go through, and why not.

use leptos::prelude::*;
use model::overview::Reading;
use model::rotation::Preflight;

use crate::components::card::{Card, Freshness, Now, value_or_none};
use crate::components::checks;
use crate::components::notice::Notice;
use crate::components::status::Tone;

/// The verdict and its checks; `running` is whether a rotation is at work.
pub fn region(reading: Reading<Preflight>, running: bool, now: Now) -> AnyView {
    let freshness = Freshness::from(&reading);
    view! {
        <Card id="preflight" heading="Before you rotate" freshness now>
            {value_or_none(reading, move |preflight| body(preflight, running))}
        </Card>
    }
    .into_any()
}

fn body(preflight: Preflight, running: bool) -> impl IntoView {
    let Preflight { ready, verdict, checks } = preflight;
    // That one can't begin while another is running is as it should be.
    let tone = match (ready, running) {
        (true, _) => Tone::Good,
        (false, true) => Tone::Plain,
        (false, false) => Tone::Bad,
    };
    view! {
        <Notice tone message=verdict/>
        {checks::list(checks)}
    }
}
