//! What was looked at before an operation, each thing with its evidence and what to do.

use leptos::prelude::*;
use model::check::{Check, CheckOutcome};

use super::status::{StatusBadge, Tone};

/// What is in the way first, and what passed to be opened.
pub fn list(checks: Vec<Check>) -> AnyView {
    let (passed, open) = sort(checks);
    let count = match passed.len() {
        1 => "1 check passed".to_owned(),
        count => format!("{count} checks passed"),
    };
    view! {
        <ul class="checks">{open.into_iter().map(item).collect_view()}</ul>
        {(!passed.is_empty()).then(|| view! {
            <details class="fold">
                <summary>{count}</summary>
                <ul class="checks">{passed.into_iter().map(item).collect_view()}</ul>
            </details>
        })}
    }
    .into_any()
}

/// The passed ones, and the others, of which the gravest come first.
fn sort(checks: Vec<Check>) -> (Vec<Check>, Vec<Check>) {
    let (passed, mut open): (Vec<Check>, Vec<Check>) =
        checks.into_iter().partition(|check| check.outcome == CheckOutcome::Pass);
    open.sort_by_key(|check| std::cmp::Reverse(check.outcome));
    (passed, open)
}

fn item(check: Check) -> AnyView {
    let Check { title, outcome, evidence, fix, .. } = check;
    let (tone, word) = match outcome {
        CheckOutcome::Pass => (Tone::Good, "Passed"),
        CheckOutcome::Unknown => (Tone::Unknown, "Not known"),
        CheckOutcome::Warn => (Tone::Warn, "May go wrong"),
        CheckOutcome::Fail => (Tone::Bad, "In the way"),
    };
    view! {
        <li class="checks__item">
            <StatusBadge tone label=word/>
            <div class="checks__text">
                <p class="checks__title">{title}</p>
                <p class="checks__evidence">{evidence}</p>
                {fix.map(|fix| view! { <p><strong>"What to do: "</strong>{fix}</p> })}
            </div>
        </li>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_comes_first() {
        use CheckOutcome::{Fail, Pass, Unknown, Warn};
        let check = |outcome| Check {
            id: String::new(),
            title: String::new(),
            outcome,
            evidence: String::new(),
            fix: None,
        };
        let (passed, open) = sort([Pass, Warn, Unknown, Fail, Pass, Warn].map(check).to_vec());
        let outcomes: Vec<CheckOutcome> = open.iter().map(|check| check.outcome).collect();
        assert_eq!((passed.len(), outcomes), (2, vec![Fail, Warn, Warn, Unknown]));
    }
}
