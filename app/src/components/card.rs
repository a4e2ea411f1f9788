//! A region of a page, and how a reading's age and problem are shown in it.

use leptos::either::Either;
use leptos::prelude::*;
use model::overview::Reading;
use model::problem::Problem;
use model::time::Timestamp;

use super::age::Age;
use super::notice::ProblemNotice;

/// The present, as regions are given it.
pub type Now = Signal<Timestamp>;

/// When a region's content was read, and what went wrong at the newest attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Freshness {
    /// When what is shown was read; where there is nothing, when that was tried.
    pub at: Timestamp,
    /// Why the newest attempt failed.
    pub problem: Option<Problem>,
    /// Whether there is something to show.
    pub has_value: bool,
}

impl<T> From<&Reading<T>> for Freshness {
    fn from(reading: &Reading<T>) -> Self {
        let has_value = reading.value.is_some();
        Self { at: reading.at, problem: reading.problem.clone(), has_value }
    }
}

/// A region with a heading; below it the problem, if any, the content, and how old that is.
#[component]
pub fn Card<C>(
    /// The region's id, for links to it.
    id: &'static str,
    /// The heading.
    heading: &'static str,
    /// Age and problem of the content.
    freshness: Freshness,
    /// The present.
    #[prop(into)]
    now: Signal<Timestamp>,
    /// The content.
    children: TypedChildren<C>,
) -> impl IntoView
where
    C: IntoView + 'static,
{
    let children = children.into_inner();
    let Freshness { at, problem, has_value } = freshness;
    let stale = problem.is_some() && has_value;
    let verb = if has_value { "read " } else { "tried " };
    let heading_id = format!("{id}-heading");
    let labelled_by = heading_id.clone();
    view! {
        <section id=id class="card" class:card--stale=stale aria-labelledby=labelled_by tabindex="-1">
            <header class="card__head">
                <h2 id=heading_id>{heading}</h2>
                <p class="card__age">
                    {stale.then(|| view! { <strong class="card__stale">"Out of date"</strong> })}
                    <span>{verb}<Age at now/></span>
                </p>
            </header>
            {problem.map(|problem| view! { <ProblemNotice problem/> })}
            <div class="card__body">{children()}</div>
        </section>
    }
}

/// A reading's value, or nothing to show.
pub fn value_or_none<T, V, F>(reading: Reading<T>, show: F) -> Either<V, impl IntoView + use<T, V, F>>
where
    V: IntoView + Send + 'static,
    F: FnOnce(T) -> V,
{
    match reading.value {
        Some(value) => Either::Left(show(value)),
        None => Either::Right(view! { <p class="empty">"Nothing has been read yet."</p> }),
    }
}
