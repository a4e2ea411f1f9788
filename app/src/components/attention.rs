//! What has to be looked at on a page: one bar above everything else.

use leptos::either::Either;
use leptos::prelude::*;
use model::overview::Reading;

use super::status::{StatusMark, Tone};

/// One thing that has to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matter {
    /// What it is.
    pub words: String,
    /// How grave it is.
    pub tone: Tone,
    /// Link to the region that says more.
    pub region: &'static str,
}

/// In the order in which they are shown.
pub fn gravest_first(mut matters: Vec<Matter>) -> Vec<Matter> {
    matters.sort_by_key(|matter| std::cmp::Reverse(matter.tone));
    matters
}

/// A part that could not be read is no good news: it is a matter, too.
pub fn unread<T>(
    region: &'static str,
    name: &str,
    reading: &Reading<T>,
    add: &mut impl FnMut(&'static str, Tone, String),
) {
    if reading.problem.is_some() {
        add(region, Tone::Warn, format!("{name} could not be read"));
    }
}

/// The bar, as grave as the gravest of them, with a link to each. Read out when it changes.
#[component]
pub fn Attention(
    /// What it says first.
    headline: String,
    /// Where that leads.
    #[prop(optional_no_strip)]
    link: Option<&'static str>,
    /// How grave that is.
    #[prop(default = Tone::Good)]
    tone: Tone,
    /// What else there is.
    matters: Vec<Matter>,
) -> impl IntoView {
    let tone = matters.iter().map(|matter| matter.tone).fold(tone, Tone::max);
    let items = matters.into_iter().map(|matter| {
        view! { <li><a href=matter.region>{matter.words}</a></li> }
    });
    let headline = match link {
        Some(region) => Either::Left(view! { <a href=region>{headline}</a> }),
        None => Either::Right(headline),
    };
    view! {
        <div class=format!("attention attention--{}", tone.name()) role="status">
            <StatusMark tone/>
            <p class="attention__headline">{headline}</p>
            <ul class="attention__list">{items.collect_view()}</ul>
        </div>
    }
}
