//! What a form would change, and the button that does it.

use leptos::prelude::*;
use model::alarms::{Change, ChangePreview};
use model::problem::{Problem, ProblemKind};

use super::{Acting, Typed};
use crate::components::form::FormProblem;
use crate::components::notice::Notice;
use crate::components::status::Tone;
use crate::pages::secret::{Proof, proof};

const PASSWORD: &str = "alarms-password";

/// The preview's page.
pub struct Preview {
    /// What was typed, which the page hands on.
    pub typed: Typed,
    /// What it would change.
    pub preview: ChangePreview,
    /// Who looks.
    pub acting: Acting,
    /// Why it was not done.
    pub refused: Option<Problem>,
}

impl Preview {
    /// The document's title.
    pub fn title(&self) -> &'static str {
        if self.refused.is_some() { "Error: Check the change" } else { "Check the change" }
    }

    /// As a page.
    pub fn view(self) -> impl IntoView + use<> {
        let Self { typed, preview, acting, refused } = self;
        let ChangePreview { changes, warnings, seen } = preview;
        let nothing = changes.is_empty();
        let problem = refused.map(|problem| {
            let wrong = problem.kind == ProblemKind::NotConfirmed && acting.proof == Proof::Password;
            view! { <div class="done"><FormProblem problem field=wrong.then_some(PASSWORD)/></div> }
        });
        let warnings = warnings.into_iter().map(|message| view! { <Notice tone=Tone::Warn message/> });
        view! {
            <p class="crumb"><a href="/alarms">"Alarms"</a></p>
            <div class="page-head"><h1>"Check the change"</h1></div>
            {problem}
            <section id="changes" class="card" aria-labelledby="changes-heading" tabindex="-1">
                <header class="card__head"><h2 id="changes-heading">"What would be changed"</h2></header>
                <div class="card__body">
                    {nothing.then(|| view! {
                        <Notice tone=Tone::Good message="Nothing: all is as it is to be."/>
                    })}
                    <ul class="list alarms__changes">{changes.into_iter().map(change).collect_view()}</ul>
                    {warnings.collect_view()}
                    {(!nothing).then(|| form(&typed, seen, acting))}
                    {nothing.then(|| view! { <p><a href="/alarms">"Back to the alarms"</a></p> })}
                </div>
            </section>
        }
    }
}

fn change(change: Change) -> impl IntoView {
    let Change { what, from, to } = change;
    view! {
        <li>
            <p class="checks__title">{what}</p>
            {from.map(|from| view! { <p class="checks__evidence">"from " {from}</p> })}
            <p class="checks__evidence">"to " {to}</p>
        </li>
    }
}

fn form(typed: &Typed, seen: String, acting: Acting) -> impl IntoView + use<> {
    let hidden = typed
        .fields()
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value/> });
    view! {
        <form class="form form--narrow" method="post" action="/alarms/apply">
            {hidden.collect_view()}
            <input type="hidden" name="seen" value=seen/>
            {proof::field_for(acting.proof, PASSWORD, None, "/sign-in?next=/alarms")}
            <div class="buttons">
                <button class="button button--primary" type="submit" disabled=!acting.proof.is_possible()>"Change it"</button>
                <a class="button" href="/alarms">"Leave it"</a>
            </div>
        </form>
    }
}
