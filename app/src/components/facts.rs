//! Names and values, one below the other.

use leptos::prelude::*;

/// The list around [`Fact`]s.
#[component]
pub fn Facts<C>(
    /// The facts.
    children: TypedChildren<C>,
) -> impl IntoView
where
    C: IntoView + 'static,
{
    let children = children.into_inner();
    view! { <dl class="facts">{children()}</dl> }
}

/// A name and its value.
#[component]
pub fn Fact<C>(
    /// The name.
    name: &'static str,
    /// The value.
    children: TypedChildren<C>,
) -> impl IntoView
where
    C: IntoView + 'static,
{
    let children = children.into_inner();
    view! {
        <div class="facts__row">
            <dt>{name}</dt>
            <dd>{children()}</dd>
        </div>
    }
}
