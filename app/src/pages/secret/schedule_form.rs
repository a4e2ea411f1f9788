//! The form that changes the schedule, and the one that switches it off.

use leptos::prelude::*;
use model::problem::{Problem, ProblemKind};
use model::rotation::SecretDetail;

use super::{Proof, TypedSchedule, proof};
use crate::components::form::{Field, FieldText, FormProblem};
use crate::components::notice::Notice;
use crate::components::status::Tone;

/// What is offered while somebody types.
const SUGGESTIONS: [(&str, &str); 6] = [
    ("rate(12 hours)", "every 12 hours"),
    ("rate(1 day)", "every day"),
    ("rate(7 days)", "every 7 days"),
    ("rate(30 days)", "every 30 days"),
    ("cron(0 4 ? * SUN *)", "Sundays at 04:00 UTC"),
    ("cron(0 3 1 * ? *)", "the first of each month at 03:00 UTC"),
];

/// Both forms. A problem with who is asking belongs to the second, which alone asks.
pub fn region(
    secret: Option<&SecretDetail>,
    proof: Proof,
    problem: Option<Problem>,
    typed: TypedSchedule,
) -> impl IntoView + use<> {
    let (off, on): (Option<Problem>, Option<Problem>) = match problem {
        Some(problem) if problem.kind == ProblemKind::NotConfirmed => (Some(problem), None),
        problem => (None, problem),
    };
    let typed = if on.is_some() { typed } else { present(secret) };
    let enabled = secret.is_some_and(|secret| secret.rotation_enabled);
    view! {
        <section id="change-schedule" class="card" aria-labelledby="change-schedule-heading" tabindex="-1">
            <header class="card__head"><h2 id="change-schedule-heading">"Change the schedule"</h2></header>
            <div class="card__body">
                {change(on, typed, enabled)}
                {(enabled || off.is_some()).then(|| switch_off(proof, off))}
            </div>
        </section>
    }
}

/// What the form holds where nothing was typed.
fn present(secret: Option<&SecretDetail>) -> TypedSchedule {
    let schedule = secret.and_then(|secret| secret.schedule.clone()).unwrap_or_default();
    let window = secret.and_then(|secret| secret.window.as_deref()).unwrap_or_default();
    TypedSchedule { schedule, window_hours: window.trim_end_matches('h').to_owned() }
}

fn change(problem: Option<Problem>, typed: TypedSchedule, enabled: bool) -> impl IntoView {
    let wrong = problem.as_ref().is_some_and(|problem| problem.kind == ProblemKind::Invalid);
    let schedule = FieldText {
        id: "schedule-expression",
        name: "schedule",
        label: "Expression",
        kind: "text",
        autocomplete: "off",
        value: typed.schedule,
        wrong: wrong.then_some("Mend the expression or the window."),
        explained_by: Some("schedule-hint"),
        suggestions: Some("schedules"),
        ..FieldText::default()
    };
    let window = FieldText {
        id: "schedule-window",
        name: "window_hours",
        label: "Window in hours (may be left empty)",
        kind: "number",
        autocomplete: "off",
        value: typed.window_hours,
        explained_by: Some("window-hint"),
        optional: true,
        ..FieldText::default()
    };
    let options = SUGGESTIONS.map(|(value, words)| view! { <option value=value>{words}</option> });
    view! {
        <form class="form form--narrow" method="post" action="/secret/schedule" data-hold="">
            {problem.map(|problem| {
                let field = wrong.then_some("schedule-expression");
                view! { <FormProblem problem field/> }
            })}
            <div>
                <Field text=schedule/>
                <datalist id="schedules">{options.collect_view()}</datalist>
                <p class="hint" id="schedule-hint">
                    "For example " <code>"rate(30 days)"</code> ", " <code>"rate(12 hours)"</code> " or "
                    <code>"cron(0 4 ? * SUN *)"</code>
                    ", which is Sundays at 04:00. Times are UTC; the shortest interval is 4 hours, and the minute of a cron expression is 0."
                </p>
            </div>
            <div>
                <Field text=window/>
                <p class="hint" id="window-hint">
                    "How long after the time named a rotation may begin, from 1 to 24. It ends before the next one begins."
                </p>
            </div>
            <button class="button button--primary" type="submit">
                {if enabled { "Change the schedule" } else { "Switch rotation on" }}
            </button>
        </form>
    }
}

fn switch_off(proof: Proof, problem: Option<Problem>) -> impl IntoView {
    let failed = problem.is_some();
    let field = proof::field(proof, "off-password", problem.as_ref());
    view! {
        <details class="fold" open=failed>
            <summary>"Switch rotation off"</summary>
            <form class="form form--narrow" method="post" action="/secret/schedule" data-hold="">
                {problem.map(|problem| {
                    let field = proof::field_to_mend(proof, "off-password", &problem);
                    view! { <FormProblem problem field/> }
                })}
                <Notice
                    tone=Tone::Warn
                    message="Nothing will rotate the secret by itself any more. A rotation that is at work is cancelled (CancelRotateSecret) and can be left half done."
                    next="Do it while no rotation is running.".to_owned()
                />
                <input type="hidden" name="off" value="yes"/>
                {field}
                <button class="button button--danger" type="submit" disabled=!proof.is_possible()>
                    "Switch rotation off"
                </button>
            </form>
        </details>
    }
}
