//! A rotation that was left half done: what happened, each label move before it is made, and the form
//! that makes them.
//!
//! A plan that can be carried out stays as it was shown first (`data-hold`), as somebody may be reading it
//! or typing the name. Which one that is goes along in the address of what the page asks for; when another
//! one is right by now, the page says so in place of the button. The server refuses a plan that is not
//! right any more in any case.

use std::hash::{DefaultHasher, Hash, Hasher};

use leptos::prelude::*;
use model::people::Role;
use model::problem::ProblemKind;
use model::rotation::{LabelMove, RepairPlan, SecretPage};

use super::act::Acting;
use super::proof;
use crate::components::card::{Card, Freshness, Now};
use crate::components::form::{Field, FieldText, FormProblem};
use crate::components::table::{Cell, Table};

/// The plan that was shown first, beside the one that is right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Right,
    Gone,
    Other,
}

/// The plan that is right now, and that this person could carry out: 16 hexadecimal digits which say what
/// would be confirmed.
pub fn to_confirm(page: &SecretPage, role: Role) -> Option<String> {
    right(page).filter(|plan| role >= Role::Operator && !plan.moves.is_empty()).map(digest)
}

/// The same for the same rotation and the same moves. Another program may make another of it: then the
/// page says that things have changed.
fn digest(plan: &RepairPlan) -> String {
    let mut hasher = DefaultHasher::new();
    plan.token.hash(&mut hasher);
    for LabelMove { label, from, to, why } in &plan.moves {
        (label, from, to, why).hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

fn right(page: &SecretPage) -> Option<&RepairPlan> {
    page.repair.value.as_ref()?.as_ref()
}

/// Only where there is something to repair, or that could not be found out. `shown` is the plan that the
/// page shows.
pub fn region(page: &SecretPage, shown: Option<&str>, acting: &Acting, now: Now) -> Option<AnyView> {
    let freshness = Freshness::from(&page.repair);
    let plan = right(page);
    if plan.is_none() && shown.is_none() && freshness.problem.is_none() {
        return None;
    }
    let name = page.secret.value.as_ref().map(|secret| secret.name.clone());
    let body = match (standing(shown, plan), plan) {
        (Standing::Right, plan) => plan.map(|plan| body(plan.clone(), name, acting, now)),
        // Of the plan that it shows the page keeps all but this.
        (gone, _) => Some(held(button(gone, acting).into_any())),
    };
    Some(view! { <Card id="repair" heading="Repair" freshness now>{body}</Card> }.into_any())
}

fn standing(shown: Option<&str>, right: Option<&RepairPlan>) -> Standing {
    match (shown, right) {
        (None, _) => Standing::Right,
        (Some(_), None) => Standing::Gone,
        (Some(shown), Some(right)) if shown == digest(right) => Standing::Right,
        (Some(_), Some(_)) => Standing::Other,
    }
}

fn held(plan: AnyView) -> AnyView {
    view! { <div id="repair-plan" class="repair" data-hold="always">{plan}</div> }.into_any()
}

fn body(plan: RepairPlan, name: Option<String>, acting: &Acting, now: Now) -> AnyView {
    let evidence = plan.evidence.iter().map(|sentence| view! { <li>{sentence.clone()}</li> });
    let evidence = evidence.collect_view();
    let (happened, outcome, moves) = (plan.happened.clone(), plan.outcome.clone(), plan.moves.clone());
    let may = acting.role >= Role::Operator;
    let what = match moves.is_empty() {
        true => view! { <p><strong>"What to do: "</strong>{outcome}</p> }.into_any(),
        false => view! {
            <div class="repair__moves">
                <h3>"What will be done to labels, in this order"</h3>
                {table(moves.clone(), now)}
            </div>
            <p><strong>"Afterwards: "</strong>{outcome}</p>
            {match may {
                true => form(plan, name, acting).into_any(),
                false => proof::refusal(acting.role),
            }}
        }
        .into_any(),
    };
    let whole = view! {
        <p class="repair__happened">{happened}</p>
        <ul class="list">{evidence}</ul>
        {what}
    }
    .into_any();
    if may && !moves.is_empty() { held(whole) } else { whole }
}

fn table(moves: Vec<LabelMove>, now: Now) -> impl IntoView {
    let rows = moves.into_iter().map(|step| {
        let nowhere = || Cell::Text("nowhere: it is taken away".to_owned());
        vec![
            Cell::Labels(vec![step.label]),
            Cell::Id(step.from),
            step.to.map_or_else(nowhere, Cell::Id),
            Cell::Text(step.why),
        ]
    });
    view! { <Table caption="Label moves" columns=&["Label", "From version", "To version", "Why"] rows=rows.collect() now/> }
}

fn form(plan: RepairPlan, name: Option<String>, acting: &Acting) -> impl IntoView + use<> {
    // A plan is strings in a list: it can always be written.
    let moves = serde_json::to_string(&plan.moves).unwrap_or_default();
    let (proof, repair) = (acting.proof, &acting.repair);
    let unlike = repair.as_ref().is_some_and(|problem| problem.kind == ProblemKind::Invalid);
    let confirm = FieldText {
        id: "repair-confirm",
        name: "confirm",
        label: "The secret's name",
        kind: "text",
        autocomplete: "off",
        wrong: unlike.then_some("Type the name exactly as it stands below."),
        explained_by: Some("repair-name"),
        ..FieldText::default()
    };
    let field = match unlike {
        true => Some("repair-confirm"),
        false => repair.as_ref().and_then(|problem| proof::field_to_mend(proof, "repair-password", problem)),
    };
    view! {
        <form class="form form--narrow" method="post" action="/secret/repair">
            {repair.clone().map(|problem| view! { <FormProblem problem field/> })}
            <input type="hidden" name="token" value=plan.token/>
            <input type="hidden" name="moves" value=moves/>
            <div>
                <Field text=confirm/>
                <p class="hint" id="repair-name">
                    "Typed in to show that this is the one: "
                    <code id="repair-name-now" data-follow="">{name.unwrap_or_else(|| "as AWS names it".to_owned())}</code>
                </p>
            </div>
            {proof::field(proof, "repair-password", repair.as_ref())}
            {button(Standing::Right, acting)}
        </form>
    }
}

/// The button, or why it is gone.
fn button(standing: Standing, acting: &Acting) -> impl IntoView + use<> {
    let (possible, button) = (acting.proof.is_possible(), "button button--primary");
    let content = match standing {
        Standing::Right => {
            view! { <button class=button type="submit" disabled=!possible>"Repair"</button> }.into_any()
        }
        Standing::Gone => view! {
            <p class="why">"There is nothing left to repair: it was done, or has ended by itself."</p>
        }
        .into_any(),
        Standing::Other => view! {
            <p class="why">
                "Things have changed since this plan was shown. "
                <a href="/secret">"Show what is right now"</a>
            </p>
        }
        .into_any(),
    };
    view! { <div id="repair-act" class="form__part" data-follow="">{content}</div> }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::secret::sample;

    #[test]
    fn a_plan_is_carried_out_only_as_it_was_shown() {
        let plan = sample::half_done().repair.value.unwrap().unwrap();
        let mut moved = plan.clone();
        moved.moves.pop();
        let reworded = RepairPlan { happened: "Something else.".to_owned(), ..plan.clone() };
        let other = RepairPlan { token: "other".to_owned(), ..plan.clone() };
        let shown = digest(&plan);
        assert_eq!(standing(None, Some(&plan)), Standing::Right);
        let table = [
            (Some(&plan), Standing::Right),
            (Some(&reworded), Standing::Right),
            (Some(&moved), Standing::Other),
            (Some(&other), Standing::Other),
            (None, Standing::Gone),
        ];
        for (right, expected) in table {
            assert_eq!(standing(Some(&shown), right), expected, "{right:?}");
        }
    }
}
