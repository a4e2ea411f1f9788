//! What can be done to a rollout and to what has the requests: plain forms, each of which names what it
//! was shown for, so that the second of two people is refused.
//!
//! Forms with a password are marked `data-hold`: while somebody is at one, the page's script lets it be.

use leptos::prelude::*;
use model::deploy::{Live, Rollout, RolloutState, Verdict};
use model::people::Role;

use super::{Act, Acting};
use crate::components::form::{Field, FieldText};

/// The way to a new deploy; it stands back while a rollout is under way, as none can begin then.
pub fn new_deploy(under_way: bool) -> AnyView {
    let class = if under_way { "button" } else { "button button--primary" };
    view! { <a class=class href="/deploys/new">"New deploy"</a> }.into_any()
}

/// Who can do what this person can't.
pub fn refusal(role: Role) -> AnyView {
    let words = format!(
        "You can look at everything here, and change nothing: your role is {}. Somebody with the role operator or admin can deploy, promote and roll back.",
        role.name()
    );
    view! { <p class="done empty">{words}</p> }.into_any()
}

/// Pause, resume, requests; promote and roll back. Nothing for viewers.
pub fn steering(rollout: &Rollout, acting: Acting) -> Option<AnyView> {
    acting.may().then(|| {
        view! {
            <div class="steering">
                {decide(rollout, acting)}
                <div class="steering__lesser">{steer(rollout)}</div>
            </div>
        }
        .into_any()
    })
}

fn steer(rollout: &Rollout) -> impl IntoView + use<> {
    let pausing = match rollout.state {
        RolloutState::Watching => Some(("pause", "/deploys/pause", "Pause")),
        RolloutState::Paused => Some(("resume", "/deploys/resume", "Resume")),
        _ => None,
    };
    let few = rollout.gate.as_ref().is_some_and(|gate| gate.verdict == Verdict::TooFew);
    let watched = matches!(rollout.state, RolloutState::Watching | RolloutState::Paused);
    let id = rollout.id.clone();
    let count = FieldText {
        id: "requests-count",
        name: "count",
        label: "Requests (1 to 100)",
        kind: "number",
        autocomplete: "off",
        value: "20".to_owned(),
        ..FieldText::default()
    };
    view! {
        {pausing.map(|(name, action, label)| view! {
            <form id=name method="post" action=action>
                <input type="hidden" name="rollout" value=rollout.id.clone()/>
                <button class="button" type="submit">{label}</button>
            </form>
        })}
        {(few && watched).then(|| view! {
            <form id="requests" class="form form--line" method="post" action="/deploys/requests" data-hold="">
                <input type="hidden" name="rollout" value=id/>
                <Field text=count/>
                <button class="button" type="submit">"Send requests"</button>
            </form>
        })}
    }
}

fn decide(rollout: &Rollout, acting: Acting) -> impl IntoView + use<> {
    let possible = acting.proof.is_possible();
    let promotable = matches!(rollout.state, RolloutState::Watching | RolloutState::Paused);
    let back = rollout.new.clone().unwrap_or_default();
    let why = FieldText {
        id: "decide-why",
        name: "why",
        label: "Why (of a roll back; may be left empty)",
        kind: "text",
        autocomplete: "off",
        optional: true,
        ..FieldText::default()
    };
    view! {
        <form id=format!("decide-{}", rollout.id) class="form" method="post" action="/deploys/rollback" data-hold="">
            <input type="hidden" name="rollout" value=rollout.id.clone()/>
            <input type="hidden" name="from" value=back/>
            <input type="hidden" name="to" value=rollout.old.clone()/>
            <Field text=why/>
            {acting.proof_field(Act::Decide)}
            <div class="buttons">
                <button class="button button--danger" type="submit" disabled=!possible>
                    {if promotable { "Roll back now" } else { "Stop it now" }}
                </button>
                <button class="button" type="submit" formaction="/deploys/promote" disabled=!possible || !promotable>
                    "Promote now"
                </button>
            </div>
            <p class="hint">
                {if promotable {
                    "Rolling back gives the old version all requests at once; promoting gives them to the new one, whatever its figures say."
                } else {
                    "The new version has no requests yet. It can be promoted once it has answered its first."
                }}
            </p>
        </form>
    }
}

/// To the version before, with one click; where there is none, that.
pub fn go_back(live: &Live, acting: Acting) -> Option<AnyView> {
    if !acting.may() {
        return None;
    }
    // A share that nobody's rollout gave is taken back first.
    let (from, to) = match (&live.weight, &live.previous) {
        (Some((other, _)), _) => (other.clone(), live.version.clone()),
        (None, Some(previous)) => (live.version.clone(), previous.clone()),
        (None, None) => {
            let words =
                "There is no version to go back to with one click. Any that is there can be deployed.";
            return Some(view! { <p class="why">{words}</p> }.into_any());
        }
    };
    let words = match live.weight {
        Some(_) => format!("Give version {to} all requests"),
        None => format!("Roll back to version {to}"),
    };
    let id = format!("go-back-{from}-{to}");
    Some(
        view! {
            <form id=id class="form form--second" method="post" action="/deploys/rollback" data-hold="">
                <input type="hidden" name="from" value=from/>
                <input type="hidden" name="to" value=to/>
                {acting.proof_field(Act::GoBack)}
                <button class="button button--danger" type="submit" disabled=!acting.proof.is_possible()>{words}</button>
            </form>
        }
        .into_any(),
    )
}
