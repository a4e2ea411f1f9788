//! The pages as the server renders them.

use model::check::{Check, CheckOutcome, Preflight};
use model::deploy::{DeployPreview, Driver, RolloutState, Verdict};
use model::overview::Reading;

use super::*;
use crate::server::render;

const ACTING: Acting = Acting { role: Role::Operator, proof: Proof::Password, drives: true };

fn screen(page: DeploysPage) -> DeploysScreen {
    DeploysScreen { page, acting: ACTING, done: None, refused: None, refused_late: None }
}

fn html<V: IntoView>(view: impl FnOnce() -> V) -> String {
    let page = render(view);
    assert!(!page.contains(" style="), "the content security policy forbids it");
    assert!(!page.contains("leptos-island"), "nothing of it is in the browser's program");
    page
}

fn deploys(page: DeploysPage) -> String {
    html(move || screen(page).view())
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
fn settled_it_can_be_rolled_back_pruned_and_deployed_anew() {
    let page = deploys(sample::settled());
    for name in ["Last rollout", "What has the requests", "Versions", "HTTP API", "History"] {
        assert!(page.contains(&format!(">{name}</h2>")), "{name} in {page}");
    }
    holds(
        &page,
        &[
            "Nothing needs attention",
            "learninghub-api:live",
            "Page two, faster",
            "action=\"/deploys/rollback\"",
            "Roll back to version 6",
            "name=\"from\" value=\"7\"",
            "name=\"to\" value=\"6\"",
            "Prune 2 old versions (8.2 MB)",
            "name=\"versions\" value=\"2,1\"",
            "href=\"/deploys/new?version=6\"",
            "href=\"/deploys/new\"",
            "deployer (outside)",
            "Deploys its changes by itself",
            "data-every=\"4900\"",
        ],
        &[
            "/deploys/pause",
            "/deploys/promote",
            "/deploys/integration",
            "/deploys/api\"",
            "<noscript>",
            "role=\"alert\"",
        ],
    );
    assert_eq!(page.matches("<h1>").count(), 1);
}

#[test]
fn a_rollout_under_way_shows_its_evidence_and_what_can_be_done() {
    let page = deploys(sample::watching());
    holds(
        &page,
        &[
            "A rollout is under way: Version 8 has 10 %",
            "aria-current=\"step\"",
            "10 % for 5 min, then all",
            "3 min",
            "this portal",
            "150",
            "1,350",
            "8.0 %",
            "84 ms",
            "91 ms",
            "GET /status was answered with 200",
            "START RequestId: 1",
            "action=\"/deploys/pause\"",
            "formaction=\"/deploys/promote\"",
            "Roll back now",
            "loads itself anew every 5 seconds",
            "data-every=\"900\"",
        ],
        &["/deploys/requests", "Roll back to version", "/deploys/resume"],
    );
    let refused = Some((Act::Decide, Problem::new(ProblemKind::NotConfirmed, "Enter your password.")));
    let page = html(move || DeploysScreen { refused, ..screen(sample::watching()) }.view());
    holds(&page, &["href=\"#decide-password\"", "role=\"alert\""], &["<noscript>"]);
}

#[test]
fn with_too_few_requests_some_can_be_sent() {
    let mut page = sample::watching();
    sample::rollout_of(&mut page).gate = Some(sample::gate(Verdict::TooFew));
    sample::rollout_of(&mut page).state = RolloutState::Paused;
    let page = deploys(page);
    holds(
        &page,
        &["3 requests, not enough to judge", "action=\"/deploys/requests\"", "action=\"/deploys/resume\""],
        &["action=\"/deploys/pause\""],
    );
}

#[test]
fn a_rollout_that_nobody_drives_says_so_and_why() {
    let mut page = sample::watching();
    sample::rollout_of(&mut page).driver = Driver::Nobody { heard: None };
    sample::rollout_of(&mut page).trouble = Some("Lambda did not answer.".to_owned());
    let copy = page.clone();
    holds(&deploys(copy), &["nobody yet", "Lambda did not answer."], &["LOCKKEEPER_DRIVE_ROLLOUTS"]);
    let acting = Acting { drives: false, ..ACTING };
    let page = html(move || DeploysScreen { acting, ..screen(page) }.view());
    holds(&page, &["LOCKKEEPER_DRIVE_ROLLOUTS=false"], &[]);
}

#[test]
fn the_last_rollout_stays_with_its_reason() {
    let page = deploys(sample::taken_back());
    holds(
        &page,
        &[
            "Version 8 was taken back",
            "12 of 150 requests failed",
            "It does worse than it may.",
            "Rolled back",
        ],
        &["/deploys/pause", "class=\"steps\""],
    );
}

#[test]
fn an_api_that_leads_past_the_alias_is_told_and_put_right() {
    let page = deploys(sample::past_the_alias());
    holds(
        &page,
        &[
            "Past the alias",
            "does not let the API in",
            "lambda:InvokeFunction on learninghub-api:live",
            "action=\"/deploys/integration\"",
            "action=\"/deploys/api\"",
            "Waits to be deployed",
        ],
        &[],
    );
}

#[test]
fn a_viewer_is_told_who_can() {
    for page in [sample::settled(), sample::watching(), sample::taken_back(), sample::past_the_alias()] {
        let acting = Acting { role: Role::Viewer, ..ACTING };
        let page = html(move || DeploysScreen { acting, ..screen(page) }.view());
        holds(
            &page,
            &["your role is viewer", "operator or admin"],
            &["<form", "<input", "/deploys/new", "Deploy this version"],
        );
    }
}

#[test]
fn without_a_password_a_fresh_sign_in_counts() {
    let with = |fresh| {
        let acting = Acting { proof: Proof::RecentSignIn { fresh }, ..ACTING };
        html(move || DeploysScreen { acting, ..screen(sample::watching()) }.view())
    };
    holds(&with(true), &["nothing more has to be shown"], &["type=\"password\"", "disabled"]);
    holds(&with(false), &["href=\"/sign-in?next=/deploys\"", "disabled"], &["type=\"password\""]);
}

#[test]
fn nothing_there_yet_says_what_comes_next() {
    let none = [
        "No rollout of this function",
        "No version is published yet",
        "CloudTrail has no change",
        "There is no version to go back to",
    ];
    holds(&deploys(sample::empty()), &none, &["Prune"]);
}

#[test]
fn parts_that_could_not_be_read_leave_the_others_alone() {
    let refused = || Problem::new(ProblemKind::Forbidden, "The role may not do that.");
    let mut page = sample::settled();
    page.live = Reading::missing(refused(), page.now);
    page.rollout = Reading::missing(refused(), page.now);
    page.api = Reading::missing(refused(), page.now);
    page.history.problem = Some(refused());
    let page = deploys(page);
    holds(
        &page,
        &[
            "What has the requests could not be read",
            "The history could not be read",
            "Out of date",
            "Change 6",
        ],
        &["action=\"/deploys/rollback\""],
    );
    assert_eq!(page.matches("Nothing has been read yet.").count(), 3);
}

#[test]
fn what_others_have_written_is_text() {
    let mut page = sample::watching();
    sample::rollout_of(&mut page).description = Some("<script>alert(1)</script>".to_owned());
    sample::rollout_of(&mut page).smoke.as_mut().unwrap().body = "</pre><img src=x>".to_owned();
    holds(&deploys(page), &["&lt;script&gt;"], &["<script>", "<img"]);
}

fn typed() -> Typed {
    Typed {
        upload: "abc=".to_owned(),
        upload_name: "api.zip".to_owned(),
        upload_size: "4120000".to_owned(),
        ..Typed::fresh("0".repeat(32), None)
    }
}

#[test]
fn the_form_keeps_what_was_typed_and_names_the_field() {
    let typed = Typed { strategy: "custom".to_owned(), custom: "5 per cent".to_owned(), ..typed() };
    let wrong = typed.deploy().unwrap_err();
    let versions = sample::settled().versions.value.unwrap();
    let page = html(move || NewDeploy { typed, wrong: Some(wrong), versions }.view());
    holds(
        &page,
        &[
            "href=\"#custom\"",
            "value=\"5 per cent\"",
            "api.zip (4.1 MB) is uploaded",
            "name=\"upload\" value=\"abc=\"",
            "enctype=\"multipart/form-data\"",
            "At most 50 MB",
            "7 [live]: Change 7",
            "10 % for 5 min, then all",
            "data-most=\"52428800\"",
        ],
        &[],
    );
}

fn preview(checks: &[(&str, CheckOutcome)], typed: Typed) -> String {
    let deploy = typed.deploy().unwrap();
    let checks: Vec<Check> = checks
        .iter()
        .map(|(id, outcome)| Check {
            id: (*id).to_owned(),
            title: format!("The {id}"),
            outcome: *outcome,
            evidence: "Seen.".to_owned(),
            fix: None,
        })
        .collect();
    let ready = checks.iter().all(|check| check.outcome != CheckOutcome::Fail);
    let preflight = Preflight { ready, verdict: "The verdict.".to_owned(), checks };
    let preview = DeployPreview { preflight, live: "7".to_owned(), strategy: deploy.strategy.words() };
    html(move || Preview { typed, deploy, preview, acting: ACTING, refused: None }.view())
}

#[test]
fn the_preview_says_what_would_be_done_and_does_it_with_a_password() {
    let page = preview(&[("package", CheckOutcome::Pass), ("concurrency", CheckOutcome::Warn)], typed());
    holds(
        &page,
        &[
            "The verdict.",
            "api.zip (4.1 MB)",
            "version 7",
            "10 % for 5 min, then all",
            "GET /status",
            "action=\"/deploys/start\"",
            "id=\"deploy-password\"",
            "name=\"upload\" value=\"abc=\"",
        ],
        &["disabled", "name=\"despite_alarms\""],
    );
}

#[test]
fn alarms_can_be_overridden_and_nothing_else() {
    use CheckOutcome::{Fail, Pass};
    let page = preview(&[("package", Pass), ("alarms", Fail)], typed());
    holds(
        &page,
        &["Deploy although alarms fire", "type=\"checkbox\" name=\"despite_alarms\""],
        &["disabled"],
    );
    let page = preview(&[("no_rotation", Fail), ("alarms", Fail)], typed());
    holds(&page, &["disabled", "Something is in the way"], &["id=\"deploy-password\""]);
}
