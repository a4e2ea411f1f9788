//! A number with its name, what it means, and its last hour.

use leptos::prelude::*;

use super::sparkline::{Plot, Sparkline};
use super::status::Tone;

/// What a figure shows.
#[derive(Debug, Clone, PartialEq)]
pub struct FigureText {
    /// The number's name.
    pub name: &'static str,
    /// The number with its unit; where there is none, a word such as `No traffic`.
    pub value: Option<String>,
    /// What stands in place of the number.
    pub without: &'static str,
    /// One line that puts it into proportion.
    pub note: String,
    /// Whether it is as it should be.
    pub tone: Tone,
}

/// The number, large, over its sparkline.
#[component]
pub fn Figure(
    /// The words.
    text: FigureText,
    /// The course.
    plot: Plot,
) -> impl IntoView {
    let FigureText { name, value, without, note, tone } = text;
    let empty = value.is_none();
    view! {
        <div class=format!("figure figure--{}", tone.name())>
            <h3 class="figure__name">{name}</h3>
            <p class="figure__value" class:figure__value--none=empty>{value.unwrap_or_else(|| without.to_owned())}</p>
            <p class="figure__note">{note}</p>
            <Sparkline plot/>
        </div>
    }
}
