//! Something that people have to be told.

use leptos::prelude::*;
use model::problem::Problem;

use super::status::{StatusMark, Tone};

/// A sentence, and what to do next.
#[component]
pub fn Notice(
    /// How grave it is.
    tone: Tone,
    /// The sentence.
    #[prop(into)]
    message: String,
    /// What to do next.
    #[prop(optional_no_strip, into)]
    next: Option<String>,
) -> impl IntoView {
    view! {
        <div class=format!("notice notice--{}", tone.name())>
            <StatusMark tone/>
            <div class="notice__text">
                <p>{message}</p>
                {next.map(|next| view! { <p class="notice__next">{next}</p> })}
            </div>
        </div>
    }
}

/// A problem, in its own words.
#[component]
pub fn ProblemNotice(
    /// What went wrong.
    problem: Problem,
) -> impl IntoView {
    view! { <Notice tone=Tone::Warn message=problem.message next=problem.next/> }
}
