//! A rotation that was left half done: what happened, each label move before it is made, and the form
//! that makes them.
//!
//! The plan that is shown stays the one that was shown first, as somebody may be reading it or typing
//! the name; when another one is right by now, the page says so in place of the button. The server
//! refuses a plan that is not right any more in any case.

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

/// Only where there is something to repair, or that could not be found out.
pub fn region(
    page: RwSignal<SecretPage>,
    name: Memo<Option<String>>,
    acting: &Acting,
    now: Now,
) -> impl IntoView + use<> {
    let reading = Memo::new(move |_| page.with(|page| page.repair.clone()));
    let right = move || reading.with(|reading| reading.value.clone().flatten());
    let shown =
        Memo::new(move |before: Option<&Option<RepairPlan>>| before.cloned().flatten().or_else(right));
    let standing = Memo::new(move |_| shown.with(|shown| standing(shown.as_ref(), right().as_ref())));
    let acting = acting.clone();
    move || {
        let freshness = reading.with(|reading| Freshness::from(reading));
        let plan = shown.get();
        if plan.is_none() && freshness.problem.is_none() {
            return None;
        }
        let acting = acting.clone();
        let body = plan.map(|plan| body(plan, name, acting, standing, now));
        Some(view! { <Card id="repair" heading="Repair" freshness now>{body}</Card> }.into_any())
    }
}

fn standing(shown: Option<&RepairPlan>, right: Option<&RepairPlan>) -> Standing {
    match (shown, right) {
        (Some(shown), Some(right)) if shown.token == right.token && shown.moves == right.moves => {
            Standing::Right
        }
        (_, None) => Standing::Gone,
        _ => Standing::Other,
    }
}

fn body(
    plan: RepairPlan,
    name: Memo<Option<String>>,
    acting: Acting,
    standing: Memo<Standing>,
    now: Now,
) -> impl IntoView {
    let evidence = plan.evidence.iter().map(|sentence| view! { <li>{sentence.clone()}</li> });
    let (outcome, moves) = (plan.outcome.clone(), plan.moves.clone());
    view! {
        <p class="repair__happened">{plan.happened.clone()}</p>
        <ul class="list">{evidence.collect_view()}</ul>
        {match plan.moves.is_empty() {
            true => view! { <p><strong>"What to do: "</strong>{outcome}</p> }.into_any(),
            false => view! {
                <div class="repair__moves">
                    <h3>"What will be done to labels, in this order"</h3>
                    {table(moves, now)}
                </div>
                <p><strong>"Afterwards: "</strong>{outcome}</p>
                {match acting.role >= Role::Operator {
                    true => form(plan, name, acting, standing).into_any(),
                    false => proof::refusal(acting.role),
                }}
            }.into_any(),
        }}
    }
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

fn form(
    plan: RepairPlan,
    name: Memo<Option<String>>,
    acting: Acting,
    standing: Memo<Standing>,
) -> impl IntoView {
    // A plan is strings in a list: it can always be written.
    let moves = serde_json::to_string(&plan.moves).unwrap_or_default();
    let Acting { proof, repair, .. } = acting;
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
                    <code>{move || name.get().unwrap_or_else(|| "as AWS names it".to_owned())}</code>
                </p>
            </div>
            {proof::field(proof, "repair-password", repair.as_ref())}
            {move || match standing.get() {
                Standing::Right => view! {
                    <button class="button button--primary" type="submit" disabled=!proof.is_possible()>"Repair"</button>
                }.into_any(),
                Standing::Gone => view! {
                    <p class="why">"There is nothing left to repair: it was done, or has ended by itself."</p>
                }.into_any(),
                Standing::Other => view! {
                    <p class="why">
                        "Things have changed since this plan was shown. "
                        <a href="/secret">"Show what is right now"</a>
                    </p>
                }.into_any(),
            }}
        </form>
    }
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
        let table = [
            (Some(&plan), Standing::Right),
            (Some(&reworded), Standing::Right),
            (Some(&moved), Standing::Other),
            (Some(&other), Standing::Other),
            (None, Standing::Gone),
        ];
        for (right, expected) in table {
            assert_eq!(standing(Some(&plan), right), expected, "{right:?}");
        }
    }
}
