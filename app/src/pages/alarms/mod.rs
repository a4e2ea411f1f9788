//! The alarms' page: the stack's alarms and their past, the set it should have, who is told, and the
//! settings that observability needs; and the preview of each change.
//!
//! No island: the server renders what is read, and the script that keeps the deploys' page fresh keeps this
//! one fresh too.

mod attention;
mod list;
mod preview;
#[cfg(test)]
mod sample;
mod set;
mod settings;
#[cfg(test)]
mod tests;
mod typed;

use leptos::prelude::*;
use model::alarms::AlarmsPage;
use model::people::Role;
use model::problem::Problem;

use crate::components::attention::Attention;
use crate::components::card::Now;
use crate::components::form::FormProblem;
use crate::components::notice::Notice;
use crate::components::refresh::refresh_bar;
use crate::components::status::Tone;
use crate::pages::secret::Proof;
pub use preview::Preview;
pub use typed::{Typed, Wanted};

/// How often the page asks for itself, in milliseconds: alarms are evaluated once a minute.
const EVERY_MS: u32 = 14_900;
/// What its script asks for.
const FRAGMENT: &str = "/alarms/fragment";

/// What can be done, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acting {
    /// What the person may do.
    pub role: Role,
    /// How they show once more that it is them.
    pub proof: Proof,
}

impl Acting {
    fn may(self) -> bool {
        self.role >= Role::Operator
    }
}

/// The page.
pub struct AlarmsScreen {
    /// What it shows.
    pub page: AlarmsPage,
    /// Who looks.
    pub acting: Acting,
    /// What was done by the form that was sent.
    pub done: Option<&'static str>,
    /// Why the form that was sent can't be previewed.
    pub refused: Option<Problem>,
}

impl AlarmsScreen {
    /// The document's title: an error comes first in it, as screen readers read it first.
    pub fn title(&self) -> &'static str {
        if self.refused.is_some() { "Error: Alarms" } else { "Alarms" }
    }

    /// As a page.
    pub fn view(self) -> impl IntoView + use<> {
        let Self { page, acting, done, refused } = self;
        view! {
            <div class="page-head">
                <h1>"Alarms"</h1>
                {refresh_bar("/alarms".to_owned())}
            </div>
            {(!acting.may()).then(|| refusal(acting.role))}
            {done.map(|message| view! {
                <div class="done" role="status"><Notice tone=Tone::Good message/></div>
            })}
            {refused.map(|problem| view! { <div class="done"><FormProblem problem/></div> })}
            {fragment(page, acting)}
        }
    }
}

/// What is read, with what can be done about it: what the page's script asks for.
pub fn fragment(page: AlarmsPage, acting: Acting) -> AnyView {
    let now: Now = Signal::stored(page.now);
    let matters = attention::matters(&page);
    let headline = attention::headline(&page, matters.is_empty());
    let AlarmsPage { alarms, set, topics, history, settings, .. } = page;
    view! {
        <div id="live" data-from=FRAGMENT data-every=EVERY_MS>
            <Attention headline matters/>
            <div class="alarms">
                {list::region(alarms.clone(), now)}
                {set::region(set, &alarms, &topics, acting, now)}
                {settings::region(settings, acting, now)}
                {list::history(history, now)}
            </div>
        </div>
    }
    .into_any()
}

fn refusal(role: Role) -> AnyView {
    let words = format!(
        "You can look at everything here, and change nothing: your role is {}. Somebody with the role operator or admin can set up alarms and logging.",
        role.name()
    );
    view! { <p class="done empty">{words}</p> }.into_any()
}
