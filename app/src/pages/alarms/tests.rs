//! The pages as the server renders them.

use model::alarms::{Change, ChangePreview};
use model::overview::Reading;
use model::problem::ProblemKind;

use super::*;
use crate::server::render;

const ACTING: Acting = Acting { role: Role::Operator, proof: Proof::Password };

fn html<V: IntoView>(view: impl FnOnce() -> V) -> String {
    let page = render(view);
    assert!(!page.contains(" style="), "the content security policy forbids it");
    assert!(!page.contains("leptos-island"), "nothing of it is in the browser's program");
    page
}

fn screen(page: AlarmsPage, acting: Acting) -> String {
    html(move || AlarmsScreen { page, acting, done: None, refused: None }.view())
}

fn holds(page: &str, there: &[&str], not_there: &[&str]) {
    for text in there {
        assert!(page.contains(text), "no {text} in {page}");
    }
    for text in not_there {
        assert!(!page.contains(text), "{text} in {page}");
    }
}

#[test]
fn what_is_and_what_should_be() {
    let page = screen(sample::page(), ACTING);
    holds(
        &page,
        &[
            "1 alarm fires",
            "the-errors fires",
            "1 alarm tells nobody",
            "nobody: the one subscription is not confirmed",
            "2 confirmed subscribers",
            "2 of 4 recommended alarms missing",
            "Logs are kept for ever",
            "&gt; 5",
            "AWS has no metric of rotations",
            "The secret has no rotation function",
            "2 confirmed, 1 not confirmed",
            "Version 3 logs JSON from INFO on with tracing.",
            "action=\"/alarms/preview\"",
            "Alarm updated from OK to ALARM",
            "href=\"/charts\"",
        ],
        &["role=\"alert\"", "password"],
    );
    assert_eq!(page.matches("<h1>").count(), 1);
    // What can't be had can't be ticked.
    assert!(page.contains("name=\"rotation\" value=\"yes\" disabled"), "{page}");
}

#[test]
fn a_viewer_sees_all_and_no_form() {
    let page = screen(sample::page(), Acting { role: Role::Viewer, ..ACTING });
    holds(&page, &["your role is viewer", "the-errors", "For ever"], &["<form", "type=\"submit\""]);
}

#[test]
fn what_could_not_be_read_says_why_and_nothing_is_said_to_be_well() {
    let problem =
        || Problem::new(ProblemKind::Forbidden, "AWS did not allow the portal to describe the alarms.");
    let mut page = sample::page();
    page.alarms = Reading::missing(problem(), sample::NOW);
    page.set = Reading::missing(problem(), sample::NOW);
    let shown = screen(page, ACTING);
    holds(
        &shown,
        &["Whether an alarm fires is not known", "did not allow", "Nothing has been read yet."],
        &["Nothing needs attention"],
    );
    let mut empty = sample::page();
    empty.alarms.value = Some(Vec::new());
    empty.history.value = Some(Vec::new());
    holds(&screen(empty, ACTING), &["No alarm watches this stack.", "Nothing has happened"], &[]);
}

#[test]
fn a_preview_shows_each_change_and_hands_on_what_was_typed() {
    let typed = Typed { what: "stage".into(), password: "secret".into(), ..Typed::default() };
    let change = Change { what: "Figures are kept".into(), from: Some("no".into()), to: "yes".into() };
    let preview =
        ChangePreview { changes: vec![change], warnings: vec!["It costs.".into()], seen: "s1".into() };
    let (again, refused) =
        (preview.clone(), Problem::new(ProblemKind::NotConfirmed, "Enter your password to confirm."));
    let page = html({
        let typed = typed.clone();
        move || Preview { typed, preview: again, acting: ACTING, refused: Some(refused) }.view()
    });
    holds(
        &page,
        &[
            "Figures are kept",
            "It costs.",
            "name=\"seen\" value=\"s1\"",
            "name=\"what\" value=\"stage\"",
            "role=\"alert\"",
            "/alarms/apply",
        ],
        &["secret"],
    );
    let nothing = ChangePreview { changes: Vec::new(), ..preview };
    let page = html(move || Preview { typed, preview: nothing, acting: ACTING, refused: None }.view());
    holds(&page, &["all is as it is to be"], &["<form"]);
}
