//! One request, looked up by any of its names: a form with one field, and what was found on one time
//! line. Nothing moves here, so there is neither an island nor a script that would be missed.

mod found;
#[cfg(test)]
mod tests;
mod timeline;

use leptos::prelude::*;
use model::lookup::Lookup;

use crate::components::form::{Field, FieldText};
pub use found::address_of;

/// What the pages without anything that moves run: they are awake at once.
pub const STILL_SCRIPT: &str = "document.documentElement.dataset.hydrated=\"\";";

/// The form.
#[derive(Debug, Default)]
pub struct RequestsPage {
    /// What was typed.
    pub typed: String,
    /// What is wrong with it.
    pub wrong: Option<&'static str>,
}

impl RequestsPage {
    /// The document's title: an error comes first in it, as screen readers read it first.
    pub fn title(&self) -> &'static str {
        if self.wrong.is_some() { "Error: Requests" } else { "Requests" }
    }

    /// As a page.
    pub fn view(self) -> impl IntoView {
        let Self { typed, wrong } = self;
        view! {
            <div class="page-head"><h1>"Requests"</h1></div>
            <section class="card" aria-label="Look a request up">
                <div class="card__body">
                    {form(typed, wrong, true)}
                    <p class="hint">
                        "The gateway gives each caller its id in the header "<code>"apigw-requestid"</code>
                        "; the function's answers hold Lambda's as "<code>"requestId"</code>
                        "; a trace id looks like "<code>"1-5e5ffbde-\u{2026}"</code>", with or without "<code>"Root="</code>
                        ". Without a time the last week is searched, the newest hour first."
                    </p>
                </div>
            </section>
        }
    }
}

/// The form with one field.
fn form(typed: String, wrong: Option<&'static str>, first: bool) -> impl IntoView {
    let text = FieldText {
        id: "request-id",
        name: "id",
        label: "Request id or trace id",
        kind: "search",
        autocomplete: "off",
        value: typed,
        wrong,
        ..FieldText::default()
    };
    view! {
        <form class="form lookup-form" method="get" action="/requests" role="search">
            <Field text first/>
            <button class="button button--primary" type="submit">"Look it up"</button>
        </form>
    }
}

/// What was found.
pub struct RequestScreen {
    /// What it shows.
    pub lookup: Lookup,
}

impl RequestScreen {
    /// As a page.
    pub fn view(self) -> impl IntoView {
        let asked = self.lookup.asked.id().to_owned();
        view! {
            <div class="page-head">
                <h1>"Request "<span class="page-head__name">{asked.clone()}</span></h1>
            </div>
            {found::view(self.lookup)}
            <section class="card lookup-again" aria-label="Look another one up">
                <div class="card__body">{form(asked, None, false)}</div>
            </section>
        }
    }
}
