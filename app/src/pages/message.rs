//! A page that only says something: nothing there, refused, failed.

use leptos::prelude::*;
use model::problem::Problem;

/// What it says.
pub struct Message {
    /// The heading.
    pub title: &'static str,
    /// The sentence and the next step.
    pub problem: Problem,
}

impl Message {
    /// As a page.
    pub fn view(self) -> impl IntoView + use<> {
        let Self { title, problem } = self;
        view! {
            <div class="message">
                <h1>{title}</h1>
                <p>{problem.message}</p>
                {problem.next.map(|next| view! { <p>{next}</p> })}
                <p><a class="button" href="/">"To the overview"</a></p>
            </div>
        }
    }
}
