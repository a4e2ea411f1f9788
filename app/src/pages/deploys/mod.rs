//! The deploys' page: what has the requests, the rollout under way and what can be done to it, the
//! versions, the HTTP API in front, and what was changed before; and the way to a new deploy.
//!
//! Nothing here is an island: the server renders what is read, and `live.js` asks it for that anew and
//! puts it in place of what stands there ([`crate::components::refresh`]). So the page needs none of the browser's program,
//! and is the same page without JavaScript.

mod act;
mod api;
mod attention;
mod gate;
mod history;
mod live;
mod new;
mod preview;
mod rollout;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
mod typed;
mod versions;

use leptos::prelude::*;
use model::deploy::{DeploysPage, Rollout};
use model::people::Role;
use model::problem::{Problem, ProblemKind};

use crate::components::attention::Attention;
use crate::components::card::Now;
use crate::components::form::FormProblem;
use crate::components::notice::Notice;
use crate::components::refresh::refresh_bar;
use crate::components::status::Tone;
use crate::pages::secret::{Proof, proof};
use crate::pages::shell::FRAGMENT;
pub use new::NewDeploy;
pub use preview::Preview;
pub use typed::{Typed, Wrong};
pub use versions::megabytes;

/// What shows how far an upload is.
pub const UPLOAD_SCRIPT: &str = include_str!("upload.js");

/// The largest zip that Lambda takes directly, in bytes.
pub const LARGEST_ZIP: usize = 50 * 1024 * 1024;

/// How often the page asks, in milliseconds: its clock ticks once a second, and a little less lets no
/// tick pass unused.
const EVERY_MS: u32 = 4_900;
const EVERY_MS_RUNNING: u32 = 900;

/// The page.
pub struct DeploysScreen {
    /// What it shows.
    pub page: DeploysPage,
    /// What the person may do, and whose portal this is.
    pub acting: Acting,
    /// What was done by the form that was sent.
    pub done: Option<String>,
    /// The form that was not carried out, and why.
    pub refused: Option<(Act, Problem)>,
    /// What is said of the last operation, where it was refused when nobody waited for it any more.
    pub refused_late: Option<String>,
}

/// What can be done, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acting {
    /// What the person may do.
    pub role: Role,
    /// How they show once more that it is them.
    pub proof: Proof,
    /// Whether this portal takes rollouts from step to step.
    pub drives: bool,
}

/// The forms of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Pause, resume, or send requests: nothing has to be shown for it.
    Steer,
    /// Promote, or roll back, during a rollout.
    Decide,
    /// Go back to the version before.
    GoBack,
    /// Delete old versions.
    Prune,
    /// Lead an integration to the alias.
    Point,
    /// Deploy the HTTP API.
    DeployApi,
}

impl Act {
    /// Its password's field.
    fn password(self) -> &'static str {
        match self {
            Self::Steer => "rollout",
            Self::Decide => "decide-password",
            Self::GoBack => "go-back-password",
            Self::Prune => "prune-password",
            Self::Point => "point-password",
            Self::DeployApi => "deploy-api-password",
        }
    }
}

impl Acting {
    fn may(self) -> bool {
        self.role >= Role::Operator
    }

    /// The password's field of a form, or what stands in its place.
    fn proof_field(self, act: Act) -> AnyView {
        proof::field_for(self.proof, act.password(), None, SIGN_IN)
    }
}

/// The sign-in that leads back here.
const SIGN_IN: &str = "/sign-in?next=/deploys";

impl DeploysScreen {
    /// How often the page is loaded anew where there is no JavaScript and a rollout is under way.
    pub const RELOAD_SECONDS: u32 = 5;

    /// The document's title: an error comes first in it, as screen readers read it first.
    pub fn title(&self) -> &'static str {
        if self.refused.is_some() { "Error: Deploys" } else { "Deploys" }
    }

    /// As a page.
    pub fn view(self) -> impl IntoView + use<> {
        let under_way = running(&self.page).is_some();
        let reloading = under_way && self.refused.is_none();
        let Self { page, acting, done, refused, refused_late } = self;
        view! {
            <div class="page-head">
                <h1>"Deploys"</h1>
                {acting.may().then(|| act::new_deploy(under_way))}
                {refresh_bar("/deploys".to_owned())}
            </div>
            {(!acting.may()).then(|| act::refusal(acting.role))}
            {done.map(|done| view! {
                <div class="done" role="status"><Notice tone=Tone::Good message=done/></div>
            })}
            {refused.map(|(act, problem)| {
                let field = (problem.kind == ProblemKind::NotConfirmed && acting.proof == Proof::Password)
                    .then_some(act.password());
                view! { <div class="done"><FormProblem problem field/></div> }
            })}
            {reloading.then(|| view! {
                <noscript>
                    <p class="done hint">
                        {format!(
                            "While a rollout is under way this page loads itself anew every {} seconds. What is typed into its forms is lost at that.",
                            Self::RELOAD_SECONDS,
                        )}
                    </p>
                </noscript>
            })}
            {fragment(page, acting, refused_late)}
        }
    }
}

/// What is read, with what can be done about it, and what is said of an operation that was refused in the
/// background: what the page's script asks for.
pub fn fragment(page: DeploysPage, acting: Acting, refused_late: Option<String>) -> AnyView {
    let at = page.now;
    let now: Now = Signal::stored(at);
    let every = if running(&page).is_some() { EVERY_MS_RUNNING } else { EVERY_MS };
    let mut matters = attention::matters(&page, acting.drives);
    let (headline, tone, link) = attention::headline(&mut matters);
    let DeploysPage { live, rollout, versions, api, history, .. } = page;
    let front = live.value.clone();
    let prunable = versions.clone();
    view! {
        <div id="live" data-from=FRAGMENT data-every=every data-events="/events?page=deploys">
            {refused_late.map(|message| view! {
                <div class="done" role="status"><Notice tone=Tone::Bad message/></div>
            })}
            <Attention headline link matters tone/>
            <div class="deploys">
                {rollout::region(rollout.clone(), front.as_ref(), acting, now)}
                {live::region(live, rollout.value.flatten().as_ref(), acting, now)}
                {versions::region(versions, front.as_ref(), acting, now)}
                {versions::prune(prunable, acting, now)}
                {api::region(api, acting, now)}
                {history::region(history, now)}
            </div>
        </div>
    }
    .into_any()
}

/// The rollout that is under way.
pub fn running(page: &DeploysPage) -> Option<&Rollout> {
    let rollout = page.rollout.value.as_ref()?.as_ref()?;
    (!rollout.state.is_over()).then_some(rollout)
}
