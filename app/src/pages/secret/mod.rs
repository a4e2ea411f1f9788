//! The secret's page: how its rotation stands, what is in the way of the next one, and the forms that
//! rotate, rehearse, repair and schedule.
//!
//! Nothing here is an island: the server renders what is read, and `live.js` asks it for that anew
//! ([`crate::components::refresh`]), once a second while a rotation is running. The forms are plain HTML
//! and work without JavaScript. One that somebody is at is let be (`data-hold`), and only its button
//! follows what is read (`data-follow`).

mod act;
mod attention;
mod history;
mod preflight;
pub(crate) mod proof;
mod repair;
#[cfg(test)]
mod sample;
mod schedule;
mod schedule_form;
#[cfg(test)]
mod tests;
mod timeline;
mod versions;

use leptos::prelude::*;
use model::people::Role;
use model::problem::Problem;
use model::rotation::{Rotation, RotationState, SecretPage};

use crate::components::attention::Attention;
use crate::components::card::Now;
use crate::components::notice::Notice;
use crate::components::refresh::refresh_bar;
use crate::components::status::Tone;
use crate::pages::shell::EVENTS;
use act::Acting;
use attention::{headline, matters};

/// How often the page asks, in milliseconds: its clock ticks once a second, and a little less lets no
/// tick pass unused.
const EVERY_MS: u32 = 4_900;
const EVERY_MS_RUNNING: u32 = 900;

/// The page.
pub struct SecretScreen {
    /// What it shows.
    pub page: SecretPage,
    /// What the person may do.
    pub role: Role,
    /// How the person shows once more that it is them.
    pub proof: Proof,
    /// What became of a form that was sent.
    pub forms: Forms,
    /// 32 hexadecimal digits for the next rotation: a form that is sent twice begins one.
    pub new_id: String,
    /// The rotation to show; none for the one that matters most.
    pub watch: Option<String>,
    /// Which plan for a repair stands in the page already, as its address says; none for a new page.
    pub plan: Option<String>,
}

/// How somebody shows once more that it is them, before what can break the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// With the password.
    Password,
    /// The account has none: by having signed in a moment ago.
    RecentSignIn {
        /// Whether that is so.
        fresh: bool,
    },
}

/// What became of the form that was sent: at most one of these is set.
#[derive(Debug, Clone, Default)]
pub struct Forms {
    /// What was done.
    pub done: Option<String>,
    /// Why the secret is not being rotated.
    pub rotate: Option<Problem>,
    /// Why no rehearsal was begun.
    pub rehearse: Option<Problem>,
    /// Why nothing was repaired.
    pub repair: Option<Problem>,
    /// Why the schedule is what it was.
    pub schedule: Option<Problem>,
    /// What was typed into the schedule's form.
    pub typed: TypedSchedule,
}

/// The schedule's form as it was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypedSchedule {
    /// The expression.
    pub schedule: String,
    /// The window.
    pub window_hours: String,
}

impl SecretScreen {
    /// How often the page is loaded anew where there is no JavaScript and a rotation is running.
    pub const RELOAD_SECONDS: u32 = 5;

    /// The document's title: an error comes first in it, as screen readers read it first.
    pub fn title(&self) -> &'static str {
        if self.failed() { "Error: Secret" } else { "Secret" }
    }

    /// Whether a form was not carried out. Such a page does not load itself anew: the reason has to be
    /// read.
    fn failed(&self) -> bool {
        let Forms { rotate, rehearse, repair, schedule, .. } = &self.forms;
        [rotate, rehearse, repair, schedule].into_iter().any(Option::is_some)
    }

    /// As a page.
    pub fn view(mut self) -> impl IntoView + use<> {
        let reloading = running(&self.page).is_some() && !self.failed();
        let done = self.forms.done.take();
        view! {
            {done.map(|done| view! {
                <div class="done" role="status"><Notice tone=Tone::Good message=done/></div>
            })}
            {reloading.then(|| view! {
                <noscript>
                    <p class="done hint">
                        {format!(
                            "While a rotation is running this page loads itself anew every {} seconds. What is typed into its forms is lost at that; finish it when the rotation has ended.",
                            Self::RELOAD_SECONDS,
                        )}
                    </p>
                </noscript>
            })}
            {self.fragment()}
        }
    }

    /// What is read, with what can be done about it: what the page's script asks for.
    pub fn fragment(self) -> AnyView {
        let Self { page, role, proof, forms, new_id, watch, plan } = self;
        let Forms { rotate, rehearse, repair, schedule, typed, .. } = forms;
        let now: Now = Signal::stored(page.now);
        let at_work = running(&page).is_some();
        let every = if at_work { EVERY_MS_RUNNING } else { EVERY_MS };
        let mut matters = matters(&page, page.now);
        let (headline, tone, link) = headline(&mut matters);
        let acting = Acting { role, proof, new_id, rotate, rehearse, repair };
        let plan = plan.or_else(|| repair::to_confirm(&page, role));
        let repair = repair::region(&page, plan.as_deref(), &acting, now);
        let rotate = act::region(&page, acting);
        let detail = page.secret.value.as_ref();
        let name = detail.map(|secret| secret.name.clone());
        let change = (role >= Role::Operator).then(|| schedule_form::region(detail, proof, schedule, typed));
        view! {
            <div
                id="live" data-from=own_address(watch.as_deref(), plan.as_deref()) data-every=every
                data-events=events_address(watch.as_deref()) data-now=page.now.0
            >
                <div class="page-head">
                    <h1>"Secret " <span class="page-head__name">{name}</span></h1>
                    {refresh_bar(watch.as_deref().map_or_else(|| PATH.to_owned(), timeline::address))}
                </div>
                <Attention headline link matters tone/>
                <div class="secret">
                    {timeline::region(page.rotation, now)}
                    {repair}
                    {preflight::region(page.preflight, at_work, now)}
                    {rotate}
                    {versions::region(page.secret.clone(), now)}
                    {history::users(page.users, now)}
                    {schedule::region(page.secret, now)}
                    {change}
                    {history::region(page.history, now)}
                </div>
            </div>
        }
        .into_any()
    }
}

/// Where the page is.
const PATH: &str = "/secret";

/// Where the page's script asks for it anew: the rotation that is watched, and the plan it has shown.
fn own_address(watch: Option<&str>, plan: Option<&str>) -> String {
    let asked = [watch.map(|watch| format!("rotation={watch}")), plan.map(|plan| format!("plan={plan}"))];
    let asked: Vec<String> = asked.into_iter().flatten().collect();
    if asked.is_empty() { format!("{PATH}/fragment") } else { format!("{PATH}/fragment?{}", asked.join("&")) }
}

/// Where it hears that there is something newer.
fn events_address(watch: Option<&str>) -> String {
    let watch = watch.map(|watch| format!("&rotation={watch}"));
    format!("{EVENTS}?page=secret{}", watch.unwrap_or_default())
}

/// The rotation or rehearsal that is at work.
pub fn running(page: &SecretPage) -> Option<&Rotation> {
    let rotation = page.rotation.value.as_ref()?.as_ref()?;
    (rotation.state == RotationState::Running).then_some(rotation)
}
