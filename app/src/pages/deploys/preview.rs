//! What a deploy would find and do, and the button that does it.

use leptos::prelude::*;
use model::check::CheckOutcome;
use model::deploy::{Code, Deploy, DeployPreview};
use model::problem::{Problem, ProblemKind};

use super::new::choice_box;
use super::versions::megabytes;
use super::{Acting, Typed};
use crate::components::checks;
use crate::components::facts::{Fact, Facts};
use crate::components::form::FormProblem;
use crate::components::id::Id;
use crate::components::notice::Notice;
use crate::components::status::Tone;
use crate::pages::secret::{Proof, proof};

/// The preview's page.
pub struct Preview {
    /// What was typed, which the page hands on.
    pub typed: Typed,
    /// What it says.
    pub deploy: Deploy,
    /// What it would find.
    pub preview: DeployPreview,
    /// Who looks.
    pub acting: Acting,
    /// Why it was not begun.
    pub refused: Option<Problem>,
}

/// The check that can be overridden.
const ALARMS: &str = "alarms";
const PASSWORD: &str = "deploy-password";

impl Preview {
    /// The document's title.
    pub fn title(&self) -> &'static str {
        if self.refused.is_some() { "Error: Check the deploy" } else { "Check the deploy" }
    }

    /// As a page.
    pub fn view(self) -> impl IntoView + use<> {
        let Self { typed, deploy, preview, acting, refused } = self;
        let DeployPreview { preflight, live, strategy } = preview;
        let tone = if preflight.ready { Tone::Good } else { Tone::Bad };
        let mut failed = preflight.checks.iter().filter(|check| check.outcome == CheckOutcome::Fail);
        let alarms = failed.clone().any(|check| check.id == ALARMS);
        let possible = preflight.ready || failed.all(|check| check.id == ALARMS);
        let problem = refused.map(|problem| {
            let wrong = problem.kind == ProblemKind::NotConfirmed && acting.proof == Proof::Password;
            view! { <div class="done"><FormProblem problem field=wrong.then_some(PASSWORD)/></div> }
        });
        view! {
            <p class="crumb"><a href="/deploys">"Deploys"</a></p>
            <div class="page-head"><h1>"Check the deploy"</h1></div>
            {problem}
            <div class="secret preview">
                <section id="preflight" class="card" aria-labelledby="preflight-heading" tabindex="-1">
                    <header class="card__head"><h2 id="preflight-heading">"Before you deploy"</h2></header>
                    <div class="card__body">
                        <Notice tone message=preflight.verdict/>
                        {checks::list(preflight.checks)}
                    </div>
                </section>
                <section id="rotate" class="card" aria-labelledby="deploy-heading" tabindex="-1">
                    <header class="card__head"><h2 id="deploy-heading">"Deploy"</h2></header>
                    <div class="card__body">
                        {plan(&typed, &deploy, live, strategy)}
                        {form(typed, acting, possible, alarms)}
                    </div>
                </section>
            </div>
        }
    }
}

/// What would be done.
fn plan(typed: &Typed, deploy: &Deploy, live: String, strategy: String) -> impl IntoView + use<> {
    let code = match &deploy.code {
        Code::Upload { sha256 } => {
            let size = typed.upload_size.parse().map(megabytes).unwrap_or_default();
            let sha256 = sha256.clone();
            view! { {format!("{} ({size}) ", typed.upload_name)} <Id id=sha256/> }.into_any()
        }
        Code::S3 { bucket, key, version } => {
            let version = version.as_ref().map(|version| format!(", version {version}")).unwrap_or_default();
            view! { <code>{format!("s3://{bucket}/{key}")}</code> {version} }.into_any()
        }
        Code::Version { version } => format!("version {version}, as it is").into_any(),
    };
    let gates = deploy.gates;
    let back = format!(
        "{} % more failures, or {} times as slow, judged from {} requests",
        gates.max_error_percent, gates.max_slowdown, gates.min_requests
    );
    let first = format!("{} {}", deploy.smoke.method, deploy.smoke.path);
    let fill = if deploy.fill { "the first request is sent again and again" } else { "it waits" };
    let description = Some(deploy.description.clone()).filter(|text| !text.is_empty());
    let commit = deploy.commit.clone();
    view! {
        <Facts>
            <Fact name="New code">{code}</Fact>
            <Fact name="Has the requests now">{format!("version {live}")}</Fact>
            {description.map(|text| view! { <Fact name="Description">{text}</Fact> })}
            {commit.map(|commit| view! { <Fact name="Commit"><code>{commit}</code></Fact> })}
            <Fact name="First request"><code>{first}</code></Fact>
            <Fact name="Strategy">{strategy}</Fact>
            <Fact name="Taken back at">{back}</Fact>
            <Fact name="Too little traffic">{fill}</Fact>
        </Facts>
    }
}

fn form(mut typed: Typed, acting: Acting, possible: bool, alarms: bool) -> impl IntoView {
    let overridden = !typed.despite_alarms.is_empty();
    // Asked for here, where the alarms are in sight: sent by the box, or by a hidden field.
    let asked_here = alarms || overridden;
    let hidden = typed
        .fields()
        .into_iter()
        .filter(|(name, value)| !(value.is_empty() || asked_here && *name == "despite_alarms"));
    let hidden = hidden.map(|(name, value)| view! { <input type="hidden" name=name value=value.clone()/> });
    let hidden = hidden.collect_view();
    let why = match possible {
        true if !acting.proof.is_possible() => Some("Sign in again first."),
        true => None,
        false => Some("Something is in the way: see what to do about it beside this."),
    };
    view! {
        <form class="form" method="post" action="/deploys/start">
            {hidden}
            {asked_here.then(|| choice_box("despite_alarms", "Deploy although alarms fire. That is put on record.", overridden))}
            {possible.then(|| proof::field_for(acting.proof, PASSWORD, None, "/sign-in?next=/deploys/new"))}
            <div class="buttons">
                <button class="button button--primary" type="submit" disabled=why.is_some()>"Deploy"</button>
                <button class="button" type="submit" formaction="/deploys/edit" formnovalidate>"Change it"</button>
                <button class="button" type="submit" formaction="/deploys/check" formnovalidate>"Check again"</button>
            </div>
            {why.map(|why| view! { <p class="why">{why}</p> })}
        </form>
    }
}
