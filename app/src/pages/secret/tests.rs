//! The page as the server renders it.

use model::overview::Reading;
use model::problem::ProblemKind;

use super::*;
use crate::server::render;

fn screen(page: SecretPage) -> SecretScreen {
    SecretScreen {
        page,
        role: Role::Operator,
        proof: Proof::Password,
        forms: Forms::default(),
        new_id: "00112233445566778899aabbccddeeff".to_owned(),
        watch: None,
        plan: None,
    }
}

fn html(screen: SecretScreen) -> String {
    let page = render(move || screen.view());
    assert!(!page.contains(" style="), "the content security policy forbids it");
    assert!(!page.contains("leptos-island"), "nothing of it is in the browser's program");
    page
}

/// Checks what is in a page and what is not.
fn holds(page: &str, there: &[&str], not_there: &[&str]) {
    for text in there {
        assert!(page.contains(text), "no {text} in {page}");
    }
    for text in not_there {
        assert!(!page.contains(text), "{text} in {page}");
    }
}

#[test]
fn a_healthy_secret_can_be_rotated_rehearsed_and_scheduled() {
    let page = html(screen(sample::healthy()));
    for name in [
        "Rotation",
        "Before you rotate",
        "Rotate now",
        "Versions",
        "Schedule",
        "Change the schedule",
        "Used by",
        "History",
    ] {
        assert!(page.contains(&format!(">{name}</h2>")), "{name} in {page}");
    }
    holds(
        &page,
        &[
            "Nothing needs attention",
            "learninghub/sqlserver",
            "A rotation would go through.",
            "6 checks passed",
            "action=\"/secret/rotate\"",
            "action=\"/secret/rehearse\"",
            "action=\"/secret/schedule\"",
            "value=\"00112233445566778899aabbccddeeff\"",
            "8.21 s",
            "2026-12-",
            "value=\"rate(30 days)\"",
            "name=\"off\"",
        ],
        &["action=\"/secret/repair\"", "disabled", "<noscript>", "role=\"alert\""],
    );
    assert_eq!(page.matches("<h1>").count(), 1);
    assert_eq!(page.matches("class=\"step step--done\"").count(), 4);
}

#[test]
fn a_running_rotation_stands_in_place_of_the_button() {
    let page = html(screen(sample::running()));
    holds(
        &page,
        &[
            "A rotation is running: testSecret",
            "aria-current=\"step\"",
            "2 attempts",
            "the next one can begin when it has ended",
            "loads itself anew every 5 seconds",
        ],
        &["id=\"rotate-password\"", ">Rotate now</button>"],
    );
    let problem = Problem::new(ProblemKind::Conflict, "anna is rotating.");
    let forms = Forms { rehearse: Some(problem), ..Forms::default() };
    let page = html(SecretScreen { forms, ..screen(sample::running()) });
    holds(&page, &["anna is rotating."], &["<noscript>"]);
}

#[test]
fn what_was_left_half_done_is_explained_and_can_be_repaired() {
    let page = html(screen(sample::half_done()));
    holds(
        &page,
        &[
            "left half done at setSecret",
            "login failed for user",
            "masterarn",
            "5 attempts",
            "action=\"/secret/repair\"",
            "nowhere: it is taken away",
            "name=\"confirm\"",
            "Something is in the way",
            "In the way",
            "2 h 5 min overdue",
        ],
        &[],
    );
    let moves = page.split("name=\"moves\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let moves: Vec<model::rotation::LabelMove> =
        serde_json::from_str(&moves.replace("&quot;", "\"")).unwrap();
    assert_eq!(moves, sample::half_done().repair.value.unwrap().unwrap().moves);
    let order = ["id=\"rotation\"", "id=\"repair\"", "id=\"preflight\"", "id=\"rotate\"", "id=\"versions\""];
    let places: Vec<usize> = order.iter().map(|id| page.find(id).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn without_moves_a_person_is_told_what_to_do() {
    let mut page = sample::half_done();
    page.repair.value.as_mut().unwrap().as_mut().unwrap().moves.clear();
    holds(&html(screen(page)), &["What to do: ", "the next rotation can begin"], &["/secret/repair"]);
}

#[test]
fn a_viewer_is_told_who_can() {
    for page in [sample::healthy(), sample::half_done(), sample::running()] {
        let page = html(SecretScreen { role: Role::Viewer, ..screen(page) });
        holds(
            &page,
            &["your role is viewer", "operator or admin"],
            &["<form", "type=\"password\"", "<input"],
        );
    }
}

#[test]
fn without_a_password_a_fresh_sign_in_counts() {
    let with =
        |fresh| html(SecretScreen { proof: Proof::RecentSignIn { fresh }, ..screen(sample::half_done()) });
    holds(&with(true), &["nothing more has to be shown"], &["type=\"password\"", "/sign-in?"]);
    let old = with(false);
    holds(&old, &["href=\"/sign-in?next=/secret\""], &["type=\"password\""]);
    assert_eq!(old.matches("disabled").count(), 3, "rotate, repair and switch off: {old}");
}

#[test]
fn a_secret_that_was_never_rotated_says_what_comes_next() {
    let page = html(screen(sample::empty()));
    let none =
        ["No rotation of this secret", "No version has a label", "CloudTrail has no", "No function of"];
    holds(&page, &none, &["name=\"off\"", "Next times"]);
    holds(&page, &["Switch rotation on", ">Off<"], &[]);
}

#[test]
fn parts_that_could_not_be_read_leave_the_others_alone() {
    let refused = || Problem::new(ProblemKind::Forbidden, "The role may not do that.");
    let mut page = sample::healthy();
    page.secret = Reading::missing(refused(), page.now);
    page.repair = Reading::missing(refused(), page.now);
    page.preflight = Reading::missing(refused(), page.now);
    page.history.problem = Some(refused());
    let page = html(screen(page));
    holds(
        &page,
        &["id=\"repair\"", "could not be found out", "Out of date", "8.21 s", "learninghub-report"],
        &["/secret/repair", "learninghub/sqlserver"],
    );
    assert_eq!(page.matches("The role may not do that.").count(), 5, "{page}");
}

#[test]
fn a_form_that_failed_says_why_and_keeps_what_was_typed() {
    let invalid = || Some(Problem::new(ProblemKind::Invalid, "The minute must be 0.").with_next("Mend it."));
    let refused = || Some(Problem::new(ProblemKind::NotConfirmed, "That is not your password."));
    let typed = TypedSchedule { schedule: "cron(5 4 * * ? *)".to_owned(), window_hours: "7".to_owned() };
    let table: [(Forms, &[&str]); 6] = [
        (
            Forms { rotate: refused(), ..Forms::default() },
            &["href=\"#rotate-password\"", "rotate-password-error"],
        ),
        (Forms { rehearse: invalid(), ..Forms::default() }, &["Mend it."]),
        (Forms { repair: invalid(), ..Forms::default() }, &["href=\"#repair-confirm\""]),
        (Forms { repair: refused(), ..Forms::default() }, &["href=\"#repair-password\""]),
        (
            Forms { schedule: invalid(), typed, ..Forms::default() },
            &["href=\"#schedule-expression\"", "value=\"cron(5 4 * * ? *)\"", "value=\"7\""],
        ),
        (
            Forms { schedule: refused(), ..Forms::default() },
            &["href=\"#off-password\"", "<details open class=\"fold\""],
        ),
    ];
    for (forms, there) in table {
        let screen = SecretScreen { forms, ..screen(sample::half_done()) };
        assert_eq!(screen.title(), "Error: Secret");
        let page = html(screen);
        holds(&page, there, &[]);
        assert_eq!(page.matches("role=\"alert\"").count(), 1, "{page}");
    }
}

#[test]
fn what_was_done_is_said_and_words_from_elsewhere_are_escaped() {
    let forms = Forms { done: Some("Done <script>alert(1)</script>".to_owned()), ..Forms::default() };
    let mut page = sample::healthy();
    if let Some(secret) = &mut page.secret.value {
        secret.versions[0].labels.push("<script>\"'".to_owned());
    }
    let screen = SecretScreen { forms, ..screen(page) };
    assert_eq!(screen.title(), "Secret");
    holds(&html(screen), &["Done &lt;script&gt;"], &["<script>"]);
}

#[test]
fn the_address_of_what_is_asked_for_says_which_rotation_and_which_plan() {
    let watch = || Some("0011-anna".to_owned());
    let page = html(SecretScreen { watch: watch(), ..screen(sample::running()) });
    let addresses = [
        "data-from=\"/secret/fragment?rotation=0011-anna\"",
        "data-events=\"/events?page=secret&amp;rotation=0011-anna\"",
        "data-every=\"900\"",
        "href=\"/secret?rotation=0011-anna\"",
    ];
    holds(&page, &addresses, &[]);
    let page = html(screen(sample::healthy()));
    holds(
        &page,
        &["data-from=\"/secret/fragment\"", "data-events=\"/events?page=secret\"", "data-every=\"4900\""],
        &[],
    );
    let page = html(SecretScreen { watch: watch(), ..screen(sample::half_done()) });
    holds(&page, &["data-from=\"/secret/fragment?rotation=0011-anna&amp;plan="], &[]);
    // Who can't carry it out is shown what is right at any time.
    let page = html(SecretScreen { role: Role::Viewer, ..screen(sample::half_done()) });
    holds(&page, &["AWSPENDING"], &["plan=", "data-hold"]);
}

#[test]
fn of_a_plan_that_is_not_right_any_more_the_page_is_told_only_that() {
    let fragment = |plan: Option<&str>, page: SecretPage| {
        let screen = SecretScreen { plan: plan.map(str::to_owned), ..screen(page) };
        render(move || screen.fragment())
    };
    let first = fragment(None, sample::half_done());
    let plan = first.split("plan=").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    assert_eq!(plan.len(), 16, "{plan}");
    let same = fragment(Some(plan), sample::half_done());
    assert_eq!(same, first);
    let held = "<div id=\"repair-plan\" data-hold=\"always\" class=\"repair\"><div id=\"repair-act\"";
    let (gone, other) = (fragment(Some(plan), sample::healthy()), fragment(Some("00"), sample::half_done()));
    holds(&gone, &[held, "nothing left to repair", &format!("plan={plan}")], &["action=\"/secret/repair\""]);
    holds(&other, &[held, "Things have changed", "plan=00"], &["action=\"/secret/repair\""]);
}
