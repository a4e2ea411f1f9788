//! The secret's page: how its rotation stands, what is in the way of the next one, and the forms that
//! rotate, rehearse, repair and schedule.
//!
//! What is read lives in one island, which asks every second while a rotation is running. The forms
//! are plain HTML and are sent as such: they work without JavaScript, and where the page refreshes
//! itself they are left alone, as somebody may be typing in them. Only their buttons follow what is
//! read.

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
#[cfg(all(test, feature = "ssr"))]
mod tests;
mod timeline;
mod versions;

use leptos::prelude::*;
use model::people::Role;
use model::problem::Problem;
use model::rotation::{Rotation, RotationState, SecretPage};
use serde::{Deserialize, Serialize};

use crate::calls::secret::get_secret;
use crate::components::attention::Attention;
use crate::components::live::{Beat, EVERY_MS, Live, RefreshBar};
use crate::components::notice::Notice;
use crate::components::status::Tone;
use act::Acting;
use attention::{headline, matters};

/// How often the page asks while a rotation is running. The clock of the page ticks once a second;
/// a little less lets no tick pass unused.
const EVERY_MS_RUNNING: i64 = 900;

/// The page.
pub struct SecretScreen {
    /// What it shows at first.
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
}

/// How somebody shows once more that it is them, before what can break the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
    pub fn view(self) -> impl IntoView + use<> {
        let reloading = running(&self.page).is_some() && !self.failed();
        let Self { page, role, proof, forms, new_id, watch } = self;
        let Forms { done, rotate, rehearse, repair, schedule, typed } = forms;
        let may = role >= Role::Operator;
        let detail = page.secret.value.clone();
        let change = may.then(|| schedule_form::region(detail.as_ref(), proof, schedule, typed));
        let acting = Acting { role, proof, new_id, rotate, rehearse, repair };
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
            <LiveSecret initial=page acting watch>{change}</LiveSecret>
        }
    }
}

/// The secret, refreshing itself around the form that stands between its parts.
#[island]
fn LiveSecret(
    /// What the server read.
    initial: SecretPage,
    /// What can be done, and what came of it.
    acting: Acting,
    /// The rotation to show.
    watch: Option<String>,
    /// The form that changes the schedule; the browser's program knows nothing of it.
    children: Children,
) -> impl IntoView {
    let address = watch.as_ref().map_or_else(|| "/secret".to_owned(), |token| timeline::address(token));
    let page = RwSignal::new(initial);
    let live = Live::start(page.with_untracked(beat), move |active| {
        let question = get_secret(watch.clone(), active);
        Box::pin(async move {
            let newer = question.await?;
            let next = beat(&newer);
            page.set(newer);
            Ok(next)
        })
    });
    let now = live.now();
    let rotation = Memo::new(move |_| page.with(|page| page.rotation.clone()));
    let preflight = Memo::new(move |_| page.with(|page| page.preflight.clone()));
    let secret = Memo::new(move |_| page.with(|page| page.secret.clone()));
    let users = Memo::new(move |_| page.with(|page| page.users.clone()));
    let history = Memo::new(move |_| page.with(|page| page.history.clone()));
    let matters = Memo::new(move |_| page.with(|page| matters(page, now.get())));
    let at_work = Memo::new(move |_| page.with(|page| running(page).is_some()));
    let name = Memo::new(move |_| secret.with(|secret| secret.value.as_ref().map(|it| it.name.clone())));
    view! {
        <div class="page-head">
            <h1>
                "Secret "
                <span class="page-head__name">{move || name.get()}</span>
            </h1>
            <RefreshBar live address/>
        </div>
        {move || {
            let mut matters = matters.get();
            let (headline, tone, link) = headline(&mut matters);
            view! { <Attention headline link matters tone/> }
        }}
        <div class="secret">
            {move || timeline::region(rotation.get(), now)}
            {repair::region(page, name, &acting, now)}
            {move || preflight::region(preflight.get(), at_work.get(), now)}
            {act::region(page, acting)}
            {move || versions::region(secret.get(), now)}
            {move || history::users(users.get(), now)}
            {move || schedule::region(secret.get(), now)}
            {children()}
            {move || history::region(history.get(), now)}
        </div>
    }
}

fn beat(page: &SecretPage) -> Beat {
    let every_ms = if running(page).is_some() { EVERY_MS_RUNNING } else { EVERY_MS };
    Beat { at: page.now, every_ms }
}

/// The rotation or rehearsal that is at work.
fn running(page: &SecretPage) -> Option<&Rotation> {
    let rotation = page.rotation.value.as_ref()?.as_ref()?;
    (rotation.state == RotationState::Running).then_some(rotation)
}
