//! Fields of forms, and what is wrong with them.

use leptos::prelude::*;
use model::problem::Problem;

/// What a [`Field`] is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldText {
    /// Its id, for its label and for links to it.
    pub id: &'static str,
    /// The name it is sent under.
    pub name: &'static str,
    /// What stands above it.
    pub label: &'static str,
    /// The `type` of the input.
    pub kind: &'static str,
    /// What the browser may fill in; `off` for nothing.
    pub autocomplete: &'static str,
    /// What it holds at first.
    pub value: String,
    /// What is wrong with it.
    pub wrong: Option<&'static str>,
    /// The id of what explains it.
    pub explained_by: Option<&'static str>,
    /// The id of a list of suggestions.
    pub suggestions: Option<&'static str>,
    /// Whether it may be left empty.
    pub optional: bool,
}

/// A labelled input with its error.
#[component]
pub fn Field(
    /// What it is.
    text: FieldText,
    /// Whether it has the focus when the page opens.
    #[prop(default = false)]
    first: bool,
) -> impl IntoView {
    let FieldText { id, name, label, kind, autocomplete, value, wrong, explained_by, suggestions, optional } =
        text;
    let error_id = format!("{id}-error");
    let described_by = match (wrong, explained_by) {
        (Some(_), Some(hint)) => Some(format!("{error_id} {hint}")),
        (Some(_), None) => Some(error_id.clone()),
        (None, hint) => hint.map(str::to_owned),
    };
    view! {
        <div class="field" class:field--wrong=wrong.is_some()>
            <label for=id>{label}</label>
            {wrong.map(|wrong| view! { <p class="field__error" id=error_id>{wrong}</p> })}
            <input
                id=id name=name type=kind autocomplete=autocomplete value=value required=!optional autofocus=first
                autocapitalize="none" spellcheck="false" list=suggestions
                aria-invalid=wrong.map(|_| "true") aria-describedby=described_by
            />
        </div>
    }
}

/// Why a form was not carried out: first in the form, and with the focus on it.
#[component]
pub fn FormProblem(
    /// Why.
    problem: Problem,
    /// The id of the field to mend, where it is a field.
    #[prop(optional_no_strip)]
    field: Option<&'static str>,
) -> impl IntoView {
    let Problem { message, next, .. } = problem;
    let message = match field {
        Some(id) => view! { <p><a href=format!("#{id}")>{message}</a></p> }.into_any(),
        None => view! { <p>{message}</p> }.into_any(),
    };
    view! {
        <div class="errors" role="alert" tabindex="-1" autofocus>
            <h2>"There is a problem"</h2>
            {message}
            {next.map(|next| view! { <p>{next}</p> })}
        </div>
    }
}
