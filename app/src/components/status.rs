//! A verdict, as shape, colour and word at once: nobody has to tell red from green.

use leptos::prelude::*;
use model::time::{Timestamp, in_words};

use super::words::overdue;

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// As it should be: a disc with a tick.
    Good,
    /// Nothing to be said: a ring.
    Plain,
    /// Not known: a ring with a question mark.
    Unknown,
    /// To be watched: a triangle.
    Warn,
    /// Broken: an octagon with a cross.
    Bad,
}

impl Tone {
    /// The word that style sheets know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Plain => "plain",
            Self::Unknown => "unknown",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }

    /// Solid outline, and the mark cut out of it, in a square of 16.
    fn paths(self) -> (&'static str, &'static str) {
        match self {
            Self::Good => ("M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Z", "M4.8 8.3 7 10.5l4.3-4.7"),
            Self::Plain => ("M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Z", "M5 8h6"),
            Self::Unknown => {
                ("M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Z", "M6 6.2a2 2 0 1 1 2.8 1.9c-.6.3-.8.6-.8 1.2M8 11.6v.1")
            }
            Self::Warn => ("M8 1.2 15.4 14.4H.6Z", "M8 6v4M8 12.2v.1"),
            Self::Bad => ("M5 1h6l4 4v6l-4 4H5l-4-4V5Z", "M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8"),
        }
    }
}

/// The shape alone, for where the word stands beside it. Hidden from screen readers.
#[component]
pub fn StatusMark(
    /// How it stands.
    tone: Tone,
) -> impl IntoView {
    let (outline, mark) = tone.paths();
    view! {
        <svg class=format!("mark mark--{}", tone.name()) viewBox="0 0 16 16" aria-hidden="true" focusable="false">
            <path class="mark__shape" d=outline></path>
            <path class="mark__sign" d=mark></path>
        </svg>
    }
}

/// Shape and word.
#[component]
pub fn StatusBadge(
    /// How it stands.
    tone: Tone,
    /// The word, for example `Active`.
    #[prop(into)]
    label: String,
) -> impl IntoView {
    view! {
        <span class=format!("badge badge--{}", tone.name())>
            <StatusMark tone/>
            <span class="badge__label">{label}</span>
        </span>
    }
}

/// How a secret's next rotation stands: off, ahead, or failing.
pub fn next_rotation(rotation_enabled: bool, next: Option<Timestamp>, now: Timestamp) -> (Tone, String) {
    match (rotation_enabled, next, overdue(rotation_enabled, next, now)) {
        (false, ..) => (Tone::Plain, "Off".to_owned()),
        (true, _, Some(seconds)) => (Tone::Bad, format!("Failing: {} overdue", in_words(seconds))),
        (true, Some(next), None) => (Tone::Good, format!("Next in {}", in_words(now.age_seconds(next)))),
        (true, None, None) => (Tone::Good, "On".to_owned()),
    }
}
