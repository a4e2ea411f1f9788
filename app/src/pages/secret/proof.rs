//! How somebody shows once more that it is them: the part that the forms share.

use leptos::prelude::*;
use model::people::Role;
use model::problem::{Problem, ProblemKind};

use super::Proof;
use crate::components::form::{Field, FieldText};

impl Proof {
    /// Whether the form can be sent: nothing is missing that can't be typed in.
    pub(crate) fn is_possible(self) -> bool {
        self != Self::RecentSignIn { fresh: false }
    }
}

/// What is asked for: the password, or a sign-in that is fresh enough.
pub fn field(proof: Proof, id: &'static str, problem: Option<&Problem>) -> AnyView {
    field_for(proof, id, problem, "/sign-in?next=/secret")
}

/// The same, with the address of the sign-in that leads back.
pub fn field_for(
    proof: Proof,
    id: &'static str,
    problem: Option<&Problem>,
    sign_in: &'static str,
) -> AnyView {
    match proof {
        Proof::Password => view! { <Field text=password(id, problem)/> }.into_any(),
        Proof::RecentSignIn { fresh: true } => view! {
            <p class="hint">"You have signed in a moment ago: nothing more has to be shown."</p>
        }
        .into_any(),
        Proof::RecentSignIn { fresh: false } => view! {
            <p class="hint">
                "Your account has no password, so you have to have signed in a moment ago. "
                <a href=sign_in>"Sign in again"</a>
                " with a new link, and come back."
            </p>
        }
        .into_any(),
    }
}

/// The field to mend, if the problem is this one's.
pub fn field_to_mend(proof: Proof, id: &'static str, problem: &Problem) -> Option<&'static str> {
    (proof == Proof::Password && problem.kind == ProblemKind::NotConfirmed).then_some(id)
}

/// Who can do what this person can't.
pub fn refusal(role: Role) -> AnyView {
    let words = format!(
        "You can look at everything here, and change nothing: your role is {}. Somebody with the role operator or admin can rotate, repair and schedule.",
        role.name()
    );
    view! { <p class="empty">{words}</p> }.into_any()
}

fn password(id: &'static str, problem: Option<&Problem>) -> FieldText {
    let wrong = problem.is_some_and(|problem| problem.kind == ProblemKind::NotConfirmed);
    FieldText {
        id,
        name: "password",
        label: "Your password",
        kind: "password",
        autocomplete: "current-password",
        wrong: wrong.then_some("Enter the password you sign in with."),
        ..FieldText::default()
    }
}
