//! Rotating and rehearsing: the two forms, and when their buttons can be used.

use leptos::prelude::*;
use model::people::Role;
use model::problem::Problem;
use model::rotation::{Preflight, SecretPage};

use super::{Proof, proof, running};
use crate::components::form::FormProblem;

/// What can be done, and what came of it.
#[derive(Debug, Clone)]
pub struct Acting {
    /// What the person may do.
    pub role: Role,
    /// How they show once more that it is them.
    pub proof: Proof,
    /// The next rotation's id.
    pub new_id: String,
    /// Why the secret is not being rotated.
    pub rotate: Option<Problem>,
    /// Why no rehearsal was begun.
    pub rehearse: Option<Problem>,
    /// Why nothing was repaired.
    pub repair: Option<Problem>,
}

/// Whether the secret can be rotated now.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Gate {
    Open,
    /// A sentence stands in place of the button.
    Running(&'static str),
    /// The button can't be used, and why.
    Shut(&'static str),
}

/// The two forms.
pub fn region(page: &SecretPage, acting: Acting) -> AnyView {
    let forms = match acting.role >= Role::Operator {
        true => forms(gate(page, acting.proof), acting).into_any(),
        false => proof::refusal(acting.role),
    };
    view! {
        <section id="rotate" class="card" aria-labelledby="rotate-heading" tabindex="-1">
            <header class="card__head"><h2 id="rotate-heading">"Rotate now"</h2></header>
            <div class="card__body">{forms}</div>
        </section>
    }
    .into_any()
}

/// While somebody is at a form its button alone follows what is read, and what it asks for comes when it
/// is missing. The id stays the one that the page was loaded with, so that what is sent twice begins one
/// rotation.
fn forms(gate: Gate, acting: Acting) -> impl IntoView + use<> {
    let Acting { proof, new_id, rotate, rehearse, .. } = acting;
    let at_work = matches!(gate, Gate::Running(_));
    // Nothing is asked for while a rotation is running.
    let asked = (!at_work).then(|| proof::field(proof, "rotate-password", rotate.as_ref()));
    let id = new_id.clone();
    view! {
        <form class="form" method="post" action="/secret/rotate" data-hold="">
            {rotate.map(|problem| {
                let field = proof::field_to_mend(proof, "rotate-password", &problem);
                view! { <FormProblem problem field/> }
            })}
            <p>"Gives the login a new password in four steps. The API goes on answering meanwhile."</p>
            <input type="hidden" name="id" value=id data-hold="always"/>
            <div id="rotate-proof" class="form__part" data-follow="once">{asked}</div>
            <div id="rotate-act" class="form__part" data-follow="">{button(gate)}</div>
        </form>
        <form class="form form--second" method="post" action="/secret/rehearse" data-hold="">
            {rehearse.map(|problem| view! { <FormProblem problem/> })}
            <p>"A rehearsal tries the login once more (" <code>"testSecret"</code> ") and changes nothing."</p>
            <input type="hidden" name="id" value=new_id data-hold="always"/>
            <button id="rehearse-act" class="button" type="submit" disabled=at_work data-follow="">"Rehearse"</button>
        </form>
    }
}

fn button(gate: Gate) -> AnyView {
    let why = match gate {
        Gate::Running(sentence) => return view! { <p class="why">{sentence}</p> }.into_any(),
        Gate::Shut(why) => Some(why),
        Gate::Open => None,
    };
    view! {
        <button class="button button--primary" type="submit" disabled=why.is_some() aria-describedby="rotate-why">
            "Rotate now"
        </button>
        <p class="why" id="rotate-why">{why}</p>
    }
    .into_any()
}

fn gate(page: &SecretPage, proof: Proof) -> Gate {
    match (running(page), &page.preflight.value) {
        (Some(rotation), _) if rotation.rehearsal => {
            Gate::Running("A rehearsal is running: rotate when it has ended.")
        }
        (Some(_), _) => Gate::Running("A rotation is running: the next one can begin when it has ended."),
        (None, None) => Gate::Shut("What is in the way of a rotation could not be found out."),
        (None, Some(Preflight { ready: false, .. })) => Gate::Shut(
            "Something is in the way: see what to do about it under \u{201c}Before you rotate\u{201d}.",
        ),
        (None, Some(_)) if !proof.is_possible() => Gate::Shut("Sign in again first."),
        (None, Some(_)) => Gate::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::secret::sample;
    use model::overview::Reading;
    use model::problem::ProblemKind;

    #[test]
    fn the_gate_is_open_only_when_nothing_is_in_the_way() {
        let mut unread = sample::healthy();
        unread.preflight = Reading::missing(Problem::new(ProblemKind::Forbidden, "No."), sample::NOW);
        let mut rehearsing = sample::running();
        rehearsing.rotation.value.as_mut().unwrap().as_mut().unwrap().rehearsal = true;
        let (fresh, old) = (Proof::RecentSignIn { fresh: true }, Proof::RecentSignIn { fresh: false });
        let table = [
            (sample::healthy(), Proof::Password, "open"),
            (sample::healthy(), fresh, "open"),
            (sample::healthy(), old, "shut: Sign in again"),
            (sample::running(), Proof::Password, "running: A rotation"),
            (rehearsing, old, "running: A rehearsal"),
            (sample::half_done(), Proof::Password, "shut: Something is in the way"),
            (unread, Proof::Password, "shut: What is in the way"),
        ];
        for (page, proof, expected) in table {
            let words = match gate(&page, proof) {
                Gate::Open => "open".to_owned(),
                Gate::Running(sentence) => format!("running: {sentence}"),
                Gate::Shut(why) => format!("shut: {why}"),
            };
            assert!(words.starts_with(expected), "{words}, expected {expected}");
        }
    }
}
